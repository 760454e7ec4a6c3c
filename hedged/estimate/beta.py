"""The hedge ratios of minimum variance: how much of each instrument to short per unit of exposure.

    h = Σ_ff⁻¹ Σ_fs      (Johnson 1960, Stein 1961, Ederington 1979)

from returns that are never enough and never normal. So: Huber-weighted, exponentially weighted covariances under
three decays whose ratios are averaged, each shrunk towards a prior with the weight of some days of data; a running
race against ratio 1 and ordinary least squares on days not yet seen, with fall-back to the simpler one.

In one go, over the rows of a past window, oldest first:

    estimate = estimate_ratios(returns_assets, returns_instruments, weights, settings=RatioSettings(step=14_400))
    estimate.h        # (k,) e.g. [0.41, 0.63]: short $0.41 and $0.63 of the two instruments per $1 of exposure

or day by day, at a cost that does not grow with the past (the two agree to the last digit):

    estimator = RatioEstimator(assets=10, instruments=2, settings=RatioSettings(step=14_400))
    estimator.advance(rows_assets, rows_instruments, weights)   # the bars of one day: (6, 10), (6, 2), (10,)
    estimate = estimator.estimate(weights)

`returns_assets` (n, p) and `returns_instruments` (n, k) are simple returns per bar on one clock without missing rows
(`returns.align_returns`), NaN where one is not known. `weights` (p,) are the values of the assets over the value of
the exposure, Σ v_i / E: they sum to 1, or to less than 1 where some assets are hedged elsewhere; a short is negative.
h > 0 is a short; an instrument that rises when the assets fall comes out negative, to be bought. `ValueError` is
raised for shapes that do not fit, infinite returns, and weights that are not finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hedged.estimate.effectiveness import Floats, hindsight_ratios, naive_ratios
from hedged.estimate.leaderboard import Leaderboard, Standing
from hedged.estimate.moments import Covariances, DecayedMoments
from hedged.estimate.returns import compound

DAY = 86_400
OBSERVATIONS_MIN = 60
"""Fewer say too little of a beta: the prior is used, and said to be."""

_SCALE_DECAY = 0.985  # a day, of the residual's robust scale
_LEADERBOARD_DECAY = 0.99  # a period
_RIDGE = 0.1  # share of the prior's weight that also holds instruments together which move as one


@dataclass(frozen=True, slots=True)
class RatioSettings:
    """How ratios are estimated. The defaults lie on a wide plateau: see `tests/benchmarks/effectiveness.py`.

    `step`: seconds per row. `horizon`: seconds over which the hedge is to hold variance down. Returns are taken over
    half of it, overlapping, at least a row: shorter ones see a beta that the lag between coins has not yet caught up
    with, longer ones are too few.
    """

    step: int = DAY
    horizon: int = DAY
    decays: tuple[float, ...] = (0.97, 0.985, 0.995)  # λ a day; their ratios are averaged
    huber: float = 3.0  # residuals beyond so many robust standard deviations count less, as 1/size
    prior_days: float = 15.0
    ols_days: int = 60

    def __post_init__(self) -> None:
        if not 0 < self.step <= DAY or DAY % self.step:
            raise ValueError(f"step must divide a day of 86,400 seconds, not be {self.step}")
        if self.horizon < 1 or self.huber <= 0 or self.prior_days < 0 or self.ols_days < 1:
            raise ValueError("horizon, huber and ols_days must be above 0, prior_days at least 0")
        if not self.decays or not all(0 < decay < 1 for decay in self.decays):
            raise ValueError(f"decays must lie between 0 and 1, not {self.decays}")

    @property
    def span(self) -> int:
        """Rows that one return of the estimate covers."""
        return max(1, round(self.horizon / 2 / self.step))


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """Hedge ratios `h` (k,) and how much to believe them. None and NaN: not known.

    `se` (k,): standard errors of `estimated`. `r2`: share of the exposure's variance that `estimated` removes within
    the sample. `observations`: the fewest that any asset has, not overlapping; `effective`: after decay and weighting
    of outliers. `window_days`: days since the first row. `source`: where `h` is from, "estimated" or "naive" as the
    leaderboard chose, or "prior" where data are too few. `prior_assets`: indices of those that took the prior.
    """

    h: Floats
    se: Floats
    r2: float | None
    observations: int
    effective: float
    window_days: float
    source: str
    estimated: Floats
    ols: Floats
    prior_assets: tuple[int, ...]
    leaderboard: Sequence[Standing]


def vasicek(beta: float, se: float, prior: float, tau: float) -> float:
    """A single beta shrunk to its prior: (β̂/se² + β0/τ²) / (1/se² + 1/τ²) (Vasicek 1973).

    `se` is the standard error of `beta`, `tau` the standard deviation of betas about `prior` in its sector; both > 0.
    """
    if not (se > 0 and tau > 0):
        raise ValueError(f"standard errors must be above 0, not {se} and {tau}")
    return (beta / se**2 + prior / tau**2) / (1 / se**2 + 1 / tau**2)


def estimate_ratios(
    returns_assets: Floats,
    returns_instruments: Floats,
    weights: Floats,
    *,
    prior: Floats | None = None,
    directions: Floats | None = None,
    settings: RatioSettings | None = None,
) -> RatioEstimate:
    """The ratios that all these rows, taken day by day, end up with; see the module for shapes, units and errors.

    `prior` and `directions` as in `RatioEstimator`.
    """
    p, k = np.shape(returns_assets)[-1], np.shape(returns_instruments)[-1]
    estimator = RatioEstimator(p, k, prior=prior, directions=directions, settings=settings)
    estimator.advance(returns_assets, returns_instruments, weights)
    return estimator.estimate(weights)


class RatioEstimator:
    """The estimate as a stream: give it the bars as they come, by whole days; ask it whenever the ratio is needed.

    `prior`: (k,) or (assets, k), the ratios per unit of each asset that are shrunk to; default: the naive ones, ratio
    1 split equally. `start`, of the same shapes: what is in force for an asset while its data are too few; default: the
    prior. `directions` (k,): −1 for an instrument that rises when the assets fall, else 1; default: all 1.
    """

    def __init__(
        self,
        assets: int,
        instruments: int,
        *,
        prior: Floats | None = None,
        start: Floats | None = None,
        directions: Floats | None = None,
        settings: RatioSettings | None = None,
    ) -> None:
        if assets < 1 or instruments < 1:
            raise ValueError(f"at least one asset and one instrument are needed, not {assets} and {instruments}")
        self.settings = settings or RatioSettings()
        days_a_row = self.settings.step / DAY
        self._rows_a_day = DAY // self.settings.step
        self._k = instruments
        self._naive = naive_ratios(np.ones(instruments) if directions is None else np.asarray(directions, np.float64))
        self._prior = np.array(
            np.broadcast_to(self._naive if prior is None else np.asarray(prior, np.float64), (assets, instruments))
        )
        self._start = np.array(
            np.broadcast_to(self._prior if start is None else np.asarray(start, np.float64), (assets, instruments))
        )
        if not (np.isfinite(self._prior).all() and np.isfinite(self._start).all()):
            raise ValueError("a prior must be finite")
        # One column more than there are assets: the exposure as a whole, for R² and standard errors.
        self._moments = DecayedMoments(assets + 1, instruments, np.array(self.settings.decays) ** days_a_row)
        self._scale = _ResidualScale(_SCALE_DECAY**days_a_row, self.settings.huber)
        self._board = Leaderboard(_LEADERBOARD_DECAY)
        self._betas = self._prior.copy()  # (assets, k), shrunk, in force for the next rows
        self._seen = np.zeros(assets, dtype=np.int64)  # returns over `span` rows, overlapping
        self._rows = 0
        self._recent = np.empty((0, assets + instruments))  # rows that OLS and the next overlapping return need
        self._in_force = (np.full(assets, np.nan), self._naive)  # weights, and the OLS ratios for them

    def advance(self, returns_assets: Floats, returns_instruments: Floats, weights: Floats) -> None:
        """Take in the next rows, oldest first, a day's worth at a time; see the module for shapes, units and errors.

        The ratios in force before a day are judged by it; they are estimated anew after it.
        """
        assets = _table("returns_assets", returns_assets, len(self._prior))
        instruments = _table("returns_instruments", returns_instruments, self._k)
        weights = self._checked(weights)
        if len(assets) != len(instruments):
            raise ValueError(f"{len(assets)} rows of assets for {len(instruments)} of instruments")
        for first in range(0, len(assets), self._rows_a_day):
            day = slice(first, first + self._rows_a_day)
            self._judge(assets[day], instruments[day], weights)
            self._learn(assets[day], instruments[day], weights)

    def estimate(self, weights: Floats) -> RatioEstimate:
        """For an exposure of these weights, now. Raises `ValueError` for weights that do not fit or are not finite."""
        weights = self._checked(weights)
        contenders = self._contenders(weights)
        observations = self._seen // self.settings.span
        unknown = observations < OBSERVATIONS_MIN
        source = "prior" if unknown.all() else self._board.chosen
        estimated = contenders["estimated"]
        fit = _fit(self._moments.covariances(), estimated, self.settings) if source != "prior" else None
        return RatioEstimate(
            h=contenders.get(source, estimated),
            se=fit.se if fit else np.full(self._k, np.nan),
            r2=fit.r2 if fit else None,
            observations=int(observations.min()),
            effective=fit.effective if fit else 0.0,
            window_days=self._rows * self.settings.step / DAY,
            source=source,
            estimated=estimated,
            ols=contenders["ols"],
            prior_assets=tuple(np.flatnonzero(unknown).tolist()),
            leaderboard=self._board.standings(),
        )

    @property
    def betas(self) -> Floats:
        """Per asset, (assets, k): the shrunk ratios, or those of the start where there is too little of it."""
        unknown = self._seen // self.settings.span < OBSERVATIONS_MIN
        return np.where(unknown[:, None], self._start, self._betas)

    def _checked(self, weights: Floats) -> Floats:
        weights = np.asarray(weights, np.float64)
        if weights.shape != (len(self._prior),):
            raise ValueError(f"{len(self._prior)} weights are needed, not an array of shape {weights.shape}")
        if not np.isfinite(weights).all():
            raise ValueError("weights must be finite")
        return weights

    def _contenders(self, weights: Floats) -> dict[str, Floats]:
        naive = self._naive * weights.sum()
        return {
            "estimated": weights @ self.betas,
            "ols": self._least_squares(weights, naive),
            "naive": naive,
        }

    def _least_squares(self, weights: Floats, otherwise: Floats) -> Floats:
        if np.array_equal(weights, self._in_force[0]):
            return self._in_force[1]
        rows = self._recent[-self.settings.ols_days * self._rows_a_day :]
        instruments = rows[:, -self._k :]
        whole = exposure_returns(rows[:, : -self._k], weights)
        known = np.isfinite(whole) & np.isfinite(instruments).all(axis=1)
        enough = known.sum() >= OBSERVATIONS_MIN / 2
        self._in_force = (weights, hindsight_ratios(whole[known], instruments[known]) if enough else otherwise)
        return self._in_force[1]

    def _judge(self, assets: Floats, instruments: Floats, weights: Floats) -> None:
        if (self._seen // self.settings.span < OBSERVATIONS_MIN).all():
            return  # the prior is in force, there is no choice to make
        whole = exposure_returns(assets, weights)
        known = np.isfinite(whole) & np.isfinite(instruments).all(axis=1)
        if not known.any():
            return
        unhedged, moves = float(whole[known].sum()), instruments[known].sum(axis=0)
        hedged = {name: unhedged - float(moves @ h) for name, h in self._contenders(weights).items()}
        self._board.add(unhedged, hedged)

    def _learn(self, assets: Floats, instruments: Floats, weights: Floats) -> None:
        m, span = len(assets), self.settings.span
        lead = self._recent[max(0, len(self._recent) - span + 1) :]
        rows = np.concatenate((assets, instruments), axis=1)
        self._recent = np.concatenate((self._recent, rows))[-max(self.settings.ols_days * self._rows_a_day, span) :]
        self._rows += m
        self._in_force = (np.full_like(weights, np.nan), self._naive)  # OLS changes with the rows
        overlapping = compound(np.concatenate((lead, rows)), span)[-m:]
        a, f = overlapping[:, : -self._k], overlapping[:, -self._k :]
        residual = exposure_returns(a - f @ self._betas.T, weights)
        columns = np.concatenate((a, exposure_returns(a, weights)[:, None]), axis=1)
        self._moments.add(columns, f, self._scale.weigh(residual))
        self._seen += (np.isfinite(a) & np.asarray(np.isfinite(f).all(axis=1))[:, None]).sum(axis=0)
        self._betas = _shrunk(self._moments.covariances(), self._prior, self.settings)


class _ResidualScale:
    """A running robust standard deviation of residuals, and the weight that each deserves by it (Huber 1964)."""

    def __init__(self, decay: float, limit: float) -> None:
        self._decay = decay
        self._limit = limit
        self._sum = self._weight = 0.0

    def weigh(self, residuals: Floats) -> Floats:
        """min(1, limit·σ/|residual|), (m,), by the σ before these rows; 1 where it is not known."""
        known = np.isfinite(residuals)
        size = np.abs(residuals[known])
        scale = float(np.sqrt(self._sum / self._weight)) if self._weight else 0.0
        reach = self._limit * scale if scale > 0 else np.inf
        clipped = np.minimum(size, reach)
        weights = np.ones(len(residuals))
        weights[known] = np.where(size > 0, clipped / np.where(size > 0, size, 1.0), 1.0)
        faded = self._decay ** len(residuals)
        self._sum = faded * self._sum + float((clipped**2).sum())
        self._weight = faded * self._weight + len(size)
        return weights


@dataclass(frozen=True, slots=True)
class _Fit:
    r2: float | None
    se: Floats
    effective: float


def _shrunk(covariances: Covariances, prior: Floats, settings: RatioSettings) -> Floats:
    """Ratios per asset (p, k), the mean over the decays; the last column of the covariances is no asset.

    The prior weighs as many days' worth of Σ_ff. A tenth of it is spread over all directions alike, which leaves
    ratios as they are where instruments differ and splits equally between those that move as one.
    """
    days = covariances.weight[:, :-1, None, None] * (settings.step / DAY)
    ff = covariances.ff[:, :-1]
    k = ff.shape[-1]
    size = np.trace(ff, axis1=2, axis2=3)[..., None, None] / k
    size = np.where(size > 0, size, 1.0)  # without any variance the prior is all there is
    believed = (settings.prior_days * (1 - _RIDGE)) * ff + (settings.prior_days * _RIDGE + 1e-9) * size * np.eye(k)
    right = days[..., 0] * covariances.fa[:, :-1] + (believed @ prior[None, :, :, None])[..., 0]
    solved = np.linalg.solve(days * ff + believed, right[..., None])[..., 0]
    return np.asarray(solved.mean(axis=0), dtype=np.float64)


def _fit(covariances: Covariances, h: Floats, settings: RatioSettings) -> _Fit:
    """How well `h` fits the exposure as a whole, within the sample: the last column, averaged over the decays."""
    ff, fa, aa = (part[:, -1].mean(axis=0) for part in (covariances.ff, covariances.fa, covariances.aa))
    # Returns that overlap by span − 1 rows hold no more than a span-th of their number.
    effective = float(covariances.effective[:, -1].mean()) / settings.span
    days = float(covariances.weight[:, -1].mean()) * settings.step / DAY
    left = max(0.0, float(aa - 2 * h @ fa + h @ ff @ h))
    freedom = effective - len(h) - 1
    moves = np.diag(ff) > 0
    if aa <= 0 or freedom <= 0 or not moves.any():
        return _Fit(None, np.full(len(h), np.nan), effective)
    shrinking = days / (days + settings.prior_days)
    spread = np.maximum(np.diag(np.linalg.pinv(ff, hermitian=True)), 0.0)
    se = np.where(moves, shrinking * np.sqrt(spread * left / freedom), np.nan)
    return _Fit(1 - left / float(aa), se, effective)


def exposure_returns(assets: Floats, weights: Floats) -> Floats:
    """Σ wᵢ·column i of (m, p), over those that are known and scaled up to all; NaN where none is."""
    known = np.isfinite(assets)
    there = known @ np.abs(weights)
    total = np.abs(weights).sum()
    summed = np.where(known, assets, 0.0) @ weights
    return np.where(there > 0, summed * total / np.where(there > 0, there, 1.0), np.nan)


def _table(name: str, values: Floats, columns: int) -> Floats:
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or table.shape[1] != columns:
        raise ValueError(f"{name} must have shape (n, {columns}), not {table.shape}")
    if np.isinf(table).any():
        raise ValueError(f"{name} must be finite, or NaN where a return is not known")
    return table
