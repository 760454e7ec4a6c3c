"""What OKX shows for something that went missing: fills, executed orders, and the bills of each account.

Only movements that add up to the change explain it; a page that is full may lack some and explains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.okx_quotes import instrument_type
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, milliseconds, moment, number, text
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER
ZERO = Decimal(0)

_ROWS_MAX = 100  # a page
_PAGES_MAX = 10
_FUNDING_FEE = "8"  # the type of a bill
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_CLOSED_BY_VENUE = {"3": "delivery", "5": "liquidation", "9": "auto-deleveraging"}
_WITHIN_WALLET = "6"  # margin moved between the account and an isolated position: still in the wallet
_TRADING_BILLS = {
    **_CLOSED_BY_VENUE,
    "1": "transfer",
    "2": "trade",
    "4": "conversion",
    "7": "interest",
    "8": "funding fee",
    "10": "clawback",
    "11": "conversion by the venue",
}
_SAVED, _REDEEMED = "75", "76"
_FUNDING_BILLS = {
    "1": "deposit",
    "2": "withdrawal",
    "20": "transfer to a sub-account",
    "130": "transfer from the trading account",
    "131": "transfer to the trading account",
    _SAVED: "put into savings",
    _REDEEMED: "taken out of savings",
}

ENDPOINTS = {
    ("GET", "/api/v5/trade/fills"): Endpoint(
        "fills", Record({"data": Rows({"instId": TEXT, "side": TEXT, "fillSz": NUMBER})})
    ),
    ("GET", "/api/v5/trade/orders-history"): Endpoint(
        "closed orders", Record({"data": Rows({"instId": TEXT, "side": TEXT, "accFillSz": NUMBER})})
    ),
    ("GET", "/api/v5/account/bills"): Endpoint(
        "trading bills", Record({"data": Rows({"ccy": TEXT, "type": NUMBER, "balChg": NUMBER})})
    ),
    ("GET", "/api/v5/asset/bills"): Endpoint(
        "funding bills", Record({"data": Rows({"ccy": TEXT, "type": NUMBER, "balChg": NUMBER, "ts": NUMBER})})
    ),
}


async def explain_position(
    connection: Connection, instrument: Instrument, market_id: str, doubt: Doubt, since: datetime
) -> str | None:
    """Fills that add up to the change, or a settlement that took all of it, or executed orders that add up."""
    venue, change = connection.exchange, doubt.now - doubt.before
    kind = {"instType": instrument_type(instrument), "begin": _start(connection, since), "limit": _ROWS_MAX}
    page = {**kind, "instId": market_id}
    fills = _whole((await venue.privateGetTradeFills(page))["data"])
    if fills and _signed(fills, "fillSz") == change:
        return f"{len(fills)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all"
    bills = (await venue.privateGetAccountBills(page))["data"]
    settled = {_CLOSED_BY_VENUE.get(_type(row), "") for row in bills if row.get("instId") == market_id} - {""}
    if settled and not doubt.now:
        return f"closed by the venue since {since:%Y-%m-%d %H:%M} UTC ({', '.join(sorted(settled))})"
    orders = _whole((await venue.privateGetTradeOrdersHistory(page))["data"])
    if orders and _signed(orders, "accFillSz") == change:
        return f"orders since {since:%Y-%m-%d %H:%M} UTC executed {change:+f} contracts in all"
    return None


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime) -> str | None:
    """The bills that account for a fall of a balance; every change of an account leaves one."""
    wallet = doubt.subject.rsplit("/", 2)[1]
    venue, start = connection.exchange, _start(connection, since)
    page = {"ccy": venue.currency_id(doubt.asset), "limit": _ROWS_MAX}
    if wallet == "spot":
        rows = _whole((await venue.privateGetAccountBills({**page, "begin": start}))["data"])
        rows = [row for row in rows if _type(row) != _WITHIN_WALLET]
    else:
        rows = _whole((await venue.privateGetAssetBills({**page, "before": start}))["data"])
        rows = [row for row in rows if number(row, "ts") >= start]
    if wallet == "earn":  # seen from the account at the other end
        rows = [row for row in rows if _type(row) in {_SAVED, _REDEEMED}]
    mine = [row for row in rows if row["ccy"] == page["ccy"]]
    names = _TRADING_BILLS if wallet == "spot" else _FUNDING_BILLS
    return _told(mine, names, -1 if wallet == "earn" else 1, doubt, since)


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By bills, newest first, a page after the other. Raises `Misshapen` rather than leave any out."""
    venue, as_of = connection.exchange, connection.clock.now()
    asked = {"instType": "SWAP", "type": _FUNDING_FEE, "begin": _start(connection, since), "limit": _ROWS_MAX}
    found: list[FundingPayment] = []
    for _ in range(_PAGES_MAX):
        rows = (await venue.privateGetAccountBills(asked))["data"]
        for row in rows:
            contract = wanted.get(text(row, "instId")) if _type(row) == _FUNDING_FEE else None
            if contract is not None:
                coin = venue.safe_currency_code(row["ccy"])
                # one of a position with a margin of its own may be booked on that
                amount = number(row, "balChg") or number(row, "posBalChg")
                found.append(FundingPayment(contract.id, moment(row, "ts"), amount, coin, _bill(row)))
        if len(rows) < _ROWS_MAX:
            return Read(tuple(found), as_of)
        asked = {**asked, "after": _bill(rows[-1])}
    raise Misshapen(f"more than {_PAGES_MAX} pages of funding bills")


def _bill(row: Row) -> str:
    return f"{number(row, 'billId'):f}"


def _told(rows: Iterable[Row], names: dict[str, str], sign: int, doubt: Doubt, since: datetime) -> str | None:
    amounts: dict[str, Decimal] = {}
    for row in rows:
        kind = names.get(_type(row), f"bills of type {_type(row)}")
        amounts[kind] = amounts.get(kind, ZERO) + sign * number(row, "balChg")
    change = doubt.now - doubt.before
    if not change or sum(amounts.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(amounts.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


def _whole(rows: list[Row]) -> list[Row]:
    return rows if len(rows) < _ROWS_MAX else []


def _signed(rows: Iterable[Row], field: str) -> Decimal:
    return sum((number(row, field) * (1 if row["side"] == "buy" else -1) for row in rows), ZERO)


def _start(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])


def _type(row: Row) -> str:
    """The number of what a bill is for, as the tables above have it."""
    return f"{number(row, 'type').normalize():f}"
