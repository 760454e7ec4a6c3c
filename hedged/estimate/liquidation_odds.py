"""How likely an account is liquidated within a time, and what it takes to make that less likely.

Two models of what may happen until somebody has topped up, and the worse of the two counts: a geometric Brownian walk
without log drift at the larger of current and long-run volatility, for calm does not last; and a filtered-historical
bootstrap, which scales the market's own hours of the past to the volatility of now, for its jumps are no walk's.

The question to both is the same: how much equity would the account have needed, at its worst moment? That need has a
distribution; the probability, the top-up, the part to buy back and the leverage are all read from it.
An account knows its own positions and equity only: spot held elsewhere is no collateral.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hedged.estimate.innovations import Innovations
from hedged.model.instrument import MarginTier

Floats = NDArray[np.float64]

PATHS = 10_000
"""Of the bootstrap: a probability of 1 % is then known to a tenth of itself."""

_BLOCK_BARS = 24  # drawn together, so that a day keeps its shape
_CELLS_MAX = 1_000_000  # of a table of paths × bars × positions held at a time
_LEVEL_MAX = math.exp(50.0)
_HALVINGS = 200
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class RiskyPosition:
    """One position as the odds see it: signed value at the present mark (short negative) in the quote currency.

    Volatilities are annual: what the bootstrap starts at, and the larger of that and the long-run one for the walk
    (`Volatilities.current`, `.prudent`). An inverse contract's needs are coins, valued here at the present mark.
    """

    notional: float
    volatility_current: float
    volatility_prudent: float
    tiers: tuple[MarginTier, ...]
    inverse: bool = False

    def need(self, price_ratio: Floats) -> Floats:
        """Present equity with which this position alone is liquidated where price is `price_ratio` × the present.

        Linear: maintenance there − PnL from here. Inverse, in coins at the present mark with P' = u·P: a short loses
        N·(1 − 1/u) and must keep MMR·N/u, so a short covered by coins worth N is safe at any price.
        """
        size, side = abs(self.notional), math.copysign(1.0, self.notional)
        if self.inverse:
            return np.asarray(
                maintenance(np.array(size), self.tiers) / price_ratio - side * size * (1 - 1 / price_ratio)
            )
        return np.asarray(maintenance(size * price_ratio, self.tiers) - side * size * (price_ratio - 1))


def maintenance(notional: Floats, tiers: Sequence[MarginTier]) -> Floats:
    """Maintenance margin of |notional| ≥ 0 by brackets, as `liquidation.maintenance_margin` has it, for arrays."""
    total, before = np.zeros_like(notional, dtype=np.float64), 0.0
    for tier in tiers:
        rate = float(tier.maintenance_margin_rate)
        total += (rate - before) * np.maximum(notional - float(tier.notional_floor), 0.0)
        before = rate
    return total


@dataclass(frozen=True, slots=True)
class Odds:
    """A probability under each model; `bootstrap` None: too little history for it, only the walk was asked."""

    walk: float
    bootstrap: float | None

    @property
    def worst(self) -> float:
        return self.walk if self.bootstrap is None else max(self.walk, self.bootstrap)


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """The equity that an account needs to live through a horizon, as a distribution. Quote currency."""

    positions: tuple[RiskyPosition, ...]
    spread: float  # σ√T of the positions together, per unit of gross value
    drawn: Floats | None  # ascending; need of each path of the bootstrap, at its worst moment

    @property
    def gross(self) -> float:
        """Σ |notional|."""
        return sum(abs(each.notional) for each in self.positions)

    def probability(self, equity: float) -> Odds:
        """That an account with this equity now is liquidated within the horizon; 0 without a position."""
        bootstrap = None
        if self.drawn is not None:
            bootstrap = float(len(self.drawn) - np.searchsorted(self.drawn, equity, side="left")) / len(self.drawn)
        return Odds(self._walk(equity), bootstrap)

    def equity_for(self, probability: float) -> float:
        """The least equity with which liquidation within the horizon is at most this likely (0 < probability < 1).

        The walk's is need(L) at L = exp(σ√T·Φ⁻¹(1 − x/2)): notional × (L·(1 + MMR) − 1) for one linear short.
        """
        if not 0 < probability < 1:
            raise ValueError(f"a probability is between 0 and 1, not {probability}")
        walk = self._at(math.exp(min(self.spread * _NORMAL.inv_cdf(1 - probability / 2), math.log(_LEVEL_MAX))))
        if self.drawn is None:
            return max(walk, 0.0)
        # So many paths may still fail; with equity just above the next one's need, no more do.
        failing = int(probability * len(self.drawn))
        bootstrap = math.nextafter(float(self.drawn[len(self.drawn) - 1 - failing]), math.inf)
        return max(walk, bootstrap, 0.0)

    def top_up(self, equity: float, probability: float) -> float:
        """What to add so that liquidation is at most this likely; 0 where it is already."""
        return max(self.equity_for(probability) - equity, 0.0)

    def keep_ratio(self, equity: float, probability: float, fee_ratio: float = 0.0, move_ratio: float = 0.0) -> float:
        """The part of every position to keep so that liquidation is at most this likely, without adding anything.

        1: all of it, 0: even closing most does not help. Buying back costs `fee_ratio` of its value out of the same
        equity, and what is kept may lose `move_ratio` of its value until that is seen:
        k·(need + move·gross) = E − fee·(1 − k)·gross. Brackets make a smaller position need less than its share: on
        the safe side.
        """
        need, fee = self.equity_for(probability), fee_ratio * self.gross
        if equity >= need:
            return 1.0
        need += move_ratio * self.gross
        return min(max((equity - fee) / (need - fee), 0.0), 1.0) if need > fee else 0.0

    def leverage_max(self, probability: float) -> float:
        """Gross value over equity at which liquidation is just this likely: nothing above it meets the target."""
        need = self.equity_for(probability)
        return self.gross / need if need > 0 else math.inf

    def leverage_lowest(self, equity: float, probability: float) -> int | None:
        """The lowest whole leverage to set: it puts as much of this equity behind the positions as there is.

        Initial margin = gross / leverage ≤ equity. None: what there is does not meet the target at any leverage.
        """
        if equity < self.equity_for(probability) or equity <= 0:
            return None
        return max(math.ceil(self.gross / equity), 1)

    def _walk(self, equity: float) -> float:
        if not self.positions:
            return 0.0
        level = self._level(equity)
        if level is None:
            return 0.0
        if level <= 1.0:
            return 1.0
        if self.spread == 0:
            return 0.0
        return math.erfc(math.log(level) / self.spread / math.sqrt(2))  # 2Φ(−ln L/σ√T): reflection at ν = 0

    def _level(self, equity: float) -> float | None:
        """The common adverse move L ≥ 1 that uses up this equity; None: no move does. Need rises with L: bisection."""
        if self._at(_LEVEL_MAX) < equity:
            return None
        low, high = 0.0, math.log(_LEVEL_MAX)
        if self._at(1.0) >= equity:
            return 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if middle in {low, high}:
                break
            low, high = (middle, high) if self._at(math.exp(middle)) < equity else (low, middle)
        return math.exp(high)

    def _at(self, level: float) -> float:
        return sum(float(each.need(np.array(level if each.notional < 0 else 1 / level))) for each in self.positions)


def account_need(
    positions: Sequence[RiskyPosition],
    years: float,
    *,
    history: Innovations | None = None,
    rng: np.random.Generator | None = None,
    paths: int = PATHS,
) -> Need:
    """What equity the account of these positions may need within `years` > 0.

    `history` has a column per position, in their order; without it (or without `rng`, the injected randomness) only
    the walk is asked, and all positions are taken to fall and rise together. The same `rng` state and more years give
    the same paths, longer.
    """
    held = tuple(positions)
    if not years > 0:
        raise ValueError("years must be above 0")
    volatilities = [sigma for each in held for sigma in (each.volatility_current, each.volatility_prudent)]
    if not all(math.isfinite(sigma) and sigma >= 0 for sigma in volatilities) or not all(
        math.isfinite(each.notional) for each in held
    ):
        raise ValueError("a position needs a finite value and a volatility from 0 up")
    drawn = None
    if held and history is not None and rng is not None:
        drawn = np.sort(_drawn(held, years, history, rng, paths))
    return Need(held, _spread(held, history) * math.sqrt(years), drawn)


def _spread(positions: Sequence[RiskyPosition], history: Innovations | None) -> float:
    """Annual volatility of the positions' PnL per unit of gross value."""
    pnl = np.array([each.notional * each.volatility_prudent for each in positions])
    gross = sum(abs(each.notional) for each in positions)
    if not gross:
        return 0.0
    if history is None:
        return float(np.abs(pnl).sum() / gross)
    return float(np.sqrt(max(pnl @ history.correlation() @ pnl, 0.0)) / gross)


def _drawn(
    positions: Sequence[RiskyPosition], years: float, history: Innovations, rng: np.random.Generator, paths: int
) -> Floats:
    """The worst need of each path, (paths,): blocks of past bars, all coins' together, at the volatility of now.

    Every bar is taken at its worst for each position, its high for a short and its low for a long, and the volatility
    of a path follows what happens on it, as the estimate of it would.
    """
    bars = max(1, math.ceil(years / history.bar_years - 1e-9))
    blocks = -(-bars // _BLOCK_BARS)
    starts = rng.integers(0, len(history.close), (blocks, paths)).T  # the first blocks are the same for any horizon
    chunk = max(1, _CELLS_MAX // (blocks * _BLOCK_BARS * len(positions)))
    return np.concatenate(
        [_worst(positions, history, starts[first : first + chunk], bars) for first in range(0, paths, chunk)]
    )


def _worst(positions: Sequence[RiskyPosition], history: Innovations, starts: NDArray[np.int64], bars: int) -> Floats:
    rows = (starts[:, :, None] + np.arange(_BLOCK_BARS)).reshape(len(starts), -1)[:, :bars] % len(history.close)
    need = np.zeros(rows.shape)
    for column, each in enumerate(positions):
        close = history.close[:, column][rows]
        adverse = (history.high if each.notional < 0 else history.low)[:, column][rows]
        # σ² ← σ²·(1 + f·(z² − 1)) bar by bar, and every bar meets what came before it.
        growth = np.cumsum(np.log1p(history.forgetting * (close * close - 1)), axis=1) / 2
        scale = each.volatility_current * math.sqrt(history.bar_years) * np.exp(_before(growth))
        need += each.need(np.exp(_before(np.cumsum(scale * close, axis=1)) + scale * adverse))
    return np.asarray(need.max(axis=1))


def _before(sums: Floats) -> Floats:
    """Running sums as they stood before each bar: 0 first, the last one dropped."""
    return np.hstack([np.zeros((len(sums), 1)), sums[:, :-1]])
