"""Odds of a liquidation and what it takes to better them, against worked vectors and each other."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from hedged.estimate.innovations import Innovations, innovations
from hedged.estimate.liquidation import maintenance_margin, touch_probability
from hedged.estimate.liquidation_odds import Need, RiskyPosition, account_need, maintenance
from hedged.model.instrument import MarginTier

FLAT = (MarginTier(Decimal(0), Decimal("0.005"), Decimal(20)),)
BRACKETS = (
    MarginTier(Decimal(0), Decimal("0.01"), Decimal(50)),
    MarginTier(Decimal(10_000), Decimal("0.02"), Decimal(20)),
    MarginTier(Decimal(50_000), Decimal("0.05"), Decimal(10)),
)
BAR = 1 / 8760


def short(notional: float = -100_000.0, volatility: float = 0.8, **more: object) -> RiskyPosition:
    return RiskyPosition(notional, volatility, volatility, FLAT, **more)  # type: ignore[arg-type]


def walk_history(coins: int = 1, bars: int = 4000, correlation: float = 0.0, tail: float | None = None) -> Innovations:
    """Innovations of a walk (or of Student's t with `tail` degrees of freedom) seen at its closes only."""
    rng = np.random.default_rng(5)
    common, own = rng.standard_normal((bars, 1)), rng.standard_normal((bars, coins))
    close = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
    if tail is not None:
        close = rng.standard_t(tail, (bars, coins)) / math.sqrt(tail / (tail - 2))
    close -= close.mean(axis=0)
    return Innovations(close, np.maximum(close, 0), np.minimum(close, 0), BAR, forgetting=0.0)


def need_of(*positions: RiskyPosition, days: float = 7, history: Innovations | None = None, seed: int = 1) -> Need:
    return account_need(positions, days / 365, history=history, rng=np.random.default_rng(seed), paths=4000)


@pytest.mark.parametrize(("days", "level"), [(1, 1.113892), (7, 1.330255), (30, 1.805385)])
def test_collateral_for_one_percent_vectors(days: int, level: float) -> None:
    """Collateral over notional = L·(1 + MMR) − 1 with the published L at σ = .8, and 1 % comes back out of it."""
    need = need_of(short(), days=days)
    equity = need.equity_for(0.01)
    assert equity / 100_000 == pytest.approx(level * 1.005 - 1, abs=2e-6)
    assert need.probability(equity).worst == pytest.approx(0.01, rel=1e-9)
    assert need.leverage_max(0.01) == pytest.approx(100_000 / equity)


@pytest.mark.parametrize("equity", [5_000.0, 12_000.0, 40_000.0])
def test_the_walk_agrees_with_the_touch_probability_of_the_liquidation_price(equity: float) -> None:
    """For one linear short it is the reflection formula at L = P_liq/P, without log drift."""
    level = (100_000 + equity) / (100_000 * 1.005)
    touched = touch_probability(level_ratio=level, volatility_year=0.8, years=7 / 365, drift_year=0.32)
    assert need_of(short()).probability(equity).walk == pytest.approx(touched, rel=1e-9)


def test_the_walk_of_a_long_is_a_fall() -> None:
    """A long of 100,000 over 20,000 is liquidated at 80,000 / .995 and meets it as a mirrored rise would."""
    level = 80_000 / (100_000 * 0.995)
    touched = touch_probability(level_ratio=level, volatility_year=0.8, years=7 / 365, drift_year=0.32)
    assert need_of(short(100_000.0)).probability(20_000.0).walk == pytest.approx(touched, rel=1e-9)


def test_maintenance_by_brackets_for_arrays() -> None:
    """The same as the exact one, on both sides of every floor."""
    sizes = [0, 9_999, 10_000, 10_001, 50_000, 80_000]
    exact = [float(maintenance_margin(Decimal(size), BRACKETS)) for size in sizes]
    assert maintenance(np.array(sizes, dtype=float), BRACKETS).tolist() == pytest.approx(exact)


def test_the_bootstrap_of_a_walk_is_the_walk() -> None:
    """Over bars of a walk both models say the same, but for what a walk does between two closes."""
    odds = need_of(short(), history=walk_history()).probability(30_000.0)
    assert odds.bootstrap == pytest.approx(odds.walk, rel=0.25)


def test_a_market_that_jumps_is_worse_than_a_walk() -> None:
    """Fat tails show where the horizon is short, and the worse of the two counts."""
    need = need_of(short(), days=1 / 8, history=walk_history(tail=2.5))
    odds = need.probability(8_000.0)
    assert odds.bootstrap is not None
    assert odds.worst == odds.bootstrap > 2 * odds.walk


def test_calm_now_is_no_calm_for_good() -> None:
    """The walk takes the prudent volatility, the bootstrap the current one."""
    calm = RiskyPosition(-100_000.0, 0.2, 0.8, FLAT)
    odds = need_of(calm, history=walk_history()).probability(20_000.0)
    assert odds.walk == need_of(short()).probability(20_000.0).walk
    assert odds.bootstrap == 0.0


def test_the_same_randomness_gives_the_same_odds() -> None:
    """Injected and nothing else: the same seed, the same paths."""
    first, again = (need_of(short(), history=walk_history()) for _ in range(2))
    other = need_of(short(), history=walk_history(), seed=2)
    assert first.drawn is not None
    assert np.array_equal(first.drawn, again.drawn)  # type: ignore[arg-type]
    assert not np.array_equal(first.drawn, other.drawn)  # type: ignore[arg-type]


def test_a_bar_that_spikes_and_comes_back_liquidates() -> None:
    """Highs count for a short and lows for a long, not closes."""
    flat = np.zeros((1000, 1))
    spiky = Innovations(flat, flat + 30.0, flat, BAR, forgetting=0.0)
    assert need_of(short(), history=spiky).probability(20_000.0).bootstrap == 1.0
    assert need_of(short(100_000.0), history=spiky).probability(20_000.0).bootstrap == 0.0
    upside_down = Innovations(flat, flat, flat - 30.0, BAR, forgetting=0.0)
    assert need_of(short(100_000.0), history=upside_down).probability(20_000.0).bootstrap == 1.0


def test_a_path_becomes_wilder_by_what_happens_on_it() -> None:
    """The volatility of a path follows its own moves, so trouble comes in clusters."""
    still = walk_history(tail=3.0)
    moving = Innovations(still.close, still.high, still.low, BAR, forgetting=0.05)
    steady, clustered = (need_of(short(), history=each).equity_for(0.005) for each in (still, moving))
    assert clustered > 1.1 * steady


def test_an_inverse_short_covered_by_its_coins_is_never_liquidated() -> None:
    """With coins worth the face value no price reaches it; with half of that, a doubling does."""
    need = need_of(short(inverse=True), days=365, history=walk_history())
    assert need.probability(100_000.0).worst == 0.0
    assert need.probability(50_000.0).walk == pytest.approx(math.erfc(math.log(2 * 0.995) / 0.8 / math.sqrt(2)))
    assert need.equity_for(0.001) < 100_000.0


def test_an_inverse_long_is_liquidated_by_a_fall() -> None:
    """Its coins lose worth while it loses coins: at P' = P·N(1 + MMR)/(N + E)."""
    position = short(100_000.0, inverse=True)
    fall = 100_000 * 1.005 / 150_000
    assert float(position.need(np.array(fall))) == pytest.approx(50_000.0)


def test_shorts_of_one_account_share_its_collateral() -> None:
    """Without a history they rise together; with one, coins that move apart need less than their sum."""
    half = short(-50_000.0)
    assert need_of(half, half).equity_for(0.01) == pytest.approx(need_of(short()).equity_for(0.01))
    apart = need_of(half, half, history=walk_history(2))
    assert apart.spread == pytest.approx(need_of(half).spread / math.sqrt(2), rel=0.03)
    assert apart.equity_for(0.01) < 0.85 * need_of(short()).equity_for(0.01)


def test_a_long_leg_against_a_short_one_is_a_hedge_inside_the_account() -> None:
    """Far sold and near held of one coin: the pair needs little more than its maintenance."""
    coin = walk_history()
    both = Innovations(*(np.hstack([part, part]) for part in (coin.close, coin.close, coin.close)), BAR, 0.0)
    pair = need_of(short(-50_000.0), short(50_000.0), history=both)
    assert pair.equity_for(0.01) < 1_000


def test_top_up_and_buying_back_both_reach_the_target() -> None:
    """After adding the top-up, or keeping that part and paying the fee for the rest, the probability is met."""
    equity, fee, history = 15_000.0, 0.001, walk_history()
    need = need_of(short(), history=history)
    assert need.probability(equity).worst > 0.01
    added = need.top_up(equity, 0.01)
    assert need.probability(equity + added).worst == pytest.approx(0.01, rel=0.05)
    keep = need.keep_ratio(equity, 0.01, fee)
    left = need_of(short(-100_000.0 * keep), history=history)
    assert left.probability(equity - fee * (1 - keep) * 100_000).worst == pytest.approx(0.01, rel=0.05)


def test_nothing_to_do_and_nothing_that_helps() -> None:
    """Enough equity keeps everything; none keeps nothing; an account without positions needs none."""
    need = need_of(short())
    assert (need.top_up(90_000.0, 0.01), need.keep_ratio(90_000.0, 0.01)) == (0.0, 1.0)
    assert need.keep_ratio(-5.0, 0.01) == 0.0
    assert need.probability(-5.0).worst == 1.0
    empty = need_of()
    assert (empty.probability(0.0).worst, empty.equity_for(0.01), empty.keep_ratio(0.0, 0.01)) == (0.0, 0.0, 1.0)


def test_the_lowest_leverage_that_meets_the_target() -> None:
    """It posts what there is: 40,000 behind 100,000 is 3; where that is too little, none is proposed."""
    need = need_of(short())
    assert need.leverage_lowest(40_000.0, 0.01) == 3
    assert need.leverage_lowest(250_000.0, 0.01) == 1
    assert need.leverage_lowest(30_000.0, 0.01) is None


def test_a_market_without_volatility_needs_maintenance_only() -> None:
    """At σ = 0 liquidation is certain at or below it, impossible above."""
    need = need_of(short(volatility=0.0))
    assert (need.probability(500.0).worst, need.probability(500.01).worst) == (1.0, 0.0)


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1, math.nan])
def test_a_target_that_is_no_probability_raises(probability: float) -> None:
    """Never and always have no collateral."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        need_of(short()).equity_for(probability)


def test_what_is_no_position_raises() -> None:
    """A NaN in a volatility or value is not estimated from, and a horizon takes time."""
    with pytest.raises(ValueError, match="finite"):
        need_of(short(math.nan))
    with pytest.raises(ValueError, match="finite"):
        need_of(short(volatility=math.nan))
    with pytest.raises(ValueError, match="years"):
        need_of(short(), days=0)


def test_innovations_are_measured_by_what_was_known_before() -> None:
    """A crash is a large innovation of its own bar and makes only the later ones smaller."""
    rng = np.random.default_rng(2)
    moves = rng.standard_normal(1500) * 0.005
    moves[1000] = -0.2
    close = 100 * np.exp(np.concatenate([[0.0], np.cumsum(moves)]))[:, None]
    found = innovations(close, close * 1.001, close * 0.999, 1 / 24)
    assert found is not None
    assert found.close.shape == (1500, 1)
    assert found.close[1000, 0] < -30
    assert np.std(found.close[1001:1100]) < 0.6 * np.std(found.close[900:1000])
    assert abs(found.close.mean()) < 1e-12
    assert (found.low <= found.close).all()
    assert (found.close <= found.high).all()
    narrow = innovations(close, close * 0.99, close * 1.01, 1 / 24)  # a high below the close is no high
    assert narrow is not None
    assert np.array_equal(narrow.high, narrow.close)
    assert np.array_equal(narrow.low, narrow.close)
    assert abs(found.before(400).close.mean()) < 1e-12


def test_too_short_a_history_has_no_innovations() -> None:
    """Less than a month of hours: None, and the walk alone is asked."""
    close = np.full((720, 1), 100.0)
    assert innovations(close, close, close, 1 / 24) is None


def test_what_is_no_price_has_no_innovations() -> None:
    """Missing or non-positive prices raise rather than pass for calm."""
    close = np.full((900, 1), 100.0)
    with pytest.raises(ValueError, match="above 0"):
        innovations(np.where(np.arange(900)[:, None] == 5, np.nan, close), close, close, 1 / 24)
    with pytest.raises(ValueError, match="one shape"):
        innovations(close, close[:5], close, 1 / 24)


def test_a_coin_that_never_moved_correlates_with_nothing() -> None:
    """And its own correlation is 1, not NaN."""
    close = np.hstack([np.random.default_rng(0).standard_normal((50, 1)), np.zeros((50, 1))])
    found = Innovations(close, close, close, BAR, 0.0).correlation()
    assert found.tolist() == [[1.0, 0.0], [0.0, 1.0]]
