"""A local MEXC, and the adapter opened on it over real TLS."""

from __future__ import annotations

import asyncio
import json
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
from tests.venues.mexc_server import API_KEY, SECRET, MexcServer
from tests.venues.mexc_venue import Held, Lent, MexcVenue, Pool
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET}
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
INVERSE = InstrumentId("main:BTC/USD:BTC")
WALLETS = ("spot", "margin", "swap")
DATED = None
QUOTE = "USDT"  # what a contract is quoted in
DEBT = True  # whether the venue lends


@dataclass
class Bench:
    """One opened account, the server behind it, and the clock that both go by."""

    server: MexcServer
    truth: MexcVenue
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
    def connection(self) -> Connection:
        return self.opened._line.connection

    @property
    def dialect(self) -> Dialect:
        return self.opened._line.dialect

    @property
    def exchange(self) -> Any:
        """ccxt's instance behind the guard."""
        return self.connection.exchange

    async def settled(self) -> None:
        """Wait for what runs in the background: a cycle comes after the last one's stragglers."""
        await asyncio.gather(*self.connection.shared._running.values(), return_exceptions=True)

    def paths(self) -> list[str]:
        """What has been asked since the last call of this."""
        asked = [path for _, path in self.server.requests]
        self.server.requests.clear()
        return asked


def enveloped(data: Any) -> str:
    """A contract reply as text."""
    return json.dumps({"success": True, "code": 0, "data": data})


def portfolio(clock: ManualClock) -> MexcVenue:
    """Coins, a debt, a futures wallet and a short of two coins, each with its own numbers."""
    truth = MexcVenue(now=lambda: milliseconds(clock.now()))
    truth.spot = {"ETH": (Decimal(10), Decimal("1.5")), "USDT": (Decimal(500), Decimal(0))}
    truth.margin = {"SOLUSDT": {"SOL": Lent(Decimal(1), Decimal(2), Decimal(30), Decimal("0.25"))}}
    truth.positions = {"ETH_USDT": Held(Decimal(-200), Decimal(3100))}
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    own_margin: bool = False,  # what the venue itself tells, unless asked for what is made of it
) -> AsyncIterator[Bench]:
    ca_file, cert, key = pki()
    clock = ManualClock()
    truth = portfolio(clock)
    async with MexcServer(truth, cert, key) as server:
        opened = await open_ccxt(
            "main",
            "mexc",
            wallets,
            credentials,
            clock=clock,
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
    """Coins in spot, debt in margin, contracts of a hundredth of a coin; margin tiers by contracts."""
    async with bench(own_margin=True) as it:
        truth = it.truth
        truth.spot = {"ETH": (portfolio.eth, Decimal(0))}
        lent = Lent(borrowed=portfolio.sol_owed, interest=portfolio.sol_interest)
        truth.margin = {"SOLUSDT": {"SOL": lent}}
        truth.pools = {"USDT": Pool(portfolio.cash)}
        truth.positions = {"ETH_USDT": Held(portfolio.perpetual * 100, portfolio.perpetual_entry)}
        truth.marks = {"ETH_USDT": portfolio.ETH_MARK}
        ceilings = [floor for floor, _ in portfolio.TIERS[1:]] + [Decimal(10_000_000)]
        table = [
            {
                "level": level,
                "maxVol": int(ceiling / portfolio.ETH_MARK * 100),
                "mmr": float(rate),
                "imr": float(2 * rate),
            }
            for level, ((_, rate), ceiling) in enumerate(zip(portfolio.TIERS, ceilings, strict=True), 1)
        ]
        truth.contract_fields = {"ETH_USDT": {"riskLimitCustom": table}}
        yield it
