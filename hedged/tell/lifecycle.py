"""The life of an alert, pure: what was found this cycle → what is firing now, and what is said about it.

An alert's key is kind + subject, never a number. Its life is the table `LIFE`; `hedged.tell.news` is the other half,
which decides whether a step is worth a message. Everything that either needs is in the `Alert` itself, so a restart
between two cycles changes nothing.

What people believe is what they were told last. Rules that keep that belief right and quiet:

- The first firing is told at once, its first end too. In what is told of one key, firing and resolved alternate.
- While it fires: escalated at once when severity rises above what was told, a repeat after each repeat interval,
  nothing when severity falls. It falls once the alert was found less severe for `AlertRules.lower_after`.
- An alert that fires again within the repeat interval after its end is the same event, with the same event id.
  Kinds in `AlertRules.quiet` (drift: trading to the nearest edge leaves the ratio *on* the edge) come back and end
  again without a word until the interval since the last message is over, unless severity rises or the order of the
  hedge was refused or failed.
  Every other kind is told when it comes back, because nobody may believe an account to be fine that is not; from
  then on it is not over before it has stayed away for `AlertRules.settle`. So neither sort gives a message a flap.
- What goes at the same time about one kind is one message, and the next one of that kind comes a group interval later
  at the earliest. What is held back that long is owed: it is told then, also where it is over by then. A critical one
  goes at once, and takes along what its group is owed.
- Silences, acknowledgements and alerts that explain others (`hedged.tell.quiet`) hold back firings and repeats, never
  the end of what was told, and nothing that is protected.
- A critical one that nobody acknowledges goes to the further channels after `AlertRules.further_after`; or as soon as
  no channel has confirmed its delivery in time.
- Data that is missing proves nothing: such an alert neither fires anew nor ends. A subject that left the
  configuration ends as `removed`.
- Where a stored time lies in the future (the wall clock was set back) the latest one counts as now: what is to come
  comes late, never early, and is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.finding import Finding, Kind
from hedged.tell.grouping import News, due_groups
from hedged.tell.news import ENDS, after_telling, believed_firing, message_about, to_remember, told_last, worth_telling
from hedged.tell.quiet import Attention, firing_now
from hedged.tell.rules import EVENTS, SWITCHED, AlertRules, Cycle


class Observed(Enum):
    """What one cycle saw of one key."""

    SEEN = auto()  # found, but not yet for as long as its `for`
    HELD = auto()  # found for that long
    LULL = auto()  # not found, but it has not stayed away for long enough
    GOOD = auto()  # not found, on fresh good data
    UNKNOWN = auto()  # its data is missing
    REMOVED = auto()  # its subject is no longer in the configuration


_P, _F, _R = AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED

LIFE: Mapping[AlertState | None, Mapping[Observed, AlertState | None]] = {
    # from    SEEN  HELD  LULL   GOOD   UNKNOWN   REMOVED
    None: dict(zip(Observed, (_P, _F, None, None, None, None), strict=True)),
    _P: dict(zip(Observed, (_P, _F, _R, _R, _P, _R), strict=True)),
    _F: dict(zip(Observed, (_F, _F, _F, _R, _F, _R), strict=True)),
    _R: dict(zip(Observed, (_P, _F, _R, _R, _R, _R), strict=True)),
}

FOUND = frozenset({Observed.SEEN, Observed.HELD})


def advance(  # noqa: PLR0917 - one cycle's whole knowledge; a bundle would only be unpacked again
    alerts: Sequence[Alert],
    findings: Sequence[Finding],
    undetermined: frozenset[str],
    configured: Callable[[Kind, str], bool],
    order_trouble: frozenset[str],
    rules: AlertRules,
    now: datetime,
    new_event_id: Callable[[], str],
    *,
    orders: Mapping[str, str] | None = None,
    attention: Attention | None = None,
) -> tuple[tuple[Alert, ...], tuple[Message, ...]]:
    """One cycle's step of every alert.

    `alerts`: those pending or firing, and the resolved that may still reopen. `undetermined`: keys whose data is
    missing; a finding with such a key is not believed. `configured(kind, subject)`: False once the subject is gone.
    `order_trouble`: names of hedges whose order was refused or failed. `orders`: hedge, or key → what was ordered
    about it this cycle, in a sentence.

    Returns the alerts that are pending or firing, and those that ended now or were told now; and the messages, most
    severe first.
    """
    cycle = Cycle(undetermined, configured, order_trouble, rules, now, attention or Attention(), orders or {})
    known = newest_by_key(alerts)
    found = _worst_by_key(findings)
    steps = [
        step
        for key in sorted(known.keys() | found.keys())
        if (step := _step(key, known.get(key), found.get(key), cycle, new_event_id)) is not None
    ]
    after = {step.alert.event_id: step.alert for step in steps}
    firing = firing_now(after.values())
    news = [each for step in steps if (each := _news_of(step, firing, cycle)) is not None]
    last_told = told_last(known.values(), now)
    messages: list[Message] = []
    for group, ready in due_groups(news, last_told, rules.group_interval, now):
        if not ready:
            owed = ((each.alert, to_remember(each.kind)) for each in group)
            after.update({alert.event_id: replace(alert, owed=kind or alert.owed) for alert, kind in owed})
            continue
        message = message_about(group, cycle, new_event_id)
        after.update({each.alert.event_id: after_telling(each.alert, each.kind, message, now) for each in group})
        messages.append(message)
    messages.sort(key=lambda message: -message.severity.rank)
    return tuple(after.values()), tuple(messages)


@dataclass(frozen=True, slots=True)
class _Step:
    """Where one alert went in this cycle."""

    before: Alert | None
    alert: Alert
    observed: Observed


def _news_of(step: _Step, firing: Collection[tuple[Kind, str]], cycle: Cycle) -> News | None:
    found, unknown = step.observed in FOUND, step.observed is Observed.UNKNOWN
    return worth_telling(step.before, step.alert, firing, cycle, found=found, unknown=unknown)


def _step(
    key: str, known: Alert | None, finding: Finding | None, cycle: Cycle, new_event_id: Callable[[], str]
) -> _Step | None:
    """The alert in its next state; None where there is none and nothing left to say of it."""
    before = _before(known, finding, cycle.rules, cycle.now)
    observed = _observe(key, before, finding, cycle)
    state = LIFE[before.state if before else None][observed]
    if state is None:
        return None
    if finding is not None and observed in FOUND:
        born = before or _born(finding, cycle.now, new_event_id())
        return _Step(before, _found(born, finding, state, cycle), observed)
    if before is None:
        return None
    if before.state is _R:  # ended in an earlier cycle and is still over
        return _Step(before, before, observed) if before.owed is not None else None
    return _Step(before, _not_found(before, observed, state, cycle.now), observed)


def _observe(key: str, alert: Alert | None, finding: Finding | None, cycle: Cycle) -> Observed:
    if finding is None and alert is not None and not cycle.configured(alert.kind, alert.subject):
        return Observed.REMOVED
    if key in cycle.undetermined:
        return Observed.UNKNOWN
    if finding is not None:
        since = alert.since if alert is not None and alert.state is not _R else None
        hold = cycle.rules.hold.get(finding.kind, timedelta(0))
        return Observed.HELD if cycle.now - (since or cycle.now) >= hold else Observed.SEEN
    if alert is None or alert.state is not _F or alert.kind in EVENTS:
        return Observed.GOOD
    away = cycle.now - (alert.resolved_at or cycle.now)
    settles = alert.kind not in cycle.rules.quiet | SWITCHED and _came_back(alert) and believed_firing(alert)
    wait = max(cycle.rules.keep.get(alert.kind, timedelta(0)), cycle.rules.settle if settles else timedelta(0))
    return Observed.GOOD if away >= wait else Observed.LULL


def _found(alert: Alert, finding: Finding, state: AlertState, cycle: Cycle) -> Alert:
    """The alert in its next state, with this cycle's figures; what was told of it is left as it was."""
    now = cycle.now
    lower = alert.state is _F and finding.severity.rank < alert.severity.rank
    lower_since = (alert.lower_since or now) if lower else None
    falls = lower_since is None or now - lower_since >= cycle.rules.lower_after
    alert = _end_unsaid(alert)
    return replace(
        alert,
        state=state,
        severity=finding.severity if falls else alert.severity,
        lower_since=None if falls else lower_since,
        text=finding.text,
        values=finding.values,
        since=now if alert.state is _R else alert.since,
        fired_at=alert.fired_at or now if state is _F else alert.fired_at,
        resolved_at=None if state is _F else alert.resolved_at,
    )


def _end_unsaid(alert: Alert) -> Alert:
    """Where its end is still owed it comes back as if it had not ended: that is what people believe."""
    if alert.state is _R and alert.owed in ENDS:
        return replace(alert, state=_F, owed=None, closed_as=None)
    return alert


def _not_found(alert: Alert, observed: Observed, state: AlertState, now: datetime) -> Alert:
    """The alert in its next state, with the last known figures."""
    if state is _R:
        ended = "removed" if observed is Observed.REMOVED else "resolved"
        owed = None if alert.owed is MessageKind.REPEAT else alert.owed
        over = alert.resolved_at or now
        return replace(alert, state=_R, resolved_at=over, closed_as=ended, lower_since=None, owed=owed)
    if observed is Observed.LULL:
        return replace(alert, resolved_at=alert.resolved_at or now)
    return replace(alert, lower_since=None)


def _came_back(alert: Alert) -> bool:
    """It fires in a later life than the first of its event."""
    return alert.fired_at is not None and alert.since is not None and alert.since > alert.fired_at


def _before(alert: Alert | None, finding: Finding | None, rules: AlertRules, now: datetime) -> Alert | None:
    """The alert that this cycle continues; None where a finding begins a new event."""
    if alert is None:
        return None
    alert = _not_in_the_future(alert, now)
    if alert.state is not _R or finding is None or alert.owed is not None:
        return alert
    if alert.told_at is None or alert.resolved_at is None or alert.closed_as == "removed":
        return None
    return alert if now - alert.resolved_at < rules.repeat[finding.severity] else None


def _born(finding: Finding, now: datetime, event_id: str) -> Alert:
    return Alert(
        key=finding.key,
        kind=finding.kind,
        subject=finding.subject,
        severity=finding.severity,
        state=_P,
        event_id=event_id,
        text=finding.text,
        values=finding.values,
        since=now,
    )


def newest_by_key(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """One alert a key: the live one, else the one that ended last."""

    def age(alert: Alert) -> tuple[bool, float]:
        return alert.state is not _R, alert.resolved_at.timestamp() if alert.resolved_at else 0.0

    return {alert.key: alert for alert in sorted(alerts, key=age)}


def _worst_by_key(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.key: finding for finding in sorted(findings, key=lambda finding: finding.severity.rank)}


def _not_in_the_future(alert: Alert, now: datetime) -> Alert:
    """All its times moved back together, to just before `now`, so that their order and distances stay."""
    times = {name: time for name in _TIMES if (time := getattr(alert, name)) is not None}
    ahead = max(times.values(), default=now) - now + timedelta.resolution
    if ahead <= timedelta(0):
        return alert
    moved: dict[str, Any] = {name: time - ahead for name, time in times.items()}
    return replace(alert, **moved)


_TIMES = ("since", "fired_at", "resolved_at", "told_at", "lower_since", "risen_at", "further_at")
