"""Returns of several symbols on one UTC clock, made of closes at any step, and made robust.

Arrays are float64, time along the first axis. A return is a simple one (p₁/p₀ − 1, a fraction) and NaN wherever
either of its two closes is missing: no price is ever carried forward into a return.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedged.estimate.effectiveness import Floats, returns

Times = NDArray[np.int64]

FROZEN_BARS = 24
"""So many equal closes in a row are a suspended or dead market. The longest genuine run in hourly spot data is 7."""

WINSOR_LIMIT = 5.0
_MAD_TO_SIGMA = 1.4826  # of a normal distribution


@dataclass(frozen=True, slots=True)
class Closes:
    """One symbol's closes: `times` (n,) are the epoch seconds at which they became known, ascending; `prices` (n,)."""

    times: Times
    prices: Floats


@dataclass(frozen=True, slots=True)
class AlignedReturns:
    """`values` (n, p): the return of `names[j]` over the `step` seconds that end at `times[i]`; NaN: not known."""

    names: tuple[str, ...]
    times: Times
    step: int
    values: Floats

    def columns(self, *names: str) -> Floats:
        """The returns of these symbols, (n, len(names)). Raises `KeyError` for one that is not there."""
        at = {name: column for column, name in enumerate(self.names)}
        return self.values[:, [at[name] for name in names]]


def align_returns(
    closes: Mapping[str, Closes],
    step: int,
    *,
    start: int | None = None,
    end: int | None = None,
    frozen_bars: int = FROZEN_BARS,
) -> AlignedReturns:
    """Returns between whole multiples of `step` seconds since 1970 (86,400: UTC midnights), gaps included as NaN.

    Only a close known at exactly such a second counts. From the first to the last close of any symbol, or
    between the seconds `start` and `end`, both included. `frozen_bars` as in `without_frozen`.
    Raises `ValueError` for a step below 1, times that do not ascend, or a price that is not above 0.
    """
    if step < 1:
        raise ValueError(f"step must be at least a second, not {step}")
    for name, series in closes.items():
        _check(name, series)
    filled = [series.times for series in closes.values() if len(series.times)]
    first = start if start is not None else min((int(times[0]) for times in filled), default=0)
    last = end if end is not None else max((int(times[-1]) for times in filled), default=-1)
    clock = np.arange(-(-first // step) * step, last + 1, step, dtype=np.int64)
    table = np.full((len(clock), len(closes)), np.nan)
    for column, series in enumerate(closes.values()):
        prices = without_frozen(series.prices, frozen_bars)
        rows = np.searchsorted(clock, series.times)
        there = (rows < len(clock)) & np.isin(series.times, clock)
        table[rows[there], column] = prices[there]
    return AlignedReturns(tuple(closes), clock[1:], step, returns(table))


def without_frozen(prices: Floats, bars: int = FROZEN_BARS) -> Floats:
    """`prices` (n,) with NaN in place of every repetition in a run of more than `bars` equal closes.

    The first close of the run stays: it was a price. Zero returns would understate a coin's beta and its risk.
    """
    same = np.concatenate(([False], prices[1:] == prices[:-1]))
    starts = np.flatnonzero(~same)
    lengths = np.diff(np.append(starts, len(prices)))
    frozen = np.repeat(lengths > bars, lengths) & same
    return np.where(frozen, np.nan, prices)


def compound(values: Floats, span: int) -> Floats:
    """Returns over the `span` rows that end at each row, overlapping, of one-row returns `values` (n,) or (n, p).

    NaN for the first span − 1 rows and wherever one of the rows is NaN.
    """
    if span == 1:
        return values
    whole = np.full_like(values, np.nan)
    if len(values) >= span:
        growth = 1 + values
        product = growth[span - 1 :].copy()
        for before in range(1, span):
            product *= growth[span - 1 - before : len(growth) - before]
        whole[span - 1 :] = product - 1
    return whole


def winsorise(values: Floats, limit: float = WINSOR_LIMIT) -> Floats:
    """Returns `values` (n,) or (n, p), each column clipped at its median ± `limit` robust standard deviations.

    1.4826 × the median absolute deviation; a column in which over half the returns are equal is left as it is, for it
    has no scale. NaN stays NaN.
    """
    known = np.isfinite(values).any(axis=0)
    filled = np.where(known, values, 0.0)  # a column without a single return has no median to warn about
    centre = np.nanmedian(filled, axis=0)
    scale = _MAD_TO_SIGMA * np.nanmedian(np.abs(filled - centre), axis=0)
    reach = np.where(scale > 0, limit * scale, np.inf)
    return np.clip(values, centre - reach, centre + reach)


def _check(name: str, series: Closes) -> None:
    if len(series.times) != len(series.prices):
        raise ValueError(f"{name}: {len(series.times)} times for {len(series.prices)} prices")
    if (np.diff(series.times) <= 0).any():
        raise ValueError(f"{name}: times must ascend")
    known = series.prices[~np.isnan(series.prices)]
    if not (np.isfinite(known) & (known > 0)).all():
        raise ValueError(f"{name}: every price must be above 0; NaN stands for a missing one")
