"""A mark that jumps is read twice; a crash costs one cycle and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.decide.jumps import COMPARED_FOR, marks_after
from hedged.model.guard import MarkSeen
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Fault, Missing, Quote, Read
from tests.build import ETH_PERP, account, balances, dec, derivatives, hedge, policy, quote, snapshot
from tests.support import T0

MINUTE = timedelta(minutes=1)
COLLAR = dec("0.02")
ETH = InstrumentId(ETH_PERP)


def believed(marks: Sequence[str | int], *, every: timedelta = MINUTE, frozen: bool = False) -> list[Decimal]:
    """After each reading, the mark that is believed; `frozen`: the venue stamps all of them with the first time."""
    seen: dict[InstrumentId, MarkSeen] = {}
    found = []
    for number, mark in enumerate(marks):
        now = T0 + number * every
        seen = marks_after(seen, snapshot(marks={ETH: quote(mark, T0 if frozen else now)}, now=now), COLLAR)
        found.append(seen[ETH].price)
    return found


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([3000, 3060, 3000], [3000, 3060, 3000]),  # within the collar
        ([3000, 30_000, 3010], [3000, 3000, 3010]),  # one wrong figure
        ([3000, 2700, 2690], [3000, 3000, 2690]),  # a crash: a second reading agrees
        ([3000, 2700, 2430, 2200, 1981], [3000, 3000, 2430, 2200, 1981]),  # that goes on as fast
        ([3000, 2700, 2690, 2680, 2400], [3000, 3000, 2690, 2680, 2680]),  # calm again, and a new jump
        ([3000, 2700, 3300, 3290], [3000, 3000, 3000, 3290]),  # two that disagree: a third decides
        ([3000, 2940, 300, 2930], [3000, 2940, 2940, 2930]),
        ([3000, 2900, 30], [3000, 3000, 3000]),  # a wrong figure behind a jump
        ([3000, 2900, 3080, 2880, 3090, 2870], [3000, 3000, 3000, 2880, 3090, 2870]),  # up and down: the third goes on
        ([3000, 2900, 3080, 30, 3090], [3000, 3000, 3000, 3000, 3090]),  # a wrong figure in the midst of that
        ([3000, 2900, 2780, 2650], [3000, 3000, 2780, 2650]),  # faster and faster
        ([3000, 300_000, 3100], [3000, 3000, 3100]),  # a wrong figure, and a jump behind it
    ],
)
def test_one_wrong_figure_is_not_believed_and_two_alike_are(marks: list[int], expected: list[int]) -> None:
    """Within the collar at once, beyond it when the next reading goes the same way."""
    assert believed(marks) == expected


@pytest.mark.parametrize(("book", "expected"), [((2399, 2401), 2400), ((2399, 2900), 3000), ((2399, None), 3000)])
def test_a_third_reading_that_went_too_far_needs_a_book(book: tuple[int, int | None], expected: int) -> None:
    """Up and down by three percent and then by twenty: believed where both sides of the book say so too."""
    bid, ask = (None if price is None else dec(price) for price in book)
    seen: dict[InstrumentId, MarkSeen] = {}
    for number, mark in enumerate((3000, 2900, 3080, 2400)):
        now = T0 + number * MINUTE
        read = Read(Quote(dec(mark), bid, ask), now)
        seen = marks_after(seen, snapshot(marks={ETH: read}, now=now), COLLAR)
    assert seen[ETH].price == expected


def test_a_book_confirms_no_first_jump() -> None:
    """A venue that mixes up two contracts does so with the book as well."""
    seen = {ETH: MarkSeen(dec(3000), T0)}
    wrong = Read(Quote(dec(60_000), dec(59_999), dec(60_001)), T0 + MINUTE)
    assert marks_after(seen, snapshot(marks={ETH: wrong}, now=T0 + MINUTE), COLLAR)[ETH].price == 3000


@given(moves=st.lists(st.floats(0.962, 1.04), min_size=1, max_size=30))
def test_no_market_that_swings_waits_for_more_than_two_readings(moves: list[float]) -> None:
    """By up to twice the collar from one to the next, whichever way."""
    marks = [dec(3000)]
    for move in moves:
        marks.append(round(marks[-1] * dec(repr(move)), 2))
    waits = 0
    for mark, held in zip(marks, believed([str(mark) for mark in marks]), strict=True):
        waits = 0 if held == mark else waits + 1
        assert waits <= 2


@given(moves=st.lists(st.floats(0.962, 1.04), min_size=2, max_size=12), wrong=st.floats(0.0001, 10_000), data=st.data())
def test_one_wrong_figure_is_never_believed(moves: list[float], wrong: float, data: st.DataObject) -> None:
    """Ten times off or more, anywhere in a market that swings."""
    assume(not 0.1 < wrong < 10)
    marks = [dec(3000)]
    for move in moves:
        marks.append(round(marks[-1] * dec(repr(move)), 2))
    at = data.draw(st.integers(1, len(marks) - 1))
    marks[at] = marks[at] * dec(repr(wrong))
    assert believed([str(mark) for mark in marks])[at] != marks[at]


def test_the_same_reading_once_more_confirms_nothing() -> None:
    """A venue that repeats an old stamp has said it once."""
    assert believed([3000, 2700, 2700], frozen=True) == [3000, 3000, 3000]


def test_what_is_minutes_old_is_no_measure() -> None:
    """After five minutes without a mark that is believed, the next one stands for itself; slow polls never wait."""
    assert believed([3000, 2700], every=COMPARED_FOR + timedelta(seconds=1)) == [3000, 2700]


def test_a_mark_that_was_not_read_stays_a_while() -> None:
    """An outage of a minute does not make a wrong figure the first one; the memory stays bounded."""
    seen = {ETH: MarkSeen(dec(3000), T0), InstrumentId("main:OLD/USDT:USDT"): MarkSeen(dec(1), T0 - COMPARED_FOR * 2)}
    lost = snapshot(marks={ETH: Missing(Fault.UNREACHABLE, "quotes", "")}, now=T0 + MINUTE)
    assert marks_after(seen, lost, COLLAR) == {ETH: MarkSeen(dec(3000), T0)}


def test_a_clock_that_was_put_back_holds_nothing_up() -> None:
    """A day earlier the last mark is no measure either."""
    seen = {ETH: MarkSeen(dec(3000), T0)}
    earlier = snapshot(marks={ETH: 2000}, now=T0 - timedelta(days=1))
    assert marks_after(seen, earlier, COLLAR)[ETH].price == 2000


@given(moves=st.lists(st.floats(0.7, 1.3), min_size=1, max_size=30))
def test_nothing_is_held_up_for_long(moves: list[float]) -> None:
    """Whatever the market does, within six readings a minute apart one is believed."""
    marks = [dec(3000)]
    for move in moves:
        marks.append(max(round(marks[-1] * dec(repr(move)), 2), dec("0.01")))
    waits = 0
    for mark, held in zip(marks, believed([str(mark) for mark in marks]), strict=True):
        waits = 0 if held == mark else waits + 1
        assert waits <= COMPARED_FOR // MINUTE


def test_a_hedge_waits_for_the_price_of_an_alias_of_its_coin() -> None:
    """It says how much of the coin there is: by half as much again in a minute is read a second time."""
    setup = policy(hedge("ETH"), aliases={"WBETH": "ETH", "stETH": "ETH"})
    seen = snapshot(
        account(spot=balances(WBETH=10), positions=derivatives((ETH_PERP, -10))),
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000, "WBETH": 4860},
    )
    book = Book("c", prices={"ETH": dec(3000), "WBETH": dec(3240)})
    decision = decide(assess(seen, setup), seen, setup, book)
    assert decision.intents == ()
    assert "the price of WBETH jumped by +50.00%" in decision.refused[0].reason
    assert decide(assess(seen, setup), seen, setup, replace(book, prices={"WBETH": dec(4860)})).intents
