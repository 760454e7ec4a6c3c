"""A local Binance, and the adapter opened on it over real TLS."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.ports import AccountReader, MarketReader
from tests.support import ManualClock
from tests.venues.binance_server import API_KEY, SECRET, BinanceServer
from tests.venues.binance_venue import BinanceVenue, Held, Margin
from tests.venues.certificates import make_ca
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET}
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
DATED = InstrumentId("main:ETH/USDT:USDT-261225")
WALLETS = ("spot", "margin", "swap")
QUOTE = "USDT"  # what a contract is quoted in
DEBT = True  # whether the venue lends


@dataclass
class Bench:
    """One opened account, the server behind it, and the clock that both go by."""

    server: BinanceServer
    truth: BinanceVenue
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


def portfolio(clock: ManualClock) -> BinanceVenue:
    """Coins, a debt, a futures wallet and a short, each with its own numbers."""
    truth = BinanceVenue(now=lambda: milliseconds(clock.now()))
    truth.spot = {"ETH": (Decimal(10), Decimal("1.5")), "USDT": (Decimal(500), Decimal(0))}
    truth.margin = {"SOL": Margin(Decimal(1), Decimal(2), Decimal(30), Decimal("0.25"))}
    truth.positions = {"ETHUSDT": Held(Decimal(-2), Decimal(3100))}
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    sandbox: bool = False,
    tiers: Mapping[InstrumentId, tuple[MarginTier, ...]] | None = None,
) -> AsyncIterator[Bench]:
    ca_file, cert, key = pki()
    clock = ManualClock()
    truth = portfolio(clock)
    async with BinanceServer(truth, cert, key) as server:
        opened = await open_ccxt(
            "main",
            "binance",
            wallets,
            credentials,
            clock=clock,
            sandbox=sandbox,
            connect_to=server.connect_to,
            ca_file=ca_file,
            time_limit=time_limit,
            tiers=tiers,
        )
        try:
            yield Bench(server, truth, clock, opened)
        finally:
            await opened.close()


@functools.cache
def pki() -> tuple[Path, Path, Path]:
    """(ca_file, cert, key), made once a run."""
    return make_ca(Path(_folder().name))


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hedged-test-ca-")


@asynccontextmanager
async def same(portfolio: SamePortfolio) -> AsyncIterator[Bench]:
    """Coins in spot, debt in margin, contracts in the futures wallet."""
    async with bench() as it:
        truth = it.truth
        truth.spot = {"ETH": (portfolio.eth, Decimal(0))}
        truth.margin = {"SOL": Margin(borrowed=portfolio.sol_owed, interest=portfolio.sol_interest)}
        truth.futures = {"USDT": portfolio.cash}
        truth.positions = {"ETHUSDT": Held(portfolio.perpetual, portfolio.perpetual_entry)}
        if portfolio.dated:
            truth.positions["ETHUSDT_261225"] = Held(portfolio.dated, portfolio.dated_entry)
        truth.marks = {"ETHUSDT": portfolio.ETH_MARK, "ETHUSDT_261225": portfolio.DATED_MARK}
        yield it
