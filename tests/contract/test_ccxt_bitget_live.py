"""A live daemon as it is wired, at a local Bitget, with either kind of account."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hedged import app as root
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.order import Fill
from hedged.settings import load
from tests.support import T0, CountingIds, ManualClock
from tests.venues.binance_bench import pki
from tests.venues.bitget_bench import KEYS
from tests.venues.bitget_server import BitgetServer
from tests.venues.bitget_unified import UnifiedVenue

CONFIG = """
mode = "live"
[[accounts]]
name = "main"
exchange = "bitget"
wallets = {wallets}
connect_to = "{connect_to}"
ca_file = "{ca_file}"
[[hedges]]
name = "eth"
assets = ["ETH"]
instruments = ["main:ETH/USDT:USDT"]
[store]
path = "{store}"
"""


@pytest.mark.parametrize("wallets", [["spot", "swap"], ["uta", "funding"]], ids=["classic", "unified"])
async def test_a_hedge_is_built_and_kept(tmp_path: Path, wallets: list[str]) -> None:
    """Two coins, no contracts: the smallest order first, then the rest, and nothing once it is there."""
    ca_file, cert, key = pki()
    clock = ManualClock(T0)
    venue = UnifiedVenue(now=lambda: milliseconds(clock.now()))
    venue.pool, venue.futures = {"ETH": Decimal(2)}, {("USDT-FUTURES", "USDT"): Decimal(3000)}
    venue.spot = {"ETH": (Decimal(2), Decimal(0))}
    async with BitgetServer(venue, cert, key) as server:
        server.unified = "uta" in wallets
        path, secret = tmp_path / "p.toml", tmp_path / "credentials" / "account-main"
        where = {"connect_to": server.connect_to, "ca_file": ca_file, "store": tmp_path / "p.sqlite"}
        path.write_text(CONFIG.format(wallets=json.dumps(wallets), **where))
        secret.parent.mkdir()
        secret.write_text(json.dumps(KEYS))
        secret.chmod(0o600)
        app = await root.build(load(path, {"STATE_DIRECTORY": str(tmp_path)}), clock, CountingIds())
        try:
            outcomes = []
            for _ in range(6):
                clock.advance(60)
                outcomes += (await app.cycle(clock.now(), ())).outcomes
        finally:
            await app.close()
    assert all(isinstance(each, Fill) for each in outcomes), outcomes
    assert 1 < len(server.desk.orders) <= 3
    assert server.desk.position("ETHUSDT") == pytest.approx(Decimal("-1.9"), abs=Decimal("0.1"))
