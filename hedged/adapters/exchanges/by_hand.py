"""A broker that hedged does not reach: its contracts and positions stand in the configuration, its prices elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.errors import Refused, Unreadable, VenueError
from hedged.model.broker import Broker
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Balance, Derivatives, Doubt, Position, Quote, Read
from hedged.ports import Clock, MarketReader

_ENTERED = "positions entered by hand"
_TOMORROW = timedelta(days=1)  # a day later somewhere is not the future


class ByHandAccount:
    """MarketReader and AccountReader of one broker. `markets` are the accounts its prices come from.

    There are no wallets and no margin: what is kept there is not known. Positions are as good as read now, unless the
    user has said how long they keep.
    """

    wallets: Sequence[str] = ()

    def __init__(self, broker: Broker, markets: Mapping[str, MarketReader], quote: str, clock: Clock) -> None:
        self.account = broker.name
        self._broker = broker
        self._contracts = {contract.instrument.id: contract for contract in broker.contracts}
        self._instruments = {name: contract.instrument for name, contract in self._contracts.items()}
        self._markets = markets
        self._quote = quote
        self._clock = clock

    # MarketReader

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        return self._instruments

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        """The mark is that of the instrument or coin named as the price's source; there is no book and no funding."""
        wanted = [name for name in instruments if name in self._contracts]
        sources = {self._contracts[name].price_from for name in wanted}
        found = dict(await self._marks({InstrumentId(source) for source in sources if ":" in source}))
        found.update(await self._spot({source for source in sources if ":" not in source}))
        return {
            name: Read(Quote(mark=read.value), read.as_of)
            for name in wanted
            if (read := found.get(self._contracts[name].price_from)) is not None
        }

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        return {}

    async def _marks(self, sources: Collection[InstrumentId]) -> dict[str, Read[Decimal]]:
        by_account: dict[str, list[InstrumentId]] = {}
        for source in sources:
            by_account.setdefault(source.partition(":")[0], []).append(source)
        answers = await asyncio.gather(*(self._markets[name].quotes(asked) for name, asked in by_account.items()))
        return {name: Read(read.value.mark, read.as_of) for answer in answers for name, read in answer.items()}

    async def _spot(self, coins: Collection[str]) -> dict[str, Read[Decimal]]:
        """From the first account that has a price, as everywhere."""
        found: dict[str, Read[Decimal]] = {}
        failure: VenueError | None = None
        for market in self._markets.values():
            left = [coin for coin in coins if coin not in found]
            if not left:
                break
            try:
                found.update(await market.prices(left, self._quote))
            except VenueError as error:
                failure = error
        if failure is not None and not found.keys() >= set(coins):
            raise failure
        return found

    # AccountReader

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        raise Refused(self.account, f"balances {wallet}", "a broker entered by hand has no wallets")

    async def derivatives(self) -> Read[Derivatives]:
        now = self._clock.now()
        for held in self._broker.positions:
            ends = self._instruments[held.instrument].ends()
            if ends is not None and ends <= now:
                detail = f"{held.instrument} ended on {ends:%Y-%m-%d}: enter what you hold now, or take it out"
                raise Unreadable(self.account, _ENTERED, detail)
            if held.as_of - now > _TOMORROW:
                detail = f"{held.instrument} is dated {held.as_of:%Y-%m-%d}, which is still to come: mend its as_of"
                raise Unreadable(self.account, _ENTERED, detail)
            if held.max_age is not None and now - held.as_of > held.max_age:
                detail = (
                    f"{held.instrument} was entered on {held.as_of:%Y-%m-%d} and has passed its max_age: look it up"
                )
                raise Unreadable(self.account, _ENTERED, f"{detail} at the broker and give it a new as_of")
        positions = tuple(
            Position(
                instrument=held.instrument, contracts=held.contracts, entry_price=held.entry_price, as_of=held.as_of
            )
            for held in self._broker.positions
        )
        return Read(Derivatives(positions, margin=None), now)

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        """What the user takes out of the configuration is gone because they say so."""
        return "it was taken out of the configuration"
