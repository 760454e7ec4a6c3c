"""ccxt's websocket client with its hands tied: it subscribes, logs in and answers pings, and says nothing else.

ccxt.pro can also place and cancel orders over a websocket. Here every outgoing frame is held against a list of words
before it leaves, whoever wrote it.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
from ccxt.async_support.base.ws.client import Client
from ccxt.async_support.base.ws.future import Future

from hedged.adapters.exchanges.guard import NotAllowed
from hedged.adapters.exchanges.limiter import Limiter
from hedged.errors import Refused, Unreachable, Unreadable
from hedged.ports import Clock

MESSAGE_MAX = 4 << 20  # bytes; the longest are snapshots of whole accounts
CLOSE_WITHIN = 0.3  # seconds for the closing handshake: nothing is lost by leaving without it
FRAMES_BURST = 20.0
FRAMES_PER_SECOND = 4.0  # venues close connections that talk more than 5 to 10 times a second

_VERBS = ("op", "method", "reqType", "event", "type")
_OPENING = frozenset({"id", "dataType"})  # bingx's spot stream is asked without a verb
_ANSWER = frozenset({"pong", "time"})
_LOGIN_REFUSED = ({"channel": "rs.error"}, {"event": "error"})  # mexc's and krakenfutures', which ccxt passes over


asking: ContextVar[Any] = ContextVar("asking", default=None)  # whose watch method is being called in this task


def verb(frame: object) -> str | None:
    """What a frame is about: the word itself, or the one verb of an object; None for anything else."""
    if isinstance(frame, str) and not frame.startswith(("{", "[")):
        return frame
    if isinstance(frame, str):
        try:
            frame = json.loads(frame)
        except ValueError:
            return None
    if not isinstance(frame, Mapping):
        return None
    verbs = [frame[name] for name in _VERBS if name in frame]
    if len(verbs) == 1 and isinstance(verbs[0], str):
        return verbs[0]
    if verbs:
        return None
    names = frozenset(frame)
    return "dataType" if names == _OPENING else "pong" if names == _ANSWER else None


class ListeningClient(Client):  # type: ignore[misc]  # ccxt has no types
    """One websocket. What goes wrong is a `VenueError` of everything that waits on it, never an exception in the loop.

    `heard_at`: when anything at all last arrived, by the monotonic clock. ccxt's own keep-alive counts by the wall
    clock; here whoever owns the client calls `beat`.

    `told` gets every result with the watch that asked for it (see `asking`): a caller of ccxt's watch methods misses
    what arrives in one packet with what he is being given.
    """

    def __init__(
        self,
        url: str,
        exchange: Any,
        account: str,
        line: str,
        *,
        says: Collection[str],
        told: Callable[[Any, Any], None],
        clock: Clock,
    ) -> None:
        options = exchange.safe_value(exchange.options, "ws", {})
        config = {
            **exchange.streaming,
            "ping": exchange.ping,
            "asyncio_loop": exchange.asyncio_loop,
            "decompressBinary": exchange.safe_bool(exchange.options, "decompressBinary", True),
            "throttle": Limiter(clock, burst=FRAMES_BURST, per_second=FRAMES_PER_SECOND).acquire,
            **options,
            "verbose": False,  # it would print keys
        }
        self._account = account
        self._call = f"stream {line}"
        self._says = says
        self._told = told
        self._asked: dict[str, Any] = {}  # message hash → the watch
        self._clock = clock
        self.connecting = False
        self._broken = False
        self._opening: asyncio.Future[None] | None = None
        self.heard_at = clock.monotonic()
        handlers = (exchange.handle_message, exchange.on_error, exchange.on_close, exchange.on_connected)
        super().__init__(url, *handlers, config)

    def connect(self, session: aiohttp.ClientSession, backoff_delay: float = 0) -> Any:
        """As ccxt's, but what is being opened can be closed. Pauses are made by who owns the client."""
        if not self.url.startswith("wss://"):  # kucoin tells it, and what opens it is part of it
            raise Unreachable(self._account, self._call, "the address of its websocket is not encrypted")
        if not self.connection and not self.connecting:
            self.connecting = True
            self._opening = asyncio.ensure_future(self.open(session))
        return self.connected

    async def close(self, code: int = 1000) -> None:
        self._broken = True
        if self._opening is not None:
            self._opening.cancel()
        await super().close(code)

    async def send(self, message: Any) -> None:
        """Raises `NotAllowed` for what is not on the list: nothing of it leaves."""
        if verb(message) not in self._says:
            raise NotAllowed(self._account, self._call, "this stream only listens: nothing was sent")
        await super().send(message)

    async def beat(self) -> None:
        """Ask for a sign of life. Raises what a broken connection raises."""
        if not self.closed():
            await (self.send(self.ping(self)) if self.ping else self.connection.ping())

    async def ping_loop(self) -> None:
        """Not ccxt's: see `beat`."""

    def handle_message(self, message: Any) -> None:
        """A message that cannot be read ends the connection: what it was to say is not known."""
        self.heard_at = self._clock.monotonic()
        try:
            if self.gunzip and message.type is aiohttp.WSMsgType.BINARY:
                _check_unpacked(message.data)  # ccxt unpacks without a bound
            super().handle_message(message)
        except Exception as error:  # noqa: BLE001  the venue's bytes in somebody else's parser
            self._broken = True
            detail = f"a message that cannot be read ({type(error).__name__})"
            self.on_error(Unreadable(self._account, self._call, detail))

    def handle_text_or_binary_message(self, data: Any) -> None:
        if isinstance(data, str) and 'error"' in data and _is_refusal(data):
            self.on_error(Refused(self._account, self._call, "the venue refused the login"))
            return
        super().handle_text_or_binary_message(data)

    def receive_loop(self) -> None:
        if not self._broken:
            super().receive_loop()

    def future(self, message_hash: str) -> Any:
        """As ccxt's, and looked at: it abandons some, and what they failed with would be printed, address and all."""
        known = self.futures.get(message_hash)
        if (watch := asking.get()) is not None:
            self._asked[message_hash] = watch
        future = super().future(message_hash)
        if future is not known:
            future.add_done_callback(_swallow)
        return future

    def resolve(self, result: Any, message_hash: str) -> Any:
        watch = self._asked.get(message_hash)
        if watch is not None:
            self._told(watch, result)
        return super().resolve(result, message_hash)

    def create_connection(self, session: aiohttp.ClientSession) -> Coroutine[Any, Any, Any]:
        return session.ws_connect(
            self.url,
            autoping=False,
            autoclose=False,
            headers=self.options.get("headers"),
            compress=self.options.get("compress", 15),
            max_msg_size=MESSAGE_MAX,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN),
        ).__aenter__()


def promise() -> Any:
    """A future like ccxt's, and looked at: nobody prints what it failed with."""
    future = Future()
    future.add_done_callback(_swallow)
    return future


def _check_unpacked(data: bytes) -> None:
    """A message of 4 MB may unpack to a thousand times that."""
    unpacked = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, MESSAGE_MAX + 1)
    if len(unpacked) > MESSAGE_MAX:
        raise ValueError("a message unpacks to more than can be meant")


def _is_refusal(text: str) -> bool:
    message = json.loads(text)
    return isinstance(message, dict) and any(said.items() <= message.items() for said in _LOGIN_REFUSED)


def _swallow(future: Any) -> None:
    if not future.cancelled():
        future.exception()
