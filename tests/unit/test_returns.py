"""Returns on one clock: gaps, late listings, frozen markets and outliers, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hedged.estimate.returns import Closes, align_returns, compound, winsorise, without_frozen

HOUR = 3600


def _closes(hours: list[int], prices: list[float]) -> Closes:
    return Closes(np.array(hours, dtype=np.int64) * HOUR, np.array(prices))


def test_returns_of_two_symbols_end_at_the_same_seconds() -> None:
    """Hourly and two-hourly closes meet on the two-hour clock; each return is labelled by its end."""
    aligned = align_returns(
        {"BTC": _closes([0, 1, 2, 3, 4], [100, 101, 110, 99, 121]), "ETH": _closes([0, 2, 4], [10, 12, 9])}, 2 * HOUR
    )
    assert aligned.names == ("BTC", "ETH")
    assert (aligned.times // HOUR).tolist() == [2, 4]
    assert aligned.columns("ETH", "BTC") == pytest.approx(np.array([[0.2, 0.1], [-0.25, 0.1]]))


def test_a_missing_bar_takes_both_its_returns() -> None:
    """Neither a row that is not there nor a NaN is bridged; the row itself stays on the clock."""
    aligned = align_returns(
        {"A": _closes([0, 1, 3, 4], [1, 2, 4, 8]), "B": _closes([0, 1, 2, 3, 4], [1, 2, np.nan, 4, 8])}, HOUR
    )
    assert np.isnan(aligned.values).tolist() == [[False, False], [True, True], [True, True], [False, False]]
    assert aligned.values[[0, 3]] == pytest.approx(1.0)


def test_a_close_off_the_clock_is_not_moved_onto_it() -> None:
    """A stamp half an hour late is another price, not this one."""
    aligned = align_returns(
        {"A": _closes([0, 1, 2], [1, 2, 4]), "B": Closes(np.array([0, 5400, 7200]), np.array([1.0, 2.0, 3.0]))}, HOUR
    )
    assert np.isnan(aligned.columns("B")[:, 0]).tolist() == [True, True]


def test_a_coin_listed_late_is_unknown_before() -> None:
    """The clock runs from the first close of any symbol; `start` and `end` cut it."""
    closes = {"A": _closes([0, 1, 2, 3], [1, 1, 1, 2]), "B": _closes([2, 3], [5, 6])}
    assert np.isnan(align_returns(closes, HOUR).columns("B")[:, 0]).tolist() == [True, True, False]
    cut = align_returns(closes, HOUR, start=1 * HOUR + 1, end=3 * HOUR)
    assert (cut.times // HOUR).tolist() == [3]


def test_no_symbols_and_no_closes_make_an_empty_table() -> None:
    """Nothing to align is no error."""
    assert align_returns({}, HOUR).values.shape == (0, 0)
    assert align_returns({"A": _closes([], [])}, HOUR).values.shape == (0, 1)


@pytest.mark.parametrize(
    ("times", "prices"),
    [
        ([0, 2, 1], [1, 1, 1]),
        ([0, 0], [1, 1]),
        ([0, 1], [1, 0]),
        ([0, 1], [1, -2]),
        ([0, 1], [1, np.inf]),
        ([0, 1], [1.0]),
    ],
)
def test_what_is_no_price_series_is_refused(times: list[int], prices: list[float]) -> None:
    """Unordered or repeated times, prices at or below 0, infinite, or of another number: named, not repaired."""
    with pytest.raises(ValueError, match="X"):
        align_returns({"X": _closes(times, prices)}, HOUR)


def test_a_dead_market_has_no_returns_but_a_quiet_one_has() -> None:
    """Of a run of more than the given number of equal closes only the first is a price."""
    prices = np.array([1.0, 2, 2, 2, 3, 3, 4])
    assert np.isnan(without_frozen(prices, 2)).tolist() == [False, False, True, True, False, False, False]
    assert without_frozen(prices, 3).tolist() == prices.tolist()
    frozen = align_returns({"FTM": _closes(list(range(40)), [1.0] * 40)}, HOUR)
    assert np.isnan(frozen.values).all()


def test_compound_returns_overlap_and_need_every_row() -> None:
    """1.1 × 1.2 × 0.5 − 1; the first rows and every span with a gap are unknown."""
    made = compound(np.array([[0.1], [0.2], [-0.5], [np.nan], [0.1], [0.1], [0.1]]), 3)[:, 0]
    assert np.isnan(made).tolist() == [True, True, False, True, True, True, False]
    assert made[[2, 6]] == pytest.approx([1.1 * 1.2 * 0.5 - 1, 1.1**3 - 1])
    assert np.isnan(compound(np.zeros((2, 1)), 3)).all()


def test_winsorising_clips_at_robust_standard_deviations() -> None:
    """Median 0, MAD 0.01: five times 1.4826 × 0.01 is the reach; NaN stays, and a scaleless column is left alone."""
    column = np.array([-0.02, -0.01, 0.0, 0.01, 0.02, 9.0, -9.0, np.nan])
    table = winsorise(np.column_stack([column, np.zeros(8), np.full(8, np.nan)]), 5)
    middle = np.nanmedian(np.abs(column))
    assert table[5, 0] == pytest.approx(5 * 1.4826 * middle)
    assert table[6, 0] == pytest.approx(-5 * 1.4826 * middle)
    assert table[:5, 0].tolist() == column[:5].tolist()
    assert np.isnan(table[7, 0])
    assert (table[:, 1] == 0).all()
    assert np.isnan(table[:, 2]).all()
