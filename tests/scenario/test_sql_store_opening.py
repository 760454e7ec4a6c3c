"""Opening the store on a real file: whose it is, and what is wrong with it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hedged.adapters.store.sql import SqlStore
from hedged.errors import StoreError, StoreUnavailable, WrongStore
from hedged.model.alert import AlertState
from hedged.model.policy import World
from tests.store_samples import ETH, alert, intent, memory, message, record
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


# opening


async def test_the_folder_and_the_file_are_made_for_the_owner(tmp_path: Path) -> None:
    """A missing folder is no error; others on the machine cannot read the holdings."""
    path = tmp_path / "state of things" / "a?b#c%20" / "hedged.db"
    store = await opened(path)
    await store.record_cycle(record(1), [])
    files = {each.name for each in path.parent.iterdir()}
    assert files == {"hedged.db", "hedged.db-wal", "hedged.db-shm"}
    assert all(each.stat().st_mode & 0o137 == 0 for each in path.parent.iterdir())
    await store.close()
    assert rows(path, "PRAGMA application_id") == [(0x68656467,)]


async def test_a_reload_leaves_the_log_to_the_running_connection(path: Path) -> None:
    """Opened once more in the same process, as a reload does; then another process writes and ends.

    What is committed afterwards is in the files that the next process finds: the log is still the one that is open.
    """
    store = await opened(path)
    await store.record_cycle(record(1), [])
    again = await opened(path)
    writes = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA user_version = 7'); c.close()"
    subprocess.run([sys.executable, "-c", writes, str(path)], check=True)
    await store.record_cycle(record(2), [])
    counted = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM cycles').fetchone())"
    )
    done = subprocess.run([sys.executable, "-c", counted, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "(2,)"
    await again.close()
    await store.close()


async def test_everything_is_there_after_opening_again(path: Path) -> None:
    """What one process stored, the next one starts from."""
    store = await opened(path)
    doubt = memory(polls={ETH: 1})
    await store.record_cycle(record(1, remembered=doubt, alerts=[alert("alts", "e1")], messages=[message("e1")]), ["a"])
    await store.plan("c1", [intent("hd1")], T0)
    await store.close()
    again = SqlStore(f"sqlite:///{path}")
    await again.open("main", World.PAPER, T0)
    assert await again.memory() == doubt
    assert await again.alerts() == [alert("alts", "e1")]
    assert await again.latest_state() == record(1).state
    assert len(await again.due("a", T0 + MINUTE, 9)) == len(await again.open_orders()) == 1
    await again.close()


async def test_what_the_process_remembers_is_what_it_stored(path: Path) -> None:
    """Alerts and memory come from RAM between cycles: the same as a fresh reader finds on disk."""
    store, reader = await opened(path), SqlStore(path)
    await reader.open_read_only("main", World.PAPER)
    listed = [[alert("a", "e1"), alert("c", "e3", AlertState.PENDING)], [], [alert("b", "e2")]]
    for n, alerts in enumerate(listed):
        await store.record_cycle(record(n, alerts=alerts), [])
        assert await store.memory() == await reader.memory()
        by_event = {each.event_id: each for each in await reader.alerts()}
        assert {each.event_id: each for each in await store.alerts()} == by_event
    await store.close()
    await reader.close()


@pytest.mark.parametrize(
    ("portfolio", "world", "says"),
    [
        ("main", World.REAL, "belongs to world 'paper', and this configuration runs in 'real'"),
        ("other", World.PAPER, "belongs to portfolio 'main', and this one is 'other'"),
    ],
)
async def test_another_world_s_or_portfolio_s_database_is_refused(
    path: Path, portfolio: str, world: World, says: str
) -> None:
    """Paper money and real money never meet in one file, nor two portfolios; it says where and what to do."""
    await (await opened(path)).close()
    before = path.read_bytes()
    for opening in (SqlStore(path).open(portfolio, world, T0), SqlStore(path).open_read_only(portfolio, world)):
        with pytest.raises(WrongStore, match=says) as error:
            await opening
        assert str(path) in str(error.value)
        assert "[store]" in str(error.value)
    assert path.read_bytes() == before


async def test_another_application_s_database_is_refused(path: Path) -> None:
    """Marked or not: a database with tables that are not ours is left as it is."""
    for setup in ("CREATE TABLE notes (x)", "PRAGMA application_id = 1196444487"):
        with closing(sqlite3.connect(path)) as other:
            other.execute(setup)
            other.commit()
        before = path.read_bytes()
        with pytest.raises(WrongStore, match="another application"):
            await opened(path)
        assert path.read_bytes() == before


async def test_a_newer_version_s_database_is_refused(path: Path) -> None:
    """Older code does not guess at newer tables."""
    await (await opened(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(WrongStore, match="newer version"):
        await opened(path)


@pytest.mark.parametrize("content", [b"mode = 'paper'\n" * 40, bytes(range(256)) * 32], ids=["text", "garbage"])
async def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    """It says so, names the file, and does not overwrite it."""
    path.write_bytes(content)
    for opening in (SqlStore(path).open("main", World.PAPER, T0), SqlStore(path).open_read_only("main", World.PAPER)):
        with pytest.raises(StoreUnavailable, match="is not a database") as error:
            await opening
        assert str(path) in str(error.value)
    assert path.read_bytes() == content


async def test_a_damaged_database_is_reported_and_kept(path: Path) -> None:
    """Broken pages give an error with what to do about it; nothing is deleted."""
    store = await opened(path)
    for n in range(40):
        await store.record_cycle(record(n), [])
    await store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)  # all but the first page, so that it still looks like ours
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="is damaged .* keep a copy"):
        await opened(path)
    assert path.stat().st_size == len(content)


@pytest.mark.parametrize("change", ["UPDATE snapshots SET data = x'00'", "UPDATE decisions SET data = '[1]'"])
async def test_a_damaged_row_is_reported(path: Path, change: str) -> None:
    """A row that does not hold what was written is damage, never an empty value."""
    store = await opened(path)
    await store.record_cycle(record(1), [])
    rows(path, "SELECT 1")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(StoreUnavailable, match="is damaged"):
        await store.recorded(f"{1:024x}")
    await store.close()


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that belongs to somebody else, for a user without rights."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755 if os.geteuid() == 0 else 0o555)
        if os.geteuid() == 0:
            os.seteuid(65_534)
        try:
            yield folder
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            folder.chmod(0o755)


async def test_a_folder_without_rights_is_named(as_nobody: Path) -> None:
    """Neither a missing folder nor a missing file can be made there: it says which and what to do."""
    for path in (as_nobody / "hedged.db", as_nobody / "sub" / "hedged.db"):
        with pytest.raises(StoreUnavailable, match=r"cannot be opened for writing \(Permission denied\)") as error:
            await opened(path)
        assert str(path) in str(error.value)


async def test_a_folder_in_place_of_the_file_is_named(path: Path) -> None:
    """A path that is a folder is the user's mistake, said as such."""
    path.mkdir()
    with pytest.raises(StoreUnavailable, match=r"Is a directory"):
        await opened(path)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:secret@h/db", "keeps its data in SQLite"),
        ("sqlite://", "SQLite"),
        ("://", "not a database URL"),
    ],
)
def test_other_databases_are_not_here_yet(url: str, says: str) -> None:
    """A URL that this version cannot use is refused without showing its password."""
    with pytest.raises(StoreError, match=says) as error:
        SqlStore(url)
    assert "secret" not in str(error.value)
