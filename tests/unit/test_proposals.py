"""A person's answer to a proposal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from hedged.act.brake import keep_pause, keep_resumed
from hedged.act.proposals import decide
from hedged.adapters.store.memory import MemoryStore
from hedged.errors import ProposalError
from hedged.model.policy import World
from hedged.model.proposal import Proposal, Verdict
from hedged.model.stop import Stop
from tests.store_samples import proposal, record
from tests.support import T0

LATER = T0 + timedelta(minutes=5)
MADE = proposal()


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await made.open("main", World.REAL, T0)
    await made.record_cycle(record(1, proposals=[MADE]), [])
    return made


async def _kept(store: MemoryStore) -> Proposal:
    found = await store.proposal(MADE.id)
    assert found is not None
    return found


@pytest.mark.parametrize("digest", [None, MADE.digest])
async def test_an_approval_is_kept_with_who_gave_it(store: MemoryStore, digest: str | None) -> None:
    """Durable with time and name, and the answer says until when it is good."""
    words = await decide(store, MADE.id, digest=digest, approve=True, by="cli", now=LATER)
    assert words.startswith("proposal 0badcafe is approved: sell 2 main:ETH/USDT:USDT is decided and priced again")
    assert await _kept(store) == replace(MADE, verdict=Verdict.APPROVED, decided_at=LATER, decided_by="cli")


async def test_a_rejection_is_kept_with_its_reason(store: MemoryStore) -> None:
    """In one line, as whoever reads it later needs it."""
    words = await decide(store, MADE.id, digest=None, approve=False, by="mqtt", now=LATER, reason="  too\n big ")
    assert words == "proposal 0badcafe is rejected: sell 2 main:ETH/USDT:USDT is not sent"
    kept = await _kept(store)
    assert (kept.verdict, kept.decided_by, kept.ended_because) == (Verdict.REJECTED, "mqtt", "too big")


@pytest.mark.parametrize("approve", [False, True])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"proposal_id": "00000000"}, "no proposal '00000000' is known here"),
        ({"digest": MADE.digest[:-1] + "x"}, "has other numbers"),
        ({"now": MADE.expires_at}, "was good until 2026-11-02 12:30:00 UTC and has expired"),
        ({"now": T0 - timedelta(days=30)}, "has expired"),
    ],
)
async def test_an_answer_to_something_else_is_refused(
    store: MemoryStore, change: dict[str, object], why: str, approve: bool
) -> None:
    """Unknown, other numbers, too late, a clock put back: nothing changes."""
    asked: dict[str, object] = {"proposal_id": MADE.id, "digest": MADE.digest, "now": LATER, **change}
    with pytest.raises(ProposalError, match=why):
        await decide(store, approve=approve, by="cli", **asked)  # type: ignore[arg-type]
    assert await _kept(store) == MADE


@pytest.mark.parametrize(("first", "second"), [(True, True), (False, True), (False, False)])
async def test_a_second_answer_is_refused(store: MemoryStore, first: bool, second: bool) -> None:
    """Whichever it is, it says what was answered before, by whom and when."""
    await decide(store, MADE.id, digest=None, approve=first, by="cli", now=LATER)
    kept = await _kept(store)
    with pytest.raises(ProposalError, match=f"is {kept.verdict.value} already by cli at 2026-11-02 12:05:00 UTC"):
        await decide(store, MADE.id, digest=None, approve=second, by="mqtt", now=LATER)
    assert await _kept(store) == kept


async def test_an_approval_can_be_taken_back(store: MemoryStore) -> None:
    """Until an order has used it."""
    await decide(store, MADE.id, digest=None, approve=True, by="cli", now=LATER)
    await decide(store, MADE.id, digest=None, approve=False, by="cli", now=LATER, reason="second thoughts")
    assert (await _kept(store)).verdict is Verdict.REJECTED


async def test_two_approvals_at_once_are_one(store: MemoryStore) -> None:
    """One of them counts; the other is told so."""
    both = [decide(store, MADE.id, digest=None, approve=True, by=name, now=LATER) for name in ("cli", "mqtt")]
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in answers].count(ProposalError) == 1
    assert (await _kept(store)).verdict is Verdict.APPROVED


async def test_nothing_is_approved_while_orders_are_paused(store: MemoryStore) -> None:
    """Refused with who paused; rejecting is always possible, and after a resume so is approving."""
    await keep_pause(store, Stop(T0, "`hedged pause`", "holiday"))
    with pytest.raises(ProposalError, match="orders are paused .*holiday.* until `hedged resume`"):
        await decide(store, MADE.id, digest=None, approve=True, by="cli", now=LATER)
    await keep_resumed(store, T0)
    await decide(store, MADE.id, digest=None, approve=True, by="cli", now=LATER)
