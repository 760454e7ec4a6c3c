"""A local Bitget, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.bitget_server import API_KEY, PASSPHRASE, SECRET, BitgetServer
from tests.venues.bitget_venue import BitgetVenue, Held, Lent
from tests.venues.opened import Bench, opened_on
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET, "password": PASSPHRASE}
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
DATED = InstrumentId("main:ETH/USDT:USDT-261225")
COIN_DATED = InstrumentId("main:ETH/USD:ETH-261225")
COIN_PERPETUAL = InstrumentId("main:BTC/USD:BTC")
WALLETS = ("spot", "funding", "margin", "earn", "swap")
QUOTE = "USDT"
DEBT = True
TIERS = True
D = Decimal


def portfolio(clock: ManualClock) -> BitgetVenue:
    """Coins in every wallet, debts in both kinds of margin, positions long and short, in coins and in USDT."""
    truth = BitgetVenue(now=lambda: milliseconds(clock.now()))
    truth.marks = {"ETHUSD": D(2500)}  # a divisor of what the tests of orders trade there for
    truth.spot = {"ETH": (D(10), D("1.5")), "USDT": (D(10000), D(0))}
    truth.funding = {"ETH": (D(2), D(1))}
    truth.crossed = {"SOL": Lent(D(1), D("0.5"), D(30), D("0.25"))}
    truth.isolated = {("ETHUSDT", "ETH"): Lent(D(1)), ("SOLUSDT", "SOL"): Lent(D(0), D(0), D(5), D("0.5"))}
    truth.earn = {"USDT": D(250)}
    truth.futures = {
        ("USDT-FUTURES", "USDT"): D(5000),
        ("COIN-FUTURES", "BTC"): D("0.5"),
        ("COIN-FUTURES", "ETH"): D(2),
    }
    truth.positions = {
        "ETHUSDT": Held(D(-2), D(3100)),
        "BTCUSD": Held(D("-0.1"), D(50000), "BTC"),
        "ETHUSDZ26": Held(D("0.5"), D(2900), "ETH"),
    }
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    sandbox: bool = False,
    own_margin: bool = False,
    truth: BitgetVenue | None = None,
) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with opened_on(
        BitgetServer,
        portfolio(clock) if truth is None else truth,
        clock,
        exchange="bitget",
        credentials=credentials,
        wallets=wallets,
        prefix="/api/v2/",
        time_limit=time_limit,
        sandbox=sandbox,
        own_margin=own_margin,
    ) as it:
        if truth is not None:
            truth.now = lambda: milliseconds(clock.now())
        yield it


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench]:
    """Coins in spot, the debt in cross margin, shorts in USDT contracts; tiers are those of the venue's table."""
    truth = BitgetVenue()
    truth.prices |= {"ETH": held.ETH_PRICE, "SOL": held.SOL_PRICE}
    truth.marks = {"ETHUSDT": held.ETH_MARK, "ETHUSDTZ26": held.DATED_MARK}
    truth.spot = {"ETH": (held.eth, D(0))}
    if held.sol_owed:
        truth.crossed = {"SOL": Lent(D(0), D(0), held.sol_owed, held.sol_interest)}
    truth.futures = {("USDT-FUTURES", "USDT"): held.cash}
    truth.positions = {"ETHUSDT": Held(held.perpetual, held.perpetual_entry)}
    if held.dated:
        truth.positions["ETHUSDTZ26"] = Held(held.dated, held.dated_entry)
    async with bench(truth=truth, own_margin=True) as it:
        yield it
