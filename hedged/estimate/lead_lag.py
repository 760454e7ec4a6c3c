"""Does one clock's return see all of a coin's answer to an instrument, or does part of it come a bar later?

A diagnostic: where the sum of the lead, same-bar and lagged betas is far from the plain one, bars are too short, or
the two series are not stamped by the same clock (Dimson 1979; Scholes, Williams 1977).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hedged.estimate.effectiveness import Floats


@dataclass(frozen=True, slots=True)
class DimsonBeta:
    """`betas` (2·lags + 1,), from the asset leading the instrument by `lags` bars to its lagging it by as many.

    `total` = Σ betas with its standard error `se`; `plain` is the beta without leads and lags. `suspect`: the two
    differ by more than two standard errors and by more than a tenth.
    """

    betas: Floats
    total: float
    se: float
    plain: float

    @property
    def suspect(self) -> bool:
        return abs(self.total - self.plain) > max(2 * self.se, 0.1 * abs(self.plain))


def dimson_beta(asset: Floats, instrument: Floats, lags: int = 1) -> DimsonBeta | None:
    """Regress returns `asset` (n,) on those of `instrument` (n,), k bars later and earlier, k = −lags … lags.

    NaN is left out with the rows it touches. None for fewer than 60 such rows, or an instrument that does not move.
    Raises `ValueError` for fewer than one lag or arrays of different length.
    """
    if lags < 1 or len(asset) != len(instrument):
        raise ValueError(f"one lag or more and equal lengths are needed, not {lags}, {len(asset)}, {len(instrument)}")
    n, width = len(asset), 2 * lags + 1
    if n < width:
        return None
    # Column j: the instrument lags − j bars after the asset's, so the first is the asset leading.
    moves = np.column_stack([instrument[width - 1 - j : n - j] for j in range(width)])
    answer = asset[lags : n - lags]
    known = np.isfinite(answer) & np.isfinite(moves).all(axis=1)
    x, y = moves[known] - moves[known].mean(axis=0), answer[known] - answer[known].mean()
    if len(y) < 60 or np.linalg.matrix_rank(x) < width:
        return None
    inverse = np.linalg.inv(x.T @ x)
    betas = inverse @ x.T @ y
    left = float(((y - x @ betas) ** 2).sum()) / (len(y) - width - 1)
    middle = x[:, lags]
    return DimsonBeta(
        betas=betas,
        total=float(betas.sum()),
        se=math.sqrt(left * float(inverse.sum())),
        plain=float(middle @ y / (middle @ middle)),
    )
