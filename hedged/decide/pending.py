"""Orders that wait for a person's word: which stand, which are new, and which have come to an end. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.model.instrument import InstrumentId
from hedged.model.order import Intent
from hedged.model.proposal import Proposal, Verdict
from hedged.model.trade import Purpose, Side

STANDS_WITHIN = Decimal("0.1")
"""What is wanted may have come to differ by this share of a proposal's quantity, and the proposal still stands."""

Want = tuple[str, InstrumentId, Side, bool, Purpose]


@dataclass(slots=True)
class Pending:
    """One cycle's view of the proposals. `known`: open, approved, and recently rejected ones.

    A person's "no" holds for as long as the proposal would have: nothing like it is proposed again before.
    """

    known: Iterable[Proposal]
    now: datetime
    cycle_id: str
    expire: timedelta
    price_collar: Decimal
    standing: list[Proposal] = field(default_factory=list, init=False)  # open after this cycle
    ended: list[Proposal] = field(default_factory=list, init=False)
    rejected: list[Proposal] = field(default_factory=list, init=False)  # what is not proposed because of it
    _left: list[Proposal] = field(default_factory=list, init=False)  # not looked at yet in this cycle

    def __post_init__(self) -> None:
        self._left = [each for each in self.known if each.verdict in {Verdict.OPEN, Verdict.APPROVED, Verdict.REJECTED}]

    def approval(self, want: Want, quantity: Decimal) -> Proposal | None:
        """The approval that was given for this and still holds, the nearest in size; it is not given out again."""
        return self._take(want, quantity, Verdict.APPROVED)

    def propose(self, intent: Intent, number: int) -> bool:
        """Let a proposal stand for this order: the one there is, else a new one. False: a person has said no to it."""
        want = want_of(intent)
        refused = self._take(want, intent.quantity, Verdict.REJECTED)
        if refused is not None and self._covers(refused, intent):
            self.rejected.append(refused)
            return False
        before = self._take(want, intent.quantity, Verdict.OPEN)
        if before is not None and self._covers(before, intent):
            self.standing.append(before)
            return True
        made = self._made(intent, number)
        if before is not None:
            self._end(before, Verdict.REPLACED, f"replaced by {made.id}: {made.quantity:f} contracts are wanted now")
        self.standing.append(made)
        return True

    def leave(self, intent: Intent) -> None:
        """The gate refused this order, perhaps only now: what was proposed of it stands until it is not wanted."""
        before = self._take(want_of(intent), intent.quantity, Verdict.OPEN)
        if before is not None:
            self.standing.append(before)

    def give_up(self, approval: Proposal, why: str) -> None:
        """An approval that does not fit any more."""
        self._end(approval, Verdict.EXPIRED, why)

    def close(self, waits: Callable[[Proposal], bool]) -> None:
        """What nobody wants any more, or answered in time, has ended. `waits`: its hedge cannot be judged now."""
        for each in self._left:
            if each.verdict is Verdict.REJECTED:
                continue
            if not each.holds(self.now):
                late = "nobody answered in time" if each.verdict is Verdict.OPEN else "it was not sent in time"
                self._end(each, Verdict.EXPIRED, late)
            elif not waits(each):
                self._end(each, Verdict.EXPIRED, "it is not wanted any more")
            elif each.verdict is Verdict.OPEN:
                self.standing.append(each)
        self._left = []

    def _take(self, want: Want, quantity: Decimal, verdict: Verdict) -> Proposal | None:
        found = [
            each for each in self._left if each.verdict is verdict and want_of(each) == want and each.holds(self.now)
        ]
        if not found:
            return None
        nearest = min(found, key=lambda each: (abs(each.quantity - quantity), each.made_at, each.id))
        self._left.remove(nearest)
        return nearest

    def _covers(self, proposal: Proposal, intent: Intent) -> bool:
        """Whether an answer to it would still be an answer to this order."""
        near = abs(intent.quantity - proposal.quantity) <= STANDS_WITHIN * proposal.quantity
        return near and abs(intent.price / proposal.price - 1) <= self.price_collar

    def _made(self, intent: Intent, number: int) -> Proposal:
        said = f"{self.cycle_id}|{intent.instrument}|{number}|proposal"
        return Proposal(
            id=hashlib.sha256(said.encode()).hexdigest()[:8],
            hedge=intent.hedge,
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            price=intent.price,
            notional=intent.notional,
            reduce_only=intent.reduce_only,
            purpose=intent.purpose,
            reason=intent.reason,
            made_at=self.now,
            expires_at=self.now + self.expire,
        )

    def _end(self, proposal: Proposal, verdict: Verdict, why: str) -> None:
        self.ended.append(replace(proposal, verdict=verdict, ended_because=why))


def want_of(order: Intent | Proposal) -> Want:
    """What makes two orders the same wish, numbers aside."""
    return order.hedge, order.instrument, order.side, order.reduce_only, order.purpose
