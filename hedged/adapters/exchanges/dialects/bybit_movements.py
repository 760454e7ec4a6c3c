"""What Bybit shows for something that went missing: fills, liquidations, deliveries, the account's log, transfers.

Only movements that add up to the change explain it; one that merely happened in the same hour does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.bybit_replies import all_pages, paged
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Row, Scalar, milliseconds, moment, not_negative, number, text
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER
ZERO = Decimal(0)

_SPAN = 7 * 86_400_000
"""Milliseconds that a history is asked for at once: what each of them takes between both ends. With `startTime` alone
the account's log is shown for a day from then on, fills and orders for seven, and what came later is left out.
"""
_SPANS_MAX = 5

_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_TRADES = frozenset({"Trade", "BlockTrade", "MovePosition"})
_BY_THE_VENUE = frozenset({"BustTrade", "AdlTrade", "Delivery"})  # liquidation, auto-deleveraging, expiry
_SETTLEMENT = "SETTLEMENT"
_FAILED = frozenset({"CancelByUser", "Reject", "Fail"})  # withdrawals that did not leave

ENDPOINTS = {
    ("GET", "/v5/execution/list"): Endpoint(
        "fills", paged({"symbol": TEXT, "side": TEXT, "execType": TEXT, "execQty": NUMBER})
    ),
    ("GET", "/v5/order/history"): Endpoint("orders", paged({"symbol": TEXT, "side": TEXT, "cumExecQty": NUMBER})),
    ("GET", "/v5/account/transaction-log"): Endpoint(
        "account log", paged({"type": TEXT, "currency": TEXT, "change": NUMBER})
    ),
    ("GET", "/v5/asset/transfer/query-inter-transfer-list"): Endpoint(
        "transfers",
        paged({"coin": TEXT, "amount": NUMBER, "fromAccountType": TEXT, "toAccountType": TEXT, "status": TEXT}),
    ),
    ("GET", "/v5/asset/withdraw/query-record"): Endpoint(
        "withdrawals", paged({"coin": TEXT, "amount": NUMBER, "status": TEXT}, "rows")
    ),
}


async def explain_position(
    connection: Connection, category: str, market_id: str, doubt: Doubt, since: datetime
) -> str | None:
    """Fills that add up to the change, the venue's own closing among them; else executed orders that add up.

    A delivery has no side of its own and takes all that is left.
    """
    venue, change, when = connection.exchange, doubt.now - doubt.before, f"since {since:%Y-%m-%d %H:%M} UTC"
    request = {"category": category, "symbol": market_id}

    ask = venue.privateGetV5ExecutionList
    rows = _of(await _all_since(connection, ask, {**request, "limit": 100}, since), market_id)
    fills = [row for row in rows if row["execType"] in _TRADES | _BY_THE_VENUE]  # not Funding, which moves none
    forced = sorted({row["execType"] for row in fills} & _BY_THE_VENUE)
    if forced and (_signed(fills, "execQty") == change or ("Delivery" in forced and not doubt.now)):
        return f"closed by the venue {when} ({', '.join(forced)})"
    if fills and _signed(fills, "execQty") == change:
        return f"{len(fills)} fills {when}, {change:+f} contracts in all"
    ask = venue.privateGetV5OrderHistory
    orders = _of(await _all_since(connection, ask, {**request, "limit": 50}, since), market_id)
    if orders and _signed(orders, "cumExecQty") == change:
        return f"orders {when} executed {change:+f} contracts in all"
    return None


async def explain_balance(connection: Connection, wallet: str, doubt: Doubt, since: datetime) -> str | None:
    """The movements that account for a fall of a balance. The venue has no such list for `earn`."""
    if wallet == "earn":
        return None
    ask = _of_funding if wallet == "funding" else _of_unified
    moved = {kind: amount for kind, amount in (await ask(connection, doubt.asset, since)).items() if amount}
    change = doubt.now - doubt.before
    if not change or sum(moved.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(moved.items()))
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By the log of the unified account. A contract in USDC settles its profit with it, which is in `cashFlow`."""
    as_of = connection.clock.now()
    request = {"accountType": "UNIFIED", "type": _SETTLEMENT, "limit": 50}
    rows = await _all_since(connection, connection.exchange.privateGetV5AccountTransactionLog, request, since)
    return Read(
        tuple(
            FundingPayment(
                wanted[row["symbol"]].id,
                moment(row, "transactionTime"),
                number(row, "funding"),
                row["currency"],
                text(row, "id"),
            )
            for row in rows
            if row["type"] == _SETTLEMENT and text(row, "symbol") in wanted
        ),
        as_of,
    )


async def _of_unified(connection: Connection, asset: str, since: datetime) -> dict[str, Decimal]:
    """Every change of a coin of the unified account is in its log, of one type or another."""
    request = {"accountType": "UNIFIED", "currency": asset, "limit": 50}
    rows = await _all_since(connection, connection.exchange.privateGetV5AccountTransactionLog, request, since)
    moved: dict[str, Decimal] = {}
    for row in rows:
        if row["currency"] == asset:
            kind = row["type"].lower().replace("_", " ")
            moved[kind] = moved.get(kind, ZERO) + number(row, "change")
    return moved


async def _of_funding(connection: Connection, asset: str, since: datetime) -> dict[str, Decimal]:
    venue, request = connection.exchange, {"coin": asset, "limit": 50}
    moved = {"transfer": ZERO, "withdrawal": ZERO}
    for row in await _all_since(connection, venue.privateGetV5AssetTransferQueryInterTransferList, request, since):
        if row["coin"] == asset and row["status"] == "SUCCESS":
            came, went = row["toAccountType"] == "FUND", row["fromAccountType"] == "FUND"
            moved["transfer"] += not_negative(row, "amount") * (came - went)
    for row in await _all_since(connection, venue.privateGetV5AssetWithdrawQueryRecord, request, since, "rows"):
        if row["coin"] == asset and row["status"] not in _FAILED:
            moved["withdrawal"] -= not_negative(row, "amount")
    return moved


async def _all_since(
    connection: Connection,
    ask: Callable[[Mapping[str, Any]], Awaitable[Row]],
    request: Mapping[str, Any],
    since: datetime,
    name: str = "list",
) -> list[Row]:
    """The rows from then to now, span by span. Raises `Misshapen` rather than leave any out."""
    start, end = _venue_time(connection, since), _venue_time(connection, connection.clock.now())
    starts = range(start, end + 1, _SPAN)
    if len(starts) > _SPANS_MAX:
        raise Misshapen(f"asked for more than {_SPANS_MAX * _SPAN // 86_400_000} days")
    rows: list[Row] = []
    for begin in starts:  # both ends are of the span
        asked = {**request, "startTime": begin, "endTime": min(begin + _SPAN - 1, end)}
        rows += await all_pages(ask, asked, name)
    return rows


def _of(rows: Iterable[Row], market_id: str) -> list[Row]:
    return [row for row in rows if row["symbol"] == market_id]


def _signed(rows: Iterable[Row], field: str) -> Decimal:
    return sum((not_negative(row, field) * _sign(row) for row in rows), ZERO)


def _sign(row: Row) -> int:
    if row["side"] not in {"Buy", "Sell"}:
        raise Misshapen("side is neither Buy nor Sell")
    return 1 if row["side"] == "Buy" else -1


def _venue_time(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])
