"""What stops orders: a pause or a halt in the store, a file beside it, a signal. Only `hedged resume` ends it.

Whatever a person or the guard stopped is made durable in the store as soon as it is seen, and lasts from then on by
itself: through restarts and reloads, and when the file is deleted. Where it cannot be read whether orders are stopped,
they are.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from hedged.errors import StoreError
from hedged.model.codec import decode, encode
from hedged.model.stop import Stop
from hedged.ports import Store

_PAUSE, _HALT = "pause", "halt"  # two keys, so that the person who pauses never writes over the guard's halt


class StopFile(Protocol):
    """A file that anybody can make where no command can be given."""

    def read(self) -> str | None:
        """What it says, perhaps nothing; None: there is no file. Raises nothing: one that cannot be read is there."""


class Asked:
    """A pause that a signal asked for, until it is durable. One for a process: it outlives every reload."""

    def __init__(self) -> None:
        self.since: datetime | None = None

    def ask(self, now: datetime) -> None:
        self.since = self.since or now


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store knows. `resumed_at`: what happened before is no reason to halt any more."""

    paused: Stop | None = None
    halted: Stop | None = None
    resumed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    stop: Stop | None  # no default: a row without it is damaged, not free
    resumed_at: datetime | None = None


async def kept(store: Store) -> Kept:
    """Raises `StoreError`, also for what cannot be understood."""
    pause, halt = await _row(store, _PAUSE), await _row(store, _HALT)
    return Kept(pause.stop, halt.stop, halt.resumed_at)


async def keep_pause(store: Store, stop: Stop) -> None:
    """Durable before it returns. Raises `StoreError`."""
    await store.put_blob(_PAUSE, _object(_Row(stop)), stop.since)


async def keep_resumed(store: Store, now: datetime) -> None:
    """End pause and halt, whatever is kept of them. Raises `StoreError`."""
    await store.put_blob(_HALT, _object(_Row(None, now)), now)
    await store.put_blob(_PAUSE, _object(_Row(None)), now)


async def _row(store: Store, key: str) -> _Row:
    data = await store.get_blob(key)
    try:
        return _Row(None) if data is None else decode(_Row, data)
    except (ValueError, ArithmeticError, TypeError) as error:
        raise StoreError(
            f"what is kept of a {key} cannot be understood ({error}): `hedged resume` clears it"
        ) from error


def _object(row: _Row) -> dict[str, object]:
    return cast("dict[str, object]", encode(row))


class Brake:
    """Whether orders are stopped, as of the last `look`; a signal counts from the moment it was handled."""

    def __init__(self, store: Store, file: StopFile | None = None, asked: Asked | None = None) -> None:
        self.paused: Stop | None = None
        self.halted: Stop | None = None
        self.resumed_at: datetime | None = None
        self.unreadable: str | None = None  # why the store could not be asked
        self.in_hand = asyncio.Lock()  # held while an order is on its way out: who has it knows that none is
        self._store = store
        self._file = file
        self._asked = asked or Asked()
        self._own_pause: Stop | None = None  # not in the store yet
        self._own_halt: Stop | None = None
        self._known = False  # the store has answered once
        self._looking = asyncio.Lock()  # or an older answer could replace a newer one

    @property
    def why(self) -> str | None:
        """Why no order may be sent now; None: nothing stops it."""
        if self.halted is not None:
            return f"halted {self.halted.text}"
        paused = self.paused or self._wanted(self._asked.since)
        if paused is not None:
            return f"paused {paused.text}"
        if self.unreadable is not None:
            return f"nobody can tell whether orders are paused ({self.unreadable})"
        return None

    @property
    def cancels(self) -> bool:
        """Whether orders that rest in a book are to be cancelled: by a halt always, by a pause where it says so."""
        return self.halted is not None or (self.paused is not None and self.paused.cancel)

    async def look(self, now: datetime) -> None:
        """Ask the store, the file and the signal; what the store does not know yet is kept there. Raises nothing."""
        async with self._looking:
            asked = self._asked.since
            self._own_pause = self._wanted(now, file=True)
            try:
                found = await kept(self._store)
                if self._own_pause is not None and found.paused is None:
                    await keep_pause(self._store, self._own_pause)
                if self._own_halt is not None and found.halted is None:
                    row = _Row(self._own_halt, found.resumed_at)
                    await self._store.put_blob(_HALT, _object(row), now)
            except StoreError as error:
                self.unreadable = str(error)
                unknown = None if self._known else Stop(now, "hedged", "nobody can tell whether orders are paused")
                self.paused = self.paused or self._own_pause or unknown
                self.halted = self.halted or self._own_halt
                return
            self._known, self.unreadable = True, None
            self.paused = found.paused or self._own_pause
            self.halted = found.halted or self._own_halt
            self.resumed_at = found.resumed_at
            self._own_pause = self._own_halt = None
            if self._asked.since == asked:  # one that came while the store was asked is not kept yet
                self._asked.since = None

    async def halt(self, reason: str, now: datetime) -> None:
        """The guard's own stop, in force at once and durable as soon as the store can be written."""
        if self.halted is None:
            self.halted = self._own_halt = Stop(now, "the guard", reason)
            await self.look(now)

    def _wanted(self, now: datetime | None, *, file: bool = False) -> Stop | None:
        if self._own_pause is not None:
            return self._own_pause
        if self._asked.since is not None:
            return Stop(self._asked.since, "signal USR1")
        said = self._file.read() if file and self._file is not None else None
        return Stop(now, "the file PAUSED", said) if said is not None and now is not None else None
