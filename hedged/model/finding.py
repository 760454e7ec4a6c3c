"""What was found to be true: states worth telling, and the assessment they are part of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from hedged.model.instrument import InstrumentId
from hedged.model.statistics import MarginOdds

Scalar = str | Decimal | int | bool | None


class Severity(StrEnum):
    """Ordered by `rank`."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return ("info", "warning", "critical").index(self.value)


class Kind(StrEnum):
    DRIFT = "drift"
    MARGIN = "margin"
    MARGIN_ODDS = "margin_odds"
    LIQUIDATION_NEAR = "liquidation_near"
    EXPIRY = "expiry"
    DATA_STALE = "data_stale"
    DATA_MISSING = "data_missing"
    ACCOUNT_UNREACHABLE = "account_unreachable"
    ASSET_UNCOVERED = "asset_uncovered"
    PRICE_MISSING = "price_missing"
    POSITION_UNOWNED = "position_unowned"
    POSITION_VANISHED = "position_vanished"
    POSITION_CLOSED = "position_closed"
    POSITION_REDUCED = "position_reduced"
    ORDER_RECOVERED = "order_recovered"
    POSITION_UNTRUSTED = "position_untrusted"
    BALANCE_VANISHED = "balance_vanished"
    DEPEG = "depeg"
    NOT_TRADING = "not_trading"
    NO_EXPOSURE = "no_exposure"
    CYCLE_MISSED = "cycle_missed"
    CYCLE_OVERRUN = "cycle_overrun"
    ORDER_REFUSED = "order_refused"
    ORDER_REJECTED = "order_rejected"
    ORDER_FAILED = "order_failed"
    CLOCK_SKEW = "clock_skew"
    STORE_DEGRADED = "store_degraded"
    CYCLE_FAILED = "cycle_failed"
    ROLL = "roll"
    TOO_COARSE = "too_coarse"
    KEY_WITHDRAWS = "key_withdraws"
    KEY_UNCONFIRMED = "key_unconfirmed"
    KEY_MISSING = "key_missing"
    STREAM_DOWN = "stream_down"
    HISTORY_MISSING = "history_missing"
    HEDGE_INEFFECTIVE = "hedge_ineffective"
    PAUSED = "paused"
    PAUSED_DUE = "paused_due"
    HALTED = "halted"
    CHANNEL_DOWN = "channel_down"
    PROPOSAL = "proposal"
    PROPOSAL_VOID = "proposal_void"
    PROPOSAL_FILLED = "proposal_filled"
    FENCED = "fenced"
    FOREIGN_ORDER = "foreign_order"
    COMMANDS_DROPPED = "commands_dropped"
    TOPICS_DENIED = "topics_denied"
    RELOAD_REFUSED = "reload_refused"


class SubjectKind(StrEnum):
    """What a finding's subject names; decides when it has left the configuration."""

    HEDGE = "hedge"
    ACCOUNT = "account"
    INSTRUMENT = "instrument"  # account:SYMBOL
    BALANCE = "balance"  # account/wallet/asset
    ASSET = "asset"
    PORTFOLIO = "portfolio"
    CHANNEL = "channel"
    PROPOSAL = "proposal"  # hedge/id


SUBJECT_KIND: Mapping[Kind, SubjectKind] = {
    Kind.DRIFT: SubjectKind.HEDGE,
    Kind.MARGIN: SubjectKind.ACCOUNT,
    Kind.MARGIN_ODDS: SubjectKind.ACCOUNT,
    Kind.LIQUIDATION_NEAR: SubjectKind.ACCOUNT,
    Kind.EXPIRY: SubjectKind.INSTRUMENT,
    Kind.DATA_STALE: SubjectKind.HEDGE,
    Kind.DATA_MISSING: SubjectKind.HEDGE,
    Kind.ACCOUNT_UNREACHABLE: SubjectKind.ACCOUNT,
    Kind.ASSET_UNCOVERED: SubjectKind.ASSET,
    Kind.PRICE_MISSING: SubjectKind.ASSET,
    Kind.POSITION_UNOWNED: SubjectKind.INSTRUMENT,
    Kind.POSITION_VANISHED: SubjectKind.INSTRUMENT,
    Kind.POSITION_CLOSED: SubjectKind.INSTRUMENT,
    Kind.POSITION_REDUCED: SubjectKind.INSTRUMENT,
    Kind.ORDER_RECOVERED: SubjectKind.HEDGE,
    Kind.POSITION_UNTRUSTED: SubjectKind.INSTRUMENT,
    Kind.BALANCE_VANISHED: SubjectKind.BALANCE,
    Kind.DEPEG: SubjectKind.ASSET,
    Kind.NOT_TRADING: SubjectKind.INSTRUMENT,
    Kind.NO_EXPOSURE: SubjectKind.HEDGE,
    Kind.CYCLE_MISSED: SubjectKind.PORTFOLIO,
    Kind.CYCLE_OVERRUN: SubjectKind.PORTFOLIO,
    Kind.ORDER_REFUSED: SubjectKind.HEDGE,
    Kind.ORDER_REJECTED: SubjectKind.HEDGE,
    Kind.ORDER_FAILED: SubjectKind.HEDGE,
    Kind.CLOCK_SKEW: SubjectKind.ACCOUNT,
    Kind.STORE_DEGRADED: SubjectKind.PORTFOLIO,
    Kind.CYCLE_FAILED: SubjectKind.PORTFOLIO,
    Kind.ROLL: SubjectKind.HEDGE,
    Kind.TOO_COARSE: SubjectKind.HEDGE,
    Kind.KEY_WITHDRAWS: SubjectKind.ACCOUNT,
    Kind.KEY_UNCONFIRMED: SubjectKind.ACCOUNT,
    Kind.KEY_MISSING: SubjectKind.ACCOUNT,
    Kind.STREAM_DOWN: SubjectKind.ACCOUNT,
    Kind.HISTORY_MISSING: SubjectKind.HEDGE,
    Kind.HEDGE_INEFFECTIVE: SubjectKind.HEDGE,
    Kind.PAUSED: SubjectKind.PORTFOLIO,
    Kind.PAUSED_DUE: SubjectKind.HEDGE,
    Kind.HALTED: SubjectKind.PORTFOLIO,
    Kind.CHANNEL_DOWN: SubjectKind.CHANNEL,
    Kind.PROPOSAL: SubjectKind.HEDGE,
    Kind.PROPOSAL_VOID: SubjectKind.HEDGE,
    Kind.PROPOSAL_FILLED: SubjectKind.PROPOSAL,
    Kind.FENCED: SubjectKind.PORTFOLIO,
    Kind.FOREIGN_ORDER: SubjectKind.INSTRUMENT,
    Kind.COMMANDS_DROPPED: SubjectKind.PORTFOLIO,
    Kind.TOPICS_DENIED: SubjectKind.PORTFOLIO,
    Kind.RELOAD_REFUSED: SubjectKind.PORTFOLIO,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One state worth telling. Its identity is (kind, subject): no number is ever part of it."""

    kind: Kind
    subject: str  # a hedge, an instrument, an asset or an account
    severity: Severity
    text: str  # one sentence with the numbers and units
    values: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.kind.value}/{self.subject}"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Net quantity of one asset (long positive) and its value in the portfolio's quote; None: unknown."""

    asset: str
    quantity: Decimal | None
    price: Decimal | None
    value: Decimal | None
    hedge: str | None  # the hedge that covers it
    as_of: datetime | None  # the oldest reading it rests on


class HedgeStatus(StrEnum):
    OK = "ok"
    UNDER = "under"
    OVER = "over"
    BLOCKED = "blocked"
    NO_EXPOSURE = "no_exposure"


@dataclass(frozen=True, slots=True)
class LegState:
    """One instrument of a hedge: signed contracts (short negative), coins and notional at mark.

    `notional` is in the portfolio's quote currency, `mark` in the instrument's own.
    """

    instrument: InstrumentId
    contracts: Decimal | None
    base_quantity: Decimal | None
    notional: Decimal | None
    mark: Decimal | None
    as_of: datetime | None
    direction: int = 1
    weight: Decimal | None = None  # share of the target; None: first tradable takes all
    stands_for: InstrumentId | None = None  # the named contract of its chain, where it is not named itself
    tradable: bool = False
    funding_rate: Decimal | None = None  # per interval; > 0: longs pay shorts
    carry_year: Decimal | None = None  # quote currency a year at today's rate; > 0 is paid by us
    rate: Decimal | None = Decimal(1)  # quote currency for one unit of what the instrument is priced in
    ending: bool = False  # it is time to leave it: nothing is opened there any more where another can take it

    @property
    def slot(self) -> InstrumentId:
        """The named instrument that this one counts for."""
        return self.stands_for or self.instrument

    @property
    def hedge_value(self) -> Decimal | None:
        """What it adds to the hedge, quote currency; None: unknown."""
        return None if self.notional is None else -self.direction * self.notional


@dataclass(frozen=True, slots=True)
class HedgeState:
    """Where one hedge stands. Values in quote currency, `hedge_value` > 0 when it offsets a long;
    ratios are fractions of the beta-weighted exposure B, drift < 0 means under-hedged.
    """

    name: str
    exposure_value: Decimal | None
    beta_exposure: Decimal | None
    hedge_value: Decimal | None
    hedge_ratio: Decimal | None
    target_ratio: Decimal
    band: Decimal  # effective half-width, after widening to a lot or the minimum order
    band_configured: Decimal
    drift: Decimal | None
    status: HedgeStatus
    legs: tuple[LegState, ...] = ()
    blocked_by: tuple[str, ...] = ()  # why no order may be made, one reason each
    target_reason: str = ""  # why the target is what it is, where it is not simply the configured one


@dataclass(frozen=True, slots=True)
class HedgeGroup:
    """Hedges that share an instrument, taken as the one position they are; nearly always a single hedge.

    Sums over its hedges, in the quote currency. `target_value` is what `hedge_value` should be.
    """

    hedges: tuple[str, ...]
    beta_exposure: Decimal | None
    target_value: Decimal | None
    hedge_value: Decimal | None
    hedge_ratio: Decimal | None
    target_ratio: Decimal
    band: Decimal  # effective half-width
    band_configured: Decimal
    drift: Decimal | None
    status: HedgeStatus
    legs: tuple[LegState, ...]  # whole positions, in the order of preference
    blocked_by: tuple[str, ...]
    leg_targets: Mapping[InstrumentId, Decimal] = field(default_factory=dict)  # by slot; {}: one leg may take all
    inner_band: Decimal | None = None  # where orders stop, where that is not the band's own edge

    @property
    def name(self) -> str:
        return "+".join(self.hedges)


@dataclass(frozen=True, slots=True)
class MarginStatus:
    """An account's danger. `margin_ratio` 1 is liquidation; None is unknown."""

    account: str
    margin_ratio: Decimal | None
    liquidation_distance_ratio: Decimal | None
    estimated: bool
    equity: Decimal | None = None
    maintenance: Decimal | None = None
    odds: MarginOdds | None = None  # None: nobody has asked


@dataclass(frozen=True, slots=True)
class ExpiryStatus:
    instrument: InstrumentId
    expiry: datetime
    days: Decimal  # < 0: past


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is true, at one `now`.

    `undetermined` holds the finding keys whose truth could not be told this time (their data is missing): such a
    finding neither fires anew nor resolves. `kind/*` stands for every subject of that kind.
    """

    now: datetime
    exposures: tuple[Exposure, ...]
    hedges: tuple[HedgeState, ...]
    groups: tuple[HedgeGroup, ...]
    margin: tuple[MarginStatus, ...]
    expiries: tuple[ExpiryStatus, ...]
    findings: tuple[Finding, ...]
    undetermined: frozenset[str] = frozenset()
