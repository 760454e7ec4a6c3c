"""Write ahead, submit, record: an order is durable before it is sent, and its outcome is never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from hedged.act.brake import Brake
from hedged.errors import NotApproved, StoreError
from hedged.model.order import Absent, ApprovedIntent, Fill, Intent, Outcome, Rejected
from hedged.ports import Clock, OrderGateway, Store

FRESH_FOR = timedelta(minutes=3)
_ALONE = "the order that goes before it, so that enough stays hedged, was not filled"
_BEHIND = "the order before it on the same contract was not filled whole"


async def submit_all(
    approved: Sequence[ApprovedIntent],
    gateways: Mapping[str, OrderGateway],
    store: Store,
    brake: Brake,
    *,
    cycle_id: str,
    clock: Clock,
    fresh_for: timedelta = FRESH_FOR,
) -> tuple[tuple[Outcome, ...], str | None]:
    """Send each approved intent once, in order; also why the store could not keep on, or None.

    The brake is asked before each: from the moment it holds, nothing more is sent. What cannot be kept is not sent
    either: from the first failure on the rest is answered as rejected by ourselves. An order whose outcome could not
    be kept is sent all the same, and is looked up by its id next time. Not sent are: an order that goes only after
    others, unless they were filled whole; a further one on a contract whose last was not; and whatever was decided
    longer ago than `fresh_for`, as after a suspended night.
    """
    outcomes: dict[str, Outcome] = {}
    decided = clock.monotonic()
    try:
        await _plan(approved, outcomes, store, cycle_id=cycle_id, clock=clock)
        for each in approved:
            intent = each.intent
            if intent.client_order_id in outcomes:
                continue
            async with brake.in_hand:
                await brake.look(clock.now())
                why = _held_back(intent, approved, outcomes)
                if clock.monotonic() - decided > fresh_for.total_seconds():
                    why = f"it was decided {clock.monotonic() - decided:.0f} s ago"
                if brake.why is None and why is None:
                    await store.mark_sent(intent.client_order_id, clock.now())
                if brake.why is not None:  # asked again: a signal may have come in between
                    why = f"orders are {brake.why}"
                if why is not None:
                    await store.record_outcome(Absent(intent.client_order_id), clock.now())
                    outcomes[intent.client_order_id] = _unsent(intent, why)
                    continue
                outcome = await gateways[intent.instrument.partition(":")[0]].submit(each)
                outcomes[intent.client_order_id] = outcome
                # What never left is as if it had not been sent: no refusal of the venue's, and its id is free.
                unsent = isinstance(outcome, Rejected) and not outcome.sent
                await store.record_outcome(Absent(intent.client_order_id) if unsent else outcome, clock.now())
    except StoreError as error:
        for each in approved:
            missing = _unsent(each.intent, "the database cannot keep it")
            outcomes.setdefault(each.intent.client_order_id, missing)
        return _in_order(approved, outcomes), str(error)
    return _in_order(approved, outcomes), None


async def _plan(
    approved: Sequence[ApprovedIntent], outcomes: dict[str, Outcome], store: Store, *, cycle_id: str, clock: Clock
) -> None:
    """All of them durable; those whose approval a person has just taken back are answered instead."""
    left = [each.intent for each in approved]
    while left:
        try:
            await store.plan(cycle_id, left, clock.now())
            return
        except NotApproved as error:
            gone = [each for each in left if each.approval == error.proposal_id]
            if not gone:
                raise
            outcomes.update({each.client_order_id: _unsent(each, str(error)) for each in gone})
            left = [each for each in left if each not in gone]


def _held_back(intent: Intent, approved: Sequence[ApprovedIntent], outcomes: Mapping[str, Outcome]) -> str | None:
    """Why what became of the orders before it holds this one back."""
    before = [each.intent for each in approved if each.intent.client_order_id in outcomes]
    whole = {each.client_order_id for each in before if _is_whole(each, outcomes[each.client_order_id])}
    if not whole.issuperset(intent.only_after):
        return _ALONE
    same = [each for each in before if each.instrument == intent.instrument]
    return _BEHIND if any(each.client_order_id not in whole for each in same) else None


def _is_whole(intent: Intent, outcome: Outcome) -> bool:
    return isinstance(outcome, Fill) and outcome.quantity >= intent.quantity


def _unsent(intent: Intent, why: str) -> Rejected:
    return Rejected(intent.client_order_id, f"not sent, since {why}", sent=False)


def _in_order(approved: Sequence[ApprovedIntent], outcomes: Mapping[str, Outcome]) -> tuple[Outcome, ...]:
    return tuple(outcomes[each.intent.client_order_id] for each in approved)
