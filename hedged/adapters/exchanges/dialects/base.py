"""What differs from venue to venue, and what a dialect is handed to read with."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Row, not_negative, positive
from hedged.adapters.exchanges.shared_call import SharedCalls
from hedged.errors import VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier, instrument_id
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read
from hedged.ports import Clock

T = TypeVar("T")

# A position whose value differs by more than this from what the venue says it is worth is not trusted: a wrong
# contract size is off by a factor, a mark that moved between two fields by far less.
NOTIONAL_TOLERANCE = Decimal("0.02")
DUST = Decimal(
    "0.01"
)  # dollars: an account that is worth less may list no coins, for the venues leave the last crumbs out

# Milliseconds: 2009-01-03, the first block; no contract on a coin expired before there was one.
_FIRST_EXPIRY = 1_230_940_800_000


@dataclass(frozen=True, slots=True)
class Connection:
    """What a dialect reads with. `exchange` is ccxt's, behind the guard; its errors are mapped by who calls us."""

    account: str
    exchange: Any
    clock: Clock
    shared: SharedCalls

    async def timed(self, call: Awaitable[T]) -> tuple[T, datetime]:
        """The reply and when it arrived."""
        reply = await call
        return reply, self.clock.now()


@dataclass(frozen=True, slots=True)
class Markets:
    """What the venue lists, as of the last hourly load."""

    instruments: Mapping[InstrumentId, Instrument]
    contracts: Mapping[str, Instrument]  # by the venue's own market id
    market_ids: Mapping[InstrumentId, str]
    spot: Mapping[tuple[str, str], str]  # (base, quote) → the venue's market id; only those that give a price

    @classmethod
    def of(cls, dialect: Dialect, account: str, listed: Iterable[Row]) -> tuple[Markets, list[str]]:
        """From ccxt's unified markets; also the symbols of contracts whose rules could not be read."""
        contracts: dict[str, Instrument] = {}
        spot: dict[tuple[str, str], str] = {}
        unread: list[str] = []
        for market in listed:
            if dialect.prices_coin(market):
                spot[market["base"], market["quote"]] = market["id"]
            if dialect.reads_contract(market):
                try:
                    contracts[market["id"]] = dialect.instrument(account, market)
                except Misshapen:
                    unread.append(market["symbol"])
        instruments = {contract.id: contract for contract in contracts.values()}
        market_ids = {contract.id: market_id for market_id, contract in contracts.items()}
        return cls(instruments, contracts, market_ids, spot), unread

    def with_tiers(self, tiers: Mapping[InstrumentId, tuple[MarginTier, ...]]) -> Markets:
        """With these tiers in the instruments; the same value where they are there already."""
        changed = {
            name: replace(self.instruments[name], tiers=brackets)
            for name, brackets in tiers.items()
            if name in self.instruments and self.instruments[name].tiers != brackets
        }
        if not changed:
            return self
        contracts = {self.market_ids[name]: contract for name, contract in changed.items()}
        return replace(self, instruments={**self.instruments, **changed}, contracts={**self.contracts, **contracts})

    def contract(self, market_id: str) -> Instrument:
        """The contract of a position; one that is not listed has no known size and makes the read fail."""
        try:
            return self.contracts[market_id]
        except KeyError:
            raise Misshapen(f"a position in {market_id}, which the venue does not list: its size is unknown") from None


class Dialect(ABC):
    """One venue's ways. An instance belongs to one account and may remember what it read.

    Methods that read are called with markets loaded and the clock synchronised. They raise `Misshapen` for a field
    that is not what it should be and let everything else through; they never answer zero or empty for *missing*.
    """

    exchange: ClassVar[str]  # ccxt's id
    wallets: ClassVar[frozenset[str]]  # of those in the configuration's `wallets`
    burst: ClassVar[float]  # request weight that may go out at once, see `Limiter`
    config: ClassVar[Mapping[str, Any]]  # for ccxt's constructor: options that save calls, avoid writing
    endpoints: ClassVar[Mapping[tuple[str, str], Endpoint]]  # (method, path) → all that may be called; `{}` a segment
    refusals: ClassVar[Mapping[str, str]]
    """Venue error code → what the user can do, in words; `HTTP 401` where the venue says it with that status alone."""
    complaints: ClassVar[Mapping[str, type[VenueError]]] = {}
    """Venue error code → whose fault it is (`ClockSkew`, `RateLimited`, …), where ccxt's tables mislead."""
    hedge_words: ClassVar[str] = "the account is in hedge mode: switch it to one-way mode"
    """Why an account in hedge mode is refused, with the way out."""
    own_margin: ClassVar[bool] = True
    """Whether maintenance and liquidation prices that are None are computed from tiers (see `own_margin.py`).

    False where None means that there is none, and where positions are not backed by one cross-margin pool.
    """
    one_pool: bool = True
    """Whether all that the last read of the derivatives showed is backed by the account's cross margin.

    A dialect whose positions can also be isolated, or backed by coins, sets it with each read: where it is False,
    nothing is computed for any of them, for nothing tells what is left to the others.
    """
    candles_page: ClassVar[int] = 0
    """Hourly candles in one request; 0: the venue's past prices are not read."""
    funding_page: ClassVar[int] = 0
    """Past funding rates in one request; 0: they are not read."""

    def error_code(self, reply: Row) -> str:
        """The venue's code in a reply that is an object, as text; "" where it has none. Asked for every such reply."""
        return str(reply.get("code", ""))

    def asked(self, path: str, body: str | None) -> str:
        """The path under which a request is listed in `endpoints`: its own, unless its body says what it does."""
        return path

    def use_wallets(self, account: str, wallets: Sequence[str]) -> None:  # noqa: B027  a hook that few venues need
        """Told once which wallets the user has, all of them in `wallets`, before anything is read.

        Raises `ConfigurationError` for wallets that cannot be read together.
        """

    def pool(self, wallet: str) -> str:
        """The wallet in which the venue keeps what this one holds: a unified account has one under several names.

        Wallets of one pool are read once, under this name, so that no coin is counted twice.
        """
        return wallet

    def prepare(self, exchange: Any) -> None:  # noqa: B027 — most venues need nothing
        """Mend ccxt's new instance where it differs from what we need, before anything is sent.

        Raises `ConfigurationError` for credentials that nothing can be signed with.
        """

    @abstractmethod
    def use_sandbox(self, exchange: Any) -> None:
        """Turn ccxt's instance to the venue's test system."""

    def prices_coin(self, market: Row) -> bool:
        """Whether this listed market gives the price of its base in its quote: a spot market that trades.

        A venue without spot markets may have contracts that come with the index price of their coin.
        """
        return bool(market.get("spot") and market.get("active"))

    def may_estimate(self, told: Derivatives) -> bool:
        """Whether what `told` leaves out may be computed, see `own_margin`; asked after each read of it."""
        return self.own_margin and self.one_pool

    @abstractmethod
    def reads_contract(self, market: Row) -> bool:
        """Whether this listed market is of a segment whose positions `derivatives` reads."""

    @abstractmethod
    def multiplier(self, market: Row) -> Decimal:
        """Coins per contract (linear) or face value per contract (inverse), as positions are counted here."""

    @abstractmethod
    def delisting(self, market: Row) -> datetime | None:
        """When the venue will take a perpetual off, if it says so."""

    @abstractmethod
    async def quotes(self, connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
        """See `MarketReader.quotes`; `wanted` is by market id. As few calls as the venue allows, however many."""

    @abstractmethod
    async def prices(self, connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
        """Spot prices by asset; `wanted` maps market id → asset. One that the venue has no price for is absent."""

    @abstractmethod
    async def balances(self, connection: Connection, wallet: str) -> Read[tuple[Balance, ...]]:
        """See `AccountReader.balances`; assets without any amount may be left out."""

    @abstractmethod
    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        """See `AccountReader.derivatives`. `Refused` for an account in hedge mode, naming the way out."""

    @abstractmethod
    async def explain(
        self, connection: Connection, markets: Markets, doubt: Doubt, since: datetime, held: Collection[str]
    ) -> str | None:
        """See `AccountReader.explain`. `held`: assets last seen in the wallet, the likely other side of a trade."""

    async def funding_payments(
        self, connection: Connection, wanted: Mapping[str, Instrument], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        """See `PaymentReader.funding_payments`; `wanted` is by market id. In any order, perhaps with earlier ones."""
        return None

    async def permissions(self, connection: Connection) -> Permissions | None:
        """What the key in use may do; None where the venue has no call that tells."""
        return None

    async def hedge_mode(self, connection: Connection, wanted: Mapping[str, Instrument]) -> bool | None:
        """Whether longs and shorts would be kept apart, as of now; None where only an open position shows it.

        `wanted`: by market id the contracts that are meant, where they may differ; none: all.
        """
        return None

    async def tiers(
        self, connection: Connection, wanted: Mapping[str, Instrument]
    ) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
        """Maintenance margin tiers by the venue's own table, ascending; `wanted` is by market id. Absent: not told."""
        return {}

    async def candles(self, connection: Connection, symbol: str, begin: int, end: int) -> Sequence[Sequence[object]]:
        """Hourly candles of ccxt's unified symbol that opened from `begin` to `end`, milliseconds: a page at most.

        As ccxt has them: [opened, open, high, low, close, …], in any order, perhaps with others outside the period.
        """
        rows: Sequence[Sequence[object]] = await connection.exchange.fetch_ohlcv(
            symbol, "1h", begin, self.candles_page, {"until": end}
        )
        return rows

    async def funding_rates(self, connection: Connection, symbol: str, begin: int) -> Sequence[Row]:
        """Funding of ccxt's unified symbol settled from `begin` on, milliseconds, as ccxt has it: a page at most."""
        rows: Sequence[Row] = await connection.exchange.fetch_funding_rate_history(symbol, begin, self.funding_page)
        return rows

    def instrument(self, account: str, market: Row) -> Instrument:
        """One of ccxt's unified markets as our value. Raises `Misshapen` if a rule is missing."""
        limits, expiry = market["limits"], market.get("expiry")
        if expiry and int(expiry) < _FIRST_EXPIRY:
            raise Misshapen(f"expiry of {market['id']} is not a time")
        return Instrument(
            id=instrument_id(account, market["symbol"]),
            account=account,
            symbol=market["symbol"],
            kind=ContractKind.FUTURE if market.get("future") else ContractKind.PERPETUAL,
            base=market["base"],
            quote=market["quote"],
            settle=market["settle"],
            linear=bool(market["linear"]),
            multiplier=self.multiplier(market),
            tick_size=positive(market["precision"], "price"),
            lot_size=positive(market["precision"], "amount"),
            quantity_min=_minimum(limits, "amount"),
            notional_min=_minimum(limits, "cost"),
            expiry=datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=expiry) if expiry else None,
            delisting=self.delisting(market),
            trading=bool(market.get("active")),
        )


def _minimum(limits: Row, name: str) -> Decimal:
    """A venue that sets no minimum says nothing, or zero."""
    bounds = limits.get(name) or {}
    return Decimal(0) if bounds.get("min") is None else not_negative(bounds, "min")


def is_plausible(instrument: Instrument, contracts: Decimal, mark: Decimal, venue_notional: Decimal) -> bool:
    """Whether our value of a position agrees with the venue's, sign included."""
    ours = instrument.notional(contracts, mark)
    return abs(ours - venue_notional) <= NOTIONAL_TOLERANCE * abs(venue_notional)


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """The replies to calls made at the same time. After the first failure none goes on: it would answer nobody."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
