"""The past of the replay's own price files, as the bars that risk is estimated from. Highs and lows are the closes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from hedged.adapters.exchanges.price_table import PriceTable
from hedged.model.history import Bar
from hedged.ports import Clock


class PastBars:
    """A `BarSource` that knows the replay's clock, and nothing of what is later. Coins are `ETH/USDT`; no others."""

    def __init__(self, prices: PriceTable, quote: str, clock: Clock) -> None:
        self._prices = prices
        self._quote = quote
        self._clock = clock

    async def bars(self, subject: str, since: datetime) -> Sequence[Bar]:
        coin, _, quote = subject.partition("/")
        if quote != self._quote or coin not in self._prices.columns:
            return ()
        window = (int(since.timestamp()), int(self._clock.now().timestamp()))
        first, last = np.searchsorted(self._prices.times, window, side="right")
        times = self._prices.times[first:last]
        closes = self._prices.floats(coin, times)
        known = np.isfinite(closes)
        pairs = zip(times[known].tolist(), closes[known].tolist(), strict=True)
        return [Bar(datetime.fromtimestamp(at, UTC), close, close, close) for at, close in pairs]
