"""Baskets and the price files that the benchmarks share."""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.exchanges.price_table import PriceTable
from hedged.replay.files import read_prices

Floats = NDArray[np.float64]

OLDER = "roshan_spot_1h.csv.gz"  # 14 coins since 2018
NEWER = "robbudaghyan_spot_1h.csv.gz"  # 39 coins since 2021
MARKS = "roshan_mark_1h.csv.gz"

BASKETS = {
    "DeFi": ("UNI", "AAVE", "MKR", "CRV", "SUSHI", "COMP", "YFI", "SNX"),
    "layer 1": ("SOL", "ADA", "AVAX", "DOT", "ATOM", "NEAR", "ALGO", "TRX"),
    "mixed": ("BNB", "SOL", "LINK", "XRP", "AAVE", "SAND", "LTC", "FIL"),
    "meme": ("DOGE",),
    "payments": ("LTC", "XRP", "XLM", "BCH"),
    "games": ("SAND", "MANA", "AXS", "CHZ", "ENJ", "THETA"),
    "older alts": ("ADA", "LTC", "TRX", "XLM", "XRP"),
    "LINK": ("LINK",),
}
INSTRUMENTS = ("ETH", "BTC")
DAYS_MIN = 120  # a shorter part of a year is no replay


def folder(description: str | None) -> argparse.ArgumentParser:
    """A parser with the one option that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the price files")
    return parser


def year_start(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class Replay:
    """One basket, held in fixed quantities and hedged with one instrument for a calendar year.

    `times` epoch seconds, `values` of the basket (100,000 on the first day of the year) and `prices` of the instrument,
    all (n,); rows before `first` are what was known when the year began.
    """

    name: str
    year: int
    times: NDArray[np.int64]
    values: Floats
    prices: Floats
    first: int


def replays(data: Path) -> list[Replay]:
    """Every basket and year that the files have whole, on each instrument."""
    sources = [(read_prices(data / OLDER), range(2018, 2021)), (read_prices(data / NEWER), range(2021, 2024))]
    return [
        found
        for table, years in sources
        for basket in BASKETS
        for instrument in INSTRUMENTS
        for year in years
        if (found := _replay(table, basket, instrument, year)) is not None
    ]


def _replay(table: PriceTable, basket: str, instrument: str, year: int) -> Replay | None:
    coins = BASKETS[basket]
    if not {*coins, instrument} <= table.columns.keys():
        return None
    prices = np.column_stack([table.floats(coin, table.times) for coin in (*coins, instrument)])
    rows = np.isfinite(prices).all(axis=1) & (table.times < year_start(year + 1))
    times, prices = table.times[rows], prices[rows]
    first = int(np.searchsorted(times, year_start(year)))
    if len(times) - first < DAYS_MIN * 24:
        return None
    quantities = 100_000 / len(coins) / prices[first, :-1]
    name = f"{basket} on {instrument}"
    return Replay(name, year, times, prices[:, :-1] @ quantities, prices[:, -1], first)


def bars(path: Path, columns: Sequence[str]) -> dict[str, tuple[NDArray[np.int64], Floats]]:
    """A long file as (times of opening in epoch seconds, values of shape (n, len(columns))) per symbol."""
    times: dict[str, list[int]] = {}
    values: dict[str, list[list[float]]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            times.setdefault(row["symbol"], []).append(int(datetime.fromisoformat(row["ts"]).timestamp()))
            values.setdefault(row["symbol"], []).append([float(row[column]) for column in columns])
    return {symbol: (np.array(times[symbol]), np.array(values[symbol])) for symbol in sorted(times)}
