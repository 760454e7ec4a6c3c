"""A local KuCoin, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.bench import Bench, open_bench
from tests.venues.kucoin_server import API_KEY, PASSPHRASE, SECRET, KucoinServer
from tests.venues.kucoin_venue import Held, KucoinVenue
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET, "password": PASSPHRASE}
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
DATED = None  # its dated contracts are inverse ones on bitcoin
IN_USDC = InstrumentId("main:ETH/USDC:USDC")
INVERSE = InstrumentId("main:BTC/USD:BTC")
INVERSE_DATED = InstrumentId("main:BTC/USD:BTC-261225")
WALLETS = ("spot", "margin", "swap", "funding")
QUOTE = "USDT"
DEBT = True
TIERS = True


def portfolio(clock: ManualClock) -> KucoinVenue:
    """Coins in every account, debts, and positions long and short, linear and inverse, cross and isolated."""
    truth = KucoinVenue(now=lambda: milliseconds(clock.now()))
    truth.accounts = {
        ("main", "ETH"): (Decimal(2), Decimal(0)),
        ("trade", "ETH"): (Decimal("1.5"), Decimal("0.5")),
        ("trade_hf", "ETH"): (Decimal(10), Decimal(1)),
        ("trade", "BTC"): (Decimal("0.25"), Decimal(0)),
        ("margin", "USDT"): (Decimal(77), Decimal(0)),
    }
    truth.cross = {"SOL": (Decimal(3), Decimal("30.25")), "USDT": (Decimal(6000), Decimal(0))}
    truth.isolated = {"ETH": (Decimal(1), Decimal("0.25"))}
    truth.cash = {"USDT": Decimal(10000), "USDC": Decimal(500), "XBT": Decimal("0.5")}
    truth.positions = {
        "ETHUSDTM": Held(Decimal(-200), Decimal(3100)),
        "XBTUSDTM": Held(Decimal(20), Decimal(59000), margin=Decimal(300)),
        "ETHUSDCM": Held(Decimal(5), Decimal(2900)),
        "XBTUSDM": Held(Decimal(-6000), Decimal(50000)),
    }
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    own_margin: bool = False,  # none is made up: the venue tells it
) -> AsyncIterator[Bench[KucoinServer]]:
    clock = ManualClock()
    async with open_bench(
        KucoinServer,
        portfolio(clock),
        "kucoin",
        clock=clock,
        credentials=credentials,
        wallets=wallets,
        time_limit=time_limit,
        own_margin=own_margin,
    ) as opened:
        opened.opened._line._tiers.failed(1e12)  # the hourly tiers are counted by themselves
        yield opened


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench[KucoinServer]]:
    """The portfolio that every venue can hold, without dated contracts on ether, which the venue does not have."""
    async with bench() as it:
        it.truth.prices |= {"ETH": held.ETH_PRICE, "SOL": held.SOL_PRICE}
        it.truth.marks = {"ETHUSDTM": held.ETH_MARK}
        it.truth.tiers = tuple((str(floor), str(rate), 50) for floor, rate in held.TIERS)
        it.truth.accounts = {("trade", "ETH"): (held.eth, Decimal(0))}
        owed = held.sol_owed + held.sol_interest
        it.truth.cross = {"SOL": (Decimal(0), owed)} if owed else {}
        it.truth.isolated = {}
        it.truth.cash = {"USDT": held.cash}
        held_contracts = Held(held.perpetual / Decimal("0.01"), held.perpetual_entry)
        it.truth.positions = {"ETHUSDTM": held_contracts} if held.perpetual else {}
        yield it
