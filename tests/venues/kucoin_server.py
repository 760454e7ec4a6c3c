"""A local server that speaks KuCoin's dialect over real HTTPS and checks signatures; see `server` for its faults."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.kucoin_orders import BY_CLIENT_ID, KucoinOrders
from tests.venues.kucoin_venue import KucoinVenue
from tests.venues.server import Refusal, VenueServer

API_KEY = "k" * 12 + "-HEDGED-TEST"
SECRET = "S" * 20 + "-HEDGED-TEST-SECRET"
PASSPHRASE = "hedged-test-passphrase"
WINDOW = 5_000  # milliseconds in which a request is valid

Answer = Callable[[dict[str, str]], Any]


class KucoinServer(VenueServer):
    def __init__(self, venue: KucoinVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret, self.passphrase = API_KEY, SECRET, PASSPHRASE
        self.desk = KucoinOrders(venue)

    def named(self, path: str) -> str:
        return BY_CLIENT_ID if path.startswith(f"{BY_CLIENT_ID}/") else path

    async def answer(self, request: web.Request) -> Any:
        asked, futures = dict(request.query), request.host.startswith("api-futures")
        path = request.path.removeprefix("/api/")
        public = self._public_futures(path) if futures else self._public()
        if path in public:
            return {"code": "200000", "data": public[path](asked)}
        private = self._private_futures() if futures else self._private()
        order = self.desk.routes().get((request.method, self.named(request.path))) if futures else None
        if order is None and (path not in private or request.method != "GET"):
            raise _refusal(404, "404000", "Url Not Found")
        body = (await request.read()).decode()
        self._check_signature(request, body)
        if order is None:
            return {"code": "200000", "data": private[path](asked)}
        if self.named(request.path) == BY_CLIENT_ID:
            asked["clientOid"] = path.rpartition("/")[2]
        return {"code": "200000", "data": order({**asked, **json.loads(body or "{}")})}

    def _check_signature(self, request: web.Request, body: str) -> None:
        sent = request.headers
        if "KC-API-KEY" not in sent:
            raise _refusal(401, "400001", "Please check the header of your request for KC-API-KEY")
        if abs(int(sent["KC-API-TIMESTAMP"]) - self.venue.now()) > WINDOW:
            raise _refusal(400, "400002", "Invalid KC-API-TIMESTAMP")
        if sent["KC-API-KEY"] != self.api_key:
            raise _refusal(401, "400003", "KC-API-KEY not exists")
        covered = f"{sent['KC-API-TIMESTAMP']}{request.method}{request.raw_path}{body}"
        if not hmac.compare_digest(sent["KC-API-SIGN"], self._sign(covered)):
            raise _refusal(401, "400005", "Invalid KC-API-SIGN")
        if sent["KC-API-KEY-VERSION"] != "2" or sent["KC-API-PASSPHRASE"] != self._sign(self.passphrase):
            raise _refusal(401, "400004", "Invalid KC-API-PASSPHRASE")

    def _sign(self, text: str) -> str:
        return base64.b64encode(hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()).decode()

    def _public(self) -> dict[str, Answer]:
        venue = self.venue
        return {
            "v1/timestamp": lambda _: venue.now(),
            "v2/symbols": lambda _: venue.symbols(),
            "v1/market/allTickers": lambda _: venue.spot_tickers(),
        }

    def _public_futures(self, path: str) -> dict[str, Answer]:
        venue = self.venue
        return {
            "v1/timestamp": lambda _: venue.now(),
            "v1/contracts/active": lambda _: venue.contracts(),
            "v1/allTickers": lambda _: venue.tickers(),
            **({path: lambda _: venue.risk_limits(path.rpartition("/")[2])} if "/risk-limit/" in path else {}),
        }

    def _private(self) -> dict[str, Answer]:
        venue = self.venue
        return {
            "ua/v1/account/mode": lambda _: {"selfAccountMode": venue.mode},
            "v1/accounts": lambda _: venue.account_rows(),
            "v3/margin/accounts": lambda _: venue.cross_margin(),
            "v3/isolated/accounts": lambda _: venue.isolated_margin(),
            "v1/user/api-key": lambda _: {"permission": venue.permission, "ipWhitelist": venue.ip_whitelist},
            "v1/accounts/ledgers": lambda asked: _page([r for r in venue.ledger if _within(r, asked, "currency")]),
            "v1/hf/accounts/ledgers": lambda asked: [r for r in venue.trading_ledger if _within(r, asked, "currency")],
        }

    def _private_futures(self) -> dict[str, Answer]:
        venue = self.venue
        return {
            "v1/account-overview": lambda asked: venue.overview(asked["currency"]),
            "v1/positions": lambda _: venue.position_rows(),
            "v2/position/getPositionMode": lambda _: {"positionMode": venue.position_mode},
            "v1/fills": lambda asked: _page([row for row in venue.fills if _within(row, asked, "symbol")]),
            "v1/funding-history": lambda asked: {
                "hasMore": venue.funding_goes_on,
                "dataList": [row for row in venue.fundings if _within(row, asked, "symbol", "timePoint")],
            },
            "v1/transaction-history": lambda asked: {
                "hasMore": False,
                "dataList": [row for row in venue.futures_ledger if _within(row, asked, "currency")],
            },
        }


def _within(row: dict[str, Any], asked: dict[str, str], key: str, time: str = "createdAt") -> bool:
    return bool(row[key] == asked[key]) and int(asked["startAt"]) <= row[time]


def _page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"currentPage": 1, "pageSize": 500, "totalNum": len(rows), "totalPage": 1, "items": rows}


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, {"code": code, "msg": message})
