"""What Binance shows for something that went missing: fills, settlements, transfers, withdrawals, repayments.

Only movements that add up to the change explain it; one that merely happened in the same hour does not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Record, Row, Rows, Scalar, milliseconds, not_negative, number
from hedged.model.snapshot import Doubt

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER
ZERO = Decimal(0)

_ROWS_MAX = 1000  # a page; more since the last cycle would not be explained, which is the safe side
_PAIRS_MAX = 20  # spot pairs searched for trades, 20 of the venue's 6,000 weight a minute each
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_USUAL_PARTNERS = ("USDT", "USDC", "FDUSD", "BTC", "ETH", "BNB")
_SETTLEMENTS = frozenset({"DELIVERED_SETTELMENT", "INSURANCE_CLEAR"})  # the venue's spelling
_TRANSFERS_OUT = ("MAIN_UMFUTURE", "MAIN_MARGIN", "MAIN_FUNDING", "MAIN_CMFUTURE")

_SPOT_TRADES = Rows({"symbol": TEXT, "qty": NUMBER, "quoteQty": NUMBER, "isBuyer": Scalar.PRESENT})

ENDPOINTS = {
    ("GET", "/fapi/v1/userTrades"): Endpoint("futures fills", Rows({"symbol": TEXT, "side": TEXT, "qty": NUMBER})),
    ("GET", "/fapi/v1/allOrders"): Endpoint(
        "futures orders", Rows({"symbol": TEXT, "side": TEXT, "executedQty": NUMBER})
    ),
    ("GET", "/fapi/v1/income"): Endpoint("futures income", Rows({"incomeType": TEXT, "income": NUMBER, "asset": TEXT})),
    ("GET", "/api/v3/myTrades"): Endpoint("spot fills", _SPOT_TRADES),
    ("GET", "/sapi/v1/margin/myTrades"): Endpoint("margin fills", _SPOT_TRADES),
    ("GET", "/sapi/v1/capital/withdraw/history"): Endpoint("withdrawals", Rows({"coin": TEXT, "amount": NUMBER})),
    ("GET", "/sapi/v1/asset/transfer"): Endpoint("transfers", Record({"total": NUMBER})),
    ("GET", "/sapi/v1/margin/transfer"): Endpoint("margin transfers", Record({"total": NUMBER})),
    ("GET", "/sapi/v1/margin/borrow-repay"): Endpoint("repayments", Record({"total": NUMBER})),
}


@dataclass(frozen=True, slots=True)
class Movement:
    """A kind of event and what it changed in all, in the asset's coins or in contracts; out is negative."""

    kind: str
    amount: Decimal


async def explain_position(connection: Connection, market_id: str, doubt: Doubt, since: datetime) -> str | None:
    """Fills that add up to the change, or a settlement that took all of it, or executed orders that add up."""
    venue, change = connection.exchange, doubt.now - doubt.before
    page = {"symbol": market_id, "startTime": _venue_time(connection, since), "limit": _ROWS_MAX}

    fills = await venue.fapiPrivateGetUserTrades(page)
    if fills and _signed(fills, "qty") == change:
        return f"{len(fills)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all"
    income = await venue.fapiPrivateGetIncome(page)
    settled = sorted({row["incomeType"] for row in income} & _SETTLEMENTS)
    if settled and not doubt.now:
        return f"closed by the venue since {since:%Y-%m-%d %H:%M} UTC ({', '.join(settled)})"
    orders = await venue.fapiPrivateGetAllOrders(page)
    if orders and _signed(orders, "executedQty") == change:
        return f"orders since {since:%Y-%m-%d %H:%M} UTC executed {change:+f} contracts in all"
    return None


async def explain_balance(
    connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
) -> str | None:
    """The movements that account for a fall of a balance; the cheap questions first, trades last."""
    wallet = doubt.subject.rsplit("/", 2)[1]
    search = _Search(connection, markets, doubt.asset, _venue_time(connection, since), held)
    sources = {"spot": search.of_spot, "margin": search.of_margin, "swap": search.of_futures}
    found: list[Movement] = []
    change = doubt.now - doubt.before
    async for movement in sources[wallet]():
        if movement.amount:
            found.append(movement)
        if change and sum((each.amount for each in found), ZERO) / change >= _ENOUGH:
            listed = ", ".join(f"{each.kind} {each.amount:+f} {doubt.asset}" for each in found)
            return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"
    return None


@dataclass(frozen=True, slots=True)
class _Search:
    """Where one asset's movements in one wallet are looked for, most telling and cheapest first."""

    connection: Connection
    markets: Markets
    asset: str
    start: int  # milliseconds, the venue's clock
    held: Collection[str]

    @property
    def venue(self) -> Any:
        return self.connection.exchange

    async def of_futures(self) -> AsyncIterator[Movement]:
        rows = await self.venue.fapiPrivateGetIncome({"startTime": self.start, "limit": _ROWS_MAX})
        mine = [row for row in rows if row["asset"] == self.asset]
        for kind in sorted({row["incomeType"] for row in mine}):
            amount = sum((number(row, "income") for row in mine if row["incomeType"] == kind), ZERO)
            yield Movement(kind.lower().replace("_", " "), amount)

    async def of_spot(self) -> AsyncIterator[Movement]:
        for kind in _TRANSFERS_OUT:
            reply = await self.venue.sapiGetAssetTransfer({"type": kind, "startTime": self.start, "size": 100})
            yield Movement(f"transfer {kind}", -_total(self._rows(reply), "amount"))
        withdrawn = await self.venue.sapiGetCapitalWithdrawHistory({"coin": self.asset, "startTime": self.start})
        yield Movement("withdrawal", -_total((row for row in withdrawn if row["coin"] == self.asset), "amount"))
        yield Movement("spot trades", await self._traded(self.venue.privateGetMyTrades))

    async def of_margin(self) -> AsyncIterator[Movement]:
        page = {"asset": self.asset, "startTime": self.start, "size": 100}
        moved = await self.venue.sapiGetMarginTransfer({**page, "type": "ROLL_OUT"})
        yield Movement("transfer out of margin", -_total(self._rows(moved), "amount"))
        repaid = await self.venue.sapiGetMarginBorrowRepay({**page, "type": "REPAY"})
        yield Movement("repayment", -_total(self._rows(repaid), "amount"))
        yield Movement("margin trades", await self._traded(self.venue.sapiGetMarginMyTrades))

    def _rows(self, reply: Row) -> list[Row]:
        """The rows of a history of ours; the venue leaves the field out where there are none."""
        return [row for row in reply.get("rows", ()) if row["asset"] == self.asset]

    async def _traded(self, ask: Any) -> Decimal:
        """Coins of the asset gained (> 0) or given away in trades against those that are held, and the usual ones."""
        total = ZERO
        for market_id, is_base in self._pairs():
            trades = await ask({"symbol": market_id, "startTime": self.start, "limit": _ROWS_MAX})
            for trade in trades:
                quantity = not_negative(trade, "qty" if is_base else "quoteQty")
                total += quantity if bool(trade["isBuyer"]) is is_base else -quantity
        return total

    def _pairs(self) -> Sequence[tuple[str, bool]]:
        """Market ids where the asset is traded, and whether it is the base there."""
        partners = dict.fromkeys((*self.held, *_USUAL_PARTNERS))
        as_base = [(self.markets.spot.get((self.asset, partner)), True) for partner in partners]
        as_quote = [(self.markets.spot.get((partner, self.asset)), False) for partner in partners]
        return [(market_id, is_base) for market_id, is_base in (*as_base, *as_quote) if market_id][:_PAIRS_MAX]


def _signed(rows: Iterable[Row], field: str) -> Decimal:
    return sum((number(row, field) * (1 if row["side"] == "BUY" else -1) for row in rows), ZERO)


def _total(rows: Iterable[Row], field: str) -> Decimal:
    return sum((not_negative(row, field) for row in rows), ZERO)


def _venue_time(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])
