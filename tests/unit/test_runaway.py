"""Each rule by which hedged stops itself: what just passes beside what halts, and what a person's resuming forgives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from hedged.decide.runaway import LOOKS_MAX, filled, found_filled, runaway, seen, without
from hedged.model.finding import MarginStatus
from hedged.model.guard import EquitySample, GuardMemory
from hedged.model.order import Absent, Fill, PastOrder, Side
from hedged.model.policy import Limits
from hedged.model.snapshot import Doubt, Fault, Missing
from tests.build import ETH_PERP, account, dec, derivatives, snapshot
from tests.store_samples import intent
from tests.support import T0

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING = GuardMemory()
LIMITS = Limits(orders_hour_max=3, orders_day_max=5, rejections_max=3, unfollowed_max=2, equity_drop_day_max=dec("0.5"))


def order(number: int, state: str = "filled", *, ago: timedelta | None = None, sent: bool = True, filled: str = "0"):
    return PastOrder(
        intent=intent(f"hd{number}"),
        state=state,
        planned_at=T0 - (MINUTE * number if ago is None else ago),
        sent=sent,
        filled=dec(filled),
        reason="no margin" if state == "rejected" else None,
    )


def rejected(*numbers: int) -> list[PastOrder]:
    return [order(number, "rejected") for number in numbers]


SPREAD = Limits(orders_hour_max=100, rejections_max=3)


@pytest.mark.parametrize(
    ("rule", "limits", "passes", "halts"),
    [
        ("orders_hour_max", LIMITS, [order(1), order(2)], [order(1), order(2), order(3)]),
        ("orders_hour_max", LIMITS, [order(1), order(2), order(3, ago=HOUR)], [order(1), order(2), order(3, ago=HOUR - MINUTE)]),
        ("orders_hour_max", LIMITS, [order(1), order(2), order(3, ago=-30 * DAY)], [order(1), order(2), order(3, ago=-MINUTE)]),
        ("orders_hour_max", LIMITS, [order(1), order(2), order(3, sent=False)], [order(1), order(2), order(3, "unknown")]),
        (
            "orders_day_max",
            LIMITS,
            [order(n, ago=HOUR * n) for n in range(1, 5)],
            [order(n, ago=HOUR * n) for n in range(1, 6)],
        ),
        ("rejections_max", SPREAD, rejected(1, 2), rejected(1, 2, 3)),
        ("rejections_max", SPREAD, [*rejected(1, 3, 4), order(2)], [*rejected(1, 2, 3), order(4)]),
        ("rejections_max", SPREAD, [*rejected(1, 2), order(3, "rejected", sent=False)], [*rejected(1, 2, 4), order(3, "absent")]),
        ("were filled for an order of 2", SPREAD, [order(1, filled="2")], [order(1, filled="2.1")]),
    ],
)  # fmt: skip
def test_what_was_sent(rule: str, limits: Limits, passes: list[PastOrder], halts: list[PastOrder]) -> None:
    """One order fewer passes, the next halts and names its limit; before the last resuming nothing counts."""
    assert runaway(NOTHING, passes, limits, T0, None) is None
    assert rule in (runaway(NOTHING, halts, limits, T0, None) or "")
    assert runaway(NOTHING, halts, limits, T0, T0) is None
    assert runaway(NOTHING, list(reversed(halts)), limits, T0, T0 - DAY) == runaway(NOTHING, halts, limits, T0, None)


def test_a_resuming_by_a_clock_that_was_ahead_forgives_nothing() -> None:
    """Nobody can tell what came before it, so everything counts; one a moment after `now` was seen is a resuming."""
    assert runaway(NOTHING, rejected(1, 2, 3), SPREAD, T0, T0 + 30 * DAY) is not None
    assert runaway(NOTHING, rejected(1, 2, 3), SPREAD, T0, T0 + MINUTE) is None


def test_rejections_count_by_instrument() -> None:
    """Two on one and two on another are not four in a row."""
    other = [replace(each, intent=replace(each.intent, instrument="main:BTC/USDT:USDT")) for each in rejected(5, 6)]
    assert runaway(NOTHING, [*rejected(1, 2), *other], SPREAD, T0, None) is None
    assert "no margin" in (runaway(NOTHING, rejected(1, 2, 3), SPREAD, T0, None) or "")


# positions that follow


def look(contracts: str | None, minutes: int = 1, *doubts: Doubt):
    now = T0 + MINUTE * minutes
    held = (
        Missing(Fault.UNREACHABLE, "derivatives", "gone")
        if contracts is None
        else derivatives((ETH_PERP, contracts), at=now)
    )
    return snapshot(account(positions=held), now=now, doubts=doubts)


def bought(quantity: str, minutes: int = 1) -> Fill:
    return Fill("hd1", ETH_PERP, Side.BUY, dec(quantity), dec(3000), dec(0), T0 + MINUTE * minutes)


def late(guard: GuardMemory, *shown: str, minute: int = 1) -> GuardMemory:
    """After as many readings as a venue may need to show a fill; the last of `shown` stays."""
    for number in range(LOOKS_MAX):
        guard = seen(guard, look(shown[min(number, len(shown) - 1)], minute + 1 + number), ())
    return guard


@pytest.mark.parametrize(
    ("after", "follows"),
    [("-8", True), ("-8.9", True), ("-9", True), ("-9.1", False), ("-10", False), ("-12", False), ("-4", True)],
)
def test_a_position_follows_what_was_filled(after: str, follows: bool) -> None:
    """Two bought back of ten short: half of that at least must be seen, and in that direction."""
    judged = late(filled(NOTHING, look("-10"), [bought("2")]), after)
    assert judged.expected == {}
    assert bool(judged.unfollowed) is not follows


def test_twice_in_a_row_halts_and_once_followed_starts_anew() -> None:
    """One position that did not move may be a slow venue; the second halts, a good one between forgives."""
    guard = NOTHING
    for minute, after in ((1, "-10"), (11, "-8"), (21, "-10"), (31, "-10")):
        guard = filled(guard, look("-10", minute), [bought("2", minute)])
        assert runaway(guard, [], LIMITS, T0, None) is None
        guard = late(guard, after, minute=minute)
    assert "unfollowed_max" in (runaway(guard, [], LIMITS, T0, None) or "")
    before_one = runaway(guard, [], LIMITS, T0 + 40 * MINUTE, T0 + 26 * MINUTE)
    assert before_one is None, "one of the two was before the resuming"


@pytest.mark.parametrize(
    ("shown", "waits"),
    [
        (["-8"], [False]),  # all of it at once
        (["-7"], [False]),  # and somebody else's
        (["-10", "-8"], [True, False]),  # a cycle late
        (["-9", "-9"], [True, False]),  # half of it at first, and no more of it later
        (["-10", "-10", "-10"], [True, True, False]),  # never: the guard has counted it
    ],
)
def test_a_fill_may_be_shown_late(shown: list[str], waits: list[bool]) -> None:
    """Two bought back of ten short: until that shows, for three readings at most, nobody knows what is held."""
    guard, waited = filled(NOTHING, look("-10"), [bought("2")]), []
    for minute, contracts in enumerate(shown, start=2):
        guard = seen(guard, look(contracts, minute), ())
        waited.append(ETH_PERP in guard.expected)
    assert waited == waits
    assert bool(guard.unfollowed) is (len(shown) == LOOKS_MAX)


def test_a_clock_that_was_put_back_does_not_wait_for_the_old_time() -> None:
    """Filled at a time that is a month ahead now: readings count all the same."""
    ahead = replace(bought("2"), at=T0 + 30 * DAY)
    assert seen(filled(NOTHING, look("-10"), [ahead]), look("-8", 2), ()).expected == {}


def test_a_fill_that_was_found_late_is_expected_too() -> None:
    """From what the order was decided on; a reading of the same cycle is one after it."""
    order = replace(intent("hd1"), held=dec(-10))
    guard = found_filled(NOTHING, [(order, bought("2")), (order, Absent("hd2"))], T0 + 2 * MINUTE)
    assert seen(guard, look("-10", 2), ()).expected[ETH_PERP].looks == 1
    assert seen(guard, look("-8", 2), ()) == NOTHING


def test_what_was_not_read_is_judged_later() -> None:
    """A position that is missing, older than the fill or in doubt proves nothing, and is not forgotten."""
    guard = filled(NOTHING, look("-10"), [bought("2"), bought("1")])
    doubt = Doubt(ETH_PERP, "main", "ETH", ETH_PERP, before=dec(-10), now=dec(0), polls=1)
    for waiting in (look(None, 2), look("-10", 1), look("-10", 2, doubt)):
        after = seen(guard, waiting, ())
        assert after.expected == guard.expected
        assert after.unfollowed == {}
    assert guard.expected[ETH_PERP].by == 3
    assert seen(guard, look("-8.5", 2), ()).unfollowed == {}
    assert filled(NOTHING, look(None), [bought("2")]).expected == {}, "what it was before is not known"


# equity


def equity(*values: str, every: timedelta = HOUR) -> GuardMemory:
    guard = NOTHING
    for number, value in enumerate(values):
        at = snapshot(now=T0 + number * every)
        guard = seen(guard, at, [MarginStatus("main", None, None, estimated=False, equity=dec(value))])
    return guard


@pytest.mark.parametrize(("last", "halts"), [("5000", False), ("4999", True), ("-1", True), ("12000", False)])
def test_an_equity_that_fell(last: str, halts: bool) -> None:
    """By more than half of the day's highest: halted, with both numbers."""
    why = runaway(equity("9000", "10000", last), [], LIMITS, T0 + 3 * HOUR, None)
    assert ("equity_drop_day_max" in (why or "")) is halts
    if halts:
        assert "10,000.00" in (why or "")


def test_equity_is_of_the_last_day_and_since_the_resuming() -> None:
    """A slow loss over two days is the market's; what was there before a person resumed does not count."""
    slow = equity(*(str(10_000 - 100 * hour) for hour in range(60)))
    assert runaway(slow, [], LIMITS, T0 + 59 * HOUR, None) is None
    fell = equity("10000", "4000")
    assert runaway(fell, [], LIMITS, T0 + HOUR, None) is not None
    assert runaway(fell, [], LIMITS, T0 + HOUR, T0 + HOUR) is None
    assert runaway(fell, [], LIMITS, T0 + DAY + HOUR, None) is None


def test_samples_are_bounded_and_the_newest_is_always_there() -> None:
    """A cycle a minute for two days keeps a day of hours, and the last minute."""
    guard = equity(*(str(number) for number in range(1, 2881)), every=MINUTE)
    samples = guard.equity["main"]
    assert len(samples) <= 26
    assert samples[-1] == EquitySample(T0 + 2879 * MINUTE, dec(2880))
    assert all(later.at - earlier.at >= HOUR for earlier, later in pairwise(samples[:-1]))


def test_an_account_that_begins_anew_is_forgotten() -> None:
    """Nothing of it is held against it."""
    guard = filled(equity("10000"), look("-10"), [bought("2")])
    assert without(guard, "main") == NOTHING
    assert without(guard, "other") == guard
