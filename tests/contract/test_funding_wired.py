"""A daemon as it is wired, at a local exchange that tells what funding it settled: read beside the cycles, booked once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedged import app as root
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.app import App
from hedged.cli.effect import effect_object, effects_of
from hedged.model.effect import EffectDay
from hedged.settings import load
from tests.support import T0, CountingIds, ManualClock
from tests.venues.binance_bench import KEYS, pki
from tests.venues.binance_server import BinanceServer
from tests.venues.binance_venue import BinanceVenue, Held

CONFIG = """
mode = "{mode}"
[[accounts]]
name = "main"
exchange = "binance"
connect_to = "{connect_to}"
ca_file = "{ca_file}"
[[hedges]]
name = "eth"
assets = ["ETH"]
instruments = ["main:ETH/USDT:USDT"]
[store]
path = "{store}"
"""
D = Decimal
INCOME = "/fapi/v1/income"
FOUR = T0 + timedelta(hours=4)


class Wired:
    """`build` starts the daemon anew on the same store; `run_to` has it run cycles up to a time of the day."""

    def __init__(self, server: BinanceServer, clock: ManualClock, config: Path) -> None:
        self.server, self.clock, self._config = server, clock, config
        self.app: App | None = None
        self._ids = CountingIds()

    async def build(self) -> None:
        await self.close()
        settings = load(self._config, {"STATE_DIRECTORY": str(self._config.parent)})
        self.app = await root.build(settings, self.clock, self._ids)

    async def close(self) -> None:
        if self.app is not None:
            await self.app.close()
            self.app = None

    async def cycle_at(self, hour: int, minute: int) -> list[str]:
        """What a cycle at this time finds; afterwards the daemon may ask what was paid."""
        assert self.app is not None
        assert self.app.payments is not None
        self.clock.advance((T0.replace(hour=hour, minute=minute) - self.clock.now()).total_seconds())
        report = await self.app.cycle(self.clock.now(), ())
        await self.app.payments.look()
        return [finding["kind"] for finding in report.state["findings"]]

    async def day(self) -> EffectDay:
        assert self.app is not None
        (day,) = await self.app.portfolio.store.effects(T0 - timedelta(days=1))
        return day

    def asked(self) -> int:
        return sum(path == INCOME for _, path in self.server.requests)

    def pay(self, amount: str, at: Any = FOUR, id_: int = 1) -> None:
        row = {"symbol": "ETHUSDT", "incomeType": "FUNDING_FEE", "income": amount, "asset": "USDT", "tranId": id_}
        self.server.venue.income.append({**row, "time": milliseconds(at)})


@asynccontextmanager
async def wired(tmp_path: Path, mode: str = "monitor") -> AsyncIterator[Wired]:
    ca_file, cert, key = pki()
    clock = ManualClock(T0)
    venue = BinanceVenue(now=lambda: milliseconds(clock.now()))
    venue.spot = {"ETH": (D(2), D(0))}
    venue.positions, venue.marks = {"ETHUSDT": Held(D(-2), D(3100))}, {"ETHUSDT": D(3000)}
    async with BinanceServer(venue, cert, key) as server:
        config, secret = tmp_path / "p.toml", tmp_path / "credentials" / "account-main"
        config.write_text(
            CONFIG.format(mode=mode, connect_to=server.connect_to, ca_file=ca_file, store=tmp_path / "p.sqlite")
        )
        secret.parent.mkdir(exist_ok=True)
        secret.write_text(json.dumps(KEYS))
        secret.chmod(0o600)
        it = Wired(server, clock, config)
        await it.build()
        try:
            yield it
        finally:
            await it.close()


async def test_what_was_paid_replaces_what_was_computed_through_restarts(tmp_path: Path) -> None:
    """Computed at first, read a cycle later, and the same whether the process ends before the read or after it."""
    async with wired(tmp_path) as it:
        await it.cycle_at(15, 59)
        await it.cycle_at(16, 0)
        day = await it.day()
        computed = 2 * D(3000) * it.server.venue.funding_rate
        assert (day.parts.funding, day.funding_settled, day.funding_read) == (computed, 1, 0)
        total = day.parts.total
        it.pay("0.7123", FOUR + timedelta(seconds=7))
        await it.build()
        await it.cycle_at(16, 2)
        assert it.asked() == 1
        await it.cycle_at(16, 3)
        day = await it.day()
        assert (day.parts.funding, day.funding_settled, day.funding_read) == (D("0.7123"), 1, 1)
        assert day.parts.total == total - computed + D("0.7123")
        assert it.app is not None
        assert it.app.cycle_weights["main"] > 30, (
            "the request counts in the weight of the cycle before which it was made"
        )
        await it.build()
        for minute in range(4, 8):
            await it.cycle_at(16, minute)
        assert await it.day() == replace(day, seconds=day.seconds + 240)
        assert it.asked() == 1, "all that was settled is read"
        (found,) = effects_of([await it.day()])
        shown = effect_object(found, paper=False)
        assert (shown["funding_source"], shown["funding_settlements"]) == ("read", 1)


@pytest.mark.parametrize("fault", ["500", "html", "empty", "truncated"])
async def test_an_exchange_that_does_not_tell_holds_up_no_cycle(tmp_path: Path, fault: str) -> None:
    """Cycles find what they find without it; the effect stays computed and says so, and is read once it can be."""
    async with wired(tmp_path) as it:
        await it.cycle_at(15, 59)
        it.pay("0.7123")
        usual = await it.cycle_at(16, 0)
        it.server.faults[INCOME] = fault
        for minute in (2, 3, 4):
            assert await it.cycle_at(16, minute) == usual
        assert it.asked() == 1, "not at every cycle"
        (found,) = effects_of([await it.day()])
        assert effect_object(found, paper=False)["funding_source"] == "computed"
        it.server.faults.clear()
        await it.cycle_at(16, 14)
        await it.cycle_at(16, 15)
        assert (await it.day()).parts.funding == D("0.7123")


async def test_on_paper_nothing_is_asked(tmp_path: Path) -> None:
    """A paper position is paid by the paper books alone, whatever the real account was paid."""
    async with wired(tmp_path, "paper") as it:
        await it.cycle_at(15, 58)
        await it.cycle_at(15, 59)
        it.pay("0.7123")
        await it.cycle_at(16, 1)
        await it.cycle_at(16, 2)
        day = await it.day()
        assert (it.asked(), day.funding_settled, day.funding_read) == (0, 1, 1)
        assert day.parts.funding not in {D(0), D("0.7123")}


async def test_the_background_asks_by_itself(tmp_path: Path) -> None:
    """The loop is among those that the daemon runs."""
    async with wired(tmp_path) as it:
        assert it.app is not None
        assert it.app.payments is not None
        assert it.app.payments.run in it.app.background
