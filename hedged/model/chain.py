"""Dated contracts that follow one another: same account, underlying and settlement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from hedged.model.instrument import ContractKind, Instrument, InstrumentId


class Chain(NamedTuple):
    """What the contracts of one chain have in common."""

    account: str
    base: str
    quote: str
    settle: str


def chain_of(instrument: InstrumentId, listed: Mapping[InstrumentId, Instrument]) -> Chain | None:
    """The chain of a dated contract, also of one that the venue lists no more; None for a perpetual."""
    contract = listed.get(instrument)
    if contract is not None:
        if contract.kind is not ContractKind.FUTURE:
            return None
        return Chain(contract.account, contract.base, contract.quote, contract.settle)
    account, _, symbol = instrument.partition(":")
    pair, _, rest = symbol.partition(":")
    settle, dash, _expiry = rest.partition("-")
    if not dash:
        return None
    base, _, quote = pair.partition("/")
    return Chain(account, base, quote, settle)


def is_ending(instrument: Instrument, now: datetime, before: timedelta) -> bool:
    """Whether a contract ends within `before` from now, by expiry or delisting, or has ended."""
    ends = instrument.ends()
    return ends is not None and ends - now <= before


def successor(chain: Chain, listed: Iterable[Instrument], now: datetime, before: timedelta) -> Instrument | None:
    """The next contract of the chain that trades and does not end within `before`; None: none is listed yet."""
    alive = [
        contract
        for contract in listed
        if contract.kind is ContractKind.FUTURE
        and contract.base == chain.base
        and (contract.account, contract.quote, contract.settle) == (chain.account, chain.quote, chain.settle)
        and contract.trading
        and not is_ending(contract, now, before)
    ]
    return min(alive, key=lambda contract: contract.ends() or now, default=None)
