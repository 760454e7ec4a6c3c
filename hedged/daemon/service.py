"""The daemon's life: start, cycle after cycle, reload, stop.

    build ──► READY ──► cycle, cycle, … ──► SIGTERM/SIGINT: the running cycle ends, all is closed, exit 0
                 ▲                     └──► SIGHUP: build again between two cycles; a refused one changes nothing

The service manager gets its sign of life only after a *completed* cycle: a daemon whose loop turns and whose
cycles fail is not alive.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

import structlog

from hedged.adapters.systemd import Notifier
from hedged.cycle import CycleReport
from hedged.daemon.background import Loop, keep_alive
from hedged.daemon.scheduler import Scheduler
from hedged.daemon.wakes import Wakes
from hedged.errors import HedgedError
from hedged.model.alert import AlertState
from hedged.model.finding import Finding, Kind, Severity
from hedged.ports import Clock

# Together, with the scheduler's second to put a cancelled cycle away, below the 10 s in which the daemon stops.
FINISH_CYCLE_WITHIN = 4.5
TAKE_BACK_WITHIN = 1.75
END_LOOPS_WITHIN = 1.0
CLOSE_WITHIN = 1.5

BUILD_WITHIN = 30.0  # a reload that takes longer is refused: nothing is watched meanwhile
AFTER_CYCLE_WITHIN = 5.0
REFUSED = "reload REFUSED, the old configuration keeps running"
REFUSED_NAMED = 5  # problems in a sentence
CYCLES_UNTIL_WEDGED = 3  # so many intervals without a completed cycle, at least, before systemd starts us anew

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Wired(Protocol):
    """One configuration at work, as `hedged.app.build` returns it."""

    @property
    def name(self) -> str:
        """The portfolio's: subject of what the scheduler finds."""

    @property
    def every(self) -> timedelta: ...

    @property
    def background(self) -> Sequence[Loop]:
        """Couriers and connections: run until they return, and again whenever they raise."""

    @property
    def wakes(self) -> Wakes:
        """Reasons for a cycle before its time, from what runs in the background; `cycle` takes them."""

    async def cycle(self, now: datetime, extra: Sequence[Finding]) -> CycleReport: ...

    async def after_cycle(self, report: CycleReport) -> None:
        """Show the state, ping the heartbeat, wake the couriers. Never waits for a dead channel."""

    async def take_back(self) -> None:
        """The daemon stops: leave nothing in a book that nobody looks after."""

    async def close(self) -> None: ...


Build = Callable[[], Awaitable[Wired]]


async def serve(build: Build, clock: Clock, notifier: Notifier, pause: Callable[[], None] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code. `pause` is called when SIGUSR1 comes.

    `build` reads the configuration anew each time; what it raises at the start (`ConfigurationError`,
    `StoreError`) goes to the caller.
    """
    return await Service(build, clock, notifier, pause).run()


class Service:
    """One daemon process. Needs the main thread, which is where signals arrive."""

    def __init__(self, build: Build, clock: Clock, notifier: Notifier, pause: Callable[[], None] | None = None) -> None:
        self._build = build
        self._pause = pause
        self._clock = clock
        self._notifier = notifier
        self._stopping = asyncio.Event()
        self._reload_asked = asyncio.Event()
        self._refused: tuple[str, ...] = ()  # why the last reload changed nothing; told until one succeeds
        self._live: _Live
        self._scheduler: Scheduler | None = None

    async def run(self) -> int:
        with self._signals():
            wired = await self._unless_stopped(self._build())
            if wired is None:
                return 0
            self._scheduler = Scheduler(self._cycle, portfolio=wired.name, every=wired.every, clock=self._clock)
            self._live = _Live(wired, self._scheduler, self._clock)
            self._scheduler.start()
            self._announce(wired)
            try:
                while await self._unless_stopped(self._reload_asked.wait()):
                    self._reload_asked.clear()
                    await self._reload(self._scheduler)
            finally:
                await self._stop(self._scheduler)
        return 0

    async def _unless_stopped(self, work: Awaitable[T]) -> T | None:
        """What `work` gave; None, and `work` cancelled, when asked to stop first."""
        working, stopped = asyncio.ensure_future(work), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            working.cancel()
            await asyncio.wait({working}, timeout=CLOSE_WITHIN)
            return None
        finally:
            working.cancel()
            stopped.cancel()

    async def _cycle(self, now: datetime, extra: Sequence[Finding]) -> None:
        wired = self._live.wired
        report = await wired.cycle(now, [*extra, *self._findings(wired.name)])
        self._notifier.alive(self._status(wired, report))
        try:
            async with asyncio.timeout(AFTER_CYCLE_WITHIN):
                await wired.after_cycle(report)
        except Exception:
            log.exception("the cycle is complete, showing it failed")

    def _status(self, wired: Wired, report: CycleReport) -> str:
        firing = sum(alert.state is AlertState.FIRING for alert in report.alerts)
        text = f"{wired.name}: last cycle completed {self._clock.now():%Y-%m-%d %H:%M:%S}Z, alerts firing: {firing}"
        return f"{text}; {REFUSED}" if self._refused else text

    def _findings(self, portfolio: str) -> Iterator[Finding]:
        """That what a person has changed is not what runs: nobody may believe that it is."""
        if self._refused:
            more = len(self._refused) - REFUSED_NAMED
            named = [*self._refused[:REFUSED_NAMED], *([f"and {more} more"] if more > 0 else [])]
            text = f"{portfolio}: {REFUSED}: {'; '.join(named)}."
            yield Finding(Kind.RELOAD_REFUSED, portfolio, Severity.WARNING, text, {"problems": len(self._refused)})

    async def _reload(self, scheduler: Scheduler) -> None:
        self._notifier.reloading()
        await self._unless_stopped(scheduler.pause())
        try:
            async with asyncio.timeout(BUILD_WITHIN):
                wired = await self._unless_stopped(self._build())
        except HedgedError as error:
            self._refuse(str(error))
        except TimeoutError:
            self._refuse(f"it was not ready within {BUILD_WITHIN:.0f} s")
        except Exception as error:
            log.exception("reload failed")
            self._refuse(f"{type(error).__name__}, see the log")
        else:
            if wired is not None:
                await self._replace(wired, scheduler)
        scheduler.resume()
        if self._refused:
            self._live.wired.wakes.wake("a reload was refused")
        self._announce(self._live.wired)

    async def _replace(self, wired: Wired, scheduler: Scheduler) -> None:
        self._refused = ()
        await self._live.close()  # before the new one starts: two connections of one name would fight
        self._live = _Live(wired, scheduler, self._clock)
        scheduler.reschedule(wired.name, wired.every)
        log.info("configuration reloaded", portfolio=wired.name, every_s=wired.every.total_seconds())

    def _refuse(self, problems: str) -> None:
        self._refused = tuple(line.strip() for line in problems.splitlines() if line.strip())
        for line in self._refused:
            log.critical(REFUSED, problem=line)

    def _announce(self, wired: Wired) -> None:
        watching = f"{wired.name}: watching every {wired.every.total_seconds():g} s"
        self._notifier.ready(REFUSED if self._refused else watching)
        self._notifier.expect_every(CYCLES_UNTIL_WEDGED * wired.every)

    async def _stop(self, scheduler: Scheduler) -> None:
        self._notifier.stopping()
        log.info("stopping: the running cycle may end first", within_s=FINISH_CYCLE_WITHIN)
        finished = await scheduler.stop(within=FINISH_CYCLE_WITHIN)
        await self._live.take_back()
        await self._live.close()
        log.info("stopped", cycle_finished=finished)

    def _asked_to_stop(self) -> None:
        if self._stopping.is_set() and self._scheduler is not None:
            self._scheduler.cancel()
        self._stopping.set()

    def _asked_to_pause(self) -> None:
        log.warning("asked to pause by a signal: no new order until `hedged resume`")
        if self._pause is not None:
            self._pause()

    @contextmanager
    def _signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._asked_to_stop,
            signal.SIGINT: self._asked_to_stop,
            signal.SIGHUP: self._reload_asked.set,
            signal.SIGUSR1: self._asked_to_pause,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)


class _Live:
    """A wired configuration and its loops, from now until closed."""

    def __init__(self, wired: Wired, scheduler: Scheduler, clock: Clock) -> None:
        self.wired = wired
        loops: list[Loop] = [*wired.background, partial(scheduler.answer, wired.wakes)]
        self._loops = {asyncio.create_task(keep_alive(loop, clock)) for loop in loops}

    async def take_back(self) -> None:
        """Never raises and never hangs."""
        try:
            async with asyncio.timeout(TAKE_BACK_WITHIN):
                await self.wired.take_back()
        except Exception:
            log.exception("orders at rest could not be taken back: they are looked up at the next start")

    async def close(self) -> None:
        """Never raises and never hangs: what does not end in its time is logged and left."""
        for task in self._loops:
            task.cancel()
        if self._loops:
            _, left = await asyncio.wait(self._loops, timeout=END_LOOPS_WITHIN)
            if left:
                log.warning("background tasks did not end in time", tasks=len(left))
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.wired.close()
        except Exception:
            log.exception("closing failed")
