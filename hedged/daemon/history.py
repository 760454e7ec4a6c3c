"""What the past says of each hedge, kept up to date beside the cycles and never in their way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

import numpy as np
import structlog

from hedged.assess.exposure import positions_of
from hedged.cycle import CycleReport
from hedged.daemon.past_prices import PAUSE, PastPrices, subject_of
from hedged.errors import StoreError
from hedged.estimate.hedge_feed import REFERENCE, Columns, HedgeFeed
from hedged.estimate.hedge_tracker import HedgeTracker, shape_of
from hedged.model.finding import Assessment, Finding, Kind, Severity
from hedged.model.history import STEP
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, PortfolioPolicy
from hedged.model.snapshot import Snapshot
from hedged.model.statistics import HedgeStatistics
from hedged.model.timing import Measure, Signal
from hedged.observe.margin_risk import instruments_needed
from hedged.ports import CandleReader, Clock, Store

DAYS = 200
"""Of the slowest decay (0.995 a day) two thirds of the weight lie in these; more would tell little more."""

LOOK_EVERY = 10.0  # seconds: what has become due is seen so soon
ASSETS_MAX = 50  # of a hedge, the largest by value
STORE_RETRY = 60.0  # seconds

_HOUR = int(STEP.total_seconds())
_DAY = 86_400

log = structlog.get_logger(__name__)


class HistoryKeeper:
    """Backfills at the start, adds every hour's bars, feeds one tracker a hedge, and says what is missing.

    `statistics` is what a cycle is to see: by hedge, replaced as a whole whenever there is news.
    """

    def __init__(
        self,
        policy: PortfolioPolicy,
        readers: Mapping[str, CandleReader],
        store: Store,
        clock: Clock,
        *,
        pause: float = PAUSE,
    ) -> None:
        self._policy = policy
        self._hedges = [hedge for hedge in policy.hedges if hedge.needs_statistics]
        signals = [hedge.timing for hedge in self._hedges if isinstance(hedge.timing, Signal)]
        days = max(DAYS, *(signal.days + 2 for signal in signals)) if signals else DAYS
        self._relative = any(signal.measure is Measure.RELATIVE_STRENGTH for signal in signals)
        self.prices = PastPrices(readers, store, clock, quote=policy.quote, days=days, pause=pause)
        self._store = store
        self._clock = clock
        self._coins: dict[str, dict[str, float]] = {}  # hedge → asset → coins, of those it covers
        self._feeds: dict[str, HedgeFeed] = {}
        self._held: tuple[InstrumentId, ...] = ()  # positions, also those that no hedge names
        self._late: set[str] = set()  # hedges whose past has been filled in behind what their tracker saw
        self._seen: Snapshot | None = None  # of the last cycle, for its funding rates
        self._store_failing = False
        self.statistics: Mapping[str, HedgeStatistics] = {}

    async def recall(self, state: Mapping[str, object] | None) -> None:
        """Know at once what was known before a restart: from the store alone, and the last cycle's state object.

        Raises `StoreError`.
        """
        await self.prices.recall()
        rows = state.get("exposures") if state is not None else None
        for hedge in self._hedges:
            held = _held_before(rows, hedge.name, float(self._policy.dust_value))
            if held:
                self._coins[hedge.name] = held
            await self._digest(hedge, recalled=True)

    async def look(self, report: CycleReport, within: float) -> None:
        """For a single look: what is stored, and for so many seconds what can be fetched. Raises `StoreError`."""
        self.learn(report)
        await self.prices.recall()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.prices.update(self.subjects())
        for hedge in self._hedges:
            await self._digest(hedge)

    async def run(self) -> None:
        """Keep up with the clock. Returns at once where nothing needs a past."""
        while self.subjects():
            await self._clock.sleep(LOOK_EVERY if await self.turn() else STORE_RETRY)

    async def turn(self) -> bool:
        """Fetch what is due and work it in; False: the store could not be used."""
        try:
            fresh = await self.prices.update(self.subjects())
            for hedge in self._hedges:
                feed = self._feeds.get(hedge.name)
                mine = [fresh[name] for name in self.subjects_of(hedge) if name in fresh]
                if feed is not None and any(at.timestamp() <= feed.taken_until for at in mine):
                    self._late.add(hedge.name)
                await self._digest(hedge)
        except StoreError as error:
            if not self._store_failing:
                log.warning("past prices could not be kept, tried again", error=str(error))
            self._store_failing = True
            return False
        self._store_failing = False
        return True

    def learn(self, report: CycleReport) -> None:
        """Take from a cycle which assets each hedge covers, how many coins, and what funding is."""
        self._seen = report.snapshot
        self._held = tuple(position.instrument for position, _ in positions_of(report.snapshot))
        for hedge in self._hedges:
            held = _held(report.assessment, hedge.name, self._policy, self._coins.get(hedge.name, {}))
            if held:
                self._coins[hedge.name] = held
            feed = self._feeds.get(hedge.name)
            if feed is not None and held and tuple(held) == feed.tracker.shape.assets:
                feed.coins = np.array(list(held.values()))

    def findings(self, now: datetime, *, patient: bool = True) -> Iterator[Finding]:
        """Hedges whose past is missing, wholly or in part, if `patient` for longer than a venue's passing fault."""
        for hedge in self._hedges:
            troubles = {name: self.prices.trouble(name) for name in self.subjects_of(hedge)}
            missing = {
                name: each
                for name, each in troubles.items()
                if each is not None and (each.is_lasting(now) or not patient)
            }
            if not missing:
                continue
            since = min(each.since for each in missing.values())
            why = next(iter(missing.values())).text
            names = ", ".join(missing)
            text = f"{hedge.name}: no past prices of {names} since {since:%Y-%m-%d %H:%M} UTC ({why}). "
            text += self._meanwhile(hedge, [name for name in missing if self.prices.newest(name) is None])
            values = {"missing": names, "since": since.isoformat()}
            yield Finding(Kind.HISTORY_MISSING, hedge.name, Severity.WARNING, text, values)

    def subjects(self) -> list[str]:
        """Whose bars are needed, each once: by the hedges' statistics, and by the odds of a liquidation."""
        by_hedges = [name for hedge in self._hedges for name in self.subjects_of(hedge)]
        at_risk = [self._subject(name) for name in (*instruments_needed(self._policy), *self._held)]
        return list(dict.fromkeys([*by_hedges, *at_risk]))

    def subjects_of(self, hedge: HedgePolicy) -> list[str]:
        """Those of one hedge: its instruments, what a signal is relative to, and the assets that it covers."""
        quote = self._policy.quote
        instruments = [self._subject(leg.instrument) for leg in hedge.legs]
        relative = isinstance(hedge.timing, Signal) and hedge.timing.measure is Measure.RELATIVE_STRENGTH
        reference = [f"{REFERENCE}/{quote}"] if relative else []
        return [*instruments, *reference, *(f"{asset}/{quote}" for asset in self._coins.get(hedge.name, {}))]

    def hedges(self) -> Sequence[HedgePolicy]:
        """Those that need a past."""
        return self._hedges

    def _meanwhile(self, hedge: HedgePolicy, without: Sequence[str]) -> str:
        known = self.statistics.get(hedge.name)
        if known is None:
            return (
                "Its ratios are unknown, so it makes no order."
                if hedge.estimated
                else "It goes by its configured band and target."
            )
        if without and not hedge.estimated:
            return "What it learns rests on the other prices."
        if without:
            return f"What rests on {', '.join(without)} is taken as usual (ratio 1, shared equally), not estimated."
        return f"It goes on with what was known on {known.as_of:%Y-%m-%d %H:%M} UTC."

    def _subject(self, instrument: InstrumentId) -> str:
        return subject_of(instrument, self._policy.quote, self.prices.readers)

    async def _digest(self, hedge: HedgePolicy, *, recalled: bool = False) -> None:
        """Feed what has come, anew from the start where assets or the past itself have changed."""
        coins = self._coins.get(hedge.name)
        names = self.subjects_of(hedge)
        newest = [at for at in map(self.prices.newest, names) if at is not None]
        if not coins or not newest or not (recalled or all(map(self.prices.is_settled, names))):
            return
        feed = self._feeds.get(hedge.name)
        until = int(max(newest).timestamp())
        if feed is None or feed.tracker.shape.assets != tuple(coins) or hedge.name in self._late:
            before = feed
            feed = HedgeFeed(HedgeTracker(shape_of(hedge, tuple(coins), _HOUR)), np.array(list(coins.values())))
            await self._carry_over(hedge, before, feed)
        elif until <= feed.taken_until:
            return
        columns = await self._columns(hedge, feed, until)
        await asyncio.to_thread(feed.take, columns, until)
        await self._charge(hedge, feed)
        self._feeds[hedge.name] = feed
        self._late.discard(hedge.name)
        statistics = feed.tracker.statistics()
        if statistics is not None:
            if hedge.name not in self.statistics:
                log.info(
                    "the past is known", hedge=hedge.name, as_of=statistics.as_of.isoformat(), text=statistics.text
                )
            self.statistics = {**self.statistics, hedge.name: statistics}

    async def _columns(self, hedge: HedgePolicy, feed: HedgeFeed, until: int) -> Columns:
        first = max(feed.taken_until, int(self.prices.oldest().timestamp())) + _HOUR
        times = np.arange(first, until + 1, _HOUR, dtype=np.int64)
        quote, shape = self._policy.quote, feed.tracker.shape
        assets = [await self.prices.closes(f"{asset}/{quote}", times) for asset in shape.assets]
        instruments = [await self.prices.closes(self._subject(name), times) for name in shape.instruments]
        reference = np.full(len(times), np.nan)
        if self._relative:
            reference = await self.prices.closes(f"{REFERENCE}/{quote}", times)
        return Columns(times, np.column_stack(assets), np.column_stack(instruments), reference)

    async def _carry_over(self, hedge: HedgePolicy, before: HedgeFeed | None, feed: HedgeFeed) -> None:
        """Funding is not in the bars: what was learnt of it outlives the tracker, and the process."""
        known: Mapping[str, object] = {}
        if before is None:
            known = await self._store.get_blob(_carry_key(hedge)) or {}
        elif (statistics := before.tracker.statistics()) is not None:
            known = dict(statistics.carry_year.items())
        for name in feed.tracker.shape.instruments:
            cost = known.get(name)
            if isinstance(cost, float):
                feed.tracker.funded(name, cost, 1.0)

    async def _charge(self, hedge: HedgePolicy, feed: HedgeFeed) -> None:
        """The rates of the last cycle, as those of the hour."""
        if self._seen is None:
            return
        feed.charge(self._seen, _HOUR / _DAY)
        statistics = feed.tracker.statistics()
        if statistics is not None and statistics.carry_year:
            costs: dict[str, object] = dict(statistics.carry_year.items())
            await self._store.put_blob(_carry_key(hedge), costs, self._clock.now())


async def costs_seen(store: Store, policy: PortfolioPolicy) -> dict[InstrumentId, Decimal]:
    """By named instrument, what a short of 1 cost a year in the weeks before the daemon last charged it."""
    found: dict[InstrumentId, Decimal] = {}
    for hedge in policy.hedges:
        kept = await store.get_blob(_carry_key(hedge)) or {}
        found |= {InstrumentId(name): Decimal(repr(cost)) for name, cost in kept.items() if isinstance(cost, float)}
    return found


def _held(assessment: Assessment, hedge: str, policy: PortfolioPolicy, before: Mapping[str, float]) -> dict[str, float]:
    """Coins by asset, above dust; one that was above it stays, so that none comes and goes."""
    worth = {
        row.asset: (0.0 if row.value is None else abs(float(row.value)), float(row.quantity))
        for row in assessment.exposures
        if row.hedge == hedge
        and row.quantity
        and (row.asset in before or (row.value is not None and abs(row.value) > policy.dust_value))
    }
    largest = sorted(worth, key=lambda asset: -worth[asset][0])[:ASSETS_MAX]
    return {asset: worth[asset][1] for asset in sorted(largest)}


def _held_before(rows: object, hedge: str, dust: float) -> dict[str, float]:
    """The same from a state object, which an earlier version may have written."""
    found = {}
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict) or row.get("hedge") != hedge or row.get("quantity") in {None, "0"}:
            continue
        if row.get("value") is not None and abs(float(row["value"])) > dust:
            found[str(row["asset"])] = float(row["quantity"])
    return dict(sorted(found.items())[:ASSETS_MAX])


def _carry_key(hedge: HedgePolicy) -> str:
    return f"carry/{hedge.name}"
