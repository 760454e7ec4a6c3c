"""How one venue takes orders: what differs from venue to venue, and what an order dialect is handed.

The rules that hold for every venue, and that the base class keeps:

- Only codes on a white list say that nothing was placed. A code that is not listed says nothing.
- A duplicate id is never a refusal: it says that an order of this id exists.
- An order is absent only if every place where it could be was read and none has it.
- A row counts as ours only if it carries our id and is of our market; a row that should and does not is garbage.

Parameters are the venue's own, sent through ccxt's signed endpoints: its unified methods turn decimals into floats,
fall back on defaults, and make an order without an id of an HTML page.
"""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects.order_rows import Names, price_or_none, venue_id
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Row, not_negative
from hedged.errors import Refused, VenueError
from hedged.model.instrument import Instrument
from hedged.model.order import Found, OpenOrder, OrderStatus, Side

WINDOW = 5000  # milliseconds after its time stamp in which a request is accepted, where a venue lets us say

CLIENT_ID = re.compile(r"hd[0-9a-f]{24}", re.ASCII)  # what every one of these venues takes as an id; no other is ours


class NotPlaced(Refused):
    """The venue refused the order itself, by a code that means that it placed nothing: believed after a look-up."""


class NotLetIn(NotPlaced):
    """The venue refused the request before it looked at the order (key, permission): believed at once."""


class OutOfTime(NotPlaced, ClockSkew):
    """The venue did not accept the request's time: to be measured again."""


class Duplicate(Refused):
    """The venue has, or had, an order of this id."""


class NoSuchOrder(Refused):
    """The venue understood the look-up, and has no such order *in this place*."""


def codes(meanings: Mapping[type[VenueError], str]) -> dict[str, type[VenueError]]:
    """Venue code → what it means, of the codes listed behind each meaning."""
    return {code: kind for kind, listed in meanings.items() for code in listed.split()}


@dataclass(frozen=True, slots=True)
class MarketKey:
    """A contract, and what the venue calls it."""

    market_id: str
    contract: Instrument


@dataclass(frozen=True, slots=True)
class OrderKey(MarketKey):
    """What an order is looked up by: our id, in one market."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class Backing:
    """How the position in a market is margined, where an order has to say so. No position: cross, for a new one."""

    isolated: bool = False
    leverage: Decimal | None = None  # of an isolated position, where its orders have to repeat it
    coin: str | None = None  # the venue's name of what backs the position, where the user chooses that


@dataclass(frozen=True, slots=True)
class Ticket:
    """A limit order that is filled at once or not at all beyond what the book offers (IOC); `post_only`: one that
    waits in the book and is never filled at once (maker), be it that the venue refuses it or cancels it instead.

    `quantity` is whole lots, in contracts; `price` is on a tick and no worse than the limit. A contract is what a venue
    counts positions in (see `Dialect.multiplier`), be it coins, dollars or contracts; all of them count orders
    and fills in the same, so nothing is converted on the way.
    """

    key: OrderKey
    side: Side
    quantity: Decimal
    price: Decimal
    reduce_only: bool
    post_only: bool = False
    backing: Backing = field(default_factory=Backing)


class Covers(Enum):
    """Which orders a venue's countdown cancels."""

    OURS = "ours"  # no other order of the account
    MARKET = "market"  # all of the account's in the markets it was armed for, also those placed by hand
    ACCOUNT = "account"  # all of the account's, in whatever contract of that kind


@dataclass(frozen=True, slots=True)
class Countdown:
    """The venue's own switch for the case that we die: what is open is cancelled unless it is armed again in time."""

    seconds_min: int
    seconds_max: int
    covers: Covers


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere an order can be. `ask` gives rows; `exact`: asked by our id, so every row must be ours."""

    ask: Callable[[], Awaitable[Sequence[Row]]]
    exact: bool = False


class OrderDialect(ABC):
    """One venue's ways with orders. An instance belongs to one account, and holds nothing that changes."""

    exchange: ClassVar[str]  # ccxt's id
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]]  # all that this line may call: orders, look-ups, the time
    complaints: ClassVar[Mapping[str, type[VenueError]]]  # the white list; see `codes`
    refusals: ClassVar[Mapping[str, str]] = {}  # the venue's own message says more than ours could
    names: ClassVar[Names]
    sandbox: ClassVar[bool] = True  # whether orders of its test system can be looked up by our id
    valid_for: ClassVar[float] = WINDOW / 1000
    """Seconds after sending for which the venue may still take an order that was on its way."""
    post_only: ClassVar[bool] = True  # whether the venue has orders that only ever wait in the book
    countdown: Countdown | None = None  # None: the venue has none; of an instance, as it may differ by account

    def __init__(self, wallets: Sequence[str] = ()) -> None:  # noqa: B027  a hook that few venues need
        """`wallets` as in the configuration: some venues have another set of endpoints for another kind of account."""

    def error_code(self, reply: Row) -> str:
        """The venue's code in a reply that is an object, as text; "" where it has none."""
        return str(reply.get("code", ""))

    def asked(self, path: str, body: str | None) -> str:
        """What the guard's list calls this request: its path."""
        return path

    def prepare(self, exchange: Any) -> None:  # noqa: B027  a hook that few venues need
        """Mend ccxt's new instance where it differs from what an order needs, before anything is sent."""

    async def backing(self, exchange: Any, market: MarketKey) -> Backing:
        """How an order in this market has to say that it is margined; read before anything is sent."""
        return Backing()

    async def is_known(self, exchange: Any, key: OrderKey) -> bool:
        """Whether the venue has an order of this id: asked before one is sent, where it would take a second one."""
        return False

    @abstractmethod
    async def place(self, exchange: Any, ticket: Ticket) -> str:
        """Send the order, once; the venue's id for it. Raises whatever the guard raises, and `Misshapen`.

        The order is the first request; those after it, if any, can confirm it, and no error of theirs is believed.
        """

    @abstractmethod
    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        """Everywhere an order of this id can be, in the order of reading; `now`: the venue's time in milliseconds.

        An order on its way from one place to the next must not slip through: what it leaves is read first.
        """

    @abstractmethod
    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        """The rows of all orders that wait in this market's book, whoever placed them; never some of them.

        Conditional orders that have not been triggered are among them only where the venue keeps them there.
        """

    async def arm(self, exchange: Any, seconds: int, markets: Sequence[MarketKey]) -> Sequence[MarketKey]:
        """Have what is open in these markets cancelled after so many seconds; 0: not any more. Those it holds for.

        Asked only where there is a `countdown`. Raises unless the venue confirms it.
        """
        raise NotImplementedError

    @abstractmethod
    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        """Ask for the order to be cancelled. The reply is not believed, only a look-up is."""

    @abstractmethod
    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        """What an order that is at least partly filled has cost so far, and in which asset; > 0 is paid."""

    async def find(self, exchange: Any, key: OrderKey, now: int) -> Found | None:
        """The order, or None if no place has it. Raises if one could not be read and no other has it."""
        failure: Exception | None = None
        for place in self.places(exchange, key, now):
            try:
                row = self._mine(key, await place.ask(), exact=place.exact)
            except NoSuchOrder:
                continue
            except (VenueError, Misshapen) as error:
                failure = failure or error
                continue
            if row is not None:
                return await self._found(exchange, key, row)
        if failure is not None:
            raise failure
        return None

    async def _is_in(self, key: OrderKey, places: Iterable[Place]) -> bool:
        """Whether one of these has the order. Raises if one cannot be read and none before it has."""
        for place in places:
            try:
                if self._mine(key, await place.ask(), exact=place.exact) is not None:
                    return True
            except NoSuchOrder:
                continue
        return False

    async def open_orders(self, exchange: Any, market: MarketKey) -> tuple[OpenOrder, ...]:
        """All orders that wait in this market's book. Raises rather than leave one out."""
        rows = await self.waiting(exchange, market)
        found = tuple(self._open(market, row) for row in rows if not self._ended(row))
        if len({order.venue_order_id for order in found}) != len(found):
            raise Misshapen("an order is listed twice")
        return found

    def _ended(self, row: Row) -> bool:
        """Whether an order that is listed as open has just come to its end."""
        return self.names.statuses.get(str(row.get(self.names.status)), OrderStatus.OPEN) is not OrderStatus.OPEN

    def _open(self, market: MarketKey, row: Row) -> OpenOrder:
        names = self.names
        if row.get(names.market) != market.market_id:
            raise Misshapen("an order of another market is listed")
        side = names.sides.get(str(row.get(names.side)))
        if side is None:
            raise Misshapen(f"{names.side} is neither buy nor sell")
        client_id = row[names.client_id]
        if not isinstance(client_id, str):
            raise Misshapen(f"{names.client_id} is not text")
        return OpenOrder(
            client_order_id=client_id if CLIENT_ID.fullmatch(client_id) else None,
            venue_order_id=venue_id(row, names.venue_id, names.venue_id_form),
            side=side,
            quantity=not_negative(row, names.quantity),
            filled=not_negative(row, names.filled),
            price=price_or_none(row, names.price),
        )

    def _mine(self, key: OrderKey, rows: Sequence[Row], *, exact: bool) -> Row | None:
        if any(not isinstance(row.get(self.names.client_id), str) for row in rows):
            raise Misshapen(f"{self.names.client_id} is not text")  # blank where an order was placed by hand
        mine = [row for row in rows if row[self.names.client_id] == key.client_order_id]
        if len(mine) > 1 or (exact and len(mine) != len(rows)):
            raise Misshapen("the look-up answered with another order")
        if mine and mine[0].get(self.names.market) != key.market_id:
            raise Misshapen("the order is of another market")
        return mine[0] if mine else None

    async def _found(self, exchange: Any, key: OrderKey, row: Row) -> Found:
        names = self.names
        status = names.statuses.get(str(row[names.status]))
        if status is None:
            raise Misshapen(f"{names.status} is none that is understood")
        filled = not_negative(row, names.filled)
        if status is OrderStatus.FILLED and not filled:
            raise Misshapen("the order is filled, and nothing of it is")
        fee, asset = None, None
        if filled:
            with contextlib.suppress(VenueError, Misshapen):  # what is filled is known also without the fee
                fee, asset = await self.fee(exchange, key, row)
        return Found(
            client_order_id=key.client_order_id,
            venue_order_id=venue_id(row, names.venue_id, names.venue_id_form),
            status=status,
            filled=filled,
            average_price=price_or_none(row, names.average) if filled else None,
            fee=fee,
            fee_asset=asset,
        )
