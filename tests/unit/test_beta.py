"""Hedge ratios of minimum variance against reference figures, known truths, and too little data."""

from __future__ import annotations

import numpy as np
import pytest

from hedged.estimate.beta import DAY, RatioEstimator, RatioSettings, estimate_ratios, vasicek
from hedged.estimate.lead_lag import dimson_beta
from hedged.estimate.leaderboard import Leaderboard

ONE = np.ones(1)
COVARIANCE = np.array([[0.0025, 0.0024, 0.0027], [0.0024, 0.0036, 0.0039], [0.0027, 0.0039, 0.0064]])
PLAIN = RatioSettings(decays=(1 - 1e-12,), huber=1e6, prior_days=0)
"""Every robustness off: the textbook's formula is left."""


def _sample(covariance: np.ndarray, n: int = 600, seed: int = 1) -> np.ndarray:
    """Rows whose covariance is exactly this one."""
    raw = np.random.default_rng(seed).standard_normal((n, len(covariance)))
    raw -= raw.mean(axis=0)
    whitened = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T, bias=True))).T
    return np.asarray(whitened @ np.linalg.cholesky(covariance).T)


@pytest.mark.parametrize(
    ("instruments", "ratios", "r2"),
    [([0, 1], [0.111111, 1.009259], 0.661892), ([1], [1.083333], 0.660156), ([0], [1.08], 0.455625)],
)
def test_reference_covariances(instruments: list[int], ratios: list[float], r2: float) -> None:
    """BTC and ETH, ETH alone and BTC alone give the reference ratios and effectiveness once nothing is shrunk."""
    rows = _sample(COVARIANCE)
    found = estimate_ratios(rows[:, 2:], rows[:, instruments], ONE, settings=PLAIN)
    assert found.estimated == pytest.approx(ratios, abs=2e-6)
    assert found.r2 == pytest.approx(r2, abs=2e-6)
    assert found.observations == 600
    assert found.effective == pytest.approx(600, rel=1e-6)


def test_the_standard_error_is_that_of_least_squares() -> None:
    """√(σ²·(XᵀX)⁻¹) with n − k − 1 degrees of freedom."""
    rows = _sample(COVARIANCE)
    found = estimate_ratios(rows[:, 2:], rows[:, :2], ONE, settings=PLAIN)
    left = 0.0064 * (1 - 0.661892) * 600 / 597
    assert found.se == pytest.approx(np.sqrt(left * np.diag(np.linalg.inv(COVARIANCE[:2, :2])) / 600), rel=1e-4)


@pytest.mark.parametrize(
    ("beta", "se", "prior", "tau", "expected"),
    [(1.6, 0.2, 1.2, 0.25, 1.443902), (1.6, 1e9, 1.2, 0.25, 1.2), (1.6, 1e-9, 1.2, 0.25, 1.6)],
)
def test_vasicek(beta: float, se: float, prior: float, tau: float, expected: float) -> None:
    """The reference vector; a beta that is not known is the prior, one that is exact is itself."""
    assert vasicek(beta, se, prior, tau) == pytest.approx(expected, abs=1e-6)


def test_vasicek_refuses_errors_of_no_size() -> None:
    """0 and NaN are no standard errors."""
    for se, tau in ((0.0, 1.0), (1.0, 0.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="above 0"):
            vasicek(1, se, 1, tau)


def _market(n: int, beta: float = 1.4, noise: float = 0.02, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    factor = random.standard_t(4, (n, 1)) * 0.02
    return beta * factor + random.standard_t(4, (n, 1)) * noise, factor


def test_59_observations_are_the_prior_and_60_are_not() -> None:
    """Too few: the prior as given, called so, with nothing claimed about its fit."""
    assets, factor = _market(60)
    few = estimate_ratios(assets[:59], factor[:59], ONE, prior=np.array([1.3]))
    assert few.h.tolist() == [1.3]
    assert (few.source, few.r2, few.observations, few.prior_assets) == ("prior", None, 59, (0,))
    assert np.isnan(few.se).all()
    enough = estimate_ratios(assets, factor, ONE, prior=np.array([1.3]))
    assert enough.source == "estimated"
    assert enough.prior_assets == ()
    assert enough.h[0] != 1.3


def test_overlapping_returns_do_not_count_twice() -> None:
    """Hourly bars make returns over half a day: 700 rows are 57 observations of those, 800 are enough."""
    assets, factor = _market(800)
    settings = RatioSettings(step=3600)
    few = estimate_ratios(assets[:700], factor[:700], ONE, settings=settings)
    assert (few.observations, few.source) == (57, "prior")
    found = estimate_ratios(assets, factor, ONE, settings=settings)
    assert (found.observations, found.source) == (65, "estimated")
    assert found.effective < 65
    assert found.window_days == pytest.approx(800 / 24)


def test_the_prior_has_the_weight_of_its_days() -> None:
    """With as many days as the prior weighs, the ratio lies half way; four times as many, a fifth of the way."""
    rows = _sample(COVARIANCE, 120)
    for days, share in ((120, 1 / 2), (30, 1 / 5)):
        settings = RatioSettings(decays=(1 - 1e-12,), huber=1e6, prior_days=days)
        found = estimate_ratios(rows[:, 2:], rows[:, [0]], ONE, prior=np.array([2.0]), settings=settings)
        assert found.estimated[0] == pytest.approx(1.08 + share * (2.0 - 1.08), abs=1e-6)


def test_a_coin_listed_late_takes_its_prior_alone() -> None:
    """What is known of the others is not lost, and the late one is named."""
    assets, factor = _market(300)
    late = np.full((300, 1), np.nan)
    late[270:] = assets[270:]
    found = estimate_ratios(np.hstack([assets, late]), factor, np.array([0.5, 0.5]), prior=np.array([[1.0], [1.6]]))
    alone = estimate_ratios(assets, factor, ONE, prior=np.array([1.0]))
    assert found.prior_assets == (1,)
    assert found.observations == 30
    assert found.source == "estimated"
    assert found.estimated[0] == pytest.approx(0.5 * alone.estimated[0] + 0.5 * 1.6, abs=0.05)


def test_an_outlier_moves_the_ratio_little() -> None:
    """A coin that doubles on a day its instrument rises 5 % says nothing of beta; least squares believes it."""
    assets, factor = _market(250)
    assets[-20], factor[-20] = 1.0, 0.05
    before = estimate_ratios(*_market(250), ONE).estimated[0]
    robust = estimate_ratios(assets, factor, ONE)
    assert abs(robust.estimated[0] - before) < 0.15
    assert robust.ols[0] - before > 0.4


def test_recent_days_count_more() -> None:
    """After beta went from 1 to 2, the ratio follows: about half of the way within 60 days."""
    early, late = _market(300, beta=1.0), _market(60, beta=2.0, seed=1)
    assets, factor = (np.vstack(pair) for pair in zip(early, late, strict=True))
    assert 1.4 < estimate_ratios(assets, factor, ONE).estimated[0] < 1.9


def test_day_by_day_is_the_same_as_in_one_go() -> None:
    """The stream and the batch agree to the last digit, with four-hourly bars and gaps."""
    assets, factor = _market(1200)
    assets[500:520], factor[700] = np.nan, np.nan
    settings = RatioSettings(step=14_400)
    stream = RatioEstimator(1, 1, settings=settings)
    for first in range(0, 1200, 6):
        stream.advance(assets[first : first + 6], factor[first : first + 6], ONE)
    streamed, batch = stream.estimate(ONE), estimate_ratios(assets, factor, ONE, settings=settings)
    assert streamed.h.tolist() == batch.h.tolist()
    assert streamed.leaderboard == batch.leaderboard
    assert (streamed.r2, streamed.effective) == (batch.r2, batch.effective)


def test_an_inverse_instrument_is_bought() -> None:
    """One that rises when the assets fall: its naive ratio is −1, and the estimate is negative too."""
    assets, factor = _market(300, beta=-1.4)
    found = estimate_ratios(assets, factor, ONE, directions=-ONE)
    assert found.h[0] == pytest.approx(-1.4, abs=0.2)
    few = estimate_ratios(assets[:9], factor[:9], ONE, directions=-ONE)
    assert few.h.tolist() == [-1.0]


def test_naive_takes_over_from_an_estimate_that_is_worse() -> None:
    """Ratios estimated from two days or so, of a coin whose beta is 1: ratio 1 leaves less, and is taken."""
    assets, factor = _market(300, beta=1.0)
    found = estimate_ratios(assets, factor, ONE, settings=RatioSettings(prior_days=0, decays=(0.5,)))
    assert found.source == "naive"
    assert found.h.tolist() == [1.0]
    assert found.estimated[0] != 1.0
    losses = {standing.name: standing.loss for standing in found.leaderboard}
    assert (losses["naive"] or 0) < (losses["estimated"] or 0)


def test_the_leaderboard_judges_only_days_that_were_not_seen() -> None:
    """A single asset that is its own instrument: after the warm-up nothing is left out of sample."""
    _, factor = _market(200)
    board = estimate_ratios(factor, factor, ONE).leaderboard
    assert [standing.name for standing in board] == ["estimated", "ols", "naive"]
    assert all((standing.effectiveness or 0) > 0.999999 for standing in board)
    assert estimate_ratios(factor[:50], factor[:50], ONE).leaderboard[0].loss is None


def test_a_loss_is_that_of_the_ratio_in_force_before_the_day() -> None:
    """The hundred-and-first day is judged by what was estimated from a hundred, not by what it taught."""
    assets, factor = _market(101)
    assets[100], factor[100] = 0.5, 0.1
    estimator = RatioEstimator(1, 1)
    estimator.advance(assets[:100], factor[:100], ONE)
    before = estimator.estimate(ONE)
    estimator.advance(assets[100:], factor[100:], ONE)
    after = estimator.estimate(ONE)
    assert abs(after.ols[0] - before.ols[0]) > 0.3
    weight = (1 - 0.99**40) / (1 - 0.99)  # of the 40 days after the first 60
    for old, new, ratio in zip(before.leaderboard, after.leaderboard, (before.estimated, before.ols, ONE), strict=True):
        loss = (0.5 - 0.1 * ratio[0]) ** 2
        assert new.loss == pytest.approx((0.99 * weight * (old.loss or 0) + loss) / (0.99 * weight + 1), rel=1e-9)


def _vote(rounds: int, estimated: float, naive: float, board: Leaderboard) -> str:
    random = np.random.default_rng(4)
    for _ in range(rounds):
        shock = float(random.standard_normal())
        board.add(2 * shock, {"estimated": estimated * shock, "ols": shock, "naive": naive * shock})
    return board.chosen


def test_who_holds_the_office() -> None:
    """Naive takes over after 60 periods at the earliest, and leaves when the estimate is no longer behind."""
    board = Leaderboard(0.99)
    assert _vote(59, 1.1, 1.0, board) == "estimated"
    assert _vote(1, 1.1, 1.0, board) == "naive"
    assert _vote(10, 0.9, 1.0, board) == "naive"
    assert _vote(90, 0.9, 1.0, board) == "estimated"
    assert _vote(200, 1.0, 1.0, Leaderboard(0.99)) == "estimated"


@pytest.mark.parametrize(
    "settings",
    [
        {"step": 7},
        {"step": 0},
        {"step": 2 * DAY},
        {"horizon": 0},
        {"huber": 0.0},
        {"prior_days": -1.0},
        {"ols_days": 0},
        {"decays": ()},
        {"decays": (1.0,)},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    """A step that does not divide a day, and what is not above 0."""
    with pytest.raises(ValueError, match=r"must|between"):
        RatioSettings(**settings)  # type: ignore[arg-type]


def test_shapes_and_values_that_do_not_fit_are_refused() -> None:
    """Nothing is broadcast or dropped in silence; NaN is a gap, infinity is a mistake."""
    assets, factor = _market(80)
    infinite = assets.copy()
    infinite[3] = np.inf
    refused = [
        (assets[:50], factor, ONE, None),
        (assets[:, 0], factor, ONE, None),
        (assets, factor, np.ones(2), None),
        (assets, factor, np.array([np.nan]), None),
        (infinite, factor, ONE, None),
        (assets, infinite, ONE, None),
        (assets, factor, ONE, np.array([np.nan])),
        (assets[:, :0], factor, np.ones(0), None),
    ]
    for rows, moves, weights, prior in refused:
        with pytest.raises(ValueError, match=r"shape|rows|weights|finite|at least one"):
            estimate_ratios(rows, moves, weights, prior=prior)


def test_lead_and_lag_are_told_apart() -> None:
    """A coin that follows its instrument half a bar late: .8 now and .4 next, 1.2 in all, and the plain beta suspect."""
    random = np.random.default_rng(5)
    factor = random.standard_normal(2000) * 0.02
    coin = 0.8 * factor + 0.4 * np.concatenate(([0.0], factor[:-1])) + random.standard_normal(2000) * 0.005
    found = dimson_beta(coin, factor)
    assert found is not None
    assert found.betas == pytest.approx([0.0, 0.8, 0.4], abs=0.03)
    assert found.total == pytest.approx(1.2, abs=3 * found.se)
    assert found.plain == pytest.approx(0.8, abs=0.03)
    assert found.suspect
    ahead = dimson_beta(factor, np.concatenate(([0.0], factor[:-1])))
    assert ahead is not None
    assert ahead.betas == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)
    same = dimson_beta(1.2 * factor + random.standard_normal(2000) * 0.005, factor)
    assert same is not None
    assert not same.suspect


def test_a_lead_lag_diagnosis_needs_data() -> None:
    """Fewer than 60 rows without gaps, or an instrument that stands still: None."""
    factor = np.random.default_rng(6).standard_normal(80)
    gaps = np.where(np.arange(80) % 5 == 0, np.nan, factor)
    assert dimson_beta(factor, gaps) is None
    assert dimson_beta(factor, np.zeros(80)) is None
    assert dimson_beta(factor[:2], factor[:2]) is None
    with pytest.raises(ValueError, match="lag"):
        dimson_beta(factor, factor, lags=0)
