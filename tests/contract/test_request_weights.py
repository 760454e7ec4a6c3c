"""What a reading costs: every request is counted, and there are as few as the venue's bulk endpoints allow."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from hedged.adapters.exchanges.limiter import Meter
from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import Portfolio, run_cycle
from hedged.daemon.exchanges import Exchanges
from hedged.model.policy import Mode
from hedged.tell.rules import AlertRules
from tests.build import hedge, policy
from tests.contract.order_venues import ETHER, EVERY, OrderVenue, trading
from tests.support import CountingIds
from tests.venues.benches import BENCHES, BenchModule

# requests of a reading that is not the first, by venue of the first rank, and what ccxt says that they weigh together.
# Each takes a wallet, a kind of contracts, or all markets' prices at once; what they are is in the venue's own tests.
LEAST = {
    "binance": (9, 19.8),
    "bingx": (9, 14),
    "bybit": (12, 76),
    "mexc": (7, 29),
    "okx": (9, 14.33),
    "weex": (6, 60),
}


async def read(it: Any, module: BenchModule) -> tuple[int, int, float]:
    """One reading of everything: requests that arrived, requests counted, and their weight."""
    it.server.requests.clear()
    requests, weight = it.opened.requests, it.opened.weight
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([module.PERPETUAL] if module.PERPETUAL else []),
        it.market.prices(["ETH"], module.QUOTE),
    )
    await it.settled()
    return len(it.server.requests), it.opened.requests - requests, it.opened.weight - weight


@pytest.mark.parametrize("venue", BENCHES)
async def test_every_request_is_counted(venue: str) -> None:
    """Of the first reading, with its lists of markets, and of the next one: as many as the server has seen."""
    module = BENCHES[venue]
    async with module.bench() as it:
        first, counted, weight = await read(it, module)
        assert first == counted
        assert weight > 0
        it.clock.advance(61)
        later, counted, weight = await read(it, module)
        assert 0 < later == counted < first
        if venue in LEAST:
            assert (later, pytest.approx(weight, abs=0.01)) == LEAST[venue]


@pytest.mark.parametrize("venue", LEAST)
async def test_more_instruments_are_not_more_requests(venue: str) -> None:
    """All the contracts of a kind that a venue lists are quoted by the requests that one of them needs."""
    module = BENCHES[venue]
    async with module.bench() as it:
        assert module.PERPETUAL is not None
        listed = await it.market.instruments()
        kind = listed[module.PERPETUAL]
        alike = [c.id for c in listed.values() if c.linear is kind.linear and c.kind is kind.kind and c.trading]
        asked = []
        for names in ([module.PERPETUAL], alike):
            await it.market.quotes(names)
            await it.settled()
            it.clock.advance(61)
            it.server.requests.clear()
            await it.market.quotes(names)
            await it.settled()
            asked.append(len(it.server.requests))
        assert len(alike) > 1
        assert asked[0] == asked[1]


@pytest.mark.parametrize("mode", [Mode.MONITOR, Mode.PAPER])
@pytest.mark.parametrize("venue", ["binance", "bingx", "mexc", "weex"])
async def test_a_cycle_asks_for_nothing_twice(venue: str, mode: Mode) -> None:
    """Monitoring or on paper, a cycle that is not the first costs what one reading does, whatever has no price."""
    module = BENCHES[venue]
    perpetual = module.PERPETUAL
    assert perpetual is not None
    async with module.bench() as it:
        store = MemoryStore()
        setup = policy(hedge("*", name="all", legs=[perpetual], mode=mode), mode=mode)
        await store.open(setup.name, setup.world, it.clock.now())
        paper = PaperAccount(
            "main", it.market, real=it.reader, store=store, policy=setup.paper, quote="USDT", clock=it.clock
        )
        account = paper if mode is Mode.PAPER else it.reader
        portfolio = Portfolio(
            policy=setup,
            markets={"main": it.market},
            accounts={"main": account},
            gateways={"main": paper} if mode is Mode.PAPER else {},
            store=store,
            channels=(),
            rules=AlertRules(),
            clock=it.clock,
            ids=CountingIds(),
            positions_of="paper" if mode is Mode.PAPER else "venue",
        )
        for _ in range(3):
            it.clock.advance(61)
            it.server.requests.clear()
            report = await run_cycle(portfolio, it.clock.now())
            await it.settled()
        assert report.assessment.hedges
        assert len(it.server.requests) <= LEAST[venue][0]
        assert max(Counter(path for _, path in it.server.requests).values()) == 1


@EVERY
async def test_the_line_for_orders_has_a_count_of_its_own(venue: OrderVenue) -> None:
    """What orders cost is not in the readers' count, and the other way round."""
    async with trading(venue) as it:
        reading, trade = it.reader.weight, it.orders.weight
        await it.orders.submit(it.intent())
        assert it.orders.weight > trade
        await it.orders.open_orders(ETHER)
        assert it.reader.weight == reading


def test_the_weights_are_told_by_account() -> None:
    """As they stand, for each account that is reached through ccxt."""
    exchanges = Exchanges()
    meters = {"main": Meter(weight=12.5, requests=3), "other": Meter()}
    exchanges.venues |= {name: SimpleNamespace(weight=meter.weight) for name, meter in meters.items()}  # type: ignore[misc]
    assert exchanges.weights() == {"main": 12.5, "other": 0.0}
