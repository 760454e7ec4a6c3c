"""A wall clock that jumps: no order rests on it until it is right again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hedged.act.brake import keep_resumed
from hedged.app import App, Exchanges
from hedged.cycle import CycleReport
from hedged.errors import Unreachable
from hedged.model.timing import Insurance, Window
from tests.build import hedge, policy
from tests.fakes import FakeVenue, wire
from tests.support import T0, ManualClock

DAY = timedelta(days=1)
MONTH = 30 * DAY
HEDGE = replace(hedge("ETH"), timing=Insurance(windows=(Window(None, T0 + 10 * DAY),), recurring=()))


class Told:
    """A venue's clock, and what this machine's is ahead of it."""

    def __init__(self) -> None:
        self.skew: float | None = 0.0
        self.asked = 0

    async def clock_skew(self) -> float | None:
        self.asked += 1
        if self.skew is None:
            raise Unreachable("main", "server time", "no answer")
        return self.skew


class Stage:
    """A hedge whose insurance ends in ten days, a clock that may be set, and a venue that tells the time."""

    def __init__(self, app: App, venue: FakeVenue, clock: ManualClock, told: Told) -> None:
        self.app, self.venue, self.clock, self.told = app, venue, clock, told

    def jump(self, by: timedelta) -> None:
        self.clock.set(self.clock.now() + by)
        if self.told.skew is not None:
            self.told.skew += by.total_seconds()

    async def tick(self, seconds: float = 60) -> CycleReport:
        self.clock.advance(seconds)
        return await self.app.cycle(self.clock.now(), ())


@pytest.fixture
async def stage() -> Stage:
    clock, told = ManualClock(), Told()
    venue = FakeVenue(clock)
    exchanges = Exchanges()
    exchanges.clocks["main"] = told
    app = App(await wire(policy(HEDGE), clock, venue), [], [], [], None, exchanges)
    return Stage(app, venue, clock, told)


def critical(report: CycleReport) -> list[str]:
    return [
        each["text"]  # type: ignore[index, call-overload]
        for each in report.state["findings"]  # type: ignore[attr-defined]
        if (each["kind"], each["severity"]) == ("clock_skew", "critical")  # type: ignore[index, call-overload]
    ]


@pytest.mark.parametrize("by", [MONTH, -MONTH])
async def test_no_order_rests_on_a_clock_that_jumped(stage: Stage, by: timedelta) -> None:
    """A month ahead the insurance seems to be over: nothing is bought back, it is told, and ends with the jump."""
    await stage.tick()
    stage.venue.hold(ETH=20)
    stage.jump(by)
    for _ in range(3):
        report = await stage.tick()
        assert stage.venue.submitted == []
        assert "orders wait until the clock is right" in critical(report)[0]
        assert any("until the clock is right" in each.reason for each in report.decision.refused)
    stage.jump(-by)
    assert critical(await stage.tick()), "set right, it has jumped once more"
    assert stage.venue.submitted == []
    assert critical(await stage.tick()) == []
    assert len(stage.venue.submitted) == 1


async def test_a_suspended_machine_has_not_jumped(stage: Stage) -> None:
    """Both clocks went on: the next cycle hedges."""
    await stage.tick()
    stage.venue.hold(ETH=20)
    assert critical(await stage.tick(8 * 3600)) == []
    assert stage.venue.submitted


async def test_a_clock_that_is_wrong_from_the_start(stage: Stage) -> None:
    """No jump is seen, but the venue tells another time: as with the jump."""
    stage.venue.hold(ETH=20)
    stage.told.skew = 61.0
    assert "0:01:01 ahead of main's" in critical(await stage.tick())[0]
    assert stage.venue.submitted == []
    stage.told.skew = 59.0
    assert critical(await stage.tick()) == []
    assert stage.venue.submitted


async def test_without_a_venue_to_ask_a_person_says_that_the_clock_is_right(stage: Stage) -> None:
    """It waits as long as nobody answers; `hedged resume` ends that."""
    await stage.tick()
    stage.told.skew = None
    stage.jump(timedelta(minutes=2))
    stage.venue.hold(ETH=20)
    for _ in range(3):
        assert critical(await stage.tick())
    await keep_resumed(stage.app.portfolio.store, stage.clock.now())
    await stage.tick()
    assert critical(await stage.tick()) == []
    assert stage.venue.submitted


async def test_a_doubt_outlives_a_reload(stage: Stage) -> None:
    """The configuration that comes next asks its own venues at once; where none answers it goes on waiting."""
    await stage.tick()
    stage.jump(MONTH)
    await stage.tick()
    stage.told.skew, asked = None, stage.told.asked
    watch = stage.app.clock_watch
    watch.ask(stage.app.exchanges.clocks)
    stage.app = App(stage.app.portfolio, [], [], [], None, stage.app.exchanges, clock_watch=watch)
    assert critical(await stage.tick())
    assert stage.told.asked == asked + 1


async def test_time_is_asked_for_only_where_it_matters(stage: Stage) -> None:
    """Once at the start, and in doubt: not with every cycle."""
    for _ in range(5):
        await stage.tick()
    assert stage.told.asked == 1


async def test_nothing_is_thinned_out_by_a_clock_in_doubt(stage: Stage) -> None:
    """A month ahead every row is old."""
    thinned = []

    async def thin(now: object) -> int:
        thinned.append(now)
        return 0

    stage.app.portfolio.store.thin = thin  # type: ignore[method-assign, assignment]
    await stage.app.after_cycle(await stage.tick())
    stage.jump(MONTH)
    await stage.app.after_cycle(await stage.tick())
    assert len(thinned) == 1
