"""The files of `hedged plan`: holdings that are read, and the configuration that hedges are appended to."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from hedged.cli.plan_holdings import read_holdings
from hedged.errors import ConfigurationError, DataError
from hedged.settings import load
from hedged.settings.write import NewHedge, difference, read_exactly, replace_checked, with_hedges

BEFORE = """\
# my portfolio
name = "mine" # as on the dashboard
mode = "monitor"

[[accounts]]
name = "main"   # odd   spacing stays
exchange = "binance"

[[hedges]] # by hand
name = "btc"
assets = ["BTC"]
instruments = ["main:BTC/USDT:USDT"]

[limits]
# none yet
"""
NEW = NewHedge("alts", ("UNI", "LINK"), ("main:ETH/USDT:USDT",), "minimum-variance", ("From a plan.",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("asset,quantity\nETH,4\nUNI,0.5\n", {"ETH": Decimal(4), "UNI": Decimal("0.5")}),
        ("﻿Asset, Quantity\r\nETH , 4\r\n\r\n", {"ETH": Decimal(4)}),
        ("asset,quantity\nETH,4\nUNI,0\n", {"ETH": Decimal(4), "UNI": Decimal(0)}),
    ],
)
def test_holdings_are_read(tmp_path: Path, text: str, expected: dict[str, Decimal]) -> None:
    """Spaces, blank lines, a byte-order mark and Windows line ends do not matter."""
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_holdings(path) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "row 1: the header must be asset,quantity"),
        ("coin,amount\nETH,1\n", "row 1: the header must be asset,quantity"),
        ("asset,quantity\n", "no holdings in it"),
        ("asset,quantity\nETH,0\n", "no holdings in it"),
        ("asset,quantity\nETH,NaN\n", "row 2: ETH: quantity 'NaN' is not a finite number"),
        ("asset,quantity\nETH,inf\n", "row 2: ETH: quantity 'inf' is not a finite number"),
        ("asset,quantity\nETH,-1\n", "row 2: ETH: quantity '-1' is below zero"),
        ("asset,quantity\nUNI,1\nETH,lots\n", "row 3: ETH: quantity 'lots' is not a plain decimal number"),
        ("asset,quantity\nETH,\n", "row 2: ETH: quantity '' is not a plain decimal number"),
        ("asset,quantity\nETH,1e30\n", "too large"),
        ("asset,quantity\nETH,1_000\n", "row 2: ETH: quantity '1_000' is not a plain decimal number"),
        ("asset,quantity\nETH,\uff11\n", "is not a plain decimal number"),
        ("asset,quantity\nETH,1\nETH,2\n", "row 3: ETH is there twice"),
        ("asset,quantity\n,2\n", "row 2: '' is no asset's name"),
        ("asset,quantity\nETH,1,2\n", "row 2: 3 fields"),
    ],
)
def test_what_cannot_be_holdings_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """File, row and reason."""
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_holdings(path)
    assert str(error.value).startswith(str(path))
    assert why in str(error.value)


def test_hedges_go_to_the_end_and_nothing_else_changes(tmp_path: Path) -> None:
    """Every byte of before is there, comments and spacing too, and the whole loads."""
    path = tmp_path / "mine.toml"
    path.write_text(BEFORE)
    after = with_hedges(BEFORE, [NEW])
    replace_checked(path, after)
    assert path.read_text() == after
    assert after.startswith(BEFORE)
    assert '# From a plan.\n[[hedges]]\nname = "alts"' in after
    hedge = load(path, {}).policy().hedges[1]
    assert (hedge.name, hedge.assets, hedge.target.value) == ("alts", ("UNI", "LINK"), "minimum-variance")
    assert [line for line in difference(BEFORE, after, "mine.toml").splitlines() if line.startswith("-")] == [
        "--- mine.toml"
    ]


def test_line_ends_of_the_file_are_kept() -> None:
    """A file from Windows stays one, and one without a last line end gets it."""
    after = with_hedges(BEFORE.replace("\n", "\r\n"), [NEW])
    assert after.count("\n") == after.count("\r\n")
    assert with_hedges(BEFORE.rstrip(), [NEW]) == with_hedges(BEFORE, [NEW]).replace("# none yet\n", "# none yet\n")


def test_a_hedge_of_that_name_is_left_alone() -> None:
    """What is there is never written over."""
    with pytest.raises(ConfigurationError, match="'btc' is in the file already"):
        with_hedges(BEFORE, [NewHedge("btc", ("UNI",), ("main:ETH/USDT:USDT",), "value")])


def test_a_file_that_would_be_wrong_is_not_written(tmp_path: Path) -> None:
    """An asset in two hedges: the reason names the file, which stays as it is, and nothing is left beside it."""
    path = tmp_path / "mine.toml"
    path.write_text(BEFORE)
    path.chmod(0o640)
    wrong = with_hedges(BEFORE, [NewHedge("more", ("BTC",), ("main:ETH/USDT:USDT",), "value")])
    with pytest.raises(ConfigurationError) as error:
        replace_checked(path, wrong)
    assert f"{path}:" in str(error.value)
    assert "BTC belongs to" in str(error.value)
    assert "nothing was written" in str(error.value)
    assert path.read_text() == BEFORE
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    """The file a link leads to is replaced, with the mode it had."""
    real, link = tmp_path / "real.toml", tmp_path / "mine.toml"
    real.write_text(BEFORE)
    real.chmod(0o640)
    link.symlink_to(real)
    replace_checked(link, with_hedges(BEFORE, [NEW]))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "alts" in real.read_text()


def test_a_mark_at_the_beginning_of_the_file_stays(tmp_path: Path) -> None:
    """Some editors write one; the plan is appended all the same, and the file loads."""
    path = tmp_path / "portfolio.toml"
    path.write_text(f"\ufeff{BEFORE}", encoding="utf-8")
    after = with_hedges(read_exactly(path), [NEW])
    replace_checked(path, after)
    assert path.read_bytes() == f"\ufeff{with_hedges(BEFORE, [NEW])}".encode()
    assert [each.name for each in load(path).policy().hedges][-1] == NEW.name


@pytest.mark.parametrize("listed", ["[]", '[ { name = "x", assets = ["SOL"], instruments = ["main:SOL/USDT:USDT"] } ]'])
def test_a_list_that_takes_no_table_is_refused_with_the_way_out(listed: str) -> None:
    """TOML has one way or the other to write hedges."""
    with pytest.raises(ConfigurationError, match=r"write each of its hedges as a table under \[\[hedges\]\]"):
        with_hedges(f"hedges = {listed}\n", [NEW])
