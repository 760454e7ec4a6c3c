"""What Deribit shows for something that went missing: trades in a contract, and the log of each currency.

Only movements that add up to the change explain it; a page that is not the last may lack some and explains nothing.
A loss that trades have realised since the last settlement is in no log before the next one: it explains nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, flag, milliseconds, number
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_TRADES_MAX, _LOGS_MAX = 1000, 250  # a page
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_AHEAD = 60_000  # milliseconds: what happens while we ask is asked for, too

ENDPOINTS = {
    ("GET", "/api/v2/private/get_user_trades_by_instrument_and_time"): Endpoint(
        "trades",
        Record(
            {
                "result": Record(
                    {
                        "trades": Rows({"instrument_name": TEXT, "direction": TEXT, "amount": NUMBER}),
                        "has_more": PRESENT,
                    }
                )
            }
        ),
    ),
    ("GET", "/api/v2/private/get_transaction_log"): Endpoint(
        "transaction log", Record({"result": Record({"logs": Rows({"type": TEXT, "currency": TEXT})})})
    ),
}


async def explain_position(
    connection: Connection, instrument: Instrument, market_id: str, doubt: Doubt, since: datetime
) -> str | None:
    """Trades that add up to the change, or a delivery that took all of it."""
    venue, change = connection.exchange, doubt.now - doubt.before
    asked = {"instrument_name": market_id, **_span(connection, since), "count": _TRADES_MAX}
    page = (await venue.privateGetGetUserTradesByInstrumentAndTime(asked))["result"]
    trades = [] if flag(page, "has_more") else page["trades"]
    if any(row["instrument_name"] != market_id or row["direction"] not in {"buy", "sell"} for row in trades):
        raise Misshapen("a trade is not one that was asked for")
    if trades and sum((number(t, "amount") * (1 if t["direction"] == "buy" else -1) for t in trades), ZERO) == change:
        by_venue = " (liquidation)" if any(row.get("liquidation") for row in trades) else ""
        return f"{len(trades)} trades since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all{by_venue}"
    if doubt.now:
        return None
    logs = await _logs(connection, venue.currency_id(instrument.settle), since)
    if any(row["type"] == "delivery" and row.get("instrument_name") == market_id for row in logs):
        return f"closed by the venue since {since:%Y-%m-%d %H:%M} UTC (delivery)"
    return None


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime) -> str | None:
    """The entries of a currency's log that account for a fall of its balance."""
    amounts: dict[str, Decimal] = {}
    for row in await _logs(connection, connection.exchange.currency_id(doubt.asset), since):
        kind = row["type"].replace("_", " ")
        amounts[kind] = amounts.get(kind, ZERO) + number(row, "change")
    change = doubt.now - doubt.before
    if not change or sum(amounts.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(amounts.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


async def _logs(connection: Connection, currency: str, since: datetime) -> Iterable[Row]:
    asked = {"currency": currency, **_span(connection, since), "count": _LOGS_MAX}
    page: Any = (await connection.exchange.privateGetGetTransactionLog(asked))["result"]
    if page.get("continuation") is not None:
        return []
    if any(row["currency"] != currency for row in page["logs"]):
        raise Misshapen("an entry of the log is of another currency")
    return [row for row in page["logs"] if "change" in row]


def _span(connection: Connection, since: datetime) -> dict[str, int]:
    """Our times by the venue's clock: ccxt keeps ours − theirs."""
    ahead = int(connection.exchange.options["timeDifference"])
    now = milliseconds(connection.clock.now())
    return {"start_timestamp": milliseconds(since) - ahead, "end_timestamp": now - ahead + _AHEAD}
