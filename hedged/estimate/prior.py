"""The ratios to believe in before a hedge has a past of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hedged.estimate.effectiveness import Floats
from hedged.model.instrument import InstrumentId

Betas = Mapping[str, Mapping[str, float]]
"""Asset → anchor (`model.sectors.ANCHORS`) → beta."""


def base_of(instrument: InstrumentId) -> str:
    """The coin or index that a contract is on."""
    return instrument.partition(":")[2].partition("/")[0]


def prior_ratios(
    assets: Sequence[str], instruments: Sequence[InstrumentId], directions: Sequence[int], betas: Betas
) -> Floats:
    """Ratios per unit of each asset, (assets, instruments), to hold until its own past says more.

    A contract on the coin itself: 1, and nothing elsewhere; several share it. Else each instrument takes an equal part
    of its own whole answer: the asset's known beta to it, or its direction (−1: rises when the assets fall) where none
    is known, so that without any known beta this is the naive ratio.
    """
    bases = [base_of(name) for name in instruments]
    found = np.empty((len(assets), len(bases)))
    for row, asset in enumerate(assets):
        own = np.array([base == asset for base in bases])
        if own.any():
            found[row] = own / own.sum()
        else:
            whole = [
                direction * betas.get(asset, {}).get(base, 1.0)
                for base, direction in zip(bases, directions, strict=True)
            ]
            found[row] = np.array(whole) / len(bases)
    return found
