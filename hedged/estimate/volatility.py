"""How much something moves, from what it did: an average that forgets, one observation at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

DAYS_A_YEAR = 365.0

CURRENT_HALF_LIFE_DAYS = 7.0
"""For the volatility of now. Bands cost the same within a hundredth anywhere from 5 to 10 days."""

USUAL_HALF_LIFE_DAYS = 30.0
"""For what is usual nowadays, which a band calls a wild or a calm week by. A year's memory makes bands too wide in a
market that has calmed down for good."""

LONG_RUN_HALF_LIFE_DAYS = 365.0
"""For the volatility that calm months do not make one forget: what the odds of a liquidation rest on at least."""

GAP_PRIOR = 0.7
"""Of the gap between a basket and its hedge, a year, as a fraction of the target: other coins than the hedge's own."""

GAP_PRIOR_SAME_COIN = 0.05
"""The same for a coin hedged with its own contract: the basis alone moves the gap."""

PRICE_PRIOR = 0.9
"""Of a coin's price, a year, until it has told its own."""

PRIOR_DAYS = 1.0
"""What the prior weighs against observations, for short memories: both alike, so that they start out agreeing."""

LONG_RUN_PRIOR_DAYS = 60.0


@dataclass(frozen=True, slots=True)
class Volatility:
    """Exponentially weighted mean square change per day. Frozen: every observation gives a new one.

    It begins as a prior that counts as `prior_days` of observations and fades as they do, so that a handful of quiet
    hours is not taken for a quiet market. Changes of any unit; the result has that unit a square-root year. Give it
    changes of an hour or more: what bounces within minutes is not what carries a gap across a band.
    """

    half_life_days: float
    mean_square_days: float  # Σ w·days · change² per day
    weight_days: float  # Σ w·days, the prior's included
    prior_days: float  # how much of that is still the prior
    observations: int = 0

    @classmethod
    def starting_at(cls, volatility_year: float, *, half_life_days: float, prior_days: float) -> Volatility:
        """Before the first observation. All arguments above 0 (`volatility_year` may be 0)."""
        _check(volatility_year, at_least=0.0)
        if not (half_life_days > 0 and prior_days > 0):
            raise ValueError("half_life_days and prior_days must be above 0")
        return cls(half_life_days, volatility_year**2 / DAYS_A_YEAR * prior_days, prior_days, prior_days)

    @property
    def value_year(self) -> float:
        """Standard deviation of the change over a year, in the unit of the changes."""
        return math.sqrt(self.mean_square_days / self.weight_days * DAYS_A_YEAR)

    @property
    def prior_share(self) -> float:
        """How much of the figure is still assumption: 1 before anything was observed, towards 0 later."""
        return self.prior_days / self.weight_days

    def observed(self, change: float, days: float) -> Volatility:
        """With one more `change`, that of the last `days` > 0; a gap in the data is one change over its length.

        Raises `ValueError` for what is no number: a missing price is not a change of 0.
        """
        _check(change, at_least=-math.inf)
        if not days > 0:
            raise ValueError(f"a change takes time, not {days} days")
        decay = 0.5 ** (days / self.half_life_days)
        # ∫ of the weight over the interval: a long one does not outweigh all that was known before by its length.
        weight = (1 - decay) * self.half_life_days / math.log(2)
        return replace(
            self,
            mean_square_days=decay * self.mean_square_days + weight * change * change / days,
            weight_days=decay * self.weight_days + weight,
            prior_days=decay * self.prior_days,
            observations=self.observations + 1,
        )

    def observed_all(self, changes: Sequence[float], days: float) -> tuple[Volatility, list[float]]:
        """With many changes of `days` each, as `observed` one by one; also `value_year` as it stood before each.

        A past of thousands of hours is taken in while a cycle waits, hence without a value for every step.
        """
        decay = 0.5 ** (days / self.half_life_days)
        each = (1 - decay) * self.half_life_days / math.log(2)
        mean_square, weight, known = self.mean_square_days, self.weight_days, []
        for change in changes:
            known.append(math.sqrt(mean_square / weight * DAYS_A_YEAR))
            mean_square = decay * mean_square + each * change * change / days
            weight = decay * weight + each
        count = len(known)
        after = replace(
            self,
            mean_square_days=mean_square,
            weight_days=weight,
            prior_days=decay**count * self.prior_days,
            observations=self.observations + count,
        )
        return after, known


@dataclass(frozen=True, slots=True)
class Volatilities:
    """The same changes with a short memory, a longer and a long one."""

    current: Volatility
    usual: Volatility
    long_run: Volatility

    @classmethod
    def starting_at(
        cls, volatility_year: float, *, current_half_life_days: float = CURRENT_HALF_LIFE_DAYS
    ) -> Volatilities:
        """Before the first observation: all three at the same prior."""
        return cls(
            *(
                Volatility.starting_at(volatility_year, half_life_days=half_life, prior_days=prior)
                for half_life, prior in (
                    (current_half_life_days, PRIOR_DAYS),
                    (USUAL_HALF_LIFE_DAYS, PRIOR_DAYS),
                    (LONG_RUN_HALF_LIFE_DAYS, LONG_RUN_PRIOR_DAYS),
                )
            )
        )

    def observed(self, change: float, days: float) -> Volatilities:
        """With one more change, as `Volatility.observed`."""
        return Volatilities(
            self.current.observed(change, days), self.usual.observed(change, days), self.long_run.observed(change, days)
        )

    def observed_all(self, changes: Sequence[float], days: float) -> tuple[Volatilities, list[float]]:
        """As `Volatility.observed_all`; what was known before each is the current one's."""
        current, known = self.current.observed_all(changes, days)
        usual, _ = self.usual.observed_all(changes, days)
        long_run, _ = self.long_run.observed_all(changes, days)
        return Volatilities(current, usual, long_run), known

    @property
    def prudent(self) -> float:
        """The larger of current and long-run, a year: a calm market is not believed, a wild one is."""
        return max(self.current.value_year, self.long_run.value_year)


def gap_change(*, target_before: float, target_after: float, hedge_before: float, hedge_after: float) -> float:
    """How far the gap between target and hedge moved by itself, as a fraction of `target_before` > 0.

    Target and hedge value (> 0 where it offsets a long) in the quote currency, both *at the quantities held before*:
    prices and a new estimate of beta move the gap, a deposit or a trade is no volatility. Take a hedge as if it were
    on its target where none is held yet: hedge_before = target_before.
    """
    if not target_before > 0:
        raise ValueError("no target, no gap")
    return ((target_after - hedge_after) - (target_before - hedge_before)) / target_before


def _check(value: float, at_least: float) -> None:
    if not math.isfinite(value) or value < at_least:
        raise ValueError(f"{value} is not a number to estimate from")
