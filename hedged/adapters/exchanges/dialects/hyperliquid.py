"""Hyperliquid: spot coins, staked HYPE, perpetuals of the first-party dex and of every builder's (HIP-3).

The address is enough to read everything, and nothing is ever signed here: a private key that the credentials hold for
orders is dropped before ccxt could use it. Every question is a POST to `/info` that says in its body what it asks;
those listed here can be sent and no other, and `/exchange`, where all writing goes, is not listed.

An account in one of the two standard modes (`default`, `disabled`) has its coins in `spot` and the collateral of each
dex by itself, in `swap`. A unified account and one with portfolio margin have all in `spot`, their collateral's open
profit included, and nothing in `swap`; what is borrowed shows as debt. An account in dex abstraction, which the venue
gives up, is refused. `earn` is HYPE that is staked or on its way out of it. Not read: equity in vaults, coins on
HyperEVM, sub-accounts (each has an address of its own). An agent's address (API wallet) holds nothing and is refused.

A contract is one coin; the venue's value of a position has to agree with its entry price and profit. Positions of all
dexes are read or none; a dex that was listed within the last hour is not known yet.

Anybody may deploy a token under any name, taken ones included. A plain name have those that the venue calls canonical,
HYPE, what dexes take as collateral, and coins wrapped by Unit, by ccxt's names (UBTC as BTC): of several that bear
such a name, the first deployed. Every other token bears its number (`LINK@777`), so that no other venue's price, and
no alias that was not meant for it, makes it the coin it is named after.

Margin is the pool nearest to its liquidation: a dex's cross margin, or the one coin's of a unified account, by the
venue's own figures, or an isolated position by the venue's margin table, which makes it estimated. Maintenance is half
of the initial margin at the highest leverage of each bracket. With portfolio margin it is unknown.
Book prices are the venue's impact prices, which are never better than the book's. Funding is hourly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import hyperliquid_account as account
from hedged.adapters.exchanges.dialects import hyperliquid_markets as listing
from hedged.adapters.exchanges.dialects import hyperliquid_movements as movements
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets, together
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.margin_view import by_currency
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Scalar, flag, moment, text
from hedged.errors import ConfigurationError, Refused, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_KEY = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_NO_KEY = "exchange = hyperliquid  privateKey must be an API wallet's: 0x and 64 hexadecimal digits"
_NO_ADDRESS = "exchange = hyperliquid  walletAddress must be an account's: 0x and 40 hexadecimal digits"
_OWNERS = frozenset({"user", "vault", "subAccount"})
_STANDARD, _POOLED = frozenset({"default", "disabled"}), frozenset({"unifiedAccount", "portfolioMargin"})
_WEIGHTS = {"userRole": 60, "userFillsByTime": 40, "userNonFundingLedgerUpdates": 30}  # with rows, by the venue's rules
_WEIGHTS |= {"orderStatus": 2, "historicalOrders": 40, "userFills": 120}


class Hyperliquid(Dialect):
    exchange: ClassVar[str] = "hyperliquid"
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "swap", "earn"})
    burst: ClassVar[float] = 400.0  # of 1,200 a minute: a first full read
    config: ClassVar[Mapping[str, Any]] = {
        "has": {"fetchCurrencies": False},  # where ccxt would sign the approval of a builder's fee
        "requiredCredentials": {"walletAddress": True, "privateKey": False},
        "options": {
            "builderFee": False,
            "approvedBuilderFee": True,
            "refSet": True,
            # what another account takes over with the markets: ours, not ccxt's
            "marketHelperProps": [listing.DEXES, listing.TOKENS],
        },
        "api": {"public": {"post": {"info": {"cost": 20, "byType": _WEIGHTS}}}},
    }
    own_margin: ClassVar[bool] = False  # several pools; a liquidation price that is not told is none
    refusals: ClassVar[Mapping[str, str]] = {}
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = {
        ("POST", "/info#exchangeStatus"): Endpoint("server time", Record({"time": NUMBER})),
        ("POST", "/info#userRole"): Endpoint("role of the address", Record({"role": TEXT})),
        ("POST", "/info#userAbstraction"): Endpoint("account mode", TEXT),
        **listing.ENDPOINTS,
        **account.ENDPOINTS,
        **movements.ENDPOINTS,
    }

    def __init__(self) -> None:
        self._known = False  # the address is an account's
        self._signer: str | None = None  # the address of the key that the credentials hold

    def asked(self, path: str, body: str | None) -> str:
        return question(path, body)

    def prepare(self, exchange: Any) -> None:
        """Our own list of markets, for ccxt's leaves out dexes, by the venue's names; and no key: nothing is signed.

        Raises `ConfigurationError` for an address or a key that is none.
        """
        if exchange.walletAddress and not _ADDRESS.fullmatch(exchange.walletAddress):
            raise ConfigurationError(_NO_ADDRESS)

        async def fetch_markets(params: Any = None) -> list[Any]:
            return await listing.read_markets(exchange)

        exchange.fetch_markets = fetch_markets
        exchange.coin_to_market_id = exchange.coinToMarketId = _as_it_is
        if exchange.privateKey:
            self._signer = address_of_key(exchange)
        exchange.privateKey = ""

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)

    def reads_contract(self, market: Row) -> bool:
        return bool(market.get("swap") and market.get("linear"))

    def instrument(self, account: str, market: Row) -> Instrument:
        for name in ("base", "quote", "settle"):
            text(market, name)
        info = market["info"]
        rules = {"price": str(listing.price_step(info)), "amount": str(listing.quantity_step(info))}
        found = super().instrument(account, {**market, "precision": rules})
        return replace(
            found, tiers=listing.tiers_of(info), trading=not ("isDelisted" in info and flag(info, "isDelisted"))
        )

    def multiplier(self, market: Row) -> Decimal:
        return Decimal(1)

    def delisting(self, market: Row) -> datetime | None:
        return None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await listing.read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await listing.read_prices(connection, wanted)

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        """As listed: the tables come with the markets."""
        return {contract.id: contract.tiers for contract in wanted.values() if contract.tiers}

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        user = await self._user(connection)
        if wallet == "earn":
            reply, arrived = await connection.timed(_info(connection, "delegatorSummary", user=user))
            return Read(account.staked(reply), arrived)
        if wallet == "spot":
            name = await listing.names(connection.exchange)
            reply, arrived = await _spot(connection, user)
            return Read(account.coins(reply, name), arrived)
        mode, (states, read_at) = await together(_mode(connection, user), _dexes(connection, user))
        settle = listing.collateral(connection.exchange)
        held = account.collateral(states, settle) if mode in _STANDARD else ()
        return Read(held, read_at)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        user = await self._user(connection)
        mode, (spot, spot_at), (states, read_at) = await together(
            _mode(connection, user), _spot(connection, user), _dexes(connection, user)
        )
        held = tuple(account.position(row, markets) for state in states.values() for row in account.open_rows(state))
        if len({position.instrument for position in held}) < len(held):
            raise Misshapen("the reply has a contract twice")
        if mode == "portfolioMargin":
            return Read(Derivatives(held, None), min(spot_at, read_at))
        settle, tokens = listing.collateral(connection.exchange), listing.collateral_tokens(connection.exchange)
        if mode in _STANDARD:
            crossed = [(settle[dex], account.cross_pool(state)) for dex, state in states.items()]
            used = [(settle[dex], account.cross_pool(each)) for dex, each in states.items() if account.is_shared(each)]
        else:
            names = {token: settle[dex] for dex, token in tokens.items()}
            crossed = [(names[token], pool) for token, pool in account.unified_pools(states, spot, tokens).items()]
            used = crossed
        pools = [*account.isolated_pools(states, markets), *(pool for _, pool in crossed)]
        equities = by_currency((name, pool.equity) for name, pool in used)
        return Read(Derivatives(held, account.tightest(pools), equities=equities), read_at)

    async def permissions(self, connection: Connection) -> Permissions | None:
        """An address alone may do nothing but read; an API wallet's key may trade for the account that approved it.

        And for that account's sub-accounts. The key of a wallet itself, be it this one's or any other's, may withdraw.
        """
        if self._signer is None:
            return Permissions(read=True, trade=False, withdraw=False)
        if self._signer == str(connection.exchange.walletAddress).lower():
            return Permissions(read=True, trade=True, withdraw=True)
        role = await _info(connection, "userRole", user=self._signer)
        if role["role"] in _OWNERS:
            return Permissions(read=True, trade=False, withdraw=True)
        if role["role"] == "missing":
            return Permissions(read=True, trade=False, withdraw=False)
        account, acts_for = str(connection.exchange.walletAddress).lower(), master_of_agent(role)
        own = acts_for == account or acts_for == master_of_sub_account(
            await _info(connection, "userRole", user=account)
        )
        return Permissions(read=True, trade=own, withdraw=False)

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool:
        """There is none: every position of the documentation is `oneWay`, and any other makes the read fail."""
        return False

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await movements.funding_payments(connection, await self._user(connection), wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        user = await self._user(connection)
        if doubt.instrument is None:
            return await movements.explain_balance(connection, user, doubt, since)
        if doubt.instrument not in markets.market_ids:
            return None  # no longer listed: a person has to look
        return await movements.explain_position(connection, user, markets.market_ids[doubt.instrument], doubt, since)

    async def _user(self, connection: Connection) -> str:
        """The address, once the venue has said that it is an account: for any other it answers *empty*."""
        address = str(connection.exchange.walletAddress)
        if not self._known:
            role = await connection.shared.ask("role", lambda: _info(connection, "userRole", user=address))
            if role["role"] == "agent":
                raise _refused(
                    connection, "walletAddress is an agent's (API wallet), which holds nothing: use the account's"
                )
            if role["role"] == "missing":
                raise _refused(connection, "the venue has no account of this walletAddress")
            if role["role"] not in _OWNERS:
                raise Misshapen("role is none that is understood")
            self._known = True
        return address


def address_of_key(exchange: Any) -> str:
    """Of ccxt's private key. Raises `ConfigurationError` for one that is none, be it only that no curve has it."""
    if not _KEY.fullmatch(exchange.privateKey):
        raise ConfigurationError(_NO_KEY)
    try:
        return str(exchange.eth_get_address_from_private_key(exchange.privateKey))
    except ValueError:
        raise ConfigurationError(_NO_KEY) from None


def master_of_agent(role: Row) -> str:
    """The account that an API wallet acts for, in small letters. Raises `Misshapen` for any other role."""
    if role["role"] != "agent":
        raise Misshapen("the privateKey is not that of an API wallet")
    return _named(role, "user")


def master_of_sub_account(role: Row) -> str | None:
    """The account that a sub-account is of; None of any other role."""
    return _named(role, "master") if role["role"] == "subAccount" else None


def _named(role: Row, name: str) -> str:
    data = role.get("data")
    if not isinstance(data, dict) or not _ADDRESS.fullmatch(str(data.get(name))):
        raise Misshapen(f"data.{name} is no address")
    return str(data[name]).lower()


def question(path: str, body: str | None) -> str:
    """`/info#<type>`, which no path can be; all else keeps its path, which is not on the list."""
    if path != "/info" or body is None:
        return path
    try:
        kind = json.loads(body)["type"]
    except (ValueError, LookupError, TypeError):
        return path
    return f"{path}#{kind}" if isinstance(kind, str) else path


def _refused(connection: Connection, detail: str) -> VenueError:
    return Refused(connection.account, "role of the address", detail)


async def _info(connection: Connection, kind: str, **asked: Any) -> Any:
    return await connection.exchange.publicPostInfo({"type": kind, **asked})


async def _mode(connection: Connection, user: str) -> str:
    """How balances are kept; asked for each time, since it decides where coins are counted."""
    mode = str(await connection.shared.ask("mode", lambda: _info(connection, "userAbstraction", user=user)))
    if mode == "dexAbstraction":
        detail = "the account is in dex abstraction, which is not read: change it to unified or standard"
        raise Refused(connection.account, "account mode", detail)
    if mode not in _STANDARD | _POOLED:
        raise Misshapen("the account mode is none that is understood")
    return mode


async def _spot(connection: Connection, user: str) -> tuple[Any, datetime]:
    return await connection.shared.ask(
        "spot", lambda: connection.timed(_info(connection, "spotClearinghouseState", user=user))
    )


async def _dexes(connection: Connection, user: str) -> tuple[dict[str, Row], datetime]:
    """The account on every dex, by the dex's name ("" the first-party one), and the oldest of the venue's times."""

    async def ask() -> tuple[dict[str, Row], datetime]:
        names = await listing.dexes(connection.exchange)
        asks = (_info(connection, "clearinghouseState", user=user, **({"dex": name} if name else {})) for name in names)
        states = dict(zip(names, await together(*asks), strict=True))
        return states, min(moment(state, "time") for state in states.values())

    return await connection.shared.ask("dexes", ask)


def _as_it_is(coin: str | None) -> str | None:
    """A coin's name is its market's id, where ccxt makes another of it."""
    return coin
