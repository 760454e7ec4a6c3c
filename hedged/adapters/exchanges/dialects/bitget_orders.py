"""Orders at Bitget: contracts margined in USDT, USDC and coins, all of them counted in coins.

Of the classic account here, of the unified one in `bitget_unified_orders.py`; `wallets` tells which of them it is.

An order is margined as the position that it changes, by the same coin; a new one cross, by the coin that its contract
is settled in. It is asked for by our id among all orders, then among the open ones, then in the history of 90 days.

An acknowledgement may lack the venue's id, where the order pushed older reduce-only ones out of the book: the order is
unknown then, and found by a look-up. One that would not wait in the book is taken, and cancelled. The fee is in the
order's own row, negative where it is paid. The venue has no countdown that would cancel what is open if we die.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import bitget_account, bitget_unified, bitget_unified_orders
from hedged.adapters.exchanges.dialects.bitget_desk import NAMES, PAGE, ROW, Desk, page_of, segment, the_one
from hedged.adapters.exchanges.dialects.bitget_shapes import ENDPOINTS
from hedged.adapters.exchanges.dialects.order_rows import Names, echoed, venue_id, written
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
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Scalar, number, text
from hedged.errors import VenueError

_MIX = "/api/v2/mix"
_DONE = Record({"data": Record({"orderId": Scalar.PRESENT, "clientOid": Scalar.PRESENT})})
_LISTED = Record({"data": Record({"entrustedList": Scalar.PRESENT, "endId": Scalar.PRESENT})})
_READ = (f"{_MIX}/position/all-position", f"{_MIX}/account/accounts", "/api/v2/public/time")
_PAGES_MAX = 10

_CODES: Mapping[type[VenueError], str] = {
    # 40010 40015 40200 40725 40776 40908 40910 43002 45001 45023 and the like are not here: time-outs, maintenance,
    # and 'error creating order', which does not say whether there is one
    NotLetIn: (
        "40001 40002 40003 40006 40007 40009 40011 40012 40014 40016 40018 40022 40023 40024 40025 40026 40031 40035 "
        "40036 40037 40038 40041 40085 40099 40103 40104 40301 22010"
    ),
    OutOfTime: "40004 40005 40008",
    NotPlaced: (
        "40017 40019 40020 40034 40053 40057 40058 40059 40072 40102 40304 40305 40309 40402 40706 40724 40808 40811 "
        "40812 40813 40822 41101 41103 43011 43058 48001 48002 400171 400172 22004 22012 "  # parameters, contract
        "22006 22007 22034 22038 40748 40749 40787 40815 40816 43006 43007 43008 43009 43010 43027 43028 43037 43038 "
        "43039 43040 43041 43042 45035 45110 45111 45112 45113 45114 45115 "  # price and size
        "40711 40712 40754 40762 40778 40798 40800 40921 40928 43012 43049 45002 45120 22029 "  # margin
        "22002 40717 40755 40757 40804 43029 43043 45003 45005 45006 "  # nothing to reduce
        "40774 43075 45021 45109 45117 "  # position and margin mode
        "22039 22040 22041 22043 22067 40710 40715 40723 40752 40753 40760 40761 40795 40844 40845 40916 40931 43005 "
        "43128 45009 45043 45107 45108 45116 45118 45119"  # closed, forbidden, too many
    ),
    Duplicate: "40708 40786 43118 45034 50060",
    NoSuchOrder: "40109 40768 40819 43001 45057",
}


class BitgetOrders(OrderDialect):
    exchange: ClassVar[str] = "bitget"
    names: ClassVar[Names] = NAMES
    valid_for: ClassVar[float] = 30.0  # the venue's own limit
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        **{("GET", path): ENDPOINTS["GET", path] for path in _READ},
        ("POST", f"{_MIX}/order/place-order"): Endpoint("order", _DONE),
        ("POST", f"{_MIX}/order/cancel-order"): Endpoint("cancelling", _DONE),
        ("GET", f"{_MIX}/order/detail"): Endpoint("order by id", Record({"data": Record(ROW)})),
        ("GET", f"{_MIX}/order/orders-pending"): Endpoint("open orders", _LISTED),
        ("GET", f"{_MIX}/order/orders-history"): Endpoint("order history", _LISTED),
        **bitget_unified_orders.ENDPOINTS,
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = codes(_CODES) | codes(bitget_unified_orders.CODES)

    def __init__(self, wallets: Sequence[str] = ()) -> None:
        super().__init__(wallets)
        unified = bitget_unified.WALLET in wallets
        self._desk: Desk = bitget_unified_orders.UnifiedDesk() if unified else _ClassicDesk()

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        return await self._desk.backing(exchange, market)

    async def is_known(self, exchange: Any, key: OrderKey) -> bool:
        if not self._desk.frees_ids:
            return False
        return await self._is_in(key, (self._by_id(exchange, key), Place(lambda: self._desk.ended(exchange, key))))

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        row = await self._desk.send(exchange, ticket)
        echoed(row, "clientOid", ticket.key.client_order_id)
        return venue_id(row, "orderId")

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        yield self._by_id(exchange, key)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(lambda: self._desk.ended(exchange, key))

    def _by_id(self, exchange: Any, key: OrderKey) -> Place:
        async def ask() -> Sequence[Row]:
            return (await self._desk.one(exchange, key),)

        return Place(ask, exact=True)

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        found: list[Row] = []
        end = ""
        for _ in range(_PAGES_MAX):
            rows, end = await self._desk.waiting(exchange, market, end)
            found += rows
            if len(rows) < PAGE:
                return found
        raise Misshapen(f"there are more than {_PAGES_MAX} pages of orders")

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await self._desk.cancel(exchange, key)

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        return self._desk.fee(row)


class _ClassicDesk:
    frees_ids = False

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        product = segment(market)
        asked = {"productType": product}
        told, pools = (await exchange.privateMixGetV2MixPositionAllPosition(asked))["data"], []
        if told is None:  # believed to be none only where no money of the product's is at risk
            accounts = (await exchange.privateMixGetV2MixAccountAccounts(asked))["data"]
            pools = [bitget_account.pool("", product, row) for row in accounts]
        held = the_one(bitget_account.open_rows(product, told, pools), market)
        return Backing() if held is None else Backing(held["marginMode"] == "isolated", coin=text(held, "marginCoin"))

    async def send(self, exchange: Any, ticket: Ticket) -> Row:
        reply = await exchange.privateMixPostV2MixOrderPlaceOrder(
            {
                **_market(ticket.key),
                "marginMode": "isolated" if ticket.backing.isolated else "crossed",
                "marginCoin": ticket.backing.coin or ticket.key.contract.settle,
                "side": ticket.side.value,  # without tradeSide: refused in hedge mode
                "orderType": "limit",
                "force": "post_only" if ticket.post_only else "ioc",
                "size": written(ticket.quantity),
                "price": written(ticket.price),
                "reduceOnly": "YES" if ticket.reduce_only else "NO",
                "clientOid": ticket.key.client_order_id,
            }
        )
        data: Row = reply["data"]
        return data

    async def one(self, exchange: Any, key: OrderKey) -> Row:
        """Here the status has another name, which the documentation calls by both."""
        row = (await exchange.privateMixGetV2MixOrderDetail(_order(key)))["data"]
        return {**row, "status": row.get("state", row.get("status"))}

    async def waiting(self, exchange: Any, market: MarketKey, after: str) -> tuple[Sequence[Row], str]:
        asked = {**_market(market), "limit": str(PAGE), **({"idLessThan": after} if after else {})}
        return page_of(await exchange.privateMixGetV2MixOrderOrdersPending(asked), "entrustedList", "endId")

    async def ended(self, exchange: Any, key: OrderKey) -> Sequence[Row]:
        reply = await exchange.privateMixGetV2MixOrderOrdersHistory({**_order(key), "limit": str(PAGE)})
        return page_of(reply, "entrustedList", "endId")[0]

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        await exchange.privateMixPostV2MixOrderCancelOrder(_order(key))

    def fee(self, row: Row) -> tuple[Decimal | None, str | None]:
        return -number(row, "fee"), text(row, "marginCoin")


def _market(market: MarketKey) -> dict[str, str]:
    return {"symbol": market.market_id, "productType": segment(market)}


def _order(key: OrderKey) -> dict[str, str]:
    return {**_market(key), "clientOid": key.client_order_id}
