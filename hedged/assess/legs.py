"""Which positions belong to which hedge."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from hedged.model.chain import cadence_named, chain_of, is_ending, successor
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, LegPolicy, RollPolicy
from hedged.model.snapshot import Snapshot


def expand_chains(
    hedge: HedgePolicy, snapshot: Snapshot, held: Collection[InstrumentId], roll: RollPolicy
) -> tuple[LegPolicy, ...]:
    """The hedge's legs; after each dated one the contracts of its chain that are held and, where it is time to leave
    all of these, the next one.

    A contract that the hedge rolled into, or did not get out of yet, stays its leg.
    """
    listed = snapshot.instruments
    named = {leg.instrument for leg in hedge.legs}
    legs: list[LegPolicy] = []
    for leg in hedge.legs:
        legs.append(leg)
        chain = chain_of(leg.instrument, listed)
        if chain is None:
            continue
        own = [leg.instrument]
        own += [other for other in held if other not in named and other in listed and chain_of(other, listed) == chain]
        if all(other not in listed or is_ending(listed[other], snapshot.now, roll.before) for other in own):
            cadence = cadence_named(leg.instrument, listed)
            following = successor(chain, listed.values(), snapshot.now, roll.before, cadence)
            if following is not None and following.id not in named:
                own.append(following.id)
        named.update(own)
        legs += [replace(leg, instrument=other, stands_for=leg.instrument) for other in own[1:]]
    return tuple(legs)


def groups_of(hedges: Mapping[str, tuple[LegPolicy, ...]]) -> list[tuple[str, ...]]:
    """Hedges joined by a shared instrument, in the order of the configuration: a venue position is one."""
    group_of: dict[str, list[str]] = {}
    owner: dict[InstrumentId, str] = {}
    for name, legs in hedges.items():
        group = group_of[name] = [name]
        for leg in legs:
            other = owner.setdefault(leg.instrument, name)
            if group_of[other] is not group:
                merged = group_of[other] + group
                for member in merged:
                    group_of[member] = merged
                group = merged
    order = list(hedges)
    unique = {id(group): group for group in group_of.values()}
    return [tuple(sorted(group, key=order.index)) for group in unique.values()]
