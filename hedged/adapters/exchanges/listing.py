"""A venue's markets, loaded once for all of its accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hedged.ports import Clock

_FRESH = 300.0  # seconds: accounts of one venue reload within moments of each other


class Listing:
    """What one venue lists, as one of its accounts loaded it. Megabytes and seconds that the others need not spend."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loading = asyncio.Lock()  # who comes second waits for the first, and asks for itself only if that failed
        self._loaded: Any = None  # ccxt's instance that holds the markets
        self._at = 0.0

    async def load(self, exchange: Any) -> Mapping[str, Any]:
        """The unified markets in `exchange`, by symbol; from another account where that has loaded just now."""
        async with self._loading:
            loaded = self._loaded
            if loaded is not None and loaded is not exchange and self._clock.monotonic() - self._at < _FRESH:
                exchange.set_markets_from_exchange(loaded)
            else:
                await exchange.load_markets(reload=True)
                self._loaded, self._at = exchange, self._clock.monotonic()
        markets: Mapping[str, Any] = exchange.markets
        return markets
