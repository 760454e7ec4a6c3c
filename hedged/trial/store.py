"""The real store, on a disk that can be full and in a process that can die: before a commit or after it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hedged.adapters.store import lease
from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.sql import SqlStore
from hedged.errors import StoreError
from hedged.model.policy import World
from hedged.trial.loop import run_now

if TYPE_CHECKING:
    from hedged.trial.life import Life

P = ParamSpec("P")
R = TypeVar("R")

_COMPILED: dict[Any, Any] = {}  # statements as text, for every life in this process


class StoreAtOnce(SqlStore):
    """`SqlStore` without a thread: the same statements on the same file, answered before anything else happens."""

    async def _connect(self, *, read_only: bool) -> None:
        engine = dialect.engine_at_once(self.path, busy_timeout=self._busy_timeout)
        try:
            connection = engine.connect().execution_options(compiled_cache=_COMPILED)
        except DBAPIError as error:
            raise dialect.explain(error, self.path) from error
        self._engine = cast("AsyncEngine", _EngineAtOnce(engine))
        self._connection = cast("AsyncConnection", _ConnectionAtOnce(connection))


class TrialStore(StoreAtOnce):
    """The store of one life. Its file outlives it."""

    def __init__(self, life: Life, path: Any, *, retention: Any) -> None:
        super().__init__(path, retention=retention)
        self._life = life

    async def _connect(self, *, read_only: bool) -> None:
        await super()._connect(read_only=read_only)
        self._disk.fault = self._life.disk_fault

    @property
    def _disk(self) -> _ConnectionAtOnce:
        return cast("_ConnectionAtOnce", self._connection)

    async def _run(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        life, (name, given) = self._life, _named(work, args)
        await life.passing(f"store {name}")
        try:
            result = await super()._run(work, *args, **kwargs)
        except StoreError as error:
            life.world.not_kept(name, given, error)
            raise
        if self._connection is not None and self._disk.wrote:
            life.world.kept(name, given)
            await life.passing(f"store {name} done")
        return result

    def abandon(self) -> None:
        """The process is gone: nothing is committed any more, and nothing is closed in an orderly way."""
        if self._connection is not None:
            self._disk.abandon()


class _EngineAtOnce:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def dispose(self) -> None:
        self._engine.dispose()


class _ConnectionAtOnce:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.fault: Callable[[], str | None] = lambda: None  # asked at each commit of something written
        self.wrote = False  # whether the last transaction did

    async def run_sync(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        self.wrote = False
        return work(self._connection, *args, **kwargs)

    async def commit(self) -> None:
        driver: Any = self._connection.connection.driver_connection
        wrote = bool(driver.in_transaction)
        fault = self.fault() if wrote else None
        if fault is not None:
            raise _as_sqlite_says(fault)
        self._connection.commit()
        self.wrote = wrote

    async def rollback(self) -> None:
        self._connection.rollback()

    async def close(self) -> None:
        self._connection.close()

    def abandon(self) -> None:
        if not self._connection.closed:
            self._connection.invalidate()  # closes the driver's connection, which rolls back
            self._connection.close()


def _named(work: Any, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """What is asked of the store, for example `orders.plan`, and with what; also behind the fence of the lease."""
    if work in {lease.fenced, lease.checked}:
        _, work, *rest = args
        args = tuple(rest)
    return f"{work.__module__.rpartition('.')[2]}.{work.__name__}", args


def _as_sqlite_says(fault: str) -> OperationalError:
    code, said = (13, "database or disk is full") if fault == "disk_full" else (5, "database is locked")
    cause = sqlite3.OperationalError(said)
    cause.sqlite_errorcode = code
    return OperationalError("COMMIT", {}, cause)


@cache
def new_database() -> bytes:
    """A database as `hedged run` makes it at its first start: made once a process, for every seed."""
    with tempfile.TemporaryDirectory(prefix="hedged-trial-") as folder:
        path = Path(folder) / "new.sqlite"
        store = StoreAtOnce(path)
        run_now(store.open("trial", World.SIMULATED, datetime(2026, 11, 1, tzinfo=UTC)))
        run_now(store.close())
        return path.read_bytes()
