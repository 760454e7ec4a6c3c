"""A live daemon as it is wired, at a local Hyperliquid: with an API wallet's key, with none, with the wallet's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from hedged import app as root
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.app import App
from hedged.errors import ConfigurationError
from hedged.settings import load
from tests.support import T0, CountingIds, ManualClock
from tests.venues.binance_bench import pki
from tests.venues.hyperliquid_bench import KEYS, TRADING_KEYS
from tests.venues.hyperliquid_server import ADDRESS, AGENT, AGENT_KEY, HyperliquidServer
from tests.venues.hyperliquid_venue import HyperliquidVenue

CONFIG = """
mode = "live"
quote = "USDC"
[[accounts]]
name = "main"
exchange = "hyperliquid"
connect_to = "{connect_to}"
ca_file = "{ca_file}"
[[hedges]]
name = "eth"
assets = ["ETH"]
instruments = ["main:ETH/USDC:USDC"]
[store]
path = "{store}"
"""


@asynccontextmanager
async def wired(
    tmp_path: Path, keys: Mapping[str, str] = TRADING_KEYS
) -> AsyncIterator[tuple[App, HyperliquidServer, ManualClock]]:
    """An account with 2 ETH and 10,000 USDC of collateral, and nothing sold yet."""
    ca_file, cert, key = pki()
    clock = ManualClock(T0)
    venue = HyperliquidVenue(now=lambda: milliseconds(clock.now()))
    venue.spot, venue.cash = {"UETH": (Decimal(2), Decimal(0))}, {"": Decimal(10_000)}
    async with HyperliquidServer(venue, cert, key) as server:
        path, secret = tmp_path / "p.toml", tmp_path / "credentials" / "account-main"
        path.write_text(CONFIG.format(connect_to=server.connect_to, ca_file=ca_file, store=tmp_path / "p.sqlite"))
        secret.parent.mkdir(exist_ok=True)
        secret.write_text(json.dumps(keys))
        secret.chmod(0o600)
        app = await root.build(load(path, {"STATE_DIRECTORY": str(tmp_path)}), clock, CountingIds())
        try:
            yield app, server, clock
        finally:
            await app.close()


async def test_the_hedge_is_sold_by_the_agent_and_known_to_the_journal(tmp_path: Path) -> None:
    """The smallest order first, then the rest of it; what the venue holds and what was recorded are the same."""
    async with wired(tmp_path) as (app, server, clock):
        for _ in range(4):
            clock.advance(60)
            await app.cycle(clock.now(), ())
        fills = await app.portfolio.store.fills(T0)
        assert {each.client_order_id: each.quantity for each in fills} == {
            order.client_id: order.filled for order in server.desk.orders
        }
        assert len(fills) == 2
        assert sum(each.quantity for each in fills) == -server.venue.positions["ETH"].size
        assert Decimal("1.8") < -server.venue.positions["ETH"].size <= Decimal(2)
        assert not any(each.estimated for each in fills)
        assert await app.portfolio.store.open_orders() == []


async def test_an_agent_that_was_taken_back_sells_nothing(tmp_path: Path) -> None:
    """The account has revoked it while hedged runs: refused before anything is sent, with the reason."""
    async with wired(tmp_path) as (app, server, clock):
        del server.agents[AGENT]
        clock.advance(60)
        report = await app.cycle(clock.now(), ())
        assert server.acts == []
        assert "API wallet" in str(report.outcomes)


async def test_live_does_not_start_with_an_address_alone(tmp_path: Path) -> None:
    """It can only read: the user is told what to put beside it."""
    with pytest.raises(ConfigurationError, match="put its privateKey into the credentials"):
        async with wired(tmp_path, KEYS):
            pass


async def test_the_key_of_the_wallet_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could empty the account: hedged does not use it, in whatever mode."""
    monkeypatch.setattr("tests.venues.hyperliquid_server.ADDRESS", AGENT)
    with pytest.raises(ConfigurationError, match="may withdraw, so hedged does not use it") as told:
        async with wired(tmp_path, {"walletAddress": AGENT, "privateKey": AGENT_KEY}):
            pass
    assert AGENT_KEY not in str(told.value)
    assert ADDRESS != AGENT
