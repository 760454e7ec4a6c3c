"""Streams and the daemon around them: woken cycles are told as such, dead streams are seen and hold nothing up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.adapters.exchanges.ccxt_streams import Watched
from hedged.app import App, Exchanges, build
from hedged.model.stream import StreamState
from hedged.settings import load
from tests import virtual_time
from tests.build import hedge, policy
from tests.fakes import BrokenStore, FakeVenue, wire
from tests.scenario.test_service import Scene, Wiring
from tests.support import CountingIds, ManualClock, settle
from tests.venues.binance_bench import pki
from tests.virtual_time import WallClock


class FakeStreams:
    """Streams whose states a test sets."""

    account = "main"

    def __init__(self, clock: ManualClock) -> None:
        self.runs = 0
        self.told = [StreamState("main", "marks", up=True, since=clock.now())]
        self.rebased = 0

    async def run(self, wake: Callable[[str], None]) -> None:
        self.runs += 1

    def cycle_begins(self) -> None:
        self.rebased += 1

    def states(self) -> Sequence[StreamState]:
        return self.told


@pytest.fixture
async def stage() -> tuple[App, FakeStreams, ManualClock]:
    clock = ManualClock()
    portfolio = await wire(policy(hedge("ETH")), clock, FakeVenue(clock), store=BrokenStore())
    streams = FakeStreams(clock)
    return App(portfolio, [], [], [], None, Exchanges(streams={"main": streams})), streams, clock


async def test_a_cycle_says_what_woke_it(stage: tuple[App, FakeStreams, ManualClock]) -> None:
    """In its state, once; each cycle is where jumps are counted from."""
    app, streams, clock = stage
    app.wakes.wake("main: ETH/USDT:USDT moved by +1.20 %")
    woken = await app.cycle(clock.now(), ())
    on_time = await app.cycle(clock.now(), ())
    assert woken.state["woken_by"] == ["main: ETH/USDT:USDT moved by +1.20 %"]
    assert on_time.state["woken_by"] == []
    assert streams.rebased == 2
    kept = await app.portfolio.store.latest_state()
    assert kept is not None
    assert kept["streams"] == [
        {"account": "main", "stream": "marks", "up": True, "since": "2026-11-02T12:00:00Z", "detail": ""}
    ]


async def test_a_dead_stream_is_told_after_minutes_and_until_it_stands(
    stage: tuple[App, FakeStreams, ManualClock],
) -> None:
    """Information, not an alarm; over when the stream is up, also where a restart forgot how long it was down."""
    app, streams, clock = stage

    async def after(seconds: float) -> set[tuple[str, str]]:
        clock.advance(seconds)
        report = await app.cycle(clock.now(), ())
        return {(message.key, message.kind.value) for message in report.messages if "stream" in message.key}

    streams.told = [StreamState("main", "marks", up=False, since=clock.now(), detail="no connection")]
    assert [await after(60) for _ in range(4)] == [set()] * 4
    assert await after(60) == {("stream_down/main", "firing")}
    streams.told = [StreamState("main", "marks", up=False, since=clock.now(), detail="not connected yet")]
    app.portfolio.loaded, app.portfolio.alerts = False, ()
    assert await after(60) == set()
    streams.told = [StreamState("main", "marks", up=True, since=clock.now())]
    assert {key for key, kind in await after(3600) if kind == "resolved"} == {"stream_down/main"}


async def test_the_first_cycle_comes_before_the_streams(stage: tuple[App, FakeStreams, ManualClock]) -> None:
    """Connecting takes time that the first reading needs; a first cycle that fails opens them all the same."""
    app, streams, clock = stage
    listening = asyncio.create_task(app.listen(streams))
    await settle()
    assert streams.runs == 0
    app.portfolio.accounts["main"].faults["derivatives"] = RuntimeError("a defect")
    with pytest.raises(RuntimeError):
        await app.cycle(clock.now(), ())
    await listening
    assert streams.runs == 1


class CcxtWiring(Wiring):
    """Cycles without a market, beside real streams of an exchange that nobody answers for."""

    async def open(self, clock: WallClock) -> None:
        keys = {"apiKey": "k" * 20, "secret": "s" * 20}
        self.venue = await open_ccxt("main", "bybit", ("spot",), keys, clock=clock, connect_to="127.0.0.1:9")
        self.streams = self.venue.streams(Watched(("ETH/USDT:USDT",), (), 0.01), clock)
        self.background = [partial(self.streams.run, self.wakes.wake)]

    async def close(self) -> None:
        await super().close()
        await self.venue.close()


def test_dead_streams_leave_the_schedule_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an hour with nothing but refused connections: every cycle on its tick, and the daemon ends at once."""

    async def scene(clock: WallClock) -> None:
        wired = CcxtWiring()
        await wired.open(clock)
        daemon = Scene(clock, wired)
        await clock.sleep(1800)
        assert daemon.manager.alive_at == [60 * n + 1 for n in range(30)]
        assert not any(wired.given)
        assert [state.up for state in wired.streams.states()] == [False, False]
        asked = clock.monotonic()
        assert await daemon.stop() == 0
        assert clock.monotonic() - asked < 2
        assert not [task for task in asyncio.all_tasks() if "CcxtStreams" in repr(task)]

    virtual_time.run(scene, monkeypatch)


def test_streams_that_die_or_storm_leave_the_schedule_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that crashes over and over, one that wakes a thousand times a second: the ticks of the timetable stay."""

    async def scene(clock: WallClock) -> None:
        wired = Wiring()

        async def crashes() -> None:
            await clock.sleep(7)
            raise RuntimeError

        async def storms() -> None:
            for number in range(2000):
                wired.wakes.wake(f"tick {number}")
                await clock.sleep(0.001)

        wired.background = [crashes, storms]
        daemon = Scene(clock, wired)
        await clock.sleep(190)
        alive = daemon.manager.alive_at
        assert {1, 61, 121, 181} <= set(alive)
        assert len(alive) >= 5
        assert not any(wired.given)
        await daemon.stop()

    virtual_time.run(scene, monkeypatch)


@pytest.mark.parametrize("on", [True, False])
async def test_streams_can_be_switched_off(tmp_path: Path, on: bool) -> None:
    """Then nothing of them is wired; with them on, nothing is sent before the daemon runs."""
    config = tmp_path / "p.toml"
    config.write_text(
        f"""
        [schedule]
        streams = {str(on).lower()}
        jump = 0.02
        every_min = "9s"
        [[accounts]]
        name = "main"
        exchange = "okx"
        connect_to = "127.0.0.1:9"
        ca_file = "{pki()[0]}"
        [[accounts]]
        name = "other"
        exchange = "bybit"
        connect_to = "127.0.0.1:9"
        ca_file = "{pki()[0]}"
        [[hedges]]
        name = "alts"
        assets = ["ETH", "UNI"]
        instruments = ["main:ETH/USDT:USDT"]
        """
    )
    app = await build(load(config, {"STATE_DIRECTORY": str(tmp_path)}), ManualClock(), CountingIds())
    try:
        assert sorted(app.exchanges.streams) == (["main", "other"] if on else [])
        assert app.wakes.rest == timedelta(seconds=9)
        if on:
            watched = {name: streams._watched for name, streams in app.exchanges.streams.items()}
            assert watched["main"] == Watched(("ETH/USDT:USDT",), ("ETH/USDT", "UNI/USDT"), 0.02)
            assert watched["other"] == Watched((), (), 0.02)
    finally:
        await app.close()
