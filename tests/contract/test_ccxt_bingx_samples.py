"""BingX's replies as the venue and ccxt document them: the right values, or the documented unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.snapshot import Balance, Doubt, Margin
from tests.support import need_shared
from tests.venues.bingx_bench import LINEAR, Bench, bench

D = Decimal
SPOT, FUND = "/openApi/spot/v1/account/balance", "/openApi/fund/v1/account/balance"
LINEAR_WALLET = "/openApi/swap/v3/user/balance"
LINEAR_POSITIONS, COIN_POSITIONS = "/openApi/swap/v2/user/positions", "/openApi/cswap/v1/user/positions"


def sample(name: str) -> Any:
    return json.loads((need_shared("venues/bingx") / name).read_text())["httpResponse"]


def serve(it: Bench, path: str, reply: Any) -> None:
    it.server.replies[path] = json.dumps(reply)


def list_contract(it: Bench, market_id: str) -> None:
    """Let the venue list one more linear contract."""
    reply = it.truth.contracts()
    serve(it, "/openApi/swap/v2/quote/contracts", {"data": [*reply["data"], {**reply["data"][1], "symbol": market_id}]})


async def test_sample_wallets() -> None:
    """Fund, spot and both forms of the futures wallet: the balance without unrealised profit, to the last digit."""
    async with bench() as it:
        it.truth.inverse, it.truth.positions = {}, {}
        serve(it, FUND, sample("fetch_balance.doc1.json"))
        serve(it, SPOT, sample("fetch_balance.doc2.json"))
        serve(it, LINEAR_WALLET, sample("fetch_balance.doc3.json"))
        assert (await it.reader.balances("funding")).value == (Balance("USDT", D("44.376922000000002373")),)
        assert (await it.reader.balances("spot")).value == (Balance("USDT", D("45.733046995800514")),)
        assert (await it.reader.balances("swap")).value == (Balance("USDT", D("194.8212")),)
        margin = (await it.reader.derivatives()).value.margin
        assert margin == Margin(equity=D("196.7431"), maintenance=D(0), available=D("193.7609"))
        serve(it, SPOT, sample("fetch_balance.doc1.json"))  # the same coins under the fund account's name
        assert (await it.reader.balances("spot")).value == (Balance("USDT", D("44.376922000000002373")),)
        serve(it, LINEAR_WALLET, sample("fetch_balance.doc4.json"))
        assert (await it.reader.balances("swap")).value == (Balance("USDT", D("4.726443")),)


async def test_sample_positions() -> None:
    """0.1 LTC long, worth what the venue says; one contract of 10 dollars long, worth 0.063 SOL."""
    async with bench() as it:
        list_contract(it, "LTC-USDT")
        it.truth.inverse = {"SOL": D("0.35707951")}
        serve(it, LINEAR_POSITIONS, sample("fetch_positions.doc1.json"))
        serve(it, COIN_POSITIONS, sample("fetch_positions.doc2.json"))
        derivatives = (await it.reader.derivatives()).value
        instruments = await it.market.instruments()
    litecoin, solana = derivatives.positions
    assert (litecoin.instrument, litecoin.contracts, litecoin.trusted) == ("main:LTC/USDT:USDT", D("0.1"), True)
    assert instruments[litecoin.instrument].notional(litecoin.contracts, D("73.14")) == D("7.314")
    assert (litecoin.liquidation_price, litecoin.maintenance_margin) == (None, None)
    assert (litecoin.entry_price, litecoin.unrealised_pnl) == (D("83.53"), D("-1.0393"))
    assert (solana.instrument, solana.contracts, solana.trusted) == ("main:SOL/USD:SOL", 1, True)
    assert instruments[solana.instrument].notional(solana.contracts, D("158.402")) == 10
    assert solana.liquidation_price == D("23.968303426677032")
    assert solana.unrealised_pnl == D("-0.00009074") * D("158.402")
    assert derivatives.margin is None  # two pools


async def test_sample_marks_books_and_tiers() -> None:
    """A mark is a mark: the ticker that one sample shows in its place is not taken for one."""
    bitcoin, coin = InstrumentId("main:BTC/USDT:USDT"), InstrumentId("main:SOL/USD:SOL")
    async with bench() as it:
        serve(it, "/openApi/swap/v2/quote/premiumIndex", sample("fetch_funding_rates.doc1.json"))
        serve(it, "/openApi/cswap/v1/market/ticker", sample("fetch_tickers.doc1.json"))
        quotes = await it.market.quotes([bitcoin, LINEAR, coin])
        assert set(quotes) == {bitcoin, coin}
        linear = quotes[bitcoin].value
        assert (linear.mark, linear.index, linear.funding_rate) == (D("16884.5"), D("16886.9"), D("0.0001"))
        assert (linear.funding_interval_hours, linear.funding_next) == (None, datetime(2022, 12, 26, 8, tzinfo=UTC))
        assert (quotes[coin].value.bid, quotes[coin].value.ask) == (D("140.573"), D("140.577"))
        for name in ("fetch_mark_prices.doc1.json", "fetch_funding_rate.doc1.json"):
            serve(it, "/openApi/swap/v2/quote/premiumIndex", sample(name))
            with pytest.raises(Unreadable, match="mark prices"):
                await it.market.quotes([bitcoin])
        serve(it, "/openApi/swap/v1/maintMarginRatio", sample("fetch_market_leverage_tiers.doc1.json"))
        contract = (await it.market.instruments())[LINEAR]
        tiers = await it.line.signed(lambda: it.dialect.tiers(it.line.connection, {"ETH-USDT": contract}))
    assert tiers == {LINEAR: (MarginTier(D(0), D("0.0033"), D(100)),)}


async def test_sample_income_explains() -> None:
    """The documented fund flow accounts for exactly what it took."""
    async with bench() as it:
        serve(it, "/openApi/swap/v2/user/income", sample("fetch_funding_history.doc1.json"))
        doubt = Doubt("main/swap/USDT", "main", "USDT", None, before=D("0.0292"), now=D(0), polls=1)
        said = await it.reader.explain(doubt, it.clock.now())
    assert said == "since 2026-11-02 12:00 UTC: funding fee -0.0292 USDT"


async def test_real_market_rows() -> None:
    """The venue's own listing rows are understood: their rules, units and face values."""
    listed = json.loads(need_shared("venues/bingx/markets.json").read_text())
    async with bench() as it:
        rows = {kind: [row["info"] for row in listed.values() if row[kind]] for kind in ("spot", "linear", "inverse")}
        serve(it, "/openApi/spot/v1/common/symbols", {"code": 0, "data": {"symbols": rows["spot"]}})
        serve(it, "/openApi/swap/v2/quote/contracts", {"code": 0, "data": rows["linear"]})
        serve(it, "/openApi/cswap/v1/market/contracts", {"code": 0, "data": rows["inverse"]})
        instruments = await it.market.instruments()
    assert set(instruments) == {f"main:{symbol}" for symbol, market in listed.items() if market["contract"]}
    bitcoin, coin = instruments[InstrumentId("main:BTC/USDT:USDT")], instruments[InstrumentId("main:BTC/USD:BTC")]
    assert (bitcoin.multiplier, bitcoin.lot_size, bitcoin.tick_size) == (1, D("0.0001"), D("0.1"))
    assert (coin.multiplier, coin.lot_size, coin.tick_size, coin.notional_min) == (100, 1, D("0.1"), 100)
    assert all(each.trading for each in instruments.values())
