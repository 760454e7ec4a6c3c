"""A local server that speaks MEXC's dialect over real HTTP or HTTPS, checks signatures, and can misbehave.

The venue has two ways to sign and to say no: spot (`/api/v3`) takes key, time and signature like Binance and refuses
with an HTTP status and {"code", "msg"}; contracts (`/api/v1`) take them as headers and refuse with status 200 and
{"success": false, "code", "message"}.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.mexc_orders import EXTERNAL, OPEN, MexcOrders
from tests.venues.mexc_venue import MexcVenue, VenueRefuses
from tests.venues.server import Refusal, VenueServer

API_KEY = "mx0" + "HEDGEDTESTKEY0001"
SECRET = "s" * 19 + "HEDGEDTESTSECRET"
FUNDING = "/api/v1/contract/funding_rate/"
_PRIVATE = "/api/v1/private"
_SKEW_MAX = 10_000  # milliseconds, of contract requests


class MexcServer(VenueServer):
    def __init__(self, venue: MexcVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET
        self.desk = MexcOrders(venue)

    def named(self, path: str) -> str:
        return next((start for start in (EXTERNAL, OPEN) if path.startswith(f"{start}/")), path)

    async def answer(self, request: web.Request) -> Any:
        contracts = request.path.startswith("/api/v1/")
        try:
            data = self._answer(request, (await request.read()).decode())
        except VenueRefuses as refusal:
            if contracts:
                said = {"success": False, "code": refusal.code, "message": refusal.message}
            else:
                said = {"code": refusal.code, "msg": refusal.message}
            raise Refusal(refusal.status, said) from None
        return {"success": True, "code": 0, "data": data} if contracts else data

    def _answer(self, request: web.Request, body: str) -> Any:
        path, raw = request.path, request.url.raw_query_string
        asked = dict(part.partition("=")[::2] for part in raw.split("&") if part)
        order = self.desk.routes().get((request.method, self.named(path)))
        if order is not None:
            self._check_contract(request, body or raw)
            inside = path.removeprefix(self.named(path)).split("/")[1:]
            return order({**asked, **dict(zip(("symbol", "external_oid"), inside, strict=False)), **_json(body)})
        if request.method != "GET":
            raise VenueRefuses(404, 404, "no such path here")
        if path in self.public():
            return self.public()[path]()
        if path.startswith(FUNDING):
            return self.venue.funding(path.removeprefix(FUNDING))
        if path.startswith(_PRIVATE):
            self._check_contract(request, raw)
        else:
            self._check_spot(request.headers.get("X-MEXC-APIKEY", ""), raw, asked)
        if path not in self.private():
            raise VenueRefuses(404, 404, "no such path here")
        return self.private()[path]({name: value.replace("%2C", ",") for name, value in asked.items()})

    def _check_spot(self, key: str, raw: str, asked: dict[str, str]) -> None:
        if key != self.api_key:
            raise VenueRefuses(400, 10072, "Api key info invalid")
        if "timestamp" not in asked:
            raise VenueRefuses(
                400, 700004, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
            )
        payload, _, signature = raw.rpartition("&signature=")
        if not self._signed(payload, signature):
            raise VenueRefuses(400, 700002, "Signature for this request is not valid.")
        ahead = int(asked["timestamp"]) - self.venue.now()
        if ahead >= 1000 or -ahead > int(asked.get("recvWindow", "5000")):
            raise VenueRefuses(400, 700003, "Timestamp for this request is outside of the recvWindow.")

    def _check_contract(self, request: web.Request, raw: str) -> None:
        key, when = request.headers.get("ApiKey", ""), request.headers.get("Request-Time", "")
        if key != self.api_key:
            raise VenueRefuses(200, 401, "No authority!")
        if not when.isdigit() or abs(int(when) - self.venue.now()) > _SKEW_MAX:
            raise VenueRefuses(200, 513, "Invalid request, please try again later")
        names = [part.partition("=")[0] for part in request.url.raw_query_string.split("&") if part]
        if names != sorted(names) or not self._signed(key + when + raw, request.headers.get("Signature", "")):
            raise VenueRefuses(200, 602, "Signature verification failed!")

    def _signed(self, payload: str, signature: str) -> bool:
        expected = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(signature, expected)

    def public(self) -> dict[str, Callable[[], Any]]:
        venue = self.venue
        return {
            "/api/v3/time": lambda: {"serverTime": venue.now()},
            "/api/v3/exchangeInfo": venue.spot_info,
            "/api/v3/ticker/price": venue.spot_prices,
            "/api/v1/contract/detail": venue.contract_detail,
            "/api/v1/contract/ticker": venue.tickers,
        }

    def private(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "/api/v3/account": lambda _: venue.spot_account(),
            "/api/v3/margin/isolated/account": venue.margin_account,
            "/api/v3/apiKeyInfo": self._key_info,
            "/api/v3/myTrades": lambda asked: _since(venue.spot_trades, asked, "time"),
            "/api/v3/capital/transfer": lambda asked: _rows(_since(venue.spot_transfers, asked, "timestamp")),
            "/api/v3/capital/withdraw/history": lambda asked: _since(venue.withdrawals, asked, "applyTime"),
            "/api/v1/private/account/assets": lambda _: venue.assets(),
            "/api/v1/private/position/open_positions": lambda _: venue.open_positions(),
            "/api/v1/private/position/position_mode": lambda _: venue.position_mode,
            "/api/v1/private/order/list/order_deals": lambda asked: _page(
                _since(venue.deals, asked, "timestamp"), asked
            ),
            "/api/v1/private/order/list/history_orders": lambda asked: _page(
                _since([*venue.orders, *self.desk.rows()], asked, "updateTime"), asked
            ),
            "/api/v1/private/account/transfer_record": lambda asked: _listed(venue.transfers, asked),
            "/api/v1/private/position/funding_records": lambda asked: _listed(venue.funding_paid, asked),
        }

    def _key_info(self, asked: dict[str, str]) -> Any:
        if asked.get("accessKey") != self.api_key:
            raise VenueRefuses(400, 730706, "API KEY information does not exist")
        return {"accessKey": self.api_key, **self.venue.key_info()}


def _json(body: str) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(body) if body else {}
    return asked


def _since(rows: list[dict[str, Any]], asked: dict[str, str], time_field: str) -> list[dict[str, Any]]:
    """Rows of the asked symbol from the asked time on: `startTime` in spot calls, `start_time` in contract calls."""
    start = int(asked.get("startTime", asked.get("start_time", "0")))
    of_symbol = [row for row in rows if "symbol" not in asked or row["symbol"] == asked["symbol"]]
    return [row for row in of_symbol if int(row[time_field]) >= start]


def _page(rows: list[dict[str, Any]], asked: dict[str, str]) -> list[dict[str, Any]]:
    size = int(asked.get("page_size", "20"))
    if size > 100:
        raise VenueRefuses(200, 600, "Parameter error")
    start = (int(asked.get("page_num", "1")) - 1) * size
    return rows[start : start + size]


def _listed(rows: list[dict[str, Any]], asked: dict[str, str]) -> dict[str, Any]:
    size = int(asked.get("page_size", "20"))
    page = {"pageSize": size, "totalCount": len(rows), "totalPage": -(-len(rows) // size)}
    return {**page, "currentPage": int(asked.get("page_num", "1")), "resultList": _page(rows, asked)}


def _rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rows": rows, "total": len(rows)}
