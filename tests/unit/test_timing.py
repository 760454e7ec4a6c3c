"""When a hedge is wanted: in its windows, while its signal is on, and as a person has set it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.decide.timing import is_insured, next_signal, timed
from hedged.model.order import Purpose
from hedged.model.timing import Insurance, Override, Recurring, Signal, SignalState, Window
from tests.build import ETH_PERP, account, balances, dec, derivatives, hedge, policy, snapshot
from tests.support import T0

DAY = timedelta(days=1)
FRIDAY_EVENING = Insurance(recurring=(Recurring("0 20 * * fri", timedelta(hours=60)),))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("insurance", "now", "open_"),
    [
        (Insurance((Window(at("2026-12-20"), at("2027-01-05")),)), "2026-12-19T23:59:59", False),
        (Insurance((Window(at("2026-12-20"), at("2027-01-05")),)), "2026-12-20", True),
        (Insurance((Window(at("2026-12-20"), at("2027-01-05")),)), "2027-01-05", False),
        (Insurance((Window(end=at("2027-01-05")),)), "2020-01-01", True),
        (Insurance((Window(at("2026-12-20")),)), "2050-01-01", True),
        (FRIDAY_EVENING, "2026-11-20T19:59:59", False),
        (FRIDAY_EVENING, "2026-11-20T20:00:00", True),
        (FRIDAY_EVENING, "2026-11-23T07:59:59", True),
        (FRIDAY_EVENING, "2026-11-23T08:00:00", False),
        (Insurance(), "2026-11-23", False),
    ],
)
def test_windows_are_open_from_their_beginning_up_to_their_end(insurance: Insurance, now: str, open_: bool) -> None:
    """By dates, and by a crontab line with a length."""
    assert is_insured(insurance, at(now)) is open_


def test_outside_its_windows_a_hedge_is_unwound() -> None:
    """Target 0: everything is closed, reduce-only, band or no band, and the reason is told."""
    insured = replace(hedge("ETH"), timing=Insurance((Window(T0 + DAY, T0 + 2 * DAY),)))
    now_policy = timed(policy(insured), {}, {}, T0)
    assert now_policy.hedges[0].target_reason == "outside its insurance windows"
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, "-0.4"))),
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000},
    )
    found = assess(seen, now_policy)
    decision = decide(found, seen, now_policy, Book("c"))
    intents = [approved.intent for approved in decision.intents]
    assert [(i.quantity, i.reduce_only, i.purpose) for i in intents] == [(dec("0.4"), True, Purpose.CLOSE)]
    assert found.hedges[0].target_reason == "outside its insurance windows"
    assert timed(policy(insured), {}, {}, T0 + DAY).hedges[0].target_ratio == 1


def test_what_a_person_sets_goes_before_everything_and_expires() -> None:
    """Inside its time it holds, windows and signals or not; at its end the hedge is as configured."""
    insured = replace(hedge("ETH"), timing=Insurance((Window(T0 + DAY),)))
    overrides = {"alts": Override(Decimal("0.5"), T0 + DAY)}
    assert timed(policy(insured), overrides, {}, T0).hedges[0].target_ratio == dec("0.5")
    assert timed(policy(insured), overrides, {}, T0 + DAY).hedges[0].target_ratio == 1
    untouched = policy(hedge("ETH"))
    assert timed(untouched, {"other": overrides["alts"]}, {}, T0) is untouched


SIGNAL = Signal(on_below=Decimal("-0.05"), off_above=Decimal("0.02"), min_hold=3 * DAY)


@pytest.mark.parametrize(
    ("state", "change", "after", "expected"),
    [
        (None, -0.06, DAY, (True, T0 + DAY)),
        (None, -0.05, DAY, (False, T0 + DAY)),
        (SignalState(False, T0), -0.06, 3 * DAY, (True, T0 + 3 * DAY)),
        (SignalState(False, T0), -0.06, 2 * DAY, (False, T0)),  # held for three days
        (SignalState(False, T0), -0.04, 9 * DAY, (False, T0)),
        (SignalState(True, T0), 0.0, 9 * DAY, (True, T0)),  # between the two thresholds nothing changes
        (SignalState(True, T0), 0.021, 9 * DAY, (False, T0 + 9 * DAY)),
        (SignalState(True, T0), 0.3, 2 * DAY, (True, T0)),
        (SignalState(True, T0), None, 9 * DAY, (True, T0)),
    ],
)
def test_a_signal_turns_beyond_its_thresholds_and_is_held(
    state: SignalState | None, change: float | None, after: timedelta, expected: tuple[bool, datetime]
) -> None:
    """On below −x, off above +y, each for its least time; what is not known changes nothing."""
    turned = next_signal(state, change, SIGNAL, T0 + after)
    assert turned is not None
    assert (turned.on, turned.since) == expected


def test_a_signal_that_nobody_knows_yet_leaves_the_hedge_on() -> None:
    """Better hedged without need than naked by default; and it is said."""
    signalled = replace(hedge("ETH"), timing=SIGNAL)
    unknown = timed(policy(signalled), {}, {}, T0).hedges[0]
    assert (unknown.target_ratio, unknown.target_reason) == (1, "its signal is not known yet")
    assert next_signal(None, None, SIGNAL, T0) is None
    off = timed(policy(signalled), {}, {"alts": SignalState(False, T0)}, T0).hedges[0]
    assert off.target_ratio == 0
    assert timed(policy(signalled), {}, {"alts": SignalState(True, T0)}, T0).hedges[0].target_ratio == 1
