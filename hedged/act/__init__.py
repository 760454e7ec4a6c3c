"""Write ahead, submit, record: an order is durable before it is sent, and its outcome is never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hedged.errors import StoreError
from hedged.model.order import Absent, ApprovedIntent, OrderState, Outcome, Unknown
from hedged.ports import Clock, OrderGateway, Store

__all__ = ["reconcile", "submit_all"]


async def submit_all(
    approved: Sequence[ApprovedIntent], gateways: Mapping[str, OrderGateway], store: Store, cycle_id: str, clock: Clock
) -> tuple[Outcome, ...]:
    """Send each approved intent once, in order. Raises `StoreError` before anything is sent if it can't be kept."""
    if not approved:
        return ()
    await store.plan(cycle_id, [each.intent for each in approved], clock.now())
    outcomes: list[Outcome] = []
    for each in approved:
        intent = each.intent
        gateway = gateways[intent.instrument.partition(":")[0]]
        await store.mark_sent(intent.client_order_id, clock.now())
        outcome = await gateway.submit(each)
        outcomes.append(outcome)
        await store.record_outcome(outcome, clock.now())
    return tuple(outcomes)


async def reconcile(gateways: Mapping[str, OrderGateway], store: Store, now: datetime) -> tuple[Outcome | Absent, ...]:
    """Drive every row that has not come to an end to one, before anything new is decided.

    A planned row was never sent: it is closed. A sent or unknown one is looked up by its id; what the venue cannot
    tell stays open, and nothing else trades that instrument.
    """
    settled: list[Outcome | Absent] = []
    for row in await store.open_orders():
        intent = row.intent
        gateway = gateways.get(intent.instrument.partition(":")[0])
        if row.state is OrderState.PLANNED:
            found: Outcome | Absent = Absent(client_order_id=intent.client_order_id)
        elif gateway is None:
            continue
        else:
            found = await gateway.find(intent.client_order_id, intent.instrument)
        if isinstance(found, Unknown):
            continue
        try:
            await store.record_outcome(found, now)
        except StoreError:
            continue  # still open there, so it is looked up again
        settled.append(found)
    return tuple(settled)
