"""Orders at Gate: perpetuals settled in USDT and BTC, and dated contracts, in contracts bought (> 0) or sold (< 0).

Our id is the order's `text`, behind a prefix. A perpetual's order is asked for by it, which the venue allows for a
minute after the order's end; of dated contracts it says nothing of such a query. Then all pages of the open orders are
read, and those that ended in the last days: what was not filled is among them for ten minutes. A fill that carries our
id, of an order that nobody shows, makes the order unknown.

The venue takes a second order of an id that it has, so before an order is sent it is asked for the id, and for the
newest of what has ended: a history however long keeps no order from leaving. It takes what was signed up to a minute
ago; of a perpetual's order we say that it expires earlier, which it documents for those alone. Fees are told by the
fills. How a position is margined is its own setting, and nothing that an order says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.gate_quotes import segment_of
from hedged.adapters.exchanges.dialects.gate_shapes import SEGMENTS, known
from hedged.adapters.exchanges.dialects.order_rows import Names, echoed, every_page, row_shape, venue_id, written
from hedged.adapters.exchanges.dialects.orders import (
    WINDOW,
    Countdown,
    Covers,
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
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, number
from hedged.errors import VenueError
from hedged.model.order import Found, OpenOrder, OrderStatus, Side

PRESENT, NUMBER = Scalar.PRESENT, Scalar.NUMBER

_NAMES = Names(  # some of them are what `_in_words` and `_in_amounts` make of a row
    client_id="text",
    venue_id="id",
    market="contract",
    status="status",
    filled="filled",
    average="fill_price",
    statuses={
        "open": OrderStatus.OPEN,
        "filled": OrderStatus.FILLED,
        "ioc": OrderStatus.EXPIRED,  # what is left of an order that does not wait
        "cancelled": OrderStatus.CANCELLED,
        "liquidated": OrderStatus.CANCELLED,
        "auto_deleveraged": OrderStatus.CANCELLED,
        "reduce_only": OrderStatus.CANCELLED,
        "position_closed": OrderStatus.CANCELLED,
        "reduce_out": OrderStatus.CANCELLED,
        "stp": OrderStatus.CANCELLED,  # it would have traded with the account itself
    },
    quantity="quantity",
    price="price",
    sides={"buy": Side.BUY, "sell": Side.SELL},
)
_ROW = row_shape(_NAMES)
_FILL = {"order_id": PRESENT, "text": PRESENT, "size": NUMBER}
_PREFIX = "t-"
_PAGE = 100  # rows
_LOOKED_BACK = 3 * 86400  # seconds after its end for which an order is searched for
_TOLERANCE = 1000  # milliseconds between the venue's clock and what we take it for


class _NoAccount(NotPlaced, NoSuchOrder):
    """Nothing was ever moved into the segment's account: it takes no order, and has none."""


def _endpoints() -> Iterator[tuple[tuple[str, str], Endpoint]]:
    for segment in SEGMENTS:
        orders = f"{segment.path}/orders"
        yield ("POST", orders), Endpoint("order", Record(_ROW), status=201)
        yield ("GET", orders), Endpoint("orders", Rows({**_ROW, "status": PRESENT}))
        yield ("DELETE", f"{orders}/{{}}"), Endpoint("cancelling", Record({}))
        yield ("GET", f"{segment.path}/my_trades"), Endpoint("fills", Rows(_FILL))
        if not segment.dated:
            yield ("GET", f"{orders}/{{}}"), Endpoint("order by id", Record({**_ROW, "status": PRESENT}))
            yield (
                ("POST", f"{segment.path}/countdown_cancel_all"),
                Endpoint("countdown", Record({"trigger_time": NUMBER})),
            )


class GateOrders(OrderDialect):
    exchange: ClassVar[str] = "gate"
    names: ClassVar[Names] = _NAMES
    valid_for: ClassVar[float] = 60.0  # the venue's own limit, of dated contracts the only one
    countdown = Countdown(5, 3600, Covers.MARKET)  # the venue names no longest one
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v4/spot/time"): Endpoint("server time", Record({"server_time": NUMBER})),
        **dict(_endpoints()),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(
        {
            # INTERNAL, SERVER_ERROR and TOO_BUSY are not here: the venue itself does not know
            NotLetIn: (
                "INVALID_KEY INVALID_CREDENTIALS INVALID_SIGNATURE MISSING_REQUIRED_HEADER FORBIDDEN READ_ONLY "
                "IP_FORBIDDEN ACCOUNT_LOCKED SUB_ACCOUNT_LOCKED"
            ),
            OutOfTime: "REQUEST_EXPIRED",
            RateLimited: "TOO_FAST TOO_MANY_REQUESTS",
            NotPlaced: (
                "INVALID_PARAM_VALUE INVALID_PROTOCOL INVALID_ARGUMENT INVALID_REQUEST_BODY MISSING_REQUIRED_PARAM "
                "INVALID_CONTENT_TYPE NOT_ACCEPTABLE METHOD_NOT_ALLOWED INVALID_PRECISION "
                "SIZE_TOO_LARGE SIZE_TOO_SMALL PRICE_TOO_DEVIATED PRICE_THRESHOLD_EXCEEDED PRICE_OVER_LIQUIDATION "
                "PRICE_OVER_BANKRUPT CONTRACT_NO_COUNTER "
                "INSUFFICIENT_AVAILABLE BALANCE_NOT_ENOUGH MARGIN_BALANCE_NOT_ENOUGH FUTURES_BALANCE_NOT_ENOUGH "
                "LIQUIDATE_IMMEDIATELY RISK_LIMIT_EXCEEDED LEVERAGE_TOO_HIGH LEVERAGE_TOO_LOW TOO_MANY_ORDERS "
                "POSITION_IN_LIQUIDATION POSITION_IN_CLOSE POSITION_EMPTY POSITION_DUAL_MODE "
                "INCREASE_POSITION REDUCE_EXCEEDED "  # reduce-only
                "ORDER_POC_IMMEDIATE POC_FILL_IMMEDIATELY "  # would not wait in the book
                "CONTRACT_NOT_FOUND CONTRACT_IN_DELISTING TRADE_RESTRICTED"
            ),
            _NoAccount: "USER_NOT_FOUND",
            NoSuchOrder: "ORDER_NOT_FOUND CLIENT_ID_NOT_FOUND",
        }
    )

    def error_code(self, reply: Row) -> str:
        return str(reply.get("label", ""))

    def prepare(self, exchange: Any) -> None:
        """Perpetuals' orders expire like those of other venues: Gate takes a request for a minute unless told."""
        sign: Callable[..., dict[str, Any]] = exchange.sign

        def signed(path: str, api: Any = "public", method: str = "GET", params: Any = None) -> dict[str, Any]:
            request = sign(path, api, method, {} if params is None else params)
            if (method, path) == ("POST", "{settle}/orders") and "futures" in api:
                request["headers"]["X-Gate-Exptime"] = str(int(exchange.nonce()) + WINDOW)
            return request

        exchange.sign = signed

    async def is_known(self, exchange: Any, key: OrderKey) -> bool:
        return await self._is_in(key, self._newest(exchange, key))

    def _newest(self, exchange: Any, key: OrderKey) -> Iterable[Place]:
        """Where an order is that was sent a while ago: by its id a perpetual's is known for a minute after its end."""
        if segment_of(key.contract).dated:
            yield Place(lambda: self.waiting(exchange, key))
        else:
            yield Place(lambda: _by_id(exchange, key), exact=True)
        yield Place(lambda: _page(exchange, key, "finished"))
        yield Place(lambda: _of_no_fill(exchange, key))

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        contract, size = ticket.key.contract, ticket.quantity * ticket.side.sign
        row = await _call(exchange, ticket.key, "Post", "Orders")(
            {
                **_market(ticket.key),
                "size": int(size) if contract.lot_size == int(contract.lot_size) else written(size),
                "price": written(ticket.price),
                "tif": "poc" if ticket.post_only else "ioc",
                "reduce_only": ticket.reduce_only,
                "text": _PREFIX + ticket.key.client_order_id,
            }
        )
        echoed(row, "text", _PREFIX + ticket.key.client_order_id)
        return venue_id(row, "id")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        if not segment_of(key.contract).dated:
            yield Place(lambda: _by_id(exchange, key), exact=True)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(lambda: _finished(exchange, key, now))
        yield Place(lambda: _of_no_fill(exchange, key))

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        return await every_page(lambda page: _page(exchange, market, "open", page), _PAGE, _NAMES.venue_id)

    async def arm(self, exchange: Any, seconds: int, markets: Sequence[MarketKey]) -> Sequence[MarketKey]:
        """One countdown for each market; dated contracts have none."""
        perpetual = [market for market in markets if not segment_of(market.contract).dated]
        for market in perpetual:
            now = int(exchange.nonce())
            row = await _call(exchange, market, "Post", "CountdownCancelAll")({**_market(market), "timeout": seconds})
            left = number(row, "trigger_time") - now
            if left < 1000 * seconds - _TOLERANCE if seconds else left > _TOLERANCE:
                raise Misshapen("the countdown is not the one that was asked for")
        return perpetual

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        """By our id; of a dated contract by the venue's, which the open orders tell."""
        order = _PREFIX + key.client_order_id
        if segment_of(key.contract).dated:
            row = self._mine(key, await self.waiting(exchange, key), exact=False)
            if row is None:
                return
            order = venue_id(row, "id")
        settle = segment_of(key.contract).settle
        await _call(exchange, key, "Delete", "OrdersOrderId")({"settle": settle, "order_id": order})

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        """In the settlement coin. Unknown where points paid it, and unless the fills are all of the order."""
        asked = {**_market(key), "order": venue_id(row, "id"), "limit": _PAGE}
        fills = await _call(exchange, key, "Get", "MyTrades")(asked)
        mine = [fill for fill in fills if str(fill["order_id"]) == str(row["id"])]
        if sum((abs(number(fill, "size")) for fill in mine), Decimal(0)) != number(row, "filled"):
            return None, None
        if any(known(fill, "point_fee") for fill in mine):
            return None, None
        return sum((number(fill, "fee") for fill in mine), Decimal(0)), key.contract.settle

    def _open(self, market: MarketKey, row: Row) -> OpenOrder:
        return super()._open(market, _in_amounts(row))

    async def _found(self, exchange: Any, key: OrderKey, row: Row) -> Found:
        found = await super()._found(exchange, key, _in_amounts(row))
        if found.status is OrderStatus.FILLED and number(row, "left"):
            raise Misshapen("the order is filled, and something of it is left")
        return found


def _in_words(row: Row) -> Row:
    """Our id without the prefix, and how the order stands in one word: the end of one that is finished."""
    ours, status = row["text"], row["status"]
    if isinstance(ours, str):
        ours = ours.removeprefix(_PREFIX)
    return {**row, "text": ours, "status": row.get("finish_as") if status == "finished" else status}


def _in_amounts(row: Row) -> Row:
    """Contracts without their sign, which is the side."""
    size, left = number(row, "size"), number(row, "left")
    if not size or (left and (left < 0) is not (size < 0)):
        raise Misshapen("size is neither bought nor sold")
    filled = written(abs(size) - abs(left))
    return {**row, "side": "buy" if size > 0 else "sell", "quantity": written(abs(size)), "filled": filled}


def _call(exchange: Any, market: MarketKey, verb: str, what: str) -> Any:
    return segment_of(market.contract).ask(exchange, what, verb=verb)


def _market(market: MarketKey) -> dict[str, Any]:
    return {"settle": segment_of(market.contract).settle, "contract": market.market_id}


async def _by_id(exchange: Any, key: OrderKey) -> Sequence[Row]:
    asked = {"settle": segment_of(key.contract).settle, "order_id": _PREFIX + key.client_order_id}
    return [_in_words(await _call(exchange, key, "Get", "OrdersOrderId")(asked))]


async def _page(exchange: Any, market: MarketKey, status: str, number_of_page: int = 0) -> Sequence[Row]:
    asked = {**_market(market), "status": status, "limit": _PAGE, "offset": _PAGE * number_of_page}
    try:
        rows = await _call(exchange, market, "Get", "Orders")(asked)
    except _NoAccount:
        return []
    return [_in_words(row) for row in rows]


async def _finished(exchange: Any, market: MarketKey, now: int) -> Sequence[Row]:
    """Those that ended in the last days, and what is on the same pages, as long as the newest come first."""

    def is_old(page: Sequence[Row]) -> bool:
        ended = [number(row, "finish_time") for row in page]
        return ended[0] >= ended[-1] and max(ended) < now // 1000 - _LOOKED_BACK

    return await every_page(lambda page: _page(exchange, market, "finished", page), _PAGE, _NAMES.venue_id, is_old)


async def _of_no_fill(exchange: Any, key: OrderKey) -> Sequence[Row]:
    """No row; raises if one of the newest fills is of this order, for then nothing else shows the order."""
    fills = await _call(exchange, key, "Get", "MyTrades")({**_market(key), "limit": _PAGE})
    if any(not isinstance(fill["text"], str) for fill in fills):
        raise Misshapen("text is not text")
    if any(fill["text"] == _PREFIX + key.client_order_id for fill in fills):
        raise Misshapen("there are fills of an order that is not shown")
    return ()
