"""BingX: spot and fund wallets, USDⓈ-M perpetuals (USDT, USDC) and coin-margined perpetuals. No dated contracts.

Linear positions are counted in coins, so one contract is one coin; a coin-margined contract has a face value in
dollars (10 or 100). All reading is GET. The wallets: `spot` and `funding` (the venue's fund account) are its own;
`swap` is both perpetual accounts together, each asset with its wallet balance, unrealised profit left out. Nothing
can be borrowed, so there is no debt.

What the venue does not tell stays None: maintenance margin, and the margin as a whole while positions are open in
more than one pool (USDT, USDC and every coin back their own positions alone). An isolated position has the venue's
liquidation price and is a pool of its own: its `margin` is set apart with its profit. Of a coin-margined one that is
not told, so while there is any the account's maintenance and the liquidation prices that the venue leaves out are
unknown. Standard futures are looked for hourly; while a position is held there the account is refused. Not seen at
all: copy trading, grid and wealth products.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import bingx_movements, bingx_shapes
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.dialects.bingx_positions import (
    Pool,
    is_pooled,
    margin_of,
    pool,
    position,
    refuse_several_in_one_contract,
)
from hedged.adapters.exchanges.dialects.bingx_quotes import quotes_of, told
from hedged.adapters.exchanges.dialects.corner import Corner
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint, RateLimited
from hedged.adapters.exchanges.margin_view import of_shared
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Row,
    check,
    moment,
    not_negative,
    number,
    positive,
    positive_or_none,
    text,
)
from hedged.adapters.exchanges.shared_call import together
from hedged.errors import Refused, Unreachable, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Position, Quote, Read

_SETTINGS_AGE = timedelta(hours=1)
_DECIMALS_MAX = 18
_ONLINE = 1  # a contract's status; 25: no new positions, 5: not yet, 0: offline

_HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "(Perpetual Futures → Settings → Position Mode → One-Way Mode)"
)
_MULTI_ASSETS = (
    "the account is in multi-assets mode, whose margin coins are not told with the others: switch it to single-asset "
    "mode (Perpetual Futures → Settings → Asset Mode → Single-Asset Mode)"
)
_DEMO = "demo trading has USDT perpetuals only: take this wallet out of `wallets`"


class BingX(Dialect):
    exchange: ClassVar[str] = "bingx"
    hedge_words: ClassVar[str] = _HEDGE_MODE
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "funding", "swap"})
    burst: ClassVar[float] = 50.0  # five seconds' worth; the venue counts by endpoint, 2 to 10 a second each
    candles_page: ClassVar[int] = 1000
    config: ClassVar[Mapping[str, Any]] = {"has": {"fetchCurrencies": False}}  # signed; networks and withdrawal fees
    refusals: ClassVar[Mapping[str, str]] = {
        "100001": "the signature does not verify: the secret does not belong to this key",
        "100004": "the key may not do this: allow reading for it (transfers and fund flow need their own permission)",
        "100412": "the signature is missing: check the credentials file",
        "100413": "the venue does not know this key",
        "100419": "the key is bound to another address",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        "100421": ClockSkew,  # 'timestamp mismatch'; to ccxt, a symbol that cannot be traded
        "100410": RateLimited,
        "80012": Unreachable,  # 'service unavailable'; to ccxt, not enough margin
        "100503": Unreachable,
        "101500": Unreachable,
        "500": Unreachable,
        "504": Unreachable,
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        **bingx_shapes.ENDPOINTS,
        **bingx_movements.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._settings_at: datetime | None = None  # when they were last found to be as they must be
        self._standard = Corner("standard futures")

    def prepare(self, exchange: Any) -> None:
        """Sign with the venue's time: ccxt measures the difference and then signs with ours all the same."""
        exchange.nonce = lambda: exchange.milliseconds() - int(exchange.options.get("timeDifference", 0))

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row; coin-margined contracts are traded in whole ones."""
        info = market["info"]
        linear = bool(market["linear"])
        return replace(
            super().instrument(account, {**market, "precision": {"price": "1", "amount": "1"}}),
            tick_size=_step(info, "pricePrecision"),
            lot_size=_step(info, "quantityPrecision") if linear else Decimal(1),
            quantity_min=not_negative(info, "tradeMinQuantity" if linear else "minQty"),
            notional_min=not_negative(info, "tradeMinUSDT" if linear else "minTradeValue"),
            trading=number(info, "status") == _ONLINE and (not linear or bingx_shapes.is_open_to_api(info)),
        )

    def multiplier(self, market: Row) -> Decimal:
        return Decimal(1) if market["linear"] else positive(market["info"], "minTickSize")

    def delisting(self, market: Row) -> datetime | None:
        """When the contract goes offline; the venue leaves it out, or writes 0, where none is planned."""
        info = market["info"]
        return moment(info, "offTime") if "offTime" in info and not_negative(info, "offTime") else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        """Two calls for all linear contracts, two for all coin-margined ones, none for a kind that is not wanted."""
        venue = connection.exchange
        linear = {market_id: contract for market_id, contract in wanted.items() if contract.linear}
        coins = {market_id: contract for market_id, contract in wanted.items() if not contract.linear}
        found = await asyncio.gather(
            quotes_of(
                connection, linear, "linear", venue.swapV2PublicGetQuotePremiumIndex, venue.swapV2PublicGetQuoteTicker
            ),
            quotes_of(
                connection,
                coins,
                "coin-margined",
                venue.cswapV1PublicGetMarketPremiumIndex,
                venue.cswapV1PublicGetMarketTicker,
            ),
        )
        return {**found[0], **found[1]}

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        """The last trade's price; the time is the ticker's own where it has one."""
        reply, arrived = await connection.timed(connection.exchange.spotV1PublicGetTicker24hr())
        prices = {}
        for row in reply["data"]:
            price = positive_or_none(row, "lastPrice") if row["symbol"] in wanted else None
            if price is not None:
                prices[wanted[row["symbol"]]] = Read(price, told(row, "closeTime", arrived))
        return prices

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        venue = connection.exchange
        if wallet != "swap" and _is_demo(connection):
            raise Refused(connection.account, f"{wallet} wallet", _DEMO)
        if wallet == "swap":
            pools, arrived = await _pools(connection)
            coins = [Balance(each.asset, each.wallet) for each in pools]
        else:
            ask = venue.spotV1PrivateGetAccountBalance if wallet == "spot" else venue.fundV1PrivateGetAccountBalance
            reply, arrived = await connection.timed(ask())
            coins = [_coins(connection, row) for row in _coin_rows(reply["data"])]
        return Read(_by_asset(coins), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        venue = connection.exchange
        asked = [connection.timed(venue.swapV2PrivateGetUserPositions())]
        if not _is_demo(connection):
            asked.append(connection.timed(venue.cswapV1PrivateGetUserPositions()))
        (pools, pools_at), unfit, _, *replies = await together(
            _pools(connection), self._unfit(connection), self._refuse_standard(connection), *asked
        )
        rows = [row for reply, _ in replies for row in reply["data"] if number(row, "positionAmt")]
        if unfit == _HEDGE_MODE and not rows:
            unfit = None  # the mode of a new account: it matters from the first position on
        if unfit or any(bingx_shapes.is_hedge_mode(row) for row in rows):
            raise Refused(connection.account, "futures positions", unfit or _HEDGE_MODE)
        refuse_several_in_one_contract(connection.account, rows, _HEDGE_MODE)
        held: tuple[Position, ...] = tuple(position(row, markets) for row in rows)
        self.one_pool = all(is_pooled(row, each) for row, each in zip(rows, held, strict=True))
        margin = margin_of(pools, rows, markets)
        equities = of_shared(margin, held, markets.instruments)
        return Read(Derivatives(held, margin, equities=equities), min(pools_at, *(arrived for _, arrived in replies)))

    async def _refuse_standard(self, connection: Connection) -> None:
        async def held() -> list[Row]:
            reply = await connection.exchange.contractV1PrivateGetAllPosition()
            return [row for row in reply["data"] if number(row, "positionAmt")]

        if not _is_demo(connection):
            await self._standard.refuse(connection, held, "symbol")

    async def _unfit(self, connection: Connection) -> str | None:
        """What the account's settings must be changed in; asked hourly, or until they are right.

        Only a key that may trade is told, so a refusal means nothing; hedge mode shows in every position besides.
        """
        now, venue = connection.clock.now(), connection.exchange
        if self._settings_at is not None and abs(now - self._settings_at) < _SETTINGS_AGE:
            return None
        try:
            if str((await venue.swapV1PrivateGetPositionSideDual())["data"]["dualSidePosition"]).lower() == "true":
                return _HEDGE_MODE
            if not _is_demo(connection):
                mode = (await venue.swapV1PrivateGetTradeAssetMode())["data"]["assetMode"]
                if mode == "multiAssetsMode":
                    return _MULTI_ASSETS
        except Refused:
            pass
        except VenueError:
            return None  # asked again next time
        self._settings_at = now
        return None

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool | None:
        """None for a key that may not trade, which is not told."""
        try:
            reply = await connection.exchange.swapV1PrivateGetPositionSideDual()
        except Refused:
            return None
        return bingx_shapes.truth(reply["data"], "dualSidePosition")

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await bingx_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is not None:
            contract = markets.instruments.get(doubt.instrument)
            if contract is None:
                return None  # no longer listed: a person has to look
            market_id = markets.market_ids[doubt.instrument]
            return await bingx_movements.explain_position(connection, market_id, contract, doubt, since)
        return await bingx_movements.explain_balance(connection, markets, doubt, since, held)

    async def permissions(self, connection: Connection) -> Permissions | None:
        return bingx_shapes.key_permissions(await connection.exchange.accountV1PrivateGetAccountApiPermissions())

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        """One call a contract, linear ones only. The venue gives one leverage for all tiers of a contract."""
        venue, found = connection.exchange, {}
        for market_id, contract in wanted.items():
            if contract.linear:
                reply = await venue.swapV1PrivateGetMaintMarginRatio({"symbol": market_id})
                info = venue.market(contract.symbol)["info"]
                leverage = min(positive(info, "maxLongLeverage"), positive(info, "maxShortLeverage"))
                found[contract.id] = tuple(
                    sorted((_tier(row, leverage) for row in reply["data"]), key=lambda tier: tier.notional_floor)
                )
        return found


def _step(info: Row, name: str) -> Decimal:
    """10⁻ⁿ of a number of decimals."""
    decimals = number(info, name)
    if decimals != int(decimals) or not 0 <= decimals <= _DECIMALS_MAX:
        raise Misshapen(f"{name} is not a number of decimals")
    return Decimal(1).scaleb(-int(decimals))


def _tier(row: Row, leverage: Decimal) -> MarginTier:
    return MarginTier(not_negative(row, "minPositionVal"), positive(row, "maintMarginRatio"), leverage)


def _is_demo(connection: Connection) -> bool:
    return bool(connection.exchange.options.get("sandboxMode"))


async def _pools(connection: Connection) -> tuple[list[Pool], datetime]:
    """What backs the perpetuals, in both accounts; the legs that want it at the same time share the requests."""
    venue = connection.exchange

    async def ask() -> tuple[list[Pool], datetime]:
        calls = [connection.timed(venue.swapV3PrivateGetUserBalance())]
        if not _is_demo(connection):
            calls.append(connection.timed(venue.cswapV1PrivateGetUserBalance()))
        replies = await together(*calls)
        pools = [
            pool(row, venue.safe_currency_code(row["asset"]), linear=linear)
            for linear, (reply, _) in zip((True, False), replies, strict=False)
            for row in reply["data"]
            if not bingx_shapes.is_blank(row)
        ]
        return pools, min(arrived for _, arrived in replies)

    return await connection.shared.ask("swap accounts", ask)


def _coin_rows(data: Row) -> list[Row]:
    """The coins of the spot or the fund account; the venue calls the list by one name or the other."""
    rows = data.get("balances", data.get("assets"))
    check(rows, bingx_shapes.COINS, "balances")
    return list(rows)


def _coins(connection: Connection, row: Row) -> Balance:
    """Named as ccxt names the market's base, so that a coin is priced as itself where the venue reuses a ticker."""
    asset = connection.exchange.safe_currency_code(text(row, "asset"))
    return Balance(asset, not_negative(row, "free"), not_negative(row, "locked"))


def _by_asset(coins: list[Balance]) -> tuple[Balance, ...]:
    total: dict[str, Balance] = {}
    for coin in coins:
        if coin.free or coin.locked:
            before = total.get(coin.asset, Balance(coin.asset, Decimal(0)))
            total[coin.asset] = Balance(coin.asset, before.free + coin.free, before.locked + coin.locked)
    return tuple(total.values())
