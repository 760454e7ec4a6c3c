"""A local server that speaks Bybit's v5 dialect over real HTTP or HTTPS, checks signatures, and can misbehave.

In a test:          async with BybitServer(BybitVenue(), cert, key) as server: … server.connect_to …
As a process:       python -m tests.venues.bybit_server --port 8443 --cert server.pem --key server.key \
                        --control-port 8444
Its control (plain HTTP, loopback, JSON):
    POST /control/price     {"asset": "ETH", "price": "3300"}
    POST /control/balance   {"wallet": "spot" | "funding", "asset": "ETH", "free": "10", "locked": "0",
                             "borrowed": "0", "interest": "0"}
    POST /control/position  {"symbol": "ETHUSDT", "amount": "-2", "entry": "3000"}   amount 0: closed without a trace
    POST /control/fault     {"path": "/v5/position/list" | "*", "fault": "hang" | … | null}
    GET  /control/requests  {"requests": [["GET", "/v5/position/list"], …], "writes": 0}
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.bybit_orders import BybitOrders
from tests.venues.bybit_venue import BybitVenue, Coin, Held, VenueRefuses
from tests.venues.server import FAULTS, Refusal, VenueServer

API_KEY = "bybitkey" + "HEDGEDTESTKEY"
SECRET = "s" * 24 + "HEDGEDTESTSECRET"

DAY = 86_400_000  # ms
Answer = Callable[[dict[str, str]], dict[str, Any]]


class BybitServer(VenueServer):
    """`patch`, if set, gets every reply's path, parameters and result, and may change the result."""

    def __init__(self, venue: BybitVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET
        self.desk = BybitOrders(venue)
        self.patch: Callable[[str, dict[str, str], dict[str, Any]], None] | None = None

    async def answer(self, request: web.Request) -> Any:
        try:
            result = await self._result(request)
        except VenueRefuses as refusal:
            body = {"retCode": refusal.code, "retMsg": refusal.message, "result": {}, "retExtInfo": {}}
            raise Refusal(200, {**body, "time": self.venue.now()}) from None
        return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": self.venue.now()}

    async def _result(self, request: web.Request) -> dict[str, Any]:
        query = request.url.raw_query_string
        asked = dict(part.partition("=")[::2] for part in query.split("&") if part)
        public, signed = self.public(), self.signed()
        order = self.desk.routes().get((request.method, request.path))
        if order is not None:
            body = (await request.read()).decode()
            self._check_signature(request, body or query)
            return dict(order({**asked, **json.loads(body or "{}")}))
        if request.method != "GET" or request.path not in public | signed:
            raise VenueRefuses(10017, "Route not found.")
        if request.path in signed:
            self._check_signature(request, query)
        result = (public | signed)[request.path](asked)
        if self.patch is not None:
            self.patch(request.path, asked, result)
        return result

    def _check_signature(self, request: web.Request, payload: str) -> None:
        key, stamp, window, signature = (
            request.headers.get(f"X-BAPI-{name}", "") for name in ("API-KEY", "TIMESTAMP", "RECV-WINDOW", "SIGN")
        )
        if not key or not stamp or not signature:
            raise VenueRefuses(10001, "empty value: apiTimestamp[] apiKey[] apiSignature[]: openapi sign params error!")
        if key != self.api_key:
            raise VenueRefuses(10003, "API key is invalid.")
        text = f"{stamp}{key}{window}{payload}"
        expected = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            raise VenueRefuses(10004, f"error sign! origin_string[{text}]")
        now = self.venue.now()
        if not now - int(window) <= int(stamp) < now + 1000:
            said = f"req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window}]"
            raise VenueRefuses(
                10002, f"invalid request, please check your server timestamp or recv_window param. {said}"
            )

    def public(self) -> dict[str, Answer]:
        venue: BybitVenue = self.venue
        return {
            "/v5/market/time": lambda _: {"timeSecond": str(venue.now() // 1000), "timeNano": f"{venue.now()}000000"},
            "/v5/market/instruments-info": venue.instruments,
            "/v5/market/tickers": venue.tickers,
            "/v5/market/risk-limit": venue.risk_limits,
        }

    def signed(self) -> dict[str, Answer]:
        venue: BybitVenue = self.venue
        return {
            "/v5/account/wallet-balance": self._wallet,
            "/v5/position/list": venue.position_list,
            "/v5/asset/transfer/query-account-coins-balance": lambda _: venue.funding_wallet(),
            "/v5/earn/position": venue.earn_positions,
            "/v5/user/query-api": lambda _: {**venue.key, "apiKey": self.api_key},
            "/v5/execution/list": lambda asked: _since([*venue.fills, *self.desk.fills()], asked, "execTime"),
            "/v5/order/history": lambda asked: _since([*venue.orders, *self.desk.rows()], asked, "createdTime"),
            "/v5/account/transaction-log": lambda asked: _since(venue.log, asked, "transactionTime", alone=DAY),
            "/v5/asset/transfer/query-inter-transfer-list": lambda asked: _since(venue.transfers, asked, "timestamp"),
            "/v5/asset/withdraw/query-record": lambda asked: _since(venue.withdrawals, asked, "createTime", "rows"),
        }

    def _wallet(self, asked: dict[str, str]) -> dict[str, Any]:
        if asked.get("accountType") != "UNIFIED":
            raise VenueRefuses(10001, "accountType only support UNIFIED.")
        return self.venue.wallet_balance()


def _since(
    rows: list[dict[str, Any]], asked: dict[str, str], time_field: str, name: str = "list", alone: int = 7 * DAY
) -> dict[str, Any]:
    """Two rows a page of the asked symbol, coin or currency, from `startTime` to `endTime`: seven days at most, and
    `alone` (ms) from the start on where no end is asked for.
    """
    begin = int(asked.get("startTime", "0"))
    end = int(asked.get("endTime", begin + alone))
    if not 0 <= end - begin <= 7 * DAY:
        raise VenueRefuses(10001, "The time range between startTime and endTime cannot exceed 7 days.")
    keys = [key for key in ("symbol", "coin", "currency") if key in asked]
    found = [
        row
        for row in rows
        if ("startTime" not in asked or begin <= int(row[time_field]) <= end)
        and all(row[key] == asked[key] for key in keys)
        and row.get("orderLinkId", "") == asked.get("orderLinkId", row.get("orderLinkId", ""))
    ]
    start = int(asked.get("cursor", "0"))
    return {name: found[start : start + 2], "nextPageCursor": str(start + 2) if len(found) > start + 2 else ""}


class Control:
    """Lets another process set the venue's truth and its faults."""

    def __init__(self, server: BybitServer) -> None:
        self._server = server

    def app(self) -> web.Application:
        app = web.Application()
        for name in ("price", "balance", "position", "fault"):
            app.router.add_post(f"/control/{name}", getattr(self, f"_{name}"))
        app.router.add_get("/control/requests", self._requests)
        return app

    async def _price(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self._server.venue.prices[asked["asset"]] = Decimal(asked["price"])
        return web.json_response({})

    async def _balance(self, request: web.Request) -> web.Response:
        asked, venue = await request.json(), self._server.venue
        free, locked, borrowed, interest = (
            Decimal(asked.get(name, "0")) for name in ("free", "locked", "borrowed", "interest")
        )
        if asked["wallet"] == "funding":
            venue.funding[asked["asset"]] = free
        else:
            venue.coins[asked["asset"]] = Coin(free + locked, borrowed, interest, locked)
        return web.json_response({})

    async def _position(self, request: web.Request) -> web.Response:
        asked, venue = await request.json(), self._server.venue
        venue.positions.pop(asked["symbol"], None)
        if Decimal(asked["amount"]):
            entry = Decimal(asked.get("entry", venue.mark(asked["symbol"])))
            venue.positions[asked["symbol"]] = Held(Decimal(asked["amount"]), entry)
        return web.json_response({})

    async def _fault(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked.get("fault") is None:
            self._server.faults.pop(asked["path"], None)
        elif asked["fault"] in FAULTS:
            self._server.faults[asked["path"]] = asked["fault"]
        else:
            return web.json_response({"known": FAULTS}, status=400)
        return web.json_response({})

    async def _requests(self, request: web.Request) -> web.Response:
        return web.json_response({"requests": self._server.requests, "writes": len(self._server.writes)})


async def serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with BybitServer(BybitVenue(), options.cert, options.key, options.port) as server:
        server.api_key, server.secret = options.api_key, options.api_secret
        runner = web.AppRunner(Control(server).app(), shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.control_port).start()
        told = {"connect_to": server.connect_to, "control": f"127.0.0.1:{runner.addresses[0][1]}"}
        print(json.dumps(told), flush=True)
        await stop.wait()
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="Bybit's dialect on loopback")
    parser.add_argument("--port", type=int, default=0, help="0: any; the line printed at the start tells which")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--cert", type=Path, help="PEM; without it the server speaks plain HTTP")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--api-secret", default=SECRET)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
