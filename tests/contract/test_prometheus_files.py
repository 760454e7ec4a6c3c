"""The rules and the board that are shipped: right in form, and about figures that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedged.app import App, Exchanges
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Derivatives, Margin, Position, Read
from hedged.model.stream import StreamState
from hedged.web.figures import Figures
from tests.build import future, hedge, policy
from tests.fakes import FakeVenue, wire
from tests.scenario.test_app import FakeClockOf, FakeHeartbeat
from tests.support import ROOT, T0, ManualClock, need

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "hedged.json").read_text())
COURSES = Path(__file__).parent / "prometheus_rules_test.yml"


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [need("promtool"), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_right() -> None:
    """promtool takes every one of them."""
    assert f"SUCCESS: {RULES.read_text().count('- alert:')} rules found" in promtool("check", "rules", RULES)


def test_the_rules_fire_when_they_should(tmp_path: Path) -> None:
    """Courses of figures with what is said of them, and when nothing is."""
    for path in (RULES, COURSES):
        shutil.copy(path, tmp_path / path.name)
    assert "SUCCESS" in promtool("test", "rules", tmp_path / COURSES.name)


class Streams:
    """One that is down."""

    def cycle_begins(self) -> None: ...

    def states(self) -> list[StreamState]:
        return [StreamState("main", "marks", False, T0, "no answer")]


async def names_of_all_figures() -> set[str]:
    """What a daemon exports that has everything."""
    clock = ManualClock()
    venue, reached = FakeVenue(clock), FakeClockOf(0.1)
    expiring = InstrumentId("main:ETH/USDT:USDT-261225")
    venue.listed[expiring] = future(expiring, T0.replace(month=12, day=25))
    venue.marks[expiring] = Decimal(3000)

    async def derivatives() -> Read[Derivatives]:
        held = Position(expiring, Decimal(-10), liquidation_price=Decimal(3900))
        return Read(Derivatives((held,), Margin(equity=Decimal(1000), maintenance=Decimal(600))), clock.now())

    venue.derivatives = derivatives
    portfolio = await wire(policy(hedge("ETH", legs=(expiring,))), clock, venue)
    app = App(portfolio, [], [], [], FakeHeartbeat(), Exchanges())
    app.heartbeat.delivered_at, app.heartbeat.problem = T0, None
    app.exchanges.venues["main"] = reached
    app.exchanges.streams["main"] = Streams()
    await app.after_cycle(await app.cycle(clock.now(), ()))
    return set(re.findall(r"^# TYPE (hedged_\w+)", Figures(app, lambda: 1).exposition("")[0].decode(), re.MULTILINE))


async def test_rules_and_board_know_the_figures() -> None:
    """Each name that they ask for is exported under that very name."""
    known = await names_of_all_figures()
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for text in (RULES.read_text(), json.dumps(BOARD))
        for name in re.findall(r"\bhedged_[a-z_]+", text)
    }
    assert len(asked) > 20
    assert asked - known == set()


def test_the_board_is_in_order() -> None:
    """Every panel has its own id and place, and asks for something; none covers another."""
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in panels)
    ]
    assert sum(map(len, places)) == len(set().union(*places))
    assert max(x for place in places for x, _ in place) < 24
    assert all(target["expr"] for panel in panels for target in panel["targets"])
