"""A local server that speaks BingX's dialect over real HTTP or HTTPS, checks signatures, and can misbehave.

In a test:          async with BingXServer(BingXVenue(), cert, key) as server: … server.connect_to …
As a process:       python -m tests.venues.bingx_server --port 8443 --cert server.pem --key server.key
Its errors come as the venue's do: status 200 and a code in the body.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.venues.bingx_orders import BingXOrders
from tests.venues.bingx_venue import INVERSE, BingXVenue
from tests.venues.server import Refusal, VenueServer

API_KEY = "k" * 32 + "HEDGEDTESTKEY"
SECRET = "s" * 32 + "HEDGEDTESTSECRET"
RECV_WINDOW = 5000  # milliseconds, the venue's default

FILLS = "/openApi/swap/v2/trade/fillHistory"
FORCED, FORCED_COINS = "/openApi/swap/v2/trade/forceOrders", "/openApi/cswap/v1/trade/forceOrders"
ORDERS, ORDERS_COINS = "/openApi/swap/v2/trade/allOrders", "/openApi/cswap/v1/trade/orderHistory"
INCOME = "/openApi/swap/v2/user/income"
TRADES = "/openApi/spot/v1/trade/myTrades"
WITHDRAWALS = "/openApi/api/v3/capital/withdraw/history"
TRANSFERS = "/openApi/api/v3/asset/transferRecord"


def _no(code: int, message: str) -> Refusal:
    return Refusal(200, {"code": code, "msg": message, "timestamp": 1705274099347})


class BingXServer(VenueServer):
    def __init__(self, venue: BingXVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET
        self.desk = BingXOrders(venue)
        self.forbidden: set[str] = set()  # paths that this key may not use

    async def answer(self, request: web.Request) -> Any:
        if request.method == "GET" and request.path in self._public():
            return self._public()[request.path]()
        signed = self.desk.routes().get((request.method, request.path))
        if signed is None and request.method == "GET":
            signed = self._signed().get(request.path)
        if signed is None:
            raise Refusal(404, {"code": 100404, "msg": "api is not exist"})
        parameters = self._check_signature(request)
        if request.path in self.forbidden:
            raise _no(100004, "Permission denied, the API key was created without the permission")
        return signed(parameters)

    def _check_signature(self, request: web.Request) -> dict[str, str]:
        """HMAC-SHA256 of the values as they are before URL encoding; the signature comes last in the query."""
        payload, _, signature = request.url.raw_query_string.rpartition("&signature=")
        key = request.headers.get("X-BX-APIKEY", "")
        parameters = {name: unquote(value) for name, value in (part.split("=", 1) for part in payload.split("&"))}
        if key != self.api_key:
            raise _no(100413, "Incorrect apiKey, please check your valid api key")
        if not signature:
            raise _no(100412, "Null signature")
        plain = "&".join(f"{name}={value}" for name, value in parameters.items())
        expected = hmac.new(self.secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            raise _no(100001, "Signature verification failed due to signature mismatch")
        stamp = parameters.get("timestamp", "")
        if not stamp.isdigit() or abs(int(stamp) - self.venue.now()) > RECV_WINDOW:
            raise _no(100421, "Null timestamp or timestamp mismatch")
        return parameters

    def _public(self) -> dict[str, Callable[[], Any]]:
        venue = self.venue
        return {
            "/openApi/swap/v2/server/time": venue.server_time,
            "/openApi/spot/v1/common/symbols": venue.spot_symbols,
            "/openApi/swap/v2/quote/contracts": venue.contracts,
            "/openApi/cswap/v1/market/contracts": venue.inverse_contracts,
            "/openApi/swap/v2/quote/premiumIndex": venue.premium_index,
            "/openApi/cswap/v1/market/premiumIndex": lambda: venue.premium_index(INVERSE),
            "/openApi/swap/v2/quote/ticker": venue.tickers,
            "/openApi/cswap/v1/market/ticker": lambda: venue.tickers(INVERSE),
            "/openApi/spot/v1/ticker/24hr": venue.spot_tickers,
        }

    def _signed(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "/openApi/spot/v1/account/balance": lambda _: venue.spot_balance(),
            "/openApi/fund/v1/account/balance": lambda _: venue.fund_balance(),
            "/openApi/swap/v3/user/balance": lambda _: venue.linear_balance(),
            "/openApi/cswap/v1/user/balance": lambda _: venue.inverse_balance(),
            "/openApi/swap/v2/user/positions": lambda _: venue.linear_positions(),
            "/openApi/cswap/v1/user/positions": lambda _: venue.inverse_positions(),
            "/openApi/swap/v1/positionSide/dual": lambda _: venue.position_mode(),
            "/openApi/contract/v1/allPosition": lambda _: {"code": 0, "msg": "", "data": venue.standard},
            "/openApi/swap/v1/trade/assetMode": lambda _: venue.multi_assets(),
            "/openApi/swap/v1/maintMarginRatio": lambda asked: venue.margin_tiers(asked["symbol"]),
            "/openApi/v1/account/apiPermissions": lambda _: venue.key_permissions(),
            FILLS: lambda asked: _data(fill_history_orders=self._rows(FILLS, asked)),
            FORCED: lambda asked: _data(orders=self._rows(FORCED, asked)),
            FORCED_COINS: lambda asked: {"code": 0, "msg": "", "data": self._rows(FORCED_COINS, asked)},
            ORDERS: lambda asked: _data(orders=self._rows(ORDERS, asked, self.desk.rows())),
            ORDERS_COINS: lambda asked: _data(orders=self._rows(ORDERS_COINS, asked, self.desk.rows())),
            INCOME: lambda asked: {"code": 0, "msg": "", "data": self._rows(INCOME, asked)},
            TRADES: lambda asked: _data(fills=self._rows(TRADES, asked)),
            WITHDRAWALS: lambda asked: self._rows(WITHDRAWALS, asked),
            TRANSFERS: lambda asked: _page(self._rows(TRANSFERS, asked)),
        }

    def _rows(self, path: str, asked: dict[str, str], more: Iterable[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        """Rows since the asked start that have the asked symbol and accounts, where they have such a field."""
        keys = [key for key in ("symbol", "fromAccount", "toAccount") if key in asked]
        start = int(asked.get("startTs", asked.get("startTime", "0")))
        return [
            row
            for row in (*self.venue.histories.get(path, []), *more)
            if row["time"] >= start and all(row.get(key, asked[key]) == asked[key] for key in keys)
        ]


def _data(**lists: Any) -> dict[str, Any]:
    return {"code": 0, "msg": "", "data": lists}


def _page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"total": len(rows), "rows": rows} if rows else {"total": 0}


async def serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with BingXServer(BingXVenue(), options.cert, options.key, options.port) as server:
        print(json.dumps({"connect_to": server.connect_to}), flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="BingX's dialect on loopback")
    parser.add_argument("--port", type=int, default=0, help="0: any; the line printed at the start tells which")
    parser.add_argument("--cert", type=Path, help="PEM; without it the server speaks plain HTTP")
    parser.add_argument("--key", type=Path)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
