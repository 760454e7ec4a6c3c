"""One account's line to its venue: markets loaded when first needed and hourly after, the clock synchronised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import structlog

from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.guard import ClockSkew, reading
from hedged.errors import VenueError

T = TypeVar("T")

RELOAD_EVERY = 3600.0  # seconds: delistings and new contracts
RETRY_AFTER = 60.0
MARKETS_AGE_MAX = 6 * 3600.0  # a venue whose list cannot be re-read for so long is not read at all

_log = structlog.get_logger(__name__)


class VenueLine:
    """What the market reader and the account reader of one account have in common.

    `time_limit` bounds every read in seconds, the waiting for markets and rate limits included.
    """

    def __init__(self, connection: Connection, dialect: Dialect, errors: Any, time_limit: float) -> None:
        self.connection = connection
        self.dialect = dialect
        self._errors = errors
        self._time_limit = time_limit
        self._markets: Markets | None = None
        self._markets_at = 0.0  # monotonic, like all below
        self._reload_at = 0.0
        self._reload_failing = False
        self._synchronised = False

    def reading(self, call: str) -> AbstractAsyncContextManager[None]:
        return reading(self.connection.account, call, self._errors, self._time_limit)

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
            listed = await connection.exchange.load_markets(reload=True)
            markets, unread = Markets.of(self.dialect, connection.account, listed.values())
        if unread:
            _log.warning("contracts_without_rules", account=connection.account, symbols=unread)
        self._markets, self._markets_at = markets, connection.clock.monotonic()
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

    async def signed(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a signed call with the venue's time; once more after synchronising if it did not accept ours."""
        if not self._synchronised:
            await self._synchronise()
        try:
            return await call()
        except ClockSkew:
            await self._synchronise()
            return await call()

    async def _synchronise(self) -> None:
        await self.connection.shared.ask("time", self.connection.exchange.load_time_difference)
        self._synchronised = True

    async def close(self) -> None:
        await self.connection.shared.close()
        await self.connection.exchange.close()
