"""A local server in a venue's place, over real HTTP or HTTPS, that can misbehave in every way seen so far."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.venues.candles import Candles, answer

STATUSES = {"500": 500, "502": 502, "504": 504, "429": 429, "418": 418, "403": 403}
BODIES = {
    "html": "<html><body>Service temporarily down</body></html>",
    "empty": "",
    "null": "null",
    "list": "[]",
    "object": "{}",
    "number": "12",
    "words": '["a", "b"]',
    "nested": '{"symbols": 1, "assets": null, "balances": "x", "userAssets": {}, "serverTime": []}',
    "nan": '[{"symbol": "ETHUSDT", "markPrice": NaN, "price": NaN}]',
}
LISTEN_KEYS = frozenset(
    {
        "/fapi/v1/listenKey",
        "/dapi/v1/listenKey",
        "/papi/v1/listenKey",
        "/sapi/v1/userListenToken",
        "/openApi/user/auth/userDataStream",
        "/api/v1/bullet-public",
        "/api/v1/bullet-private",
    }
)
FAULTS = ("hang", "drop", "reset", *STATUSES, *BODIES, "truncated")


class Refusal(Exception):
    """The venue says no: HTTP status and the JSON it says it with."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


class VenueServer:
    """A venue on loopback; `requests` is all that arrived, as (method, path). A subclass says what it answers.

    What misbehaves is named by its path, or by "METHOD /path" where one path does several things.
    """

    def __init__(self, venue: Any, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        self.venue = venue
        self.candles = Candles(lambda: self.venue.now())  # noqa: PLW0108  asked each time, for tests replace it
        self.requests: list[tuple[str, str]] = []
        self.faults: dict[str, str] = {}  # path, or "*" → fault
        self.replies: dict[str, str] = {}  # path or path?query → the very text to answer with status 200
        self.answered: dict[str, Any] | None = None  # if set: path and path?query → the first right reply to it
        self.held: dict[str, asyncio.Event] = {}  # path → answered once this is set
        self.responses: dict[str, dict[str, Any]] = {}  # path → aiohttp's arguments of any other response
        self.statuses: dict[str, int] = {}  # "METHOD /path" → status of a right reply, where it is not 200
        self.sent: dict[str, str] = {}  # "METHOD /path" → the last right reply
        self.desk: Any = None  # where the venue takes orders
        self.blind: set[str] = set()  # paths that do not see any order
        self.first_done: set[str] = set()  # paths that do what they are asked, and misbehave only in answering
        self.streams: Any = None  # a `streams.Hub`, where a test has one
        self._port = port
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if cert else None
        if self._tls:
            self._tls.load_cert_chain(cert, key)
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def connect_to(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What could have changed something; a listen key lets one listen and no more."""
        return [(method, path) for method, path in self.requests if method != "GET" and path not in LISTEN_KEYS]

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()  # lets those go that were left hanging
        assert self._runner is not None
        await self._runner.cleanup()

    def named(self, path: str) -> str:
        """What a path is called where it is made to misbehave: some end in a market, or in an id."""
        return path

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        if self.streams is not None and (streamed := await self.streams.answer(request)) is not None:
            return streamed
        path = self.named(request.path)
        here = (f"{request.method} {path}", path)
        for path in self.held.keys() & here:
            await self.held[path].wait()
        if self.first_done.intersection(here):
            try:
                await self.answer(request)
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status)
        fault = next((self.faults[path] for path in (*here, "*") if path in self.faults), None)
        if fault in {"hang", "drop", "reset"}:
            return await self._vanish(request, fault)
        if fault in STATUSES:
            return web.Response(status=STATUSES[fault], text="<html>error</html>", content_type="text/html")
        if fault in BODIES:
            return web.Response(text=BODIES[fault], content_type="application/json")
        for path in self.responses.keys() & here:
            return web.Response(**self.responses[path])
        asked = f"{request.path}?{request.url.raw_query_string}"
        for name in (asked, *here):
            if name in self.replies:
                return web.Response(text=self.replies[name], content_type="application/json")
        orders = self.desk.orders if self.desk else []
        if self.blind.intersection(here):
            self.desk.orders = []
        try:
            past = answer(request.path, request.query, self.candles) if request.method == "GET" else None
            text = json.dumps(await self.answer(request) if past is None else past)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        finally:
            if self.blind.intersection(here):
                self.desk.orders = orders
        self.sent[here[0]] = text
        if self.answered is not None:
            for name in (asked, request.path):
                self.answered.setdefault(name, json.loads(text))
        if fault == "truncated":
            text = text[: len(text) // 2]
        return web.Response(text=text, status=self.statuses.get(here[0], 200), content_type="application/json")

    async def _vanish(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault == "hang":
            await self._closing.wait()
        elif request.transport is not None:
            if fault == "reset":  # linger 0: the kernel answers with RST
                raw = request.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        return web.Response()

    async def answer(self, request: web.Request) -> Any:
        """The reply's JSON. Checks key and signature where the venue does; raises `Refusal`."""
        raise NotImplementedError
