"""Two months of real hourly prices, held against figures computed without the product's own code."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hedged.adapters.exchanges.price_table import History
from hedged.model.instrument import instrument_id
from hedged.model.policy import LegPolicy
from hedged.replay.files import read_funding, read_prices
from hedged.replay.run import Window, replay
from hedged.settings import Settings, load
from tests.support import ROOT, ManualClock, need_shared

COINS = ["SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT", "UNI", "AAVE", "ATOM"]
BEGIN, END = datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 3, 1, tzinfo=UTC)


def _daily_closes(path: Path) -> dict[str, list[float]]:
    """Closes at each midnight from 2021-01-02 on: the rows stamped 23:00."""
    closes: dict[str, list[float]] = {coin: [] for coin in [*COINS, "ETH"]}
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            if row["ts"] >= "2021-03-01":
                break
            if "T23:00" in row["ts"]:
                for coin, prices in closes.items():
                    prices.append(float(row[coin]))
    return closes


async def test_two_months_of_ten_coins_over_eth() -> None:
    """The constant ratios agree with plain covariances to 9 digits; the hedge as run is near the naive one."""
    path = need_shared("data/robbudaghyan_spot_1h.csv.gz")
    funding = need_shared("data/merged_funding_8h.csv.gz")
    settings = load(ROOT / "config" / "replay.toml", {})
    history = History(read_prices(path), None, None, read_funding(funding))
    report = await replay(
        settings.policy(),
        history,
        Window(BEGIN, END, timedelta(days=1)),
        rules=settings.alert_rules(),
        stopwatch=ManualClock(),
    )

    closes = _daily_closes(path)
    values = sum(float(holding.quantity) * np.array(closes[holding.asset]) for holding in settings.holdings)
    spot, eth = (series[1:] / series[:-1] - 1 for series in (np.asarray(values), np.array(closes["ETH"])))
    assert report.hindsight_effectiveness == pytest.approx(np.corrcoef(spot, eth)[0, 1] ** 2, rel=1e-9)
    assert report.naive_effectiveness == pytest.approx(1 - np.var(spot - eth) / np.var(spot), rel=1e-9)
    assert report.effectiveness == pytest.approx(report.naive_effectiveness, abs=0.05)
    assert report.bars == 59 * 24 - 1  # one hour is missing in the source
    assert report.costs.funding < 0  # in that rally longs paid shorts
    assert report.orders > 100
    assert report.liquidations == 0
    found = report.decomposition
    assert found.unaccounted is not None
    assert abs(found.unaccounted) < 0.005, "the parts are the change of the equity, to the cent"
    assert found.unknown_seconds == 0
    assert float(found.exposure) == pytest.approx(values[-1] - _first(path, settings), rel=1e-9)
    assert found.lost_while_rising > 0, "the price of a hedge in a rally"


def _first(path: Path, settings: Settings) -> float:
    """What the coins were worth at the first bar."""
    with gzip.open(path, "rt") as file:
        row = next(row for row in csv.DictReader(file) if row["ts"] >= "2021-01-01")
    return sum(float(holding.quantity) * float(row[holding.asset]) for holding in settings.holdings)


@pytest.mark.parametrize("symbol", ["ETH/USDT:USDT", "ETH/USDT:USDT-210326"])
async def test_the_parts_are_the_equity_through_a_rally_and_a_roll(symbol: str) -> None:
    """Five weeks with a perpetual's own prices, funding and the roll of March 2021: to the cent, costs and all."""
    spot = read_prices(need_shared("data/robbudaghyan_spot_1h.csv.gz"))
    perp = read_prices(need_shared("data/roshan_perp_1h.csv.gz"))
    funding = read_funding(need_shared("data/merged_funding_8h.csv.gz"))
    settings = load(ROOT / "config" / "replay.toml", {})
    policy = settings.policy()
    leg = LegPolicy(instrument_id("main", symbol))
    report = await replay(
        replace(policy, hedges=(replace(policy.hedges[0], legs=(leg,)),)),
        History(spot, perp, None, funding),
        Window(datetime(2021, 3, 1, tzinfo=UTC), datetime(2021, 4, 5, tzinfo=UTC), timedelta(days=1)),
        rules=settings.alert_rules(),
        stopwatch=ManualClock(),
    )
    found, costs = report.decomposition, report.costs
    assert found.unaccounted is not None
    assert abs(found.unaccounted) < 0.005
    booked = (costs.fees, costs.slippage, costs.funding, costs.roll)
    for mine, theirs in zip(
        (found.parts.fees, found.parts.slippage, found.parts.funding, found.parts.roll), booked, strict=True
    ):
        assert abs(mine + theirs) < 0.005
    assert found.parts.basis != 0
    assert (found.parts.basis_run_off > 0, found.parts.roll < 0) == ("-" in symbol, "-" in symbol)
