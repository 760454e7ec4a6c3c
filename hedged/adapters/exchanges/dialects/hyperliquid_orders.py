"""Orders at Hyperliquid: perpetuals of the first-party dex and of the builders' (HIP-3), in coins as positions.

They are signed by an API wallet (agent), which the account has approved: it can trade and cannot withdraw. Whose agent
it is, the number that the venue gives the contract, and its time are asked for before each order: a number that is
wrong is another contract. An order that arrives later than it may is refused, by a time that is signed with it. A
sub-account has no wallet of its own: its master's agent signs, and the sub-account is named in what is signed.

Our id goes as a `cloid` that begins with a word of ours, so that no other program's is taken for one. Whether there is
an order of it is asked before one is sent, for the venue may take a second. An order is asked for by it, then looked
for among the open ones, the newest of all, and the fills; price and fee are told by the fills alone. An acknowledgement
need not repeat our id: where it does not, the look-up by it has to show the same order.

A partly filled order that takes is `filled` there, with the rest that it did not get. What is filled of an order that
waits is told among the open ones alone: its status is that of when it was opened. One that would not wait in the
book, and one that finds nothing to take, are refused, and kept as refused under our id.

The venue's own countdown is not used: it cancels every order of the account, is open to those alone who have traded a
million dollars, and does not say what it has been set to. What rests when we die stays in the book. Orders of vaults
are not sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.base import together
from hedged.adapters.exchanges.dialects.hyperliquid import (
    address_of_key,
    master_of_agent,
    master_of_sub_account,
    question,
)
from hedged.adapters.exchanges.dialects.hyperliquid_markets import dex_names, price_places
from hedged.adapters.exchanges.dialects.hyperliquid_order_rows import (
    FILLS,
    NAMES,
    ROW,
    STATED,
    client_id,
    cloid_of,
    complaint,
    is_open,
    newest,
    read,
    summed,
)
from hedged.adapters.exchanges.dialects.order_rows import Names, venue_id, written
from hedged.adapters.exchanges.dialects.orders import (
    WINDOW,
    Backing,
    MarketKey,
    NoSuchOrder,
    NotLetIn,
    NotPlaced,
    OrderDialect,
    OrderKey,
    Place,
    Ticket,
)
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, flag, number, text
from hedged.errors import ConfigurationError, VenueError
from hedged.model.order import Found, OrderStatus, Side

NUMBER, TEXT, PRESENT = Scalar.NUMBER, Scalar.TEXT, Scalar.PRESENT

_DONE = Record({"status": TEXT, "response": Record({"data": Record({"statuses": Rows({}, at_least=1)})})})

_REQUEST = frozenset({"action", "nonce", "signature", "expiresAfter", "vaultAddress"})
_ACTIONS = {
    "order": frozenset({"type", "orders", "grouping"}),
    "cancelByCloid": frozenset({"type", "cancels"}),
}
_BUILDERS, _A_BUILDER = 100_000, 10_000  # numbers of contracts of builders' dexes begin at; for each dex
_FILLS_MAX = 2000  # of an answer
_KEYLESS = (
    "exchange = hyperliquid  orders are signed by an API wallet: put its privateKey into the credentials beside the "
    "walletAddress of the account that has approved it"
)


@dataclass(frozen=True, slots=True)
class _Numbered(Backing):
    """The number by which an order names its contract; margined as the account has set it for that contract.

    `sub_account`: whose order it is, where that is not the account which has approved the agent.
    """

    asset: int = -1
    sub_account: str | None = None


class HyperliquidOrders(OrderDialect):
    exchange: ClassVar[str] = "hyperliquid"
    names: ClassVar[Names] = NAMES
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("POST", "/info#exchangeStatus"): Endpoint("server time", Record({"time": NUMBER})),
        ("POST", "/info#userRole"): Endpoint("role of the API wallet", Record({"role": TEXT})),
        ("POST", "/info#perpDexs"): Endpoint("dexes", PRESENT),
        ("POST", "/info#meta"): Endpoint("contracts", Record({"universe": Rows({"name": TEXT}, at_least=1)})),
        ("POST", "/info#orderStatus"): Endpoint("order by id", Record({"order": Record(STATED)})),
        ("POST", "/info#frontendOpenOrders"): Endpoint("open orders", Rows(ROW)),
        ("POST", "/info#historicalOrders"): Endpoint("newest orders", Rows(STATED)),
        ("POST", "/info#userFills"): Endpoint("newest fills", FILLS),
        ("POST", "/info#userFillsByTime"): Endpoint("fills", FILLS),
        ("POST", "/exchange#order"): Endpoint("order", _DONE),
        ("POST", "/exchange#cancelByCloid"): Endpoint("cancelling", Record({})),
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        # how the venue's sentences begin; 'Too many cumulative requests sent' and all that its pages do not list are
        # not here
        **dict.fromkeys(
            (
                "User or API Wallet",
                "L1 error: User or API Wallet",
                "Must deposit before performing actions",
            ),
            NotLetIn,
        ),
        **dict.fromkeys(
            (
                "Price must be divisible by tick size",
                "Order must have minimum value of",
                "Order has invalid size",
                "Order has zero size",
                "Order price cannot be more than 80% away from the reference price",
                "Order price too far from oracle",
                "Order rejected due to price more aggressive than oracle",
                "Insufficient margin to place order",
                "Order would cause position to exceed margin tier limit",
                "Order would increase open interest",
                "Reduce only order would increase position",
                "Post only order would have immediately matched",
                "Order could not immediately match against any resting orders",
                "No liquidity available for market order",
            ),
            NotPlaced,
        ),
        **dict.fromkeys(("unknownOid", "Order was never placed, already canceled, or filled"), NoSuchOrder),
    }

    def __init__(self, wallets: Sequence[str] = ()) -> None:
        super().__init__(wallets)
        self._signer = self._account = ""  # the addresses of the API wallet, and of what is traded for

    def error_code(self, reply: Row) -> str:
        """The beginning of the venue's sentence that is listed, or all of the sentence."""
        said = complaint(reply)
        return next((listed for listed in self.complaints if said.startswith(listed)), said)

    def asked(self, path: str, body: str | None) -> str:
        """What the body does: questions as with the reader's; of what is signed two actions, and nothing beside them.

        A fee for a builder would be one more field, and nobody is acted for but the account that is read: a request of
        that kind is on no list.
        """
        if path != "/exchange" or body is None:
            return question(path, body)
        try:
            request = json.loads(body)
            action = request["action"]
            kind = action["type"]
            plain = set(request) <= _REQUEST and frozenset(action) == _ACTIONS.get(kind)
            plain = plain and request.get("vaultAddress", self._account) == self._account
        except (ValueError, LookupError, TypeError):
            return path
        return f"{path}#{kind}" if plain else path

    def prepare(self, exchange: Any) -> None:
        """Nonces and times by the venue's clock. Raises `ConfigurationError` where there is no key to sign with."""
        if not exchange.privateKey:
            raise ConfigurationError(_KEYLESS)
        self._signer = address_of_key(exchange)
        self._account = str(exchange.walletAddress).lower()
        exchange.nonce = lambda: (
            exchange.milliseconds() - int(exchange.safe_integer(exchange.options, "timeDifference", 0))
        )

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        _, sub_account, asset = await together(
            exchange.load_time_difference(), self._sub_account(exchange), _asset(exchange, market)
        )
        return _Numbered(asset=asset, sub_account=sub_account)

    async def _sub_account(self, exchange: Any) -> str | None:
        """Orders go to the account whose agent signs, or to its sub-account: it has to be the one that is read."""
        acts_for = master_of_agent(await _info(exchange, "userRole", user=self._signer))
        if acts_for == self._account:
            return None
        if acts_for != master_of_sub_account(await _info(exchange, "userRole", user=self._account)):
            raise Misshapen("the privateKey is not that of an API wallet which this account or its master has approved")
        return self._account

    async def is_known(self, exchange: Any, key: OrderKey) -> bool:
        """What the venue makes of an id that it has already is documented nowhere."""
        return await self._is_in(key, [Place(lambda: _by_id(exchange, key), exact=True)])

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        if not isinstance(ticket.backing, _Numbered):
            raise TypeError("the contract's number is asked for first")
        cloid = cloid_of(ticket.key.client_order_id)
        order = {
            "a": ticket.backing.asset,
            "b": ticket.side is Side.BUY,
            "p": written(_price(ticket)),
            "s": written(ticket.quantity),
            "r": ticket.reduce_only,
            "t": {"limit": {"tif": "Alo" if ticket.post_only else "Ioc"}},
            "c": cloid,
        }
        action = {"type": "order", "orders": [order], "grouping": "na"}
        reply = await _act(exchange, action, ticket.backing.sub_account, lasts=WINDOW)
        statuses = reply["response"]["data"]["statuses"]
        if len(statuses) != 1 or len(statuses[0]) != 1:
            raise Misshapen("statuses has more than the one order")
        ((kind, row),) = statuses[0].items()
        if kind not in {"resting", "filled"} or not isinstance(row, dict):
            raise Misshapen("the order is neither resting nor filled")
        given = venue_id(row, "oid")
        if row.get("cloid") is None:
            (shown,) = await _by_id(exchange, ticket.key)
            row = {"cloid": cloid_of(shown["cloid"]) if venue_id(shown, "oid") == given else None}
        if row["cloid"] != cloid:
            raise Misshapen("cloid does not repeat the order's id")
        return given

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        async def by_id() -> Sequence[Row]:
            (row,) = await _by_id(exchange, key)
            if not is_open(row):
                return (row,)
            shown = self._mine(key, await self.waiting(exchange, key), exact=False)
            if shown is not None:
                return (shown,)
            (row,) = await _by_id(exchange, key)  # it has ended meanwhile
            return (_ended(row),)

        async def history() -> Sequence[Row]:
            rows = newest(await _info(exchange, "historicalOrders", user=exchange.walletAddress))
            return [_ended(row) if row["cloid"] == key.client_order_id else row for row in rows]

        async def fills() -> Sequence[Row]:
            rows = await _info(exchange, "userFills", user=exchange.walletAddress)
            if any(client_id(row) == key.client_order_id for row in rows):
                raise Misshapen("there are fills of an order that is not shown")
            return ()

        yield Place(by_id, exact=True)
        yield Place(lambda: self.waiting(exchange, key))
        yield Place(history)
        yield Place(fills)

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        """Also conditional orders; the list is of the whole dex, and of all spot pairs with the first-party one."""
        rows = await _info(exchange, "frontendOpenOrders", user=exchange.walletAddress, **_dex(market))
        return [read(row, "open") for row in rows if row["coin"] == market.market_id]

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        asset, sub_account = await together(_asset(exchange, key), self._sub_account(exchange))
        ours = {"asset": asset, "cloid": cloid_of(key.client_order_id)}
        await _act(exchange, {"type": "cancelByCloid", "cancels": [ours]}, sub_account, lasts=None)

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        return number(row, "fee"), text(row, "feeToken")

    async def _found(self, exchange: Any, key: OrderKey, row: Row) -> Found:
        """With what its fills say of price and fee. Of one that has ended they are all that is filled, or nobody knows.

        What is called filled may have its whole size left there: then the fills have to be that. Where fills cannot be
        read, what the order says is filled is known all the same, and that nothing is filled is not.
        """
        filled, status = number(row, "filled"), NAMES.statuses.get(row["status"])
        whole = status is OrderStatus.FILLED and not filled
        if not filled and status in {OrderStatus.OPEN, OrderStatus.REJECTED}:
            return await super()._found(exchange, key, row)
        start = int(number(row, "timestamp"))
        try:
            fills = await _info(exchange, "userFillsByTime", user=exchange.walletAddress, startTime=start)
        except VenueError:
            if not filled:
                raise
            return await super()._found(exchange, key, row)
        mine = [fill for fill in fills if fill["oid"] == row["oid"]]
        try:
            row = {**row, **summed(mine, number(row, "origSz") if whole else filled)}
        except Misshapen:
            if not filled or (status is not OrderStatus.OPEN and len(fills) < _FILLS_MAX):
                raise
        return await super()._found(exchange, key, row)


def _ended(row: Row) -> Row:
    """Of an order that waits, the status and the history tell the amounts of when it was opened."""
    if is_open(row):
        raise Misshapen("an open order is not among the open ones")
    return row


async def _act(exchange: Any, action: Mapping[str, Any], sub_account: str | None, *, lasts: int | None) -> Any:
    """Have ccxt sign this and send it; the venue refuses it after `lasts` milliseconds of its time."""
    nonce = int(exchange.incrementing_nonce())
    until = None if lasts is None else int(exchange.nonce()) + lasts
    signed_for = sub_account.removeprefix("0x") if sub_account else None
    request = {"action": action, "nonce": nonce}
    request["signature"] = exchange.sign_l1_action(action, nonce, signed_for, until)
    if sub_account is not None:
        request["vaultAddress"] = sub_account
    if until is not None:
        request["expiresAfter"] = until
    return await exchange.privatePostExchange(request)


async def _info(exchange: Any, kind: str, **asked: Any) -> Any:
    return await exchange.publicPostInfo({"type": kind, **asked})


async def _by_id(exchange: Any, key: OrderKey) -> list[Row]:
    ours = cloid_of(key.client_order_id)
    stated = (await _info(exchange, "orderStatus", user=exchange.walletAddress, oid=ours))["order"]
    return [read(stated["order"], stated["status"])]


async def _asset(exchange: Any, market: MarketKey) -> int:
    """The number of a contract: its place among those of its dex, the delisted ones included."""
    dex = _dex(market)
    listed = (await _info(exchange, "meta", **dex))["universe"]
    names = [row["name"] for row in listed]
    if names.count(market.market_id) != 1:
        raise Misshapen(f"{market.market_id} is not listed once")
    place = names.index(market.market_id)
    if "isDelisted" in listed[place] and flag(listed[place], "isDelisted"):
        raise Misshapen(f"{market.market_id} is delisted")
    if not dex:
        return place
    dexes = dex_names(await _info(exchange, "perpDexs"))
    if dex["dex"] not in dexes:
        raise Misshapen(f"the dex of {market.market_id} is not listed")
    return _BUILDERS + _A_BUILDER * dexes.index(dex["dex"]) + place


def _dex(market: MarketKey) -> dict[str, str]:
    """As a question names it; the first-party dex is not named."""
    name = market.market_id.rpartition(":")[0]
    return {"dex": name} if name else {}


def _price(ticket: Ticket) -> Decimal:
    """Within the limit, in as few digits as the venue takes at this price: the listed tick is that of the last hour."""
    step = Decimal(1).scaleb(-price_places(ticket.price, -int(ticket.key.contract.lot_size.adjusted())))
    return ticket.price.quantize(step, ROUND_FLOOR if ticket.side is Side.BUY else ROUND_CEILING)
