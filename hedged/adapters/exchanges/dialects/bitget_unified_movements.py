"""What Bitget's unified account shows for something that went missing: fills, and executed orders.

Only what adds up to the change explains it, and a page that is full may lack some. Of a coin in the pool only trades
tell: the signs of the venue's other records are not documented, so a transfer stays unexplained.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.bitget_quotes import product_of
from hedged.adapters.exchanges.dialects.bitget_unified import WALLET, listed
from hedged.adapters.exchanges.shapes import Misshapen, Row, Rows, Scalar, milliseconds, number
from hedged.adapters.exchanges.shared_call import together
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt

ZERO = Decimal(0)
_PAGE = 100  # rows, the most that histories give at once
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_SIDES = {"buy": 1, "sell": -1}
_TRADED = ("SPOT", "MARGIN")

_ROW = {"symbol": Scalar.TEXT, "side": Scalar.TEXT, "createdTime": Scalar.NUMBER}
_FILL = Rows({**_ROW, "execQty": Scalar.NUMBER})
_TRADE = Rows({**_ROW, "execQty": Scalar.NUMBER, "execValue": Scalar.NUMBER})
_ORDER = Rows({**_ROW, "cumExecQty": Scalar.NUMBER})


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
