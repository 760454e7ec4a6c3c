"""A plan's inputs from the configured accounts: what is held, what is listed, and a year of hourly bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from hedged.adapters.store.memory import MemoryStore
from hedged.adapters.store.overlay import OverlayStore
from hedged.adapters.store.sql import SqlStore
from hedged.adapters.store.sqlite import exists
from hedged.app import open_exchanges, wire
from hedged.assess.exposure import cash_assets
from hedged.assess.rates import rate_by_index
from hedged.cli.plan_inputs import DAYS, PlanInputs, Progress, hedges_of, net_of_cash
from hedged.cycle import look, recall
from hedged.daemon.history import costs_seen
from hedged.errors import DataError, StoreUnavailable, VenueError
from hedged.estimate.contract_terms import contract_terms, mean_funding
from hedged.estimate.past_prices import PastPrices, past_prices
from hedged.estimate.plan import is_on
from hedged.estimate.plan_cost import rolls_year
from hedged.model.history import STEP, Bar, Settlement
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.plan import TODAY, Candidate, PlanHolding
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.model.snapshot import Quote
from hedged.ports import CandleReader, Clock, Ids, MarketReader, Store
from hedged.settings import Settings
from hedged.settings.worlds import direction_of

FUNDING_PERIOD = timedelta(days=30)
ALWAYS = ("BTC", "ETH", "BTCDOM", "DEFI")
CANDIDATES_MAX = 30
"""Coins and indices to choose from: with more, the best of the past is luck, and their past takes minutes to read."""

_PAGES_MAX = 200


async def from_venues(
    settings: Settings, clock: Clock, ids: Ids, quantities: Mapping[str, Decimal] | None, progress: Progress
) -> PlanInputs:
    """Raises `HedgedError` where nothing can be planned; what is merely missing is in the notes."""
    base = SqlStore(settings.store_path())
    store: Store = MemoryStore()
    try:
        await base.open_read_only(settings.name, settings.world)
        store = OverlayStore(base)
    except StoreUnavailable:
        if exists(settings.store_path()):
            raise
    await store.open(settings.name, settings.world, clock.now())
    exchanges = await open_exchanges(settings, store, clock)
    try:
        portfolio = wire(settings, exchanges, store, clock, ids)
        policy = portfolio.policy
        notes: list[str] = []
        if quantities is None:
            await recall(portfolio, clock.now())
            report = await look(portfolio, clock.now(), ids.new())
            rows = report.assessment.exposures
            holdings = tuple(
                PlanHolding(row.asset, row.quantity, row.price)
                for row in rows
                if row.quantity is not None and row.price is not None and row.quantity
            )
            unknown = [row.asset for row in rows if row.value is None]
            notes += [f"{', '.join(unknown)}: quantity or price is unknown now, left out"] if unknown else []
            notes += [finding.text for finding in report.assessment.findings if finding.kind.value.endswith("_missing")]
        else:
            held, notes = net_of_cash(quantities, policy)
            holdings = tuple(
                PlanHolding(asset, held[asset], price)
                for asset, price in (await _prices(portfolio.markets, list(held), policy.quote)).items()
            )
            if missing := [asset for asset in held if asset not in {each.asset for each in holdings}]:
                raise DataError(f"no account has a price of {', '.join(missing)} in {policy.quote}")
        assets = [each.asset for each in holdings]
        kept = await costs_seen(store, policy)
        listing = _Listing(settings, policy, portfolio.markets, clock=clock, past=exchanges.candles, kept=kept)
        candidates = await listing.candidates(assets)
        past = _Past(exchanges.candles, base if isinstance(store, OverlayStore) else None, policy.quote, clock)
        history = await past.read(assets, candidates, progress)
        hedges = hedges_of(policy, assets)
        return PlanInputs(holdings, tuple(candidates), history, hedges, (*notes, *listing.notes, *past.notes))
    finally:
        await exchanges.close()
        await base.close()


async def _prices(markets: Mapping[str, MarketReader], assets: Sequence[str], quote: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for market in markets.values():
        left = [asset for asset in assets if asset not in found]
        if left:
            found |= {asset: read.value for asset, read in (await market.prices(left, quote)).items()}
    return {asset: found[asset] for asset in assets if asset in found}


class _Listing:
    """The contracts to choose from. `kept`: what a short of each cost a year in the daemon's own eyes."""

    def __init__(
        self,
        settings: Settings,
        policy: PortfolioPolicy,
        markets: Mapping[str, MarketReader],
        *,
        clock: Clock,
        past: Mapping[str, CandleReader],
        kept: Mapping[InstrumentId, Decimal],
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._markets = markets
        self._clock = clock
        self._past = past
        self._kept = kept
        self.notes: list[str] = []
        self._given = {row.instrument: row.direction for row in settings.document.instruments if row.direction}

    async def candidates(self, assets: Sequence[str]) -> list[Candidate]:
        now = self._clock.now()
        listed: dict[str, list[Instrument]] = {}
        for account, market in self._markets.items():
            listed[account] = [each for each in (await market.instruments()).values() if self._fits(each, now)]
        bases = {each.base for contracts in listed.values() for each in contracts}
        wanted = set(self._bases(assets, bases))
        found: list[Candidate] = []
        for account, contracts in listed.items():
            chosen = _nearest_dates([each for each in contracts if each.base in wanted])
            market = self._markets[account]
            quotes = await market.quotes([each.id for each in chosen])
            rates = await self._rates(market, {each.quote for each in chosen})
            lacking = {each.base for each in chosen if each.quote not in rates}
            coins = await self._rates(market, lacking) if lacking else {}
            for each in chosen:
                read = quotes.get(each.id)
                if read is None:
                    continue
                rate = rates.get(each.quote) or rate_by_index(coins.get(each.base), read.value)
                if rate is None:
                    continue
                carry, known_of = await self._carry(each, read.value, now)
                found.append(
                    Candidate(
                        each,
                        read.value.mark,
                        rate=rate,
                        direction=direction_of(each.id, self._given),
                        carry_year=None if carry is None else -carry,
                        carry_of=known_of,
                        fee=each.fee_taker if each.fee_taker is not None else self._settings.paper.fee_taker,
                        spread=contract_terms(each, read.value, now).spread_ratio,
                    )
                )
        return found

    async def _carry(self, contract: Instrument, quote: Quote, now: datetime) -> tuple[Decimal | None, str]:
        """What a short receives a year and of when that is: of the past month, of what hedged saw, of today."""
        terms = contract_terms(contract, quote, now)
        if contract.kind is ContractKind.FUTURE:
            return terms.basis_year, TODAY
        reader = self._past.get(contract.account)
        settled: Sequence[Settlement] | None = None
        if reader is not None:
            try:
                settled = await reader.funding(contract.id, now - FUNDING_PERIOD)
            except VenueError as error:
                self.notes.append(f"{contract.id}: past funding could not be read: {error}")
        mean = mean_funding(settled or ())
        if mean is not None:
            return mean.year, f"the past {mean.days:.0f} days, as {contract.account} tells it"
        if contract.id in self._kept:
            return -self._kept[contract.id], "the past weeks, as hedged saw it"
        return terms.funding_year, TODAY

    def _fits(self, contract: Instrument, now: datetime) -> bool:
        """Linear or margined in its coin, trading, not about to end; on paper what its account trades: contracts in the
        portfolio's currency, and those that the coins in its wallet can back.
        """
        ends = contract.ends()
        in_coins = not contract.linear and contract.settle == contract.base
        if not (contract.linear or in_coins) or not contract.trading or contract.base in cash_assets(self._policy):
            return False
        if ends is not None and ends - now <= self._policy.roll.before:
            return False
        if self._policy.mode is not Mode.PAPER:
            return True
        if in_coins:
            return contract.settle in self._policy.paper.coins
        return {contract.quote, contract.settle} <= {self._policy.quote}

    def _bases(self, assets: Sequence[str], listed: set[str]) -> Iterator[str]:
        """The coins' own, the anchors and indices, then coins of the holdings' sectors, then of others, by turns."""
        own = [base for base in sorted(listed) if any(is_on(base, asset) for asset in assets)]
        sectors = self._settings.sectors
        by_sector: dict[str, list[str]] = {}
        for asset, profile in sectors.items():
            by_sector.setdefault(profile.sector, []).append(asset)
        held = {sectors[asset].sector for asset in assets if asset in sectors}
        columns = sorted(by_sector.items(), key=lambda one: one[0] not in held)
        ranks = max(map(len, by_sector.values()), default=0)
        turns = [names[rank] for rank in range(ranks) for _, names in columns if rank < len(names)]
        yield from own
        others = (base for base in dict.fromkeys((*ALWAYS, *turns)) if base in listed and base not in own)
        for count, base in enumerate(others):
            if count == CANDIDATES_MAX:
                return
            yield base

    async def _rates(self, market: MarketReader, currencies: set[str]) -> dict[str, Decimal]:
        quote = self._policy.quote
        others = currencies - {quote}
        found = {quote: Decimal(1)}
        for source in (market, *self._markets.values()) if others else ():
            left = others - found.keys()
            if left:
                found |= {name: read.value for name, read in (await source.prices(left, quote)).items()}
        return found


def _nearest_dates(contracts: Sequence[Instrument]) -> list[Instrument]:
    """All perpetuals, and of each coin's dated contracts the next of those that are rolled least often; by what settles
    them.
    """
    dated: dict[tuple[str, str], list[Instrument]] = {}
    for each in contracts:
        if each.expiry is not None:
            dated.setdefault((each.base, each.settle), []).append(each)
    chosen = [min(each, key=lambda one: (rolls_year(one), one.expiry)) for each in dated.values()]
    return [*(each for each in contracts if each.expiry is None), *chosen]


class _Past:
    """A year of hourly bars of each subject: the store's, and from the venues what it does not have."""

    def __init__(self, readers: Mapping[str, CandleReader], store: Store | None, quote: str, clock: Clock) -> None:
        self._readers = readers
        self._store = store
        self._quote = quote
        self._clock = clock
        self.notes: list[str] = []

    async def read(self, assets: Sequence[str], candidates: Sequence[Candidate], progress: Progress) -> PastPrices:
        now = self._clock.now()
        subjects = dict.fromkeys(self._subjects(assets, candidates))
        series = {}
        for done, subject in enumerate(subjects):
            progress(done, len(subjects))
            bars = await self._bars(subject, now - timedelta(days=DAYS + 1))
            if bars:
                times = np.array([int(bar.at.timestamp()) for bar in bars], np.int64)
                columns = np.array([(bar.close, bar.high, bar.low) for bar in bars], np.float64).T
                series[subject] = (times, columns[0], columns[1], columns[2])
        progress(len(subjects), len(subjects))
        return past_prices(series, int(STEP.total_seconds()), int(now.timestamp()), DAYS)

    def _subjects(self, assets: Iterable[str], candidates: Iterable[Candidate]) -> Iterator[str]:
        """A contract margined in its coin goes by the coin's past, or its own where nothing else stands for it."""
        contracts = [each.instrument for each in candidates]
        known = {*assets, *(each.base for each in contracts if each.linear)}
        yield from assets
        for each in contracts:
            own = each.expiry is None and each.account in self._readers and (each.linear or each.base not in known)
            yield each.id if own else each.base

    async def _bars(self, subject: str, since: datetime) -> list[Bar]:
        """What could be read, oldest first; a venue that fails is told of and leaves what the store has."""
        kept = subject if ":" in subject else f"{subject}/{self._quote}"
        found = {bar.at: bar for bar in await self._store.bars(kept, since)} if self._store is not None else {}
        account = subject.partition(":")[0] if ":" in subject else None
        for name, reader in self._readers.items():
            if account not in {None, name}:
                continue
            try:
                listed = await self._update(reader, subject, since, found)
            except VenueError as error:
                self.notes.append(f"{subject}: past prices could not be read: {error}")
                continue
            if listed:
                break
        return [found[at] for at in sorted(found)]

    async def _update(self, reader: CandleReader, subject: str, since: datetime, found: dict[datetime, Bar]) -> bool:
        """Pages from the newest bar on; False: this venue has no such market."""
        for _ in range(_PAGES_MAX):
            newest = max(found, default=since)
            page = await reader.bars(InstrumentId(subject), self._quote, newest)
            if page is None:
                return False
            if not page or page[-1].at <= newest:
                break
            found.update((bar.at, bar) for bar in page)
        return True
