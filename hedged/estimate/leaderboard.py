"""Which way of setting the hedge ratio leaves the least risk, judged on days that it had not seen.

Before a period each contender names its ratios; after it, the square of what its hedge would have left is its loss.
Naive stands in for the estimate where the estimate is not better, with one deference to the noise in such losses: the
estimate is set aside at a lead of two standard errors, and comes back as soon as it is no longer behind. Ordinary least
squares over a short window is the yardstick that everybody knows. It is ranked and never chosen: it trades its ratio
more than twice as much, and what it leads by in one season it has lost in the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONTENDERS = ("estimated", "ols", "naive")

LEAD = 2.0  # standard errors
PERIODS_MIN = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender out of sample: `loss` is its mean squared hedged return, `effectiveness` 1 − loss / unhedged.

    None before the first period.
    """

    name: str
    loss: float | None
    effectiveness: float | None


class Leaderboard:
    """Exponentially weighted losses; `decay` per period. Deterministic, and of constant size."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self.periods = 0
        self.chosen = "estimated"
        self._weight = 0.0
        self._unhedged = 0.0
        self._loss = dict.fromkeys(CONTENDERS, 0.0)
        self._gap = self._gap_square = 0.0  # Σ of naive's loss minus the estimate's, and of its square

    def add(self, unhedged: float, hedged: Mapping[str, float]) -> None:
        """A period's return, unhedged and as each of `CONTENDERS` would have hedged it; fractions, all finite."""
        keep = self._decay
        self.periods += 1
        self._weight = keep * self._weight + 1
        self._unhedged = keep * self._unhedged + unhedged**2
        loss = {name: hedged[name] ** 2 for name in CONTENDERS}
        for name in CONTENDERS:
            self._loss[name] = keep * self._loss[name] + loss[name]
        gap = loss["naive"] - loss["estimated"]
        self._gap = keep * self._gap + gap
        self._gap_square = keep**2 * self._gap_square + gap**2
        if self._gap > 0:
            self.chosen = "estimated"
        elif self.periods >= PERIODS_MIN and self._gap < -LEAD * math.sqrt(self._gap_square):
            self.chosen = "naive"

    def standings(self) -> Sequence[Standing]:
        """In the order of `CONTENDERS`."""
        if not self.periods:
            return tuple(Standing(name, None, None) for name in CONTENDERS)
        return tuple(
            Standing(
                name,
                self._loss[name] / self._weight,
                1 - self._loss[name] / self._unhedged if self._unhedged > 0 else None,
            )
            for name in CONTENDERS
        )
