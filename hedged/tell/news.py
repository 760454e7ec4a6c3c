"""Which step of an alert's life is worth a message, and what people believe once they have it. Pure.

The other half of `hedged.tell.lifecycle`, where the rules stand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.finding import Kind, Severity
from hedged.tell.grouping import News
from hedged.tell.message import compose, compose_group
from hedged.tell.quiet import acknowledged, inhibited_by, protected, silenced_by
from hedged.tell.rules import EVENTS, Cycle

TOLD_BEFORE = 8
"""How many earlier messages of groups are remembered, so that an answer to one of them still finds the alert."""

ENDS = frozenset({MessageKind.RESOLVED, MessageKind.REMOVED})

ORDERED = frozenset({Kind.DRIFT, Kind.ROLL})
"""Kinds whose messages say what was ordered about them."""

CHANGING = frozenset({Kind.PROPOSAL, Kind.RELOAD_REFUSED})
"""Kinds that can be about something else while they fire, which is told at once, whoever acknowledged it before."""


def worth_telling(
    before: Alert | None,
    alert: Alert,
    firing: Collection[tuple[Kind, str]],
    cycle: Cycle,
    *,
    found: bool,
    unknown: bool,
) -> News | None:
    """What to say of the step from `before` to `alert`, unless somebody or something keeps it quiet.

    `found`: it was, in this cycle. `unknown`: its data is missing.
    """
    kind = _news(before, alert, cycle, found=found) or _still_owed(alert)
    if kind is None:
        return None
    if kind not in ENDS:
        attention = cycle.attention
        if silenced_by(alert, attention.silences, cycle.now) or inhibited_by(alert, firing):
            return None
        seen = acknowledged(alert, attention.acknowledgements, cycle.now) is not None
        another = _is_another(before, alert) or (alert.kind in CHANGING and alert.owed is not None)
        if seen and kind is MessageKind.REPEAT and not protected(alert) and not another:
            return None
    order = cycle.orders.get(alert.key) or (cycle.orders.get(alert.subject) if alert.kind in ORDERED else None)
    return News(alert, kind, order=order, unknown=unknown)


def _news(before: Alert | None, alert: Alert, cycle: Cycle, *, found: bool) -> MessageKind | None:
    """What to say about the step just taken, if anything."""
    believed = before is not None and believed_firing(before)
    if alert.state is AlertState.RESOLVED:
        if not believed or alert.kind in EVENTS:
            return None
        return MessageKind.REMOVED if alert.closed_as == "removed" else MessageKind.RESOLVED
    if alert.state is not AlertState.FIRING:
        return None
    risen = alert.told_severity is None or alert.severity.rank > alert.told_severity.rank
    due = alert.told_at is None or cycle.now - alert.told_at >= cycle.rules.repeat[alert.severity]
    if believed:
        if risen:
            return MessageKind.ESCALATED
        if _is_another(before, alert):
            return MessageKind.REPEAT
        if alert.resolved_at is not None:
            return None
        if _unconfirmed(alert, cycle):
            return MessageKind.UNCONFIRMED
        return MessageKind.REPEAT if due else None
    if not found:
        return None
    troubled = alert.kind is Kind.DRIFT and alert.subject in cycle.order_trouble
    loud = alert.kind not in cycle.rules.quiet or risen or due or troubled
    return MessageKind.FIRING if loud else None


def _is_another(before: Alert | None, alert: Alert) -> bool:
    """What people were told is not what it is about any more.

    The proposal cannot be approved any more, and not because nobody answered it; the reload was refused for another
    reason.
    """
    if before is None or alert.kind not in CHANGING or alert.values.get("renewed"):
        return False
    if alert.kind is Kind.RELOAD_REFUSED:
        return before.text != alert.text
    return before.values.get("ids") != alert.values.get("ids")


def _unconfirmed(alert: Alert, cycle: Cycle) -> bool:
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


def to_remember(kind: MessageKind) -> MessageKind | None:
    """What has to be remembered while it is held back; the rest is found anew in the next cycle."""
    if kind in ENDS or kind is MessageKind.REPEAT:  # of another proposal, perhaps, which in the next cycle is no news
        return kind
    return MessageKind.FIRING if kind in {MessageKind.FIRING, MessageKind.PASSED} else None


def _still_owed(alert: Alert) -> MessageKind | None:
    """What an earlier cycle had to say and held back."""
    if alert.owed is MessageKind.FIRING and alert.kind not in EVENTS:
        return {AlertState.FIRING: MessageKind.FIRING, AlertState.RESOLVED: MessageKind.PASSED}.get(alert.state)
    if alert.owed is MessageKind.REPEAT:
        return MessageKind.REPEAT if alert.state is AlertState.FIRING else None
    return alert.owed


def message_about(group: Sequence[News], cycle: Cycle, new_event_id: Callable[[], str]) -> Message:
    further = any(each.alert.further_at is not None or each.kind is MessageKind.UNCONFIRMED for each in group)
    rules = cycle.rules
    template = rules.templates.get(group[0].alert.kind)
    if len(group) == 1:
        only = group[0]
        message = compose(only.alert, only.kind, cycle.now, order=only.order, unknown=only.unknown, template=template)
    else:
        message = compose_group(group, new_event_id(), cycle.now, template=rules.group_template, line=template)
    return replace(message, further=further)


def after_telling(alert: Alert, news: MessageKind, message: Message, now: datetime) -> Alert:
    """The alert after this message: `told_severity` and `closed_as` are what people now believe."""
    grouped = () if alert.told_in in {None, alert.event_id, message.event_id} else (str(alert.told_in),)
    before = (*alert.told_before, *grouped)[-TOLD_BEFORE:]
    told = replace(alert, told_at=now, told_in=message.event_id, told_before=before, owed=None)
    if alert.state is AlertState.RESOLVED:
        return told
    risen = alert.told_severity is None or alert.severity.rank > alert.told_severity.rank
    return replace(
        told,
        told_severity=alert.severity,
        closed_as=None,
        risen_at=now if risen else alert.risen_at,
        further_at=alert.further_at or (now if news is MessageKind.UNCONFIRMED else None),
    )


def told_last(alerts: Iterable[Alert], now: datetime) -> dict[Kind, datetime]:
    """When each kind was told last. What was told at a time to come holds nothing back: the clock was ahead then."""
    last: dict[Kind, datetime] = {}
    for alert in alerts:
        if alert.told_at is not None and alert.told_at <= now:
            last[alert.kind] = max(alert.told_at, last.get(alert.kind, alert.told_at))
    return last


def believed_firing(alert: Alert) -> bool:
    """People were told that it fires, and nothing since. One that came back quietly still carries its told end."""
    return alert.told_severity is not None and (alert.closed_as is None or alert.owed in ENDS)
