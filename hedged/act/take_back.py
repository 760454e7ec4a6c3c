"""A regular stop: what of ours waits in a book is taken back, since nobody would look after it until the next start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from hedged.errors import StoreError
from hedged.model.order import Absent, OrderRow, OrderState, Unknown, Working
from hedged.ports import Clock, OrderGateway, Store


async def take_back(
    gateways: Mapping[str, OrderGateway], store: Store, clock: Clock, *, within: float
) -> list[OrderRow]:
    """Cancel what was sent and has no end, all at once, and keep what came of it. The orders that may still rest.

    Each was looked up after it was cancelled, and only that is believed: what stays open in the journal, for want of
    an answer within so many seconds or of a database, is driven to its end at the next start. Raises `StoreError` where
    the journal cannot be read.
    """
    rows = [
        row
        for row in await store.open_orders()
        if row.state is not OrderState.PLANNED and row.intent.instrument.partition(":")[0] in gateways
    ]
    ended: set[str] = set()

    async def end(row: OrderRow) -> None:
        found = await gateways[row.intent.instrument.partition(":")[0]].cancel(row.intent)
        if isinstance(found, Absent | Unknown):
            return  # which prove nothing yet
        if not isinstance(found, Working):
            ended.add(row.intent.client_order_id)
        with suppress(StoreError):
            await store.record_outcome(found, clock.now())

    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await asyncio.gather(*map(end, rows), return_exceptions=True)
    return [row for row in rows if row.intent.client_order_id not in ended]
