"""What the user wants, as frozen values without validation: `settings` has checked them already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.order import Placement
from hedged.model.timing import Insurance, Signal


class Mode(StrEnum):
    MONITOR = "monitor"
    PAPER = "paper"
    APPROVE = "approve"
    LIVE = "live"


class World(StrEnum):
    """Which reality a store and its messages speak of; they are never mixed."""

    SIMULATED = "simulated"
    PAPER = "paper"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Holding:
    """Coins that no exchange shows: a cold wallet, a broker. `max_age` None: never stale."""

    asset: str
    quantity: Decimal
    as_of: datetime
    note: str = ""
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class LegPolicy:
    """One instrument a hedge may use. `direction` is −1 where it rises when the assets fall, else +1."""

    instrument: InstrumentId
    direction: int = 1
    weight: Decimal | None = None  # share of the target; None: first tradable takes all
    stands_for: InstrumentId | None = None  # the named contract of its chain, where it is not named itself


BAND = Decimal("0.05")
RISK_COST_YEAR = Decimal("0.1")
"""A tenth of the exposure a year: what insuring an altcoin portfolio by options costs at the least."""


class Target(StrEnum):
    """How a short is sized; see `assess.targets`."""

    VALUE = "value"
    QUANTITY = "quantity"
    MINIMUM_VARIANCE = "minimum-variance"


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """These assets, those instruments, this ratio. `band` is a half-width in units of the hedge ratio."""

    name: str
    assets: tuple[str, ...]  # after aliases; the wildcard is `takes_rest`
    legs: tuple[LegPolicy, ...]
    target_ratio: Decimal
    band: Decimal  # where it is the optimal one: until the statistics for that are known
    beta: Mapping[str, Decimal] = field(default_factory=dict)  # 1 where absent
    mode: Mode = Mode.MONITOR
    takes_rest: bool = False
    target: Target = Target.VALUE
    beta_estimated: bool = False  # instead of `beta`
    band_optimal: bool = False  # from costs, volatilities and `risk_cost_year`
    risk_cost_year: Decimal = RISK_COST_YEAR  # share of the exposure that being rid of its risk is worth a year
    carry_shrink_max: Decimal = Decimal(0)  # how much of the target may go because the short is dear; 0: none
    timing: Insurance | Signal | None = None  # None: always
    prior_betas: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict
    )  # asset → BTC, ETH: until there is enough past
    placement: Placement = Placement.IOC
    target_reason: str = ""  # why `target_ratio` is not the configured one now, or whether it may change

    @property
    def estimated(self) -> bool:
        """Whether its size rests on ratios of past returns."""
        return self.beta_estimated or self.target is Target.MINIMUM_VARIANCE

    @property
    def needs_statistics(self) -> bool:
        """Whether anything about it is learnt from past prices or funding."""
        return self.estimated or self.band_optimal or bool(self.carry_shrink_max) or isinstance(self.timing, Signal)

    @property
    def splits(self) -> bool:
        """Whether each instrument has a target of its own; else the first that can be traded takes all."""
        if self.target is Target.QUANTITY:
            return len(self.assets) > 1
        return self.target is Target.MINIMUM_VARIANCE or any(leg.weight is not None for leg in self.legs)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a state becomes a finding. Ratios are fractions."""

    stale_after: timedelta = timedelta(minutes=3)
    leg_skew_max: timedelta = timedelta(seconds=10)
    margin_ratio_warning: Decimal = Decimal("0.5")
    margin_ratio_critical: Decimal = Decimal("0.75")
    liquidation_distance_near: Decimal = Decimal("0.15")
    expiry_ladder: tuple[timedelta, ...] = (timedelta(days=7), timedelta(days=3), timedelta(hours=24))
    depeg: Decimal = Decimal("0.01")


class OnCritical(StrEnum):
    """What is done about an account whose liquidation has become far too likely."""

    ALERT = "alert"
    REDUCE = "reduce"


@dataclass(frozen=True, slots=True)
class MarginPolicy:
    """How likely a liquidation may be within the time that it takes the user to top up; critical at a multiple."""

    top_up_within: timedelta = timedelta(days=1)
    probability: float = 0.01
    on_critical: OnCritical = OnCritical.ALERT


class CountdownUse(StrEnum):
    """Which venues' own countdown is armed, so that what rests in a book is cancelled should hedged die."""

    OURS = "ours"  # those that cancel no order but hedged's
    ALL = "all"  # also those that cancel whatever rests in the market or on the account
    OFF = "off"


PRICE_COLLAR = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Limits:
    """What no order may exceed; notionals in the quote currency. None: no limit set."""

    order_notional_max: Decimal | None = None
    position_notional_max: Decimal | None = None
    turnover_day_max: Decimal | None = None
    orders_cycle_max: int = 10
    price_collar: Decimal = PRICE_COLLAR  # furthest from the mark that an order may be priced
    orders_minute_max: int = 20
    # The guard's, beyond which hedged stops itself until a person resumes it; see `decide.runaway`.
    orders_hour_max: int = 100
    orders_day_max: int = 500
    rejections_max: int = 5  # in a row, on one instrument
    unfollowed_max: int = 2  # filled orders in a row after which the position was not what it should be
    equity_drop_day_max: Decimal | None = None  # fraction of an account's highest equity within a day; None: no limit
    order_notional_min: Decimal = Decimal(0)  # smaller orders are not worth their fee; widens the band where it must
    leverage_max: Decimal | None = None  # an account's positions over its equity, after an order that opens
    # Fraction of an account's equity that such an order leaves unbound. None: `FREE_MARGIN_MIN` where margin is known.
    free_margin_min: Decimal | None = None
    passive_for: timedelta = timedelta(minutes=2)  # how long passive orders wait to be filled before one takes
    countdown: CountdownUse = CountdownUse.OURS


FREE_MARGIN_MIN = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class RollPolicy:
    """When a contract that ends is left: from `before` its end on, and out of it by `stop` before its end.

    Venues settle on an average of the last 30 to 60 minutes, so `stop` lies before that.
    """

    before: timedelta = timedelta(days=5)
    stop: timedelta = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class PaperPolicy:
    """The paper account: what it starts with and what trading costs. `fee_*` and `slippage_bps` are one way."""

    cash: Decimal = Decimal(10_000)  # quote currency, per account
    fee_taker: Decimal = Decimal("0.0005")
    fee_maker: Decimal = Decimal("0.0002")
    slippage_bps: Decimal = Decimal(2)
    spread_bps: Decimal = Decimal(2)  # full spread, where there is no book
    leverage: Decimal = Decimal(5)
    coins: Mapping[str, Decimal] = field(default_factory=dict)  # per account: collateral of coin-margined contracts


PROPOSALS_EXPIRE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class PortfolioPolicy:
    """Everything the pure core needs of one configuration file."""

    name: str
    mode: Mode
    world: World
    quote: str
    every: timedelta
    hedges: tuple[HedgePolicy, ...]
    accounts: frozenset[str] = frozenset()  # names
    holdings: tuple[Holding, ...] = ()
    dust_value: Decimal = Decimal(10)
    ignore: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    stablecoins: frozenset[str] = frozenset({"USDT", "USDC", "DAI", "FDUSD", "TUSD", "USDE", "PYUSD", "BUSD", "USD"})
    thresholds: Thresholds = field(default_factory=Thresholds)
    limits: Limits = field(default_factory=Limits)
    roll: RollPolicy = field(default_factory=RollPolicy)
    margin: MarginPolicy = field(default_factory=MarginPolicy)
    paper: PaperPolicy = field(default_factory=PaperPolicy)
    tiers: Mapping[InstrumentId, tuple[MarginTier, ...]] = field(default_factory=dict)
    proposals_expire: timedelta = PROPOSALS_EXPIRE  # how long a proposal may be answered
