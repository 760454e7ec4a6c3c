"""The ratios that hold until a hedge has a past of its own."""

from __future__ import annotations

import numpy as np
import pytest

from hedged.estimate.hedge_tracker import HedgeShape, HedgeTracker
from hedged.estimate.prior import prior_ratios
from hedged.model.instrument import InstrumentId

BETAS = {"UNI": {"BTC": 1.2, "ETH": 0.9}}


def ratios(assets: str, instruments: str, directions: tuple[int, ...] | None = None) -> list[list[float]]:
    names = [InstrumentId(f"main:{base}/USDT:USDT") for base in instruments.split()]
    found = prior_ratios(assets.split(), names, directions or (1,) * len(names), BETAS)
    return [[pytest.approx(value) for value in row] for row in found.tolist()]


@pytest.mark.parametrize(
    ("assets", "instruments", "expected"),
    [
        ("UNI", "ETH", [[0.9]]),
        ("UNI", "BTC", [[1.2]]),
        ("UNI", "BTC ETH", [[0.6, 0.45]]),
        ("UNI", "SOL", [[1.0]]),
        ("UNI", "UNI ETH", [[1.0, 0.0]]),
        ("UNI ETH", "ETH", [[0.9], [1.0]]),
        ("NEW", "BTC ETH", [[0.5, 0.5]]),
    ],
)
def test_each_instrument_takes_its_part(assets: str, instruments: str, expected: list[list[float]]) -> None:
    """The coin's own contract takes all; else equal parts of the known beta, or of ratio 1."""
    assert ratios(assets, instruments) == expected


def test_what_rises_when_assets_fall_is_bought() -> None:
    """Direction −1 turns the part around."""
    assert ratios("UNI", "ETH BTCDOM", (1, -1)) == [[0.45, -0.5]]


def test_a_tracker_without_a_past_goes_by_the_listed_betas() -> None:
    """A day of prices says nothing; the ratio is the list's, not 1."""
    shape = HedgeShape(("UNI",), (InstrumentId("main:ETH/USDT:USDT"),), (1,), prior_betas=BETAS)
    tracker = HedgeTracker(shape)
    prices = np.cumprod(1 + np.random.default_rng(1).normal(0, 0.01, (30, 2)), axis=0)
    for hour, (asset, instrument) in enumerate(prices, start=1):
        tracker.add(hour * 3600, np.array([asset]), np.array([instrument]), np.ones(1))
    statistics = tracker.statistics()
    assert statistics is not None
    assert float(statistics.ratios[shape.instruments[0]]) == pytest.approx(0.9)
    assert statistics.text.startswith("prior")
