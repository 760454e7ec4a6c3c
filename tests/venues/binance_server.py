"""A local server that speaks Binance's dialect over real HTTP or HTTPS, checks signatures, and can misbehave.

In a test:          async with BinanceServer(BinanceVenue(), cert, key) as server: … server.connect_to …
As a process:       python -m tests.venues.binance_server --port 8443 --cert server.pem --key server.key \
                        --control-port 8444
Its control (plain HTTP, loopback, JSON):
    POST /control/price     {"asset": "ETH", "price": "3300"}
    POST /control/balance   {"wallet": "spot" | "margin" | "swap", "asset": "ETH", "free": "10", "locked": "0",
                             "borrowed": "0", "interest": "0"}
    POST /control/position  {"symbol": "ETHUSDT", "amount": "-2", "entry": "3000"}   amount 0: closed without a trace
    POST /control/fault     {"path": "/fapi/v3/account" | "*", "fault": "hang" | … | null}
    POST /control/tell      {"kind": "mark", "market": "ETHUSDT", "value": "3100"}   over the websockets; see `streams`
    GET  /control/requests  {"requests": [["GET", "/api/v3/account"], …], "writes": 0}
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

from tests.venues.binance_orders import BinanceOrders
from tests.venues.binance_venue import BinanceVenue, Held, Margin, VenueRefuses
from tests.venues.server import FAULTS, Refusal, VenueServer
from tests.venues.streams import Hub

API_KEY = "k" * 32 + "HEDGEDTESTKEY"
SECRET = "s" * 32 + "HEDGEDTESTSECRET"


_POSTED = {"/sapi/v1/asset/get-funding-asset"}


class BinanceServer(VenueServer):
    def __init__(self, venue: BinanceVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret = API_KEY, SECRET
        self.desk = BinanceOrders(venue)

    async def answer(self, request: web.Request) -> Any:
        try:
            return self._answer(request.method, request.path, await self._parameters(request))
        except VenueRefuses as refusal:
            raise Refusal(refusal.status, {"code": refusal.code, "msg": refusal.message}) from None

    async def _parameters(self, request: web.Request) -> dict[str, str]:
        """Query and body, after checking key, signature and time as the venue does if the call is a signed one."""
        body = (await request.read()).decode()
        raw = "&".join(filter(None, (request.url.raw_query_string, body)))
        parameters = dict(part.partition("=")[::2] for part in raw.split("&") if part)
        if request.path in self._signed() or (request.method, request.path) in self.desk.routes():
            self._check_signature(request.headers.get("X-MBX-APIKEY", ""), raw, parameters)
        return parameters

    def _check_signature(self, key: str, raw: str, parameters: dict[str, str]) -> None:
        if len(key) < 32:
            raise VenueRefuses(401, -2014, "API-key format invalid.")
        if key != self.api_key:
            raise VenueRefuses(401, -2015, "Invalid API-key, IP, or permissions for action.")
        if "timestamp" not in parameters:
            raise VenueRefuses(400, -1102, "Mandatory parameter 'timestamp' was not sent.")
        payload, _, signature = raw.rpartition("&signature=")
        expected = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            raise VenueRefuses(400, -1022, "Signature for this request is not valid.")
        ahead = int(parameters["timestamp"]) - self.venue.now()
        if ahead >= 1000 or -ahead > int(parameters.get("recvWindow", "5000")):
            raise VenueRefuses(400, -1021, "Timestamp for this request is outside of the recvWindow.")

    def _public(self) -> dict[str, Callable[[], Any]]:
        venue = self.venue
        return {
            "/api/v3/time": lambda: {"serverTime": venue.now()},
            "/api/v3/exchangeInfo": venue.spot_info,
            "/fapi/v1/exchangeInfo": venue.futures_info,
            "/api/v3/ticker/price": venue.spot_prices,
            "/fapi/v1/premiumIndex": venue.premium_index,
            "/fapi/v1/ticker/bookTicker": venue.book_tickers,
            "/fapi/v1/fundingInfo": venue.funding_info,
            "/dapi/v1/exchangeInfo": venue.more.coin_info,
            "/dapi/v1/premiumIndex": venue.more.coin_premium,
            "/dapi/v1/ticker/bookTicker": venue.more.coin_books,
            "/dapi/v1/fundingInfo": list,
        }

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Without the one POST that reads."""
        return [request for request in super().writes if request[1] != "/sapi/v1/asset/get-funding-asset"]

    def _signed(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue = self.venue
        return {
            "/api/v3/account": lambda _: venue.spot_account(),
            "/sapi/v1/margin/account": lambda _: venue.margin_account(),
            "/sapi/v1/margin/isolated/account": lambda _: venue.isolated_account(),
            "/eapi/v1/position": lambda _: venue.options,
            "/fapi/v3/account": lambda _: venue.futures_account(),
            "/fapi/v3/positionRisk": lambda _: venue.position_risk(),
            "/fapi/v1/userTrades": lambda asked: _since([*venue.fills, *self.desk.fills()], asked, "time"),
            "/fapi/v1/allOrders": lambda asked: _since([*venue.orders, *self.desk.rows()], asked, "time"),
            "/fapi/v1/income": lambda asked: _since(venue.income, asked, "time"),
            "/api/v3/myTrades": lambda asked: _since(venue.spot_trades, asked, "time"),
            "/sapi/v1/margin/myTrades": lambda asked: _since(venue.spot_trades, asked, "time"),
            "/sapi/v1/capital/withdraw/history": lambda asked: _since(venue.withdrawals, asked, "applied"),
            "/sapi/v1/asset/transfer": lambda asked: _page(_since(venue.transfers, asked, "timestamp")),
            "/sapi/v1/margin/transfer": lambda asked: _page(_since(venue.margin_transfers, asked, "timestamp")),
            "/sapi/v1/margin/borrow-repay": lambda asked: _page(_since(venue.repayments, asked, "timestamp")),
            **self._more(),
        }

    def _more(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        venue, more = self.venue, self.venue.more
        earn = "/sapi/v1/simple-earn"
        histories = {
            f"{segment}/{name}": (lambda asked, rows=rows, own=own: _since([*rows, *own()], asked, "time"))
            for segment in ("/dapi/v1", "/papi/v1/um", "/papi/v1/cm")
            for name, rows, own in (
                ("userTrades", more.fills, self.desk.fills),
                ("allOrders", more.orders, self.desk.rows),
                ("income", more.income, list),
            )
        }
        return {
            **histories,
            "/dapi/v1/allOrders": lambda asked: _coin_orders([*more.orders, *self.desk.rows()], asked),
            "/papi/v1/cm/allOrders": lambda asked: _coin_orders([*more.orders, *self.desk.rows()], asked),
            "/papi/v1/margin/myTrades": lambda asked: _since(venue.spot_trades, asked, "time"),
            "/dapi/v1/account": lambda _: more.coin_account(),
            "/dapi/v1/positionRisk": lambda _: more.coin_risk(),
            "/fapi/v1/leverageBracket": lambda _: venue.leverage_brackets(),
            "/sapi/v1/account/apiRestrictions": lambda _: more.key,
            "/sapi/v1/asset/get-funding-asset": lambda _: more.funding_assets(),
            f"{earn}/flexible/position": more.flexible_positions,
            f"{earn}/locked/position": more.locked_positions,
            f"{earn}/flexible/history/subscriptionRecord": lambda asked: _page(
                _since(more.subscriptions, asked, "time")
            ),
            f"{earn}/locked/history/subscriptionRecord": lambda _: _page([]),
            f"{earn}/flexible/history/redemptionRecord": lambda asked: _page(_since(more.redemptions, asked, "time")),
            f"{earn}/locked/history/redemptionRecord": lambda _: _page([]),
            "/fapi/v1/positionSide/dual": lambda _: {"dualSidePosition": venue.hedge_mode},
            "/dapi/v1/positionSide/dual": lambda _: {"dualSidePosition": more.hedge_mode},
            "/papi/v1/um/positionSide/dual": lambda _: {"dualSidePosition": venue.hedge_mode},
            "/papi/v1/cm/positionSide/dual": lambda _: {"dualSidePosition": more.hedge_mode},
            "/papi/v1/balance": lambda _: more.unified,
            "/papi/v1/account": lambda _: more.unified_account,
            "/papi/v1/um/positionRisk": lambda _: venue.portfolio_risk(),
            "/papi/v1/cm/positionRisk": lambda _: more.portfolio_coin_risk(),
            "/papi/v1/um/leverageBracket": lambda _: venue.leverage_brackets(),
        }

    def _answer(self, method: str, path: str, parameters: dict[str, str]) -> Any:
        if method == "GET" and path in self._public():
            return self._public()[path]()
        if (method, path) in self.desk.routes():
            return self.desk.routes()[method, path](parameters)
        if path in self._signed() and (method == "POST") == (path in _POSTED):
            return self._signed()[path](parameters)
        raise VenueRefuses(404, -1000, "no such path here")


def _coin_orders(rows: list[dict[str, Any]], asked: dict[str, str]) -> list[dict[str, Any]]:
    """COIN-M gives fewer orders a page than it gives fills, and refuses to be asked for more."""
    if int(asked.get("limit", "50")) > 100:
        raise VenueRefuses(400, -1130, "Data sent for parameter 'limit' is not valid.")
    return _since(rows, asked, "time")


def _since(rows: list[dict[str, Any]], asked: dict[str, str], time_field: str) -> list[dict[str, Any]]:
    """Rows from `startTime` on that have the asked symbol, coin, asset and type, where they have such a field."""
    keys = [key for key in ("symbol", "coin", "asset", "type") if key in asked]
    return [
        row
        for row in rows
        if row[time_field] >= int(asked.get("startTime", "0")) and all(row.get(k, asked[k]) == asked[k] for k in keys)
    ]


def _page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"total": len(rows), "rows": rows} if rows else {"total": 0}


class Control:
    """Lets another process set the venue's truth and its faults."""

    def __init__(self, server: BinanceServer) -> None:
        self._server = server

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/control/price", self._price)
        app.router.add_post("/control/balance", self._balance)
        app.router.add_post("/control/position", self._position)
        app.router.add_post("/control/fault", self._fault)
        app.router.add_post("/control/tell", self._tell)
        app.router.add_get("/control/requests", self._requests)
        app.router.add_get("/control/orders", self._orders)
        return app

    async def _price(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self._server.venue.prices[asked["asset"]] = Decimal(asked["price"])
        return web.json_response({})

    async def _balance(self, request: web.Request) -> web.Response:
        asked, venue = await request.json(), self._server.venue
        amounts = [Decimal(asked.get(name, "0")) for name in ("free", "locked", "borrowed", "interest")]
        if asked["wallet"] == "swap":
            venue.futures[asked["asset"]] = amounts[0]
        elif asked["wallet"] == "margin":
            venue.margin[asked["asset"]] = Margin(*amounts)
        else:
            venue.spot[asked["asset"]] = (amounts[0], amounts[1])
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

    async def _tell(self, request: web.Request) -> web.Response:
        asked = await request.json()
        reached = await self._server.streams.tell(asked["kind"], asked["market"], asked["value"])
        return web.json_response({"reached": reached}, status=200 if reached else 409)

    async def _orders(self, request: web.Request) -> web.Response:
        """Every order the venue ever took, and what it made of the positions: the truth to compare a journal with."""
        venue = self._server.venue
        orders = [
            {"id": order.client_id, "market": order.market_id, "side": order.side, "filled": str(order.filled)}
            for order in self._server.desk.orders
        ]
        return web.json_response(
            {"orders": orders, "positions": {name: str(held.amount) for name, held in venue.positions.items()}}
        )

    async def _requests(self, request: web.Request) -> web.Response:
        return web.json_response({"requests": self._server.requests, "writes": len(self._server.writes)})


async def serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with BinanceServer(BinanceVenue(), options.cert, options.key, options.port) as server:
        server.api_key, server.secret = options.api_key, options.api_secret
        server.streams = Hub("binance", {"apiKey": options.api_key, "secret": options.api_secret})
        runner = web.AppRunner(Control(server).app(), shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.control_port).start()
        print(
            json.dumps({"connect_to": server.connect_to, "control": f"127.0.0.1:{runner.addresses[0][1]}"}), flush=True
        )
        await stop.wait()
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="Binance's dialect on loopback")
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
