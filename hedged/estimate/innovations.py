"""Past bars in units of the volatility they were met with: what the market can do, apart from how wild it was."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedged.estimate.volatility import CURRENT_HALF_LIFE_DAYS, DAYS_A_YEAR, PRICE_PRIOR, Volatility

Floats = NDArray[np.float64]

BARS_MIN = 24 * 30
"""Fewer hours than a month's hold too few wild ones to draw from."""

_PRIOR_DAYS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Innovations:
    """Bars of `bar_years` each, (n, k) for k coins on one clock, as log moves from the close before, divided by the
    volatility per bar that was known at that close; the moves' mean is taken out. low ≤ close ≤ high.
    """

    close: Floats
    high: Floats
    low: Floats
    bar_years: float
    forgetting: float  # weight of the newest square in the volatility, per bar

    def before(self, row: int) -> Innovations:
        """What was known before bar `row`."""
        mean = self.close[:row].mean(axis=0)
        return Innovations(
            self.close[:row] - mean, self.high[:row] - mean, self.low[:row] - mean, self.bar_years, self.forgetting
        )

    def correlation(self) -> Floats:
        """Of the moves, (k, k); 1 on the diagonal, also for a coin that never moved."""
        deviations = np.sqrt((self.close**2).mean(axis=0))
        safe = np.where(deviations > 0, deviations, 1.0)
        found = np.asarray((self.close / safe).T @ (self.close / safe) / len(self.close))
        np.fill_diagonal(found, 1.0)
        return found


def innovations(
    close: Floats, high: Floats, low: Floats, bar_days: float, half_life_days: float = CURRENT_HALF_LIFE_DAYS
) -> Innovations | None:
    """From prices of consecutive bars, (n + 1, k), oldest first; None where that is less than a month of hours.

    Every bar is measured by the volatility known when it opened, never by its own. A close outside its bar's high and
    low (an index, a bad wick) widens the bar. Raises `ValueError` for what is no price.
    """
    if close.shape != high.shape or close.shape != low.shape or close.ndim != 2:
        raise ValueError("close, high and low must have one shape (bars, coins)")
    if not (np.isfinite(close).all() and np.isfinite(high).all() and (np.minimum(low, close) > 0).all()):
        raise ValueError("prices must be numbers above 0")
    if len(close) <= BARS_MIN:
        return None
    before = close[:-1]
    moves = np.log(close[1:] / before)
    tops = np.log(np.maximum(high[1:], close[1:]) / before)
    bottoms = np.log(np.minimum(low[1:], close[1:]) / before)
    scale = np.column_stack([_known(column, bar_days, half_life_days) for column in moves.T])
    mean = (moves / scale).mean(axis=0)
    return Innovations(
        close=moves / scale - mean,
        high=tops / scale - mean,
        low=bottoms / scale - mean,
        bar_years=bar_days / DAYS_A_YEAR,
        forgetting=1 - 0.5 ** (bar_days / half_life_days),
    )


def _known(moves: Floats, bar_days: float, half_life_days: float) -> Floats:
    """Volatility per bar as known before each, (n,); above 0 by the prior that it starts at."""
    estimate = Volatility.starting_at(PRICE_PRIOR, half_life_days=half_life_days, prior_days=_PRIOR_DAYS)
    per_bar = math.sqrt(bar_days / DAYS_A_YEAR)
    known = []
    for move in moves.tolist():
        known.append(estimate.value_year * per_bar)
        estimate = estimate.observed(move, bar_days)
    return np.maximum(np.array(known, dtype=np.float64), 1e-12)
