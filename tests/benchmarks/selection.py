"""How good the chosen instruments are a year later. All cases are shown.

    python -m tests.benchmarks.selection --data FOLDER

Sets of one to four are picked from a past year and held over the next, their ratios estimated anew each midnight UTC;
`best`: the most that any set of that size reaches over that next year with its own hindsight-best constant ratios;
`majors`: BTC and ETH with theirs. Equal-weight baskets; candidates are all coins of the file that are known through
both years, with the coins of the basket (`held`) or without. No costs.

What is lost against `best` is then told apart, as shares of it: the set picked, with its own hindsight-best ratios (the
choice of the set alone), and the set best in hindsight with ratios estimated as any other's (the ratios alone).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from hedged.estimate.beta import RatioEstimator, RatioSettings
from hedged.estimate.effectiveness import Floats, constant_effectiveness, effectiveness, hindsight_ratios
from hedged.estimate.returns import AlignedReturns
from hedged.estimate.selection import SelectionSettings, choose_sets
from tests.benchmarks.markets import (
    BASKETS,
    COINS_MIN,
    DAY,
    HOUR,
    STABLE,
    Market,
    Verdict,
    data_argument,
    equal_weights,
    known_throughout,
    read_markets,
)

YEAR = 365 * DAY
CANDIDATES_MIN = 6  # fewer leave nothing to choose
BEST_MIN = 0.30


@dataclass(frozen=True)
class Case:
    name: str
    held: bool
    instruments: tuple[str, ...]
    expected: float
    low: float
    high: float
    realised: float
    best: float
    majors: float
    picked: float  # effectiveness of the set picked, with its hindsight-best ratios
    estimated: float  # of the set best in hindsight, with estimated ratios

    @property
    def share(self) -> float:
        return self.realised / self.best

    @property
    def is_meme(self) -> bool:
        return self.name.endswith("meme")

    @property
    def within(self) -> bool:
        return self.low <= self.realised <= self.high


@dataclass(frozen=True)
class Years:
    """One file as returns at three steps: to choose by, to estimate ratios from, and to judge by."""

    choosing: AlignedReturns
    bars: AlignedReturns
    judged: AlignedReturns


def cases(market: Market, frequency: int, from_year: int, to_year: int) -> Iterator[Case]:
    bar = 4 * HOUR if market.step <= 4 * HOUR else DAY
    tables = Years(market.returns(market.step), market.returns(bar), market.returns(frequency))
    for start in _starts(tables.bars, from_year, to_year):
        for basket, names in BASKETS.items():
            for held in (False, True):
                yield from cases_from(tables, start, (basket, names), held=held)


def _starts(bars: AlignedReturns, from_year: int, to_year: int) -> Iterator[int]:
    """Each first of January and July with a year on either side."""
    for year in range(from_year, to_year + 1):
        for month in (1, 7):
            start = int(datetime(year, month, 1, tzinfo=UTC).timestamp())
            if start - YEAR >= bars.times[0] - 2 * DAY and start + YEAR <= bars.times[-1] + 2 * DAY:
                yield start


def cases_from(tables: Years, start: int, basket: tuple[str, Sequence[str]], *, held: bool) -> Iterator[Case]:
    """A case per size for this basket, picked from the year before `start`, an epoch second."""
    coins = known_throughout(tables.bars, basket[1], start - YEAR, start + YEAR)
    everything = known_throughout(tables.bars, tables.bars.names, start - YEAR, start + YEAR)
    candidates = tuple(name for name in everything if name not in STABLE and (held or name not in coins))
    if (
        len(coins) < COINS_MIN.get(basket[0], 3)
        or len(candidates) < CANDIDATES_MIN
        or not {"BTC", "ETH"} <= set(candidates)
    ):
        return
    past = (tables.choosing.times > start - YEAR) & (tables.choosing.times <= start)
    chosen = choose_sets(
        tables.choosing.columns(*coins)[past],
        tables.choosing.columns(*candidates)[past],
        equal_weights(len(coins)),
        SelectionSettings(step=tables.choosing.step, sizes=(2, 3, 4) if held else (1, 2, 3, 4)),
    )
    ahead = (tables.judged.times > start) & (tables.judged.times <= start + YEAR)
    spot, moves = tables.judged.columns(*coins)[ahead].mean(axis=1), tables.judged.columns(*candidates)[ahead]
    known = np.isfinite(spot) & np.isfinite(moves).all(axis=1)
    majors = moves[known][:, [candidates.index("BTC"), candidates.index("ETH")]]
    over_majors = constant_effectiveness(spot[known], majors, hindsight_ratios(spot[known], majors)) or 0.0
    for each in chosen:
        names = tuple(candidates[column] for column in each.instruments)
        best = tuple(candidates[column] for column in _best_set(spot[known], moves[known], len(names)))
        legs, best_legs = (moves[known][:, [candidates.index(name) for name in each_set]] for each_set in (names, best))
        best_ratios = hindsight_ratios(spot[known], best_legs)
        yield Case(
            name=f"{datetime.fromtimestamp(start, UTC):%Y-%m} {basket[0]}",
            held=held,
            instruments=names,
            expected=each.expected,
            low=each.low,
            high=each.high,
            realised=_realised(tables, start, coins, names, each.h),
            best=constant_effectiveness(spot[known], best_legs, best_ratios) or 0.0,
            majors=over_majors,
            picked=constant_effectiveness(spot[known], legs, hindsight_ratios(spot[known], legs)) or 0.0,
            estimated=_realised(tables, start, coins, best, best_ratios),
        )


def _realised(tables: Years, start: int, coins: Sequence[str], names: Sequence[str], first: Floats) -> float:
    """Effectiveness over the year ahead, with ratios estimated each midnight from all bars since a year before it.

    `first`: what is held until there is an estimate.
    """
    bars, judged = tables.bars, tables.judged
    rows = (bars.times > start - YEAR) & (bars.times <= start + YEAR)
    assets, moves, times = bars.columns(*coins)[rows], bars.columns(*names)[rows], bars.times[rows]
    weights = equal_weights(len(coins))
    settings = RatioSettings(step=bars.step, horizon=judged.step)
    estimator = RatioEstimator(len(coins), len(names), settings=settings)
    ratios: dict[int, Floats] = {}
    before = 0
    for last in np.flatnonzero(times % DAY == 0):
        estimator.advance(assets[before : last + 1], moves[before : last + 1], weights)
        if times[last] >= start:
            ratios[int(times[last])] = estimator.estimate(weights).h
        before = last + 1
    ahead = (judged.times > start) & (judged.times <= start + YEAR)
    spot, over = judged.columns(*coins)[ahead].mean(axis=1), judged.columns(*names)[ahead]
    begins = judged.times[ahead] - judged.step
    h = np.array([ratios.get(int(each - each % DAY), first) for each in begins])
    known = np.isfinite(spot) & np.isfinite(over).all(axis=1)
    return effectiveness(spot[known], (spot - (over * h).sum(axis=1))[known]) or 0.0


def _best_set(spot: Floats, moves: Floats, size: int) -> tuple[int, ...]:
    """The best of all sets of `size`, each with its own least-squares ratios, as columns of `moves`."""
    covariance = np.cov(np.column_stack([moves, spot]).T)
    best, highest = tuple(range(size)), -np.inf
    sets = itertools.combinations(range(moves.shape[1]), size)
    while batch := list(itertools.islice(sets, 20_000)):
        columns = np.array(batch)
        fs = covariance[columns, -1]
        h = np.linalg.solve(covariance[columns[:, :, None], columns[:, None, :]], fs[..., None])[..., 0]
        explained = (h * fs).sum(axis=1)
        if explained.max() > highest:
            best, highest = batch[int(explained.argmax())], explained.max()
    return best


def verdicts(found: Sequence[Case]) -> Iterator[Verdict]:
    counted = [case for case in found if case.best >= BEST_MIN]
    for held in (False, True):
        sets = [case for case in counted if len(case.instruments) > 1 and case.held == held]
        if not sets:
            continue
        label = f"sets of 2 to 4, {'with' if held else 'without'} held coins"
        share = np.array([case.share for case in sets])
        yield Verdict(
            f"{label}: average of best ≥ .94", f"{share.mean():.3f} over {len(sets)}", bool(share.mean() >= 0.94)
        )
        often = float(np.mean(share >= 0.9))
        yield Verdict(f"{label}: ≥ .90 in ≥ 90 % of cases", f"{often:.0%}, least {share.min():.2f}", often >= 0.9)
        if not held:
            gain = np.array([case.realised - case.majors for case in sets])
            yield Verdict(
                f"{label}: on average ≥ .04 above BTC + ETH", f"{gain.mean():+.3f}", bool(gain.mean() >= 0.04)
            )
            yield Verdict(f"{label}: never > .04 below", f"worst {gain.min():+.3f}", bool(gain.min() >= -0.04))
    single = np.array([case.share for case in counted if len(case.instruments) == 1])
    if len(single):
        yield Verdict(
            "one instrument, not held: average of best ≥ .93",
            f"{single.mean():.3f} over {len(single)}",
            bool(single.mean() >= 0.93),
        )
    inside = float(np.mean([case.within for case in counted]))
    miss = np.array([case.realised - case.expected for case in counted])
    width = float(np.mean([case.high - case.low for case in counted]))
    yield Verdict(
        "the interval holds about 90 % of next years",
        f"{inside:.0%}, mean width {width:.2f}; misses {miss.mean():+.3f} ± {miss.std():.3f}",
        0.85 <= inside <= 1.0,
    )


def losses(found: Sequence[Case]) -> Iterator[str]:
    """Where sets of 2 to 4 without held coins lose against the best, a line for the memecoins and one for the rest."""
    counted = [case for case in found if case.best >= BEST_MIN and len(case.instruments) > 1 and not case.held]
    for label, cases in (
        ("memecoins", [case for case in counted if case.is_meme]),
        ("other baskets", [case for case in counted if not case.is_meme]),
    ):
        if not cases:
            continue
        best = np.array([case.best for case in cases])
        rows = {
            "as held": np.array([case.share for case in cases]),
            "picked set, hindsight ratios": np.array([case.picked for case in cases]) / best,
            "best set, estimated ratios": np.array([case.estimated for case in cases]) / best,
        }
        words = (f"{name} {share.mean():.3f} ({np.mean(share >= 0.9):.0%} ≥ .90)" for name, share in rows.items())
        yield f"      {label}, {len(cases)}: {'; '.join(words)}"


def show(found: Sequence[Case]) -> None:
    print(
        f"{'case':17s} {'':4s} {'expected':>8s} {'interval':>11s} {'realised':>8s} {'best':>5s} {'share':>5s} {'majors':>6s}  instruments"
    )
    for case in found:
        notes = ("" if case.within else "  outside the interval") + (
            "" if case.best >= BEST_MIN else "  (best < .30: not counted)"
        )
        print(
            f"{case.name:17s} {'held' if case.held else '':4s} {case.expected:8.3f} {case.low:5.2f}–{case.high:5.2f} "
            f"{case.realised:8.3f} {case.best:5.3f} {case.share:5.2f} {case.majors:6.3f}  {' '.join(case.instruments)}{notes}"
        )


def main() -> None:
    options = data_argument(__doc__.splitlines()[0]).parse_args()
    markets = list(read_markets(options.data, options.file))
    for frequency, words in ((DAY, "daily"), (4 * HOUR, "4-hourly")):
        found = []
        for market in markets:
            if market.step <= frequency:
                one = list(cases(market, frequency, max(options.from_year, 2010), min(options.to_year, 2100)))
                if one:
                    print(f"\n## {words} returns: {market.name}")
                    show(one)
                found += one
        if found:
            print(f"\n### {words} returns, all files", *verdicts(found), *losses(found), sep="\n", flush=True)


if __name__ == "__main__":
    main()
