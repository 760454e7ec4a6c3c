"""What has to survive a restart: how far Telegram's updates were taken, and which message shows which proposal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import structlog

from hedged.model.codec import decode, encode
from hedged.model.proposal import Verdict
from hedged.ports import Clock, Store

KEY = "telegram"  # the store's small fact
SHOWN_MAX = 200  # proposals whose message may still change
OFFSET_GOOD_FOR = timedelta(days=6)  # after a week of silence Telegram numbers its updates anew

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal's message, and how the proposal stood when it was written."""

    message_id: int
    verdict: Verdict
    want: str  # what is traded, without its numbers: a proposal that is renewed takes the message over


@dataclass(frozen=True, slots=True)
class _Row:
    offset: int | None = None  # of the next update
    moved_at: datetime | None = None
    shown: Mapping[str, Shown] = field(default_factory=dict)  # by proposal id, the oldest first


class TelegramMemory:
    """Durable before it counts. Everything raises `StoreError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._row: _Row | None = None  # None: not read yet
        self._writing = asyncio.Lock()

    async def offset(self) -> int | None:
        """Of the next update; None: whatever there is."""
        row = await self._read()
        fresh = row.moved_at is not None and abs(self._clock.now() - row.moved_at) < OFFSET_GOOD_FOR
        return row.offset if fresh else None

    async def advance(self, update: int) -> bool:
        """Past this update; False: it was taken before."""
        async with self._writing:
            next_one = await self.offset()
            if next_one is not None and update < next_one:
                return False
            await self._keep(replace(await self._read(), offset=update + 1, moved_at=self._clock.now()))
            return True

    async def shown(self) -> Mapping[str, Shown]:
        """By proposal id, the oldest first."""
        return (await self._read()).shown

    async def remember(self, proposal: str, shown: Shown, instead_of: str | None = None) -> None:
        async with self._writing:
            row = await self._read()
            others = {name: each for name, each in row.shown.items() if name not in {proposal, instead_of}}
            newest = [*others.items(), (proposal, shown)][-SHOWN_MAX:]
            await self._keep(replace(row, shown=dict(newest)))

    async def forget(self, proposal: str) -> None:
        async with self._writing:
            row = await self._read()
            others = {name: each for name, each in row.shown.items() if name != proposal}
            await self._keep(replace(row, shown=others))

    async def _read(self) -> _Row:
        if self._row is None:
            data = await self._store.get_blob(KEY)
            try:
                self._row = _Row() if data is None else decode(_Row, data)
            except (ValueError, ArithmeticError, TypeError) as error:
                _log.warning("what was kept of Telegram cannot be understood, beginning anew", error=str(error))
                self._row = _Row()
        return self._row

    async def _keep(self, row: _Row) -> None:
        await self._store.put_blob(KEY, cast("dict[str, object]", encode(row)), self._clock.now())
        self._row = row
