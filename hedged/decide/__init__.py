"""What should be done: an `Assessment` in, a `Decision` out, with its reason, also when that is nothing."""

from __future__ import annotations

from hedged.decide.desk import Book, Desk
from hedged.decide.jumps import price_jumps
from hedged.decide.margin import margin_trades
from hedged.decide.placement import sliced, within_limit
from hedged.decide.rebalance import trades_for
from hedged.decide.roll import must_leave, roll_trades
from hedged.decide.sequence import in_sequence
from hedged.model.finding import Assessment
from hedged.model.instrument import InstrumentId
from hedged.model.order import Decision
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.model.snapshot import Snapshot

__all__ = ["Book", "decide"]

_URGENT = 1_000  # numbers of orders for margin, apart from the others' on the same instrument


def decide(assessment: Assessment, snapshot: Snapshot, policy: PortfolioPolicy, book: Book) -> Decision:
    """Judge every group; each order goes through the gate, in the order of the configuration.

    What is bought back for margin goes first, of all groups; such a group does nothing else in that cycle.
    """
    desk = Desk(snapshot, policy, book, price_jumps(assessment.exposures, snapshot, book.prices))
    reasons: list[str] = []
    urgent = {group.name: margin_trades(group, snapshot, policy) for group in assessment.groups}
    for group in assessment.groups:
        earlier: dict[InstrumentId, tuple[str, ...]] = {}  # one at a time: the next once the one before is filled whole
        for number, trade in enumerate(urgent[group.name][0], start=_URGENT):
            before = earlier.get(trade.instrument, ())
            earlier[trade.instrument] = (*before, desk.offer(trade, group, number, only_after=before))
    for group in assessment.groups:
        waits, why = urgent[group.name]
        if waits:
            reasons.append(why)
            continue
        trades, reason = trades_for(group, snapshot.instruments, policy.limits)
        if not trades:
            trades, roll = roll_trades(group, snapshot, policy)
            reason = f"{reason}; {roll}" if roll else reason
        if any(trade.instrument in book.resting for trade in trades):
            reasons.append(f"{group.name}: waits for its order at rest in the book")
            continue
        reasons.append(reason)
        parts = [within_limit(trade, group, snapshot.instruments, policy.limits) for trade in trades]
        first, then = in_sequence(parts, group, snapshot.instruments)
        if any(must_leave(snapshot.instruments[each.instrument], policy.roll, snapshot.now) for each in then):
            first, then = [*first, *then], []
        if not then:  # what another waits for goes whole, or that would leave too little
            first = [sliced(trade, group, snapshot, policy) for trade in first]
        done = tuple(desk.offer(trade, group, number, at_once=bool(then)) for number, trade in enumerate(first))
        for number, trade in enumerate(then, start=len(first)):
            desk.offer(trade, group, number, only_after=done, at_once=True)
    modes = {hedge.name: hedge.mode for hedge in policy.hedges}
    stopped = book.stopped is not None or not book.orders_allowed
    waiting = {
        group.name
        for group in assessment.groups
        if modes[group.hedges[0]] is Mode.APPROVE and (stopped or group.blocked_by)
    }
    return desk.decision(
        "; ".join(reasons) or "no hedges are configured", waits=lambda proposal: proposal.hedge in waiting
    )
