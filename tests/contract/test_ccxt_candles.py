"""Past prices of each venue, with real ccxt over real TLS: the right hours, page by page, and never a wrong silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.adapters.exchanges.ccxt_candles import SETTLED
from hedged.errors import VenueError
from hedged.model.history import STEP, Bar
from tests.support import T0
from tests.venues import binance_bench, bingx_bench, bybit_bench, mexc_bench, okx_bench, weex_bench
from tests.venues.candles import HOUR
from tests.venues.server import FAULTS

Open = Callable[..., AbstractAsyncContextManager[Any]]
PERPETUAL = "main:ETH/USDT:USDT"


@dataclass(frozen=True)
class Source:
    """Where one kind of market's candles come from: the venue, what is asked for, the path, bars a page."""

    bench: Open
    subject: str
    path: str
    page: int


SOURCES = {
    "binance spot": Source(binance_bench.bench, "ETH", "/api/v3/klines", 499),
    "binance usd-m": Source(binance_bench.bench, PERPETUAL, "/fapi/v1/klines", 499),
    "binance coin-m": Source(binance_bench.bench, "main:ETH/USD:ETH", "/dapi/v1/klines", 499),
    "bybit spot": Source(bybit_bench.bench, "ETH", "/v5/market/kline", 1000),
    "bybit linear": Source(bybit_bench.bench, PERPETUAL, "/v5/market/kline", 1000),
    "bybit inverse": Source(bybit_bench.bench, "main:BTC/USD:BTC", "/v5/market/kline", 1000),
    "okx spot": Source(okx_bench.bench, "ETH", "/api/v5/market/candles", 300),
    "okx swap": Source(okx_bench.bench, PERPETUAL, "/api/v5/market/candles", 300),
    "bingx spot": Source(bingx_bench.bench, "ETH", "/openApi/spot/v1/market/kline", 1000),
    "bingx linear": Source(bingx_bench.bench, PERPETUAL, "/openApi/swap/v3/quote/klines", 1000),
    "bingx inverse": Source(bingx_bench.bench, "main:ETH/USD:ETH", "/openApi/cswap/v1/market/klines", 1000),
    "mexc spot": Source(mexc_bench.bench, "ETH", "/api/v3/klines", 500),
    "mexc linear": Source(mexc_bench.bench, PERPETUAL, "/api/v1/contract/kline/ETH_USDT", 500),
    "mexc inverse": Source(mexc_bench.bench, "main:BTC/USD:BTC", "/api/v1/contract/kline/BTC_USD", 500),
    "weex spot": Source(weex_bench.bench, "ETH", "/api/v3/market/klines", 999),
    "weex linear": Source(weex_bench.bench, PERPETUAL, "/capi/v3/market/historyKlines", 100),
}
NOW = T0.replace(hour=12, minute=20)
FIRST = T0 - timedelta(days=200)


async def _bars(it: Any, source: Source, since: datetime) -> Sequence[Bar] | None:
    bars: Sequence[Bar] | None = await it.opened.candles.bars(source.subject, "USDT", since)
    return bars


@pytest.mark.parametrize("name", SOURCES)
async def test_bars_are_those_of_full_hours_that_have_ended(name: str) -> None:
    """From the hour after `since` to the last one that is over, each known at its end, and with the venue's prices."""
    source = SOURCES[name]
    async with source.bench() as it:
        it.clock.set(NOW)
        bars = await _bars(it, source, T0 - 30 * STEP)
        assert bars is not None
        assert [bar.at for bar in bars] == [T0 - hours * STEP for hours in range(29, -1, -1)]
        told = it.server.candles.between("ETH" if "ETH" in source.subject else "BTC", _ms(T0 - STEP), _ms(T0), 1)
        assert (bars[-1].high, bars[-1].low, bars[-1].close) == told[0][2:]
        assert await _bars(it, source, T0) == []
        it.clock.set(T0 + STEP + SETTLED - timedelta(seconds=1))
        assert await _bars(it, source, T0) == [], "the hour is over and its bar not yet believed"
        it.clock.advance(1)
        assert [bar.at for bar in await _bars(it, source, T0) or ()] == [T0 + STEP]


@pytest.mark.parametrize("name", SOURCES)
async def test_the_past_comes_in_pages_without_a_gap(name: str) -> None:
    """Asked on from the last bar, page after page, the whole past arrives once, hour by hour, by reading alone."""
    source = SOURCES[name]
    async with source.bench() as it:
        it.clock.set(NOW)
        await it.opened.market.instruments()
        since = T0 - source.page * STEP if name == "weex spot" else FIRST
        it.paths()
        pages = 0
        taken: list[Bar] = []
        while bars := await _bars(it, source, taken[-1].at if taken else since):
            taken += bars
            pages += 1
        assert len(taken) == (T0 - since) / STEP
        assert all(second.at - first.at == STEP for first, second in pairwise(taken))
        assert pages == -(-len(taken) // source.page)
        assert len(it.paths()) == pages, "no request more than pages"
        assert it.server.writes == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "weex spot"])
async def test_the_time_before_a_listing_is_passed_over(name: str) -> None:
    """A market that is younger than what is asked for begins with its first bar, instead of seeming to have none."""
    source = SOURCES[name]
    async with source.bench() as it:
        it.clock.set(NOW)
        between = it.server.candles.between

        def young(market_id: str, begin: int | None, end: int | None, limit: int) -> Any:
            return [row for row in between(market_id, begin, end, limit) if row[0] >= _ms(T0 - 10 * STEP)]

        it.server.candles.between = young
        bars = await _bars(it, source, FIRST)
        assert bars is not None
        assert [bar.at for bar in bars] == [T0 - hours * STEP for hours in range(9, -1, -1)]


@pytest.mark.parametrize("name", SOURCES)
async def test_every_fault_is_an_error_and_passes(name: str) -> None:
    """Whatever the server does wrong is a `VenueError`, and never an empty past; afterwards all is as before."""
    source = SOURCES[name]
    for fault in FAULTS:
        async with source.bench(time_limit=0.4 if fault == "hang" else 5) as it:
            it.clock.set(NOW)
            await it.opened.market.instruments()
            it.server.faults[source.path] = fault
            with pytest.raises(VenueError):
                await _bars(it, source, T0 - 30 * STEP)
            it.server.faults.clear()
            it.clock.advance(61)
            assert len(await _bars(it, source, T0 - 30 * STEP) or ()) == 30, fault


@pytest.mark.parametrize("name", SOURCES)
async def test_duplicates_and_gaps_do_no_harm(name: str) -> None:
    """A bar told twice is there once, one that is missing is missing, and the order does not matter."""
    source = SOURCES[name]
    async with source.bench() as it:
        it.clock.set(NOW)
        between = it.server.candles.between

        def torn(*asked: Any) -> Any:
            rows = between(*asked)
            return [*rows[-5:], *rows[:10], *rows[12:]]

        it.server.candles.between = torn
        bars = await _bars(it, source, T0 - 30 * STEP)
        assert bars is not None
        hours = [(T0 - bar.at) // STEP for bar in bars]
        assert hours == sorted(set(hours), reverse=True)
        assert len(hours) in {28, 29, 30}, "WEEX's newest rows are torn elsewhere"


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("wrong", [(1, 1, 1, 0), (1, 1, 2, 1.5), (1, 2, 1, 3), (1, 2, 1, 0.5), (-1, -1, -1, -1)])
async def test_prices_that_cannot_be_are_an_error(name: str, wrong: tuple[float, ...]) -> None:
    """Zero, a low above the high, a close outside both: the read fails, and no statistic sees it."""
    source = SOURCES[name]
    async with source.bench() as it:
        it.clock.set(NOW)
        between = it.server.candles.between
        it.server.candles.between = lambda *asked: [
            (row[0], *wrong) if row[0] == _ms(T0 - 3 * STEP) else row for row in between(*asked)
        ]
        with pytest.raises(VenueError, match="low ≤ close ≤ high"):
            await _bars(it, source, T0 - 30 * STEP)


@pytest.mark.parametrize("name", SOURCES)
async def test_candles_of_other_hours_are_an_error(name: str) -> None:
    """Bars that begin at half past, as those of another time zone do, would be taken for other returns."""
    source = SOURCES[name]
    async with source.bench() as it:
        it.clock.set(NOW)
        between = it.server.candles.between
        it.server.candles.between = lambda *asked: [(row[0] + HOUR // 2, *row[1:]) for row in between(*asked)]
        with pytest.raises(VenueError, match="begin on the hour"):
            await _bars(it, source, T0 - 30 * STEP)


@pytest.mark.parametrize("bench", [binance_bench.bench, weex_bench.bench, mexc_bench.bench])
async def test_a_market_that_is_not_listed_is_told_from_one_without_bars(bench: Open) -> None:
    """None means that the venue has no such market, whether coin, quote or contract, and nothing is asked."""
    async with bench() as it:
        await it.opened.market.instruments()
        it.paths()
        for subject, quote in (("NOPE", "USDT"), ("ETH", "EUR"), ("main:NOPE/USDT:USDT", "USDT")):
            assert await it.opened.candles.bars(subject, quote, FIRST) is None
        assert it.paths() == []


async def test_a_venue_whose_candles_are_not_read_has_no_such_market(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialect without candle endpoints answers None for everything, without a request."""
    async with binance_bench.bench() as it:
        monkeypatch.setattr(type(it.opened._line.dialect), "candles_page", 0)
        assert await it.opened.candles.bars("ETH", "USDT", FIRST) is None
        assert it.paths() == []


async def test_the_past_leaves_half_of_the_limit_to_others() -> None:
    """Candles wait while more than half of the burst is spent, so that a cycle finds the rest at once."""
    async with okx_bench.bench() as it:
        it.clock.set(NOW)
        await it.opened.market.instruments()
        it.clock.advance(600)
        await it.opened.candles._limiter.acquire(15.0)
        it.clock.slept.clear()
        await it.opened.candles.bars("ETH", "USDT", T0 - 30 * STEP)
        assert sum(it.clock.slept) == pytest.approx(5 * 0.11, abs=0.02)
        it.clock.slept.clear()
        await it.opened.candles._limiter.acquire(9.0)
        assert it.clock.slept == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
UNFIT = st.sampled_from([None, True, [1], {"a": 1}, {}, [], float("nan"), "", "NaN", "1e999", "abc", "0x10", " 1", -1])


@pytest.fixture(scope="module", params=SOURCES)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[asyncio.Runner, Any, Source]]:
    """One opened account for all random replies: opening one takes longer than a hundred of them."""
    source = SOURCES[request.param]
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        it = runner.run(stack.enter_async_context(source.bench()))
        it.clock.set(NOW)
        yield runner, it, source
        runner.run(stack.aclose())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_bars(running: tuple[asyncio.Runner, Any, Source], data: Any) -> None:
    """Any JSON with status 200, or the right reply with one field spoilt: an error, or bars that could be."""
    runner, it, source = running

    async def ask(text: str | None) -> Sequence[Bar] | None:
        it.server.replies.clear()
        if text is not None:
            it.server.replies[source.path] = text
        it.clock.advance(3600)  # past any rest that a complaint has earned
        it.clock.set(NOW)
        return await _bars(it, source, T0 - 5 * STEP)

    reply = data.draw(st.one_of(JSON, _spoilt(it, source)), label="reply")
    try:
        bars = runner.run(ask(json.dumps(reply)))
    except VenueError:
        return
    assert bars is not None
    assert bars, "silence is no answer"
    assert all(0 < bar.low <= bar.close <= bar.high for bar in bars)
    assert all(first.at < second.at for first, second in pairwise(bars))


def _spoilt(it: Any, source: Source) -> st.SearchStrategy[Any]:
    """The right reply with one of its leaves replaced."""
    from tests.venues.candles import answer

    asked = {
        "symbol": "ETHUSDT", "instId": "ETH-USDT", "category": "spot", "interval": "1h", "limit": "6", "timeZone": "0",
        "startTime": str(_ms(T0 - 5 * STEP)), "endTime": str(_ms(T0)), "before": str(_ms(T0 - 5 * STEP) - 1),
        "after": str(_ms(T0)), "start": str(_ms(T0 - 5 * STEP)), "end": str(_ms(T0)),
    }  # fmt: skip
    if "contract" in source.path:
        asked |= {"start": str(_ms(T0 - 5 * STEP) // 1000), "end": str(_ms(T0) // 1000)}
    reply = answer(source.path, asked, it.server.candles)

    @st.composite
    def spoilt(draw: Any) -> Any:
        copy = json.loads(json.dumps(reply))
        node, before = copy, None
        while isinstance(node, dict | list) and node:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            before, key = node, draw(st.sampled_from(keys))
            node = node[key]
            if draw(st.integers(0, 9)) == 0:
                break
        if before is not None:
            before[key] = draw(UNFIT)
        return copy

    return spoilt()


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
