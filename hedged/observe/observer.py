"""Read everything at once: each leg with the time it was read, or why it is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from hedged.errors import Refused, Unreadable, VenueError
from hedged.model.chain import cadence_named, chain_of, is_ending, successor
from hedged.model.instrument import Instrument, InstrumentId, bundle
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import AccountSnapshot, Doubt, Fault, Leg, Missing, Quote, Read, Snapshot, seen
from hedged.observe.continuity import SECONDS_BETWEEN_READS, Continuity
from hedged.observe.last_good import LastGood
from hedged.ports import AccountReader, Clock, MarketReader, Memory

T = TypeVar("T")

_READINGS_MAX = 6  # further ones, of an account where something has vanished


@dataclass(slots=True)
class Observer:
    """The readers of one portfolio, and what they last gave."""

    policy: PortfolioPolicy
    markets: Mapping[str, MarketReader]
    accounts: Mapping[str, AccountReader]
    clock: Clock
    last: LastGood = field(default_factory=LastGood)
    instruments: dict[InstrumentId, Instrument] = field(default_factory=dict, init=False)
    quotes: dict[InstrumentId, Leg[Quote]] = field(default_factory=dict, init=False)
    prices: dict[str, Leg[Decimal]] = field(default_factory=dict, init=False)
    _priced: frozenset[str] = frozenset()
    _sought: set[str] = field(default_factory=set, init=False)  # assets whose price has been asked for this time
    _now: datetime = field(default=datetime.min, init=False)

    async def observe(self, memory: Memory, now: datetime) -> Snapshot:
        """One snapshot of the portfolio. Raises nothing that a venue does wrong; a failed leg is `Missing`."""
        self.instruments, self.quotes, self.prices = {}, {}, {}
        self._priced, self._sought = memory.priced, set()
        self._now = now
        contracts = {leg.instrument for hedge in self.policy.hedges for leg in hedge.legs} | set(memory.positions)
        found, *_ = await asyncio.gather(
            _together([self._read_account(reader) for reader in self.accounts.values()]),
            _together([self._read_market(market, contracts) for market in self.markets.values()]),
            self._read_prices(self._assets_known(memory)),
        )
        views = {view.account: view for view in found}
        vanished = await self._confirm(views, Continuity(self.policy, memory, now, self.prices))
        await self._read_late(views)
        return Snapshot(
            now=now,
            accounts={name: views.get(name, AccountSnapshot(account=name)) for name in self.markets},
            instruments=self.instruments,
            quotes=self.quotes,
            prices=self.prices,
            doubts=tuple(doubt for doubt in vanished if doubt.explanation is None),
            explained=tuple(doubt for doubt in vanished if doubt.explanation is not None),
        )

    async def _read_account(self, reader: AccountReader) -> AccountSnapshot:
        name, last = reader.account, self.last
        wallets, derivatives = await asyncio.gather(
            _together([_leg(reader.balances(w), last.wallets.get((name, w))) for w in reader.wallets]),
            _leg(reader.derivatives(), last.derivatives.get(name)),
        )
        for wallet, leg in zip(reader.wallets, wallets, strict=True):
            if isinstance(leg, Read):
                last.wallets[name, wallet] = leg
        if isinstance(derivatives, Read):
            last.derivatives[name] = derivatives
        return AccountSnapshot(
            account=name,
            wallets=dict(zip(reader.wallets, wallets, strict=True)),
            derivatives=derivatives,
            shown_only=tuple(getattr(reader, "shown_only", ())),
        )

    async def _read_market(self, market: MarketReader, wanted: Iterable[InstrumentId]) -> None:
        """The contracts wanted of this account and a quote of each. One that the venue does not list has neither."""
        own = sorted(instrument for instrument in wanted if instrument.partition(":")[0] == market.account)
        if not own:
            return
        last = self.last
        try:
            listed = last.instruments[market.account] = await market.instruments()
        except VenueError as error:
            listed = last.instruments.get(market.account, {})
            self.quotes.update({name: missing(error, last.quotes.get(name)) for name in own})
            own = []
        own = [name for name in (*own, *self._following(own, listed)) if name in listed]
        self.instruments.update({name: listed[name] for name in own})
        try:
            found = await market.quotes(own) if own else {}
        except VenueError as error:
            self.quotes.update({name: missing(error, last.quotes.get(name)) for name in own})
            return
        last.quotes.update(found)
        self.quotes.update(found)
        for name in own:
            if name not in found:
                silent = Unreadable(market.account, "quotes", f"the reply has no mark for {name}")
                self.quotes[name] = missing(silent, last.quotes.get(name))

    def _following(self, own: Iterable[InstrumentId], listed: Mapping[InstrumentId, Instrument]) -> list[InstrumentId]:
        """The contracts that those which end before long are rolled into."""
        found = []
        for name in own:
            chain = chain_of(name, listed)
            if chain is not None and (
                name not in listed or is_ending(listed[name], self._now, self.policy.roll.before)
            ):
                cadence = cadence_named(name, listed)
                following = successor(chain, listed.values(), self._now, self.policy.roll.before, cadence)
                if following is not None:
                    found.append(following.id)
        return list(dict.fromkeys(found))

    async def _read_prices(self, assets: Collection[str]) -> None:
        """A price of each asset, from the first account in the configuration that has one; each is asked for once."""
        wanted = [asset for asset in sorted(assets) if asset != self.policy.quote and asset not in self._sought]
        if not wanted:
            return
        self._sought.update(wanted)

        async def ask(market: MarketReader) -> Mapping[str, Read[Decimal]] | VenueError:
            try:
                return await market.prices(wanted, self.policy.quote)
            except VenueError as error:
                return error

        answers = await _together([ask(market) for market in self.markets.values()])
        failure = next((answer for answer in answers if isinstance(answer, VenueError)), None)
        for answer in answers:
            if not isinstance(answer, VenueError):
                for asset, price in answer.items():
                    if asset not in self.prices:
                        self.prices[asset] = self.last.prices[asset] = price
        if failure is not None:  # a venue that did not answer may be the one that prices what is left
            for asset in wanted:
                if asset not in self.prices:
                    self.prices[asset] = missing(failure, self.last.prices.get(asset))
        for asset in wanted:
            if asset not in self.prices and (asset in self._priced or asset in self.last.prices):
                gone = Unreadable("", "prices", f"{asset} had a price in {self.policy.quote} and has none any more")
                self.prices[asset] = missing(gone, self.last.prices.get(asset))

    async def _confirm(self, views: dict[str, AccountSnapshot], continuity: Continuity) -> list[Doubt]:
        """Read again what vanished, twice and ≥ 2 s apart, before it is believed; then ask what explains it.

        The last reading is the one that counts, so what only it shows to be gone is in doubt like the rest, and has to
        be read twice more itself; what is not settled after `_READINGS_MAX` is in doubt without an explanation.
        """
        vanished: list[Doubt] = []
        for name in list(views):
            suspects, agreed = continuity.suspects(views[name]), 0
            for _ in range(_READINGS_MAX):
                if not suspects or agreed == 2:
                    break
                await self.clock.sleep(SECONDS_BETWEEN_READS)
                views[name] = await self._read_account(self.accounts[name])
                found = continuity.suspects(views[name])
                agreed = agreed + 1 if {each.subject for each in found} <= {each.subject for each in suspects} else 0
                suspects = found
            for suspect in suspects:
                explanation = None
                if agreed == 2:
                    instrument = self.instruments.get(suspect.instrument) if suspect.instrument else None
                    explanation = await continuity.explain(suspect, self.accounts[name], instrument)
                vanished.append(replace(suspect, explanation=explanation))
        return vanished

    async def _read_late(self, views: Mapping[str, AccountSnapshot]) -> None:
        """What nobody knew to ask for: positions opened and assets received since the last cycle."""
        assets: set[str] = set()
        late: dict[str, list[InstrumentId]] = {}
        for name, view in views.items():
            for leg in view.wallets.values():
                balances = seen(leg)
                if balances is not None:
                    assets.update(b.asset for b in balances.value if b.net)
            derivatives = seen(view.derivatives) if view.derivatives is not None else None
            held = [p.instrument for p in derivatives.value.positions if p.contracts] if derivatives else []
            bases = {instrument.partition(":")[2].partition("/")[0] for instrument in held}
            assets.update(bases, (bundle(base)[0] for base in bases))
            if name in self.markets:
                late[name] = [p for p in held if p not in self.quotes and p not in self.instruments]
        await _together(
            [
                self._read_prices(self._names(assets)),
                *(self._read_market(self.markets[name], found) for name, found in late.items() if found),
            ]
        )

    def _assets_known(self, memory: Memory) -> set[str]:
        named = {asset for hedge in self.policy.hedges for asset in hedge.assets}
        if self.policy.quote in self.policy.stablecoins:
            named |= {"USDT", "USDC"}  # one is measured by the other, also where neither is held
        # What contracts are priced in, where that is not the portfolio's own currency.
        legs = (leg.instrument for hedge in self.policy.hedges for leg in hedge.legs)
        named |= {leg.partition("/")[2].partition(":")[0] for leg in legs}
        held = {holding.asset for holding in self.policy.holdings}
        held |= {place.rpartition("/")[2] for place in memory.balances}
        bases = {name.partition(":")[2].partition("/")[0] for name in memory.positions}
        held = held.union(bases, (bundle(base)[0] for base in bases))
        return named | self._names(held)

    def _names(self, held: Iterable[str]) -> set[str]:
        """Whose prices say what these are worth: an alias has one of its own, unless it stands for cash."""
        aliases, cash = self.policy.aliases, self.policy.stablecoins | {self.policy.quote}
        assets = {asset for asset in held if asset not in self.policy.ignore}
        own = {asset for asset in assets if aliases.get(asset) not in cash}
        return own | {aliases.get(asset, asset) for asset in assets}


async def _together(attempts: Sequence[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """What they give, all under way at once; a single one needs no task of its own."""
    if len(attempts) == 1:
        return (await attempts[0],)
    return await asyncio.gather(*attempts)


async def _leg(attempt: Awaitable[Read[T]], last: Read[T] | None) -> Leg[T]:
    """The reading, or why there is none, with the last good one."""
    try:
        return await attempt
    except VenueError as error:
        return missing(error, last)


def missing(error: VenueError, last: Read[T] | None) -> Missing[T]:
    if isinstance(error, Refused):
        fault = Fault.REFUSED
    elif isinstance(error, Unreadable):
        fault = Fault.UNREADABLE
    else:
        fault = Fault.UNREACHABLE
    return Missing(fault=fault, call=error.call, detail=error.detail, last=last, account=error.account)
