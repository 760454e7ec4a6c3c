"""Ratios and chosen sets on a year of real prices, a few cases of what `tests/benchmarks` measures in full."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hedged.estimate.beta import RatioSettings
from tests.benchmarks import effectiveness, selection
from tests.benchmarks.markets import DAY, HOUR, Market, read_markets
from tests.support import need_shared


@pytest.fixture(scope="module")
def market() -> Market:
    path = need_shared("data/robbudaghyan_spot_1h.csv.gz")
    return next(iter(read_markets(path.parent, path.name)))


@pytest.mark.parametrize(
    ("frequency", "bar", "least"), [(DAY, DAY, 0.97), (DAY, 4 * HOUR, 0.97), (4 * HOUR, 4 * HOUR, 0.99)]
)
def test_estimated_ratios_are_near_the_best_in_hindsight(
    market: Market, frequency: int, bar: int, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mixed basket in 2022: near hindsight over ETH, BTC and both, above naive over BTC, at half of OLS's turnover."""
    monkeypatch.setattr(effectiveness, "BASKETS", {"mixed": effectiveness.BASKETS["mixed"]})
    settings = RatioSettings(step=bar, horizon=frequency)
    found = effectiveness.cases(market, effectiveness.Race(frequency, bar), settings, lambda year: year == 2022)
    assert [case.days for case in found] == [365, 365, 365]
    assert all(case.share > least for case in found)
    assert all(case.turnover < 0.5 for case in found)
    over = {case.name.rsplit(" ", 1)[1]: case for case in found}
    assert over["BTC"].estimated > over["BTC"].naive + 0.02
    assert over["both"].estimated > over["both"].ols


def test_sets_picked_from_2021_hold_in_2022(market: Market) -> None:
    """The mixed basket, coins not held: near the best sets of their size, above BTC and ETH, within the interval."""
    few = dict(sorted(market.closes.items())[:24])
    tables = selection.Years(*(replace(market, closes=few).returns(step) for step in (HOUR, 4 * HOUR, DAY)))
    start = int(datetime(2022, 1, 1, tzinfo=UTC).timestamp())
    found = list(selection.cases_from(tables, start, ("mixed", selection.BASKETS["mixed"]), held=False))
    assert [len(case.instruments) for case in found] == [1, 2, 3, 4]
    assert all(case.share > 0.93 for case in found)
    assert all(case.within for case in found)
    assert all(case.realised > case.majors + 0.02 for case in found if len(case.instruments) > 1)
