"""The local WEEX as its own process, steered over its control port."""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal

import aiohttp
import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import Unreachable
from hedged.model.snapshot import Balance
from tests.support import ROOT, ManualClock
from tests.venues.binance_bench import pki
from tests.venues.weex_bench import ETHER, KEYS


async def test_the_server_runs_by_itself_and_takes_orders_from_its_control() -> None:
    """Balances, positions and faults set from outside are what the adapter then reads."""
    ca_file, cert, key = pki()
    command = [sys.executable, "-m", "tests.venues.weex_server", "--cert", str(cert), "--key", str(key)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        where = {"connect_to": told["connect_to"], "ca_file": ca_file}
        venue = await open_ccxt("main", "weex", ["spot"], KEYS, clock=ManualClock(), **where)
        assert venue.reader is not None
        async with aiohttp.ClientSession(f"http://{told['control']}") as control:
            for what, values in (
                ("balance", {"wallet": "spot", "asset": "ETH", "free": "10", "locked": "1"}),
                ("position", {"symbol": "ETHUSDT", "amount": "-2", "entry": "3100"}),
                ("fault", {"path": "/capi/v3/market/exchangeInfo", "fault": None}),
            ):
                async with control.post(f"/control/{what}", json=values) as response:
                    assert response.status == 200
            assert (await venue.reader.balances("spot")).value == (Balance("ETH", Decimal(10), Decimal(1)),)
            (position,) = (await venue.reader.derivatives()).value.positions
            assert (position.instrument, position.unrealised_pnl) == (ETHER, 200)
            async with control.post("/control/fault", json={"path": "*", "fault": "502"}) as response:
                assert response.status == 200
            with pytest.raises(Unreachable):
                await venue.reader.balances("spot")
        await venue.close()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)
    assert process.returncode == 0
