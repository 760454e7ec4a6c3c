"""What holds of hedge ratios and of chosen sets whatever the returns are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.estimate.beta import RatioSettings, estimate_ratios
from hedged.estimate.selection import SelectionSettings, choose_sets, whole_contracts

SEED = st.integers(0, 2**32 - 1)


def _market(seed: int, n: int = 90, assets: int = 3, instruments: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heavy-tailed returns with a common factor and some gaps, and positive weights that sum to 1."""
    random = np.random.default_rng(seed)
    common = random.standard_t(4, (n, 1)) * 0.02
    rows = common + random.standard_t(4, (n, assets + instruments)) * 0.01
    rows[random.random(rows.shape) < 0.02] = np.nan
    weights = random.dirichlet(np.ones(assets))
    return rows[:, :assets], rows[:, assets:], weights


@settings(max_examples=25, deadline=None)
@given(SEED, st.floats(0.1, 5))
def test_leverage_scales_the_ratio(seed: int, factor: float) -> None:
    """Twice the exposure needs twice the short; an instrument that moves twice as much, half of it."""
    assets, moves, weights = _market(seed)
    plain = estimate_ratios(assets, moves, weights).estimated
    scaled = estimate_ratios(assets, moves, weights * factor, prior=np.full(2, 0.5)).estimated
    assert scaled == pytest.approx(plain * factor, rel=1e-9)
    smaller = estimate_ratios(assets, moves * factor, weights, prior=np.full(2, 0.5 / factor)).estimated
    assert smaller * factor == pytest.approx(plain, rel=1e-7)


@settings(max_examples=25, deadline=None)
@given(SEED)
def test_the_order_of_columns_means_nothing(seed: int) -> None:
    """Assets and instruments the other way round: the same ratios the other way round."""
    assets, moves, weights = _market(seed)
    plain, turned = (
        estimate_ratios(assets, moves, weights),
        estimate_ratios(assets[:, ::-1], moves[:, ::-1], weights[::-1]),
    )
    assert turned.estimated[::-1] == pytest.approx(plain.estimated, rel=1e-9)
    assert turned.source == plain.source
    assert turned.r2 == pytest.approx(plain.r2)


@settings(max_examples=25, deadline=None)
@given(SEED)
def test_instruments_that_move_as_one_share_the_ratio(seed: int) -> None:
    """The same thing twice is no more than once, and is split equally: no infinite pair."""
    assets, moves, weights = _market(seed, instruments=1)
    once = estimate_ratios(assets, moves, weights).estimated
    twice = estimate_ratios(assets, np.hstack([moves, moves]), weights).estimated
    assert twice == pytest.approx(np.repeat(once / 2, 2), rel=0.01)


@settings(max_examples=25, deadline=None)
@given(SEED, st.integers(60, 90))
def test_gaps_never_make_a_ratio_unknown(seed: int, dead: int) -> None:
    """Whatever is missing, ratios are finite; an asset without any return takes its prior."""
    assets, moves, weights = _market(seed)
    assets[:dead, 0] = np.nan
    found = estimate_ratios(assets, moves, weights)
    assert np.isfinite(found.h).all()
    assert np.isfinite(found.ols).all()
    assert 0 in found.prior_assets
    assert found.r2 is None or found.r2 <= 1


@pytest.mark.parametrize("constant", [0.0, 0.01])
def test_what_does_not_move_is_the_prior(constant: float) -> None:
    """An instrument with a constant return hedges nothing: the prior, a finite number, and no error."""
    assets, _, weights = _market(1)
    found = estimate_ratios(assets, np.full((90, 2), constant), weights)
    assert found.estimated == pytest.approx([0.5, 0.5], abs=1e-6)
    still = estimate_ratios(np.full((90, 1), constant), np.full((90, 1), constant), np.ones(1))
    assert still.estimated == pytest.approx([1.0])
    assert still.r2 is None


@settings(max_examples=25, deadline=None)
@given(SEED)
def test_a_perfect_hedge_is_found(seed: int) -> None:
    """An exposure that is a mix of the instruments is hedged by that mix once there is no prior."""
    random = np.random.default_rng(seed)
    moves = random.standard_normal((120, 2)) * 0.03
    mix = random.uniform(-1, 2, 2)
    found = estimate_ratios((moves @ mix)[:, None], moves, np.ones(1), settings=RatioSettings(prior_days=0))
    assert found.estimated == pytest.approx(mix, abs=1e-6)
    assert found.r2 == pytest.approx(1.0)


@settings(max_examples=15, deadline=None)
@given(SEED)
def test_a_larger_set_explains_no_less(seed: int) -> None:
    """Sizes come in order, each leaves no more variance than the one before, and no runner-up beats the best."""
    assets, moves, weights = _market(seed, n=100, instruments=6)
    chosen = choose_sets(assets, np.nan_to_num(moves), weights, SelectionSettings(step=86_400))
    assert [len(each.instruments) for each in chosen] == [1, 2, 3, 4]
    left = []
    for each in chosen:
        k = len(each.instruments)
        assert each.low <= each.expected <= each.high
        assert all(other.score <= each.best.score + 1e-12 for other in each.runners_up)
        left.append((1 - each.best.score) / (1 + k / (each.observations - k - 1)))
    assert all(larger <= smaller + 1e-9 for smaller, larger in pairwise(left))


@settings(max_examples=50, deadline=None)
@given(SEED, st.integers(1, 4))
def test_whole_contracts_are_neighbours_and_none_is_better(seed: int, legs: int) -> None:
    """Each number is within one lot of its target, and no other rounding leaves less variance."""
    random = np.random.default_rng(seed)
    targets, root = random.uniform(-6, 6, legs), random.standard_normal((legs, legs))
    covariance, lots = root @ root.T + 0.01 * np.eye(legs), random.choice([0.1, 1.0, 5.0], legs)
    whole = whole_contracts(targets, covariance, lots=lots)
    assert (np.abs(whole - targets) <= lots + 1e-9).all()
    assert whole / lots == pytest.approx(np.round(whole / lots), abs=1e-6)
    plain = np.round(targets / lots) * lots
    assert (whole - targets) @ covariance @ (whole - targets) <= (plain - targets) @ covariance @ (
        plain - targets
    ) + 1e-9


@given(st.floats(5.0, 500.0), st.floats(0.05, 1.0))
def test_from_five_contracts_on_rounding_loses_less_than_a_hundredth(optimum: float, r2: float) -> None:
    """HE(h) = R²·[1 − (h/h* − 1)²]: half a contract of five is a tenth of the ratio, and its square is nothing."""
    whole = float(whole_contracts(np.array([optimum]), np.eye(1))[0])
    effectiveness = r2 * (1 - (whole / optimum - 1) ** 2)
    assert effectiveness >= 0.99 * r2
