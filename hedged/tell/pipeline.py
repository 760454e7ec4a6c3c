"""From what was found, decided and done to what is said: one pure step a cycle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hedged.model.alert import Alert, Message
from hedged.model.finding import SUBJECT_KIND, Assessment, Finding, HedgeGroup, HedgeStatus, Kind, Severity, SubjectKind
from hedged.model.instrument import InstrumentId
from hedged.model.order import (
    Absent,
    Cancelled,
    Decision,
    Fill,
    Intent,
    OrderRow,
    OrderState,
    Outcome,
    Placement,
    Rejected,
    Unknown,
    Working,
)
from hedged.model.policy import PortfolioPolicy, World
from hedged.tell.lifecycle import advance
from hedged.tell.orders import margin_sentences, order_sentences, order_trouble
from hedged.tell.quiet import Attention
from hedged.tell.rules import AlertRules
from hedged.tell.text import clean


@dataclass(frozen=True, slots=True)
class Happened:
    """What one cycle found, decided and did. `outside`: findings that are not the assessment's."""

    assessment: Assessment
    decision: Decision
    outcomes: Sequence[Outcome] = ()
    outside: Sequence[Finding] = ()


def tell(  # noqa: PLR0917 - as `advance`
    happened: Happened,
    alerts: Sequence[Alert],
    policy: PortfolioPolicy,
    rules: AlertRules,
    new_event_id: Callable[[], str],
    attention: Attention | None = None,
    url: str | None = None,
) -> tuple[tuple[Alert, ...], tuple[Message, ...]]:
    """The alerts after this cycle and the messages about them, most severe first. `url`: of hedged's pages."""
    assessment, decision, outcomes = happened.assessment, happened.decision, happened.outcomes
    reach = {group.name: edge for group in assessment.groups if (edge := _edge(group)) is not None}
    after, messages = advance(
        alerts,
        [*assessment.findings, *happened.outside],
        undetermined_keys(happened, alerts),
        lambda kind, subject: is_configured(policy, kind, subject),
        frozenset(_each_hedge(dict.fromkeys(order_trouble(decision, outcomes), ""), assessment.groups)),
        rules,
        assessment.now,
        new_event_id,
        orders={
            **_each_hedge(order_sentences(decision, outcomes, reach), assessment.groups),
            **{f"{Kind.MARGIN_ODDS.value}/{name}": said for name, said in margin_sentences(decision, outcomes).items()},
        },
        attention=attention,
    )
    return after, tuple(addressed(message, policy.name, policy.world, url) for message in messages)


def addressed(message: Message, portfolio: str, world: World, url: str | None = None) -> Message:
    """The message with its sender: on a phone, too, it says whose money it is about and whether it is real.

    `url`: where hedged's pages are reached, for the link to its own.
    """
    sender = portfolio if world is World.REAL else f"{portfolio}, {world.value}"
    title = f"{message.title} [{clean(sender, 60)}]"
    link = None if url is None else f"{url}/alerts/{message.event_id}"
    return replace(message, title=title, portfolio=portfolio, world=world.value, link=link)


def order_findings(decision: Decision, outcomes: Sequence[Outcome], groups: Sequence[HedgeGroup]) -> list[Finding]:
    """Orders that the gate or the venue refused, and orders nobody knows the end of; one finding a hedge and kind."""
    intents = {approved.intent.client_order_id: approved.intent for approved in decision.intents}
    refused = {
        refusal.intent.hedge: (
            f"{refusal.intent.side.value} {refusal.intent.quantity:f} {refusal.intent.instrument} "
            f"was refused by hedged's own limits: {refusal.reason}."
        )
        for refusal in decision.refused
    }
    rejected, unknown = {}, {}
    for outcome in outcomes:
        if isinstance(outcome, Fill | Working) or outcome.client_order_id not in intents:
            continue
        intent = intents[outcome.client_order_id]
        order = f"{intent.side.value} {intent.quantity:f} {intent.instrument}"
        if isinstance(outcome, Cancelled):
            rejected[intent.hedge] = f"nothing of {order} was filled: {outcome.reason}."
        elif isinstance(outcome, Rejected):
            rejected[intent.hedge] = f"{order} was rejected: {outcome.reason}."
        else:
            unknown[intent.hedge] = f"{order} may or may not have been placed: {outcome.reason}."
    for name, done in _filled_beside(intents, outcomes).items():
        for texts in (rejected, unknown):
            if name in texts:
                texts[name] += f" {done}; the next cycle finishes or undoes what is half done."
    told = ((Kind.ORDER_REFUSED, refused), (Kind.ORDER_REJECTED, rejected), (Kind.ORDER_FAILED, unknown))
    return [
        Finding(kind=kind, subject=name, severity=Severity.WARNING, text=f"{name}: {text}")
        for kind, texts in told
        for name, text in _each_hedge(texts, groups).items()
    ]


def _filled_beside(intents: Mapping[str, Intent], outcomes: Sequence[Outcome]) -> dict[str, str]:
    """By group, which of its orders were filled, in words."""
    filled: dict[str, list[str]] = {}
    for outcome in outcomes:
        if isinstance(outcome, Fill) and outcome.client_order_id in intents:
            order = f"{outcome.side.value} {outcome.quantity:f} {outcome.instrument}"
            filled.setdefault(intents[outcome.client_order_id].hedge, []).append(order)
    return {
        name: f"{' and '.join(orders)} {'was' if len(orders) == 1 else 'were'} filled"
        for name, orders in filled.items()
    }


def earlier_findings(
    settled: Sequence[tuple[Intent, Outcome | Absent]],
    open_rows: Sequence[OrderRow],
    groups: Sequence[HedgeGroup],
    *,
    unwatched: Collection[InstrumentId] = (),
) -> list[Finding]:
    """Orders of earlier cycles: those found out about now, and those nobody knows the end of yet.

    `unwatched`: instruments of accounts that no order can be looked up at now: the mode, or the account, is another.
    """
    texts: dict[tuple[Kind, str], list[str]] = {}
    for intent, outcome in settled:
        if intent.placement is Placement.PASSIVE and isinstance(outcome, Fill | Cancelled):
            continue  # it waited in the book, as it was to, and its hedge shows what came of that
        order = f"{intent.side.value} {intent.quantity:f} {intent.instrument}"
        if isinstance(outcome, Fill):
            text = f"{order} was filled at {outcome.price:f}, which was not known before"
        elif isinstance(outcome, Cancelled):
            text = f"{order} ended with nothing filled: {outcome.reason}"
        elif isinstance(outcome, Rejected):
            text = f"{order} was rejected: {outcome.reason}"
        elif isinstance(outcome, Working | Unknown):
            continue  # still open, and told below
        else:
            text = f"{order} was never placed"
        texts.setdefault((Kind.ORDER_RECOVERED, intent.hedge), []).append(text)
    for row in open_rows:
        if row.state is OrderState.ACKNOWLEDGED and not row.absences and row.intent.instrument not in unwatched:
            continue  # known to rest in the book
        intent = row.intent
        order = f"{intent.side.value} {intent.quantity:f} {intent.instrument}"
        text = f"{order} may or may not exist ({intent.client_order_id})"
        if intent.instrument in unwatched:
            text += ", and is not looked up, since hedged sends no orders to that account now"
        texts.setdefault((Kind.ORDER_FAILED, intent.hedge), []).append(text)
    members = {group.name: group.hedges for group in groups}
    return [
        Finding(kind, name, Severity.WARNING, f"{name}: {'; '.join(said)}.")
        for (kind, hedge), said in texts.items()
        for name in members.get(hedge, (hedge,))
    ]


def trouble_findings(fenced: str | None, trouble: str | None, portfolio: str) -> list[Finding]:
    """The database that cannot keep what happens: critical, because a restart would forget it.

    `fenced`: it is another process's now, which is critical too.
    """
    if fenced is not None:
        return [Finding(Kind.FENCED, portfolio, Severity.CRITICAL, f"{portfolio}: {fenced}.")]
    if trouble is None:
        return []
    return [
        Finding(
            kind=Kind.STORE_DEGRADED,
            subject="store",
            severity=Severity.CRITICAL,
            text=f"The database cannot be used: {trouble}.",
        )
    ]


def undetermined_keys(happened: Happened, alerts: Sequence[Alert]) -> frozenset[str]:
    """What cannot be told to be over, with `kind/*` spelled out for the alerts there are.

    What is said of a hedge's orders is over once hedged could have made one and nothing stood in its way: not while
    its data is missing, and not while orders are stopped. A finding that is there all the same rests on what was
    read, so its key is determined.
    """
    assessment, stopped = happened.assessment, happened.decision.stopped is not None
    blocked = [name for group in assessment.groups if group.blocked_by for name in group.hedges]
    idle = [name for group in assessment.groups for name in group.hedges] if stopped else blocked
    patterns = assessment.undetermined | {f"{Kind.PAUSED_DUE.value}/{name}" for name in blocked}
    patterns |= {f"{kind.value}/{name}" for kind in (Kind.ORDER_REFUSED, Kind.ORDER_REJECTED) for name in idle}
    if not patterns:
        return patterns
    keys = {alert.key for alert in alerts if f"{alert.kind.value}/*" in patterns}
    return (patterns | keys) - {finding.key for finding in (*assessment.findings, *happened.outside)}


def is_configured(policy: PortfolioPolicy, kind: Kind, subject: str) -> bool:
    """Whether what a finding speaks of is still part of the configuration."""
    what = SUBJECT_KIND[kind]
    if what is SubjectKind.HEDGE:
        return any(hedge.name == subject for hedge in policy.hedges)
    if what is SubjectKind.ACCOUNT:
        return subject in policy.accounts or subject == policy.name  # this machine's clock is the whole portfolio's
    if what is SubjectKind.INSTRUMENT:
        return subject.partition(":")[0] in policy.accounts
    if what is SubjectKind.BALANCE:
        return subject.partition("/")[0] in policy.accounts
    return True


def _each_hedge(by_group: Mapping[str, str], groups: Sequence[HedgeGroup]) -> dict[str, str]:
    """What was said of a group, said of each of its hedges."""
    return {name: by_group[group.name] for group in groups if group.name in by_group for name in group.hedges}


def _edge(group: HedgeGroup) -> Decimal | None:
    """The edge of the band that an order leads to."""
    if group.status is HedgeStatus.UNDER:
        return round(group.target_ratio - group.band, 4)
    if group.status is HedgeStatus.OVER:
        return round(group.target_ratio + group.band, 4)
    return None
