"""Which instruments to hedge with, how many, and what to expect of them next year.

    sets = choose_sets(returns_assets, returns_instruments, weights, SelectionSettings(step=3600))
    for best in sets:                      # one per size, 1 to 4 instruments, smallest first
        best.instruments, best.h           # columns of `returns_instruments`, ratios per unit of exposure
        best.expected, best.low, best.high # effectiveness of the coming year, with an interval that holds out of sample

from the past year's returns per bar (`returns.align_returns`), (n, p) of the assets and (n, c) of the candidates, NaN
where not known; `weights` (p,) as in `beta`. Covariances are those of winsorised returns over four hours, overlapping
where bars are shorter: a year of daily ones is too short to tell sets apart, and single days decide it. Of the year the
later months count for more: a return loses half its weight in a year.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedged.estimate.beta import OBSERVATIONS_MIN, exposure_returns
from hedged.estimate.effectiveness import Floats
from hedged.estimate.returns import WINSOR_LIMIT, compound, winsorise

Sets = NDArray[np.int64]

KNOWN_MIN = 0.9
"""Share of the rows in which a candidate must have a return to be considered."""

SPAN = 14_400
"""Seconds that a return covers which sets are chosen by."""

_EXHAUSTIVE_MAX = 100_000  # sets; beyond, one instrument is added at a time and exchanged while that helps
_BATCH = 20_000
_STABLE = 1e-9  # of a set's mean variance, so that instruments that move as one do not stop the search

_HALF_LIFE = 365 * 86_400  # of the weight of a return, in seconds

_DRIFT = 0.65  # standard deviation of logit(effectiveness) from one year to the next, beyond sampling error
_TAILS = 4.0  # excess kurtosis of daily returns, by which sampling errors of covariances are larger than normal ones
_TOO_GOOD = 0.98  # what ratios that have to be estimated lose is about 0.01, which matters above this
_INTERVAL = 1.645  # 90 %


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """`step`: seconds per row. `sizes`: numbers of instruments to find the best set for.

    `risk_price`: what share of the exposure a year is paid to be rid of all risk; weighs cost against effectiveness,
    inf: cost does not matter. `margin_max`: most collateral per unit of exposure that may be posted.
    """

    step: int
    sizes: tuple[int, ...] = (1, 2, 3, 4)
    risk_price: float = math.inf
    margin_max: float = math.inf
    alternatives: int = 3  # runners-up told per size


@dataclass(frozen=True, slots=True)
class RankedSet:
    """`past`: effectiveness within the sample, of the winsorised four-hourly returns, which foretells next year's daily
    one better than the past daily one does; `expected`: after the penalty for ratios that are estimated. `score`, by
    which sets are ranked, is `expected` − cost_year / risk_price. `margin`: collateral per unit of exposure.
    `covariance` (k + 1, k + 1): of the four-hourly winsorised returns of the instruments and, last, of the exposure.
    """

    instruments: tuple[int, ...]  # columns, ascending
    h: Floats  # (k,)
    past: float
    expected: float
    score: float
    cost_year: float  # share of the exposure
    margin: float
    covariance: Floats


@dataclass(frozen=True, slots=True)
class ChosenSet:
    """The best set of a size. `low` and `high` hold next year's effectiveness in nine years of ten."""

    best: RankedSet
    low: float
    high: float
    runners_up: tuple[RankedSet, ...]
    observations: int  # of four hours, not overlapping
    excluded: tuple[int, ...]  # candidates with too few returns

    @property
    def instruments(self) -> tuple[int, ...]:
        return self.best.instruments

    @property
    def h(self) -> Floats:
        return self.best.h

    @property
    def expected(self) -> float:
        return self.best.expected


def choose_sets(
    returns_assets: Floats,
    returns_instruments: Floats,
    weights: Floats,
    settings: SelectionSettings,
    *,
    cost_year: Floats | None = None,
    margin: Floats | None = None,
) -> tuple[ChosenSet, ...]:
    """The best set of each size, smallest first; a size for which there are too few candidates is left out.

    `cost_year` (c,): fees, funding and roll a year per unit of short, < 0 where a short is paid; `margin` (c,):
    collateral to post per unit of short. Default: none. Empty if there are fewer than 60 rows to go by.
    """
    assets, candidates = np.asarray(returns_assets, np.float64), np.asarray(returns_instruments, np.float64)
    count = candidates.shape[1]
    span = max(1, SPAN // settings.step)
    known = np.isfinite(candidates).mean(axis=0) >= KNOWN_MIN if len(candidates) else np.zeros(count, dtype=bool)
    columns = np.flatnonzero(known)
    whole = exposure_returns(assets, np.asarray(weights, np.float64))
    rows = compound(np.column_stack([candidates[:, columns], whole]), span)
    complete = np.isfinite(rows).all(axis=1)
    weight = 0.5 ** (np.arange(len(rows) - 1, -1, -1) * settings.step / _HALF_LIFE)
    observations = int(complete.sum()) // span
    if observations < OBSERVATIONS_MIN:
        return ()
    nothing = np.zeros(count)
    search = _Search(
        np.atleast_2d(np.cov(winsorise(rows[complete], WINSOR_LIMIT).T, aweights=weight[complete])),
        observations,
        settings,
        (nothing if cost_year is None else np.asarray(cost_year, np.float64))[columns],
        (nothing if margin is None else np.asarray(margin, np.float64))[columns],
    )
    days = observations * span * settings.step / 86_400
    chosen = []
    for size in settings.sizes:
        ranked = [search.ranked(each, columns) for each in search.best(size)]
        if ranked:
            low, high = effectiveness_interval(ranked[0].expected, days)
            excluded = tuple(np.flatnonzero(~known).tolist())
            chosen.append(ChosenSet(ranked[0], low, high, tuple(ranked[1:]), observations, excluded))
    return tuple(chosen)


def recommended(sets: Sequence[ChosenSet], gain_min: float = 0.02) -> ChosenSet | None:
    """The smallest set that no larger one beats by `gain_min` per further instrument; None of none."""
    best: ChosenSet | None = None
    for each in sorted(sets, key=lambda one: len(one.instruments)):
        further = len(each.instruments) - len(best.instruments) if best else 0
        if best is None or each.best.score >= best.best.score + gain_min * further:
            best = each
    return best


def effectiveness_interval(effectiveness: float, days: float, days_ahead: float = 365) -> tuple[float, float]:
    """Bounds that hold the effectiveness of the next `days_ahead` in nine cases of ten, given that of `days` past.

    Errors are about normal in logit(HE). Their variance is that of a sample R², 4(1 + κ)/(n·R²), of past and of
    future, plus the drift of markets from one year to the next, which no amount of past data takes away.
    """
    above, below = min(max(effectiveness, 0.01), 0.9999), min(max(effectiveness, 0.01), _TOO_GOOD)
    sampling = 4 * (1 + _TAILS) / below * (1 / days + 1 / days_ahead)
    reach = _INTERVAL * math.sqrt(_DRIFT**2 + sampling)
    return _logistic(_logit(below) - reach), _logistic(_logit(above) + reach) if above <= _TOO_GOOD else 1.0


def whole_contracts(
    targets: Floats, covariance: Floats, *, lots: Floats | None = None, budget: int = 12
) -> NDArray[np.float64]:
    """Whole numbers of lots around `targets` that leave the least variance behind.

    `targets` (k,): the continuous optimum in contracts, signed. `covariance` (k, k): Σ_ff of the money that one
    contract of each makes. `lots` (k,): the smallest step of each, in contracts; default 1. The loss is
    (n − n*)ᵀ Σ_ff (n − n*); of equals the smaller position wins. Floor and ceiling are tried for every leg, 2ᵏ in
    all; more than `budget` legs raise `ValueError`.
    """
    if len(targets) > budget:
        raise ValueError(f"{len(targets)} legs are more than the {budget} that can be enumerated")
    step = np.ones(len(targets)) if lots is None else np.asarray(lots, np.float64)
    if not (step > 0).all() or not np.isfinite(targets).all():
        raise ValueError("lots must be above 0 and targets finite")
    # A target that is whole but for rounding stays what it is: 0.3 / 0.1 is 3, not 2.9999999999999996.
    exact = targets / step
    exact = np.where(np.abs(exact - np.round(exact)) < 1e-9, np.round(exact), exact)
    below = np.floor(exact)
    up = np.array(list(itertools.product((0, 1), repeat=len(targets))), dtype=np.float64)
    tried = (below + np.minimum(up, np.ceil(exact) - below)) * step
    away = tried - targets
    loss = np.einsum("si,ij,sj->s", away, covariance, away)
    sizes = np.abs(tried).sum(axis=1)
    return np.asarray(tried[np.lexsort((sizes, np.round(loss, 15)))[0]], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Search:
    """`covariance` (c + 1, c + 1): the candidates', and in the last row and column the exposure's."""

    covariance: Floats
    observations: int
    settings: SelectionSettings
    cost_year: Floats
    margin: Floats

    @property
    def count(self) -> int:
        return len(self.covariance) - 1

    def best(self, size: int) -> Sets:
        """The best set and its runners-up, (≤ 1 + alternatives, size)."""
        if size < 1 or size > self.count:
            return np.empty((0, size), dtype=np.int64)
        if math.comb(self.count, size) <= _EXHAUSTIVE_MAX:
            batches = _batches(itertools.combinations(range(self.count), size))
        else:
            batches = self._greedy(size)
        top = np.empty((0, size), dtype=np.int64)
        for batch in batches:
            both = np.unique(np.concatenate((top, batch)), axis=0)
            scores = self._scores(both)
            order = np.argsort(-scores, kind="stable")[: 1 + self.settings.alternatives]
            top = both[order[np.isfinite(scores[order])]]
        return top

    def ranked(self, chosen: NDArray[np.int64], columns: NDArray[np.int64]) -> RankedSet:
        h, past = (each[0] for each in _solve(self.covariance, chosen[None]))
        return RankedSet(
            tuple(columns[chosen].tolist()),
            h,
            float(past),
            float(1 - (1 - past) * self._penalty(len(chosen))),
            float(self._scores(chosen[None])[0]),
            float(np.abs(h) @ self.cost_year[chosen]),
            float(np.abs(h) @ self.margin[chosen]),
            self.covariance[np.ix_([*chosen, -1], [*chosen, -1])],
        )

    def _penalty(self, size: int) -> float:
        """By what factor estimating `size` ratios raises the residual variance out of sample: 1 + k/(n − k − 1)."""
        return 1 + size / (self.observations - size - 1)

    def _scores(self, sets: Sets) -> Floats:
        h, past = _solve(self.covariance, sets)
        size = np.abs(h)
        cost = (size * self.cost_year[sets]).sum(axis=1) / self.settings.risk_price
        affordable = (size * self.margin[sets]).sum(axis=1) <= self.settings.margin_max
        return np.where(affordable, 1 - (1 - past) * self._penalty(sets.shape[1]) - cost, -np.inf)

    def _greedy(self, size: int) -> Iterator[Sets]:
        """One more at a time, then every exchange of one, as long as that helps. Yields all sets of `size` tried."""
        chosen: tuple[int, ...] = ()
        while len(chosen) < size:
            grown = np.array([sorted((*chosen, new)) for new in range(self.count) if new not in chosen])
            chosen = tuple(grown[np.argmax(self._scores(grown))].tolist())
        score = -math.inf
        while (now := float(self._scores(np.array([chosen]))[0])) > score:
            score = now
            exchanged = np.array(
                [
                    sorted((*chosen[:out], *chosen[out + 1 :], new))
                    for out in range(size)
                    for new in range(self.count)
                    if new not in chosen
                ]
                + [list(chosen)]
            )
            yield exchanged
            chosen = tuple(exchanged[np.argmax(self._scores(exchanged))].tolist())


def _solve(covariance: Floats, sets: Sets) -> tuple[Floats, Floats]:
    """Ratios (s, k) of each set and the share of the exposure's variance that they remove, (s,)."""
    ff = covariance[sets[:, :, None], sets[:, None, :]]
    fs = covariance[sets, -1]
    size = np.trace(ff, axis1=1, axis2=2)[:, None, None] / sets.shape[1]
    ff = ff + np.where(size > 0, _STABLE * size, 1.0) * np.eye(sets.shape[1])
    h = np.linalg.solve(ff, fs[..., None])[..., 0]
    variance = float(covariance[-1, -1])
    past = (h * fs).sum(axis=1) / variance if variance > 0 else np.zeros(len(sets))
    return h, past


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _batches(sets: Iterator[tuple[int, ...]]) -> Iterator[Sets]:
    while batch := list(itertools.islice(sets, _BATCH)):
        yield np.array(batch, dtype=np.int64)
