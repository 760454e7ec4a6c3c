"""What a plan is made of, and what it proposes. Money is in the portfolio's quote currency unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.policy import BAND, PRICE_COLLAR, RISK_COST_YEAR, Target

SIZES = (1, 2, 3, 4)
TODAY = "today"


@dataclass(frozen=True, slots=True)
class PlanHolding:
    """Coins of one asset, net, and the price of one."""

    asset: str
    quantity: Decimal
    price: Decimal

    @property
    def value(self) -> Decimal:
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contract that could be traded. Ratios are fractions of its value; None: the venue does not say."""

    instrument: Instrument
    mark: Decimal  # the instrument's own quote currency
    rate: Decimal = Decimal(1)  # portfolio's quote currency for one unit of that
    direction: int = 1  # −1: rises when the assets fall, so that it is bought
    carry_year: Decimal | None = None  # what a short costs a year by funding or basis; < 0: it is paid
    carry_of: str = TODAY  # when: "today", or of how many past days, and by whom
    fee: Decimal = Decimal("0.0005")  # one way
    spread: Decimal | None = None
    assumed: bool = False  # its rules are typical ones, no venue was asked

    @property
    def trade_cost(self) -> Decimal:
        """Of one trade: the fee and half the spread."""
        return self.fee + (self.spread or Decimal(0)) / 2


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """`size`: of the set to propose, None: the smallest that no larger one beats clearly. Times are years."""

    size: int | None = None
    own: bool = True  # whether the held coins' own contracts may be used
    top_up_within: float = 1 / 365
    probability: float = 0.01
    risk_cost_year: Decimal = RISK_COST_YEAR  # share of the exposure that being rid of its risk is worth a year
    band: Decimal = BAND
    dust_value: Decimal = Decimal(10)
    price_collar: Decimal = PRICE_COLLAR
    alternatives: int = 3


@dataclass(frozen=True, slots=True)
class PlanCost:
    """A year's cost; below 0 is received. `fees`: opening the hedge and rebalancing it, spread included."""

    fees: Decimal
    funding: Decimal | None  # and the basis of dated contracts; None: not known of every leg
    roll: Decimal
    funding_of: Mapping[InstrumentId, str] = field(default_factory=dict)  # by leg, see `Candidate.carry_of`

    @property
    def total(self) -> Decimal | None:
        return None if self.funding is None else self.fees + self.funding + self.roll


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """`ratio`: value to be short per unit of exposure, < 0: to hold long. `contracts` signed, short is negative.

    Coins that have to be bought to back it are exposure that it covers beside the rest: `net` is what is left of it.
    """

    instrument: InstrumentId
    ratio: float
    optimum: float  # contracts before rounding
    contracts: Decimal
    notional: Decimal  # signed
    assumed: bool = False
    bought: Decimal = Decimal(0)  # value of those coins

    @property
    def net(self) -> Decimal:
        """What it takes from the exposure, signed like the contracts."""
        return self.notional + self.bought


@dataclass(frozen=True, slots=True)
class PlannedMargin:
    """Collateral for one account's legs, in `currency`, and the highest whole leverage that leaves as much.

    In a coin it is posted from what is held of it, as far as that goes; `bought` is the rest.
    """

    account: str
    currency: str
    collateral: Decimal
    leverage: int
    assumed: bool  # maintenance margin or volatility is a typical one: the venue or the past does not say
    value: Decimal = Decimal(0)  # of the collateral
    coin: bool = False  # `currency` is one that contracts are margined in
    bought: Decimal = Decimal(0)  # coins
    safe_at: Decimal | None = None  # coins with which no price liquidates a short; None: there is no such number


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """Instruments with their contracts. `expected`, `low`, `high`: share of next year's variance that they remove, with
    bounds that hold it in nine years of ten; `residual_year`: one standard deviation of what is left. None: too little
    history to say.
    """

    legs: tuple[PlannedLeg, ...]
    target: Target  # what the configuration calls this way of sizing
    expected: float | None
    low: float | None
    high: float | None
    cost: PlanCost
    margin: tuple[PlannedMargin, ...]
    residual_year: Decimal | None


@dataclass(frozen=True, slots=True)
class Alternative:
    """What was not proposed, and why in a sentence."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanProposal:
    """For one group of assets. `best` None: there is nothing to hedge, or nothing to hedge with; `notes` say it."""

    name: str
    assets: tuple[str, ...]
    exposure: Decimal
    best: PlannedSet | None
    sets: tuple[PlannedSet, ...]  # the best of each size, smallest first
    alternatives: tuple[Alternative, ...]
    notes: tuple[str, ...]
