"""A local Kraken, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.bench import Bench, open_bench
from tests.venues.kraken_server import API_KEY, SECRET, KrakenServer
from tests.venues.kraken_venue import Coins, Held, KrakenVenue
from tests.venues.same import SamePortfolio

D = Decimal
KEYS = {"apiKey": API_KEY, "secret": SECRET}
WALLETS = ("spot", "margin", "earn")
QUOTE = "USD"
DEBT = True
TIERS = False
PERPETUAL: InstrumentId | None = None  # there are no contracts here
DATED: InstrumentId | None = None


def portfolio(clock: ManualClock) -> KrakenVenue:
    """Coins of every ending, a credit line, and margin positions both ways."""
    truth = KrakenVenue(now=lambda: milliseconds(clock.now()))
    truth.coins = {
        "XETH": Coins(D(10), D("1.5")),
        "ETH.F": Coins(D(2)),
        "XBT.M": Coins(D("0.25")),
        "DOT28.S": Coins(D(30)),
        "ZUSD": Coins(D(500), D(0), D(200)),
        "USD.HOLD": Coins(D(40)),
        "USDT": Coins(D(0)),
    }
    truth.positions = [
        Held("XETHZUSD", "sell", D(4), D(12400), closed=D(1)),
        Held("SOLUSD", "buy", D(20), D(3000)),
    ]
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    truth: KrakenVenue | None = None,
    clock: ManualClock | None = None,
    account: str = "main",
) -> AsyncIterator[Bench[KrakenServer]]:
    clock = clock or ManualClock()
    async with open_bench(
        KrakenServer,
        truth or portfolio(clock),
        "kraken",
        clock=clock,
        credentials=credentials,
        wallets=wallets,
        time_limit=time_limit,
        account=account,
    ) as it:
        yield it


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench[KrakenServer]]:
    """What of it are coins; the debt is a used credit line."""
    clock = ManualClock()
    truth = KrakenVenue(now=lambda: milliseconds(clock.now()))
    truth.prices |= {"XETHZUSD": held.ETH_PRICE, "SOLUSD": held.SOL_PRICE}
    truth.coins = {"XETH": Coins(held.eth), "ZUSD": Coins(held.cash)}
    if held.sol_owed:
        truth.coins["SOL"] = Coins(D(0), D(0), held.sol_owed + held.sol_interest)
    async with bench(truth=truth, clock=clock) as it:
        yield it
