"""What a bench is: one opened account, the local venue behind it, and the clock that both go by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.dialects.base import Connection, Dialect
from hedged.ports import AccountReader, MarketReader
from tests.support import ManualClock
from tests.venues.binance_bench import pki
from tests.venues.server import VenueServer

Server = TypeVar("Server", bound=VenueServer)


@dataclass
class Bench(Generic[Server]):
    """`truth` is what the venue holds; the server speaks of it."""

    server: Server
    truth: Any
    clock: ManualClock
    opened: CcxtVenue

    @property
    def market(self) -> MarketReader:
        return self.opened.market

    @property
    def reader(self) -> AccountReader:
        assert self.opened.reader is not None
        return self.opened.reader

    @property
    def exchange(self) -> Any:
        """ccxt's instance behind the guard."""
        return self.connection.exchange

    @property
    def connection(self) -> Connection:
        return self.opened._line.connection

    @property
    def dialect(self) -> Dialect:
        return self.opened._line.dialect

    async def settled(self) -> None:
        """Wait for what runs in the background: a cycle comes after the last one's stragglers."""
        await asyncio.gather(*self.connection.shared._running.values(), return_exceptions=True)

    def paths(self) -> list[str]:
        """What has been asked since the last call of this."""
        asked = [path for _, path in self.server.requests]
        self.server.requests.clear()
        return asked


@asynccontextmanager
async def open_bench(
    make: Callable[[Any, Path, Path], Server],
    truth: Any,
    exchange: str,
    *,
    clock: ManualClock,
    credentials: Mapping[str, str] | None,
    wallets: Sequence[str],
    time_limit: float = 10.0,
    sandbox: bool = False,
    own_margin: bool = False,
    account: str = "main",
) -> AsyncIterator[Bench[Server]]:
    """The adapter opened over real TLS on the local server that `make` builds around `truth`.

    `own_margin`: with what the venue leaves out computed, where its dialect says that it may be.
    """
    ca_file, cert, key = pki()
    async with make(truth, cert, key) as server:
        opened = await open_ccxt(
            account,
            exchange,
            wallets,
            credentials,
            clock=clock,
            sandbox=sandbox,
            connect_to=server.connect_to,
            ca_file=ca_file,
            time_limit=time_limit,
        )
        if not own_margin:
            opened._line.dialect.own_margin = False  # type: ignore[misc]  # of this instance
        try:
            yield Bench(server, truth, clock, opened)
        finally:
            await opened.close()
