"""One account's streams through ccxt.pro: they say when to read, and are never what is read.

    markets known ─► connect, log in, subscribe ─► listen ──┐
          ▲                                                 │ anything at all goes wrong
          └───────────── pause, doubling up to 5 min ◄──────┘ (the whole connection is thrown away)

Marks and each private line have a connection and an instance of ccxt of their own, so that a key that may not see
one wallet silences that line alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import aiohttp
import structlog

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.adapters.exchanges.guard import scrub
from hedged.adapters.exchanges.stream_changes import Changes
from hedged.adapters.exchanges.stream_health import Health
from hedged.adapters.exchanges.stream_session import Call, Listening, StreamOpening, listen
from hedged.adapters.exchanges.stream_table import TABLES, Line, StreamTable, Watch, What
from hedged.adapters.exchanges.transport import open_session
from hedged.errors import Unreachable, VenueError
from hedged.model.stream import StreamState
from hedged.ports import Clock

SYMBOLS_MAX = 50  # an account; further ones are left to polling
PAUSE_FIRST = 1.0  # seconds, doubling
PAUSE_LAST = 300.0
HEALTHY_AFTER = 300.0  # a connection that stood so long has earned a quick return
BEAT_FIRST = 5.0
BEAT_EVERY = 15.0
BEAT_WITHIN = 5.0
CONNECT_WITHIN = 20.0
SILENT_AFTER = 60.0  # without a word, not even an answer to our pings
TICKS_WITHIN = 300.0  # a price that nobody tells although the connection stands: the subscription is lost

log = structlog.get_logger(__name__)

Wake: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """What may take a hedge out of its band: symbols of contracts and of spot pairs, in ccxt's spelling."""

    contracts: Sequence[str]
    spot: Sequence[str]
    jump: float  # share


class _Due(Exception):
    """The connection has lasted as long as its key, and is opened anew."""


_PUBLIC = Line("marks", frozenset(), ())


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
            for line in (_PUBLIC, *lines):
                group.create_task(self._keep(line, table, session, wake))

    async def _keep(self, line: Line, table: StreamTable, session: aiohttp.ClientSession, wake: Wake) -> None:
        """One connection after another, until there is nothing to watch."""
        pause, name = PAUSE_FIRST, line.name
        opening = replace(self._opening, keys={}) if line is _PUBLIC else self._opening
        told = partial(self._told, name, wake)
        health = self._health[name] = Health(self._clock)
        while True:
            started = self._clock.monotonic()
            try:
                await self._line.markets()
                async with listen(name, self._line, opening, session, self._clock, told=told) as listening:
                    calls = self._calls(listening.exchange, line, table)
                    if not calls:
                        del self._health[name]
                        return
                    await self._listen(line, listening, calls)
            except _Due:
                continue
            except Exception as error:  # noqa: BLE001  whatever it is, polling goes on and so do we
                detail = self._detail(error)
                if health.went_down(detail):
                    log.warning("stream_down", account=self.account, stream=name, reason=detail)
            if self._clock.monotonic() - started >= HEALTHY_AFTER:
                pause = PAUSE_FIRST
            await self._clock.sleep(pause)
            pause = min(2 * pause, PAUSE_LAST)

    async def _listen(self, line: Line, listening: Listening, calls: Sequence[tuple[Watch, Call]]) -> None:
        """Until something goes wrong, which it raises."""
        tasks = [asyncio.create_task(self._attend(line, listening))]
        tasks += [asyncio.create_task(listening.follow(watch, call)) for watch, call in calls]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            if task.cancelled():  # ccxt cancels what waits on a connection that it closes
                raise Unreachable(self.account, line.name, "the connection was closed")
            task.result()

    def _told(self, name: str, wake: Wake, watch: Watch, message: Any) -> None:
        for reason in self._reasons(name, watch, message):
            wake(f"{self.account}: {reason}")

    def _reasons(self, name: str, watch: Watch, message: Any) -> Iterator[str]:
        changes, found = self._changes, []
        if watch.what is What.MARKS and isinstance(message, dict):
            wanted = {*self._watched.contracts, *self._watched.spot}
            tickers = [message] if "symbol" in message else message.values()
            found = [changes.mark(row["symbol"], row.get(watch.price)) for row in tickers if row["symbol"] in wanted]
        elif watch.what is What.POSITIONS:
            found = [changes.positions(name, message)]
        elif watch.what is What.BALANCES:
            found = [changes.balances(name, message)]
        elif watch.what is What.FILLS:
            found = [changes.fills(message)]
        elif watch.what is What.ORDERS:
            found = [changes.orders(name, message)]
        yield from filter(None, found)

    async def _attend(self, line: Line, listening: Listening) -> None:
        """Look after the connection: ask for signs of life, and give up on one that has none."""
        clock, name = self._clock, line.name
        health = self._health[name]
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
            if now - started >= line.lasts:
                raise _Due
            if line is _PUBLIC and now - listening.told_at > TICKS_WITHIN:
                raise Unreachable(self.account, name, f"no price for {TICKS_WITHIN:g} s")
            if standing and not dialing and health.is_up():
                log.info("stream_up", account=self.account, stream=name)
            async with asyncio.timeout(BEAT_WITHIN):
                for client in standing:
                    await client.beat()
            await clock.sleep(BEAT_EVERY)

    def _calls(self, exchange: Any, line: Line, table: StreamTable) -> list[tuple[Watch, Call]]:
        if line is _PUBLIC:
            calls = self._marks(exchange, table)
        else:
            calls = [(it, partial(getattr(exchange, it.method), params=dict(it.params))) for it in line.watches]
        if calls and table.beats is not None:
            calls.append((table.beats, partial(getattr(exchange, table.beats.method), **table.beats.params)))
        return calls

    def _marks(self, exchange: Any, table: StreamTable) -> list[tuple[Watch, Call]]:
        """A call for the symbols of each connection (linear, inverse, spot), or one for each symbol."""
        groups: dict[tuple[bool, bool], list[str]] = {}
        named = dict.fromkeys((*self._watched.contracts, *self._watched.spot))
        listed = [market for symbol in named if (market := exchange.markets.get(symbol)) and market.get("active")]
        for market in listed[:SYMBOLS_MAX]:
            groups.setdefault((bool(market["spot"]), bool(market["linear"])), []).append(market["symbol"])
        if listed[SYMBOLS_MAX:]:
            log.info("stream_symbols_left_to_polling", account=self.account, symbols=len(listed[SYMBOLS_MAX:]))
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
        if isinstance(error, VenueError):
            return error.detail
        return scrub(f"{type(error).__name__} {error}", self._opening.keys.values())
