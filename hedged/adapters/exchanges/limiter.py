"""A rate limit by the injected clock.

ccxt's own limiter measures with the wall clock: set back by an hour, it counts the past hour's requests as still
to come and can stop sending until the clock has caught up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hedged.ports import Clock

_TICK = 0.01  # seconds: what is left to wait for may be too little for a clock to show


@dataclass(slots=True)
class Meter:
    """What an account's requests have cost since the start, in ccxt's units of the venue, by all its limiters."""

    weight: float = 0.0
    requests: int = 0


class Limiter:
    """A token bucket in the venue's request weights: up to `burst` at once, `per_second` in the long run."""

    def __init__(self, clock: Clock, *, burst: float, per_second: float, meter: Meter | None = None) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._tokens = burst
        self._at = clock.monotonic()
        self._turn = asyncio.Lock()
        self._meter = meter or Meter()

    async def acquire(self, cost: float | None = None) -> None:
        """Return once a request of this weight may go out; first come, first served."""
        async with self._turn:
            self._refill()
            weight = 1.0 if cost is None else cost
            self._tokens -= weight
            if self._tokens < 0:
                await self._clock.sleep(-self._tokens / self._per_second)
            self._meter.weight += weight
            self._meter.requests += 1

    async def spare(self) -> None:
        """Return once half of the burst is there: what nobody waits for leaves the rest to those who do."""
        self._refill()
        while (missing := self._burst / 2 - self._tokens) > 0:
            await self._clock.sleep(max(missing / self._per_second, _TICK))
            self._refill()

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
