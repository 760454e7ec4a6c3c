"""One account's streams through ccxt.pro: they say when to read, and are never what is read.

    markets known ─► connect, log in, subscribe ─► listen ──┐
          ▲                                                 │ anything at all goes wrong
          └───────────── pause, doubling up to 5 min ◄──────┘ (the whole connection is thrown away)

Marks and each private line have a connection and an instance of ccxt of their own, so that a key that may not see
one wallet silences that line alone.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import aiohttp
import structlog

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.adapters.exchanges.guard import scrub
from hedged.adapters.exchanges.stream_changes import Changes
from hedged.adapters.exchanges.stream_health import Health
from hedged.adapters.exchanges.stream_session import Listening, StreamOpening, listen
from hedged.adapters.exchanges.stream_table import TABLES, StreamTable, Watch, What
from hedged.adapters.exchanges.transport import open_session
from hedged.errors import Unreachable, VenueError
from hedged.model.stream import StreamState
from hedged.ports import Clock

MARKS = "marks"
SYMBOLS_MAX = 50  # an account; further ones are left to polling
PAUSE_FIRST = 1.0  # seconds, doubling
PAUSE_LAST = 300.0
HEALTHY_AFTER = 300.0  # a connection that stood so long has earned a quick return
BEAT_FIRST = 5.0
BEAT_EVERY = 15.0
CONNECT_WITHIN = 20.0
SILENT_AFTER = 60.0  # without a word, not even an answer to our pings
TICKS_WITHIN = 300.0  # a price that nobody tells although the connection stands: the subscription is lost

log = structlog.get_logger(__name__)

Wake: TypeAlias = Callable[[str], None]
Call: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Watched:
    """What may take a hedge out of its band: symbols of contracts and of spot pairs, in ccxt's spelling."""

    contracts: Sequence[str]
    spot: Sequence[str]
    jump: float  # share


class CcxtStreams:
    """See `hedged.ports.Streams`. ccxt.pro is imported when `run` begins, and only then."""

    def __init__(self, line: VenueLine, opening: StreamOpening, watched: Watched, clock: Clock) -> None:
        self.account = line.connection.account
        self._line = line
        self._opening = opening
        self._watched = watched
        self._clock = clock
        self._changes = Changes(watched.jump)
        self._health: dict[str, Health] = {}

    def cycle_begins(self) -> None:
        self._changes.cycle_begins()

    def states(self) -> Sequence[StreamState]:
        return [health.state(self.account, name) for name, health in self._health.items()]

    async def run(self, wake: Wake) -> None:
        table = TABLES.get(self._line.dialect.exchange)
        if table is None:
            return
        opening = self._opening
        lines = [line for line in table.private if opening.keys and line.wallets & opening.wallets]
        session = open_session(self.account, opening.connect_to, opening.ca_file)
        async with session, asyncio.TaskGroup() as group:
            group.create_task(self._keep(MARKS, (), table, session, wake))
            for line in lines:
                group.create_task(self._keep(line.name, line.watches, table, session, wake))

    async def _keep(
        self, name: str, watches: Sequence[Watch], table: StreamTable, session: aiohttp.ClientSession, wake: Wake
    ) -> None:
        """One connection after another, until there is nothing to watch."""
        pause, opening = PAUSE_FIRST, self._opening
        health = self._health[name] = Health(self._clock)
        while True:
            started = self._clock.monotonic()
            try:
                await self._line.markets()
                keys = opening.keys if watches else {}  # public data is watched without the key
                async with listen(name, self._line, replace(opening, keys=keys), session, self._clock) as listening:
                    calls = _private(listening.exchange, watches) if watches else self._marks(listening.exchange, table)
                    if not calls:
                        del self._health[name]
                        return
                    await self._listen(name, listening, calls, wake)
            except Exception as error:  # noqa: BLE001  whatever it is, polling goes on and so do we
                detail = self._detail(error)
                if health.went_down(detail):
                    log.warning("stream_down", account=self.account, stream=name, reason=detail)
            if self._clock.monotonic() - started >= HEALTHY_AFTER:
                pause = PAUSE_FIRST
            await self._clock.sleep(pause)
            pause = min(2 * pause, PAUSE_LAST)

    async def _listen(self, name: str, listening: Listening, calls: Sequence[tuple[Watch, Call]], wake: Wake) -> None:
        """Until something goes wrong, which it raises."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._attend(name, listening))
            for watch, call in calls:
                group.create_task(self._follow(name, watch, call, listening, wake))

    async def _follow(self, name: str, watch: Watch, call: Call, listening: Listening, wake: Wake) -> None:
        while True:
            message = await call()
            listening.told_at = self._clock.monotonic()
            for reason in self._reasons(name, watch, message):
                wake(f"{self.account}: {reason}")
            await _next_turn()  # an answer that is there at once must not hold up the loop

    def _reasons(self, name: str, watch: Watch, message: Any) -> Iterator[str]:
        changes = self._changes
        if watch.what is What.MARKS:
            tickers = [message] if watch.each else list(message.values())
            wanted = {*self._watched.contracts, *self._watched.spot}
            found = [changes.mark(row["symbol"], row.get(watch.price)) for row in tickers if row["symbol"] in wanted]
            yield from filter(None, found)
            return
        if watch.what is What.POSITIONS:
            reason = changes.positions(name, message)
        elif watch.what is What.BALANCES:
            reason = changes.balances(name, message)
        else:
            reason = changes.fills(message)
        if reason is not None:
            yield reason

    async def _attend(self, name: str, listening: Listening) -> None:
        """Look after the connection: ask for signs of life, and give up on one that has none."""
        clock, health = self._clock, self._health[name]
        started = listening.told_at
        await clock.sleep(BEAT_FIRST)
        while True:
            now = clock.monotonic()
            standing = [client for client in listening.clients if client.isConnected]
            dialing = any(client.connecting for client in listening.clients)
            if (dialing or not standing) and now - started >= CONNECT_WITHIN:
                raise Unreachable(self.account, name, f"no connection within {CONNECT_WITHIN:g} s")
            if any(now - client.heard_at > SILENT_AFTER for client in standing):
                raise Unreachable(self.account, name, f"nothing heard for {SILENT_AFTER:g} s")
            if name == MARKS and now - listening.told_at > TICKS_WITHIN:
                raise Unreachable(self.account, name, f"no price for {TICKS_WITHIN:g} s")
            if standing and not dialing and health.is_up():
                log.info("stream_up", account=self.account, stream=name)
            for client in standing:
                await client.beat()
            await clock.sleep(BEAT_EVERY)

    def _marks(self, exchange: Any, table: StreamTable) -> list[tuple[Watch, Call]]:
        """A call for the symbols of each connection (linear, inverse, spot), or one for each symbol."""
        groups: dict[tuple[bool, bool], list[str]] = {}
        for symbol in dict.fromkeys((*self._watched.contracts, *self._watched.spot)):
            market = exchange.markets.get(symbol)
            if market is not None and market.get("active") and sum(map(len, groups.values())) < SYMBOLS_MAX:
                groups.setdefault((bool(market["spot"]), bool(market["linear"])), []).append(symbol)
        calls: list[tuple[Watch, Call]] = []
        for (spot, _), symbols in groups.items():
            watch = table.spot if spot else table.contracts
            if watch is not None:
                method = getattr(exchange, watch.method)
                asked = symbols if watch.each else [symbols]
                calls += [(watch, partial(method, each, dict(watch.params))) for each in asked]
        return calls

    def _detail(self, error: Exception) -> str:
        """What went wrong in words, without addresses, keys and signatures."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, VenueError):
            return error.detail
        return scrub(f"{type(error).__name__} {error}", self._opening.keys.values())


def _private(exchange: Any, watches: Sequence[Watch]) -> list[tuple[Watch, Call]]:
    return [(watch, partial(getattr(exchange, watch.method), params=dict(watch.params))) for watch in watches]


@types.coroutine
def _next_turn() -> Generator[None, None, None]:
    """Let the event loop go round once."""
    yield
