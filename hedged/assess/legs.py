"""Which positions belong to which hedge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.policy import HedgePolicy, LegPolicy


def chain_key(instrument: Instrument) -> tuple[str, str, str, str] | None:
    """What the contracts of one chain have in common; None for a perpetual, which is its own chain."""
    if instrument.kind is not ContractKind.FUTURE:
        return None
    return (instrument.account, instrument.base, instrument.quote, instrument.settle)


def expand_chains(
    hedge: HedgePolicy, instruments: Mapping[InstrumentId, Instrument], held: Iterable[InstrumentId]
) -> tuple[LegPolicy, ...]:
    """The hedge's legs, and after each dated one the contracts of its chain that are held.

    A contract that the hedge rolled into, or did not get out of yet, stays its leg.
    """
    named = {leg.instrument for leg in hedge.legs}
    legs: list[LegPolicy] = []
    for leg in hedge.legs:
        legs.append(leg)
        listed = instruments.get(leg.instrument)
        chain = chain_key(listed) if listed is not None else _chain_from_symbol(leg.instrument)
        if chain is None:
            continue
        for other in held:
            contract = instruments.get(other)
            if other not in named and contract is not None and chain_key(contract) == chain:
                named.add(other)
                legs.append(replace(leg, instrument=other, stands_for=leg.instrument))
    return tuple(legs)


def _chain_from_symbol(instrument: InstrumentId) -> tuple[str, str, str, str] | None:
    """The chain of a dated contract that the venue no longer lists, from ccxt's spelling `ETH/USDT:USDT-261225`."""
    account, _, symbol = instrument.partition(":")
    pair, _, rest = symbol.partition(":")
    settle, dash, _expiry = rest.partition("-")
    if not dash:
        return None
    base, _, quote = pair.partition("/")
    return (account, base, quote, settle)


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
