"""What Gate shows for something that went missing: fills, liquidations, deleveraging, settlements, and account books.

Only movements that add up to the change explain it; a page that is full may lack some and explains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.gate_quotes import segment_of
from hedged.adapters.exchanges.dialects.gate_shapes import SEGMENTS, seconds
from hedged.adapters.exchanges.shapes import Misshapen, Row, milliseconds, not_negative, number, text
from hedged.adapters.exchanges.shared_call import together
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

ZERO = Decimal(0)

_PAGE = 100  # rows
_FUNDING = "fund"
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_LENT_AND_BACK = {"lend": 1, "redeem": -1}
_MILLISECONDS_MIN = 10**11  # a larger number of seconds is one of milliseconds: account books differ in it


async def explain_position(
    connection: Connection, instrument: Instrument, market_id: str, doubt: Doubt, since: datetime
) -> str | None:
    """Fills that add up to the change, or an event by which the venue closed all of it."""
    venue, change, start = connection.exchange, doubt.now - doubt.before, _start(connection, since)
    segment, told_since = segment_of(instrument), f"since {since:%Y-%m-%d %H:%M} UTC"
    page = {"settle": segment.settle, "contract": market_id, "limit": _PAGE}
    if segment.dated:
        fills = await segment.ask(venue, "MyTrades")(page)
    else:
        fills = await segment.ask(venue, "MyTradesTimerange")({**page, "from": start})
    mine = _since(fills, "create_time", start, market_id)
    if mine and len(fills) < _PAGE and sum((number(row, "size") for row in mine), ZERO) == change:
        return f"{len(mine)} fills {told_since}, {change:+f} contracts in all"
    if doubt.now:
        return None
    events = {"Liquidates": "liquidation"}
    events |= {"Settlements": "settlement"} if segment.dated else {"AutoDeleverages": "auto-deleveraging"}
    for call, name in events.items():
        if _since(await segment.ask(venue, call)(page), "time", start, market_id):
            return f"closed by the venue {told_since} ({name})"
    return None


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime, *, pooled: bool = False) -> str | None:
    """The entries of the wallet's book that account for a fall of a balance.

    `pooled`: the wallet is a unified account's pool, whose coins both spot and USDT perpetuals move.
    """
    venue, start = connection.exchange, _start(connection, since)
    wallet, coin = doubt.subject.rsplit("/", 2)[1], venue.currency_id(doubt.asset)
    page = {"currency": coin, "from": start, "limit": _PAGE}
    asked = []
    if wallet == "swap" or pooled:
        segments = SEGMENTS if wallet == "swap" else SEGMENTS[:1]
        asked += [
            each.ask(venue, "AccountBook")({"settle": each.settle, "from": start, "limit": _PAGE})
            for each in segments
            if each.settle == coin.lower()
        ]
    if wallet == "earn":
        asked.append(venue.privateEarnGetUniLendRecords(page))
    elif wallet == "margin":
        asked.append(venue.privateMarginGetAccountBook(page))
    elif wallet == "spot" or pooled:
        asked.append(venue.privateSpotGetAccountBook(page))
    replies = await together(*asked)
    if any(len(rows) >= _PAGE for rows in replies):
        return None
    rows = [row for reply in replies for row in reply if row.get("currency", coin) == coin]
    return _told([_entry(row) for row in rows if _time(row) >= start], doubt, since)


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By the account book of each contract, newest first; three days of it, hourly ones too, are less than a page.

    An entry has no number of its own: there is one at a time.
    """
    as_of, start, found = connection.clock.now(), _start(connection, since), []
    for market_id, contract in wanted.items():
        segment = segment_of(contract)
        page = {"settle": segment.settle, "contract": market_id, "type": _FUNDING, "from": start, "limit": _PAGE}
        rows = await segment.ask(connection.exchange, "AccountBook")(page)
        if len(rows) >= _PAGE:
            raise Misshapen("a page of funding that is full may lack some")
        for row in rows:
            if row["type"] == _FUNDING and text(row, "contract") == market_id:
                at, amount = seconds(row, "time"), number(row, "change")
                found.append(FundingPayment(contract.id, at, amount, contract.settle, at.isoformat()))
    return Read(tuple(found), as_of)


def _entry(row: Row) -> tuple[str, Decimal]:
    """What happened, and by how much the balance changed."""
    kind = row.get("type", "changes")
    if "change" in row:
        return str(kind), number(row, "change")
    try:
        return str(kind), _LENT_AND_BACK[row["type"]] * not_negative(row, "amount")
    except KeyError:
        raise Misshapen("type is neither lend nor redeem") from None


def _time(row: Row) -> Decimal:
    """Seconds since 1970."""
    value = number(row, "create_time" if "create_time" in row else "time")
    return value / 1000 if value > _MILLISECONDS_MIN else value


def _told(entries: Iterable[tuple[str, Decimal]], doubt: Doubt, since: datetime) -> str | None:
    by_kind: dict[str, Decimal] = {}
    for kind, amount in entries:
        by_kind[kind] = by_kind.get(kind, ZERO) + amount
    change = doubt.now - doubt.before
    if not change or sum(by_kind.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(by_kind.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


def _since(rows: Iterable[Row], time: str, start: int, market_id: str) -> list[Row]:
    return [row for row in rows if row["contract"] == market_id and number(row, time) >= start]


def _start(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock, in seconds: ccxt keeps ours − theirs."""
    return (milliseconds(since) - int(connection.exchange.options["timeDifference"])) // 1000
