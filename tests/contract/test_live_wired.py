"""A live daemon as it is wired, at a local exchange: countdowns, books, the time, and what a stop leaves behind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedged import app as root
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.app import App
from hedged.settings import load
from tests.support import T0, CountingIds, ManualClock
from tests.venues import binance_bench, kucoin_bench
from tests.venues.binance_bench import pki
from tests.venues.binance_server import BinanceServer
from tests.venues.binance_venue import BinanceVenue
from tests.venues.kucoin_server import KucoinServer
from tests.venues.kucoin_venue import KucoinVenue
from tests.venues.server import VenueServer

CONFIG = """
mode = "live"
[[accounts]]
name = "main"
exchange = "{exchange}"
connect_to = "{connect_to}"
ca_file = "{ca_file}"
[[hedges]]
name = "eth"
assets = ["ETH"]
instruments = ["main:ETH/USDT:USDT"]
placement = "passive"
[limits]
passive_for = "1h"
{limits}
[store]
path = "{store}"
"""
COUNTDOWN = "/fapi/v1/countdownCancelAll"
BOTH = pytest.mark.parametrize("exchange", ["binance", "kucoin"])
KEYS = {"binance": binance_bench.KEYS, "kucoin": kucoin_bench.KEYS}


class Wired:
    def __init__(self, app: App, server: VenueServer, clock: ManualClock) -> None:
        self.app, self.server, self.clock = app, server, clock

    async def tick(self) -> set[str]:
        """A minute on; the keys of what is told."""
        self.clock.advance(60)
        report = await self.app.cycle(self.clock.now(), ())
        return {message.key for message in report.messages}

    def asked(self, path: str) -> int:
        return sum(each == path for _, each in self.server.requests)

    def resting(self) -> list[str]:
        return [order.client_id for order in self.server.desk.orders if order.status == "open"]


def holding_ether(exchange: str, clock: ManualClock) -> VenueServer:
    """A venue where two ether are held, and nothing else."""
    _, cert, key = pki()
    held = (Decimal(2), Decimal(0))
    if exchange == "kucoin":
        futures = KucoinVenue(now=lambda: milliseconds(clock.now()), cash={"USDT": Decimal(10000)})
        futures.accounts = {("trade", "ETH"): held}
        return KucoinServer(futures, cert, key)
    venue = BinanceVenue(now=lambda: milliseconds(clock.now()))
    venue.spot = {"ETH": held}
    return BinanceServer(venue, cert, key)


@asynccontextmanager
async def wired(tmp_path: Path, limits: str = "", exchange: str = "binance") -> AsyncIterator[Wired]:
    ca_file, _, _ = pki()
    clock = ManualClock(T0)
    async with holding_ether(exchange, clock) as server:
        path, secret = tmp_path / "p.toml", tmp_path / "credentials" / "account-main"
        path.write_text(
            CONFIG.format(
                exchange=exchange,
                connect_to=server.connect_to,
                ca_file=ca_file,
                limits=limits,
                store=tmp_path / "p.sqlite",
            )
        )
        secret.parent.mkdir(exist_ok=True)
        secret.write_text(json.dumps(KEYS[exchange]))
        secret.chmod(0o600)
        app = await root.build(load(path, {"STATE_DIRECTORY": str(tmp_path)}), clock, CountingIds())
        try:
            yield Wired(app, server, clock)
        finally:
            await app.close()


@pytest.mark.parametrize(("limits", "armed"), [("", False), ('countdown = "all"', True), ('countdown = "off"', False)])
async def test_a_countdown_that_cancels_more_than_ours_is_a_choice(tmp_path: Path, limits: str, armed: bool) -> None:
    """At this exchange it takes the user's own orders in that market with it."""
    async with wired(tmp_path, limits) as it:
        for _ in range(3):
            await it.tick()
        assert it.resting()
        assert (it.asked(COUNTDOWN) > 0) is armed


@BOTH
async def test_a_stop_leaves_nothing_in_the_book(exchange: str, tmp_path: Path) -> None:
    """The order is cancelled at the exchange, and the journal knows its end."""
    async with wired(tmp_path, exchange=exchange) as it:
        for _ in range(3):
            await it.tick()
        assert it.resting()
        await it.app.take_back()
        assert it.resting() == []
        assert await it.app.portfolio.store.open_orders() == []


@BOTH
async def test_somebody_elses_order_in_the_book_is_told(exchange: str, tmp_path: Path) -> None:
    """Once, and the daemon's own is not."""
    async with wired(tmp_path, exchange=exchange) as it:
        for _ in range(3):
            await it.tick()
        assert it.app.books is not None
        await it.app.books.look()
        assert "foreign_order/main:ETH/USDT:USDT" not in await it.tick()
        (ours,) = it.resting()
        mine = next(order for order in it.server.desk.orders if order.client_id == ours)
        mine.client_id = "by-hand"
        await it.app.books.look()
        assert "foreign_order/main:ETH/USDT:USDT" in await it.tick()


@BOTH
async def test_the_exchange_is_asked_for_the_time_when_the_clock_jumps(exchange: str, tmp_path: Path) -> None:
    """A month ahead of it: critical, and no order."""
    async with wired(tmp_path, exchange=exchange) as it:
        began = it.clock.now()
        it.server.venue.now = lambda: milliseconds(began + timedelta(seconds=it.clock.monotonic()))
        it.clock.set(began + timedelta(days=30))
        report = await it.app.cycle(it.clock.now(), ())
        assert "30 days, 0:00:00 ahead of main's" in next(
            alert.text for alert in report.alerts if alert.key == "clock_skew/p"
        )
        assert it.server.desk.orders == []
