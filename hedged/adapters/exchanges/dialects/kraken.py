"""Kraken, the spot exchange: coins, what is staked or earning, and spot margin positions. No contracts.

Derivatives are another account with its own keys (`krakenfutures`), so this one's are empty by definition. One reply
holds all coins, each once, under names of the venue's own: `XXBT` is BTC, `XETH` ETH. What is staked (`.S`, with days
before it where it is bonded: `DOT28.S`; `ETH2`), bonded to parachains (`.P`), opted in (`.M`), in yield products (`.B`)
or earns by itself (`.F`, Kraken Rewards) counts as its coin in wallet `earn`; all else, tokenised assets (`.T`) and
deposits on hold included, in `spot`. Without `earn` among the wallets none of the former is read, `.F` included, which
the venue lets the user trade as if it were spot. A name of any other ending stays as it is, and has no price. A used
credit line is debt.

A spot margin position changes no balance until it is closed. With wallet `margin` each is counted as what it is: a
long as coins held against a debt in the quote, a short as a debt in coins against what they were sold for, both at
its cost; rollover fees are told nowhere. Without that wallet an account that has one is refused, never half read.

Private calls are POSTs; those listed here read. A nonce must be larger than every one that came before it, so they go
out one at a time, the token of the streams included, and a key is for this program alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import kraken_account
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint, RateLimited
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Scalar, not_negative, text
from hedged.errors import ConfigurationError, Refused, Unreachable, VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

NUMBER, PRESENT = Scalar.NUMBER, Scalar.PRESENT

_SECOND = 1000  # milliseconds
_TRADING = frozenset({"modify-trades", "close-trades"})
_WITHDRAWING = frozenset({"withdraw-funds", "add-withdraw-address", "update-withdraw-address"})
_NO_SANDBOX = "exchange = kraken  sandbox = true  has no test system: leave sandbox out"
_RIGHTS = (
    "the key may not do this: allow Query Funds, Query Open Orders & Trades and Query Ledger Entries, and for streams "
    "the WebSocket interface (Settings → API)"
)
_MARGIN = (
    "there are spot margin positions, which no balance shows: add margin to this account's wallets to count them, "
    "or close them"
)


class Kraken(Dialect):
    exchange: ClassVar[str] = "kraken"
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "margin", "earn"})
    burst: ClassVar[float] = (
        30.0  # weight 3 for each of the 15 that the smallest account may send at once, less a third
    )
    config: ClassVar[Mapping[str, Any]] = {"has": {"fetchCurrencies": False}}
    own_margin: ClassVar[bool] = False  # there is nothing to compute one for
    refusals: ClassVar[Mapping[str, str]] = {
        "EAPI:Invalid key": "the venue does not know this key; derivatives keys are for krakenfutures",
        "EAPI:Invalid signature": "the signature does not verify: the secret does not belong to this key",
        "EGeneral:Permission denied": _RIGHTS,
        "EAccount:Invalid permissions": _RIGHTS,
        "ETrade:User Locked": "the user is locked: ask the venue's support",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        "EAPI:Invalid nonce": ClockSkew,
        "EAPI:Rate limit exceeded": RateLimited,
        "EGeneral:Temporary lockout": RateLimited,
        "EGeneral:Too many requests": RateLimited,
        "EService:Throttled": RateLimited,
        "EService:Unavailable": Unreachable,
        "EService:Busy": Unreachable,
        "EService:Timeout": Unreachable,
        "EService:Deadline elapsed": Unreachable,
        "EGeneral:Internal error": Unreachable,
        "EDatabase:Internal error": Unreachable,
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/0/public/Time"): Endpoint(
            "server time", Record({"error": PRESENT, "result": Record({"unixtime": NUMBER})})
        ),
        ("GET", "/0/public/AssetPairs"): Endpoint(
            "spot markets", Record({"error": PRESENT, "result": Record({})}), patience=3.0
        ),
        ("GET", "/0/public/Ticker"): Endpoint("spot prices", Record({"error": PRESENT, "result": Record({})})),
        ("POST", "/0/private/GetApiKeyInfo"): Endpoint(
            "key permissions",
            Record(
                {
                    "error": PRESENT,
                    "result": Record({"permissions": PRESENT, "ipAllowlist": PRESENT, "validUntil": NUMBER}),
                }
            ),
        ),
        **kraken_account.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._nonce = 0  # the last, of the readers' and the streams' instance of ccxt
        self._counts_margin = False

    def error_code(self, reply: Row) -> str:
        """The first of the list, without what it concerns: `EService:Throttled: 1793620800`."""
        errors = reply.get("error")
        first = errors[0] if isinstance(errors, list) and errors else ""
        return ":".join(str(first).split(":")[:2])

    def use_wallets(self, account: str, wallets: Sequence[str]) -> None:
        self._counts_margin = "margin" in wallets

    def prepare(self, exchange: Any) -> None:
        """The venue tells its time in whole seconds: up to one ahead of it, our clock is as good as right.

        All instances of ccxt with this account's key are given nonces that grow together.
        """
        measure, time, listen_token = (
            exchange.load_time_difference,
            exchange.nonce,
            exchange.privatePostGetWebSocketsToken,
        )

        async def load_time_difference() -> int:
            difference = int(await measure())
            certain = max(difference - _SECOND, min(difference, 0))
            exchange.options["timeDifference"] = certain
            return certain

        def nonce() -> int:
            self._nonce = max(self._nonce + 1, int(time()))
            return self._nonce

        async def listen_token_in_turn(params: Mapping[str, Any] | None = None) -> Any:
            async with self._turn:
                return await listen_token(params or {})

        exchange.load_time_difference = load_time_difference
        exchange.nonce = nonce
        exchange.privatePostGetWebSocketsToken = listen_token_in_turn

    def use_sandbox(self, exchange: Any) -> None:
        raise ConfigurationError(_NO_SANDBOX)

    def prices_coin(self, market: Row) -> bool:
        """A pair may be listed twice: a colon in its name marks the one that is not the open market."""
        return super().prices_coin(market) and ":" not in market["id"]

    def reads_contract(self, market: Row) -> bool:
        return False

    def multiplier(self, market: Row) -> Decimal:
        raise Misshapen(f"{market['id']} is no contract")

    def delisting(self, market: Row) -> datetime | None:
        return None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return {}  # there is nothing to quote

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        """Last prices, in one request for all that are wanted."""
        call = connection.exchange.publicGetTicker({"pair": ",".join(sorted(wanted))})
        reply, arrived = await connection.timed(call)
        prices = {}
        for market_id, row in reply["result"].items():
            if market_id in wanted and (price := kraken_account.last_price(row)) is not None:
                prices[wanted[market_id]] = Read(price, arrived)
        return prices

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        exchange = connection.exchange
        if wallet == "margin":
            return await self._margin_positions(connection)
        reply, arrived = await self._ask(connection, "balances", exchange.privatePostBalanceEx)
        earning = wallet == "earn"
        return Read(kraken_account.coins(reply["result"], exchange.safe_currency_code, earning=earning), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        """None, by definition. `Refused` where spot margin positions would be read by nobody."""
        if self._counts_margin:
            return Read(Derivatives((), None), connection.clock.now())
        open_ones = await self._margin_positions(connection)
        if open_ones.value:
            raise Refused(connection.account, "margin positions", _MARGIN)
        return Read(Derivatives((), None), open_ones.as_of)

    async def _margin_positions(self, connection: Connection) -> Read[tuple[Balance, ...]]:
        """With the pairs loaded, which tell what a position is in."""
        exchange = connection.exchange
        await exchange.load_markets()
        reply, arrived = await self._ask(connection, "margin positions", exchange.privatePostOpenPositions)
        return Read(kraken_account.margin_coins(reply["result"], exchange), arrived)

    async def permissions(self, connection: Connection) -> Permissions | None:
        """Withdrawal addresses that a key may set are half of a withdrawal, and count as one."""
        reply, _ = await self._ask(connection, "key permissions", connection.exchange.privatePostGetApiKeyInfo)
        row = reply["result"]
        if not isinstance(row["permissions"], list) or not isinstance(row["ipAllowlist"], list):
            raise Misshapen("permissions or ipAllowlist is not a list")
        allowed = {text({"permission": word}, "permission") for word in row["permissions"]}
        bound = [text({"address": address}, "address") for address in row["ipAllowlist"]]
        until = not_negative(row, "validUntil")
        return Permissions(
            read="query-funds" in allowed,
            trade=bool(allowed & _TRADING),
            withdraw=bool(allowed & _WITHDRAWING),
            bound_to_address=bool(bound),
            expires=datetime.fromtimestamp(int(until), UTC) if until else None,
        )

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        """By the ledger, which has every movement of a coin; of a margin position it tells only fees and profit."""
        if doubt.instrument is not None or doubt.subject.rsplit("/", 2)[1] == "margin":
            return None
        exchange = connection.exchange
        start = kraken_account.venue_seconds(exchange, since)
        reply, _ = await self._ask(connection, f"ledger {start}", lambda: exchange.privatePostLedgers({"start": start}))
        return kraken_account.explain_balance(reply["result"], exchange.safe_currency_code, doubt, since, start)

    async def _ask(self, connection: Connection, name: str, call: Callable[[], Awaitable[Any]]) -> tuple[Any, datetime]:
        """One private call at a time: of two on their way, the later nonce might come first."""

        async def in_turn() -> tuple[Any, datetime]:
            async with self._turn:
                return await connection.timed(call())

        return await connection.shared.ask(name, in_turn)
