"""WEEX: the spot wallet and the futures wallet with its USDT-margined perpetuals.

Everything about a contract is counted in coins: positions, fills, steps, minimums. The venue's `contractVal` is the
step of a quantity and no size to multiply with (a position of 300 DOGE in a market of contractVal 100 is 300 DOGE),
so one contract is one coin.

What the venue does not tell stays unknown: maintenance margin, tiers, what a key may do. Its funding wallet has
bills but no call for a balance, so it is not among the wallets. Whether `balance` of the futures wallet already
holds the unrealised profit is told nowhere: equity counts a loss and leaves a profit out, so that it never shows
more than there is.

An isolated position has the venue's liquidation price and is a pool of its own, which tiers of the user's make known
as they do the account's.

There is no one-way mode that nets: a contract can have a long and a short, and in separated mode several of each.
An account that uses neither, one position per contract in combined mode, reads as one-way; any other is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import weex_movements, weex_positions
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint
from hedged.adapters.exchanges.margin_view import of_shared
from hedged.adapters.exchanges.shapes import (
    Fields,
    Lists,
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    moment,
    not_negative,
    number,
    positive,
    positive_or_none,
    text,
)
from hedged.errors import Refused, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_DIGITS_MAX = 20  # of a price or quantity after the point
_MINUTES = Decimal(60)
_SPOT_CANDLES = 1000

_SPOT_MARKET: Fields = {"symbol": TEXT, "baseAsset": TEXT, "quoteAsset": TEXT, "enableTrade": PRESENT}
# ccxt takes a market without marginAsset for a spot market
_CONTRACT: Fields = {"symbol": TEXT, "baseAsset": TEXT, "quoteAsset": TEXT, "marginAsset": TEXT}
_MARK: Fields = {
    "symbol": TEXT,
    "markPrice": PRESENT,
    "indexPrice": PRESENT,
    "forecastFundingRate": PRESENT,
    "nextFundingTime": PRESENT,
    "collectCycle": PRESENT,
    "time": PRESENT,
}
_BOOK: Fields = {"symbol": TEXT, "bidPrice": PRESENT, "askPrice": PRESENT}
_FUTURES_WALLET = Rows({"asset": TEXT, "balance": NUMBER, "availableBalance": NUMBER, "unrealizePnl": NUMBER})
_DEMO_WALLETS = 'demo trading has a futures wallet only: set wallets = ["swap"] for this account'


class Weex(Dialect):
    exchange: ClassVar[str] = "weex"
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "swap"})
    burst: ClassVar[float] = 250.0  # half of what the venue allows in ten seconds
    candles_page: ClassVar[int] = 100
    config: ClassVar[Mapping[str, Any]] = {"has": {"fetchCurrencies": False}}  # networks and withdrawal fees
    refusals: ClassVar[Mapping[str, str]] = {
        "-1044": "the venue does not know this key",
        "-1047": "the signature does not verify: the secret does not belong to this key",
        "-1049": "the key and its passphrase (password in the credentials file) do not belong together",
        "-1050": "the user's status is abnormal: ask the venue's support",
        "-1051": "the key may not do this: allow reading for it",
        "-1052": "the key may not do this: allow reading for it",
        "-1053": "the key may not do this: allow reading for it",
        "-1055": "the venue wants a phone or an authenticator bound to the account first",
        "-1056": "the key is bound to another address",
        "-1057": "the user is locked: ask the venue's support",
        "-1190": "the venue forbids this access: ask its support",
        "-3236": "the key may not read futures: allow it",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {"-1043": ClockSkew, "-1046": ClockSkew}  # invalid, expired
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v3/time"): Endpoint("server time", Record({"serverTime": NUMBER})),
        ("GET", "/api/v3/exchangeInfo"): Endpoint(
            "spot markets", Record({"symbols": Rows(_SPOT_MARKET, at_least=1)}), patience=3.0
        ),
        ("GET", "/capi/v3/market/exchangeInfo"): Endpoint(
            "futures markets", Record({"symbols": Rows(_CONTRACT, at_least=1)}), patience=3.0
        ),
        ("GET", "/api/v3/market/ticker/price"): Endpoint(
            "spot prices", Rows({"symbol": TEXT, "price": PRESENT}, at_least=1)
        ),
        ("GET", "/capi/v3/market/premiumIndex"): Endpoint("mark prices", Rows(_MARK, at_least=1)),
        ("GET", "/capi/v3/market/ticker/bookTicker"): Endpoint("futures books", Rows(_BOOK, at_least=1)),
        ("GET", "/api/v3/market/klines"): Endpoint("spot candles", Lists(5)),
        ("GET", "/capi/v3/market/historyKlines"): Endpoint("futures candles", Lists(5)),
        ("GET", "/api/v3/account/"): Endpoint(
            "spot wallet", Record({"balances": Rows({"asset": TEXT, "free": NUMBER, "locked": NUMBER})})
        ),
        ("GET", "/capi/v3/account/balance"): Endpoint("futures wallet", _FUTURES_WALLET),
        ("GET", "/capi/v3/sim/balance"): Endpoint("demo futures wallet", _FUTURES_WALLET),
        ("GET", "/capi/v3/account/position/allPosition"): Endpoint("futures positions", weex_positions.SHAPE),
        ("GET", "/capi/v3/sim/position/allPosition"): Endpoint("demo futures positions", weex_positions.SHAPE),
        **weex_movements.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._demo = False

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)
        self._demo = True

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap") and market.get("linear"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row. A quantity is a multiple of `contractVal`, in coins."""
        row = market["info"]
        return replace(
            super().instrument(account, market),
            tick_size=_step(row, "pricePrecision"),
            lot_size=max(_step(row, "quantityPrecision"), positive(row, "contractVal")),
            quantity_min=not_negative(row, "minOrderSize"),
        )

    async def candles(self, connection: Connection, symbol: str, begin: int, end: int) -> Sequence[Sequence[object]]:
        """Spot has no call for the past: its newest thousand candles are all there is, fewer where it says so."""
        asked: dict[str, Any] = {"limit": _SPOT_CANDLES}
        if ":" in symbol:
            asked = {"historical": True, "until": end, "limit": self.candles_page}
        rows: Sequence[Sequence[object]] = await connection.exchange.fetch_ohlcv(symbol, "1h", begin, None, asked)
        return rows

    def multiplier(self, market: Row) -> Decimal:
        return Decimal(1)

    def delisting(self, market: Row) -> datetime | None:
        return None  # the venue announces it on a page, not in the list

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        """Two calls, however many are wanted."""
        marks, books = await asyncio.gather(
            _marks(connection), connection.exchange.contractGetCapiV3MarketTickerBookTicker()
        )
        book_of = {row["symbol"]: row for row in books if row["symbol"] in wanted}
        return {
            wanted[mark["symbol"]].id: _quote(mark, book_of.get(mark["symbol"]))
            for mark in marks
            if mark["symbol"] in wanted
        }

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        rows, arrived = await connection.timed(connection.exchange.publicGetApiV3MarketTickerPrice())
        prices = {wanted[row["symbol"]]: positive_or_none(row, "price") for row in rows if row["symbol"] in wanted}
        return {asset: Read(price, arrived) for asset, price in prices.items() if price is not None}

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        if wallet == "swap":
            rows, arrived = await self._futures_wallet(connection)
            coins = [Balance(self._asset(row), number(row, "balance")) for row in rows]
        elif self._demo:
            raise Refused(connection.account, f"{wallet} wallet", _DEMO_WALLETS)
        else:
            reply, arrived = await connection.timed(connection.exchange.privateGetApiV3Account())
            coins = [
                Balance(row["asset"], not_negative(row, "free"), not_negative(row, "locked"))
                for row in reply["balances"]
            ]
        return Read(tuple(coin for coin in coins if coin.free or coin.locked), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        """Three calls. The marks are those of `quotes`: without them nothing tells in which unit a size is."""
        venue = connection.exchange
        ask = (
            venue.contractPrivateGetCapiV3SimPositionAllPosition
            if self._demo
            else venue.contractPrivateGetCapiV3AccountPositionAllPosition
        )
        (pools, pools_at), (rows, rows_at), marks = await asyncio.gather(
            self._futures_wallet(connection), connection.timed(ask()), _marks(connection)
        )
        held = [
            (markets.contract(venue.from_sandbox_market_id(row["symbol"])), row)
            for row in rows
            if not_negative(row, "size")
        ]
        weex_positions.refuse_several(connection.account, held)
        mark_of = {row["symbol"]: row for row in marks}
        positions = tuple(
            weex_positions.position(contract, row, mark_of.get(markets.market_ids[contract.id]))
            for contract, row in held
        )
        backed = list(zip((row for _, row in held), positions, strict=True))
        self.one_pool = all(weex_positions.is_pooled(row, each) for row, each in backed)
        pool_of = {self._asset(row): row for row in pools}
        margin = weex_positions.margin(pool_of, [(self._asset(row), each) for row, each in backed])
        equities = of_shared(margin, positions, markets.instruments)
        return Read(Derivatives(positions, margin, equities=equities), min(pools_at, rows_at))

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        if self._demo:
            return None  # demo trading has no bills
        return await weex_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is not None:
            market_id = markets.market_ids.get(doubt.instrument)
            if market_id is None:
                return None  # no longer listed: a person has to look
            if self._demo:
                return await weex_movements.explain_demo_position(
                    connection, markets.contracts[market_id], doubt, since
                )
            return await weex_movements.explain_position(connection, market_id, doubt, since)
        if self._demo:
            return None  # demo trading has no bills
        return await weex_movements.explain_balance(connection, doubt, since)

    async def _futures_wallet(self, connection: Connection) -> tuple[Any, datetime]:
        """Wallet and margin come in one reply: the legs that want it at the same time share it."""
        venue = connection.exchange
        ask = venue.contractPrivateGetCapiV3SimBalance if self._demo else venue.contractPrivateGetCapiV3AccountBalance
        return await connection.shared.ask("futures wallet", lambda: connection.timed(ask()))

    def _asset(self, row: Row) -> str:
        """The collateral; demo trading's play money is called SUSDT."""
        asset = text(row, "asset")
        return "USDT" if self._demo and asset == "SUSDT" else asset


async def _marks(connection: Connection) -> list[Row]:
    """Of every contract. Quotes and positions are read at the same time and share the reply."""
    venue = connection.exchange
    rows: list[Row] = await connection.shared.ask("mark prices", venue.contractGetCapiV3MarketPremiumIndex)
    return rows


def _step(row: Row, name: str) -> Decimal:
    """Digits after the point as the step they leave."""
    digits = number(row, name)
    if digits != digits.to_integral_value() or not 0 <= digits <= _DIGITS_MAX:
        raise Misshapen(f"{name} is not a number of digits")
    return Decimal(1).scaleb(-int(digits))


def _quote(mark: Row, book: Row | None) -> Read[Quote]:
    """One row of each bulk reply. `lastFundingRate` is what was settled last; what comes next is the forecast."""
    bid = positive_or_none(book, "bidPrice") if book else None
    ask = positive_or_none(book, "askPrice") if book else None
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    quote = Quote(
        mark=positive(mark, "markPrice"),
        bid=bid,
        ask=ask,
        index=positive_or_none(mark, "indexPrice"),
        funding_rate=number(mark, "forecastFundingRate"),
        funding_interval_hours=positive(mark, "collectCycle") / _MINUTES,
        funding_next=moment(mark, "nextFundingTime"),
    )
    return Read(quote, moment(mark, "time"))
