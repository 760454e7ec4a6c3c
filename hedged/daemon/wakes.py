"""What cannot wait for the next cycle: reasons come in from streams, and one early cycle answers all of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

REASONS_MAX = 8  # told of one cycle; the rest is the same storm


class Wakes:
    """Reasons for a cycle before its time. However many there are, `rest` lies between two cycles."""

    def __init__(self, rest: timedelta) -> None:
        self.rest = rest
        self._reasons: dict[str, None] = {}
        self._waiting = asyncio.Event()

    def wake(self, reason: str) -> None:
        """Ask for a cycle now. `reason` is words for the log and the state; it holds no data and decides nothing."""
        if len(self._reasons) < REASONS_MAX:
            self._reasons[reason] = None
        self._waiting.set()

    async def wait(self) -> None:
        """Return as soon as there is a reason that no cycle has taken."""
        await self._waiting.wait()

    @property
    def pending(self) -> bool:
        return self._waiting.is_set()

    def take(self) -> tuple[str, ...]:
        """A cycle begins and answers what has come in until now."""
        reasons = tuple(self._reasons)
        self._reasons.clear()
        self._waiting.clear()
        return reasons
