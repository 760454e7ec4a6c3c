"""Out of a contract that ends and into the next, as a pair: near leg bought back, far leg sold.

By slices that keep the hedge inside its band after each single order, whichever of the two fails; the last of the
near leg at once when its end is so close that settlement prices begin to form. A delisting is an end like an expiry,
and the hedge's next instrument is then the far leg. Said of a short; for a hedge that is held long it is mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.assess.roll import pairs_due
from hedged.decide.rebalance import Trade, leg_of
from hedged.estimate.sizing import order_min
from hedged.model.finding import HedgeGroup, HedgeStatus, LegState
from hedged.model.instrument import Instrument, InstrumentId, round_down
from hedged.model.order import Purpose
from hedged.model.policy import Limits, PortfolioPolicy, RollPolicy
from hedged.model.snapshot import Snapshot

ZERO = Decimal(0)


def roll_trades(group: HedgeGroup, snapshot: Snapshot, policy: PortfolioPolicy) -> tuple[list[Trade], str]:
    """The next slice of the first pair that is due; ([], "") where none is. `decide.sequence` says which goes first.

    Each order by itself keeps the hedge inside its band, so that either may fail. Only at the last call, with the
    near leg about to be settled, does all of it go at once, or as much as the limits allow (`decide.last_call`); the
    near leg then waits for the far one, until half of the time to settlement is over (`must_leave`).
    """
    if group.blocked_by or group.status in {HedgeStatus.NO_EXPOSURE, HedgeStatus.BLOCKED}:
        return [], ""
    for pair in pairs_due(group):
        if pair.far is None:
            continue
        near, far = Side(pair.near, snapshot.instruments), Side(pair.far, snapshot.instruments)
        last_call = is_last_call(near.instrument, policy.roll, snapshot.now, policy.every)
        at_once = last_call or near.instrument.by_hand  # a person rolls once, not by the minute
        sell, buy = _everything(near, far, policy.limits) if at_once else _slice(group, near, far, policy.limits)
        reason = f"{group.name}: roll {near.leg.instrument} into {far.leg.instrument}"
        trades = [
            Trade(
                instrument=leg.leg.instrument,
                contracts=quantity * side,
                reduce_only=leg.reduces(side),
                reason=f"{reason}: {'buy' if side > 0 else 'sell'} {quantity:f} {leg.leg.instrument}",
                purpose=Purpose.ROLL,
            )
            for leg, quantity, side in ((far, sell, -far.leg.direction), (near, buy, near.leg.direction))
            if quantity
        ]
        if trades:
            return trades, f"{reason}{', at the last call' if last_call else ''}"
    return [], ""


def covered(near: Trade, far: Trade | None, group: HedgeGroup, instruments: Mapping[InstrumentId, Instrument]) -> Trade:
    """As much of the near leg as the far one takes over; without it, as much as the band can spare. Perhaps nothing."""
    leaving = Side(leg_of(group.legs, near.instrument), instruments)
    if far is not None:
        value = Side(leg_of(group.legs, far.instrument), instruments).value(abs(far.contracts))
    else:
        value = (group.hedge_value or ZERO) - (group.target_ratio - group.band) * (group.beta_exposure or ZERO)
    quantity = min(leaving.at_most(value, leaving.instrument.lot_size), abs(near.contracts))
    if quantity == abs(near.contracts):
        return near
    reason = f"{near.reason}; {quantity:f} of it now"
    return replace(near, contracts=quantity.copy_sign(near.contracts), reason=reason)


def is_last_call(instrument: Instrument, roll: RollPolicy, now: datetime, every: timedelta) -> bool:
    """Whether a contract has to be left at once, because the next cycle would be too late."""
    ends = instrument.ends()
    return ends is not None and ends - now <= roll.stop + every


def must_leave(instrument: Instrument, roll: RollPolicy, now: datetime) -> bool:
    """Whether a contract is bought back even if nothing took its place: settlement prices form from here on."""
    ends = instrument.ends()
    return ends is not None and ends - now <= roll.stop / 2


def _everything(near: Side, far: Side, limits: Limits) -> tuple[Decimal, Decimal]:
    held = abs(near.leg.contracts or ZERO)
    return far.at_most(near.value(held), order_min(far.instrument, far.mark, limits.price_collar)), held


def _slice(group: HedgeGroup, near: Side, far: Side, limits: Limits) -> tuple[Decimal, Decimal]:
    """Contracts of the far leg to open and of the near one to close, each at most the room on its side of the band.

    Both where there is room on both sides; near an edge one of them alone, and the other in the next cycle.
    """
    beta_exposure, hedge_value = group.beta_exposure or ZERO, group.hedge_value or ZERO
    target, width = group.target_ratio * beta_exposure, group.band * beta_exposure
    above, below = target + width - hedge_value, hedge_value - target + width
    most = limits.order_notional_max if limits.order_notional_max is not None else beta_exposure
    least = order_min(far.instrument, far.mark, limits.price_collar, limits.order_notional_min / far.rate)
    held = abs(near.leg.contracts or ZERO)
    sell = far.at_most(min(above, most, near.value(held)), least)
    buy = min(near.at_most(min(below, most), near.instrument.lot_size), held)
    if buy == held or 2 * min(above, below) >= max(above, below):
        sell = far.at_most(min(far.value(sell), near.value(buy)), least)
    elif above > below:
        buy = ZERO
    else:
        sell = ZERO
    if not buy and not sell and far.value(least) <= min(above, most):
        sell = least  # a lot of the near leg is wider than the room below: make room first
    return sell, buy


@dataclass(frozen=True, slots=True)
class Side:
    """One leg of a pair with its contract; values in the portfolio's quote currency."""

    leg: LegState
    instruments: Mapping[InstrumentId, Instrument]

    @property
    def instrument(self) -> Instrument:
        return self.instruments[self.leg.instrument]

    @property
    def mark(self) -> Decimal:
        return self.leg.mark or ZERO

    @property
    def rate(self) -> Decimal:
        return self.leg.rate or Decimal(1)

    def value(self, quantity: Decimal) -> Decimal:
        return abs(self.instrument.notional(quantity, self.mark)) * self.rate

    def at_most(self, value: Decimal, least: Decimal) -> Decimal:
        """Whole lots worth at most `value`; 0 where that is fewer than `least` contracts."""
        lots = round_down(
            self.instrument.contracts_for(max(value, ZERO) / self.rate, self.mark), self.instrument.lot_size
        )
        return lots if lots >= least else ZERO

    def reduces(self, side: int) -> bool:
        """Whether an order on this side (+1 buy) makes the position smaller."""
        held = self.leg.contracts or ZERO
        return bool(held) and (held > 0) is (side < 0)
