"""Orders at MEXC's futures, in contracts of every kind, margined as the position they change; a new one cross.

An order is asked for by our id (`externalOid`); the open orders and the newest of the history are second opinions. An
acknowledgement does not repeat our id. Orders by API are not open to every account: see the codes 6001 to 6009. The
venue has no countdown that would cancel what is open if we die.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.order_rows import Names, every_page, row_shape, venue_id
from hedged.adapters.exchanges.dialects.orders import (
    Backing,
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
from hedged.adapters.exchanges.shapes import Fields, Misshapen, Record, Row, Rows, Scalar, check, number, positive, text
from hedged.errors import VenueError
from hedged.model.order import OrderStatus, Side

_NAMES = Names(
    client_id="externalOid",
    venue_id="orderId",
    market="symbol",
    status="state",
    filled="dealVol",
    average="dealAvgPrice",
    statuses={
        "1": OrderStatus.OPEN,  # on its way into the book
        "2": OrderStatus.OPEN,
        "3": OrderStatus.FILLED,
        "4": OrderStatus.CANCELLED,
        "5": OrderStatus.REJECTED,
    },
    quantity="vol",
    price="price",
    sides={"1": Side.BUY, "2": Side.BUY, "3": Side.SELL, "4": Side.SELL},
)
NUMBER = Scalar.NUMBER
_ROW: Fields = row_shape(_NAMES)
_LISTED = Record({"success": Scalar.TRUE, "data": Rows(_ROW)})
_PRIVATE = "/api/v1/private/order"
_POST_ONLY, _IOC = 2, 3
_ISOLATED, _CROSS, _ONE_WAY = 1, 2, 2
_NEWEST = 100  # a page

# (buys, only reduces) → open long, close short, open short, close long
_SIDES = {(True, False): 1, (True, True): 2, (False, False): 3, (False, True): 4}


class MexcOrders(OrderDialect):
    exchange: ClassVar[str] = "mexc"
    names: ClassVar[Names] = _NAMES
    valid_for: ClassVar[float] = 10.0  # the venue's own limit
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v3/time"): Endpoint("server time", Record({"serverTime": Scalar.NUMBER})),
        ("POST", f"{_PRIVATE}/create"): Endpoint(
            "order", Record({"success": Scalar.TRUE, "data": Record({"orderId": Scalar.PRESENT})})
        ),
        ("POST", f"{_PRIVATE}/cancel_with_external"): Endpoint("cancelling", Record({"success": Scalar.PRESENT})),
        ("GET", "/api/v1/private/position/open_positions"): Endpoint(
            "position",
            Record(
                {"success": Scalar.TRUE, "data": Rows({"symbol": Scalar.TEXT, "holdVol": NUMBER, "openType": NUMBER})}
            ),
        ),
        ("GET", f"{_PRIVATE}/external/{{}}/{{}}"): Endpoint(
            "order by id", Record({"success": Scalar.TRUE, "data": Scalar.PRESENT})
        ),
        ("GET", f"{_PRIVATE}/list/open_orders/{{}}"): Endpoint("open orders", _LISTED),
        ("GET", f"{_PRIVATE}/list/history_orders"): Endpoint("newest orders", _LISTED),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # 500, 501, 510 and 801 are not here: the venue does not know, or is busy; and 6008 is 'order placed'
            NotLetIn: "401 402 406 602 511 701 702 703 704",
            OutOfTime: "513",
            NotPlaced: (
                "600 601 1000 1001 1002 1003 1004 2001 2002 2003 2004 2005 2006 2007 2008 2009 2011 2015 "
                "2021 2022 2025 2027 2028 2029 2030 2031 2032 2033 2036 2038 2039 2049 2051 2057 "
                "6001 6002 6005 6009 7002 7003 7004 7005 7008 7009 8816 8819 8820"
            ),
            Duplicate: "603 2042",
            NoSuchOrder: "2040",
        }
    )

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        reply = await exchange.contractPrivateGetPositionOpenPositions({"symbol": market.market_id})
        held = [row for row in reply["data"] if row["symbol"] == market.market_id and number(row, "holdVol")]
        if len(held) > 1:
            raise Misshapen(f"{market.market_id} is held twice, although the account should be in one-way mode")
        kinds = {number(row, "openType") for row in held}
        if kinds - {_ISOLATED, _CROSS}:
            raise Misshapen("openType is neither cross nor isolated")
        return Backing(isolated=True, leverage=positive(held[0], "leverage")) if _ISOLATED in kinds else Backing()

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        backing = ticket.backing
        leverage = {} if backing.leverage is None else {"leverage": _as_json(backing.leverage)}
        reply = await exchange.contractPrivatePostOrderCreate(
            {
                "symbol": ticket.key.market_id,
                "price": _as_json(ticket.price),
                "vol": _as_json(ticket.quantity),
                "side": _SIDES[ticket.side is Side.BUY, ticket.reduce_only],
                "type": _POST_ONLY if ticket.post_only else _IOC,
                "openType": _ISOLATED if backing.isolated else _CROSS,
                "positionMode": _ONE_WAY,  # refused in hedge mode
                "reduceOnly": ticket.reduce_only,
                "externalOid": ticket.key.client_order_id,
                **leverage,
            }
        )
        return venue_id(reply["data"], "orderId")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        async def by_id() -> Sequence[Row]:
            row = (
                await exchange.contractPrivateGetOrderExternalSymbolExternalOid(
                    {"symbol": key.market_id, "external_oid": key.client_order_id}
                )
            )["data"]
            if row is None:
                return ()
            check(row, Record(_ROW), "the order")
            return (row,)

        yield Place(by_id, exact=True)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(lambda: _page(exchange.contractPrivateGetOrderListHistoryOrders, key, 0))

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        ask = exchange.contractPrivateGetOrderListOpenOrdersSymbol
        return await every_page(lambda page: _page(ask, market, page), _NEWEST, _NAMES.venue_id)

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await exchange.contractPrivatePostOrderCancelWithExternal(
            {"symbol": key.market_id, "externalOid": key.client_order_id}
        )

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        return number(row, "takerFee") + number(row, "makerFee"), text(row, "feeCurrency")


async def _page(ask: Any, market: MarketKey, page: int) -> Sequence[Row]:
    asked = {"symbol": market.market_id, "page_num": 1 + page, "page_size": _NEWEST}
    rows: Sequence[Row] = (await ask(asked))["data"]
    return rows


def _as_json(value: Decimal) -> int | float:
    """The value as a JSON number, which is what this venue takes, if that loses no digit."""
    if value == value.to_integral_value():
        return int(value)
    if Decimal(repr(float(value))) != value:
        raise Misshapen(f"{value:f} has more digits than can be sent")
    return float(value)
