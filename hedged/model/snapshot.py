"""What was seen of the world in one cycle, each part with the time it was read, or why it is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.statistics import HedgeStatistics, MarginOdds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A value and when the venue's answer arrived (the venue's own time where it tells one)."""

    value: T
    as_of: datetime


class Fault(StrEnum):
    """Why a datum is missing, by whose fault it is (see `hedged.errors`)."""

    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Missing(Generic[T]):
    """A datum that could not be read. `last` is the last good value with its age: to show, never to trade on."""

    fault: Fault
    call: str  # for example "fetch_balance spot"
    detail: str
    last: Read[T] | None = None
    account: str = ""


Leg: TypeAlias = Read[T] | Missing[T]


def seen(leg: Leg[T]) -> Read[T] | None:
    """The value to *show*: what was read, else the last good one, else nothing."""
    return leg if isinstance(leg, Read) else leg.last


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset in one wallet, in coins; all three are ≥ 0, except that a derivatives wallet may be negative."""

    asset: str
    free: Decimal
    locked: Decimal = Decimal(0)
    debt: Decimal = Decimal(0)  # borrowed principal plus accrued interest

    @property
    def net(self) -> Decimal:
        return self.free + self.locked - self.debt


@dataclass(frozen=True, slots=True)
class Position:
    """One derivative position as the venue tells it. `contracts` is signed: short is negative."""

    instrument: InstrumentId
    contracts: Decimal
    entry_price: Decimal | None = None  # average; an inverse position's delta is unknown without it
    liquidation_price: Decimal | None = None  # the venue's own; None: it did not say
    unrealised_pnl: Decimal | None = None
    maintenance_margin: Decimal | None = None  # quote currency
    trusted: bool = True  # False: base quantity and the venue's notional disagree
    isolated_equity: Decimal | None = None  # set apart for it alone, quote currency; None: it shares the account's
    as_of: datetime | None = None  # entered by hand then; None: read from the venue with the rest


@dataclass(frozen=True, slots=True)
class Margin:
    """A derivatives account's collateral, in the quote currency. Liquidation is at maintenance = equity."""

    equity: Decimal  # wallet + unrealised PnL, bonus credit excluded
    maintenance: Decimal | None  # None: the venue does not say and tiers are unknown
    available: Decimal | None = None  # free to open new positions
    estimated: bool = False  # True: computed from tiers, not told by the venue
    leverage: Decimal | None = None  # what a position binds is its value over this; None: not told

    @property
    def tightness(self) -> Decimal:
        """Maintenance over equity: 0 where nothing is needed or told, infinite where nothing is left."""
        if not self.maintenance:
            return Decimal(0)
        return self.maintenance / self.equity if self.equity > 0 else Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Positions and margin of one account, read together so that they agree."""

    positions: tuple[Position, ...]
    margin: Margin | None
    # Since the account was opened, by instrument, in what settles it; absent: nothing yet, > 0 was paid.
    funding_paid: Mapping[InstrumentId, Decimal] | None = None  # None: the account does not tell
    # In cross margin, what backs the contracts that settle in each currency, and no others; valued in the quote
    # currency. Absent: not told apart.
    equities: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quote:
    """Where an instrument trades. Prices in its quote currency, rates per funding interval (> 0: longs pay)."""

    mark: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    index: Decimal | None = None
    funding_rate: Decimal | None = None
    funding_interval_hours: Decimal | None = None
    funding_next: datetime | None = None
    bid_size: Decimal | None = None  # contracts at the best price of either side
    ask_size: Decimal | None = None
    volume_day: Decimal | None = None  # traded within 24 hours, its quote currency
    high_day: Decimal | None = None  # within 24 hours, as is the low
    low_day: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """One account. `wallets` maps a wallet's name (spot, margin, swap) to its balances; without a key it is empty
    and `derivatives` is None: nothing was asked, so nothing is missing.
    """

    account: str
    wallets: Mapping[str, Leg[tuple[Balance, ...]]] = field(default_factory=dict)
    derivatives: Leg[Derivatives] | None = None
    shown_only: tuple[Position, ...] = ()  # paper: the real account's derivatives, shown and not counted


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that was there and is not any more, or a position that got smaller; unexplained so far.

    `subject` is an `InstrumentId` for a position, `account/wallet/asset` for a balance.
    """

    subject: str
    account: str
    asset: str  # the asset whose exposure is in doubt
    instrument: InstrumentId | None  # None for a balance
    before: Decimal
    now: Decimal
    polls: int  # consecutive cycles that found it unexplained, this one included
    explanation: str | None = None  # what the venue shows became of it, in words; then it is believed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One cycle's whole view. `prices` are in the portfolio's quote currency, per asset."""

    now: datetime
    accounts: Mapping[str, AccountSnapshot]
    instruments: Mapping[InstrumentId, Instrument]
    quotes: Mapping[InstrumentId, Leg[Quote]]
    prices: Mapping[str, Leg[Decimal]]
    statistics: Mapping[str, HedgeStatistics] = field(default_factory=dict)  # by hedge, as far as they are known
    margin_odds: Mapping[str, MarginOdds] = field(default_factory=dict)  # by account
    doubts: tuple[Doubt, ...] = ()
    explained: tuple[Doubt, ...] = ()  # what vanished or shrank and is believed, since the venue shows why
