"""Coinbase Advanced Trade: spot accounts, and US derivatives: nano contracts, dated and 'perpetual-style'.

A key sees the accounts of one portfolio. Dollars lie in two places, with the spot coins and in the futures account,
both back the contracts, and the venue sweeps them from one to the other by itself: with wallet `swap` they are read as
one, under `spot`; without it futures cash is not counted. Staked coins and vaults elsewhere are not told here. There
is no debt.

Contracts are linear and settled in dollars, `contract_size` coins each (nano: 0.01 BTC, 0.1 ETH). A perpetual-style one
pays funding each hour and ends in 2030: it is a perpetual that is to be taken off then. ccxt has one symbol for a coin
and date: it is the nano contract's, and a full-size one goes by the venue's own name. Contracts of other venues that
the list shows are left out.

The venue tells no mark and no margin of a position. Its size is held against `contract_size` where the row has one;
older rows have nothing that the size could be checked with, for it is documented nowhere whether `unrealized_pnl`
counts from the entry or from the last daily settlement. The middle of the book is taken as the mark, the last trade
where there is no book. Margin is the account's: what is available against the threshold at which the venue liquidates.
Tiers are told nowhere. Prices and quotes come from public lists that have no time of their own; books do, one request
each, and beyond ten contracts none is asked for. There is no test system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import coinbase_account, coinbase_movements, coinbase_quotes
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.guard import Endpoint, RateLimited
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    flag,
    iso_moment,
    not_negative,
    number,
    positive,
    text,
)
from hedged.errors import ConfigurationError, Unreachable, VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_MINUTE = 60  # seconds
_ED25519_KEY = 88  # characters: 64 bytes in base64
_NO_SANDBOX = "exchange = coinbase  sandbox = true  has no test system: leave sandbox out"
_UNSIGNABLE = (
    "exchange = coinbase  secret  is neither an EC private key in PEM nor an Ed25519 key in base64: create the key at "
    "the venue's developer platform, without legacy signing"
)
_UNKNOWN = (
    "the venue does not know this key, its secret is another's, or it was made for other addresses than this machine's"
)
_NOT_ALLOWED = "the key may not do this: allow it to view, for the portfolio that is meant"


class Coinbase(Dialect):
    exchange: ClassVar[str] = "coinbase"
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "swap"})
    burst: ClassVar[float] = 30.0  # of weight 1: what the venue allows in a second
    config: ClassVar[Mapping[str, Any]] = {"has": {"fetchCurrencies": False}}
    refusals: ClassVar[Mapping[str, str]] = {
        "PERMISSION_DENIED": _NOT_ALLOWED,
        "permission_denied": _NOT_ALLOWED,
        "HTTP 401": _UNKNOWN,  # a word of plain text
        "unauthorized": _UNKNOWN,
        "authentication_error": _UNKNOWN,
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        "rate_limit_exceeded": RateLimited,
        "resource_exhausted": RateLimited,
        "RESOURCE_EXHAUSTED": RateLimited,
        "internal_server_error": Unreachable,
        "INTERNAL": Unreachable,
        "UNAVAILABLE": Unreachable,
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v3/brokerage/time"): Endpoint("server time", Record({"epochMillis": NUMBER})),
        ("GET", "/api/v3/brokerage/market/products"): Endpoint(
            "markets", Record({"products": Rows({"product_id": TEXT, "product_type": TEXT})}), patience=3.0
        ),
        ("GET", "/api/v3/brokerage/key_permissions"): Endpoint(
            "key permissions", Record({"can_view": PRESENT, "can_trade": PRESENT, "can_transfer": PRESENT})
        ),
        **coinbase_quotes.ENDPOINTS,
        **coinbase_account.ENDPOINTS,
        **coinbase_movements.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._counts_futures_cash = False

    def error_code(self, reply: Row) -> str:
        """`error` of the trading calls, the `id` of the first of `errors` of the others."""
        error, errors = reply.get("error"), reply.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else None
        code = error if error is not None else first.get("id") if isinstance(first, dict) else None
        return code if isinstance(code, str) else ""

    def use_wallets(self, account: str, wallets: Sequence[str]) -> None:
        self._counts_futures_cash = "swap" in wallets

    def pool(self, wallet: str) -> str:
        return "spot"

    def prepare(self, exchange: Any) -> None:
        """The venue's time in its tokens; its two lists of products and no more, neither of them swallowed if it fails.

        A token is valid for two minutes from the time in it: a minute back, it survives a clock that is off by one.
        Streams are logged in to by a token with both kinds of keys; ccxt knows that of one.

        Raises `ConfigurationError` for a secret that no token can be signed with.
        """
        secret = exchange.secret or ""
        if secret and not secret.startswith("-----BEGIN") and len(secret) != _ED25519_KEY:
            raise ConfigurationError(_UNSIGNABLE)

        async def load_time_difference() -> int:
            reply = await exchange.v3PublicGetBrokerageTime()
            exchange.options["timeDifference"] = exchange.milliseconds() - int(number(reply, "epochMillis"))
            return int(exchange.options["timeDifference"])

        async def fetch_markets(params: object = None) -> list[Any]:
            ask = exchange.v3PublicGetBrokerageMarketProducts
            spot, futures = await asyncio.gather(ask({"product_type": "SPOT"}), ask({"product_type": "FUTURE"}))
            return coinbase_quotes.markets(exchange, spot["products"], futures["products"])

        def create_ws_auth(name: str, product_ids: object) -> dict[str, str]:
            eddsa = not exchange.secret.startswith("-----BEGIN")
            return {"jwt": exchange.create_auth_token(exchange.seconds(), None, None, eddsa)}

        exchange.load_time_difference = load_time_difference
        exchange.fetch_markets = fetch_markets
        exchange.create_ws_auth = create_ws_auth
        exchange.seconds = lambda: (exchange.milliseconds() - int(exchange.options["timeDifference"])) // 1000 - _MINUTE

    def use_sandbox(self, exchange: Any) -> None:
        raise ConfigurationError(_NO_SANDBOX)

    def reads_contract(self, market: Row) -> bool:
        return bool((market.get("swap") or market.get("future")) and market.get("linear"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row: ccxt has a guess where one is missing."""
        row = market["info"]
        told = coinbase_quotes.details(row)
        iso_moment(told, "contract_expiry")
        text(told, "contract_root_unit")
        if row.get("quote_currency_id") != "USD":
            raise Misshapen(f"{market['id']} is not quoted in dollars")
        return replace(
            super().instrument(account, market),
            tick_size=positive(row, "price_increment"),
            quantity_min=positive(row, "base_min_size"),
            notional_min=not_negative(row, "quote_min_size"),
            trading=not (flag(row, "trading_disabled") or flag(row, "is_disabled")),
        )

    def multiplier(self, market: Row) -> Decimal:
        return positive(coinbase_quotes.details(market["info"]), "contract_size")

    def delisting(self, market: Row) -> datetime | None:
        """A perpetual-style contract has an end too."""
        return iso_moment(coinbase_quotes.details(market["info"]), "contract_expiry") if market.get("swap") else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await coinbase_quotes.read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await coinbase_quotes.read_prices(connection, wanted)

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        name = connection.exchange.safe_currency_code
        if not self._counts_futures_cash:
            rows, arrived = await coinbase_account.accounts(connection)
            return Read(coinbase_account.coins(rows, None, name), arrived)
        (rows, rows_at), (summary, summary_at) = await asyncio.gather(
            coinbase_account.accounts(connection), coinbase_account.summary(connection)
        )
        return Read(coinbase_account.coins(rows, summary, name), min(rows_at, summary_at))

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        """Who has no futures account has no positions, and is not asked for a summary."""
        rows, rows_at = await connection.timed(connection.exchange.v3PrivateGetBrokerageCfmPositions())
        positions = coinbase_account.positions(rows["positions"], markets)
        if not positions and not self._counts_futures_cash:
            return Read(Derivatives((), None), rows_at)
        summary, summary_at = await coinbase_account.summary(connection)
        return Read(Derivatives(positions, coinbase_account.margin(summary)), min(rows_at, summary_at))

    async def permissions(self, connection: Connection) -> Permissions | None:
        """Whether a key is bound to an address is not told. Transferring is withdrawing."""
        row = await connection.exchange.v3PrivateGetBrokerageKeyPermissions()
        return Permissions(read=flag(row, "can_view"), trade=flag(row, "can_trade"), withdraw=flag(row, "can_transfer"))

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            return await coinbase_movements.explain_balance(connection, doubt, since)
        market_id = markets.market_ids.get(doubt.instrument)
        if market_id is None:
            return None  # no longer listed: a person has to look
        return await coinbase_movements.explain_position(connection, market_id, doubt, since)
