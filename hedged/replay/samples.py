"""The returns that effectiveness is measured on: at one frequency, over whole periods, and never across a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.exchanges.historical import HistoricalMarket
from hedged.adapters.exchanges.price_table import PriceTable
from hedged.assess.exposure import cash_assets
from hedged.estimate.effectiveness import (
    Floats,
    constant_effectiveness,
    effectiveness,
    hindsight_ratios,
    naive_ratios,
    returns,
)
from hedged.model.policy import LegPolicy, PortfolioPolicy


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """Of the hedge as it was run, of the constant ratios that were best in hindsight, and of the naive ratio."""

    hedged: float | None
    hindsight: float | None
    naive: float | None


@dataclass(frozen=True, slots=True)
class Samples:
    """r_u = ΔS/S₋₁ and r_h = (ΔS + hedge PnL after fees and funding)/S₋₁, shape (n,), and the return of each
    instrument, (n, k), over the same periods; S is the value of the holdings. `directions` (k,) are ±1.
    """

    unhedged: Floats
    hedged: Floats
    instruments: Floats
    directions: Floats

    def effectiveness(self) -> Effectiveness:
        measured = effectiveness(self.unhedged, self.hedged)
        if measured is None:
            return Effectiveness(None, None, None)
        best = hindsight_ratios(self.unhedged, self.instruments)
        return Effectiveness(
            measured,
            constant_effectiveness(self.unhedged, self.instruments, best),
            constant_effectiveness(self.unhedged, self.instruments, naive_ratios(self.directions)),
        )


def sample_times(times: NDArray[np.int64], frequency: int) -> NDArray[np.int64]:
    """Every `frequency` seconds from the first to the last of these times, gaps included.

    On whole multiples of the frequency (midnight UTC for days), or counted from the first bar if none falls there.
    """
    on_multiple = times[times % frequency == 0]
    first = on_multiple[0] if len(on_multiple) else times[0]
    return np.arange(first, times[-1] + 1, frequency, dtype=np.int64)


def traded_accounts(policy: PortfolioPolicy) -> list[str]:
    """The accounts that the hedges trade on, in the order of the configuration."""
    legs = (leg for hedge in policy.hedges for leg in hedge.legs)
    return list(dict.fromkeys(leg.instrument.partition(":")[0] for leg in legs))


def held_assets(policy: PortfolioPolicy) -> Mapping[str, float]:
    """Coins of each asset at the start by the name it is priced under: [[holdings]], and what the paper wallet of each
    account that is traded on begins with, for what backs a contract is exposure too. Cash and ignored assets are none.
    """
    held = [(holding.asset, holding.quantity) for holding in policy.holdings]
    held += [row for _ in traded_accounts(policy) for row in policy.paper.coins.items()]
    coins: dict[str, float] = {}
    for name, quantity in held:
        asset = policy.aliases.get(name, name)
        if not {name, asset} & policy.ignore and asset not in cash_assets(policy):
            coins[asset] = coins.get(asset, 0.0) + float(quantity)
    return coins


def holdings_values(policy: PortfolioPolicy, spot: PriceTable, epochs: NDArray[np.int64]) -> Floats:
    """Value of the holdings at these seconds, shape of `epochs`; NaN where a price is missing."""
    values = np.zeros(len(epochs))
    for asset, quantity in held_assets(policy).items():
        values += quantity * spot.floats(asset, epochs)
    return values


def take_samples(
    policy: PortfolioPolicy,
    spot: PriceTable,
    markets: Mapping[str, HistoricalMarket],
    epochs: NDArray[np.int64],
    equity: Mapping[int, float],
) -> Samples:
    """Returns between these seconds; a period at whose ends anything is missing is left out.

    `equity`: of all accounts of the hedge together, by epoch second, read before trading, without what the coins that
    they began with are worth, as `values` has those; absent: not known.
    """
    values = holdings_values(policy, spot, epochs)
    legs = _legs(policy)
    equities = np.array([equity.get(epoch, np.nan) for epoch in epochs.tolist()])
    unhedged = returns(values)
    hedged = unhedged + np.diff(equities) / values[:-1]
    instruments = np.column_stack([_market(markets, leg).returns(leg.instrument, epochs) for leg in legs])
    known = np.isfinite(unhedged) & np.isfinite(hedged) & np.isfinite(instruments).all(axis=1)
    directions = np.array([float(leg.direction) for leg in legs])
    return Samples(unhedged[known], hedged[known], instruments[known], directions)


def _legs(policy: PortfolioPolicy) -> Sequence[LegPolicy]:
    """Each instrument once, in the order of the configuration."""
    return tuple({leg.instrument: leg for hedge in policy.hedges for leg in hedge.legs}.values())


def _market(markets: Mapping[str, HistoricalMarket], leg: LegPolicy) -> HistoricalMarket:
    return markets[leg.instrument.partition(":")[0]]
