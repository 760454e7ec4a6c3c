"""Decayed, Huber-weighted moments of assets and instruments: what every hedge ratio is estimated from.

For each of several decays λ the sums of weight, f, ffᵀ, a, a·f and a² over the past rows, where f (k,) are the
returns of the instruments in a row and a that of an asset. Each asset keeps its own sums, over the rows in which it
and all instruments have a return: one that was listed late, or suspended for a month, says nothing of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hedged.estimate.effectiveness import Floats

# A variance below this share of the mean square is what rounding leaves of a return that is always the same.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Covariances:
    """Per decay (l) and asset (p): `ff` (l, p, k, k), `fa` (l, p, k), `aa` (l, p), and the rows they rest on.

    `weight` (l, p) is the sum of the weights; `effective` (l, p) = (Σw)²/Σw², the rows of equal weight worth as much.
    """

    ff: Floats
    fa: Floats
    aa: Floats
    weight: Floats
    effective: Floats


class DecayedMoments:
    """Sums that a block of rows is added to at a cost that does not depend on the rows before it.

    `decays` are per row, each in (0, 1].
    """

    def __init__(self, assets: int, instruments: int, decays: Floats) -> None:
        self._decays = decays
        self._k = instruments
        self._factors = np.zeros((len(decays), assets, 1 + instruments + instruments**2))  # 1, f, ffᵀ
        self._products = np.zeros((len(decays), assets, 1 + instruments))  # a, a·f
        self._squares = np.zeros((len(decays), assets))
        self._weight_squares = np.zeros((len(decays), assets))

    def add(self, assets: Floats, instruments: Floats, weights: Floats) -> None:
        """Rows `assets` (m, p), `instruments` (m, k), their `weights` (m,), oldest first.

        NaN in an asset leaves that asset's sums alone; a row with NaN in an instrument counts for none. Time passes
        for the decay all the same.
        """
        m = len(assets)
        age = np.arange(m - 1, -1, -1)
        decay = self._decays[:, None] ** age  # (l, m)
        there = np.isfinite(assets) & np.asarray(np.isfinite(instruments).all(axis=1))[:, None]
        a = np.where(there, assets, 0.0)
        f = np.nan_to_num(instruments)
        regressors = np.concatenate((np.ones((m, 1)), f), axis=1)
        squares = (f[:, :, None] * f[:, None, :]).reshape(m, -1)
        weighted = (decay * weights)[:, :, None] * there  # (l, m, p)
        by_asset = weighted.transpose(0, 2, 1)
        faded = (self._decays**m)[:, None]
        self._factors = faded[..., None] * self._factors + by_asset @ np.concatenate((regressors, squares), axis=1)
        self._products = faded[..., None] * self._products + (weighted * a).transpose(0, 2, 1) @ regressors
        self._squares = faded * self._squares + (weighted * a**2).sum(axis=1)
        self._weight_squares = faded**2 * self._weight_squares + (weighted**2).sum(axis=1)

    def covariances(self) -> Covariances:
        """Of what has been added so far; zeros for an asset without a row."""
        k = self._k
        weight = self._factors[..., 0]
        per = np.where(weight > 0, weight, 1.0)
        mean_f = self._factors[..., 1 : 1 + k] / per[..., None]
        mean_a = self._products[..., 0] / per
        raw = (self._factors[..., 1 + k :] / per[..., None]).reshape(*weight.shape, k, k)
        ff = raw - mean_f[..., :, None] * mean_f[..., None, :]
        aa = self._squares / per - mean_a**2
        moves = np.diagonal(ff, axis1=-2, axis2=-1) > _ROUNDING * np.diagonal(raw, axis1=-2, axis2=-1)
        return Covariances(
            ff=np.where(moves[..., :, None] & moves[..., None, :], ff, 0.0),
            fa=np.where(moves, self._products[..., 1:] / per[..., None] - mean_a[..., None] * mean_f, 0.0),
            aa=np.where(aa > _ROUNDING * self._squares / per, aa, 0.0),
            weight=weight,
            effective=weight**2 / np.where(self._weight_squares > 0, self._weight_squares, 1.0),
        )
