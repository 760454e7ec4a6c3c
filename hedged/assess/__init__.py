"""What is true: values in, an `Assessment` out. Nothing here reads a clock, a file or a network."""

from __future__ import annotations

from hedged.assess import findings
from hedged.assess.blocking import Evidence, Reason, reasons_against, undetermined
from hedged.assess.expiry import expiries, expiry_findings
from hedged.assess.exposure import NetQuantity, net_quantities, positions_of
from hedged.assess.freshness import find_gaps
from hedged.assess.hedge_ratio import hedge_group, hedge_state, leg_states
from hedged.assess.legs import expand_chains, groups_of
from hedged.assess.margin import margin_findings, margin_statuses, odds_findings
from hedged.assess.roll import roll_findings
from hedged.assess.targets import directed, hedge_exposure
from hedged.model.finding import Assessment, Exposure, HedgeGroup, HedgeState
from hedged.model.instrument import InstrumentId
from hedged.model.policy import LegPolicy, PortfolioPolicy
from hedged.model.snapshot import Snapshot, seen

__all__ = ["assess"]


def assess(snapshot: Snapshot, policy: PortfolioPolicy) -> Assessment:
    """Everything worth knowing about a portfolio at `snapshot.now`."""
    positions = {position.instrument: position for position, _ in positions_of(snapshot)}
    legs = {
        hedge.name: directed(expand_chains(hedge, snapshot, positions, policy.roll), hedge, snapshot)
        for hedge in policy.hedges
    }
    owned = frozenset(leg.instrument for members in legs.values() for leg in members)
    quantities = net_quantities(snapshot, policy, owned)
    hedge_of = _hedge_of(policy, quantities, snapshot)
    assets: dict[str, list[str]] = {hedge.name: [] for hedge in policy.hedges}
    for asset, name in hedge_of.items():
        assets[name].append(asset)
    gaps = find_gaps(snapshot, policy, owned)
    evidence = Evidence(snapshot, policy, quantities, assets, positions, gaps)

    groups: list[HedgeGroup] = []
    states: dict[str, HedgeState] = {}
    reasons: dict[str, list[Reason]] = {}
    by_name = {hedge.name: hedge for hedge in policy.hedges}
    for names in groups_of(legs):
        hedges = [by_name[name] for name in names]
        members = [hedge_exposure(hedge, assets[hedge.name], quantities, snapshot, policy) for hedge in hedges]
        group_legs = tuple({leg.instrument: leg for name in names for leg in legs[name]}.values())
        against = reasons_against(hedges, group_legs, evidence)
        blocked_by = tuple(reason.text for reason in against)
        group = hedge_group(members, leg_states(group_legs, positions, snapshot, policy), snapshot, policy, blocked_by)
        groups.append(group)
        reasons[group.name] = against
        shared = _shared([legs[name] for name in names])
        for member in members:
            own = frozenset(leg.instrument for leg in legs[member.policy.name])
            states[member.policy.name] = hedge_state(member, group, own, shared)

    exposures = _exposures(quantities, hedge_of, snapshot)
    margin = margin_statuses(snapshot)
    expiry = expiries((leg for group in groups for leg in group.legs), snapshot)
    return Assessment(
        now=snapshot.now,
        exposures=exposures,
        hedges=tuple(states[hedge.name] for hedge in policy.hedges),
        groups=tuple(groups),
        margin=tuple(margin),
        expiries=tuple(expiry),
        findings=(
            *findings.unreachable(snapshot),
            *findings.blocked(groups, reasons),
            *findings.vanished(snapshot),
            *findings.closed(snapshot),
            *findings.positions(snapshot, owned),
            *margin_findings(margin, snapshot, policy),
            *odds_findings(margin, policy.margin),
            *expiry_findings(expiry, frozenset(positions), snapshot, policy.thresholds),
            *roll_findings(groups, snapshot, policy),
            *findings.not_trading(groups, snapshot),
            *findings.depeg(snapshot, policy),
            *findings.unlike(snapshot, policy),
            *findings.drift(groups, policy),
            *findings.no_exposure(groups, policy),
            *findings.too_coarse(groups, policy),
            *findings.uncovered(exposures, snapshot, policy),
        ),
        undetermined=undetermined(
            groups, gaps, margin, frozenset(instrument.partition(":")[0] for instrument in positions)
        ),
    )


def _hedge_of(policy: PortfolioPolicy, quantities: dict[str, NetQuantity], snapshot: Snapshot) -> dict[str, str]:
    """The hedge of each asset held; the one with the wildcard takes what no other names and what has a market.

    A token without a market that somebody drops into a wallet is told of, and stops no hedge that does not name it.
    """
    named = {asset: hedge.name for hedge in policy.hedges for asset in hedge.assets}
    rest = next((hedge.name for hedge in policy.hedges if hedge.takes_rest), None)
    rest_of = {asset: rest for asset in quantities if rest is not None and asset in snapshot.prices}
    return {asset: name for asset in quantities if (name := named.get(asset, rest_of.get(asset))) is not None}


def _exposures(
    quantities: dict[str, NetQuantity], hedge_of: dict[str, str], snapshot: Snapshot
) -> tuple[Exposure, ...]:
    rows = []
    for asset, entry in quantities.items():
        leg = snapshot.prices.get(asset)
        price = seen(leg) if leg is not None else None
        rows.append(
            Exposure(
                asset=asset,
                quantity=entry.quantity,
                price=price.value if price is not None else None,
                value=entry.quantity * price.value if price is not None else None,
                hedge=hedge_of.get(asset),
                as_of=entry.as_of,
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.value is None, -(row.value or 0), row.asset)))


def _shared(legs: list[tuple[LegPolicy, ...]]) -> frozenset[InstrumentId]:
    seen_once: set[InstrumentId] = set()
    twice: set[InstrumentId] = set()
    for members in legs:
        for leg in members:
            (twice if leg.instrument in seen_once else seen_once).add(leg.instrument)
    return frozenset(twice)
