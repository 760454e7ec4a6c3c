"""A local server that speaks Kraken Futures' dialect over real HTTPS and checks signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.krakenfutures_venue import KrakenFuturesVenue
from tests.venues.server import Refusal, VenueServer

API_KEY = "k" * 40 + "HEDGEDTESTKEY"
SECRET = base64.b64encode(b"hedged test secret of a futures account, long enough").decode()


class KrakenFuturesServer(VenueServer):
    def __init__(
        self, venue: KrakenFuturesVenue, cert: Path | None = None, key: Path | None = None, port: int = 0
    ) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET

    async def answer(self, request: web.Request) -> Any:
        path = request.path
        if request.method == "GET" and path in self.public():
            return self.public()[path]()
        if request.method == "GET" and path.startswith("/derivatives/api/v3/tickers/"):
            return self._ok(ticker=self.venue.ticker(path.rsplit("/", 1)[1]))
        if request.method != "GET" or path not in self.signed():
            raise Refusal(404, {"result": "error", "error": "notFound", "serverTime": self.venue.stamp()})
        self._check_signature(request)
        return self.signed()[path](dict(request.query))

    def _check_signature(self, request: web.Request) -> None:
        endpoint = request.path.removeprefix("/derivatives")
        covered = f"{request.raw_path.partition('?')[2]}{request.headers.get('Nonce', '')}{endpoint}"
        digest = hashlib.sha256(covered.encode()).digest()
        expected = base64.b64encode(hmac.digest(base64.b64decode(self.secret), digest, hashlib.sha512)).decode()
        known = request.headers.get("APIKey") == self.api_key
        if known and hmac.compare_digest(request.headers.get("Authent", ""), expected):
            return
        if request.path.startswith("/derivatives"):  # with status 200, as the venue does
            raise Refusal(200, {"result": "error", "error": "authenticationError", "serverTime": self.venue.stamp()})
        raise Refusal(401, {"status": "unauthorized", "reason": "You are not authorized to access this endpoint."})

    def public(self) -> dict[str, Callable[[], Any]]:
        venue = self.venue
        return {
            "/derivatives/api/v3/instruments": lambda: self._ok(instruments=venue.instruments()),
            "/derivatives/api/v3/tickers": lambda: self._ok(tickers=venue.tickers()),
        }

    def signed(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "/derivatives/api/v3/accounts": lambda _: self._ok(accounts=venue.accounts()),
            "/derivatives/api/v3/openpositions": lambda _: self._ok(openPositions=venue.open_positions()),
            "/api/auth/v1/api-keys/v3/check": lambda _: venue.key(),
            "/api/history/v3/account-log": lambda asked: {"accountUid": "u", "logs": _since(venue.log, asked)},
        }

    def _ok(self, **reply: Any) -> dict[str, Any]:
        return {"result": "success", **reply, "serverTime": self.venue.stamp()}


def _since(rows: list[dict[str, Any]], asked: dict[str, str]) -> list[dict[str, Any]]:
    start, count = int(asked.get("since", 0)), int(asked.get("count", 500))
    return [row for row in rows if datetime.fromisoformat(row["date"]).timestamp() * 1000 >= start][:count]
