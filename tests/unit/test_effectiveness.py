"""Effectiveness against numbers worked out by hand and against its own identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.estimate.effectiveness import (
    constant_effectiveness,
    effectiveness,
    hindsight_ratios,
    naive_ratios,
    returns,
)

# Four returns with Var 0.0005 (mean 0), and a proxy with half of them: worked by hand.
UNHEDGED = np.array([0.03, -0.03, 0.01, -0.01])


def test_effectiveness_by_hand() -> None:
    """Var(u) = 5e-4; what is left has Var 1.25e-4, so three quarters of the variance are gone."""
    assert effectiveness(UNHEDGED, UNHEDGED / 2) == pytest.approx(0.75, abs=1e-15)
    assert effectiveness(UNHEDGED, UNHEDGED * 0 + 0.002) == 1.0  # a steady cost is no variance
    assert effectiveness(UNHEDGED, UNHEDGED) == 0.0
    assert effectiveness(UNHEDGED, -2 * UNHEDGED) == pytest.approx(-3.0)


def test_effectiveness_is_unknown_where_there_is_no_variance_to_take_away() -> None:
    """Flat prices and fewer than three returns define nothing: None, never 0 or 1."""
    assert effectiveness(np.zeros(5), np.zeros(5)) is None
    assert effectiveness(UNHEDGED[:2], UNHEDGED[:2]) is None


def test_two_instruments_of_the_reference_covariances() -> None:
    """Σ_ff, Σ_fs and Var(s) of the textbook example give h = (.111111, 1.009259) and .661892; ETH alone .660156."""
    covariance = np.array([[0.0025, 0.0024, 0.0027], [0.0024, 0.0036, 0.0039], [0.0027, 0.0039, 0.0064]])
    raw = np.random.default_rng(1).standard_normal((500, 3))
    raw -= raw.mean(axis=0)
    whitened = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T, bias=True))).T
    sample = whitened @ np.linalg.cholesky(covariance).T  # its covariance is exactly the example's
    factors, spot = sample[:, :2], sample[:, 2]
    ratios = hindsight_ratios(spot, factors)
    assert ratios == pytest.approx([0.111111, 1.009259], abs=1e-6)
    assert constant_effectiveness(spot, factors, ratios) == pytest.approx(0.661892, abs=1e-6)
    eth, btc = factors[:, 1:], factors[:, :1]
    assert constant_effectiveness(spot, eth, hindsight_ratios(spot, eth)) == pytest.approx(0.660156, abs=1e-6)
    assert constant_effectiveness(spot, btc, hindsight_ratios(spot, btc)) == pytest.approx(0.455625, abs=1e-6)
    for ratio, expected in [(1.0, 0.656250), (0.5, 0.468750), (1.5, 0.562500)]:
        assert constant_effectiveness(spot, eth, np.array([ratio])) == pytest.approx(expected, abs=1e-6)


RETURN = st.floats(-0.2, 0.2, allow_nan=False).map(lambda value: round(value, 4))


@given(st.lists(st.tuples(RETURN, RETURN), min_size=5, max_size=40), st.floats(-2, 3))
def test_effectiveness_at_any_ratio_follows_from_the_best(pairs: list[tuple[float, float]], ratio: float) -> None:
    """HE(h) = R²·[1 − (h/h* − 1)²], and no constant ratio beats the one in hindsight."""
    spot, factor = (np.array(column) for column in zip(*pairs, strict=True))
    if np.var(spot) < 1e-6 or np.var(factor) < 1e-6 or abs(np.corrcoef(spot, factor)[0, 1]) < 0.05:
        return
    factors = factor[:, None]
    best = hindsight_ratios(spot, factors)
    ceiling = constant_effectiveness(spot, factors, best)
    there = constant_effectiveness(spot, factors, np.array([ratio]))
    assert ceiling is not None
    assert there is not None
    assert there == pytest.approx(ceiling * (1 - (ratio / best[0] - 1) ** 2), abs=1e-6, rel=1e-6)
    assert there <= ceiling + 1e-12


def test_naive_splits_one_equally_and_buys_what_moves_against() -> None:
    """A ratio of 1 over four instruments is a quarter each; one that rises when the assets fall is bought."""
    assert naive_ratios(np.array([1.0, 1.0, -1.0, 1.0])).tolist() == [0.25, 0.25, -0.25, 0.25]


def test_returns_are_missing_beside_a_missing_value() -> None:
    """No return is made across a gap."""
    made = returns(np.array([100.0, 110.0, np.nan, 121.0, 133.1]))
    assert np.isnan(made).tolist() == [False, True, True, False]
    assert made[[0, 3]] == pytest.approx([0.1, 0.1])


def test_instruments_that_move_as_one_share_the_ratio() -> None:
    """Two prices of the same thing are no more than one: no singular matrix, no infinite pair."""
    twice = np.column_stack([UNHEDGED, UNHEDGED])
    assert hindsight_ratios(UNHEDGED, twice) == pytest.approx([0.5, 0.5])
