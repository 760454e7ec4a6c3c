"""What is particular about a venue's orders."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_orders import open_ccxt_orders
from hedged.errors import ConfigurationError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Accepted, Found, Rejected, Side, Unknown
from tests.contract.order_venues import ETHER, VENUES, OrderVenue, trading
from tests.venues import binance_bench

D = Decimal
BY_NAME: dict[str, OrderVenue] = {venue.exchange: venue for venue in VENUES}


async def test_a_portfolio_margin_account_trades_by_its_own_endpoints() -> None:
    """Binance takes orders of such an account, USD-M and COIN-M, nowhere else."""
    wallets = ("spot", "portfolio")
    bench = functools.partial(binance_bench.bench, wallets=wallets)
    async with trading(replace(BY_NAME["binance"], wallets=wallets, bench=bench)) as it:
        coin = InstrumentId("main:ETH/USD:ETH")
        short = it.intent(instrument=coin, quantity=D(3), side=Side.SELL, limit=D(2990), reduce_only=False)
        for approved, instrument in ((it.intent(), ETHER), (short, coin)):
            assert isinstance(await it.orders.submit(approved), Accepted)
            found = await it.orders.find_by_client_id(approved.intent.client_order_id, instrument)
            assert isinstance(found, Found)
            assert found.fee == it.placed(approved.intent.client_order_id)[0].fee
        assert {path for method, path in it.server.requests if method == "POST"} == {
            "/papi/v1/um/order",
            "/papi/v1/cm/order",
        }


async def test_requests_are_valid_for_seconds_only() -> None:
    """Where a venue lets us say until when an order may be taken, it is five seconds."""
    said: dict[str, Callable[[dict[str, Any], int], bool]] = {
        "binance": lambda asked, _: asked["recvWindow"] == "5000",
        "bingx": lambda asked, _: asked["recvWindow"] == "5000",
        "okx": lambda asked, now: asked["expTime"] == str(now + 5000),
    }
    for name, is_short in said.items():
        async with trading(BY_NAME[name]) as it:
            await it.orders.submit(it.intent())
            assert is_short(it.desk.asked[0], it.desk.venue.now()), name
            assert it.orders.valid_for == 5
    async with trading(BY_NAME["bybit"]) as it:
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        it.orders._exchange.options["timeDifference"] = 6000  # a second too old
        assert isinstance(await it.orders.submit(it.intent()), Rejected)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("binance", "hedge_mode", True),
        ("okx", "pos_side", "long_short"),
        ("bybit", "hedge_mode", True),
        ("bingx", "hedge_mode", True),
        ("mexc", "position_mode", 1),
    ],
)
async def test_an_account_in_hedge_mode_is_refused_by_the_venue(name: str, setting: str, value: object) -> None:
    """Every order says that it is for one-way mode: a venue in the other mode takes none, instead of another side."""
    async with trading(BY_NAME[name]) as it:
        setattr(it.desk.venue, setting, value)
        assert isinstance(await it.orders.submit(it.intent()), Rejected)
        assert it.desk.orders == []


async def test_a_full_page_at_weex_makes_an_order_unknown() -> None:
    """Its orders are searched for our id: where a page may go on, ours may be on the next."""
    venue = BY_NAME["weex"]
    async with trading(venue) as it:
        await it.orders.submit(it.intent())
        (row,) = it.desk.rows()
        for path, most in (("GET /capi/v3/openOrders", 100), ("GET /capi/v3/order/history", 1000)):
            it.server.replies[path] = json.dumps([{**row, "clientOrderId": "another"}] * most)
            assert isinstance(await it.orders.find_by_client_id(it.new_id(), ETHER), Unknown)
            it.heal()


async def test_an_order_at_weex_is_refused_under_status_200_too() -> None:
    """There `success` says no: believed where the code is listed, unknown where it is not."""
    async with trading(BY_NAME["weex"]) as it:
        too_much = it.intent(quantity=D(3))
        assert isinstance(await it.orders.submit(too_much), Rejected)
        it.desk.poor = True
        assert isinstance(await it.orders.submit(it.intent()), Unknown)
        assert it.desk.orders == []


async def test_a_coin_margined_order_at_bingx_that_is_not_echoed_is_found() -> None:
    """Its acknowledgement may lack our id: that is no acknowledgement, and the look-up finds the order."""
    coin = InstrumentId("main:ETH/USD:ETH")
    async with trading(BY_NAME["bingx"]) as it:
        approved = it.intent(instrument=coin, quantity=D(3), side=Side.SELL, limit=D(2990), reduce_only=False)
        path = "POST /openApi/cswap/v1/trade/order"
        it.server.first_done.add(path)
        it.server.replies[path] = json.dumps({"code": 0, "data": {"orderId": 1809841379603398656, "symbol": "ETH-USD"}})
        assert isinstance(await it.orders.submit(approved), Unknown)
        found = await it.orders.find_by_client_id(approved.intent.client_order_id, coin)
        assert isinstance(found, Found)
        assert found.filled == 3


async def test_the_code_of_mexc_that_says_placed_is_no_refusal() -> None:
    """6008 comes as an error and means that the order was placed."""
    async with trading(BY_NAME["mexc"]) as it:
        it.strike(it.venue.create, "code:6008")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)


async def test_fills_of_an_order_that_bybit_does_not_show_are_not_absent() -> None:
    """Orders are written in the background there: its fills may be the first to be seen."""
    async with trading(BY_NAME["bybit"]) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        nothing = {"retCode": 0, "result": {"list": [], "nextPageCursor": ""}, "time": 1672211918471}
        for path in it.venue.lookups[:2]:
            it.server.replies[path] = json.dumps(nothing)
        assert isinstance(await it.orders.find_by_client_id(approved.intent.client_order_id, ETHER), Unknown)


@pytest.mark.parametrize("name", ["mexc", "weex"])
async def test_no_orders_where_a_test_system_could_not_look_them_up(name: str) -> None:
    """The user is told that orders of this test system cannot be sent."""
    venue = BY_NAME[name]
    async with trading(venue) as it:
        with pytest.raises(ConfigurationError, match="sandbox"):
            await open_ccxt_orders(it.reader, "main", name, venue.wallets, venue.keys, clock=it.clock, sandbox=True)
