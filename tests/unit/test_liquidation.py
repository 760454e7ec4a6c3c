"""Maintenance by brackets, liquidation prices and touch probabilities against worked vectors."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedged.estimate.liquidation import (
    DEFAULT_TIERS,
    level_ratio_for,
    liquidation_price,
    maintenance_margin,
    tier_for,
    touch_probability,
)
from hedged.model.instrument import MarginTier

BRACKETS = (
    MarginTier(Decimal(0), Decimal("0.01"), Decimal(50)),
    MarginTier(Decimal(10_000), Decimal("0.02"), Decimal(20)),
    MarginTier(Decimal(50_000), Decimal("0.05"), Decimal(10)),
)


def flat(rate: str) -> tuple[MarginTier, ...]:
    return (MarginTier(Decimal(0), Decimal(rate), Decimal(20)),)


@pytest.mark.parametrize(
    ("notional", "margin"),
    [("0", "0"), ("10000", "100"), ("-10000", "100"), ("20000", "300"), ("50000", "900"), ("60000", "1400")],
)
def test_maintenance_is_charged_by_brackets_and_continuous(notional: str, margin: str) -> None:
    """Each slice of the notional pays its own bracket's rate, whichever way the position points."""
    assert maintenance_margin(Decimal(notional), BRACKETS) == Decimal(margin)


def test_the_bracket_tells_the_leverage_it_allows() -> None:
    """A position on a floor belongs to the bracket that begins there."""
    assert [tier_for(Decimal(n), BRACKETS)[0].leverage_max for n in (9_999, 10_000, 80_000)] == [50, 20, 10]


@pytest.mark.parametrize(
    ("quantity", "entry", "collateral", "rate", "price"),
    [
        ("-1", "50000", "5000", "0.004", "54780.8765"),
        ("-10", "3000", "6000", "0.005", "3582.0896"),
        ("1", "50000", "5000", "0.004", "45180.7229"),
    ],
)
def test_liquidation_price_vectors(quantity: str, entry: str, collateral: str, rate: str, price: str) -> None:
    """Isolated shorts (published vectors) and a long, to four decimals."""
    found = liquidation_price(
        base_quantity=Decimal(quantity), entry_price=Decimal(entry), collateral=Decimal(collateral), tiers=flat(rate)
    )
    assert found is not None
    assert found.quantize(Decimal("0.0001")) == Decimal(price)


@pytest.mark.parametrize("quantity", ["-3", "-15", "-30", "3", "15", "30"])
def test_at_the_liquidation_price_equity_is_maintenance_of_the_bracket_reached(quantity: str) -> None:
    """The bracket is taken at the result, not at the entry."""
    base, entry = Decimal(quantity), Decimal(3000)
    collateral = abs(base) * 400
    price = liquidation_price(base_quantity=base, entry_price=entry, collateral=collateral, tiers=BRACKETS)
    assert price is not None
    equity = collateral + base * (price - entry)
    assert float(equity) == pytest.approx(float(maintenance_margin(base * price, BRACKETS)), rel=1e-12)


def test_a_long_with_collateral_for_a_fall_to_zero_has_no_liquidation_price() -> None:
    """None, never a negative price; a short whose collateral is gone is liquidated at any price."""
    safe = liquidation_price(
        base_quantity=Decimal(1), entry_price=Decimal(100), collateral=Decimal(100), tiers=DEFAULT_TIERS
    )
    lost = liquidation_price(
        base_quantity=Decimal(-1), entry_price=Decimal(100), collateral=Decimal(-200), tiers=DEFAULT_TIERS
    )
    assert (safe, lost) == (None, Decimal(0))


@pytest.mark.parametrize(
    ("level", "days", "probability"), [(1.5, 30, 0.062645), (1.2, 7, 0.091035), (2.0, 90, 0.056491)]
)
def test_touch_probability_vectors(level: float, days: int, probability: float) -> None:
    """Published values for a short at σ = .8, μ = 0."""
    found = touch_probability(level_ratio=level, volatility_year=0.8, years=days / 365)
    assert found == pytest.approx(probability, abs=1e-6)


def test_touch_probability_of_a_fall_mirrors_that_of_a_rise() -> None:
    """With the log drift mirrored, a long's barrier at 1/L is as likely as a short's at L."""
    rise = touch_probability(level_ratio=1.3, volatility_year=0.8, years=0.1, drift_year=0.32 + 0.4)
    fall = touch_probability(level_ratio=1 / 1.3, volatility_year=0.8, years=0.1, drift_year=0.32 - 0.4)
    assert rise == pytest.approx(fall, abs=1e-12)


def test_touch_probability_at_its_ends() -> None:
    """Certain at the level itself or under a huge drift, nil far away, an error for what is no probability."""
    assert touch_probability(level_ratio=1.0, volatility_year=0.5, years=1.0) == 1.0
    assert touch_probability(level_ratio=1.1, volatility_year=0.1, years=1.0, drift_year=50.0) == pytest.approx(1.0)
    assert touch_probability(level_ratio=9.0, volatility_year=0.1, years=0.01, drift_year=50.0) < 1e-9
    with pytest.raises(ValueError, match="above 0"):
        touch_probability(level_ratio=1.1, volatility_year=0.0, years=1.0)


@pytest.mark.parametrize(("days", "level"), [(1, 1.113892), (7, 1.330255), (30, 1.805385)])
def test_buffer_vectors(days: int, level: float) -> None:
    """The level that is touched with 1 % at σ = .8 and no log drift."""
    found = level_ratio_for(probability=0.01, volatility_year=0.8, years=days / 365)
    assert found == pytest.approx(level, abs=1e-6)
    back = touch_probability(level_ratio=found, volatility_year=0.8, years=days / 365, drift_year=0.32)
    assert back == pytest.approx(0.01, abs=1e-9)
