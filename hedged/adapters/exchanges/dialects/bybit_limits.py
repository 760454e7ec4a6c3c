"""What Bybit allows: what a key may do, and the margin tiers of its risk limits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.bybit_replies import envelope, paged
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Fields, Misshapen, Record, Row, Scalar, number, positive, text
from hedged.model.instrument import MarginTier
from hedged.model.permissions import Permissions

NUMBER = Scalar.NUMBER

_KEY: Fields = {"readOnly": NUMBER, "permissions": Record({})}
_TIER = {
    "symbol": Scalar.TEXT,
    "riskLimitValue": NUMBER,
    "maintenanceMargin": NUMBER,
    "initialMargin": NUMBER,
    "maxLeverage": NUMBER,
}

ENDPOINTS = {
    ("GET", "/v5/user/query-api"): Endpoint("key permissions", envelope(_KEY)),
    ("GET", "/v5/market/risk-limit"): Endpoint("risk limits", paged(_TIER)),
}


def key_permissions(key: Row) -> Permissions:
    """A key that is read-only may do nothing else, whatever its permissions list."""
    allowed, may_write = key["permissions"], _may_write(key)
    trade, wallet = _words(allowed, "ContractTrade"), _words(allowed, "Wallet")
    addresses = _words(key, "ips")
    bound = None if addresses is None else bool(set(addresses) - {"*", ""})
    return Permissions(
        read=True,  # it has just read this
        trade=may_write and "Order" in trade if trade is not None else None,
        withdraw=may_write and "Withdraw" in wallet if wallet is not None else None,
        bound_to_address=bound,
        expires=None if bound else _expiry(key),  # only keys that are not bound to an address expire
    )


def _may_write(key: Row) -> bool:
    flag = number(key, "readOnly")
    if flag not in {0, 1}:
        raise Misshapen("readOnly is neither 0 nor 1")
    return flag == 0


def _words(row: Row, name: str) -> Sequence[str] | None:
    """A list of words; None where the venue does not tell it."""
    words = row.get(name)
    if words is None:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Misshapen(f"{name} is not a list of words")
    return words


def _expiry(key: Row) -> datetime | None:
    if not key.get("expiredAt"):
        return None
    expires = datetime.fromisoformat(text(key, "expiredAt"))
    if expires.tzinfo is None:
        raise Misshapen("expiredAt has no time zone")
    return expires.astimezone(UTC) if expires.year > 1970 else None


def margin_tiers(rows: Sequence[Row]) -> tuple[MarginTier, ...]:
    """A linear contract's brackets; `riskLimitValue` is where one ends, in the quote currency."""
    ascending = sorted(rows, key=lambda row: positive(row, "riskLimitValue"))
    floors = [Decimal(0), *(positive(row, "riskLimitValue") for row in ascending)]
    return tuple(
        MarginTier(floor, positive(row, "maintenanceMargin") / _unit(row), positive(row, "maxLeverage"))
        for floor, row in zip(floors[:-1], ascending, strict=True)
    )


def _unit(row: Row) -> Decimal:
    """1 where rates are fractions, 100 where they are percent: initial margin × leverage is one whole.

    The venue's own examples show both.
    """
    whole = positive(row, "initialMargin") * positive(row, "maxLeverage")
    for unit in (Decimal(1), Decimal(100)):
        if unit / 2 < whole < unit * 2:
            return unit
    raise Misshapen("initialMargin does not fit maxLeverage")
