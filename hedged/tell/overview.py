"""What fires now, since when, who was told, what failed, and who has said what of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hedged.model.alert import Acknowledgement, Alert, AlertState, Delivery, Silence
from hedged.model.finding import Kind
from hedged.tell.quiet import Attention, acknowledged, covers, firing_now, inhibited_by, protected, silenced_by
from hedged.tell.route import SAYING_NOTHING
from hedged.tell.state import time

SCHEMA = "hedged.alerts/1"
_BY_STATE = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)


def alert_objects(
    alerts: Iterable[Alert],
    attention: Attention,
    deliveries: Iterable[Delivery],
    now: datetime,
    *,
    among: Iterable[Alert] | None = None,
) -> list[dict[str, object]]:
    """Each alert as JSON: those that fire first, the most severe of them at the top; those that are over at the end.

    `among`: those that may explain them, if not themselves.
    """
    known = list(alerts)
    firing = firing_now(known if among is None else among)
    by_message: dict[str, list[Delivery]] = {}
    for each in deliveries:
        by_message.setdefault(each.message_id, []).append(each)
    known.sort(key=lambda alert: (_BY_STATE.index(alert.state), -alert.severity.rank, alert.key))
    return [_alert_object(alert, attention, firing, _last(alert, by_message), now) for alert in known]


def _alert_object(
    alert: Alert,
    attention: Attention,
    firing: Sequence[tuple[Kind, str]],
    deliveries: Sequence[Delivery],
    now: datetime,
) -> dict[str, object]:
    lives = alert.state is not AlertState.RESOLVED
    said = acknowledged(alert, attention.acknowledgements, now) if lives else None
    silence = silenced_by(alert, attention.silences, now) if lives else None
    inhibitor = inhibited_by(alert, firing) if lives else None
    reached = any(each.delivered_at is not None and each.channel not in SAYING_NOTHING for each in deliveries)
    return {
        "key": alert.key,
        "kind": alert.kind.value,
        "subject": alert.subject,
        "severity": alert.severity.value,
        "state": alert.state.value,
        "event_id": alert.event_id,
        "text": alert.text,
        "since": time(alert.since),
        "fired_at": time(alert.fired_at),
        "resolved_at": time(alert.resolved_at),
        "told_at": time(alert.told_at),
        "waits_for_its_group": alert.owed is not None,
        "confirmed": said is not None or reached,
        "further_since": time(alert.further_at),
        "protected": protected(alert),
        "acknowledged": said and acknowledgement_object(said),
        "silenced": silence and silence_object(silence),
        "explained_by": inhibitor and f"{inhibitor[0].value}/{inhibitor[1]}",
        "deliveries": [delivery_object(each) for each in deliveries],
    }


def delivery_object(delivery: Delivery) -> dict[str, object]:
    return {
        "channel": delivery.channel,
        "kind": delivery.kind.value,
        "at": time(delivery.at),
        "delivered_at": time(delivery.delivered_at),
        "attempts": delivery.attempts,
        "error": delivery.error,
    }


def silence_object(silence: Silence) -> dict[str, object]:
    return {
        "id": silence.id,
        "pattern": silence.pattern,
        "made_at": time(silence.made_at),
        "ends_at": time(silence.ends_at),
        "by": silence.by,
        "reason": silence.reason or None,
    }


def acknowledgement_object(said: Acknowledgement) -> dict[str, object]:
    return {"by": said.by, "at": time(said.at), "until": time(said.until)}


def uncovered(silence: Silence, alerts: Iterable[Alert]) -> list[str]:
    """Keys of what fires, is covered by the silence's pattern and told all the same."""
    firing = (each for each in alerts if each.state is AlertState.FIRING)
    return sorted(each.key for each in firing if covers(silence.pattern, each.key) and protected(each))


def _last(alert: Alert, by_message: Mapping[str, Sequence[Delivery]]) -> list[Delivery]:
    """The last message about it that each channel was to get."""
    ids = dict.fromkeys(each for each in (alert.event_id, alert.told_in) if each is not None)
    latest: dict[str, Delivery] = {}
    for each in (found for message in ids for found in by_message.get(message, ())):
        if each.channel not in latest or latest[each.channel].at <= each.at:
            latest[each.channel] = each
    return [latest[channel] for channel in sorted(latest)]
