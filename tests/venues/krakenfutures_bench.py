"""A local Kraken Futures, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.bench import Bench, open_bench
from tests.venues.krakenfutures_server import API_KEY, SECRET, KrakenFuturesServer
from tests.venues.krakenfutures_venue import Held, KrakenFuturesVenue
from tests.venues.same import SamePortfolio

D = Decimal
KEYS = {"apiKey": API_KEY, "secret": SECRET}
PERPETUAL = InstrumentId("main:ETH/USD:USD")
DATED = InstrumentId("main:ETH/USD:USD-261225")
INVERSE = InstrumentId("main:BTC/USD:BTC")
DATED_INVERSE = InstrumentId("main:BTC/USD:BTC-261225")
WALLETS = ("swap", "funding")
QUOTE = "USD"
DEBT = False
TIERS = True


def portfolio(clock: ManualClock) -> KrakenFuturesVenue:
    """Coins in all three kinds of wallet; positions long and short, linear and inverse, perpetual and dated."""
    truth = KrakenFuturesVenue(now=lambda: milliseconds(clock.now()))
    truth.cash = {"ETH": D("10.5"), "XBT": D(0)}
    truth.flex = {"USD": D(50000), "USDT": D(1000)}
    truth.single = {"XBT": D("0.5")}
    truth.marks = {"PF_ETHUSD": D(3001), "FF_ETHUSD_261225": D(3030)}
    truth.positions = {
        "PF_ETHUSD": Held(D(-2), D(3100)),
        "FF_ETHUSD_261225": Held(D("0.5"), D(3000)),
        "PI_XBTUSD": Held(D(-6000), D(50000)),
    }
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    own_margin: bool = False,
    truth: KrakenFuturesVenue | None = None,
    clock: ManualClock | None = None,
    account: str = "main",
) -> AsyncIterator[Bench[KrakenFuturesServer]]:
    clock = clock or ManualClock()
    async with open_bench(
        KrakenFuturesServer,
        truth or portfolio(clock),
        "krakenfutures",
        clock=clock,
        credentials=credentials,
        wallets=wallets,
        time_limit=time_limit,
        account=account,
        own_margin=own_margin,
    ) as it:
        yield it


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench[KrakenFuturesServer]]:
    """The coins in the holding wallet, the cash in the multi-collateral one."""
    clock = ManualClock()
    truth = KrakenFuturesVenue(now=lambda: milliseconds(clock.now()))
    truth.prices |= {"ETH": held.ETH_PRICE, "SOL": held.SOL_PRICE}
    truth.marks = {"PF_ETHUSD": held.ETH_MARK, "FF_ETHUSD_261225": held.DATED_MARK}
    truth.tiers = tuple((str(floor), str(rate)) for floor, rate in held.TIERS)
    truth.cash = {"ETH": held.eth}
    truth.flex = {"USD": held.cash}
    for symbol, size, entry in (
        ("PF_ETHUSD", held.perpetual, held.perpetual_entry),
        ("FF_ETHUSD_261225", held.dated, held.dated_entry),
    ):
        if size:
            truth.positions[symbol] = Held(size, entry)
    async with bench(own_margin=True, truth=truth, clock=clock) as it:
        yield it
