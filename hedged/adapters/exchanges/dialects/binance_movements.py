"""What Binance shows for something that went missing: fills, settlements, transfers, withdrawals, repayments.

Only movements that add up to the change explain it; one that merely happened in the same hour does not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, Markets, together
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    milliseconds,
    moment,
    not_negative,
    number,
    text,
)
from hedged.errors import VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER
ZERO = Decimal(0)

_ROWS_MAX = 1000  # a page; more since the last cycle would not be explained, which is the safe side
_COIN_ORDERS_MAX = 100  # COIN-M gives no more orders a page
_PAIRS_MAX = 20  # spot pairs searched for trades, 20 of the venue's 6,000 weight a minute each
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_USUAL_PARTNERS = ("USDT", "USDC", "FDUSD", "BTC", "ETH", "BNB")
_FUNDING = "FUNDING_FEE"
_SETTLEMENTS = frozenset({"DELIVERED_SETTELMENT", "INSURANCE_CLEAR"})  # the venue's spelling
_OWN_ORDERS = {
    "autoclose-": "liquidation",
    "adl_autoclose": "auto-deleveraging",
    "settlement_autoclose-": "settlement",
}
"""How client order ids begin that the venue gives by itself, by its pages on order updates."""
_TRANSFERS_OUT = {
    "spot": ("MAIN_UMFUTURE", "MAIN_MARGIN", "MAIN_FUNDING", "MAIN_CMFUTURE", "MAIN_PORTFOLIO_MARGIN"),
    "funding": ("FUNDING_MAIN", "FUNDING_UMFUTURE", "FUNDING_CMFUTURE", "FUNDING_MARGIN"),
    "portfolio": ("PORTFOLIO_MARGIN_MAIN",),
}
_FILLS = Rows({"symbol": TEXT, "side": TEXT, "qty": NUMBER})
_ORDERS = Rows({"symbol": TEXT, "side": TEXT, "executedQty": NUMBER})
_INCOME = Rows({"incomeType": TEXT, "income": NUMBER, "asset": TEXT})
_PAGE = Record({"total": NUMBER})
_EARN = "/sapi/v1/simple-earn"

_SPOT_TRADES = Rows({"symbol": TEXT, "qty": NUMBER, "quoteQty": NUMBER, "isBuyer": Scalar.PRESENT})

ENDPOINTS = {
    ("GET", "/fapi/v1/userTrades"): Endpoint("futures fills", _FILLS),
    ("GET", "/fapi/v1/allOrders"): Endpoint("futures orders", _ORDERS),
    ("GET", "/fapi/v1/income"): Endpoint("futures income", _INCOME),
    ("GET", "/dapi/v1/userTrades"): Endpoint("COIN-M fills", _FILLS),
    ("GET", "/dapi/v1/allOrders"): Endpoint("COIN-M orders", _ORDERS),
    ("GET", "/dapi/v1/income"): Endpoint("COIN-M income", _INCOME),
    ("GET", "/papi/v1/um/userTrades"): Endpoint("portfolio USD-M fills", _FILLS),
    ("GET", "/papi/v1/um/allOrders"): Endpoint("portfolio USD-M orders", _ORDERS),
    ("GET", "/papi/v1/um/income"): Endpoint("portfolio USD-M income", _INCOME),
    ("GET", "/papi/v1/cm/userTrades"): Endpoint("portfolio COIN-M fills", _FILLS),
    ("GET", "/papi/v1/cm/allOrders"): Endpoint("portfolio COIN-M orders", _ORDERS),
    ("GET", "/papi/v1/cm/income"): Endpoint("portfolio COIN-M income", _INCOME),
    ("GET", "/papi/v1/margin/myTrades"): Endpoint("portfolio margin fills", _SPOT_TRADES),
    ("GET", "/api/v3/myTrades"): Endpoint("spot fills", _SPOT_TRADES),
    ("GET", "/sapi/v1/margin/myTrades"): Endpoint("margin fills", _SPOT_TRADES),
    ("GET", "/sapi/v1/capital/withdraw/history"): Endpoint("withdrawals", Rows({"coin": TEXT, "amount": NUMBER})),
    ("GET", "/sapi/v1/asset/transfer"): Endpoint("transfers", _PAGE),
    ("GET", "/sapi/v1/margin/transfer"): Endpoint("margin transfers", _PAGE),
    ("GET", "/sapi/v1/margin/borrow-repay"): Endpoint("repayments", _PAGE),
    ("GET", f"{_EARN}/flexible/history/subscriptionRecord"): Endpoint("flexible subscriptions", _PAGE),
    ("GET", f"{_EARN}/locked/history/subscriptionRecord"): Endpoint("locked subscriptions", _PAGE),
    ("GET", f"{_EARN}/flexible/history/redemptionRecord"): Endpoint("flexible redemptions", _PAGE),
    ("GET", f"{_EARN}/locked/history/redemptionRecord"): Endpoint("locked redemptions", _PAGE),
}


@dataclass(frozen=True, slots=True)
class Movement:
    """A kind of event and what it changed in all, in the asset's coins or in contracts; out is negative."""

    kind: str
    amount: Decimal


def _histories(venue: Any, *, linear: bool, portfolio: bool) -> tuple[Any, Any, Any]:
    """Where a segment's fills, income and orders are asked for."""
    if portfolio:
        if linear:
            return venue.papiGetUmUserTrades, venue.papiGetUmIncome, venue.papiGetUmAllOrders
        return venue.papiGetCmUserTrades, venue.papiGetCmIncome, venue.papiGetCmAllOrders
    if linear:
        return venue.fapiPrivateGetUserTrades, venue.fapiPrivateGetIncome, venue.fapiPrivateGetAllOrders
    return venue.dapiPrivateGetUserTrades, venue.dapiPrivateGetIncome, venue.dapiPrivateGetAllOrders


async def explain_position(
    connection: Connection, market_id: str, doubt: Doubt, since: datetime, *, linear: bool, portfolio: bool
) -> str | None:
    """Fills that add up to the change, or a settlement that took all of it, or executed orders that add up."""
    ask_fills, ask_income, ask_orders = _histories(connection.exchange, linear=linear, portfolio=portfolio)
    change = doubt.now - doubt.before
    page = {"symbol": market_id, "startTime": _venue_time(connection, since), "limit": _ROWS_MAX}

    fills = await ask_fills(page)
    if fills and _signed(fills, "qty") == change:
        text = f"{len(fills)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all"
        return text + await _by_the_venue(ask_orders, page if linear else {**page, "limit": _COIN_ORDERS_MAX})
    income = await ask_income(page)
    settled = sorted({row["incomeType"] for row in income} & _SETTLEMENTS)
    if settled and not doubt.now:
        return f"closed by the venue since {since:%Y-%m-%d %H:%M} UTC ({', '.join(settled)})"
    orders = await ask_orders(page if linear else {**page, "limit": _COIN_ORDERS_MAX})
    if orders and _signed(orders, "executedQty") == change:
        return f"orders since {since:%Y-%m-%d %H:%M} UTC executed {change:+f} contracts in all"
    return None


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime, *, portfolio: bool
) -> Read[tuple[FundingPayment, ...]]:
    """By a segment's income, oldest first: a full page is all up to its last row."""
    asked = {"incomeType": _FUNDING, "startTime": _venue_time(connection, since), "limit": _ROWS_MAX}
    segments = sorted({contract.linear for contract in wanted.values()})
    asks = [_histories(connection.exchange, linear=linear, portfolio=portfolio)[1] for linear in segments]
    as_of, found = connection.clock.now(), []
    for rows in await together(*(ask(asked) for ask in asks)):
        if len(rows) >= _ROWS_MAX:
            as_of = min(as_of, moment(rows[-1], "time"))
        for row in rows:
            contract = wanted.get(text(row, "symbol")) if row["incomeType"] == _FUNDING else None
            if contract is not None:
                coin = connection.exchange.safe_currency_code(row["asset"])
                at, number_ = moment(row, "time"), number(row, "tranId")
                found.append(FundingPayment(contract.id, at, number(row, "income"), coin, f"{number_:f}"))
    return Read(tuple(found), as_of)


async def _by_the_venue(ask_orders: Any, page: dict[str, Any]) -> str:
    """Whether orders of the venue's own were among those that filled; it tells by their ids alone."""
    try:
        ids = [str(row.get("clientOrderId", "")) for row in await ask_orders(page)]
    except VenueError:
        return ""  # the fills explain the change; only whose they were stays open
    found = {word for each in ids for start, word in _OWN_ORDERS.items() if each.startswith(start)}
    return f", by {' and '.join(sorted(found))}" if found else ""


async def explain_balance(
    connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
) -> str | None:
    """The movements that account for a fall of a balance; the cheap questions first, trades last."""
    wallet = doubt.subject.rsplit("/", 2)[1]
    search = _Search(connection, markets, doubt.asset, _venue_time(connection, since), held)
    sources = {
        "spot": search.of_spot,
        "margin": search.of_margin,
        "swap": search.of_futures,
        "funding": search.of_funding,
        "earn": search.of_earn,
        "portfolio": search.of_portfolio,
    }
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
        async for movement in self._income(self.venue.fapiPrivateGetIncome, self.venue.dapiPrivateGetIncome):
            yield movement

    async def _income(self, ask_usd: Any, ask_coin: Any) -> AsyncIterator[Movement]:
        """Of USD-M, and of COIN-M if the asset backs any of its contracts."""
        settle = {contract.settle for contract in self.markets.contracts.values() if not contract.linear}
        for ask in (ask_usd, ask_coin) if self.asset in settle else (ask_usd,):
            rows = await ask({"startTime": self.start, "limit": _ROWS_MAX})
            mine = [row for row in rows if row["asset"] == self.asset]
            for kind in sorted({row["incomeType"] for row in mine}):
                amount = sum((number(row, "income") for row in mine if row["incomeType"] == kind), ZERO)
                yield Movement(kind.lower().replace("_", " "), amount)

    async def of_spot(self) -> AsyncIterator[Movement]:
        async for movement in self._left("spot"):
            yield movement
        yield await self._withdrawn()
        async for movement in self._subscribed("SPOT", "amtFromSpot"):
            yield movement
        if self.asset.startswith("LD"):  # flexible earn, as the spot wallet shows it
            asset = self.asset.removeprefix("LD")
            yield await self._redeemed(self.venue.sapiGetSimpleEarnFlexibleHistoryRedemptionRecord, asset)
        yield Movement("spot trades", await self._traded(self.venue.privateGetMyTrades))

    async def of_funding(self) -> AsyncIterator[Movement]:
        async for movement in self._left("funding"):
            yield movement
        yield await self._withdrawn()
        async for movement in self._subscribed("FUNDING", "amtFromFunding"):
            yield movement

    async def of_earn(self) -> AsyncIterator[Movement]:
        yield await self._redeemed(self.venue.sapiGetSimpleEarnFlexibleHistoryRedemptionRecord, self.asset)
        yield await self._redeemed(self.venue.sapiGetSimpleEarnLockedHistoryRedemptionRecord, self.asset)

    async def of_portfolio(self) -> AsyncIterator[Movement]:
        async for movement in self._left("portfolio"):
            yield movement
        async for movement in self._income(self.venue.papiGetUmIncome, self.venue.papiGetCmIncome):
            yield movement
        yield Movement("margin trades", await self._traded(self.venue.papiGetMarginMyTrades))

    async def _left(self, wallet: str) -> AsyncIterator[Movement]:
        for kind in _TRANSFERS_OUT[wallet]:
            reply = await self.venue.sapiGetAssetTransfer({"type": kind, "startTime": self.start, "size": 100})
            yield Movement(f"transfer {kind}", -_total(self._rows(reply), "amount"))

    async def _withdrawn(self) -> Movement:
        rows = await self.venue.sapiGetCapitalWithdrawHistory({"coin": self.asset, "startTime": self.start})
        return Movement("withdrawal", -_total((row for row in rows if row["coin"] == self.asset), "amount"))

    async def _subscribed(self, source: str, share: str) -> AsyncIterator[Movement]:
        """What went from this wallet to earn; a subscription from two wallets tells the share of each."""
        page = {"asset": self.asset, "startTime": self.start, "size": 100}
        for ask in (
            self.venue.sapiGetSimpleEarnFlexibleHistorySubscriptionRecord,
            self.venue.sapiGetSimpleEarnLockedHistorySubscriptionRecord,
        ):
            rows = [row for row in self._rows(await ask(page)) if row.get("status") != "FAILED"]
            whole = _total((row for row in rows if row.get("sourceAccount", "SPOT") == source), "amount")
            shared = _total((row for row in rows if row.get("sourceAccount") == "SPOTANDFUNDING"), share)
            yield Movement("earn subscription", -whole - shared)

    async def _redeemed(self, ask: Any, asset: str) -> Movement:
        reply = await ask({"asset": asset, "startTime": self.start, "size": 100})
        return Movement("earn redemption", -_total(self._rows(reply, asset), "amount"))

    async def of_margin(self) -> AsyncIterator[Movement]:
        page = {"asset": self.asset, "startTime": self.start, "size": 100}
        moved = await self.venue.sapiGetMarginTransfer({**page, "type": "ROLL_OUT"})
        yield Movement("transfer out of margin", -_total(self._rows(moved), "amount"))
        repaid = await self.venue.sapiGetMarginBorrowRepay({**page, "type": "REPAY"})
        yield Movement("repayment", -_total(self._rows(repaid), "amount"))
        yield Movement("margin trades", await self._traded(self.venue.sapiGetMarginMyTrades))

    def _rows(self, reply: Row, asset: str | None = None) -> list[Row]:
        """The rows of a history of ours; the venue leaves the field out where there are none."""
        if number(reply, "total") and not reply.get("rows"):
            raise Misshapen("the history has a total and no rows")
        return [row for row in reply.get("rows", ()) if row["asset"] == (asset or self.asset)]

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
