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
FAULTS = ("hang", "drop", "reset", *STATUSES, *BODIES, "truncated")


class Refusal(Exception):
    """The venue says no: HTTP status and the JSON it says it with."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


class VenueServer:
    """A venue on loopback; `requests` is all that arrived, as (method, path). A subclass says what it answers."""

    def __init__(self, venue: Any, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        self.venue = venue
        self.candles = Candles(lambda: self.venue.now())  # noqa: PLW0108  asked each time, for tests replace it
        self.requests: list[tuple[str, str]] = []
        self.faults: dict[str, str] = {}  # path, or "*" → fault
        self.replies: dict[str, str] = {}  # path → the very text to answer with status 200
        self.held: dict[str, asyncio.Event] = {}  # path → answered once this is set
        self.responses: dict[str, dict[str, Any]] = {}  # path → aiohttp's arguments of any other response
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
        return [request for request in self.requests if request[0] != "GET"]

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

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        if request.path in self.held:
            await self.held[request.path].wait()
        fault = self.faults.get(request.path, self.faults.get("*"))
        if fault in {"hang", "drop", "reset"}:
            return await self._vanish(request, fault)
        if fault in STATUSES:
            return web.Response(status=STATUSES[fault], text="<html>error</html>", content_type="text/html")
        if fault in BODIES:
            return web.Response(text=BODIES[fault], content_type="application/json")
        if request.path in self.responses:
            return web.Response(**self.responses[request.path])
        if request.path in self.replies:
            return web.Response(text=self.replies[request.path], content_type="application/json")
        try:
            past = answer(request.path, request.query, self.candles) if request.method == "GET" else None
            text = json.dumps(await self.answer(request) if past is None else past)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        if fault == "truncated":
            text = text[: len(text) // 2]
        return web.Response(text=text, content_type="application/json")

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
