"""Somebody else trades on a contract that hedged trades: noticed by the position, over whole cycles."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import Unreachable
from hedged.model.finding import Kind
from hedged.model.instrument import InstrumentId
from hedged.model.order import ApprovedIntent, Fill, Outcome, Unknown, Working
from hedged.model.policy import Mode
from hedged.model.trade import Side
from tests.build import ETH_PERP, hedge, policy
from tests.fakes import FakeVenue, fault, wire
from tests.support import ManualClock

LIVE = policy(hedge("ETH", mode=Mode.LIVE), mode=Mode.LIVE)
KEY = f"foreign_order/{ETH_PERP}"


class Stage:
    def __init__(self, clock: ManualClock, venue: FakeVenue, portfolio: Portfolio) -> None:
        self.clock, self.venue, self.portfolio = clock, venue, portfolio

    async def tick(self, **spot: int) -> CycleReport:
        if spot:
            self.venue.hold(**spot)
        self.clock.advance(60)
        return await run_cycle(self.portfolio, self.clock.now())

    def trade(self, contracts: str) -> None:
        self.venue.contracts[ETH_PERP] = self.venue.contracts.get(ETH_PERP, Decimal(0)) + Decimal(contracts)


@pytest.fixture
async def stage() -> Stage:
    clock = ManualClock()
    venue = FakeVenue(clock)
    return Stage(clock, venue, await wire(LIVE, clock, venue))


def told(report: CycleReport) -> list[str]:
    return [message.body for message in report.messages if message.key == KEY]


async def test_a_position_that_grew_by_nobody_of_ours_is_told_once(stage: Stage) -> None:
    """With the contract and by how much; it is believed, and hedged from there."""
    await stage.tick()
    stage.trade("-0.4")
    report = await stage.tick()
    assert len(told(report)) == 1
    assert "main:ETH/USDT:USDT: the position went from -10 to -10.4 contracts, by -0.4" in told(report)[0]
    for _ in range(3):
        assert told(await stage.tick()) == []
    stage.trade("-0.05")
    assert len(told(await stage.tick())) == 1


async def test_own_orders_are_ours(stage: Stage) -> None:
    """Opening and reducing, from one cycle to the next, through a restart, and when they were lost for a while."""
    for eth in (12, 8, 12, 12, 15):
        assert told(await stage.tick(ETH=eth)) == []
    assert len(stage.venue.submitted) >= 4
    stage.portfolio = await wire(LIVE, stage.clock, stage.venue, store=stage.portfolio.store)
    assert told(await stage.tick(ETH=15)) == []


async def test_somebody_else_beside_an_order_of_ours(stage: Stage) -> None:
    """What was filled of ours is taken off first."""
    await stage.tick()
    await stage.tick(ETH=12)
    stage.trade("-1")
    report = await stage.tick()
    assert "by -1," in told(report)[0] or "by -1.000," in told(report)[0]


async def test_an_order_of_ours_that_nobody_knows_the_end_of_may_be_it(stage: Stage) -> None:
    """While it is in doubt, and when it turns out to have been filled: no stranger is suspected."""
    await stage.tick()
    submit = stage.venue.submit

    async def filled_without_a_word(approved):
        await submit(approved)
        return Unknown(approved.intent.client_order_id, "time-out")

    stage.venue.submit = filled_without_a_word  # type: ignore[method-assign]
    for _ in range(4):
        assert told(await stage.tick(ETH=12)) == []
    assert stage.venue.submitted


async def test_an_order_that_cannot_be_looked_up_may_be_it(stage: Stage) -> None:
    """As long as the venue does not tell; then it was ours, or the rest was a stranger's."""
    await stage.tick()
    submit = stage.venue.submit

    async def filled_without_a_word(approved: ApprovedIntent) -> Outcome:
        await submit(approved)
        stage.venue.known[approved.intent.client_order_id] = Unknown(approved.intent.client_order_id, "time-out")
        return Unknown(approved.intent.client_order_id, "time-out")

    stage.venue.submit = filled_without_a_word  # type: ignore[method-assign]
    for _ in range(3):
        assert told(await stage.tick(ETH=12)) == []
    assert len(stage.venue.submitted) == 1


async def test_an_order_that_filled_in_parts_is_ours_to_its_end(stage: Stage) -> None:
    """Part of it was seen in the position before the whole was known."""
    stage.portfolio.memory = replace(stage.portfolio.memory, proven=frozenset({InstrumentId(ETH_PERP)}))
    await stage.tick()
    await stage.tick(ETH=11)  # a lot first
    stage.venue.outcome = Working("", "77", Decimal(1))
    await stage.tick(ETH=13)
    (_, working) = stage.venue.submitted
    stage.trade("-1")
    stage.venue.known[working.intent.client_order_id] = Working(working.intent.client_order_id, "77", Decimal(1))
    assert told(await stage.tick()) == []
    whole = working.intent.quantity
    stage.trade(str(1 - whole))
    stage.venue.known[working.intent.client_order_id] = Fill(
        *(working.intent.client_order_id, InstrumentId(ETH_PERP), Side.SELL, whole, Decimal(3000), Decimal(0)),
        stage.clock.now(),
    )
    stage.venue.outcome = None
    assert told(await stage.tick()) == []
    assert told(await stage.tick()) == []


async def test_a_reduction_that_the_venue_does_not_show_yet_is_ours(stage: Stage) -> None:
    """Filled, and the position is read as it was before: late, and not somebody's new order."""
    await stage.tick()
    before = dict(stage.venue.contracts)
    await stage.tick(ETH=8)
    after, stage.venue.contracts = dict(stage.venue.contracts), before
    assert told(await stage.tick()) == []
    stage.venue.contracts = after
    assert told(await stage.tick()) == []


async def test_a_fill_that_no_cycle_recorded_is_ours(stage: Stage) -> None:
    """The process died between fill and record: the next one knows the order from its journal."""
    await stage.tick()
    record = stage.portfolio.store.record_cycle

    async def dies(*_: object) -> None:
        raise KeyboardInterrupt

    stage.portfolio.store.record_cycle = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await stage.tick(ETH=12)
    stage.portfolio.store.record_cycle = record  # type: ignore[method-assign]
    ids = stage.portfolio.ids
    stage.portfolio = await wire(LIVE, stage.clock, stage.venue, store=stage.portfolio.store)
    stage.portfolio.ids = ids
    assert told(await stage.tick()) == []


@pytest.mark.parametrize("known_at_once", [True, False])
async def test_what_no_cycle_recorded_is_missed_where_it_is_not_shown(stage: Stage, known_at_once: bool) -> None:
    """The process died after the fill, or after it found out about it; then the venue shows no position at all.

    The next process knows from the journal what there must be: it is in doubt, and nothing is sold a second time.
    """
    stage.venue.contracts = {}
    await stage.tick(ETH=0)
    record = stage.portfolio.store.record_cycle

    async def dies(*_: object) -> None:
        raise KeyboardInterrupt

    if not known_at_once:
        stage.venue.outcome = Unknown("", "no answer")
        await stage.tick(ETH=10)
        sold = stage.venue.submitted[-1].intent
        stage.venue.contracts = {ETH_PERP: sold.signed_quantity}
        stage.venue.known[sold.client_order_id] = Fill(
            *(sold.client_order_id, sold.instrument, sold.side, sold.quantity, Decimal(3000), Decimal(0)),
            stage.clock.now() + timedelta(seconds=60),
        )
        stage.venue.outcome = None
    stage.portfolio.store.record_cycle = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await stage.tick(ETH=10)
    sent = len(stage.venue.submitted)
    stage.portfolio.store.record_cycle = record  # type: ignore[method-assign]
    ids = stage.portfolio.ids
    stage.portfolio = await wire(LIVE, stage.clock, stage.venue, store=stage.portfolio.store)
    stage.portfolio.ids = ids
    held, stage.venue.contracts = stage.venue.contracts, {}
    for _ in range(4):
        report = await stage.tick()
        assert Kind.POSITION_VANISHED in {each.kind for each in report.assessment.findings}
    assert len(stage.venue.submitted) == sent
    stage.venue.contracts = held
    for _ in range(5):
        await stage.tick()
    assert stage.venue.contracts == {ETH_PERP: Decimal("-9.5")}


async def test_what_was_not_read_is_no_change(stage: Stage) -> None:
    """Through an outage the last reading stays the measure."""
    await stage.tick()
    stage.venue.faults["derivatives"] = fault(Unreachable, "derivatives")
    assert told(await stage.tick()) == []
    stage.trade("-0.3")
    assert told(await stage.tick()) == []
    stage.venue.faults.clear()
    assert len(told(await stage.tick())) == 1


@pytest.mark.parametrize("mode", [Mode.MONITOR, Mode.PAPER])
async def test_where_hedged_sends_nothing_people_trade(stage: Stage, mode: Mode) -> None:
    """In monitor and on paper a changed position is what it is."""
    stage.portfolio.policy = policy(hedge("ETH", mode=mode), mode=mode)
    stage.portfolio.gateways = {}
    await stage.tick()
    stage.trade("-0.4")
    assert told(await stage.tick()) == []
