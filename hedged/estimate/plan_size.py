"""Whole lots for the ratios of a plan, and what their rounding gives away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import numpy as np

from hedged.estimate.effectiveness import Floats
from hedged.estimate.selection import whole_contracts
from hedged.estimate.sizing import order_min
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.plan import Candidate, PlannedLeg
from hedged.model.policy import PRICE_COLLAR

_ZERO = Decimal(0)
_NOTHING: Mapping[InstrumentId, Decimal] = MappingProxyType({})


def sized_legs(
    h: Floats,
    covariance: Floats,
    exposure: Decimal,
    candidates: Sequence[Candidate],
    *,
    collar: Decimal = PRICE_COLLAR,
    bought: Mapping[InstrumentId, Decimal] = _NOTHING,
) -> tuple[PlannedLeg, ...]:
    """Whole lots for the ratios `h` (k,).

    `covariance` (k + 1, k + 1): of the returns of the contracts and, last, of the exposure. A short of h > 0 comes out
    as negative contracts. A leg below half the smallest order is left out, one above it is raised to it. `bought`:
    value of the coins that are bought to back a leg, and that it covers beside its part.
    """
    per_contract = [each.instrument.notional(Decimal(1), each.mark) * each.rate for each in candidates]
    covered = [bought.get(each.instrument.id, _ZERO) for each in candidates]
    optimum = np.array(
        [
            -ratio * float(exposure / value) - float(own / value)
            for ratio, value, own in zip(h, per_contract, covered, strict=True)
        ]
    )
    money = np.array([float(value) for value in per_contract])
    sigma = np.outer(money, money) * covariance[:-1, :-1]
    lots = np.array([float(each.instrument.lot_size) for each in candidates])
    whole = whole_contracts(optimum, sigma, lots=lots)
    legs = []
    for at, each in enumerate(candidates):
        contracts = _tradable(float(whole[at]), float(optimum[at]), each.instrument, each.mark, collar)
        notional = contracts * per_contract[at]
        legs.append(
            PlannedLeg(
                each.instrument.id,
                float(h[at]),
                float(optimum[at]),
                contracts,
                notional,
                each.assumed,
                covered[at] if contracts else _ZERO,
            )
        )
    return tuple(legs)


def given_away(h: Floats, legs: Sequence[PlannedLeg], covariance: Floats, exposure: Decimal) -> float:
    """The share of the exposure's variance that these legs leave beyond what the best ratios `h` (k,) do.

    `covariance` as for `sized_legs`.
    """
    away = np.array([-float(leg.net / exposure) for leg in legs]) - h
    variance = float(covariance[-1, -1])
    return float(away @ covariance[:-1, :-1] @ away) / variance if variance > 0 else 0.0


def _tradable(contracts: float, optimum: float, instrument: Instrument, mark: Decimal, collar: Decimal) -> Decimal:
    step = instrument.lot_size
    whole = (Decimal(repr(contracts)) / step).to_integral_value() * step
    least = order_min(instrument, mark, collar)
    if abs(whole) >= least:
        return whole
    return least.copy_sign(Decimal(repr(optimum))) if abs(optimum) >= float(least) / 2 else _ZERO
