"""A local Coinbase, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.bench import Bench, open_bench
from tests.venues.coinbase_server import API_KEY, ED_NAME, ED_SECRET, SECRET, CoinbaseServer
from tests.venues.coinbase_venue import CoinbaseVenue, Held
from tests.venues.same import SamePortfolio

D = Decimal
KEYS = {"apiKey": API_KEY, "secret": SECRET}
ED_KEYS = {"apiKey": ED_NAME, "secret": ED_SECRET}
PERPETUAL = InstrumentId("main:ETH/USD:USD")
DATED = InstrumentId("main:ETH/USD:USD-261224")
WALLETS = ("spot", "swap")
QUOTE = "USD"
DEBT = False
TIERS = False


def portfolio(clock: ManualClock) -> CoinbaseVenue:
    """Coins, dollars in both places, and nano contracts short and long."""
    truth = CoinbaseVenue(now=lambda: milliseconds(clock.now()))
    truth.coins = {"ETH": (D(10), D("1.5")), "USD": (D(2000), D(0)), "SOL": (D(0), D(0))}
    truth.cash = D(5000)
    truth.mids = {"ETP-20DEC30-CDE": D(3001), "ET-24DEC26-CDE": D(3030)}
    truth.positions = {
        "ETP-20DEC30-CDE": Held(D(-20), D(3100)),
        "ET-24DEC26-CDE": Held(D(5), D(3000)),
    }
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    own_margin: bool = False,
    truth: CoinbaseVenue | None = None,
    clock: ManualClock | None = None,
    account: str = "main",
) -> AsyncIterator[Bench[CoinbaseServer]]:
    clock = clock or ManualClock()
    async with open_bench(
        CoinbaseServer,
        truth or portfolio(clock),
        "coinbase",
        clock=clock,
        credentials=credentials,
        wallets=wallets,
        time_limit=time_limit,
        own_margin=own_margin,
        account=account,
    ) as it:
        yield it


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench[CoinbaseServer]]:
    """Contracts of a tenth of a coin; the cash in the futures account."""
    clock = ManualClock()
    truth = CoinbaseVenue(now=lambda: milliseconds(clock.now()))
    truth.prices |= {"ETH": held.ETH_PRICE, "SOL": held.SOL_PRICE}
    truth.mids = {"ETP-20DEC30-CDE": held.ETH_MARK, "ET-24DEC26-CDE": held.DATED_MARK}
    truth.tiers = held.TIERS
    truth.coins = {"ETH": (held.eth, D(0))}
    truth.cash = held.cash
    for product, coins, entry in (
        ("ETP-20DEC30-CDE", held.perpetual, held.perpetual_entry),
        ("ET-24DEC26-CDE", held.dated, held.dated_entry),
    ):
        if coins:
            truth.positions[product] = Held(coins * 10, entry)
    async with bench(own_margin=True, truth=truth, clock=clock) as it:
        yield it
