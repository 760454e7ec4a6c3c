"""What the optimal band costs over real hourly years, against every fixed band, daily rebalancing and trading to target.

    python -m tests.benchmarks.band --data FOLDER

A replay is a basket of coins held for a calendar year, hedged in value with one instrument. Its cost is the fees paid +
the sum over bars of ½γx²r², x being the gap held and r the instrument's return, with γ = 2c/(σ²E) from the replay's own
mean σ and E (for measuring only: what trades knows the past alone). Costs are divided by those of the best of 20 fixed
bands of that replay (1-60 % of the target, geometric) and averaged per cell of cost and c.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hedged.estimate.no_trade_band import OUTER_MAX_RATIO, NoTradeBand, TradingCost, optimal_band, polled, risk_price
from hedged.estimate.volatility import (
    CURRENT_HALF_LIFE_DAYS,
    GAP_PRIOR,
    PRICE_PRIOR,
    PRIOR_DAYS,
    Volatilities,
    Volatility,
    gap_change,
)
from tests.benchmarks.prices import Floats, Replay, folder, replays

COSTS = (2e-4, 5e-4, 10e-4)
PAYS = (0.02, 0.05, 0.1, 0.2, 0.5)
CELLS = [(cost, pay) for cost in COSTS for pay in PAYS]
FIXED = tuple(np.geomspace(0.01, 0.60, 20))
USUAL = (0.01, 0.05, 0.10)
HOUR_YEARS = 1 / 8760
HALF_LIVES = (3.0, 5.0, 7.0, 10.0, 15.0, 20.0)  # days


@dataclass
class Held:
    """What each policy did over one replay: value traded and Σ x²r², both (policies,)."""

    traded: Floats
    squares: Floats


def hold(replay: Replay, trigger: Floats, reach: Floats) -> Held:
    """Trade to `reach` whenever the gap is beyond `trigger`; both (bars of the year, policies), fractions of the target.

    Every policy begins on its target, and the bars are hours: seen at the close, traded at the close.
    """
    values, prices = replay.values[replay.first :], replay.prices[replay.first :]
    coins = np.full(trigger.shape[1], values[0] / prices[0])
    held = Held(np.zeros_like(coins), np.zeros_like(coins))
    moves = np.diff(prices) / prices[:-1]
    for bar, move in enumerate(moves):
        target = values[bar]
        gap = target - coins * prices[bar]
        size = np.abs(gap)
        kept = np.where(size > trigger[bar] * target, np.copysign(np.minimum(reach[bar] * target, size), gap), gap)
        change = gap - kept
        if change.any():
            coins = coins + change / prices[bar]
            held.traded += np.abs(change)
        held.squares += kept * kept * (move * move)
    return held


def known_bands(replay: Replay, half_life: float) -> list[list[NoTradeBand]]:
    """Per bar of the year and per cell, as fractions of the target, from what was known at that bar."""
    gap = Volatility.starting_at(GAP_PRIOR, half_life_days=half_life, prior_days=PRIOR_DAYS)
    hedge = Volatilities.starting_at(PRICE_PRIOR, current_half_life_days=half_life)
    days = np.diff(replay.times) / 86_400
    bands = []
    for bar, target in enumerate(replay.values):
        if bar:
            before, rise = replay.values[bar - 1], replay.prices[bar] / replay.prices[bar - 1]
            moved = gap_change(
                target_before=before, target_after=target, hedge_before=before, hedge_after=before * rise
            )
            gap = gap.observed(moved, days[bar - 1])
            hedge = hedge.observed(math.log(rise), days[bar - 1])
        if bar >= replay.first:
            bands.append([_band(cell, target, gap, hedge) for cell in CELLS])
    return bands


def _band(cell: tuple[float, float], target: float, gap: Volatility, hedge: Volatilities) -> NoTradeBand:
    cost, pay = cell
    volatility = gap.value_year * target
    price = risk_price(
        pay_ratio_year=pay,
        exposure=target,
        volatility=hedge.current.value_year,
        volatility_usual=hedge.usual.value_year,
    )
    band = optimal_band(TradingCost(cost), gap_volatility=volatility, risk_price=price)
    capped = band.capped(OUTER_MAX_RATIO * target)
    return polled(capped, gap_volatility=volatility, interval_years=HOUR_YEARS).scaled(1 / target)


@dataclass
class Rivals:
    """What does not depend on an estimate: the fixed bands, the usual three, and daily rebalancing, in that order."""

    replay: Replay
    held: Held
    risk: float = field(init=False)  # ½γ per c: what Σ x²r² is multiplied by

    def __post_init__(self) -> None:
        prices = self.replay.prices[self.replay.first :]
        moves = np.diff(prices) / prices[:-1]
        exposure = float(self.replay.values[self.replay.first :].mean())
        self.risk = 1 / (float(np.mean(moves**2)) / HOUR_YEARS * exposure)

    @classmethod
    def of(cls, replay: Replay) -> Rivals:
        times = replay.times[replay.first :]
        edges = np.tile([*FIXED, *USUAL, math.inf], (len(times), 1))
        reach = edges.copy()
        reach[:, -1] = 0.0
        edges[times % 86_400 == 0, -1] = 0.0
        return cls(replay, hold(replay, edges, reach))

    def costs(self, held: Held, cell: tuple[float, float]) -> Floats:
        """Fees + Σ ½γx²r² of each policy, as multiples of the best fixed band's."""
        best = self._raw(self.held, cell)[: len(FIXED)].min()
        return np.asarray(self._raw(held, cell) / best)

    def _raw(self, held: Held, cell: tuple[float, float]) -> Floats:
        cost, pay = cell
        return cost * held.traded + pay * self.risk * held.squares


@dataclass(frozen=True)
class Row:
    """A cell's averages over the replays, each in multiples of its replay's best fixed band."""

    optimal: float
    to_target: float
    one_fixed: float  # the single fixed band that is best for all replays of the cell, in hindsight
    usual: tuple[float, ...]
    daily: float


def measure(rivals: Iterable[Rivals], half_life: float) -> list[Row]:
    collected: list[list[Floats]] = [[] for _ in CELLS]
    for rival in rivals:
        bands = known_bands(rival.replay, half_life)
        trigger = np.array([[band.outer for band in row] for row in bands])
        reach = np.array([[band.inner for band in row] for row in bands])
        held = hold(rival.replay, np.hstack([trigger, trigger]), np.hstack([reach, np.zeros_like(reach)]))
        for number, cell in enumerate(CELLS):
            mine = rival.costs(held, cell)[[number, number + len(CELLS)]]
            collected[number].append(np.concatenate([mine, rival.costs(rival.held, cell)]))
    rows = []
    for numbers in collected:
        mean = np.mean(numbers, axis=0)
        fixed, usual = mean[2 : 2 + len(FIXED)], mean[2 + len(FIXED) : -1]
        rows.append(Row(mean[0], mean[1], fixed.min(), tuple(usual), mean[-1]))
    return rows


def judged(rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    """Each criterion: its name, the figure, and the most it may be."""
    overall = np.mean([row.optimal for row in rows])
    found = [
        ("mean over cells / best single fixed band", float(np.mean([r.optimal / r.one_fixed for r in rows])), 1.02),
        ("worst cell / best single fixed band", max(r.optimal / r.one_fixed for r in rows), 1.10),
        ("worst cell / daily rebalancing", max(r.optimal / r.daily for r in rows), 1.0),
        ("worst cell / trading to the target", max(r.optimal / r.to_target for r in rows), 0.90),
        ("worst cell / the cheapest of 1, 5, 10 %", max(r.optimal / min(r.usual) for r in rows), 1.02),
    ]
    for position, width in enumerate(USUAL):
        mean = float(np.mean([row.usual[position] for row in rows]))
        found.append((f"over all cells / a fixed {width:.0%}", float(overall) / mean, 0.90))
    return found


def main() -> int:
    parser = folder(__doc__)
    parser.add_argument(
        "--half-life", type=float, default=CURRENT_HALF_LIFE_DAYS, help="days, of the current volatility"
    )
    parser.add_argument("--years", type=int, nargs="+", help="these calendar years only")
    parser.add_argument("--sensitivity", action="store_true", help="the criteria over a range of half-lives")
    options = parser.parse_args()
    rivals = [Rivals.of(each) for each in replays(options.data) if not options.years or each.year in options.years]
    if options.sensitivity:
        print(f"{'half-life (days)':<52}" + "".join(f"{days:>8g}" for days in HALF_LIVES))
        table = [judged(measure(rivals, days)) for days in HALF_LIVES]
        for number, (name, _, most) in enumerate(table[0]):
            print(f"{name:<44} <= {most:.2f}" + "".join(f"{column[number][1]:8.3f}" for column in table))
        return 0
    rows = measure(rivals, options.half_life)
    print(f"{len(rivals)} replays: " + ", ".join(sorted({f"{r.replay.name} {r.replay.year}" for r in rivals})))
    print(
        f"\n{'cost':>6}{'c':>6}{'optimal':>9}{'best one':>9}{'ratio':>7}{'daily':>8}{'to target':>10}   1 %    5 %   10 %"
    )
    for (cost, pay), row in zip(CELLS, rows, strict=True):
        usual = "".join(f"{value:7.3f}" for value in row.usual)
        print(
            f"{cost * 1e4:4.0f}bp{pay:6.2f}{row.optimal:9.3f}{row.one_fixed:9.3f}{row.optimal / row.one_fixed:7.3f}"
            f"{row.daily:8.3f}{row.to_target:10.3f}{usual}"
        )
    print()
    missed = 0
    for name, figure, most in judged(rows):
        passed = figure <= most
        missed += not passed
        print(f"{name:<44} {figure:6.3f}  at most {most:.2f}  {'pass' if passed else 'MISS'}")
    return min(missed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
