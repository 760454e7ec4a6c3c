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
    """Why the desk does not take an order: `market`, `precision`, `duplicate`, `reduce_only`, `mode` or `margin`."""

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
    status: str = "open"
    filled: Decimal = ZERO
    average: Decimal = ZERO

    @property
    def fee(self) -> Decimal:
        return self.filled * FEE_RATE


class OrderDesk(ABC):
    """Takes limit orders, fills them at the mark at once, moves the position; ids may be used once."""

    def __init__(self, venue: Any) -> None:
        self.venue = venue
        self.orders: list[Placed] = []
        self.asked: list[dict[str, Any]] = []  # the parameters of each order that arrived, in the venue's words
        self.fraction = Decimal(1)  # of an order that the book takes
        self.resting = False  # what is left waits in the book
        self.poor = False  # has no margin for another order

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
    def routes(self) -> Mapping[tuple[str, str], Answer]:
        """(method, path) → reply to the parameters, in the venue's words."""

    def venue_id(self, number: int) -> str:
        """The venue's id of its order of this number."""
        return str(number)

    # the truth

    def place(
        self, client_id: str, market_id: str, side: str, quantity: Decimal, price: Decimal, *, reduce_only: bool
    ) -> Placed:
        try:
            tick, lot = self.rules(market_id)
        except KeyError:
            raise Refused("market") from None
        if self.with_id(client_id):
            raise Refused("duplicate")
        if quantity <= 0 or quantity % lot or price <= 0 or price % tick:
            raise Refused("precision")
        sign = 1 if side == "buy" else -1
        held = self.position(market_id)
        if reduce_only and (held * sign >= 0 or quantity > abs(held)):
            raise Refused("reduce_only")
        if self.poor:
            raise Refused("margin")
        order = Placed(
            len(self.orders) + 700_000_001, client_id, market_id, side, quantity, price, reduce_only, self.venue.now()
        )
        mark = self.mark(market_id)
        if (price - mark) * sign >= 0:
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
