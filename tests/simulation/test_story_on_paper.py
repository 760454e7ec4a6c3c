"""A paper account lives through the story on the simulated venue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.exchanges.simulated import SimulatedExchange
from hedged.adapters.store.memory import MemoryStore
from hedged.model.instrument import instrument_id
from hedged.model.order import GATE_SEAL, ApprovedIntent, Fill, Intent, Side
from hedged.model.policy import PaperPolicy, World
from hedged.simulation.market import SimulatedMarket
from hedged.simulation.story import story_anchor
from hedged.simulation.venue import SimulatedVenue
from tests.support import ManualClock

D = Decimal
ANCHOR = story_anchor(datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_rally_squeezes_a_paper_short_and_the_pullback_relieves_it(seed: int) -> None:
    """6 ETH short on 7,700 of cash: past the warning but not liquidated in the rally, safe again after it."""
    clock = ManualClock(ANCHOR)
    exchange = SimulatedExchange(SimulatedVenue(SimulatedMarket(seed, ANCHOR, "story"), clock), clock)
    store = MemoryStore()
    await store.open("demo", World.SIMULATED, ANCHOR)
    policy = replace(PaperPolicy(), cash=D(7_700))
    paper = PaperAccount("sim", exchange, real=None, store=store, policy=policy, quote="USDT", clock=clock)
    eth = instrument_id("sim", "ETH/USDT:USDT")
    intent = Intent("hd1", "alts", eth, Side.SELL, D(6), D(3000), D(18_000), reduce_only=False, reason="test")
    assert isinstance(await paper.submit(ApprovedIntent(intent, D(2_900), GATE_SEAL)), Fill)

    ratios = []
    while clock.now() < ANCHOR + timedelta(hours=36):
        clock.advance(600)
        margin = (await paper.derivatives()).value.margin
        assert margin is not None
        assert margin.maintenance is not None
        ratios.append(margin.maintenance / margin.equity)
    assert D("0.5") < max(ratios) < 1
    assert ratios[0] < D("0.5")
    assert ratios[-1] < D("0.5")
    totals = await paper.totals()
    assert totals.liquidations == 0
    (cash,) = (await paper.balances("swap")).value
    assert cash.free == D(7_700) + totals.realised - totals.fees - totals.funding
