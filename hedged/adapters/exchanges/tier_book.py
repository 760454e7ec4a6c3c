"""Margin tiers by contract: the user's own, else the venue's, asked for when first needed and hourly after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from hedged.model.instrument import Instrument, InstrumentId, MarginTier

Tiers: TypeAlias = Mapping[InstrumentId, tuple[MarginTier, ...]]

ASK_EVERY = 3600.0  # seconds
RETRY_AFTER = 60.0
AGE_MAX = 6 * 3600.0  # tiers that cannot be read again for so long are not known any more


class TierBook:
    """What is known of tiers. All times are monotonic seconds; a contract whose tiers are not told has none here."""

    def __init__(self, own: Tiers) -> None:
        self._own = own
        self._told: dict[InstrumentId, tuple[MarginTier, ...]] = {}
        self._asked: dict[InstrumentId, float] = {}  # answered, also with nothing
        self._retry_at = 0.0

    def known(self, now: float) -> Tiers:
        fresh = {name: tiers for name, tiers in self._told.items() if tiers and now - self._asked[name] <= AGE_MAX}
        return {**fresh, **self._own}

    def due(self, wanted: Mapping[str, Instrument], now: float) -> dict[str, Instrument]:
        """Of these, by market id, the contracts to ask the venue about now."""
        if now < self._retry_at:
            return {}
        return {
            market_id: contract
            for market_id, contract in wanted.items()
            if contract.id not in self._own
            and (contract.id not in self._asked or now - self._asked[contract.id] >= ASK_EVERY)
        }

    def take(self, wanted: Mapping[str, Instrument], told: Tiers, now: float) -> None:
        """Remember an answer; contracts that it leaves out have no tiers told until they are asked for again."""
        self._told.update({contract.id: () for contract in wanted.values()} | dict(told))
        self._asked.update(dict.fromkeys((*(contract.id for contract in wanted.values()), *told), now))

    def failed(self, now: float) -> None:
        self._retry_at = now + RETRY_AFTER
