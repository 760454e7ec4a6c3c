"""What Coinbase shows for something that went missing: fills of a contract, transactions of a coin's accounts.

Only movements that add up to the change explain it; a page that may lack some explains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.coinbase_account import accounts
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, iso_moment, number
from hedged.model.snapshot import Doubt

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_ROWS_MAX = 100  # a page
_ACCOUNTS_MAX = 5  # of one coin
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_VOID = frozenset({"failed", "canceled", "expired"})  # states in which nothing moved

ENDPOINTS = {
    ("GET", "/api/v3/brokerage/orders/historical/fills"): Endpoint(
        "fills", Record({"fills": Rows({"product_id": TEXT, "side": TEXT, "size": NUMBER, "size_in_quote": PRESENT})})
    ),
    ("GET", "/v2/accounts/{}/transactions"): Endpoint(
        "transactions",
        Record(
            {
                "data": Rows(
                    {
                        "type": TEXT,
                        "status": TEXT,
                        "created_at": TEXT,
                        "amount": Record({"amount": NUMBER, "currency": TEXT}),
                    }
                )
            }
        ),
    ),
}


async def explain_position(connection: Connection, market_id: str, doubt: Doubt, since: datetime) -> str | None:
    """Fills that add up to the change. A contract that was settled leaves none: a person has to look."""
    start = _venue_time(connection, since)
    asked = {"product_ids": [market_id], "start_sequence_timestamp": f"{start:%Y-%m-%dT%H:%M:%SZ}", "limit": _ROWS_MAX}
    reply = await connection.exchange.v3PrivateGetBrokerageOrdersHistoricalFills(asked)
    fills = [row for row in reply["fills"] if row["product_id"] == market_id]
    whole = len(reply["fills"]) < _ROWS_MAX and all(row["size_in_quote"] is False for row in fills)
    if not fills or not whole or _signed(fills) != doubt.now - doubt.before:
        return None
    change = doubt.now - doubt.before
    return f"{len(fills)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all"


def _signed(fills: Iterable[Row]) -> Decimal:
    total = ZERO
    for row in fills:
        if row["side"] not in {"BUY", "SELL"}:
            raise Misshapen("side is neither BUY nor SELL")
        total += number(row, "size") * (1 if row["side"] == "BUY" else -1)
    return total


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime) -> str | None:
    """Transactions of all accounts of the coin, by kind: trades, sends, conversions, staking."""
    name = connection.exchange.safe_currency_code
    rows, _ = await accounts(connection)
    mine = [row["uuid"] for row in rows if name(row["currency"]) == doubt.asset]
    if not mine or len(mine) > _ACCOUNTS_MAX:
        return None
    start, moved = _venue_time(connection, since), dict[str, Decimal]()
    for uuid in mine:
        page = await connection.exchange.v2PrivateGetAccountsAccountIdTransactions(
            {"account_id": uuid, "limit": _ROWS_MAX}
        )
        recent = [row for row in page["data"] if iso_moment(row, "created_at") >= start]
        if len(recent) >= _ROWS_MAX:
            return None
        for row in recent:
            if row["status"] not in _VOID and name(row["amount"]["currency"]) == doubt.asset:
                kind = row["type"].replace("_", " ")
                moved[kind] = moved.get(kind, ZERO) + number(row["amount"], "amount")
    change = doubt.now - doubt.before
    if not change or sum(moved.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(moved.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


def _venue_time(connection: Connection, when: datetime) -> datetime:
    """Our time by the venue's clock, in whole seconds: ccxt keeps ours − theirs."""
    theirs = when.astimezone(UTC) - timedelta(milliseconds=int(connection.exchange.options["timeDifference"]))
    return theirs.replace(microsecond=0)
