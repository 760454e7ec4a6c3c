"""About who may send orders, and when: a mode, a person's word, a stop, one process."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hedged.model.policy import Mode
from hedged.trial.operator import FORBIDDEN
from hedged.trial.world import Violation, World

_CYCLE_MAX = timedelta(seconds=120)  # from the decision to the last order


def invariant_15(world: World) -> Violation | None:
    """Monitor and paper make 0 private writing calls.

    Approve makes 0 without a fresh, single-use, matching approval.
    """
    leaving = world.sighting.leaving
    if leaving is None:
        return None
    intent = leaving.intent
    mode = world.plan.modes.get(intent.hedge.partition("+")[0], Mode.MONITOR)
    if mode in {Mode.MONITOR, Mode.PAPER}:
        return Violation(15, f"an order of hedge {intent.hedge} leaves in mode {mode}")
    if mode is not Mode.APPROVE:
        return None
    given = world.seen.approvals.get(intent.approval or "")
    if given is None:
        return Violation(15, f"{intent.client_order_id} leaves and nobody has approved it")
    matches = (intent.hedge, intent.instrument, intent.side) == (given.hedge, given.instrument, given.side)
    if not matches or intent.quantity > given.quantity:
        return Violation(15, f"{intent.client_order_id} is another order than proposal {given.id}")
    if world.seen.used.setdefault(given.id, intent.client_order_id) != intent.client_order_id:
        return Violation(15, f"{intent.client_order_id} leaves on proposal {given.id}, which was used before")
    steady = not world.seen.jumps or world.elapsed - world.seen.jumps[-1] > _CYCLE_MAX.total_seconds()
    if steady and world.machine_now() > given.expires_at + _CYCLE_MAX:
        return Violation(15, f"{intent.client_order_id} leaves on proposal {given.id}, which has expired")
    return None


def invariant_16(world: World) -> Violation | None:
    """Retained, duplicate, expired or mismatching commands change nothing but the audit log."""
    if world.seen.wrongly_answered:
        return Violation(16, f"{world.seen.wrongly_answered[0]} was done, and must not be")
    recorded, journal = world.sighting.recorded, world.journal
    if recorded is not None and journal is not None and Decimal(FORBIDDEN) in journal.ratios_by_hand():
        return Violation(16, f"a ratio of {FORBIDDEN} is in force, which only flawed commands have asked for")
    return None


def invariant_17(world: World) -> Violation | None:
    """After a pause or halt is acknowledged: 0 new orders until re-enabled locally, across restarts."""
    leaving = world.sighting.leaving
    if leaving is not None and world.seen.stopped is not None:
        return Violation(17, f"{leaving.intent.client_order_id} leaves while orders are {world.seen.stopped}")
    return None


def invariant_18(world: World) -> Violation | None:
    """At most one live executor per portfolio: a stale fencing epoch cannot write."""
    sighting = world.sighting
    if (sighting.leaving is None and sighting.recorded is None) or world.life is None or world.journal is None:
        return None
    holder, own = world.journal.lease() or "nobody", world.life.outside.machine
    if not holder.startswith(own):
        return Violation(18, f"{own} acts while {holder} is the one to send orders")
    return None
