"""Every venue from front to back: its local server, real ccxt over TLS, the adapter, the cycle, a paper hedge."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import Portfolio, run_cycle
from hedged.model.finding import HedgeStatus
from hedged.model.order import Fill
from hedged.model.policy import PaperPolicy
from hedged.tell.rules import AlertRules
from tests.build import hedge, policy
from tests.support import CountingIds
from tests.venues.benches import ACCOUNTS, BENCHES, LEGS


@pytest.mark.parametrize("venue", LEGS)
async def test_a_paper_hedge_of_what_the_venue_holds(venue: str) -> None:
    """The coins that the venue's account holds are hedged on paper with its ETH perpetual, and nothing is sent."""
    perpetual, quote = LEGS[venue], ACCOUNTS[venue].QUOTE
    async with ACCOUNTS[venue].bench() as it:
        store = MemoryStore()
        setup = replace(
            policy(hedge("*", name="all", legs=[perpetual])), quote=quote, paper=PaperPolicy(cash=Decimal(10_000_000))
        )
        await store.open(setup.name, setup.world, it.clock.now())
        paper = PaperAccount(
            "main", it.market, real=it.reader, store=store, policy=setup.paper, quote=quote, clock=it.clock
        )
        portfolio = Portfolio(
            policy=setup,
            markets={"main": it.market},
            accounts={"main": paper},
            gateways={"main": paper},
            store=store,
            channels=(),
            rules=AlertRules(),
            clock=it.clock,
            ids=CountingIds(),
            positions_of="paper",
        )
        first = await run_cycle(portfolio, it.clock.now())
        group = first.assessment.groups[0]
        assert group.blocked_by == ()
        assert group.beta_exposure is not None
        assert group.beta_exposure > 100
        assert len(first.outcomes) == 1, first.decision
        fill = first.outcomes[0]
        assert isinstance(fill, Fill), fill
        instrument = first.snapshot.instruments[perpetual]
        worth = instrument.notional(fill.quantity, fill.price)
        assert Decimal("0.9") < worth / (group.beta_exposure * Decimal("0.95")) < Decimal("1.1"), "contracts, not coins"
        second = await run_cycle(portfolio, it.clock.now())
        assert second.assessment.hedges[0].status is HedgeStatus.OK
        assert second.outcomes == ()
        assert it.server.writes == [] or venue in {"binance", "weex"}  # a POST that only reads is listed there


async def test_a_paper_hedge_with_a_coin_margined_contract() -> None:
    """Binance's ETH/USD:ETH over what is held and 100 ETH in the paper wallet: hedged to the edge, in whole contracts
    of ten dollars, and the second cycle finds the delta where the first put it.
    """
    inverse = "main:ETH/USD:ETH"
    async with BENCHES["binance"].bench() as it:
        store = MemoryStore()
        coins = PaperPolicy(cash=Decimal(0), coins={"ETH": Decimal(100)})
        setup = replace(policy(hedge("ETH", name="eth", legs=[inverse])), paper=coins)
        await store.open(setup.name, setup.world, it.clock.now())
        paper = PaperAccount(
            "main", it.market, real=it.reader, store=store, policy=setup.paper, quote="USDT", clock=it.clock
        )
        portfolio = Portfolio(
            policy=setup,
            markets={"main": it.market},
            accounts={"main": paper},
            gateways={"main": paper},
            store=store,
            channels=(),
            rules=AlertRules(),
            clock=it.clock,
            ids=CountingIds(),
            positions_of="paper",
        )
        before = (await it.reader.balances("spot")).value
        first = await run_cycle(portfolio, it.clock.now())
        (exposure,) = [row for row in first.assessment.exposures if row.asset == "ETH"]
        held = next((each.net for each in before if each.asset == "ETH"), Decimal(0))
        assert exposure.quantity is not None
        assert exposure.quantity >= 100 + held
        assert first.outcomes, first.decision
        fill = first.outcomes[0]
        assert isinstance(fill, Fill), fill
        assert fill.quantity % 1 == 0
        second = await run_cycle(portfolio, it.clock.now())
        state = second.assessment.hedges[0]
        assert state.status is HedgeStatus.OK
        assert state.hedge_ratio == pytest.approx(Decimal("0.95"), abs=Decimal("0.005"))
        assert second.outcomes == ()
