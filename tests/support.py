"""What tests share: which outside parts are here, and a clock and ids that tests turn by hand."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
_REQUIRED = frozenset(filter(None, os.environ.get("HEDGED_TEST_REQUIRE", "").replace(" ", "").split(",")))

T0 = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def need(program: str) -> str:
    """The path of an outside program; skips with the reason where it is missing, fails where it was promised."""
    path = shutil.which(program) or next(
        (str(p) for p in (Path("/usr/sbin") / program, Path("/usr/lib/systemd") / program) if p.exists()), None
    )
    if path is None:
        absent(program, f"{program} is not installed")
    assert path is not None
    return path


def need_shared(relative: str) -> Path:
    """A file of the folder with real prices and sample replies beside the checkout; skips where it is missing."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"no folder with {relative} beside the checkout")
    return path


def absent(name: str, reason: str) -> None:
    """Skip for want of an outside part, or fail if HEDGED_TEST_REQUIRE promised it."""
    if name in _REQUIRED:
        pytest.fail(f"{reason}, but HEDGED_TEST_REQUIRE promises {name}")
    pytest.skip(f"{reason} (named {name} in HEDGED_TEST_REQUIRE)")


class ManualClock:
    """A clock that moves only when told; sleeping moves it at once."""

    def __init__(self, start: datetime = T0) -> None:
        self._now = start
        self._monotonic = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime) -> None:
        self._now = now


class CountingIds:
    """Ids in order, so that tests can name them."""

    def __init__(self) -> None:
        self._n = 0

    def new(self) -> str:
        self._n += 1
        return f"{self._n:024x}"


class HandClock(ManualClock):
    """A clock whose sleepers wait until it is moved past their time."""

    def __init__(self, start: datetime = T0) -> None:
        super().__init__(start)
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.sleeping: list[float] = []  # for how long those that sleep now asked to

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        sleeper = (self.monotonic() + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        self.sleeping.append(seconds)
        try:
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)
            self.sleeping.remove(seconds)

    async def move(self, seconds: float) -> None:
        """Forward, waking each sleeper at its time; returns when all that follows at once has happened."""
        end = self.monotonic() + seconds
        await settle()
        while (due := min((at for at, _ in self._sleepers), default=end + 1)) <= end:
            self.advance(max(due - self.monotonic(), 0))
            for at, sleeper in self._sleepers:
                if at <= due and not sleeper.done():
                    sleeper.set_result(None)
            await settle()
        self.advance(end - self.monotonic())


async def settle(turns: int = 20) -> None:
    """Let the loop run whatever is ready."""
    for _ in range(turns):
        await asyncio.sleep(0)
