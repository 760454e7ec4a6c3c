"""Legs that end and what takes their place, with what the change costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedged.assess.costs import one_way_cost
from hedged.estimate.roll import annualised_basis
from hedged.model.finding import Finding, HedgeGroup, Kind, LegState, Severity
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Snapshot

ZERO = Decimal(0)
SECONDS_A_DAY = Decimal(86_400)


@dataclass(frozen=True, slots=True)
class Pair:
    """One roll that is due: what is left of `near` goes to `far`; None: nothing is there to take it."""

    near: LegState
    far: LegState | None


def in_order(legs: Sequence[LegState], *, opening: bool) -> list[LegState]:
    """In which order legs are traded.

    What is opened goes to the preferred one that does not end; what is closed comes from those that end, then from
    fall-backs: the preferred one stays.
    """
    if opening:
        return sorted(legs, key=lambda leg: leg.ending)
    last_first = legs[::-1]
    return sorted(last_first, key=lambda leg: not leg.ending)


def pairs_due(group: HedgeGroup) -> list[Pair]:
    """The legs that are held and end, in the order of the configuration, each with the leg that takes its place.

    The next contract of the same chain; without one, where one leg may take all, the first that does not end.
    """
    fresh = [leg for leg in in_order(group.legs, opening=True) if not leg.ending and leg.tradable and leg.mark]
    pairs = []
    for near in group.legs:
        if near.ending and near.tradable and near.hedge_value and near.hedge_value > 0:
            same = [leg for leg in fresh if leg.slot == near.slot]
            pairs.append(Pair(near, next(iter(same or ([] if group.leg_targets else fresh)), None)))
    return pairs


def roll_findings(groups: Iterable[HedgeGroup], snapshot: Snapshot, policy: PortfolioPolicy) -> Iterator[Finding]:
    """One for each hedge that is rolling, or has nothing to roll into."""
    for group in groups:
        for pair in pairs_due(group)[:1]:
            text, cost = _described(pair, snapshot, policy)
            for name in group.hedges:
                yield Finding(
                    kind=Kind.ROLL,
                    subject=name,
                    severity=Severity.INFO if pair.far is not None else Severity.WARNING,
                    text=f"{name}: {text}",
                    values={
                        "near": pair.near.instrument,
                        "far": pair.far.instrument if pair.far is not None else None,
                        "left": pair.near.hedge_value,
                        "cost": cost,
                    },
                )


def _described(pair: Pair, snapshot: Snapshot, policy: PortfolioPolicy) -> tuple[str, Decimal | None]:
    """What is rolled where, and what it is expected to cost, in the quote currency."""
    near, far = pair.near, pair.far
    ends = snapshot.instruments[near.instrument].ends()
    value = near.hedge_value or ZERO
    left = f"{near.instrument} ends on {ends:%Y-%m-%d %H:%M} UTC, {value:,.0f} {policy.quote} of it are left"
    if far is None:
        return f"{left}, and nothing takes its place.", None
    ways = (one_way_cost(leg.instrument, snapshot, policy) or ZERO for leg in (near, far))
    cost = value * sum(ways, ZERO)
    basis = _basis_year(near, far, snapshot)
    shown = "" if basis is None else f" {far.instrument} trades {basis:+.1%} a year from it."
    expected = f"expected cost {cost:,.2f} {policy.quote} in fees, spread and slippage"
    return f"{left} and go to {far.instrument}; {expected}.{shown}", cost


def _basis_year(near: LegState, far: LegState, snapshot: Snapshot) -> Decimal | None:
    """(F_far / F_near − 1) · 365 / days between their ends; None against a perpetual."""
    first, last = (snapshot.instruments[leg.instrument].expiry for leg in (near, far))
    if first is None or last is None or last <= first or not near.mark or not far.mark:
        return None
    return annualised_basis(far.mark, near.mark, Decimal((last - first).total_seconds()) / SECONDS_A_DAY)
