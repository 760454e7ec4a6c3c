"""What a hedge ought to be short: E, B and the targets of its legs. Values in the portfolio's quote currency.

value               B = Σ β·v; one leg takes all, or each its weight of it
quantity            B = Σ coins × mark of the contract on the same coin, so that the basis moves no ratio
minimum-variance    B = Σ T_j, T_j = |h_j| · E with h estimated; h_j < 0 is held long
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hedged.assess.exposure import NetQuantity
from hedged.assess.rates import rate_of
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, LegPolicy, PortfolioPolicy, Target
from hedged.model.snapshot import Snapshot, seen

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class HedgeExposure:
    """One hedge's own side of the sum: E and B, None where a price is unknown.

    `split`: slot → its target at ratio 1, together B; empty where the first leg that can be traded takes all.
    """

    policy: HedgePolicy
    exposure_value: Decimal | None
    beta_exposure: Decimal | None
    split: Mapping[InstrumentId, Decimal] = field(default_factory=dict)


def hedge_exposure(
    hedge: HedgePolicy,
    assets: Sequence[str],
    quantities: Mapping[str, NetQuantity],
    snapshot: Snapshot,
    policy: PortfolioPolicy,
) -> HedgeExposure:
    """E = Σ v over the hedge's assets, v = net quantity × price, and B by the hedge's own way of sizing."""
    held = {asset: quantities[asset].quantity for asset in assets if asset in quantities}
    values = {asset: _value(asset, quantity, snapshot) for asset, quantity in held.items() if quantity}
    known = {asset: value for asset, value in values.items() if value is not None}
    if len(known) < len(values):
        return HedgeExposure(hedge, None, None)
    exposure = sum(known.values(), ZERO)
    if hedge.target is Target.QUANTITY:
        split = {_slot_of(asset, hedge): _at_mark(asset, held[asset], hedge, snapshot, policy) for asset in known}
        if any(value is None for value in split.values()):
            return HedgeExposure(hedge, exposure, None)
        targets = {slot: value for slot, value in split.items() if value is not None}
        return HedgeExposure(hedge, exposure, sum(targets.values(), ZERO), targets if hedge.splits else {})
    if hedge.target is Target.MINIMUM_VARIANCE:
        statistics = snapshot.statistics.get(hedge.name)
        if statistics is None or not statistics.ratios:
            return HedgeExposure(hedge, exposure, None)
        targets = {slot: abs(ratio) * exposure for slot, ratio in statistics.ratios.items()}
        return HedgeExposure(hedge, exposure, sum(targets.values(), ZERO), targets)
    betas = _betas(hedge, snapshot)
    if betas is None:
        return HedgeExposure(hedge, exposure, None)
    beta_exposure = sum((value * betas.get(asset, Decimal(1)) for asset, value in known.items()), ZERO)
    shares = {leg.instrument: leg.weight * beta_exposure for leg in hedge.legs if leg.weight is not None}
    return HedgeExposure(hedge, exposure, beta_exposure, shares)


def directed(legs: Sequence[LegPolicy], hedge: HedgePolicy, snapshot: Snapshot) -> tuple[LegPolicy, ...]:
    """The legs with the direction that was estimated, where one was: it overrides what is known of the instrument."""
    statistics = snapshot.statistics.get(hedge.name) if hedge.target is Target.MINIMUM_VARIANCE else None
    if statistics is None:
        return tuple(legs)
    return tuple(
        replace(leg, direction=-1 if statistics.ratios.get(leg.stands_for or leg.instrument, ZERO) < 0 else 1)
        for leg in legs
    )


def _betas(hedge: HedgePolicy, snapshot: Snapshot) -> Mapping[str, Decimal] | None:
    if not hedge.beta_estimated:
        return hedge.beta
    statistics = snapshot.statistics.get(hedge.name)
    return statistics.betas if statistics is not None and statistics.betas else None


def _value(asset: str, quantity: Decimal, snapshot: Snapshot) -> Decimal | None:
    leg = snapshot.prices.get(asset)
    price = seen(leg) if leg is not None else None
    return None if price is None else quantity * price.value


def _slot_of(asset: str, hedge: HedgePolicy) -> InstrumentId:
    """The first named contract on this coin; the settings have checked that there is one."""
    return next(leg.instrument for leg in hedge.legs if _base(leg.instrument) == asset)


def _base(instrument: InstrumentId) -> str:
    return instrument.partition(":")[2].partition("/")[0]


def _at_mark(
    asset: str, quantity: Decimal, hedge: HedgePolicy, snapshot: Snapshot, policy: PortfolioPolicy
) -> Decimal | None:
    """Coins at the mark of the first contract on them that has one."""
    for leg in hedge.legs:
        instrument, quoted = snapshot.instruments.get(leg.instrument), snapshot.quotes.get(leg.instrument)
        read = seen(quoted) if quoted is not None else None
        rate = rate_of(instrument, snapshot, policy) if instrument is not None else None
        if _base(leg.instrument) == asset and read is not None and rate is not None:
            return quantity * read.value.mark * rate
    return None
