"""Which orders at rest in a book are not wanted any more: taken back at once, and not when their time is over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from hedged.decide.rebalance import Trade
from hedged.decide.sequence import hedge_value
from hedged.estimate.band import ROUNDING
from hedged.model.finding import HedgeGroup, HedgeStatus
from hedged.model.instrument import InstrumentId
from hedged.model.order import Intent, Placement, Purpose
from hedged.model.snapshot import Read, Snapshot

ZERO = Decimal(0)


def at_rest(orders: Iterable[Intent], resting: Collection[InstrumentId]) -> list[Intent]:
    """Of the orders whose end nobody knows, those that are known to wait in a book."""
    return [each for each in orders if each.placement is Placement.PASSIVE and each.instrument in resting]


def can_tell(
    group: HedgeGroup,
    snapshot: Snapshot,
    jumped: Collection[str],
    marks: Mapping[InstrumentId, Decimal],
    collar: Decimal,
) -> bool:
    """Whether it is known what the hedge wants: not while it is blocked, nor by a price that has to be read again."""
    known = group.status is HedgeStatus.NO_EXPOSURE or group.drift is not None
    if group.blocked_by or not known or any(name in jumped for name in group.hedges):
        return False
    for leg in group.legs:
        quote, last = snapshot.quotes.get(leg.instrument), marks.get(leg.instrument)
        if isinstance(quote, Read) and last and abs(quote.value.mark / last - 1) > collar:
            return False
    return True


def unwanted(orders: Sequence[Intent], trades: Sequence[Trade], group: HedgeGroup, snapshot: Snapshot) -> list[Intent]:
    """Orders at rest for which the hedge has no use now.

    Wanted is one on the side of a trade that may rest as well, and that leaves the hedge inside its band if all of it
    is filled: the coins that it was made for may be sold in part.
    """
    rests = {
        (trade.instrument, trade.contracts > 0)
        for trade in trades
        if trade.purpose in {Purpose.REBALANCE, Purpose.ROLL}
    }
    return [
        each
        for each in orders
        if (each.instrument, each.side.sign > 0) not in rests or _overshoots(each, group, snapshot)
    ]


def _overshoots(order: Intent, group: HedgeGroup, snapshot: Snapshot) -> bool:
    """Whether what is left of it would end beyond the far edge of the band. A roll goes to an edge on purpose."""
    leg = next((each for each in group.legs if each.instrument == order.instrument), None)
    if order.purpose is not Purpose.REBALANCE or leg is None or leg.contracts is None or group.hedge_value is None:
        return False
    if not group.beta_exposure or group.beta_exposure <= 0:
        return False
    filled = ZERO if order.held is None else (leg.contracts - order.held) * order.side.sign
    left = order.quantity - min(max(filled, ZERO), order.quantity)
    added = hedge_value(order.instrument, left * order.side.sign, group, snapshot.instruments)
    after = (group.hedge_value + added) / group.beta_exposure - group.target_ratio
    return (after if added > 0 else -after) > group.band + ROUNDING
