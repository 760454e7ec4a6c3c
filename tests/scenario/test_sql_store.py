"""The store on a real file: who else uses it, what happens half-way, and what it forgets."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from hedged.adapters.store.retention import Retention
from hedged.adapters.store.sql import SqlStore
from hedged.errors import HedgedError, StoreUnavailable
from hedged.model.alert import AlertState
from hedged.model.codec import encode
from hedged.model.order import GATE_SEAL, ApprovedIntent, Decision
from hedged.model.policy import World
from tests.store_samples import ETH, alert, fill, intent, memory, message, record, snapshot
from tests.support import T0

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hedged.db"


async def opened(path: Path, **options: float) -> SqlStore:
    store = SqlStore(path, **options)
    await store.open("main", World.PAPER, T0)
    return store


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


# other processes


async def test_looking_never_creates(path: Path) -> None:
    """Without a database, or with an empty file, there is nothing to show and nothing is made."""
    for make in (lambda: None, path.touch):
        make()
        with pytest.raises(StoreUnavailable, match="no database yet at"):
            await SqlStore(path).open_read_only("main", World.PAPER)
    assert path.stat().st_size == 0


async def test_looking_does_not_write(path: Path) -> None:
    """A reader beside the daemon sees what was stored last and can change nothing."""
    store, reader = await opened(path), SqlStore(path)
    await store.record_cycle(record(1), [])
    await reader.open_read_only("main", World.PAPER)
    assert await reader.latest_state() == record(1).state
    await store.record_cycle(record(2), [])
    assert await reader.last_cycle() == (f"{2:024x}", T0 + 2 * MINUTE)
    with pytest.raises(StoreUnavailable, match="readonly"):
        await reader.put_blob("a", {}, T0)
    await reader.close()
    await store.close()


async def test_a_person_accepts_beside_the_daemon(path: Path) -> None:
    """What another process accepts reaches the daemon's next cycle, whichever of the two writes last."""
    daemon, other = await opened(path), await opened(path)
    doubt = memory(polls={ETH: 3})
    await daemon.record_cycle(record(1, remembered=doubt), [])
    assert await daemon.memory() == doubt
    assert await other.accept(ETH, T0)
    await daemon.record_cycle(record(2, remembered=doubt), [])
    assert (await daemon.memory()).accepted == {ETH}
    await daemon.record_cycle(record(3), [])
    assert rows(path, "SELECT * FROM accepted") == []
    assert not await other.accept(ETH, T0)
    await other.close()
    await daemon.close()


async def test_opening_does_not_wait_for_a_writer(path: Path) -> None:
    """While another process holds the write lock, a database that is up to date opens and reads at once."""
    await (await opened(path)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        store = await opened(path, busy_timeout=0.02)
        assert await store.last_cycle() is None
        with pytest.raises(StoreUnavailable, match="locked by another process"):
            await store.record_cycle(record(1), [])
        busy.execute("COMMIT")
        await store.record_cycle(record(1), [])
    assert await store.last_cycle() == (f"{1:024x}", T0 + MINUTE)
    await store.close()


async def test_two_processes_may_make_it_at_once(path: Path) -> None:
    """Whoever is second finds it made."""
    stores = [SqlStore(path) for _ in range(4)]
    await asyncio.gather(*(store.open("main", World.PAPER, T0) for store in stores))
    assert rows(path, "SELECT count(*) FROM stamp") == [(1,)]
    for store in stores:
        await store.close()


# failing half-way


async def test_acknowledged_means_on_the_disk(path: Path) -> None:
    """Every commit waits for the disk (`synchronous = FULL`), and readers do not wait for the writer (WAL)."""
    store = await opened(path)
    assert await store._run(lambda connection: connection.exec_driver_sql("PRAGMA synchronous").scalar()) == 2
    assert await store._run(lambda connection: connection.exec_driver_sql("PRAGMA foreign_keys").scalar()) == 1
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    await store.close()


async def test_a_cycle_is_stored_whole_or_not_at_all(path: Path) -> None:
    """An error at the last row takes back the first; the next cycle is stored with everything that changed."""
    store = await opened(path)
    await store.record_cycle(record(1, alerts=[alert("a", "e1")]), [])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER stop BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END")
        connection.commit()
    changed = alert("a", "e1", at=T0 + MINUTE)
    with pytest.raises(HedgedError):
        await store.record_cycle(record(2, alerts=[changed], messages=[message("e1")]), ["log"])
    assert await store.last_cycle() == (f"{1:024x}", T0 + MINUTE)
    assert await store.alerts() == [alert("a", "e1")]
    await store.record_cycle(record(3, alerts=[changed]), [])
    assert rows(path, "SELECT count(*) FROM cycles") == [(2,)]
    await store.close()
    again = await opened(path)
    assert await again.alerts() == [changed]
    await again.close()


@pytest.mark.parametrize("turns", range(1, 40, 3))
async def test_a_cancelled_write_leaves_the_store_usable(path: Path, turns: int) -> None:
    """Wherever in the transaction the task is cancelled, it is all or nothing, and the store knows which."""
    store = await opened(path)
    before, after = alert("a", "e1"), alert("a", "e1", AlertState.RESOLVED, at=T0 + MINUTE)
    await store.record_cycle(record(0, alerts=[before]), [])
    task = asyncio.create_task(store.record_cycle(record(1, alerts=[after], messages=[message("e1")]), ["log"]))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    last = await store.last_cycle()
    assert last is not None
    stored = last[0] == f"{1:024x}"
    assert await store.alerts() == [after if stored else before]
    assert rows(path, "SELECT count(*) FROM outbox") == [(int(stored),)]
    await store.record_cycle(record(2), [])
    assert rows(path, "SELECT count(*) FROM cycles") == [(2 + stored,)]
    await store.close()


async def test_a_commit_whose_answer_is_lost_is_looked_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled after the disk has it and before anybody heard: what the store then says is what is on disk."""
    store = await opened(path)
    await store.record_cycle(record(0, alerts=[alert("a", "e1")]), [])
    commit = AsyncConnection.commit

    async def commit_unheard(connection: AsyncConnection) -> None:
        await commit(connection)
        raise asyncio.CancelledError

    monkeypatch.setattr(AsyncConnection, "commit", commit_unheard)
    with pytest.raises(asyncio.CancelledError):
        await store.record_cycle(record(1, alerts=[alert("a", "e1", at=T0 + MINUTE)]), [])
    monkeypatch.undo()
    assert await store.alerts() == [alert("a", "e1", at=T0 + MINUTE)]
    assert await store.memory() == memory(T0 + MINUTE)
    await store.close()


# what is kept


async def test_a_decision_can_be_explained_later(path: Path) -> None:
    """The snapshot comes back as it was, and the decision with every number, as evidence."""
    store = await opened(path)
    approved = ApprovedIntent(intent("hd1"), Decimal("2940.00"), GATE_SEAL)
    decision = Decision("drift −0.08 is outside the band", intents=(approved,))
    await store.record_cycle(record(1, decision=decision), [])
    await store.record_cycle(record(2, seen=False), [])
    found, blind = await store.recorded(f"{1:024x}"), await store.recorded(f"{2:024x}")
    assert found is not None
    assert found.snapshot == snapshot(T0 + MINUTE)
    assert found.decision == encode(decision)
    assert blind is not None
    assert (blind.snapshot, blind.decision) == (None, None)
    assert await store.recorded("no such cycle") is None
    await store.close()


async def test_history_is_thinned_to_hours_and_days(path: Path) -> None:
    """All of two days, then the first of each hour for a month, then of each day for a year; trades all year."""
    store = await opened(path)
    now, times = T0 + 400 * DAY, []
    for age in (1 * DAY, 10 * DAY, 100 * DAY, 380 * DAY):
        midnight = (now - age).replace(hour=0, minute=0)
        times += [midnight, midnight + MINUTE, midnight + HOUR, midnight + HOUR + MINUTE]
    approved = Decision("drift", intents=(ApprovedIntent(intent("hd1"), Decimal(2940), GATE_SEAL),))
    traded = {times[9], times[13]}
    for n, at in enumerate(sorted(times)):
        await store.record_cycle(record(2 * n + 1, at=at, seen=False), [])
        await store.record_cycle(record(2 * n, at=at, decision=approved if at in traded else None), [])
    while await store.thin(now):
        pass
    kept = [times[0], times[1], times[2], times[3], times[4], times[6], times[8], times[9]]
    found = [await store.recorded(f"{2 * n:024x}") for n in range(len(times))]
    seen = [each.snapshot.now for each in found if each is not None and each.snapshot is not None]
    assert seen == sorted(kept)
    assert rows(path, "SELECT count(*) FROM cycles") == [(len(kept) + 4,)]  # blind ones of the last two days
    assert rows(path, "SELECT (SELECT count(*) FROM snapshots), count(*) FROM decisions") == [(len(kept), len(kept))]
    await store.close()


async def test_other_rows_go_when_their_time_is_over(path: Path) -> None:
    """Ended orders with their fills and ended alerts after a year, delivered messages after a week."""
    store = SqlStore(path, retention=Retention(rows_a_call=1))
    await store.open("main", World.PAPER, T0)
    ended = alert("alts", "e1", AlertState.RESOLVED)
    await store.record_cycle(record(0, seen=False, alerts=[ended], messages=[message("e1")]), ["log", "mqtt"])
    await store.delivered((await store.due("log", T0, 1))[0].id, T0)
    await store.plan("c1", [intent("hd1")], T0)
    await store.mark_sent("hd1", T0)
    await store.record_outcome(fill("hd1"), T0)

    async def left_at(age: timedelta) -> list[tuple[object, ...]]:
        while removed := await store.thin(T0 + age):
            assert removed == 1
        tables = ("outbox", "orders", "fills", "alerts")
        return rows(path, f"SELECT {', '.join(f'(SELECT count(*) FROM {table})' for table in tables)}")

    assert await left_at(7 * DAY) == [(2, 1, 1, 1)]
    assert await left_at(7 * DAY + MINUTE) == [(1, 1, 1, 1)]
    assert await left_at(365 * DAY) == [(1, 1, 1, 1)]
    assert await left_at(365 * DAY + MINUTE) == [(1, 0, 0, 0)]
    await store.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT data FROM orders WHERE ended_at IS NULL",
        "SELECT notional FROM fills WHERE at >= 1",
        "SELECT data FROM alerts WHERE state IN ('pending', 'firing') OR (state = 'resolved' AND resolved_at > 1)",
        "SELECT id FROM outbox WHERE delivered_at IS NULL AND channel = 'log' AND next_try_at <= 1 ORDER BY id LIMIT 9",
        "SELECT id FROM outbox WHERE delivered_at < 1 LIMIT 9",
        "SELECT id FROM cycles WHERE grain = 0 AND finished_at < 1 LIMIT 9",
        "SELECT client_order_id FROM orders WHERE ended_at < 1 LIMIT 9",
        "SELECT event_id FROM alerts WHERE state = 'resolved' AND resolved_at < 1 LIMIT 9",
    ],
)
async def test_nothing_scans_the_history(path: Path, query: str) -> None:
    """Every repeated question is answered from an index, so a year of history costs nothing."""
    await (await opened(path)).close()
    plan = [str(row[3]) for row in rows(path, f"EXPLAIN QUERY PLAN {query}")]
    assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], plan
