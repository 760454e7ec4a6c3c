"""Time and randomness: the one place where the machine's clock and its random numbers are read."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator

# CLOCK_BOOTTIME also counts while the machine is suspended, so a cycle that sleep swallowed is seen as missed;
# other systems have to do with the clock that stands still meanwhile.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def monotonic_usec() -> int:
    """CLOCK_MONOTONIC in microseconds, the clock systemd stamps a reload with."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000


@cache
def process_name() -> str:
    """`host:pid:random`: this process and no other, also where a pid is used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_BOOT_CLOCK)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class AcceleratedClock:
    """Time that runs `speed` times as fast as the machine's, from `start` (aware UTC), for the demo.

    Durations given and measured are in its own seconds: `sleep(60)` at speed 120 takes half a real second.
    """

    def __init__(self, speed: float, start: datetime) -> None:
        if speed <= 0:
            raise ValueError(f"speed = {speed}: must be above 0")
        self._speed = speed
        self._start = start
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


class SystemIds:
    """Ids that nobody can guess and no two machines share."""

    def new(self) -> str:
        return secrets.token_hex(12)


class SeededIds:
    """The same ids in the same order for the same seed: for the demo, replays and tests, never for real orders."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - to be reproduced, not to be secret

    def new(self) -> str:
        return f"{self._random.getrandbits(96):024x}"


Draws = random.Random
"""A stream of random numbers that is handed in."""


def seeded_draws(name: str) -> Draws:
    """A stream that is the same for the same name in every process: for the simulation, never for anything secret."""
    return random.Random(name)  # noqa: S311 - to be reproduced, not to be secret


def seeded_generator(seed: int | Sequence[int]) -> Generator:
    """Random numbers for statistics that should come out the same for the same data."""
    from numpy.random import default_rng  # noqa: PLC0415 - slow to import, and few commands need it

    return default_rng(seed)
