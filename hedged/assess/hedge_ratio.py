"""Where each hedge stands: exposure, hedge value, ratio, drift. Signs and units are those of `HedgeState`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from hedged.assess.bands import band_of
from hedged.assess.carry import carry_year
from hedged.assess.exposure import delta_of
from hedged.assess.rates import rate_of
from hedged.assess.targets import HedgeExposure
from hedged.estimate.band import effective_band, is_outside
from hedged.estimate.sizing import order_min
from hedged.model.chain import is_ending
from hedged.model.finding import HedgeGroup, HedgeState, HedgeStatus, LegState
from hedged.model.instrument import InstrumentId
from hedged.model.policy import LegPolicy, PortfolioPolicy
from hedged.model.snapshot import Derivatives, Position, Quote, Read, Snapshot, seen

ZERO = Decimal(0)


def leg_states(
    legs: Sequence[LegPolicy],
    positions: Mapping[InstrumentId, Position],
    snapshot: Snapshot,
    policy: PortfolioPolicy,
) -> tuple[LegState, ...]:
    """Each leg with its whole venue position; what was not seen is None, never zero."""
    states = []
    for leg in legs:
        account = snapshot.accounts.get(leg.instrument.partition(":")[0])
        derivatives = seen(account.derivatives) if account and account.derivatives is not None else None
        quoted = snapshot.quotes.get(leg.instrument)
        quote = seen(quoted) if quoted is not None else None
        instrument = snapshot.instruments.get(leg.instrument)
        position = positions.get(leg.instrument)
        contracts = position.contracts if position is not None else (None if derivatives is None else ZERO)
        mark = quote.value.mark if quote is not None else None
        rate = rate_of(instrument, snapshot, policy) if instrument is not None else None
        base = notional = carry = None
        if contracts is not None and not contracts:
            base = notional = ZERO
        elif position is not None and instrument is not None and mark is not None:
            base = delta_of(instrument, position)
            notional = None if base is None or rate is None else base * mark * rate
            if quote is not None and rate is not None:  # on what it is worth, which of an inverse one is its face
                carry = carry_year(instrument.notional(position.contracts, mark) * rate, quote.value)
        ends = instrument.ends() if instrument is not None else None
        states.append(
            LegState(
                instrument=leg.instrument,
                contracts=contracts,
                base_quantity=base,
                notional=notional,
                mark=mark,
                as_of=_oldest(derivatives, quote, position),
                direction=leg.direction,
                weight=leg.weight,
                stands_for=leg.stands_for,
                tradable=instrument is not None and instrument.trading and (ends is None or ends > snapshot.now),
                funding_rate=quote.value.funding_rate if quote is not None else None,
                carry_year=carry,
                rate=rate,
                ending=instrument is not None and is_ending(instrument, snapshot.now, policy.roll.before),
            )
        )
    return tuple(states)


def _oldest(
    derivatives: Read[Derivatives] | None, quote: Read[Quote] | None, position: Position | None
) -> datetime | None:
    times = [read.as_of for read in (derivatives, quote) if read is not None]
    if position is not None and position.as_of is not None:
        times.append(position.as_of)
    return min(times, default=None)


def hedge_group(
    members: Sequence[HedgeExposure],
    legs: tuple[LegState, ...],
    snapshot: Snapshot,
    policy: PortfolioPolicy,
    blocked_by: tuple[str, ...],
) -> HedgeGroup:
    """Sum the members, compare with the legs. At B ≤ dust there is nothing to hedge: target 0, no ratio."""
    hedge_value = _sum([leg.hedge_value for leg in legs])
    beta_exposure = _sum([member.beta_exposure for member in members])
    target_value = _sum([None if m.beta_exposure is None else m.beta_exposure * m.policy.target_ratio for m in members])
    bands = [band_of(member, legs, snapshot, policy) for member in members]
    band = _weighted(members, beta_exposure, [outer for outer, _ in bands])
    inner = _weighted(members, beta_exposure, [inner for _, inner in bands])
    target_ratio = _weighted(members, beta_exposure, [m.policy.target_ratio for m in members])
    targets = _leg_targets(members, legs)
    ratio = drift = None
    widened = band
    status = HedgeStatus.BLOCKED
    if beta_exposure is not None and beta_exposure <= policy.dust_value:
        target_value = ZERO
        status = HedgeStatus.NO_EXPOSURE
    elif beta_exposure is not None:
        widened = effective_band(band, _order_min_value(legs, bool(targets), snapshot, policy), beta_exposure)
        if hedge_value is not None and target_value is not None:
            ratio = hedge_value / beta_exposure
            drift = _largest([ratio - target_ratio, *(gap / beta_exposure for gap in leg_gaps(legs, targets).values())])
            outside = is_outside(drift, widened)
            status = HedgeStatus.OK if not outside else HedgeStatus.UNDER if drift < 0 else HedgeStatus.OVER
    return HedgeGroup(
        hedges=tuple(member.policy.name for member in members),
        beta_exposure=beta_exposure,
        target_value=target_value,
        hedge_value=hedge_value,
        hedge_ratio=ratio,
        target_ratio=target_ratio,
        band=widened,
        band_configured=band,
        drift=drift,
        status=HedgeStatus.BLOCKED if blocked_by else status,
        legs=legs,
        blocked_by=blocked_by,
        leg_targets=targets,
        inner_band=None if inner == band else inner,
    )


def _leg_targets(members: Sequence[HedgeExposure], legs: Sequence[LegState]) -> dict[InstrumentId, Decimal]:
    """Slot → what its hedge value should be, all members together; {} where one leg may take all.

    Beside a member that splits, one that does not has its whole target on the first of its legs that can be traded.
    """
    if not any(member.split for member in members):
        return {}
    targets: dict[InstrumentId, Decimal] = {}
    for member in members:
        split = member.split
        if not split and member.beta_exposure is not None:
            named = [leg.instrument for leg in member.policy.legs]
            tradable = [leg.slot for leg in legs if leg.slot in named and leg.tradable]
            split = {(tradable or named)[0]: member.beta_exposure}
        for slot, value in split.items():
            targets[slot] = targets.get(slot, ZERO) + value * member.policy.target_ratio
    return targets


def hedge_state(
    member: HedgeExposure, group: HedgeGroup, own: frozenset[InstrumentId], shared: frozenset[InstrumentId]
) -> HedgeState:
    """One hedge's share of its group: legs it shares pro rata to its target, its own legs whole.

    Drift and status are the group's: the venue position is one, so is the decision about it.
    """
    share = Decimal(1) / len(group.hedges)
    if len(group.hedges) > 1 and member.beta_exposure is not None and group.target_value:
        share = member.beta_exposure * member.policy.target_ratio / group.target_value
    legs = tuple(
        _scaled(leg, share) if leg.instrument in shared and share != 1 else leg
        for leg in group.legs
        if leg.instrument in own
    )
    hedge_value = _sum([leg.hedge_value for leg in legs])
    ratio = None
    if group.hedge_ratio is not None and hedge_value is not None and member.beta_exposure:
        ratio = hedge_value / member.beta_exposure
    return HedgeState(
        name=member.policy.name,
        exposure_value=member.exposure_value,
        beta_exposure=member.beta_exposure,
        hedge_value=hedge_value,
        hedge_ratio=ratio,
        target_ratio=member.policy.target_ratio,
        band=group.band,
        band_configured=member.policy.band,
        drift=group.drift,
        status=group.status,
        legs=legs,
        blocked_by=group.blocked_by,
        target_reason=member.policy.target_reason,
    )


def _sum(values: Sequence[Decimal | None]) -> Decimal | None:
    total = ZERO
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _weighted(members: Sequence[HedgeExposure], total: Decimal | None, values: Sequence[Decimal]) -> Decimal:
    """The members' values weighted by B; a single member's own, exactly."""
    if len(members) == 1 or not total or total <= 0:
        return values[0]
    return sum(((m.beta_exposure or ZERO) * v for m, v in zip(members, values, strict=True)), ZERO) / total


def leg_gaps(legs: Sequence[LegState], targets: Mapping[InstrumentId, Decimal]) -> dict[InstrumentId, Decimal]:
    """Hedge value − target of each slot, quote currency, its whole chain together (negative: too little).

    A slot of which something is not known is left out. Empty where one leg may take all.
    """
    gaps: dict[InstrumentId, Decimal] = {}
    for slot, target in targets.items():
        value = _sum([leg.hedge_value for leg in legs if leg.slot == slot])
        if value is not None:
            gaps[slot] = value - target
    return gaps


def _largest(drifts: Sequence[Decimal]) -> Decimal:
    """The first of those largest by size: the whole hedge's, unless a leg is further off."""
    return max(drifts, key=abs)


def _order_min_value(legs: Sequence[LegState], split: bool, snapshot: Snapshot, policy: PortfolioPolicy) -> Decimal:
    """The value of the smallest order on the instruments that would be traded."""
    values, limits = [], policy.limits
    for leg in sorted(legs, key=lambda leg: leg.ending):
        instrument = snapshot.instruments.get(leg.instrument)
        if leg.tradable and leg.mark and leg.rate and instrument is not None:
            least = order_min(instrument, leg.mark, limits.price_collar, limits.order_notional_min / leg.rate)
            values.append(abs(instrument.notional(least, leg.mark)) * leg.rate)
            if not split:
                break
    return max(values, default=ZERO)


def _scaled(leg: LegState, share: Decimal) -> LegState:
    def part(value: Decimal | None) -> Decimal | None:
        return None if value is None else value * share

    return replace(
        leg,
        contracts=part(leg.contracts),
        base_quantity=part(leg.base_quantity),
        notional=part(leg.notional),
        carry_year=part(leg.carry_year),
    )
