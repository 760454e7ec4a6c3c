"""What a contract, and what a set of legs costs a year."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from hedged.model.chain import Cadence, cadence_of
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.plan import Candidate, PlanCost, PlannedLeg

GAP_LEAST = 0.05
"""Annual volatility of target − hedge that rebalancing is counted for at least: the basis moves, deposits come."""

_ZERO = Decimal(0)


def trading_year(candidate: Candidate) -> float:
    """Fees and spread of a year in which a unit is opened, rolled as it falls due and closed."""
    return float(candidate.trade_cost) * (2 + 2 * rolls_year(candidate.instrument))


def rolls_year(contract: Instrument) -> int:
    """How often a dated contract is rolled in a year: as often as its kind ends, by the month where that is unknown."""
    if contract.kind is not ContractKind.FUTURE:
        return 0
    return (cadence_of(contract.expiry) or Cadence.MONTH).a_year


def cost_year(candidate: Candidate) -> float:
    """What holding a unit of it costs a year by funding or basis, below 0: earns; NaN where that is unknown."""
    carry = math.nan if candidate.carry_year is None else float(candidate.carry_year)
    return candidate.direction * carry + trading_year(candidate)


def charged_year(candidate: Candidate) -> float:
    """What sets are ranked by: carry that is paid counts, carry that is earned does not.

    Funding changes its sign within weeks, and hedges are held for longer: the best paid set of today is the one whose
    funding is about to fall.
    """
    return max(candidate.direction * float(candidate.carry_year or _ZERO), 0.0) + trading_year(candidate)


def plan_cost(
    legs: Sequence[PlannedLeg], candidates: Mapping[InstrumentId, Candidate], gap: float, band: float
) -> PlanCost:
    """Rebalancing to the nearest edge of a band ±b trades η²/(2b) of the target a year, η the gap's volatility."""
    turnover = 1 + max(gap, GAP_LEAST) ** 2 / (2 * band)
    fees = roll = _ZERO
    funding: Decimal | None = _ZERO
    for leg in legs:
        candidate = candidates[leg.instrument]
        fees += abs(leg.notional) * candidate.trade_cost * Decimal(repr(turnover)) + leg.bought * candidate.trade_cost
        roll += abs(leg.notional) * candidate.trade_cost * 2 * rolls_year(candidate.instrument)
        if candidate.carry_year is None or funding is None:
            funding = None if leg.contracts else funding
        else:
            funding -= leg.notional * candidate.carry_year
    held = (candidates[leg.instrument] for leg in legs if leg.contracts)
    known_of = {each.instrument.id: each.carry_of for each in held if each.carry_year is not None}
    return PlanCost(cents(fees), None if funding is None else cents(funding), cents(roll), known_of)


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
