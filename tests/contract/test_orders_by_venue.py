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
from hedged.model.order import Absent, Accepted, Found, Rejected, Side, Unknown
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
        ("bitget", "pos_mode", "hedge_mode"),
    ],
)
async def test_an_account_in_hedge_mode_is_refused_by_the_venue(name: str, setting: str, value: object) -> None:
    """Every order says that it is for one-way mode: a venue in the other mode takes none, instead of another side."""
    async with trading(BY_NAME[name]) as it:
        setattr(it.desk.venue, setting, value)
        it.desk.venue.positions.clear()  # which would tell the mode by themselves
        assert isinstance(await it.orders.submit(it.intent(reduce_only=False)), Rejected)
        assert it.desk.asked
        assert it.desk.orders == []


async def test_an_order_at_weex_is_searched_for_on_every_page() -> None:
    """Ours is found on the last page of the open ones and of the history; where pages do not end it is unknown."""
    async with trading(BY_NAME["weex"]) as it:
        ended = it.intent()
        await it.orders.submit(ended)
        (first,) = it.desk.orders
        it.desk.orders += [replace(first, number=first.number + n, client_id=f"another-{n}") for n in range(1, 1100)]
        it.desk.orders.append(it.desk.orders.pop(0))
        it.desk.fraction, it.desk.resting = D(0), True
        for number in range(100):
            it.desk.place(f"n{number}", "ETHUSDT", "buy", D("0.01"), D(3015), reduce_only=True)
        waiting = it.intent()
        await it.orders.submit(waiting)
        for approved in (waiting, ended):
            found = await it.orders.find_by_client_id(approved.intent.client_order_id, ETHER)
            assert isinstance(found, Found)
        assert await it.orders.find_by_client_id(it.new_id(), ETHER) == Absent("hd" + f"{it.ids:024x}")
        (row, *_) = it.desk.rows()
        for path, most in (("GET /capi/v3/openOrders", 100), ("GET /capi/v3/order/history", 1000)):
            it.server.replies[path] = json.dumps(
                [{**row, "orderId": n, "clientOrderId": "x"} for n in range(1, 1 + most)]
            )
            assert isinstance(await it.orders.find_by_client_id(it.new_id(), ETHER), Unknown)
            it.heal()


@pytest.mark.parametrize("name", ["okx", "mexc"])
async def test_an_order_is_margined_as_the_position_it_changes(name: str) -> None:
    """An isolated position is reduced and added to as an isolated one; without a position it is cross margin."""
    venue = BY_NAME[name]
    async with trading(venue) as it:
        held = it.desk.venue.positions[venue.market_id]
        for isolated in (False, True):
            if isolated and name == "okx":
                held = it.desk.venue.positions[venue.market_id] = replace(held, margin=D(100))
            elif isolated:
                held = it.desk.venue.positions[venue.market_id] = replace(held, isolated=True)
            for reduce_only in (True, False):
                approved = it.intent(reduce_only=reduce_only)
                assert isinstance(await it.orders.submit(approved), Accepted)
                asked = it.desk.asked[-1]
                if name == "okx":
                    assert asked["tdMode"] == ("isolated" if isolated else "cross")
                else:
                    assert (asked["openType"], asked.get("leverage")) == ((1, 10) if isolated else (2, None))
        it.desk.venue.positions.clear()
        assert isinstance(await it.orders.submit(it.intent(reduce_only=False)), Accepted)
        asked = it.desk.asked[-1]
        assert asked.get("tdMode", "cross") == "cross"
        assert asked.get("openType", 2) == 2


@pytest.mark.parametrize("name", ["okx", "mexc"])
async def test_no_order_leaves_while_nobody_knows_how_its_position_is_margined(name: str) -> None:
    """The position cannot be read, is of a mode that is not known, or is there twice: nothing is sent, in words."""
    venue = BY_NAME[name]
    async with trading(venue) as it:
        await it.orders.submit(it.intent())
        (path,) = venue.asks_first
        right = it.server.sent[path]
        (row,) = [each for each in json.loads(right)["data"] if venue.market_id in each.values()]
        mode = "mgnMode" if name == "okx" else "openType"
        odd = [{**row, mode: "3"}], [row, {**row, mode: "isolated" if name == "okx" else 1}]
        told = [{**json.loads(right), "data": rows} for rows in odd]
        sent = len(it.server.writes)
        for reply in ("<html>", "{}", *map(json.dumps, told)):
            it.server.replies[path] = reply
            outcome = await it.orders.submit(it.intent())
            assert isinstance(outcome, Rejected), reply
            assert outcome.reason.startswith("nothing was sent"), outcome
        assert "twice" in outcome.reason
        assert len(it.server.writes) == sent


async def test_the_portfolio_margin_account_of_binance_has_no_countdown() -> None:
    """Its endpoints have none: nothing is armed, and nothing sent to those of another account."""
    wallets = ("spot", "portfolio")
    bench = functools.partial(binance_bench.bench, wallets=wallets)
    async with trading(replace(BY_NAME["binance"], wallets=wallets, bench=bench)) as it:
        assert it.orders.countdown is None
        assert await it.orders.arm_countdown(30, [ETHER]) == frozenset()
        assert it.server.writes == []


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
