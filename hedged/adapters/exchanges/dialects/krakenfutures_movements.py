"""What Kraken Futures shows for something that went missing: the account log, which holds every movement.

A trade leaves two rows in it, one for the position (its asset is the contract) and one for the money. Only rows that
add up to the change explain it; a page that is full may lack some and explains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Record,
    Row,
    Rows,
    Scalar,
    iso_moment,
    milliseconds,
    number,
    text,
)
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_ROWS_MAX = 500  # a page
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_HOLDING = "cash"
_FUNDING = "funding rate change"

ENDPOINTS = {
    ("GET", "/api/history/v3/account-log"): Endpoint(
        "account log",
        Record(
            {
                "logs": Rows(
                    {
                        "asset": TEXT,
                        "date": TEXT,
                        "info": TEXT,
                        "margin_account": PRESENT,
                        "old_balance": NUMBER,
                        "new_balance": NUMBER,
                    }
                )
            }
        ),
    ),
}


async def explain_position(connection: Connection, market_id: str, doubt: Doubt, since: datetime) -> str | None:
    """Trades, liquidations and settlements that add up to the change."""
    rows = [row for row in await _whole_log(connection, since) if row["asset"].upper() == market_id]
    moved = _by_kind(rows)
    if not moved or sum(moved.values(), ZERO) != doubt.now - doubt.before:
        return None
    listed = ", ".join(f"{kind} {amount:+f} contracts" for kind, amount in sorted(moved.items()))
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime) -> str | None:
    """The movements that account for a fall of a balance, by kind."""
    name = connection.exchange.safe_currency_code
    holding = doubt.subject.rsplit("/", 2)[1] == "funding"
    moved = _by_kind(
        row
        for row in await _whole_log(connection, since)
        if name(row["asset"]) == doubt.asset and (row["margin_account"] == _HOLDING) is holding
    )
    change = doubt.now - doubt.before
    if not change or sum(moved.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(moved.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """What rows of the log say was realised, hourly and with every trade; a full page is all up to its last row."""
    as_of, found = connection.clock.now(), []
    rows = await _log(connection, since)
    if len(rows) >= _ROWS_MAX:
        as_of = min(as_of, iso_moment(rows[-1], "date"))
    for row in rows:
        if row["info"] != _FUNDING and row.get("realized_funding") is None:
            continue
        amount = number(row, "realized_funding")
        if not amount or row["asset"] == row.get("contract"):  # a trade's row of the position, beside that of the money
            continue
        contract = wanted.get(text(row, "contract").upper())
        if contract is not None:
            coin, at = connection.exchange.safe_currency_code(row["asset"]), iso_moment(row, "date")
            found.append(FundingPayment(contract.id, at, amount, coin, f"{number(row, 'id'):f}"))
    return Read(tuple(found), as_of)


async def _whole_log(connection: Connection, since: datetime) -> list[Row]:
    """What came since then, or nothing if there may be more."""
    rows = await _log(connection, since)
    if len(rows) >= _ROWS_MAX:
        return []
    start = _start(connection, since)
    return [row for row in rows if milliseconds(iso_moment(row, "date")) >= start]


async def _log(connection: Connection, since: datetime) -> list[Row]:
    """A page, oldest first."""
    asked = {"since": _start(connection, since), "sort": "asc", "count": _ROWS_MAX}
    rows: list[Row] = (await connection.exchange.historyGetAccountLog(asked))["logs"]
    return rows


def _start(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])


def _by_kind(rows: Iterable[Row]) -> dict[str, Decimal]:
    moved: dict[str, Decimal] = {}
    for row in rows:
        moved[row["info"]] = moved.get(row["info"], ZERO) + number(row, "new_balance") - number(row, "old_balance")
    return moved
