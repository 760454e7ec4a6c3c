"""How a tracker is fed, live and in a replay alike: columns of past prices, taken in as they become known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedged.estimate.effectiveness import Floats
from hedged.estimate.hedge_tracker import HedgeTracker
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Snapshot, seen

REFERENCE = "BTC"
"""What a basket's strength is relative to."""

_HOURS_A_YEAR = 8760


@dataclass(frozen=True, slots=True)
class Columns:
    """Closes known at `times` (n,), epoch seconds, ascending: (n, p) of the assets, (n, k) of the instruments, (n,) of
    the reference; NaN where there is none.
    """

    times: NDArray[np.int64]
    assets: Floats
    instruments: Floats
    reference: Floats


class HedgeFeed:
    """A tracker, and how far it has been fed. `coins`: how many of each of its assets are held, in their order."""

    def __init__(self, tracker: HedgeTracker, coins: Floats) -> None:
        self.tracker = tracker
        self.coins = coins
        self.taken_until = 0  # epoch seconds

    def take(self, columns: Columns, until: int) -> None:
        """Take in the rows known at `until` that have not been taken yet."""
        first, last = np.searchsorted(columns.times, (self.taken_until, until), side="right")
        for row in range(int(first), int(last)):
            prices, epoch = columns.assets[row], int(columns.times[row])
            weights = value_shares(prices, self.coins)
            self.tracker.add(epoch, prices, columns.instruments[row], weights, float(columns.reference[row]))
            self.taken_until = epoch

    def charge(self, snapshot: Snapshot, days: float) -> None:
        """Take in the funding rates that a cycle saw, as those of the last `days`."""
        for name, cost in funding_costs(snapshot, self.tracker.shape.instruments).items():
            self.tracker.funded(name, cost, days)


def funding_costs(snapshot: Snapshot, instruments: tuple[InstrumentId, ...]) -> Mapping[InstrumentId, float]:
    """What a short of 1 would pay a year at the rates seen, < 0: receive; those without a rate are absent."""
    costs = {}
    for name in instruments:
        leg = snapshot.quotes.get(name)
        quote = seen(leg) if leg is not None else None
        if quote is not None and quote.value.funding_rate is not None and quote.value.funding_interval_hours:
            a_year = _HOURS_A_YEAR / float(quote.value.funding_interval_hours)
            costs[name] = -float(quote.value.funding_rate) * a_year
    return costs


def value_shares(prices: Floats, coins: Floats) -> Floats:
    """Shares of the holdings' value; an asset without a price now has none of it."""
    values = np.where(np.isfinite(prices), prices, 0.0) * coins
    total = values.sum()
    return np.asarray(values / total if total else np.full(len(coins), 1 / len(coins)))
