"""Drive every order that has not come to an end to one, before anything new is decided.

    planned                   never sent: closed
    sent, unknown             looked up by its id
    acknowledged              looked up; an order that should not rest any more is taken back first

A look-up that finds nothing is believed late: the order may be on its way, or not shown yet. `Absent` counts once the
venue cannot take it any more, by a clock that never jumps, twice, with a whole cycle in between that read the position
and found it as it was before the order. An order that the venue has acknowledged is never absent: gone for
`_FORGOTTEN_AFTER` look-ups with the position unmoved, it was cancelled, and the venue has forgotten it.

Where look-ups find nothing and the position has moved the way of the order, the position tells: what it moved by is
what was filled, at a price and a fee that are estimated and said to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedged.errors import StoreError
from hedged.model.instrument import InstrumentId
from hedged.model.order import (
    ABSENT,
    Absent,
    Cancelled,
    Fill,
    Intent,
    OrderRow,
    OrderState,
    Outcome,
    PastOrder,
    Unknown,
    Working,
)
from hedged.ports import Clock, Memory, OrderGateway, Store

ABSENCES = 2  # look-ups in vain that are believed, where the position has not moved
SENDS_MAX = 3  # of one id
_FORGOTTEN_AFTER = 5  # look-ups in vain after which an acknowledged order that moved nothing has ended
_MOVED_AFTER = 3  # look-ups in vain after which a position that moved tells what was filled

Settled = tuple[Intent, Outcome | Absent]
TakeBack = Callable[[OrderRow, Working], bool]


def rests_never(row: OrderRow, working: Working) -> bool:
    """Orders that take what is there and rest never: one that is still open is taken back."""
    return True


@dataclass(slots=True)
class Reconciler:
    """One process's memory of how long it has known each open order; durable is what stands in the journal."""

    clock: Clock
    take_back: TakeBack = rests_never
    _known_since: dict[str, float] = field(default_factory=dict, init=False)  # monotonic seconds, by client order id

    async def reconcile(
        self, gateways: Mapping[str, OrderGateway], store: Store, memory: Memory, now: datetime
    ) -> list[Settled]:
        """The orders that have come to an end now. `memory`: what the last completed cycle read.

        What the venue cannot tell stays open, and nothing else trades that instrument. Raises `StoreError` where the
        journal cannot be read; an end that cannot be written is found again.
        """
        rows = await store.open_orders()
        ids = {row.intent.client_order_id for row in rows}
        self._known_since = {each: since for each, since in self._known_since.items() if each in ids}
        settled: list[Settled] = []
        for row in rows:
            gateway = gateways.get(row.intent.instrument.partition(":")[0])
            known_since = self._known_since.setdefault(row.intent.client_order_id, self.clock.monotonic())
            try:
                if row.state is OrderState.PLANNED:
                    end: Outcome | Absent | None = Absent(row.intent.client_order_id)
                elif gateway is not None:
                    end = await self._drive(row, gateway, store, memory, now, known_since=known_since)
                else:
                    continue
                if end is not None:
                    await store.record_outcome(end, now)
                    settled.append((row.intent, end))
            except StoreError:
                continue  # still open there, so it is looked up again
        return settled

    async def _drive(
        self, row: OrderRow, gateway: OrderGateway, store: Store, memory: Memory, now: datetime, *, known_since: float
    ) -> Outcome | Absent | None:
        """The order's end; None: it has none yet, and what was learnt of it is in the journal. Raises `StoreError`."""
        found = await gateway.find(row.intent)
        if isinstance(found, Working) and self.take_back(row, found):
            found = await gateway.cancel(row.intent)
        if isinstance(found, Unknown):
            return None
        if isinstance(found, Working):
            await store.record_outcome(found, now)
            return None
        if not isinstance(found, Absent):
            return found
        if self.clock.monotonic() - known_since < gateway.absent_after.total_seconds():
            return None  # it may be on its way
        end = proven(row, gateway, memory, now)
        if end is None:
            await store.record_absence(row.intent.client_order_id, now)
        return end


def proven(row: OrderRow, gateway: OrderGateway, memory: Memory, now: datetime) -> Fill | Cancelled | Absent | None:
    """What one more look-up in vain proves, after `row.absences` others; None: nothing yet."""
    intent = row.intent
    if not gateway.absent_after:
        return Absent(intent.client_order_id)
    moved = moved_by(intent, memory)
    if row.absences + 1 < ABSENCES or moved is None:
        return None
    if not moved and row.venue_order_id is None:
        return Absent(intent.client_order_id)
    if not moved:
        forgotten = "the venue had it and shows it no more, and the position is as it was"
        return Cancelled(intent.client_order_id, forgotten) if row.absences + 1 >= _FORGOTTEN_AFTER else None
    ordered = moved * intent.side.sign > 0 and abs(moved) <= intent.quantity
    if not ordered or row.absences + 1 < _MOVED_AFTER:
        return None
    return Fill(
        client_order_id=intent.client_order_id,
        instrument=intent.instrument,
        side=intent.side,
        quantity=abs(moved),
        price=intent.price,
        fee=Decimal(0),
        at=now,
        estimated=True,
    )


def moved_by(intent: Intent, memory: Memory) -> Decimal | None:
    """Signed contracts by which the position has changed since the order was decided on.

    None where that is not known: the last cycle did not read the account, or doubted what it read.
    """
    account = intent.instrument.partition(":")[0]
    if intent.held is None or memory.at is None or memory.read_at.get(account) != memory.at:
        return None
    if intent.instrument in memory.polls:
        return None
    return memory.positions.get(intent.instrument, Decimal(0)) - intent.held


def to_send_again(orders: Iterable[PastOrder]) -> dict[InstrumentId, Intent]:
    """The newest order of each instrument, where it was sent and found absent: the next one there takes its id.

    Should the venue have taken it after all, it then sees one order twice and not two. Not for ever: what was absent
    `SENDS_MAX` times is given up, and the next order is a new one.
    """
    newest: dict[InstrumentId, PastOrder] = {}
    for order in orders:
        known = newest.get(order.intent.instrument)
        if known is None or order.planned_at > known.planned_at:
            newest[order.intent.instrument] = order
    return {
        instrument: order.intent
        for instrument, order in newest.items()
        if order.state == ABSENT and 0 < order.sends < SENDS_MAX
    }
