"""`/alerts`, `/metrics`, `/healthz` and `/readyz`, read-only and meant for this machine.

A page in a browser may not reach it by a name of its own: a request whose Host is not this server's is answered with
421. Where there is a token it is asked for, and off loopback there has to be one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from hedged.daemon.vitals import Vitals
from hedged.ports import Clock
from hedged.web.address import is_loopback

if TYPE_CHECKING:
    from hedged.web.alerts import AlertPages
    from hedged.web.figures import Figures

AGAIN_AFTER = 10.0  # seconds: somebody else has the address, perhaps the process that we replace
CLOSE_WITHIN = 0.5
CONNECTIONS_MAX = 32  # at once: whoever can reach it must not use up the daemon's file descriptors

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Server": "hedged"}

_MISDIRECTED = (
    "this server is not known by the name that you asked for: name it in `names` under `[web]`, without a port, if it "
    "is to be\n"
)

_log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where to listen, under which further names, and what `/metrics` asks for."""

    host: str
    port: int
    names: Collection[str] = ()
    token: str | None = field(default=None, repr=False)


class WebServer:
    """`run`, a task of the daemon, listens until cancelled. Takes no signal for itself."""

    def __init__(self, options: WebOptions, figures: Figures, pages: AlertPages, vitals: Vitals, clock: Clock) -> None:
        self._options = options
        self._figures = figures
        self._pages = pages
        self._vitals = vitals
        self._clock = clock
        self.port: int | None = None  # while it listens

    async def run(self) -> None:
        app = web.Application(middlewares=[self._guarded], client_max_size=1024)
        for path, handler in (("/metrics", self._metrics), ("/healthz", self._alive), ("/readyz", self._ready)):
            app.router.add_get(path, handler, allow_head=False)
        self._pages.add_to(app)
        complained = False
        while True:
            listening: asyncio.Server | None = None
            runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=CLOSE_WITHIN)
            await runner.setup()
            try:
                listening = await self._listen(runner)
                if complained:
                    _log.info("pages and figures are served now", address=self._address)
                await asyncio.Event().wait()  # not `serve_forever`, which ends only when every client has gone
            except OSError as error:
                if not complained:
                    _log.error(
                        "pages and figures cannot be served, trying again", address=self._address, error=error.strerror
                    )
                complained = True
            finally:
                self.port = None
                if listening is not None:
                    listening.close()
                await runner.cleanup()
            await self._clock.sleep(AGAIN_AFTER)

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        server = runner.server

        def answer() -> asyncio.BaseProtocol:
            if server is None or len(server.connections) >= CONNECTIONS_MAX:
                return _Refused()
            return server()

        listening = await asyncio.get_running_loop().create_server(
            answer, self._options.host, self._options.port, backlog=CONNECTIONS_MAX
        )
        self.port = listening.sockets[0].getsockname()[1]
        return listening

    @property
    def _address(self) -> str:
        return f"{self._options.host}:{self._options.port}"

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._is_ours(request.headers.get("Host", "")):
            return _text(_MISDIRECTED, 421, _HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as error:  # no such page, no such method
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            response = _text(f"{error.reason}\n", error.status, allowed)
        response.headers.update(_HEADERS)
        return response

    def _is_ours(self, host: str) -> bool:
        """Addresses can be no trap, as names can: a name has to be known to be this server's."""
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if name in {"localhost", self._options.host, *map(str.lower, self._options.names)}:
            return True
        try:
            address = ip_address(name or "")
        except ValueError:
            return False
        return address.is_loopback or not is_loopback(self._options.host)

    async def _metrics(self, request: web.Request) -> web.Response:
        token = self._options.token
        if token is not None and not compare_digest(
            request.headers.get("Authorization", "").encode(errors="replace"), f"Bearer {token}".encode()
        ):
            return _text("a token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
        body, content_type = self._figures.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _alive(self, _request: web.Request) -> web.Response:
        return _text("ok\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        """Whether what hedged knows of the portfolio is how things are."""
        silent = self._vitals.silent_for()
        if self._vitals.fresh() is not None:
            return _text("ready\n")
        since = "no cycle has been completed yet" if silent is None else f"no cycle was completed for {silent:.0f} s"
        return _text(f"{since}, at an interval of {self._vitals.every.total_seconds():g} s\n", 503)


class _Refused(asyncio.Protocol):
    """One connection too many: it is closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _text(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text, status=status, headers=headers)
