"""Sectors and prior betas of assets: the list that ships, and a user's own over it.

    [assets]
    UNI = { sector = "defi", beta_btc = 1.24, beta_eth = 0.98, source = "estimated 2023-12-31, 1095 days" }
    NEW = { sector = "defi" }

An asset without betas takes the medians of its sector. Stablecoins are cash and stand in no sector.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

from hedged.model.sectors import ANCHORS, AssetProfile
from hedged.settings.faults import Fault, Problem, SettingsError, Source, printable
from hedged.settings.lines import find_lines
from hedged.settings.worlds import STABLECOINS

SHIPPED = Path(__file__).with_name("sectors.toml")
SECTOR_MEDIAN = "sector median"
MARKET_MEDIAN = "median of all sectors"
BETA_MAX = 10
Sectors = Mapping[str, AssetProfile]

_KEYS = {"sector": None, "source": None} | {f"beta_{anchor.lower()}": anchor for anchor in ANCHORS}


def sectors(own: Path | None = None) -> Sectors:
    """The shipped list, with what the file `own` says of an asset in place of what the list does.

    Raises `SettingsError` naming file, line and key.
    """
    shipped = _shipped()
    return shipped if own is None else completed({**shipped, **read_sectors(own)})


@cache
def _shipped() -> Sectors:
    return completed(read_sectors(SHIPPED))


def read_sectors(path: Path) -> dict[str, AssetProfile]:
    """One file as it stands, medians not filled in. Raises `SettingsError`."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"not TOML in UTF-8: {error}") from None
    wrong = list(_wrong(values))
    if wrong:
        source = Source(path, values, find_lines(text), {})
        raise SettingsError(map(source.fault, wrong))
    return {asset: _profile(row) for asset, row in values["assets"].items()}


def completed(found: Mapping[str, AssetProfile]) -> Sectors:
    """With the medians of its sector, or else of all, for an asset whose betas are not known."""
    estimated = [each for each in found.values() if each.betas and each.source not in {SECTOR_MEDIAN, MARKET_MEDIAN}]
    whole = {}
    for asset, profile in found.items():
        betas, source = profile.betas, profile.source
        if not betas or source in {SECTOR_MEDIAN, MARKET_MEDIAN}:
            betas, source = _medians([each for each in estimated if each.sector == profile.sector]), SECTOR_MEDIAN
            if not betas:
                betas, source = _medians(estimated), MARKET_MEDIAN
        whole[asset] = AssetProfile(profile.sector, MappingProxyType(betas), source)
    return MappingProxyType(whole)


def _medians(profiles: Iterable[AssetProfile]) -> dict[str, float]:
    known = list(profiles)
    betas = {anchor: [each.betas[anchor] for each in known if anchor in each.betas] for anchor in ANCHORS}
    return {anchor: round(median(values), 2) for anchor, values in betas.items() if values}


def _profile(row: Mapping[str, Any]) -> AssetProfile:
    betas = {anchor: float(row[key]) for key, anchor in _KEYS.items() if anchor is not None and key in row}
    return AssetProfile(row["sector"], betas, row.get("source", ""))


def _wrong(values: Mapping[str, Any]) -> Iterator[Problem]:
    assets = values.get("assets")
    if not isinstance(assets, dict) or set(values) != {"assets"}:
        yield Problem((), 'must hold one table, [assets], with lines like UNI = { sector = "defi" }')
        return
    for asset, row in assets.items():
        place = ("assets", asset)
        if asset in STABLECOINS:
            yield Problem(place, "is cash, which is in no sector: remove it")
        elif not isinstance(row, dict):
            yield Problem(place, 'must be a table such as { sector = "defi" }')
        else:
            yield from (Problem((*place, key), text) for key, text in _wrong_in(row))


def _wrong_in(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not isinstance(row.get("sector"), str) or not row["sector"].strip():
        yield "sector", "must be a sector's name in quotes"
    for key, value in row.items():
        if key not in _KEYS:
            yield key, f"unknown key; allowed: {', '.join(_KEYS)}"
        elif _KEYS[key] is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= BETA_MAX
        ):
            yield key, f"must be a number above 0 and at most {BETA_MAX}"
    if not isinstance(row.get("source", ""), str):
        yield "source", "must be text in quotes"


def _unusable(path: Path, text: str) -> SettingsError:
    return SettingsError([Fault(printable(str(path)), None, None, "", None, text)])
