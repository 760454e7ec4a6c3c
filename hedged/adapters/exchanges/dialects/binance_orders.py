"""Orders at Binance: USD-M (in coins) and COIN-M (in contracts), by the classic account or the portfolio margin one.

An order is asked for by our id; that query forgets an unfilled order after three days. The open orders and the newest
of all orders are second opinions, for an order that the query does not show yet. Fees are told by the fills alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.order_rows import Names, echoed, paid, row_shape, venue_id, written
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
from hedged.model.instrument import Instrument
from hedged.model.order import OrderStatus

NUMBER, TEXT = Scalar.NUMBER, Scalar.TEXT

_NAMES = Names(
    client_id="clientOrderId",
    venue_id="orderId",
    market="symbol",
    status="status",
    filled="executedQty",
    average="avgPrice",
    statuses={
        "NEW": OrderStatus.OPEN,
        "PARTIALLY_FILLED": OrderStatus.OPEN,
        "FILLED": OrderStatus.FILLED,
        "CANCELED": OrderStatus.CANCELLED,
        "REJECTED": OrderStatus.REJECTED,
        "EXPIRED": OrderStatus.EXPIRED,
        "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    },
    quantity="origQty",
    price="price",
)
_ROW = row_shape(_NAMES)
_FILL = {"orderId": Scalar.PRESENT, "qty": NUMBER, "commission": NUMBER, "commissionAsset": TEXT}
_NEWEST = 100  # the most that COIN-M gives


@dataclass(frozen=True, slots=True)
class _Segment:
    path: str  # before order, openOrders …
    method: tuple[str, str]  # ccxt's names for it: before and behind the HTTP verb


_FAPI, _DAPI = _Segment("/fapi/v1", ("fapiPrivate", "")), _Segment("/dapi/v1", ("dapiPrivate", ""))
_UM, _CM = _Segment("/papi/v1/um", ("papi", "Um")), _Segment("/papi/v1/cm", ("papi", "Cm"))


def _endpoints() -> Iterable[tuple[tuple[str, str], Endpoint]]:
    for segment in (_FAPI, _DAPI, _UM, _CM):
        order = Endpoint("order", Record(_ROW))
        yield ("POST", f"{segment.path}/order"), order
        yield ("DELETE", f"{segment.path}/order"), Endpoint("cancelling", Record({}))
        yield ("GET", f"{segment.path}/order"), Endpoint("order by id", Record(_ROW))
        yield ("GET", f"{segment.path}/openOrders"), Endpoint("open orders", Rows(_ROW))
        yield ("GET", f"{segment.path}/allOrders"), Endpoint("newest orders", Rows(_ROW))
        yield ("GET", f"{segment.path}/userTrades"), Endpoint("fills", Rows(_FILL))
    for segment in (_FAPI, _DAPI):  # the portfolio margin account has none
        armed = Record({"symbol": TEXT, "countdownTime": NUMBER})
        yield ("POST", f"{segment.path}/countdownCancelAll"), Endpoint("countdown", armed)


class BinanceOrders(OrderDialect):
    exchange: ClassVar[str] = "binance"
    names: ClassVar[Names] = _NAMES
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v3/time"): Endpoint("server time", Record({"serverTime": NUMBER})),
        **dict(_endpoints()),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # -1000 … -1008 and -1015 are not here: 'execution status unknown', 'disconnected', 'overloaded', 'too many'
            NotLetIn: "-1002 -1022 -2008 -2014 -2015 -2017",
            OutOfTime: "-1021",
            NotPlaced: (
                "-1100 -1101 -1102 -1103 -1104 -1105 -1106 -1111 -1115 -1116 -1117 -1121 -1122 -1130 "  # parameters
                "-2018 -2019 -2022 -2023 -2024 -2025 -2026 -2027 -2028 "  # margin, reduce-only, limits
                "-4001 -4002 -4003 -4004 -4005 -4013 -4014 -4015 -4016 -4023 -4024 -4061 "  # price, quantity, mode
                "-5022 "  # would not wait in the book
                "-4087 -4088 -4118 -4131 -4140 -4141 -4164 -4192 -4400 -4401 -4402 -5028"  # closed, forbidden, too late
            ),
            Duplicate: "-4111 -4116",
            NoSuchOrder: "-2013 -2011",
        }
    )

    def __init__(self, wallets: Sequence[str] = ()) -> None:
        super().__init__(wallets)
        self._portfolio = "portfolio" in wallets
        if not self._portfolio:
            self.countdown = Countdown(1, 3600, Covers.MARKET)

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        row = await self._call(exchange, ticket.key.contract, "Post", "Order")(
            {
                "symbol": ticket.key.market_id,
                "side": ticket.side.name,
                "positionSide": "BOTH",  # refused in hedge mode
                "type": "LIMIT",
                "timeInForce": "GTX" if ticket.post_only else "IOC",
                "quantity": written(ticket.quantity),
                "price": written(ticket.price),
                "reduceOnly": "true" if ticket.reduce_only else "false",
                "newClientOrderId": ticket.key.client_order_id,
                "newOrderRespType": "ACK",
                "recvWindow": WINDOW,
            }
        )
        echoed(row, "clientOrderId", ticket.key.client_order_id)
        return venue_id(row, "orderId")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        async def by_id() -> Sequence[Row]:
            asked = {"symbol": key.market_id, "origClientOrderId": key.client_order_id, "recvWindow": WINDOW}
            return [await self._call(exchange, key.contract, "Get", "Order")(asked)]

        yield Place(by_id, exact=True)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(lambda: self._listed(exchange, key, "AllOrders", limit=_NEWEST))

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        return await self._listed(exchange, market, "OpenOrders")

    async def _listed(self, exchange: Any, market: MarketKey, name: str, **more: Any) -> Sequence[Row]:
        rows: Sequence[Row] = await self._call(exchange, market.contract, "Get", name)(
            {"symbol": market.market_id, "recvWindow": WINDOW, **more}
        )
        return rows

    async def arm(self, exchange: Any, seconds: int, markets: Sequence[MarketKey]) -> Sequence[MarketKey]:
        """One countdown for each market."""
        for market in markets:
            row = await self._call(exchange, market.contract, "Post", "CountdownCancelAll")(
                {"symbol": market.market_id, "countdownTime": 1000 * seconds, "recvWindow": WINDOW}
            )
            if row["symbol"] != market.market_id or number(row, "countdownTime") != 1000 * seconds:
                raise Misshapen("the countdown is not the one that was asked for")
        return markets

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await self._call(exchange, key.contract, "Delete", "Order")(
            {"symbol": key.market_id, "origClientOrderId": key.client_order_id, "recvWindow": WINDOW}
        )

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        fills = await self._call(exchange, key.contract, "Get", "UserTrades")(
            {"symbol": key.market_id, "startTime": int(number(row, "time")), "recvWindow": WINDOW}
        )
        mine = [fill for fill in fills if fill["orderId"] == row["orderId"]]
        return paid(mine, number(row, "executedQty"), quantity="qty", fee="commission", asset="commissionAsset")

    def _call(self, exchange: Any, contract: Instrument, verb: str, name: str) -> Any:
        """The method of ccxt for an endpoint of the segment that the contract is in."""
        linear, inverse = (_UM, _CM) if self._portfolio else (_FAPI, _DAPI)
        segment = linear if contract.linear else inverse
        before, behind = segment.method
        return getattr(exchange, f"{before}{verb}{behind}{name}")
