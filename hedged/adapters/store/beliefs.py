"""What both stores hold true of alerts and doubts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from hedged.model.alert import Alert, AlertState, Message

REOPENS_WITHIN = timedelta(days=1)  # how long a resolved alert may still come back under its old event id


def doubts_meant(subject: str, doubts: Collection[str]) -> list[str]:
    """The doubts that `subject` names: itself, or for an account's name all of its balances (`account/…`)."""
    if subject in doubts:
        return [subject]
    return [doubt for doubt in doubts if doubt.startswith(f"{subject}/") and ":" not in subject]


def meant(what: str, alerts: Iterable[Alert]) -> list[str]:
    """Event ids of those that fire and that `what` names: by event id, by key, or by a message they were told in."""
    firing = (each for each in alerts if each.state is AlertState.FIRING)
    return [each.event_id for each in firing if what in {each.event_id, each.key, each.told_in, *each.told_before}]


def alerts_after(known: Mapping[str, Alert], listed: Iterable[Alert], at: datetime) -> dict[str, Alert]:
    """The alerts to remember after a cycle that lists these, by event id.

    One that was pending and is not listed any more never fired: it is forgotten. One that fires is remembered even
    when it is not listed: only its own end ends it.
    """
    remembered = {each: alert for each, alert in known.items() if alert.state is not AlertState.PENDING}
    remembered.update({alert.event_id: alert for alert in listed})
    return {each: alert for each, alert in remembered.items() if not has_faded(alert, at)}


def has_faded(alert: Alert, at: datetime) -> bool:
    """It ended so long ago that it cannot reopen.

    One that fires has not ended, however long it has stayed away; nor is one forgotten whose end is still to be told.
    """
    ended = alert.resolved_at if alert.state is AlertState.RESOLVED and alert.owed is None else None
    return ended is not None and ended <= at - REOPENS_WITHIN


def distinct(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Each once, however many channels it went to."""
    return tuple({(each.event_id, each.kind, each.at): each for each in messages}.values())


def newest_by_key(found: Iterable[Alert]) -> list[Alert]:
    """One alert a key: the one that has not ended, else one whose end is still to be told, else the one ended last."""
    chosen: dict[str, Alert] = {}
    for alert in found:
        other = chosen.get(alert.key)
        if other is None or _newness(alert) > _newness(other):
            chosen[alert.key] = alert
    return list(chosen.values())


def _newness(alert: Alert) -> tuple[bool, bool, float]:
    ended = alert.resolved_at
    over = ended.timestamp() if ended is not None else 0.0
    return alert.state is not AlertState.RESOLVED, alert.owed is not None, over
