"""What holding the short costs, in its size: when it pays dearly, less of it is worth having.

    minimise ½γ·Var + carry·H   →   h = h* − carry / (γσ²E) = h* − carry / 2c,   with γ = 2c/(σ²E)

c is the share of the exposure a year that being rid of its risk is worth (`risk_cost_year`), carry what a short of 1
costs a year. Only ever less than configured, and by no more than the user allows: to be paid is no reason to bet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, PortfolioPolicy
from hedged.model.snapshot import Snapshot, seen
from hedged.model.statistics import HedgeStatistics

ZERO = Decimal(0)
_PLACES = 4
_SECONDS_A_YEAR = Decimal(365 * 86_400)


def carried(policy: PortfolioPolicy, snapshot: Snapshot) -> PortfolioPolicy:
    """The policy with the targets that today's carry leaves; the very same one where none of them changes."""
    hedges = tuple(_carried(hedge, snapshot) for hedge in policy.hedges)
    return policy if hedges == policy.hedges else replace(policy, hedges=hedges)


def _carried(hedge: HedgePolicy, snapshot: Snapshot) -> HedgePolicy:
    if not hedge.carry_shrink_max or not hedge.target_ratio or not hedge.risk_cost_year:
        return hedge
    cost = cost_year(hedge, snapshot, snapshot.statistics.get(hedge.name))
    if cost is None or cost <= 0:
        return hedge
    wanted = cost / (2 * hedge.risk_cost_year)
    shrink = round(min(wanted, hedge.carry_shrink_max * hedge.target_ratio), _PLACES)
    if not shrink:
        return hedge
    reason = f"{shrink} less, because the short costs {cost:.1%} a year"
    return replace(hedge, target_ratio=hedge.target_ratio - shrink, target_reason=reason)


def cost_year(hedge: HedgePolicy, snapshot: Snapshot, statistics: HedgeStatistics | None) -> Decimal | None:
    """What a short of 1 by this hedge costs a year, > 0 is paid: funding of the past days, or the basis that runs off.

    By the shares of its instruments; of the first alone where that takes all. None: nobody knows.
    """
    costs: list[tuple[Decimal, Decimal]] = []
    ratios: Mapping[InstrumentId, Decimal] = {} if statistics is None else statistics.ratios
    for leg in hedge.legs if hedge.splits else hedge.legs[:1]:
        share = leg.weight if leg.weight is not None else abs(ratios.get(leg.instrument, Decimal(1)))
        cost = _leg_cost(leg.instrument, snapshot, statistics)
        if cost is None:
            return None
        costs.append((share, cost * leg.direction))
    total = sum((share for share, _ in costs), ZERO)
    return sum((share * cost for share, cost in costs), ZERO) / total if total else None


def _leg_cost(name: InstrumentId, snapshot: Snapshot, statistics: HedgeStatistics | None) -> Decimal | None:
    instrument = snapshot.instruments.get(name)
    if instrument is None:
        return None
    if statistics is not None and instrument.id in statistics.carry_year:
        return Decimal(repr(statistics.carry_year[instrument.id]))
    quoted = snapshot.quotes.get(instrument.id)
    quote = seen(quoted) if quoted is not None else None
    if quote is None:
        return None
    if instrument.expiry is not None:
        spot, left = quote.value.index, Decimal((instrument.expiry - snapshot.now).total_seconds())
        if not spot or left <= 0:
            return None
        return -(quote.value.mark / spot - 1) * _SECONDS_A_YEAR / left  # sold above spot, it earns the difference
    if quote.value.funding_rate is None or not quote.value.funding_interval_hours:
        return None
    return -quote.value.funding_rate * 8760 / quote.value.funding_interval_hours
