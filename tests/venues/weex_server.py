"""A local server that speaks WEEX's dialect over real HTTP or HTTPS, checks signatures, and can misbehave.

In a test:          async with WeexServer(WeexVenue(), cert, key) as server: … server.connect_to …
As a process:       python -m tests.venues.weex_server --port 8443 --cert server.pem --key server.key \
                        --control-port 8444
Its control is that of `binance_server`; there is no margin wallet.

The codes are the venue's. The HTTP status beside them is documented nowhere: 401 and 400 stand in for it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.binance_server import Control
from tests.venues.server import Refusal, VenueServer
from tests.venues.weex_orders import WeexOrders
from tests.venues.weex_venue import WeexVenue

API_KEY = "weex_" + "k" * 32 + "HEDGEDTESTKEY"
SECRET = "s" * 32 + "HEDGEDTESTSECRET"
PASSPHRASE = "HEDGEDTESTPASSPHRASE"
VALID_FOR = 30_000  # milliseconds
DAY = 86_400_000

Answer = Callable[[dict[str, Any]], Any]


def refusal(status: int, code: int, message: str) -> Refusal:
    return Refusal(status, {"code": code, "msg": message})


class WeexServer(VenueServer):
    def __init__(self, venue: WeexVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret, self.passphrase = API_KEY, SECRET, PASSPHRASE
        self.desk = WeexOrders(venue)
        self.asked: list[tuple[str, dict[str, Any]]] = []  # path and parameters of signed calls

    async def answer(self, request: web.Request) -> Any:
        body = (await request.read()).decode()
        if request.method == "GET" and request.path in self._public():
            return self._public()[request.path]()
        signed = self._signed().get((request.method, request.path))
        if signed is None:
            raise refusal(400, -1150, f"Request method '{request.method}' not supported")
        self._check_signature(request, body)
        if request.method == "POST" and request.headers.get("Content-Type") != "application/json":
            raise refusal(400, -1045, "Invalid Content-Type, please use application/json.")
        asked = {**request.query, **(json.loads(body) if body else {})}
        self.asked.append((request.path, asked))
        return signed(asked)

    def _check_signature(self, request: web.Request, body: str) -> None:
        names = ("ACCESS-KEY", "ACCESS-SIGN", "ACCESS-TIMESTAMP", "ACCESS-PASSPHRASE")
        key, signature, stamp, passphrase = (request.headers.get(name, "") for name in names)
        for code, value in ((-1040, key), (-1041, signature), (-1042, stamp)):
            if not value:
                raise refusal(401, code, "A header is required.")
        if not stamp.isdigit():
            raise refusal(401, -1043, "Invalid ACCESS_TIMESTAMP.")
        if abs(int(stamp) - self.venue.now()) > VALID_FOR:
            raise refusal(401, -1046, "Request timestamp expired.")
        if key != self.api_key:
            raise refusal(401, -1044, "Invalid ACCESS_KEY.")
        if passphrase != self.passphrase:
            raise refusal(401, -1049, "API key or passphrase incorrect.")
        payload = f"{stamp}{request.method}{request.raw_path}{body}"
        expected = base64.b64encode(hmac.digest(self.secret.encode(), payload.encode(), hashlib.sha256)).decode()
        if not hmac.compare_digest(signature, expected):
            raise refusal(401, -1047, "API authentication failed.")

    def _public(self) -> dict[str, Callable[[], Any]]:
        venue = self.venue
        return {
            "/api/v3/time": lambda: {"serverTime": venue.now()},
            "/api/v3/exchangeInfo": venue.spot_info,
            "/capi/v3/market/exchangeInfo": venue.futures_info,
            "/api/v3/market/ticker/price": venue.spot_prices,
            "/capi/v3/market/premiumIndex": venue.premium_index,
            "/capi/v3/market/ticker/bookTicker": venue.book_tickers,
        }

    def _signed(self) -> dict[tuple[str, str], Answer]:
        venue = self.venue
        return {
            **self.desk.routes(),
            ("GET", "/api/v3/account/"): lambda _: venue.spot_account(),
            ("GET", "/capi/v3/account/balance"): lambda _: venue.futures_balance(),
            ("GET", "/capi/v3/sim/balance"): lambda _: venue.futures_balance(),
            ("GET", "/capi/v3/account/position/allPosition"): lambda _: venue.all_positions(),
            ("GET", "/capi/v3/sim/position/allPosition"): lambda _: venue.all_positions(),
            ("GET", "/capi/v3/userTrades"): lambda asked: _since([*venue.fills, *self.desk.fills()], asked, days=7),
            ("GET", "/capi/v3/order/history"): lambda asked: _since([*venue.orders, *self.desk.rows()], asked, days=90),
            ("GET", "/capi/v3/sim/order/history"): lambda asked: _since(venue.orders, asked, days=90),
            ("POST", "/capi/v3/account/income"): lambda asked: venue.income_page(_since(venue.income, asked, days=100)),
            ("POST", "/api/v3/account/bills"): lambda asked: venue.bills[: int(asked.get("limit", 10))],
        }


def _since(rows: list[dict[str, Any]], asked: dict[str, Any], *, days: int) -> list[dict[str, Any]]:
    """Rows of the asked range that have the asked symbol and asset, at most `limit`."""
    start, end = int(asked["startTime"]), int(asked["endTime"])
    if start > end:
        raise refusal(400, -1171, "startTime cannot be greater than endTime.")
    if end - start > days * DAY:
        raise refusal(400, -1170, f"Time range cannot exceed {days} days.")
    found = [
        row
        for row in rows
        if start <= int(row["time"]) <= end
        and all(row.get(key, asked[key]) == asked[key] for key in ("symbol", "asset") if key in asked)
    ]
    size, page = int(asked["limit"]), int(asked.get("page", 0))
    return found[size * page : size * (page + 1)]


async def serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with WeexServer(WeexVenue(), options.cert, options.key, options.port) as server:
        runner = web.AppRunner(Control(server).app(), shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.control_port).start()
        control = f"127.0.0.1:{runner.addresses[0][1]}"
        print(json.dumps({"connect_to": server.connect_to, "control": control}), flush=True)
        await stop.wait()
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="WEEX's dialect on loopback")
    parser.add_argument("--port", type=int, default=0, help="0: any; the line printed at the start tells which")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--cert", type=Path, help="PEM; without it the server speaks plain HTTP")
    parser.add_argument("--key", type=Path)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
