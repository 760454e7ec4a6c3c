"""The measuring of bands: what a policy trades and what it leaves open, on a market of four hours."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.band import hold, known_bands
from tests.benchmarks.prices import Replay


def market(values: list[float], prices: list[float], first: int = 0) -> Replay:
    times = 3600 * np.arange(len(values), dtype=np.int64)
    return Replay("test", 2026, times, np.array(values), np.array(prices), first)


def test_held_gaps_and_trades_add_up() -> None:
    """One policy never trades, one trades to 4 beyond 5, one to the target: x²r² of each bar, and the value traded."""
    replay = market([100.0, 110.0, 110.0, 110.0], [10.0, 10.0, 11.0, 11.0])
    trigger = np.tile([np.inf, 0.05, 0.0], (4, 1))
    held = hold(replay, trigger, np.tile([np.inf, 0.04, 0.0], (4, 1)))
    # Over the second hour the price rises by 10 %: the gap then held was 10, 4.4 and 0.
    assert held.squares == pytest.approx([100 * 0.01, 4.4**2 * 0.01, 0.0])
    # The gap is 10 at first; after the rise the second's short is 5.6 · 1.1 more than 100 · 1.1: −6.16, beyond 5.5.
    assert held.traded == pytest.approx([0.0, 5.6 + (6.16 - 4.4), 10.0 + 11.0])


def test_bands_know_the_past_only() -> None:
    """A crash in the last hour changes the band of that hour and of none before."""
    calm = market([100.0] * 30, [10.0] * 30, first=5)
    crash = market([100.0] * 29 + [50.0], [10.0] * 29 + [9.0], first=5)
    before, after = known_bands(calm, 7.0), known_bands(crash, 7.0)
    assert len(before) == 25
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
