"""A local server that speaks OKX's dialect over real HTTP or HTTPS, checks signatures, and can misbehave.

In a test:          async with OkxServer(OkxVenue(), cert, key) as server: … server.connect_to …
As a process:       python -m tests.venues.okx_server --port 8443 --cert server.pem --key server.key --control-port 8444
Its control (plain HTTP, loopback, JSON) is that of `binance_server`, in this venue's words:
    POST /control/balance   {"wallet": "spot" | "funding" | "earn", "asset": "ETH", "free": "10", "locked": "0",
                             "borrowed": "0", "interest": "0"}   free and locked before what is borrowed
    POST /control/position  {"symbol": "ETH-USDT-SWAP", "amount": "-20", "entry": "3000"}   contracts; 0: closed
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import signal
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.venues.binance_server import Control
from tests.venues.okx_orders import OkxOrders
from tests.venues.okx_venue import Coin, Held, OkxVenue
from tests.venues.server import Refusal, VenueServer

API_KEY = "k" * 24 + "-HEDGED-TEST"
SECRET = "S" * 20 + "HEDGEDTESTSECRET"
PASSPHRASE = "Hedged-test-passphrase-1!"
WINDOW = 30_000  # milliseconds in which a request is valid

_PAGED = {"instId", "instType", "ccy"}


class OkxServer(VenueServer):
    def __init__(self, venue: OkxVenue, cert: Path | None = None, key: Path | None = None, port: int = 0) -> None:
        super().__init__(venue, cert, key, port)
        self.api_key, self.secret, self.passphrase = API_KEY, SECRET, PASSPHRASE
        self.demo_key = False
        self.desk = OkxOrders(venue)

    async def answer(self, request: web.Request) -> Any:
        asked, path = dict(request.query), request.path.removeprefix("/api/v5/")
        if request.method == "GET" and path in self._public():
            return _reply(self._public()[path](asked))
        order = self.desk.routes().get((request.method, request.path))
        if order is None and path not in self._signed():
            raise _refusal(404, "50404", "no such path here")
        body = (await request.read()).decode()
        self._check_signature(request, body)
        if order is not None:
            return _reply(order({**asked, **json.loads(body or "{}"), **_deadline(request)}))
        if request.method != "GET":
            raise _refusal(405, "50115", "Invalid request method.")
        return _reply(self._signed()[path](asked))

    def _check_signature(self, request: web.Request, body: str) -> None:
        sent = request.headers
        if not sent.get("OK-ACCESS-KEY"):
            raise _refusal(401, "50103", 'Request header "OK-ACCESS-KEY" cannot be empty.')
        if sent["OK-ACCESS-KEY"] != self.api_key:
            raise _refusal(401, "50111", "Invalid OK-ACCESS-KEY.")
        if (sent.get("x-simulated-trading") == "1") is not self.demo_key:
            raise _refusal(401, "50101", "APIKey does not match current environment.")
        try:
            stamp = datetime.fromisoformat(sent.get("OK-ACCESS-TIMESTAMP", ""))
        except ValueError:
            raise _refusal(401, "50112", "Invalid OK-ACCESS-TIMESTAMP") from None
        if abs(stamp.timestamp() * 1000 - self.venue.now()) > WINDOW:
            raise _refusal(401, "50102", "Timestamp request expired")
        if sent.get("OK-ACCESS-PASSPHRASE") != self.passphrase:
            raise _refusal(401, "50105", "Request header OK-ACCESS-PASSPHRASE incorrect")
        covered = f"{sent['OK-ACCESS-TIMESTAMP']}{request.method}{request.raw_path}{body}"
        digest = hmac.new(self.secret.encode(), covered.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(sent.get("OK-ACCESS-SIGN", ""), base64.b64encode(digest).decode()):
            raise _refusal(401, "50113", "Invalid Sign")

    def _public(self) -> dict[str, Callable[[dict[str, str]], list[dict[str, Any]]]]:
        venue = self.venue
        return {
            "public/time": lambda _: [{"ts": str(venue.now())}],
            "public/instruments": lambda asked: venue.instruments(asked["instType"]),
            "public/mark-price": lambda asked: venue.mark_prices(asked["instType"]),
            "public/funding-rate": lambda asked: [
                r for r in venue.funding_rates() if asked["instId"] in {"ANY", r["instId"]}
            ],
            "public/position-tiers": lambda asked: venue.position_tiers(asked["instFamily"]),
            "market/tickers": lambda asked: venue.tickers(asked["instType"]),
            "market/index-tickers": lambda asked: venue.index_tickers(asked["quoteCcy"]),
        }

    def _signed(self) -> dict[str, Callable[[dict[str, str]], list[dict[str, Any]]]]:
        venue = self.venue
        return {
            "account/balance": lambda _: venue.account(),
            "account/positions": lambda _: venue.position_rows(),
            "account/config": lambda _: venue.config(),
            "account/bills": lambda asked: _since(venue.bills, asked, "begin"),
            "asset/balances": lambda _: venue.funding_rows(),
            "asset/bills": lambda asked: _since(venue.funding_bills, asked, "before"),
            "finance/savings/balance": lambda _: venue.savings_rows(),
            "trade/fills": lambda asked: _since(venue.fills, asked, "begin"),
            "trade/orders-history": lambda asked: _since([*venue.orders, *self.desk.rows()], asked, "begin"),
        }


def _deadline(request: web.Request) -> dict[str, str]:
    """Until when the venue may take a request, as the header says; it comes unsigned."""
    return {"expTime": request.headers["expTime"]} if "expTime" in request.headers else {}


def _reply(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": rows}


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, {"code": code, "msg": message, "data": []})


def _since(rows: list[dict[str, Any]], asked: dict[str, str], start: str) -> list[dict[str, Any]]:
    """Rows from the start on, of the asked instrument, currency and type, behind the one asked for, at most a page."""
    found = [
        row
        for row in rows
        if int(row["ts"]) >= int(asked.get(start, "0"))
        and all(row[key] == asked[key] for key in _PAGED & set(asked) & set(row))
    ]
    bills = [row.get("billId") for row in found]
    begin = bills.index(asked["after"]) + 1 if "after" in asked and start == "begin" else 0
    return found[begin : begin + int(asked["limit"])]


class OkxControl(Control):
    """Lets another process set the venue's truth and its faults."""

    async def _balance(self, request: web.Request) -> web.Response:
        asked, venue = await request.json(), self._server.venue
        free, locked, borrowed, interest = (
            Decimal(asked.get(name, "0")) for name in ("free", "locked", "borrowed", "interest")
        )
        if asked["wallet"] == "funding":
            venue.funding[asked["asset"]] = (free, locked)
        elif asked["wallet"] == "earn":
            venue.savings[asked["asset"]] = free
        else:
            venue.trading[asked["asset"]] = Coin(free + locked - borrowed, locked, borrowed, interest)
        return web.json_response({})

    async def _position(self, request: web.Request) -> web.Response:
        asked, venue = await request.json(), self._server.venue
        venue.positions.pop(asked["symbol"], None)
        if Decimal(asked["amount"]):
            entry = Decimal(asked.get("entry", venue.mark(asked["symbol"])))
            venue.positions[asked["symbol"]] = Held(Decimal(asked["amount"]), entry)
        return web.json_response({})


async def serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with OkxServer(OkxVenue(), options.cert, options.key, options.port) as server:
        runner = web.AppRunner(OkxControl(server).app(), shutdown_timeout=0.5)  # type: ignore[arg-type]
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.control_port).start()
        told = {"connect_to": server.connect_to, "control": f"127.0.0.1:{runner.addresses[0][1]}"}
        print(json.dumps(told), flush=True)
        await stop.wait()
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="OKX's dialect on loopback")
    parser.add_argument("--port", type=int, default=0, help="0: any; the line printed at the start tells which")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--cert", type=Path, help="PEM; without it the server speaks plain HTTP")
    parser.add_argument("--key", type=Path)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
