"""From a hedge's drift to what should be traded: to the nearest edge of the band, and no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedged.assess.hedge_ratio import leg_gaps
from hedged.assess.roll import in_order
from hedged.estimate.band import is_outside, ratio_to_reach
from hedged.estimate.sizing import order_min, quantity_into_band, reduction
from hedged.model.finding import HedgeGroup, HedgeStatus, LegState
from hedged.model.instrument import Instrument, InstrumentId, round_down
from hedged.model.order import Purpose, Side
from hedged.model.policy import Limits

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Trade:
    """Contracts of one instrument, signed (sell negative), before the gate has seen it."""

    instrument: InstrumentId
    contracts: Decimal
    reduce_only: bool
    reason: str
    purpose: Purpose = Purpose.REBALANCE
    part: str = ""  # what it is of what was wanted, in words; "": all of it

    @property
    def side(self) -> Side:
        return Side.BUY if self.contracts > 0 else Side.SELL


def trades_for(
    group: HedgeGroup, instruments: Mapping[InstrumentId, Instrument], limits: Limits
) -> tuple[list[Trade], str]:
    """What to trade for one group, and the reason: also when that is nothing."""
    if group.blocked_by:
        more = f" (and {len(group.blocked_by) - 1} more)" if len(group.blocked_by) > 1 else ""
        return [], f"{group.name}: blocked: {group.blocked_by[0]}{more}"
    if group.status is HedgeStatus.NO_EXPOSURE:
        closing = list(_close_all(group, instruments))
        return closing, f"{group.name}: nothing to hedge" + ("; closes what is left of the hedge" if closing else "")
    if group.hedge_ratio is None or group.beta_exposure is None or group.target_value is None or group.drift is None:
        return [], f"{group.name}: unknown"
    if not group.target_ratio:
        closing = list(_close_all(group, instruments))
        return closing, f"{group.name}: no hedge is wanted now" + ("; closes what is left of it" if closing else "")
    if not is_outside(group.drift, group.band):
        return [], f"{group.name}: inside the band, drift {group.drift:+.4f} within ±{group.band:.4f}{_widened(group)}"
    gaps = leg_gaps(group.legs, group.leg_targets)
    if gaps:
        changes = _leg_changes(group, gaps)
    else:
        reach = ratio_to_reach(group.hedge_ratio, group.target_ratio, group.band, group.inner_band)
        changes = {} if reach is None else {None: (reach - group.hedge_ratio) * group.beta_exposure}
    trades = [trade for slot, change in changes.items() for trade in _change(group, slot, change, instruments, limits)]
    if not trades:
        return [], f"{group.name}: drift {group.drift:+.4f} is outside ±{group.band:.4f}, but nothing can be traded"
    return trades, trades[0].reason


def _widened(group: HedgeGroup) -> str:
    if group.band == group.band_configured:
        return ""
    return f", widened from ±{group.band_configured:.4f} because the smallest order is larger than that"


def _leg_changes(group: HedgeGroup, gaps: Mapping[InstrumentId, Decimal]) -> dict[InstrumentId | None, Decimal]:
    """Change of hedge value per slot: each to its own edge, then the largest on until the sum is inside."""
    beta_exposure = group.beta_exposure or ZERO
    width = group.band * beta_exposure
    inner = width if group.inner_band is None else group.inner_band * beta_exposure
    after = {slot: gap if abs(gap) <= width else min(max(gap, -inner), inner) for slot, gap in gaps.items()}
    excess = sum(after.values(), ZERO)
    excess = excess - min(max(excess, -inner), inner) if abs(excess) > width else ZERO
    for slot in sorted(after, key=lambda name: -abs(after[name])):
        if not excess:
            break
        if (after[slot] > 0) is (excess > 0):
            step = min(abs(excess), abs(after[slot])).copy_sign(excess)
            after[slot] -= step
            excess -= step
    return {slot: after[slot] - gap for slot, gap in gaps.items() if after[slot] != gap}


def _change(
    group: HedgeGroup,
    slot: InstrumentId | None,
    change: Decimal,
    instruments: Mapping[InstrumentId, Instrument],
    limits: Limits,
) -> Iterator[Trade]:
    """Trades that change the hedge value by `change` (> 0: more hedge); `slot` None means any leg."""
    legs = in_order([leg for leg in group.legs if slot is None or leg.slot == slot], opening=change > 0)
    word = "under-hedged" if change > 0 else "over-hedged"
    left, beyond = abs(change), _width(group)
    for leg in legs:
        instrument = instruments.get(leg.instrument)
        if instrument is None or not leg.tradable or not leg.mark or not leg.rate or leg.contracts is None:
            continue
        side = -leg.direction if change > 0 else leg.direction  # +1 buy, −1 sell
        reduces = bool(leg.contracts) and (leg.contracts > 0) is (side < 0)
        if not reduces and change < 0:
            continue  # nothing there to buy back
        quantity = _quantity(leg, instrument, left, left + beyond, limits, reduces=reduces)
        if not quantity:
            continue  # a lot there is worth more than the band is wide
        yield Trade(
            instrument=leg.instrument,
            contracts=quantity * side,
            reduce_only=reduces,
            reason=(
                f"{group.name}: {word}, drift {group.drift:+.4f} outside ±{group.band:.4f}: "
                f"to the nearest edge, {'buy' if side > 0 else 'sell'} {quantity:f} {leg.instrument}"
            ),
        )
        left -= abs(instrument.notional(quantity, leg.mark)) * leg.rate
        if change > 0 or left <= 0:
            return


def _width(group: HedgeGroup) -> Decimal:
    """How far an order may go beyond the edge that it is made for, quote currency: to the other edge of the band."""
    inner = group.band if group.inner_band is None else group.inner_band
    return (inner + group.band) * (group.beta_exposure or ZERO)


def _quantity(
    leg: LegState, instrument: Instrument, value: Decimal, most: Decimal, limits: Limits, *, reduces: bool
) -> Decimal:
    """Contracts, positive, that move the hedge by at least `value`; 0 where that takes more than `most`.

    Rounded towards less risk: up, to land inside the edge; down, and so not all the way, where a whole lot would go
    out on the other side.
    """
    mark, rate = leg.mark or ZERO, leg.rate or Decimal(1)
    held = abs(leg.contracts or ZERO)
    collar, worth = limits.price_collar, limits.order_notional_min / rate
    least = order_min(instrument, mark, collar, worth)
    quantity = quantity_into_band(instrument, mark, collar, value=value / rate, notional_min=worth)
    if reduces:
        # Never through zero: what is left is opened by the next cycle, once this is known to have happened.
        quantity = reduction(held, quantity, instrument.lot_size, order_min(instrument, mark, collar))
    if abs(instrument.notional(quantity, mark)) * rate <= most:
        return quantity
    quantity = round_down(instrument.contracts_for(value / rate, mark), instrument.lot_size)
    if reduces:
        quantity = min(quantity, round_down(held - order_min(instrument, mark, collar), instrument.lot_size))
    return quantity if quantity >= least else ZERO


def _close_all(group: HedgeGroup, instruments: Mapping[InstrumentId, Instrument]) -> Iterator[Trade]:
    """Reduce-only orders that close every leg held."""
    why = "nothing to hedge" if group.status is HedgeStatus.NO_EXPOSURE else "no hedge is wanted now"
    for leg in group.legs:
        instrument = instruments.get(leg.instrument)
        if leg.contracts and leg.tradable and instrument is not None:
            quantity = round_down(abs(leg.contracts), instrument.lot_size)
            if quantity:
                side = Side.SELL if leg.contracts > 0 else Side.BUY
                yield Trade(
                    instrument=leg.instrument,
                    contracts=quantity * side.sign,
                    reduce_only=True,
                    reason=f"{group.name}: {why}: {side.value} {quantity:f} {leg.instrument} to close",
                    purpose=Purpose.CLOSE,
                )


def leg_of(legs: Sequence[LegState], instrument: InstrumentId) -> LegState:
    """The leg that a trade of this instrument changes; trades are made for legs alone."""
    return next(leg for leg in legs if leg.instrument == instrument)
