"""What should be traded, what was allowed, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from hedged.model.instrument import InstrumentId
from hedged.model.proposal import Proposal
from hedged.model.trade import Purpose as Purpose  # noqa: PLC0414 - part of what an order is, so it is exported here too
from hedged.model.trade import Side as Side  # noqa: PLC0414


class Placement(StrEnum):
    """How an order meets the book."""

    IOC = "ioc"  # takes what the book offers within its limit, at once, and never rests
    PASSIVE = "passive"  # rests on its own side as a maker (post-only), until it is filled or taken back


@dataclass(frozen=True, slots=True)
class Intent:
    """An order we would like. `quantity` is in contracts and positive; `notional` is at `price`, positive."""

    client_order_id: str  # `hd` + 24 lowercase hex, unique for ever
    hedge: str
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal  # the mark it was decided on, in the instrument's quote
    notional: Decimal
    reduce_only: bool
    reason: str
    purpose: Purpose = Purpose.REBALANCE
    placement: Placement = Placement.IOC
    held: Decimal | None = None  # signed contracts of the position it was decided on; None: not known
    only_after: tuple[str, ...] = ()  # ids of orders that have to be filled first: without them too little is hedged
    approval: str | None = None  # the proposal that a person approved; planning the order uses that up
    part: str = ""  # what it is of what was wanted, in words, where it is less than that; "": all of it

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity * self.side.sign


@dataclass(frozen=True, slots=True)
class Refusal:
    """An intent that the gate stopped, and why. Kept for audit."""

    intent: Intent
    reason: str


class _GateSeal:
    """Held by `hedged.decide.gate` alone; a test searches the sources for any other use."""


GATE_SEAL = _GateSeal()


@dataclass(frozen=True, slots=True)
class ApprovedIntent:
    """An intent that passed every limit. Only `hedged.decide.gate` makes these; only these can be sent."""

    intent: Intent
    price_limit: Decimal  # the worst price the collar allows
    seal: _GateSeal
    rest_at: Decimal | None = None  # where a passive order waits in the book; None: it takes what is there

    def __post_init__(self) -> None:
        if self.seal is not GATE_SEAL:
            raise TypeError("only hedged.decide.gate approves intents")


@dataclass(frozen=True, slots=True)
class Fill:
    """What the venue did. `quantity` is in contracts, positive, may be less than asked; `fee` > 0 is paid."""

    client_order_id: str
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal  # average
    fee: Decimal  # quote currency
    at: datetime
    slippage: Decimal = Decimal(0)  # quote currency lost against the mark, before fees; > 0 is paid
    estimated: bool = False  # price, fee or quantity come from elsewhere than the venue's own record of the order


class OrderStatus(StrEnum):
    """How the venue says that an order stands; all but `OPEN` are ends, after which nothing more is filled."""

    OPEN = "open"  # also partly filled, also on its way into the book
    FILLED = "filled"
    CANCELLED = "cancelled"  # by us, by the venue, or the rest of an order that does not wait; may be partly filled
    EXPIRED = "expired"  # the same in the words of some venues
    REJECTED = "rejected"  # after it had been acknowledged


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue acknowledged the order under an id of its own. Says nothing about fills: look it up."""

    client_order_id: str
    venue_order_id: str


@dataclass(frozen=True, slots=True)
class Working:
    """The order rests in the book, or has not been seen to its end. `filled` is in contracts, so far."""

    client_order_id: str
    venue_order_id: str
    filled: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order existed, has ended, and nothing of it was filled. `reason` says how the venue tells it."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """An order as the venue shows it. `filled` is in contracts, zero or positive."""

    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    filled: Decimal
    average_price: Decimal | None = None  # of what is filled; None: nothing is, or the venue does not tell
    fee: Decimal | None = None  # > 0 is paid, < 0 received, in `fee_asset`; None: not told, which is not zero
    fee_asset: str | None = None

    @property
    def ended(self) -> bool:
        return self.status is not OrderStatus.OPEN


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that waits in the venue's book, whoever placed it. Quantities in contracts, zero or positive."""

    client_order_id: str | None  # None: it is not hedged's
    venue_order_id: str
    side: Side
    quantity: Decimal  # in all; 0 where a venue counts 'whatever the position is' so
    filled: Decimal
    price: Decimal | None  # None: it has none, as conditional orders at market


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was placed, and that is certain: the venue said no, or nothing was sent. `reason` says which."""

    client_order_id: str
    reason: str
    sent: bool = True  # False: nothing left, so the venue has refused nothing


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether the order exists: to be looked up by its id before anything else trades there."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A look-up found no such order, on every page where it could be."""

    client_order_id: str


Outcome: TypeAlias = Fill | Cancelled | Rejected | Working | Unknown
"""What is known of an order after an attempt or a look-up; all but `Working` and `Unknown` are ends."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What should be done and why; also when that is nothing."""

    reason: str
    intents: tuple[ApprovedIntent, ...] = ()
    refused: tuple[Refusal, ...] = ()
    proposals: tuple[Intent, ...] = ()  # what `monitor` would have traded; never sent
    by_hand: tuple[Intent, ...] = ()  # for a person to place at a broker that hedged does not reach; never sent
    awaiting: tuple[Proposal, ...] = ()  # what waits for a person's word after this cycle
    answered: tuple[Proposal, ...] = ()  # proposals that came to an end in it
    take_back: tuple[str, ...] = ()  # client order ids: at rest in a book and not wanted any more, to be cancelled now
    stopped: str | None = None  # why orders were paused or halted; the reason of those refused for that


class OrderState(StrEnum):
    PLANNED = "planned"  # committed, nothing sent
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"  # the venue gave its own id; the end is not known yet
    FILLED = "filled"  # in part or whole, and ended
    CANCELLED = "cancelled"  # ended with nothing filled
    REJECTED = "rejected"
    UNKNOWN = "unknown"


ABSENT = "absent"
"""The journal's word for an order that was looked for and is not there."""


@dataclass(frozen=True, slots=True)
class PastOrder:
    """What the journal knows of an order. `state`: an `OrderState` or "absent"; `sent` False: nothing ever left."""

    intent: Intent
    state: str
    planned_at: datetime
    sent: bool
    filled: Decimal = Decimal(0)  # contracts
    reason: str | None = None
    sends: int = 0  # how often


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A journal row that is not at its end."""

    intent: Intent
    state: OrderState
    planned_at: datetime
    cycle_id: str
    sent_at: datetime | None = None  # the last time
    sends: int = 0  # how often this id was sent
    absences: int = 0  # look-ups in a row, after `sent_at`, that found nothing where it had to be
    venue_order_id: str | None = None
