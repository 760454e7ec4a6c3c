"""Alert → words, pure: what, how bad, since when, what hedged does about it, what you can do.

The words of each kind stand in `hedged.tell.words`, what was ordered in `hedged.tell.orders`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedged.model.alert import Alert, Message, MessageKind, Told
from hedged.model.finding import SUBJECT_KIND, Scalar, SubjectKind
from hedged.tell.grouping import OVER, News
from hedged.tell.templates import Template, fill
from hedged.tell.text import SUBJECT_MAX, TEXT_MAX, clean, moment_text, plain, span_text
from hedged.tell.words import OF_ITS_CYCLE, WORDS

TITLE_MAX = 80
STATEMENT_MAX = 4_000  # of what was found: channels cut what is more than they take, and say where the rest is
LINE_MAX = 240
LINES = 10  # of a group's message
NAMED = 3  # in its title

_ORDER = tuple(
    MessageKind[name] for name in ("FIRING", "ESCALATED", "UNCONFIRMED", "REPEAT", "PASSED", "REMOVED", "RESOLVED")
)
"""Of several in one message, which of them the message is."""


SCHEMA = 1


def compose(
    alert: Alert,
    kind: MessageKind,
    now: datetime,
    *,
    order: str | None = None,
    unknown: bool = False,
    later: bool = False,
    template: Template | None = None,
) -> Message:
    """The message about `alert`.

    `order`: what was ordered about it this cycle. `unknown`: its data is missing now, so the figures are old.
    `later`: it is composed apart from any cycle, and says nothing of orders, which may have been made.
    """
    message, fields = _composed(alert, kind, now, order=order, unknown=unknown, later=later)
    return message if template is None else _in_own_words(message, template, fields)


def _composed(
    alert: Alert, kind: MessageKind, now: datetime, *, order: str | None, unknown: bool, later: bool = False
) -> tuple[Message, Mapping[str, str]]:
    """The message in our words, and the fields of a template that would have it in others."""
    words = WORDS[alert.kind]
    subject = clean(alert.subject, SUBJECT_MAX)
    text = clean(alert.text, STATEMENT_MAX)
    does = advice = ""
    if kind is MessageKind.RESOLVED:
        lines = [f"It is over {_after(alert, now)}. It was: {text}"]
    elif kind is MessageKind.PASSED:
        lines = [f"It came, and is over {_after(alert, now)}. It was: {text}"]
    elif kind is MessageKind.REMOVED:
        what = SUBJECT_KIND[alert.kind].value.capitalize()
        lines = [f"{what} {subject} is no longer in the configuration; its alert is closed. It was: {text}"]
        if SUBJECT_KIND[alert.kind] in {SubjectKind.HEDGE, SubjectKind.INSTRUMENT}:
            lines.append("No position was closed: what is open at the exchange stays open.")
    else:
        does = clean(order, TEXT_MAX) if order else words.does
        if later and alert.kind in OF_ITS_CYCLE:
            does = ""
        advice = "" if order else words.advice
        lines = [f"{text} {does}".rstrip(), *([f"You can {advice}"] if advice else []), _since(alert, now)]
        if unknown:
            lines.append("Its data is missing at the moment: these are the last known figures.")
        if kind is MessageKind.UNCONFIRMED:
            lines.append("Nobody has acknowledged it, so it is told further.")
    headline = words.headline.format(subject=subject)
    message = Message(
        event_id=alert.event_id,
        kind=kind,
        key=alert.key,
        severity=alert.severity,
        title=clean(f"{_prefix(alert, kind)}: {headline}", TITLE_MAX),
        body="\n".join(lines),
        at=now,
        values={name: _clean_value(value) for name, value in alert.values.items()},
        alerts=(Told(alert.event_id, alert.key, kind, alert.severity),),
    )
    return message, {
        **_fields(message),
        "state": _prefix(alert, kind),
        "kind": alert.kind.value,
        "subject": subject,
        "headline": headline,
        "text": text,
        "does": does,
        "advice": advice,
        "since": _since(alert, now),
    }


def _fields(message: Message) -> dict[str, str]:
    """Those that every template has."""
    return {
        "severity": message.severity.value,
        "key": clean(message.key, TEXT_MAX),
        "event_id": message.event_id,
        "title": message.title,
        "body": message.body,
    }


def _in_own_words(message: Message, template: Template, fields: Mapping[str, str]) -> Message:
    """The message as the user's template has it."""
    title, body = message.title, message.body
    if template.text is not None:
        title, _, body = fill(template.text, fields).strip().partition("\n")
    html = fill(template.html, fields, in_html=True) if template.html is not None else None
    title = clean(title, TITLE_MAX) or message.title
    return replace(message, title=title, body=body.strip() or message.body, html=html or None)


def compose_group(
    group: Sequence[News],
    message_id: str,
    now: datetime,
    *,
    template: Template | None = None,
    line: Template | None = None,
) -> Message:
    """One message about several alerts of one kind, the most severe first: a line each, as far as they fit.

    `template`: of the whole. `line`: of an alert of this kind told by itself, which each line is then made of.
    """
    kinds = [each.kind for each in group]
    first = group[0].alert
    lead = min(group, key=lambda each: (_ORDER.index(each.kind), -each.alert.severity.rank))
    subjects = [clean(each.alert.subject, SUBJECT_MAX) for each in group]
    more = f" and {len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
    what = first.kind.value.replace("_", " ")
    lines = [_line_of(each, now, line) for each in group[:LINES]]
    if len(group) > LINES:
        lines.append(f"… and {len(group) - LINES} more: `hedged alerts` lists them.")
    standing = [each for each in group if each.kind not in OVER]
    does = advice = ""
    if any(each.order is None for each in standing):
        advice = WORDS[first.kind].advice
        if all(each.order is None for each in standing):  # else "no order for it" would speak of those with one too
            does = WORDS[first.kind].does
    body = [*lines, *([does] if does else []), *([f"You can {advice}"] if advice else [])]
    title = f"{_prefix(lead.alert, lead.kind)}: {len(group)} alerts, {what}: {', '.join(subjects[:NAMED])}{more}"
    message = Message(
        event_id=message_id,
        kind=min(kinds, key=_ORDER.index),
        key=f"{first.kind.value}/*",
        severity=max((each.alert.severity for each in standing or group), key=lambda severity: severity.rank),
        title=clean(title, TITLE_MAX),
        body="\n".join(body),
        at=now,
        values={"alerts": len(group)},
        alerts=tuple(Told(each.alert.event_id, each.alert.key, each.kind, each.alert.severity) for each in group),
    )
    if template is None:
        return message
    fields = {
        **_fields(message),
        "state": _prefix(lead.alert, lead.kind),
        "kind": first.kind.value,
        "count": str(len(group)),
        "subjects": f"{', '.join(subjects[:NAMED])}{more}",
        "lines": "\n".join(lines),
        "does": does,
        "advice": advice,
    }
    return _in_own_words(message, template, fields)


def _line_of(news: News, now: datetime, template: Template | None) -> str:
    alert = news.alert
    if template is not None and template.text is not None:
        _, fields = _composed(alert, news.kind, now, order=news.order, unknown=news.unknown)
        if own := clean(fill(template.text, fields), LINE_MAX):
            return f"- {own}"
    text = clean(alert.text, LINE_MAX)
    if news.kind in OVER:
        over = "closed" if news.kind is MessageKind.REMOVED else f"over {_after(alert, now)}"
        return f"- {clean(alert.subject, SUBJECT_MAX)}: {over}. It was: {text}"
    order = f" {clean(news.order, LINE_MAX)}" if news.order else ""
    since = alert.since or now
    lasted = f" ({alert.severity.value}, since {moment_text(since)})" if now - since >= timedelta(minutes=1) else ""
    unknown = " Its data is missing at the moment." if news.unknown else ""
    return f"- {text}{lasted}{order}{unknown}"


def message_object(message: Message) -> dict[str, object]:
    """The message as JSON. (event_id, kind, at) tells a second delivery from a second message.

    `republished`: it was told before, and is told again to whoever may have missed it.
    """
    return {
        "schema": SCHEMA,
        "event_id": message.event_id,
        "kind": message.kind.value,
        "key": message.key,
        "severity": message.severity.value,
        "title": message.title,
        "body": message.body,
        "at": message.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "portfolio": message.portfolio,
        "world": message.world,
        "republished": message.republished,
        "link": message.link,
        "alerts": [
            {"event_id": told.event_id, "key": told.key, "kind": told.kind.value, "severity": told.severity.value}
            for told in message.alerts or (Told(message.event_id, message.key, message.kind, message.severity),)
        ],
        "values": value_objects(message.values),
    }


def value_objects(values: Mapping[str, Scalar]) -> dict[str, object]:
    """Numbers as they are told: decimal strings."""
    return {name: plain(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def _clean_value(value: Scalar) -> Scalar:
    return clean(value, TEXT_MAX) if isinstance(value, str) else value


def _prefix(alert: Alert, kind: MessageKind) -> str:
    severity = alert.severity.value
    return {
        MessageKind.REPEAT: f"Still {severity}",
        MessageKind.ESCALATED: f"Now {severity}",
        MessageKind.UNCONFIRMED: f"Unacknowledged, {severity}",
        MessageKind.PASSED: f"Over again, {severity}",
        MessageKind.RESOLVED: "Resolved",
        MessageKind.REMOVED: "Closed",
    }.get(kind, severity.capitalize())


def _since(alert: Alert, now: datetime) -> str:
    since = alert.since or now
    line = f"Since {moment_text(since)}"
    lasted = now - since
    if lasted >= timedelta(minutes=1):
        line += f", for {span_text(lasted)}"
    if alert.fired_at is not None and since > alert.fired_at:
        line += f"; it first fired {moment_text(alert.fired_at)}"
    return line + "."


def _after(alert: Alert, now: datetime) -> str:
    over = alert.resolved_at or now
    return f"since {moment_text(over)}, after {span_text(over - (alert.since or over))}"
