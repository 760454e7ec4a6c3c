"""When cycles are due, on a clock that never jumps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.daemon.timetable import Timetable


@pytest.mark.parametrize(
    ("begins", "missed"),
    [
        ([0, 60, 120], [0, 0, 0]),  # on time
        ([0, 61.5, 120.2], [0, 0, 0]),  # a little late is not missed
        ([0, 59.8], [0, 0]),  # a timer that fires a hair early means the cycle it was set for
        ([0, 119], [0, 0]),  # late by less than one interval
        ([0, 121], [0, 1]),  # 60 never ran
        ([0, 3600], [0, 59]),
        ([0, 200, 240], [0, 2, 0]),  # afterwards on time again
    ],
)
def test_missed_cycles_are_counted(begins: list[float], missed: list[int]) -> None:
    """Every due time that passed before a cycle began, without one, is a missed cycle."""
    table = Timetable(0, 60)
    counted = []
    for at in begins:
        counted.append(table.begin(at))
        table.end(at + 1)
    assert counted == missed


@pytest.mark.parametrize(
    ("took", "swallowed", "next_due"), [(59, 0, 60), (61, 1, 120), (125, 2, 180), (60, 1, 120), (3601, 60, 3660)]
)
def test_an_overrun_swallows_what_fell_due(took: float, swallowed: int, next_due: float) -> None:
    """Cycles that fell due while one ran are left out and told as overrun, not as missed as well."""
    table = Timetable(0, 60)
    table.begin(0)
    assert table.end(took) == swallowed
    assert table.due() == next_due
    assert table.begin(next_due) == 0


def test_a_cycle_is_early_until_due() -> None:
    """Nothing is due again before its time, and everything is once it has come."""
    table = Timetable(100, 60)
    assert not table.early(100)
    table.begin(100)
    table.end(101)
    assert table.early(130)
    assert not table.early(160)


def test_the_next_time_is_never_the_present_one() -> None:
    """A timer that fired a hair early is not set to the same due time again."""
    table = Timetable(0, 60)
    assert table.after(59.9) == 120
    assert table.after(60.1) == 120


@pytest.mark.parametrize("every", [0.0, -1.0])
def test_an_impossible_interval_is_refused(every: float) -> None:
    """Zero or negative intervals name themselves in the error."""
    with pytest.raises(ValueError, match="every"):
        Timetable(0, every)


@given(
    st.lists(
        st.tuples(st.floats(0, 1e4), st.floats(0, 1e3)),  # pause before each cycle, its duration
        max_size=30,
    )
)
def test_every_due_time_is_accounted_for(steps: list[tuple[float, float]]) -> None:
    """Cycles run + missed + swallowed = due times that have passed: none is left out in silence."""
    table, now, ran, missed, swallowed = Timetable(0, 60), 0.0, 0, 0, 0
    for pause, took in steps:
        now = max(now + pause, table.due())
        missed += table.begin(now)
        ran += 1
        now += took
        swallowed += table.end(now)
    passed = round(table.due() / 60)
    assert ran + missed + swallowed == passed
