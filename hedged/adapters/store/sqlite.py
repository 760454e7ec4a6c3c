"""Everything that is SQLite's alone: how it is opened, whose file it is, what its errors mean, and its upsert.

Another database joins by another module with these names; nothing else in this package knows which one it is.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects.sqlite import insert as insert  # noqa: PLC0414 - re-exported: this dialect's upsert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from hedged.errors import StoreError, StoreUnavailable, WrongStore

APPLICATION_ID = 0x68656467  # "hedg", in the file's header: what `file` and SQLite's own tools show
_FILE_MODE = 0o640  # holdings are nobody else's business

# https://www.sqlite.org/rescode.html, the primary codes
_FULL, _BUSY, _LOCKED, _CORRUPT, _NOT_A_DATABASE, _CONSTRAINT = 13, 5, 6, 11, 26, 19
_DENIED = {3, 8, 14, 23}  # PERM, READONLY, CANTOPEN, AUTH


def path_of(url_or_path: str | os.PathLike[str]) -> Path:
    """The database file that a path or an `sqlite:///…` URL names. Raises `StoreError` for another database's URL."""
    given = os.fspath(url_or_path)
    if "://" not in given:
        return Path(given).expanduser()
    try:
        url = make_url(given)
    except ArgumentError:
        raise StoreError(f"{given} is not a database URL: write a path, or sqlite:///path") from None
    if url.get_backend_name() != "sqlite" or not url.database:
        raise StoreError(
            f"{url.render_as_string()}: this version keeps its data in SQLite: write a path, or sqlite:///path"
        )
    return Path(url.database)


def exists(path: Path) -> bool:
    """Raises `StoreUnavailable` where the folder may not even be looked into."""
    try:
        return path.exists()
    except OSError as error:
        raise StoreUnavailable(
            f"the database {path} cannot be read ({error.strerror}): ask as the user that hedged runs as"
        ) from None


def size(path: Path) -> int | None:
    """Bytes of the file and its write-ahead log on disk; None: nobody can tell."""
    try:
        log = path.with_name(f"{path.name}-wal")
        return path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    except OSError:
        return None


def create_file(path: Path) -> None:
    """Make the folder and an empty file, readable by the owner and the group. An existing file is left as it is.

    Not even opened: closing a file gives up every lock that this process holds on it, those of a connection too
    (fcntl(2)). The next process to write there would believe itself alone, and take the write-ahead log away.
    """
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _FILE_MODE))
        elif path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        elif not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except FileExistsError:  # made by somebody else just now
        return
    except OSError as error:
        raise StoreUnavailable(
            f"the database {path} cannot be opened for writing ({error.strerror}): "
            "give its folder and file to the user that hedged runs as, or set another path under [store]"
        ) from error


def engine(path: Path, *, read_only: bool, busy_timeout: float) -> AsyncEngine:
    """An engine over one file. Nothing is written by connecting.

    The driver begins an *immediate* transaction at the first write (a deferred one that turns to writing fails at
    once when another process writes); reads outside of one hold no lock.
    """
    if read_only:
        url = URL.create("sqlite+aiosqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    else:
        url = URL.create("sqlite+aiosqlite", database=str(path))
    made = create_async_engine(url, poolclass=NullPool, connect_args=_connect_args(busy_timeout))
    event.listen(made.sync_engine, "connect", _set_pragmas)
    return made


def engine_at_once(path: Path, *, busy_timeout: float) -> Engine:
    """The same without a thread of its own: whoever asks waits for the disk. For time that is not the machine's."""
    url = URL.create("sqlite+pysqlite", database=str(path))
    made = create_engine(url, poolclass=NullPool, connect_args=_connect_args(busy_timeout))
    event.listen(made, "connect", _set_pragmas)
    return made


def _connect_args(busy_timeout: float) -> dict[str, object]:
    return {"timeout": busy_timeout, "isolation_level": "IMMEDIATE"}


def _set_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged row survives power loss
    cursor.close()


def begin(connection: Connection) -> None:
    """Take the write lock now: for schema changes, and where what is read decides what is written."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def is_new(connection: Connection, path: Path) -> bool:
    """True for an empty file, False for one of ours; anybody else's raises `WrongStore`."""
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    if application == APPLICATION_ID:
        return False
    if application == 0 and connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one() == 0:
        return True
    raise WrongStore(
        f"{path} is the database of another application: set another path under [store]; it is left as it is"
    )


def use_write_ahead_log(connection: Connection) -> None:
    """Readers and the writer do not wait for each other. Kept in the file; outside a transaction only."""
    connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def sign(connection: Connection) -> None:
    """Mark the file as ours; part of the transaction it is called in."""
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def explain(error: DBAPIError, path: Path) -> StoreError:
    """What went wrong, for the user, and what to do about it."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    said = str(error.orig)
    if code == _FULL:
        return StoreUnavailable(f"the disk of {path} is full: free some space; what was stored before is safe")
    if code in (_BUSY, _LOCKED):
        return StoreUnavailable(f"{path} is locked by another process ({said}): stop what holds it; it is tried again")
    if code == _NOT_A_DATABASE:
        return StoreUnavailable(
            f"{path} is not a database: move it away, or set another path under [store]; it is left as it is"
        )
    if code == _CORRUPT:
        return damaged(path, said)
    if code in _DENIED:
        return StoreUnavailable(
            f"{path} cannot be opened or written ({said}): give its folder and file to the user that hedged runs as"
        )
    if code == _CONSTRAINT:
        return StoreError(f"{path}: the row contradicts what is stored ({said})")
    return StoreUnavailable(
        f"{path} cannot be read or written ({said}): check the disk; what was stored before is safe"
    )


def damaged(path: Path, detail: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path} is damaged ({detail}): stop hedged, keep a copy of it with its -wal file, and save what can be saved "
        f"with `sqlite3 {path} .recover`, or restore a backup; nothing was deleted"
    )
