"""Volatility from past changes: what it forgets, how it starts, and what moves a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hedged.estimate.volatility import Volatilities, Volatility, gap_change


def fresh(prior: float = 0.7, half_life: float = 7.0) -> Volatility:
    return Volatility.starting_at(prior, half_life_days=half_life, prior_days=1.0)


def test_before_anything_is_seen_it_is_the_prior() -> None:
    """And says that all of it is assumption."""
    assert (fresh().value_year, fresh().prior_share, fresh().observations) == (pytest.approx(0.7), 1.0, 0)


def test_hourly_changes_teach_it_their_volatility() -> None:
    """Two months of changes at 50 % a year give 50 %, whatever it was told at first, and little prior is left."""
    estimate = fresh(prior=3.0)
    for change in np.random.default_rng(1).standard_normal(60 * 24) * 0.5 * math.sqrt(1 / 8760):
        estimate = estimate.observed(float(change), 1 / 24)
    assert estimate.value_year == pytest.approx(0.5, rel=0.12)
    assert estimate.prior_share < 0.002


def test_a_few_quiet_hours_are_no_quiet_market() -> None:
    """After six hours without a change it is still near the prior."""
    estimate = fresh()
    for _ in range(6):
        estimate = estimate.observed(0.0, 1 / 24)
    assert estimate.value_year > 0.6


def test_a_week_later_an_observation_weighs_half() -> None:
    """Twenty weeks after a burst nothing is left of it; after one, half."""
    burst = fresh(prior=0.0).observed(0.1, 1 / 24)
    later, much_later = burst, burst
    for _ in range(7):
        later = later.observed(0.0, 1.0)
    for _ in range(140):
        much_later = much_later.observed(0.0, 1.0)
    assert later.mean_square_days == pytest.approx(burst.mean_square_days / 2)
    assert much_later.value_year < 0.002


def test_the_spacing_of_observations_does_not_matter() -> None:
    """A change a day, or the same variance in hours: the same estimate and the same weight."""
    daily, hourly = fresh(), fresh()
    for _ in range(30):
        daily = daily.observed(0.03, 1.0)
        for _ in range(24):
            hourly = hourly.observed(0.03 / math.sqrt(24), 1 / 24)
    assert hourly.value_year == pytest.approx(daily.value_year, rel=1e-9)
    assert hourly.weight_days == pytest.approx(daily.weight_days, rel=1e-9)


def test_a_change_over_a_long_gap_does_not_outweigh_a_half_life() -> None:
    """A year without data leaves one observation of the half-life's weight, not of a year's."""
    assert fresh().observed(0.4, 365.0).weight_days == pytest.approx(7 / math.log(2), rel=1e-6)


def test_the_prudent_one_of_current_and_long_run() -> None:
    """A calm month lowers the current one alone; a wild week raises it above the long-run one."""
    calm = Volatilities.starting_at(0.9)
    for _ in range(30):
        calm = calm.observed(0.001, 1.0)
    assert calm.current.value_year < 0.1 < calm.prudent == calm.long_run.value_year
    wild = calm
    for _ in range(7):
        wild = wild.observed(0.1, 1.0)
    assert wild.prudent == wild.current.value_year > wild.usual.value_year > wild.long_run.value_year


@pytest.mark.parametrize(
    ("target", "hedge", "moved"),
    [
        ((100.0, 110.0), (100.0, 110.0), 0.0),  # both rise alike
        ((100.0, 90.0), (100.0, 100.0), -0.1),  # the coins fall, the hedge does not: over-hedged
        ((100.0, 100.0), (90.0, 99.0), -0.09),
        ((100.0, 104.0), (100.0, 100.0), 0.04),  # nothing but a new beta
    ],
)
def test_the_gap_moves_where_target_and_hedge_part(
    target: tuple[float, float], hedge: tuple[float, float], moved: float
) -> None:
    """As a fraction of the target before; the sign is that of the gap."""
    found = gap_change(target_before=target[0], target_after=target[1], hedge_before=hedge[0], hedge_after=hedge[1])
    assert found == pytest.approx(moved)


def test_what_is_no_change_raises() -> None:
    """A missing price is not a change of 0, and nothing changes in no time."""
    with pytest.raises(ValueError, match="not a number"):
        fresh().observed(math.nan, 1.0)
    with pytest.raises(ValueError, match="takes time"):
        fresh().observed(0.1, 0.0)
    with pytest.raises(ValueError, match="no target"):
        gap_change(target_before=0.0, target_after=1.0, hedge_before=0.0, hedge_after=1.0)
