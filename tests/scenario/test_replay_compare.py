"""Several policies over the same past: side by side or one after the other, as JSON, as a table and as a page."""

from __future__ import annotations

import json
import pickle
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from hedged.adapters.exchanges.price_table import History
from hedged.cli.replay import replay as command
from hedged.errors import DataError
from hedged.replay import compare as module
from hedged.replay.compare import Compared, Past, compare
from hedged.replay.files import read_funding, read_prices
from hedged.replay.page import Origin, page
from hedged.replay.run import Window
from hedged.replay.variations import choose, distinct
from hedged.settings import load
from tests.support import ROOT, need_shared

CONFIG = """
mode = "monitor"
quote = "USDT"
[[accounts]]
name = "main"
exchange = "binance"
[[holdings]]
asset = "SOL"
quantity = "100"
as_of = 2021-01-01
[[hedges]]
name = "alts"
assets = ["SOL"]
instruments = ["main:ETH/USDT:USDT"]
band = 0.02
[paper]
cash = 10_000
[alerts.for]
drift = "5m"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration and five days of hours that wander."""
    (tmp_path / "study.toml").write_text(CONFIG)
    walk = np.exp(np.cumsum(np.random.default_rng(11).normal(0, 0.01, (2, 120)), axis=1)).round(4)
    rows = [
        f"{datetime(2021, 1, 1, tzinfo=UTC) + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ},{10 * sol:.4f},{100 * eth:.4f}"
        for hour, (sol, eth) in enumerate(walk.T.tolist())
    ]
    (tmp_path / "spot.csv").write_text("\n".join(["ts,SOL,ETH", *rows]) + "\n")
    return tmp_path


def call(folder: Path, *options: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    files = ["--config", str(folder / "study.toml"), "--spot", str(folder / "spot.csv")]
    return CliRunner().invoke(app, [*files, *options], env={"NO_COLOR": "1", "COLUMNS": "100"})


def compared(folder: Path, names: str | None = None, workers: int = 1) -> list[Compared]:
    settings = load(folder / "study.toml", {})
    policy = settings.policy()
    past = Past(
        History(read_prices(folder / "spot.csv"), None, None, {}),
        Window(frequency=timedelta(hours=1), frequency_text="1h"),
        settings.alert_rules(),
    )
    return compare(distinct(choose(names, policy), policy)[0], past, workers=workers)


def without_seconds(results: list[Compared]) -> list[dict[str, object]]:
    return [{**each.as_json(), "seconds": 0} for each in results]


def test_side_by_side_is_one_after_the_other(folder: Path) -> None:
    """Two processes find the same figures, lines and marks as one, to the last bit and in the same order."""
    one, two = compared(folder, workers=1), compared(folder, workers=2)
    assert [each.name for each in one] == ["configured", "naive", "band-1", "band-10", "optimal", "none"]
    assert without_seconds(one) == without_seconds(two)
    for alone, beside in zip(one, two, strict=True):
        assert pickle.dumps(beside.course) == pickle.dumps(pickle.loads(pickle.dumps(alone.course)))
        assert replace(beside.report, seconds=0.0) == replace(alone.report, seconds=0.0)


def test_coins_behind_a_hedge_go_to_the_other_processes(folder: Path) -> None:
    """A hedge margined in its coin, with coins in the paper wallets, is compared side by side like any other."""
    text = (folder / "study.toml").read_text()
    text = text.replace("main:ETH/USDT:USDT", "main:ETH/USD:ETH").replace("[paper]", "[paper]\ncoins = { ETH = 40 }")
    (folder / "study.toml").write_text(text)
    assert without_seconds(compared(folder, "naive,none", 2)) == without_seconds(compared(folder, "naive,none", 1))


def test_policies_differ_in_what_they_say(folder: Path) -> None:
    """A narrower band trades more often and drifts less; without a hedge nothing is traded and nothing taken away."""
    by_name = {each.name: each.report for each in compared(folder)}
    assert by_name["band-1"].orders > by_name["configured"].orders > by_name["band-10"].orders > 0
    assert (by_name["none"].orders, by_name["none"].turnover, by_name["none"].effectiveness) == (0, 0, 0)
    assert len({each.hindsight_effectiveness for each in by_name.values()}) == 1


@pytest.mark.parametrize("trouble", [OSError("no semaphores here"), BrokenProcessPool("one was ended")])
def test_without_processes_they_are_replayed_in_this_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """Where none can be started, or one is killed, the figures come all the same."""

    def refuse(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(module, "ProcessPoolExecutor", refuse)
    assert without_seconds(compared(folder, "naive,none", workers=2)) == without_seconds(compared(folder, "naive,none"))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_replay_raises_is_raised(folder: Path, workers: int) -> None:
    """A price that is not there is the same error from another process."""
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace('asset = "SOL"', 'asset = "DOGE"'))
    with pytest.raises(DataError, match="no prices of DOGE"):
        compared(folder, "naive,none", workers)


def test_bars_that_no_day_is_made_of_cannot_be_learnt_from(folder: Path) -> None:
    """Bars of 7 hours: a fixed band runs, the optimal one says why it cannot."""
    rows = (folder / "spot.csv").read_text().splitlines()
    (folder / "spot.csv").write_text("\n".join([rows[0], *rows[1::7]]) + "\n")
    assert call(folder, "--compare", "--policies", "naive", "--frequency", "7h").exit_code == 0
    result = call(folder, "--compare", "--policies", "optimal", "--frequency", "7h")
    assert result.exit_code == 1
    assert (
        "spot.csv: 7:00:00 between rows does not divide a day, which the statistics that hedges.alts" in result.stderr
    )


def test_json_is_a_list_with_the_policy_in_front(folder: Path) -> None:
    """One replay's object each, notes on stderr."""
    result = call(folder, "--compare", "--json", "--policies", "none,naive,configured", "--frequency", "1h")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [each["policy"] for each in found] == ["none", "naive", "configured"]
    alone = json.loads(call(folder, "--json", "--frequency", "1h").stdout)
    assert list(found[2]) == ["policy", *alone]
    assert {**found[2], "seconds": 0} == {"policy": "configured", **alone, "seconds": 0}
    assert "No funding of ETH on file: taken as 0." in result.stderr


def test_people_get_a_table_with_a_row_for_each(folder: Path) -> None:
    """Whole numbers also where the output is a file; what is the same twice is shown once and said so."""
    result = call(folder, "--compare", "--policies", "configured,band-5,band-1,none", "--frequency", "1h")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    for line in ("configured", "band-5", "band-1", "none", "effectiveness", "worst drift", "best in hindsight"):
        assert line in result.stdout
    assert "…" not in result.stdout


class Values(HTMLParser):
    """What the elements for exact figures hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "data":
            self.found.append(dict(attrs)["value"] or "")


def test_the_page_holds_the_figures_of_the_json_and_says_what_was_run(folder: Path) -> None:
    """The same command gives both; the file is whole, readable by others as the umask has it, and alone."""
    target = folder / "a report.html"
    result = call(folder, "--compare", "--json", "--policies", "naive,band-1", "--report", str(target))
    assert result.exit_code == 0, result.output
    text = target.read_text(encoding="utf-8")
    exact = Values(text).found
    for each in json.loads(result.stdout):
        for figure in (each["effectiveness"], *each["costs"].values(), each["orders"], each["turnover"]):
            assert ("" if figure is None else str(figure)) in exact
    command = f"hedged replay --compare --config {folder}/study.toml --spot {folder}/spot.csv"
    assert command in text
    assert f"--report '{target}'" in text
    assert "No --perp: the perpetual of ETH is priced at spot." in text
    assert "half a spread of 2 bp and 2 bp off the mark, for 0.05 % in fees; every account starts with 10,000" in text
    assert sorted(path.name for path in folder.iterdir()) == ["a report.html", "spot.csv", "study.toml"]
    assert target.stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--policies", "naive"), "goes with --compare"),
        (("--report", "page.html"), "goes with --compare"),
        (("--compare", "--policies", "best"), "'best' is no policy to compare"),
        (("--compare", "--report", "/nowhere/page.html"), "there is no folder /nowhere"),
        (("--compare", "--report", "/tmp"), "/tmp is a folder"),
    ],
)
def test_options_that_make_no_sense_end_with_2(folder: Path, options: tuple[str, ...], reason: str) -> None:
    """Said before anything is replayed, with the option's name."""
    result = call(folder, *options)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.replace("│", " ").split())
    assert options[-2] in result.stderr


def test_a_month_of_real_prices() -> None:
    """Ten coins over ETH: every policy runs, costs order by band, and the page draws all of them."""
    prices = need_shared("data/robbudaghyan_spot_1h.csv.gz")
    funding = need_shared("data/merged_funding_8h.csv.gz")
    settings = load(ROOT / "config" / "replay.toml", {})
    policy = settings.policy()
    window = Window(datetime(2021, 5, 1, tzinfo=UTC), datetime(2021, 6, 1, tzinfo=UTC))
    past = Past(History(read_prices(prices), None, None, read_funding(funding)), window, settings.alert_rules())
    policies, _ = distinct(choose("configured,band-1,band-10,minimum-variance,none", policy), policy)
    results = compare(policies, past)
    by_name = {each.name: each for each in results}
    fees = [by_name[name].report.costs.fees for name in ("none", "band-10", "configured", "band-1")]
    assert fees == sorted(fees)
    assert fees[0] == 0 < fees[1]
    falls = {name: float(np.nanmin(each.course.lines["drawdown_hedged"].values)) for name, each in by_name.items()}
    assert falls["none"] == float(np.nanmin(by_name["none"].course.lines["drawdown_unhedged"].values)) < -0.5
    assert min(falls, key=lambda name: falls[name]) == "none"  # in that crash any hedge was better
    content = page(Origin("ten-coins", "hedged replay --compare", []), results).decode()
    assert content.count('role="img"') == 2 + 6 * len(results) - 1  # without a hedge there is no scatter
    assert len(content) < 1_500_000
