"""Public data of a venue through ccxt: what is listed, where it trades, what coins cost."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.assess.rates import DOLLAR_OFF_MAX
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Quote, Read

DOLLARS = ("USDT", "USDC", "USD")
"""By way of which coins are priced that have no market in the portfolio's currency: each at its own market's price."""


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
        """A unit of `quote` costs 1 by definition; every other asset needs a way of spot markets to it.

        Either way round: a dollar's price in USDT is that of USDT in dollars, turned over. What has no market against
        `quote` is priced by way of a dollar that has one. All markets on the ways are asked for in one go.
        """
        own = {quote: Read(Decimal(1), self._line.connection.clock.now())} if quote in assets else {}
        others = [asset for asset in assets if asset != quote]
        if not others:
            return own
        async with self._line.reading("prices"):
            spot = (await self._line.markets()).spot
            ways = {asset: ways_to(quote, asset, spot) for asset in others}
            asked = {leg.market: leg.market for several in ways.values() for way in several for leg in way}
            told = await self._line.dialect.prices(self._line.connection, asked) if asked else {}
            priced = {asset: price_by(several, quote, told) for asset, several in ways.items()}
        return {asset: price for asset, price in priced.items() if price is not None} | own


@dataclass(frozen=True, slots=True)
class Leg:
    """One market on the way from an asset to the quote currency."""

    market: str
    turned: bool  # its price counts in the asset


def ways_to(quote: str, asset: str, spot: Mapping[tuple[str, str], str]) -> Sequence[Sequence[Leg]]:
    """How an asset can be priced in `quote`, best first: the market between the two alone, where there is one."""
    direct = _leg(asset, quote, spot)
    if direct is not None:
        return [[direct]]
    pairs = [
        (_leg(asset, dollar, spot), _leg(dollar, quote, spot)) for dollar in DOLLARS if dollar not in {asset, quote}
    ]
    return [[first, second] for first, second in pairs if first is not None and second is not None]


def _leg(asset: str, into: str, spot: Mapping[tuple[str, str], str]) -> Leg | None:
    if (asset, into) in spot:
        return Leg(spot[asset, into], turned=False)
    return Leg(spot[into, asset], turned=True) if (into, asset) in spot else None


def price_by(ways: Iterable[Sequence[Leg]], quote: str, told: Mapping[str, Read[Decimal]]) -> Read[Decimal] | None:
    """By the first way whose markets all have a price; as old as the older. None: by none.

    Two dollars that are too far apart are not believed: the last trade of an empty market would price every coin.
    """
    for way in ways:
        if not all(leg.market in told for leg in way):
            continue
        prices = [1 / told[leg.market].value if leg.turned else told[leg.market].value for leg in way]
        crossed = len(way) > 1 and quote in DOLLARS
        if crossed and abs(prices[-1] - 1) > DOLLAR_OFF_MAX:
            continue
        return Read(math.prod(prices, start=Decimal(1)), min(told[leg.market].as_of for leg in way))
    return None
