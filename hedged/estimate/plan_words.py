"""How a plan speaks of sets that it did not choose."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hedged.model.instrument import InstrumentId

_SAME_EFFECT, _SAME_COST = 0.0005, 0.0005


def symbol_of(instrument: InstrumentId) -> str:
    """`BTC perpetual`, `ETH 261225`: what people call it."""
    base, _, rest = instrument.partition(":")[2].partition("/")
    _, dash, date = rest.partition("-")
    return f"{base} {date}" if dash else f"{base} perpetual"


def listed(instruments: Sequence[InstrumentId]) -> str:
    return " + ".join(symbol_of(each) for each in instruments)


def compared(effectiveness: float, cost_year: float) -> str:
    """What an alternative gains over what was chosen, and for how much of the exposure a year; NaN: not known."""
    gain = "no effectiveness more" if abs(effectiveness) < _SAME_EFFECT else f"{effectiveness:+.3f} effectiveness"
    if math.isnan(cost_year):
        return f"{gain}, at a cost that is not known"
    if abs(cost_year) < _SAME_COST:
        return f"{gain} at the same cost"
    more = "more" if cost_year > 0 else "less"
    return f"{gain} for {abs(cost_year):.1%} a year {more}"
