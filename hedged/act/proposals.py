"""A person's answer to a proposal: durable before it counts, and given once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hedged.act.brake import kept
from hedged.errors import ProposalError
from hedged.model.proposal import Proposal, Verdict
from hedged.ports import Store

_HARMLESS = 200  # characters of a person's reason that are kept


async def decide(
    store: Store,
    proposal_id: str,
    *,
    digest: str | None,
    approve: bool,
    by: str,
    now: datetime,
    reason: str = "",
) -> str:
    """Keep the answer; what it means, in words. `by`: who gave it, for example "cli" or "mqtt".

    An approval can be taken back, by rejecting it, as long as no order has used it.

    `digest`: of the numbers that the person saw; None only where he saw those of the store just now. Raises
    `ProposalError` where the proposal is not known, expired, answered before, or has other numbers, and for an
    approval while orders are paused or halted; `StoreError` where the store cannot be used.
    """
    proposal = await store.proposal(proposal_id)
    if proposal is None:
        raise ProposalError(f"no proposal {proposal_id!r} is known here: `hedged proposals` lists them")
    _require_open(proposal, now, also_approved=not approve)
    if digest is not None and digest != proposal.digest:
        raise ProposalError(f"proposal {proposal.id} has other numbers than those that were answered: look at it again")
    if approve:
        stops = await kept(store)
        for word, stop in (("halted", stops.halted), ("paused", stops.paused)):
            if stop is not None:
                raise ProposalError(f"orders are {word} {stop.text}: nothing can be approved until `hedged resume`")
    answered = replace(
        proposal,
        verdict=Verdict.APPROVED if approve else Verdict.REJECTED,
        decided_at=now,
        decided_by=by,
        ended_because=None if approve else " ".join(reason.split())[:_HARMLESS] or f"rejected by {by}",
    )
    if not await store.answer(answered):  # somebody else was quicker
        _require_open(await store.proposal(proposal_id) or proposal, now, also_approved=not approve)
        raise ProposalError(f"proposal {proposal.id} could not be answered: look at it again")
    order = f"{proposal.side.value} {proposal.quantity:f} {proposal.instrument}"
    if not approve:
        return f"proposal {proposal.id} is rejected: {order} is not sent"
    return (
        f"proposal {proposal.id} is approved: {order} is decided and priced again in the next cycle, and sent if it "
        f"still fits, until {proposal.expires_at:%H:%M:%S} UTC"
    )


def _require_open(proposal: Proposal, now: datetime, *, also_approved: bool) -> None:
    if proposal.verdict is not Verdict.OPEN and not (also_approved and proposal.verdict is Verdict.APPROVED):
        by = f" by {proposal.decided_by}" if proposal.decided_by is not None else ""
        at = f" at {proposal.decided_at:%Y-%m-%d %H:%M:%S} UTC" if proposal.decided_at is not None else ""
        why = f" ({proposal.ended_because})" if proposal.ended_because is not None else ""
        raise ProposalError(f"proposal {proposal.id} is {proposal.verdict.value} already{by}{at}{why}")
    if not proposal.holds(now):
        raise ProposalError(
            f"proposal {proposal.id} was good until {proposal.expires_at:%Y-%m-%d %H:%M:%S} UTC and has expired"
        )
