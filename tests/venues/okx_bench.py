"""A local OKX, and the adapter opened on it over real TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.dialects.base import Connection, Dialect
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from hedged.ports import AccountReader, MarketReader
from tests.support import ManualClock
from tests.venues.binance_bench import pki
from tests.venues.okx_server import API_KEY, PASSPHRASE, SECRET, OkxServer
from tests.venues.okx_venue import Coin, Held, OkxVenue
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET, "password": PASSPHRASE}
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
DATED = InstrumentId("main:ETH/USDT:USDT-261225")
INVERSE = InstrumentId("main:BTC/USD:BTC")
WALLETS = ("spot", "funding", "earn")
QUOTE = "USDT"  # what a contract is quoted in
DEBT = True  # whether the venue lends


@dataclass
class Bench:
    """One opened account, the server behind it, and the clock that both go by."""

    server: OkxServer
    truth: OkxVenue
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
        """What has been asked since the last call of this, without the common prefix."""
        asked = [path.removeprefix("/api/v5/") for _, path in self.server.requests]
        self.server.requests.clear()
        return asked


def portfolio(clock: ManualClock) -> OkxVenue:
    """Coins, a debt, a funding account, savings, and positions long and short, linear and inverse."""
    truth = OkxVenue(now=lambda: milliseconds(clock.now()))
    truth.trading = {
        "ETH": Coin(Decimal("11.5"), Decimal("1.5")),
        "USDT": Coin(Decimal(10000)),
        "BTC": Coin(Decimal("0.5")),
        "SOL": Coin(Decimal(-30), Decimal(0), Decimal(30), Decimal("0.25")),
    }
    truth.funding = {"ETH": (Decimal(2), Decimal(1))}
    truth.savings = {"USDT": Decimal(250)}
    truth.positions = {
        "ETH-USDT-SWAP": Held(Decimal(-20), Decimal(3100)),
        "ETH-USDT-261225": Held(Decimal(5), Decimal(3000)),
        "BTC-USD-SWAP": Held(Decimal(-60), Decimal(50000)),
    }
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    sandbox: bool = False,
) -> AsyncIterator[Bench]:
    ca_file, cert, key = pki()
    clock = ManualClock()
    truth = portfolio(clock)
    async with OkxServer(truth, cert, key) as server:
        opened = await open_ccxt(
            "main",
            "okx",
            wallets,
            credentials,
            clock=clock,
            sandbox=sandbox,
            connect_to=server.connect_to,
            ca_file=ca_file,
            time_limit=time_limit,
        )
        opened._line._tiers.failed(1e12)  # the hourly tiers are counted by themselves
        try:
            yield Bench(server, truth, clock, opened)
        finally:
            await opened.close()


@asynccontextmanager
async def same(portfolio: SamePortfolio) -> AsyncIterator[Bench]:
    """Coins in the funding account, debt and contracts in the trading account; ten contracts a coin."""
    async with bench() as it:
        truth = it.truth
        truth.funding, truth.savings = {"ETH": (portfolio.eth, Decimal(0))}, {}
        truth.trading = {"USDT": Coin(portfolio.cash)}
        if portfolio.sol_owed:
            truth.trading["SOL"] = Coin(-portfolio.sol_owed, liab=portfolio.sol_owed, interest=portfolio.sol_interest)
        truth.positions = {"ETH-USDT-SWAP": Held(portfolio.perpetual * 10, portfolio.perpetual_entry)}
        if portfolio.dated:
            truth.positions["ETH-USDT-261225"] = Held(portfolio.dated * 10, portfolio.dated_entry)
        truth.marks = {"ETH-USDT-SWAP": portfolio.ETH_MARK, "ETH-USDT-261225": portfolio.DATED_MARK}
        yield it
