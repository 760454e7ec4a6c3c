"""The last cycles of a roll: as much of it as the limits let through in each, rather than all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from hedged.decide.desk import Desk
from hedged.decide.rebalance import Trade
from hedged.decide.roll import covered, is_last_call, must_leave
from hedged.model.finding import HedgeGroup
from hedged.model.order import Purpose


def as_allowed(
    first: Sequence[Trade], then: Sequence[Trade], group: HedgeGroup, desk: Desk
) -> tuple[list[Trade], list[Trade]]:
    """What goes first and what follows it, at the last call of a roll; at any other time as it is.

    Of the near leg goes what the far one takes over in the same cycle. Where nothing of that is allowed, as when the
    account's leverage is used up, the near leg makes room as far as the band can spare. Once it has to be left
    whatever becomes of the far leg, only its own limits count.
    """
    snapshot, policy = desk.snapshot, desk.policy
    rolled = [trade for trade in (*first, *then) if trade.purpose is Purpose.ROLL]
    near, far = (next((each for each in rolled if each.reduce_only is reduces), None) for reduces in (True, False))
    late = [
        each
        for each in (*then, *rolled)
        if must_leave(snapshot.instruments[each.instrument], policy.roll, snapshot.now)
    ]
    if late:
        return [desk.largest(each, group) or each if each in rolled else each for each in (*first, *then)], []
    if near is None or far is None:
        return list(first), list(then)
    if not is_last_call(snapshot.instruments[near.instrument], policy.roll, snapshot.now, policy.every):
        return list(first), list(then)
    part = desk.largest(far, group, twice=True)
    rest = near if part == far else covered(near, part, group, snapshot.instruments)
    rest = desk.largest(rest, group) or rest
    if part is None:  # the far leg is offered all the same: the gate says why not, and that is told
        return [far, *([rest] if rest.contracts else [])], []
    return ([part], [rest]) if then else ([rest, part], [])
