"""KuCoin: funding, trading, cross and isolated margin accounts, and futures, linear and inverse, of a classic account.

`funding` is the main account, `spot` both trading accounts (the high-frequency one has replaced the other), `margin`
cross and isolated margin with their debts, `swap` what backs the futures, without open profit. Earn products are not
read. A unified account is refused: its coins lie elsewhere. Sub-accounts need a key of their own.

Futures count in contracts of `multiplier` coins (linear) or dollars (inverse, where the venue writes it negative); the
venue's value of a position has to agree. Positions of all settlement currencies come in one reply; collateral one
currency a request. Hedge mode is refused, and the venue tells it also of an account that holds nothing.
Margin is the pool nearest to its liquidation: an isolated position by itself, the cross positions of a currency
together, by the venue's own maintenance (`posMaint`; its `maintMargin` is what a position is worth). A cross pool's
equity is the currency's less what isolated positions have set apart.
Marks, index prices and funding come with the list of contracts, books with that of tickers. There is no test system.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import kucoin_account, kucoin_movements
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets, together
from hedged.adapters.exchanges.dialects.kucoin_quotes import QUOTE_ENDPOINTS, read_prices, read_quotes, read_tiers
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Scalar, flag, moment, number, positive, text
from hedged.errors import ConfigurationError, Refused
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER

_HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "(Futures → Preferences → Position Mode → One-Way Mode)"
)
_UNIFIED = (
    "the account is a unified trading account, which is not read: switch it back to classic, or use a sub-account"
)
_MAY_NOT = "the key may not do this: allow General for it"
_KEY_MISSING = "the key is not sent as it should be: apiKey, secret and password (the passphrase) are all needed"
_ONE_WAY, _HEDGE = 0, 1
_WITHDRAWS = frozenset({"Transfer", "Withdraw", "Withdrawal"})  # `InnerTransfer` moves between the user's own accounts


class Kucoin(Dialect):
    exchange: ClassVar[str] = "kucoin"
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "margin", "swap", "funding"})
    burst: ClassVar[float] = 400.0  # of 2,000 and more in 30 s: a first full read
    config: ClassVar[Mapping[str, Any]] = {
        "has": {"fetchCurrencies": False},  # networks and withdrawal fees
        "options": {
            "uta": False,
            "hf": True,  # else it is asked for, and both trading accounts are read in any case
            "fetchMarkets": {"types": ["spot", "swap", "future"], "fetchTickersFees": False},
        },
    }
    hedge_words: ClassVar[str] = _HEDGE_MODE
    own_margin: ClassVar[bool] = False  # isolated and cross pools in several currencies: the venue's own figures
    refusals: ClassVar[Mapping[str, str]] = {
        "400001": _KEY_MISSING,
        "400003": "the venue does not know this key",
        "400004": "the password is not this key's passphrase",
        "400005": "the signature does not verify: the secret does not belong to this key",
        "400006": "the key is bound to another address than this machine's",
        "400007": _MAY_NOT,
        "400303": "the account has to be verified by the venue first",
        "411100": "the venue has frozen the account",
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("GET", "/api/v1/timestamp"): Endpoint("server time", Record({"data": NUMBER})),
        ("GET", "/api/v1/user/api-key"): Endpoint("key permissions", Record({"data": Record({"permission": TEXT})})),
        ("GET", "/api/ua/v1/account/mode"): Endpoint(
            "account mode", Record({"data": Record({"selfAccountMode": TEXT})})
        ),
        ("GET", "/api/v2/position/getPositionMode"): Endpoint(
            "position mode", Record({"data": Record({"positionMode": NUMBER})})
        ),
        **QUOTE_ENDPOINTS,
        **kucoin_account.ENDPOINTS,
        **kucoin_movements.ENDPOINTS,
    }

    def error_code(self, reply: Row) -> str:
        return "" if reply.get("code") in {"200000", "200"} else str(reply.get("code", ""))

    def prepare(self, exchange: Any) -> None:
        """List markets without the signed questions about margin."""
        list_markets = exchange.fetch_markets

        async def fetch_markets(params: Any = None) -> Any:
            return await list_markets({"marginables": False, **(params or {})})

        exchange.fetch_markets = fetch_markets

    def use_sandbox(self, exchange: Any) -> None:
        raise ConfigurationError("exchange = kucoin  has no test system: remove sandbox, use mode = paper")

    def reads_contract(self, market: Row) -> bool:
        """Dated contracts are inverse ones; a linear one would be new, and a position in it makes the read fail."""
        return bool(market.get("swap") or (market.get("future") and market.get("inverse")))

    def instrument(self, account: str, market: Row) -> Instrument:
        info = market["info"]
        for name in ("base", "quote", "settle"):
            text(market, name)
        return replace(
            super().instrument(account, {**market, "expiry": None}),
            linear=not flag(info, "isInverse"),
            lot_size=positive(info, "lotSize"),
            quantity_min=positive(info, "lotSize"),
            expiry=moment(info, "expireDate") if market.get("future") else None,
            trading=text(info, "status") == "Open",
        )

    def multiplier(self, market: Row) -> Decimal:
        """Coins, or dollars for an inverse contract, which the venue tells by a sign."""
        info = market["info"]
        size = number(info, "multiplier")
        if not size or (size < 0) is not flag(info, "isInverse"):
            raise Misshapen(f"multiplier of {market['id']} is not what its kind says")
        return abs(size)

    def delisting(self, market: Row) -> datetime | None:
        info = market["info"]
        return moment(info, "expireDate") if market.get("swap") and info.get("expireDate") is not None else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await read_prices(connection, wanted)

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        return await read_tiers(connection, wanted)

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        venue = connection.exchange
        name = venue.safe_currency_code
        if wallet == "swap":
            _, (overviews, arrived) = await together(_classic(connection), _overviews(connection))
            return Read(kucoin_account.collateral(overviews, name), arrived)
        if wallet == "margin":
            _, (cross, cross_at), (isolated, isolated_at) = await together(
                _classic(connection),
                connection.timed(venue.privateGetMarginAccounts()),
                connection.timed(venue.privateGetIsolatedAccounts()),
            )
            held = kucoin_account.margin_coins(cross["data"]["accounts"], isolated["data"]["assets"], name)
            return Read(held, min(cross_at, isolated_at))
        accounts = connection.shared.ask("accounts", lambda: connection.timed(venue.privateGetAccounts()))
        _, (reply, arrived) = await together(_classic(connection), accounts)
        return Read(kucoin_account.coins(reply["data"], wallet, name), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        _, (overviews, account_at), (positions, rows_at) = await together(
            _classic(connection),
            _overviews(connection),
            connection.timed(connection.exchange.futuresPrivateGetPositions()),
        )
        rows = [row for row in positions["data"] if number(row, "currentQty")]
        if any(row.get("positionSide", "BOTH") != "BOTH" for row in rows):
            raise Refused(connection.account, "positions", _HEDGE_MODE)
        held = tuple(kucoin_account.position(row, markets) for row in rows)
        if len({position.instrument for position in held}) < len(held):
            raise Misshapen("the reply has a contract twice")
        margin, equities = kucoin_account.margins_of(overviews, rows, markets)
        return Read(Derivatives(held, margin, equities=equities), min(account_at, rows_at))

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool:
        mode = number((await connection.exchange.futuresPrivateGetPositionGetPositionMode())["data"], "positionMode")
        if mode not in {_ONE_WAY, _HEDGE}:
            raise Misshapen("positionMode is none that is understood")
        return mode == _HEDGE

    async def permissions(self, connection: Connection) -> Permissions | None:
        row = (await connection.exchange.privateGetUserApiKey())["data"]
        allowed, addresses = {word.strip() for word in text(row, "permission").split(",")}, row.get("ipWhitelist")
        if addresses is not None and not isinstance(addresses, str):
            raise Misshapen("ipWhitelist is not text")
        return Permissions(
            read="General" in allowed,
            trade="Futures" in allowed,
            withdraw=bool(allowed & _WITHDRAWS),
            bound_to_address=bool(addresses),
        )

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await kucoin_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            return await kucoin_movements.explain_balance(connection, doubt, since)
        if doubt.instrument not in markets.market_ids:
            return None  # no longer listed: a person has to look
        return await kucoin_movements.explain_position(connection, markets.market_ids[doubt.instrument], doubt, since)


async def _classic(connection: Connection) -> None:
    """Asked for each time: a unified account keeps its coins where the reads of a classic one do not look."""
    mode = await connection.shared.ask("account mode", connection.exchange.utaPrivateGetAccountMode)
    if mode["data"]["selfAccountMode"] == "UNIFIED":
        raise Refused(connection.account, "account mode", _UNIFIED)
    if mode["data"]["selfAccountMode"] != "CLASSIC":
        raise Misshapen("selfAccountMode is none that is understood")


async def _overviews(connection: Connection) -> tuple[list[Row], datetime]:
    """What backs the futures, one request for each currency that contracts are settled in, and the oldest's time."""
    venue = connection.exchange
    if not venue.markets:
        await venue.load_markets()
    settled = sorted({market["settleId"] for market in venue.markets.values() if market["contract"]})

    async def ask() -> tuple[list[Row], datetime]:
        calls = (connection.timed(venue.futuresPrivateGetAccountOverview({"currency": name})) for name in settled)
        replies = await together(*calls)
        rows = [reply["data"] for reply, _ in replies]
        if [row["currency"] for row in rows] != settled:
            raise Misshapen("a futures account is of another currency than asked for")
        return rows, min(arrived for _, arrived in replies)

    return await connection.shared.ask("overviews", ask)
