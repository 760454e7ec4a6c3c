"""What is said of the orders that wait for a person's word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hedged.decide.pending import want_of
from hedged.model.finding import Finding, HedgeGroup, Kind, Severity
from hedged.model.order import Decision, Fill, Outcome
from hedged.model.proposal import Proposal, Verdict
from hedged.model.trade import Purpose
from hedged.tell.state import money, time


def proposal_findings(decision: Decision, groups: Sequence[HedgeGroup], quote: str) -> list[Finding]:
    """A finding a hedge for all that waits, and one for approvals that came to nothing.

    `renewed`: what waits differs from before only because nobody answered, which is no news.
    """
    members = {group.name: group.hedges for group in groups}
    unanswered = {want_of(each) for each in decision.answered if _is_unanswered(each)}
    waiting: dict[str, list[Proposal]] = {}
    for each in decision.awaiting:
        waiting.setdefault(each.hedge, []).append(each)
    found = []
    for name, listed in waiting.items():
        texts = "; ".join(_waiting(each, quote) for each in listed)
        ids = ", ".join(each.id for each in listed)
        urgent = any(each.purpose is Purpose.REDUCE for each in listed)
        values = {
            "ids": ids,
            "expires": time(min(each.expires_at for each in listed)),
            "renewed": all(want_of(each) in unanswered for each in listed),
        }
        severity = Severity.CRITICAL if urgent else Severity.WARNING
        found += [
            Finding(Kind.PROPOSAL, hedge, severity, f"{hedge}: {texts}.", values)
            for hedge in members.get(name, (name,))
        ]
    void: dict[str, list[str]] = {}
    for each in decision.answered:
        if each.decided_by is not None and each.verdict is Verdict.EXPIRED:
            text = f"proposal {each.id} ({_order(each)}) was approved by {each.decided_by}: {each.ended_because}"
            void.setdefault(each.hedge, []).append(text)
    for name, said in void.items():
        text = "; ".join(said)
        found += [
            Finding(Kind.PROPOSAL_VOID, hedge, Severity.WARNING, f"{hedge}: {text}.")
            for hedge in members.get(name, (name,))
        ]
    return found


def filled_findings(
    decision: Decision, outcomes: Sequence[Outcome], approved: Mapping[str, Proposal], quote: str
) -> Iterator[Finding]:
    """One for each approved order that was filled: whoever approved it waits for that. `approved`: by id."""
    intents = {each.intent.client_order_id: each.intent for each in decision.intents}
    for outcome in outcomes:
        intent = intents.get(outcome.client_order_id)
        if intent is None or intent.approval is None or not isinstance(outcome, Fill):
            continue
        proposal = approved.get(intent.approval)
        who = "" if proposal is None or proposal.decided_by is None else f", approved by {proposal.decided_by},"
        part = "" if outcome.quantity >= intent.quantity else f" of {money(intent.quantity)}"
        order = f"{intent.side.value} {money(outcome.quantity)}{part} {intent.instrument}"
        yield Finding(
            kind=Kind.PROPOSAL_FILLED,
            subject=f"{intent.hedge}/{intent.approval}",
            severity=Severity.INFO,
            text=(
                f"{intent.hedge}: proposal {intent.approval}{who} was sent and filled: {order} at "
                f"{money(outcome.price)}, fee {outcome.fee:,.2f} {quote}."
            ),
            values={"id": intent.approval, "price": outcome.price, "quantity": outcome.quantity, "fee": outcome.fee},
        )


def _is_unanswered(proposal: Proposal) -> bool:
    return proposal.verdict is Verdict.EXPIRED and proposal.decided_by is None


def _waiting(proposal: Proposal, quote: str) -> str:
    return (
        f"proposal {proposal.id}: {_order(proposal)} near {money(proposal.price)}, {proposal.notional:,.2f} {quote}, "
        f"good until {proposal.expires_at:%Y-%m-%d %H:%M} UTC: `hedged approve {proposal.id} --config FILE`"
    )


def _order(proposal: Proposal) -> str:
    word = ", reduce-only" if proposal.reduce_only else ""
    return f"{proposal.side.value} {money(proposal.quantity)} {proposal.instrument}{word}"
