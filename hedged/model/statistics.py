"""What the past says of a hedge. Statistics are floats; a ratio that sizes a position is a `Decimal`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedged.model.instrument import InstrumentId


@dataclass(frozen=True, slots=True)
class HedgeStatistics:
    """Of one hedge; None or absent: not known yet. Volatilities are annual, those of gap and hedge fractions of them.

    `ratios`: named instrument → value to be short per unit of the hedge's value; < 0: to be held long. `betas`: by
    asset, to the first instrument. `gap_volatility`: of target − hedge, as a fraction of the target;
    `hedge_volatility`: of the instruments together now, `…_usual` nowadays. `carry_year`: named instrument → what a
    short of 1 costs a year by its funding of the past days, > 0 is paid. `change`: what the hedge's signal looks at.
    `text`: what the ratios rest on and how sure they are, for people.
    """

    as_of: datetime  # the last bar that it rests on
    ratios: Mapping[InstrumentId, Decimal] = field(default_factory=dict)
    betas: Mapping[str, Decimal] = field(default_factory=dict)
    gap_volatility: float | None = None
    hedge_volatility: float | None = None
    hedge_volatility_usual: float | None = None
    carry_year: Mapping[InstrumentId, float] = field(default_factory=dict)
    change: float | None = None
    text: str = ""
