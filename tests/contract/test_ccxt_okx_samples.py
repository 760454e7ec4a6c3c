"""Replies as OKX's documentation and ccxt's maintainers show them go through the adapter."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.instrument import ContractKind, InstrumentId
from hedged.model.snapshot import Balance, Margin
from tests.support import need_shared
from tests.venues.okx_bench import INVERSE, Bench, bench

D = Decimal
BITCOIN = InstrumentId("main:BTC/USDT:USDT")


def sample(name: str) -> Any:
    return json.loads((need_shared("venues/okx") / name).read_text())["httpResponse"]


def serve(it: Bench, path: str, reply: Any) -> None:
    it.server.replies[f"/api/v5/{path}"] = json.dumps(reply)


async def test_a_wallet_in_spot_mode() -> None:
    """Blank profit and debt are none; without positions and debts no margin is needed."""
    async with bench() as it:
        serve(it, "account/balance", sample("fetch_balance.doc1.json"))
        it.truth.positions = {}
        assert (await it.reader.balances("spot")).value == (Balance("BTC", D("0.049")),)
        assert (await it.reader.derivatives()).value.margin == Margin(D("1918.55678"), D(0))


async def test_positions_in_hedge_mode_are_refused() -> None:
    """Both samples are of accounts with separate long and short positions."""
    for name in ("fetch_positions.doc1.json", "fetch_positions.doc2.json"):
        async with bench() as it:
            serve(it, "account/positions", sample(name))
            with pytest.raises(Refused, match="hedge mode"):
                await it.reader.derivatives()


async def test_a_linear_position() -> None:
    """One contract is 0.01 bitcoin; the sample's mark is not the one of its notional, so it is not trusted."""
    reply = sample("fetch_positions.doc2.json")
    reply["data"][0]["posSide"] = "net"
    async with bench() as it:
        serve(it, "account/positions", reply)
        (position,) = (await it.reader.derivatives()).value.positions
        instrument = (await it.market.instruments())[BITCOIN]
        reply["data"][0] |= {"markPx": "34134.4", "pos": "-1"}
        serve(it, "account/positions", reply)
        (short,) = (await it.reader.derivatives()).value.positions
    assert (position.instrument, position.contracts, position.trusted) == (BITCOIN, 1, False)
    assert instrument.base_quantity(position.contracts, D(34134)) == D("0.01")
    assert position.maintenance_margin == D("1.3652874433435829")
    assert position.liquidation_price == D("12608.959083877446")
    assert (short.contracts, short.trusted) == (-1, True)


async def test_an_inverse_dated_position() -> None:
    """Where the reply has no mark, profit and maintenance in dollars are unknown; its contract has to be listed."""
    reply = sample("fetch_positions.doc1.json")
    reply["data"][0]["posSide"] = "net"
    async with bench() as it:
        serve(it, "account/positions", reply)
        with pytest.raises(Unreadable, match="ETH-USD-210430"):
            await it.reader.derivatives()
    async with bench() as it:
        contract = it.truth.instruments("FUTURES")[1] | {"instId": "ETH-USD-210430", "uly": "ETH-USD", "ctVal": "10"}
        listed = [contract | {"settleCcy": "ETH", "expTime": "1619769600000"}, *it.truth.instruments("SWAP")]
        serve(it, "public/instruments", {"code": "0", "data": listed})
        serve(it, "account/positions", reply)
        derivatives = (await it.reader.derivatives()).value
        instrument = (await it.market.instruments())[derivatives.positions[0].instrument]
        account_equity = D(it.truth.account()[0]["adjEq"])
    (position,) = derivatives.positions
    assert (instrument.symbol, instrument.linear) == ("ETH/USD:ETH-210430", False)
    assert instrument.notional(position.contracts, D(2566)) == 10
    assert instrument.base_quantity(position.contracts, D(2500)) == D("0.004")
    assert (position.unrealised_pnl, position.maintenance_margin) == (None, None)
    assert position.liquidation_price == D("2352.8496681818233")
    assert derivatives.margin == Margin(account_equity, None)


async def test_a_funding_rate() -> None:
    """The rate is for the period that ends at `fundingTime`; its length is told by the next one's end."""
    for name in ("fetch_funding_rate.doc1.json", "fetch_funding_rates.doc1.json"):
        async with bench() as it:
            serve(it, "public/funding-rate", sample(name))
            quote = (await it.market.quotes([INVERSE]))[INVERSE].value
        assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.00027815"), 8)
        assert quote.funding_next == datetime(2021, 10, 15, tzinfo=UTC)


async def test_spot_tickers() -> None:
    """A price is the last one, as of the ticker's own time."""
    async with bench() as it:
        pair = it.truth.instruments("SPOT")[0] | {"instId": "BCD-BTC", "baseCcy": "BCD", "quoteCcy": "BTC"}
        serve(it, "public/instruments", {"code": "0", "data": [pair]})
        serve(it, "market/tickers", sample("fetch_tickers.doc1.json"))
        prices = await it.market.prices(["BCD", "BTC"], "BTC")
    assert (prices["BCD"].value, prices["BTC"].value) == (D("0.0000769"), 1)
    assert prices["BCD"].as_of == datetime(2021, 5, 19, 16, 29, 1, 434000, tzinfo=UTC)


async def test_real_market_rows() -> None:
    """The venue's own listing rows are understood: contract sizes, steps, the dated contract, the inverse one."""
    listed = json.loads((need_shared("venues/okx") / "markets.json").read_text())
    rows = [market["info"] for market in listed.values()]
    async with bench() as it:
        it.truth.instruments = lambda kind: [r for r in rows if r["instType"] == kind]  # type: ignore[method-assign]
        instruments = {i.symbol: i for i in (await it.market.instruments()).values()}
    assert set(instruments) == {symbol for symbol, market in listed.items() if market["contract"]}
    sizes = {symbol: instrument.multiplier for symbol, instrument in instruments.items()}
    assert sizes["BTC/USDT:USDT"] == sizes["BTC/USDT:USDT-261225"] == D("0.01")
    assert (sizes["ETH/USDT:USDT"], sizes["LTC/USDT:USDT"], sizes["BTC/USD:BTC"]) == (D("0.1"), D("0.001"), 100)
    assert not instruments["BTC/USD:BTC"].linear
    dated = instruments["BTC/USDT:USDT-261225"]
    assert (dated.kind, dated.expiry) == (ContractKind.FUTURE, datetime(2026, 12, 25, 8, tzinfo=UTC))
    assert (dated.tick_size, dated.lot_size) == (D("0.1"), D("0.01"))
