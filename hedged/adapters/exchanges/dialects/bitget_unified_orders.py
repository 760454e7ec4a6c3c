"""Orders of Bitget's unified account, in coins, always with cross margin: with isolated positions it is not read.

An order is asked for by our id, then among the open ones and the newest of the history. An id may be used again once
its order has ended: before an order is sent it is asked for by the id, and in the history. Fees are told as paid. The
venue's countdown confirms neither that it runs nor for how long, and is open by arrangement only: it is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects import bitget_unified
from hedged.adapters.exchanges.dialects.bitget_desk import PAGE, ROW, page_of, segment, the_one
from hedged.adapters.exchanges.dialects.order_rows import written
from hedged.adapters.exchanges.dialects.orders import (
    Backing,
    Duplicate,
    MarketKey,
    NoSuchOrder,
    NotLetIn,
    NotPlaced,
    OrderKey,
    Ticket,
)
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, check, number, text
from hedged.errors import VenueError

_POSITIONS = ("GET", "/api/v3/position/current-position")
_DONE = Record({"data": Record({"orderId": Scalar.PRESENT, "clientOid": Scalar.PRESENT})})
_LISTED = Record({"data": Record({"list": Scalar.PRESENT, "cursor": Scalar.PRESENT})})
_FEES = Rows({"feeCoin": Scalar.TEXT, "fee": Scalar.NUMBER}, at_least=1)
# the venue's name of a field → that of the classic account
_SPELLING = {"orderStatus": "status", "cumExecQty": "baseVolume", "avgPrice": "priceAvg", "qty": "size"}

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    _POSITIONS: bitget_unified.ENDPOINTS[_POSITIONS],
    ("POST", "/api/v3/trade/place-order"): Endpoint("order", _DONE),
    ("POST", "/api/v3/trade/cancel-order"): Endpoint("cancelling", _DONE),
    ("GET", "/api/v3/trade/order-info"): Endpoint("order by id", Record({"data": Record(ROW)})),
    ("GET", "/api/v3/trade/unfilled-orders"): Endpoint("open orders", _LISTED),
    ("GET", "/api/v3/trade/history-orders"): Endpoint("newest orders", _LISTED),
}

CODES: Mapping[type[VenueError], str] = {
    # 25000 25001 25003 25004 25209 25210 25239 and the like are not here: errors, time-outs, 'please try again'
    NotLetIn: "25013 25245 25620 40084",
    NotPlaced: (
        "25100 25200 25201 25205 25206 25207 25208 25244 25610 25611 25654 25655 "  # parameters, contract, price
        "25202 25203 25219 25223 25229 25230 25233 25234 25235 "  # margin, limits
        "25225 25226 25227 25231 25232 25242 25236 25237 "  # nothing to reduce, position mode
        "25006 25007 25008 25012 25101 25102 25103 25104 25105 25106 25108 25211 25213 25214 25215 25216 25243 25567"
    ),
    Duplicate: "25212",
    NoSuchOrder: "25204",
}


class UnifiedDesk:
    frees_ids = True

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        reply = await exchange.privateUtaGetV3PositionCurrentPosition(_market(market))
        held = the_one(bitget_unified.position_rows(reply), market)
        if held is not None and held["marginMode"] != "crossed":
            raise Misshapen(bitget_unified.ISOLATED)
        return Backing()

    async def send(self, exchange: Any, ticket: Ticket) -> Row:
        reply = await exchange.privateUtaPostV3TradePlaceOrder(
            {
                **_market(ticket.key),
                "side": ticket.side.value,  # without posSide: refused in hedge mode
                "orderType": "limit",
                "timeInForce": "post_only" if ticket.post_only else "ioc",
                "qty": written(ticket.quantity),
                "price": written(ticket.price),
                "reduceOnly": "yes" if ticket.reduce_only else "no",
                "clientOid": ticket.key.client_order_id,
            }
        )
        data: Row = reply["data"]
        return data

    async def one(self, exchange: Any, key: OrderKey) -> Row:
        reply = await exchange.privateUtaGetV3TradeOrderInfo({"clientOid": key.client_order_id})
        return _classic(reply["data"], key)

    async def waiting(self, exchange: Any, market: MarketKey, after: str) -> tuple[Sequence[Row], str]:
        asked = {**_market(market), "limit": str(PAGE), **({"cursor": after} if after else {})}
        rows, end = page_of(await exchange.privateUtaGetV3TradeUnfilledOrders(asked), "list", "cursor")
        return [_classic(row, market) for row in rows], end

    async def ended(self, exchange: Any, key: OrderKey) -> Sequence[Row]:
        asked = {**_market(key), "limit": str(PAGE)}
        rows, _ = page_of(await exchange.privateUtaGetV3TradeHistoryOrders(asked), "list", "cursor")
        return [_classic(row, key) for row in rows]

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        asked = {"category": segment(key), "clientOid": key.client_order_id}
        await exchange.privateUtaPostV3TradeCancelOrder(asked)

    def fee(self, row: Row) -> tuple[Decimal | None, str | None]:
        """The sum of the order's fees, paid whatever its sign; None where they are in more than one coin."""
        check(row["feeDetail"], _FEES, "feeDetail")
        coins = {text(each, "feeCoin") for each in row["feeDetail"]}
        if len(coins) != 1:
            return None, None
        return abs(sum((number(each, "fee") for each in row["feeDetail"]), Decimal(0))), coins.pop()


def _market(market: MarketKey) -> dict[str, str]:
    return {"category": segment(market), "symbol": market.market_id}


def _classic(row: Row, market: MarketKey) -> Row:
    """An order under the names that the classic account has. A spot pair is called as a contract is: never taken."""
    if str(row.get("category")).upper() != segment(market):
        raise Misshapen("the order is of another category")
    return {_SPELLING.get(name, name): value for name, value in row.items()}
