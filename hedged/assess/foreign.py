"""Orders of somebody else on a contract that hedged trades, seen by what they did to its position. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal

from hedged.model.finding import Finding, HedgeGroup, Kind, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.model.snapshot import Read, Snapshot
from hedged.ports import Memory

ZERO = Decimal(0)


def foreign_orders(
    snapshot: Snapshot,
    memory: Memory,
    groups: Sequence[HedgeGroup],
    policy: PortfolioPolicy,
    unsure: Collection[InstrumentId],
) -> Iterator[Finding]:
    """Positions that grew or came by no order of ours; those that shrank are told as closed, reduced or vanished.

    `memory`: what the last cycle read, with its own fills. `unsure`: contracts on which an order of ours may have been
    filled that is not in there. Only of hedges that send orders: elsewhere it is people who trade.
    """
    modes = {hedge.name: hedge.mode for hedge in policy.hedges}
    doubted = {doubt.instrument for doubt in (*snapshot.doubts, *snapshot.explained)}
    for group in groups:
        if modes[group.hedges[0]] not in {Mode.APPROVE, Mode.LIVE}:
            continue
        for instrument in sorted({leg.instrument for leg in group.legs} - doubted - set(unsure)):
            account = instrument.partition(":")[0]
            view = snapshot.accounts.get(account)
            if view is None or not isinstance(view.derivatives, Read) or account not in memory.read_at:
                continue
            before = memory.positions.get(instrument, ZERO)
            now = sum((p.contracts for p in view.derivatives.value.positions if p.instrument == instrument), ZERO)
            due = memory.guard.expected.get(instrument)
            if now == before or (due is not None and now == due.before):  # our own fill does not show yet
                continue
            text = (
                f"{instrument}: the position went from {before:f} to {now:f} contracts, by {now - before:+f}, and not "
                "by an order of hedged's."
            )
            values = {"before": before, "now": now, "by": now - before}
            yield Finding(Kind.FOREIGN_ORDER, instrument, Severity.WARNING, text, values)
