"""The journal of the store in RAM: orders with what became of them, and proposals with what was said to them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from hedged.adapters.store import journal
from hedged.errors import StoreUnavailable
from hedged.model.order import ABSENT, Absent, Fill, Intent, OrderRow, OrderState, Outcome, PastOrder, Working
from hedged.model.proposal import Proposal, Verdict
from hedged.ports import Turnover


@dataclass(slots=True)
class _Order:
    intent: Intent
    cycle_id: str
    planned_at: datetime
    state: str = OrderState.PLANNED.value
    ended_at: datetime | None = None
    fill: Fill | None = None
    sent_at: datetime | None = None
    sends: int = 0
    absences: int = 0
    venue_order_id: str | None = None
    reason: str | None = None


class MemoryJournal:
    """That part of `hedged.ports.Store` which orders and proposals need."""

    def __init__(self) -> None:
        self._open = False
        self._orders: dict[str, _Order] = {}  # oldest first
        self._unfinished: dict[str, _Order] = {}
        self._fills: list[Fill] = []  # oldest first
        self._proposals: dict[str, Proposal] = {}

    def _require_open(self) -> None:
        if not self._open:
            raise StoreUnavailable("the store in memory is not open")

    async def plan(self, cycle_id: str, intents: Sequence[Intent], now: datetime) -> None:
        self._require_open()
        ids = [intent.client_order_id for intent in intents]
        known = {each: self._orders[each] for each in ids if each in self._orders}
        if len(set(ids)) < len(ids) or any(order.state != ABSENT for order in known.values()):
            raise journal.already_planned(", ".join(ids))
        self._use_approvals(intents)
        for intent in intents:
            order = _Order(intent, cycle_id, now)
            if (before := self._orders.pop(intent.client_order_id, None)) is not None:  # sent again, with the same id
                order.sent_at, order.sends, order.absences = before.sent_at, before.sends, before.absences
            self._orders[intent.client_order_id] = self._unfinished[intent.client_order_id] = order

    async def mark_sent(self, client_order_id: str, now: datetime) -> None:
        order = self._find(client_order_id)
        sent = OrderState.SENT.value
        if order.state not in journal.COMES_FROM[sent]:
            raise journal.no_such_step(client_order_id, order.state, sent)
        order.state, order.sent_at = sent, now
        order.sends, order.absences = order.sends + 1, 0

    async def record_outcome(self, outcome: Outcome | Absent, now: datetime) -> None:
        wanted, after = outcome.client_order_id, journal.state_after(outcome)
        order = self._find(wanted)
        if order.state not in journal.COMES_FROM[after]:
            if order.state != after:
                raise journal.no_such_step(wanted, order.state, after)
            if isinstance(outcome, Fill) and outcome != order.fill:
                raise journal.contradicts(wanted)
            return
        order.state, order.reason = after, journal.reason_of(outcome)
        if isinstance(outcome, Working):
            order.venue_order_id = outcome.venue_order_id
        if isinstance(outcome, Fill):
            order.fill = outcome
            insort(self._fills, outcome, key=_by_time)
        if after not in journal.OPEN:
            order.ended_at = now
            del self._unfinished[wanted]

    async def record_absence(self, client_order_id: str, now: datetime) -> None:
        order = self._find(client_order_id)
        if order.state not in journal.OPEN:
            raise journal.no_such_step(client_order_id, order.state, ABSENT)
        order.absences += 1

    def _find(self, client_order_id: str) -> _Order:
        self._require_open()
        order = self._orders.get(client_order_id)
        if order is None:
            raise journal.not_in_journal(client_order_id)
        return order

    async def open_orders(self) -> Sequence[OrderRow]:
        self._require_open()
        return [
            OrderRow(
                intent=order.intent,
                state=OrderState(order.state),
                planned_at=order.planned_at,
                cycle_id=order.cycle_id,
                sent_at=order.sent_at,
                sends=order.sends,
                absences=order.absences,
                venue_order_id=order.venue_order_id,
            )
            for order in sorted(
                self._unfinished.values(), key=lambda order: (order.planned_at, order.intent.client_order_id)
            )
        ]

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        self._require_open()
        found: list[PastOrder] = []
        for order in reversed(self._orders.values()):  # newest first
            if order.planned_at < since or len(found) == journal.PAST_ORDERS_MAX:
                break
            found.append(
                PastOrder(
                    intent=order.intent,
                    state=order.state,
                    planned_at=order.planned_at,
                    sent=order.sent_at is not None,
                    filled=order.fill.quantity if order.fill is not None else Decimal(0),
                    reason=order.reason,
                    sends=order.sends,
                )
            )
        return found

    async def turnover(self, since: datetime) -> Turnover:
        self._require_open()
        notionals = [
            journal.fill_notional(fill, self._orders[fill.client_order_id].intent) for fill in self._filled(since)
        ]
        notionals += [order.intent.notional for order in self._unfinished.values()]
        return Turnover(notional=sum(notionals, Decimal(0)), orders=len(notionals))

    async def fills(self, since: datetime) -> Sequence[Fill]:
        self._require_open()
        return self._filled(since)

    def _filled(self, since: datetime) -> list[Fill]:
        return self._fills[bisect_left(self._fills, (since, ""), key=_by_time) :]

    # proposals

    async def proposal(self, proposal_id: str) -> Proposal | None:
        self._require_open()
        return self._proposals.get(proposal_id)

    async def proposals(self, since: datetime) -> Sequence[Proposal]:
        self._require_open()
        wanted = [each for each in self._proposals.values() if each.verdict in journal.UNENDED or each.made_at >= since]
        wanted.sort(key=lambda each: each.id)
        return sorted(wanted, key=lambda each: each.made_at, reverse=True)[: journal.PROPOSALS_MAX]

    async def answer(self, proposal: Proposal) -> bool:
        self._require_open()
        kept = self._proposals.get(proposal.id)
        return kept is not None and kept.digest == proposal.digest and self._step(proposal)

    def _step(self, proposal: Proposal) -> bool:
        kept = self._proposals.get(proposal.id)
        if kept is None or kept.verdict not in journal.VERDICT_FROM[proposal.verdict]:
            return False
        self._proposals[proposal.id] = proposal
        return True

    def _use_approvals(self, intents: Sequence[Intent]) -> None:
        """All or none."""
        used = dict(self._proposals)
        for intent in intents:
            if intent.approval is None:
                continue
            kept = used.get(intent.approval)
            if kept is None or kept.verdict not in journal.VERDICT_FROM[Verdict.USED]:
                raise journal.not_approved(intent.approval, None if kept is None else kept.verdict)
            used[kept.id] = replace(kept, verdict=Verdict.USED, client_order_id=intent.client_order_id)
        self._proposals = used

    def _thin_journal(self, oldest: datetime, rows_max: int) -> int:
        """Forget orders and proposals that ended before `oldest`; how many."""
        gone = [each for each, order in self._orders.items() if order.ended_at is not None and order.ended_at < oldest]
        del gone[rows_max:]
        for each in gone:
            fill = self._orders.pop(each).fill
            if fill is not None:
                self._fills.remove(fill)
        over = [
            each.id
            for each in self._proposals.values()
            if each.verdict not in journal.UNENDED and each.made_at < oldest
        ]
        for each in over:
            del self._proposals[each]
        return len(gone) + len(over)


def _by_time(fill: Fill) -> tuple[datetime, str]:
    return fill.at, fill.client_order_id
