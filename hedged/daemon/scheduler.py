"""Runs the cycle again and again on APScheduler: never two at once, and none left out in silence.

APScheduler counts in wall-clock time, which people and time servers set. So its trigger asks the `Timetable`
(a clock that never jumps) for the next time, and a guard on that same clock starts a cycle that APScheduler
would hold back because the wall clock was set back.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from hedged.daemon.timetable import Timetable
from hedged.daemon.wakes import Wakes
from hedged.errors import HedgedError
from hedged.model.finding import Finding, Kind, Severity
from hedged.ports import Clock

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # due at once, whatever the wall clock says
GUARD_SLACK = 0.25  # seconds that APScheduler's own timer gets to be first
CANCEL_WITHIN = 1.0  # seconds that a cancelled cycle gets to put its things away

log = structlog.get_logger(__name__)

Cycle = Callable[[datetime, Sequence[Finding]], Awaitable[object]]


class _OnTimetable(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """The wall-clock time of the next cycle, from how long it is until then on the clock that never jumps."""

    def __init__(self, timetable: Timetable, clock: Clock) -> None:
        self._timetable = timetable
        self._clock = clock

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        elapsed = self._clock.monotonic()
        return now + timedelta(seconds=self._timetable.after(elapsed) - elapsed)

    def __str__(self) -> str:  # in APScheduler's own log lines
        return f"every {self._timetable.every:g} s"


class Scheduler:
    """Calls `cycle(now, extra)` every `every`, the first at once; one that takes longer swallows the next.

    `extra` holds what the scheduler itself found since the last *completed* cycle, with `portfolio` as subject:
    cycles missed (the machine slept, the process was stopped), a cycle that overran, a cycle that crashed. What
    a crashed cycle was given is given again. A crash is logged with its traceback and ends nothing.
    """

    def __init__(self, cycle: Cycle, *, portfolio: str, every: timedelta, clock: Clock) -> None:
        self._cycle = cycle
        self._portfolio = portfolio
        self._clock = clock
        self._timetable = Timetable(clock.monotonic(), every.total_seconds())
        self._owed: dict[Kind, Finding] = {}  # one of a kind: all have the same subject
        self._running: asyncio.Task[None] | None = None
        self._ended = -math.inf  # monotonic, of the last cycle
        self._woken = False  # a cycle before its time has been asked for
        self._begun = asyncio.Event()
        self._guard: asyncio.Task[None] | None = None
        self._apscheduler = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        self._apscheduler.start()
        self._arm()

    async def answer(self, wakes: Wakes) -> None:
        """Until cancelled: a cycle before its time whenever there is a reason, `wakes.rest` after the last one ended.

        The timetable goes on as it was. Reasons that a cycle on time takes meanwhile need no cycle of their own.
        """
        while True:
            await wakes.wait()
            left = self._ended + wakes.rest.total_seconds() - self._clock.monotonic()
            if self._running is not None:
                await asyncio.wait({self._running})
            elif left > 0:
                await self._clock.sleep(left)
            else:
                self._woken = True
                self._begun.clear()
                self._fire()
                await self._begun.wait()

    async def pause(self) -> None:
        """Let no cycle begin, and wait for the running one; until `resume`."""
        self._disarm()
        if self._running is not None:
            await asyncio.wait({self._running})

    def resume(self) -> None:
        self._arm()

    def reschedule(self, portfolio: str, every: timedelta) -> None:
        """While paused: go on with a new configuration, its first cycle at once."""
        self._portfolio = portfolio
        self._owed = {kind: replace(finding, subject=portfolio) for kind, finding in self._owed.items()}
        self._timetable = Timetable(self._clock.monotonic(), every.total_seconds())

    async def stop(self, *, within: float) -> bool:
        """Start nothing more and let the running cycle finish, for `within` seconds; False: it was cancelled."""
        self._disarm()
        finished = True
        if self._running is not None:
            _, late = await asyncio.wait({self._running}, timeout=within)
            for task in late:
                finished = False
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_WITHIN)
        self._apscheduler.shutdown(wait=False)
        return finished

    def cancel(self) -> None:
        """Do not wait for the running cycle: somebody who stops twice means it."""
        if self._running is not None:
            self._running.cancel()

    def _arm(self) -> None:
        self._apscheduler.add_job(
            self._run,
            _OnTimetable(self._timetable, self._clock),
            id="cycle",
            name="cycle",
            next_run_time=LONG_AGO,
            misfire_grace_time=None,  # late is better than never, and is told
            coalesce=True,
            max_instances=1,
        )
        self._guard = asyncio.create_task(self._watch_the_clock())

    def _disarm(self) -> None:
        self._apscheduler.remove_all_jobs()
        if self._guard is not None:
            self._guard.cancel()

    async def _watch_the_clock(self) -> None:
        timetable = self._timetable
        while True:
            elapsed = self._clock.monotonic()
            await self._clock.sleep(max(timetable.due(), timetable.after(elapsed)) - elapsed + GUARD_SLACK)
            if self._running is not None:  # an early cycle may have held up the one that fell due
                await asyncio.wait({self._running})
            if not timetable.early(self._clock.monotonic()):
                self._fire()

    def _fire(self) -> None:
        if self._apscheduler.get_job("cycle") is not None:
            self._apscheduler.modify_job("cycle", next_run_time=LONG_AGO)

    async def _run(self) -> None:
        timetable, started = self._timetable, self._clock.monotonic()
        early, woken = timetable.early(started), self._woken
        if early and not woken:
            return
        self._woken = False
        if not early:
            late = started - timetable.due()
            if missed := timetable.begin(started):
                self._owe(self._missed(missed, late, timetable.every))
        self._running = asyncio.current_task()
        self._begun.set()
        try:
            await self._one_cycle()
        finally:
            self._running = None
            ended = self._ended = self._clock.monotonic()
            if left_out := timetable.outside(ended) if early else timetable.end(ended):
                self._owe(self._overrun(left_out, ended - started, timetable.every))

    async def _one_cycle(self) -> None:
        extra = tuple(self._owed.values())
        try:
            await self._cycle(self._clock.now(), extra)
        except asyncio.CancelledError:
            log.warning("cycle cancelled: it did not end in the time given to stop")
        except Exception as error:
            log.exception("cycle failed")
            self._owe(self._failed(error))
        else:
            for finding in extra:
                if self._owed.get(finding.kind) is finding:
                    del self._owed[finding.kind]

    def _owe(self, finding: Finding) -> None:
        log.warning(finding.text, kind=finding.kind.value)
        self._owed[finding.kind] = finding

    def _missed(self, missed: int, late: float, every: float) -> Finding:
        text = (
            f"{_cycles(missed)} missed before this one, which began {late:.0f} s late (every {every:g} s):"
            " the machine slept, or the process was held up"
        )
        return Finding(Kind.CYCLE_MISSED, self._portfolio, Severity.WARNING, text, {"missed": missed})

    def _overrun(self, swallowed: int, took: float, every: float) -> Finding:
        text = f"a cycle took {took:.0f} s, longer than the {every:g} s between cycles: {_cycles(swallowed)} left out"
        return Finding(Kind.CYCLE_OVERRUN, self._portfolio, Severity.WARNING, text, {"left_out": swallowed})

    def _failed(self, error: Exception) -> Finding:
        # only a deliberate error's text is known to hold no address or key; the rest is in the log
        reason = f"{error}" if isinstance(error, HedgedError) else f"{type(error).__name__}, see the log"
        return Finding(Kind.CYCLE_FAILED, self._portfolio, Severity.CRITICAL, f"the last cycle failed: {reason}")


def _cycles(count: int) -> str:
    return "1 cycle" if count == 1 else f"{count} cycles"
