"""The life of an alert as tables: what was found, cycle by cycle → what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.lifecycle import LIFE, Observed, advance
from hedged.tell.rules import AlertRules
from tests.support import T0, CountingIds

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
QUIET, LOUD = Kind.DRIFT, Kind.MARGIN
UNKNOWN, GONE = "unknown", "gone"  # instead of a severity: the data is missing; the subject left


class Life:
    """Alerts as a store keeps them, fed one cycle at a time."""

    def __init__(self, kind: Kind = LOUD, rules: AlertRules | None = None) -> None:
        self.kind = kind
        self.rules = rules or AlertRules()
        self.ids = CountingIds()
        self.alerts: dict[str, Alert] = {}
        self.now = T0

    def cycle(self, seen: object = None, *, after: timedelta = MINUTE, trouble: bool = False) -> list[Message]:
        """One cycle that finds a severity, nothing (None), UNKNOWN or GONE."""
        self.now += after
        found = [finding(self.kind, seen)] if isinstance(seen, Severity) else []
        alerts, messages = advance(
            list(self.alerts.values()),
            found,
            frozenset({f"{self.kind.value}/alts"} if seen == UNKNOWN else ()),
            lambda _kind, _subject: seen != GONE,
            frozenset({"alts"} if trouble else ()),
            self.rules,
            self.now,
            self.ids.new,
        )
        self.alerts.update({alert.event_id: alert for alert in alerts})
        return list(messages)

    def said(self, *seen: object) -> list[str]:
        """What each of these cycles, a minute apart, says; an empty text for nothing."""
        return [" ".join(message.kind.value for message in self.cycle(each)) for each in seen]

    @property
    def alert(self) -> Alert:
        return list(self.alerts.values())[-1]


def finding(kind: Kind = LOUD, severity: Severity = WARNING, subject: str = "alts", **values: Decimal) -> Finding:
    return Finding(kind, subject, severity, f"{kind.value} of {subject} at {severity.value}.", values)


ONE_LIFE: list[tuple[str, Kind, Sequence[object], Sequence[str]]] = [
    ("told once", LOUD, (WARNING, WARNING, WARNING), ("firing", "", "")),
    ("told when over", LOUD, (WARNING, None, None), ("firing", "resolved", "")),
    ("escalates at once", LOUD, (WARNING, CRITICAL, CRITICAL), ("firing", "escalated", "")),
    ("falls quietly", LOUD, (CRITICAL, WARNING, INFO), ("firing", "", "")),
    ("wobbles between severities", LOUD, (WARNING, CRITICAL, WARNING, CRITICAL), ("firing", "escalated", "", "")),
    ("missing data does not fire", LOUD, (UNKNOWN, UNKNOWN), ("", "")),
    ("missing data does not end", LOUD, (WARNING, UNKNOWN, UNKNOWN, None), ("firing", "", "", "resolved")),
    ("removed is said once", LOUD, (WARNING, GONE, GONE), ("firing", "removed", "")),
    ("comes back after removal as new", QUIET, (WARNING, GONE, WARNING), ("firing", "removed", "firing")),
    ("drift comes back quietly", QUIET, (WARNING, None, WARNING, None, WARNING), ("firing", "resolved", "", "", "")),
    ("drift comes back worse", QUIET, (WARNING, None, CRITICAL, None), ("firing", "resolved", "firing", "resolved")),
    ("drift gets worse after", QUIET, (WARNING, None, WARNING, CRITICAL), ("firing", "resolved", "", "firing")),
    ("quiet, then unknown", QUIET, (WARNING, None, WARNING, UNKNOWN), ("firing", "resolved", "", "")),
    ("quiet, then removed", QUIET, (WARNING, None, WARNING, GONE), ("firing", "resolved", "", "")),
    ("others come back aloud, once", LOUD, (CRITICAL, None, CRITICAL, None, CRITICAL, None),
     ("firing", "resolved", "firing", "", "", "")),
    ("removed while it settles", LOUD, (CRITICAL, None, CRITICAL, None, GONE),
     ("firing", "resolved", "firing", "", "removed")),
    ("escalates while it settles", LOUD, (WARNING, None, WARNING, None, CRITICAL),
     ("firing", "resolved", "firing", "", "escalated")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "seen", "said"), [row[1:] for row in ONE_LIFE], ids=[row[0] for row in ONE_LIFE])
def test_what_is_said_of_one_life(kind: Kind, seen: Sequence[object], said: Sequence[str]) -> None:
    """Each row of the table: what is found minute by minute, and what is said of it."""
    assert Life(kind).said(*seen) == list(said)


@pytest.mark.parametrize("state", [None, *AlertState])
def test_the_table_has_every_step(state: AlertState | None) -> None:
    """There is a next state for whatever is observed in whatever state."""
    assert set(LIFE[state]) == set(Observed)


def test_a_condition_fires_only_after_its_hold() -> None:
    """With `for` a finding is pending first, and its time begins anew when it was gone."""
    life = Life(rules=AlertRules(hold={LOUD: 2 * MINUTE}))
    assert life.said(WARNING, WARNING, None, WARNING, WARNING, WARNING) == ["", "", "", "", "", "firing"]


def test_drift_fires_in_the_cycle_that_found_it() -> None:
    """Without `for` there is no pending cycle."""
    life = Life(QUIET)
    assert life.said(WARNING) == ["firing"]
    assert life.alert.state is AlertState.FIRING


@pytest.mark.parametrize(("severity", "interval"), [(INFO, 24 * HOUR), (WARNING, 4 * HOUR), (CRITICAL, HOUR)])
def test_repeats_after_the_interval_of_its_severity(severity: Severity, interval: timedelta) -> None:
    """What goes on is said again after each repeat interval, not before."""
    life = Life()
    life.cycle(severity)
    assert life.cycle(severity, after=interval - MINUTE) == []
    assert [message.kind for message in life.cycle(severity)] == [MessageKind.REPEAT]
    assert life.cycle(severity) == []


def test_repeats_while_its_data_is_missing_and_says_so() -> None:
    """Missing data does not silence what fires; the message says that its figures are old."""
    life = Life()
    life.cycle(CRITICAL)
    (message,) = life.cycle(UNKNOWN, after=HOUR)
    assert message.kind is MessageKind.REPEAT
    assert "last known figures" in message.body


def test_a_flapping_drift_is_told_once_an_interval() -> None:
    """A hedge at the edge of its band gives one firing and one resolved per repeat interval, not per flap."""
    life = Life(QUIET)
    kinds = [message.kind for _ in range(6 * 30) for seen in (WARNING, None) for message in life.cycle(seen)]
    assert kinds == [MessageKind.FIRING, MessageKind.RESOLVED] * 2  # six hours, an interval of four


def test_a_flapping_account_is_over_when_it_has_stayed_well() -> None:
    """A kind that comes back aloud ends only after `settle`, and repeats only what is there."""
    life = Life()
    kinds = [message.kind for _ in range(30) for seen in (CRITICAL, None) for message in life.cycle(seen)]
    assert kinds == [MessageKind.FIRING, MessageKind.RESOLVED, MessageKind.FIRING]
    assert life.cycle(None, after=HOUR - 2 * MINUTE) == []
    assert life.alert.state is AlertState.FIRING
    assert [message.kind for message in life.cycle(None, after=2 * MINUTE)] == [MessageKind.RESOLVED]


def test_a_drift_whose_order_failed_is_told_although_it_came_back() -> None:
    """The quiet return rests on the order that mends it: without the order it is news."""
    life = Life(QUIET)
    life.said(WARNING, None)
    assert [message.kind for message in life.cycle(WARNING, trouble=True)] == [MessageKind.FIRING]


def test_a_drift_whose_order_fails_later_is_told_then() -> None:
    """Also when it came back quietly some cycles ago."""
    life = Life(QUIET)
    life.said(WARNING, None, WARNING)
    assert [message.kind for message in life.cycle(WARNING, trouble=True)] == [MessageKind.FIRING]
    assert life.cycle(WARNING, trouble=True) == []


@pytest.mark.parametrize("kind", [QUIET, LOUD])
@pytest.mark.parametrize(("away", "same"), [(MINUTE, True), (4 * HOUR - MINUTE, True), (4 * HOUR, False)])
def test_what_comes_back_within_the_interval_is_the_same_event(kind: Kind, away: timedelta, same: bool) -> None:
    """Within the repeat interval the event id stays, later it is a new event."""
    life = Life(kind)
    (first,) = life.cycle(WARNING)
    life.cycle(None)
    life.cycle(WARNING, after=away)
    assert (life.alert.event_id == first.event_id) is same


def test_a_quiet_return_that_lasts_is_told_after_the_interval() -> None:
    """Nobody believes for ever that a drift is over when it is not."""
    life = Life(QUIET)
    life.said(WARNING, None, WARNING)
    assert life.cycle(WARNING, after=4 * HOUR - 2 * MINUTE) == []
    assert [message.kind for message in life.cycle(WARNING)] == [MessageKind.FIRING]


def test_a_quiet_return_is_not_told_on_missing_data() -> None:
    """What people believe to be over fires anew only when it is seen."""
    life = Life(QUIET)
    life.said(WARNING, None, WARNING)
    assert life.cycle(UNKNOWN, after=5 * HOUR) == []


def test_one_event_keeps_one_id_through_all_its_messages() -> None:
    """Firing, escalated, repeat and resolved carry the same event id."""
    life = Life()
    messages = [
        *life.cycle(WARNING),
        *life.cycle(CRITICAL),
        *life.cycle(CRITICAL, after=HOUR),
        *life.cycle(None),
    ]
    assert [message.kind.value for message in messages] == ["firing", "escalated", "repeat", "resolved"]
    assert len({message.event_id for message in messages}) == 1


def test_the_wall_clock_set_back_neither_fires_early_nor_silences_for_long() -> None:
    """After a jump of 30 days back a repeat comes one interval later, not 30 days later."""
    life = Life()
    life.cycle(CRITICAL)
    assert life.cycle(CRITICAL, after=timedelta(days=-30)) == []
    assert [message.kind for message in life.cycle(CRITICAL, after=HOUR)] == [MessageKind.REPEAT]


def test_a_pending_alert_survives_the_wall_clock_set_back() -> None:
    """Its hold begins anew at the new time: late, never early."""
    life = Life(rules=AlertRules(hold={LOUD: 2 * MINUTE}))
    life.cycle(WARNING)
    assert life.cycle(WARNING, after=timedelta(days=-30)) == []
    assert life.cycle(WARNING, after=MINUTE) == []
    assert [message.kind for message in life.cycle(WARNING)] == [MessageKind.FIRING]


def test_the_worst_of_two_findings_of_one_key_counts() -> None:
    """Two findings of the same kind and subject are one alert, at the higher severity."""
    (alert,), (message,) = step([], [finding(severity=CRITICAL), finding(severity=INFO)])
    assert (alert.severity, message.severity) == (CRITICAL, CRITICAL)


def test_the_most_severe_message_comes_first() -> None:
    """The outbox delivers in order, so critical ones go in first."""
    kinds = {INFO: Kind.NO_EXPOSURE, CRITICAL: Kind.MARGIN, WARNING: Kind.DRIFT}
    _, messages = step([], [finding(kind, severity) for severity, kind in kinds.items()])
    assert [message.severity for message in messages] == [CRITICAL, WARNING, INFO]


@pytest.mark.parametrize("kind", [LOUD, QUIET])
def test_keeps_firing_for_as_long_as_its_kind_does(kind: Kind) -> None:
    """With `keep_firing_for` it is over only after so long without, and since the moment it was seen to be good."""
    life = Life(kind, rules=AlertRules(keep={kind: 3 * MINUTE}))
    assert life.said(WARNING, None, None, None) == ["firing", "", "", ""]
    assert life.said(WARNING, None, None, None) == ["", "", "", ""], "seen again, its time begins anew"
    (message,) = life.cycle(None)
    assert message.kind is MessageKind.RESOLVED
    assert life.alert.resolved_at == life.now - 3 * MINUTE


def test_severity_falls_after_it_was_lower_for_long_enough() -> None:
    """A margin on the threshold stays critical; one that stays below it for ten minutes is a warning again."""
    life = Life()
    life.said(CRITICAL, *[WARNING, CRITICAL] * 5)
    assert life.alert.severity is CRITICAL
    life.said(*[WARNING] * 10)
    assert life.alert.severity is CRITICAL
    life.cycle(WARNING)
    assert life.alert.severity is WARNING


def test_missing_data_makes_nothing_less_severe() -> None:
    """Minutes without figures are no minutes below."""
    life = Life()
    life.said(CRITICAL, *[WARNING] * 9, UNKNOWN, *[WARNING] * 9)
    assert life.alert.severity is CRITICAL


def test_a_repeat_in_between_says_the_severity_that_holds() -> None:
    """Within those ten minutes the alert is as bad as it was, and repeats at that pace."""
    life = Life()
    life.said(CRITICAL)
    life.cycle(WARNING, after=HOUR - MINUTE)
    (message,) = life.cycle(WARNING)
    assert (message.kind, message.severity) == (MessageKind.REPEAT, CRITICAL)


def test_numbers_are_no_part_of_the_key() -> None:
    """The same condition with other figures is the same alert, with the newest figures."""
    alerts, _ = step([], [finding(drift=Decimal("-0.09"))])
    (alert,), messages = step(alerts, [finding(drift=Decimal("-0.11"))])
    assert messages == ()
    assert alert.values == {"drift": Decimal("-0.11")}


def test_of_two_alerts_with_one_key_the_living_counts() -> None:
    """A store may still hold the ended event beside the new one."""
    (ended,), _ = step([], [finding()])
    ended = replace(ended, state=AlertState.RESOLVED, resolved_at=T0, closed_as="resolved", event_id="old")
    (living,), _ = step([], [finding()])
    for order in ([ended, living], [living, ended]):
        (alert,), messages = step(order, [finding()])
        assert (alert.event_id, messages) == (living.event_id, ())


def test_the_order_of_the_cycle_stands_in_the_drift_message() -> None:
    """Drift's message says what hedged does about it; other kinds of the same hedge do not."""
    _, messages = step([], [finding(QUIET), finding(Kind.NO_EXPOSURE)], orders={"alts": "hedged sells 0.4 contracts."})
    assert ["hedged sells 0.4 contracts." in message.body for message in messages] == [True, False]


def step(
    alerts: Iterable[Alert],
    findings: Iterable[Finding],
    now: datetime = T0,
    new_id: Callable[[], str] | None = None,
    orders: dict[str, str] | None = None,
) -> tuple[tuple[Alert, ...], tuple[Message, ...]]:
    return advance(
        list(alerts),
        list(findings),
        frozenset(),
        lambda _kind, _subject: True,
        frozenset(),
        AlertRules(),
        now,
        new_id or CountingIds().new,
        orders=orders,
    )


def test_events_are_told_each_time_and_never_as_over() -> None:
    """A position closed three times within the hour is three messages, and none of them says that it is over."""
    closed = Finding(Kind.POSITION_CLOSED, "main:ETH/USDT:USDT", Severity.CRITICAL, "gone")
    alerts: tuple[Alert, ...] = ()
    told = []
    now = T0
    for _ in range(3):
        for findings in ([closed], [], []):
            now += timedelta(minutes=1)
            after, messages = advance(
                alerts,
                findings,
                frozenset(),
                lambda _kind, _subject: True,
                frozenset(),
                AlertRules(),
                now,
                lambda: "e" * 24,
            )
            alerts = (*(a for a in alerts if a.key not in {b.key for b in after}), *after)
            told += [message.kind for message in messages]
    assert told == [MessageKind.FIRING] * 3
