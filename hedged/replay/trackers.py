"""The statistics that hedges rest on, fed with the past as it becomes known, never ahead of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hedged.adapters.exchanges.historical import HistoricalMarket
from hedged.adapters.exchanges.price_table import PriceTable
from hedged.cycle import CycleReport
from hedged.estimate.hedge_feed import REFERENCE, Columns, HedgeFeed
from hedged.estimate.hedge_tracker import HedgeTracker, shape_of
from hedged.model.policy import HedgePolicy, PortfolioPolicy
from hedged.model.statistics import HedgeStatistics

DAY = 86_400


@dataclass(frozen=True, slots=True)
class _Followed:
    feed: HedgeFeed
    columns: Columns


class Trackers:
    """One tracker for each hedge that needs one. What was known before the first bar asked for is taken in with it.

    Raises `ValueError` for bars of which a day is no whole number.
    """

    def __init__(
        self,
        policy: PortfolioPolicy,
        spot: PriceTable,
        markets: Mapping[str, HistoricalMarket],
        holdings: Mapping[str, float],
    ) -> None:
        self._days = spot.step / DAY
        self._followed = {
            hedge.name: _followed(hedge, spot, markets, _held_by(hedge, policy, holdings))
            for hedge in policy.hedges
            if hedge.needs_statistics and _held_by(hedge, policy, holdings)
        }

    def known_at(self, epoch: int) -> Mapping[str, HedgeStatistics]:
        """By hedge, with the prices known at this second taken in."""
        found = {}
        for name, followed in self._followed.items():
            followed.feed.take(followed.columns, epoch)
            statistics = followed.feed.tracker.statistics()
            if statistics is not None:
                found[name] = statistics
        return found

    def charged(self, report: CycleReport) -> None:
        """Take in the funding rates that a cycle saw."""
        for followed in self._followed.values():
            followed.feed.charge(report.snapshot, self._days)


def _followed(
    hedge: HedgePolicy, spot: PriceTable, markets: Mapping[str, HistoricalMarket], coins: Mapping[str, float]
) -> _Followed:
    tracker = HedgeTracker(shape_of(hedge, tuple(coins), spot.step))
    names = tracker.shape.instruments
    columns = Columns(
        times=spot.times,
        assets=np.column_stack([spot.floats(asset, spot.times) for asset in coins]),
        instruments=np.column_stack([markets[name.partition(":")[0]].marks(name, spot.times) for name in names]),
        reference=spot.floats(REFERENCE, spot.times),
    )
    return _Followed(HedgeFeed(tracker, np.array(list(coins.values()))), columns)


def _held_by(hedge: HedgePolicy, policy: PortfolioPolicy, holdings: Mapping[str, float]) -> dict[str, float]:
    """The coins that this hedge covers."""
    others = {asset for each in policy.hedges if each is not hedge for asset in each.assets}
    return {
        asset: coins
        for asset, coins in holdings.items()
        if asset in hedge.assets or (hedge.takes_rest and asset not in others)
    }
