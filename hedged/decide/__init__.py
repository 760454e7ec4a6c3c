"""What should be done: an `Assessment` in, a `Decision` out, with its reason, also when that is nothing."""

from __future__ import annotations

from collections.abc import Sequence

from hedged.decide.at_rest import at_rest, can_tell, unwanted
from hedged.decide.book import Book
from hedged.decide.desk import Desk
from hedged.decide.jumps import price_jumps
from hedged.decide.last_call import as_allowed
from hedged.decide.margin import margin_trades
from hedged.decide.placement import sliced, within_limit
from hedged.decide.rebalance import Trade, trades_for
from hedged.decide.roll import roll_trades
from hedged.decide.sequence import in_sequence
from hedged.decide.unfilled import with_takers
from hedged.model.finding import Assessment, HedgeGroup
from hedged.model.instrument import InstrumentId
from hedged.model.order import Decision, Intent, Purpose
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.model.snapshot import Snapshot

__all__ = ["Book", "decide"]

_URGENT = 1_000  # numbers of orders for margin, apart from the others' on the same instrument


def decide(assessment: Assessment, snapshot: Snapshot, policy: PortfolioPolicy, book: Book) -> Decision:
    """Judge every group; each order goes through the gate, in the order of the configuration.

    What is bought back for margin goes first, of all groups; such a group does nothing else in that cycle.
    """
    desk = Desk(snapshot, policy, book, price_jumps(assessment.exposures, snapshot, book.prices, policy.aliases))
    resting = at_rest(book.open_orders, book.resting)
    names = {group.name for group in assessment.groups}
    desk.take_back += [each for each in resting if each.hedge not in names]
    urgent = {group.name: margin_trades(group, snapshot, policy) for group in assessment.groups}
    for group in assessment.groups:
        _rescue(urgent[group.name][0], group, desk)
    reasons: list[str] = []
    for group in assessment.groups:
        waits, why = urgent[group.name]
        own = [each for each in resting if each.hedge == group.name]
        if waits:
            desk.take_back += own
            reasons.append(why)
        else:
            reasons.append(_hedged(group, own, desk))
    modes = {hedge.name: hedge.mode for hedge in policy.hedges}
    stopped = book.stopped is not None or not book.orders_allowed
    waiting = {
        group.name
        for group in assessment.groups
        if modes[group.hedges[0]] is Mode.APPROVE and (stopped or group.blocked_by)
    }
    return desk.decision(
        "; ".join(reasons) or "no hedges are configured", waits=lambda proposal: proposal.hedge in waiting | desk.idle
    )


def _rescue(trades: Sequence[Trade], group: HedgeGroup, desk: Desk) -> None:
    """One at a time on an instrument: each next part goes where the one before was filled whole."""
    parts: dict[InstrumentId, tuple[str, ...]] = {}
    for number, trade in enumerate(trades, start=_URGENT):
        if trade.instrument not in desk.book.resting:  # which is taken back first
            before = parts.get(trade.instrument, ())
            parts[trade.instrument] = (*before, desk.offer(trade, group, number, only_after=before))


def _hedged(group: HedgeGroup, resting: Sequence[Intent], desk: Desk) -> str:
    """Put to the gate what brings the hedge back into its band, or rolls or closes it; the reason of all that."""
    snapshot, policy, book = desk.snapshot, desk.policy, desk.book
    trades, reason = trades_for(group, snapshot.instruments, policy.limits)
    if not trades:
        trades, roll = roll_trades(group, snapshot, policy)
        reason = f"{reason}; {roll}" if roll else reason
    if resting and can_tell(group, snapshot, desk.jumped, book.marks, policy.limits.price_collar):
        back = unwanted(resting, trades, group, snapshot)
        desk.take_back += back
        said = ", ".join(f"{each.side.value} {each.quantity:f} {each.instrument}" for each in back)
        reason = f"{reason}; takes back its order at rest in the book: {said}" if back else reason
        # What is closed waits for nothing but its own instrument; all else might be filled twice.
        trades = [each for each in trades if each.instrument not in book.resting or each.purpose is not Purpose.CLOSE]
        if back and any(each.purpose is not Purpose.CLOSE for each in trades):
            return reason
    if any(trade.instrument in book.resting for trade in trades):
        return f"{group.name}: waits for its order at rest in the book"
    parts = [within_limit(trade, group, snapshot.instruments, policy.limits) for trade in trades]
    first, then = as_allowed(*in_sequence(parts, group, snapshot.instruments), group, desk)
    first, then, no_takers = with_takers(first, then, book.waiting, snapshot, policy)
    if no_takers is not None:
        desk.idle.add(group.name)
        reason = f"{reason}; {no_takers}"
    if not then:  # what another waits for goes whole, or that would leave too little
        first = [sliced(trade, group, snapshot, policy) for trade in first]
    done = tuple(desk.offer(trade, group, number, at_once=bool(then)) for number, trade in enumerate(first))
    for number, trade in enumerate(then, start=len(first)):
        desk.offer(trade, group, number, only_after=done, at_once=True)
    return reason
