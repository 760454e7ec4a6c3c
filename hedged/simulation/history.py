"""What the simulated venue remembers: orders at their end, and a line for everything that moved money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hedged.model.order import Side

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the venue's history. `what` is a symbol, or `wallet/asset`; `amount` is what the wallet gained."""

    at: datetime
    kind: str  # trade | funding | settlement | liquidation | adl | transfer
    what: str
    amount: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order at its end: filled (`rejected` None) or rejected with the venue's reason."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal  # filled contracts
    price: Decimal
    fee: Decimal
    slippage: Decimal
    at: datetime
    rejected: str | None = None


def rejected(client_order_id: str, symbol: str, side: Side, at: datetime, reason: str) -> VenueOrder:
    """An order that the venue turned down."""
    return VenueOrder(client_order_id, symbol, side, _ZERO, _ZERO, _ZERO, _ZERO, at, rejected=reason)
