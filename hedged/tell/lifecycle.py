"""The life of an alert, pure: what was found this cycle → what is firing now, and what is said about it.

An alert's key is kind + subject, never a number. Its life is the table `LIFE`; `_news` is the other half, which
decides whether a step is worth a message. Everything that either needs is in the `Alert` itself, so a restart
between two cycles changes nothing.

What people believe is what they were told last. Rules that keep that belief right and quiet:

- The first firing is told at once, its first end too. In what is told of one key, firing and resolved alternate.
- While it fires: escalated at once when severity rises above what was told, a repeat after each repeat interval,
  nothing when severity falls.
- An alert that fires again within the repeat interval after its end is the same event, with the same event id.
  Kinds in `AlertRules.quiet` (drift: trading to the nearest edge leaves the ratio *on* the edge) come back and end
  again without a word until the interval since the last message is over, unless severity rises or the order of the
  hedge was refused or failed.
  Every other kind is told when it comes back, because nobody may believe an account to be fine that is not; from
  then on it is not over before it has stayed away for `AlertRules.settle`. So neither sort gives a message a flap.
- Data that is missing proves nothing: such an alert neither fires anew nor ends. A subject that left the
  configuration ends as `removed`.
- Where a stored time lies in the future (the wall clock was set back) the latest one counts as now: what is to come
  comes late, never early, and is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.message import compose


class Observed(Enum):
    """What one cycle saw of one key."""

    SEEN = auto()  # found, but not yet for as long as its `for`
    HELD = auto()  # found for that long
    LULL = auto()  # not found, but it has come back before and has not stayed away for long enough
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

REPEAT: Mapping[Severity, timedelta] = {
    Severity.INFO: timedelta(hours=24),
    Severity.WARNING: timedelta(hours=4),
    Severity.CRITICAL: timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class AlertRules:
    """How patient and how talkative alerts are. Every severity needs a repeat interval."""

    hold: Mapping[Kind, timedelta] = field(default_factory=dict)  # `for`: pending this long first; absent: 0
    repeat: Mapping[Severity, timedelta] = field(default_factory=lambda: dict(REPEAT))
    settle: timedelta = timedelta(hours=1)  # how long one that came back must stay away before it is over
    quiet: frozenset[Kind] = QUIET  # kinds that come back without a message within the repeat interval


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
) -> tuple[tuple[Alert, ...], tuple[Message, ...]]:
    """One cycle's step of every alert.

    `alerts`: those pending or firing, and the resolved that may still reopen. `undetermined`: keys whose data is
    missing; a finding with such a key is not believed. `configured(kind, subject)`: False once the subject is gone.
    `order_trouble`: names of hedges whose order was refused or failed. `orders`: hedge, or key → what was ordered
    about it this cycle, in a sentence.

    Returns the alerts that are pending or firing, and those that ended now; and the messages, most severe first.
    """
    cycle = _Cycle(undetermined, configured, order_trouble, rules, now)
    known = _newest_by_key(alerts)
    found = _worst_by_key(findings)
    after: list[Alert] = []
    messages: list[Message] = []
    for key in sorted(known.keys() | found.keys()):
        finding = found.get(key)
        before = _before(known.get(key), finding, rules, now)
        observed = _observe(key, before, finding, cycle)
        state = LIFE[before.state if before else None][observed]
        if state is None:
            continue
        if finding is not None and observed in FOUND:
            alert = _found(before or _born(finding, now, new_event_id()), finding, state, now)
        elif before is None or before.state is _R:
            continue  # never was, or ended in an earlier cycle and is still over
        else:
            alert = _not_found(before, observed, state, now)
        news = _news(before, alert, observed, cycle)
        if news is not None:
            alert = _told(alert, news, now)
            said = orders or {}
            order = said.get(alert.key) or (said.get(alert.subject) if alert.kind in ORDERED else None)
            messages.append(compose(alert, news, now, order=order, unknown=observed is Observed.UNKNOWN))
        after.append(alert)
    messages.sort(key=lambda message: -message.severity.rank)
    return tuple(after), tuple(messages)


@dataclass(frozen=True, slots=True)
class _Cycle:
    """What is the same for every alert in one cycle."""

    undetermined: frozenset[str]
    configured: Callable[[Kind, str], bool]
    order_trouble: frozenset[str]
    rules: AlertRules
    now: datetime


def _observe(key: str, alert: Alert | None, finding: Finding | None, cycle: _Cycle) -> Observed:
    if finding is None and alert is not None and not cycle.configured(alert.kind, alert.subject):
        return Observed.REMOVED
    if key in cycle.undetermined:
        return Observed.UNKNOWN
    if finding is not None:
        since = alert.since if alert is not None and alert.state is not _R else None
        hold = cycle.rules.hold.get(finding.kind, timedelta(0))
        return Observed.HELD if cycle.now - (since or cycle.now) >= hold else Observed.SEEN
    lasting = alert is not None and alert.kind not in cycle.rules.quiet | EVENTS
    if alert is not None and lasting and _came_back(alert) and _believed_firing(alert):
        settled = cycle.now - (alert.resolved_at or cycle.now) >= cycle.rules.settle
        return Observed.GOOD if settled else Observed.LULL
    return Observed.GOOD


def _found(alert: Alert, finding: Finding, state: AlertState, now: datetime) -> Alert:
    """The alert in its next state, with this cycle's figures; what was told of it is left as it was."""
    return replace(
        alert,
        state=state,
        severity=finding.severity,
        text=finding.text,
        values=finding.values,
        since=now if alert.state is _R else alert.since,
        fired_at=alert.fired_at or now if state is _F else alert.fired_at,
        resolved_at=None if state is _F else alert.resolved_at,
    )


def _not_found(alert: Alert, observed: Observed, state: AlertState, now: datetime) -> Alert:
    """The alert in its next state, with the last known figures."""
    if state is _R:
        ended = "removed" if observed is Observed.REMOVED else "resolved"
        return replace(alert, state=_R, resolved_at=alert.resolved_at or now, closed_as=ended)
    if observed is Observed.LULL:
        return replace(alert, resolved_at=alert.resolved_at or now)
    return alert


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
        again = (due and alert.resolved_at is None) or _is_another_proposal(before, alert)
        return MessageKind.REPEAT if again else None
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


def _told(alert: Alert, news: MessageKind, now: datetime) -> Alert:
    """The alert after this message: `told_severity` and `closed_as` are what people now believe."""
    if alert.state is _R:
        return replace(alert, told_at=now)
    return replace(alert, told_at=now, told_severity=alert.severity, closed_as=None)


def _believed_firing(alert: Alert) -> bool:
    """People were told that it fires, and nothing since. One that came back quietly still carries its told end."""
    return alert.told_severity is not None and alert.closed_as is None


def _came_back(alert: Alert) -> bool:
    """It fires in a later life than the first of its event."""
    return alert.fired_at is not None and alert.since is not None and alert.since > alert.fired_at


def _before(alert: Alert | None, finding: Finding | None, rules: AlertRules, now: datetime) -> Alert | None:
    """The alert that this cycle continues; None where a finding begins a new event."""
    if alert is None:
        return None
    alert = _not_in_the_future(alert, now)
    if alert.state is not _R or finding is None:
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
    times = (alert.since, alert.fired_at, alert.resolved_at, alert.told_at)
    ahead = max((time for time in times if time is not None), default=now) - now + timedelta.resolution
    if ahead <= timedelta(0):
        return alert
    since, fired_at, resolved_at, told_at = (None if time is None else time - ahead for time in times)
    return replace(alert, since=since, fired_at=fired_at, resolved_at=resolved_at, told_at=told_at)
