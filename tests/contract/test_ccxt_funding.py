"""What funding was settled, from each venue that tells it, with real ccxt over real TLS."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import VenueError
from hedged.estimate.contract_terms import mean_funding
from hedged.model.history import Settlement
from hedged.model.instrument import InstrumentId
from tests.support import T0
from tests.venues import binance_bench, bybit_bench, okx_bench, weex_bench
from tests.venues.server import FAULTS

Open = Callable[..., AbstractAsyncContextManager[Any]]
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
COIN_MARGINED = InstrumentId("main:ETH/USD:ETH")
SOURCES: dict[str, tuple[Open, InstrumentId, str]] = {
    "binance usd-m": (binance_bench.bench, PERPETUAL, "/fapi/v1/fundingRate"),
    "binance coin-m": (binance_bench.bench, COIN_MARGINED, "/dapi/v1/fundingRate"),
    "bybit": (bybit_bench.bench, PERPETUAL, "/v5/market/funding/history"),
    "okx": (okx_bench.bench, PERPETUAL, "/api/v5/public/funding-rate-history"),
}
EVERY = timedelta(hours=8)
NOW = T0.replace(hour=12, minute=20)
LAST = NOW.replace(hour=8, minute=0)


@pytest.mark.parametrize("name", SOURCES)
async def test_a_month_of_settlements_comes_whole_and_in_order(name: str) -> None:
    """Every eight hours for thirty days, the venue's own rates to the last digit, by reading alone."""
    bench, instrument, _ = SOURCES[name]
    async with bench() as it:
        it.clock.set(NOW)
        rows = await it.opened.candles.funding(instrument, NOW - timedelta(days=30))
        assert [row.at for row in rows] == [LAST - EVERY * count for count in range(89, -1, -1)]
        told = it.server.candles.settled(int((LAST - EVERY).timestamp() * 1000))
        assert [row.rate for row in rows[-2:]] == [Decimal(rate) for _, rate in told]
        assert it.server.writes == []


@pytest.mark.parametrize("name", ["binance usd-m", "bybit"])
async def test_more_than_a_page_is_asked_on_for(name: str) -> None:
    """Five hundred days are more rows than either venue gives at a time; none is missing between two pages."""
    bench, instrument, path = SOURCES[name]
    async with bench() as it:
        it.clock.set(NOW)
        it.paths()
        rows = await it.opened.candles.funding(instrument, NOW - timedelta(days=500))
        assert len(rows) == 1500
        assert it.paths().count(path) > 1


@pytest.mark.parametrize("name", SOURCES)
async def test_every_fault_is_an_error_and_never_an_empty_past(name: str) -> None:
    """What cannot be read is a `VenueError`, so that a plan says it and takes today's rate."""
    bench, instrument, path = SOURCES[name]
    for fault in FAULTS:
        async with bench(time_limit=0.4 if fault == "hang" else 5) as it:
            it.clock.set(NOW)
            await it.opened.market.instruments()
            it.server.faults[path] = fault
            with pytest.raises(VenueError):
                await it.opened.candles.funding(instrument, NOW - timedelta(days=30))


@pytest.mark.parametrize("rate", ["0.2", "-0.11", "much", "", None])
async def test_a_rate_that_cannot_be_is_an_error(rate: str | None) -> None:
    """A fifth of the value in eight hours, a word, nothing: no mean is made of it."""
    bench, instrument, path = SOURCES["binance usd-m"]
    async with bench() as it:
        it.clock.set(NOW)
        await it.opened.market.instruments()
        row = {"symbol": "ETHUSDT", "fundingRate": rate, "fundingTime": int(LAST.timestamp() * 1000)}
        it.server.replies[path] = json.dumps([row])
        with pytest.raises(VenueError):
            await it.opened.candles.funding(instrument, NOW - timedelta(days=30))


async def test_what_has_no_funding_is_none() -> None:
    """A dated contract, one that is not listed, and a venue whose past funding is not read; nobody is asked."""
    async with binance_bench.bench() as it, weex_bench.bench() as other:
        since = T0 - timedelta(days=30)
        listed = await it.opened.market.instruments()
        await other.opened.market.instruments()
        dated = next(name for name, each in listed.items() if each.expiry is not None)
        it.paths(), other.paths()
        assert await it.opened.candles.funding(dated, since) is None
        assert await it.opened.candles.funding(InstrumentId("main:NOPE/USDT:USDT"), since) is None
        assert await other.opened.candles.funding(PERPETUAL, since) is None
        assert it.paths() == other.paths() == []


def test_the_mean_is_over_time_and_not_over_settlements() -> None:
    """0.01 % each 8 h is 10.95 % a year; the same by the hour eight times smaller; of both halves the mean of time."""
    eight = [Settlement(T0 + EVERY * count, Decimal("0.0001")) for count in range(31)]
    assert mean_funding(eight).year == Decimal("0.1095")  # type: ignore[union-attr]
    begin, hour = eight[-1].at, timedelta(hours=1)
    hourly = [Settlement(begin + hour * count, Decimal("0.0000375")) for count in range(1, 241)]
    both = mean_funding([*eight, *hourly])
    assert both is not None
    assert both.days == 20
    assert both.year == pytest.approx((Decimal("0.1095") + Decimal("0.3285")) / 2)


@pytest.mark.parametrize("count", [0, 1, 21])
def test_a_few_days_are_no_mean(count: int) -> None:
    """Under seven days say no more than today's rate does."""
    assert mean_funding([Settlement(T0 + EVERY * each, Decimal("0.0001")) for each in range(count)]) is None
