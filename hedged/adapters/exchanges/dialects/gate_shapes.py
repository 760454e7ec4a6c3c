"""What may be asked of Gate's accounts, and what each reply has to look like. All of it is GET and reads.

Replies are bare lists and objects; an error is an object with a `label`. Times are seconds, whole or with decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Fields, Misshapen, Record, Row, Rows, Scalar, number, text
from hedged.errors import Refused
from hedged.model.permissions import Permissions

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_SECONDS_MAX = 253_402_300_799  # the end of the year 9999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PERMITTED_TO_WITHDRAW = frozenset({"wallet", "withdraw"})  # what moves coins, where it is not read-only


class NoSuchAccount(Refused):
    """An account that the user has never moved anything into: the venue creates it with the first transfer."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Contracts that settle in one currency. `call` is ccxt's name of it in the names of endpoints."""

    call: str
    settle: str
    dated: bool = False

    @property
    def path(self) -> str:
        return f"/api/v4/{self.call.lower()}/{self.settle}"

    def ask(self, venue: Any, what: str, *, private: bool = True, verb: str = "Get") -> Any:
        """The method of ccxt for this part of the segment; it takes the parameters, `settle` among them."""
        return getattr(venue, f"{'private' if private else 'public'}{self.call}{verb}Settle{what}")


SEGMENTS: Sequence[Segment] = (
    Segment("Futures", "usdt"),
    Segment("Futures", "btc"),
    Segment("Delivery", "usdt", dated=True),
)

_CONTRACT: Fields = {"name": TEXT, "quanto_multiplier": PRESENT, "order_price_round": PRESENT, "mark_price": PRESENT}
_TICKER: Fields = {"contract": TEXT, "mark_price": PRESENT, "index_price": PRESENT}
_TIER: Fields = {"risk_limit": NUMBER, "maintenance_rate": NUMBER, "leverage_max": NUMBER}
_POOL: Fields = {"total": NUMBER, "unrealised_pnl": NUMBER, "available": NUMBER, "currency": TEXT}
_POSITION: Fields = {
    "contract": TEXT,
    "size": NUMBER,
    "leverage": NUMBER,
    "value": NUMBER,
    "margin": NUMBER,
    "entry_price": NUMBER,
    "mark_price": NUMBER,
    "unrealised_pnl": NUMBER,
    "mode": TEXT,
}
_TOTALS: Fields = {
    "balances": PRESENT,
    "unified_account_total_equity": NUMBER,
    "total_margin_balance": NUMBER,
    "total_maintenance_margin": NUMBER,
    "total_available_margin": NUMBER,
}
_LENT = Record({"currency": TEXT, "available": NUMBER, "locked": NUMBER, "borrowed": NUMBER, "interest": NUMBER})
_FILL: Fields = {"contract": TEXT, "size": NUMBER, "create_time": NUMBER}
_EVENT: Fields = {"contract": TEXT, "time": NUMBER}
_CHANGE: Fields = {"type": TEXT, "change": NUMBER, "time": NUMBER}


def _of_segment(segment: Segment) -> dict[tuple[str, str], Endpoint]:
    kind = f"{segment.settle} delivery" if segment.dated else f"{segment.settle} futures"
    fills = "my_trades" if segment.dated else "my_trades_timerange"
    forced = "settlements" if segment.dated else "auto_deleverages"
    least = 0 if segment.dated else 1  # there may be no dated contracts for a while
    shapes: dict[str, tuple[str, Rows | Record, float]] = {
        "contracts": ("contracts", Rows(_CONTRACT, at_least=least), 3.0),
        "tickers": ("tickers", Rows(_TICKER, at_least=least), 1.0),
        "risk_limit_tiers": ("margin tiers", Rows(_TIER, at_least=1), 1.0),
        "accounts": ("wallet", Record(_POOL), 1.0),
        "positions": ("positions", Rows(_POSITION), 1.0),
        fills: ("fills", Rows(_FILL), 1.0),
        "liquidates": ("liquidations", Rows(_EVENT), 1.0),
        forced: (forced.replace("_", " "), Rows(_EVENT), 1.0),
        "account_book": ("bills", Rows(_CHANGE), 1.0),
    }
    return {
        ("GET", f"{segment.path}/{part}"): Endpoint(f"{kind} {name}", shape, patience)
        for part, (name, shape, patience) in shapes.items()
    }


ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("GET", "/api/v4/spot/time"): Endpoint("server time", Record({"server_time": NUMBER})),
    ("GET", "/api/v4/spot/currency_pairs"): Endpoint(
        "spot markets", Rows({"id": TEXT, "trade_status": PRESENT}, at_least=1), patience=3.0
    ),
    ("GET", "/api/v4/spot/tickers"): Endpoint(
        "spot prices", Rows({"currency_pair": TEXT, "last": PRESENT}, at_least=1)
    ),
    ("GET", "/api/v4/spot/accounts"): Endpoint(
        "spot wallet", Rows({"currency": TEXT, "available": NUMBER, "locked": NUMBER})
    ),
    ("GET", "/api/v4/margin/accounts"): Endpoint("margin wallet", Rows({"base": _LENT, "quote": _LENT})),
    ("GET", "/api/v4/earn/uni/lends"): Endpoint("earn wallet", Rows({"currency": TEXT, "amount": NUMBER})),
    ("GET", "/api/v4/unified/accounts"): Endpoint("unified account", Record(_TOTALS)),
    ("GET", "/api/v4/unified/unified_mode"): Endpoint("account mode", Record({"mode": TEXT})),
    ("GET", "/api/v4/options/positions"): Endpoint("options", Rows({"contract": TEXT, "size": NUMBER})),
    ("GET", "/api/v4/account/detail"): Endpoint("key's addresses", Record({"ip_whitelist": PRESENT})),
    ("GET", "/api/v4/account/main_keys"): Endpoint("key permissions", Rows({"key": PRESENT, "perms": PRESENT})),
    ("GET", "/api/v4/spot/account_book"): Endpoint("spot bills", Rows({**_CHANGE, "currency": TEXT})),
    ("GET", "/api/v4/margin/account_book"): Endpoint(
        "margin bills", Rows({"currency": TEXT, "change": NUMBER, "time": NUMBER})
    ),
    ("GET", "/api/v4/earn/uni/lend_records"): Endpoint(
        "earn bills", Rows({"currency": TEXT, "type": TEXT, "amount": NUMBER, "create_time": NUMBER})
    ),
    **{key: endpoint for segment in SEGMENTS for key, endpoint in _of_segment(segment).items()},
}


def known(row: Row, name: str) -> Decimal | None:
    """A number, or None where the venue leaves the field blank, null or out, as in older modes."""
    value = row.get(name)
    return None if value is None or value == "" else number(row, name)


def seconds(row: Row, name: str) -> datetime:
    """Seconds since 1970 as aware UTC."""
    value = number(row, name)
    if not 0 < value < _SECONDS_MAX:
        raise Misshapen(f"{name} is not a time")
    return _EPOCH + timedelta(milliseconds=int(value * 1000))


def key_permissions(rows: Sequence[Row], api_key: str, addresses: object) -> Permissions | None:
    """Of the key in use, which the venue lists with its end hidden; None where it is not to be found among them.

    Where a permission that moves coins may write, the key is taken for one that can withdraw.
    """
    if not isinstance(addresses, list):
        raise Misshapen("ip_whitelist is not a list")
    mine = [row for row in rows if isinstance(row["key"], str) and _shows(row["key"], api_key)]
    if len(mine) != 1:
        return None
    granted, written = set(), set()
    if not isinstance(mine[0]["perms"], list):
        raise Misshapen("perms is not a list")
    for permission in mine[0]["perms"]:
        if not isinstance(permission, dict) or not isinstance(permission.get("read_only"), bool):
            raise Misshapen("a permission that is not told")
        granted.add(text(permission, "name"))
        if not permission["read_only"]:
            written.add(permission["name"])
    return Permissions(
        read=bool(granted & {"futures", "delivery"}),
        trade=bool(written & {"futures", "delivery"}),
        withdraw=bool(written & _PERMITTED_TO_WITHDRAW),
        bound_to_address=bool(addresses),
    )


def _shows(shown: str, api_key: str) -> bool:
    start = shown.rstrip("*")
    return bool(start) and (api_key.startswith(start) if start != shown else api_key == shown)
