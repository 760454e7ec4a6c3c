"""The optimal no-trade band against worked vectors, and what it does at its ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hedged.estimate.no_trade_band import (
    NoTradeBand,
    TradingCost,
    band_cost,
    optimal_band,
    polled,
    risk_price,
    value_to_trade,
)

GAP = 30_000.0  # η
PRICE = 4e-6  # φ of E = 100,000 and c = .2


@pytest.mark.parametrize(
    ("cost", "inner", "outer", "year"),
    [
        (TradingCost(5e-4), 5526.05, 5526.05, 61.074),
        (TradingCost(0, order=1), 0.0, 7208.43, None),
        (TradingCost(5e-4, order=1), 3049.4, 9105.6, 79.985),
        (TradingCost(5e-4, lot=2000), 4526.05, 6526.05, 61.741),
        (TradingCost(5e-4, lot=6000), 2526.05, 8526.05, 67.074),
    ],
)
def test_band_vectors(cost: TradingCost, inner: float, outer: float, year: float | None) -> None:
    """E = 100,000, c = .2, η = 30,000: worked values for every kind of cost."""
    band = optimal_band(cost, gap_volatility=GAP, risk_price=PRICE)
    assert (band.inner, band.outer) == (pytest.approx(inner, abs=0.05), pytest.approx(outer, abs=0.05))
    if year is not None:
        assert band.cost_year == pytest.approx(year, abs=5e-4)


def test_trading_to_the_target_costs_a_quarter_more_at_its_own_best_band() -> None:
    """26 %: with nothing but proportional cost, the nearest edge is what the last points are not worth trading beyond."""
    cost = TradingCost(5e-4)
    edge = optimal_band(cost, gap_volatility=GAP, risk_price=PRICE)
    to_target = min(_year(0.0, outer, cost) for outer in np.linspace(1_000, 20_000, 19_001))
    assert to_target / edge.cost_year == pytest.approx(1.26, abs=0.001)


def test_risk_aversion_comes_from_one_number() -> None:
    """Paying c = .2 of 100,000 to be rid of a year's risk prices a gap at γσ² = 4e-6; twice the volatility, four times."""
    usual = risk_price(pay_ratio_year=0.2, exposure=1e5, volatility=0.8, volatility_usual=0.8)
    wild = risk_price(pay_ratio_year=0.2, exposure=1e5, volatility=1.6, volatility_usual=0.8)
    assert (usual, wild) == (pytest.approx(PRICE), pytest.approx(4 * PRICE))
    assert risk_price(pay_ratio_year=0.2, exposure=1e5, volatility=0.0, volatility_usual=0.0) == 0.0
    assert risk_price(pay_ratio_year=0.2, exposure=1e5, volatility=0.8, volatility_usual=0.0) == pytest.approx(PRICE)


@pytest.mark.parametrize(
    "cost",
    [
        TradingCost(5e-4),
        TradingCost(0, order=1),
        TradingCost(5e-4, order=1),
        TradingCost(5e-4, order=1, lot=1500),
        TradingCost(5e-4, order=20, lot=700),
        TradingCost(5e-4, lot=40_000),
    ],
)
def test_no_other_pair_of_edges_costs_less(cost: TradingCost) -> None:
    """J at the result is what is reported, and every pair on a fine grid (of whole lots, where there are any) costs more."""
    band = optimal_band(cost, gap_volatility=GAP, risk_price=PRICE)
    assert band.cost_year == pytest.approx(_year(band.inner, band.outer, cost), rel=1e-9)
    widths = cost.lot * np.arange(1, 60) if cost.lot else np.linspace(1, 40_000, 120)
    for width in widths:
        for both in np.linspace(100, 60_000, 120):
            assert _year((both - width) / 2, (both + width) / 2, cost) >= band.cost_year * (1 - 1e-9)


def test_the_cost_of_a_band_is_what_a_walk_pays() -> None:
    """J is the long-run cost of a simulated gap that is traded from the outer edge to the inner one."""
    cost, inner, outer = TradingCost(5e-4, order=1), 3000.0, 9000.0
    rng, step = np.random.default_rng(3), 1 / 20_000
    gap, fees, risk = np.zeros(2000), 0.0, 0.0
    steps, settling = 9_000, 4_000
    for number in range(steps + settling):
        gap += rng.standard_normal(len(gap)) * GAP * math.sqrt(step)
        over = np.abs(gap) >= outer - 0.5826 * GAP * math.sqrt(step)
        counted = number >= settling
        fees += counted * float(np.sum(cost.order + cost.ratio * (np.abs(gap[over]) - inner)))
        gap[over] = np.copysign(inner, gap[over])
        risk += counted * float(np.sum(0.5 * PRICE * gap**2)) * step
    assert (fees + risk) / len(gap) / (steps * step) == pytest.approx(_year(inner, outer, cost), rel=0.03)


def test_one_lot_larger_than_the_band_is_traded_past_the_target() -> None:
    """From a bit over half the lot on, and to the other side by less than it was off: that beats leaving it."""
    band = optimal_band(TradingCost(5e-4, lot=50_000), gap_volatility=GAP, risk_price=PRICE)
    assert (band.outer, band.inner) == (pytest.approx(30_526, abs=1), pytest.approx(-19_474, abs=1))
    assert value_to_trade(31_000, band, 50_000) == 50_000
    assert value_to_trade(-31_000, band, 50_000) == -50_000


@pytest.mark.parametrize(
    ("volatility", "price", "cost", "edges"),
    [
        (0.0, PRICE, TradingCost(5e-4), (0.0, 0.0)),  # a gap that does not move costs nothing to keep closed
        (GAP, 0.0, TradingCost(5e-4), (math.inf, math.inf)),  # no risk, or no wish to pay for its absence
        (GAP, PRICE, TradingCost(0.0), (0.0, 0.0)),
        (0.0, PRICE, TradingCost(5e-4, order=1), (0.0, 0.0)),
        (0.0, 0.0, TradingCost(0.0), (math.inf, math.inf)),
    ],
)
def test_the_band_at_its_ends(volatility: float, price: float, cost: TradingCost, edges: tuple[float, float]) -> None:
    """Zero volatility, zero risk and zero cost have an answer, and it is a number."""
    band = optimal_band(cost, gap_volatility=volatility, risk_price=price)
    assert (band.inner, band.outer) == edges
    assert polled(band, gap_volatility=volatility, interval_years=1 / 8760) == band or edges[0] == 0
    assert value_to_trade(100.0, band) == (0.0 if math.isinf(band.outer) else 100.0)


def test_a_band_is_capped_and_told_as_a_ratio() -> None:
    """However little the user would pay; scaled by 1 / exposure the edges are hedge ratios."""
    wide = NoTradeBand(math.inf, math.inf, 0.0).capped(40_000)
    assert wide.scaled(1e-5) == NoTradeBand(pytest.approx(0.4), pytest.approx(0.4), 0.0)
    assert NoTradeBand(30_000, 60_000, 9.0).capped(40_000) == NoTradeBand(20_000, 40_000, 9.0)
    assert NoTradeBand(30_000, 60_000, 9.0).capped(60_000) == NoTradeBand(30_000, 60_000, 9.0)


def test_a_polled_band_triggers_earlier_by_the_overshoot() -> None:
    """By 0.5826·η·√Δ; the inner edge follows only where the trigger would pass it."""
    shift = 0.5826 * GAP * math.sqrt(1 / 8760)
    both = polled(NoTradeBand(5000, 9000, 1.0), gap_volatility=GAP, interval_years=1 / 8760)
    edge = polled(NoTradeBand(5000, 5000, 1.0), gap_volatility=GAP, interval_years=1 / 8760)
    assert (both.inner, both.outer) == (5000, pytest.approx(9000 - shift))
    assert edge.inner == edge.outer == pytest.approx(5000 - shift)


def test_rare_polls_level_off_at_the_edge_of_a_single_decision() -> None:
    """Where a poll moves the gap further than the band is wide, the trigger is κ/(φΔ), never 0 or below."""
    band, interval = optimal_band(TradingCost(5e-4), gap_volatility=GAP, risk_price=PRICE), 1 / 4
    rare = polled(band, gap_volatility=GAP, interval_years=interval)
    assert rare.outer == rare.inner == pytest.approx(5e-4 / (PRICE * interval), rel=1e-3)


@pytest.mark.parametrize(
    ("gap", "lot", "trade"),
    [
        (5000, 0, 0),
        (6526, 0, 0),  # on the edge
        (6600, 0, 2100),
        (-6600, 0, -2100),
        (6600, 2000, 2000),
        (7600, 2000, 4000),
        (9000, 2000, 4000),
        (9000, 20_000, 0),  # one lot would leave more than there was
    ],
)
def test_what_is_traded_goes_to_the_inner_edge_in_whole_lots(gap: float, lot: float, trade: float) -> None:
    """The nearest number of lots, at least one, never to make the gap worse; more hedge for a gap above 0."""
    assert value_to_trade(gap, NoTradeBand(4500, 6526, 0.0), lot) == trade


@pytest.mark.parametrize(
    "call",
    [
        lambda: TradingCost(-1e-4),
        lambda: TradingCost(math.nan),
        lambda: optimal_band(TradingCost(0), gap_volatility=math.nan, risk_price=1.0),
        lambda: optimal_band(TradingCost(0), gap_volatility=1.0, risk_price=-1.0),
        lambda: risk_price(pay_ratio_year=0.1, exposure=0.0, volatility=1.0, volatility_usual=1.0),
        lambda: band_cost(inner=2.0, outer=1.0, cost=TradingCost(0), gap_volatility=1.0, risk_price=1.0),
    ],
)
def test_what_is_no_number_raises(call: object) -> None:
    """Nothing is estimated from a NaN, a negative cost or an exposure of 0."""
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


def _year(inner: float, outer: float, cost: TradingCost) -> float:
    return band_cost(inner=inner, outer=outer, cost=cost, gap_volatility=GAP, risk_price=PRICE)
