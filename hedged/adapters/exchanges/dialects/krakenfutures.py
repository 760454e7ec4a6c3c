"""Kraken Futures: the multi-collateral wallet, single-collateral wallets, the holding wallet; perpetual and dated.

`PF_` and `FF_` contracts are linear, one coin each, backed by everything in the multi-collateral wallet (`flex`).
`PI_` and `FI_` are inverse, a dollar of face value each, backed by the one coin of their own wallet (`fi_xbtusd` …).
Wallet `swap` is the multi-collateral wallet and all single-collateral ones together; `funding` is the holding wallet
(`cash`). Spot coins are another account with other keys, `kraken`. The venue lends nothing here: there is no debt.

Positions of all types come in one reply, net by contract, without mark, margin or liquidation price. Maintenance and
equity are the wallet's own; equity is `marginEquity`, after the haircuts on coins. With single-collateral positions
the wallet nearest to its liquidation counts. Liquidation prices are computed only where dollars back linear cross
positions: coins as collateral move with the price. An isolated position, whose own margin the venue tells nowhere,
leaves the maintenance unknown. With neither a mark nor a worth in a position's row nothing confirms its size: it is as
right as the listed size of its contract.

Coins are priced by the index that their linear perpetual follows; there are no spot markets. One request quotes and
prices everything. Requests are signed without a time or nonce. The demo system was closed in July 2026.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import krakenfutures_account, krakenfutures_movements, krakenfutures_quotes
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.guard import Endpoint, RateLimited
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    flag,
    milliseconds,
    number,
    positive,
    text,
)
from hedged.errors import ConfigurationError, Unreachable, Unreadable, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, PRESENT = Scalar.TEXT, Scalar.PRESENT

_CONTRACT_ID = re.compile(r"(P[FI]_[A-Z0-9]+|F[FI]_[A-Z0-9]+)USD(_\d{6})?")  # all are quoted in dollars
_LINEAR = {"flexible_futures": True, "futures_inverse": False}
_KEY_CHECK = "api-keys/v3/check"
_ACCESS = frozenset({"NO_ACCESS", "READ_ONLY", "FULL_ACCESS"})
_ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})
_NO_SANDBOX = "exchange = krakenfutures  sandbox = true  its demo system was closed in July 2026: leave sandbox out"
_BAD_KEY = (
    "the venue does not know this key, or the secret does not belong to it; keys of the spot exchange do not work "
    "here: create one for derivatives"
)


class KrakenFutures(Dialect):
    exchange: ClassVar[str] = "krakenfutures"
    wallets: ClassVar[frozenset[str]] = frozenset({"swap", "funding"})
    burst: ClassVar[float] = 50.0  # of weight 1; the venue takes 250 such private requests in ten seconds
    config: ClassVar[Mapping[str, Any]] = {}
    refusals: ClassVar[Mapping[str, str]] = {
        "authenticationError": _BAD_KEY,
        "unauthorized": f"{_BAD_KEY}, with General API set to Read Only",
        "accountInactive": "there is no derivatives account yet, or it is inactive: open it at the venue",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        "apiLimitExceeded": RateLimited,
        "Server Error": Unreachable,
        "Unavailable": Unreachable,
        "unavailable": Unreachable,
        "marketUnavailable": Unreachable,
        "unknownError": Unreachable,
        "error": Unreadable,  # a result that is no success and says nothing more
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/derivatives/api/v3/instruments"): Endpoint(
            "markets", Record({"instruments": Rows({"symbol": TEXT, "type": TEXT}, at_least=1)}), patience=3.0
        ),
        ("GET", "/derivatives/api/v3/tickers/{}"): Endpoint("server time", Record({"serverTime": TEXT})),
        ("GET", "/api/auth/v1/api-keys/v3/check"): Endpoint(
            "key permissions",
            Record(
                {
                    "permissions": Record({"general": TEXT, "transfer": TEXT}),
                    "allowedCidrBlock": PRESENT,
                    "allowedCidrBlocks": PRESENT,
                }
            ),
        ),
        **krakenfutures_quotes.ENDPOINTS,
        **krakenfutures_account.ENDPOINTS,
        **krakenfutures_movements.ENDPOINTS,
    }

    def error_code(self, reply: Row) -> str:
        """The venue says no in three forms, of which two come with status 200."""
        if reply.get("status") == "unauthorized":
            return "unauthorized"
        error, errors = reply.get("error"), reply.get("errors")
        if reply.get("result", "success") == "success" and error is None:
            return ""
        if isinstance(error, str) and error:
            return error.partition(":")[0]
        first = errors[0] if isinstance(errors, list) and errors else None
        word = first.get("message") if isinstance(first, dict) else first
        return word if isinstance(word, str) and word else "error"

    def prepare(self, exchange: Any) -> None:
        """The call that tells what a key may do is not in ccxt's list, and neither is a call for the time alone."""
        exchange.urls["api"]["auth"] = "https://futures.kraken.com/api/auth/"
        exchange.options["versions"]["auth"] = {"GET": {_KEY_CHECK: "v1"}}
        exchange.options["access"]["auth"] = {"GET": {_KEY_CHECK: "private"}}

        async def load_time_difference() -> int:
            reply = await exchange.publicGetTickersSymbol({"symbol": "PF_XBTUSD"})
            told = krakenfutures_quotes.server_time(reply)
            exchange.options["timeDifference"] = exchange.milliseconds() - milliseconds(told)
            return int(exchange.options["timeDifference"])

        exchange.load_time_difference = load_time_difference

    def use_sandbox(self, exchange: Any) -> None:
        raise ConfigurationError(_NO_SANDBOX)

    def prices_coin(self, market: Row) -> bool:
        """A linear perpetual comes with the index price of its coin in dollars."""
        return bool(market.get("swap") and market.get("linear") and market.get("active"))

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap") or market.get("future"))

    def instrument(self, account: str, market: Row) -> Instrument:
        """Of the kinds that are understood; the venue lists options too, and sets no minimum but the step."""
        row, market_id = market["info"], text(market, "id")
        if _LINEAR.get(row.get("type")) is not market.get("linear") or not _CONTRACT_ID.fullmatch(market_id):
            raise Misshapen(f"{market_id} is of no kind that is understood")
        if market_id.startswith("F") and not market.get("expiry"):
            raise Misshapen(f"{market_id} is dated and has no date")
        number(row, "contractValueTradePrecision")  # ccxt reads digits generously
        contract = super().instrument(account, market)
        return replace(contract, quantity_min=contract.lot_size, trading=flag(row, "tradeable"))

    def multiplier(self, market: Row) -> Decimal:
        return positive(market["info"], "contractSize")

    def delisting(self, market: Row) -> datetime | None:
        return None  # a perpetual that is to end is listed as dated

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await krakenfutures_quotes.read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await krakenfutures_quotes.read_prices(connection, wanted)

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        """From the list of contracts, without a request."""
        markets = connection.exchange.markets
        told = {each.id: krakenfutures_quotes.tiers_of(each, markets[each.symbol]["info"]) for each in wanted.values()}
        return {name: tiers for name, tiers in told.items() if tiers}

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        accounts, arrived = await krakenfutures_account.accounts(connection)
        name = connection.exchange.safe_currency_code
        coins = krakenfutures_account.holding if wallet == "funding" else krakenfutures_account.collateral
        return Read(coins(accounts, name), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        told, as_of = await krakenfutures_account.read_derivatives(connection, markets)
        self.one_pool = told.plain
        return Read(told.derivatives, as_of)

    async def permissions(self, connection: Connection) -> Permissions | None:
        """Trading and reading are one right in two grades; withdrawing is the other."""
        row = await connection.exchange.request(_KEY_CHECK, ["auth"], "GET", {}, {"cost": 1})
        general, transfer = row["permissions"]["general"], row["permissions"]["transfer"]
        blocks = row["allowedCidrBlocks"]
        if not {general, transfer} <= _ACCESS or not isinstance(blocks, list):
            raise Misshapen("permissions or allowedCidrBlocks are not what they should be")
        told = [block for block in (row["allowedCidrBlock"], *blocks) if block is not None]
        bound = {text({"address": block}, "address") for block in told}
        return Permissions(
            read=general != "NO_ACCESS",
            trade=general == "FULL_ACCESS",
            withdraw=transfer == "FULL_ACCESS",
            bound_to_address=bool(bound) and not bound & _ANYWHERE,
        )

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await krakenfutures_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            return await krakenfutures_movements.explain_balance(connection, doubt, since)
        market_id = markets.market_ids.get(doubt.instrument)
        if market_id is None:
            return None  # no longer listed: a person has to look
        return await krakenfutures_movements.explain_position(connection, market_id, doubt, since)
