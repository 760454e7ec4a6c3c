"""Real prices for the measurements: every long price file of a folder, as returns on one clock, and the baskets."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hedged.errors import DataError
from hedged.estimate.effectiveness import Floats
from hedged.estimate.returns import AlignedReturns, Closes, Times, align_returns
from hedged.replay.files import read_prices

HOUR, DAY = 3600, 86_400
BASKETS = {
    "defi": ("UNI", "AAVE", "MKR", "CRV", "SUSHI", "COMP", "YFI", "SNX", "1INCH", "LDO", "PENDLE", "DYDX"),
    "layer 1": ("SOL", "ADA", "AVAX", "DOT", "ATOM", "NEAR", "ALGO", "SUI", "APT", "TON", "SEI"),
    "mixed": ("SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT", "UNI", "AAVE", "ATOM"),
    "meme": ("DOGE", "SHIB", "1000SHIB", "PEPE", "1000PEPE", "WIF", "BONK", "FLOKI"),
}
COINS_MIN = {"meme": 1}
"""Coins that a file must have of a basket for it to be one: three, but most files know one meme coin."""

STABLE = frozenset({"USDC", "BUSD", "DAI", "TUSD", "FDUSD"})
KNOWN_MIN = 0.95
_DAYS_MIN = 300


@dataclass(frozen=True)
class Market:
    """One file's closes; `step` is the finest of an hour, four hours and a day that its rows allow."""

    name: str
    closes: dict[str, Closes]
    step: int

    def returns(self, step: int) -> AlignedReturns:
        return align_returns(self.closes, step)


@dataclass(frozen=True)
class Verdict:
    """One line under a table: what is asked for, what was measured, and whether it is met."""

    asked: str
    measured: str
    met: bool

    def __str__(self) -> str:
        return f"{'pass' if self.met else 'MISS'}  {self.asked}: {self.measured}"


def data_argument(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder with wide or long .csv(.gz) files of closes")
    parser.add_argument("--file", default="", help="only files whose name contains this")
    parser.add_argument("--from-year", type=int, default=0)
    parser.add_argument("--to-year", type=int, default=9999)
    return parser


def read_markets(folder: Path, name: str = "") -> Iterator[Market]:
    """Files of closes at an hour to a day over at least 300 days, mark prices aside; each is said, used or not."""
    for path in sorted(folder.glob("*.csv*")):
        if name not in path.name or "mark" in path.name:
            continue
        try:
            table = read_prices(path)
        except DataError:
            continue  # funding, or another kind of file
        days = (int(table.times[-1]) - int(table.times[0])) / DAY
        if days < _DAYS_MIN or table.step < HOUR or table.step > DAY:
            continue
        closes = {symbol: Closes(table.times, table.floats(symbol, table.times)) for symbol in table.columns}
        yield Market(path.name, closes, table.step)


def year_bounds(year: int) -> tuple[int, int]:
    return tuple(int(datetime(each, 1, 1, tzinfo=UTC).timestamp()) for each in (year, year + 1))  # type: ignore[return-value]


def years(times: Times) -> range:
    first, last = (datetime.fromtimestamp(int(each), UTC).year for each in (times[0], times[-1] - 1))
    return range(first, last + 1)


def known_throughout(returns: AlignedReturns, names: Sequence[str], start: int, end: int) -> tuple[str, ...]:
    """Of `names`, those with at least 95 % of the returns in (start, end]."""
    within = (returns.times > start) & (returns.times <= end)
    return tuple(
        name
        for name in names
        if name in returns.names and within.any() and np.isfinite(returns.columns(name)[within]).mean() >= KNOWN_MIN
    )


def equal_weights(count: int) -> Floats:
    return np.full(count, 1 / count)
