"""Alert → words, pure: what, how bad, since when, what hedged does about it, what you can do.

Names of assets and contracts come from venues and are not trusted: everything that is not printable is taken out and
lengths are bounded. The words of each kind stand in `hedged.tell.words`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedged.model.alert import Alert, Message, MessageKind, Told
from hedged.model.finding import SUBJECT_KIND, Scalar, SubjectKind
from hedged.model.order import Cancelled, Decision, Fill, Intent, Outcome, Purpose, Rejected, Side, Working
from hedged.model.proposal import Proposal
from hedged.tell.grouping import OVER, News
from hedged.tell.templates import Template, fill
from hedged.tell.words import WORDS

TITLE_MAX = 80
SUBJECT_MAX = 48
TEXT_MAX = 600
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
    template: Template | None = None,
) -> Message:
    """The message about `alert`.

    `order`: what was ordered about it this cycle. `unknown`: its data is missing now, so the figures are old.
    """
    words = WORDS[alert.kind]
    subject = clean(alert.subject, SUBJECT_MAX)
    text = clean(alert.text, TEXT_MAX)
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
        advice = "" if order else words.advice
        lines = [f"{text} {does}", *([f"You can {advice}"] if advice else []), _since(alert, now)]
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
    if template is None:
        return message
    return _in_own_words(
        message,
        template,
        {
            "state": _prefix(alert, kind),
            "kind": alert.kind.value,
            "subject": subject,
            "headline": headline,
            "text": text,
            "does": does,
            "advice": advice,
            "since": _since(alert, now),
        },
    )


def _in_own_words(message: Message, template: Template, fields: Mapping[str, str]) -> Message:
    """The message as the user's template has it."""
    known = {
        **fields,
        "severity": message.severity.value,
        "key": clean(message.key, TEXT_MAX),
        "event_id": message.event_id,
        "title": message.title,
        "body": message.body,
    }
    title, body = message.title, message.body
    if template.text is not None:
        title, _, body = fill(template.text, known).strip().partition("\n")
    html = fill(template.html, known, in_html=True) if template.html is not None else None
    title = clean(title, TITLE_MAX) or message.title
    return replace(message, title=title, body=body.strip() or message.body, html=html or None)


def compose_group(group: Sequence[News], message_id: str, now: datetime) -> Message:
    """One message about several alerts of one kind, the most severe first: a line each, as far as they fit."""
    kinds = [each.kind for each in group]
    first = group[0].alert
    lead = min(group, key=lambda each: (_ORDER.index(each.kind), -each.alert.severity.rank))
    subjects = [clean(each.alert.subject, SUBJECT_MAX) for each in group]
    more = f" and {len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
    what = first.kind.value.replace("_", " ")
    lines = [_line_of(each, now) for each in group[:LINES]]
    if len(group) > LINES:
        lines.append(f"… and {len(group) - LINES} more: `hedged alerts` lists them.")
    standing = [each for each in group if each.kind not in OVER]
    words = WORDS[first.kind]
    if any(each.order is None for each in standing):
        lines += [words.does, f"You can {words.advice}"]
    title = f"{_prefix(lead.alert, lead.kind)}: {len(group)} alerts, {what}: {', '.join(subjects[:NAMED])}{more}"
    return Message(
        event_id=message_id,
        kind=min(kinds, key=_ORDER.index),
        key=f"{first.kind.value}/*",
        severity=max((each.alert.severity for each in standing or group), key=lambda severity: severity.rank),
        title=clean(title, TITLE_MAX),
        body="\n".join(lines),
        at=now,
        values={"alerts": len(group)},
        alerts=tuple(Told(each.alert.event_id, each.alert.key, each.kind, each.alert.severity) for each in group),
    )


def _line_of(news: News, now: datetime) -> str:
    alert = news.alert
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
        "alerts": [
            {"event_id": told.event_id, "key": told.key, "kind": told.kind.value, "severity": told.severity.value}
            for told in message.alerts or (Told(message.event_id, message.key, message.kind, message.severity),)
        ],
        "values": {
            name: _plain(value) if isinstance(value, Decimal) else value for name, value in message.values.items()
        },
    }


def order_text(intent: Intent, outcome: Outcome | None = None, *, reach: Decimal | None = None) -> str:
    """What hedged does or did, in a sentence. `reach`: the hedge ratio that the order leads to."""
    account, _, symbol = (clean(part, SUBJECT_MAX) for part in intent.instrument.partition(":"))
    what = f"{_contracts(intent.quantity)} of {symbol} on {account}"
    quote = symbol.partition("/")[2].partition(":")[0] or "in quote currency"
    goal = "" if reach is None else f" to reach {_plain(reach)}"
    verb = "sell" if intent.side is Side.SELL else "buy"
    if outcome is None:
        return f"hedged {verb}s {what} ({intent.notional:,.2f} {quote}){goal}."
    if isinstance(outcome, Fill):
        done = "sold" if intent.side is Side.SELL else "bought"
        if outcome.quantity < intent.quantity:
            what = f"{_plain(outcome.quantity)} of {what}"
        return f"hedged {done} {what} at {_plain(outcome.price)}, fee {outcome.fee:,.2f} {quote}{goal}."
    if isinstance(outcome, Working):
        return f"The order to {verb} {what} is in the book, {_plain(outcome.filled)} filled so far."
    reason = clean(outcome.reason, 200).rstrip(".")
    if isinstance(outcome, Cancelled):
        return f"Nothing of the order to {verb} {what} was filled: {reason}."
    if isinstance(outcome, Rejected):
        return f"The order to {verb} {what} was rejected: {reason}."
    return (
        f"Nobody knows yet whether the order to {verb} {what} was placed ({reason}): "
        "hedged looks it up before anything else trades there."
    )


def order_sentences(
    decision: Decision, outcomes: Sequence[Outcome] = (), reach: Mapping[str, Decimal] | None = None
) -> dict[str, str]:
    """Hedge → all that was ordered, refused or only proposed for it. `reach`: hedge → ratio its orders lead to."""
    by_id = {outcome.client_order_id: outcome for outcome in outcomes}
    goals = reach or {}
    sentences: dict[str, list[str]] = {}
    for approved in decision.intents:
        intent = approved.intent
        goal = goals.get(intent.hedge) if intent.purpose is not Purpose.REDUCE else None
        text = order_text(intent, by_id.get(intent.client_order_id), reach=goal)
        sentences.setdefault(intent.hedge, []).append(text)
    for refusal in decision.refused:
        reason = clean(refusal.reason, 200).rstrip(".")
        text = f"{_proposal(refusal.intent)} is not sent, the gate refused it: {reason}."
        sentences.setdefault(refusal.intent.hedge, []).append(text)
    for proposal in decision.proposals:
        text = f"{_proposal(proposal)} would bring it back; in monitor mode hedged sends nothing."
        sentences.setdefault(proposal.hedge, []).append(text)
    for waiting in decision.awaiting:
        until = f"{waiting.expires_at:%H:%M} UTC"
        text = f"{_proposal(waiting)} is proposed as {waiting.id}, and waits for your word until {until}."
        sentences.setdefault(waiting.hedge, []).append(text)
    for intent in decision.by_hand:
        why = "is part of the roll" if intent.purpose is Purpose.ROLL else "would bring it back"
        text = f"{_proposal(intent)} {why}: place it there, then enter what you hold under `[[positions]]`."
        sentences.setdefault(intent.hedge, []).append(text)
    return {hedge: " ".join(texts) for hedge, texts in sentences.items()}


def margin_sentences(decision: Decision, outcomes: Sequence[Outcome] = ()) -> dict[str, str]:
    """Account → all that was bought back there, or refused or only proposed, so that it is not liquidated."""
    accounts = {name.partition(":")[0] for name in _reduced_instruments(decision)}

    def there(intent: Intent | Proposal, account: str) -> bool:
        return intent.purpose is Purpose.REDUCE and intent.instrument.partition(":")[0] == account

    found = {}
    for account in sorted(accounts):
        part = Decision(
            reason=decision.reason,
            intents=tuple(each for each in decision.intents if there(each.intent, account)),
            refused=tuple(each for each in decision.refused if there(each.intent, account)),
            proposals=tuple(each for each in decision.proposals if there(each, account)),
            by_hand=tuple(each for each in decision.by_hand if there(each, account)),
            awaiting=tuple(each for each in decision.awaiting if there(each, account)),
        )
        found[account] = " ".join(order_sentences(part, outcomes).values())
    return found


def _reduced_instruments(decision: Decision) -> set[str]:
    sent = [approved.intent for approved in decision.intents]
    stopped = [refusal.intent for refusal in decision.refused]
    intents: tuple[Intent | Proposal, ...] = (
        *sent,
        *stopped,
        *decision.proposals,
        *decision.by_hand,
        *decision.awaiting,
    )
    return {intent.instrument for intent in intents if intent.purpose is Purpose.REDUCE}


def order_trouble(decision: Decision, outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Hedges whose order was refused by the gate or the venue, or is not known to have been placed."""
    hedge_of = {approved.intent.client_order_id: approved.intent.hedge for approved in decision.intents}
    failed = {
        hedge_of[outcome.client_order_id]
        for outcome in outcomes
        if not isinstance(outcome, Fill) and outcome.client_order_id in hedge_of
    }
    # What is left to a person may have been done or not: it is said again each time it is found.
    by_hand = {intent.hedge for intent in decision.by_hand}
    return frozenset(failed | by_hand | {refusal.intent.hedge for refusal in decision.refused})


def clean(text: str, limit: int) -> str:
    """Untrusted text on one line: nothing unprintable (control, bidirectional, zero-width), cut to `limit`."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


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
        line += f", for {_span(lasted)}"
    if alert.fired_at is not None and since > alert.fired_at:
        line += f"; it first fired {moment_text(alert.fired_at)}"
    return line + "."


def _after(alert: Alert, now: datetime) -> str:
    over = alert.resolved_at or now
    return f"since {moment_text(over)}, after {_span(over - (alert.since or over))}"


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _span(span: timedelta) -> str:
    """A length of time in its two largest units: 45 s, 12 min, 2 h 5 min, 3 d 4 h."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    for size, unit, smaller_size, smaller in ((1440, "d", 60, "h"), (60, "h", 1, "min")):
        if minutes >= size:
            rest = minutes % size // smaller_size
            return f"{minutes // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{minutes} min"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():,f}"


def _contracts(quantity: Decimal) -> str:
    return f"{_plain(quantity)} contract{'' if quantity == 1 else 's'}"


def _proposal(intent: Intent | Proposal) -> str:
    """The order as the subject of a sentence."""
    account, _, symbol = (clean(part, SUBJECT_MAX) for part in intent.instrument.partition(":"))
    verb = "Selling" if intent.side is Side.SELL else "Buying"
    return f"{verb} {_contracts(intent.quantity)} of {symbol} on {account}"
