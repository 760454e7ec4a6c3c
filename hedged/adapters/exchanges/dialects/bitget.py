"""Bitget's classic account: spot, funding, margin and earn wallets; contracts margined in USDT, USDC and coins.

A unified trading account has other endpoints and one pool for everything, see `bitget_unified.py`: `wallets` says which
of the two it is, and the key of the other is refused, with what to do.

All contracts, coin-margined ones too, are counted in coins: a position of 0.5 in BTCUSD is half a bitcoin, whose
profit is paid in a coin that the user chooses. That makes all of them linear here, of one coin a contract. Perpetual
and dated ones, of the three products together; the simulated ones that the venue lists besides are left out.

The wallets: `spot` and `funding` are the venue's; `margin` is cross and isolated margin together, with debt and
interest; `earn` is what the venue's overview of earn products tells; `swap` is the three futures accounts together,
each coin without unrealised profit, trading bonus and trial funds. Bots and copy trading are not read.

Margin is the venue's own: the maintenance rate of the position's tier, and the risk rate of the account where that
asks for more. For contracts of one product a quote takes two requests however many. All reading is GET. The demo
system has the venue's addresses and a header, and keys of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import (
    bitget_account,
    bitget_movements,
    bitget_quotes,
    bitget_unified,
    bitget_unified_movements,
)
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.dialects.bitget_shapes import ENDPOINTS, PRODUCTS, key_permissions, known
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint, RateLimited
from hedged.adapters.exchanges.shapes import Misshapen, Row, moment, not_negative, number, positive, text
from hedged.adapters.exchanges.shared_call import together
from hedged.errors import ConfigurationError, Unreachable, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

_DECIMALS_MAX = 18
_KEY_MISSING = "the key is not sent as it should be: apiKey, secret and password (the passphrase) are all needed"


class Bitget(Dialect):
    exchange: ClassVar[str] = "bitget"
    hedge_words: ClassVar[str] = bitget_account.HEDGE_MODE
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "funding", "margin", "earn", "swap", "uta"})
    burst: ClassVar[float] = 60.0  # three seconds' worth; the venue counts by endpoint, 5 to 20 a second each
    config: ClassVar[Mapping[str, Any]] = {
        "has": {"fetchCurrencies": False},  # networks and withdrawal fees
        "options": {"uta": False, "fetchMarkets": {"types": ["spot", "swap"]}},  # without `uta` ccxt asks the account
    }
    own_margin: ClassVar[bool] = False  # positions have the venue's own rates and prices, and pools of several kinds
    refusals: ClassVar[Mapping[str, str]] = {
        "40001": _KEY_MISSING,
        "40002": _KEY_MISSING,
        "40003": _KEY_MISSING,
        "40006": "the venue does not know this key",
        "40009": "the signature does not verify: the secret does not belong to this key",
        "40011": _KEY_MISSING,
        "40012": "the password is not this key's passphrase, or the key is another's",
        "40014": "the key may not do this: allow reading for it",
        "40016": "the venue wants the account secured first (bind a phone or an authenticator)",
        "40018": "the key is bound to another address than this machine's",
        "40031": "the venue has cancelled the account",
        "40037": "the key does not exist: it was deleted, or belongs to another site of the venue",
        "25620": "the key may not do this: allow reading of the unified account's management and trade for it",
        "40084": 'the account is in classic mode: in `wallets` take "spot" and "swap" instead of "uta"',
        "40085": 'the account is a unified trading account: in `wallets` take "uta", and "funding" if you use that',
        "40099": "the key is of the other system: demo keys need sandbox = true, real ones must not have it",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        "40004": ClockSkew,
        "40005": ClockSkew,
        "40008": ClockSkew,
        "429": RateLimited,
        "50009": RateLimited,
        "25004": RateLimited,
        "25000": Unreachable,  # 'system error, please try again later' and the like, of the unified account
        "25001": Unreachable,
        "25003": Unreachable,
        "40010": Unreachable,  # 'request timed out'; to ccxt, a wrong signature
        "40015": Unreachable,
        "40725": Unreachable,
        "45001": Unreachable,
        "50008": Unreachable,
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {**ENDPOINTS, **bitget_unified.ENDPOINTS}

    def __init__(self) -> None:
        self._unified = False

    def use_wallets(self, account: str, wallets: Sequence[str]) -> None:
        self._unified = bitget_unified.WALLET in wallets
        if self._unified and (inside := set(wallets) - {bitget_unified.WALLET, "funding"}):
            problem = f"account {account}: wallets = {', '.join(sorted(inside))}  not beside uta, which has them all"
            raise ConfigurationError(problem)

    def prepare(self, exchange: Any) -> None:
        """Have markets listed without simulated contracts and margin pairs, and each contract with its product."""
        listed = exchange.publicMixGetV2MixMarketContracts

        async def contracts(asked: Mapping[str, str]) -> dict[str, Any]:
            product = asked["productType"]
            if product not in PRODUCTS:
                return {"data": []}
            return {"data": [{**row, "productType": product} for row in (await listed(asked))["data"]]}

        async def no_pairs(_: Mapping[str, str]) -> dict[str, Any]:
            return {"data": []}

        exchange.publicMixGetV2MixMarketContracts = contracts
        exchange.publicMarginGetV2MarginCurrencies = no_pairs

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap") or market.get("future"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row; a step is a number of units of the last decimal place."""
        info = market["info"]
        if not all(isinstance(coin, str) and coin for coin in info["supportMarginCoins"]):
            raise Misshapen(f"supportMarginCoins of {market['id']} is not a list of words")
        tick = positive(info, "priceEndStep").scaleb(-_decimals(info, "pricePlace"))
        steps = {"price": str(tick), "amount": str(positive(info, "sizeMultiplier"))}
        return replace(
            super().instrument(account, {**market, "linear": True, "precision": steps}),
            quantity_min=not_negative(info, "minTradeNum"),
            notional_min=not_negative(info, "minTradeUSDT"),
            trading=text(info, "symbolStatus") == "normal",
        )

    def multiplier(self, market: Row) -> Decimal:
        return Decimal(1)

    def delisting(self, market: Row) -> datetime | None:
        """When a perpetual goes off the list; −1 where that is not planned."""
        info = market["info"]
        planned = known(info, "offTime")
        return moment(info, "offTime") if market.get("swap") and planned is not None and planned > 0 else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await bitget_quotes.read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await bitget_quotes.read_prices(connection, wanted)

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        return await bitget_quotes.read_tiers(connection, wanted)

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        venue, name = connection.exchange, connection.exchange.safe_currency_code
        if self._unified:
            read = bitget_unified.read_funding if wallet == "funding" else bitget_unified.read_coins
            return await read(connection)
        if wallet == "swap":
            pools, arrived = await _pools(connection)
            return Read(bitget_account.futures_coins(pools, name), arrived)
        if wallet == "margin":
            (crossed, crossed_at), (isolated, isolated_at) = await together(
                connection.timed(venue.privateMarginGetV2MarginCrossedAccountAssets()),
                connection.timed(venue.privateMarginGetV2MarginIsolatedAccountAssets()),
            )
            coins = bitget_account.lent_coins([*crossed["data"], *isolated["data"]], name)
            return Read(coins, min(crossed_at, isolated_at))
        if wallet == "earn":
            reply, arrived = await connection.timed(venue.privateEarnGetV2EarnAccountAssets())
            return Read(bitget_account.earning_coins(reply["data"], name), arrived)
        ask = (
            venue.privateSpotGetV2AccountFundingAssets
            if wallet == "funding"
            else venue.privateSpotGetV2SpotAccountAssets
        )
        reply, arrived = await connection.timed(ask())
        return Read(bitget_account.plain_coins(reply["data"], name), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        if self._unified:
            return await bitget_unified.read_derivatives(connection, markets)
        venue = connection.exchange
        (pools, pools_at), *replies = await together(
            _pools(connection),
            *(
                connection.timed(venue.privateMixGetV2MixPositionAllPosition({"productType": each}))
                for each in PRODUCTS
            ),
        )
        rows = [
            (product, row)
            for product, (reply, _) in zip(PRODUCTS, replies, strict=True)
            for row in bitget_account.open_rows(product, reply["data"], pools)
        ]
        bitget_account.refuse_what_cannot_be_read(connection.account, [row for _, row in rows])
        held = tuple(bitget_account.position(row, product, pools, markets) for product, row in rows)
        margin = bitget_account.margin_of(pools, rows, held)
        equities = bitget_account.equities_of(pools, rows, held)
        return Read(Derivatives(held, margin, equities=equities), min(pools_at, *(arrived for _, arrived in replies)))

    async def permissions(self, connection: Connection) -> Permissions | None:
        if self._unified:
            return await bitget_unified.read_permissions(connection)
        return key_permissions((await connection.exchange.privateSpotGetV2SpotAccountInfo())["data"])

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool | None:
        """Of the products that hold money; each has a mode of its own, and one that is not told is not known."""
        if self._unified:
            return await bitget_unified.read_hedge_mode(connection)
        pools, _ = await _pools(connection)
        modes = {each.mode for each in pools if each.equity}
        if bitget_account.HEDGE in modes:
            return True
        return False if modes == {bitget_account.ONE_WAY} else None

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        read = bitget_unified_movements.funding_payments if self._unified else bitget_movements.funding_payments
        return await read(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None and self._unified:
            return await bitget_unified_movements.explain_balance(connection, markets, doubt, since)
        if doubt.instrument is None:
            return await bitget_movements.explain_balance(connection, doubt, since)
        instrument = markets.instruments.get(doubt.instrument)
        if instrument is None:
            return None  # no longer listed: a person has to look
        market_id = markets.market_ids[instrument.id]
        explain = bitget_unified_movements.explain_position if self._unified else bitget_movements.explain_position
        return await explain(connection, instrument, market_id, doubt, since)


def _decimals(info: Row, name: str) -> int:
    decimals = number(info, name)
    if decimals != int(decimals) or not 0 <= decimals <= _DECIMALS_MAX:
        raise Misshapen(f"{name} is not a number of decimals")
    return int(decimals)


async def _pools(connection: Connection) -> tuple[list[bitget_account.Pool], datetime]:
    """What backs the contracts of each product; the legs that want it at the same time share the requests."""
    venue = connection.exchange

    async def ask() -> tuple[list[bitget_account.Pool], datetime]:
        asked = (venue.privateMixGetV2MixAccountAccounts({"productType": each}) for each in PRODUCTS)
        replies = await together(*(connection.timed(each) for each in asked))
        pools = [
            bitget_account.pool(connection.account, product, row)
            for product, (reply, _) in zip(PRODUCTS, replies, strict=True)
            for row in reply["data"]
        ]
        return pools, min(arrived for _, arrived in replies)

    return await connection.shared.ask("futures accounts", ask)
