"""A local server that speaks Gate's dialect over real HTTPS, checks signatures, can misbehave."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.gate_orders import SEGMENTS, GateOrders
from tests.venues.gate_venue import GateVenue
from tests.venues.server import Refusal, VenueServer

API_KEY = "c0ffee" + "k" * 16 + "HEDGEDTEST"
SECRET = "S" * 40 + "HEDGEDTESTSECRET"
WINDOW = 60  # seconds in which a request is valid

Answer = Callable[[dict[str, Any]], Any]


class GateServer(VenueServer):
    def __init__(self, venue: GateVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET
        self.forbidden: set[str] = set()  # first words of paths that the key has no permission for
        venue.shown_key = venue.shown_key or API_KEY[:12] + "*****"
        self.desk = GateOrders(venue)
        self.statuses = {f"POST /api/v4/{segment}/orders": 201 for segment in SEGMENTS}

    def named(self, path: str) -> str:
        """An order has a path of its own."""
        orders, slash, _ = path.partition("/orders/")
        return f"{orders}/orders/id" if slash else path

    async def answer(self, request: web.Request) -> Any:
        asked, path = dict(request.query), request.path.removeprefix("/api/v4/")
        parts = path.split("/")
        if request.method == "GET" and (public := self._public(path, parts)) is not None:
            return public(asked)
        private, body = self._private(path, parts), await request.read()
        order = self._order(request.method, parts)
        if private is None and order is None:
            raise _refusal(404, "NOT_FOUND", "no such path here")
        self._check_signature(request, body)
        if order is not None:
            if parts[0] in self.forbidden:
                raise _refusal(403, "FORBIDDEN", f"Request API key does not have {parts[0]} permission")
            return order({**asked, **json.loads(body or b"{}"), **_in_address(request, parts)})
        assert private is not None
        if request.method != "GET":
            raise _refusal(405, "METHOD_NOT_ALLOWED", "method not allowed")
        if parts[0] in self.forbidden:
            raise _refusal(403, "FORBIDDEN", f"Request API key does not have {parts[0]} permission")
        return private(asked)

    def _check_signature(self, request: web.Request, body: bytes) -> None:
        sent = request.headers
        for header in ("KEY", "SIGN", "Timestamp"):
            if not sent.get(header):
                raise _refusal(400, "MISSING_REQUIRED_HEADER", f"Missing required header: {header}")
        if sent["KEY"] != self.api_key:
            raise _refusal(401, "INVALID_KEY", "Invalid key provided")
        if abs(int(sent["Timestamp"]) - self.venue.now() / 1000) > WINDOW:
            raise _refusal(403, "REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60")
        hashed = hashlib.sha512(body).hexdigest()
        covered = "\n".join((request.method, request.path, request.query_string, hashed, sent["Timestamp"]))
        digest = hmac.new(self.secret.encode(), covered.encode(), hashlib.sha512).hexdigest()
        if not hmac.compare_digest(sent["SIGN"], digest):
            raise _refusal(401, "INVALID_SIGNATURE", "Signature mismatch")

    def _public(self, path: str, parts: list[str]) -> Answer | None:
        venue, segment = self.venue, "/".join(parts[:2])
        whole: dict[str, Answer] = {
            "spot/time": lambda _: {"server_time": venue.now()},
            "spot/currency_pairs": lambda _: venue.currency_pairs(),
            "spot/tickers": lambda _: venue.spot_tickers(),
        }
        of_segment: dict[str, Answer] = {
            "contracts": lambda _: venue.contracts(segment),
            "tickers": lambda _: venue.tickers(segment),
            "risk_limit_tiers": lambda asked: venue.tiers(asked["contract"]),
        }
        return whole.get(path) or (of_segment.get(parts[2]) if _is_segment(parts) else None)

    def _private(self, path: str, parts: list[str]) -> Answer | None:
        venue, segment = self.venue, "/".join(parts[:2])
        whole: dict[str, Answer] = {
            "spot/accounts": lambda _: venue.spot_accounts(),
            "spot/account_book": lambda asked: _page(venue.books.get("spot", []), asked),
            "margin/accounts": lambda _: venue.margin_accounts(),
            "margin/account_book": lambda asked: _page(venue.books.get("margin", []), asked),
            "earn/uni/lends": lambda asked: _paged(
                venue.lends(), (int(asked["page"]) - 1) * int(asked["limit"]), asked
            ),
            "earn/uni/lend_records": lambda asked: _page(venue.books.get("earn", []), asked),
            "unified/accounts": lambda _: self._existing(venue.unified_account() if venue.mode_of_account else None),
            "unified/unified_mode": lambda _: venue.unified_mode(),
            "options/positions": lambda _: self._existing(venue.options),
            "account/detail": lambda _: venue.detail(),
            "account/main_keys": lambda _: venue.main_keys(),
        }
        of_segment: dict[str, Answer] = {
            "accounts": lambda _: self._existing(venue.futures_account(segment)),
            "positions": lambda asked: self._positions(segment, asked),
            "my_trades_timerange": lambda asked: _page(venue.fills, asked),
            "account_book": lambda asked: _page(venue.books.get(segment, []), asked),
            **{
                name: lambda asked, name=name: _page(venue.events.get(name, []), asked)  # type: ignore[misc]
                for name in ("liquidates", "auto_deleverages", "settlements")
            },
        }
        return whole.get(path) or (of_segment.get(parts[2]) if _is_segment(parts) else None)

    def _order(self, method: str, parts: list[str]) -> Answer | None:
        what = "/".join(("orders", "id") if len(parts) == 4 and parts[2] == "orders" else parts[2:])
        return self.desk.routes().get((method, what)) if "/".join(parts[:2]) in SEGMENTS else None

    def _existing(self, account: Any) -> Any:
        if account is None:
            message = "please transfer funds first to create futures account"
            raise _refusal(400, "USER_NOT_FOUND", message)
        return account

    def _positions(self, segment: str, asked: dict[str, str]) -> Any:
        self._existing(self.venue.futures_account(segment))
        rows = self.venue.position_rows(segment)
        return _paged(rows, int(asked["offset"]), asked) if segment.startswith("futures") else rows


def _is_segment(parts: list[str]) -> bool:
    return len(parts) == 3 and parts[0] in {"futures", "delivery"}


def _in_address(request: web.Request, parts: list[str]) -> dict[str, str]:
    """What an order's request says beside its parameters; the time until which it is valid comes unsigned."""
    until = request.headers.get("X-Gate-Exptime")
    return {"segment": "/".join(parts[:2]), "id": parts[-1], **({} if until is None else {"until": until})}


def _refusal(status: int, label: str, message: str) -> Refusal:
    return Refusal(status, {"label": label, "message": message})


def _paged(rows: list[Any], start: int, asked: dict[str, str]) -> list[Any]:
    return rows[start : start + int(asked["limit"])]


def _page(rows: list[dict[str, Any]], asked: dict[str, str]) -> list[dict[str, Any]]:
    """Rows from the start on, of the asked contract and currency, at most a page."""
    keys = {"contract", "currency"} & set(asked)
    found = [
        row
        for row in rows
        if float(row.get("time", row.get("create_time", 0))) >= float(asked.get("from", 0))
        and all(row[key] == asked[key] for key in keys & set(row))
    ]
    return found[: int(asked["limit"])]
