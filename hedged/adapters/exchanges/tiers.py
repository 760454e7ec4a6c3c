"""Margin tiers from the configuration, for instruments whose venue does not tell them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read
from hedged.ports import MarketReader


class WithTiers:
    """A market whose instruments carry the user's tiers; everything else is the market's own."""

    def __init__(self, market: MarketReader, tiers: Mapping[InstrumentId, tuple[MarginTier, ...]]) -> None:
        self.account = market.account
        self._market = market
        self._tiers = tiers
        self._seen: Mapping[InstrumentId, Instrument] | None = None
        self._merged: Mapping[InstrumentId, Instrument] = {}

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        instruments = await self._market.instruments()
        if instruments is not self._seen:  # the same mapping until the venue's list is read again
            changed = {n: replace(instruments[n], tiers=t) for n, t in self._tiers.items() if n in instruments}
            self._seen, self._merged = instruments, {**instruments, **changed}
        return self._merged

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        return await self._market.quotes(instruments)

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        return await self._market.prices(assets, quote)
