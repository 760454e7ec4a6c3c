"""How far a hedge may stray before it is worth an order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hedged.assess.costs import one_way_cost
from hedged.assess.roll import in_order
from hedged.assess.targets import HedgeExposure
from hedged.estimate.no_trade_band import OUTER_MAX_RATIO, TradingCost, optimal_band, polled, risk_price
from hedged.model.finding import LegState
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Snapshot
from hedged.model.statistics import HedgeStatistics

_PLACES = 6
_SECONDS_A_YEAR = 365 * 86_400


def band_of(
    member: HedgeExposure, legs: Sequence[LegState], snapshot: Snapshot, policy: PortfolioPolicy
) -> tuple[Decimal, Decimal]:
    """The half-width, and where orders stop inside it, both as hedge ratios.

    Fixed: the configured one, twice. Optimal: the least of fees and unhedged risk a year; the configured one until
    volatilities are known.
    """
    hedge = member.policy
    fixed = hedge.band, hedge.band
    statistics = snapshot.statistics.get(hedge.name)
    if not hedge.band_optimal or statistics is None or not member.beta_exposure or not member.exposure_value:
        return fixed
    exposure, target = float(member.beta_exposure), float(member.beta_exposure * hedge.target_ratio)
    cost = _cost(legs, snapshot, policy)
    if cost is None or target <= 0 or member.exposure_value <= 0:
        return fixed
    price = _price(statistics, float(hedge.risk_cost_year), float(member.exposure_value))
    if price is None or statistics.gap_volatility is None:
        return fixed
    wander = statistics.gap_volatility * target
    best = optimal_band(cost, gap_volatility=wander, risk_price=price).capped(OUTER_MAX_RATIO * target)
    best = polled(best, gap_volatility=wander, interval_years=policy.every.total_seconds() / _SECONDS_A_YEAR)
    outer, inner = (round(Decimal(repr(edge / exposure)), _PLACES) for edge in (best.outer, best.inner))
    return outer, min(max(inner, Decimal(0)), outer)  # a lot wider than the band widens it elsewhere


def _price(statistics: HedgeStatistics, pay_ratio_year: float, exposure: float) -> float | None:
    """What a gap costs, see `risk_price`; None: not known."""
    now, usual = statistics.hedge_volatility, statistics.hedge_volatility_usual
    if now is None or usual is None:
        return None
    return risk_price(pay_ratio_year=pay_ratio_year, exposure=exposure, volatility=now, volatility_usual=usual)


def _cost(legs: Sequence[LegState], snapshot: Snapshot, policy: PortfolioPolicy) -> TradingCost | None:
    """What an order on the leg that would be opened costs; None: no leg can be traded."""
    for leg in in_order(legs, opening=True):
        instrument, ratio = snapshot.instruments.get(leg.instrument), one_way_cost(leg.instrument, snapshot, policy)
        if leg.tradable and instrument is not None and ratio is not None and leg.mark and leg.rate:
            lot = abs(instrument.notional(instrument.lot_size, leg.mark)) * leg.rate
            return TradingCost(ratio=float(max(ratio, Decimal(0))), lot=float(lot))
    return None
