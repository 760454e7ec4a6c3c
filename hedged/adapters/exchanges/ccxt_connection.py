"""One account's line to its venue: markets loaded when first needed and hourly after, the clock synchronised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import structlog

from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.guard import ClockSkew, NotSigned, reading
from hedged.adapters.exchanges.listing import Listing
from hedged.adapters.exchanges.tier_book import TierBook, Tiers
from hedged.errors import VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Quote, Read

T = TypeVar("T")
Quotes: TypeAlias = Mapping[InstrumentId, Read[Quote]]

RELOAD_EVERY = 3600.0  # seconds: delistings and new contracts
RETRY_AFTER = 60.0
MARKETS_AGE_MAX = 6 * 3600.0  # a venue whose list cannot be re-read for so long is not read at all
MEASURE_CLOCK_EVERY = 600.0
CLOCK_MOVED = 1.0  # seconds by which a clock has to be off for a signature to be refused for it
SAME_CYCLE = 5.0  # quotes this old are of the same cycle: its margin is computed with them

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Quoting:
    """A request for quotes that is running or was the last to run."""

    names: frozenset[InstrumentId]
    started_at: float
    task: asyncio.Task[Quotes]


class VenueLine:
    """What the market reader and the account reader of one account have in common.

    `time_limit` bounds every read in seconds, the waiting for markets and rate limits included. `own_tiers` are the
    user's, which go before the venue's. `listing` is shared with the venue's other accounts.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        errors: Any,
        time_limit: float,
        own_tiers: Tiers | None = None,
        *,
        listing: Listing | None = None,
    ) -> None:
        self.connection = connection
        self.dialect = dialect
        self.skew_seconds: float | None = None  # our clock − the venue's, as last measured; None: not measured yet
        self._errors = errors
        self._time_limit = time_limit
        self._listing = listing or Listing(connection.clock)
        self._markets: Markets | None = None
        self._markets_at = 0.0  # monotonic, like all below
        self._reload_at = 0.0
        self._reload_failing = False
        self._synchronised = False
        self._measure_at = 0.0
        self._tiers = TierBook(own_tiers or {})
        self._tiers_failing = False
        self._quoting: _Quoting | None = None

    def reading(self, call: str, *, share: float = 1.0) -> AbstractAsyncContextManager[None]:
        """Bounds a read in time and gives nothing but a `VenueError`; `share` of the usual limit."""
        return reading(self.connection.account, call, self._errors, share * self._time_limit)

    async def markets(self) -> Markets:
        """What the venue lists. Re-read in the background, so that a slow or failing list delays no read."""
        now, shared = self.connection.clock.monotonic(), self.connection.shared
        if self._markets is None or now - self._markets_at > MARKETS_AGE_MAX:
            return await shared.ask("markets", self._load_markets)
        if now >= self._reload_at:
            self._reload_at = now + RETRY_AFTER
            shared.start("markets", self._reload_markets)
        return self._markets

    async def _load_markets(self) -> Markets:
        connection = self.connection
        # beyond a read's patience: on a slow line the list may be there for the next cycle
        async with reading(connection.account, "markets", self._errors, 3 * self._time_limit):
            listed = await self._listing.load(connection.exchange)
            markets, unread = Markets.of(self.dialect, connection.account, listed.values())
        if unread:
            _log.warning("contracts_without_rules", account=connection.account, symbols=unread)
        self._markets_at = connection.clock.monotonic()
        self._markets = markets = markets.with_tiers(self._tiers.known(self._markets_at))
        self._reload_at = self._markets_at + RELOAD_EVERY
        return markets

    async def _reload_markets(self) -> Markets:
        try:
            markets = await self._load_markets()
        except VenueError as error:
            if not self._reload_failing:
                _log.warning("markets_not_reloaded", account=error.account, call=error.call, detail=error.detail)
            self._reload_failing = True
            raise
        self._reload_failing = False
        return markets

    async def quotes(self, names: Collection[InstrumentId], *, age_max: float = 0.0) -> Quotes:
        """Quotes of those of these that are listed. Who asks for them while others do shares their request.

        With `age_max` those of a request begun up to so many seconds ago will do.
        """
        markets, now = await self.markets(), self.connection.clock.monotonic()
        wanted = {markets.market_ids[name]: markets.instruments[name] for name in names if name in markets.instruments}
        if not wanted:
            return {}
        asked = frozenset(contract.id for contract in wanted.values())
        last = self._quoting
        if last is None or not asked <= last.names or not _serves(last, now, age_max):
            key = f"quotes {' '.join(sorted(asked))}"
            task = self.connection.shared.start(key, lambda: self.dialect.quotes(self.connection, wanted))
            last = self._quoting = _Quoting(asked, now, task)
        found = await asyncio.shield(last.task)
        return {name: quote for name, quote in found.items() if name in asked}

    async def tiers(self, names: Collection[InstrumentId]) -> Tiers:
        """Margin tiers of those of these whose tiers are known. Never raises for a venue that does not tell them."""
        markets = await self.markets()
        wanted = {markets.market_ids[name]: markets.instruments[name] for name in names if name in markets.instruments}
        due = self._tiers.due(wanted, self.connection.clock.monotonic())
        if due:
            await self.connection.shared.ask("tiers", lambda: self._load_tiers(due))
        known = self._tiers.known(self.connection.clock.monotonic())
        return {name: known[name] for name in names if name in known}

    def start_tiers(self, names: Collection[InstrumentId]) -> None:
        """Have the instruments carry their tiers before long; who only lists them does not wait."""
        self.connection.shared.start("instruments with tiers", lambda: self.tiers(names))

    async def _load_tiers(self, wanted: Mapping[str, Instrument]) -> None:
        connection, clock = self.connection, self.connection.clock
        try:
            async with self.reading("margin tiers"):
                told = await self.signed(lambda: self.dialect.tiers(connection, wanted))
        except VenueError as error:
            if not self._tiers_failing:
                _log.warning("tiers_not_read", account=error.account, call=error.call, detail=error.detail)
            self._tiers_failing = True
            self._tiers.failed(clock.monotonic())
            return
        self._tiers_failing = False
        self._tiers.take(wanted, told, clock.monotonic())
        if self._markets is not None:
            self._markets = self._markets.with_tiers(self._tiers.known(clock.monotonic()))

    async def signed(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a signed call with the venue's time; once more after synchronising if it did not accept ours."""
        if not self._synchronised:
            await self.synchronise()
        elif self.connection.clock.monotonic() >= self._measure_at:
            self._measure_at = self.connection.clock.monotonic() + RETRY_AFTER
            self.connection.shared.start("time", self._measure_clock)
        try:
            return await call()
        except ClockSkew:
            await self.synchronise()
        except NotSigned:
            before = self.skew_seconds
            await self.synchronise()
            if before is not None and abs((self.skew_seconds or 0.0) - before) < CLOCK_MOVED:
                raise  # the clock is as it was, so it is the key
        return await call()

    async def synchronise(self) -> None:
        await self.connection.shared.ask("time", self._measure_clock)
        self._synchronised = True

    async def _measure_clock(self) -> None:
        """The venue read its clock some time between our question and its answer: the skew that is certain counts."""
        clock = self.connection.clock
        begun = clock.monotonic()
        difference = await self.connection.exchange.load_time_difference()
        now = clock.monotonic()
        most = difference / 1000
        least = most - (now - begun)
        self.skew_seconds = max(least, min(most, 0.0))
        self._measure_at = now + MEASURE_CLOCK_EVERY

    async def close(self) -> None:
        await self.connection.shared.close()
        await self.connection.exchange.close()


def _serves(quoting: _Quoting, now: float, age_max: float) -> bool:
    """Whether an answer that is on its way, or came not long ago, will do."""
    if now - quoting.started_at > max(age_max, SAME_CYCLE):
        return False
    task = quoting.task
    if not task.done():
        return True
    return age_max > 0 and not task.cancelled() and task.exception() is None
