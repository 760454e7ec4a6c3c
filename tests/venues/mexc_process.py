"""The local MEXC as a process: python -m tests.venues.mexc_process --port 8443 --cert server.pem --key server.key

Its control is that of `binance_server`; a position's amount is in contracts, a margin balance in the pair with USDT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from tests.venues.binance_server import Control
from tests.venues.mexc_server import API_KEY, SECRET, MexcServer
from tests.venues.mexc_venue import Held, Lent, MexcVenue, Pool


class MexcControl(Control):
    async def _balance(self, request: web.Request) -> web.Response:
        asked, venue = await request.json(), self._server.venue
        amounts = [Decimal(asked.get(name, "0")) for name in ("free", "locked", "borrowed", "interest")]
        if asked["wallet"] == "swap":
            venue.pools[asked["asset"]] = Pool(amounts[0])
        elif asked["wallet"] == "margin":
            venue.margin[f"{asked['asset']}USDT"] = {asked["asset"]: Lent(*amounts)}
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


async def serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with MexcServer(MexcVenue(), options.cert, options.key, options.port) as server:
        server.api_key, server.secret = options.api_key, options.api_secret
        runner = web.AppRunner(MexcControl(server).app(), shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.control_port).start()
        told = {"connect_to": server.connect_to, "control": f"127.0.0.1:{runner.addresses[0][1]}"}
        print(json.dumps(told), flush=True)
        await stop.wait()
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="MEXC's dialect on loopback")
    parser.add_argument("--port", type=int, default=0, help="0: any; the line printed at the start tells which")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--cert", type=Path, help="PEM; without it the server speaks plain HTTP")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--api-secret", default=SECRET)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
