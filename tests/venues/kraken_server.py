"""A local server that speaks Kraken's dialect over real HTTPS; checks signatures, and that nonces only grow."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from tests.venues.kraken_venue import KrakenVenue
from tests.venues.server import Refusal, VenueServer

LISTEN_TOKEN = "listentoken"
API_KEY = "k" * 40 + "HEDGEDTESTKEY"
SECRET = base64.b64encode(b"hedged test secret of a spot account, which is long enough too").decode()


class KrakenServer(VenueServer):
    def __init__(self, venue: KrakenVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET
        self.nonce = 0  # the largest that came

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What is no GET and none of the private calls that read."""
        reads = {("POST", f"/0/private/{name}") for name in self.signed()}
        return [request for request in super().writes if request not in reads]

    async def answer(self, request: web.Request) -> Any:
        group, _, name = request.path.removeprefix("/0/").partition("/")
        if request.method == "GET" and group == "public" and name in self.public():
            return _reply(self.public()[name](dict(request.query)))
        if request.method != "POST" or group != "private" or name not in self.signed():
            raise _refusal("EGeneral:Unknown method")
        body = (await request.read()).decode()
        asked = {key: values[0] for key, values in parse_qs(body).items()}
        self._check_signature(request, body, asked)
        return _reply(self.signed()[name](asked))

    def _check_signature(self, request: web.Request, body: str, asked: dict[str, str]) -> None:
        if request.headers.get("API-Key") != self.api_key:
            raise _refusal("EAPI:Invalid key")
        digest = hashlib.sha256(f"{asked.get('nonce', '')}{body}".encode()).digest()
        secret = base64.b64decode(self.secret)
        expected = base64.b64encode(hmac.digest(secret, request.path.encode() + digest, hashlib.sha512)).decode()
        if not hmac.compare_digest(request.headers.get("API-Sign", ""), expected):
            raise _refusal("EAPI:Invalid signature")
        if int(asked["nonce"]) <= self.nonce:
            raise _refusal("EAPI:Invalid nonce")
        self.nonce = int(asked["nonce"])

    def public(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "Time": lambda _: {"unixtime": venue.now() // 1000, "rfc1123": "Mon,  2 Nov 26 12:00:00 +0000"},
            "AssetPairs": lambda _: venue.asset_pairs(),
            "Ticker": lambda asked: venue.ticker(asked["pair"]),
        }

    def signed(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "BalanceEx": lambda _: venue.balance_ex(),
            "OpenPositions": lambda _: venue.open_positions(),
            "Ledgers": lambda asked: venue.ledgers(int(asked["start"])),
            "GetApiKeyInfo": lambda _: venue.key_info(),
            "GetWebSocketsToken": lambda _: self._listen_token(),
        }

    def _listen_token(self) -> dict[str, Any]:
        self.streams.listen_keys.append("POST")
        if self.streams.refuse_login:
            raise _refusal("EGeneral:Permission denied")
        return {"token": LISTEN_TOKEN, "expires": 900}


def _reply(result: Any) -> dict[str, Any]:
    return {"error": [], "result": result}


def _refusal(*errors: str) -> Refusal:
    """With status 200, as the venue does."""
    return Refusal(200, {"error": list(errors)})
