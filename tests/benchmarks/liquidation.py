"""Whether shorts whose collateral was set to a probability were liquidated that often, over real mark prices.

    python -m tests.benchmarks.liquidation --data FOLDER

Every day at midnight UTC, for every coin with mark prices: a short gets the least collateral with which liquidation
within the horizon is put at 1 % or 5 %, from what was known then, and is then held against the hourly highs of the
mark. A forecast is good if that is about how many were liquidated, and no worse in calm, usual and wild markets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hedged.estimate.innovations import Innovations, innovations
from hedged.estimate.liquidation_odds import PATHS, RiskyPosition, account_need
from hedged.estimate.volatility import CURRENT_HALF_LIFE_DAYS, DAYS_A_YEAR, PRICE_PRIOR, Volatilities
from hedged.model.instrument import MarginTier
from tests.benchmarks.prices import MARKS, Floats, bars, folder

FORECASTS = {0.01: (0.003, 0.018, 0.025), 0.05: (0.015, 0.05, 0.065)}  # least, most, most in each third
HORIZONS = (1, 7)  # days
WARM_UP = 60 * 24  # hours of prices before the first short
HALF_LIVES = (5.0, 7.0, 10.0, 20.0)  # days
NOTIONAL = 100_000.0
TIERS = (MarginTier(Decimal(0), Decimal("0.005"), Decimal(20)),)
DAY = 86_400
SEED = 1


@dataclass(frozen=True)
class Start:
    """One short: where it begins, what was known there, and the highest mark of each horizon as a multiple of now."""

    coin: str
    epoch: int
    row: int  # bars known
    current: float
    long_run: float
    prudent: float
    highest: dict[int, float]


@dataclass(frozen=True)
class Coin:
    history: Innovations
    starts: list[Start]


def coins(data: Path, half_life: float, years: list[int] | None) -> list[Coin]:
    found = []
    for name, (opened, values) in bars(data / MARKS, ("high", "low", "close")).items():
        if not (np.diff(opened) == 3600).all():
            raise SystemExit(f"{name}: hours are missing from {MARKS}")
        high, low, close = values.T
        history = innovations(close[:, None], high[:, None], low[:, None], 1 / 24, half_life)
        assert history is not None
        found.append(Coin(history, _starts(name, opened + 3600, high, close, half_life, years)))
    return found


def _starts(
    name: str, known: NDArray[np.int64], high: Floats, close: Floats, half_life: float, years: list[int] | None
) -> list[Start]:
    estimate = Volatilities.starting_at(PRICE_PRIOR, current_half_life_days=half_life)
    moves = np.diff(np.log(close)).tolist()
    starts = []
    for row in range(1, len(close)):
        estimate = estimate.observed(moves[row - 1], 1 / 24)
        whole = row + max(HORIZONS) * 24 < len(close)
        year = datetime.fromtimestamp(int(known[row]), UTC).year
        if known[row] % DAY or row < WARM_UP or not whole or (years and year not in years):
            continue
        highest = {
            days: float(np.maximum(high, close)[row + 1 : row + 1 + days * 24].max() / close[row]) for days in HORIZONS
        }
        known_volatility = (estimate.current.value_year, estimate.long_run.value_year, estimate.prudent)
        starts.append(Start(name, int(known[row]), row, *known_volatility, highest))
    return starts


@dataclass(frozen=True)
class Outcome:
    """Whether each short was liquidated, (starts,), under the worse of the models and under each alone."""

    worst: NDArray[np.bool_]
    walk: NDArray[np.bool_]
    bootstrap: NDArray[np.bool_]


def outcomes(found: list[Coin], days: int, forecasts: list[float], paths: int) -> dict[float, Outcome]:
    hits: dict[float, list[tuple[bool, bool, bool]]] = {forecast: [] for forecast in forecasts}
    for coin in found:
        for start in coin.starts:
            position = RiskyPosition(-NOTIONAL, start.current, start.prudent, TIERS)
            need = account_need(
                [position],
                days / DAYS_A_YEAR,
                history=coin.history.before(start.row),
                rng=np.random.default_rng((SEED, start.epoch)),
                paths=paths,
            )
            needed = float(position.need(np.array(start.highest[days])))
            for forecast in forecasts:
                odds = need.probability(needed)  # the least equity that would have lived through it
                assert odds.bootstrap is not None
                hits[forecast].append(
                    (needed >= need.equity_for(forecast), odds.walk <= forecast, odds.bootstrap <= forecast)
                )
    return {forecast: Outcome(*np.array(rows).T) for forecast, rows in hits.items()}


def main() -> int:
    parser = folder(__doc__)
    parser.add_argument("--paths", type=int, default=2_000, help=f"of the bootstrap (the product draws {PATHS:,})")
    parser.add_argument("--years", type=int, nargs="+", help="shorts opened in these calendar years only")
    parser.add_argument("--half-life", type=float, default=CURRENT_HALF_LIFE_DAYS, help="days, current volatility")
    parser.add_argument("--sensitivity", action="store_true", help="a table per half-life")
    options = parser.parse_args()
    missed = 0
    for half_life in HALF_LIVES if options.sensitivity else (options.half_life,):
        found = coins(options.data, half_life, options.years)
        starts = [start for coin in found for start in coin.starts]
        weeks = len({start.epoch // (7 * DAY) for start in starts})
        print(f"half-life {half_life:g} days: {len(starts):,} windows over {weeks} weeks of {len(found)} coins")
        missed += print_table(found, starts, options.paths)
    return min(missed, 1)


def print_table(found: list[Coin], starts: list[Start], paths: int) -> int:
    relative = np.array([start.current / start.long_run for start in starts])
    third = np.digitize(relative, np.quantile(relative, [1 / 3, 2 / 3]))
    print("horizon  forecast  happened   should be      calm  usual   wild  at most           walk alone  bootstrap")
    missed = 0
    for days in HORIZONS:
        for forecast, outcome in outcomes(found, days, list(FORECASTS), paths).items():
            least, most, most_third = FORECASTS[forecast]
            share = outcome.worst.mean()
            thirds = [outcome.worst[third == part].mean() for part in range(3)]
            passed = least <= share <= most and max(thirds) <= most_third
            missed += not passed
            print(
                f"{days:5d} d {forecast:9.0%} {share:9.2%}  {least:5.1%}-{most:5.1%}  "
                + "".join(f"{part:7.2%}" for part in thirds)
                + f"{most_third:8.1%}  {'pass' if passed else 'MISS'} {outcome.walk.mean():14.2%} "
                f"{outcome.bootstrap.mean():10.2%}"
            )
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
