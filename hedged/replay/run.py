"""The same cycle over the prices of the past, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.clock import SeededIds
from hedged.adapters.exchanges.historical import HistoricalMarket
from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.exchanges.price_table import History, PriceTable
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import ConfigurationError, DataError
from hedged.model.policy import Mode, OnCritical, PortfolioPolicy, World
from hedged.observe.margin_risk import MarginRisk
from hedged.ports import Clock
from hedged.replay.clock import ReplayClock
from hedged.replay.notes import data_notes
from hedged.replay.past import PastBars
from hedged.replay.report import Costs, ReplayReport
from hedged.replay.samples import held_assets, sample_times, take_samples
from hedged.replay.tally import Tally, equity_of
from hedged.replay.trackers import Trackers
from hedged.tell.lifecycle import AlertRules

ZERO = Decimal(0)
_SEED = 1  # ids are part of no result, but the same replay should leave the same journal
_PATHS = 2_000  # of the odds of a liquidation, drawn anew every hour for years
_BARS_BETWEEN_PROGRESS = 200
_BARS_BETWEEN_THINNING = 10_000


class _NoBlobs:
    """Where paper ledgers would be stored. A replay ends with its process, and writing each down is a fifth of it."""

    async def get_blob(self, key: str) -> None:
        return None

    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Window:
    """Rows stamped from `start` up to, but not including, `end` are replayed; None: from the first, to the last.

    `frequency` is that of the returns which effectiveness is measured on.
    """

    start: datetime | None = None
    end: datetime | None = None
    frequency: timedelta = timedelta(days=1)
    frequency_text: str = "1d"


def check_frequency(frequency: timedelta, history: History) -> None:
    """Raises `ValueError` if returns of this frequency cannot be made of these bars."""
    seconds, step = int(frequency.total_seconds()), history.spot.step
    if seconds % step:
        raise ValueError(f"must be a multiple of the step of {history.spot.source}, {timedelta(seconds=step)}")


def paper_policy(policy: PortfolioPolicy, start: datetime, every: timedelta) -> PortfolioPolicy:
    """The same portfolio in paper, whatever its mode: a cycle a bar, its holdings held since the start."""
    return replace(
        policy,
        mode=Mode.PAPER,
        world=World.PAPER,
        every=every,
        hedges=tuple(replace(hedge, mode=Mode.PAPER) for hedge in policy.hedges),
        holdings=tuple(replace(holding, as_of=start, max_age=None) for holding in policy.holdings),
    )


async def replay(
    policy: PortfolioPolicy,
    history: History,
    window: Window,
    *,
    rules: AlertRules,
    stopwatch: Clock,
    progress: Callable[[int, int], None] = lambda done, total: None,
    each: Callable[[CycleReport], None] = lambda report: None,
) -> ReplayReport:
    """Run a cycle at every row of the spot file, as soon as that row was known, on paper.

    `progress(done, total)` is called now and then, in bars; `each` with every cycle's report. Raises `DataError` for
    prices that are not there at all, `ConfigurationError` for a portfolio that cannot be replayed.
    """
    began = stopwatch.monotonic()
    bars = _bars(history.spot, window)
    first, last = _moment(bars[0]), _moment(bars[-1])
    policy = paper_policy(policy, first, timedelta(seconds=history.spot.step))
    _check(policy, history)
    clock = ReplayClock(first)
    markets = {name: HistoricalMarket(name, policy, history, clock) for name in _accounts(policy)}
    store = MemoryStore()
    await store.open(policy.name, policy.world, first)
    papers = {
        name: PaperAccount(
            name, market, real=None, store=_NoBlobs(), policy=policy.paper, quote=policy.quote, clock=clock
        )
        for name, market in markets.items()
    }
    portfolio = Portfolio(policy, markets, papers, papers, store, (), rules, clock, SeededIds(_SEED))

    if policy.margin.on_critical is OnCritical.REDUCE:
        past = PastBars(history.perp or history.spot, policy.quote, clock)
        portfolio.risk = MarginRisk(past, policy, timedelta(seconds=history.spot.step), _PATHS)
    trackers = Trackers(policy, history.spot, markets, held_assets(policy))

    epochs = sample_times(bars, int(window.frequency.total_seconds()))
    sampled = frozenset(epochs.tolist())
    equity: dict[int, float] = {}
    tally = Tally()
    for number, epoch in enumerate(bars.tolist()):
        now = _moment(epoch)
        clock.set(now)
        portfolio.statistics = trackers.known_at(epoch)
        report = await run_cycle(portfolio, now)
        trackers.charged(report)
        tally.add(report)
        each(report)
        if epoch in sampled and (read := equity_of(report)) is not None:
            equity[epoch] = read
        if number % _BARS_BETWEEN_PROGRESS == 0:
            progress(number, len(bars))
        if number % _BARS_BETWEEN_THINNING == 0:
            await store.thin(now)
    progress(len(bars), len(bars))

    measured = take_samples(policy, history.spot, markets, epochs, equity).effectiveness()
    totals = [await paper.totals() for paper in papers.values()]
    return ReplayReport(
        effectiveness=measured.hedged,
        hindsight_effectiveness=measured.hindsight,
        naive_effectiveness=measured.naive,
        frequency=window.frequency_text,
        orders=tally.orders,
        turnover=tally.turnover,
        costs=Costs(
            fees=sum((each.fees for each in totals), -tally.roll_fees),
            funding=sum((each.funding for each in totals), ZERO),
            slippage=sum((each.slippage for each in totals), -tally.roll_slippage),
            roll=tally.roll_fees + tally.roll_slippage,
        ),
        max_drift=tally.max_drift,
        liquidations=sum(each.liquidations for each in totals),
        margin_reductions=tally.margin_reductions,
        bars=len(bars),
        seconds=stopwatch.monotonic() - began,
        quote=policy.quote,
        first=first,
        last=last,
        notes=(*data_notes(history, policy, bars), *tally.notes()),
    )


def _bars(spot: PriceTable, window: Window) -> NDArray[np.int64]:
    """The moments at which the rows of the window became known."""
    begin, end = (None if at is None else int(at.timestamp()) + spot.delay for at in (window.start, window.end))
    inside = np.ones(len(spot.times), dtype=np.bool_)
    if begin is not None:
        inside &= spot.times >= begin
    if end is not None:
        inside &= spot.times < end
    if not inside.any():
        covered = " to ".join(
            f"{_moment(at - spot.delay):%Y-%m-%dT%H:%M:%SZ}" for at in (spot.times[0], spot.times[-1])
        )
        raise DataError(f"{spot.source}: no row between start and end; its rows are stamped {covered}")
    return spot.times[inside]


def _accounts(policy: PortfolioPolicy) -> list[str]:
    """The accounts that the hedges trade on, in the order of the configuration."""
    legs = (leg for hedge in policy.hedges for leg in hedge.legs)
    return list(dict.fromkeys(leg.instrument.partition(":")[0] for leg in legs))


def _check(policy: PortfolioPolicy, history: History) -> None:
    assets = held_assets(policy)
    if not policy.hedges or not assets:
        raise ConfigurationError(
            f"{policy.name}: nothing to replay: it takes [[holdings]] with their quantities, and [[hedges]] over them"
        )
    for asset in assets:
        if asset not in history.spot.columns:
            raise DataError(f"{history.spot.source}: no prices of {asset}, which [[holdings]] has")


def _moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(int(epoch), UTC)
