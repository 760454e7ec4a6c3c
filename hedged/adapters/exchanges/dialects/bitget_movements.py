"""What Bitget shows for something that went missing: fills, bills, executed orders, and the bills of each wallet.

Only movements that add up to the change explain it; a page that is full may lack some and explains nothing. What
became of the funding wallet and of isolated margin the venue does not tell in one list: it stays unexplained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.bitget_quotes import product_of
from hedged.adapters.exchanges.dialects.bitget_shapes import PRODUCTS, known
from hedged.adapters.exchanges.shapes import Misshapen, Row, Rows, Scalar, check, milliseconds, moment, number, text
from hedged.adapters.exchanges.shared_call import together
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

ZERO = Decimal(0)

_PAGE = 100  # rows, the most that futures histories give at once
_PAGES_MAX = 10
_SPOT_PAGE = 500
_FUNDING = "contract_settle_fee"
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_SIDES = {"buy": 1, "sell": -1}
_FORCED = ("force_", "burst_", "delivery_", "adl_")  # how kinds of bills begin that the venue itself made
_SAVINGS = "financial"  # the group of bills of what went into earn products or came back

_FILL = Rows({"symbol": Scalar.TEXT, "side": Scalar.TEXT, "baseVolume": Scalar.NUMBER, "cTime": Scalar.NUMBER})
_BILL = Rows({"coin": Scalar.TEXT, "businessType": Scalar.TEXT, "amount": Scalar.NUMBER, "cTime": Scalar.NUMBER})


async def explain_position(
    connection: Connection, instrument: Instrument, market_id: str, doubt: Doubt, since: datetime
) -> str | None:
    """Fills that add up to the change, or a bill by which the venue closed all of it, or executed orders."""
    venue, change, start = connection.exchange, doubt.now - doubt.before, _start(connection, since)
    product = {"productType": product_of(connection, instrument), "startTime": start, "limit": _PAGE}
    page, told_since = {**product, "symbol": market_id}, f"since {since:%Y-%m-%d %H:%M} UTC"
    fills = _whole(_rows(await venue.privateMixGetV2MixOrderFills(page), "fillList", _FILL), start)
    if fills and _signed(fills, market_id) == change:
        return f"{len(fills)} fills {told_since}, {change:+f} contracts in all"
    bills = _rows(await venue.privateMixGetV2MixAccountBill(product), "bills", _BILL)
    forced = {
        row["businessType"]
        for row in bills
        if row.get("symbol") == market_id and row["businessType"].startswith(_FORCED) and number(row, "cTime") >= start
    }
    if forced and not doubt.now:
        return f"closed by the venue {told_since} ({', '.join(sorted(forced))})"
    orders = _whole(_rows(await venue.privateMixGetV2MixOrderOrdersHistory(page), "entrustedList", _FILL), start)
    if orders and _signed(orders, market_id) == change:
        return f"orders {told_since} executed {change:+f} contracts in all"
    return None


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime) -> str | None:
    """The bills that account for a fall of a balance; every change of these wallets leaves one."""
    venue, start = connection.exchange, _start(connection, since)
    wallet, coin = doubt.subject.rsplit("/", 2)[1], venue.currency_id(doubt.asset)
    amounts: list[tuple[str, Decimal]] | None = None
    if wallet in {"spot", "earn"}:
        page = {"coin": coin, "startTime": start, "limit": _SPOT_PAGE}
        rows = _own((await venue.privateSpotGetV2SpotAccountBills(page))["data"], coin, _SPOT_PAGE)
        amounts = [
            (row["businessType"].lower(), -number(row, "size") if wallet == "earn" else number(row, "size"))
            for row in rows or ()
            if number(row, "cTime") >= start and (wallet == "spot" or row["groupType"] == _SAVINGS)
        ]
    elif wallet == "margin":
        page = {"coin": coin, "startTime": start, "limit": _SPOT_PAGE}
        reply = await venue.privateMarginGetV2MarginCrossedFinancialRecords(page)
        rows = _own(reply["data"]["resultList"], coin, _SPOT_PAGE)
        amounts = [(row["marginType"], number(row, "amount")) for row in rows or ()]
    elif wallet == "swap":
        asked = ({"productType": product, "startTime": start, "limit": _PAGE} for product in PRODUCTS)
        replies = await together(*(venue.privateMixGetV2MixAccountBill(each) for each in asked))
        found = [_own(_rows(reply, "bills", _BILL), coin, _PAGE) for reply in replies]
        if None not in found:
            bills = [row for rows in found if rows for row in rows if number(row, "cTime") >= start]
            amounts = [(row["businessType"], number(row, "amount") + (known(row, "fee") or ZERO)) for row in bills]
    return _told(amounts or (), doubt, since)


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By the bills of each product, newest first, page by page. Raises `Misshapen` rather than leave any out."""
    venue, as_of = connection.exchange, connection.clock.now()
    found: list[FundingPayment] = []
    for product in sorted({product_of(connection, contract) for contract in wanted.values()}):
        asked = {"productType": product, "businessType": _FUNDING, "startTime": _start(connection, since)}
        for _ in range(_PAGES_MAX):
            reply = await venue.privateMixGetV2MixAccountBill({**asked, "limit": _PAGE})
            rows = _rows(reply, "bills", _BILL)
            if not rows and reply["data"].get("endId") not in (None, ""):
                raise Misshapen("the list of bills has an end and no rows")
            for row in rows:
                contract = wanted.get(text(row, "symbol")) if row["businessType"] == _FUNDING else None
                if contract is not None:
                    coin, at = venue.safe_currency_code(row["coin"]), moment(row, "cTime")
                    found.append(FundingPayment(contract.id, at, number(row, "amount"), coin, _bill(row)))
            if len(rows) < _PAGE:
                break
            asked = {**asked, "idLessThan": _bill(rows[-1])}
        else:
            raise Misshapen(f"more than {_PAGES_MAX} pages of funding bills")
    return Read(tuple(found), as_of)


def _bill(row: Row) -> str:
    return f"{number(row, 'billId'):f}"


def _told(amounts: Iterable[tuple[str, Decimal]], doubt: Doubt, since: datetime) -> str | None:
    by_kind: dict[str, Decimal] = {}
    for kind, amount in amounts:
        by_kind[kind] = by_kind.get(kind, ZERO) + amount
    change = doubt.now - doubt.before
    if not change or sum(by_kind.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(by_kind.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


def _rows(reply: Any, name: str, shape: Rows) -> list[Row]:
    """A list of a futures history, which is null where it has no rows."""
    rows = reply["data"][name]
    if rows is None:
        return []
    check(rows, shape, name)
    return list(rows)


def _whole(rows: list[Row], start: int) -> list[Row]:
    return [row for row in rows if number(row, "cTime") >= start] if len(rows) < _PAGE else []


def _own(rows: list[Row], coin: str, page: int) -> list[Row] | None:
    """The rows of this coin; None where the page is full and may lack some."""
    return None if len(rows) >= page else [row for row in rows if row["coin"].upper() == coin.upper()]


def _signed(rows: Iterable[Row], market_id: str) -> Decimal:
    try:
        return sum(
            (_SIDES[row["side"]] * number(row, "baseVolume") for row in rows if row["symbol"] == market_id), ZERO
        )
    except KeyError:
        raise Misshapen("side is neither buy nor sell") from None


def _start(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])
