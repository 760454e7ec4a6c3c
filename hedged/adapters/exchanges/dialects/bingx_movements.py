"""What BingX shows for something that went missing: fills, forced orders, fund flow, transfers, withdrawals, trades.

Only movements that add up to the change explain it; one that merely happened in the same hour does not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.bingx_shapes import truth
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
    positive,
    text,
)
from hedged.errors import Refused
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_ROWS_MAX = 1000  # a page; more since the last cycle would not be explained, which is the safe side
_PAIRS_MAX = 10  # spot pairs searched for trades; the venue allows five such calls a second
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_USUAL_PARTNERS = ("USDT", "USDC", "BTC", "ETH")
_FUNDING = "FUNDING_FEE"
_FAILED = 5  # a withdrawal's status; 4: under review, 6: done
_COIN_MARGINED, _LINEAR = "coinMPerp", "USDTMPerp"  # the venue's names of accounts in transfers
_TRANSFERS_OUT = {
    "spot": [("spot", to) for to in (_LINEAR, "fund", _COIN_MARGINED, "stdFutures")],
    "funding": [("fund", to) for to in ("spot", _LINEAR, _COIN_MARGINED, "stdFutures")],
    "coins": [(_COIN_MARGINED, to) for to in ("spot", "fund", _LINEAR)],
}

_ORDER = {"symbol": TEXT, "side": TEXT, "executedQty": NUMBER}
_ORDERS = Record({"data": Record({"orders": Rows(_ORDER)})})

ENDPOINTS = {
    ("GET", "/openApi/swap/v2/trade/fillHistory"): Endpoint(
        "futures fills",
        Record({"data": Record({"fill_history_orders": Rows({"symbol": TEXT, "side": TEXT, "qty": NUMBER})})}),
    ),
    ("GET", "/openApi/swap/v2/trade/forceOrders"): Endpoint("forced futures orders", _ORDERS),
    ("GET", "/openApi/cswap/v1/trade/forceOrders"): Endpoint(
        "forced coin-margined orders", Record({"data": Rows({"symbol": TEXT})})
    ),
    ("GET", "/openApi/swap/v2/trade/allOrders"): Endpoint("futures orders", _ORDERS),
    ("GET", "/openApi/cswap/v1/trade/orderHistory"): Endpoint(
        "coin-margined orders",
        Record({"data": Record({"orders": Rows({**_ORDER, "quantity": NUMBER, "origQty": NUMBER})})}),
    ),
    ("GET", "/openApi/swap/v2/user/income"): Endpoint(
        "futures income", Record({"data": Rows({"incomeType": TEXT, "income": NUMBER, "asset": TEXT})})
    ),
    ("GET", "/openApi/spot/v1/trade/myTrades"): Endpoint(
        "spot fills",
        Record(
            {"data": Record({"fills": Rows({"symbol": TEXT, "qty": NUMBER, "quoteQty": NUMBER, "isBuyer": PRESENT})})}
        ),
    ),
    ("GET", "/openApi/api/v3/capital/withdraw/history"): Endpoint(
        "withdrawals", Rows({"coin": TEXT, "amount": NUMBER, "status": NUMBER})
    ),
    ("GET", "/openApi/api/v3/asset/transferRecord"): Endpoint("transfers", Record({"total": NUMBER})),
}


@dataclass(frozen=True, slots=True)
class Movement:
    """A kind of event and what it changed in all, in the asset's coins; out is negative."""

    kind: str
    amount: Decimal


async def explain_position(
    connection: Connection, market_id: str, contract: Instrument, doubt: Doubt, since: datetime
) -> str | None:
    """Fills or executed orders that add up to the change, or forced orders where nothing is left."""
    venue, change = connection.exchange, doubt.now - doubt.before
    start, told_since = _venue_time(connection, since), f"since {since:%Y-%m-%d %H:%M} UTC"
    page = {"symbol": market_id, "startTime": start, "limit": _ROWS_MAX}
    if contract.linear:
        span = {"startTs": start, "endTs": _venue_time(connection, connection.clock.now())}
        reply = await venue.swapV2PrivateGetTradeFillHistory({"symbol": market_id, **span, "pageSize": _ROWS_MAX})
        fills = [row for row in reply["data"]["fill_history_orders"] if row["symbol"] == market_id]
        if fills and sum((_sign(row) * not_negative(row, "qty") for row in fills), ZERO) == change:
            return f"{len(fills)} fills {told_since}, {change:+f} contracts in all"
        forced = (await venue.swapV2PrivateGetTradeForceOrders({**page, "limit": 100}))["data"]["orders"]
    else:
        forced = (await venue.cswapV1PrivateGetTradeForceOrders({**page, "limit": 100}))["data"]
    if not doubt.now and any(row["symbol"] == market_id for row in forced):
        return f"closed by the venue {told_since} (liquidation or deleveraging)"
    ask = venue.swapV2PrivateGetTradeAllOrders if contract.linear else venue.cswapV1PrivateGetTradeOrderHistory
    orders = [row for row in (await ask(page))["data"]["orders"] if row["symbol"] == market_id]
    if orders and sum((_sign(row) * _contracts(row, contract) for row in orders), ZERO) == change:
        return f"orders {told_since} executed {change:+f} contracts in all"
    return None


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By the fund flow of the linear account; of coin-margined contracts there is none."""
    venue, as_of = connection.exchange, connection.clock.now()
    if not any(contract.linear for contract in wanted.values()):
        return Read((), as_of)
    page = {"incomeType": _FUNDING, "startTime": _venue_time(connection, since), "limit": _ROWS_MAX}
    rows = (await venue.swapV2PrivateGetUserIncome(page))["data"]
    if len(rows) >= _ROWS_MAX:
        raise Misshapen("a page of funding that is full may lack some")
    return Read(
        tuple(
            FundingPayment(
                wanted[row["symbol"]].id,
                moment(row, "time"),
                number(row, "income"),
                venue.safe_currency_code(row["asset"]),
                text(row, "tranId"),
            )
            for row in rows
            if row["incomeType"] == _FUNDING and text(row, "symbol") in wanted
        ),
        as_of,
    )


def _sign(row: Row) -> int:
    if row["side"] not in {"BUY", "SELL"}:
        raise Misshapen("side is neither BUY nor SELL")
    return 1 if row["side"] == "BUY" else -1


def _contracts(order: Row, contract: Instrument) -> Decimal:
    """Contracts executed. Coin-margined orders tell `quantity` in contracts, the rest in dollars of face value."""
    executed = not_negative(order, "executedQty")
    if contract.linear or not executed:
        return executed
    return executed * positive(order, "quantity") / positive(order, "origQty")


async def explain_balance(
    connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
) -> str | None:
    """The movements that account for a fall of a balance; the cheap questions first, trades last.

    `Refused` if nothing explains it and the key may not be told all: then it is the key that has to change.
    """
    wallet = doubt.subject.rsplit("/", 2)[1]
    search = _Search(connection, markets, doubt.asset, _venue_time(connection, since), held)
    sources = {"spot": search.of_spot, "funding": search.of_funding, "swap": search.of_futures}
    found: list[Movement] = []
    change = doubt.now - doubt.before
    async for movement in sources[wallet]():
        if movement.amount:
            found.append(movement)
        if change and sum((each.amount for each in found), ZERO) / change >= _ENOUGH:
            listed = ", ".join(f"{each.kind} {each.amount:+f} {doubt.asset}" for each in found)
            return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"
    if search.refused:
        raise search.refused[0]
    return None


@dataclass(frozen=True, slots=True)
class _Search:
    """Where one asset's movements in one wallet are looked for, most telling and cheapest first."""

    connection: Connection
    markets: Markets
    asset: str
    start: int  # milliseconds, the venue's clock
    held: Collection[str]
    refused: list[Refused] = field(default_factory=list)  # histories that this key may not read

    @property
    def venue(self) -> Any:
        return self.connection.exchange

    async def of_spot(self) -> AsyncIterator[Movement]:
        yield await self._withdrawn()
        async for movement in self._transferred("spot"):
            yield movement
        yield Movement("spot trades", await self._traded())

    async def of_funding(self) -> AsyncIterator[Movement]:
        yield await self._withdrawn()
        async for movement in self._transferred("funding"):
            yield movement

    async def of_futures(self) -> AsyncIterator[Movement]:
        """The fund flow of the linear account, transfers included; the coin-margined one has transfers alone."""
        rows = await self._permitted(self.venue.swapV2PrivateGetUserIncome, {"startTime": self.start, "limit": 1000})
        mine = [row for row in (rows or {"data": []})["data"] if self._is_mine(row["asset"])]
        for kind in sorted({row["incomeType"] for row in mine}):
            amount = sum((number(row, "income") for row in mine if row["incomeType"] == kind), ZERO)
            yield Movement(kind.lower().replace("_", " "), amount)
        async for movement in self._transferred("coins"):
            yield movement

    async def _withdrawn(self) -> Movement:
        rows = await self.venue.spotV3PrivateGetCapitalWithdrawHistory({"startTime": self.start, "limit": _ROWS_MAX})
        mine = [row for row in rows if self._is_mine(row["coin"]) and number(row, "status") != _FAILED]
        return Movement("withdrawal", -_total(mine, "amount"))

    async def _transferred(self, wallet: str) -> AsyncIterator[Movement]:
        for source, target in _TRANSFERS_OUT[wallet]:
            page = {"fromAccount": source, "toAccount": target, "startTime": self.start, "pageSize": 100}
            reply = await self._permitted(self.venue.apiV3PrivateGetAssetTransferRecord, page)
            rows = (reply or {}).get("rows") or ()  # the venue leaves the field out where there are none
            if reply and not rows and number(reply, "total"):
                raise Misshapen("transfers are counted and not listed")
            mine = [
                row for row in rows if self._is_mine(row["asset"]) and row.get("status", "CONFIRMED") == "CONFIRMED"
            ]
            yield Movement(f"transfer {source} to {target}", -_total(mine, "amount"))

    async def _permitted(self, ask: Any, parameters: Row) -> Any:
        """The reply, or None where this key may not read that history; the others are still asked."""
        try:
            return await ask(parameters)
        except Refused as refusal:
            self.refused.append(refusal)
            return None

    async def _traded(self) -> Decimal:
        """Coins of the asset gained (> 0) or given away in trades against those that are held, and the usual ones."""
        total = ZERO
        for market_id, is_base in self._pairs():
            page = {"symbol": market_id, "startTime": self.start, "limit": _ROWS_MAX}
            for trade in (await self.venue.spotV1PrivateGetTradeMyTrades(page))["data"]["fills"]:
                quantity = not_negative(trade, "qty" if is_base else "quoteQty")
                total += quantity if truth(trade, "isBuyer") is is_base else -quantity
        return total

    def _pairs(self) -> Sequence[tuple[str, bool]]:
        """Market ids where the asset is traded, and whether it is the base there."""
        partners = dict.fromkeys((*self.held, *_USUAL_PARTNERS))
        as_base = [(self.markets.spot.get((self.asset, partner)), True) for partner in partners]
        as_quote = [(self.markets.spot.get((partner, self.asset)), False) for partner in partners]
        return [(market_id, is_base) for market_id, is_base in (*as_base, *as_quote) if market_id][:_PAIRS_MAX]

    def _is_mine(self, venue_asset: str) -> bool:
        return bool(self.venue.safe_currency_code(venue_asset) == self.asset)


def _total(rows: Iterable[Row], name: str) -> Decimal:
    return sum((not_negative(row, name) for row in rows), ZERO)


def _venue_time(connection: Connection, moment: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(moment) - int(connection.exchange.options["timeDifference"])
