"""The statistics that hedges rest on, fed with the past as it becomes known, never ahead of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.exchanges.historical import HistoricalMarket
from hedged.adapters.exchanges.price_table import PriceTable
from hedged.cycle import CycleReport
from hedged.estimate.effectiveness import Floats
from hedged.estimate.hedge_tracker import HedgeTracker, shape_of
from hedged.model.policy import HedgePolicy, PortfolioPolicy
from hedged.model.snapshot import seen
from hedged.model.statistics import HedgeStatistics

DAY = 86_400
HOURS_A_YEAR = 8760
REFERENCE = "BTC"  # what a basket's strength is relative to


class Trackers:
    """One tracker for each hedge that needs one. Everything before the replay's first bar has been seen already.

    Raises `ValueError` for bars of which a day is no whole number.
    """

    def __init__(
        self,
        policy: PortfolioPolicy,
        spot: PriceTable,
        markets: Mapping[str, HistoricalMarket],
        holdings: Mapping[str, float],
        first: int,
    ) -> None:
        self._days = spot.step / DAY
        self._followed = [
            _Followed(hedge, spot, markets, _held_by(hedge, policy, holdings))
            for hedge in policy.hedges
            if hedge.needs_statistics
        ]
        for followed in self._followed:
            followed.warm_up(first)

    def known_at(self, epoch: int) -> Mapping[str, HedgeStatistics]:
        """By hedge, with the prices known at this second taken in."""
        found = {}
        for followed in self._followed:
            followed.add(epoch)
            statistics = followed.tracker.statistics()
            if statistics is not None:
                found[followed.name] = statistics
        return found

    def charged(self, report: CycleReport) -> None:
        """Take in the funding rates that a cycle saw."""
        for followed in self._followed:
            for name in followed.tracker.shape.instruments:
                leg = report.snapshot.quotes.get(name)
                quote = seen(leg) if leg is not None else None
                if quote is not None and quote.value.funding_rate is not None and quote.value.funding_interval_hours:
                    a_year = HOURS_A_YEAR / float(quote.value.funding_interval_hours)
                    followed.tracker.funded(name, -float(quote.value.funding_rate) * a_year, self._days)


class _Followed:
    """A tracker with the columns it is fed from."""

    def __init__(
        self, hedge: HedgePolicy, spot: PriceTable, markets: Mapping[str, HistoricalMarket], coins: Mapping[str, float]
    ) -> None:
        self.name = hedge.name
        self.tracker = HedgeTracker(shape_of(hedge, tuple(coins), spot.step))
        self._coins = np.array(list(coins.values()))
        self._times = spot.times
        self._assets = np.column_stack([spot.floats(asset, spot.times) for asset in coins])
        shorts = [markets[name.partition(":")[0]].marks(name, spot.times) for name in self.tracker.shape.instruments]
        self._instruments = np.column_stack(shorts)
        self._reference = spot.floats(REFERENCE, spot.times)

    def warm_up(self, until: int) -> None:
        for row in range(int(np.searchsorted(self._times, until))):
            self._take(row)

    def add(self, epoch: int) -> None:
        row = int(np.searchsorted(self._times, epoch))
        if row < len(self._times) and int(self._times[row]) == epoch:
            self._take(row)

    def _take(self, row: int) -> None:
        prices = self._assets[row]
        self.tracker.add(
            int(self._times[row]),
            prices,
            self._instruments[row],
            _weights(prices, self._coins),
            float(self._reference[row]),
        )


def _weights(prices: Floats, coins: NDArray[np.float64]) -> Floats:
    """Shares of the holdings' value; an asset without a price now has none of it."""
    values = np.where(np.isfinite(prices), prices, 0.0) * coins
    total = values.sum()
    return np.asarray(values / total if total else np.full(len(coins), 1 / len(coins)))


def _held_by(hedge: HedgePolicy, policy: PortfolioPolicy, holdings: Mapping[str, float]) -> dict[str, float]:
    """The coins that this hedge covers."""
    others = {asset for each in policy.hedges if each is not hedge for asset in each.assets}
    return {
        asset: coins
        for asset, coins in holdings.items()
        if asset in hedge.assets or (hedge.takes_rest and asset not in others)
    }
