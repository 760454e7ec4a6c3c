"""The list of sectors that ships, and a user's own over it."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import pytest

from hedged.errors import ConfigurationError
from hedged.settings import load
from hedged.settings.sectors import SHIPPED, read_sectors, sectors
from hedged.settings.worlds import STABLECOINS
from tests.benchmarks.sectors import written

ESTIMATED = re.compile(r"estimated \d{4}-\d{2}-\d{2}, \d+ days")


def test_the_list_is_long_and_whole() -> None:
    """At least a hundred assets, none of them cash, each with a sector, both betas and where they are from."""
    shipped = read_sectors(SHIPPED)
    assert len(shipped) >= 100
    assert not STABLECOINS & shipped.keys()
    for asset, profile in shipped.items():
        assert profile.sector, asset
        assert set(profile.betas) == {"BTC", "ETH"}, asset
        known = ESTIMATED.fullmatch(profile.source) or profile.source in {"sector median", "median of all sectors"}
        assert known, asset


def test_estimates_rest_on_enough_days_and_medians_are_medians() -> None:
    """250 days at least; what is marked as the sector's median is it."""
    shipped = read_sectors(SHIPPED)
    estimated = [each for each in shipped.values() if ESTIMATED.fullmatch(each.source)]
    assert len(estimated) >= 30
    assert all(int(each.source.split()[2]) >= 250 for each in estimated)
    for each in shipped.values():
        if each.source == "sector median":
            peers = [peer.betas["BTC"] for peer in estimated if peer.sector == each.sector]
            assert each.betas["BTC"] == round(median(peers), 2)


def test_the_command_writes_the_list_as_it_stands() -> None:
    """What it would write of what it has read is the file, to the byte."""
    assert written(read_sectors(SHIPPED)) == SHIPPED.read_text(encoding="utf-8")


def config(folder: Path, own: str) -> Path:
    (folder / "own.toml").write_text(own)
    path = folder / "mine.toml"
    path.write_text(
        '[portfolio]\nsectors_file = "own.toml"\n[[accounts]]\nname = "main"\nexchange = "binance"\n'
        '[[hedges]]\nname = "a"\nassets = ["UNI", "NEW"]\ninstruments = ["main:ETH/USDT:USDT"]\n'
    )
    return path


def test_a_users_own_lines_go_first(tmp_path: Path) -> None:
    """They replace the list's line of that asset, add others, and reach the hedges; the rest stays."""
    own = '[assets]\nUNI = { sector = "mine", beta_btc = 2, beta_eth = 3.5 }\nNEW = { sector = "mine" }\n'
    settings = load(config(tmp_path, own), {})
    assert settings.sectors["UNI"].betas == {"BTC": 2.0, "ETH": 3.5}
    assert settings.sectors["NEW"].source == "sector median"
    assert settings.sectors["AAVE"] == sectors()["AAVE"]
    assert settings.policy().hedges[0].prior_betas["NEW"] == {"BTC": 2.0, "ETH": 3.5}


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ('[assets]\n\nUNI = { sector = "x", beta_btc = -1 }', "own.toml:3  assets.UNI.beta_btc = -1"),
        ('[assets]\nUNI = { sector = "x", beta_eth = nan }', "above 0"),
        ("[assets]\nUNI = { beta_btc = 1 }", "must be a sector's name"),
        ('[assets]\nUNI = { sector = "x", beta = 1 }', "unknown key; allowed: sector"),
        ('[assets]\nUSDT = { sector = "x" }', "is cash"),
        ('[assets]\nUNI = "defi"', "must be a table"),
        ('[coins]\nUNI = { sector = "x" }', "must hold one table, [assets]"),
        ("[assets", "not TOML"),
    ],
)
def test_what_is_wrong_with_it_is_said(tmp_path: Path, own: str, text: str) -> None:
    """File, line, key and the allowed range, when the configuration is loaded."""
    with pytest.raises(ConfigurationError) as error:
        load(config(tmp_path, own), {})
    assert text in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    path = config(tmp_path, "")
    (tmp_path / "own.toml").unlink()
    with pytest.raises(ConfigurationError, match=r"own\.toml.*cannot be read"):
        load(path, {})
