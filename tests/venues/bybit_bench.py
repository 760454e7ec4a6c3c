"""A local Bybit, and the adapter opened on it over real TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.bybit import Bybit
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from hedged.ports import AccountReader, MarketReader
from tests.support import ManualClock
from tests.venues.binance_bench import pki
from tests.venues.bybit_server import API_KEY, SECRET, BybitServer
from tests.venues.bybit_venue import BybitVenue, Coin, Held
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET}
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
DATED = InstrumentId("main:ETH/USDT:USDT-261225")
IN_USDC = InstrumentId("main:ETH/USDC:USDC")
INVERSE = InstrumentId("main:BTC/USD:BTC")
INVERSE_DATED = InstrumentId("main:BTC/USD:BTC-261225")
WALLETS = ("spot", "swap", "funding", "earn")
QUOTE = "USDT"  # what a contract is quoted in
DEBT = True  # whether the venue lends


@dataclass
class Bench:
    """One opened account, the server behind it, and the clock that both go by."""

    server: BybitServer
    truth: BybitVenue
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
    def dialect(self) -> Bybit:
        found = self.opened._line.dialect
        assert isinstance(found, Bybit)
        return found

    @property
    def connection(self) -> Connection:
        return self.opened._line.connection

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


def portfolio(clock: ManualClock) -> BybitVenue:
    """Coins, debts, a funding and an earn wallet, longs and shorts in every segment, each with its own numbers."""
    truth = BybitVenue(now=lambda: milliseconds(clock.now()))
    truth.coins = {
        "BTC": Coin(Decimal("1.5")),
        "ETH": Coin(Decimal("11.5"), locked=Decimal("1.5")),
        "SOL": Coin(Decimal(33), Decimal(30), Decimal("0.25")),
        "USDT": Coin(Decimal(10000)),
        "USDC": Coin(Decimal(-50)),
    }
    truth.funding = {"ETH": Decimal(3), "USDT": Decimal(0)}
    truth.earn = {
        "FlexibleSaving": [("ETH", Decimal(2)), ("USDT", Decimal(0)), ("ETH", Decimal("0.5"))],
        "OnChain": [("SOL", Decimal(7)), ("ETH", Decimal(1))],
    }
    truth.positions = {
        "ETHUSDT": Held(Decimal(-2), Decimal(3100)),
        "SOLUSDT": Held(Decimal(40), Decimal(140)),
        "ETHUSDT-25DEC26": Held(Decimal("-1.5"), Decimal(3000)),
        "ETHPERP": Held(Decimal("0.25"), Decimal(2900)),
        "BTCUSD": Held(Decimal(-30000), Decimal(50000)),
        "BTCUSDZ26": Held(Decimal(6000), Decimal(60000)),
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
    async with BybitServer(truth, cert, key) as server:
        opened = await open_ccxt(
            "main",
            "bybit",
            wallets,
            credentials,
            clock=clock,
            sandbox=sandbox,
            connect_to=server.connect_to,
            ca_file=ca_file,
            time_limit=time_limit,
        )
        if not own_margin:
            opened._line._tiers.failed(1e12)  # the hourly tiers are counted by themselves
        try:
            yield Bench(server, truth, clock, opened)
        finally:
            await opened.close()


def patch_row(it: Bench, path: str, name: str, found: dict[str, str], **fields: Any) -> None:
    """Change fields of the rows in `name` that have what is in `found`; a field set to ... is taken out."""

    def change(asked: str, parameters: dict[str, str], result: dict[str, Any]) -> None:
        if asked != path:
            return
        for row in result[name]:
            for inner in (row, *row.get("coin", ())):
                if all(inner.get(key) == value for key, value in found.items()):
                    inner.update(fields)
                    for key in [key for key, value in fields.items() if value is ...]:
                        del inner[key]

    it.server.patch = change


@asynccontextmanager
async def same(portfolio: SamePortfolio) -> AsyncIterator[Bench]:
    """Coins in the funding wallet, debt and contracts in the unified account."""
    async with bench(own_margin=True) as it:
        truth = it.truth
        truth.funding, truth.earn = {"ETH": portfolio.eth}, {}
        truth.coins = {"USDT": Coin(portfolio.cash)}
        if portfolio.sol_owed:
            truth.coins["SOL"] = Coin(borrowed=portfolio.sol_owed, interest=portfolio.sol_interest)
        truth.positions = {"ETHUSDT": Held(portfolio.perpetual, portfolio.perpetual_entry)}
        if portfolio.dated:
            truth.positions["ETHUSDT-25DEC26"] = Held(portfolio.dated, portfolio.dated_entry)
        truth.marks = {"ETHUSDT": portfolio.ETH_MARK, "ETHUSDT-25DEC26": portfolio.DATED_MARK}
        yield it
