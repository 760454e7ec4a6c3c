"""A live daemon at a local Gate, as it is wired: what rests, the venue's countdown, and what a stop leaves behind."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hedged import app as root
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.settings import load
from tests.support import T0, CountingIds, ManualClock
from tests.venues.binance_bench import pki
from tests.venues.gate_bench import KEYS
from tests.venues.gate_server import GateServer
from tests.venues.gate_venue import Coin, GateVenue

D = Decimal
CONFIG = """
mode = "live"
[[accounts]]
name = "main"
exchange = "gate"
wallets = ["spot", "swap"]
connect_to = "{connect_to}"
ca_file = "{ca_file}"
[[hedges]]
name = "eth"
assets = ["ETH"]
instruments = ["main:{contract}"]
placement = "passive"
[limits]
passive_for = "1h"
countdown = "all"
[store]
path = "{store}"
"""


@pytest.mark.parametrize("mode", ["", "multi_currency"], ids=["classic", "unified"])
@pytest.mark.parametrize(
    ("contract", "market_id", "segment", "armed"),
    [
        ("ETH/USDT:USDT", "ETH_USDT", "futures/usdt", True),
        ("ETH/USDT:USDT-261225", "ETH_USDT_20261225", "delivery/usdt", False),
    ],
    ids=["perpetual", "dated"],
)
async def test_an_order_rests_under_the_countdown_and_a_stop_takes_it_back(
    tmp_path: Path, contract: str, market_id: str, segment: str, armed: bool, mode: str
) -> None:
    """Sent post-only, seen as ours, guarded where the venue can, and cancelled with its end in the journal."""
    ca_file, cert, key = pki()
    clock = ManualClock(T0)
    venue = GateVenue(now=lambda: milliseconds(clock.now()), mode_of_account=mode)
    venue.spot = {"ETH": (D(2), D(0))}
    venue.coins = {"ETH": Coin(D(2)), "USDT": Coin(D(9000))}
    venue.futures = {"futures/usdt": D(9000), "delivery/usdt": D(9000)}
    venue.perms = [{"name": name, "read_only": False} for name in ("futures", "delivery")]
    async with GateServer(venue, cert, key) as server:
        path, secret = tmp_path / "p.toml", tmp_path / "credentials" / "account-main"
        path.write_text(
            CONFIG.format(contract=contract, connect_to=server.connect_to, ca_file=ca_file, store=tmp_path / "p.sqlite")
        )
        secret.parent.mkdir()
        secret.write_text(json.dumps(KEYS))
        secret.chmod(0o600)
        app = await root.build(load(path, {"STATE_DIRECTORY": str(tmp_path)}), clock, CountingIds())
        try:
            for _ in range(3):
                clock.advance(60)
                report = await app.cycle(clock.now(), ())
            (order,) = server.desk.open(market_id)
            assert (order.side, order.post_only) == ("sell", True), report.decision
            countdown = f"/api/v4/{segment}/countdown_cancel_all"
            assert (countdown in {path for _, path in server.writes}) is armed
            assert set(server.desk.deadlines) == ({market_id} if armed else set())
            await app.take_back()
            assert server.desk.open(market_id) == []
            assert await app.portfolio.store.open_orders() == []
            assert {path.split("/orders")[0] for method, path in server.writes if method == "DELETE"} == {
                f"/api/v4/{segment}"
            }
        finally:
            await app.close()
