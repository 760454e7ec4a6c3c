"""Coins at one venue, their hedge at another: two accounts of one portfolio, each with its own keys."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import Portfolio, run_cycle
from hedged.model.finding import HedgeStatus
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill
from hedged.model.policy import PaperPolicy
from hedged.tell.rules import AlertRules
from tests.build import hedge, policy
from tests.support import CountingIds, ManualClock
from tests.venues import kraken_bench, krakenfutures_bench

ETHER = InstrumentId("futures:ETH/USD:USD")


async def test_coins_of_the_spot_exchange_are_hedged_at_its_futures_exchange() -> None:
    """Free, earning and shorted on margin, Kraken's coins are one exposure, hedged with a perpetual of the other."""
    clock = ManualClock()
    truth = kraken_bench.portfolio(clock)
    truth.coins = {name: truth.coins[name] for name in ("XETH", "ETH.F", "ZUSD")}
    truth.positions = truth.positions[:1]
    spot_bench = kraken_bench.bench(account="spot", clock=clock, truth=truth)
    async with spot_bench as spot, krakenfutures_bench.bench(account="futures", clock=clock) as futures:
        futures.truth.cash = {}
        store = MemoryStore()
        hedged = policy(hedge("ETH", legs=[ETHER], ratio=1), accounts=("spot", "futures"))
        setup = replace(hedged, quote="USD", paper=PaperPolicy(cash=Decimal(1_000_000)))
        await store.open(setup.name, setup.world, clock.now())
        paper = {
            name: PaperAccount(
                name, it.market, real=it.reader, store=store, policy=setup.paper, quote="USD", clock=clock
            )
            for name, it in (("spot", spot), ("futures", futures))
        }
        portfolio = Portfolio(
            policy=setup,
            markets={"spot": spot.market, "futures": futures.market},
            accounts=dict(paper),
            gateways=dict(paper),
            store=store,
            channels=(),
            rules=AlertRules(),
            clock=clock,
            ids=CountingIds(),
            positions_of="paper",
        )
        first = await run_cycle(portfolio, clock.now())
        (group,) = first.assessment.groups
        assert group.blocked_by == ()
        assert group.beta_exposure == 3000 * (10 + 2 - 3)
        (fill,) = first.outcomes
        assert isinstance(fill, Fill), fill
        assert fill.quantity == Decimal("8.548"), "the first lot inside the band: 95 % of 27,000 at 3,001"
        second = await run_cycle(portfolio, clock.now())
        assert second.assessment.hedges[0].status is HedgeStatus.OK
        assert spot.server.writes == futures.server.writes == []
