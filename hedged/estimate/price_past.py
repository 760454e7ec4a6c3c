"""The past of a price, taken in bar by bar: its volatilities, and its bars in units of what was known before each."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np

from hedged.estimate.innovations import BARS_MIN, Innovations
from hedged.estimate.volatility import CURRENT_HALF_LIFE_DAYS, DAYS_A_YEAR, PRICE_PRIOR, Volatilities

BARS_KEPT = 400 * 24

_DAY = 86_400
_SCALE_MIN = 1e-12


class PricePast:
    """One price. `step`: length of a bar in seconds. Whatever is fed in pieces is as if it had been fed at once."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.volatilities = Volatilities.starting_at(PRICE_PRIOR)
        self.until = 0  # epoch seconds of the last bar taken in
        self.since = 0  # of the first
        self._close = math.nan
        self._rows: deque[tuple[int, float, float, float]] = deque(maxlen=BARS_KEPT)  # known at, close, high, low

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, known: int, close: float, high: float, low: float) -> None:
        """One bar, as `add_all`."""
        self.add_all([(known, close, high, low)])

    def add_all(self, bars: Iterable[tuple[int, float, float, float]]) -> None:
        """The bars known at these epoch seconds: close, high, low. What is no news, or no price, is passed over.

        Over a gap the volatility learns from the whole change; what a single bar did in it nobody knows.
        """
        run: list[tuple[int, float, float, float]] = []  # without a gap since `until`
        until, prior = self.until, self._close
        for known, close, high, low in bars:
            if known <= until or not all(math.isfinite(price) and price > 0 for price in (close, high, low)):
                continue
            if until and known - until == self.step:
                top, bottom = math.log(max(high, close) / prior), math.log(min(low, close) / prior)
                run.append((known, math.log(close / prior), top, bottom))
            else:
                self._take(run)
                run = []
                if until:
                    self.volatilities = self.volatilities.observed(math.log(close / prior), (known - until) / _DAY)
                else:
                    self.since = known
            until, prior = known, close
        self._take(run)
        self.until, self._close = until, prior

    def _take(self, run: Sequence[tuple[int, float, float, float]]) -> None:
        days = self.step / _DAY
        self.volatilities, before = self.volatilities.observed_all([move for _, move, _, _ in run], days)
        per_bar = math.sqrt(days / DAYS_A_YEAR)
        for (known, move, top, bottom), volatility in zip(run, before, strict=True):
            scale = max(volatility * per_bar, _SCALE_MIN)
            self._rows.append((known, move / scale, top / scale, bottom / scale))

    def rows(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """(n, 4): known at, close, high, low of each bar, in units of the volatility known before it."""
        return np.array(self._rows, dtype=np.float64).reshape(-1, 4)


def common_innovations(pasts: Sequence[PricePast]) -> Innovations | None:
    """The bars that all of these have, one column each; None where that is less than a month of hours."""
    if not pasts or min(len(past) for past in pasts) < BARS_MIN:
        return None
    tables = [past.rows() for past in pasts]
    times = reduce(np.intersect1d, (table[:, 0] for table in tables))
    if len(times) < BARS_MIN:
        return None
    shared = [table[np.searchsorted(table[:, 0], times)] for table in tables]
    close, high, low = (np.column_stack([table[:, column] for table in shared]) for column in (1, 2, 3))
    mean = close.mean(axis=0)
    days = pasts[0].step / _DAY
    return Innovations(
        close=close - mean,
        high=high - mean,
        low=low - mean,
        bar_years=days / DAYS_A_YEAR,
        forgetting=1 - 0.5 ** (days / CURRENT_HALF_LIFE_DAYS),
    )
