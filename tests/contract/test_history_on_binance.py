"""From a venue's candles to a hedge of least variance: real ccxt over real TLS, the whole application around it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from hedged import app as root
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.cli.doctor import examine
from hedged.cli.once import _look
from hedged.cli.show import show_state
from hedged.daemon.past_prices import AFTER_THE_HOUR
from hedged.model.history import STEP
from hedged.settings import Settings, load
from tests.support import T0, CountingIds, ManualClock
from tests.venues.binance_bench import KEYS, pki
from tests.venues.binance_server import BinanceServer
from tests.venues.binance_venue import BinanceVenue

CONFIG = """
mode = "paper"
[[accounts]]
name = "main"
exchange = "binance"
wallets = ["spot"]
connect_to = "{connect_to}"
ca_file = "{ca_file}"
[[hedges]]
name = "alts"
assets = ["*"]
instruments = ["main:ETH/USDT:USDT", "main:BTC/USDT:USDT"]
target = "minimum-variance"
band = "optimal"
[paper]
cash = 100000
[store]
path = "{store}"
"""
SUBJECTS = ["main:ETH/USDT:USDT", "main:BTC/USDT:USDT", "AAVE/USDT", "LINK/USDT", "SOL/USDT"]
CANDLES = ("/api/v3/klines", "/fapi/v1/klines")


@asynccontextmanager
async def local(tmp_path: Path, clock: ManualClock | None = None) -> AsyncIterator[tuple[BinanceServer, Settings]]:
    """A Binance with three coins in its spot wallet, and the settings of a hedge that learns from its candles."""
    ca_file, cert, key = pki()
    venue = BinanceVenue() if clock is None else BinanceVenue(now=lambda: milliseconds(clock.now()))
    venue.spot = {asset: (Decimal(amount), Decimal(0)) for asset, amount in (("SOL", 100), ("LINK", 900), ("AAVE", 80))}
    async with BinanceServer(venue, cert, key) as server:
        path = tmp_path / "p.toml"
        path.write_text(CONFIG.format(connect_to=server.connect_to, ca_file=ca_file, store=tmp_path / "p.sqlite"))
        secret = tmp_path / "credentials" / "account-main"
        secret.parent.mkdir(exist_ok=True)
        secret.write_text(json.dumps(KEYS))
        secret.chmod(0o600)
        yield server, load(path)


def candles_asked(server: BinanceServer) -> int:
    """Since the last call of this."""
    asked = sum(path in CANDLES for _, path in server.requests)
    server.requests.clear()
    return asked


async def test_a_hedge_learns_its_ratios_and_keeps_them_over_a_restart(tmp_path: Path) -> None:
    """Blocked at first; after the backfill it trades both instruments; a restart asks for the new hours alone."""
    clock = ManualClock(T0 + AFTER_THE_HOUR)
    async with local(tmp_path, clock) as (server, settings):
        app = await root.build(settings, clock, CountingIds())
        assert app.history is not None
        assert (await app.cycle(clock.now(), ())).state["hedges"][0]["state"] == "blocked"
        while len(app.history.prices._subjects) < len(SUBJECTS):
            await app.history.turn()
        assert candles_asked(server) == 10 * len(SUBJECTS)
        report = await app.cycle(clock.now(), ())
        (hedge,) = report.state["hedges"]
        assert hedge["blocked_by"] == []
        assert set(hedge["statistics"]["ratios"]) == set(SUBJECTS[:2])
        assert 0.5 < sum(hedge["statistics"]["ratios"].values()) < 2
        assert hedge["band"] != hedge["band_configured"]
        assert len(report.outcomes) == 2
        assert app.history.subjects() == SUBJECTS
        await app.close()

        server.requests.clear()
        again = await root.build(settings, clock, CountingIds())
        assert again.history is not None
        again.portfolio.ids._n = 10_000
        report = await again.cycle(clock.now(), ())
        assert report.state["hedges"][0]["blocked_by"] == []
        clock.set(T0 + 2 * STEP + AFTER_THE_HOUR)
        await again.history.turn()
        assert candles_asked(server) == len(SUBJECTS)
        assert again.history.statistics["alts"].as_of == T0 + 2 * STEP
        await again.close()
        assert server.writes == []


async def test_once_fetches_what_nobody_has_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a database the same statistics come from the venue, are shown with how sure they are, and not kept."""
    async with local(tmp_path) as (server, settings):
        state, readable = await _look(settings)
        assert readable
        (hedge,) = state["hedges"]
        assert hedge["blocked_by"] == []
        assert "effective observations" in hedge["statistics"]["text"]
        assert [row["subject"] for row in state["history"]] == SUBJECTS
        assert {row["bars"] for row in state["history"]} <= {4799, 4800}
        assert not settings.store_path().exists()
        show_state(state)
        shown = " ".join(capsys.readouterr().out.split())
        assert "effective observations; out of sample: " in shown
        assert "orders stop at ±" in shown
        assert "Past prices, hourly" in shown
        assert server.writes == []


async def test_once_says_what_is_missing(tmp_path: Path) -> None:
    """While the venue's candles cannot be read the hedge is blocked, and the finding says by what."""
    async with local(tmp_path) as (server, settings):
        server.faults["/fapi/v1/klines"] = "html"
        state, _ = await _look(settings)
        assert state["hedges"][0]["state"] == "blocked"
        (finding,) = [row for row in state["findings"] if row["kind"] == "history_missing"]
        assert "no past prices of main:ETH/USDT:USDT, main:BTC/USDT:USDT" in finding["text"]
        assert "makes no order" in finding["text"]


async def test_once_waits_for_the_past_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue that is slow with its candles delays `once` by the limit, not by its own."""
    monkeypatch.setattr("hedged.cli.once.FETCH_WITHIN", 0.2)
    async with local(tmp_path) as (server, settings):
        server.faults["/fapi/v1/klines"] = "hang"
        began = time.monotonic()
        state, _ = await _look(settings)
        assert time.monotonic() - began < 5
        assert state["hedges"][0]["state"] == "blocked"


async def test_doctor_has_a_line_for_each_hedge_that_learns(tmp_path: Path) -> None:
    """Green with what is kept, red with the venue's fault."""
    async with local(tmp_path) as (server, settings):
        (check,) = [each for each in await examine(settings) if each.what == "alts: past prices"]
        assert (check.result, check.text) == ("ok", "2 markets are read; none are kept until the daemon has run")
        server.faults["/fapi/v1/klines"] = "html"
        (check,) = [each for each in await examine(settings) if each.what == "alts: past prices"]
        assert check.result == "failed"
        assert "an HTML page" in check.text
