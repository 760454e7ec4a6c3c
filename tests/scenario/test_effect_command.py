"""`hedged effect` and its line in `status`, over a real database."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedged.adapters.clock import SystemClock
from hedged.adapters.store.sql import SqlStore
from hedged.model.effect import PART_NAMES
from hedged.ports import CycleRecord, Memory
from hedged.settings import load
from tests.scenario.test_commands import CONFIG, ask, run_cycles
from tests.unit.test_effect import market


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(CONFIG.format(mode="paper", cash=20_000, store=tmp_path / "mine.sqlite"))
    return path


def remember(config: Path, days: int, *, settled: int = 0, read: int = 0) -> None:
    """So many days of a hedge that works, up to yesterday, with so many settlements each."""
    now = SystemClock().now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = [
        replace(
            row,
            day=midnight - timedelta(days=days - n),
            unknown_seconds=0.0,
            funding_settled=settled,
            funding_read=read,
        )
        for n, row in enumerate(market(days, 0.1))
    ]

    async def put() -> None:
        settings = load(config)
        store = SqlStore(settings.store_path())
        await store.open(settings.name, settings.world, now)
        await store.record_cycle(CycleRecord("c1", now, now, None, None, None, Memory(), (), (), rows), [])
        await store.close()

    asyncio.run(put())


def test_before_anything_is_on_record_it_says_so(config: Path) -> None:
    """No database: a sentence and exit 1; a day without a whole one: sums, and the effectiveness is unknown."""
    assert ask("effect", "-c", config).exit_code == 1
    run_cycles(config)
    result = ask("effect", "-c", config)
    assert result.exit_code == 0
    assert "unknown: 0 of 20 days" in result.stdout
    assert "paper world" not in result.stdout, "it is the simulated one"
    assert "simulated world" in result.stdout
    assert "fees paid" in result.stdout
    assert "effectiveness unknown (0 whole days on record, 20 are needed)" in ask("status", "-c", config).stdout


def test_the_json_adds_up(config: Path) -> None:
    """Every part is there as text, and together they are the whole."""
    remember(config, 70)
    run_cycles(config, 1)
    shown = json.loads(ask("effect", "-c", config, "--json").stdout)
    assert (shown["schema"], shown["world"], shown["days"]) == ("hedged.effect/1", "simulated", 90)
    (hedge,) = shown["hedges"]
    assert set(hedge["parts"]) == set(PART_NAMES)
    assert sum(map(Decimal, hedge["parts"].values())) == Decimal(hedge["total_pnl"])
    assert Decimal(hedge["exposure_pnl"]) + Decimal(hedge["hedge_pnl"]) == Decimal(hedge["total_pnl"])
    low, high = hedge["effectiveness_interval"]
    assert 0.8 < low < hedge["effectiveness"] < high < 1
    assert (hedge["days"], hedge["unknown_seconds"]) == (70, 0)
    assert Decimal(hedge["opportunity_cost"]) > 0
    in_status = json.loads(ask("status", "-c", config, "--json").stdout)["effects"]
    assert in_status[0]["total_pnl"] == hedge["total_pnl"]


@pytest.mark.parametrize(("mode", "funding"), [("paper", "paid"), ("monitor", "computed")])
def test_it_says_whose_figure_the_funding_is(config: Path, mode: str, funding: str) -> None:
    """A paper account tells what it paid; of a venue it is worked out from the rates, and that is said."""
    remember(config, 3)
    config.write_text(config.read_text().replace('mode = "paper"', f'mode = "{mode}"'))
    assert json.loads(ask("effect", "-c", config, "--json").stdout)["funding"] == funding
    said = "funding is computed from the rates that were announced" in ask("effect", "-c", config).stdout
    assert said is (funding == "computed")


@pytest.mark.parametrize(
    ("read", "source", "funding", "shown", "said"),
    [
        (3, "read", "paid", "30 of 30", ""),
        (2, "partly", "computed", "20 of 30", "where the venue's payments were not read, funding is computed from the"),
        (0, "computed", "computed", "none of 30", "\nfunding is computed from the rates that were announced"),
    ],
)
def test_each_hedge_says_how_much_of_its_funding_was_read(
    config: Path, read: int, source: str, funding: str, shown: str, said: str
) -> None:
    """Settlement by settlement, in words and in JSON; what was computed is never called read."""
    remember(config, 10, settled=3, read=read)
    config.write_text(config.read_text().replace('mode = "paper"', 'mode = "monitor"'))
    told = json.loads(ask("effect", "-c", config, "--json").stdout)
    (hedge,) = told["hedges"]
    assert (told["funding"], hedge["funding_source"]) == (funding, source)
    assert (hedge["funding_settlements"], hedge["funding_settlements_read"]) == (30, 10 * read)
    text = ask("effect", "-c", config).stdout
    (line,) = [line for line in text.splitlines() if "settlements read from the account" in line]
    assert shown in line
    assert said in text
    assert ("computed" in text) is bool(said)


def test_days_choose_how_far_to_look_back(config: Path) -> None:
    """Today counts; what is older is not shown."""
    remember(config, 30)
    result = json.loads(ask("effect", "-c", config, "--days", "11", "--json").stdout)
    assert result["hedges"][0]["days"] == 10
    assert ask("effect", "-c", config, "--days", "0").exit_code == 2


def test_it_fits_a_narrow_window(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty columns, no colour: every line whole, every number in one piece."""
    remember(config, 70)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("hedged.cli.tables.new_console", _narrow)
    result = ask("effect", "-c", config)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 60
    assert "\x1b" not in result.stdout
    found = [line for line in lines if "effectiveness over 60 days" in line]
    assert len(found) == 1
    assert found[0].split()[-1].startswith("0.")


def _narrow() -> object:
    from rich.console import Console

    return Console(highlight=False, width=60)
