"""Cycles before their time, on real APScheduler in virtual time: bounded, and never in the way of those on time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from hedged.daemon.scheduler import Scheduler
from hedged.daemon.wakes import REASONS_MAX, Wakes
from hedged.model.finding import Finding
from tests import virtual_time
from tests.virtual_time import WallClock


class Day:
    """A scheduler with its wakes; a cycle takes what has come in, and `takes` seconds."""

    def __init__(self, clock: WallClock, *, takes: Sequence[float] = (), rest: float = 5) -> None:
        self.clock, self.takes = clock, list(takes)
        self.wakes = Wakes(timedelta(seconds=rest))
        self.began: list[float] = []
        self.reasons: list[tuple[str, ...]] = []
        self.extra: list[str] = []
        self.running = 0
        self.scheduler = Scheduler(self, portfolio="alts", every=timedelta(seconds=60), clock=clock)
        self.scheduler.start()
        self.answering = asyncio.create_task(self.scheduler.answer(self.wakes))

    async def __call__(self, now: datetime, extra: Sequence[Finding]) -> None:
        self.running += 1
        assert self.running == 1, "two cycles at once"
        self.began.append(self.clock.monotonic())
        self.reasons.append(self.wakes.take())
        self.extra += [finding.kind.value for finding in extra]
        await asyncio.sleep(self.takes.pop(0) if self.takes else 1)
        self.running -= 1

    async def end(self) -> list[float]:
        self.answering.cancel()
        await self.scheduler.stop(within=1)
        return [round(at, 1) for at in self.began]


def test_a_reason_starts_a_cycle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told why, and the timetable goes on to the tick, with nothing missed."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock)
        await clock.sleep(20)
        day.wakes.wake("ETH moved")
        await clock.sleep(110)
        assert await day.end() == pytest.approx([0, 20, 60, 120], abs=0.5)
        assert day.reasons == [(), ("ETH moved",), (), ()]
        assert day.extra == []

    virtual_time.run(scene, monkeypatch)


def test_a_storm_is_one_cycle_each_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 reasons a second for half a minute: five seconds of rest between the end of one and the next."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock)
        await clock.sleep(10)
        for number in range(30_000):
            day.wakes.wake(f"tick {number}")
            await clock.sleep(0.001)
        await clock.sleep(5)
        began = await day.end()
        assert began == pytest.approx([0, 10, 16, 22, 28, 34, 40], abs=0.5)
        assert max(map(len, day.reasons)) == REASONS_MAX

    virtual_time.run(scene, monkeypatch)


def test_a_reason_during_a_cycle_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in after the cycle began may not be in what it read."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock, takes=[8])
        await clock.sleep(4)
        day.wakes.wake("a fill")
        await clock.sleep(30)
        assert await day.end() == pytest.approx([0, 13], abs=0.5)

    virtual_time.run(scene, monkeypatch)


def test_a_cycle_on_time_answers_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason that comes right before a cycle is due needs none of its own; the one on time does not wait for rest."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock)
        await clock.sleep(56)
        day.wakes.wake("first")
        await clock.sleep(2)
        day.wakes.wake("second")
        await clock.sleep(30)
        assert await day.end() == pytest.approx([0, 56, 60], abs=0.5)
        assert day.reasons == [(), ("first",), ("second",)]

    virtual_time.run(scene, monkeypatch)


def test_an_early_cycle_never_stands_in_for_one_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that runs over a due time is followed by the cycle that fell due, and by the rest on their ticks."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock, takes=[1, 10])
        await clock.sleep(55)
        day.wakes.wake("ETH moved")
        await clock.sleep(70)
        assert await day.end() == pytest.approx([0, 55, 65, 120], abs=0.5)
        assert day.extra == []

    virtual_time.run(scene, monkeypatch)


def test_an_early_cycle_that_takes_minutes_is_told_as_overrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the cycles that fell due meanwhile the newest runs late; the others are told as left out."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock, takes=[1, 150])
        await clock.sleep(50)
        day.wakes.wake("ETH moved")
        await clock.sleep(200)
        assert await day.end() == pytest.approx([0, 50, 200, 240], abs=0.5)
        assert day.extra == ["cycle_overrun"]

    virtual_time.run(scene, monkeypatch)


def test_no_early_cycle_while_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload goes first; the reason is answered by the first cycle after it."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock)
        await clock.sleep(10)
        await day.scheduler.pause()
        day.wakes.wake("ETH moved")
        await clock.sleep(20)
        assert len(day.began) == 1
        day.scheduler.resume()
        await clock.sleep(20)
        assert await day.end() == pytest.approx([0, 30], abs=0.5)
        assert day.reasons[1] == ("ETH moved",)

    virtual_time.run(scene, monkeypatch)


@pytest.mark.parametrize("days", [-30, 30])
def test_a_jumping_wall_clock_holds_nothing_back(days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rest and reasons go by the clock that never jumps."""

    async def scene(clock: WallClock) -> None:
        day = Day(clock)
        await clock.sleep(10)
        clock.jump(timedelta(days=days))
        day.wakes.wake("ETH moved")
        await clock.sleep(60)
        assert await day.end() == pytest.approx([0, 10, 60], abs=0.6)

    virtual_time.run(scene, monkeypatch)
