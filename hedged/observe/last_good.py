"""The last good reading of everything, to show with its age while the next one fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Balance, Derivatives, Position, Quote, Read
from hedged.ports import Memory


@dataclass(slots=True)
class LastGood:
    """Kept for as long as the process lives; `from_memory` gives it a start after a restart."""

    wallets: dict[tuple[str, str], Read[tuple[Balance, ...]]] = field(default_factory=dict)
    derivatives: dict[str, Read[Derivatives]] = field(default_factory=dict)
    quotes: dict[InstrumentId, Read[Quote]] = field(default_factory=dict)
    prices: dict[str, Read[Decimal]] = field(default_factory=dict)
    instruments: dict[str, Mapping[InstrumentId, Instrument]] = field(default_factory=dict)

    @classmethod
    def from_memory(cls, memory: Memory) -> LastGood:
        """After a restart: what the last completed cycle believed, with that cycle's age."""
        last = cls()
        if memory.at is None:
            return last
        wallets: dict[tuple[str, str], list[Balance]] = {}
        for place in {**memory.balances, **memory.debts}:
            quantity = memory.balances.get(place, Decimal(0))
            account, wallet, asset = place.split("/", 2)
            debt = memory.debts.get(place, Decimal(0))
            wallets.setdefault((account, wallet), []).append(Balance(asset=asset, free=quantity, debt=debt))
        last.wallets = {place: Read(tuple(found), memory.at) for place, found in wallets.items()}
        positions: dict[str, list[Position]] = {}
        for instrument, contracts in memory.positions.items():
            account = instrument.partition(":")[0]
            positions.setdefault(account, []).append(Position(instrument=instrument, contracts=contracts))
        last.derivatives = {
            account: Read(Derivatives(positions=tuple(found), margin=None), memory.at)
            for account, found in positions.items()
        }
        return last
