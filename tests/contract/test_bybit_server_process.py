"""The local Bybit as its own process, steered over its control port."""

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
from tests.venues.bybit_bench import KEYS, PERPETUAL, pki


async def test_the_server_runs_by_itself_and_takes_orders_from_its_control() -> None:
    """Prices, balances, positions and faults set from outside are what the adapter then reads."""
    ca_file, cert, key = pki()
    command = [sys.executable, "-m", "tests.venues.bybit_server", "--cert", str(cert), "--key", str(key)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        venue = await open_ccxt(
            "main",
            "bybit",
            ["spot"],
            KEYS,
            clock=ManualClock(),
            connect_to=told["connect_to"],
            ca_file=ca_file,
        )
        async with aiohttp.ClientSession(f"http://{told['control']}") as control:

            async def tell(what: str, **given: Any) -> None:
                async with control.post(f"/control/{what}", json=given) as response:
                    assert response.status == 200

            await tell("price", asset="ETH", price="3300")
            await tell("balance", wallet="spot", asset="ETH", free="10", locked="1", borrowed="2", interest="0.5")
            await tell("position", symbol="ETHUSDT", amount="-2", entry="3000")
            assert venue.reader is not None
            assert (await venue.market.prices(["ETH"], "USDT"))["ETH"].value == 3300
            assert (await venue.reader.balances("spot")).value == (
                Balance("ETH", Decimal(10), Decimal(1), Decimal("2.5")),
            )
            (position,) = (await venue.reader.derivatives()).value.positions
            assert (position.instrument, position.unrealised_pnl) == (PERPETUAL, -600)
            await tell("fault", path="/v5/account/wallet-balance", fault="502")
            with pytest.raises(Unreachable):
                await venue.reader.balances("spot")
            await tell("fault", path="/v5/account/wallet-balance", fault=None)
            assert (await venue.reader.balances("spot")).value
            async with control.get("/control/requests") as response:
                seen = await response.json()
            assert ["GET", "/v5/position/list"] in seen["requests"]
            assert seen["writes"] == 0
        await venue.close()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)
    assert process.returncode == 0
