"""The database against kill -9 and a full disk, in a process of its own."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.support import ROOT

KILLS = 10

_WRITES = """
import asyncio, itertools, resource, signal, sys
from hedged.adapters.store.sql import SqlStore
from hedged.errors import StoreUnavailable
from hedged.model.policy import World
from tests.store_samples import alert, intent, message, record
from tests.support import T0

async def main(path, first, limit):
    store = SqlStore(path)
    await store.open("main", World.PAPER, T0)
    if limit:  # as on a full disk: every write past this size fails
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for n in itertools.count(first):
        try:
            await store.plan(f"{n:024x}", [intent(f"hd{n}")], T0)
            print("order", f"hd{n}", flush=True)
            await store.record_cycle(record(n, alerts=[alert("a", f"e{n}")], messages=[message(f"e{n}")]), ["log"])
            print("cycle", f"{n:024x}", flush=True)
        except StoreUnavailable as error:
            print("refused", error, flush=True)
            return

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def _start(path: Path, first: int, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITES, str(path), str(first), str(limit)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def _check(path: Path, acknowledged: list[str]) -> None:
    """Every row that was acknowledged is there, whole, and SQLite finds no fault in the file."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        orders = {f"order {row[0]}" for row in connection.execute("SELECT client_order_id FROM orders")}
        whole = "SELECT id FROM cycles JOIN snapshots s ON s.cycle_id = id JOIN decisions d ON d.cycle_id = id"
        cycles = {f"cycle {row[0]}" for row in connection.execute(whole)}
        told = {f"cycle {row[0]}" for row in connection.execute("SELECT cycle_id FROM outbox")}
    assert set(acknowledged) <= orders | cycles
    assert cycles == told


def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path: Path) -> None:
    """Killed ten times at any moment of its writing, the database has every acknowledged row and is sound."""
    path, acknowledged = tmp_path / "hedged.db", []
    for kill in range(KILLS):
        with _start(path, first=kill * 100_000) as child:
            assert child.stdout is not None
            acknowledged += [line.strip() for line in itertools.islice(child.stdout, 7 + 5 * kill)]
            child.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
        assert child.returncode == -signal.SIGKILL
        _check(path, acknowledged)
    assert len(acknowledged) >= KILLS * 7


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """Where the file cannot grow, writing is refused in words, and what was stored before is still there."""
    path = tmp_path / "hedged.db"
    with _start(path, first=0, limit=800_000) as child:
        said = child.communicate(timeout=60)[0].splitlines()
    assert child.returncode == 0
    assert said[-1].startswith(f"refused {path}")
    assert "what was stored before is safe" in said[-1]
    assert len(said) > 10
    _check(path, said[:-1])
    with _start(path, first=100_000) as child:  # room again: it goes on where it was
        assert child.stdout is not None
        more = [line.strip() for line in itertools.islice(child.stdout, 4)]
        child.kill()
    assert [line.split()[0] for line in more] == ["order", "cycle", "order", "cycle"]
    _check(path, [*said[:-1], *more])
