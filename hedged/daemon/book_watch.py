"""What rests in the books of contracts that hedged trades, and is not ours: looked for beside the cycles.

A position shows somebody else's order once it is filled; this shows it while it waits. Every order of ours is in the
journal before it leaves, so the journal is asked after the book. One of ours that the journal believes to have ended is
looked at twice, for it may have come to its end just now; it is told, and never cancelled: who is wrong is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta

import structlog

from hedged.errors import StoreError, VenueError
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.order import OpenOrder
from hedged.ports import Clock, OpenOrders, Store

EVERY_CYCLES = 10
SURE_AFTER = 10.0  # seconds until an order that should have ended is looked for again
TOLD_MAX = 1000  # orders kept in mind
NAMED = 3  # orders in a sentence

log = structlog.get_logger(__name__)


class BookWatch:
    """`books`: by account; `traded`: the contracts on which hedges may send orders; `every`: the cycles' interval."""

    def __init__(
        self,
        books: Mapping[str, OpenOrders],
        traded: Collection[InstrumentId],
        store: Store,
        clock: Clock,
        every: timedelta,
    ) -> None:
        self._books = books
        self._traded = sorted(each for each in traded if each.partition(":")[0] in books)
        self._store = store
        self._clock = clock
        self._every = every
        self._told: dict[tuple[InstrumentId, str], None] = {}  # by venue's id, the oldest first
        self._new: dict[InstrumentId, list[str]] = {}  # what the next cycle tells
        self._failing: set[InstrumentId] = set()

    async def run(self) -> None:
        """At once, and every tenth cycle. Raises nothing that a venue or the store does wrong."""
        while self._traded:
            await self.look()
            await self._clock.sleep(EVERY_CYCLES * self._every.total_seconds())

    async def look(self) -> None:
        """One contract after the other, so that no burst of requests meets the orders' own."""
        for instrument in self._traded:
            foreign = await self._strangers(instrument)
            if any(order.client_order_id is not None for order in foreign):
                await self._clock.sleep(SURE_AFTER)
                still = {order.venue_order_id for order in await self._strangers(instrument)}
                foreign = [each for each in foreign if each.client_order_id is None or each.venue_order_id in still]
            for order in foreign:
                self._note(instrument, order)

    async def _strangers(self, instrument: InstrumentId) -> list[OpenOrder]:
        """Those in the book that the journal does not know as open; none where either cannot be read."""
        try:
            waiting = await self._books[instrument.partition(":")[0]].open_orders(instrument)
            ours = {row.intent.client_order_id for row in await self._store.open_orders()} if waiting else set()
        except (VenueError, StoreError) as error:
            if instrument not in self._failing:
                log.warning("nobody knows what rests in the book", instrument=instrument, error=str(error))
            self._failing.add(instrument)
            return []
        self._failing.discard(instrument)
        return [order for order in waiting if order.client_order_id not in ours]

    def _note(self, instrument: InstrumentId, order: OpenOrder) -> None:
        key = instrument, order.venue_order_id
        if key in self._told:
            return
        self._told[key] = None
        while len(self._told) > TOLD_MAX:
            del self._told[next(iter(self._told))]
        what = f"{order.side.value} {order.quantity - order.filled:f}"
        what += "" if order.price is None else f" at {order.price:f}"
        if order.client_order_id is not None:
            what += f" with hedged's id {order.client_order_id}, which this journal does not know as open"
        self._new.setdefault(instrument, []).append(f"{what} (the exchange's id {order.venue_order_id})")

    def findings(self) -> Iterator[Finding]:
        """Each order once."""
        found, self._new = self._new, {}
        for instrument, orders in found.items():
            listed = "; ".join(orders[:NAMED]) + (" and more" if len(orders) > NAMED else "")
            text = f"{instrument}: orders rest in its book that are not hedged's: {listed}. hedged leaves them alone."
            yield Finding(Kind.FOREIGN_ORDER, instrument, Severity.WARNING, text, {"orders": len(orders)})
