"""Many alerts of one kind: how many messages, when, and that none is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from hedged.model.alert import Acknowledgement, Alert, AlertState, Message, MessageKind, Silence
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.lifecycle import advance
from hedged.tell.quiet import Attention, covers
from hedged.tell.rules import AlertRules
from hedged.tell.templates import Template
from tests.support import T0, CountingIds

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


class Lives:
    """Alerts as a store keeps them, fed one cycle at a time."""

    def __init__(self, rules: AlertRules | None = None) -> None:
        self.rules = rules or AlertRules()
        self.ids = CountingIds()
        self.alerts: dict[str, Alert] = {}
        self.now: datetime = T0
        self.attention = Attention()

    def cycle(
        self, *found: Finding, after: timedelta = SECOND, undetermined: frozenset[str] = frozenset()
    ) -> list[Message]:
        self.now += after
        alerts, messages = advance(
            list(self.alerts.values()), found, undetermined, lambda _kind, _subject: True, frozenset(), self.rules,
            self.now, self.ids.new, attention=self.attention,
        )  # fmt: skip
        self.alerts.update({alert.event_id: alert for alert in alerts})
        return list(messages)

    def silence(self, pattern: str, lasts: timedelta = HOUR) -> None:
        self.attention = Attention(silences=[Silence("s", pattern, self.now, self.now + lasts, "ann")])

    def acknowledge(self, key: str, *, until: datetime | None = None) -> None:
        (event,) = [each.event_id for each in self.alerts.values() if each.key == key]
        self.attention = Attention(acknowledgements={event: Acknowledgement(event, "ann", self.now, until)})


def drift(subject: str = "alts", severity: Severity = WARNING, kind: Kind = Kind.DRIFT) -> Finding:
    return Finding(kind, subject, severity, f"{subject} is under-hedged.")


def parts(messages: Sequence[Message]) -> list[str]:
    return [f"{told.kind.value} {told.key.partition('/')[2]}" for message in messages for told in message.alerts]


def test_ten_drifting_hedges_are_one_message() -> None:
    """A line each, all named with their own event ids, under an id of the message's own."""
    lives = Lives()
    (message,) = lives.cycle(*(drift(f"h{n}") for n in range(10)))
    assert message.title == "Warning: 10 alerts, drift: h0, h1, h2 and 7 more"
    assert message.body.splitlines()[:2] == ["- h0 is under-hedged.", "- h1 is under-hedged."]
    assert {told.event_id for told in message.alerts} == {alert.event_id for alert in lives.alerts.values()}
    assert message.event_id not in lives.alerts


def test_a_group_goes_by_the_users_templates() -> None:
    """Both the template of groups and, for its lines, that of the kind; one alert by itself has the kind's alone."""
    lives = Lives(
        AlertRules(
            templates={Kind.DRIFT: Template(text="{subject}!\nbody")},
            group_template=Template(text="{count} at once\n{lines}"),
        )
    )
    (message,) = lives.cycle(drift("a"), drift("b"))
    assert (message.title, message.body) == ("2 at once", "- a! body\n- b! body")
    (single,) = lives.cycle(drift("a"), drift("b"), drift("c"), after=MINUTE)
    assert (single.title, single.body) == ("c!", "body")


def test_what_follows_within_the_interval_waits_for_the_next_message() -> None:
    """One message a kind and interval; what is owed is said then, with whatever happened meanwhile."""
    lives = Lives()
    assert parts(lives.cycle(drift("a"))) == ["firing a"]
    assert lives.cycle(drift("a"), drift("b")) == []
    assert lives.cycle(drift("b"), drift("c"), after=30 * SECOND) == []
    (message,) = lives.cycle(drift("b"), drift("c"), after=29 * SECOND)
    assert sorted(parts([message])) == ["firing b", "firing c", "resolved a"]
    assert message.kind is MessageKind.FIRING
    assert lives.cycle(drift("b"), drift("c"), after=MINUTE) == [], "all is said"


def test_kinds_wait_for_themselves_alone() -> None:
    """A group is a kind: another kind's message holds nothing up."""
    lives = Lives()
    lives.cycle(drift("a"))
    assert parts(lives.cycle(drift("a"), drift("main", kind=Kind.MARGIN))) == ["firing main"]


def test_what_came_and_went_while_it_waited_is_told_as_that() -> None:
    """Nothing that fired is lost; it is neither said to fire nor to have ended something that was said."""
    lives = Lives()
    lives.cycle(drift("a"))
    lives.cycle(drift("a"), drift("b"))
    lives.cycle(drift("a"))
    (message,) = lives.cycle(drift("a"), after=MINUTE)
    assert parts([message]) == ["passed b"]
    assert "It came, and is over since" in message.body
    assert lives.cycle(drift("a"), after=MINUTE) == []


def test_an_event_that_had_to_wait_is_told_all_the_same() -> None:
    """What happens rather than lasts is told as it would have been at once."""
    lives = Lives()
    closed = [Finding(Kind.POSITION_CLOSED, f"main:{coin}/USDT:USDT", WARNING, f"{coin} closed.") for coin in "AB"]
    lives.cycle(closed[0])
    lives.cycle(closed[1])
    lives.cycle()
    assert parts(lives.cycle(after=MINUTE)) == ["firing main:B/USDT:USDT"]


def test_an_end_that_was_not_said_yet_never_was_when_it_fires_again() -> None:
    """People still believe it to fire, and it does."""
    lives = Lives()
    lives.cycle(drift("a", kind=Kind.MARGIN))
    assert lives.cycle() == []
    assert lives.cycle(drift("a", kind=Kind.MARGIN)) == []
    assert lives.cycle(drift("a", kind=Kind.MARGIN), after=MINUTE) == []
    (alert,) = lives.alerts.values()
    assert (alert.state, alert.owed) == (AlertState.FIRING, None)


def test_a_critical_one_goes_at_once_and_takes_the_others_along() -> None:
    """It waits for no interval, and so that it starves nobody what its group is owed goes with it."""
    lives = Lives()
    lives.cycle(drift("a"))
    lives.cycle(drift("a"), drift("b"))
    (message,) = lives.cycle(drift("a"), drift("b"), drift("c", CRITICAL))
    assert parts([message]) == ["firing c", "firing b"]
    assert message.severity is CRITICAL


def test_a_storm_of_500_conditions_is_quiet() -> None:
    """500 conditions flapping every second: one message a kind and interval, and each critical one in its own cycle."""
    lives, told = Lives(), []
    critical_at = {3: "a7", 8: "a9"}
    for second in range(10):
        found = [
            drift(f"a{n}", CRITICAL if critical_at.get(second) == f"a{n}" else WARNING, kind=kind)
            for n in range(250)
            for kind in (Kind.MARGIN, Kind.NOT_TRADING)
            if (second + n) % 2 == 0 or critical_at.get(second) == f"a{n}"
        ]
        messages = lives.cycle(*found)
        told += [(second, message) for message in messages]
    by_kind = {
        kind: [second for second, each in told if each.key.startswith(kind.value)]
        for kind in (Kind.MARGIN, Kind.NOT_TRADING)
    }
    assert by_kind == {Kind.MARGIN: [0, 3, 8], Kind.NOT_TRADING: [0, 3, 8]}
    later = lives.cycle(after=2 * HOUR)
    said = {each.event_id for _, message in [*told, *((0, each) for each in later)] for each in message.alerts}
    assert said == set(lives.alerts), "one of the 500 was never told"


def test_ten_lines_and_the_number_of_the_rest() -> None:
    """A message stays readable; all of them are in its list."""
    (message,) = Lives().cycle(*(drift(f"h{n:03}") for n in range(300)))
    assert "… and 290 more: `hedged alerts` lists them." in message.body
    assert len(message.body.splitlines()) < 15
    assert len(message.alerts) == 300


def test_an_alert_knows_the_messages_that_spoke_of_it() -> None:
    """Those of groups, the last few: whoever answers one of them means it."""
    lives = Lives()
    ids = [lives.cycle(drift("a"), drift("b"), after=4 * HOUR)[0].event_id for _ in range(12)]
    for alert in lives.alerts.values():
        assert (alert.told_in, alert.told_before) == (ids[-1], tuple(ids[-9:-1]))
    alone = Lives()
    for _ in range(3):
        alone.cycle(drift("a"), after=4 * HOUR)
    (alert,) = alone.alerts.values()
    assert (alert.told_in, alert.told_before) == (alert.event_id, ())


# silences, acknowledgements, alerts that explain others


@pytest.mark.parametrize(
    ("pattern", "key", "covered"),
    [
        ("drift/alts", "drift/alts", True),
        ("drift/*", "drift/alts", True),
        ("*/alts", "drift/alts", True),
        ("*", "margin/main", True),
        ("drift/alt", "drift/alts", False),
        ("drift/[a]*", "drift/alts", False),
        ("expiry/main:ETH*", "expiry/main:ETH/USDT:USDT-261225", True),
    ],
)
def test_a_pattern_is_a_key_with_stars(pattern: str, key: str, covered: bool) -> None:
    """No other character has a meaning."""
    assert covers(pattern, key) is covered


def test_a_silence_holds_back_what_fires_until_its_end() -> None:
    """Then what still stands is told; what ended meanwhile was never said to fire."""
    lives = Lives()
    lives.silence("drift/*")
    margin = drift("m", kind=Kind.MARGIN)
    assert parts(lives.cycle(drift("a"), drift("b"), margin)) == ["firing m"]
    assert lives.cycle(drift("a"), margin, after=59 * MINUTE) == []
    assert parts(lives.cycle(drift("a"), margin, after=MINUTE)) == ["firing a"]


def test_the_end_of_what_was_told_is_told_in_a_silence() -> None:
    """Or people would go on believing that it fires."""
    lives = Lives()
    lives.cycle(drift("a"))
    lives.silence("*")
    assert parts(lives.cycle(after=MINUTE)) == ["resolved a"]


@pytest.mark.parametrize(
    ("kind", "severity", "told"),
    [
        (Kind.PAUSED, WARNING, True),
        (Kind.HALTED, CRITICAL, True),
        (Kind.DATA_STALE, WARNING, True),
        (Kind.MARGIN, CRITICAL, True),
        (Kind.MARGIN_ODDS, CRITICAL, True),
        (Kind.LIQUIDATION_NEAR, CRITICAL, True),
        (Kind.MARGIN, WARNING, False),
        (Kind.DATA_MISSING, WARNING, False),
        (Kind.NOT_TRADING, CRITICAL, False),
    ],
)
def test_some_things_nobody_can_silence(kind: Kind, severity: Severity, told: bool) -> None:
    """A pause, a halt, stale data and a critical margin are told, and repeated, whatever was asked for."""
    lives = Lives()
    lives.silence("*", lasts=timedelta(days=30))
    assert bool(lives.cycle(drift("x", severity, kind))) is told
    assert bool(lives.cycle(drift("x", severity, kind), after=24 * HOUR)) is told
    if told:
        lives.acknowledge(f"{kind.value}/x", until=lives.now + timedelta(days=30))
        assert lives.cycle(drift("x", severity, kind), after=24 * HOUR), "put off"


def test_an_acknowledged_alert_is_not_repeated_and_its_end_is_told() -> None:
    """Somebody knows; what changes is news all the same."""
    lives = Lives()
    lives.cycle(drift("a"))
    lives.acknowledge("drift/a")
    assert lives.cycle(drift("a"), after=24 * HOUR) == []
    assert parts(lives.cycle(drift("a", CRITICAL))) == ["escalated a"]
    assert parts(lives.cycle(drift("a", CRITICAL), after=2 * HOUR)) == ["repeat a"], "it was seen as a warning"
    assert parts(lives.cycle(after=MINUTE)) == ["resolved a"]


def test_one_that_was_put_off_comes_back_then() -> None:
    """Snoozed for two hours it is repeated when they are over."""
    lives = Lives()
    lives.cycle(drift("a", CRITICAL))
    lives.acknowledge("drift/a", until=lives.now + 2 * HOUR)
    assert lives.cycle(drift("a", CRITICAL), after=119 * MINUTE) == []
    assert parts(lives.cycle(drift("a", CRITICAL), after=MINUTE)) == ["repeat a"]


def test_the_clock_set_back_ends_silences_and_rests() -> None:
    """What seems to have been said in the future does not keep quiet for a month."""
    lives = Lives()
    lives.cycle(drift("a"))
    lives.acknowledge("drift/a", until=lives.now + HOUR)
    lives.cycle(drift("a"), after=timedelta(days=-30))
    assert parts(lives.cycle(drift("a"), after=4 * HOUR)) == ["repeat a"]
    lives.silence("*")
    lives.now -= timedelta(days=30)
    assert sorted(parts(lives.cycle(drift("m", kind=Kind.NOT_TRADING)))) == ["firing m", "resolved a"]


@pytest.mark.parametrize("kind", [Kind.DATA_STALE, Kind.DATA_MISSING])
def test_missing_data_of_a_hedge_silences_its_drift(kind: Kind) -> None:
    """Its figures are old, and that is told; another hedge's drift is not concerned."""
    lives = Lives()
    lives.cycle(drift("a"), drift("b"))
    messages = lives.cycle(drift("b"), drift("a", kind=kind), after=4 * HOUR, undetermined=frozenset({"drift/a"}))
    assert sorted(parts(messages)) == ["firing a", "repeat b"]
    told = lives.cycle(drift("a"), after=MINUTE)
    assert {message.key: parts([message]) for message in told} == {
        "drift/*": ["repeat a", "resolved b"],
        f"{kind.value}/a": ["resolved a"],
    }


@pytest.mark.parametrize("stop", [Kind.PAUSED, Kind.HALTED])
def test_a_stop_silences_what_it_explains(stop: Kind) -> None:
    """No order is sent, so it is no news that one was refused."""
    lives = Lives()
    messages = lives.cycle(drift("main", kind=stop), drift("a", kind=Kind.ORDER_REFUSED), drift("a"))
    assert sorted(message.key for message in messages) == sorted([f"{stop.value}/main", "drift/a"])
    told = lives.cycle(drift("a", kind=Kind.ORDER_REFUSED), drift("a"), after=MINUTE)
    assert "order_refused/a" in {message.key for message in told}


def proposal(ids: str) -> Finding:
    return Finding(Kind.PROPOSAL, "a", WARNING, f"{ids} waits.", {"ids": ids})


def test_another_proposal_is_told_although_the_first_was_acknowledged_or_is_a_moment_old() -> None:
    """Who has seen one has not seen the other; within the interval it is owed."""
    lives = Lives()
    lives.cycle(proposal("p1"))
    assert lives.cycle(proposal("p2")) == []
    assert parts(lives.cycle(proposal("p2"), after=MINUTE)) == ["repeat a"]
    lives.acknowledge("proposal/a")
    assert lives.cycle(proposal("p2"), after=24 * HOUR) == []
    assert parts(lives.cycle(proposal("p3"))) == ["repeat a"]
    assert lives.cycle(proposal("p4")) == []
    assert parts(lives.cycle(proposal("p4"), after=MINUTE)) == ["repeat a"]
    assert lives.cycle(proposal("p4"), after=24 * HOUR) == []


# further channels

FURTHER = AlertRules(further_after=5 * MINUTE)
CONFIRMING = AlertRules(further_after=5 * MINUTE, confirm_within=MINUTE)


def test_a_critical_one_that_nobody_acknowledges_goes_further() -> None:
    """Once, after the time set; from then on all its messages do, its end too."""
    lives = Lives(FURTHER)
    (first,) = lives.cycle(drift("a", CRITICAL))
    assert not first.further
    assert lives.cycle(drift("a", CRITICAL), after=4 * MINUTE) == []
    (message,) = lives.cycle(drift("a", CRITICAL), after=MINUTE)
    assert (message.kind, message.further, message.event_id) == (MessageKind.UNCONFIRMED, True, first.event_id)
    assert lives.cycle(drift("a", CRITICAL), after=5 * MINUTE) == []
    assert [each.further for each in lives.cycle(drift("a", CRITICAL), after=HOUR)] == [True]
    assert [(each.kind, each.further) for each in lives.cycle(after=MINUTE)] == [(MessageKind.RESOLVED, True)]


def test_an_acknowledged_one_goes_no_further() -> None:
    """Also where it is one that cannot be silenced: a person knows."""
    lives = Lives(FURTHER)
    lives.cycle(drift("a", CRITICAL, Kind.MARGIN))
    lives.acknowledge("margin/a")
    assert lives.cycle(drift("a", CRITICAL, Kind.MARGIN), after=30 * MINUTE) == []


def test_a_warning_goes_no_further() -> None:
    """Only what is critical is worth a second phone."""
    lives = Lives(FURTHER)
    lives.cycle(drift("a"))
    assert lives.cycle(drift("a"), after=30 * MINUTE) == []


def test_one_that_became_critical_waits_from_then_on() -> None:
    """The warning before was no critical alert unheard."""
    lives = Lives(FURTHER)
    lives.cycle(drift("a"))
    lives.cycle(drift("a", CRITICAL), after=30 * MINUTE)
    assert lives.cycle(drift("a", CRITICAL), after=4 * MINUTE) == []
    assert [each.kind for each in lives.cycle(drift("a", CRITICAL), after=MINUTE)] == [MessageKind.UNCONFIRMED]


def test_one_that_no_channel_confirmed_goes_further_sooner() -> None:
    """Where a channel can confirm delivery and has not within the time for it, nobody has been told."""
    lives = Lives(CONFIRMING)
    lives.cycle(drift("a", CRITICAL))
    assert [each.kind for each in lives.cycle(drift("a", CRITICAL), after=MINUTE)] == [MessageKind.UNCONFIRMED]
    heard = Lives(CONFIRMING)
    (message,) = heard.cycle(drift("a", CRITICAL))
    heard.attention = Attention(reached=frozenset({message.event_id}))
    assert heard.cycle(drift("a", CRITICAL), after=4 * MINUTE) == []
    assert [each.kind for each in heard.cycle(drift("a", CRITICAL), after=MINUTE)] == [MessageKind.UNCONFIRMED]
