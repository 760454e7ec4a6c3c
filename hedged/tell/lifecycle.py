"""The life of an alert, pure: what was found this cycle → what is firing now, and what is said about it.

An alert's key is kind + subject, never a number. Its life is the table `LIFE`; `_news` is the other half, which
decides whether a step is worth a message. Everything that either needs is in the `Alert` itself, so a restart
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
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.grouping import News, due_groups
from hedged.tell.message import compose, compose_group
from hedged.tell.quiet import Attention, acknowledged, firing_now, inhibited_by, protected, silenced_by
from hedged.tell.templates import Template


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

TOLD_BEFORE = 8
"""How many earlier messages of groups are remembered, so that an answer to one of them still finds the alert."""

ENDS = frozenset({MessageKind.RESOLVED, MessageKind.REMOVED})

QUIET = frozenset({Kind.DRIFT, Kind.ASSET_UNCOVERED, Kind.NO_EXPOSURE, Kind.CYCLE_MISSED, Kind.CYCLE_OVERRUN})
"""Kinds that hedged puts right by itself, or that are over as soon as they are seen."""

ORDERED = frozenset({Kind.DRIFT, Kind.ROLL})
"""Kinds whose messages say what was ordered about them."""

EVENTS = frozenset(
    {
        Kind.POSITION_CLOSED,
        Kind.POSITION_REDUCED,
        Kind.ORDER_RECOVERED,
        Kind.PROPOSAL,
        Kind.PROPOSAL_VOID,
        Kind.FOREIGN_ORDER,
        Kind.COMMANDS_DROPPED,
    }
)
"""Kinds that happen rather than last: told when they happen, and never told to be over."""

SWITCHED = frozenset({Kind.PAUSED, Kind.PAUSED_DUE, Kind.HALTED, Kind.FENCED})
"""Kinds that somebody switches on and off: over as soon as they are, however often they come back."""

REPEAT: Mapping[Severity, timedelta] = {
    Severity.INFO: timedelta(hours=24),
    Severity.WARNING: timedelta(hours=4),
    Severity.CRITICAL: timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class AlertRules:
    """How patient and how talkative alerts are. Every severity needs a repeat interval."""

    hold: Mapping[Kind, timedelta] = field(default_factory=dict)  # `for`: pending this long first; absent: 0
    keep: Mapping[Kind, timedelta] = field(default_factory=dict)  # fires on for this long after it was found last
    repeat: Mapping[Severity, timedelta] = field(default_factory=lambda: dict(REPEAT))
    settle: timedelta = timedelta(hours=1)  # how long one that came back must stay away before it is over
    quiet: frozenset[Kind] = QUIET  # kinds that come back without a message within the repeat interval
    lower_after: timedelta = timedelta(minutes=10)  # how long it must be found less severe before it is
    group_interval: timedelta = timedelta(minutes=1)  # between two messages about one kind
    further_after: timedelta | None = None  # a critical one unacknowledged for so long goes to further channels
    confirm_within: timedelta | None = None  # and one that no channel has confirmed for so long; None: none can
    templates: Mapping[Kind, Template] = field(default_factory=dict)  # the user's own words


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
    cycle = _Cycle(undetermined, configured, order_trouble, rules, now, attention or Attention(), orders or {})
    known = _newest_by_key(alerts)
    found = _worst_by_key(findings)
    steps = [
        step
        for key in sorted(known.keys() | found.keys())
        if (step := _step(key, known.get(key), found.get(key), cycle, new_event_id)) is not None
    ]
    after = {step.alert.event_id: step.alert for step in steps}
    firing = firing_now(after.values())
    news = [each for step in steps if (each := _worth_telling(step, firing, cycle)) is not None]
    last_told = _last_told(known.values(), now)
    messages: list[Message] = []
    for group, ready in due_groups(news, last_told, rules.group_interval, now):
        if not ready:
            owed = ((each.alert, _owed(each.kind)) for each in group)
            after.update({alert.event_id: replace(alert, owed=kind or alert.owed) for alert, kind in owed})
            continue
        message = _message(group, cycle, new_event_id)
        after.update({each.alert.event_id: _told(each.alert, each.kind, message, now) for each in group})
        messages.append(message)
    messages.sort(key=lambda message: -message.severity.rank)
    return tuple(after.values()), tuple(messages)


@dataclass(frozen=True, slots=True)
class _Cycle:
    """What is the same for every alert in one cycle."""

    undetermined: frozenset[str]
    configured: Callable[[Kind, str], bool]
    order_trouble: frozenset[str]
    rules: AlertRules
    now: datetime
    attention: Attention
    orders: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Step:
    """Where one alert went in this cycle."""

    before: Alert | None
    alert: Alert
    observed: Observed


def _step(
    key: str, known: Alert | None, finding: Finding | None, cycle: _Cycle, new_event_id: Callable[[], str]
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


def _observe(key: str, alert: Alert | None, finding: Finding | None, cycle: _Cycle) -> Observed:
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
    settles = alert.kind not in cycle.rules.quiet | SWITCHED and _came_back(alert) and _believed_firing(alert)
    wait = max(cycle.rules.keep.get(alert.kind, timedelta(0)), cycle.rules.settle if settles else timedelta(0))
    return Observed.GOOD if away >= wait else Observed.LULL


def _found(alert: Alert, finding: Finding, state: AlertState, cycle: _Cycle) -> Alert:
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


def _worth_telling(step: _Step, firing: Collection[tuple[Kind, str]], cycle: _Cycle) -> News | None:
    """What to say of the alert now, unless somebody or something keeps it quiet."""
    alert = step.alert
    kind = _news(step.before, alert, step.observed, cycle) or _still_owed(alert)
    if kind is None:
        return None
    if kind not in ENDS:
        attention = cycle.attention
        if silenced_by(alert, attention.silences, cycle.now) or inhibited_by(alert, firing):
            return None
        seen = acknowledged(alert, attention.acknowledgements, cycle.now) is not None
        another = _is_another_proposal(step.before, alert) or (alert.kind is Kind.PROPOSAL and alert.owed is not None)
        if seen and kind is MessageKind.REPEAT and not protected(alert) and not another:
            return None
    order = cycle.orders.get(alert.key) or (cycle.orders.get(alert.subject) if alert.kind in ORDERED else None)
    return News(alert, kind, order=order, unknown=step.observed is Observed.UNKNOWN)


def _news(before: Alert | None, alert: Alert, observed: Observed, cycle: _Cycle) -> MessageKind | None:
    """What to say about the step just taken, if anything."""
    believed_firing = before is not None and _believed_firing(before)
    if alert.state is _R:
        if not believed_firing or alert.kind in EVENTS:
            return None
        return MessageKind.REMOVED if alert.closed_as == "removed" else MessageKind.RESOLVED
    if alert.state is not _F:
        return None
    risen = alert.told_severity is None or alert.severity.rank > alert.told_severity.rank
    due = alert.told_at is None or cycle.now - alert.told_at >= cycle.rules.repeat[alert.severity]
    if believed_firing:
        if risen:
            return MessageKind.ESCALATED
        if _is_another_proposal(before, alert):
            return MessageKind.REPEAT
        if alert.resolved_at is not None:
            return None
        if _unconfirmed(alert, cycle):
            return MessageKind.UNCONFIRMED
        return MessageKind.REPEAT if due else None
    if observed not in FOUND:
        return None
    troubled = alert.kind is Kind.DRIFT and alert.subject in cycle.order_trouble
    loud = alert.kind not in cycle.rules.quiet or risen or due or troubled
    return MessageKind.FIRING if loud else None


def _is_another_proposal(before: Alert | None, alert: Alert) -> bool:
    """The one that people were told of cannot be approved any more, and not because nobody answered it."""
    if alert.kind is not Kind.PROPOSAL or before is None or alert.values.get("renewed"):
        return False
    return before.values.get("ids") != alert.values.get("ids")


def _unconfirmed(alert: Alert, cycle: _Cycle) -> bool:
    """It is critical, was told so, and nobody has shown to know of it: time for the further channels."""
    rules, attention = cycle.rules, cycle.attention
    if rules.further_after is None or alert.further_at is not None or alert.severity is not Severity.CRITICAL:
        return False
    if alert.told_at is None or acknowledged(alert, attention.acknowledgements, cycle.now) is not None:
        return False
    if cycle.now - (alert.risen_at or alert.told_at) >= rules.further_after:
        return True
    waited = rules.confirm_within is not None and cycle.now - alert.told_at >= rules.confirm_within
    return waited and alert.told_in not in attention.reached


def _owed(kind: MessageKind) -> MessageKind | None:
    """What has to be remembered while it is held back; the rest is found anew in the next cycle."""
    if kind in ENDS or kind is MessageKind.REPEAT:  # of another proposal, perhaps, which in the next cycle is no news
        return kind
    return MessageKind.FIRING if kind in {MessageKind.FIRING, MessageKind.PASSED} else None


def _still_owed(alert: Alert) -> MessageKind | None:
    """What an earlier cycle had to say and held back."""
    if alert.owed is MessageKind.FIRING and alert.kind not in EVENTS:
        return {_F: MessageKind.FIRING, _R: MessageKind.PASSED}.get(alert.state)
    if alert.owed is MessageKind.REPEAT:
        return MessageKind.REPEAT if alert.state is _F else None
    return alert.owed


def _message(group: Sequence[News], cycle: _Cycle, new_event_id: Callable[[], str]) -> Message:
    further = any(each.alert.further_at is not None or each.kind is MessageKind.UNCONFIRMED for each in group)
    template = cycle.rules.templates.get(group[0].alert.kind)
    if len(group) == 1:
        only = group[0]
        message = compose(only.alert, only.kind, cycle.now, order=only.order, unknown=only.unknown, template=template)
    else:
        message = compose_group(group, new_event_id(), cycle.now)
    return replace(message, further=further)


def _told(alert: Alert, news: MessageKind, message: Message, now: datetime) -> Alert:
    """The alert after this message: `told_severity` and `closed_as` are what people now believe."""
    grouped = () if alert.told_in in {None, alert.event_id, message.event_id} else (str(alert.told_in),)
    before = (*alert.told_before, *grouped)[-TOLD_BEFORE:]
    told = replace(alert, told_at=now, told_in=message.event_id, told_before=before, owed=None)
    if alert.state is _R:
        return told
    risen = alert.told_severity is None or alert.severity.rank > alert.told_severity.rank
    return replace(
        told,
        told_severity=alert.severity,
        closed_as=None,
        risen_at=now if risen else alert.risen_at,
        further_at=alert.further_at or (now if news is MessageKind.UNCONFIRMED else None),
    )


def _last_told(alerts: Iterable[Alert], now: datetime) -> dict[Kind, datetime]:
    """When each kind was told last. What was told at a time to come holds nothing back: the clock was ahead then."""
    last: dict[Kind, datetime] = {}
    for alert in alerts:
        if alert.told_at is not None and alert.told_at <= now:
            last[alert.kind] = max(alert.told_at, last.get(alert.kind, alert.told_at))
    return last


def _believed_firing(alert: Alert) -> bool:
    """People were told that it fires, and nothing since. One that came back quietly still carries its told end."""
    return alert.told_severity is not None and (alert.closed_as is None or alert.owed in ENDS)


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


def _newest_by_key(alerts: Iterable[Alert]) -> dict[str, Alert]:
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
