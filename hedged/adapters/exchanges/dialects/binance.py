"""Binance: every wallet and contract; options are refused. All reading is GET, with one POST that reads (`funding`).

Wallets:

    spot       without flexible earn's LD coins if `earn` is configured too, see `binance_wallets`
    margin     cross and isolated margin, with debt and its interest; whether any pair is used is looked at hourly
    swap       USD-M and COIN-M futures, wallet balances without unrealised profit
    funding    funding
    earn       simple earn, flexible and locked; not staking and other products, whose coins are not seen
    portfolio  portfolio margin in place of `margin` and `swap`: one account for margin, USD-M and COIN-M

Positions are those of USD-M and COIN-M, or none: a key that may read only one of them (they share the permission
"Enable Futures") is refused, whatever the wallets, for the other could hold the hedge. USD-M counts positions in coins,
so one contract is one coin; COIN-M in contracts of a face value in dollars. The margin reported is that of the tightest
pool: the cross margin of USD-M, or of one coin of COIN-M, or what an isolated position has set apart for it. Options
are looked for hourly, as far as the key may see them; while one is held the account is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import (
    binance_contracts,
    binance_margin,
    binance_movements,
    binance_portfolio,
    binance_wallets,
)
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.dialects.corner import Corner
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint
from hedged.adapters.exchanges.shapes import (
    Fields,
    Lists,
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    flag,
    moment,
    not_negative,
    number,
    positive,
    positive_or_none,
)
from hedged.errors import ConfigurationError, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_NEVER = 4133404800000  # the delivery date of a perpetual that is not being delisted: 2100-12-25
_FUNDING_INFO_AGE = timedelta(hours=1)

_LISTED: Fields = {
    "symbol": TEXT,
    "status": TEXT,
    "baseAsset": TEXT,
    "quoteAsset": TEXT,
    "filters": Rows({"filterType": TEXT}),
}
_LIST = Record({"symbols": Rows(_LISTED, at_least=1)})
_COIN_LISTED: Fields = {
    "symbol": TEXT,
    "contractStatus": TEXT,
    "contractSize": NUMBER,
    "baseAsset": TEXT,
    "quoteAsset": TEXT,
    "filters": Rows({"filterType": TEXT}),
}
_CANDLES = Lists(5)
_SETTLED = Rows({"symbol": TEXT, "fundingRate": NUMBER, "fundingTime": NUMBER})
_CLASSIC = 'the account is not in portfolio margin: in `wallets` take "margin" and "swap" instead of "portfolio"'
_KEY: Fields = {"ipRestrict": PRESENT, "enableReading": PRESENT, "enableWithdrawals": PRESENT, "enableFutures": PRESENT}


class Binance(Dialect):
    exchange: ClassVar[str] = "binance"
    hedge_words: ClassVar[str] = binance_contracts.HEDGE_MODE.format(segment="Futures")
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "margin", "swap", "funding", "earn", "portfolio"})
    own_margin: ClassVar[bool] = False  # what is None does not exist; COIN-M and portfolio margin are no plain pools
    burst: ClassVar[float] = 600.0  # half of what the venue allows in a minute
    candles_page: ClassVar[int] = 499  # futures ask a weight of 2 for these and of 5 for one more
    funding_page: ClassVar[int] = 1000
    config: ClassVar[Mapping[str, Any]] = {
        "options": {
            "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
            "fetchMargins": False,  # signed; tells what can be borrowed, which nobody asks
            "fetchCurrencies": False,  # signed; networks and withdrawal fees
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        }
    }
    refusals: ClassVar[Mapping[str, str]] = {
        "-1002": "the key may not do this: allow reading for it",
        "-9000": _CLASSIC,
        "-21001": _CLASSIC,
        "-1022": "the signature does not verify: the secret does not belong to this key",
        "-2008": "the venue does not know this key",
        "-2014": "the key is malformed: copy it again",
        "-2015": "the key is unknown, may not read this wallet, or is bound to another address",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {"-1021": ClockSkew}  # ccxt knows it, but not of papi
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v3/time"): Endpoint("server time", Record({"serverTime": NUMBER})),
        ("GET", "/api/v3/exchangeInfo"): Endpoint("spot markets", _LIST, patience=3.0),
        ("GET", "/fapi/v1/exchangeInfo"): Endpoint("futures markets", _LIST, patience=3.0),
        ("GET", "/dapi/v1/exchangeInfo"): Endpoint(
            "COIN-M markets", Record({"symbols": Rows(_COIN_LISTED, at_least=1)}), patience=3.0
        ),
        ("GET", "/api/v3/ticker/price"): Endpoint("spot prices", Rows({"symbol": TEXT, "price": PRESENT}, at_least=1)),
        ("GET", "/api/v3/klines"): Endpoint("spot candles", _CANDLES),
        ("GET", "/fapi/v1/klines"): Endpoint("futures candles", _CANDLES),
        ("GET", "/dapi/v1/klines"): Endpoint("COIN-M candles", _CANDLES),
        ("GET", "/fapi/v1/fundingRate"): Endpoint("past futures funding", _SETTLED),
        ("GET", "/dapi/v1/fundingRate"): Endpoint("past COIN-M funding", _SETTLED),
        ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint("key permissions", Record(_KEY)),
        **binance_contracts.ENDPOINTS,
        **binance_wallets.ENDPOINTS,
        **binance_portfolio.ENDPOINTS,
        **binance_movements.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._intervals: dict[bool, tuple[Mapping[str, Decimal], datetime]] = {}  # linear → (market id → hours), when
        self._with_earn = self._portfolio = self._demo = False
        self._options, self._isolated = Corner("options"), Corner("isolated margin")

    def use_wallets(self, account: str, wallets: Sequence[str]) -> None:
        self._with_earn, self._portfolio = "earn" in wallets, "portfolio" in wallets
        if self._portfolio and (inside := {"margin", "swap"} & set(wallets)):
            problem = f"account {account}: wallets = {', '.join(sorted(inside))}  not beside portfolio, which has them"
            raise ConfigurationError(problem)

    def use_sandbox(self, exchange: Any) -> None:
        exchange.enable_demo_trading(True)
        self._demo = True

    def reads_contract(self, market: Row) -> bool:
        return bool((market.get("swap") or market.get("future")) and (market.get("linear") or market.get("inverse")))

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row: ccxt makes a missing minimum none, a missing step a guess."""
        filters = {row["filterType"]: row for row in market["info"]["filters"]}
        needed = {"PRICE_FILTER", "LOT_SIZE", "MIN_NOTIONAL"} if market["linear"] else {"PRICE_FILTER", "LOT_SIZE"}
        if not needed <= set(filters):
            raise Misshapen(f"{market['id']} lacks a filter")
        moment(market["info"], "deliveryDate")
        return replace(
            super().instrument(account, market),
            tick_size=positive(filters["PRICE_FILTER"], "tickSize"),
            lot_size=positive(filters["LOT_SIZE"], "stepSize"),
            quantity_min=not_negative(filters["LOT_SIZE"], "minQty"),
            notional_min=not_negative(filters["MIN_NOTIONAL"], "notional") if market["linear"] else ZERO,
        )

    def multiplier(self, market: Row) -> Decimal:
        return Decimal(1) if market["linear"] else positive(market["info"], "contractSize")

    def delisting(self, market: Row) -> datetime | None:
        if not market.get("swap") or number(market["info"], "deliveryDate") == _NEVER:
            return None
        return moment(market["info"], "deliveryDate")

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        """Two calls for each segment that is asked for, however many contracts, and its intervals hourly."""
        segments = {contract.linear for contract in wanted.values()}
        found = await asyncio.gather(*(self._quotes(connection, wanted, linear) for linear in segments))
        return {name: quote for part in found for name, quote in part.items()}

    async def _quotes(
        self, connection: Connection, wanted: Mapping[str, Instrument], linear: bool
    ) -> dict[InstrumentId, Read[Quote]]:
        """Every contract of a kind is in one reply: whoever asks for others of it meanwhile shares that."""
        venue, shared = connection.exchange, connection.shared
        ask_marks = venue.fapiPublicGetPremiumIndex if linear else venue.dapiPublicGetPremiumIndex
        ask_books = venue.fapiPublicGetTickerBookTicker if linear else venue.dapiPublicGetTickerBookTicker
        marks, books, intervals = await asyncio.gather(
            shared.ask(f"marks {linear}", ask_marks),
            shared.ask(f"books {linear}", ask_books),
            self._funding_intervals(connection, linear),
        )
        book_of = {row["symbol"]: row for row in books if row["symbol"] in wanted}
        return {
            wanted[mark["symbol"]].id: binance_contracts.quote_of(
                wanted[mark["symbol"]], mark, book_of.get(mark["symbol"]), intervals
            )
            for mark in marks
            if mark["symbol"] in wanted
        }

    async def _funding_intervals(self, connection: Connection, linear: bool) -> Mapping[str, Decimal] | None:
        """Hours between fundings of those contracts where they are not the usual; None: the venue did not say."""
        now, venue = connection.clock.now(), connection.exchange
        known = self._intervals.get(linear)
        if known is None or abs(now - known[1]) >= _FUNDING_INFO_AGE:
            try:
                rows = await (venue.fapiPublicGetFundingInfo() if linear else venue.dapiPublicGetFundingInfo())
                known = ({row["symbol"]: positive(row, "fundingIntervalHours") for row in rows}, now)
            except (VenueError, Misshapen):
                return None  # it is asked again next time; marks and books do not wait for it
            self._intervals[linear] = known
        return known[0]

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        rows, arrived = await connection.timed(connection.exchange.publicGetTickerPrice())
        prices = {wanted[row["symbol"]]: positive_or_none(row, "price") for row in rows if row["symbol"] in wanted}
        return {asset: Read(price, arrived) for asset, price in prices.items() if price is not None}

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        coins, arrived = await self._wallet(connection, wallet)
        return Read(tuple(coin for coin in coins if coin.free or coin.locked or coin.debt), arrived)

    async def _wallet(self, connection: Connection, wallet: str) -> binance_wallets.Wallet:
        if wallet == "spot":
            return await binance_wallets.spot(connection, with_earn=self._with_earn)
        if wallet == "swap":
            (usd, usd_at), (coin, coin_at) = await asyncio.gather(
                binance_contracts.usd_account(connection), binance_contracts.coin_account(connection)
            )
            pools = [*binance_margin.usd_pools(usd), *coin["assets"]]
            return binance_wallets.together(binance_wallets.of_pools(pools)), min(usd_at, coin_at)
        if wallet == "margin":
            return await binance_wallets.margin(connection, self._isolated)
        return await _READ[wallet](connection)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        read = binance_portfolio.read_derivatives if self._portfolio else binance_contracts.read_derivatives
        found, _ = await asyncio.gather(read(connection, markets), self._refuse_options(connection))
        return found

    async def _refuse_options(self, connection: Connection) -> None:
        if not self._demo:  # which has none
            await self._options.refuse(connection, lambda: binance_contracts.options(connection), "symbol")

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool:
        venue, kinds = connection.exchange, {contract.linear for contract in wanted.values()} or {True, False}
        usd, coin = venue.fapiPrivateGetPositionSideDual, venue.dapiPrivateGetPositionSideDual
        if self._portfolio:
            usd, coin = venue.papiGetUmPositionSideDual, venue.papiGetCmPositionSideDual
        replies = await asyncio.gather(*((usd if each else coin)() for each in kinds))
        return True in [flag(reply, "dualSidePosition") for reply in replies]

    async def permissions(self, connection: Connection) -> Permissions:
        """`expires` is the end of spot and margin trading that the venue sets for keys that no address is bound to."""
        row = await connection.exchange.sapiGetAccountApiRestrictions()
        trading = "enablePortfolioMarginTrading" if self._portfolio else "enableFutures"
        return Permissions(
            read=flag(row, "enableReading"),
            trade=flag(row, trading) if trading in row else None,
            withdraw=flag(row, "enableWithdrawals"),
            bound_to_address=flag(row, "ipRestrict"),
            expires=moment(row, "tradingAuthorityExpirationTime")
            if row.get("tradingAuthorityExpirationTime")
            else None,
        )

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        """Of USD-M, all contracts in one call. COIN-M's brackets are in coins, which have no fixed notional."""
        linear = {market_id: contract for market_id, contract in wanted.items() if contract.linear}
        if not linear:
            return {}
        venue = connection.exchange
        ask = venue.papiGetUmLeverageBracket if self._portfolio else venue.fapiPrivateGetLeverageBracket
        return binance_contracts.tiers_of(await ask(), linear)

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await binance_movements.funding_payments(connection, wanted, since, portfolio=self._portfolio)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            return await binance_movements.explain_balance(connection, markets, doubt, since, held)
        contract = markets.instruments.get(doubt.instrument)
        if contract is None:
            return None  # no longer listed: a person has to look
        market_id = markets.market_ids[contract.id]
        return await binance_movements.explain_position(
            connection, market_id, doubt, since, linear=contract.linear, portfolio=self._portfolio
        )


_READ: Mapping[str, Callable[[Connection], Awaitable[binance_wallets.Wallet]]] = {
    "funding": binance_wallets.funding,
    "earn": binance_wallets.earn,
    "portfolio": binance_wallets.portfolio,
}
