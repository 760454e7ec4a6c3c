"""The store in a database, on SQLAlchemy's asyncio: one connection, one transaction at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hedged.adapters.store import (
    attention,
    bars,
    blobs,
    commands,
    cycles,
    effects,
    events,
    lease,
    opening,
    orders,
    outbox,
    proposals,
    thinning,
)
from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.beliefs import alerts_after, newest_by_key
from hedged.adapters.store.retention import Retention
from hedged.adapters.store.rows import DamagedRow, object_to_text
from hedged.adapters.store.tables import SCHEMA, Grain
from hedged.errors import StoreError, StoreUnavailable
from hedged.model.alert import Acknowledgement, Alert, Delivery, Event, OutboxRow, Silence
from hedged.model.command import CommandRow
from hedged.model.effect import EffectDay
from hedged.model.history import Bar
from hedged.model.order import Absent, Fill, Intent, OrderRow, Outcome, PastOrder
from hedged.model.policy import World
from hedged.model.proposal import Proposal
from hedged.ports import CycleRecord, Memory, Turnover

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last cycle stored, as long as this process is sure of it: saves reading it back every cycle."""

    memory: Memory
    alerts: Mapping[str, Alert]  # by event id
    sampled_at: datetime | None  # newest cycle with a snapshot


class SqlStore:
    """`hedged.ports.Store` in an SQLite file (WAL, `synchronous = FULL`: acknowledged means on the disk).

    The daemon's process writes; others may read beside it and `accept`. A write waits `busy_timeout` seconds for
    another process's, then raises `StoreUnavailable`. Every failure leaves what was stored before as it was, and the
    next call tries anew.
    """

    def __init__(
        self,
        url_or_path: str | os.PathLike[str],
        *,
        retention: Retention | None = None,
        busy_timeout: float = 5.0,
    ) -> None:
        self.path = dialect.path_of(url_or_path)
        self._retention = retention or Retention()
        self._busy_timeout = busy_timeout
        self._lock = asyncio.Lock()
        self._engine: AsyncEngine | None = None
        self._connection: AsyncConnection | None = None
        self._known: _Known | None = None
        self._epoch: int | None = None  # of our lease

    # opening

    async def open(self, portfolio: str, world: World, now: datetime) -> None:
        """Create or migrate, then check whose it is. Nothing is changed in a file that is not ours.

        Raises `WrongStore` for another application's, world's, portfolio's or a newer version's database, and
        `StoreUnavailable` where the file cannot be made, opened or read.
        """
        dialect.create_file(self.path)
        try:
            await self._connect(read_only=False)
            if await self._run(opening.version, self.path, portfolio, world) != SCHEMA:
                await self._run(dialect.use_write_ahead_log)
                await self._run(opening.upgrade, self.path, portfolio, world, now)
        except BaseException:
            await self.close()
            raise

    async def open_read_only(self, portfolio: str, world: World) -> None:
        """For looking while the daemon runs: creates, migrates and locks nothing.

        Raises `StoreUnavailable` where there is no database yet or an older version's, else as `open`.
        """
        nothing = StoreUnavailable(f"no database yet at {self.path}: `hedged run` makes it")
        try:
            if not dialect.exists(self.path):
                raise nothing
            await self._connect(read_only=True)
            tables = await self._run(opening.version, self.path, portfolio, world)
            if tables is None:
                raise nothing
            if tables != SCHEMA:
                raise StoreUnavailable(
                    f"{self.path} was written by an older version of hedged: start `hedged run` once to migrate it"
                )
        except BaseException:
            await self.close()
            raise

    async def _connect(self, *, read_only: bool) -> None:
        self._engine = dialect.engine(self.path, read_only=read_only, busy_timeout=self._busy_timeout)
        try:
            self._connection = await self._engine.connect()
        except DBAPIError as error:
            raise dialect.explain(error, self.path) from error

    async def close(self) -> None:
        async with self._lock:
            connection, self._connection = self._connection, None
            engine, self._engine = self._engine, None
            self._known = None
            with suppress(DBAPIError):  # what was acknowledged is on the disk already
                if connection is not None:
                    await connection.close()
            if engine is not None:
                await engine.dispose()

    async def _run(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`work` in a transaction: committed when it returns, rolled back on any error and on cancellation."""
        async with self._lock:
            connection = self._connection
            if connection is None:
                raise StoreUnavailable(f"the database {self.path} is not open")
            try:
                result = await connection.run_sync(work, *args, **kwargs)
                await connection.commit()
            except BaseException as error:
                with suppress(DBAPIError):
                    await connection.rollback()
                if isinstance(error, DBAPIError):
                    raise dialect.explain(error, self.path) from error
                if isinstance(error, DamagedRow):
                    raise dialect.damaged(self.path, str(error)) from error
                raise
            return result

    async def _run_fenced(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The same, for what only the holder of the lease may do. Raises `Fenced`."""
        return await self._run(lease.fenced, self._epoch, work, *args, **kwargs)

    # who may send orders

    async def take_lease(self, holder: str, now: datetime, lasts: timedelta) -> None:
        self._epoch = await self._run(lease.take, holder, now, lasts)

    async def renew_lease(self, until: datetime) -> None:
        await self._run(lease.renew, self._epoch, until)

    async def release_lease(self) -> None:
        await self._run(lease.release, self._epoch)

    # the cycle

    async def memory(self) -> Memory:
        known = await self._last_stored()
        if not known.memory.polls:  # nothing in doubt: nobody can have accepted anything meanwhile
            return known.memory
        return await self._run(cycles.load_memory)

    async def alerts(self) -> Sequence[Alert]:
        return newest_by_key((await self._last_stored()).alerts.values())

    async def event(self, event_id: str) -> Event | None:
        return await self._run(events.get, event_id)

    async def _last_stored(self) -> _Known:
        """What this process stored last, else what the database says."""
        if self._known is not None:
            return self._known
        memory, alerts, last = await self._run(cycles.load_known)
        return _Known(memory, {alert.event_id: alert for alert in alerts}, last)

    async def record_cycle(self, record: CycleRecord, channels: Sequence[str], further: Sequence[str] = ()) -> None:
        known = await self._last_stored()
        self._known = None  # until the transaction is known to have been committed
        try:
            await self._run_fenced(
                cycles.write,
                record,
                channels,
                further,
                grain=_grain(record, known.sampled_at),
                known=known.alerts,
                had_doubts=bool(known.memory.polls),
            )
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StoreError(f"cycle {record.cycle_id} is recorded already: an id is used once") from error
            raise
        self._known = _Known(
            memory=record.memory if record.memory.polls else replace(record.memory, accepted=frozenset()),
            alerts=alerts_after(known.alerts, record.alerts, record.finished_at),
            sampled_at=known.sampled_at if record.snapshot is None else record.finished_at,
        )

    async def last_cycle(self) -> tuple[str, datetime] | None:
        return await self._run(cycles.last_cycle)

    async def latest_state(self) -> Mapping[str, object] | None:
        """The newest that there is: a cycle that could not observe leaves the one before, with its own time."""
        return await self._run(cycles.latest_state)

    async def accept(self, subject: str, now: datetime) -> bool:
        """Kept apart from the memory that the daemon replaces, so that neither process undoes the other's writing.

        It is merged into `memory()` for the next cycle, and goes when a cycle no longer lists the doubt.
        """
        return await self._run(cycles.accept, subject, now)

    async def days_with_cycles(self, since: datetime) -> int:
        """On how many days, in UTC, cycles were completed."""
        return await self._run(cycles.days, since)

    async def last_delivered(self) -> Mapping[str, datetime]:
        """When each channel last acknowledged a message, as far as that is still kept."""
        return await self._run(outbox.last_delivered)

    async def recorded(self, cycle_id: str) -> cycles.Recorded | None:
        """What a past cycle saw and decided; None when it was never recorded or has been thinned out."""
        return await self._run(cycles.recorded, cycle_id)

    # what people say of alerts

    async def acknowledge(self, what: str, by: str, now: datetime, until: datetime | None = None) -> bool:
        return await self._run(attention.acknowledge, what, by, now, until)

    async def acknowledgements(self) -> Sequence[Acknowledgement]:
        return await self._run(attention.acknowledged)

    async def silence(self, silence: Silence) -> None:
        await self._run(attention.silence, silence)

    async def silences(self, now: datetime) -> Sequence[Silence]:
        return await self._run(attention.in_force, now)

    async def unsilence(self, silence_id: str, now: datetime) -> bool:
        return await self._run(attention.unsilence, silence_id, now)

    # orders

    async def plan(self, cycle_id: str, intents: Sequence[Intent], now: datetime) -> None:
        if intents:
            await self._run_fenced(orders.plan, cycle_id, intents, now)

    async def mark_sent(self, client_order_id: str, now: datetime) -> None:
        await self._run_fenced(orders.mark_sent, client_order_id, now)

    async def record_outcome(self, outcome: Outcome | Absent, now: datetime) -> None:
        await self._run(orders.record_outcome, outcome, now)

    async def record_absence(self, client_order_id: str, now: datetime) -> None:
        await self._run(orders.record_absence, client_order_id)

    async def open_orders(self) -> Sequence[OrderRow]:
        return await self._run(orders.open_orders)

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        return await self._run(orders.past_orders, since)

    async def turnover(self, since: datetime) -> Turnover:
        return await self._run(orders.turnover, since)

    async def fills(self, since: datetime) -> Sequence[Fill]:
        return await self._run(orders.fills_since, since)

    # proposals

    async def proposal(self, proposal_id: str) -> Proposal | None:
        return await self._run(proposals.get, proposal_id)

    async def proposals(self, since: datetime) -> Sequence[Proposal]:
        return await self._run(proposals.listed, since)

    async def answer(self, proposal: Proposal) -> bool:
        return await self._run(proposals.answer, proposal)

    # delivery

    async def due(self, channel: str, now: datetime, limit: int) -> Sequence[OutboxRow]:
        return await self._run(lease.checked, self._epoch, outbox.due, channel, now, limit)

    async def delivered(self, row_id: int, now: datetime) -> None:
        await self._run(outbox.delivered, row_id, now)

    async def failed(self, row_id: int, next_try_at: datetime, error: str) -> None:
        await self._run(outbox.failed, row_id, next_try_at, error)

    async def deliveries(self, message_ids: Collection[str]) -> Sequence[Delivery]:
        return await self._run(outbox.of, message_ids)

    async def backlog(self) -> Mapping[str, int]:
        return await self._run(outbox.backlog)

    # commands from outside

    async def claim_command(self, row: CommandRow) -> bool:
        return await self._run(commands.claim, row)

    async def end_command(self, row: CommandRow) -> None:
        await self._run(commands.end, row)

    async def note_command(self, row: CommandRow) -> None:
        await self._run(commands.note, row)

    async def past_commands(self, limit: int) -> Sequence[CommandRow]:
        return await self._run(commands.newest, limit)

    # small facts

    async def get_blob(self, key: str) -> Mapping[str, object] | None:
        return await self._run(blobs.get, key)

    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None:
        await self._run(blobs.put, key, object_to_text(value), now)

    # prices of the past

    async def put_bars(self, subject: str, rows: Sequence[Bar]) -> None:
        if rows:
            await self._run(bars.put, subject, rows)

    async def bars(self, subject: str, since: datetime) -> Sequence[Bar]:
        return await self._run(bars.since, subject, since)

    async def newest_bars(self) -> Mapping[str, datetime]:
        return await self._run(bars.newest)

    async def effects(self, since: datetime) -> Sequence[EffectDay]:
        return await self._run(effects.since, since)

    async def thin(self, now: datetime) -> int:
        """Delete what is older than kept, a bounded number of rows; call it again for more, an hour apart is plenty."""
        return await self._run(thinning.thin, now, self._retention)


def _grain(record: CycleRecord, sampled_at: datetime | None) -> Grain:
    """How long the cycle is worth keeping. A day or an hour is stood for by its first cycle that saw something."""
    if record.decision is not None and record.decision.intents:
        return Grain.ORDER
    if record.snapshot is None:
        return Grain.EVERY
    now = record.finished_at.astimezone(UTC)
    if sampled_at is None or now.date() != sampled_at.date():
        return Grain.DAY
    return Grain.HOUR if now.hour != sampled_at.hour else Grain.EVERY
