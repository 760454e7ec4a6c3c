"""An account's streams at work against a local venue, with a clock that a test moves."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hedged.adapters.exchanges.ccxt_streams import BEAT_FIRST, CcxtStreams, Watched
from tests.support import HandClock
from tests.venues.streams import Hub, Socket

VENUES = (
    "binance",
    "bybit",
    "okx",
    "bingx",
    "mexc",
    "weex",
    "bitget",
    "deribit",
    "hyperliquid",
    "krakenfutures",
    "gate",
    "kucoin",
)
LOGINS = tuple(venue for venue in VENUES if venue != "hyperliquid")  # whose private streams need more than an address
PERPETUAL = {
    "binance": "ETHUSDT",
    "bybit": "ETHUSDT",
    "okx": "ETH-USDT-SWAP",
    "bingx": "ETH-USDT",
    "mexc": "ETH_USDT",
    "weex": "ETHUSDT",
    "bitget": "ETHUSDT",
    "deribit": "ETH_USDC-PERPETUAL",
    "hyperliquid": "ETH",
    "gate": "ETH_USDT",
    "krakenfutures": "PF_ETHUSD",
    "kucoin": "ETHUSDTM",
}
IN_DOLLARS = {
    "deribit": "ETH/USDC:USDC",
    "hyperliquid": "ETH/USDC:USDC",
    "krakenfutures": "ETH/USD:USD",
}  # where others have it in USDT
PAIR = {"binance": "ETHUSDT", "bybit": "ETHUSDT", "okx": "ETH-USDT", "bingx": "ETH-USDT", "weex": "ETHUSDT"}
PAIR |= {"bitget": "ETHUSDT", "gate": "ETH_USDT", "kucoin": "ETH-USDT"}
PRIVATE = {  # venue → the topics of every private channel that is watched
    "binance": ("positions:USD-M", "positions:COIN-M", "balances:spot", "balances:margin"),
    "bybit": ("positions", "balances:account"),
    "okx": ("positions", "balances:account"),
    "bingx": ("positions", "balances:spot"),
    "mexc": ("fills", "balances:swap"),
    "weex": ("positions", "balances:swap", "balances:spot"),
    "bitget": ("positions", "fills", "balances:swap", "balances:spot"),
    "deribit": ("fills",),
    "hyperliquid": ("fills",),
    "gate": ("balances:spot",),
    "krakenfutures": ("positions", "fills", "balances:account"),
    "kucoin": ("fills", "balances:swap", "balances:spot"),
}


def symbol(venue: str) -> str:
    """The contract on ETH that is watched."""
    return IN_DOLLARS.get(venue, "ETH/USDT:USDT")


@dataclass
class Stage:
    """`woken`: the reasons so far. `it`: the venue's bench."""

    it: Any
    venue: str
    hub: Hub
    clock: HandClock
    streams: CcxtStreams
    woken: list[str] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def wake(self, reason: str) -> None:
        self.woken.append(reason)
        self.hub.news.set()

    async def reasons(self, number: int) -> list[str]:
        """The next ones, once there are so many."""
        await self.hub.wait(lambda: len(self.woken) >= number)
        found, self.woken[:] = list(self.woken), []
        return found

    async def marked(self) -> None:
        await self.hub.until(f"marks:{PERPETUAL[self.venue]}")

    async def listening(self) -> None:
        """Every private channel is subscribed to."""
        for topic in PRIVATE[self.venue]:
            await self.hub.until(topic)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let pauses pass, but give what is being connected the time it takes: its sockets are real."""
        async with asyncio.timeout(30):
            waited = 0
            while not condition():
                if BEAT_FIRST in self.clock.sleeping and waited < 100:
                    waited += 1
                    await asyncio.sleep(0.01)
                else:
                    waited = 0
                    await self.clock.move(1)

    def heard_by(self, topic: str) -> list[Socket]:
        """The connections that stand and have subscribed to it."""
        return [it for it in self.hub.sockets if topic in it.topics and not it.ws.closed]

    def state(self, name: str) -> Any:
        return next(state for state in self.streams.states() if state.name == name)

    async def down(self, name: str, words: str) -> None:
        """Wait until this stream is seen to be down for that reason; real sockets, so time passes meanwhile."""
        async with asyncio.timeout(10):
            while words not in self.streams._health[name]._detail:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def stage(
    venue: str,
    *,
    keys: bool = True,
    contracts: Sequence[str] | None = None,
    spot: Sequence[str] = (),
    fault: str = "",
    refuse_login: bool = False,
    options: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stage]:
    bench = importlib.import_module(f"tests.venues.{venue}_bench")
    credentials = bench.KEYS if keys else None
    async with bench.bench(credentials=credentials, **(options or {})) as it:
        hub = it.server.streams = Hub(venue, bench.KEYS)
        hub.fault, hub.refuse_login = fault, refuse_login
        clock = HandClock(it.clock.now())
        watched = (symbol(venue),) if contracts is None else contracts
        streams = it.opened.streams(Watched(watched, spot, 0.01), clock)
        on = Stage(it, venue, hub, clock, streams)
        on.task = asyncio.create_task(streams.run(on.wake))
        try:
            yield on
        finally:
            on.task.cancel()
            async with asyncio.timeout(2):
                await asyncio.wait({on.task})
