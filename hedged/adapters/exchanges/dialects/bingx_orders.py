"""Orders at BingX: linear perpetuals in coins, coin-margined ones in contracts, as positions are counted.

An order is asked for by our id; open orders and the newest of all orders are second opinions. The venue cuts off digits
that are too many instead of refusing them: nothing but whole lots and ticks may be sent. It calls our id by two names,
`clientOrderId` on its pages and `clientOrderID` in some replies; both are sent, and either is read. A coin-margined
order's acknowledgement may not repeat it: then the order is unknown, and found by a look-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.bingx_shapes import data
from hedged.adapters.exchanges.dialects.order_rows import Names, echoed, venue_id, written
from hedged.adapters.exchanges.dialects.orders import (
    WINDOW,
    Countdown,
    Covers,
    Duplicate,
    MarketKey,
    NoSuchOrder,
    NotLetIn,
    NotPlaced,
    OrderDialect,
    OrderKey,
    OutOfTime,
    Place,
    Ticket,
    codes,
)
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, number
from hedged.errors import VenueError
from hedged.model.order import OrderStatus

_NAMES = Names(
    client_id="clientOrderId",
    venue_id="orderId",
    market="symbol",
    status="status",
    filled="executedQty",
    average="avgPrice",
    statuses={
        "NEW": OrderStatus.OPEN,
        "PENDING": OrderStatus.OPEN,
        "PARTIALLY_FILLED": OrderStatus.OPEN,
        "FILLED": OrderStatus.FILLED,
        "CANCELED": OrderStatus.CANCELLED,
        "CANCELLED": OrderStatus.CANCELLED,
        "EXPIRED": OrderStatus.EXPIRED,
        "FAILED": OrderStatus.REJECTED,
    },
    quantity="origQty",
    price="price",
)
_ROW = {"orderId": Scalar.PRESENT, "symbol": Scalar.TEXT}
_LISTED = data(Record({"orders": Rows(_ROW)}))
_LINEAR, _COINS = "/openApi/swap/v2/trade", "/openApi/cswap/v1/trade"
_NEWEST = 100


class BingXOrders(OrderDialect):
    exchange: ClassVar[str] = "bingx"
    names: ClassVar[Names] = _NAMES
    countdown = Countdown(10, 120, Covers.ACCOUNT)
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/openApi/swap/v2/server/time"): Endpoint("server time", data(Record({"serverTime": Scalar.NUMBER}))),
        ("POST", f"{_LINEAR}/order"): Endpoint("order", data(Record({"order": Record(_ROW)}))),
        ("DELETE", f"{_LINEAR}/order"): Endpoint("cancelling", Record({})),
        ("GET", f"{_LINEAR}/order"): Endpoint("order by id", data(Record({"order": Record(_ROW)}))),
        ("GET", f"{_LINEAR}/openOrders"): Endpoint("open orders", _LISTED),
        ("GET", f"{_LINEAR}/allOrders"): Endpoint("newest orders", _LISTED),
        ("POST", f"{_LINEAR}/cancelAllAfter"): Endpoint("countdown", data(Record({"status": Scalar.TEXT}))),
        ("POST", f"{_COINS}/order"): Endpoint("order", data(Record({}))),
        ("DELETE", f"{_COINS}/cancelOrder"): Endpoint("cancelling", Record({})),
        ("GET", f"{_COINS}/orderDetail"): Endpoint("order by id", data(Record({"order": Record(_ROW)}))),
        ("GET", f"{_COINS}/openOrders"): Endpoint("open orders", _LISTED),
        ("GET", f"{_COINS}/orderHistory"): Endpoint("newest orders", _LISTED),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # 100410, 100500, 101500, 80012, 109500, 110500 and the like are not here: busy, or unavailable
            NotLetIn: "100001 100004 100412 100413 100414 100419",
            OutOfTime: "100421",  # also 'restricted from API trading': nothing is placed either
            NotPlaced: (
                "80001 80014 100400 101204 101205 101209 101253 101400 101485 "  # parameters, margin, size
                "109400 109418 109425 110425"  # parameters, closed, notional
            ),
            Duplicate: "101481 109201",
            NoSuchOrder: "80016 109421",
        }
    )

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        linear = ticket.key.contract.linear
        send = exchange.swapV2PrivatePostTradeOrder if linear else exchange.cswapV1PrivatePostTradeOrder
        reply = await send(
            {
                "symbol": ticket.key.market_id,
                "side": ticket.side.name,
                "positionSide": "BOTH",  # refused in hedge mode
                "type": "LIMIT",
                "timeInForce": "PostOnly" if ticket.post_only else "IOC",
                "quantity": written(ticket.quantity),
                "price": written(ticket.price),
                "reduceOnly": "true" if ticket.reduce_only else "false",
                "clientOrderId": ticket.key.client_order_id,
                "clientOrderID": ticket.key.client_order_id,
                "recvWindow": WINDOW,
            }
        )
        row = _named(reply["data"].get("order", reply["data"]))
        echoed(row, "clientOrderId", ticket.key.client_order_id)
        return venue_id(row, "orderId")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        linear, market = key.contract.linear, _market(key)

        async def by_id() -> Sequence[Row]:
            ask = exchange.swapV2PrivateGetTradeOrder if linear else exchange.cswapV1PrivateGetTradeOrderDetail
            reply = await ask({**market, "clientOrderId": key.client_order_id})
            return [_named(reply["data"]["order"])]

        async def listed() -> Sequence[Row]:
            return _orders(await newest({**market, "limit": _NEWEST}))

        newest = exchange.swapV2PrivateGetTradeAllOrders if linear else exchange.cswapV1PrivateGetTradeOrderHistory
        yield Place(by_id, exact=True)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(listed)

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        linear = market.contract.linear
        ask = exchange.swapV2PrivateGetTradeOpenOrders if linear else exchange.cswapV1PrivateGetTradeOpenOrders
        return _orders(await ask(_market(market)))

    async def arm(self, exchange: Any, seconds: int, markets: Sequence[MarketKey]) -> Sequence[MarketKey]:
        """One countdown for all linear contracts; the venue has none for those margined in coins."""
        linear = [market for market in markets if market.contract.linear]
        if linear:
            asked = {"type": "ACTIVATE" if seconds else "CLOSE", "timeOut": seconds, "recvWindow": WINDOW}
            reply = await exchange.swapV2PrivatePostTradeCancelAllAfter(asked)
            if reply["data"]["status"] != ("ACTIVATED" if seconds else "CLOSED"):
                raise Misshapen("the countdown is not as it was asked for")
        return linear

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        linear = key.contract.linear
        send = exchange.swapV2PrivateDeleteTradeOrder if linear else exchange.cswapV1PrivateDeleteTradeCancelOrder
        await send({"symbol": key.market_id, "clientOrderId": key.client_order_id, "recvWindow": WINDOW})

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        """Told with either sign, and taken as paid: the venue's schedule has no rebate, for orders that wait either."""
        return abs(number(row, "commission")), key.contract.settle


def _market(market: MarketKey) -> dict[str, Any]:
    return {"symbol": market.market_id, "recvWindow": WINDOW}


def _orders(reply: Row) -> Sequence[Row]:
    return [_named(row) for row in reply["data"]["orders"]]


def _named(row: Row) -> Row:
    """With our id under its documented name, and the status in capitals, as linear orders have it."""
    shown = dict(row)
    shown["clientOrderId"] = row.get("clientOrderId", row.get("clientOrderID"))
    if shown["clientOrderId"] == "":
        shown["clientOrderId"] = row.get("clientOrderID", "")
    shown["status"] = str(shown.get("status", "")).upper()
    return shown
