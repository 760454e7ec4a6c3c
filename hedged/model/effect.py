"""What a hedge did: where it stood at two readings, and what the time between them brought, in parts that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from operator import add, attrgetter

from hedged.model.instrument import InstrumentId

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class AssetReading:
    """Coins of one asset, net of what is borrowed, and what one is worth in the portfolio's quote currency."""

    quantity: Decimal
    price: Decimal
    debt: Decimal = ZERO  # coins borrowed, with interest; part of `quantity` already


@dataclass(frozen=True, slots=True)
class LegReading:
    """One instrument of a hedge. Prices in the currency it is priced in, of which one is worth `rate`.

    `contracts` and `base_quantity` (coins) are signed, short negative.
    """

    slot: InstrumentId
    direction: int
    contracts: Decimal
    base_quantity: Decimal
    mark: Decimal
    rate: Decimal
    multiplier: Decimal
    lot_size: Decimal
    linear: bool = True
    tradable: bool = True
    spot: Decimal | None = None  # of its coin; None: not known, so that its basis is not either
    mid: Decimal | None = None  # middle of its book; None: no book
    expires: datetime | None = None
    funding_rate: Decimal | None = None
    funding_hours: Decimal | None = None
    funding_next: datetime | None = None
    # By the account's own books, since they were opened, in what settles the contract; None: it does not tell.
    funding_paid: Decimal | None = None

    @property
    def hedge_value(self) -> Decimal:
        """What it adds to the hedge, quote currency."""
        return -self.direction * self.base_quantity * self.mark * self.rate


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """What a venue says it settled on a position: `amount` in `currency`, > 0 was received.

    The same payment read again has the same `id`; no other of its contract has it.
    """

    instrument: InstrumentId
    at: datetime
    amount: Decimal
    currency: str
    id: str


@dataclass(frozen=True, slots=True)
class Funded:
    """One settlement of funding as it is booked: computed until the venue's payments are read.

    `amount` in the portfolio's quote currency, > 0 was received; `worth`: of one coin that the contract settles in.
    """

    instrument: InstrumentId
    at: datetime
    amount: Decimal
    worth: Decimal
    ids: tuple[str, ...] = ()  # of the payments that it was read from; (): it is computed


@dataclass(frozen=True, slots=True)
class HedgeReading:
    """Where hedges that share their instruments (nearly always one hedge) stood at one good reading.

    `full_value`: what `hedge_value` would be at ratio 1, `target_value` at the target ratio. `targets`: the same by
    slot; {}: one leg may take all.
    """

    at: datetime
    assets: Mapping[str, AssetReading]
    legs: Mapping[InstrumentId, LegReading]
    full_value: Decimal
    target_value: Decimal
    targets: Mapping[InstrumentId, Decimal] = field(default_factory=dict)

    @property
    def exposure_value(self) -> Decimal:
        return sum((asset.quantity * asset.price for asset in self.assets.values()), ZERO)


@dataclass(frozen=True, slots=True)
class Parts:
    """PnL in the quote currency, > 0 was gained; what is paid is negative. The fields add up to the hedged PnL.

    See `hedged.estimate.decomposition` for how each is found.
    """

    by_choice: Decimal = ZERO  # exposure that the target ratio leaves open
    proxy: Decimal = ZERO  # the assets against what they are hedged with, at the ratios in force
    band_gap: Decimal = ZERO  # whole lots between hedge and target
    lot_residual: Decimal = ZERO  # what no whole lot could close
    basis: Decimal = ZERO  # contracts against their own coins, mark against the middle of the book
    basis_run_off: Decimal = ZERO  # what the basis of a dated contract loses by the passing of time
    funding: Decimal = ZERO  # as the account itself tells it, else worked out from the announced rates
    fees: Decimal = ZERO
    slippage: Decimal = ZERO  # spread included: fill against the middle of the book, or the mark where there is none
    roll: Decimal = ZERO  # fees and slippage of orders that moved the hedge to another contract
    interest: Decimal = ZERO  # on borrowed coins
    unexplained: Decimal = ZERO  # of positions that changed without an order of hedged's

    def __add__(self, other: Parts) -> Parts:
        return Parts(*map(add, _values(self), _values(other)))

    @property
    def total(self) -> Decimal:
        """The hedged PnL."""
        return sum(_values(self), ZERO)

    @property
    def costs(self) -> Decimal:
        """Fees, slippage, roll and interest; > 0 is paid."""
        return -(self.fees + self.slippage + self.roll + self.interest)


PART_NAMES = tuple(part.name for part in fields(Parts))
_values = attrgetter(*PART_NAMES)
PART_WORDS: Mapping[str, str] = {
    "by_choice": "left open by the target ratio",
    "proxy": "assets against instruments",
    "band_gap": "gap to the target, whole lots",
    "lot_residual": "gap to the target, below a lot",
    "basis": "basis",
    "basis_run_off": "basis run-off",
    "funding": "funding received",
    "fees": "fees paid",
    "slippage": "spread and slippage paid",
    "roll": "roll paid",
    "interest": "interest on borrowed coins paid",
    "unexplained": "positions changed by others",
}


@dataclass(frozen=True, slots=True)
class EffectDay:
    """One hedge on one UTC day, summed over the intervals that ended in it; a reading at midnight ends the day before.

    `exposure` is the PnL of the assets by themselves, `parts` that of assets and hedge together. `full_hedge`: what a
    hedge at ratio 1, at the ratios in force, would have taken from it. `flows`: value of the coins that came (> 0) or
    went: no PnL. `exposure_value` as the day began, 0 where nothing was known before.
    """

    hedge: str
    day: datetime  # its midnight
    exposure_value: Decimal = ZERO
    seconds: float = 0.0  # covered by good readings
    unknown_seconds: float = 0.0  # between good readings, of which nothing is known all the same
    flows: Decimal = ZERO
    exposure: Decimal = ZERO
    full_hedge: Decimal = ZERO
    parts: Parts = field(default_factory=Parts)
    funding_settled: int = 0  # settlements whose funding is in `parts`, computed or read
    funding_read: int = 0  # of these, or of earlier days': what the account itself said, booked in this day

    @property
    def hedge_pnl(self) -> Decimal:
        """What the hedge made, costs included."""
        return self.parts.total - self.exposure


@dataclass(frozen=True, slots=True)
class HedgeLedger:
    """What goes on from cycle to cycle: the last good reading, after its orders, and the day so far.

    `funded`: the settlements after `funded_since`, so that each counts once, whenever and however often it is read.
    """

    reading: HedgeReading | None = None
    day: EffectDay | None = None
    funded: tuple[Funded, ...] = ()
    funded_since: datetime | None = None  # None: nothing is booked yet
