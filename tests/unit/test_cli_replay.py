"""`hedged replay` as a command: what goes to which stream, and which exit status says what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from hedged.cli.replay import replay
from hedged.replay.options import parse_frequency, parse_moment

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
"""
FIELDS = [
    *("schema", "effectiveness", "hindsight_effectiveness", "naive_effectiveness", "frequency", "orders", "turnover"),
    *("costs", "max_drift", "liquidations", "margin_reductions", "bars", "seconds"),
    *("decomposition", "opportunity_cost"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration and six hours of prices, one of them without SOL's."""
    (tmp_path / "study.toml").write_text(CONFIG)
    sol, eth = ("10", "11", "", "10.5", "11", "10"), ("100", "107", "108", "104", "105", "103")
    rows = [f"2021-01-01T{hour:02d}:00:00Z,{s},{e}" for hour, (s, e) in enumerate(zip(sol, eth, strict=True))]
    (tmp_path / "spot.csv").write_text("\n".join(["ts,SOL,ETH", *rows]) + "\n")
    return tmp_path


def call(folder: Path, *options: str, config: str = "study.toml", spot: str = "spot.csv") -> Result:
    app = typer.Typer()
    app.command()(replay)
    files = ["--config", str(folder / config), "--spot", str(folder / spot)]
    return CliRunner().invoke(app, [*files, *options], env={"NO_COLOR": "1", "COLUMNS": "100"})


@pytest.mark.parametrize(
    ("names", "paid"),
    [
        (("ETH",), True),
        (("ETH/USDT:USDT",), True),
        (("ETH/USDT:USDT", "ETH"), True),  # its own symbol comes first; the coin's rate here would be received
        (("ETH/USD:ETH",), None),
        (("ETHUSDT", "BTC"), None),
    ],
)
def test_funding_goes_by_coin_or_contract(folder: Path, names: tuple[str, ...], paid: bool | None) -> None:
    """The first rate is what a short pays, the second what it would receive; names of no contract are told."""
    lines = [
        f"2021-01-01T{hour:02d}:00:00Z,{name},{rate}"
        for hour in range(8)
        for name, rate in zip(names, ("-0.01", "0.01"), strict=False)
    ]
    (folder / "rates.csv").write_text("\n".join(["ts,symbol,funding_rate", *lines]) + "\n")
    result = call(folder, "--json", "--frequency", "1h", "--funding", str(folder / "rates.csv"))
    assert result.exit_code == 0, result.output
    funding = float(json.loads(result.stdout)["costs"]["funding"])
    assert (funding > 0) is bool(paid)
    assert ("No funding of ETH/USDT:USDT on file" in result.stderr) is (paid is None)
    unused = names if paid is None else names[1:]
    assert (f"Funding on file of {', '.join(unused)} is that of no contract here" in result.stderr) is bool(unused)


def test_json_is_one_object_on_stdout_and_the_notes_are_on_stderr(folder: Path) -> None:
    """Exactly the fields promised: money as text, ratios as numbers, in this order."""
    result = call(folder, "--json", "--frequency", "1h")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report) == FIELDS
    assert list(report["costs"]) == ["fees", "funding", "slippage", "roll"]
    assert (report["schema"], report["frequency"], report["bars"]) == ("hedged.replay/1", "1h", 6)
    assert isinstance(report["turnover"], str)
    assert isinstance(report["max_drift"], float)
    assert "Prices of SOL missing in spot.csv: 1 of 6 bars." in result.stderr
    assert "No funding of ETH on file: taken as 0." in result.stderr


def test_what_the_data_does_not_define_is_null(folder: Path) -> None:
    """Six hours hold no daily return, so there is no daily effectiveness: null, never 0."""
    report = json.loads(call(folder, "--json").stdout)
    assert [report[name] for name in FIELDS[1:4]] == [None, None, None]


def test_people_get_a_table_without_escapes_or_animation(folder: Path) -> None:
    """Without a terminal nothing moves and nothing is coloured; the notes stand below the table."""
    result = call(folder, "--frequency", "1h")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert result.stderr == ""
    for line in ("effectiveness (1h)", "hindsight-best", "naive", "worst drift", "liquidations", "bars", "No --perp"):
        assert line in result.stdout


@pytest.mark.parametrize("text", ["2021-01-01T06:00:00Z,-1,103", "2021-01-01T05:00:00Z,10,103"])
def test_an_impossible_row_ends_with_1_and_names_it(folder: Path, text: str) -> None:
    """The file, the row and the reason on stderr, nothing on stdout."""
    with (folder / "spot.csv").open("a") as file:
        file.write(text + "\n")
    result = call(folder, "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"{folder / 'spot.csv'}: row 8: ")


def test_faults_of_the_configuration_end_with_78(folder: Path) -> None:
    """A typo in the file, and a portfolio without anything to replay."""
    (folder / "typo.toml").write_text(CONFIG.replace("quote =", "qoute ="))
    result = call(folder, config="typo.toml")
    assert result.exit_code == 78
    assert "qoute" in result.stderr
    (folder / "bare.toml").write_text(CONFIG.replace('asset = "SOL"', 'asset = "USDT"'))
    result = call(folder, config="bare.toml")
    assert result.exit_code == 78
    assert "nothing to replay" in result.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--frequency", "daily"), "is no frequency"),
        (("--frequency", "90m"), "must be a multiple of the step of spot.csv, 1:00:00"),
        (("--start", "soon"), "is no time"),
        (("--start", "2021-01-02", "--end", "2021-01-02"), "must be after --start"),
        (("--bar-time", "middle"), "middle"),
    ],
)
def test_options_that_make_no_sense_end_with_2(folder: Path, options: tuple[str, ...], reason: str) -> None:
    """A usage error names the option and what is allowed."""
    result = call(folder, *options)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.replace("│", " ").split())


def test_a_configuration_that_would_trade_live_is_replayed_on_paper(folder: Path) -> None:
    """The mode of the file plays no part: a replay trades on paper, and asks for no key."""
    (folder / "live.toml").write_text(CONFIG.replace('"monitor"', '"live"'))
    report = json.loads(call(folder, "--json", "--bar-time", "close", config="live.toml").stdout)
    assert report["orders"] > 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("1d", 86_400), ("4h", 14_400), ("15m", 900), ("30s", 30), ("1w", 604_800)]
)
def test_frequencies(text: str, seconds: int) -> None:
    """A whole number and a unit."""
    assert parse_frequency(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["0d", "1", "d", "1.5h", "-1d", "1D", ""])
def test_what_is_no_frequency(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="is no frequency: expected a whole number"):
        parse_frequency(text)


def test_moments_are_utc_unless_they_say_otherwise() -> None:
    """A date is its midnight in UTC; another zone is converted."""
    assert parse_moment("2021-01-02").isoformat() == "2021-01-02T00:00:00+00:00"
    assert parse_moment("2021-01-02T03:00:00+02:00").isoformat() == "2021-01-02T01:00:00+00:00"
