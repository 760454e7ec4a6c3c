"""The scheduler on real APScheduler, in virtual time: overlap, misses, overruns, crashes, clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from hedged.daemon.scheduler import Scheduler
from hedged.errors import StoreUnavailable
from hedged.model.finding import Finding, Kind, Severity
from tests import virtual_time
from tests.support import T0
from tests.virtual_time import WallClock

MINUTE = timedelta(minutes=1)


class Cycles:
    """Counts cycles: when each began (seconds from the start), and what it was handed."""

    def __init__(
        self, clock: WallClock, *, takes: Sequence[float] = (), fails: Sequence[Exception | None] = ()
    ) -> None:
        self.clock = clock
        self.takes, self.fails = list(takes), list(fails)
        self.began: list[float] = []
        self.ended: list[float] = []
        self.now: list[datetime] = []
        self.extra: list[list[Finding]] = []
        self.running = 0

    async def __call__(self, now: datetime, extra: Sequence[Finding]) -> None:
        self.running += 1
        assert self.running == 1, "two cycles at once"
        self.began.append(self.clock.monotonic())
        self.now.append(now)
        self.extra.append(list(extra))
        try:
            await asyncio.sleep(self.takes.pop(0) if self.takes else 1)
            if self.fails and (error := self.fails.pop(0)) is not None:
                raise error
            self.ended.append(self.clock.monotonic())
        finally:
            self.running -= 1

    @property
    def kinds(self) -> list[list[Kind]]:
        return [[finding.kind for finding in extra] for extra in self.extra]


def scheduler(cycles: Cycles, every: timedelta = MINUTE) -> Scheduler:
    made = Scheduler(cycles, portfolio="alts", every=every, clock=cycles.clock)
    made.start()
    return made


def at(times: Sequence[float]) -> object:
    return pytest.approx(list(times), abs=0.5)


def test_cycles_run_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first cycle runs at once, then one an interval, each with the wall clock's now and nothing to tell."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock)
        running = scheduler(cycles)
        await clock.sleep(200)
        await running.stop(within=1)
        assert cycles.began == at([0, 60, 120, 180])
        assert [(now - T0).total_seconds() for now in cycles.now] == cycles.began
        assert cycles.kinds == [[], [], [], []]

    virtual_time.run(scene, monkeypatch)


def test_an_overrunning_cycle_is_never_overlapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle of 130 s leaves out the two that fell due, and the next, on time, is told so once."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock, takes=[1, 130])
        running = scheduler(cycles)
        await clock.sleep(320)
        await running.stop(within=1)
        assert cycles.began == at([0, 60, 240, 300])
        assert cycles.kinds == [[], [], [Kind.CYCLE_OVERRUN], []]
        told = cycles.extra[2][0]
        assert (told.subject, told.severity, told.values) == ("alts", Severity.WARNING, {"left_out": 2})
        assert "130 s" in told.text

    virtual_time.run(scene, monkeypatch)


def test_cycles_lost_to_a_sleeping_machine_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine suspended for an hour runs one cycle on waking, which is told how many there should have been."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock)
        running = scheduler(cycles)
        await clock.sleep(30)
        clock.suspend(3600)
        await clock.sleep(75)
        await running.stop(within=1)
        assert cycles.began == at([0, 3630, 3660])
        assert cycles.kinds == [[], [Kind.CYCLE_MISSED], []]
        assert cycles.extra[1][0].values == {"missed": 59}
        assert "59 cycles missed" in cycles.extra[1][0].text

    virtual_time.run(scene, monkeypatch)


@pytest.mark.parametrize("days", [-30, 30, -1 / 24, 1 / 24])
def test_a_jumping_wall_clock_changes_nothing(days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the wall clock ahead or back by a month or an hour neither stops cycles nor fires any early."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock)
        running = scheduler(cycles)
        await clock.sleep(90)
        clock.jump(timedelta(days=days))
        await clock.sleep(3600)
        await running.stop(within=1)
        assert cycles.began == at(range(0, 3690, 60))
        assert not any(cycles.kinds)
        assert cycles.now[2] - cycles.now[1] == pytest.approx(MINUTE + timedelta(days=days), abs=timedelta(seconds=1))

    virtual_time.run(scene, monkeypatch)


def test_a_wake_up_before_the_time_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the wall clock ahead, anything that wakes APScheduler finds its job overdue: the timetable says no."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock)
        running = scheduler(cycles)
        await clock.sleep(10)
        clock.jump(timedelta(days=30))
        await running.pause()
        running.resume()
        await clock.sleep(20)
        assert cycles.began == at([0])
        await clock.sleep(60)
        await running.stop(within=1)
        assert cycles.began == at([0, 60])

    virtual_time.run(scene, monkeypatch)


def test_a_crash_ends_one_cycle_and_is_told_until_one_completes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crashed cycles are a critical finding for the next one, again while that crashes too, and then no more."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock, fails=[ValueError("secret=abc"), StoreUnavailable("disk full"), None])
        running = scheduler(cycles)
        await clock.sleep(200)
        await running.stop(within=1)
        assert cycles.kinds == [[], [Kind.CYCLE_FAILED], [Kind.CYCLE_FAILED], []]
        first, second = cycles.extra[1][0], cycles.extra[2][0]
        assert (first.subject, first.severity) == ("alts", Severity.CRITICAL)
        assert "ValueError" in first.text
        assert "secret" not in first.text, "the text of an unforeseen error may hold anything"
        assert "disk full" in second.text

    virtual_time.run(scene, monkeypatch)


def test_what_a_crashed_cycle_was_told_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missed cycles stay to be told when the cycle that should have told them crashed."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock, fails=[None, RuntimeError(), None])
        running = scheduler(cycles)
        await clock.sleep(30)
        clock.suspend(120)
        await clock.sleep(110)
        await running.stop(within=1)
        assert cycles.kinds == [[], [Kind.CYCLE_MISSED], [Kind.CYCLE_MISSED, Kind.CYCLE_FAILED], []]

    virtual_time.run(scene, monkeypatch)


def test_stop_lets_the_running_cycle_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle in hand ends in its own time, and nothing begins after."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock, takes=[5])
        running = scheduler(cycles)
        await clock.sleep(1)
        assert await running.stop(within=6)
        assert cycles.ended == at([5])
        await clock.sleep(300)
        assert len(cycles.began) == 1

    virtual_time.run(scene, monkeypatch)


def test_stop_cancels_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle that hangs is cancelled when the time given is over."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock, takes=[1e6])
        running = scheduler(cycles)
        await clock.sleep(1)
        assert not await running.stop(within=6)
        assert clock.monotonic() == pytest.approx(7, abs=0.1)
        assert (cycles.running, cycles.ended) == (0, [])

    virtual_time.run(scene, monkeypatch)


def test_pause_waits_for_the_cycle_and_holds_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between pause and resume no cycle runs; what fell due meanwhile is told as missed."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock, takes=[5])
        running = scheduler(cycles)
        await clock.sleep(1)
        await running.pause()
        assert cycles.ended == at([5])
        await clock.sleep(145)
        assert len(cycles.began) == 1
        running.resume()
        await clock.sleep(40)
        await running.stop(within=1)
        assert cycles.began == at([0, 150, 180])
        assert cycles.kinds == [[], [Kind.CYCLE_MISSED], []]

    virtual_time.run(scene, monkeypatch)


def test_a_new_timetable_begins_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reload the first cycle runs at once, then at the new interval; what is owed goes by the new name."""

    async def scene(clock: WallClock) -> None:
        cycles = Cycles(clock, fails=[None, RuntimeError(), RuntimeError(), None])
        running = scheduler(cycles)
        await clock.sleep(90)
        await running.pause()
        running.reschedule("majors", timedelta(seconds=10))
        running.resume()
        await clock.sleep(25)
        await running.stop(within=1)
        assert cycles.began == at([0, 60, 90, 100, 110])
        assert [[finding.key for finding in extra] for extra in cycles.extra] == [
            [], [], ["cycle_failed/majors"], ["cycle_failed/majors"], [],
        ]  # fmt: skip

    virtual_time.run(scene, monkeypatch)
