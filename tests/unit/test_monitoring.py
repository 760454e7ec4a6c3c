"""Whether a hedge works, against published figures, hand-made numbers and seeded simulations."""

from __future__ import annotations

import numpy as np
import pytest

from hedged.estimate.effectiveness import effectiveness
from hedged.estimate.monitoring import (
    ResidualCusum,
    dollar_offset,
    effectiveness_bootstrap,
    hedge_regression,
    rolling_effectiveness,
    single_offset_probability,
)


@pytest.mark.parametrize(("r2", "probability"), [(0.8, 0.2687), (0.95, 0.4919), (0.99, 0.7301)])
def test_a_perfect_hedge_often_fails_the_single_period_test(r2: float, probability: float) -> None:
    """The reference figures for a perfect ratio at these R²."""
    assert single_offset_probability(r2) == pytest.approx(probability, abs=5e-5)


@pytest.mark.parametrize("r2", [0.0, 1.0, -0.1, float("nan")])
def test_the_single_period_test_needs_an_r2_between_0_and_1(r2: float) -> None:
    """At the ends there is no distribution to speak of."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        single_offset_probability(r2)


def test_the_dollar_offset_is_cumulative() -> None:
    """Gains of 1, −1, 4 against losses 2, −2, 6 taken away in part: Σ taken / Σ made, unknown where Σ made is 0."""
    unhedged = np.array([2.0, -2.0, 6.0])
    hedged = np.array([1.0, -1.0, 2.0])
    offset = dollar_offset(unhedged, hedged)
    assert offset[[0, 2]] == pytest.approx([0.5, 4 / 6])
    assert np.isnan(offset[1])


def _pair(n: int, seed: int, r2: float = 0.8, ratio: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    factor = random.standard_normal(n) * 0.03
    spot = factor + random.standard_normal(n) * 0.03 * np.sqrt(1 / r2 - 1)
    return spot, spot - ratio * factor


def test_rolling_effectiveness_is_that_of_each_window() -> None:
    """Every row agrees with the plain formula over its own window; the first rows are unknown."""
    unhedged, hedged = _pair(50, 1)
    rolled = rolling_effectiveness(unhedged, hedged, 20)
    assert np.isnan(rolled[:19]).all()
    for end in (20, 35, 50):
        assert rolled[end - 1] == pytest.approx(effectiveness(unhedged[end - 20 : end], hedged[end - 20 : end]))
    assert np.isnan(rolling_effectiveness(np.zeros(5), np.zeros(5), 3)).all()
    assert np.isnan(rolling_effectiveness(unhedged[:4], hedged[:4], 5)).all()
    with pytest.raises(ValueError, match="window"):
        rolling_effectiveness(unhedged, hedged, 2)


def test_the_regression_shows_the_right_ratio() -> None:
    """A hedge at half the ratio it should have: slope 2, and R² is that of the full hedge."""
    unhedged, hedged = _pair(4000, 2, ratio=0.5)
    found = hedge_regression(unhedged, hedged)
    assert found is not None
    assert found.slope == pytest.approx(2.0, abs=3 * found.slope_se)
    assert found.slope_se < 0.02
    assert found.r2 == pytest.approx(0.8, abs=0.02)
    assert found.intercept == pytest.approx(0, abs=0.001)
    assert hedge_regression(unhedged, unhedged) is None
    assert hedge_regression(unhedged[:2], hedged[:2]) is None


def test_the_bootstrap_interval_covers_the_truth_nine_times_in_ten() -> None:
    """Of 200 samples of 250 normal returns with a true effectiveness of 0.8, 84 to 96 % of the intervals hold it."""
    random = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        interval = effectiveness_bootstrap(*_pair(250, seed), random, resamples=200)
        assert interval is not None
        covered += interval[0] <= 0.8 <= interval[1]
    assert 0.84 <= covered / 200 <= 0.96


def test_the_same_randomness_gives_the_same_interval() -> None:
    """Nothing but the injected generator decides; flat holdings have no interval."""
    pair = _pair(100, 4)
    first, second = (effectiveness_bootstrap(*pair, np.random.default_rng(5)) for _ in range(2))
    assert first == second
    assert effectiveness_bootstrap(np.zeros(9), np.zeros(9), np.random.default_rng(5)) is None


def test_blocks_keep_calm_and_wild_weeks_whole() -> None:
    """Where variance comes in spells, longer blocks give the wider, honest interval."""
    random = np.random.default_rng(6)
    spells = np.repeat(random.choice([0.2, 3.0], 20), 20)
    unhedged, hedged = _pair(400, 7)
    hedged = hedged * spells
    width = [
        np.subtract(
            *reversed(effectiveness_bootstrap(unhedged, hedged, np.random.default_rng(8), block=block) or (0, 0))
        )
        for block in (1, 20)
    ]
    assert width[1] > 1.3 * width[0]


def _alarm(residuals: np.ndarray) -> tuple[int, str] | None:
    watch = ResidualCusum(sigma=0.01)
    for number, residual in enumerate(residuals):
        if (alarm := watch.add(float(residual))) is not None:
            return number, alarm
    return None


def test_the_alarm_is_quiet_while_the_hedge_works_and_loud_when_it_stops() -> None:
    """A year of residuals at their usual size: nothing. Twice the size: within a month. A drift: within three weeks."""
    random = np.random.default_rng(9)
    usual = random.standard_normal(365) * 0.01
    assert _alarm(usual) is None
    assert (_alarm(2 * usual) or (99, ""))[0] < 30
    assert (_alarm(2 * usual) or (99, ""))[1] == "variance"
    assert (_alarm(usual + 0.01) or (99, ""))[0] < 25
    assert (_alarm(0.5 * usual + 0.01) or (0, ""))[1] == "up"
    assert (_alarm(0.5 * usual - 0.01) or (0, ""))[1] == "down"


def test_one_wild_day_is_no_alarm() -> None:
    """A residual counts for three standard deviations at most, however large."""
    assert _alarm(np.array([0.5, 0.0, 0.0])) is None
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite"):
            ResidualCusum(sigma=0.01).add(bad)
    with pytest.raises(ValueError, match="sigma"):
        ResidualCusum(sigma=0.0)
