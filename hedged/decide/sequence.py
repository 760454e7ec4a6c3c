"""Which of a hedge's orders goes first: what reduces, unless too little would be hedged until the other is done.

Reducing first frees the margin that opening needs. Where the other way round is needed, what reduces waits for what
opens and is not sent without it: a pair that is half done is over-hedged then, and the next cycle, which starts from
what is held, finishes or undoes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from hedged.decide.rebalance import Trade, leg_of
from hedged.estimate.band import ROUNDING
from hedged.model.finding import HedgeGroup
from hedged.model.instrument import Instrument, InstrumentId

ZERO = Decimal(0)


def in_sequence(
    trades: Sequence[Trade], group: HedgeGroup, instruments: Mapping[InstrumentId, Instrument]
) -> tuple[list[Trade], list[Trade]]:
    """What goes first, and what follows only once all of that is filled."""
    reducing = [trade for trade in trades if trade.reduce_only]
    opening = [trade for trade in trades if not trade.reduce_only]
    if not reducing or not opening or not _leaves_naked(reducing, group, instruments):
        return [*reducing, *opening], []
    return opening, reducing


def _leaves_naked(reducing: Sequence[Trade], group: HedgeGroup, instruments: Mapping[InstrumentId, Instrument]) -> bool:
    """Whether the hedge would be below its band with these done and nothing else."""
    if group.hedge_value is None or not group.beta_exposure or group.beta_exposure <= 0:
        return False
    given_up = sum((hedge_value(each.instrument, each.contracts, group, instruments) for each in reducing), ZERO)
    ratio = (group.hedge_value + given_up) / group.beta_exposure
    return ratio < group.target_ratio - group.band - ROUNDING


def hedge_value(
    instrument: InstrumentId, contracts: Decimal, group: HedgeGroup, instruments: Mapping[InstrumentId, Instrument]
) -> Decimal:
    """What these contracts, signed, add to the hedge's value (< 0: take from it), in the quote currency."""
    leg = leg_of(group.legs, instrument)
    worth = instruments[instrument].notional(contracts, leg.mark or ZERO)
    return -leg.direction * worth * (leg.rate or Decimal(1))
