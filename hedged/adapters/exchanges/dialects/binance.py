"""Binance: spot and cross-margin wallets, USD-M futures (perpetual and dated, margined in USDT or USDC).

Positions are counted in coins, so one contract is one coin. All reading is GET.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import binance_movements
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets, is_plausible
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Fields,
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
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.snapshot import Balance, Derivatives, Doubt, Margin, Position, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_NEVER = 4133404800000  # the delivery date of a perpetual that is not being delisted: 2100-12-25
_FUNDING_INTERVAL = Decimal(8)  # hours, of every perpetual that fundingInfo does not list
_FUNDING_INFO_AGE = timedelta(hours=1)

_LISTED: Fields = {
    "symbol": TEXT,
    "status": TEXT,
    "baseAsset": TEXT,
    "quoteAsset": TEXT,
    "filters": Rows({"filterType": TEXT}),
}
_LIST = Record({"symbols": Rows(_LISTED, at_least=1)})
_COINS: Mapping[str, Scalar] = {"asset": TEXT, "free": NUMBER, "locked": NUMBER}
_POOL = {"asset": TEXT, "walletBalance": NUMBER, "marginBalance": NUMBER, "maintMargin": NUMBER}
_ACCOUNT: Fields = {
    "totalMarginBalance": NUMBER,
    "totalMaintMargin": NUMBER,
    "availableBalance": NUMBER,
    "assets": Rows(_POOL),
}
_POSITION = {
    "symbol": TEXT,
    "positionSide": TEXT,
    "positionAmt": NUMBER,
    "entryPrice": NUMBER,
    "markPrice": NUMBER,
    "unRealizedProfit": NUMBER,
    "liquidationPrice": NUMBER,
    "notional": NUMBER,
    "maintMargin": NUMBER,
}
_MARK = {
    "symbol": TEXT,
    "markPrice": PRESENT,
    "indexPrice": PRESENT,
    "lastFundingRate": PRESENT,
    "nextFundingTime": PRESENT,
    "time": PRESENT,
}
_HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "(Futures → Preferences → Position mode)"
)


class Binance(Dialect):
    exchange: ClassVar[str] = "binance"
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "margin", "swap"})
    burst: ClassVar[float] = 600.0  # half of what the venue allows in a minute
    config: ClassVar[Mapping[str, Any]] = {
        "options": {
            "fetchMarkets": {"types": ["spot", "linear"]},
            "fetchMargins": False,  # signed; tells what can be borrowed, which nobody asks
            "fetchCurrencies": False,  # signed; networks and withdrawal fees
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        }
    }
    refusals: ClassVar[Mapping[str, str]] = {
        "-1002": "the key may not do this: allow reading for it",
        "-1022": "the signature does not verify: the secret does not belong to this key",
        "-2008": "the venue does not know this key",
        "-2014": "the key is malformed: copy it again",
        "-2015": "the key is unknown, may not read this wallet, or is bound to another address",
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v3/time"): Endpoint("server time", Record({"serverTime": NUMBER})),
        ("GET", "/api/v3/exchangeInfo"): Endpoint("spot markets", _LIST, patience=3.0),
        ("GET", "/fapi/v1/exchangeInfo"): Endpoint("futures markets", _LIST, patience=3.0),
        ("GET", "/api/v3/ticker/price"): Endpoint("spot prices", Rows({"symbol": TEXT, "price": PRESENT}, at_least=1)),
        ("GET", "/fapi/v1/premiumIndex"): Endpoint("mark prices", Rows(_MARK, at_least=1)),
        ("GET", "/fapi/v1/ticker/bookTicker"): Endpoint(
            "futures books", Rows({"symbol": TEXT, "bidPrice": PRESENT, "askPrice": PRESENT}, at_least=1)
        ),
        ("GET", "/fapi/v1/fundingInfo"): Endpoint(
            "funding intervals", Rows({"symbol": TEXT, "fundingIntervalHours": NUMBER}, at_least=1)
        ),
        ("GET", "/api/v3/account"): Endpoint("spot wallet", Record({"balances": Rows(_COINS)})),
        ("GET", "/sapi/v1/margin/account"): Endpoint(
            "margin wallet", Record({"userAssets": Rows({**_COINS, "borrowed": NUMBER, "interest": NUMBER})})
        ),
        ("GET", "/fapi/v3/account"): Endpoint("futures wallet", Record(_ACCOUNT)),
        ("GET", "/fapi/v3/positionRisk"): Endpoint("futures positions", Rows(_POSITION)),
        **binance_movements.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._intervals: Mapping[str, Decimal] = {}  # market id → hours
        self._intervals_at: datetime | None = None

    def use_sandbox(self, exchange: Any) -> None:
        exchange.enable_demo_trading(True)

    def reads_contract(self, market: Row) -> bool:
        return bool((market.get("swap") or market.get("future")) and market.get("linear"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row: ccxt makes a missing minimum none, a missing step a guess."""
        filters = {row["filterType"]: row for row in market["info"]["filters"]}
        if not {"PRICE_FILTER", "LOT_SIZE", "MIN_NOTIONAL"} <= set(filters):
            raise Misshapen(f"{market['id']} lacks a filter")
        moment(market["info"], "deliveryDate")
        return replace(
            super().instrument(account, market),
            tick_size=positive(filters["PRICE_FILTER"], "tickSize"),
            lot_size=positive(filters["LOT_SIZE"], "stepSize"),
            quantity_min=not_negative(filters["LOT_SIZE"], "minQty"),
            notional_min=not_negative(filters["MIN_NOTIONAL"], "notional"),
        )

    def multiplier(self, market: Row) -> Decimal:
        return Decimal(1)

    def delisting(self, market: Row) -> datetime | None:
        if not market.get("swap") or number(market["info"], "deliveryDate") == _NEVER:
            return None
        return moment(market["info"], "deliveryDate")

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        venue = connection.exchange
        marks, books, intervals = await asyncio.gather(
            venue.fapiPublicGetPremiumIndex(),
            venue.fapiPublicGetTickerBookTicker(),
            self._funding_intervals(connection),
        )
        book_of = {row["symbol"]: row for row in books if row["symbol"] in wanted}
        return {
            wanted[mark["symbol"]].id: _quote(wanted[mark["symbol"]], mark, book_of.get(mark["symbol"]), intervals)
            for mark in marks
            if mark["symbol"] in wanted
        }

    async def _funding_intervals(self, connection: Connection) -> Mapping[str, Decimal] | None:
        """Hours between fundings of those contracts where they are not the usual; None: the venue did not say."""
        now = connection.clock.now()
        if self._intervals_at is None or abs(now - self._intervals_at) >= _FUNDING_INFO_AGE:
            try:
                rows = await connection.exchange.fapiPublicGetFundingInfo()
                self._intervals = {row["symbol"]: positive(row, "fundingIntervalHours") for row in rows}
            except (VenueError, Misshapen):
                return None  # it is asked again next time; marks and books do not wait for it
            self._intervals_at = now
        return self._intervals

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        rows, arrived = await connection.timed(connection.exchange.publicGetTickerPrice())
        prices = {wanted[row["symbol"]]: positive_or_none(row, "price") for row in rows if row["symbol"] in wanted}
        return {asset: Read(price, arrived) for asset, price in prices.items() if price is not None}

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        if wallet == "swap":
            account, arrived = await _futures_account(connection)
            # not `availableBalance`, which in multi-assets mode shows the same dollars under every asset
            coins = [Balance(row["asset"], number(row, "walletBalance")) for row in _pools(account)]
        elif wallet == "margin":
            reply, arrived = await connection.timed(connection.exchange.sapiGetMarginAccount())
            coins = [_coins(row, debt=_debt(row)) for row in reply["userAssets"]]
        else:
            reply, arrived = await connection.timed(connection.exchange.privateGetAccount())
            coins = [_coins(row) for row in reply["balances"]]
        return Read(tuple(coin for coin in coins if coin.free or coin.locked or coin.debt), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        positions = connection.timed(connection.exchange.fapiPrivateV3GetPositionRisk())
        (account, account_at), (rows, rows_at) = await asyncio.gather(_futures_account(connection), positions)
        if any(row["positionSide"] != "BOTH" for row in rows):
            raise Refused(connection.account, "futures positions", _HEDGE_MODE)
        held = tuple(_position(row, markets) for row in rows if number(row, "positionAmt"))
        return Read(Derivatives(held, _margin(account)), min(account_at, rows_at))

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is not None:
            market_id = markets.market_ids.get(doubt.instrument)
            if market_id is None:
                return None  # no longer listed: a person has to look
            return await binance_movements.explain_position(connection, market_id, doubt, since)
        return await binance_movements.explain_balance(connection, markets, doubt, since, held)


async def _futures_account(connection: Connection) -> tuple[Any, datetime]:
    """Wallet and margin come in one reply: the legs that want it at the same time share it."""
    venue = connection.exchange
    return await connection.shared.ask("futures account", lambda: connection.timed(venue.fapiPrivateV3GetAccount()))


def _quote(instrument: Instrument, mark: Row, book: Row | None, intervals: Mapping[str, Decimal] | None) -> Read[Quote]:
    """One row of each bulk reply. Dated futures have no funding: the venue leaves the rate blank, the time zero."""
    bid = positive_or_none(book, "bidPrice") if book else None
    ask = positive_or_none(book, "askPrice") if book else None
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    perpetual = instrument.kind is ContractKind.PERPETUAL
    quote = Quote(
        mark=positive(mark, "markPrice"),
        bid=bid,
        ask=ask,
        index=positive_or_none(mark, "indexPrice"),
        funding_rate=number(mark, "lastFundingRate") if perpetual else None,
        funding_interval_hours=(
            intervals.get(mark["symbol"], _FUNDING_INTERVAL) if perpetual and intervals is not None else None
        ),
        funding_next=moment(mark, "nextFundingTime") if perpetual and number(mark, "nextFundingTime") else None,
    )
    return Read(quote, moment(mark, "time"))


def _coins(row: Row, debt: Decimal = ZERO) -> Balance:
    return Balance(row["asset"], not_negative(row, "free"), not_negative(row, "locked"), debt)


def _debt(row: Row) -> Decimal:
    return not_negative(row, "borrowed") + not_negative(row, "interest")


def _position(row: Row, markets: Markets) -> Position:
    instrument = markets.contract(text(row, "symbol"))
    contracts, liquidation = number(row, "positionAmt"), number(row, "liquidationPrice")
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=positive_or_none(row, "entryPrice"),
        liquidation_price=liquidation if liquidation > 0 else None,  # 0: there is none, however far the price goes
        unrealised_pnl=number(row, "unRealizedProfit"),
        maintenance_margin=not_negative(row, "maintMargin"),
        trusted=is_plausible(instrument, contracts, positive(row, "markPrice"), number(row, "notional")),
    )


def _pools(account: Row) -> list[Row]:
    """The margin assets; a wallet that is worth something and lists none is half a reply."""
    if not account["assets"] and number(account, "totalMarginBalance"):
        raise Misshapen("assets is empty although there is a margin balance")
    return list(account["assets"])


def _margin(account: Row) -> Margin:
    """The totals in dollars, or the tightest pool where the venue keeps one for each margin asset.

    In single-asset mode the totals speak of USDT alone while positions in USDC contracts are backed, and liquidated,
    by USDC alone: then the asset with the highest maintenance ÷ margin balance decides.
    """
    total = Margin(
        equity=number(account, "totalMarginBalance"),
        maintenance=not_negative(account, "totalMaintMargin"),
        available=number(account, "availableBalance"),
    )
    pools = [
        Margin(equity=number(row, "marginBalance"), maintenance=not_negative(row, "maintMargin"))
        for row in _pools(account)
        if row["asset"] != "USDT"
    ]
    usdt = sum((number(row, "maintMargin") for row in account["assets"] if row["asset"] == "USDT"), ZERO)
    if total.maintenance != usdt:  # multi-assets mode: one pool, whose totals are the truth
        return total
    return max((total, *pools), key=_tightness)


def _tightness(margin: Margin) -> Decimal:
    if not margin.maintenance:
        return ZERO
    return margin.maintenance / margin.equity if margin.equity > 0 else Decimal("Infinity")
