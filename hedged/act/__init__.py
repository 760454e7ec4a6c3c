"""Write ahead, submit, record: an order is durable before it is sent, and its outcome is never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hedged.errors import StoreError
from hedged.model.order import Absent, ApprovedIntent, Intent, OrderState, Outcome, Rejected, Unknown
from hedged.ports import Clock, OrderGateway, Store

__all__ = ["reconcile", "submit_all"]


async def submit_all(
    approved: Sequence[ApprovedIntent], gateways: Mapping[str, OrderGateway], store: Store, cycle_id: str, clock: Clock
) -> tuple[tuple[Outcome, ...], str | None]:
    """Send each approved intent once, in order; also why the store could not keep on, or None.

    What cannot be kept is not sent: from the first failure on the rest is answered as rejected by ourselves. An order
    whose outcome could not be kept is sent all the same, and is looked up by its id next time.
    """
    outcomes: list[Outcome] = []
    trouble: str | None = None
    try:
        if approved:
            await store.plan(cycle_id, [each.intent for each in approved], clock.now())
        for each in approved:
            gateway = gateways[each.intent.instrument.partition(":")[0]]
            await store.mark_sent(each.intent.client_order_id, clock.now())
            outcomes.append(await gateway.submit(each))
            await store.record_outcome(outcomes[-1], clock.now())
    except StoreError as error:
        trouble = str(error)
    unsent = approved[len(outcomes) :]
    outcomes += [
        Rejected(each.intent.client_order_id, "not sent, since the database cannot keep it") for each in unsent
    ]
    return tuple(outcomes), trouble


async def reconcile(
    gateways: Mapping[str, OrderGateway], store: Store, now: datetime
) -> list[tuple[Intent, Outcome | Absent]]:
    """Drive every row that has not come to an end to one, before anything new is decided.

    A planned row was never sent: it is closed. A sent or unknown one is looked up by its id; what the venue cannot
    tell stays open, and nothing else trades that instrument.
    """
    settled: list[tuple[Intent, Outcome | Absent]] = []
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
        settled.append((intent, found))
    return settled
