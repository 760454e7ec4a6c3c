"""Choosing instruments: known best sets, what money and margin change, what to expect, and whole contracts."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hedged.estimate.selection as module
from hedged.estimate.selection import (
    ChosenSet,
    SelectionSettings,
    choose_sets,
    effectiveness_interval,
    recommended,
    whole_contracts,
)

ONE = np.ones(1)
DAILY = SelectionSettings(step=86_400)


def _factors(n: int = 365, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An exposure of two factors, and five candidates: each factor, both with noise, half of one, and nothing."""
    random = np.random.default_rng(seed)
    first, second, noise, own, other = random.standard_normal((5, n)) * 0.03
    exposure = first + second + 0.2 * own
    return exposure[:, None], np.column_stack([first, second, first + second + noise, 0.5 * first, other])


def test_the_best_single_instrument_and_the_best_pair() -> None:
    """One: the noisy mix of both factors. Two: the factors themselves, each at ratio 1, though neither is best alone."""
    one, two = choose_sets(*_factors(), ONE, SelectionSettings(step=86_400, sizes=(1, 2)))
    assert one.instruments == (2,)
    assert one.h == pytest.approx([2 / 3], abs=0.1)
    assert two.instruments == (0, 1)
    assert two.h == pytest.approx([1, 1], abs=0.03)
    assert two.best.past > 0.97 > one.best.past
    assert two.expected < two.best.past
    assert one.observations == 365


def test_estimating_more_ratios_costs() -> None:
    """The residual variance is expected to be 1 + k/(n − k − 1) times what the sample shows."""
    for chosen in choose_sets(*_factors(), ONE, DAILY):
        k = len(chosen.instruments)
        assert 1 - chosen.expected == pytest.approx((1 - chosen.best.past) * (1 + k / (365 - k - 1)))


def test_the_search_step_by_step_finds_what_the_search_of_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many sets to try: one is added at a time and exchanged; here it leaves the noisy mix for the pair."""
    every = choose_sets(*_factors(), ONE, DAILY)
    monkeypatch.setattr(module, "_EXHAUSTIVE_MAX", 0)
    stepwise = choose_sets(*_factors(), ONE, DAILY)
    assert [each.instruments for each in stepwise] == [each.instruments for each in every]


def test_cost_changes_the_choice_by_what_risk_is_worth() -> None:
    """At 10 % a year for all risk, 6 % a year on one factor buys another set; with no price on risk it does not."""
    cost = np.array([0.06, 0.0, 0.0, 0.0, 0.0])
    dear = SelectionSettings(step=86_400, sizes=(2,), risk_price=0.1)
    (free,) = choose_sets(*_factors(), ONE, SelectionSettings(step=86_400, sizes=(2,)), cost_year=cost)
    (priced,) = choose_sets(*_factors(), ONE, dear, cost_year=cost)
    assert free.instruments == (0, 1)
    assert free.best.cost_year == pytest.approx(0.06, abs=0.003)
    assert 0 not in priced.instruments
    (paid,) = choose_sets(*_factors(), ONE, dear, cost_year=-cost)
    (plain,) = choose_sets(*_factors(), ONE, dear)
    assert paid.instruments == plain.instruments == (0, 1)
    assert paid.best.score == pytest.approx(plain.best.score - paid.best.cost_year / 0.1)
    assert paid.best.score > 1


def test_sets_that_bind_too_much_collateral_are_out() -> None:
    """Ratios of 1 and 1 at 30 % each need .6: over .5 they are not proposed, and a size without any set is left out."""
    margin = np.full(5, 0.3)
    tight = SelectionSettings(step=86_400, sizes=(1, 2), margin_max=0.5)
    one, two = choose_sets(*_factors(), ONE, tight, margin=margin)
    assert one.best.margin == pytest.approx(0.2, abs=0.03)
    assert two.instruments != (0, 1)
    assert two.best.margin <= 0.5
    assert choose_sets(*_factors(), ONE, SelectionSettings(step=86_400, margin_max=0.0), margin=margin) == ()


def test_candidates_with_too_few_returns_are_named_and_left_out() -> None:
    """Listed last month: excluded by its column, and the others keep theirs. Under 60 days of anything: no proposal."""
    exposure, moves = _factors()
    moves[:300, 0] = np.nan
    one, two, *_ = choose_sets(exposure, moves, ONE, DAILY)
    assert one.excluded == (0,)
    assert 0 not in two.instruments
    assert 1 in two.instruments
    assert choose_sets(exposure[:59], moves[:59], ONE, DAILY) == ()
    assert choose_sets(exposure[:0], moves[:0], ONE, DAILY) == ()


def test_hourly_bars_are_taken_four_hours_at_a_time() -> None:
    """Two coins that follow each other an hour late: over four hours most of it is seen."""
    random = np.random.default_rng(3)
    moves = random.standard_normal((3000, 1)) * 0.01
    late = np.vstack([np.zeros((1, 1)), moves[:-1]])
    (hourly,) = choose_sets(late, moves, ONE, SelectionSettings(step=3600, sizes=(1,)))
    assert hourly.best.past == pytest.approx(0.75**2, abs=0.05)
    assert hourly.observations == pytest.approx(3000 / 4, abs=1)


def test_single_days_do_not_decide() -> None:
    """One day on which a candidate and the exposure both doubled does not make it the best."""
    exposure, moves = _factors()
    exposure[100], moves[100, 4] = 2.0, 2.0
    assert choose_sets(exposure, moves, ONE, DAILY)[1].instruments == (0, 1)


def test_later_months_count_for_more() -> None:
    """One candidate moved with the exposure in the first half of a year, one in the second: the second is taken."""
    random = np.random.default_rng(1)
    exposure, early, late = random.standard_normal((3, 364)) * 0.03
    early[:182], late[182:] = exposure[:182], exposure[182:]
    (chosen,) = choose_sets(
        exposure[:, None], np.column_stack([early, late]), ONE, SelectionSettings(step=86_400, sizes=(1,))
    )
    assert chosen.instruments == (1,)
    backwards = choose_sets(
        exposure[::-1, None], np.column_stack([early, late])[::-1], ONE, SelectionSettings(step=86_400, sizes=(1,))
    )
    assert backwards[0].instruments == (0,)


def _of(size: int, score: float) -> ChosenSet:
    best = module.RankedSet(tuple(range(size)), np.ones(size), score, score, score, 0.0, 0.0, np.eye(size + 1))
    return ChosenSet(best, 0.0, 1.0, (), 365, ())


@pytest.mark.parametrize(
    ("scores", "size"),
    [
        ([0.7, 0.71, 0.72, 0.73], 1),
        ([0.7, 0.8, 0.81, 0.82], 2),
        ([0.7, 0.71, 0.78, 0.79], 3),
        ([0.5, 0.6, 0.7, 0.8], 4),
    ],
)
def test_a_further_instrument_must_be_worth_its_trouble(scores: list[float], size: int) -> None:
    """Two points of effectiveness each; a size in between may be skipped."""
    best = recommended([_of(number, score) for number, score in enumerate(scores, start=1)])
    assert best is not None
    assert len(best.instruments) == size
    assert recommended([]) is None


def test_the_interval_is_wider_than_sampling_error_and_stays_within_0_and_1() -> None:
    """However long the past, next year drifts; a shorter past widens it; perfection in the sample is not believed."""
    narrow, wide = effectiveness_interval(0.75, 3650), effectiveness_interval(0.75, 60)
    assert narrow[0] < 0.75 - 0.10
    assert narrow[1] > 0.75 + 0.10
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    for effectiveness in (-0.5, 0.0, 0.3, 0.9, 1.0):
        low, high = effectiveness_interval(effectiveness, 365)
        assert 0 <= low < high <= 1
    assert effectiveness_interval(1.0, 365)[0] < 0.98


def test_one_leg_rounds_to_the_nearest_contract() -> None:
    """$100,000 at ratio 1.083333 over 0.1 ETH contracts at $3,000 is 361.11, so 361; a short keeps its sign."""
    optimum = 1.083333 * 100_000 / (0.1 * 3000)
    assert whole_contracts(np.array([optimum]), np.eye(1)).tolist() == [361.0]
    assert whole_contracts(np.array([-optimum]), np.eye(1)).tolist() == [-361.0]
    assert whole_contracts(np.array([0.3]), np.eye(1), lots=np.array([0.1])).tolist() == pytest.approx([0.3])


def test_legs_that_move_together_are_rounded_against_each_other() -> None:
    """Two legs at 1.45 with correlation .99: rounding both down leaves .9 uncovered, one up and one down almost nothing."""
    covariance = np.array([[1.0, 0.99], [0.99, 1.0]])
    whole = whole_contracts(np.array([1.45, 1.45]), covariance)
    assert sorted(whole.tolist()) == [1.0, 2.0]
    assert whole_contracts(np.array([1.45, 1.45]), np.eye(2)).tolist() == [1.0, 1.0]


def test_of_two_roundings_alike_the_smaller_is_taken() -> None:
    """Exactly between two: the lesser position."""
    assert whole_contracts(np.array([2.5]), np.eye(1)).tolist() == [2.0]
    assert whole_contracts(np.array([-2.5]), np.eye(1)).tolist() == [-2.0]


def test_what_cannot_be_rounded_is_refused() -> None:
    """Too many legs to try, no lot, no target."""
    with pytest.raises(ValueError, match="legs"):
        whole_contracts(np.ones(13), np.eye(13))
    with pytest.raises(ValueError, match="lots"):
        whole_contracts(np.ones(1), np.eye(1), lots=np.zeros(1))
    with pytest.raises(ValueError, match="finite"):
        whole_contracts(np.array([math.nan]), np.eye(1))
