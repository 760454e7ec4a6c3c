"""What a portfolio reaches of its exchanges, by account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hedged.daemon.clock_watch import VenueClock
from hedged.ports import AccountReader, CandleReader, MarketReader, OpenOrders, OrderGateway, Streams

if TYPE_CHECKING:
    from hedged.adapters.exchanges.ccxt_account import CcxtVenue

Close = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Exchanges:
    """Every account's ports, and what has to be closed after them."""

    markets: dict[str, MarketReader] = field(default_factory=dict)
    readers: dict[str, AccountReader] = field(default_factory=dict)
    candles: dict[str, CandleReader] = field(default_factory=dict)
    venues: dict[str, CcxtVenue] = field(default_factory=dict)  # those reached through ccxt
    streams: dict[str, Streams] = field(default_factory=dict)  # of those that are watched between polls
    gateways: dict[str, OrderGateway] = field(default_factory=dict)  # of those that a hedge may really trade on
    clocks: dict[str, VenueClock] = field(default_factory=dict)  # of those that tell the time
    books: dict[str, OpenOrders] = field(default_factory=dict)  # of those that show all that waits there
    closers: list[Close] = field(default_factory=list)
    releasers: list[Callable[[], None]] = field(default_factory=list)  # of locks on keys, once nothing is sent any more
    unkeyed: dict[str, tuple[Path, ...]] = field(default_factory=dict)  # account → where its key was looked for
    owners: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)  # exchange and key → account

    def weights(self) -> dict[str, float]:
        """Request weight that each account reached through ccxt has spent since the start, in ccxt's units."""
        return {name: venue.weight for name, venue in self.venues.items()}

    async def close(self) -> None:
        try:
            for close in self.closers:
                await close()
        finally:
            while self.releasers:
                self.releasers.pop()()
