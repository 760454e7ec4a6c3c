"""What was ordered, refused or only proposed, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from hedged.model.order import Cancelled, Decision, Fill, Intent, Outcome, Purpose, Rejected, Side, Working
from hedged.model.proposal import Proposal
from hedged.tell.text import SUBJECT_MAX, clean, contracts_text, plain


def order_text(intent: Intent, outcome: Outcome | None = None, *, reach: Decimal | None = None) -> str:
    """What hedged does or did, in a sentence. `reach`: the hedge ratio that the order leads to."""
    account, _, symbol = (clean(part, SUBJECT_MAX) for part in intent.instrument.partition(":"))
    what = f"{contracts_text(intent.quantity)} of {symbol} on {account}"
    quote = symbol.partition("/")[2].partition(":")[0] or "in quote currency"
    verb = "sell" if intent.side is Side.SELL else "buy"
    if outcome is None:
        return f"hedged {verb}s {what} ({intent.notional:,.2f} {quote}){_goal(intent, reach)}"
    if isinstance(outcome, Fill):
        done = "sold" if intent.side is Side.SELL else "bought"
        whole = outcome.quantity >= intent.quantity
        if not whole:
            what = f"{plain(outcome.quantity)} of {what}"
        paid = f"at {plain(outcome.price)}, fee {outcome.fee:,.2f} {quote}"
        return f"hedged {done} {what} {paid}{_goal(intent, reach, whole=whole)}"
    if isinstance(outcome, Working):
        return f"The order to {verb} {what} is in the book, {plain(outcome.filled)} filled so far."
    reason = clean(outcome.reason, 200).rstrip(".")
    if isinstance(outcome, Cancelled):
        return f"Nothing of the order to {verb} {what} was filled: {reason}."
    if isinstance(outcome, Rejected):
        return f"The order to {verb} {what} was rejected: {reason}."
    return (
        f"Nobody knows yet whether the order to {verb} {what} was placed ({reason}): "
        "hedged looks it up before anything else trades there."
    )


def _goal(intent: Intent, reach: Decimal | None, *, whole: bool = True) -> str:
    """The end of a sentence: what the order leads to, or that it is only a part of what does."""
    part = f": {intent.part}" if intent.part else ""
    if reach is None:
        return f"{part}."
    if whole and not part:
        return f" to reach {plain(reach)}."
    return f"{part}. More is needed to reach {plain(reach)}."


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


def _proposal(intent: Intent | Proposal) -> str:
    """The order as the subject of a sentence."""
    account, _, symbol = (clean(part, SUBJECT_MAX) for part in intent.instrument.partition(":"))
    verb = "Selling" if intent.side is Side.SELL else "Buying"
    return f"{verb} {contracts_text(intent.quantity)} of {symbol} on {account}"
