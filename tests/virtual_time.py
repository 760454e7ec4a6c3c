"""An event loop whose seconds pass as fast as the machine can go, and a wall clock to set ahead and back."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import apscheduler.schedulers.base
import pytest

from tests.support import T0


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Waiting for a timer moves the clock to it at once. What arrives on sockets and signals is real."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.elapsed = 0.0

    def time(self) -> float:
        return self.elapsed


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(5)  # only a signal can end this: bounded, so that a fault is a failure
        if not ready:
            self._loop.elapsed += timeout or 0.0
        return ready


class WallClock:
    """The Clock port on a virtual-time loop. `jump` sets the wall clock, `suspend` stops the whole machine."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._offset = timedelta(0)

    def now(self) -> datetime:
        return T0 + timedelta(seconds=self._loop.elapsed) + self._offset

    def monotonic(self) -> float:
        return self._loop.elapsed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jump(self, by: timedelta) -> None:
        self._offset += by

    def suspend(self, seconds: float) -> None:
        self._loop.elapsed += seconds


def run(scene: Callable[[WallClock], Coroutine[Any, Any, None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Play `scene` on a virtual-time loop of its own, APScheduler reading the same wall clock."""
    loop = VirtualTimeLoop()
    clock = WallClock(loop)

    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return clock.now().astimezone(tz)

    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Now)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scene(clock))
