"""Every venue that orders can be sent to, from front to back: its local server, real ccxt, the cycle, a real order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.live import LiveGateway
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import Portfolio, run_cycle
from hedged.model.finding import HedgeStatus
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Fill
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.ports import Store
from hedged.tell.rules import AlertRules
from tests.build import hedge, policy
from tests.contract.order_venues import EVERY, VENUES, Bench, OrderVenue, trading
from tests.support import CountingIds
from tests.venues.benches import BENCHES, PERPETUALS


def portfolio_of(it: Bench, setup: PortfolioPolicy, store: Store) -> Portfolio:
    async def listed(instrument: InstrumentId) -> Instrument | None:
        return (await it.reader.markets()).instruments.get(instrument)

    return Portfolio(
        policy=setup,
        markets={"main": it.reader.market},
        accounts={"main": it.reader.reader},
        gateways={"main": LiveGateway(it.orders, listed, it.clock)},
        store=store,
        channels=(),
        rules=AlertRules(),
        clock=it.clock,
        ids=CountingIds(),
    )


@EVERY
async def test_a_live_hedge_of_what_the_venue_holds(venue: OrderVenue) -> None:
    """The venue's own desk gets one order of the right size and side, and the next look finds the hedge in its band."""
    perpetual = PERPETUALS[venue.exchange]
    async with trading(venue) as it:
        store = MemoryStore()
        own = hedge("*", name="all", legs=[perpetual], mode=Mode.LIVE)
        setup = replace(policy(own), quote=BENCHES[venue.exchange].QUOTE, mode=Mode.LIVE)
        await store.open(setup.name, setup.world, it.clock.now())
        portfolio = portfolio_of(it, setup, store)
        for _ in range(4):  # the first live order of an instrument is the smallest lot
            report = await run_cycle(portfolio, it.clock.now())
            assert report.assessment.groups[0].blocked_by == ()
            if report.assessment.hedges[0].status is HedgeStatus.OK:
                break
            (fill,) = report.outcomes
            assert isinstance(fill, Fill), fill
            it.clock.advance(60)
        assert report.assessment.hedges[0].status is HedgeStatus.OK, report.decision
        filled = {each.client_order_id: each.quantity for each in await store.fills(it.clock.now().replace(year=2000))}
        assert filled == {order.client_id: order.filled for order in it.desk.orders}
        assert len(filled) in {1, 2}
        held = next(leg for leg in report.assessment.hedges[0].legs if leg.instrument == perpetual)
        assert held.base_quantity is not None
        assert held.base_quantity < 0
        assert sum(filled.values()) > 0
        assert report.assessment.hedges[0].hedge_ratio == pytest.approx(Decimal("0.95"), abs=Decimal("0.06"))


@pytest.mark.parametrize(("exchange", "price"), [("binance", "2900"), ("bybit", "100.9")])
async def test_the_first_order_meets_the_venues_minimum_at_its_limit(exchange: str, price: str) -> None:
    """At these prices the fewest lots worth the minimum at the mark are worth less at the price that a sell names."""
    venue = next(each for each in VENUES if each.exchange == exchange)
    perpetual = PERPETUALS[exchange]
    async with trading(venue) as it:
        store = MemoryStore()
        own = hedge("ETH", name="own", legs=[perpetual], mode=Mode.LIVE, band="0.001")
        setup = replace(policy(own), quote=BENCHES[exchange].QUOTE, mode=Mode.LIVE)
        await store.open(setup.name, setup.world, it.clock.now())
        it.desk.venue.prices["ETH"] = Decimal(price)
        market = it.desk.worth_min(venue.market_id)
        tick, lot = it.desk.rules(venue.market_id)
        fewest = -(-market // (Decimal(price) * lot)) * lot
        assert market > fewest * Decimal(price) * Decimal("0.98"), "or this shows nothing"
        report = await run_cycle(portfolio_of(it, setup, store), it.clock.now())
        (outcome,) = report.outcomes
        assert isinstance(outcome, Fill), outcome
        (order,) = it.desk.orders
        assert market <= order.price * order.quantity < market + (lot + tick) * Decimal(price)
