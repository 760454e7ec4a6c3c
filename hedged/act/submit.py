"""Write ahead, submit, record: an order is durable before it is sent, and its outcome is never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hedged.act.brake import Brake
from hedged.errors import StoreError
from hedged.model.order import Absent, ApprovedIntent, Fill, Outcome, Rejected
from hedged.ports import Clock, OrderGateway, Store

_ALONE = "the order that goes before it, so that enough stays hedged, was not filled"


async def submit_all(
    approved: Sequence[ApprovedIntent],
    gateways: Mapping[str, OrderGateway],
    store: Store,
    brake: Brake,
    *,
    cycle_id: str,
    clock: Clock,
) -> tuple[tuple[Outcome, ...], str | None]:
    """Send each approved intent once, in order; also why the store could not keep on, or None.

    The brake is asked before each: from the moment it holds, nothing more is sent. What cannot be kept is not sent
    either: from the first failure on the rest is answered as rejected by ourselves. An order whose outcome could not
    be kept is sent all the same, and is looked up by its id next time. One that goes only after others is not sent
    unless they were filled whole.
    """
    outcomes: list[Outcome] = []
    try:
        if approved:
            await store.plan(cycle_id, [each.intent for each in approved], clock.now())
        for each in approved:
            await brake.look(clock.now())
            if brake.why is None and not _filled(each.intent.only_after, approved, outcomes):
                outcomes += await _withdraw([each], store, clock, _ALONE)
                continue
            if brake.why is None:
                await store.mark_sent(each.intent.client_order_id, clock.now())
            if brake.why is not None:  # asked again: a signal may have come in between
                rest = approved[len(outcomes) :]
                return (*outcomes, *await _withdraw(rest, store, clock, f"orders are {brake.why}")), None
            gateway = gateways[each.intent.instrument.partition(":")[0]]
            outcomes.append(await gateway.submit(each))
            await store.record_outcome(outcomes[-1], clock.now())
    except StoreError as error:
        return (*outcomes, *_unsent(approved[len(outcomes) :], "the database cannot keep it")), str(error)
    return tuple(outcomes), None


async def _withdraw(rest: Sequence[ApprovedIntent], store: Store, clock: Clock, why: str) -> list[Outcome]:
    """Close the rows of orders that were planned and are not sent. Raises `StoreError`."""
    for each in rest:
        await store.record_outcome(Absent(client_order_id=each.intent.client_order_id), clock.now())
    return _unsent(rest, why)


def _filled(ids: Sequence[str], approved: Sequence[ApprovedIntent], outcomes: Sequence[Outcome]) -> bool:
    """Whether all of these orders were filled, each of them whole."""
    whole = {
        each.intent.client_order_id
        for each, outcome in zip(approved, outcomes, strict=False)
        if isinstance(outcome, Fill) and outcome.quantity >= each.intent.quantity
    }
    return whole.issuperset(ids)


def _unsent(rest: Sequence[ApprovedIntent], why: str) -> list[Outcome]:
    return [Rejected(each.intent.client_order_id, f"not sent, since {why}") for each in rest]
