"""Prices and funding rates of the past as columns on one UTC clock, each at the time it became known.

The decimal text of the file is kept to the letter, so that money stays exact; floats are made of it for statistics.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

SECONDS_PER_YEAR = 365 * 86_400
FUNDING_INTERVAL_DEFAULT = 8 * 3600  # seconds, until two settlements have shown another
BASIS_WINDOW = 30 * 86_400  # seconds
_NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Closing prices per symbol, in the portfolio's quote currency.

    `times`: epoch seconds at which each row's closes are known, strictly ascending. `columns`: decimal text as
    bytes, one array of `len(times)` per symbol, empty where there is no bar. `step` and `delay` are seconds: the
    usual distance of two rows, and from a row's own stamp to the moment it is known.
    """

    source: str
    times: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.bytes_]]
    step: int
    delay: int

    def row_at(self, epoch: int) -> int | None:
        """The row that became known at exactly this second; an earlier one is never carried forward."""
        row = int(np.searchsorted(self.times, epoch))
        return row if row < len(self.times) and int(self.times[row]) == epoch else None

    def price(self, symbol: str, row: int | None) -> Decimal | None:
        """The exact price, or None where that symbol has no bar."""
        column = self.columns.get(symbol)
        if column is None or row is None:
            return None
        text = bytes(column[row])
        return Decimal(text.decode("ascii")) if text else None

    def floats(self, symbol: str, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Prices at these known times as floats, shape of `epochs`; NaN where there is no bar."""
        prices = np.full(len(epochs), np.nan)
        column = self.columns.get(symbol)
        if column is None:
            return prices
        rows = np.minimum(np.searchsorted(self.times, epochs), len(self.times) - 1)
        text = column[rows]
        there = (self.times[rows] == epochs) & (text != b"")
        prices[there] = text[there].astype(np.float64)
        return prices

    def first_known(self, symbol: str) -> int | None:
        """Epoch second of the symbol's first bar."""
        rows = np.flatnonzero(self.columns[symbol] != b"")
        return int(self.times[rows[0]]) if len(rows) else None


class FundingRates:
    """One perpetual's funding rates at their settlement times (rate > 0: longs pay shorts).

    `times`: epoch seconds, strictly ascending; `text`: the rates' decimal text as bytes, same length. Everything
    that is asked for a moment rests on the settlements at or before it.
    """

    def __init__(self, times: NDArray[np.int64], text: NDArray[np.bytes_]) -> None:
        self.times = times
        self._text = text
        self._sums = np.concatenate(([0.0], np.cumsum(text.astype(np.float64))))

    def settled(self, after: int, until: int) -> list[tuple[int, Decimal]]:
        """Settlements in (after, until], oldest first."""
        first, last = np.searchsorted(self.times, (after, until), side="right")
        return [(int(self.times[i]), self._rate(i)) for i in range(first, last)]

    def interval(self, epoch: int) -> int:
        """Seconds between settlements as the last two show it, such that settlements are on multiples of it."""
        count = int(np.searchsorted(self.times, epoch, side="right"))
        return math.gcd(self._apart(count), int(self.times[count - 1])) if count else FUNDING_INTERVAL_DEFAULT

    def rate(self, after: int, until: int) -> Decimal:
        """The rate per interval that was settled in (after, until], so that a bar charges what its settlements sum to.

        Between two settlements it is the last one's; longer than an interval after it there is none on file: 0.
        """
        settled = self.settled(after, until)
        interval = self.interval(until)
        times = until // interval - after // interval
        if times:
            return sum((rate for _, rate in settled), Decimal(0)) / times
        recent = settled or self.settled(until - interval, until)
        return recent[-1][1] if recent else Decimal(0)

    def basis(self, epoch: int) -> float:
        """Annualised mean of the last 30 days' rates, a fraction; 0 before the first settlement."""
        first, last = np.searchsorted(self.times, (epoch - BASIS_WINDOW, epoch), side="right")
        if first == last:
            return 0.0
        mean = float(self._sums[last] - self._sums[first]) / int(last - first)
        return mean * SECONDS_PER_YEAR / self._apart(int(last))

    def _apart(self, count: int) -> int:
        """Seconds between the last two of the first `count` settlements."""
        return int(self.times[count - 1] - self.times[count - 2]) if count > 1 else FUNDING_INTERVAL_DEFAULT

    def _rate(self, row: int) -> Decimal:
        return Decimal(bytes(self._text[row]).decode("ascii"))


def funding_name(funding: Container[str], perpetual: str, base: str) -> str | None:
    """The name under which a perpetual's rates are on file: its own symbol, else its base asset; None: neither is."""
    return next((name for name in (perpetual, base) if name in funding), None)


def unused_funding(funding: Iterable[str], used: Container[str | None]) -> Iterator[str]:
    """A sentence on the names in the file that no contract goes by, if there are any."""
    unused = [name for name in funding if name not in used]
    if unused:
        more = f" and {len(unused) - _NAMED_MAX:,} more" if len(unused) > _NAMED_MAX else ""
        yield (
            f"Funding on file of {', '.join(unused[:_NAMED_MAX])}{more} is that of no contract here: not used "
            "(it goes by a coin, ETH, or a perpetual, ETH/USDT:USDT)."
        )


@dataclass(frozen=True, slots=True)
class History:
    """All that a replay knows of the past. Keys of `perp`'s columns are base assets, those of `funding` too or ccxt's
    unified symbols of perpetuals (see `funding_name`); `dated`'s columns are such symbols with their expiry. None: no
    such file.
    """

    spot: PriceTable
    perp: PriceTable | None
    dated: PriceTable | None
    funding: Mapping[str, FundingRates]

    def funding_of(self, perpetual: str, base: str) -> FundingRates | None:
        name = funding_name(self.funding, perpetual, base)
        return None if name is None else self.funding[name]
