"""The local OKX as its own process, steered over its control port."""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from typing import Any

import aiohttp

from hedged.adapters.clock import SystemClock
from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.model.snapshot import Balance
from tests.support import ROOT
from tests.venues.binance_bench import pki
from tests.venues.okx_bench import KEYS, PERPETUAL


async def test_the_server_runs_by_itself_and_takes_orders_from_its_control() -> None:
    """Balances and positions set from outside are what the adapter then reads, a debt in the trading account too."""
    ca_file, cert, key = pki()
    command = [sys.executable, "-m", "tests.venues.okx_server", "--cert", str(cert), "--key", str(key)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        address = told["connect_to"]
        venue = await open_ccxt(
            "main", "okx", ["spot", "swap"], KEYS, clock=SystemClock(), connect_to=address, ca_file=ca_file
        )
        async with aiohttp.ClientSession(f"http://{told['control']}") as control:

            async def tell(what: str, **values: Any) -> None:
                async with control.post(f"/control/{what}", json=values) as response:
                    assert response.status == 200

            await tell("price", asset="ETH", price="3300")
            await tell("balance", wallet="spot", asset="SOL", free="1", locked="2", borrowed="30", interest="0.25")
            await tell("position", symbol="ETH-USDT-SWAP", amount="-20", entry="3000")
            assert venue.reader is not None
            assert (await venue.market.prices(["ETH"], "USDT"))["ETH"].value == 3300
            (coin,) = (await venue.reader.balances("spot")).value
            assert coin == Balance("SOL", Decimal(1), Decimal(2), Decimal("30.25"))
            await tell("balance", wallet="spot", asset="USDT", free="10000")
            (position,) = (await venue.reader.derivatives()).value.positions
            assert (position.instrument, position.contracts, position.unrealised_pnl) == (PERPETUAL, -20, -600)
            async with control.get("/control/requests") as response:
                seen = await response.json()
            assert ["GET", "/api/v5/account/positions"] in seen["requests"]
            assert seen["writes"] == 0
        await venue.close()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)
    assert process.returncode == 0
