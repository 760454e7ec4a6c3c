"""What is particular about orders at Bitget: margin coins, products, lists that are null, and its documented replies."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.dialects.bitget_desk import segment
from hedged.adapters.exchanges.dialects.orders import MarketKey
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, Found, OpenOrder, OrderStatus, Rejected, Side, Unknown
from tests.contract.order_venues import ETHER, VENUES, Bench, trading
from tests.venues.bitget_bench import COIN_DATED, COIN_PERPETUAL
from tests.venues.bitget_venue import CONTRACTS, Held

D = Decimal
BITGET = next(venue for venue in VENUES if venue.exchange == "bitget")
DETAIL, PENDING, HISTORY = BITGET.lookups
POSITIONS = "/api/v2/mix/position/all-position"
USDC_PERPETUAL = InstrumentId("main:ETH/USDC:USDC")

# as the venue's documentation has them, but for our id and an ETHUSDT in capitals as it is sent
ORDER = {
    "symbol": "ETHUSDT",
    "size": "2",
    "orderId": "123456",
    "clientOid": "OURS",
    "baseVolume": "2",
    "priceAvg": "1900",
    "fee": "",
    "price": "1900",
    "state": "filled",
    "side": "buy",
    "force": "gtc",
    "totalProfits": "2112",
    "posSide": "long",
    "marginCoin": "usdt",
    "quoteVolume": "1900",
    "orderType": "limit",
    "leverage": "20",
    "marginMode": "cross",
    "reduceOnly": "yes",
    "enterPointSource": "api",
    "posMode": "one_way_mode",
    "orderSource": "normal",
    "cTime": "1627300098776",
    "uTime": "1627300098776",
}
PARTLY = {
    **{name: value for name, value in ORDER.items() if name != "state"},
    "size": "100",
    "orderId": "123",
    "clientOid": "12321",
    "baseVolume": "12.1",
    "priceAvg": "1903",
    "status": "partially_filled",
}


def ok(data: Any) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "requestTime": 1695823012595, "data": data}


def listed(rows: Any, end: Any) -> dict[str, Any]:
    return ok({"entrustedList": rows, "endId": end})


async def look_up(it: Bench, path: str, reply: Any) -> Found | Absent | Unknown:
    name = it.new_id()
    it.server.replies[path] = json.dumps(reply).replace("OURS", name)
    found = await it.orders.find_by_client_id(name, ETHER)
    it.heal()
    return found


async def test_every_contract_is_asked_for_in_its_own_product() -> None:
    """By what it is quoted and settled in, as the venue lists it."""
    async with trading(BITGET) as it:
        markets = await it.reader.markets()
        assert {market_id: segment(MarketKey(market_id, each)) for market_id, each in markets.contracts.items()} == {
            market_id: row[0] for market_id, row in CONTRACTS.items()
        }


@pytest.mark.parametrize(
    ("instrument", "market_id", "product", "coin"),
    [
        (USDC_PERPETUAL, "ETHPERP", "USDC-FUTURES", "USDC"),
        (COIN_PERPETUAL, "BTCUSD", "COIN-FUTURES", "BTC"),
        (COIN_DATED, "ETHUSDZ26", "COIN-FUTURES", "ETH"),
        (InstrumentId("main:ETH/USDT:USDT-261225"), "ETHUSDTZ26", "USDT-FUTURES", "USDT"),
    ],
)
async def test_every_kind_of_contract_is_traded(
    instrument: InstrumentId, market_id: str, product: str, coin: str
) -> None:
    """A new position takes the coin that its contract is settled in, with cross margin; its fee is told in it."""
    async with trading(BITGET) as it:
        it.desk.venue.positions.clear()
        mark = it.desk.mark(market_id)
        _, lot = it.desk.rules(market_id)
        short = it.intent(
            instrument=instrument, quantity=100 * lot, side=Side.SELL, limit=mark * D("0.995"), reduce_only=False
        )
        assert isinstance(await it.orders.submit(short), Accepted)
        (asked,) = it.desk.asked
        assert (asked["symbol"], asked["productType"], asked["marginCoin"]) == (market_id, product, coin)
        assert asked["marginMode"] == "crossed"
        assert it.desk.position(market_id) == -100 * lot
        found = await it.orders.find_by_client_id(short.intent.client_order_id, instrument)
        assert isinstance(found, Found)
        assert (found.filled, found.average_price, found.fee_asset) == (100 * lot, mark, coin)


@pytest.mark.parametrize(("coin", "isolated"), [("USDC", None), ("BTC", D(1)), ("USDC", D(500))])
async def test_an_order_is_margined_as_the_position_it_changes(coin: str, isolated: Decimal | None) -> None:
    """By whatever coin the user chose for it, cross or isolated, when it is reduced and when it is added to."""
    async with trading(BITGET) as it:
        it.desk.venue.positions = {"BTCUSD": Held(D("-0.1"), D(50000), coin, isolated)}
        for side, limit, reduce_only in ((Side.BUY, D(60300), True), (Side.SELL, D(59700), False)):
            approved = it.intent(
                instrument=COIN_PERPETUAL, side=side, quantity=D("0.01"), limit=limit, reduce_only=reduce_only
            )
            assert isinstance(await it.orders.submit(approved), Accepted)
            asked = it.desk.asked[-1]
            assert (asked["marginCoin"], asked["marginMode"]) == (coin, "crossed" if isolated is None else "isolated")


async def test_no_order_leaves_while_nobody_knows_how_its_position_is_margined() -> None:
    """The position cannot be read, is of a mode that is not known, is held twice or in hedge mode: nothing is sent."""
    async with trading(BITGET) as it:
        await it.orders.submit(it.intent())
        (row,) = json.loads(it.server.sent[f"GET {POSITIONS}"])["data"]
        said = []
        for rows in (
            [{**row, "marginMode": "3"}],
            [row, {**row, "marginMode": "isolated"}],
            [{**row, "posMode": "hedge_mode"}],
            [{**row, "marginCoin": ""}],
            {},
        ):
            it.server.replies[POSITIONS] = json.dumps(ok(rows))
            outcome = await it.orders.submit(it.intent())
            assert isinstance(outcome, Rejected), rows
            assert outcome.reason.startswith("nothing was sent"), outcome
            said.append(outcome.reason)
        assert "twice" in said[1]
        assert "one-way mode" in said[2]
        assert len(it.server.writes) == 1


async def test_no_positions_are_believed_only_where_no_money_is_at_risk() -> None:
    """The venue's null is 'none' for an account without profit or risk; with a position behind it nothing is sent."""
    async with trading(BITGET) as it:
        it.server.replies[POSITIONS] = json.dumps(ok(None))
        held = await it.orders.submit(it.intent(side=Side.SELL, limit=D(2985), reduce_only=False))
        assert isinstance(held, Rejected)
        assert "no positions in USDT-FUTURES are told" in held.reason
        assert it.server.writes == []
        it.desk.venue.positions.clear()
        free = await it.orders.submit(it.intent(side=Side.SELL, limit=D(2985), reduce_only=False))
        assert isinstance(free, Accepted)


async def test_a_list_that_is_null_is_none_only_if_its_end_is_too() -> None:
    """Rows that are missing from a list that has an end are missing, and not absent; an end must be told with rows."""
    async with trading(BITGET) as it:
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        for path in (PENDING, HISTORY):
            for rows, end in ((None, None), ([], ""), ([], None)):
                assert isinstance(await look_up(it, path, listed(rows, end)), Absent), (path, rows, end)
            for rows, end in ((None, "123"), ([], "123"), ({}, None), ([{}], "123"), ([PARTLY], None), ("", "")):
                assert isinstance(await look_up(it, path, listed(rows, end)), Unknown), (path, rows, end)


async def test_an_order_that_pushed_others_out_of_the_book_is_found() -> None:
    """Its acknowledgement has no id of the venue's: unknown, then found under it."""
    async with trading(BITGET) as it:
        approved = it.intent()
        it.server.first_done.add(BITGET.create)
        it.server.replies[BITGET.create] = json.dumps(ok({"clientOid": approved.intent.client_order_id}))
        assert isinstance(await it.orders.submit(approved), Unknown)
        it.heal()
        found = await it.orders.find_by_client_id(approved.intent.client_order_id, ETHER)
        assert isinstance(found, Found)
        assert found.filled == BITGET.lot


@pytest.mark.parametrize("code", ["40010", "40015", "40200", "40776", "45023", "43002", "50008", "99999"])
async def test_codes_that_do_not_say_whether_there_is_an_order(code: str) -> None:
    """Time-outs, maintenance, 'error creating order', and codes that nobody documents: unknown."""
    async with trading(BITGET) as it:
        it.strike(BITGET.create, f"code:{code}")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)


async def test_a_refusal_counts_under_either_status() -> None:
    """The venue's pages have refused orders under status 400 and under 200: by its code, and only if none is there."""
    async with trading(BITGET) as it:
        it.server.replies[BITGET.create] = json.dumps(BITGET.no(BITGET.believed))
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert "40762" in outcome.reason
        it.server.first_done.add(BITGET.create)
        assert isinstance(await it.orders.submit(it.intent()), Accepted)


async def test_documented_orders_are_read_as_they_are() -> None:
    """Status under either of its names, size, price; a fee that is blank is none that is known; another's is not ours."""
    async with trading(BITGET) as it:
        assert isinstance(await look_up(it, DETAIL, ok({**ORDER, "clientOid": "77777"})), Unknown)
        assert isinstance(await look_up(it, DETAIL, ok({**ORDER, "symbol": "BTCUSDT"})), Unknown)
        for name in ("state", "status"):
            told = {field: value for field, value in ORDER.items() if field != "state"} | {name: "filled"}
            found = await look_up(it, DETAIL, ok(told))
            assert isinstance(found, Found)
            assert (found.venue_order_id, found.status) == ("123456", OrderStatus.FILLED)
            assert (found.filled, found.average_price) == (2, 1900)
            assert (found.fee, found.fee_asset) == (None, None)
        charged = await look_up(it, DETAIL, ok({**ORDER, "fee": "-0.00854", "marginCoin": "USDT"}))
        assert isinstance(charged, Found)
        assert (charged.fee, charged.fee_asset) == (D("0.00854"), "USDT")
        assert isinstance(await look_up(it, DETAIL, ok({**ORDER, "state": "init"})), Unknown)

        it.server.replies[PENDING] = json.dumps(listed([PARTLY], "123"))
        assert await it.orders.open_orders(ETHER) == (OpenOrder(None, "123", Side.BUY, D(100), D("12.1"), D(1900)),)
