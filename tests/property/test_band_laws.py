"""Laws of the optimal band for any costs and risks."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from hedged.estimate.no_trade_band import NoTradeBand, TradingCost, optimal_band, polled, risk_price, value_to_trade

ratios = st.one_of(st.just(0.0), st.floats(1e-7, 0.05))
orders = st.one_of(st.just(0.0), st.floats(1e-6, 1e3))
lots = st.one_of(st.just(0.0), st.floats(1e-3, 1e9))
costs = st.builds(TradingCost, ratios, orders, lots)
unlotted = st.builds(TradingCost, ratios, orders)
gaps = st.one_of(st.just(0.0), st.floats(1e-3, 1e9))
prices = st.one_of(st.just(0.0), st.floats(1e-14, 1.0))
pays = st.floats(0.0, 2.0)
SLACK = 1 + 1e-9


@given(costs, gaps, prices, st.floats(0, 10))
def test_edges_are_numbers_in_order(cost: TradingCost, gap: float, price: float, interval: float) -> None:
    """−b < a ≤ b (both 0 where nothing costs), never NaN, polled or not; without lots never past the target."""
    band = optimal_band(cost, gap_volatility=gap, risk_price=price)
    for each in (band, polled(band, gap_volatility=gap, interval_years=interval), band.capped(1e5)):
        assert not any(math.isnan(edge) for edge in (each.inner, each.outer, each.cost_year))
        assert each.inner <= each.outer
        assert each.outer >= 0
        assert cost.lot or each.inner >= 0
    assert band.inner > -band.outer or band.outer == 0 or gap == 0 or cost.ratio + cost.order == 0


@given(unlotted, gaps, prices, st.floats(1, 100))
def test_dearer_trading_widens_the_band(cost: TradingCost, gap: float, price: float, more: float) -> None:
    """In κ and in K the outer edge rises, and so does the least cost of a year."""
    before = optimal_band(cost, gap_volatility=gap, risk_price=price)
    both = TradingCost(min(cost.ratio * more, 1.0), cost.order * more)
    after = optimal_band(both, gap_volatility=gap, risk_price=price)
    assert before.outer <= after.outer * SLACK
    assert before.cost_year <= after.cost_year * SLACK


@given(unlotted, gaps, st.floats(1e-14, 1.0), st.floats(1, 100))
def test_more_risk_narrows_the_band_and_a_livelier_gap_widens_it(
    cost: TradingCost, gap: float, price: float, more: float
) -> None:
    """In φ both edges fall, in η the outer one rises."""
    band = optimal_band(cost, gap_volatility=gap, risk_price=price)
    dearer = optimal_band(cost, gap_volatility=gap, risk_price=price * more)
    livelier = optimal_band(cost, gap_volatility=gap * more, risk_price=price)
    assert dearer.outer <= band.outer * SLACK
    assert band.outer <= livelier.outer * SLACK


@given(pays, st.floats(0, 1), st.floats(1, 1e9), st.floats(0, 5), st.floats(0, 5), st.floats(1, 10))
def test_the_price_of_risk_rises_with_what_one_pays_and_with_volatility(
    pay: float, extra: float, exposure: float, now: float, usual: float, more: float
) -> None:
    """Never NaN or negative, also where nothing ever moved."""

    def price(pay: float, volatility: float) -> float:
        return risk_price(pay_ratio_year=pay, exposure=exposure, volatility=volatility, volatility_usual=usual)

    base = price(pay, now)
    assert base >= 0
    assert base <= price(pay + extra, now) * SLACK
    assert base <= price(pay, now * more) * SLACK


@given(unlotted, gaps, st.floats(1e-14, 1.0), st.floats(1e-3, 1e9))
def test_lots_never_make_it_cheaper(cost: TradingCost, gap: float, price: float, lot: float) -> None:
    """The least cost with whole lots is at least that without."""
    free = optimal_band(cost, gap_volatility=gap, risk_price=price)
    held = optimal_band(TradingCost(cost.ratio, cost.order, lot), gap_volatility=gap, risk_price=price)
    assert free.cost_year <= held.cost_year * SLACK


@given(st.floats(-1e9, 1e9), st.floats(0, 1e8), st.floats(-1, 1), st.one_of(st.just(0.0), st.floats(1, 1e8)))
def test_a_trade_never_leaves_a_larger_gap(gap: float, outer: float, inner: float, lot: float) -> None:
    """Towards the target, in whole lots, nothing inside the band."""
    band = NoTradeBand(inner * outer, outer, 0.0)
    trade = value_to_trade(gap, band, lot)
    assert trade * gap >= 0
    assert abs(gap - trade) <= abs(gap) * SLACK
    assert abs(gap) > outer or trade == 0
    if lot and trade:
        assert abs(trade / lot - round(trade / lot)) < 1e-6
