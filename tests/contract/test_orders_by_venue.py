"""What is particular about a venue's orders."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_orders import open_ccxt_orders
from hedged.errors import ConfigurationError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, Found, OpenOrder, OrderStatus, Rejected, Side, Unknown
from tests.contract.order_venues import ETHER, VENUES, OrderVenue, trading
from tests.venues import binance_bench, kucoin_bench

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
        ("kucoin", "position_mode", 1),
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


def margined(name: str, asked: Mapping[str, Any]) -> tuple[str, Any]:
    """How an order said that it is margined, and the leverage that it repeats."""
    if name == "mexc":
        return {1: "isolated", 2: "cross"}[asked["openType"]], asked.get("leverage")
    return asked["tdMode" if name == "okx" else "marginMode"].lower(), asked.get("leverage")


@pytest.mark.parametrize(("name", "isolated", "crossed"), [("okx", None, None), ("mexc", 10, None), ("kucoin", 5, 1)])
async def test_an_order_is_margined_as_the_position_it_changes(
    name: str, isolated: int | None, crossed: int | None
) -> None:
    """An isolated position is reduced and added to as an isolated one; without a position it is cross margin."""
    venue = BY_NAME[name]
    async with trading(venue) as it:
        for kind, leverage in (("cross", crossed), ("isolated", isolated)):
            held = it.desk.venue.positions[venue.market_id]
            if kind == "isolated":
                apart = {"isolated": True} if name == "mexc" else {"margin": D(100)}
                it.desk.venue.positions[venue.market_id] = replace(held, **apart)
            for reduce_only in (True, False):
                approved = it.intent(reduce_only=reduce_only)
                assert isinstance(await it.orders.submit(approved), Accepted)
                assert margined(name, it.desk.asked[-1]) == (kind, leverage)
        it.desk.venue.positions.clear()
        assert isinstance(await it.orders.submit(it.intent(reduce_only=False)), Accepted)
        assert margined(name, it.desk.asked[-1]) == ("cross", crossed)


@pytest.mark.parametrize("name", ["okx", "mexc", "kucoin"])
async def test_no_order_leaves_while_nobody_knows_how_its_position_is_margined(name: str) -> None:
    """The position cannot be read, is of a mode that is not known, or is there twice: nothing is sent, in words."""
    venue = BY_NAME[name]
    async with trading(venue) as it:
        await it.orders.submit(it.intent())
        (path,) = venue.asks_first
        right = it.server.sent[path]
        (row,) = [each for each in json.loads(right)["data"] if venue.market_id in each.values()]
        mode, isolated = {"okx": ("mgnMode", "isolated"), "mexc": ("openType", 1), "kucoin": ("crossMode", False)}[name]
        odd = [{**row, mode: "3"}], [row, {**row, mode: isolated}]
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


async def test_a_contract_of_kucoin_that_is_set_to_isolated_margin_is_not_opened() -> None:
    """Nothing is sent, and the way out is told; nor where the venue does not say how the contract is set."""
    async with trading(BY_NAME["kucoin"]) as it:
        it.desk.venue.positions.clear()
        it.desk.isolated.add("ETHUSDTM")
        outcome = await it.orders.submit(it.intent(reduce_only=False))
        assert isinstance(outcome, Rejected)
        assert outcome.reason == (
            "nothing was sent: position: ETHUSDTM is set to isolated margin: switch it to cross margin at KuCoin"
        )
        path = "GET /api/v2/position/getMarginMode"
        for data in ({"symbol": "ETHUSDTM"}, {"symbol": "XBTUSDTM", "marginMode": "CROSS"}, {"marginMode": "BOTH"}):
            it.server.replies[path] = json.dumps({"code": "200000", "data": {"symbol": "ETHUSDTM", **data}})
            assert isinstance(await it.orders.submit(it.intent(reduce_only=False)), Rejected), data
        it.heal()
        assert it.server.writes == []
        it.desk.isolated.clear()
        assert isinstance(await it.orders.submit(it.intent(reduce_only=False)), Accepted)


async def test_a_contract_whose_margin_was_switched_meanwhile_is_refused_by_kucoin() -> None:
    """Between our look and the order: the venue's own code, which is believed."""
    async with trading(BY_NAME["kucoin"]) as it:
        it.desk.venue.positions.clear()
        it.desk.isolated.add("ETHUSDTM")
        cross = {"symbol": "ETHUSDTM", "marginMode": "CROSS"}
        it.server.replies["GET /api/v2/position/getMarginMode"] = json.dumps({"code": "200000", "data": cross})
        outcome = await it.orders.submit(it.intent(reduce_only=False))
        assert isinstance(outcome, Rejected)
        assert "margin mode does not match the selected one" in outcome.reason


@pytest.mark.parametrize(("told", "sent"), [(4.9685590767, 4), (0.4, 1), ("25.92", 25), (0, None), (None, None)])
async def test_what_is_added_at_kucoin_is_backed_no_thinner_than_the_position(told: Any, sent: int | None) -> None:
    """The leverage of an isolated position is rounded down; one that is not told lets nothing leave."""
    async with trading(BY_NAME["kucoin"]) as it:
        it.desk.venue.positions["ETHUSDTM"] = replace(it.desk.venue.positions["ETHUSDTM"], margin=D(100))
        await it.reader.reader.derivatives()
        positions = json.loads(it.server.sent["GET /api/v1/positions"])
        for row in positions["data"]:
            row["realLeverage"] = told
        it.server.replies["GET /api/v1/positions"] = json.dumps(positions)
        outcome = await it.orders.submit(it.intent())
        if sent is None:
            assert isinstance(outcome, Rejected)
            assert outcome.reason.startswith("nothing was sent")
        else:
            assert isinstance(outcome, Accepted)
            assert it.desk.asked[-1]["leverage"] == sent


@pytest.mark.parametrize(
    ("said", "is_taken"), [({"clientOid": "OURS"}, True), ({}, True), ({"clientOid": "hd" + "f" * 24}, False)]
)
async def test_an_acknowledgement_of_kucoin_is_of_our_id_or_names_none(said: dict[str, str], is_taken: bool) -> None:
    """Its documentation shows acknowledgements with our id and without; one with another's acknowledges nothing."""
    async with trading(BY_NAME["kucoin"]) as it:
        approved = it.intent()
        name = approved.intent.client_order_id
        reply = {"code": "200000", "data": {"orderId": "234125150956625920", **said}}
        it.server.replies[it.venue.create] = json.dumps(reply).replace("OURS", name)
        outcome = await it.orders.submit(approved)
        assert outcome == Accepted(name, "234125150956625920") if is_taken else isinstance(outcome, Unknown)


async def test_a_code_of_kucoin_that_means_two_things_is_read_by_its_message() -> None:
    """100001 says that there is no such order, and that a parameter is invalid: only the first is an answer."""
    async with trading(BY_NAME["kucoin"]) as it:
        name, path = it.new_id(), "GET /api/v1/orders/byClientOid"
        for message, expected in (("error.getOrder.orderNotExist", Absent), ("There are invalid parameters", Unknown)):
            it.server.replies[path] = json.dumps({"code": "100001", "msg": message})
            assert isinstance(await it.orders.find_by_client_id(name, ETHER), expected), message


async def test_an_order_that_kucoin_does_not_know_by_its_id_yet_is_found_among_those_that_ended() -> None:
    """The query by id lags behind what was filled a moment ago; so may the fee, and is then not told."""
    async with trading(BY_NAME["kucoin"]) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        it.server.blind = {"GET /api/v1/orders/byClientOid", "GET /api/v1/recentFills"}
        found = await it.orders.find_by_client_id(approved.intent.client_order_id, ETHER)
        assert isinstance(found, Found)
        assert (found.filled, found.fee) == (1, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("isActive", True), ("isActive", None), ("status", "open"), ("status", "canceled"), ("size", 0)],
)
async def test_an_order_of_kucoin_whose_end_is_told_twice_and_differently_is_unknown(field: str, value: Any) -> None:
    """Whether it is active and how it stands have to agree."""
    async with trading(BY_NAME["kucoin"]) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        await it.orders.find_by_client_id(approved.intent.client_order_id, ETHER)
        path = "GET /api/v1/orders/byClientOid"
        reply = json.loads(it.server.sent[path])
        reply["data"][field] = value
        it.server.replies[path] = json.dumps(reply)
        assert isinstance(await it.orders.find_by_client_id(approved.intent.client_order_id, ETHER), Unknown)


async def test_orders_of_kucoin_as_its_documentation_shows_them() -> None:
    """An old id of letters, an average price of an inverse contract, a blank one, and somebody's order without an id."""
    row = {
        "id": "64507d02921f1c0001ff6892",
        "symbol": "XBTUSDM",
        "type": "limit",
        "side": "sell",
        "price": "60000",
        "size": 1000,
        "value": "0.01666",
        "dealSize": 1000,
        "timeInForce": "IOC",
        "clientOid": None,
        "isActive": False,
        "cancelExist": False,
        "createdAt": 1682996482000,
        "settleCurrency": "XBT",
        "status": "done",
        "filledValue": "0.01666",
        "filledSize": 1000,
        "avgDealPrice": "60024.01",
        "reduceOnly": False,
    }
    coin, path = InstrumentId("main:BTC/USD:BTC"), "GET /api/v1/orders/byClientOid"
    fill = {"symbol": "XBTUSDM", "orderId": row["id"], "size": 600, "fee": "0.00000600", "feeCurrency": "XBT"}
    async with trading(BY_NAME["kucoin"]) as it:
        name = it.new_id()
        it.server.replies[path] = json.dumps({"code": "200000", "data": row})
        assert isinstance(await it.orders.find_by_client_id(name, coin), Unknown)  # asked by our id, and without it
        ours = {**row, "clientOid": name}
        it.server.replies[path] = json.dumps({"code": "200000", "data": ours})
        fills = [fill, {**fill, "size": 400, "fee": "0.000004"}, {**fill, "orderId": "another"}]
        it.server.replies["GET /api/v1/recentFills"] = json.dumps({"code": "200000", "data": fills})
        found = await it.orders.find_by_client_id(name, coin)
        assert isinstance(found, Found)
        assert (found.venue_order_id, found.filled, found.average_price) == (row["id"], 1000, D("60024.01"))
        assert (found.fee, found.fee_asset) == (D("0.00001"), "BTC")
        ended = {**ours, "filledSize": 0, "cancelExist": False, "avgDealPrice": "0"}
        it.server.replies[path] = json.dumps({"code": "200000", "data": ended})
        found = await it.orders.find_by_client_id(name, coin)
        assert isinstance(found, Found)
        assert (found.status, found.average_price) == (OrderStatus.EXPIRED, None)
        listed = {"currentPage": 1, "pageSize": 100, "totalNum": 1, "totalPage": 1}
        waiting = {**row, "isActive": True, "status": "open", "filledSize": 0}
        it.server.replies["GET /api/v1/orders"] = json.dumps({"code": "200000", "data": {**listed, "items": [waiting]}})
        assert await it.orders.open_orders(coin) == (OpenOrder(None, row["id"], Side.SELL, D(1000), D(0), D(60000)),)


@pytest.mark.parametrize(
    ("instrument", "limit", "asset"),
    [
        (kucoin_bench.IN_USDC, D(2990), "USDC"),
        (kucoin_bench.INVERSE, D(59900), "BTC"),
        (kucoin_bench.INVERSE_DATED, D(59900), "BTC"),
        (InstrumentId("main:BTC/USDT:USDT"), D(59900), "USDT"),
    ],
)
async def test_kucoin_takes_orders_in_every_settlement(instrument: InstrumentId, limit: Decimal, asset: str) -> None:
    """Settled in USDT, USDC or the coin, perpetual or dated: sold at once, waiting, cancelled, and found each time."""
    async with trading(BY_NAME["kucoin"]) as it:
        how = {"instrument": instrument, "side": Side.SELL, "limit": limit, "reduce_only": False, "quantity": D(7)}
        taken, resting = it.intent(**how), it.intent(**how)
        assert isinstance(await it.orders.submit(taken), Accepted)
        found = await it.orders.find_by_client_id(taken.intent.client_order_id, instrument)
        assert isinstance(found, Found)
        assert (found.status, found.filled, found.fee_asset) == (OrderStatus.FILLED, 7, asset)
        assert isinstance(await it.orders.submit(resting, rest_at=limit * 2), Accepted)
        (waiting,) = await it.orders.open_orders(instrument)
        assert waiting.client_order_id == resting.intent.client_order_id
        ended = await it.orders.cancel(resting.intent.client_order_id, instrument)
        assert isinstance(ended, Found)
        assert ended.status is OrderStatus.CANCELLED


async def test_no_order_of_hedged_leaves_for_the_spot_market_of_kucoin() -> None:
    """Its path is that of the futures' on another host: every request of this line goes to the latter or for the time."""
    async with trading(BY_NAME["kucoin"]) as it:
        hosts = []
        fetch = it.orders._exchange.fetch

        async def seen(url: str, *rest: Any) -> Any:
            hosts.append(url.split("/")[2])
            return await fetch(url, *rest)

        it.orders._exchange.fetch = seen
        approved = it.intent()
        await it.orders.submit(approved)
        await it.orders.cancel(approved.intent.client_order_id, ETHER)
        assert set(hosts[1:]) == {"api-futures.kucoin.com"}
