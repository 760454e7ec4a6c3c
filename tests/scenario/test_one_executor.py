"""One process sends orders: lease and epoch in the database, over whole cycles of two processes on one file."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hedged.adapters.clock import SystemClock
from hedged.adapters.store.lock import KeyLock, lock_key
from hedged.adapters.store.sql import SqlStore
from hedged.cycle import Portfolio, run_cycle
from hedged.errors import Fenced, StoreError
from hedged.model.finding import Severity
from hedged.model.order import Absent
from hedged.model.policy import World
from hedged.model.proposal import Verdict
from tests.build import hedge, policy
from tests.fakes import FakeVenue, wire
from tests.scenario.test_commands import ask, config, rows, run_cycles  # noqa: F401
from tests.store_samples import intent, proposal, record
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


async def test_a_lease_of_a_clock_that_was_ahead_runs_out_like_any(stores: Stores) -> None:
    """Written a week ahead: whoever asks shortens it to what a holder may have, who renews it if there is one."""
    one, other = stores
    await one.take_lease(HERE, T0 + timedelta(days=7), LASTS)
    with pytest.raises(StoreError, match="until 2026-11-02 12:03:00 UTC"):
        await other.take_lease(THERE, T0, LASTS)
    await other.take_lease(THERE, T0 + LASTS, LASTS)


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


async def test_two_people_at_two_terminals_answer_once(stores: Stores) -> None:
    """The same proposal from two processes at once, again and again: one answer counts each time."""
    for number in range(10):
        made = proposal(f"{number:08x}")
        await stores[0].record_cycle(record(number, proposals=[made]), [])
        yes = [replace(made, verdict=Verdict.APPROVED, decided_by=name) for name in ("ada", "bob")]
        counted = await asyncio.gather(*(store.answer(each) for store, each in zip(stores, yes, strict=True)))
        assert sorted(counted) == [False, True]
        kept = await stores[0].proposal(made.id)
        assert kept is not None
        assert kept.decided_by == ("ada", "bob")[counted.index(True)]


# one key


def test_two_configurations_cannot_both_send_with_one_key(tmp_path: Path) -> None:
    """Another process is refused with the account's name; another key is free; no key is in a file's name."""
    key = ("binance", "False", "", "CANARY-api-key")
    first = KeyLock(tmp_path, "main", key)
    again = KeyLock(tmp_path, "main", key)  # a reload holds it twice
    assert "CANARY" not in "".join(path.name + path.read_text() for path in tmp_path.iterdir())

    def elsewhere(*which: str) -> str:
        script = (
            "from pathlib import Path; from hedged.adapters.store.lock import KeyLock;"
            f"KeyLock(Path({str(tmp_path)!r}), 'second', {which!r})"
        )
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False).stderr

    assert "sends orders with the key of account second" in elsewhere(*key)
    assert elsewhere("binance", "False", "", "another") == ""
    assert elsewhere("bybit", *key[1:]) == ""
    first.release()
    assert "sends orders with the key" in elsewhere(*key)
    again.release()
    assert elsewhere(*key) == ""


def test_a_daemon_of_another_user_is_seen_where_all_share_a_folder(tmp_path: Path) -> None:
    """Each with a folder of his own, one for all: refused there; the file is open to everybody, whatever the umask."""
    key, machine = ("binance", "False", "", "CANARY-api-key"), tmp_path / "machine"
    machine.mkdir()
    mask = os.umask(0o077)
    try:
        held, why = lock_key(tmp_path / "ada", "main", key, machine)
    finally:
        os.umask(mask)
    assert (len(held), why) == (2, None)
    (file,) = machine.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o666
    assert "CANARY" not in file.name + file.read_text()
    script = (
        "from pathlib import Path; from hedged.adapters.store.lock import lock_key;"
        f"print(lock_key(Path({str(tmp_path / 'bob')!r}), 'second', {key!r}, Path({str(machine)!r}))[1])"
    )

    def bob() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert "sends orders with the key of account second" in bob().stderr
    for lock in held:
        lock.release()
    assert bob().stdout == "None\n"


@pytest.mark.parametrize("kind", ["missing", "a link", "a folder"])
def test_where_no_folder_can_be_shared_the_lock_says_what_it_cannot_see(tmp_path: Path, kind: str) -> None:
    """No such folder, or something else under the file's name: the own lock holds, and why the other does not."""
    key, machine = ("binance", "False", "", "key"), tmp_path / "machine"
    if kind != "missing":
        machine.mkdir()
        for lock in lock_key(tmp_path / "ada", "main", key, machine)[0]:
            lock.release()
        (file,) = machine.iterdir()
        file.unlink()
        if kind == "a link":
            file.symlink_to(tmp_path / "elsewhere")
        else:
            file.mkdir()
    held_alone, why = lock_key(tmp_path / "ada", "main", key, machine)
    assert len(held_alone) == 1
    assert "cannot be opened" in (why or "")
    assert not (tmp_path / "elsewhere").exists()
    held_alone[0].release()


# the daemon as wired


def test_a_daemon_of_another_machine_keeps_this_one_out(config: Callable[..., Path]) -> None:  # noqa: F811
    """It does not start, and says who trades and until when; a daemon that ended well keeps nobody out."""
    path = config()
    run_cycles(path, 1)
    assert rows(path, "SELECT holder FROM lease") == [("",)]

    async def elsewhere(*, leave: bool) -> None:
        store = SqlStore(path.parent / "mine.sqlite")
        now = SystemClock().now()
        await store.open("mine", World.SIMULATED, now)
        await store.take_lease(THERE, now, LASTS)
        if leave:
            await store.release_lease()
        await store.close()

    asyncio.run(elsewhere(leave=False))
    with pytest.raises(StoreError, match=r"another hedged \(process 200 on vps\) sends this portfolio's orders"):
        run_cycles(path, 1)
    said = ask("run", "-c", path)
    assert said.exit_code == 1
    asyncio.run(elsewhere(leave=True))
    run_cycles(path, 1)
    assert rows(path, "SELECT count(*) FROM cycles") == [(2,)]
