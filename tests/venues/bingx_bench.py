"""A local BingX, and the adapter opened on it over real TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.dialects.base import Dialect
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from hedged.ports import AccountReader, MarketReader
from tests.support import ManualClock
from tests.venues.binance_bench import pki
from tests.venues.bingx_server import API_KEY, SECRET, BingXServer
from tests.venues.bingx_venue import BingXVenue, Held
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET}
LINEAR = InstrumentId("main:ETH/USDT:USDT")
INVERSE = InstrumentId("main:ETH/USD:ETH")
WALLETS = ("spot", "funding", "swap")
PERPETUAL, DATED = LINEAR, None
QUOTE = "USDT"  # what a contract is quoted in
DEBT = False  # whether the venue lends


@dataclass
class Bench:
    """One opened account, the server behind it, and the clock that both go by."""

    server: BingXServer
    truth: BingXVenue
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
    def line(self) -> Any:
        return self.opened._line

    @property
    def exchange(self) -> Any:
        """ccxt's instance behind the guard."""
        return self.line.connection.exchange

    @property
    def dialect(self) -> Dialect:
        return self.line.dialect

    async def settled(self) -> None:
        """Wait for what runs in the background: a cycle comes after the last one's stragglers."""
        await asyncio.gather(*self.line.connection.shared._running.values(), return_exceptions=True)

    def paths(self) -> list[str]:
        """What has been asked since the last call of this."""
        asked = [path for _, path in self.server.requests]
        self.server.requests.clear()
        return asked


def portfolio(clock: ManualClock) -> BingXVenue:
    """Coins in three wallets, a linear short and long in USDT, nothing coin-margined."""
    truth = BingXVenue(now=lambda: milliseconds(clock.now()))
    truth.spot = {"ETH": (Decimal(10), Decimal("1.5")), "USDT": (Decimal(500), Decimal(0))}
    truth.fund = {"SOL": (Decimal(40), Decimal(0))}
    truth.inverse = {"ETH": Decimal(2)}
    truth.positions = {
        "ETH-USDT": Held(Decimal(-2), Decimal(3100)),
        "SOL-USDT": Held(Decimal(10), Decimal(140)),
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
    async with BingXServer(truth, cert, key) as server:
        opened = await open_ccxt(
            "main",
            "bingx",
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
    """Coins in spot, contracts in the futures wallet; margin tiers by value."""
    async with bench(own_margin=True) as it:
        truth = it.truth
        truth.spot, truth.fund, truth.inverse = {"ETH": (portfolio.eth, Decimal(0))}, {}, {}
        truth.linear = {"USDT": portfolio.cash}
        truth.positions = {"ETH-USDT": Held(portfolio.perpetual, portfolio.perpetual_entry)}
        truth.marks = {"ETH-USDT": portfolio.ETH_MARK}
        ceilings = [floor for floor, _ in portfolio.TIERS[1:]] + [Decimal(10_000_000)]
        truth.tiers = tuple(
            (str(floor), str(ceiling), str(rate), "0")
            for (floor, rate), ceiling in zip(portfolio.TIERS, ceilings, strict=True)
        )
        yield it
