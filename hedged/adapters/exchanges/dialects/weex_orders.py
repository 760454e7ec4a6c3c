"""Orders at WEEX, in coins, as positions are counted.

There is no look-up by our id: the open orders, then the history of 90 days, are searched for it, all pages of both.
What reduces is said by the side of the position: a buy for the short can close it and nothing else. The venue names no
code for an id that was used before, and none for too little margin: such orders are unknown, and looked up. Its test
system has no list of open orders, so none can be sent there. No order is documented that only ever waits in the book,
and no countdown that would cancel what is open if we die.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.order_rows import Names, echoed, every_page, paid, row_shape, venue_id, written
from hedged.adapters.exchanges.dialects.orders import (
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
from hedged.model.order import OrderStatus, Side

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
        "OPEN": OrderStatus.OPEN,
        "PARTIALLY_FILLED": OrderStatus.OPEN,
        "CANCELING": OrderStatus.OPEN,
        "FILLED": OrderStatus.FILLED,
        "CANCELED": OrderStatus.CANCELLED,
        "REJECTED": OrderStatus.REJECTED,
        "EXPIRED": OrderStatus.EXPIRED,
    },
    quantity="origQty",
    price="price",
)
_ROW = row_shape(_NAMES)
_OPEN_MAX, _HISTORY_MAX, _FILLS_MAX = 100, 1000, 100  # rows of a page
_DAY = 86_400_000  # milliseconds
_REMEMBERED = 90 * _DAY  # the longest range that may be asked for
_FILLS_RANGE = 7 * _DAY

# (buys, only reduces) → the position that the order is for
_POSITION_SIDES = {(True, False): "LONG", (True, True): "SHORT", (False, False): "SHORT", (False, True): "LONG"}


class WeexOrders(OrderDialect):
    exchange: ClassVar[str] = "weex"
    names: ClassVar[Names] = _NAMES
    sandbox: ClassVar[bool] = False
    post_only: ClassVar[bool] = False
    valid_for: ClassVar[float] = 30.0  # the venue's own limit
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v3/time"): Endpoint("server time", Record({"serverTime": Scalar.NUMBER})),
        ("POST", "/capi/v3/order"): Endpoint(
            "order", Record({"orderId": Scalar.PRESENT, "clientOrderId": Scalar.PRESENT})
        ),
        ("DELETE", "/capi/v3/order"): Endpoint("cancelling", Record({})),
        ("GET", "/capi/v3/openOrders"): Endpoint("open orders", Rows(_ROW)),
        ("GET", "/capi/v3/order/history"): Endpoint("order history", Rows(_ROW)),
        ("GET", "/capi/v3/userTrades"): Endpoint(
            "fills",
            Rows(
                {
                    "orderId": Scalar.PRESENT,
                    "qty": Scalar.NUMBER,
                    "commission": Scalar.NUMBER,
                    "commissionAsset": Scalar.TEXT,
                }
            ),
        ),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # -1000 and -1054 are not here: errors of the venue's own
            NotLetIn: "-1040 -1041 -1042 -1044 -1047 -1049 -1050 -1051 -1052 -1053 -1055 -1056 -1057 -1190 -3236",
            OutOfTime: "-1043 -1046",
            NotPlaced: (
                "-1045 -1058 -1115 -1116 -1117 -1121 -1128 -1135 -1140 -1141 -1142 -1160 -1180 "
                "-3006 -3007 -3235 -3313 -3613"
            ),
            NoSuchOrder: "-2200 -3200",
        }
    )

    def error_code(self, reply: Row) -> str:
        """An order is refused with status 200, too: `success` says so, and the code has another name."""
        if reply.get("success", True) is not True:
            return str(reply.get("errorCode", ""))
        return str(reply.get("code", ""))

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        row = await exchange.contractPrivatePostCapiV3Order(
            {
                "symbol": ticket.key.market_id,
                "side": ticket.side.name,
                "positionSide": _POSITION_SIDES[ticket.side is Side.BUY, ticket.reduce_only],
                "type": "LIMIT",
                "timeInForce": "IOC",
                "quantity": written(ticket.quantity),
                "price": written(ticket.price),
                "newClientOrderId": ticket.key.client_order_id,
            }
        )
        if row.get("success", True) is not True:
            raise Misshapen(f"success is not true, with the code {str(row.get('errorCode'))[:20]}")
        echoed(row, "clientOrderId", ticket.key.client_order_id)
        return venue_id(row, "orderId")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        asked = {"symbol": key.market_id, "limit": _HISTORY_MAX, "startTime": now - _REMEMBERED, "endTime": now}

        async def page(number_of_page: int) -> Sequence[Row]:
            rows: Sequence[Row] = await exchange.contractPrivateGetCapiV3OrderHistory({**asked, "page": number_of_page})
            return rows

        yield Place(lambda: self.waiting(exchange, key))
        yield Place(lambda: every_page(page, _HISTORY_MAX, _NAMES.venue_id))

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        asked = {"symbol": market.market_id, "limit": _OPEN_MAX}

        async def page(number_of_page: int) -> Sequence[Row]:
            rows: Sequence[Row] = await exchange.contractPrivateGetCapiV3OpenOrders({**asked, "page": number_of_page})
            return rows

        return await every_page(page, _OPEN_MAX, _NAMES.venue_id)

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await exchange.contractPrivateDeleteCapiV3Order({"origClientOrderId": key.client_order_id})

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        begun, now = int(number(row, "time")), int(exchange.nonce())
        fills = await exchange.contractPrivateGetCapiV3UserTrades(
            {
                "symbol": key.market_id,
                "startTime": begun,
                "endTime": min(now, begun + _FILLS_RANGE),
                "limit": _FILLS_MAX,
            }
        )
        mine = [fill for fill in fills if str(fill["orderId"]) == str(row["orderId"])]
        return paid(mine, number(row, "executedQty"), quantity="qty", fee="commission", asset="commissionAsset")
