"""A local server that speaks the dialects of Bitget's two kinds of account over HTTPS, checks signatures, can misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.bitget_orders import listed
from tests.venues.bitget_orders import refusal as _refusal
from tests.venues.bitget_unified_orders import BothDesks
from tests.venues.bitget_venue import BitgetVenue
from tests.venues.server import VenueServer

API_KEY = "bg_" + "k" * 24 + "HEDGEDTEST"
SECRET = "S" * 40 + "HEDGEDTESTSECRET"
PASSPHRASE = "Hedgedtestpassphrase1"
WINDOW = 30_000  # milliseconds in which a request is valid

Answer = Callable[[dict[str, str]], Any]


class BitgetServer(VenueServer):
    def __init__(self, venue: BitgetVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret, self.passphrase = API_KEY, SECRET, PASSPHRASE
        self.demo_key = False
        self.unified = False
        self.desk = BothDesks(venue)

    async def answer(self, request: web.Request) -> Any:
        asked, path = dict(request.query), request.path.removeprefix("/api/v2/")
        if request.method == "GET" and path in self.public():
            return self._reply(self.public()[path](asked))
        order = self.desk.routes().get((request.method, request.path))
        signed = self.signed_of_unified() if request.path.startswith("/api/v3/") else self.signed()
        if order is None and path not in signed:
            raise _refusal("40404", "Request URL NOT FOUND", 404)
        body = (await request.read()).decode()
        self._check_signature(request, body)
        if order is not None:
            return self._reply(order({**asked, **json.loads(body or "{}")}))
        if request.method != "GET":
            raise _refusal("40017", "Request method is not supported")
        return self._reply(signed[path](asked))

    def _reply(self, data: Any) -> dict[str, Any]:
        return {"code": "00000", "msg": "success", "requestTime": self.venue.now(), "data": data}

    def _check_signature(self, request: web.Request, body: str) -> None:
        sent = request.headers
        if not sent.get("ACCESS-KEY"):
            raise _refusal("40006", "Invalid ACCESS_KEY")
        if sent["ACCESS-KEY"] != self.api_key:
            raise _refusal("40037", "Apikey does not exist")
        if self.unified is not request.path.startswith("/api/v3/"):  # before the signature is looked at
            mode, other, code = ("Unified", "Classic", "40085") if self.unified else ("Classic", "Unified", "40084")
            raise _refusal(
                code, f"You are in {mode} Account mode, and the {other} Account API is not supported at this time"
            )
        if (sent.get("PAPTRADING") == "1") is not self.demo_key:
            raise _refusal("40099", "exchange environment is incorrect")
        if not sent.get("ACCESS-TIMESTAMP", "").isdigit():
            raise _refusal("40005", "Invalid ACCESS_TIMESTAMP")
        if abs(int(sent["ACCESS-TIMESTAMP"]) - self.venue.now()) > WINDOW:
            raise _refusal("40008", "Request timestamp expired")
        query = f"?{request.query_string}" if request.query_string else ""
        covered = f"{sent['ACCESS-TIMESTAMP']}{request.method}{request.path}{query}{body}"
        digest = base64.b64encode(hmac.new(self.secret.encode(), covered.encode(), hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(sent.get("ACCESS-SIGN", ""), digest):
            raise _refusal("40009", "sign signature error")
        if sent.get("ACCESS-PASSPHRASE") != self.passphrase:
            raise _refusal("40012", "apikey/password is incorrect")

    def public(self) -> dict[str, Answer]:
        venue = self.venue
        return {
            "public/time": lambda _: {"serverTime": str(venue.now())},
            "spot/public/symbols": lambda _: venue.symbols(),
            "spot/market/tickers": lambda _: venue.spot_tickers(),
            "mix/market/contracts": lambda asked: venue.contracts(asked["productType"]),
            "mix/market/tickers": lambda asked: venue.tickers(asked["productType"]),
            "mix/market/current-fund-rate": lambda asked: venue.funding_rates(asked["productType"]),
            "mix/market/query-position-lever": lambda asked: venue.tiers(asked["symbol"]),
        }

    def signed(self) -> dict[str, Answer]:
        venue = self.venue
        return {
            "spot/account/info": lambda _: venue.info(),
            "spot/account/assets": lambda _: venue.spot_assets(),
            "account/funding-assets": lambda _: venue.funding_assets(),
            "margin/crossed/account/assets": lambda _: venue.crossed_assets(),
            "margin/isolated/account/assets": lambda _: venue.isolated_assets(),
            "earn/account/assets": lambda _: venue.earn_assets(),
            "mix/account/accounts": lambda asked: venue.accounts(asked["productType"]),
            "mix/position/all-position": lambda asked: venue.position_rows(asked["productType"]),
            "mix/order/fills": lambda asked: {"fillList": _page(venue.fills, asked) or None, "endId": None},
            "mix/order/orders-history": lambda asked: listed(_page([*self.desk.rows(), *venue.orders], asked)),
            "mix/account/bill": lambda asked: _bills(_page(venue.bills, asked)),
            "spot/account/bills": lambda asked: _page(venue.spot_bills, asked),
            "margin/crossed/financial-records": lambda asked: {"resultList": _page(venue.margin_bills, asked)},
        }

    def signed_of_unified(self) -> dict[str, Answer]:
        venue = self.venue
        return {
            "/api/v3/account/info": lambda _: venue.account_info(),
            "/api/v3/account/settings": lambda _: venue.settings(),
            "/api/v3/account/assets": lambda _: venue.assets(),
            "/api/v3/account/funding-assets": lambda _: venue.unified_funding(),
            "/api/v3/position/current-position": lambda asked: venue.current_positions(asked["category"]),
            "/api/v3/account/financial-records": venue.financial_records,
            "/api/v3/trade/fills": lambda asked: _listed(venue.traded, asked),
            "/api/v3/trade/history-orders": lambda asked: _listed([*self.desk.unified_rows(), *venue.ended], asked),
        }


def _listed(rows: list[dict[str, Any]], asked: dict[str, str]) -> dict[str, Any]:
    """A page of the unified account's histories, null where there are none."""
    found = [
        row
        for row in rows
        if int(row["createdTime"]) >= int(asked.get("startTime", "0"))
        and all(row[key] == asked[key] for key in {"symbol", "category"} & set(asked) & set(row))
    ][: int(asked["limit"])]
    return {"list": found or None, "cursor": found[-1]["orderId"] if found else None}


def _bills(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"bills": rows, "endId": rows[-1].get("billId", "1") if rows else None}


def _page(rows: list[dict[str, Any]], asked: dict[str, str]) -> list[dict[str, Any]]:
    """Rows from the start on, of the asked contract, product, coin and id, behind a bill asked for, at most a page."""
    keys = {"symbol", "productType", "coin", "clientOid"} & set(asked)
    found = [
        row
        for row in rows
        if int(row["cTime"]) >= int(asked.get("startTime", "0"))
        and all(row[key] == asked[key] for key in keys & set(row))
    ]
    begin = [row["billId"] for row in found].index(asked["idLessThan"]) + 1 if "idLessThan" in asked else 0
    return found[begin : begin + int(asked["limit"])]
