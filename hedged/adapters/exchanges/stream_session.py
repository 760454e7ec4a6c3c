"""One instance of ccxt.pro that listens: its session, clock and limits are ours, and all it starts ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.adapters.exchanges.dialects.base import Dialect
from hedged.adapters.exchanges.guard import Endpoint, Guard
from hedged.adapters.exchanges.limiter import Limiter, Meter
from hedged.adapters.exchanges.rounding import in_own_context
from hedged.adapters.exchanges.shapes import Row, milliseconds
from hedged.adapters.exchanges.stream_table import OPTIONS, TABLES, Watch
from hedged.errors import Unreachable, VenueError
from hedged.ports import Clock

CLOSE_WITHIN = 0.6  # seconds, for all connections together

Call: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class StreamOpening:
    """What streams of an account are opened with; `keys` are the credentials, none for public data alone."""

    wallets: frozenset[str]
    keys: Mapping[str, str] = field(repr=False)
    sandbox: bool
    connect_to: str | None
    ca_file: Path | None
    time_limit: float  # seconds, of a listen key's call
    meter: Meter  # the account's


@dataclass(frozen=True, slots=True)
class _ListenKeys:
    """The dialect as a guard needs it, with listen keys as the only calls."""

    dialect: Dialect
    endpoints: Mapping[tuple[str, str], Endpoint]

    @property
    def refusals(self) -> Mapping[str, str]:
        return self.dialect.refusals

    @property
    def complaints(self) -> Mapping[str, type[VenueError]]:
        return self.dialect.complaints

    def error_code(self, reply: Row) -> str:
        return self.dialect.error_code(reply)

    def asked(self, path: str, body: str | None) -> str:
        return path


@contextlib.asynccontextmanager
async def listen(
    name: str,
    line: VenueLine,
    opening: StreamOpening,
    session: aiohttp.ClientSession,
    clock: Clock,
    *,
    told: Callable[[Watch, Any], None],
) -> AsyncIterator[Listening]:
    """An instance that can listen and nothing else. The line's markets have been loaded; they are shared.

    Raises `Unreachable` where the venue's test system, if that is asked for, has no streams.
    `told` is called with all that its watch methods are told, within `Listening.follow`.
    """
    pro = importlib.import_module("ccxt.pro")
    clients = importlib.import_module("hedged.adapters.exchanges.stream_client")
    account, dialect = line.connection.account, line.dialect
    table = TABLES[dialect.exchange]
    options = {**dialect.config.get("options", {}), **OPTIONS}
    config = {**dialect.config, "options": options, **opening.keys, "timeout_on_exit": 0}
    exchange = getattr(pro, dialect.exchange)(config)
    if opening.sandbox:
        dialect.use_sandbox(exchange)
        if "ws" not in exchange.urls["api"]:
            raise Unreachable(account, name, "the venue's test system has no streams")
    exchange.set_markets_from_exchange(line.connection.exchange)
    exchange.asyncio_loop = asyncio.get_running_loop()
    exchange.session, exchange.own_session = session, False
    exchange.decimal_to_precision = in_own_context(exchange.decimal_to_precision)
    exchange.open = _nothing  # it would make a session of its own

    def venue_milliseconds() -> int:
        return milliseconds(clock.now()) - round(1000 * (line.skew_seconds or 0.0))

    exchange.milliseconds, exchange.seconds = venue_milliseconds, lambda: venue_milliseconds() // 1000
    exchange.throttle = Limiter(
        clock, burst=dialect.burst, per_second=1000 / exchange.rateLimit, meter=opening.meter
    ).acquire
    dialect.prepare(exchange)
    exchange.fetch = Guard(
        account,
        exchange,
        importlib.import_module("ccxt.base.errors"),
        _ListenKeys(dialect, table.listen_keys),
        clock=clock,
        session=session,
        secrets=opening.keys.values(),
        time_limit=opening.time_limit,
    ).fetch
    listening = Listening(exchange, clock, clients)

    def heard(watch: Watch, message: Any) -> None:
        listening.told_at = clock.monotonic()
        told(watch, message)

    def client(url: str) -> Any:
        if url not in exchange.clients:
            make = partial(clients.ListeningClient, says=table.says, told=heard, clock=clock)
            exchange.clients[url] = make(url, exchange, account, name)
            listening.clients.append(exchange.clients[url])
        return exchange.clients[url]

    exchange.clients = {}
    exchange.client, exchange.spawn, exchange.delay = client, listening.spawn, _nothing
    try:
        yield listening
    finally:
        await listening.close()


class Listening:
    """One instance of ccxt with its websockets and tasks, all of which end with it."""

    def __init__(self, exchange: Any, clock: Clock, clients: Any) -> None:
        """`clients`: the module `stream_client`, which loads ccxt."""
        self.exchange = exchange
        self.clients: list[Any] = []
        self.told_at = clock.monotonic()
        self._clock = clock
        self._asking: ContextVar[Any] = clients.asking
        self._promise: Callable[[], Any] = clients.promise
        self._tasks: set[asyncio.Task[Any]] = set()

    async def follow(self, watch: Watch, call: Call) -> None:
        """Keep this subscribed until it fails, which it raises. In a task of its own."""
        self._asking.set(watch)
        while True:
            await call()
            await _next_turn()  # an answer that is there at once must not hold up the loop

    def spawn(self, method: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        """In ccxt's place: what it starts on the side (pongs, kucoin's token) ends with the connection.

        What it comes to is promised, as by ccxt: it waits for some, and rejects them itself.
        """
        promise = self._promise()
        task = asyncio.get_running_loop().create_task(method(*args))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, promise))
        return promise

    def _ended(self, promise: Any, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            promise.cancel()
        elif (error := task.exception()) is not None:  # what matters fails the connection too
            promise.reject(error)
        else:
            promise.resolve(task.result())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_WITHIN):
                await asyncio.gather(*(client.close() for client in self.clients), return_exceptions=True)
        self.exchange.clients = {}
        self.exchange.session = None  # not its own


def _nothing(*args: object, lazy: bool = False) -> None:
    """Stands in for ccxt's `open`, and for `delay`, by which it prolongs listen keys."""


@types.coroutine
def _next_turn() -> Generator[None, None, None]:
    """Let the event loop go round once."""
    yield
