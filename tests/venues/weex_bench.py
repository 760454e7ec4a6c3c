"""A local WEEX, and the adapter opened on it over real TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from hedged.ports import AccountReader, MarketReader
from tests.support import ManualClock
from tests.venues.binance_bench import pki
from tests.venues.binance_venue import Held
from tests.venues.same import SamePortfolio
from tests.venues.weex_server import API_KEY, PASSPHRASE, SECRET, WeexServer
from tests.venues.weex_venue import WeexVenue

KEYS = {"apiKey": API_KEY, "secret": SECRET, "password": PASSPHRASE}
ETHER = InstrumentId("main:ETH/USDT:USDT")
DOGE = InstrumentId("main:DOGE/USDT:USDT")
SOLANA = InstrumentId("main:SOL/USDT:USDT")
WALLETS = ("spot", "swap")
PERPETUAL, DATED = ETHER, None
QUOTE = "USDT"  # what a contract is quoted in
DEBT = False  # whether the venue lends


@dataclass
class Bench:
    """One opened account, the server behind it, and the clock that both go by."""

    server: WeexServer
    truth: WeexVenue
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
        return self.opened._line.connection.exchange

    async def settled(self) -> None:
        """Wait for what runs in the background: a cycle comes after the last one's stragglers."""
        await asyncio.gather(*self.opened._line.connection.shared._running.values(), return_exceptions=True)

    def paths(self) -> list[str]:
        """What has been asked since the last call of this."""
        asked = [path for _, path in self.server.requests]
        self.server.requests.clear()
        return asked


def portfolio(clock: ManualClock) -> WeexVenue:
    """Coins, a futures wallet, a short and a long, each with its own numbers."""
    truth = WeexVenue(now=lambda: milliseconds(clock.now()))
    truth.spot = {"ETH": (Decimal(10), Decimal("1.5")), "USDT": (Decimal(500), Decimal(0))}
    truth.positions = {
        "ETHUSDT": Held(Decimal(-2), Decimal(3100)),
        "DOGEUSDT": Held(Decimal(300), Decimal("0.11")),
    }
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    own_margin: bool = False,  # what the venue itself tells, unless asked for what is made of it
    sandbox: bool = False,
) -> AsyncIterator[Bench]:
    ca_file, cert, key = pki()
    clock = ManualClock()
    truth = portfolio(clock)
    async with WeexServer(truth, cert, key) as server:
        opened = await open_ccxt(
            "main",
            "weex",
            wallets,
            credentials,
            clock=clock,
            sandbox=sandbox,
            connect_to=server.connect_to,
            ca_file=ca_file,
            time_limit=time_limit,
        )
        opened._line.dialect.own_margin = own_margin
        if not own_margin:
            opened._line._tiers.failed(1e12)  # the hourly tiers are counted by themselves
        try:
            yield Bench(server, truth, clock, opened)
        finally:
            await opened.close()


@asynccontextmanager
async def same(portfolio: SamePortfolio) -> AsyncIterator[Bench]:
    """Coins in spot, contracts in the futures wallet, counted in coins."""
    async with bench(own_margin=True) as it:
        truth = it.truth
        truth.spot = {"ETH": (portfolio.eth, Decimal(0))}
        truth.futures = {"USDT": portfolio.cash}
        truth.positions = {"ETHUSDT": Held(portfolio.perpetual, portfolio.perpetual_entry)}
        truth.marks = {"ETHUSDT": portfolio.ETH_MARK}
        yield it
