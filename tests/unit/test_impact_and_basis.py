"""Market impact and the annualised basis, against worked vectors."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedged.estimate.impact import fitted_factor, square_root_impact
from hedged.estimate.roll import annualised_basis

D = Decimal


def test_square_root_impact_vector() -> None:
    """σ_d .04, 100,000 of 50 million a day: 17.89 bp at the end, 11.93 bp on average."""
    impact = square_root_impact(order_value=100_000, volume_day=50e6, volatility_day=0.04)
    assert (impact.peak * 1e4, impact.average * 1e4) == (pytest.approx(17.89, abs=5e-3), pytest.approx(11.93, abs=5e-3))


def test_a_market_without_volume_has_no_impact_figure() -> None:
    """An error, not infinity and not 0."""
    with pytest.raises(ValueError, match="volume_day"):
        square_root_impact(order_value=1.0, volume_day=0.0, volatility_day=0.04)


def test_own_fills_move_the_factor_as_they_gather() -> None:
    """A few fills hardly, many nearly all the way, none not at all; noise below 0 is no negative cost."""
    assert fitted_factor([], []) == 1.0
    assert fitted_factor([0.002], [0.001]) == pytest.approx(1 + 1 / 21)
    assert fitted_factor([0.002] * 400, [0.001] * 400) == pytest.approx(1 + 400 / 420)
    assert fitted_factor([-0.01] * 50, [0.001] * 50) == 0.0


def test_annualised_basis_vector() -> None:
    """3030 over 3000 for 30 days is 12.1667 % a year; below spot it is negative."""
    assert annualised_basis(D(3030), D(3000), D(30)).quantize(D("1e-6")) == D("0.121667")
    assert annualised_basis(D(2970), D(3000), D(30)) < 0
    with pytest.raises(ValueError, match="above 0"):
        annualised_basis(D(3030), D(3000), D(0))
