"""The truth of a small venue's order desk, in its own units. A venue's subclass speaks of it in that venue's words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

ZERO = Decimal(0)
FEE_RATE = Decimal("0.0005")  # of what is filled, in units of the order; a number to be told, not to be realistic

Answer = Callable[[dict[str, Any]], Any]


class Refused(Exception):
    """Why the desk does not take an order: `market`, `precision`, `duplicate`, `worth`, `reduce_only`, `mode`, `margin`,
    `taker`.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass
class Placed:
    """An order that the venue has. `quantity` and `filled` in its unit; `status` is open, filled, cancelled, expired."""

    number: int
    client_id: str
    market_id: str
    side: str  # buy, sell
    quantity: Decimal
    price: Decimal
    reduce_only: bool
    time: int
    post_only: bool = False
    status: str = "open"
    filled: Decimal = ZERO
    average: Decimal = ZERO

    @property
    def fee(self) -> Decimal:
        return self.filled * FEE_RATE


class OrderDesk(ABC):
    """Takes limit orders, fills them at the mark at once, moves the position; ids may be used once, if the venue minds.

    Post-only ones wait. What would not is refused where the venue has a code for it, and cancelled elsewhere.
    """

    refuses_takers = False
    refuses_used_ids = True

    def __init__(self, venue: Any) -> None:
        self.venue = venue
        self.orders: list[Placed] = []
        self.asked: list[dict[str, Any]] = []  # the parameters of each order that arrived, in the venue's words
        self.fraction = Decimal(1)  # of an order that the book takes
        self.resting = False  # what is left waits in the book
        self.poor = False  # has no margin for another order
        self.deadlines: dict[str, int] = {}  # market, or "*" → when what is open there is cancelled

    # what differs from venue to venue

    @abstractmethod
    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        """Tick and lot; KeyError for a market that is not listed."""

    @abstractmethod
    def position(self, market_id: str) -> Decimal: ...

    @abstractmethod
    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None: ...

    @abstractmethod
    def mark(self, market_id: str) -> Decimal: ...

    @abstractmethod
    def answers(self) -> Mapping[tuple[str, str], Answer]:
        """(method, path) → reply to the parameters, in the venue's words."""

    def worth_min(self, market_id: str) -> Decimal:
        """What price × quantity of an order that opens has to be at least, where the venue asks for that."""
        return ZERO

    def venue_id(self, number: int) -> str:
        """The venue's id of its order of this number."""
        return str(number)

    # the truth

    def routes(self) -> Mapping[tuple[str, str], Answer]:
        """The answers, each given as of now: what a countdown has cancelled by then is so."""

        def timely(answer: Answer) -> Answer:
            def of(asked: dict[str, Any]) -> Any:
                self.count_down()
                return answer(asked)

            return of

        return {call: timely(answer) for call, answer in self.answers().items()}

    def arm(self, market_id: str, milliseconds: int) -> None:
        """Cancel what is open there after so long; 0: not any more."""
        self.deadlines.pop(market_id, None)
        if milliseconds:
            self.deadlines[market_id] = self.venue.now() + milliseconds

    def count_down(self) -> None:
        for market_id, deadline in list(self.deadlines.items()):
            if self.venue.now() >= deadline:
                del self.deadlines[market_id]
                for order in self.orders:
                    if order.status == "open" and market_id in {"*", order.market_id} and self.is_covered(order):
                        order.status = "cancelled"

    def is_covered(self, order: Placed) -> bool:
        """Whether a countdown is for this order, too."""
        return True

    def take(self, client_id: str, quantity: Decimal) -> None:
        """Somebody trades with a waiting order, at its price."""
        (order,) = self.with_id(client_id)
        sign = 1 if order.side == "buy" else -1
        order.filled, order.average = order.filled + quantity, order.price
        order.status = "filled" if order.filled == order.quantity else "open"
        self.set_position(order.market_id, self.position(order.market_id) + quantity * sign, order.price)

    def place(
        self,
        client_id: str,
        market_id: str,
        side: str,
        quantity: Decimal,
        price: Decimal,
        *,
        reduce_only: bool,
        post_only: bool = False,
    ) -> Placed:
        try:
            tick, lot = self.rules(market_id)
        except KeyError:
            raise Refused("market") from None
        if self.refuses_used_ids and self.with_id(client_id):
            raise Refused("duplicate")
        if quantity <= 0 or quantity % lot or price <= 0 or price % tick:
            raise Refused("precision")
        sign = 1 if side == "buy" else -1
        held = self.position(market_id)
        if reduce_only and (held * sign >= 0 or quantity > abs(held)):
            raise Refused("reduce_only")
        if not reduce_only and price * quantity < self.worth_min(market_id):
            raise Refused("worth")
        if self.poor:
            raise Refused("margin")
        number, mark = len(self.orders) + 700_000_001, self.mark(market_id)
        crosses = (price - mark) * sign >= 0
        if post_only and crosses and self.refuses_takers:
            raise Refused("taker")
        order = Placed(
            number, client_id, market_id, side, quantity, price, reduce_only, self.venue.now(), post_only=post_only
        )
        if post_only:
            order.status = "cancelled" if crosses else "open"
            self.orders.append(order)
            return order
        if crosses:
            order.filled = (quantity * self.fraction / lot).to_integral_value(ROUND_FLOOR) * lot
            order.average = mark if order.filled else ZERO
        order.status = "filled" if order.filled == quantity else "open" if self.resting else "expired"
        self.set_position(market_id, held + order.filled * sign, mark)
        self.orders.append(order)
        return order

    def cancel(self, client_id: str) -> Placed | None:
        """The order, if it was open and is cancelled now."""
        for order in self.with_id(client_id):
            if order.status == "open":
                order.status = "cancelled"
                return order
        return None

    def with_id(self, client_id: str) -> list[Placed]:
        return [order for order in self.orders if order.client_id == client_id]

    def open(self, market_id: str) -> list[Placed]:
        return [order for order in self.orders if order.status == "open" and order.market_id == market_id]

    def of(self, market_id: str) -> list[Placed]:
        return [order for order in self.orders if order.market_id == market_id]
