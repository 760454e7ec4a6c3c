"""Gate's classic account: spot, isolated margin and Simple Earn; perpetuals settled in USDT and BTC, dated contracts.

A unified account keeps everything in one pool of its own: it is refused, with the way out. Contracts are counted in
pieces of `quanto_multiplier` coins; the bitcoin-settled BTC_USD is inverse, of one dollar. Other bitcoin-settled
contracts (quanto), options and copy trading are not read; a position in a quanto contract fails the read, and so does
one in options, which are looked for hourly.

The wallets: `spot`; `margin` with debt and interest, of all isolated pairs together; `earn` is Simple Earn, lent out
or waiting to be (staking is not read); `swap` is the accounts of all three segments together, without unrealised
profit and bonus. An account that was never used does not exist at the venue, and is empty.

Margin is the venue's own: maintenance of each position, and of the account where it tells that. For contracts of one
segment a quote takes one request however many; times of funding come with the listing. All reading is GET. The
sandbox is the venue's testnet: spot and USDT perpetuals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hedged.adapters.exchanges.dialects import gate_account, gate_movements, gate_quotes, gate_shapes
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.dialects.corner import Corner
from hedged.adapters.exchanges.dialects.gate_shapes import SEGMENTS, NoSuchAccount, Segment, known, seconds
from hedged.adapters.exchanges.guard import ClockSkew, Endpoint, RateLimited
from hedged.adapters.exchanges.shapes import Misshapen, Row, flag, not_negative, number, positive, text
from hedged.adapters.exchanges.shared_call import together
from hedged.errors import Refused, VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read

_MODE_AGE = timedelta(hours=1)
_PAGE = 100  # rows of a list that the venue gives in pages
_PAGES_MAX = 10

_MAY_NOT = "the key may not do this: allow reading for it (spot, futures, delivery, earn and account each by itself)"
_KEY_MISSING = "the key is not sent as it should be: apiKey and secret are both needed"
_TESTNET = "the testnet has spot and USDT perpetuals only: take this wallet out of `wallets`"


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
        self._classic_at: datetime | None = None  # when the account was last found to be as it must be
        self._options = Corner("options")

    def error_code(self, reply: Row) -> str:
        return str(reply.get("label", ""))

    def prepare(self, exchange: Any) -> None:
        """Have spot markets listed without what can be borrowed for them, which is a list of its own."""

        async def no_pairs(_: Mapping[str, str]) -> list[Any]:
            return []

        exchange.publicMarginGetCurrencyPairs = no_pairs

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
        if wallet == "swap":
            pools, arrived = await self._pools(connection)
            return Read(gate_account.futures_coins(pools, name), arrived)
        if wallet != "spot" and _is_testnet(connection):
            raise Refused(connection.account, f"{wallet} wallet", _TESTNET)
        await self._refuse_unified(connection)
        if wallet == "earn":
            rows, arrived = await _pages(connection, venue.privateEarnGetUniLends)
            return Read(gate_account.earning_coins(rows, name), arrived)
        if wallet == "margin":
            rows, arrived = await connection.timed(venue.privateMarginGetAccounts())
            return Read(gate_account.lent_coins(rows, name), arrived)
        rows, arrived = await connection.timed(venue.privateSpotGetAccounts())
        return Read(gate_account.plain_coins(rows, name), arrived)

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        segments = _segments(connection)
        (pools, pools_at), _, *replies = await together(
            self._pools(connection),
            self._refuse_options(connection),
            *(_positions(connection, each) for each in segments),
        )
        rows = [
            (segment, row)
            for segment, (found, _) in zip(segments, replies, strict=True)
            for row in found
            if number(row, "size")
        ]
        gate_account.refuse_hedge_mode(connection.account, pools, [row for _, row in rows])
        held = [(segment, row, gate_account.position(row, markets)) for segment, row in rows]
        margin = gate_account.margin_of(pools, held)
        as_of = min(pools_at, *(arrived for _, arrived in replies))
        equities = gate_account.equities_of(pools, held)
        return Read(Derivatives(tuple(position for _, _, position in held), margin, equities=equities), as_of)

    async def _refuse_options(self, connection: Connection) -> None:
        async def held() -> list[Row]:
            try:
                rows = await connection.exchange.privateOptionsGetPositions()
            except NoSuchAccount:
                return []
            return [row for row in rows if number(row, "size")]

        if not _is_testnet(connection):
            await self._options.refuse(connection, held, "contract")

    async def _pools(self, connection: Connection) -> tuple[list[gate_account.Pool], datetime]:
        """What backs each segment's contracts; the legs that want it at the same time share the requests."""

        async def ask() -> tuple[list[gate_account.Pool], datetime]:
            segments = _segments(connection)
            found = await together(*(connection.timed(_account(connection, each)) for each in segments))
            for row, _ in found:
                if row is not None:
                    gate_account.refuse_unified(connection.account, row)
            self._classic_at = connection.clock.now()
            rows = [(row, segment) for (row, _), segment in zip(found, segments, strict=True) if row is not None]
            pools = [gate_account.pool(row, segment) for row, segment in rows]
            return pools, min(arrived for _, arrived in found)

        return await connection.shared.ask("futures accounts", ask)

    async def _refuse_unified(self, connection: Connection) -> None:
        """Where the account is unified its spot wallet is the whole pool: asked hourly, of the futures account.

        A key that may not read futures cannot tell; it can read no positions either.
        """
        now = connection.clock.now()
        if self._classic_at is not None and abs(now - self._classic_at) < _MODE_AGE:
            return
        try:
            await self._pools(connection)
        except Refused as refusal:
            if _MAY_NOT not in refusal.detail:
                raise
            self._classic_at = now

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool | None:
        """Of the futures accounts that were ever used; None: none was."""
        pools, _ = await self._pools(connection)
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
            return await gate_movements.explain_balance(connection, doubt, since)
        instrument = markets.instruments.get(doubt.instrument)
        if instrument is None:
            return None  # no longer listed: a person has to look
        market_id = markets.market_ids[instrument.id]
        return await gate_movements.explain_position(connection, instrument, market_id, doubt, since)


def _is_trading(info: Row) -> bool:
    """Dated contracts are listed as long as they trade, and without a status."""
    suspended = "status" in info and text(info, "status") != "trading"
    return not (suspended or flag(info, "in_delisting"))


def _is_testnet(connection: Connection) -> bool:
    return bool(connection.exchange.options.get("sandboxMode"))


def _segments(connection: Connection) -> Sequence[Segment]:
    return SEGMENTS[:1] if _is_testnet(connection) else SEGMENTS


async def _account(connection: Connection, segment: Segment) -> Row | None:
    """One segment's account; None: it was never used, and the venue has none."""
    try:
        row: Row = await segment.ask(connection.exchange, "Accounts")({"settle": segment.settle})
    except NoSuchAccount:
        return None
    return row


async def _positions(connection: Connection, segment: Segment) -> tuple[list[Row], datetime]:
    """Open positions. Delivery accounts list all contracts ever traded, and know no pages."""
    positions, settle = segment.ask(connection.exchange, "Positions"), {"settle": segment.settle}

    def ask(page: Mapping[str, Any]) -> Awaitable[list[Row]]:
        found: Awaitable[list[Row]] = positions({**settle, "holding": "true", **page})
        return found

    try:
        if segment.dated:
            return await connection.timed(positions(settle))
        return await _pages(connection, ask, offset=True)
    except NoSuchAccount:
        return [], connection.clock.now()


async def _pages(connection: Connection, ask: Any, *, offset: bool = False) -> tuple[list[Row], datetime]:
    """All rows of a list that comes in pages, and when the first arrived. Raises `Misshapen` for one without an end."""
    rows: list[Row] = []
    first: datetime | None = None
    for page in range(_PAGES_MAX):
        position = {"offset": len(rows)} if offset else {"page": page + 1}
        found, arrived = await connection.timed(ask({"limit": _PAGE, **position}))
        rows, first = [*rows, *found], first or arrived
        if len(found) < _PAGE:
            return rows, first
    raise Misshapen(f"more than {_PAGES_MAX * _PAGE} rows")
