"""Orders at OKX, in contracts of every kind, margined as the position they change; a new one with cross margin.

An order is asked for by our id; that query forgets an unfilled order two hours after its end. Pending orders and the
newest of the history are second opinions. The fee is in the order's own row, negative where it is paid. Orders carry a
tag, by which the venue's countdown cancels ours alone. One that would not wait in the book is taken, and cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.okx_quotes import instrument_type
from hedged.adapters.exchanges.dialects.order_rows import Names, echoed, row_shape, venue_id, written
from hedged.adapters.exchanges.dialects.orders import (
    WINDOW,
    Backing,
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
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, not_negative, number, text
from hedged.errors import VenueError
from hedged.model.order import OrderStatus, Side

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
    quantity="sz",
    price="px",
    sides={"buy": Side.BUY, "sell": Side.SELL},
)
_ORDERS = Record({"data": Rows(row_shape(_NAMES))})
_DONE = Record(
    {"data": Rows({"ordId": Scalar.PRESENT, "clOrdId": Scalar.PRESENT, "sCode": Scalar.PRESENT}, at_least=1)}
)
_NEWEST = 100  # a page
_PAGES_MAX = 10
_TAG = "hedged"


class OkxOrders(OrderDialect):
    exchange: ClassVar[str] = "okx"
    names: ClassVar[Names] = _NAMES
    countdown = Countdown(10, 120, Covers.OURS)
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v5/public/time"): Endpoint(
            "server time", Record({"data": Rows({"ts": Scalar.NUMBER}, at_least=1)})
        ),
        ("POST", "/api/v5/trade/order"): Endpoint("order", _DONE),
        ("POST", "/api/v5/trade/cancel-order"): Endpoint("cancelling", _DONE),
        ("POST", "/api/v5/trade/cancel-all-after"): Endpoint(
            "countdown", Record({"data": Rows({"triggerTime": Scalar.NUMBER}, at_least=1)})
        ),
        ("GET", "/api/v5/account/positions"): Endpoint(
            "position",
            Record({"data": Rows({"instId": Scalar.TEXT, "pos": Scalar.PRESENT, "mgnMode": Scalar.TEXT})}),
        ),
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

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        reply = await exchange.privateGetAccountPositions({"instId": market.market_id})
        held = [row for row in reply["data"] if row["instId"] == market.market_id and row["pos"] and number(row, "pos")]
        if len(held) > 1:
            raise Misshapen(f"{market.market_id} is held twice, cross and isolated: close one of the two")
        if held and held[0]["mgnMode"] not in {"cross", "isolated"}:
            raise Misshapen("mgnMode is neither cross nor isolated")
        return Backing(isolated=bool(held) and held[0]["mgnMode"] == "isolated")

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        reply = await exchange.privatePostTradeOrder(
            {
                "instId": ticket.key.market_id,
                "tdMode": "isolated" if ticket.backing.isolated else "cross",
                "side": ticket.side.value,
                "posSide": "net",  # refused in hedge mode
                "ordType": "post_only" if ticket.post_only else "ioc",
                "sz": written(ticket.quantity),
                "px": written(ticket.price),
                "reduceOnly": ticket.reduce_only,
                "clOrdId": ticket.key.client_order_id,
                "tag": _TAG,
            }
        )
        if len(reply["data"]) != 1:
            raise Misshapen("data has more than the one order")
        row = reply["data"][0]
        if text(row, "sCode") != "0":
            raise Misshapen("sCode is not 0")
        echoed(row, "clOrdId", ticket.key.client_order_id)
        return venue_id(row, "ordId")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        async def by_id() -> Sequence[Row]:
            reply = await exchange.privateGetTradeOrder({"instId": key.market_id, "clOrdId": key.client_order_id})
            rows: Sequence[Row] = reply["data"]
            if not rows:
                raise Misshapen("the look-up is empty")  # this venue says by a code that there is none
            return rows

        yield Place(by_id, exact=True)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(lambda: _listed(exchange.privateGetTradeOrdersHistory, key))

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        rows: list[Row] = []
        for _ in range(_PAGES_MAX):
            after = {"after": text(rows[-1], "ordId")} if rows else {}
            page = await _listed(exchange.privateGetTradeOrdersPending, market, **after)
            rows += page
            if len(page) < _NEWEST:
                return rows
        raise Misshapen(f"there are more than {_PAGES_MAX} pages of orders")

    async def arm(self, exchange: Any, seconds: int, markets: Sequence[MarketKey]) -> Sequence[MarketKey]:
        """One countdown for all orders with our tag."""
        reply = await exchange.privatePostTradeCancelAllAfter({"timeOut": str(seconds), "tag": _TAG})
        row = reply["data"][0]
        if row.get("tag", _TAG) != _TAG or bool(not_negative(row, "triggerTime")) is not bool(seconds):
            raise Misshapen("the countdown is not the one that was asked for")
        return markets

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await exchange.privatePostTradeCancelOrder({"instId": key.market_id, "clOrdId": key.client_order_id})

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        return -number(row, "fee"), text(row, "feeCcy")


async def _listed(ask: Any, market: MarketKey, **more: str) -> Sequence[Row]:
    asked = {"instType": instrument_type(market.contract), "instId": market.market_id, "limit": str(_NEWEST)}
    rows: Sequence[Row] = (await ask({**asked, **more}))["data"]
    return rows
