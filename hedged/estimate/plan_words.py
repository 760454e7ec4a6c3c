"""How a plan speaks of sets that it did not choose, and of what its own rests on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from hedged.model.instrument import InstrumentId
from hedged.model.plan import Candidate, PlannedSet

_SAME_EFFECT, _SAME_COST = 0.0005, 0.0005


def symbol_of(instrument: InstrumentId) -> str:
    """`BTC perpetual`, `ETH 261225`, `BTC coin-margined perpetual`: what people call it."""
    base, _, rest = instrument.partition(":")[2].partition("/")
    pair, dash, date = rest.partition("-")
    margined = " coin-margined" if pair.partition(":")[2] == base else ""
    return f"{base}{margined} {date if dash else 'perpetual'}"


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


def collateral_of(candidate: Candidate, held: Collection[str]) -> str:
    """What is to be said of a contract's collateral: nothing where it is money."""
    coin = candidate.instrument.settle
    if candidate.instrument.linear:
        return ""
    if coin in held:
        return f", margined in {coin}"
    return f", margined in {coin}, which would have to be bought and hedged as well"


def assumptions(planned: PlannedSet) -> Iterator[str]:
    for each in planned.margin:
        if each.bought:
            yield (
                f"{each.currency}: {each.bought:f} to be bought on {each.account} as collateral; these coins are "
                "exposure too, which the contracts cover"
            )
    small = [leg for leg in planned.legs if not leg.contracts]
    for leg in small:
        yield f"{leg.instrument}: the {abs(leg.optimum):.3g} contracts wanted are less than its smallest order"
    if planned.cost.funding is None:
        yield "funding is not known of every contract, so what the set costs a year is not either"
