"""Public data of a venue through ccxt: what is listed, where it trades, what coins cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Quote, Read


class CcxtMarketReader:
    """A `MarketReader`. Needs no key."""

    def __init__(self, line: VenueLine) -> None:
        self.account = line.connection.account
        self._line = line

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        async with self._line.reading("markets"):
            return (await self._line.markets()).instruments

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        if not instruments:
            return {}
        async with self._line.reading("quotes"):
            return await self._line.quotes(instruments)

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        """A unit of `quote` costs 1 by definition; every other asset needs a trading spot market against it.

        Either way round: a dollar's price in USDT is that of USDT in dollars, turned over.
        """
        own = {quote: Read(Decimal(1), self._line.connection.clock.now())} if quote in assets else {}
        if not set(assets) - {quote}:
            return own
        async with self._line.reading("prices"):
            spot = (await self._line.markets()).spot
            wanted = {spot[asset, quote]: asset for asset in assets if (asset, quote) in spot}
            turned = {spot[quote, asset]: asset for asset in assets if (quote, asset) in spot}
            turned = {market: asset for market, asset in turned.items() if (asset, quote) not in spot}
            both = {**wanted, **turned}
            found = await self._line.dialect.prices(self._line.connection, both) if both else {}
            over = {
                asset: Read(1 / found[asset].value, found[asset].as_of) for asset in turned.values() if asset in found
            }
            return {**found, **over, **own}
