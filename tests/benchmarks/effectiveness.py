"""How near the estimated ratios come, out of sample, to the best constant ones in hindsight. All cases are shown.

    python -m tests.benchmarks.effectiveness --data FOLDER

Per calendar year, after 180 days of warm-up and nothing before them, with at least 120 test days: equal-weight baskets
over ETH, BTC and both; ratios are set at midnight UTC from the bars before it. `naive`: ratio 1, split equally; `ols`:
least squares over the past 60 days of the same returns, set at midnight too. Both without costs, as hindsight is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hedged.estimate.beta import RatioEstimator, RatioSettings
from hedged.estimate.effectiveness import (
    Floats,
    constant_effectiveness,
    effectiveness,
    hindsight_ratios,
    naive_ratios,
)
from hedged.estimate.prior import prior_ratios
from hedged.estimate.returns import AlignedReturns
from hedged.model.instrument import InstrumentId
from hedged.settings.sectors import sectors
from tests.benchmarks.markets import (
    BASKETS,
    COINS_MIN,
    DAY,
    HOUR,
    Market,
    Verdict,
    data_argument,
    equal_weights,
    known_throughout,
    read_markets,
    year_bounds,
    years,
)

WARM_UP, TEST_MIN = 180, 120  # days
OVER = {"ETH": ("ETH",), "BTC": ("BTC",), "both": ("ETH", "BTC")}
HINDSIGHT_MIN = 0.30


@dataclass(frozen=True)
class Case:
    name: str
    days: int
    hindsight: float
    estimated: float
    naive: float
    ols: float
    turnover: float  # Σ |Δh| of the estimate over that of OLS

    @property
    def share(self) -> float:
        return self.estimated / self.hindsight


@dataclass(frozen=True)
class Race:
    """`frequency`: of the returns whose variance counts; `bar`: of the returns that ratios are estimated from."""

    frequency: int
    bar: int

    @property
    def title(self) -> str:
        return f"{_words(self.frequency)} returns, ratios from {_words(self.bar)} bars"


def _words(seconds: int) -> str:
    return {DAY: "daily", 4 * HOUR: "4-hourly"}.get(seconds, f"{seconds // HOUR}-hourly")


def cases(market: Market, race: Race, settings: RatioSettings, chosen: Callable[[int], bool]) -> list[Case]:
    judged, bars = market.returns(race.frequency), market.returns(race.bar)
    found = []
    for year in filter(chosen, years(judged.times)):
        for basket, names in BASKETS.items():
            for over, instruments in OVER.items():
                case = _case(judged, bars, year, (f"{year} {basket} over {over}", basket, names, instruments), settings)
                if case is not None:
                    found.append(case)
    return found


def _case(
    judged: AlignedReturns,
    bars: AlignedReturns,
    year: int,
    what: tuple[str, str, Sequence[str], Sequence[str]],
    settings: RatioSettings,
) -> Case | None:
    name, basket, names, instruments = what
    fewest = COINS_MIN.get(basket, 3)
    new_year, end = year_bounds(year)
    first = int(bars.times[0]) // DAY * DAY
    start = max(new_year, first + WARM_UP * DAY)
    held = known_throughout(bars, names, start - WARM_UP * DAY, end)
    if len(known_throughout(bars, instruments, start - WARM_UP * DAY, end)) < len(instruments) or len(held) < fewest:
        # Not there all along: begin where most of the basket has had its warm-up.
        start, held = _later_start(bars, names, instruments, (new_year, end), fewest)
    test = (judged.times > start) & (judged.times <= end)
    if len(held) < fewest or test.sum() < TEST_MIN * DAY // judged.step:
        return None
    spot, moves = judged.columns(*held).mean(axis=1), judged.columns(*instruments)
    known = test & np.isfinite(spot) & np.isfinite(moves).all(axis=1)
    warm = bars.times > start - WARM_UP * DAY
    ratios = _estimated(bars, warm & (bars.times <= end), held, instruments, settings)
    h = np.array(
        [ratios[int(end_of) - judged.step - (int(end_of) - judged.step) % DAY] for end_of in judged.times[known]]
    )
    least = _ols(judged, start, end, spot, moves)
    ols = np.array(
        [least[int(end_of) - judged.step - (int(end_of) - judged.step) % DAY] for end_of in judged.times[known]]
    )
    u, f = spot[known], moves[known]
    return Case(
        name=name,
        days=int(known.sum()) * judged.step // DAY,
        hindsight=constant_effectiveness(u, f, hindsight_ratios(u, f)) or 0.0,
        estimated=effectiveness(u, u - (f * h).sum(axis=1)) or 0.0,
        naive=constant_effectiveness(u, f, naive_ratios(np.ones(len(instruments)))) or 0.0,
        ols=effectiveness(u, u - (f * ols).sum(axis=1)) or 0.0,
        turnover=float(np.abs(np.diff(h, axis=0)).sum() / np.abs(np.diff(ols, axis=0)).sum()),
    )


def _later_start(
    bars: AlignedReturns, names: Sequence[str], instruments: Sequence[str], bounds: tuple[int, int], fewest: int
) -> tuple[int, tuple[str, ...]]:
    """The earliest 30-day step into the year at which enough coins of the basket have had their warm-up, and those."""
    new_year, end = bounds
    for start in range(new_year, end - TEST_MIN * DAY, 30 * DAY):
        begin = start - WARM_UP * DAY
        held = known_throughout(bars, names, begin, end) if bars.times[0] <= begin + DAY else ()
        if len(held) >= fewest and len(known_throughout(bars, instruments, begin, end)) == len(instruments):
            return start, held
    return end, ()


def naive_prior(held: Sequence[str], instruments: Sequence[str]) -> Floats:
    return np.tile(naive_ratios(np.ones(len(instruments))), (len(held), 1))


def listed_prior(held: Sequence[str], instruments: Sequence[str]) -> Floats:
    """The shipped betas, which were measured on the very years that are judged here."""
    betas = {asset: profile.betas for asset, profile in sectors().items()}
    names = [InstrumentId(f"file:{base}/USDT:USDT") for base in instruments]
    return prior_ratios(held, names, [1] * len(names), betas)


PRIOR = naive_prior


def _estimated(
    bars: AlignedReturns, rows: Floats, held: Sequence[str], instruments: Sequence[str], settings: RatioSettings
) -> dict[int, Floats]:
    """Ratios by the midnight at which they are set."""
    assets, moves, times = bars.columns(*held)[rows], bars.columns(*instruments)[rows], bars.times[rows]
    weights = equal_weights(len(held))
    estimator = RatioEstimator(len(held), len(instruments), prior=PRIOR(held, instruments), settings=settings)
    ratios, before = {}, 0
    for last in np.flatnonzero(times % DAY == 0):
        estimator.advance(assets[before : last + 1], moves[before : last + 1], weights)
        ratios[int(times[last])] = estimator.estimate(weights).h
        before = last + 1
    return ratios


def _ols(judged: AlignedReturns, start: int, end: int, spot: Floats, moves: Floats) -> dict[int, Floats]:
    ratios = {}
    known = np.isfinite(spot) & np.isfinite(moves).all(axis=1)
    for midnight in range(start - start % DAY, end, DAY):
        rows = known & (judged.times > midnight - 60 * DAY) & (judged.times <= midnight)
        ratios[midnight] = hindsight_ratios(spot[rows], moves[rows])
    return ratios


def verdicts(found: Sequence[Case], race: Race) -> list[Verdict]:
    counted = [case for case in found if case.hindsight >= HINDSIGHT_MIN]
    average, least = (0.985, 0.94) if race.frequency == DAY else (0.995, 0.97)
    share = [case.share for case in counted]
    behind = min(case.estimated - case.naive for case in counted)
    open_to_gain = [case for case in counted if case.hindsight - case.naive > 0.02]
    above = sum(case.estimated > case.naive for case in open_to_gain)
    mean, ols = (float(np.mean([getattr(case, name) for case in counted])) for name in ("estimated", "ols"))
    turnover = max(case.turnover for case in counted)
    return [
        Verdict(
            f"average of hindsight ≥ {average}",
            f"{np.mean(share):.4f} over {len(counted)} cases",
            bool(np.mean(share) >= average),
        ),
        Verdict(f"each case ≥ {least}", f"least {min(share):.3f}", min(share) >= least),
        Verdict("never more than .015 below naive", f"worst {behind:+.4f}", behind >= -0.015),
        Verdict("above naive where hindsight is by .02", f"{above} of {len(open_to_gain)}", above == len(open_to_gain)),
        Verdict("average above OLS over 60 days", f"{mean:.4f} against {ols:.4f}", mean > ols),
        Verdict("turnover ≤ half of that OLS's in each case", f"most {turnover:.2f}", turnover <= 0.5),
    ]


def show(found: Sequence[Case]) -> None:
    print(
        f"{'case':38s} {'days':>4s} {'hindsight':>9s} {'estimated':>9s} {'share':>6s} {'naive':>6s} {'ols':>6s} {'turnover':>8s}"
    )
    for case in found:
        counts = "" if case.hindsight >= HINDSIGHT_MIN else "  (hindsight < .30: not counted)"
        print(
            f"{case.name:38s} {case.days:4d} {case.hindsight:9.3f} {case.estimated:9.3f} {case.share:6.3f} "
            f"{case.naive:6.3f} {case.ols:6.3f} {case.turnover:8.2f}{counts}"
        )


VARIATIONS: dict[str, dict[str, object]] = {
    "as shipped": {},
    "Huber 2": {"huber": 2.0},
    "Huber 2.5": {"huber": 2.5},
    "Huber 4": {"huber": 4.0},
    "prior 5 days": {"prior_days": 5.0},
    "prior 10 days": {"prior_days": 10.0},
    "prior 25 days": {"prior_days": 25.0},
    "decays faster": {"decays": (0.96, 0.98, 0.99)},
    "decays slower": {"decays": (0.975, 0.99, 0.997)},
    "one decay .985": {"decays": (0.985,)},
}


def main() -> None:
    parser = data_argument(__doc__.splitlines()[0])
    parser.add_argument("--sensitivity", action="store_true", help="other settings beside those shipped")
    parser.add_argument(
        "--prior", action="store_true", help="shrink to the shipped betas instead of to naive; they look ahead"
    )
    options = parser.parse_args()
    if options.prior:
        global PRIOR  # noqa: PLW0603 - one run, one prior
        PRIOR = listed_prior
    markets = list(read_markets(options.data, options.file))

    def chosen(year: int) -> bool:
        return options.from_year <= year <= options.to_year

    for race in (Race(DAY, DAY), Race(DAY, 4 * HOUR), Race(4 * HOUR, 4 * HOUR)):
        for variation, changed in (VARIATIONS if options.sensitivity else {"as shipped": {}}).items():
            settings = RatioSettings(step=race.bar, horizon=race.frequency, **changed)  # type: ignore[arg-type]
            found = []
            for market in markets:
                if market.step <= race.bar:
                    one = cases(market, race, settings, chosen)
                    if one and not options.sensitivity:
                        print(f"\n## {race.title}: {market.name}")
                        show(one)
                    found += one
            if any(case.hindsight >= HINDSIGHT_MIN for case in found):
                summary = verdicts(found, race)
                if options.sensitivity:
                    print(
                        f"{race.title}, {variation:16s}",
                        " | ".join(("" if v.met else "MISS ") + v.measured for v in summary),
                        flush=True,
                    )
                else:
                    print(f"\n### {race.title}, all files", *summary, sep="\n", flush=True)


if __name__ == "__main__":
    main()
