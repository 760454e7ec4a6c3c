"""The account of a hedge over whole cycles: through missing data, restarts and a store that fails."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import Unreachable
from hedged.model.effect import EffectDay, Parts
from hedged.model.finding import Kind
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill, Rejected, Side, Unknown
from tests.build import BTC_PERP, ETH_PERP, hedge, perp, policy
from tests.fakes import BrokenStore, FakeVenue, fault, wire
from tests.store_samples import effect_day
from tests.support import T0, ManualClock

SETUP = policy(hedge("ETH"))
D = Decimal
MIDNIGHT = T0.replace(hour=0)
NAME = InstrumentId(ETH_PERP)


class Stage:
    """A venue with 10 ETH at 3,000 and 10 short; `tick` runs the next minute's cycle at these prices."""

    def __init__(self, clock: ManualClock, venue: FakeVenue, portfolio: Portfolio) -> None:
        self.clock, self.venue, self.portfolio = clock, venue, portfolio

    async def tick(
        self, spot: int | str | None = None, mark: int | str | None = None, seconds: float = 60
    ) -> CycleReport:
        if spot is not None:
            self.venue.price["ETH"] = D(spot)
            self.venue.marks[ETH_PERP] = D(mark if mark is not None else spot)
        self.clock.advance(seconds)
        return await run_cycle(self.portfolio, self.clock.now())

    async def restart(self) -> None:
        """The same store, everything else anew."""
        ids = self.portfolio.ids
        self.portfolio = await wire(SETUP, self.clock, self.venue, store=self.portfolio.store)
        self.portfolio.ids = ids

    async def days(self) -> list[EffectDay]:
        return list(await self.portfolio.store.effects(MIDNIGHT - timedelta(days=9)))


@pytest.fixture
async def stage() -> Stage:
    clock = ManualClock()
    venue = FakeVenue(clock)
    return Stage(clock, venue, await wire(SETUP, clock, venue, store=BrokenStore()))


async def test_a_day_adds_up(stage: Stage) -> None:
    """10 coins +50, the contract +48: 20 are left, the basis'; the row is in the store after each cycle."""
    await stage.tick()
    assert await stage.days() == [EffectDay("alts", MIDNIGHT, D(30_000))]
    await stage.tick(3050, 3048)
    (day,) = await stage.days()
    assert (day.exposure, day.hedge_pnl, day.parts.total, day.seconds) == (D(500), D(-480), D(20), 60)
    assert day.parts == Parts(basis=D(20))


async def test_missing_data_is_bridged_and_not_guessed(stage: Stage) -> None:
    """While the venue cannot be read nothing is booked; the next good reading brings the whole of it."""
    await stage.tick()
    stage.venue.faults["prices"] = fault(Unreachable, "prices")
    await stage.tick(2000, 2500)
    await stage.tick(3100)
    assert [day.seconds for day in await stage.days()] == [0]
    del stage.venue.faults["prices"]
    await stage.tick(3010)
    (day,) = await stage.days()
    assert (day.exposure, day.parts.total, day.seconds, day.unknown_seconds) == (D(100), D(0), 180, 0)


async def test_a_contract_that_is_gone_without_a_price_leaves_the_interval_unknown() -> None:
    """Delisted and closed, nobody says at what: the time is counted as unknown, and no number is made up."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    venue.listed[InstrumentId(BTC_PERP)] = perp(BTC_PERP)
    venue.marks[BTC_PERP] = D(60_000)
    portfolio = await wire(policy(hedge("ETH", legs=(ETH_PERP, BTC_PERP))), clock, venue)
    stage = Stage(clock, venue, portfolio)
    await stage.tick()
    del venue.listed[NAME], venue.marks[ETH_PERP]
    venue.contracts, venue.explanation = {BTC_PERP: D("-0.5")}, "delisted"
    venue.price["ETH"] = D(3300)
    await stage.tick()
    (day,) = await stage.days()
    assert (day.unknown_seconds, day.seconds, day.exposure, day.parts.total) == (60, 0, 0, 0)
    await stage.tick()
    (day,) = await stage.days()
    assert (day.unknown_seconds, day.seconds > 0) == (60, True), "and it goes on from there"


async def test_coins_sold_at_a_price_are_no_loss(stage: Stage) -> None:
    """They made what they made until then, and went at their price."""
    await stage.tick()
    stage.venue.hold()
    stage.venue.explanation = "sold by hand"
    await stage.tick(3010)
    (day,) = await stage.days()
    assert (day.exposure, day.flows, day.parts.total, day.unknown_seconds) == (D(100), D(-30_100), D(0), 0)


async def test_a_price_beyond_all_money_is_no_reading(stage: Stage) -> None:
    """The cycle goes on as ever; the interval is booked whole once prices are sane again."""
    await stage.tick()
    report = await stage.tick("1e20")
    assert report.store_error is None
    await stage.tick(3010)
    (day,) = await stage.days()
    assert (day.exposure, day.parts.total, day.seconds) == (D(100), D(0), 120)


async def test_a_restart_loses_nothing(stage: Stage) -> None:
    """Prices moved and the process ended in between: the days are those of one that never did."""
    await stage.tick()
    await stage.tick(3020, 3010)
    await stage.restart()
    await stage.tick(3040, 3050)
    (day,) = await stage.days()
    assert (day.exposure, day.parts.total, day.seconds) == (D(400), D(-100), 120)


async def test_days_end_at_midnight(stage: Stage) -> None:
    """The interval that ends at midnight belongs to the day before; the next begins with what was held then."""
    await stage.tick()
    await stage.tick(3010, seconds=12 * 3600 - 60)
    await stage.tick(3030)
    first, second = await stage.days()
    assert (first.day, first.exposure, first.exposure_value) == (MIDNIGHT, D(100), D(30_000))
    assert (second.day, second.exposure, second.exposure_value) == (MIDNIGHT + timedelta(days=1), D(200), D(30_100))


async def test_what_a_failing_store_could_not_keep_is_kept_later(stage: Stage) -> None:
    """Over midnight, too: the process knows the days, and writes both once it can."""
    await stage.tick()
    await stage.tick(3005, seconds=12 * 3600 - 120)
    stage.portfolio.store.broken.add("record_cycle")
    await stage.tick(3010)
    assert (await stage.tick(3030)).store_error is not None
    assert [day.exposure for day in await stage.days()] == [D(50)]
    stage.portfolio.store.broken.clear()
    await stage.tick(3040)
    assert [day.exposure for day in await stage.days()] == [D(100), D(300)]


async def test_an_order_is_booked_with_what_it_cost(stage: Stage) -> None:
    """Its fee and its distance from the mark, once; what it bought counts from then on."""
    await stage.tick()
    stage.venue.hold(ETH=12)
    stage.venue.outcome = Fill("", NAME, Side.SELL, D("1.4"), D(2990), D("2.10"), T0)
    await stage.tick()
    (day,) = await stage.days()
    assert (day.parts.fees, day.parts.slippage, day.flows) == (D("-2.1"), D(-14), D(6000))
    stage.venue.contracts[ETH_PERP] = D("-11.4")
    stage.venue.outcome = Rejected("", "no more")
    await stage.tick(3100)
    (day,) = await stage.days()
    assert day.exposure == 1200
    assert day.hedge_pnl == D("-11.4") * 100 - D("16.1")
    assert day.parts.unexplained == 0


async def test_an_order_whose_end_was_found_out_later_is_booked_once(stage: Stage) -> None:
    """Unknown at first, filled at the look-up: its costs are booked then, and its position is no stranger's."""
    await stage.tick()
    stage.venue.hold(ETH=12)
    stage.venue.outcome = Unknown("", "time-out")
    report = await stage.tick()
    order = report.decision.intents[0].intent
    stage.venue.contracts[ETH_PERP] = D("-11.4")
    fill = Fill(order.client_order_id, NAME, Side.SELL, D("1.4"), D(2990), D("2.10"), stage.clock.now())
    stage.venue.known[order.client_order_id] = fill
    stage.venue.outcome = None
    await stage.tick(3100)
    await stage.tick(3100)
    (day,) = await stage.days()
    assert (day.parts.fees, day.parts.slippage, day.parts.unexplained) == (D("-2.1"), D(-14), D(0))
    assert day.hedge_pnl == D("-11.4") * 100 - D("16.1")


async def test_an_order_that_a_crash_left_unrecorded_is_booked(stage: Stage) -> None:
    """The fill is in the journal and its cycle is not: the next process books it."""
    await stage.tick()
    stage.venue.hold(ETH=12)
    stage.clock.advance(1)
    stage.venue.outcome = Fill("", NAME, Side.SELL, D("1.4"), D(2990), D("2.10"), stage.clock.now())
    stage.portfolio.store.broken.add("record_cycle")
    await stage.tick()
    stage.venue.contracts[ETH_PERP] = D("-11.4")
    stage.portfolio.store.broken.clear()
    stage.venue.outcome = None
    await stage.restart()
    await stage.tick(3100)
    await stage.tick(3100)
    (day,) = await stage.days()
    assert (day.parts.fees, day.parts.slippage, day.parts.unexplained) == (D("-2.1"), D(-14), D(0))


async def test_a_position_closed_by_others_is_told_apart(stage: Stage) -> None:
    """4 of 10 were bought back at the venue by hand: what they made since is by name, not in the hedge's own parts."""
    await stage.tick()
    stage.venue.contracts[ETH_PERP] = D(-6)
    stage.venue.explanation = "bought back by hand"
    await stage.tick(3100)
    (day,) = await stage.days()
    assert day.parts.unexplained == -400
    assert day.parts.total == 0


async def test_a_hedge_that_stopped_hedging_is_told(stage: Stage) -> None:
    """From the days on record, as a warning in the cycle's findings and its message."""
    import numpy as np

    from tests.unit.test_effect import market

    days = market(120, np.array([0.05] * 95 + [1.0] * 25))
    start = MIDNIGHT - timedelta(days=120)
    stage.portfolio.store._effects = {
        (start + n * timedelta(days=1), "alts"): EffectDay(
            "alts",
            start + n * timedelta(days=1),
            day.exposure_value,
            day.seconds,
            exposure=day.exposure,
            parts=day.parts,
        )
        for n, day in enumerate(days)
    }
    report = await stage.tick()
    told = [each for each in report.state["findings"] if each["kind"] == Kind.HEDGE_INEFFECTIVE.value]
    assert [(each["subject"], each["severity"]) for each in told] == [("alts", "warning")]
    assert any(message.key == "hedge_ineffective/alts" for message in report.messages)


async def test_another_hedge_begins_anew(stage: Stage) -> None:
    """What is on record of a hedge that is configured no more stays there, and no ledger goes on."""
    stage.portfolio.store._effects[(MIDNIGHT, "old")] = effect_day("old", MIDNIGHT)
    await stage.tick()
    assert {day.hedge for day in await stage.days()} == {"old", "alts"}
    assert set(stage.portfolio.memory.ledgers) == {"alts"}
