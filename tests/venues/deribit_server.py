"""A local server that speaks Deribit's dialect over real HTTPS and checks signatures; see `server` for its faults."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.deribit_venue import DeribitVenue
from tests.venues.server import Refusal, VenueServer

API_KEY = "HEDGED-k"
SECRET = "S" * 27 + "HEDGEDTESTSECRET"
WINDOW = 60_000  # milliseconds in which a signature is valid
PREFIX = "/api/v2/"

_AUTHORISATION = re.compile(r"deri-hmac-sha256 id=(?P<id>[^,]+),ts=(?P<ts>\d+),sig=(?P<sig>\w+),nonce=(?P<nonce>\w+)")
_ALL = {"currency": "any"}


class DeribitServer(VenueServer):
    def __init__(self, venue: DeribitVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET
        self.used: set[str] = set()  # nonces
        self.hosts: set[str] = set()

    async def answer(self, request: web.Request) -> Any:
        self.hosts.add(request.host.partition(":")[0])
        asked, path = dict(request.query), request.path.removeprefix(PREFIX)
        if path in self._public():
            return self._reply(self._public()[path](asked))
        if path not in self._private():
            raise self._refusal(-32601, "Method not found")
        self._check_signature(request)
        return self._reply(self._private()[path](asked))

    def _check_signature(self, request: web.Request) -> None:
        sent = _AUTHORISATION.fullmatch(request.headers.get("Authorization", ""))
        if sent is None:
            raise self._refusal(13009, "unauthorized")
        covered = f"{sent['ts']}\n{sent['nonce']}\n{request.method}\n{request.raw_path}\n\n"
        digest = hmac.new(self.secret.encode(), covered.encode(), hashlib.sha256).hexdigest()
        late = abs(int(sent["ts"]) - self.venue.now()) > WINDOW
        if sent["id"] != self.api_key or late or sent["nonce"] in self.used:
            raise self._refusal(13004, "invalid_credentials")
        if not hmac.compare_digest(sent["sig"], digest):
            raise self._refusal(13004, "invalid_credentials")
        self.used.add(sent["nonce"])

    def _public(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "public/get_time": lambda _: venue.now(),
            "public/get_instruments": lambda asked: self._only(
                asked, {**_ALL, "kind": "future", "expired": "false"}, venue.instruments
            ),
            "public/get_index_price_names": lambda _: list(venue.indices),
            "public/get_index_price": lambda asked: {
                "index_price": float(venue.indices[asked["index_name"]]),
                "estimated_delivery_price": float(venue.indices[asked["index_name"]]),
            },
            "public/get_book_summary_by_currency": lambda asked: venue.book_summaries(asked["currency"]),
        }

    def _private(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "private/get_account_summaries": lambda _: {"id": 10, "email": "a@b.c", "summaries": venue.summaries()},
            "private/get_positions": lambda asked: self._only(asked, _ALL, venue.position_rows),
            "private/list_api_keys": lambda _: self._keys(),
            "private/get_user_trades_by_instrument_and_time": lambda asked: {
                "trades": [t for t in venue.trades if _within(t, asked, "instrument_name")],
                "has_more": venue.has_more,
            },
            "private/get_transaction_log": lambda asked: {
                "logs": [log for log in venue.logs if _within(log, asked, "currency")],
                "continuation": venue.continuation,
            },
        }

    def _only(self, asked: dict[str, str], known: dict[str, str], call: Callable[[], Any]) -> Any:
        if asked != known:
            raise self._refusal(-32602, "Invalid params")
        return call()

    def _keys(self) -> Any:
        if self.venue.second_factor:
            raise self._refusal(13668, "security_key_authorization_error")
        return self.venue.keys(self.api_key)

    def _reply(self, result: Any) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "result": result, **self._times()}

    def _refusal(self, code: int, message: str) -> Refusal:
        error = {"message": message, "code": code, "data": {"reason": "as the venue says"}}
        return Refusal(400, {"jsonrpc": "2.0", "error": error, **self._times()})

    def _times(self) -> dict[str, Any]:
        now = self.venue.now() * 1000
        return {"usIn": now - 400, "usOut": now, "usDiff": 400, "testnet": False}


def _within(row: dict[str, Any], asked: dict[str, str], key: str) -> bool:
    return bool(row[key] == asked[key]) and int(asked["start_timestamp"]) <= row["timestamp"] <= int(
        asked["end_timestamp"]
    )
