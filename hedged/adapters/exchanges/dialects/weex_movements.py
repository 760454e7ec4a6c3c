"""What WEEX shows for something that went missing: fills, liquidations, orders, and the bills of each wallet.

Only movements that add up to the change explain it. A history that may go on beyond one page explains nothing.
Two of the calls are POSTs that read: their parameters travel in the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, milliseconds, moment, number, text
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_ROWS_MAX = 100  # a page of fills and bills
_ORDERS_MAX = 1000
_DAY = 86_400_000  # milliseconds
_FILLS_DAYS, _ORDERS_DAYS, _BILLS_DAYS = 7, 90, 100  # the longest range that may be asked for
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_FUNDING = "position_funding"
_LIQUIDATIONS = frozenset({"start_liquidate", "finish_liquidate"})
# Bookings of a position's whole value against the collateral, and between positions: no money in or out.
_NOT_MONEY = ("position_open_", "position_close_", "margin_move_")

_ORDERS = Rows({"symbol": TEXT, "side": TEXT, "executedQty": NUMBER})

ENDPOINTS = {
    ("GET", "/capi/v3/userTrades"): Endpoint(
        "futures fills",
        Rows(
            {
                "symbol": TEXT,
                "side": TEXT,
                "qty": NUMBER,
                "realizedPnl": NUMBER,
                "commission": NUMBER,
                "commissionAsset": PRESENT,
                "time": NUMBER,
            }
        ),
    ),
    ("GET", "/capi/v3/order/history"): Endpoint("futures orders", _ORDERS),
    ("GET", "/capi/v3/sim/order/history"): Endpoint("demo futures orders", _ORDERS),
    ("POST", "/capi/v3/account/income"): Endpoint(
        "futures income",
        Record(
            {
                "hasNextPage": PRESENT,
                "items": Rows({"asset": TEXT, "symbol": PRESENT, "income": NUMBER, "incomeType": TEXT, "time": NUMBER}),
            }
        ),
    ),
    ("POST", "/api/v3/account/bills"): Endpoint(
        "spot bills", Rows({"coinName": TEXT, "bizType": TEXT, "deltaAmount": NUMBER, "cTime": NUMBER})
    ),
}


async def explain_position(connection: Connection, market_id: str, doubt: Doubt, since: datetime) -> str | None:
    """Fills that add up to the change, or a liquidation that took all of it, or executed orders that add up."""
    venue, change = connection.exchange, doubt.now - doubt.before
    asked = {"symbol": market_id}

    fills = await venue.contractPrivateGetCapiV3UserTrades(
        {**asked, **_range(connection, since, _FILLS_DAYS), "limit": _ROWS_MAX}
    )
    mine = [row for row in fills if row["symbol"] == market_id]
    if mine and len(fills) < _ROWS_MAX and _signed(mine, "qty") == change:
        return f"{len(mine)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all"
    income = await venue.contractPrivatePostCapiV3AccountIncome(
        {**asked, **_range(connection, since, _BILLS_DAYS), "limit": _ROWS_MAX}
    )
    ended = sorted({row["incomeType"] for row in income["items"] if row["symbol"] == market_id} & _LIQUIDATIONS)
    if ended and not doubt.now:
        return f"liquidated by the venue since {since:%Y-%m-%d %H:%M} UTC ({', '.join(ended)})"
    orders = await venue.contractPrivateGetCapiV3OrderHistory(
        {**asked, **_range(connection, since, _ORDERS_DAYS), "limit": _ORDERS_MAX}
    )
    return _by_orders(orders, market_id, change, since)


async def explain_demo_position(
    connection: Connection, contract: Instrument, doubt: Doubt, since: datetime
) -> str | None:
    """Demo trading shows orders and nothing else, under its own names of the markets."""
    venue = connection.exchange
    market_id = venue.to_sandbox_market_id(venue.market(contract.symbol))
    orders = await venue.contractPrivateGetCapiV3SimOrderHistory(
        {"symbol": market_id, **_range(connection, since, _ORDERS_DAYS), "limit": _ORDERS_MAX}
    )
    return _by_orders(orders, market_id, doubt.now - doubt.before, since)


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime) -> str | None:
    """The movements that account for a fall of a balance, by kind."""
    of_wallet = _of_futures if doubt.subject.rsplit("/", 2)[1] == "swap" else _of_spot
    moved = await of_wallet(connection, doubt.asset, since)
    change = doubt.now - doubt.before
    if moved is None or not change or sum(moved.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(moved.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By the income of each contract; three days of them, hourly ones too, are less than a page."""
    as_of, span, found = connection.clock.now(), _range(connection, since, _BILLS_DAYS), []
    for market_id, contract in wanted.items():
        asked = {"symbol": market_id, "incomeType": _FUNDING, **span, "limit": _ROWS_MAX}
        income = await connection.exchange.contractPrivatePostCapiV3AccountIncome(asked)
        if income["hasNextPage"] is not False:
            raise Misshapen("a page of funding that is full may lack some")
        found += [
            FundingPayment(
                contract.id,
                moment(row, "time"),
                number(row, "income"),
                connection.exchange.safe_currency_code(row["asset"]),
                f"{number(row, 'billId'):f}",
            )
            for row in income["items"]
            if row["incomeType"] == _FUNDING and text(row, "symbol") == market_id
        ]
    return Read(tuple(found), as_of)


async def _of_spot(connection: Connection, asset: str, since: datetime) -> dict[str, Decimal] | None:
    """The spot bills hold every movement: trades, transfers, deposits, withdrawals. None: they go on."""
    start = _venue_time(connection, since)
    rows = await connection.exchange.privatePostApiV3AccountBills({"after": start, "limit": _ROWS_MAX})
    # the venue's pages disagree on whether `after` is a time or the number of a bill: the times decide
    recent = [row for row in rows if number(row, "cTime") >= start]
    if len(rows) >= _ROWS_MAX and len(recent) == len(rows):
        return None
    return _by_kind((row["bizType"], number(row, "deltaAmount")) for row in recent if row["coinName"] == asset)


async def _of_futures(connection: Connection, asset: str, since: datetime) -> dict[str, Decimal] | None:
    """Bills that move money, and what fills realised. None: one of the two goes on."""
    venue, start = connection.exchange, _venue_time(connection, since)
    income = await venue.contractPrivatePostCapiV3AccountIncome(
        {"asset": asset, **_range(connection, since, _BILLS_DAYS), "limit": _ROWS_MAX}
    )
    fills = await venue.contractPrivateGetCapiV3UserTrades(
        {**_range(connection, since, _FILLS_DAYS), "limit": _ROWS_MAX}
    )
    if income["hasNextPage"] is not False or len(fills) >= _ROWS_MAX:
        return None
    bills = [row for row in income["items"] if number(row, "time") >= start and row["asset"] == asset]
    realised = [row for row in fills if number(row, "time") >= start and row["commissionAsset"] == asset]
    return _by_kind(
        [
            *(
                (row["incomeType"], number(row, "income"))
                for row in bills
                if not row["incomeType"].startswith(_NOT_MONEY)
            ),
            *(("realised by fills", number(row, "realizedPnl") - number(row, "commission")) for row in realised),
        ]
    )


def _by_kind(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    moved: dict[str, Decimal] = {}
    for kind, amount in amounts:
        name = kind.replace("_", " ")
        moved[name] = moved.get(name, ZERO) + amount
    return moved


def _by_orders(orders: Sequence[Row], market_id: str, change: Decimal, since: datetime) -> str | None:
    mine = [row for row in orders if row["symbol"] == market_id]
    if mine and len(orders) < _ORDERS_MAX and _signed(mine, "executedQty") == change:
        return f"orders since {since:%Y-%m-%d %H:%M} UTC executed {change:+f} contracts in all"
    return None


def _signed(rows: Iterable[Row], field: str) -> Decimal:
    """Bought less sold. A sale that closes a long and one that opens a short are both a sale."""
    total = ZERO
    for row in rows:
        if row["side"] not in {"BUY", "SELL"}:
            raise Misshapen("side is neither BUY nor SELL")
        total += number(row, field) if row["side"] == "BUY" else -number(row, field)
    return total


def _range(connection: Connection, since: datetime, days: int) -> dict[str, Any]:
    """From then to now; the venue refuses more than so many days, and one end without the other."""
    end = _venue_time(connection, connection.clock.now())
    return {"startTime": max(_venue_time(connection, since), end - days * _DAY), "endTime": end}


def _venue_time(connection: Connection, when: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(when) - int(connection.exchange.options["timeDifference"])
