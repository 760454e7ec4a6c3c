"""How much of the variance a hedge takes away, by itself and against two constant ratios. Returns are fractions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RETURNS_MIN = 3  # fewer say nothing of a variance


def effectiveness(unhedged: Floats, hedged: Floats) -> float | None:
    """1 − Var(hedged) / Var(unhedged) over returns of one shape (n,); None where that is not defined.

    1 is a perfect hedge, 0 none at all, below 0 it adds risk (Ederington 1979).
    """
    if len(unhedged) < RETURNS_MIN:
        return None
    variance = float(np.var(unhedged))
    return 1 - float(np.var(hedged)) / variance if variance > 0 else None


def hindsight_ratios(unhedged: Floats, instruments: Floats) -> Floats:
    """The constant ratios h, shape (k,), that minimise Var(unhedged − instruments @ h).

    `unhedged` has shape (n,), `instruments` (n, k); h = Σ_ff⁻¹ Σ_fs, in units of the holdings' value, h > 0 short.
    Of instruments that move as one, each gets the same share.
    """
    solution = np.linalg.lstsq(instruments - instruments.mean(axis=0), unhedged - unhedged.mean(), rcond=None)
    return np.asarray(solution[0], dtype=np.float64)


def naive_ratios(directions: Floats) -> Floats:
    """Ratio 1, split equally; `directions` (k,) is −1 for an instrument that rises when the assets fall, else +1."""
    return directions / len(directions)


def constant_effectiveness(unhedged: Floats, instruments: Floats, ratios: Floats) -> float | None:
    """Effectiveness of shorts worth `ratios` × the holdings, reset at every return, without costs."""
    return effectiveness(unhedged, unhedged - instruments @ ratios)


def returns(values: Floats) -> Floats:
    """Simple returns of consecutive values along the first axis; NaN beside a missing one."""
    return np.asarray(values[1:] / values[:-1] - 1, dtype=np.float64)
