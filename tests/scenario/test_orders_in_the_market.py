"""Whole cycles with a market that jumps, and with orders that rest in its book."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Cancelled, Fill, Intent, Outcome, Placement, Working
from hedged.model.snapshot import Quote, Read
from tests.build import ETH_PERP, dec, hedge, policy
from tests.fakes import FakeVenue, wire
from tests.support import ManualClock

MINUTE = timedelta(minutes=1)


class BookVenue(FakeVenue):
    """Has a book of a dollar on either side; passive orders rest in it, filled as far as `filled` says."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.resting: dict[str, Intent] = {}
        self.filled = Decimal(0)

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        found = await super().quotes(instruments)
        return {
            name: Read(replace(read.value, bid=read.value.mark - 1, ask=read.value.mark + 1), read.as_of)
            for name, read in found.items()
        }

    async def submit(self, approved: ApprovedIntent) -> Outcome:
        if approved.rest_at is None:
            return await super().submit(approved)
        self.submitted.append(approved)
        self.resting[approved.intent.client_order_id] = approved.intent
        return Working(approved.intent.client_order_id, "7")

    async def find(self, intent: Intent) -> Outcome | Absent:
        if intent.client_order_id in self.resting:
            return Working(intent.client_order_id, "7", self.filled)
        return await super().find(intent)

    async def cancel(self, intent: Intent) -> Outcome | Absent:
        del self.resting[intent.client_order_id]
        if not self.filled:
            return Cancelled(intent.client_order_id, "taken back")
        self.contracts[intent.instrument] += self.filled * intent.side.sign
        return Fill(
            intent.client_order_id,
            intent.instrument,
            intent.side,
            self.filled,
            intent.price,
            Decimal(0),
            self.clock.now(),
        )


async def begin(hedge_=None, every: timedelta = MINUTE) -> tuple[Portfolio, BookVenue, ManualClock]:
    """Ten coins and ten contracts short, after a first cycle that has nothing to do."""
    clock = ManualClock()
    venue = BookVenue(clock)
    setup = replace(policy(hedge_ or hedge("ETH")), every=every)
    portfolio = await wire(setup, clock, venue)
    assert not (await run_cycle(portfolio, clock.now())).decision.intents
    return portfolio, venue, clock


async def later(portfolio: Portfolio, venue: BookVenue, clock: ManualClock, mark: int | None = None) -> CycleReport:
    clock.advance(portfolio.policy.every.total_seconds())
    if mark is not None:
        venue.marks[ETH_PERP] = dec(mark)
    return await run_cycle(portfolio, clock.now())


async def test_a_crash_costs_one_cycle() -> None:
    """The coins are twice as many and the mark fell by a tenth: refused with the reason, told, and placed a minute on."""
    portfolio, venue, clock = await begin()
    venue.hold(ETH=20)
    first = await later(portfolio, venue, clock, 2700)
    assert not first.decision.intents
    assert "jumped by -10.00% from 3000 to 2700" in first.decision.refused[0].reason
    assert [message.key for message in first.messages if "order_refused" in message.key] == ["order_refused/alts"]
    second = await later(portfolio, venue, clock, 2600)
    assert [each.intent.quantity for each in second.decision.intents]
    assert portfolio.memory.guard.marks[InstrumentId(ETH_PERP)].price == 2600


async def test_a_wrong_figure_moves_nothing() -> None:
    """One mark of a hundred times the price asks for most of the short to be bought back; the next shows it was none."""
    portfolio, venue, clock = await begin()
    wrong = await later(portfolio, venue, clock, 300_000)
    assert not wrong.decision.intents
    assert "second reading" in wrong.decision.refused[0].reason
    right = await later(portfolio, venue, clock, 3000)
    assert not right.decision.intents
    assert not right.decision.refused
    assert not venue.submitted


@pytest.mark.parametrize(("wrong", "words"), [(300_000, "+9900.00%"), (1, "-99.97%")])
async def test_a_wrong_price_of_a_coin_moves_nothing_either(wrong: int, words: str) -> None:
    """A coin that seems to be worth a hundred times as much, or next to nothing: neither hedged nor let go of."""
    portfolio, venue, clock = await begin()
    venue.price["ETH"] = dec(wrong)
    report = await later(portfolio, venue, clock)
    assert not report.decision.intents
    assert f"the price of ETH jumped by {words} from 3000 to {wrong}" in report.decision.refused[0].reason
    venue.price["ETH"] = dec(3000)
    right = await later(portfolio, venue, clock)
    assert not right.decision.refused
    assert not venue.submitted


async def test_a_price_that_stays_where_it_jumped_is_hedged() -> None:
    """A coin that lost a fifth within a minute has really done so a minute later."""
    portfolio, venue, clock = await begin()
    venue.price["ETH"] = dec(2400)
    assert not (await later(portfolio, venue, clock)).decision.intents
    second = await later(portfolio, venue, clock)
    assert [(each.intent.side.value, each.intent.reduce_only) for each in second.decision.intents] == [("buy", True)]


async def test_a_jump_is_remembered_over_a_restart() -> None:
    """A second process compares with what the first one believed."""
    portfolio, venue, clock = await begin()
    restarted = await wire(portfolio.policy, clock, venue, store=portfolio.store)  # type: ignore[arg-type]
    wrong = await later(restarted, venue, clock, 300_000)
    assert "second reading" in wrong.decision.refused[0].reason


RESTS = replace(hedge("ETH"), placement=Placement.PASSIVE)


async def test_an_order_rests_and_then_takes() -> None:
    """Half of it is filled at rest within two minutes; what is left is taken from the book by the same cycle."""
    portfolio, venue, clock = await begin(RESTS)
    venue.hold(ETH=20)
    placed = await later(portfolio, venue, clock)
    assert [(each.rest_at, each.intent.quantity) for each in placed.decision.intents] == [(3001, 9)]
    venue.filled = dec(4)
    kept = await later(portfolio, venue, clock)
    assert list(venue.resting) == [placed.decision.intents[0].intent.client_order_id]
    assert "waits for its order at rest" in kept.decision.reason
    assert not [message for message in kept.messages if "order" in message.key]
    crossed = await later(portfolio, venue, clock)
    assert not venue.resting
    assert [(each.rest_at, each.intent.quantity) for each in crossed.decision.intents] == [(None, 5)]
    assert venue.contracts[ETH_PERP] == -19


async def test_an_order_left_behind_is_placed_anew() -> None:
    """The price fell under a resting sale: by the next cycle it waits at the new one, and its time is not begun anew."""
    portfolio, venue, clock = await begin(RESTS, every=MINUTE / 2)
    venue.hold(ETH=20)
    await later(portfolio, venue, clock)
    again = [await later(portfolio, venue, clock, mark) for mark in (2990, 2980, 2970, 2960)]
    assert [[each.rest_at for each in report.decision.intents] for report in again] == [[], [2981], [], [None]]


@pytest.mark.parametrize("every", [MINUTE / 2, MINUTE, 5 * MINUTE, 60 * MINUTE])
async def test_without_a_guard_a_resting_order_takes_as_well(every: timedelta) -> None:
    """As in the demo, where nobody looks back a day: what was not filled within its time is taken from the book."""
    portfolio, venue, clock = await begin(RESTS, every)
    portfolio.guarded = False
    venue.hold(ETH=20)
    for _ in range(6):
        await later(portfolio, venue, clock)
    assert [each.rest_at for each in venue.submitted] == [3001, None]
    assert venue.contracts[ETH_PERP] == -19
