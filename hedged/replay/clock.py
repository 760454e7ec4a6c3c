"""The time of a replay: that of the bar, and no other."""

from __future__ import annotations

from datetime import datetime


class ReplayClock:
    """A `Clock` that stands still within a bar; sleeping returns at once, because nothing changes meanwhile."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def set(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        return
