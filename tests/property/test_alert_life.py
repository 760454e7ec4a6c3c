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
from hedged.tell.lifecycle import REPEAT, AlertRules, advance
from tests.support import T0, CountingIds

UNKNOWN, GONE = "unknown", "gone"
KINDS = (Kind.DRIFT, Kind.MARGIN, Kind.EXPIRY)
KEYS = tuple(f"{kind.value}/x" for kind in KINDS)
RULES = AlertRules(hold={Kind.EXPIRY: timedelta(minutes=3)})

seen = st.sampled_from([None, None, UNKNOWN, GONE, *Severity, *Severity])
steps = st.sampled_from([timedelta(minutes=1)] * 4 + [timedelta(minutes=30), timedelta(hours=5), timedelta(days=2)])


@dataclass
class Told:
    """What a reader of one key's messages knows. Times are hours that really passed."""

    firing: bool = False
    severity: Severity | None = None
    event_id: str = ""
    last: timedelta | None = None
    firings: list[timedelta] = field(default_factory=list)


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

    @rule(days=st.integers(1, 30))
    def set_the_clock_back(self, days: int) -> None:
        self.now -= timedelta(days=days)

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
            told.firing, told.severity = True, message.severity
        told.event_id, told.last = message.event_id, self.passed

    def _not_too_often(self, message: Message, told: Told) -> None:
        new_event = message.event_id != told.event_id
        risen = told.severity is None or message.severity.rank > told.severity.rank
        rested = told.last is None or self.passed - told.last >= REPEAT[message.severity]
        if message.kind is MessageKind.REPEAT:
            assert rested, "repeated within the interval"
        elif message.kind is MessageKind.ESCALATED:
            assert risen, "escalated without rising"
        elif message.key == KEYS[0]:
            assert rested or risen or self.trouble or new_event, "a quiet kind came back aloud"
        else:
            told.firings.append(self.passed)
            within = [at for at in told.firings if self.passed - at < RULES.settle]
            assert len(within) <= 2 or new_event, "a message a flap"

    @invariant()
    def one_living_alert_a_key(self) -> None:
        living = [alert.key for alert in self.steady.values() if alert.state is not AlertState.RESOLVED]
        assert len(living) == len(set(living))

    @invariant()
    def what_was_seen_long_enough_is_known(self) -> None:
        """What fires for a whole interval is believed to fire."""
        for alert in self.steady.values():
            if alert.state is AlertState.FIRING and alert.key != KEYS[0]:
                assert self.told[alert.key].firing


AlertLife.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAlertLife = AlertLife.TestCase
