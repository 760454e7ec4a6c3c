"""When cycles are due, which were missed and which ran over: arithmetic on a clock that never jumps.

The wall clock takes no part in it. Somebody setting it a month ahead or back fires nothing early and stops
nothing.
"""

from __future__ import annotations

import math


class Timetable:
    """Cycles are due at `start + k × every` (k = 0, 1, 2 …), all in seconds of the monotonic clock.

    A cycle that starts late does not move the later ones, and one that takes too long swallows those that fell
    due meanwhile: the next starts on time, not at once.
    """

    _EARLY = 0.01  # share of `every` by which a timer may be early and still mean the cycle it was set for

    def __init__(self, start: float, every: float) -> None:
        if every <= 0:
            raise ValueError(f"every = {every} s: must be above 0")
        self._start = start
        self.every = every
        self._served = -1  # the newest k that began, or was swallowed or missed

    def due(self) -> float:
        """When the next cycle should start; in the past while it is late."""
        return self._start + (self._served + 1) * self.every

    def after(self, now: float) -> float:
        """The first due time after the cycle that belongs to `now`."""
        return self._start + (self._index(now) + 1) * self.every

    def early(self, now: float) -> bool:
        """Whether no cycle is due yet."""
        return self._index(now) <= self._served

    def begin(self, now: float) -> int:
        """A cycle starts: how many before it should have started, and never did."""
        index = self._index(now)
        missed = index - self._served - 1
        self._served = index
        return missed

    def end(self, now: float) -> int:
        """That cycle ended: how many fell due while it ran, and are left out."""
        swallowed = max(math.floor((now - self._start) / self.every) - self._served, 0)
        self._served += swallowed
        return swallowed

    def outside(self, now: float) -> int:
        """A cycle that had no place here ended: how many fell due while it ran and are left out.

        All but the newest, which starts now: an early cycle never stands in for one on time.
        """
        left_out = max(math.floor((now - self._start) / self.every) - self._served - 1, 0)
        self._served += left_out
        return left_out

    def _index(self, now: float) -> int:
        return math.floor((now - self._start) / self.every + self._EARLY)
