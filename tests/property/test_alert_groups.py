"""Groups, silences and acknowledgements under any sequence of cycles: quiet, and nothing lost."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from hedged.adapters.store.rows import from_text, to_text
from hedged.model.alert import Acknowledgement, Alert, AlertState, Message, MessageKind, Silence
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.lifecycle import advance
from hedged.tell.quiet import Attention, protected
from hedged.tell.rules import AlertRules
from tests.support import T0, CountingIds

KINDS = (Kind.MARGIN, Kind.NOT_TRADING)
KEYS = tuple((kind, subject) for kind in KINDS for subject in "abc")
RULES = AlertRules(group_interval=timedelta(minutes=1))
OVER = {MessageKind.RESOLVED, MessageKind.REMOVED}

seen = st.sampled_from([None, None, None, *Severity])
steps = st.sampled_from([timedelta(seconds=5)] * 6 + [timedelta(seconds=40), timedelta(minutes=3), timedelta(hours=2)])


class Groups(RuleBasedStateMachine):
    """What a reader of all messages knows, against what there was."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = T0
        self.kept: dict[str, str] = {}  # as a store keeps them
        self.ids = CountingIds()
        self.silences: list[Silence] = []
        self.acknowledged: dict[str, Acknowledgement] = {}
        self.last: dict[str, datetime] = {}  # kind → its last message
        self.firing: dict[str, bool] = defaultdict(bool)
        self.heard: set[str] = set()
        self.muted: set[str] = set()  # event ids that were covered by a silence at some time
        self.findings: list[Finding] = []

    @property
    def alerts(self) -> list[Alert]:
        return [from_text(Alert, text) for text in self.kept.values()]

    @rule(step=steps, states=st.tuples(*[seen] * len(KEYS)))
    def cycle(self, step: timedelta, states: tuple[Severity | None, ...]) -> None:
        found = [
            Finding(kind, subject, severity, f"{subject}.")
            for (kind, subject), severity in zip(KEYS, states, strict=True)
            if severity is not None
        ]
        self.look(step, found)

    def look(self, step: timedelta, found: list[Finding]) -> None:
        self.now += step
        attention = Attention(self.silences, self.acknowledged)
        after, messages = advance(
            self.alerts, found, frozenset(), lambda _kind, _subject: True, frozenset(), RULES, self.now, self.ids.new,
            attention=attention,
        )  # fmt: skip
        self.kept.update({alert.event_id: to_text(alert) for alert in after})
        told = {alert.key: alert for alert in after}
        silent = [each for each in self.silences if each.ends_at > self.now]
        for alert in after:
            if silent and not protected(alert):
                self.muted.add(alert.event_id)
        for message in messages:
            self.hear(message, told)
        for key, alert in told.items():
            loud = alert.severity is Severity.CRITICAL and (protected(alert) or not silent)
            if (
                loud
                and alert.state is AlertState.FIRING
                and alert.resolved_at is None
                and key in {f.key for f in found}
            ):
                assert self.firing[key], "a critical one was not told in its own cycle"

    @rule(lasts=st.sampled_from([timedelta(minutes=1), timedelta(hours=1)]))
    def silence(self, lasts: timedelta) -> None:
        self.silences = [Silence("s", "*", self.now, self.now + lasts, "ann")]

    @rule()
    def acknowledge(self) -> None:
        firing = [alert for alert in self.alerts if alert.state is AlertState.FIRING]
        self.acknowledged.update({each.event_id: Acknowledgement(each.event_id, "ann", self.now) for each in firing})

    def hear(self, message: Message, told: dict[str, Alert]) -> None:
        kind = message.key.partition("/")[0]
        urgent = any(
            each.severity is Severity.CRITICAL and each.kind in {MessageKind.FIRING, MessageKind.ESCALATED}
            for each in message.alerts
        )
        if kind in self.last and not urgent:
            assert self.now - self.last[kind] >= RULES.group_interval, "two messages about one kind within the interval"
        self.last[kind] = self.now
        assert len({each.key for each in message.alerts}) == len(message.alerts), "twice in one message"
        silent = any(each.ends_at > self.now for each in self.silences)
        for each in message.alerts:
            alert = told[each.key]
            self.heard.add(each.event_id)
            if silent and each.kind not in OVER:
                assert protected(alert), "told in a silence"
            if each.kind is MessageKind.REPEAT and each.event_id in self.acknowledged:
                said = self.acknowledged[each.event_id]
                assert protected(alert) or (alert.risen_at or said.at) > said.at, (
                    "repeated although it was acknowledged"
                )
            if each.kind is MessageKind.PASSED:
                assert not self.firing[each.key], "passed, and it was said to fire"
                continue
            assert (each.kind is MessageKind.FIRING) is not self.firing[each.key], "firing and the end do not alternate"
            self.firing[each.key] = each.kind not in OVER

    def teardown(self) -> None:
        """In the end all is quiet for two hours: then all that ever fired was told, and is believed to be over."""
        self.silences = []
        for _ in range(4):
            self.look(timedelta(hours=2), [])
        fired = {alert.event_id for alert in self.alerts if alert.fired_at is not None}
        assert fired - self.muted <= self.heard, "something that fired was never told"
        assert not any(self.firing.values()), "what is over is believed to last"


Groups.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestGroups = Groups.TestCase
