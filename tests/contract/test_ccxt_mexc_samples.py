"""Replies as MEXC and ccxt document them go through the adapter and give the right values or a documented unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.snapshot import Balance, Derivatives, Doubt, Position
from tests.support import need_shared
from tests.venues.mexc_bench import PERPETUAL, Bench, bench, enveloped

D = Decimal
BITCOIN = InstrumentId("main:BTC/USDT:USDT")
STEPN = InstrumentId("main:GMT/USDT:USDT")
READ_HERE = {
    "fetch_balance.doc1.json",
    "fetch_balance.doc2.json",
    "fetch_funding_history.doc1.json",
    "fetch_funding_rate.doc1.json",
    "fetch_leverage_tiers.doc1.json",
    "fetch_my_trades.doc1.json",
    "fetch_positions.doc1.json",
    "fetch_tickers.doc1.json",
    "markets.json",
}
NOT_READ = {  # orders: see test_samples_of_orders; spot prices are asked of another, ten times lighter endpoint
    "create_order.doc1.json",
    "create_order.doc2.json",
    "fetch_open_orders.doc1.json",
    "fetch_order.doc1.json",
    "fetch_order.doc2.json",
    "fetch_tickers.doc2.json",
}


def sample(name: str) -> str:
    """A reply as text with every number as the venue writes it."""
    return json.dumps(json.loads(need_shared(f"venues/mexc/{name}").read_text())["httpResponse"])


async def test_every_sample_is_accounted_for() -> None:
    """A sample that is new is either read by a test here or named as not read."""
    folder: Path = need_shared("venues/mexc")
    assert {path.name for path in folder.iterdir()} == READ_HERE | NOT_READ


async def test_wallets() -> None:
    """Spot dust to the last of its digits; a futures wallet without anything in it is empty."""
    async with bench() as it:
        it.server.replies = {
            "/api/v3/account": sample("fetch_balance.doc1.json"),
            "/api/v1/private/account/assets": sample("fetch_balance.doc2.json"),
        }
        assert (await it.reader.balances("spot")).value == (Balance("USDT", D("0.000000000674")),)
        assert (await it.reader.balances("swap")).value == ()
        it.truth.positions = {}
        assert (await it.reader.derivatives()).value == Derivatives((), None)


async def test_positions() -> None:
    """One contract of ETH_USDT is a hundredth of a coin, long, isolated; mark and maintenance are not told.

    What is set apart for it is its margin and, by the local venue's mark of 3,000, its profit of 17.827.
    """
    async with bench() as it:
        it.server.replies = {"/api/v1/private/position/open_positions": sample("fetch_positions.doc1.json")}
        (position,) = (await it.reader.derivatives()).value.positions
        instrument = (await it.market.instruments())[PERPETUAL]
    told = Position(PERPETUAL, D(1), entry_price=D("1217.3"), liquidation_price=D("1211.2"))
    assert position == replace(told, isolated_equity=D("0.1290338") + D("17.827"))
    assert instrument.base_quantity(position.contracts, D("3581.08")) == D("0.01")
    assert instrument.notional(position.contracts, D("3581.08")) == D("35.8108")


async def test_quotes() -> None:
    """Mark, book, index and rate of the ticker at its own time, interval and due time of the funding reply."""
    async with bench() as it:
        it.clock.set(datetime(2022, 1, 26, 23, 39, 34, tzinfo=UTC))
        it.server.replies = {
            "/api/v1/contract/ticker": sample("fetch_tickers.doc1.json").replace("ETH_USDT", "BTC_USDT"),
            "/api/v1/contract/funding_rate/BTC_USDT": sample("fetch_funding_rate.doc1.json"),
        }
        quotes = await it.market.quotes([BITCOIN, PERPETUAL])
    assert set(quotes) == {BITCOIN}
    quote = quotes[BITCOIN].value
    assert quotes[BITCOIN].as_of == datetime(2021, 10, 13, 22, 8, 5, 16000, tzinfo=UTC)
    assert (quote.mark, quote.index) == (D("3581.08"), D("3580.7852"))
    assert (quote.bid, quote.ask, quote.funding_rate) == (D("3581.25"), D("3581.5"), D("0.000063"))
    assert (quote.funding_interval_hours, quote.funding_next) == (8, datetime(2022, 1, 27, tzinfo=UTC))


async def test_tiers() -> None:
    """The base volume is the first level's own: ccxt, which leaves it out, would give other floors."""
    async with bench() as it:
        it.server.replies = {"/api/v1/contract/detail": sample("fetch_leverage_tiers.doc1.json")}
        instrument = (await it.market.instruments())[BITCOIN]
        tiers = (await it.dialect.tiers(it.connection, {"BTC_USDT": instrument}))[BITCOIN]
    assert instrument.multiplier == D("0.0001")
    assert instrument.tick_size == D("0.5")
    assert tiers[0] == MarginTier(D(0), D("0.004"), D(125))
    assert [tier.notional_floor / 6 for tier in tiers] == [0, 10_000, 210_000, 410_000, 610_000]  # 6 dollars a contract
    assert [tier.maintenance_margin_rate for tier in tiers] == [D(4 * n) / 1000 for n in range(1, 6)]


async def test_fills() -> None:
    """A fill of one contract bought explains a short of one that is gone, and nothing larger."""
    async with bench() as it:
        listed = it.truth.contract_detail()
        listed.append({**listed[1], "symbol": "STEPN_USDT", "baseCoin": "STEPN"})
        it.server.replies = {
            "/api/v1/contract/detail": enveloped(listed),
            "/api/v1/private/order/list/order_deals": sample("fetch_my_trades.doc1.json"),
        }
        since = datetime(2022, 4, 2, tzinfo=UTC)
        told = await it.reader.explain(gone(STEPN, "-1"), since)
        assert await it.reader.explain(gone(STEPN, "-2"), since) is None
        assert await it.reader.explain(gone(STEPN, "-1"), since + timedelta(days=1)) is None
    assert told == "1 fills since 2022-04-02 00:00 UTC, +1 contracts in all"


def gone(instrument: InstrumentId, before: str) -> Doubt:
    return Doubt(instrument, "main", "GMT", instrument, D(before), D(0), polls=1)


async def test_funding_payments() -> None:
    """Funding received is what a wallet gained: it explains a change of just that size."""
    async with bench() as it:
        it.server.replies = {"/api/v1/private/position/funding_records": sample("fetch_funding_history.doc1.json")}
        doubt = Doubt("main/swap/USDT", "main", "USDT", None, D(0), D("0.00223666504"), polls=1)
        told = await it.reader.explain(doubt, datetime(2022, 1, 27, tzinfo=UTC))
    assert told == "since 2022-01-27 00:00 UTC: funding +0.00223666504 USDT"


@pytest.mark.parametrize("name", ["BTC/USDT:USDT", "LTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"])
async def test_real_market_rows(name: str) -> None:
    """The venue's own listing rows are understood, their numbers being text."""
    listed = json.loads(need_shared("venues/mexc/markets.json").read_text())
    async with bench() as it:
        await serve_markets(it, listed)
        instruments = await it.market.instruments()
        prices = await it.market.prices(["ATLAS", "BTC"], "USDT")
    assert set(instruments) == {f"main:{symbol}" for symbol, market in listed.items() if market["linear"]}
    row, instrument = listed[name]["info"], instruments[InstrumentId(f"main:{name}")]
    assert instrument.multiplier == D(row["contractSize"])
    assert (instrument.tick_size, instrument.lot_size) == (D(row["priceUnit"]), D(row["volUnit"]))
    assert instrument.quantity_min == D(row["minVol"])
    assert instrument.trading
    assert set(prices) == {"BTC"}


async def serve_markets(it: Bench, listed: dict[str, Any]) -> None:
    contracts = [market["info"] for market in listed.values() if market["swap"]]
    it.server.replies = {
        "/api/v3/exchangeInfo": json.dumps({"symbols": [m["info"] for m in listed.values() if m["spot"]]}),
        "/api/v1/contract/detail": enveloped(contracts),
    }
