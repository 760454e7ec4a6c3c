"""What is particular about orders of Bitget's unified account: categories, one margin, fees, its documented replies."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, Found, OpenOrder, OrderStatus, Rejected, Side, Unknown
from tests.contract.order_venues import ETHER, VENUES, Bench, trading
from tests.venues.bitget_bench import COIN_DATED, COIN_PERPETUAL

D = Decimal
UNIFIED = next(venue for venue in VENUES if venue.name == "bitget uta")
INFO, UNFILLED, HISTORY = UNIFIED.lookups
POSITIONS = "/api/v3/position/current-position"

# as the venue's documentation has them: a spot order, one that waits, and one that has ended
SPOT = {
    "orderId": "111111111111111111",
    "clientOid": "OURS",
    "category": "SPOT",
    "symbol": "ETHUSDT",
    "orderType": "market",
    "side": "buy",
    "price": "0",
    "qty": "0",
    "amount": "100",
    "cumExecQty": "0.0372",
    "cumExecValue": "99.853356",
    "avgPrice": "2684.23",
    "timeInForce": "gtc",
    "orderStatus": "filled",
    "posSide": "",
    "holdMode": "",
    "tradeSide": "open",
    "reduceOnly": "NO",
    "feeDetail": [{"feeCoin": "ETH", "fee": "0.00000744"}],
    "cancelReason": "",
    "execType": "",
    "createdTime": "1730295766596",
    "updatedTime": "1730295766691",
}
WAITING = {
    **SPOT,
    "category": "USDT-FUTURES",
    "orderType": "limit",
    "price": "45000",
    "qty": "0.01",
    "amount": "0",
    "cumExecQty": "0",
    "cumExecValue": "0",
    "avgPrice": "0",
    "orderStatus": "live",
    "feeDetail": [{"feeCoin": None, "fee": None}],
}
ENDED = {
    **WAITING,
    "side": "sell",
    "price": "49534.4",
    "qty": "0.429",
    "cumExecQty": "0.429",
    "cumExecValue": "21250.2929",
    "avgPrice": "49534.4",
    "orderStatus": "filled",
    "feeDetail": [{"feeCoin": "USDT", "fee": "4.2500586"}],
}


def ok(data: Any) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "requestTime": 1730369201783, "data": data}


def listed(rows: Any, cursor: Any) -> dict[str, Any]:
    return ok({"list": rows, "cursor": cursor})


async def look_up(it: Bench, path: str, reply: Any) -> Found | Absent | Unknown:
    name = it.new_id()
    it.server.replies[path] = json.dumps(reply).replace("OURS", name)
    found = await it.orders.find_by_client_id(name, ETHER)
    it.heal()
    return found


@pytest.mark.parametrize(
    ("instrument", "market_id", "category", "coin"),
    [
        (InstrumentId("main:ETH/USDC:USDC"), "ETHPERP", "USDC-FUTURES", "USDC"),
        (COIN_PERPETUAL, "BTCUSD", "COIN-FUTURES", "BTC"),
        (COIN_DATED, "ETHUSDZ26", "COIN-FUTURES", "ETH"),
        (InstrumentId("main:ETH/USDT:USDT-261225"), "ETHUSDTZ26", "USDT-FUTURES", "USDT"),
    ],
)
async def test_every_kind_of_contract_is_traded(
    instrument: InstrumentId, market_id: str, category: str, coin: str
) -> None:
    """In its own category, without a word of margin or of a side to keep apart; the fee is in what settles it."""
    async with trading(UNIFIED) as it:
        it.desk.venue.positions.clear()
        mark = it.desk.mark(market_id)
        _, lot = it.desk.rules(market_id)
        short = it.intent(
            instrument=instrument, quantity=100 * lot, side=Side.SELL, limit=mark * D("0.995"), reduce_only=False
        )
        assert isinstance(await it.orders.submit(short), Accepted)
        (asked,) = it.desk.asked
        assert (asked["symbol"], asked["category"], asked["reduceOnly"]) == (market_id, category, "no")
        assert not {"posSide", "marginMode", "marginCoin"} & set(asked)
        found = await it.orders.find_by_client_id(short.intent.client_order_id, instrument)
        assert isinstance(found, Found)
        assert (found.filled, found.average_price, found.fee_asset) == (100 * lot, mark, coin)


async def test_no_order_leaves_for_a_position_that_is_not_shared_margin() -> None:
    """Isolated, in hedge mode, twice, or not to be read: nothing is sent, and it is said why."""
    async with trading(UNIFIED) as it:
        await it.orders.submit(it.intent())
        (row,) = json.loads(it.server.sent[f"GET {POSITIONS}"])["data"]["list"][:1]
        said = []
        for rows in (
            [{**row, "marginMode": "isolated"}],
            [{**row, "holdMode": "hedge_mode"}],
            [row, row],
            [{**row, "marginMode": "3"}],
            {},
        ):
            it.server.replies[POSITIONS] = json.dumps(ok({"list": rows}))
            outcome = await it.orders.submit(it.intent())
            assert isinstance(outcome, Rejected), rows
            assert outcome.reason.startswith("nothing was sent"), outcome
            said.append(outcome.reason)
        assert "cross margin" in said[0]
        assert "one-way mode" in said[1]
        assert "twice" in said[2]
        assert len(it.server.writes) == 1


async def test_an_account_in_hedge_mode_is_refused_by_the_venue() -> None:
    """Without a position that would tell the mode, the order is refused instead of opening another side."""
    async with trading(UNIFIED) as it:
        it.desk.venue.positions, it.desk.venue.pos_mode = {}, "hedge_mode"
        assert isinstance(await it.orders.submit(it.intent(reduce_only=False)), Rejected)
        assert it.desk.asked
        assert it.desk.orders == []


async def test_an_order_under_the_same_name_in_the_spot_market_is_not_taken_for_ours() -> None:
    """A pair and a contract are both ETHUSDT: by our id alone the venue shows whatever has it."""
    async with trading(UNIFIED) as it:
        assert isinstance(await look_up(it, INFO, ok(SPOT)), Unknown)
        for path in (UNFILLED, HISTORY):
            assert isinstance(await look_up(it, path, listed([SPOT], "1")), Unknown), path


async def test_documented_orders_are_read_as_they_are() -> None:
    """Waiting, being matched, filled with its fee, cancelled; a fee in two coins has no sum."""
    async with trading(UNIFIED) as it:
        waiting = await look_up(it, INFO, ok(WAITING))
        assert isinstance(waiting, Found)
        assert (waiting.status, waiting.filled, waiting.average_price) == (OrderStatus.OPEN, 0, None)
        matching = await look_up(it, INFO, ok({**WAITING, "orderStatus": "new"}))
        assert isinstance(matching, Found)
        assert matching.status is OrderStatus.OPEN
        for path, reply in ((INFO, ok(ENDED)), (HISTORY, listed([ENDED], "1233319323918499840"))):
            ended = await look_up(it, path, reply)
            assert isinstance(ended, Found), path
            assert (ended.venue_order_id, ended.status) == ("111111111111111111", OrderStatus.FILLED)
            assert (ended.filled, ended.average_price) == (D("0.429"), D("49534.4"))
            assert (ended.fee, ended.fee_asset) == (D("4.2500586"), "USDT")
        cancelled = await look_up(it, INFO, ok({**WAITING, "orderStatus": "cancelled"}))
        assert isinstance(cancelled, Found)
        assert cancelled.status is OrderStatus.CANCELLED
        fees = [{"feeCoin": "USDT", "fee": "-3"}, {"feeCoin": "USDT", "fee": "-1.5"}]
        several = await look_up(it, INFO, ok({**ENDED, "feeDetail": fees}))
        mixed = await look_up(it, INFO, ok({**ENDED, "feeDetail": [*fees, {"feeCoin": "BGB", "fee": "1"}]}))
        assert isinstance(several, Found)
        assert isinstance(mixed, Found)
        assert (several.fee, several.fee_asset) == (D("4.5"), "USDT")
        assert (mixed.filled, mixed.fee) == (D("0.429"), None)

        it.server.replies[UNFILLED] = json.dumps(listed([WAITING], "1235058132196622336"))
        assert await it.orders.open_orders(ETHER) == (
            OpenOrder(None, "111111111111111111", Side.BUY, D("0.01"), D(0), D(45000)),
        )


async def test_a_list_that_is_null_is_none_only_if_its_end_is_too() -> None:
    """Rows that are missing from a list that goes on are missing, and not absent."""
    async with trading(UNIFIED) as it:
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        for path in (UNFILLED, HISTORY):
            for rows, cursor in ((None, None), ([], None), ([], "")):
                assert isinstance(await look_up(it, path, listed(rows, cursor)), Absent), (path, rows, cursor)
            for rows, cursor in ((None, "123"), ([], "123"), ({}, None), ([{}], "123"), ("", "")):
                assert isinstance(await look_up(it, path, listed(rows, cursor)), Unknown), (path, rows, cursor)


@pytest.mark.parametrize("code", ["25000", "25001", "25003", "25239", "40725", "45001", "99999"])
async def test_codes_that_do_not_say_whether_there_is_an_order(code: str) -> None:
    """Errors of the venue's own, time-outs, and codes that nobody documents: unknown."""
    async with trading(UNIFIED) as it:
        it.strike(UNIFIED.create, f"code:{code}")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)


async def test_a_second_order_of_an_id_is_not_sent() -> None:
    """The venue would take it once the first has ended; also where the query by our id has forgotten that."""
    async with trading(UNIFIED) as it:
        approved = it.intent()
        first = await it.orders.submit(approved)
        assert isinstance(first, Accepted)
        it.clock.advance(600)
        for blind in (set(), {UNIFIED.lookups[0]}):
            it.server.blind = blind
            it.server.requests.clear()
            assert await it.orders.submit(approved) == first
            assert it.server.writes == []
        it.server.blind = set(UNIFIED.lookups)
        assert isinstance(await it.orders.submit(approved), Accepted)
        assert len(it.desk.orders) == 2, "or the venue refuses it, and this shows nothing"


async def test_an_id_that_was_used_before_shows_the_order_that_has_it_now() -> None:
    """The venue frees an id with the end of its order: what is looked up is in our market, or unknown."""
    async with trading(UNIFIED) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        (first,) = it.desk.orders
        it.desk.orders.append(replace(first, number=first.number + 1, market_id="BTCUSDT"))
        name = approved.intent.client_order_id
        found = await it.orders.find_by_client_id(name, ETHER)
        assert isinstance(found, Found), "the history of the market has it"
        assert found.venue_order_id == str(first.number)
