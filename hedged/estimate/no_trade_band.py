"""How wide to leave the band, and where in it to stop: the least that fees and unhedged risk cost together.

x is the gap: target − actual short, in the quote currency; nothing is traded until |x| reaches the outer edge b, then
the gap is brought to the inner edge a on the same side. With η the volatility of x, φ what a unit of x² costs a year
(γσ², risk aversion × variance of the hedge), κ the cost per unit traded and K the cost per order, a year costs

    J(a, b) = φ·(a² + b²)/12 + η²·(K + κ·(b − a))/(b² − a²)

With d = b − a and s = a + b this is φ·(s² + d²)/24 + η²·(K/d + κ)/s, and all else here follows from it: the best s for
any d, and from that the best d, or the best whole number of lots. (Whalley, Wilmott 1997; Leland 1996.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

OVERSHOOT = 0.5826
"""−ζ(½)/√(2π): how far beyond a level, in standard deviations of a step, a walk is found that is seen at steps only
(Broadie, Glasserman, Kou 1997)."""

OUTER_MAX_RATIO = 0.4
"""Of the target. J takes the hedge for nearly whole; a formula that asks for more than this is beyond its range, and a
hedge that far off hedges little."""

_NEWTON_STEPS_MAX = 60
_WILDEST = 100.0  # times the usual volatility; beyond it somebody has fed nonsense


@dataclass(frozen=True, slots=True)
class TradingCost:
    """What an order costs. Fractions of the value traded, or the quote currency."""

    ratio: float  # κ: fee, half the spread and slippage
    order: float = 0.0  # K: per order, whatever its size
    lot: float = 0.0  # value of the smallest step of a quantity; 0: any quantity

    def __post_init__(self) -> None:
        if not all(math.isfinite(cost) and cost >= 0 for cost in (self.ratio, self.order, self.lot)):
            raise ValueError(f"costs are numbers from 0 up, not {self}")


@dataclass(frozen=True, slots=True)
class NoTradeBand:
    """Edges of the gap on either side, quote currency: −outer < inner ≤ outer.

    `inner` < 0 where one lot is larger than the band: trading it carries a little past the target, and that is still
    better than leaving the gap. Infinite: nothing is worth trading. `cost_year`: J, fees and risk together, of the
    best band; capping or polling it does not change that figure.
    """

    inner: float
    outer: float
    cost_year: float

    def scaled(self, factor: float) -> NoTradeBand:
        """In another unit: with factor = 1 / exposure the edges are hedge ratios."""
        return NoTradeBand(self.inner * factor, self.outer * factor, self.cost_year * factor)

    def capped(self, outer_max: float) -> NoTradeBand:
        """No wider than `outer_max` (OUTER_MAX_RATIO × the target), however little the user would pay; of one shape."""
        if self.outer <= outer_max:
            return self
        shape = 1.0 if math.isinf(self.outer) else self.inner / self.outer
        return NoTradeBand(shape * outer_max, outer_max, self.cost_year)


def risk_price(*, pay_ratio_year: float, exposure: float, volatility: float, volatility_usual: float) -> float:
    """φ = γσ², what a gap of 1 costs a year (quote currency), twice: ½φx² is the cost of a gap x.

    From one number of the user's: `pay_ratio_year` = c, the fraction of the exposure they would pay a year to be rid
    of all its risk. γ = 2c/(σ²E) with σ the hedge's usual volatility, so that c is about the market as it is nowadays
    and a gap is worth closing more in a week that is wilder than that.
    """
    if not (exposure > 0 and pay_ratio_year >= 0 and volatility >= 0 and volatility_usual >= 0):
        raise ValueError("exposure must be above 0, the other numbers at least 0")
    if volatility == 0 or pay_ratio_year == 0:
        return 0.0
    relative = min(volatility / volatility_usual, _WILDEST) if volatility_usual > 0 else 1.0
    return 2 * pay_ratio_year / exposure * relative * relative


def optimal_band(cost: TradingCost, *, gap_volatility: float, risk_price: float) -> NoTradeBand:
    """The edges that minimise J. `gap_volatility` = η, quote currency a square-root year; `risk_price` = φ ≥ 0.

    κ alone: a = b = (3κη²/2φ)^⅓. K alone: a = 0, b = (12Kη²/φ)^¼. With lots of value q: b − a = k·q with the best
    whole k ≥ 1. E = 100,000, c = .2, η = 30,000, κ = 5 bp: 5,526; and K = 1: 3,049 and 9,106.
    """
    if not (math.isfinite(gap_volatility) and gap_volatility >= 0 and math.isfinite(risk_price) and risk_price >= 0):
        raise ValueError("gap_volatility and risk_price must be numbers from 0 up")
    if risk_price == 0:
        return NoTradeBand(math.inf, math.inf, 0.0)
    pull = 12 * gap_volatility * gap_volatility / risk_price
    width = _best_width(cost, pull)
    if cost.lot > 0:
        fewer = max(1.0, math.floor(width / cost.lot))
        return min(
            (_band(k * cost.lot, cost, pull, risk_price) for k in (fewer, fewer + 1)), key=lambda band: band.cost_year
        )
    best = _band(width, cost, pull, risk_price)
    return replace(best, inner=max(best.inner, 0.0))  # K alone: 0, and not a rounding error below it


def band_cost(*, inner: float, outer: float, cost: TradingCost, gap_volatility: float, risk_price: float) -> float:
    """J(a, b) a year for any −outer < inner ≤ outer, to compare a fixed band with the best one."""
    width, both = outer - inner, inner + outer
    if not (width >= 0 and both > 0):
        raise ValueError("edges must be −outer < inner ≤ outer")
    per_order = cost.order / width if width > 0 else (math.inf if cost.order else 0.0)
    return risk_price * (both**2 + width**2) / 24 + gap_volatility**2 * (per_order + cost.ratio) / both


def polled(band: NoTradeBand, *, gap_volatility: float, interval_years: float) -> NoTradeBand:
    """The band to compare a gap with that is looked at every `interval_years` only.

    By the time it is seen outside it is 0.5826·η·√Δ further out on average, so the trigger sits that much further in.
    Where a poll moves the gap by as much as the band is wide, the trigger levels off at κ/(φΔ), the edge of a decision
    that is made anew each time; for κ alone that is 0.226·b·(b/shift)².
    """
    shift = OVERSHOOT * gap_volatility * math.sqrt(interval_years)
    if shift == 0 or math.isinf(band.outer):
        return band
    least = 2 / 3 * OVERSHOOT**2 * band.outer * min(1.0, band.outer / shift) ** 2
    outer = max(band.outer - shift, least)
    return NoTradeBand(min(band.inner, outer), outer, band.cost_year)


def value_to_trade(gap: float, band: NoTradeBand, lot: float = 0.0) -> float:
    """How much hedge to add (> 0) or take back (< 0), quote currency, for this gap; 0 inside the band.

    To the inner edge, in whole lots where there are any: the nearest number of them, at least one, and never so that
    the gap ends up no smaller than it was.
    """
    size = abs(gap)
    if size <= band.outer:
        return 0.0
    amount = size - band.inner
    if lot > 0:
        amount = max(1.0, math.floor(amount / lot + 0.5)) * lot
        if amount >= 2 * size:
            return 0.0
    return math.copysign(amount, gap)


def _best_width(cost: TradingCost, pull: float) -> float:
    """Without lots, d = b − a: the root of d⁸·(K + κd) = pull²·K³, with pull = 12η²/φ; 0 without a fixed cost."""
    if not (cost.order > 0 and pull > 0):
        return 0.0
    alone = (pull * cost.order) ** 0.25  # the width without κ
    ratio = cost.ratio * alone / cost.order
    # u = d/alone solves u⁸·(1 + ratio·u) = 1. Convex and rising: Newton from the right comes down without a miss.
    u = min(1.0, ratio ** (-1 / 9)) if ratio > 0 else 1.0
    for _ in range(_NEWTON_STEPS_MAX):
        step = (u**8 * (1 + ratio * u) - 1) / (u**7 * (8 + 9 * ratio * u))
        u -= step
        if step <= 1e-15 * u:
            break
    return float(alone * u)


def _band(width: float, cost: TradingCost, pull: float, price: float) -> NoTradeBand:
    """The best band of this width: s³ = pull·(K/d + κ), and J = φ·(d² + 3s²)/24 there."""
    per_order = cost.order / width if width > 0 else 0.0
    both = math.cbrt(pull * (per_order + cost.ratio))
    return NoTradeBand((both - width) / 2, (both + width) / 2, price * (width**2 + 3 * both**2) / 24)
