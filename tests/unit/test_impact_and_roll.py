"""Market impact, the annualised basis and the schedule of a roll, against worked vectors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.estimate.impact import fitted_factor, square_root_impact
from hedged.estimate.roll import RollPair, annualised_basis, roll_pair, rolled_share

D = Decimal
TEN = D(10)
EXPIRY = datetime(2026, 3, 27, 8, tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("before", "thirds"),
    [
        (timedelta(days=4, seconds=1), 0),
        (timedelta(days=4), 1),
        (timedelta(days=3), 2),
        (timedelta(days=2), 3),
        (timedelta(0), 3),
    ],
)
def test_a_third_is_due_on_each_of_three_days(before: timedelta, thirds: int) -> None:
    """Four, three and two days before expiry; what was missed is due with the next."""
    assert rolled_share(EXPIRY - before, EXPIRY) * 3 == thirds


def pair_of(near: Decimal, far: Decimal, share: Fraction, start: Decimal = TEN, **more: Decimal) -> RollPair:
    lots = {"coins_ratio": D(1), "near_lot": D(1), "far_lot": D(1)} | more
    return roll_pair(near_at_start=start, near_held=near, far_opened=far, share=share, **lots)


def test_a_roll_of_ten_contracts_in_thirds() -> None:
    """3, 3 and the 4 that are left; far contracts of half the coins, two for one."""
    near, far, pairs = D(10), D(0), []
    for day in (4, 3, 2):
        pair = pair_of(near, far, rolled_share(EXPIRY - timedelta(days=day), EXPIRY), coins_ratio=D(2))
        near, far = near - pair.near, far + pair.far
        pairs.append((pair.near, pair.far))
    assert pairs == [(3, 6), (3, 6), (4, 8)]


def test_thirds_of_nine_are_three() -> None:
    """A third is a third, not a decimal a last digit below it."""
    assert pair_of(D(9), D(0), Fraction(1, 3), start=D(9)) == RollPair(D(3), D(3))


def test_the_last_part_takes_what_no_lot_divides() -> None:
    """Nothing of the near leg is left for settlement."""
    assert pair_of(D("2.5"), D(7), Fraction(1), start=D(10)).near == D("2.5")


def test_the_same_share_twice_rolls_nothing_twice() -> None:
    """A second cycle within the same day finds the part done; a far leg that was not filled is made up for."""
    assert pair_of(D(7), D(3), Fraction(1, 3)) == RollPair(D(0), D(0))
    assert pair_of(D(7), D(1), Fraction(1, 3)) == RollPair(D(0), D(2))


contracts = st.integers(1, 5000).map(lambda lots: D(lots) / 10)


@given(contracts, st.lists(st.fractions(0, 1), max_size=6), st.sampled_from([D("0.1"), D("0.5"), D(1)]))
def test_a_roll_ends_with_nothing_near_and_the_short_whole(
    start: Decimal, shares: list[Fraction], far_lot: Decimal
) -> None:
    """However often it is looked at, near and far together are never off by more than half a far lot."""
    near, far = start, D(0)
    for share in (*sorted(shares), Fraction(1)):
        pair = pair_of(near, far, share, start, near_lot=D("0.1"), far_lot=far_lot)
        assert 0 <= pair.near <= near
        near, far = near - pair.near, far + pair.far
        assert abs(near + far - start) <= far_lot / 2
    assert near == 0
