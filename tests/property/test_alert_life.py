"""The life of alerts under any sequence of cycles, restarts and clocks set back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hedged.adapters.store.rows import from_text, to_text
from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.lifecycle import advance
from hedged.tell.rules import REPEAT, AlertRules
from tests.support import T0, CountingIds

UNKNOWN, GONE = "unknown", "gone"
KINDS = (Kind.DRIFT, Kind.MARGIN, Kind.EXPIRY)
KEYS = tuple(f"{kind.value}/x" for kind in KINDS)
RULES = AlertRules(hold={Kind.EXPIRY: timedelta(minutes=3)}, group_interval=timedelta(0))

seen = st.sampled_from([None, None, UNKNOWN, GONE, *Severity, *Severity])
steps = st.sampled_from([timedelta(minutes=1)] * 4 + [timedelta(minutes=30), timedelta(hours=5), timedelta(days=2)])


@dataclass
class Told:
    """What a reader of one key's messages knows. Times are what really passed, whatever the wall clock says."""

    firing: bool = False
    removed: bool = False  # so a new event may begin at any time
    severity: Severity | None = None
    event_id: str = ""
    last: timedelta | None = None
    cleared: timedelta | None = None  # first good look since it was seen
    firings: list[timedelta] = field(default_factory=list)  # of this event


class AlertLife(RuleBasedStateMachine):
    """Two daemons see the same; one of them is restarted after each cycle."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = T0
        self.passed = timedelta(0)
        self.steady: dict[str, Alert] = {}
        self.restarted: list[str] = []  # as the store keeps them
        self.ids = CountingIds(), CountingIds()
        self.told: dict[str, Told] = defaultdict(Told)
        self.set_back = False

    @rule(step=steps, states=st.tuples(*[seen] * len(KINDS)), trouble=st.booleans())
    def cycle(self, step: timedelta, states: tuple[object, ...], trouble: bool) -> None:
        self.now += step
        self.passed += step
        self.observed = dict(zip(KEYS, states, strict=True))
        self.trouble = trouble
        alerts, messages = self._advance(list(self.steady.values()), 0)
        again, same = self._advance([from_text(Alert, text) for text in self.restarted], 1)
        assert (again, same) == (alerts, messages), "a restart changed what was said"
        self.steady.update({alert.event_id: alert for alert in alerts})
        self.restarted = [to_text(alert) for alert in self.steady.values()]
        for message in messages:
            self._hear(message)
        for key, state in self.observed.items():
            told = self.told[key]
            told.removed |= state == GONE
            if isinstance(state, Severity):
                told.cleared = None
            elif state is None and told.cleared is None:
                told.cleared = self.passed

    @rule(days=st.integers(1, 30))
    def set_the_clock_back(self, days: int) -> None:
        self.now -= timedelta(days=days)
        self.set_back = True  # which of two ended events is the newer can no longer be told

    def _advance(self, alerts: list[Alert], which: int) -> tuple[tuple[Alert, ...], tuple[Message, ...]]:
        return advance(
            alerts,
            [
                Finding(kind, "x", state, f"{kind.value} of x.")
                for kind, state in zip(KINDS, self.observed.values(), strict=True)
                if isinstance(state, Severity)
            ],
            frozenset(key for key, state in self.observed.items() if state == UNKNOWN),
            lambda kind, subject: self.observed[f"{kind.value}/{subject}"] != GONE,
            frozenset({"x"} if self.trouble else ()),
            RULES,
            self.now,
            self.ids[which].new,
        )

    def _hear(self, message: Message) -> None:
        told, state = self.told[message.key], self.observed[message.key]
        opens = message.kind is MessageKind.FIRING
        assert opens is not told.firing, "firing and the end do not alternate"
        if told.firing:
            assert message.event_id == told.event_id, "the event changed its id while it fired"
        if message.kind in {MessageKind.RESOLVED, MessageKind.REMOVED}:
            assert state == (GONE if message.kind is MessageKind.REMOVED else None), "ended without a good look"
            told.firing = False
        else:
            assert isinstance(state, Severity) or message.kind is MessageKind.REPEAT, "told without being seen"
            self._not_too_often(message, told)
            told.firing, told.removed, told.severity = True, False, message.severity
        told.event_id, told.last = message.event_id, self.passed

    def _not_too_often(self, message: Message, told: Told) -> None:
        rested = told.last is None or self.passed - told.last >= REPEAT[message.severity]
        if message.event_id != told.event_id:
            away = not told.event_id or told.cleared is None or self.passed - told.cleared >= REPEAT[message.severity]
            pending = message.key == KEYS[2]  # began earlier, perhaps at another severity
            assert away or told.removed or pending or self.set_back, (
                "a new event for what came back within the interval"
            )
            told.firings = []
            told.severity = None
        risen = told.severity is None or message.severity.rank > told.severity.rank
        if message.kind is MessageKind.REPEAT:
            assert rested, "repeated within the interval"
        elif message.kind is MessageKind.ESCALATED:
            assert risen, "escalated without rising"
        elif message.key == KEYS[0]:
            assert rested or risen or self.trouble, "a quiet kind came back aloud"
        else:
            told.firings.append(self.passed)
            assert sum(self.passed - at < RULES.settle for at in told.firings) <= 2, "a message a flap"

    @invariant()
    def one_living_alert_a_key(self) -> None:
        living = [alert.key for alert in self.steady.values() if alert.state is not AlertState.RESOLVED]
        assert len(living) == len(set(living))

    @invariant()
    def what_fires_is_believed_to_fire(self) -> None:
        """At once; of a quiet kind at the latest when the interval since the last message is over."""
        for alert in self.steady.values():
            told = self.told[alert.key]
            quiet = told.last is not None and self.now - (alert.told_at or T0) < REPEAT[alert.severity]
            if alert.state is AlertState.FIRING and self.observed[alert.key] != UNKNOWN:
                assert told.firing or (alert.key == KEYS[0] and quiet)


AlertLife.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestAlertLife = AlertLife.TestCase
