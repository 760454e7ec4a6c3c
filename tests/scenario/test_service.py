"""The daemon's life with real signals, in virtual time: start, cycles, reload, stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hedged.daemon.service import serve
from hedged.daemon.wakes import Wakes
from hedged.errors import ConfigurationError
from hedged.model.alert import AlertState
from hedged.model.finding import Finding
from tests import virtual_time
from tests.virtual_time import WallClock


class Manager:
    """A service manager's ear: what the daemon told it, and when (seconds from the start)."""

    def __init__(self, clock: WallClock) -> None:
        self.clock = clock
        self.heard: list[tuple[str, str]] = []
        self.alive_at: list[float] = []
        self.expected: list[timedelta] = []

    def ready(self, status: str) -> None:
        self.heard.append(("ready", status))

    def reloading(self) -> None:
        self.heard.append(("reloading", ""))

    def stopping(self) -> None:
        self.heard.append(("stopping", ""))

    def alive(self, status: str) -> None:
        self.alive_at.append(round(self.clock.monotonic()))
        self.heard.append(("alive", status))

    def status(self, text: str) -> None:
        self.heard.append(("status", text))

    def expect_every(self, interval: timedelta) -> None:
        self.expected.append(interval)

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.heard]


class Wiring:
    """A portfolio without a market: cycles that take as long as told, crash when told, and are counted."""

    def __init__(self, name: str = "alts", every: float = 60, takes: float = 1) -> None:
        self.name, self.every, self.takes = name, timedelta(seconds=every), takes
        self.background: Sequence[Any] = ()
        self.wakes = Wakes(timedelta(seconds=5))
        self.began = self.completed = self.shown = self.closed = 0
        self.given: list[list[str]] = []
        self.texts: list[str] = []
        self.taken_back: list[int] = []  # how often it had been closed before
        self.alerts: tuple[Any, ...] = ()
        self.crash: Exception | None = None
        self.crash_after: Exception | None = None
        self.hang_after = self.hang_closing = False

    async def cycle(self, now: datetime, extra: Sequence[Finding]) -> Any:
        self.began += 1
        self.given.append([finding.key for finding in extra])
        self.texts += [finding.text for finding in extra]
        self.wakes.take()
        await asyncio.sleep(self.takes)
        if self.crash is not None:
            raise self.crash
        self.completed += 1
        return SimpleNamespace(alerts=self.alerts)

    async def after_cycle(self, report: Any) -> None:
        if self.crash_after is not None:
            raise self.crash_after
        if self.hang_after:
            await asyncio.Event().wait()
        self.shown += 1

    async def take_back(self) -> None:
        self.taken_back.append(self.closed)
        if self.hang_closing:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1
        if self.hang_closing:
            await asyncio.Event().wait()


class Scene:
    """One daemon under test: `build` gives the next of `builds`, or raises it."""

    def __init__(self, clock: WallClock, *builds: Wiring | Exception, build_takes: float = 0) -> None:
        self.clock, self.manager = clock, Manager(clock)
        self._builds, self._build_takes = list(builds), build_takes
        self.task = asyncio.ensure_future(serve(self._build, clock, self.manager))

    async def _build(self) -> Any:
        await asyncio.sleep(self._build_takes)
        built = self._builds.pop(0)
        if isinstance(built, Exception):
            raise built
        return built

    async def send(self, number: signal.Signals) -> None:
        """As `kill` does; returns when the daemon has had a moment to notice."""
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.01)

    async def stop(self) -> int:
        await self.send(signal.SIGTERM)
        return await self.task


def test_a_daemon_starts_watches_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready, a sign of life for each completed cycle, stopping; exit code 0 and everything closed."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring()
        wired.alerts = tuple(SimpleNamespace(state=state) for state in AlertState)
        daemon = Scene(clock, wired)
        await clock.sleep(130)
        assert await daemon.stop() == 0
        assert daemon.manager.words == ["ready", "alive", "alive", "alive", "stopping"]
        assert daemon.manager.heard[1][1] == "alts: last cycle completed 2026-11-02 12:00:01Z, alerts firing: 1"
        assert (wired.completed, wired.shown, wired.closed) == (3, 3, 1)
        assert wired.taken_back == [0], "what rests is taken back before the exchanges are closed"
        assert daemon.manager.expected == [timedelta(minutes=3)]

    virtual_time.run(scene, monkeypatch)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_a_cycle_lets_it_finish(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cycle in hand, with its orders, completes and is shown before the daemon stops."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring(takes=4)
        daemon = Scene(clock, wired)
        await clock.sleep(1)
        await daemon.send(number)
        assert await daemon.task == 0
        assert (wired.completed, wired.shown, wired.closed) == (1, 1, 1)
        assert clock.monotonic() == pytest.approx(4, abs=0.1)

    virtual_time.run(scene, monkeypatch)


def test_a_daemon_whose_every_part_hangs_stops_within_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hung cycle, a hung loop and a hung close together do not keep it longer than 10 s."""

    async def scene(clock: WallClock) -> None:
        async def stubborn() -> None:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if clock.monotonic() > 100:
                        raise

        wired = Wiring(takes=1e6)
        wired.background = [stubborn]
        wired.hang_closing = True
        daemon = Scene(clock, wired)
        await clock.sleep(1)
        assert await daemon.stop() == 0
        assert wired.completed == 0
        assert clock.monotonic() - 1 < 10
        clock.suspend(200)  # and the stubborn loop may end

    virtual_time.run(scene, monkeypatch)


def test_a_second_signal_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C twice ends the running cycle at once."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring(takes=1e6)
        daemon = Scene(clock, wired)
        await clock.sleep(1)
        await daemon.send(signal.SIGINT)
        await daemon.send(signal.SIGINT)
        assert await daemon.task == 0
        assert clock.monotonic() < 2
        assert wired.closed == 1

    virtual_time.run(scene, monkeypatch)


def test_a_signal_while_building_stops_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop while the configuration is still being read, the daemon just goes."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring()
        daemon = Scene(clock, wired, build_takes=20)
        await clock.sleep(1)
        assert await daemon.stop() == 0
        assert clock.monotonic() < 3
        assert (wired.began, daemon.manager.words) == (0, [])

    virtual_time.run(scene, monkeypatch)


def test_crashing_cycles_neither_end_the_daemon_nor_feed_the_watchdog(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cycles that crash are logged with their traceback, told to the next, and give no sign of life."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring()
        wired.crash = RuntimeError("a bug")
        daemon = Scene(clock, wired)
        await clock.sleep(130)
        assert daemon.manager.alive_at == []
        wired.crash = None
        await clock.sleep(120)
        assert daemon.manager.alive_at == [181, 241]
        assert await daemon.stop() == 0
        assert wired.given == [[], *[["cycle_failed/alts"]] * 3, []]

    virtual_time.run(scene, monkeypatch)
    written = "".join(capsys.readouterr())
    assert "Traceback" in written
    assert "a bug" in written


@pytest.mark.parametrize("fault", ["crash_after", "hang_after"])
def test_showing_a_cycle_cannot_harm_it(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails or hangs after a completed cycle neither unmakes it nor delays the next."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring()
        setattr(wired, fault, RuntimeError("broker gone"))
        daemon = Scene(clock, wired)
        await clock.sleep(130)
        assert daemon.manager.alive_at == [1, 61, 121]
        assert wired.given == [[], [], []]
        await daemon.stop()

    virtual_time.run(scene, monkeypatch)


def test_background_loops_run_and_end_with_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops start with the daemon, start again when they crash, and are cancelled at the stop."""

    async def scene(clock: WallClock) -> None:
        lives: list[str] = []

        async def courier() -> None:
            lives.append("began")
            if len(lives) == 1:
                raise OSError("broken pipe")
            try:
                await asyncio.Event().wait()
            finally:
                lives.append("cancelled")

        wired = Wiring()
        wired.background = [courier]
        daemon = Scene(clock, wired)
        await clock.sleep(10)
        await daemon.stop()
        assert lives == ["began", "began", "cancelled"]

    virtual_time.run(scene, monkeypatch)


@pytest.mark.parametrize("fault", [ConfigurationError("hedged.toml:3  band = 2.0  must be below 1"), OSError("disk")])
def test_a_fault_at_the_start_goes_to_the_caller(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first configuration that cannot be used is raised, and nothing is reported ready."""

    async def scene(clock: WallClock) -> None:
        daemon = Scene(clock, fault)
        with pytest.raises(type(fault)):
            await daemon.task
        assert daemon.manager.words == []

    virtual_time.run(scene, monkeypatch)


def test_a_good_reload_takes_over_between_two_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP in a cycle: it ends, the old configuration is closed, the new one begins at once at its own pace."""

    async def scene(clock: WallClock) -> None:
        old, new = Wiring(takes=5), Wiring("majors", every=10)
        daemon = Scene(clock, old, new)
        await clock.sleep(2)
        await daemon.send(signal.SIGHUP)
        await clock.sleep(24)
        await daemon.stop()
        assert (old.began, old.completed, old.closed) == (1, 1, 1)
        assert (old.taken_back, new.taken_back) == ([], [0]), "orders are left to the configuration that comes next"
        assert (new.began, new.completed, new.closed) == (3, 3, 1)
        assert daemon.manager.words == ["ready", "reloading", "alive", "ready", *["alive"] * 3, "stopping"]
        assert daemon.manager.alive_at == [5, 6, 16, 26]

    virtual_time.run(scene, monkeypatch)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ConfigurationError("hedged.toml:3  band = 2.0  must be below 1", "hedged.toml:9  x"), "must be below 1"),
        (RuntimeError("a bug"), "RuntimeError, see the log"),
    ],
)
def test_a_broken_reload_keeps_the_old_one_and_says_so(
    fault: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refused configuration changes nothing; each problem is logged, and status and alerts say it until mended."""

    async def scene(clock: WallClock) -> None:
        old, new = Wiring(), Wiring()
        daemon = Scene(clock, old, fault, new)
        await clock.sleep(10)
        await daemon.send(signal.SIGHUP)
        await clock.sleep(60)
        told = ["reload_refused/alts"]
        assert (old.completed, old.closed, old.given) == (3, 0, [[], told, told]), "told at once, and while it lasts"
        assert old.texts[0].startswith("alts: reload REFUSED, the old configuration keeps running: ")
        assert said in old.texts[0]
        assert daemon.manager.words == ["ready", "alive", "reloading", "ready", "alive", "alive"]
        assert all("reload REFUSED" in status for _, status in daemon.manager.heard[3:])
        await daemon.send(signal.SIGHUP)
        await clock.sleep(10)
        assert "REFUSED" not in daemon.manager.heard[-1][1]
        await daemon.stop()
        assert (old.closed, new.completed, new.given) == (1, 1, [[]]), "the next good one ends it"

    virtual_time.run(scene, monkeypatch)
    written = "".join(capsys.readouterr())
    assert said in written
    assert "reload REFUSED" in written


def test_a_reload_that_hangs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building takes half a minute at most: meanwhile nothing is watched."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring()
        daemon = Scene(clock, wired, Wiring(), build_takes=0)
        await clock.sleep(10)
        daemon._build_takes = 1e6
        await daemon.send(signal.SIGHUP)
        await clock.sleep(55)
        assert wired.given == [[], ["reload_refused/alts"], ["reload_refused/alts"]]
        assert "REFUSED" in daemon.manager.heard[-1][1]
        await daemon.stop()

    virtual_time.run(scene, monkeypatch)


def test_stopping_during_a_reload_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM does not wait for a configuration that is still being built."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring()
        daemon = Scene(clock, wired, Wiring())
        await clock.sleep(10)
        daemon._build_takes = 1e6
        await daemon.send(signal.SIGHUP)
        await clock.sleep(1)
        assert await daemon.stop() == 0
        assert clock.monotonic() < 13
        assert (wired.began, wired.closed) == (1, 1)

    virtual_time.run(scene, monkeypatch)


def test_the_pause_signal_is_handled_at_once_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGUSR1 in the middle of a cycle calls the pause there and then, also after a reload; the daemon goes on."""

    async def scene(clock: WallClock) -> None:
        asked: list[int] = []
        builds = [Wiring(takes=5), Wiring(takes=5)]

        async def build() -> Any:
            return builds.pop(0)

        task = asyncio.ensure_future(
            serve(build, clock, Manager(clock), lambda: asked.append(round(clock.monotonic())))
        )
        for number, second in ((signal.SIGUSR1, 2), (signal.SIGHUP, 20), (signal.SIGUSR1, 61)):
            await clock.sleep(second - clock.monotonic())
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
        assert asked == [2, 61]
        os.kill(os.getpid(), signal.SIGTERM)
        assert await task == 0

    virtual_time.run(scene, monkeypatch)
