"""The local MEXC as its own process, steered over its control port."""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import Unreachable
from hedged.model.snapshot import Balance
from tests.support import ROOT, ManualClock
from tests.venues.binance_bench import pki
from tests.venues.mexc_bench import KEYS, PERPETUAL


async def test_the_server_runs_by_itself_and_takes_orders_from_its_control() -> None:
    """Prices, balances, positions and faults set from outside are what the adapter then reads."""
    ca_file, cert, key = pki()
    command = [sys.executable, "-m", "tests.venues.mexc_process", "--cert", str(cert), "--key", str(key)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        venue = await open_ccxt(
            "main", "mexc", ["spot"], KEYS, clock=ManualClock(), connect_to=told["connect_to"], ca_file=ca_file
        )
        async with aiohttp.ClientSession(f"http://{told['control']}") as control:

            async def tell(what: str, **values: Any) -> None:
                async with control.post(f"/control/{what}", json=values) as response:
                    assert response.status == 200

            await tell("price", asset="ETH", price="3300")
            await tell("balance", wallet="spot", asset="ETH", free="10", locked="1")
            await tell("balance", wallet="margin", asset="SOL", borrowed="3", interest="0.5")
            await tell("balance", wallet="swap", asset="USDT", free="70")
            await tell("position", symbol="ETH_USDT", amount="-200", entry="3000")
            assert venue.reader is not None
            assert (await venue.market.prices(["ETH"], "USDT"))["ETH"].value == 3300
            assert (await venue.reader.balances("spot")).value == (Balance("ETH", Decimal(10), Decimal(1)),)
            assert (await venue.reader.balances("margin")).value == (Balance("SOL", *map(Decimal, ("0", "0", "3.5"))),)
            assert (await venue.reader.balances("swap")).value == (Balance("USDT", Decimal(70)),)
            (position,) = (await venue.reader.derivatives()).value.positions
            assert (position.instrument, position.contracts, position.entry_price) == (PERPETUAL, -200, 3000)
            await tell("fault", path="/api/v3/account", fault="502")
            with pytest.raises(Unreachable):
                await venue.reader.balances("spot")
            await tell("fault", path="/api/v3/account", fault=None)
            assert (await venue.reader.balances("spot")).value
            async with control.get("/control/requests") as response:
                assert (await response.json())["writes"] == 0
        await venue.close()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)
    assert process.returncode == 0
