"""One process sends orders: lease and epoch in the database, over whole cycles of two processes on one file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hedged.adapters.store.sql import SqlStore
from hedged.cycle import Portfolio, run_cycle
from hedged.errors import Fenced, StoreError
from hedged.model.finding import Severity
from hedged.model.order import Absent
from tests.build import hedge, policy
from tests.fakes import FakeVenue, wire
from tests.store_samples import intent, record
from tests.support import T0, ManualClock

SETUP = policy(hedge("ETH"))
LASTS = timedelta(minutes=3)
HERE, THERE = "nas:100:aaaaaaaa", "vps:200:bbbbbbbb"


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    """Two processes' stores on one file."""
    pair = SqlStore(tmp_path / "hedged.db"), SqlStore(tmp_path / "hedged.db")
    for store in pair:
        await store.open(SETUP.name, SETUP.world, T0)
    yield pair
    for store in pair:
        await store.close()


Stores = tuple[SqlStore, SqlStore]


async def test_another_machine_is_refused_while_the_lease_runs(stores: Stores) -> None:
    """With the holder's name and until when; renewed it runs on, and run out it can be taken."""
    one, other = stores
    await one.take_lease(HERE, T0, LASTS)
    with pytest.raises(StoreError, match=r"process 100 on nas\) sends .* until 2026-11-02 12:03:00 UTC"):
        await other.take_lease(THERE, T0 + timedelta(minutes=2), LASTS)
    await one.renew_lease(T0 + timedelta(minutes=5))
    with pytest.raises(StoreError, match="until 2026-11-02 12:05:00 UTC"):
        await other.take_lease(THERE, T0 + timedelta(minutes=4), LASTS)
    await other.take_lease(THERE, T0 + timedelta(minutes=5), LASTS)


async def test_a_stale_epoch_cannot_write(stores: Stores) -> None:
    """Taken over from, it can plan no order, send none that was planned, keep no cycle, deliver nothing, renew nothing."""
    one, other = stores
    await one.take_lease(HERE, T0, LASTS)
    await one.plan("c1", [intent("hd1"), intent("hd2")], T0)
    await one.mark_sent("hd1", T0)
    await other.take_lease(THERE, T0 + LASTS, LASTS)
    for refused in (
        one.plan("c2", [intent("hd3")], T0),
        one.mark_sent("hd2", T0),
        one.record_cycle(record(1), []),
        one.due("log", T0, 1),
        one.renew_lease(T0 + timedelta(days=1)),
    ):
        with pytest.raises(Fenced, match=r"another hedged \(process 200 on vps\) has taken over"):
            await refused
    assert {row.intent.client_order_id: row.state.value for row in await other.open_orders()} == {
        "hd1": "sent",
        "hd2": "planned",
    }
    assert await other.last_cycle() is None
    await one.record_outcome(Absent("hd1"), T0)  # what is known of an order that was sent is kept, whoever knows it
    await other.plan("c2", [intent("hd3")], T0)
    await other.mark_sent("hd3", T0)


async def test_a_process_of_this_machine_is_followed_at_once(stores: Stores) -> None:
    """It held the file lock, so it is gone: a crash costs no waiting; what it left in memory cannot write all the same."""
    one, other = stores
    await one.take_lease(HERE, T0, LASTS)
    await other.take_lease("nas:101:cccccccc", T0, LASTS)
    with pytest.raises(Fenced):
        await one.plan("c1", [intent("hd1")], T0)


async def test_a_daemon_that_ended_keeps_nobody_waiting(stores: Stores) -> None:
    """Released it can be taken at once, by whomever; what was taken over is not given away by the one before."""
    one, other = stores
    await one.take_lease(HERE, T0, LASTS)
    await one.release_lease()
    await other.take_lease(THERE, T0, LASTS)
    with pytest.raises(Fenced):
        await one.plan("c1", [intent("hd1")], T0)
    await one.release_lease()
    with pytest.raises(StoreError, match="sends this portfolio's orders"):
        await one.take_lease(HERE, T0, LASTS)


async def test_a_reload_keeps_the_epoch(stores: Stores) -> None:
    """The same process takes it again while the old configuration still runs: both may write until that is closed."""
    one, other = stores
    await one.take_lease(HERE, T0, LASTS)
    await other.take_lease(HERE, T0, LASTS)
    await one.plan("c1", [intent("hd1")], T0)
    await other.plan("c1", [intent("hd2")], T0)


async def test_where_nobody_took_a_lease_nobody_is_fenced(stores: Stores) -> None:
    """A store that was never run on by a daemon; from the first lease on only its holder writes."""
    one, other = stores
    await one.plan("c1", [intent("hd1")], T0)
    await other.take_lease(THERE, T0, LASTS)
    with pytest.raises(Fenced):
        await one.plan("c1", [intent("hd2")], T0)


async def _wired(store: SqlStore, clock: ManualClock, venue: FakeVenue, holder: str) -> Portfolio:
    await store.close()  # which `wire` opens
    made = await wire(SETUP, clock, venue, store=store)  # type: ignore[arg-type]
    await store.take_lease(holder, clock.now(), LASTS)
    made.lease = LASTS
    return made


async def test_a_daemon_that_slept_finds_out_and_sends_nothing(stores: Stores) -> None:
    """Suspended, taken over from, awake again: no order, critical once, and it goes on watching."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    one = await _wired(stores[0], clock, venue, HERE)
    await run_cycle(one, clock.now())
    clock.advance(10 * 60)
    other = await _wired(stores[1], clock, venue, THERE)
    other.ids = one.ids
    venue.hold(ETH=12)
    await run_cycle(other, clock.now())
    assert len(venue.submitted) == 1
    venue.hold(ETH=14)
    awake = await run_cycle(one, clock.now())
    assert len(venue.submitted) == 1
    assert awake.decision.intents == ()
    told = {message.key: message for message in awake.messages}
    assert told["fenced/test"].severity is Severity.CRITICAL
    assert "process 200 on vps" in told["fenced/test"].body
    assert "store_degraded/store" not in told
    clock.advance(60)
    assert "fenced/test" not in {message.key for message in (await run_cycle(one, clock.now())).messages}
    await run_cycle(other, clock.now())
    assert len(venue.submitted) == 2


async def test_a_lease_lost_between_decision_and_order_stops_the_order(stores: Stores) -> None:
    """The journal itself refuses, whatever the cycle believed when it began."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    one = await _wired(stores[0], clock, venue, HERE)
    await run_cycle(one, clock.now())
    plan = stores[0].plan

    async def taken_over_meanwhile(*arguments: object) -> None:
        await stores[1].take_lease(THERE, clock.now() + LASTS, LASTS)
        await plan(*arguments)  # type: ignore[arg-type]

    stores[0].plan = taken_over_meanwhile  # type: ignore[method-assign,assignment]
    venue.hold(ETH=12)
    clock.advance(60)
    report = await run_cycle(one, clock.now())
    assert venue.submitted == []
    assert report.store_error is not None
    assert await stores[1].open_orders() == []


async def test_renewed_by_each_cycle(stores: Stores) -> None:
    """While it runs nobody else comes in; a while after it stopped somebody may."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    one = await _wired(stores[0], clock, venue, HERE)
    for _ in range(10):
        clock.advance(60)
        await run_cycle(one, clock.now())
    with pytest.raises(StoreError, match="sends this portfolio's orders"):
        await stores[1].take_lease(THERE, clock.now() + timedelta(seconds=170), LASTS)
    await stores[1].take_lease(THERE, clock.now() + timedelta(seconds=181), LASTS)
