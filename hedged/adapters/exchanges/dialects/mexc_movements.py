"""What MEXC shows for something that went missing: fills, orders, transfers, funding, withdrawals, spot trades.

Only movements that add up to the change explain it; one that merely happened in the same hour does not. What became
of a margin wallet the venue does not tell in a form that could be relied on: it stays unexplained.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.mexc_account import coin
from hedged.adapters.exchanges.shapes import Misshapen, Row, milliseconds, moment, not_negative, number
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

ZERO = Decimal(0)

_PAGE = 100  # rows, the most that futures histories give at once
_PAGES_MAX = 5  # more since the last cycle would not be explained, which is the safe side
_SPOT_ROWS = 1000
_PAIRS_MAX = 20  # spot pairs searched for trades
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_USUAL_PARTNERS = ("USDT", "USDC", "MX", "BTC", "ETH")
_SIDES = {1: 1, 2: 1, 3: -1, 4: -1}  # open long, close short, open short, close long → sign of the contracts
_BY_THE_VENUE = {2: "liquidation", 4: "ADL"}  # an order's category
_NOT_SENT = frozenset({8, 9})  # withdrawals that failed or were cancelled


@dataclass(frozen=True, slots=True)
class Movement:
    """A kind of event and what it changed in all, in the asset's coins; out is negative."""

    kind: str
    amount: Decimal


async def explain_position(connection: Connection, market_id: str, doubt: Doubt, since: datetime) -> str | None:
    """Fills that add up to the change, or executed orders that do, with those named that the venue placed itself."""
    venue, change, start = connection.exchange, doubt.now - doubt.before, _venue_time(connection, since)
    page = {"symbol": market_id, "start_time": start}

    fills = await _pages(venue.contractPrivateGetOrderListOrderDeals, page)
    mine = [row for row in fills if row["symbol"] == market_id and number(row, "timestamp") >= start]
    if mine and sum((_signed(row, "vol") for row in mine), ZERO) == change:
        return f"{len(mine)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all"
    orders = await _pages(venue.contractPrivateGetOrderListHistoryOrders, page)
    mine = [row for row in orders if row["symbol"] == market_id and number(row, "updateTime") >= start]
    if mine and sum((_signed(row, "dealVol") for row in mine), ZERO) == change:
        forced = sorted(
            {_BY_THE_VENUE[kind] for kind in (int(number(row, "category")) for row in mine) if kind in _BY_THE_VENUE}
        )
        by = f" by {' and '.join(forced)}" if forced else ""
        return f"orders since {since:%Y-%m-%d %H:%M} UTC executed {change:+f} contracts in all{by}"
    return None


async def explain_balance(
    connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
) -> str | None:
    """The movements that account for a fall of a balance; the cheap questions first, trades last."""
    wallet = doubt.subject.rsplit("/", 2)[1]
    search = _Search(connection, markets, doubt.asset, _venue_time(connection, since), held)
    sources = {"spot": search.of_spot, "swap": search.of_futures}
    if wallet not in sources:
        return None
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

    def _of_asset(self, row: Row, field: str) -> bool:
        return coin(self.venue, row[field]) == self.asset

    async def of_futures(self) -> AsyncIterator[Movement]:
        transfers = await _pages(
            self.venue.contractPrivateGetAccountTransferRecord, {}, time="createTime", to=self.start
        )
        mine = [row for row in transfers if self._of_asset(row, "currency") and row["state"] == "SUCCESS"]
        for kind, sign in (("IN", 1), ("OUT", -1)):
            moved = sum((not_negative(row, "amount") for row in mine if row["type"] == kind), ZERO)
            yield Movement(f"transfer {kind.lower()}", sign * moved)
        orders = await _pages(self.venue.contractPrivateGetOrderListHistoryOrders, {"start_time": self.start})
        mine = [row for row in orders if row["feeCurrency"] and self._of_asset(row, "feeCurrency")]
        yield Movement("realised profit after fees", sum((_realised(row, self.start) for row in mine), ZERO))
        paid = await _pages(self.venue.contractPrivateGetPositionFundingRecords, {}, time="settleTime", to=self.start)
        mine = [row for row in paid if self._settles(row["symbol"])]
        yield Movement("funding", sum((number(row, "funding") for row in mine), ZERO))

    def _settles(self, market_id: str) -> bool:
        contract = self.markets.contracts.get(market_id)
        return contract is not None and contract.settle == self.asset

    async def of_spot(self) -> AsyncIterator[Movement]:
        between = {"fromAccountType": "SPOT", "toAccountType": "FUTURES", "startTime": self.start, "size": _PAGE}
        reply = await self.venue.spotPrivateGetCapitalTransfer(between)
        mine = [row for row in reply["rows"] if self._of_asset(row, "asset") and row["status"] == "SUCCESS"]
        yield Movement("transfer to futures", -sum((not_negative(row, "amount") for row in mine), ZERO))
        rows = await self.venue.spotPrivateGetCapitalWithdrawHistory({"startTime": self.start, "limit": _SPOT_ROWS})
        mine = [row for row in rows if self._left(row)]
        yield Movement("withdrawal", -sum((not_negative(row, "amount") for row in mine), ZERO))
        yield Movement("spot trades", await self._traded())

    def _left(self, withdrawal: Row) -> bool:
        """`coin` may carry the network: USDC-MATIC."""
        name = withdrawal["coin"].partition("-")[0]
        return coin(self.venue, name) == self.asset and number(withdrawal, "status") not in _NOT_SENT

    async def _traded(self) -> Decimal:
        """Coins of the asset gained (> 0) or given away in trades against those that are held, and the usual ones."""
        total = ZERO
        for market_id, is_base in self._pairs():
            asked = {"symbol": market_id, "startTime": self.start, "limit": _SPOT_ROWS}
            for trade in await self.venue.spotPrivateGetMyTrades(asked):
                quantity = not_negative(trade, "qty" if is_base else "quoteQty")
                total += quantity if bool(trade["isBuyer"]) is is_base else -quantity
        return total

    def _pairs(self) -> Sequence[tuple[str, bool]]:
        """Market ids where the asset is traded, and whether it is the base there."""
        partners = dict.fromkeys((*self.held, *_USUAL_PARTNERS))
        as_base = [(self.markets.spot.get((self.asset, partner)), True) for partner in partners]
        as_quote = [(self.markets.spot.get((partner, self.asset)), False) for partner in partners]
        return [(market_id, is_base) for market_id, is_base in (*as_base, *as_quote) if market_id][:_PAIRS_MAX]


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By the funding records of each contract, newest first."""
    as_of, start = connection.clock.now(), _venue_time(connection, since)
    found = []
    for market_id, contract in wanted.items():
        ask = connection.exchange.contractPrivateGetPositionFundingRecords
        rows = await _every_page(ask, {"symbol": market_id}, time="settleTime", to=start)
        if rows is None:
            raise Misshapen(f"more than {_PAGES_MAX} pages of funding records")
        found += [
            FundingPayment(
                contract.id,
                moment(row, "settleTime"),
                number(row, "funding"),
                contract.settle,
                f"{number(row, 'id'):f}",
            )
            for row in rows
            if row["symbol"] == market_id
        ]
    return Read(tuple(found), as_of)


async def _pages(ask: Any, asked: Mapping[str, Any], time: str = "", to: int = 0) -> list[Row]:
    """Those of `_every_page`, and none where they are too many to be sure that these are all."""
    return await _every_page(ask, asked, time, to) or []


async def _every_page(ask: Any, asked: Mapping[str, Any], time: str = "", to: int = 0) -> list[Row] | None:
    """The rows of a futures history, newest first; None: too many. With `time` only those since `to`, where it cannot
    be asked for.
    """
    found: list[Row] = []
    for page in range(1, _PAGES_MAX + 1):
        data = (await ask({**asked, "page_num": page, "page_size": _PAGE}))["data"]
        rows = data["resultList"] if isinstance(data, dict) else data
        found += rows
        if len(rows) < _PAGE or (time and any(number(row, time) < to for row in rows)):
            return [row for row in found if not time or number(row, time) >= to]
    return None


def _realised(row: Row, start: int) -> Decimal:
    if number(row, "updateTime") < start:
        return ZERO
    return number(row, "profit") - number(row, "takerFee") - number(row, "makerFee")


def _signed(row: Row, field: str) -> Decimal:
    side = number(row, "side")
    if side not in _SIDES:
        raise Misshapen("side is none of the venue's")
    return not_negative(row, field) * _SIDES[int(side)]


def _venue_time(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])
