"""What Bitget's unified account shows for something that went missing, fills and executed orders, and what was paid.

Only what adds up to the change explains it, and a page that is full may lack some. Of a coin in the pool only trades
tell: the signs of the venue's other records are not documented, so a transfer stays unexplained. Those of funding are
in the names of their kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.bitget_quotes import product_of
from hedged.adapters.exchanges.dialects.bitget_unified import WALLET, listed
from hedged.adapters.exchanges.shapes import Misshapen, Row, Rows, Scalar, milliseconds, moment, number, text
from hedged.adapters.exchanges.shared_call import together
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

ZERO = Decimal(0)
_PAGE = 100  # rows, the most that histories give at once
_PAGES_MAX = 10
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_SIDES = {"buy": 1, "sell": -1}
_TRADED = ("SPOT", "MARGIN")
_FUNDING = {"CONTRACT_MAIN_SETTLE_FEE_USER_IN": 1, "CONTRACT_MAIN_SETTLE_FEE_USER_OUT": -1}

_ROW = {"symbol": Scalar.TEXT, "side": Scalar.TEXT, "createdTime": Scalar.NUMBER}
_FILL = Rows({**_ROW, "execQty": Scalar.NUMBER})
_TRADE = Rows({**_ROW, "execQty": Scalar.NUMBER, "execValue": Scalar.NUMBER})
_ORDER = Rows({**_ROW, "cumExecQty": Scalar.NUMBER})
_RECORD = Rows(
    {
        "symbol": Scalar.PRESENT,
        "coin": Scalar.TEXT,
        "type": Scalar.TEXT,
        "amount": Scalar.NUMBER,
        "ts": Scalar.NUMBER,
        "id": Scalar.TEXT,
    }
)


async def explain_position(
    connection: Connection, instrument: Instrument, market_id: str, doubt: Doubt, since: datetime
) -> str | None:
    """Fills that add up to the change, or orders that do: the venue's own, as of a liquidation, are among them."""
    venue, change, start = connection.exchange, doubt.now - doubt.before, _start(connection, since)
    asked = {"category": product_of(connection, instrument), "startTime": start, "limit": _PAGE}
    told_since = f"since {since:%Y-%m-%d %H:%M} UTC"
    fills = [
        row
        for row in _since(await venue.privateUtaGetV3TradeFills(asked), _FILL, start) or ()
        if row["symbol"] == market_id
    ]
    if fills and _signed(fills, "execQty") == change:
        return f"{len(fills)} fills {told_since}, {change:+f} contracts in all"
    reply = await venue.privateUtaGetV3TradeHistoryOrders({**asked, "symbol": market_id})
    orders = [row for row in _since(reply, _ORDER, start) or () if row["symbol"] == market_id]
    if orders and _signed(orders, "cumExecQty") == change:
        kinds = sorted({str(row.get("execType") or "normal") for row in orders})
        return f"orders {told_since} executed {change:+f} contracts in all ({', '.join(kinds)})"
    return None


async def explain_balance(connection: Connection, markets: Markets, doubt: Doubt, since: datetime) -> str | None:
    """Spot and margin trades that account for a fall of a coin in the pool."""
    if doubt.subject.rsplit("/", 2)[1] != WALLET:
        return None
    venue, start = connection.exchange, _start(connection, since)
    asked = ({"category": each, "startTime": start, "limit": _PAGE} for each in _TRADED)
    pages = [_since(reply, _TRADE, start) for reply in await together(*map(venue.privateUtaGetV3TradeFills, asked))]
    if None in pages:
        return None
    coins = {market_id: pair for pair, market_id in markets.spot.items()}
    fills = [row for page in pages for row in page or () if doubt.asset in coins.get(row["symbol"], ())]
    told = sum((_moved(row, coins[row["symbol"]], doubt.asset) for row in fills), ZERO)
    change = doubt.now - doubt.before
    if not change or told / change < _ENOUGH:
        return None
    return f"since {since:%Y-%m-%d %H:%M} UTC: {len(fills)} fills {told:+f} {doubt.asset}"


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """What each product's positions received and paid, by records of their own kinds; never some of them."""
    as_of, start = connection.clock.now(), _start(connection, since)
    asked = (
        {"category": product, "type": kind, "startTime": start, "limit": _PAGE}
        for product in sorted({product_of(connection, contract) for contract in wanted.values()})
        for kind in _FUNDING
    )
    pages = await together(*(_records(connection, each) for each in asked))
    name = connection.exchange.safe_currency_code
    return Read(
        tuple(
            FundingPayment(
                wanted[row["symbol"]].id,
                moment(row, "ts"),
                _FUNDING[kind] * abs(number(row, "amount")),
                name(row["coin"]),
                text(row, "id"),
            )
            for kind, rows in pages
            for row in rows
            if row["type"] == kind and text(row, "symbol") in wanted
        ),
        as_of,
    )


async def _records(connection: Connection, asked: Mapping[str, object]) -> tuple[str, list[Row]]:
    """All records of a kind since then, page by page, and the kind."""
    found: list[Row] = []
    page = dict(asked)
    for _ in range(_PAGES_MAX):
        reply = await connection.exchange.privateUtaGetV3AccountFinancialRecords(page)
        rows, cursor = listed(reply, _RECORD), reply["data"]["cursor"]
        if not rows and cursor not in (None, ""):
            raise Misshapen("the list has an end and no rows")
        found += rows
        if len(rows) < _PAGE:
            return str(asked["type"]), found
        page["cursor"] = text(reply["data"], "cursor")
    raise Misshapen(f"more than {_PAGES_MAX} pages of records")


def _moved(row: Row, pair: tuple[str, str], asset: str) -> Decimal:
    """What a trade of this pair did to the coin."""
    return _signed([row], "execQty") if pair[0] == asset else -_signed([row], "execValue")


def _start(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])


def _since(reply: Row, shape: Rows, start: int) -> list[Row] | None:
    """Rows from then on; None where the page is full and may lack some."""
    rows = listed(reply, shape)
    return None if len(rows) >= _PAGE else [row for row in rows if number(row, "createdTime") >= start]


def _signed(rows: Iterable[Row], amount: str) -> Decimal:
    try:
        return sum((_SIDES[row["side"]] * number(row, amount) for row in rows), ZERO)
    except KeyError:
        raise Misshapen("side is neither buy nor sell") from None
