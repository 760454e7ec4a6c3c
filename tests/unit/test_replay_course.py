"""What a replay went through: lines that lose no spike, costs to the last digit, marks where orders were."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.adapters.exchanges.price_table import History, PriceTable
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, Holding, LegPolicy, Mode, PaperPolicy, PortfolioPolicy, World
from hedged.replay.course import Course, Recorder, drawdown, thinned
from hedged.replay.report import ReplayReport
from hedged.replay.run import Window, replay
from hedged.tell.rules import AlertRules
from tests.support import T0, ManualClock

HOUR = 3600
START = int(T0.timestamp())
PAPER = PaperPolicy(cash=Decimal(100_000), fee_taker=Decimal("0.001"), slippage_bps=Decimal(0), spread_bps=Decimal(0))


def table(**columns: list[float | str]) -> PriceTable:
    cells = {name: np.array([str(value).encode() for value in row], dtype=np.bytes_) for name, row in columns.items()}
    times = START + HOUR * np.arange(len(next(iter(columns.values()))), dtype=np.int64)
    return PriceTable("spot.csv", times, cells, HOUR, 0)


def portfolio(target: str = "1") -> PortfolioPolicy:
    leg = LegPolicy(InstrumentId("main:ETH/USDT:USDT"))
    hedge = HedgePolicy("alts", ("SOL",), (leg,), target_ratio=Decimal(target), band=Decimal("0.1"))
    return PortfolioPolicy(
        name="study",
        mode=Mode.PAPER,
        world=World.PAPER,
        quote="USDT",
        every=timedelta(hours=1),
        hedges=(hedge,),
        holdings=(Holding("SOL", Decimal(100), T0),),
        paper=PAPER,
    )


async def run(prices: PriceTable, policy: PortfolioPolicy | None = None) -> tuple[ReplayReport, Course]:
    recorder = Recorder()
    report = await replay(
        policy or portfolio(),
        History(prices, None, None, {}),
        Window(frequency=timedelta(hours=1), frequency_text="1h"),
        rules=AlertRules(),
        stopwatch=ManualClock(),
        watch=recorder,
    )
    return report, recorder.course()


def values(course: Course, name: str) -> list[float]:
    return [float(value) for value in course.lines[name].values]


async def test_four_bars_by_hand() -> None:
    """100 SOL at 10: 9 ETH are sold for .1 % of 900, and what they earn and cost is the hedge's own."""
    report, course = await run(table(SOL=[10, 10, 12.5, 10], ETH=[100, 90, 100, 90]))
    assert values(course, "exposure") == [1000, 1000, 1250, 1000]
    assert values(course, "target") == [1000, 1000, 1250, 1000]
    assert values(course, "hedge") == [0, 810, 1000, 1012.5]  # as read, before the bar's own order
    assert values(course, "band_low") == [900, 900, 1125, 900]
    assert values(course, "band_high") == [1100, 1100, 1375, 1100]
    # +9 at 100; .81 is under .9: +1 at 90; .8 is under .9: +1.25 at 100; 1.0125 is inside
    assert [(mark.epoch - START) // HOUR for mark in course.marks] == [0, 1, 2]
    assert all(mark.more and not mark.roll for mark in course.marks)
    assert course.trades == report.orders == 3
    assert values(course, "unhedged") == [1000, 1000, 1250, 1000]
    earned = [0, 9 * 10 - 0.9, 9 * 10 - 10 * 10 - 0.99, 9 * 10 - 10 * 10 + 11.25 * 10 - 1.115]
    assert values(course, "hedged") == pytest.approx(np.add(values(course, "unhedged"), earned))


async def test_the_last_point_of_every_cost_is_the_report_s() -> None:
    """What is drawn ends where the report stands."""
    walk = 10 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.05, 60)))
    report, course = await run(table(SOL=[round(p, 4) for p in walk], ETH=[100] * 60))
    for name in ("fees", "slippage", "funding", "roll"):
        assert values(course, name)[-1] == float(getattr(report.costs, name))
        assert course.rows[name].values[-1] == values(course, name)[-1]
    assert values(course, "costs")[-1] == float(report.costs.total)


async def test_what_is_not_known_is_a_gap() -> None:
    """A bar without SOL's price has no value and no exposure; the bars beside it have."""
    _, course = await run(table(SOL=[10, 10, "", 10], ETH=[100] * 4))
    assert np.isnan(values(course, "unhedged")).tolist() == [False, False, True, False]
    assert np.isnan(values(course, "drawdown_hedged")).tolist() == [False, False, True, False]


async def test_a_portfolio_without_a_hedge_is_worth_its_holdings() -> None:
    """Target 0 trades nothing, costs nothing and takes no risk away."""
    report, course = await run(table(SOL=[10, 11, 9, 10.5, 8], ETH=[100, 110, 95, 104, 90]), portfolio(target="0"))
    assert values(course, "hedged") == values(course, "unhedged")
    assert (report.orders, report.costs.total, report.effectiveness) == (0, 0, 0)


def test_an_unfinished_replay_has_no_course() -> None:
    """Nothing is drawn of it."""
    with pytest.raises(ValueError, match="has not ended"):
        Recorder().course()


def test_drawdowns_by_hand() -> None:
    """Since the highest so far, and over a missing value."""
    falls = drawdown(np.array([100.0, 120, 90, np.nan, 120, 60]))
    assert falls.tolist() == pytest.approx([0, 0, -0.25, np.nan, 0, -0.5], nan_ok=True)


@given(
    count=st.integers(1, 700),
    most=st.integers(4, 60),
    seed=st.integers(0, 2**32 - 1),
    gaps=st.lists(st.tuples(st.integers(0, 699), st.integers(1, 200)), max_size=3),
)
def test_thinning_keeps_ends_and_extremes(count: int, most: int, seed: int, gaps: list[tuple[int, int]]) -> None:
    """Never more points than allowed, all of them real, with the first, the last, the lowest and the highest."""
    series = np.random.default_rng(seed).normal(size=count)
    for begin, length in gaps:
        series[begin : begin + length] = np.nan
    times = np.arange(count, dtype=np.int64) * 60
    line = thinned(times, series, most)
    assert len(line.times) == len(line.values) <= max(most, min(count, most))
    assert (np.diff(line.times) > 0).all()
    assert (line.times[0], line.times[-1]) == (0, times[-1])
    assert np.array_equal(line.values, series[line.times // 60], equal_nan=True)
    if np.isfinite(series).any():
        assert np.nanmin(line.values) == np.nanmin(series)
        assert np.nanmax(line.values) == np.nanmax(series)


def test_a_long_gap_stays_one() -> None:
    """A line is not drawn across a month without prices."""
    series = np.ones(10_000)
    series[3000:5000] = np.nan
    line = thinned(np.arange(10_000, dtype=np.int64), series)
    assert len(line.times) <= 2000
    assert np.isnan(line.values[(line.times > 3010) & (line.times < 4990)]).all()
    assert np.isnan(line.values).any()
