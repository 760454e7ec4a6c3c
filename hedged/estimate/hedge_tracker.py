"""One hedge's statistics as a stream: give it every hour's prices, ask it for what they say so far.

Live and in a replay alike, so that what was measured over the past is what runs today.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from hedged.estimate.beta import DAY, RatioEstimate, RatioEstimator, RatioSettings, exposure_returns
from hedged.estimate.effectiveness import Floats
from hedged.estimate.prior import Betas, base_of, prior_ratios
from hedged.estimate.volatility import (
    GAP_PRIOR,
    GAP_PRIOR_SAME_COIN,
    PRICE_PRIOR,
    Volatilities,
)
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, Target
from hedged.model.statistics import HedgeStatistics
from hedged.model.timing import Measure, Signal

CARRY_HALF_LIFE_DAYS = 7.0
_RATIO_PLACES = 6


@dataclass(frozen=True, slots=True)
class HedgeShape:
    """What is hedged with what. `shares`: of the instruments in the hedge, together 1; None: as estimated.

    `betas`: fixed ones by asset, 1 where absent. `prior_betas`: what holds until there is enough past, where known.
    `step`: seconds between two calls of `add`, a divisor of a day.
    """

    assets: tuple[str, ...]
    instruments: tuple[InstrumentId, ...]
    directions: tuple[int, ...]
    shares: tuple[float, ...] | None = None
    betas: Mapping[str, float] | None = None
    prior_betas: Betas = field(default_factory=dict)
    signal: Signal | None = None
    step: int = 3600

    @property
    def is_same_coin(self) -> bool:
        """Every asset has a contract on itself."""
        return set(self.assets) <= {base_of(name) for name in self.instruments}


def shape_of(hedge: HedgePolicy, assets: tuple[str, ...], step: int) -> HedgeShape:
    """The shape of a configured hedge over the assets that it covers now."""
    names = tuple(leg.instrument for leg in hedge.legs)
    shares: tuple[float, ...] | None = None
    if hedge.target is not Target.MINIMUM_VARIANCE:
        given = [leg.weight for leg in hedge.legs]
        shares = tuple(float(share) for share in given if share is not None)
        if len(shares) < len(given):  # the first takes all
            shares = (1.0, *(0.0 for _ in given[1:]))
    return HedgeShape(
        assets=assets,
        instruments=names,
        directions=tuple(leg.direction for leg in hedge.legs),
        shares=shares,
        betas={asset: float(beta) for asset, beta in hedge.beta.items()},
        prior_betas={asset: hedge.prior_betas[asset] for asset in assets if asset in hedge.prior_betas},
        signal=hedge.timing if isinstance(hedge.timing, Signal) else None,
        step=step,
    )


class HedgeTracker:
    """Ratios, volatilities and signal of one hedge. Prices are floats, NaN where there is none."""

    def __init__(self, shape: HedgeShape) -> None:
        if not shape.assets or not shape.instruments:
            raise ValueError("a hedge without assets or instruments has no statistics")
        self.shape = shape
        directions = np.array(shape.directions, np.float64)
        self._ratios = RatioEstimator(
            len(shape.assets),
            len(shape.instruments),
            # Not what later estimates are shrunk to: towards ratio 1 they come out no worse on average, and safer.
            start=prior_ratios(shape.assets, shape.instruments, shape.directions, shape.prior_betas),
            directions=directions,
            settings=RatioSettings(step=shape.step),
        )
        gap_prior = GAP_PRIOR_SAME_COIN if shape.is_same_coin else GAP_PRIOR
        self._gap = Volatilities.starting_at(gap_prior)
        self._hedge = Volatilities.starting_at(PRICE_PRIOR)
        self._carry: dict[InstrumentId, float] = {}
        self._last: Floats | None = None  # prices of assets and instruments, an hour ago
        self._day = self._blank()  # returns of the day that is not over yet, NaN where there are none
        days = shape.signal.days if shape.signal is not None else 0
        self._past: deque[Floats] = deque(
            maxlen=days * DAY // shape.step + 1
        )  # assets and the reference, for the signal
        self._weights: Floats | None = None
        self._known_at = 0
        self._estimate: RatioEstimate | None = None

    def add(
        self, epoch: int, assets: Floats, instruments: Floats, weights: Floats, reference: float = math.nan
    ) -> None:
        """Closes known at `epoch` (a whole multiple of the step): (p,) of the assets, (k,) of the instruments.

        `weights` (p,): the assets' share of the hedge's value. `reference`: what a signal's strength is relative to.
        A step that is left out is a gap: the return across it is not known.
        """
        now = np.concatenate((assets, instruments))
        if self._known_at and (epoch - 1) // DAY != (self._known_at - 1) // DAY:
            self._end_day(weights)
        gap = self._known_at and epoch - self._known_at != self.shape.step
        last = np.full_like(now, np.nan) if self._last is None or gap else self._last
        with np.errstate(invalid="ignore", divide="ignore"):
            moves = now / last - 1
        moves[~np.isfinite(moves)] = np.nan
        self._last, self._known_at, self._weights = now, epoch, weights
        self._past.append(np.append(assets, reference))
        p = len(self.shape.assets)
        self._observe(moves[:p], moves[p:], weights)
        self._day[(epoch - 1) % DAY // self.shape.step] = moves

    def funded(self, instrument: InstrumentId, cost_year: float, days: float) -> None:
        """What a short of 1 in this instrument was charged a year (> 0: paid) over the last `days`."""
        decay = 0.5 ** (days / CARRY_HALF_LIFE_DAYS)
        before = self._carry.get(instrument, cost_year)
        self._carry[instrument] = decay * before + (1 - decay) * cost_year

    def statistics(self) -> HedgeStatistics | None:
        """As of the last prices; None before the first."""
        if not self._known_at or self._weights is None:
            return None
        estimate = self._estimate
        names = self.shape.instruments
        ratios = {name: _ratio(h) for name, h in zip(names, estimate.h, strict=True)} if estimate is not None else {}
        betas = self._ratios.betas[:, 0] if estimate is not None else np.empty(0)
        return HedgeStatistics(
            as_of=datetime.fromtimestamp(self._known_at, UTC),
            ratios=ratios,
            betas={asset: _ratio(beta) for asset, beta in zip(self.shape.assets, betas, strict=False)},
            gap_volatility=self._gap.current.value_year,
            hedge_volatility=self._hedge.current.value_year,
            hedge_volatility_usual=self._hedge.usual.value_year,
            carry_year=dict(self._carry),
            change=self._change(),
            text="" if estimate is None else describe(estimate, names, self.shape.assets),
        )

    def _observe(self, assets: Floats, instruments: Floats, weights: Floats) -> None:
        """One step of the volatilities; a step of which something is missing says nothing."""
        betas = self.shape.betas or {}
        tilted = weights * np.array([betas.get(asset, 1.0) for asset in self.shape.assets])
        total = tilted.sum()
        shares = self._shares()
        hedge = float(instruments @ shares)
        if not total or not math.isfinite(hedge):
            return
        whole = float(exposure_returns(assets[None, :], tilted / total)[0])
        days = self.shape.step / DAY
        if math.isfinite(whole):
            self._gap = self._gap.observed(whole - hedge, days)
        self._hedge = self._hedge.observed(float(instruments @ (shares * np.array(self.shape.directions))), days)

    def _shares(self) -> Floats:
        if self.shape.shares is not None:
            return np.array(self.shape.shares)
        sizes = np.abs(self._estimate.h) if self._estimate is not None else np.ones(len(self.shape.instruments))
        return np.asarray(sizes / sizes.sum() if sizes.sum() > 0 else np.full(len(sizes), 1 / len(sizes)))

    def _end_day(self, weights: Floats) -> None:
        """Ratios change once a day, after the first price of the next one."""
        p = len(self.shape.assets)
        self._ratios.advance(self._day[:, :p], self._day[:, p:], weights)
        self._estimate = self._ratios.estimate(weights)
        self._day = self._blank()

    def _blank(self) -> Floats:
        return np.full((DAY // self.shape.step, len(self.shape.assets) + len(self.shape.instruments)), np.nan)

    def _change(self) -> float | None:
        """ln(basket now / basket then), against the reference where the signal is relative; None: too little past."""
        signal, past, weights = self.shape.signal, self._past, self._weights
        if signal is None or weights is None or len(past) < (past.maxlen or 0):
            return None
        now, then = past[-1], past[0]
        before = float(np.sum(weights * then[:-1] / now[:-1]))  # the same coins then, per unit of them now
        change = -math.log(before) if before > 0 else math.nan
        if signal.measure is Measure.RELATIVE_STRENGTH:
            change -= math.log(now[-1] / then[-1]) if now[-1] > 0 and then[-1] > 0 else math.nan
        return change if math.isfinite(change) else None


def describe(estimate: RatioEstimate, names: Sequence[InstrumentId], assets: Sequence[str]) -> str:
    """What a person should know of the ratios: how sure, on what, and how they fared on days not yet seen."""
    sure = [f" ± {se:.3f}" if math.isfinite(se) else "" for se in estimate.se]
    parts = [f"{name} {h:.3f}{se}" for name, h, se in zip(names, estimate.h, sure, strict=True)]
    fit = "" if estimate.r2 is None else f", R² {estimate.r2:.2f}"
    board = ", ".join(f"{each.name} {each.effectiveness:.3f}" for each in estimate.leaderboard if each.effectiveness)
    seen = f"{estimate.window_days:.0f} days, {estimate.effective:.0f} effective observations"
    raced = f"; out of sample: {board}" if board else ""
    without = [assets[index] for index in estimate.prior_assets]
    usual = f"; too little is known of {', '.join(without)}, taken as usual" if without else ""
    return f"{estimate.source}: {', '.join(parts)}{fit} over {seen}{raced}{usual}"


def _ratio(value: float) -> Decimal:
    return round(Decimal(repr(float(value))), _RATIO_PLACES)
