"""The adapter opened on a local venue over real TLS: what the benches of several venues have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.dialects.base import Connection, Dialect
from hedged.model.permissions import Permissions
from hedged.ports import AccountReader, MarketReader
from tests.support import ManualClock
from tests.venues.binance_bench import pki
from tests.venues.server import VenueServer


@dataclass
class Bench:
    """One opened account, the server behind it, and the clock that both go by."""

    server: Any
    truth: Any
    clock: ManualClock
    opened: CcxtVenue
    prefix: str

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
        """What has been asked since the last call of this, without the common prefix."""
        asked = [path.removeprefix(self.prefix) for _, path in self.server.requests]
        self.server.requests.clear()
        return asked

    async def tiers(self) -> object:
        """The tiers of all contracts, as the venue tells them."""
        async with self.opened._line.reading("tiers"):
            markets = await self.opened._line.markets()
            return await self.opened._line.signed(lambda: self.dialect.tiers(self.connection, markets.contracts))

    async def permissions(self) -> Permissions | None:
        return await self.opened.permissions()


@asynccontextmanager
async def opened_on(
    server_type: type[VenueServer],
    truth: Any,
    clock: ManualClock,
    *,
    exchange: str,
    credentials: Mapping[str, str] | None,
    wallets: Sequence[str],
    prefix: str,
    time_limit: float = 10.0,
    sandbox: bool = False,
    own_margin: bool = False,
) -> AsyncIterator[Bench]:
    """`own_margin`: let tiers be asked for; without it they are counted by themselves."""
    ca_file, cert, key = pki()
    async with server_type(truth, cert, key) as server:
        opened = await open_ccxt(
            "main",
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
            opened._line._tiers.failed(1e12)
        try:
            yield Bench(server, truth, clock, opened, prefix)
        finally:
            await opened.close()
