"""The same cycle over the prices of the past, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.clock import SeededIds, seeded_generator
from hedged.adapters.exchanges.historical import HistoricalMarket
from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.exchanges.price_table import History, PriceTable
from hedged.adapters.exchanges.symbols import parse_symbol
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import ConfigurationError, DataError
from hedged.estimate.effectiveness import Floats
from hedged.model.policy import Mode, OnCritical, PortfolioPolicy, World
from hedged.observe.margin_risk import MarginRisk
from hedged.ports import Clock
from hedged.replay.clock import ReplayClock
from hedged.replay.notes import data_notes
from hedged.replay.past import PastBars
from hedged.replay.report import Costs, ReplayReport, decomposition_of
from hedged.replay.samples import Samples, held_assets, holdings_values, sample_times, take_samples, traded_accounts
from hedged.replay.tally import Tally
from hedged.replay.trackers import DAY, Trackers
from hedged.replay.wallets import Wallets
from hedged.tell.rules import AlertRules

ZERO = Decimal(0)
_SEED = 1  # ids are part of no result, but the same replay should leave the same journal
_PATHS = 2_000  # of the odds of a liquidation, drawn anew every hour for years
_BARS_BETWEEN_PROGRESS = 200
_BARS_BETWEEN_THINNING = 10_000


@dataclass(frozen=True, slots=True)
class Window:
    """Rows stamped from `start` up to, but not including, `end` are replayed; None: from the first, to the last.

    `frequency` is that of the returns which effectiveness is measured on.
    """

    start: datetime | None = None
    end: datetime | None = None
    frequency: timedelta = timedelta(days=1)
    frequency_text: str = "1d"


class Watch(Protocol):
    """Who looks on while a replay runs."""

    def cycle(self, report: CycleReport, costs: Costs, made: float | None) -> None:
        """After every bar, with all that was paid since the start, and what the accounts made (`Wallets.made`)."""

    def end(self, values: Floats, samples: Samples) -> None:
        """Once, with the value of the holdings at every bar and the returns that were measured."""


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
        holdings=tuple(  # an alias one to one: files need have no price of it
            replace(each, asset=policy.aliases.get(each.asset, each.asset), as_of=start, max_age=None)
            for each in policy.holdings
        ),
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
    watch: Watch | None = None,
) -> ReplayReport:
    """Run a cycle at every row of the spot file, as soon as that row was known, on paper.

    `progress(done, total)` is called now and then, in bars; `each` with every cycle's report, `watch` with the costs
    too. Raises `DataError` for prices that are not there at all or too far apart, `ConfigurationError` for a portfolio
    that cannot be replayed.
    """
    began = stopwatch.monotonic()
    bars = bars_of(history.spot, window)
    first, last = _moment(bars[0]), _moment(bars[-1])
    policy = paper_policy(policy, first, timedelta(seconds=history.spot.step))
    _check(policy, history)
    clock = ReplayClock(first)
    markets = {name: HistoricalMarket(name, policy, history, clock) for name in traded_accounts(policy)}
    store = MemoryStore()
    await store.open(policy.name, policy.world, first)
    papers = {
        name: PaperAccount(name, market, real=None, store=None, policy=policy.paper, quote=policy.quote, clock=clock)
        for name, market in markets.items()
    }
    # Unguarded: prices of the past are no fault to stop for, and nobody is there to resume.
    portfolio = Portfolio(policy, markets, papers, papers, store, (), rules, clock, SeededIds(_SEED), guarded=False)

    if policy.margin.on_critical is OnCritical.REDUCE:
        past = PastBars(history.perp or history.spot, policy.quote, clock)
        portfolio.risk = MarginRisk(past, policy, seeded_generator, timedelta(seconds=history.spot.step), _PATHS)
    trackers = Trackers(policy, history.spot, markets, held_assets(policy))

    epochs = sample_times(bars, int(window.frequency.total_seconds()))
    sampled = frozenset(epochs.tolist())
    equity: dict[int, float] = {}
    tally, wallets = Tally(), Wallets(papers.values(), policy)
    for number, epoch in enumerate(bars.tolist()):
        now = _moment(epoch)
        clock.set(now)
        portfolio.statistics = trackers.known_at(epoch)
        report = await run_cycle(portfolio, now)
        trackers.charged(report)
        tally.add(report)
        await wallets.take(report)
        each(report)
        made = wallets.made(report) if watch is not None or epoch in sampled else None
        if watch is not None:
            watch.cycle(report, _costs(wallets, tally), made)
        if epoch in sampled and made is not None:
            equity[epoch] = made
        if number % _BARS_BETWEEN_PROGRESS == 0:
            progress(number, len(bars))
        if number % _BARS_BETWEEN_THINNING == 0:
            await store.thin(now)
    progress(len(bars), len(bars))

    samples = take_samples(policy, history.spot, markets, epochs, equity)
    if watch is not None:
        watch.end(holdings_values(policy, history.spot, bars), samples)
    measured = samples.effectiveness()
    return ReplayReport(
        effectiveness=measured.hedged,
        hindsight_effectiveness=measured.hindsight,
        naive_effectiveness=measured.naive,
        frequency=window.frequency_text,
        orders=tally.orders,
        turnover=tally.turnover,
        costs=_costs(wallets, tally),
        max_drift=tally.max_drift,
        liquidations=wallets.liquidations,
        margin_reductions=tally.margin_reductions,
        bars=len(bars),
        seconds=stopwatch.monotonic() - began,
        quote=policy.quote,
        first=first,
        last=last,
        decomposition=decomposition_of(tuple(tally.effects.values()), await wallets.change()),
        notes=(*data_notes(history, policy, bars), *tally.notes()),
    )


def _costs(wallets: Wallets, tally: Tally) -> Costs:
    """Of all accounts so far; the costs of rolls stand by themselves."""
    return Costs(
        fees=wallets.fees - tally.roll_fees,
        funding=wallets.funding,
        slippage=wallets.slippage - tally.roll_slippage,
        roll=tally.roll_fees + tally.roll_slippage,
    )


def bars_of(spot: PriceTable, window: Window) -> NDArray[np.int64]:
    """The moments at which the rows of the window became known. Raises `DataError` if there are none."""
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


def _check(policy: PortfolioPolicy, history: History) -> None:
    assets = held_assets(policy)
    if not policy.hedges or not assets:
        raise ConfigurationError(
            f"{policy.name}: nothing to replay: it takes [[holdings]] with their quantities, and [[hedges]] over them"
        )
    listed = {policy.aliases.get(holding.asset, holding.asset) for holding in policy.holdings}
    for asset in assets:
        if asset not in history.spot.columns:
            place = "[[holdings]] has" if asset in listed else "[paper] coins has"
            raise DataError(f"{history.spot.source}: no prices of {asset}, which {place}")
    for leg in (leg for hedge in policy.hedges for leg in hedge.legs):
        parsed = parse_symbol(leg.instrument.partition(":")[2])
        if parsed is not None and parsed.inverse and parsed.settle not in policy.paper.coins:
            raise ConfigurationError(
                f"{leg.instrument} is margined in {parsed.settle}, and a replay's wallets have none: "
                f"put some in, [paper] coins = {{ {parsed.settle} = 1 }}"
            )
    step = history.spot.step
    learning = next((hedge.name for hedge in policy.hedges if hedge.needs_statistics), None)
    if learning is not None and DAY % step:
        raise DataError(
            f"{history.spot.source}: {timedelta(seconds=step)} between rows does not divide a day, which the "
            f"statistics that hedges.{learning} rests on need"
        )


def _moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(int(epoch), UTC)
