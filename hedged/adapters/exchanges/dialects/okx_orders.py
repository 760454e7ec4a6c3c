"""Orders at OKX, in contracts of every kind, with cross margin.

An order is asked for by our id; that query forgets an unfilled order two hours after its end. Pending orders and the
newest of the history are second opinions. The fee is in the order's own row, negative where it is paid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.okx_quotes import instrument_type
from hedged.adapters.exchanges.dialects.orders import (
    WINDOW,
    Duplicate,
    Names,
    NoSuchOrder,
    NotLetIn,
    NotPlaced,
    OrderDialect,
    OrderKey,
    OutOfTime,
    Place,
    Ticket,
    codes,
    echoed,
    row_shape,
    venue_id,
    written,
)
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, number, text
from hedged.errors import VenueError
from hedged.model.order import OrderStatus

_NAMES = Names(
    client_id="clOrdId",
    venue_id="ordId",
    market="instId",
    status="state",
    filled="accFillSz",
    average="avgPx",
    statuses={
        "live": OrderStatus.OPEN,
        "partially_filled": OrderStatus.OPEN,
        "filled": OrderStatus.FILLED,
        "canceled": OrderStatus.CANCELLED,
        "mmp_canceled": OrderStatus.CANCELLED,
    },
)
_ORDERS = Record({"data": Rows(row_shape(_NAMES))})
_DONE = Record(
    {"data": Rows({"ordId": Scalar.PRESENT, "clOrdId": Scalar.PRESENT, "sCode": Scalar.PRESENT}, at_least=1)}
)
_NEWEST = 100  # a page


class OkxOrders(OrderDialect):
    exchange: ClassVar[str] = "okx"
    names: ClassVar[Names] = _NAMES
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v5/public/time"): Endpoint(
            "server time", Record({"data": Rows({"ts": Scalar.NUMBER}, at_least=1)})
        ),
        ("POST", "/api/v5/trade/order"): Endpoint("order", _DONE),
        ("POST", "/api/v5/trade/cancel-order"): Endpoint("cancelling", _DONE),
        ("GET", "/api/v5/trade/order"): Endpoint("order by id", _ORDERS),
        ("GET", "/api/v5/trade/orders-pending"): Endpoint("open orders", _ORDERS),
        ("GET", "/api/v5/trade/orders-history"): Endpoint("newest orders", _ORDERS),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # 50001, 50004, 50013, 50026 and the like are not here: the venue itself does not know, or is overloaded
            NotLetIn: (
                "50100 50101 50103 50104 50105 50106 50107 50110 50111 50112 50113 50114 50119 50120 50030 50007 50027"
            ),
            OutOfTime: "50102",
            NotPlaced: (
                "50014 50015 50016 51000 51001 51002 51015 "  # parameters
                "51004 51005 51006 51007 51020 51031 51100 51101 51105 51106 51116 51120 51121 51122 "  # quantity
                "51135 51136 51137 51138 51008 51119 51127 51131 "  # price limits, margin
                "51021 51022 51027 51028 51029 51030 51009 51010 51024 51155 "  # contract or account closed
                "51112 51169 51170 51205 51023 51103 51104 51107 51174 51185"  # reduce-only, limits
            ),
            Duplicate: "51016",
            NoSuchOrder: "51603 51400 51401 51402 51410",
        }
    )

    def error_code(self, reply: Row) -> str:
        """A refused order has the code that counts in its row, under a general one."""
        rows = reply.get("data")
        if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict):
            own = rows[0].get("sCode", "")
            if own not in {"", "0"} if isinstance(own, str) else False:
                return str(own)
        return str(reply.get("code", ""))

    def prepare(self, exchange: Any) -> None:
        """Orders expire like those of other venues: OKX takes a request for 30 s unless a header says less."""
        sign: Callable[..., dict[str, Any]] = exchange.sign

        def signed(path: str, api: Any = "public", method: str = "GET", params: Any = None) -> dict[str, Any]:
            request = sign(path, api, method, {} if params is None else params)
            if (method, path) == ("POST", "trade/order"):
                request["headers"]["expTime"] = str(int(exchange.nonce()) + WINDOW)
            return request

        exchange.sign = signed

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        reply = await exchange.privatePostTradeOrder(
            {
                "instId": ticket.key.market_id,
                "tdMode": "cross",
                "side": ticket.side.value,
                "posSide": "net",  # refused in hedge mode
                "ordType": "ioc",
                "sz": written(ticket.quantity),
                "px": written(ticket.price),
                "reduceOnly": ticket.reduce_only,
                "clOrdId": ticket.key.client_order_id,
            }
        )
        if len(reply["data"]) != 1:
            raise Misshapen("data has more than the one order")
        row = reply["data"][0]
        if text(row, "sCode") != "0":
            raise Misshapen("sCode is not 0")
        echoed(row, "clOrdId", ticket.key)
        return venue_id(row, "ordId")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        async def by_id() -> Sequence[Row]:
            reply = await exchange.privateGetTradeOrder({"instId": key.market_id, "clOrdId": key.client_order_id})
            rows: Sequence[Row] = reply["data"]
            if not rows:
                raise Misshapen("the look-up is empty")  # this venue says by a code that there is none
            return rows

        async def listed(ask: Any) -> Sequence[Row]:
            reply = await ask(
                {"instType": instrument_type(key.contract), "instId": key.market_id, "limit": str(_NEWEST)}
            )
            rows: Sequence[Row] = reply["data"]
            return rows

        yield Place(by_id, exact=True)
        yield Place(lambda: listed(exchange.privateGetTradeOrdersPending))
        yield Place(lambda: listed(exchange.privateGetTradeOrdersHistory))

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await exchange.privatePostTradeCancelOrder({"instId": key.market_id, "clOrdId": key.client_order_id})

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        return -number(row, "fee"), text(row, "feeCcy")
