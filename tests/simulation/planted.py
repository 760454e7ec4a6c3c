"""Ten bugs that a trading daemon may have, each planted in the product's own code, so that the simulation can be seen to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

import hedged.act.brake
import hedged.act.submit
import hedged.adapters.store.orders
import hedged.cycle
import hedged.decide.desk
from hedged.act.brake import Brake, Kept
from hedged.act.reconcile import Reconciler
from hedged.adapters.exchanges.live import LiveGateway
from hedged.adapters.store import outbox
from hedged.adapters.store.sql import SqlStore
from hedged.assess import blocking, freshness
from hedged.decide.desk import client_order_id
from hedged.model.order import Absent, Unknown
from hedged.model.snapshot import Read
from hedged.observe.continuity import Continuity
from hedged.trial.invariants import (
    invariant_03,
    invariant_06,
    invariant_09,
    invariant_10,
    invariant_12,
    invariant_13,
    invariant_14,
    invariant_15,
    invariant_17,
    invariant_21,
)
from hedged.trial.world import Judge

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Bug:
    """`judge`: the invariant that it breaks. `seeds`: those in which it is looked for, one after the other."""

    name: str
    plant: Plant
    judge: Judge
    seeds: Sequence[int]


def id_after_send(patch: pytest.MonkeyPatch) -> None:
    """The order goes out first, and its row is written when the answer is there."""

    async def submit_all(
        approved: Any, gateways: Any, store: Any, brake: Brake, *, cycle_id: str, clock: Any, **_rest: Any
    ) -> Any:
        outcomes = []
        for each in approved if brake.why is None else ():
            outcome = await gateways[each.intent.instrument.partition(":")[0]].submit(each)
            await store.plan(cycle_id, [each.intent], clock.now())
            await store.mark_sent(each.intent.client_order_id, clock.now())
            await store.record_outcome(outcome, clock.now())
            outcomes.append(outcome)
        return tuple(outcomes), None

    patch.setattr(hedged.cycle, "submit_all", submit_all)


def no_look_up(patch: pytest.MonkeyPatch) -> None:
    """What is not known to have been placed counts as not placed."""

    async def drive(self: Reconciler, row: Any, *_args: Any, **_kwargs: Any) -> Absent:
        return Absent(row.intent.client_order_id)

    patch.setattr(Reconciler, "_drive", drive)


def empty_reply_believed(patch: pytest.MonkeyPatch) -> None:
    """`[]` in place of the positions means that there are none."""
    patch.setattr(Continuity, "suspects", lambda self, view: [])


def retried_with_a_new_id(patch: pytest.MonkeyPatch) -> None:
    """No answer: then once more, as a new order."""
    submit = LiveGateway.submit

    async def twice(self: LiveGateway, approved: Any) -> Any:
        outcome = await submit(self, approved)
        if isinstance(outcome, Unknown):
            again = client_order_id(approved.intent.client_order_id, approved.intent.instrument, 1)
            outcome = await submit(self, replace(approved, intent=replace(approved.intent, client_order_id=again)))
            outcome = replace(outcome, client_order_id=approved.intent.client_order_id)
        return outcome

    patch.setattr(LiveGateway, "submit", twice)


def no_reduce_only(patch: pytest.MonkeyPatch) -> None:
    """Buying back is an order like any other."""
    submit = LiveGateway.submit

    async def plain(self: LiveGateway, approved: Any) -> Any:
        return await submit(self, replace(approved, intent=replace(approved.intent, reduce_only=False)))

    patch.setattr(LiveGateway, "submit", plain)


def band_ignored_on_restart(patch: pytest.MonkeyPatch) -> None:
    """The first cycles of a process bring every hedge to its target."""
    judge = hedged.cycle.judge
    cycles: dict[int, int] = {}

    def eager(portfolio: Any, *args: Any, **kwargs: Any) -> Any:
        cycles[id(portfolio)] = cycles.get(id(portfolio), 0) + 1
        policy = portfolio.policy
        if cycles[id(portfolio)] <= 3:
            hedges = tuple(replace(hedge, band=Decimal("0.0001")) for hedge in policy.hedges)
            portfolio.policy = replace(policy, hedges=hedges)
        try:
            return judge(portfolio, *args, **kwargs)
        finally:
            portfolio.policy = policy

    patch.setattr(hedged.cycle, "judge", eager)


def stale_price_accepted(patch: pytest.MonkeyPatch) -> None:
    """A price is a price, however old."""

    def any_quote(snapshot: Any, instrument: Any, stale_after: Any) -> Any:
        leg = snapshot.quotes.get(instrument)
        return leg.value if isinstance(leg, Read) else None

    problem = freshness._problem
    patch.setattr(hedged.decide.desk, "_fresh_quote", any_quote)
    patch.setattr(freshness, "_problem", lambda leg, *rest: None if isinstance(leg, Read) else problem(leg, *rest))
    patch.setattr(blocking, "_torn", lambda *_args: iter(()))


def approval_reused(patch: pytest.MonkeyPatch) -> None:
    """An approval stands until it expires, whatever was sent on it."""
    patch.setattr(hedged.adapters.store.orders.proposals, "use", lambda connection, intent: None)


def outbox_after_commit(patch: pytest.MonkeyPatch) -> None:
    """The alerts are kept first, and what is to be said of them in a transaction of its own."""
    record_cycle = SqlStore.record_cycle

    async def in_two(self: SqlStore, record: Any, channels: Any, further: Any = ()) -> None:
        await record_cycle(self, replace(record, messages=()), channels, further)
        await self._run(_say, record, channels)

    patch.setattr(SqlStore, "record_cycle", in_two)


def _say(connection: Any, record: Any, channels: Any) -> None:
    from sqlalchemy import insert

    from hedged.adapters.store.rows import to_text

    rows = [
        {
            "cycle_id": record.cycle_id,
            "channel": channel,
            "event_id": message.event_id,
            "data": to_text(message),
            "attempts": 0,
            "next_try_at": record.finished_at,
        }
        for message in record.messages
        for channel in channels
    ]
    if rows:
        connection.execute(insert(outbox.outbox), rows)


def pause_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A pause holds in the process that saw it, and the next knows nothing of it."""
    kept, free = hedged.act.brake.kept, {}

    async def only_since_the_start(store: Any) -> Kept:
        found = await kept(store)
        forgotten = free.setdefault(id(store), found.paused)
        return replace(found, paused=None) if found.paused == forgotten else found

    patch.setattr(hedged.act.brake, "kept", only_since_the_start)


BUGS = (
    Bug("the id is written after the order is sent", id_after_send, invariant_09, range(6)),
    Bug("no look-up", no_look_up, invariant_14, (1, *range(18))),
    Bug("[] is believed", empty_reply_believed, invariant_06, range(12)),
    Bug("a retry has a new id", retried_with_a_new_id, invariant_10, (1, *range(12))),
    Bug("no reduce-only", no_reduce_only, invariant_13, range(6)),
    Bug("the band is ignored on restart", band_ignored_on_restart, invariant_21, range(12)),
    Bug("a stale price is accepted", stale_price_accepted, invariant_12, (3, *range(24))),
    Bug("an approval is reused", approval_reused, invariant_15, range(1, 24)),
    Bug("the outbox is written after the commit", outbox_after_commit, invariant_03, range(6)),
    Bug("a pause is forgotten", pause_forgotten, invariant_17, range(18)),
)
