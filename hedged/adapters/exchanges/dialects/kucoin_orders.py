"""Orders at KuCoin's futures, in contracts of every kind, margined as the position they change; a new one cross.

A contract is set to cross or to isolated margin, and an order that says the other is refused: with no position in one
that is set to isolated margin nothing is sent, for its leverage would be anybody's guess. Under cross margin the venue
goes by its own setting and overlooks an order's leverage; what is added to an isolated position is backed at no more
than the leverage that it has.

An order is asked for by our id; that query may not know an order yet that was filled a moment ago. The open orders and
those that ended today are second opinions; fills do not carry our id. The fee is that of the order's fills of today.
There is no countdown: what the venue has for that is not finished, by its own word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.order_rows import (
    Names,
    echoed,
    every_page,
    paid,
    row_shape,
    venue_id,
    written,
)
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
from hedged.adapters.exchanges.guard import Endpoint, RateLimited
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, flag, number, positive, text
from hedged.errors import VenueError
from hedged.model.order import Found, OrderStatus, Side

_ID = re.compile(r"[1-9][0-9]{0,39}|[0-9a-f]{24}", re.ASCII)  # old ones have letters
_NAMES = Names(
    client_id="clientOid",
    venue_id="id",
    market="symbol",
    status="status",
    filled="filledSize",
    average="avgDealPrice",
    statuses={
        "open": OrderStatus.OPEN,
        "filled": OrderStatus.FILLED,  # in our words: the venue has `done` for each end, see `_standing`
        "done": OrderStatus.CANCELLED,
    },
    quantity="size",
    price="price",
    sides={"buy": Side.BUY, "sell": Side.SELL},
    venue_id_form=_ID,
)
TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
_ROW = row_shape(_NAMES)
_NO_SUCH = "100001 orderNotExist"
_NEWEST = 100  # a page
_COLLATERALISED = 1  # what ccxt says of every order; under cross margin it is overlooked


class KucoinOrders(OrderDialect):
    exchange: ClassVar[str] = "kucoin"
    names: ClassVar[Names] = _NAMES
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v1/timestamp"): Endpoint("server time", Record({"data": NUMBER})),
        ("POST", "/api/v1/orders"): Endpoint("order", Record({"data": Record({"orderId": PRESENT})})),
        ("DELETE", "/api/v1/orders/client-order/{}"): Endpoint("cancelling", Record({"data": PRESENT})),
        ("GET", "/api/v1/positions"): Endpoint(
            "position", Record({"data": Rows({"symbol": TEXT, "currentQty": NUMBER, "crossMode": PRESENT})})
        ),
        ("GET", "/api/v2/position/getMarginMode"): Endpoint(
            "margin mode", Record({"data": Record({"symbol": TEXT, "marginMode": TEXT})})
        ),
        ("GET", "/api/v1/orders/byClientOid"): Endpoint("order by id", Record({"data": Record(_ROW)})),
        ("GET", "/api/v1/orders"): Endpoint("open orders", Record({"data": Record({"items": Rows(_ROW)})})),
        ("GET", "/api/v1/recentDoneOrders"): Endpoint("newest orders", Record({"data": Rows(_ROW)})),
        ("GET", "/api/v1/recentFills"): Endpoint(
            "fills", Record({"data": Rows({"orderId": PRESENT, "size": NUMBER, "fee": NUMBER, "feeCurrency": TEXT})})
        ),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # 300002, 400100, 429000, 500000 and the like are not here: the venue is busy, or says it of several things
            NotLetIn: ("400001 400003 400004 400005 400006 400007 400008 400009 400010 400301 400303 411100 415000"),
            OutOfTime: "400002",
            NotPlaced: (
                "40010 100003 200003 300000 300001 300003 300005 300006 300007 300008 300009 300011 300012 300014 "
                "300015 300016 330005 330008 330011 330012"
            ),
            Duplicate: "300018",
            RateLimited: "200002",
        }
    ) | {_NO_SUCH: NoSuchOrder}

    def error_code(self, reply: Row) -> str:
        """A code that the venue has for invalid parameters as well says by its message that there is no such order."""
        code = str(reply.get("code", ""))
        return _NO_SUCH if code == "100001" and "orderNotExist" in str(reply.get("msg")) else code

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        rows = (await exchange.futuresPrivateGetPositions())["data"]
        held = [row for row in rows if row["symbol"] == market.market_id and number(row, "currentQty")]
        if len(held) > 1:
            raise Misshapen(f"{market.market_id} is held twice, although the account should be in one-way mode")
        if not held:
            await _set_to_cross(exchange, market)
            return Backing()
        if flag(held[0], "crossMode"):
            return Backing()
        leverage = positive(held[0], "realLeverage")
        return Backing(isolated=True, leverage=max(leverage // 1, Decimal(_COLLATERALISED)))

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        backing = ticket.backing
        reply = await exchange.futuresPrivatePostOrders(
            {
                "clientOid": ticket.key.client_order_id,
                "symbol": ticket.key.market_id,
                "side": ticket.side.value,
                "type": "limit",
                "size": _whole(ticket.quantity),
                "price": written(ticket.price),
                "timeInForce": "GTC" if ticket.post_only else "IOC",
                "postOnly": ticket.post_only,
                "reduceOnly": ticket.reduce_only,
                "marginMode": "ISOLATED" if backing.isolated else "CROSS",
                "leverage": _COLLATERALISED if backing.leverage is None else _whole(backing.leverage),
                "positionSide": "BOTH",  # refused in hedge mode
            }
        )
        data = reply["data"]
        if "clientOid" in data:  # left out of the older of the venue's samples
            echoed(data, "clientOid", ticket.key.client_order_id)
        return venue_id(data, "orderId", _ID)

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        async def by_id() -> Sequence[Row]:
            reply = await exchange.futuresPrivateGetOrdersByClientOid({"clientOid": key.client_order_id})
            return _told([reply["data"]])

        async def done() -> Sequence[Row]:
            return _told((await exchange.futuresPrivateGetRecentDoneOrders({"symbol": key.market_id}))["data"])

        yield Place(by_id, exact=True)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(done)

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        async def page(which: int) -> Sequence[Row]:
            asked = {"symbol": market.market_id, "status": "active", "currentPage": 1 + which, "pageSize": _NEWEST}
            return _told((await exchange.futuresPrivateGetOrders(asked))["data"]["items"])

        return await every_page(page, _NEWEST, _NAMES.venue_id)

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await exchange.futuresPrivateDeleteOrdersClientOrderClientOid(
            {"symbol": key.market_id, "clientOid": key.client_order_id}
        )

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        own = venue_id(row, _NAMES.venue_id, _ID)
        fills = (await exchange.futuresPrivateGetRecentFills({"symbol": key.market_id}))["data"]
        mine = [fill for fill in fills if fill["orderId"] == own]
        fee, asset = paid(mine, number(row, _NAMES.filled), quantity="size", fee="fee", asset="feeCurrency")
        return fee, None if asset is None else exchange.safe_currency_code(asset)

    async def _found(self, exchange: Any, key: OrderKey, row: Row) -> Found:
        found = await super()._found(exchange, key, {**row, "status": _standing(row)})
        expired = found.status is OrderStatus.CANCELLED and not flag(row, "cancelExist")
        return replace(found, status=OrderStatus.EXPIRED) if expired else found


async def _set_to_cross(exchange: Any, market: MarketKey) -> None:
    mode = (await exchange.futuresPrivateGetPositionGetMarginMode({"symbol": market.market_id}))["data"]
    if mode["symbol"] != market.market_id or mode["marginMode"] not in {"CROSS", "ISOLATED"}:
        raise Misshapen("the margin mode of the contract is none that is understood")
    if mode["marginMode"] == "ISOLATED":
        raise Misshapen(f"{market.market_id} is set to isolated margin: switch it to cross margin at KuCoin")


def _told(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows, without an id of ours as other venues have it that were placed by hand: blank."""
    return [{**row, "clientOid": ""} if row["clientOid"] is None else row for row in rows]


def _standing(row: Row) -> str:
    """How an order stands, where the venue says by two fields alone whether it has ended."""
    status = text(row, "status")
    if flag(row, "isActive") is not (status == "open"):
        raise Misshapen("status and isActive contradict each other")
    return "filled" if status == "done" and number(row, "filledSize") == positive(row, "size") else status


def _whole(value: Decimal) -> int:
    """As a JSON number, which is what the venue takes."""
    if value != value.to_integral_value():
        raise Misshapen(f"{value:f} is not a whole number")
    return int(value)
