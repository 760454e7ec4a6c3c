"""Orders at Bybit: linear contracts in coins, inverse ones in dollars, as positions are counted.

Orders are taken in the background: an acknowledged one may not show at once. An order is asked for by our id among the
open and newly ended ones, then in the history, then among the fills. The order's row tells the fee.

The venue has no countdown that could be armed: its 'disconnect cancel all' counts from the loss of a private websocket
that listens to it, and is open to institutions only. An order that would not wait in the book is taken, and cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.bybit_replies import all_pages, envelope, paged
from hedged.adapters.exchanges.dialects.order_rows import Names, echoed, row_shape, venue_id, written
from hedged.adapters.exchanges.dialects.orders import (
    WINDOW,
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
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Scalar, number
from hedged.errors import VenueError
from hedged.model.order import OrderStatus, Side

_NAMES = Names(
    client_id="orderLinkId",
    venue_id="orderId",
    market="symbol",
    status="orderStatus",
    filled="cumExecQty",
    average="avgPrice",
    statuses={
        "Created": OrderStatus.OPEN,
        "New": OrderStatus.OPEN,
        "PartiallyFilled": OrderStatus.OPEN,
        "PendingCancel": OrderStatus.OPEN,
        "Filled": OrderStatus.FILLED,
        "Cancelled": OrderStatus.CANCELLED,
        "PartiallyFilledCanceled": OrderStatus.CANCELLED,
        "Rejected": OrderStatus.REJECTED,
    },
    quantity="qty",
    price="price",
    sides={"Buy": Side.BUY, "Sell": Side.SELL},
    venue_id_form=re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[1-9][0-9]{0,39}", re.ASCII),
)
_DONE = envelope({"orderId": Scalar.PRESENT, "orderLinkId": Scalar.PRESENT})
_ORDERS = paged(row_shape(_NAMES))
_SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
_PAGE = 50  # rows, the most


class BybitOrders(OrderDialect):
    exchange: ClassVar[str] = "bybit"
    names: ClassVar[Names] = _NAMES
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/v5/market/time"): Endpoint("server time", Record({"time": Scalar.NUMBER})),
        ("POST", "/v5/order/create"): Endpoint("order", _DONE),
        ("POST", "/v5/order/cancel"): Endpoint("cancelling", _DONE),
        ("GET", "/v5/order/realtime"): Endpoint("open orders", _ORDERS),
        ("GET", "/v5/order/history"): Endpoint("order history", _ORDERS),
        ("GET", "/v5/execution/list"): Endpoint("fills", paged({"symbol": Scalar.TEXT})),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # 10000, 10006, 10016 and 170007 are not here: time-outs, limits and errors of the venue's own
            NotLetIn: "10003 10004 10005 10007 10008 10009 10010 10020 10024 10027 10028 10029 33004",
            OutOfTime: "10002",
            NotPlaced: (
                "10001 110003 110016 110017 110020 110021 110023 110034 110037 110094 "  # parameters, limits
                "110004 110006 110007 110012 110044 110045 110051 110052 110053 "  # margin
                "110039 110040 110041 110042 110063 110066 110068 110069 110070"  # closed, forbidden
            ),
            Duplicate: "10014 12141 110030 110072 170141",
            NoSuchOrder: "110001 110008 110010 170213",
        }
    )

    def error_code(self, reply: Row) -> str:
        return str(reply.get("retCode", reply.get("ret_code", "")))

    def prepare(self, exchange: Any) -> None:
        exchange.options["recvWindow"] = WINDOW

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        reply = await exchange.privatePostV5OrderCreate(
            {
                **_market(ticket.key),
                "side": _SIDES[ticket.side],
                "orderType": "Limit",
                "timeInForce": "PostOnly" if ticket.post_only else "IOC",
                "qty": written(ticket.quantity),
                "price": written(ticket.price),
                "positionIdx": 0,  # refused in hedge mode
                "reduceOnly": ticket.reduce_only,
                "orderLinkId": ticket.key.client_order_id,
            }
        )
        echoed(reply["result"], "orderLinkId", ticket.key.client_order_id)
        return venue_id(reply["result"], "orderId", _NAMES.venue_id_form)

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        asked = {**_market(key), "orderLinkId": key.client_order_id}

        async def rows(ask: Any) -> Sequence[Row]:
            listed: Sequence[Row] = (await ask(asked))["result"]["list"]
            return listed

        async def fills() -> Sequence[Row]:
            if await rows(exchange.privateGetV5ExecutionList):
                raise Misshapen("there are fills of an order that is not shown")
            return ()

        yield Place(lambda: rows(exchange.privateGetV5OrderRealtime), exact=True)
        yield Place(lambda: rows(exchange.privateGetV5OrderHistory), exact=True)
        yield Place(fills)

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        return await all_pages(exchange.privateGetV5OrderRealtime, {**_market(market), "limit": _PAGE})

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await exchange.privatePostV5OrderCancel({**_market(key), "orderLinkId": key.client_order_id})

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        """By asset where the venue tells it so, else in the contract's settlement coin."""
        detail = row.get("cumFeeDetail")
        if isinstance(detail, dict) and len(detail) == 1:
            asset = next(iter(detail))
            return number(detail, asset), str(asset)
        return number(row, "cumExecFee"), key.contract.settle


def _market(key: MarketKey) -> dict[str, str]:
    return {"category": "linear" if key.contract.linear else "inverse", "symbol": key.market_id}
