"""Is the hedge still working? Effectiveness with its uncertainty, the regression behind it, and an alarm.

Unless said otherwise arrays are (n,) returns (fractions of the holdings' value) over equal periods: `unhedged` of the
holdings alone, `hedged` with the hedge, so that unhedged − hedged is what the hedge took away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedged.estimate.effectiveness import RETURNS_MIN, Floats, effectiveness

OFFSET_LOW, OFFSET_HIGH = 0.8, 1.25
"""IAS 39's corridor for the dollar offset of an effective hedge."""

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Regression:
    """unhedged = intercept + slope × (what the hedge took away) + residual; slope 1: the ratio is right.

    `slope` > 1: a larger hedge would have removed more; `r2`: what the best ratio of this hedge would have removed.
    `slope_se` is the standard error of ordinary least squares.
    """

    slope: float
    slope_se: float
    intercept: float
    r2: float


def rolling_effectiveness(unhedged: Floats, hedged: Floats, window: int) -> Floats:
    """Effectiveness over the `window` periods that end at each row, (n,); NaN for the first window − 1 and where the
    holdings did not move. Raises `ValueError` for a window of fewer than three.
    """
    if window < RETURNS_MIN:
        raise ValueError(f"a window of {window} says nothing of a variance; at least {RETURNS_MIN} are needed")
    rolled = np.full(len(unhedged), np.nan)
    if len(unhedged) >= window:
        views = (np.lib.stride_tricks.sliding_window_view(each, window) for each in (unhedged, hedged))
        before, after = (view.var(axis=1) for view in views)
        rolled[window - 1 :] = np.where(before > 0, 1 - after / np.where(before > 0, before, 1.0), np.nan)
    return rolled


def effectiveness_bootstrap(
    unhedged: Floats,
    hedged: Floats,
    random: np.random.Generator,
    *,
    coverage: float = 0.9,
    resamples: int = 1000,
    block: float | None = None,
) -> tuple[float, float] | None:
    """Interval of the effectiveness by the stationary bootstrap (Politis, Romano 1994); None where it is undefined.

    Pairs are drawn together, in blocks of geometric length with mean `block` (default n^⅓), so that calm and wild
    weeks stay whole. It speaks of sampling error alone: next year's markets are not in the sample.
    """
    n = len(unhedged)
    if effectiveness(unhedged, hedged) is None:
        return None
    restart = min(1.0, 1 / (block or n ** (1 / 3)))
    drawn = np.empty(resamples)
    for first in range(0, resamples, _BATCH):
        count = min(_BATCH, resamples - first)
        rows = _stationary(n, count, restart, random)
        before, after = unhedged[rows].var(axis=1), hedged[rows].var(axis=1)
        drawn[first : first + count] = np.where(before > 0, 1 - after / np.where(before > 0, before, 1.0), np.nan)
    low, high = np.nanquantile(drawn, ((1 - coverage) / 2, (1 + coverage) / 2))
    return float(low), float(high)


def hedge_regression(unhedged: Floats, hedged: Floats) -> Regression | None:
    """None for fewer than three periods, or where the holdings or the hedge did not move."""
    n, taken = len(unhedged), unhedged - hedged
    if n < RETURNS_MIN or not np.ptp(taken) > 0 or not np.ptp(unhedged) > 0:
        return None
    x, y = taken - taken.mean(), unhedged - unhedged.mean()
    slope = float(x @ y / (x @ x))
    left = float(((y - slope * x) ** 2).sum())
    return Regression(
        slope=slope,
        slope_se=math.sqrt(left / (n - 2) / float(x @ x)),
        intercept=float(unhedged.mean() - slope * taken.mean()),
        r2=1 - left / float(y @ y),
    )


def dollar_offset(unhedged: Floats, hedged: Floats) -> Floats:
    """Cumulative dollar offset after each period, (n,): what the hedge took away so far over what the holdings made.

    In money or returns alike. 1 is a full offset, `OFFSET_LOW` to `OFFSET_HIGH` the corridor; NaN while the holdings
    are where they began. Of single periods the test says nothing: see `single_offset_probability`.
    """
    made = np.cumsum(unhedged)
    return np.where(made != 0, np.cumsum(unhedged - hedged) / np.where(made != 0, made, 1.0), np.nan)


def single_offset_probability(r2: float) -> float:
    """How often a *perfect* ratio passes the 80–125 % test in a single period, for normal returns and 0 < r2 < 1.

    The hedge's gain over the loss is R² + √(R²(1 − R²))·C with C Cauchy: gain = R²·loss + an independent normal.
    """
    if not 0 < r2 < 1:
        raise ValueError(f"r2 must lie between 0 and 1, not {r2}")
    width = math.sqrt(r2 * (1 - r2))
    return (math.atan((OFFSET_HIGH - r2) / width) - math.atan((OFFSET_LOW - r2) / width)) / math.pi


@dataclass(slots=True)
class ResidualCusum:
    """Page's cumulative sums (1954) over the hedged return: the alarm when the hedge stops hedging.

    `sigma` is the residual's standard deviation while the hedge worked. Two sums watch for a drift of one σ a period
    in either direction, one for a variance that has doubled. They start at 0, fall back to 0 and alarm above a limit.
    Residuals count for 3σ at most. At these limits a hedge that works alarms about once in 2,000 days,
    be its residuals normal or Student-t₄; one whose residual variance doubled after 40 to 75 days on average, one
    whose variance quadrupled after 12 to 18 (simulated).
    """

    sigma: float
    up: float = 0.0
    down: float = 0.0
    spread: float = 0.0

    drift_limit = 7.0
    spread_limit = 20.0
    _slack = 0.5  # half the drift to be found
    _spread_slack = 2 * math.log(2)  # between a variance of 1 and 2, where their likelihoods are equal
    _most = 3.0

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma must be above 0, not {self.sigma}")

    def add(self, residual: float) -> str | None:
        """The alarm that stands after this period: "variance", "up", "down" or None. Raises `ValueError` on NaN."""
        if not math.isfinite(residual):
            raise ValueError("a residual must be finite")
        size = max(-self._most, min(self._most, residual / self.sigma))
        self.up = max(0.0, self.up + size - self._slack)
        self.down = max(0.0, self.down - size - self._slack)
        self.spread = max(0.0, self.spread + size**2 - self._spread_slack)
        if self.spread > self.spread_limit:
            return "variance"
        if max(self.up, self.down) > self.drift_limit:
            return "up" if self.up > self.down else "down"
        return None


def _stationary(n: int, count: int, restart: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Rows (count, n) of stationary resamples: each continues its block, round the end, or begins another."""
    starts = random.integers(0, n, (count, n))
    begins = random.random((count, n)) < restart
    begins[:, 0] = True
    places = np.arange(n)
    began = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    return (np.take_along_axis(starts, began, axis=1) + places - began) % n
