"""Whether one stream is up, and since when it has been in trouble, by the injected clock."""

from __future__ import annotations

from datetime import datetime

from hedged.model.stream import StreamState
from hedged.ports import Clock

STEADY_AFTER = 60.0  # seconds up until earlier trouble is over: one that comes and goes has not recovered


class Health:
    """Begins down: nothing is connected yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._up = False
        self._since = clock.now()
        self._came_up = 0.0  # monotonic
        self._down_since: datetime = self._since  # of the trouble that is not over, or the last
        self._detail = "not connected yet"
        self._told = False

    def is_up(self) -> bool:
        """Seen to stand; True the first time."""
        if self._up:
            return False
        self._up, self._told = True, False
        self._since, self._came_up = self._clock.now(), self._clock.monotonic()
        return True

    def went_down(self, detail: str) -> bool:
        """True the first time since it was last up."""
        steady = self._up and self._clock.monotonic() - self._came_up >= STEADY_AFTER
        if steady:
            self._down_since = self._clock.now()
        self._up, self._detail = False, detail
        first, self._told = not self._told, True
        return first

    def state(self, account: str, name: str) -> StreamState:
        if self._up:
            return StreamState(account, name, up=True, since=self._since)
        return StreamState(account, name, up=False, since=self._down_since, detail=self._detail)
