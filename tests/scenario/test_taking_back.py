"""A regular stop leaves nothing of ours in a book that nobody looks after; a reload leaves it to who comes next."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import structlog

from hedged.app import App, Exchanges
from hedged.cycle import run_cycle
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Intent, OrderState, Outcome, Placement, Unknown
from tests.build import ETH_PERP, dec, hedge, policy
from tests.fakes import wire
from tests.scenario.test_orders_in_the_market import BookVenue
from tests.support import ManualClock

ETH = InstrumentId(ETH_PERP)


class Stage:
    """A daemon's portfolio with one order at rest."""

    def __init__(self, app: App, venue: BookVenue, clock: ManualClock) -> None:
        self.app, self.venue, self.clock = app, venue, clock

    async def states(self) -> list[OrderState]:
        return [row.state for row in await self.app.portfolio.store.open_orders()]


@pytest.fixture
async def stage() -> Stage:
    clock = ManualClock()
    venue = BookVenue(clock)
    portfolio = await wire(policy(replace(hedge("ETH"), placement=Placement.PASSIVE)), clock, venue)
    app = App(portfolio, [], [], [], None, Exchanges())
    await app.cycle(clock.now(), ())
    clock.advance(60)
    venue.hold(ETH=20)
    await app.cycle(clock.now(), ())
    clock.advance(1)
    assert venue.resting
    return Stage(app, venue, clock)


async def test_what_rests_is_cancelled_and_the_journal_knows(stage: Stage) -> None:
    """Looked up afterwards; then the venue's countdown is let go, and closing does not touch it again."""
    assert await stage.states() == [OrderState.ACKNOWLEDGED]
    await stage.app.take_back()
    assert stage.venue.resting == {}
    assert await stage.states() == []
    stage.venue.guarded.clear()
    await stage.app.close()
    assert stage.venue.guarded == []


async def test_what_was_filled_meanwhile_is_kept(stage: Stage) -> None:
    """In the journal, and so in the hedge's own account at the next start; the position is no stranger's."""
    stage.venue.filled = dec(4)
    store = stage.app.portfolio.store
    await stage.app.take_back()
    assert [fill.quantity for fill in await store.fills(stage.clock.now())] == [dec(4)]
    again = await wire(stage.app.portfolio.policy, stage.clock, stage.venue, store=store)
    again.ids = stage.app.portfolio.ids
    stage.clock.advance(60)
    report = await run_cycle(again, stage.clock.now())
    assert not [each for each in report.messages if "foreign" in each.key]


@pytest.mark.parametrize("found", [Unknown("", "time-out"), Absent("")])
async def test_what_is_not_certain_stays_open_and_guarded(stage: Stage, found: Outcome | Absent) -> None:
    """Logged, looked up at the next start, and cancelled by the venue itself where it can."""

    async def cancel(intent: Intent) -> Outcome | Absent:
        return replace(found, client_order_id=intent.client_order_id)

    stage.venue.cancel = cancel  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as lines:
        await stage.app.take_back()
    assert await stage.states() == [OrderState.ACKNOWLEDGED]
    assert [(each["event"], each["instrument"]) for each in lines] == [
        ("this order may still rest: it is looked up at the next start", ETH_PERP)
    ]
    assert stage.venue.guarded[-1] == frozenset({ETH})


async def test_a_venue_that_hangs_does_not_hold_up_the_stop(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has not answered in time stays open."""
    monkeypatch.setattr("hedged.daemon.portfolio.TAKE_BACK_WITHIN", 0.01)

    async def cancel(intent: Intent) -> Outcome | Absent:
        await asyncio.Event().wait()
        raise AssertionError

    stage.venue.cancel = cancel  # type: ignore[method-assign]
    await stage.app.take_back()
    assert await stage.states() == [OrderState.ACKNOWLEDGED]


async def test_a_process_that_was_taken_over_from_touches_nothing(stage: Stage) -> None:
    """The orders in the journal are the other's by now."""
    stage.app.portfolio.fenced = "elsewhere"
    await stage.app.take_back()
    assert stage.venue.resting


async def test_a_reload_leaves_orders_and_ends_the_countdown(stage: Stage) -> None:
    """Another configuration may not use it; where it does it is armed anew in the first cycle."""
    await stage.app.close()
    assert stage.venue.resting
    assert stage.venue.guarded[-1] == frozenset()
