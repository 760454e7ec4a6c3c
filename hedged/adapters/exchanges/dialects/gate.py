"""Gate: spot, isolated margin, Simple Earn; perpetuals settled in USDT and BTC, dated contracts; classic or unified.

A unified account backs USDT perpetuals with one pool of coins (see `gate_unified.py`); which kind of account it is,
the account of USDT perpetuals says. Contracts are counted in pieces of `quanto_multiplier` coins; the bitcoin-settled
BTC_USD is inverse, of one dollar. Other bitcoin-settled contracts (quanto), options and copy trading are not read; a
position in a quanto contract fails the read, and so does one in options, which are looked for hourly.

The wallets: `spot`; `margin` with debt and interest, of all isolated pairs together; `earn` is Simple Earn, lent out
or waiting to be (staking is not read); `swap` is the accounts of all three segments together, without unrealised
profit and bonus; a unified account's pool is under `spot`, or under `swap` where `spot` is none of the wallets. An
account that was never used does not exist at the venue, and is empty.

Margin is the venue's own: maintenance of each position, and of the account where it tells that. For contracts of one
segment a quote takes one request however many; times of funding come with the listing. All reading is GET. The
sandbox is the venue's testnet: spot and USDT perpetuals.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import (
    gate_account,
    gate_movements,
    gate_quotes,
    gate_shapes,
    gate_unified,
)
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.dialects.corner import Corner
from hedged.adapters.exchanges.dialects.gate_lists import (
    is_testnet,
    read_account,
    read_pages,
    read_positions,
    segments_of,
)
from hedged.adapters.exchanges.dialects.gate_shapes import NoSuchAccount, known, seconds
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint, RateLimited
from hedged.adapters.exchanges.shapes import Misshapen, Row, flag, not_negative, number, positive, text
from hedged.adapters.exchanges.shared_call import together
from hedged.errors import Refused, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

_MODE_AGE = timedelta(hours=1)

_MAY_NOT = (
    "the key may not do this: allow reading for it (spot, futures, delivery, earn, unified and account by itself)"
)
_KEY_MISSING = "the key is not sent as it should be: apiKey and secret are both needed"
_TESTNET = "the testnet has spot and USDT perpetuals only: take this wallet out of `wallets`"


@dataclass(frozen=True, slots=True)
class _Backing:
    pools: Sequence[gate_account.Pool]
    unified: gate_unified.Unified | None  # None: a classic account


class Gate(Dialect):
    exchange: ClassVar[str] = "gate"
    hedge_words: ClassVar[str] = gate_account.HEDGE_MODE
    wallets: ClassVar[frozenset[str]] = frozenset({"spot", "margin", "earn", "swap"})
    burst: ClassVar[float] = 60.0  # three seconds' worth; the venue counts by endpoint, 150 to 200 in ten seconds each
    config: ClassVar[Mapping[str, Any]] = {
        "has": {"fetchCurrencies": False},  # networks
        "options": {"unifiedAccount": False, "fetchMarkets": {"types": ["spot", "swap", "future"]}},  # else ccxt asks
    }
    own_margin: ClassVar[bool] = False  # positions have the venue's own figures, and pools of several kinds
    refusals: ClassVar[Mapping[str, str]] = {
        "INVALID_KEY": "the venue does not know this key: it was deleted, or is of the other system (testnet or real)",
        "INVALID_CREDENTIALS": "the venue does not know this key",
        "INVALID_SIGNATURE": "the signature does not verify: the secret does not belong to this key",
        "MISSING_REQUIRED_HEADER": _KEY_MISSING,
        "FORBIDDEN": _MAY_NOT,
        "READ_ONLY": _MAY_NOT,
        "IP_FORBIDDEN": "the key is bound to another address than this machine's",
        "ACCOUNT_LOCKED": "the venue has locked the account",
        "SUB_ACCOUNT_LOCKED": "the venue has locked the sub-account",
    }
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {
        "REQUEST_EXPIRED": ClockSkew,  # to ccxt, a wrong key
        "TOO_FAST": RateLimited,
        "TOO_MANY_REQUESTS": RateLimited,
        "USER_NOT_FOUND": NoSuchAccount,  # 'please transfer funds first to create … account'
    }
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]] = gate_shapes.ENDPOINTS

    def __init__(self) -> None:
        self._unified = False  # as last seen
        self._mode_at: datetime | None = None  # when that was
        self._home = "spot"  # the wallet that a unified account's pool is read under
        self._options = Corner("options")

    def error_code(self, reply: Row) -> str:
        return str(reply.get("label", ""))

    def prepare(self, exchange: Any) -> None:
        """Have spot markets listed without what can be borrowed for them, which is a list of its own."""

        async def no_pairs(_: Mapping[str, str]) -> list[Any]:
            return []

        exchange.publicMarginGetCurrencyPairs = no_pairs

    def use_wallets(self, account: str, wallets: Sequence[str]) -> None:
        self._home = "spot" if "spot" in wallets else "swap"

    def use_sandbox(self, exchange: Any) -> None:
        exchange.set_sandbox_mode(True)

    def reads_contract(self, market: Row) -> bool:
        """Linear ones, and the inverse one; not those whose profit is in a third currency."""
        contract = bool(market.get("swap") or market.get("future"))
        return contract and market.get("settle") in {market.get("quote"), market.get("base")}

    def instrument(self, account: str, market: Row) -> Instrument:
        """With the rules from the venue's own row. Whole contracts, unless the venue says that it takes parts."""
        info = market["info"]
        smallest = not_negative(info, "order_size_min")
        parts = smallest if "enable_decimal" in info and flag(info, "enable_decimal") and smallest else Decimal(1)
        if market.get("future"):
            seconds(info, "expire_time")
        steps = {"price": str(positive(info, "order_price_round")), "amount": str(parts)}
        return replace(
            super().instrument(account, {**market, "precision": steps}),
            quantity_min=smallest,
            notional_min=Decimal(0),
            trading=_is_trading(info),
        )

    def multiplier(self, market: Row) -> Decimal:
        """Coins a contract; the inverse contract is written as 0 and is one dollar."""
        size = not_negative(market["info"], "quanto_multiplier")
        if market["quote"] != market["settle"]:
            if size not in {0, 1}:
                raise Misshapen(f"quanto_multiplier of {market['id']} is not that of an inverse contract")
            return Decimal(1)
        return positive(market["info"], "quanto_multiplier")

    def delisting(self, market: Row) -> datetime | None:
        """When a perpetual goes off the list, where the venue tells it."""
        info = market["info"]
        return seconds(info, "delisted_time") if market.get("swap") and known(info, "delisted_time") else None

    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        return await gate_quotes.read_quotes(connection, wanted)

    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        return await gate_quotes.read_prices(connection, wanted)

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        return await gate_quotes.read_tiers(connection, wanted)

    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        venue, name = connection.exchange, connection.exchange.safe_currency_code
        if wallet in {"earn", "margin"} and is_testnet(connection):
            raise Refused(connection.account, f"{wallet} wallet", _TESTNET)
        if wallet == "earn":
            rows, arrived = await read_pages(connection, venue.privateEarnGetUniLends)
            return Read(gate_account.earning_coins(rows, name), arrived)
        if wallet == "margin":
            rows, arrived = await connection.timed(venue.privateMarginGetAccounts())
            return Read(gate_account.lent_coins(rows, name), arrived)
        if wallet == self._home and await self._is_unified(connection):
            return await self._unified_coins(connection, wallet)
        if wallet == "spot":
            rows, arrived = await connection.timed(venue.privateSpotGetAccounts())
            return Read(gate_account.plain_coins(rows, name), arrived)
        backing, arrived = await self._backing(connection)
        return Read(gate_account.futures_coins(backing.pools, name), arrived)

    async def _unified_coins(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        """The pool, and with the wallet of futures the accounts beside it."""
        name = connection.exchange.safe_currency_code
        (backing, arrived), (rows, rows_at) = await together(self._backing(connection), self._perpetuals(connection))
        if backing.unified is None:
            raise Misshapen("the account was unified a moment ago, and is not any more")
        held = [row for row in rows if number(row, "size")]
        beside = gate_account.futures_coins(backing.pools, name) if wallet == "swap" else ()
        coins = gate_account.by_asset([*beside, *gate_unified.balances_of(backing.unified, held, name)])
        return Read(coins, min(arrived, rows_at))

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        first, *others = segments_of(connection)
        (backing, backing_at), _, *replies = await together(
            self._backing(connection),
            self._refuse_options(connection),
            self._perpetuals(connection),
            *(read_positions(connection, each) for each in others),
        )
        rows = [
            (segment, row)
            for segment, (found, _) in zip((first, *others), replies, strict=True)
            for row in found
            if number(row, "size")
        ]
        gate_account.refuse_unclear(connection.account, backing.pools, (segment for segment, _ in rows))
        gate_account.refuse_hedge_mode(connection.account, backing.pools, [row for _, row in rows])
        held = [(segment, row, gate_account.position(row, markets)) for segment, row in rows]
        mine = [row for segment, row in rows if segment == gate_account.UNIFIED]
        shared = None if backing.unified is None else gate_unified.margin_of(backing.unified, mine)
        own = [each for each in backing.pools if not each.is_shared]
        margin = gate_account.margin_of(own, held, shared)
        as_of = min(backing_at, *(arrived for _, arrived in replies))
        equities = gate_account.equities_of(own, held, shared)
        return Read(Derivatives(tuple(position for _, _, position in held), margin, equities=equities), as_of)

    async def _refuse_options(self, connection: Connection) -> None:
        async def held() -> list[Row]:
            try:
                rows = await connection.exchange.privateOptionsGetPositions()
            except NoSuchAccount:
                return []
            return [row for row in rows if number(row, "size")]

        if not is_testnet(connection):
            await self._options.refuse(connection, held, "contract")

    async def _backing(self, connection: Connection) -> tuple[_Backing, datetime]:
        """What backs each segment's contracts; the legs that want it at the same time share the requests."""

        async def ask() -> tuple[_Backing, datetime]:
            segments = segments_of(connection)
            found = await together(*(connection.timed(read_account(connection, each)) for each in segments))
            rows = [(row, segment) for (row, _), segment in zip(found, segments, strict=True) if row is not None]
            pools = [gate_account.pool(row, segment) for row, segment in rows]
            gate_account.refuse_unclear(connection.account, pools)
            self._unified, self._mode_at = gate_account.is_unified(pools), connection.clock.now()
            as_of = min(arrived for _, arrived in found)
            if not self._unified:
                return _Backing(pools, None), as_of
            unified, arrived = await gate_unified.read(connection, testnet=is_testnet(connection))
            return _Backing(pools, unified), min(as_of, arrived)

        return await connection.shared.ask("futures accounts", ask)

    async def _perpetuals(self, connection: Connection) -> tuple[list[Row], datetime]:
        """Open positions in USDT perpetuals: what a unified account has in coins is told with their profit."""
        return await connection.shared.ask("positions", lambda: read_positions(connection, gate_account.UNIFIED))

    async def _is_unified(self, connection: Connection) -> bool:
        """As the last read of the futures account had it, which is asked for that hourly at least.

        A key that may not read futures cannot tell; it can read no positions either.
        """
        now = connection.clock.now()
        if self._mode_at is None or abs(now - self._mode_at) >= _MODE_AGE:
            try:
                await self._backing(connection)
            except Refused as refusal:
                if _MAY_NOT not in refusal.detail:
                    raise
                self._mode_at = now
        return self._unified

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool | None:
        """Of the futures accounts that were ever used; None: none was."""
        pools = (await self._backing(connection))[0].pools
        return any(each.is_hedged for each in pools) if pools else None

    async def permissions(self, connection: Connection) -> Permissions | None:
        """None where the key may not read its own rights, and of a sub-account's key, which is not listed."""
        venue = connection.exchange
        try:
            detail, rows = await together(venue.privateAccountGetDetail(), venue.privateAccountGetMainKeys())
        except Refused as refusal:
            if _MAY_NOT in refusal.detail:
                return None
            raise
        return gate_shapes.key_permissions(rows, venue.apiKey, detail["ip_whitelist"])

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        return await gate_movements.funding_payments(connection, wanted, since)

    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        if doubt.instrument is None:
            pooled = self._unified and doubt.subject.rsplit("/", 2)[1] == self._home
            return await gate_movements.explain_balance(connection, doubt, since, pooled=pooled)
        instrument = markets.instruments.get(doubt.instrument)
        if instrument is None:
            return None  # no longer listed: a person has to look
        market_id = markets.market_ids[instrument.id]
        return await gate_movements.explain_position(connection, instrument, market_id, doubt, since)


def _is_trading(info: Row) -> bool:
    """Dated contracts are listed as long as they trade, and without a status."""
    suspended = "status" in info and text(info, "status") != "trading"
    return not (suspended or flag(info, "in_delisting"))
