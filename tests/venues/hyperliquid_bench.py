"""A local Hyperliquid, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.bench import Bench, open_bench
from tests.venues.hyperliquid_server import ADDRESS, AGENT_KEY, HyperliquidServer
from tests.venues.hyperliquid_venue import CONTRACTS, Held, HyperliquidVenue
from tests.venues.same import SamePortfolio

KEYS = {"walletAddress": ADDRESS}
TRADING_KEYS = {**KEYS, "privateKey": AGENT_KEY}
PERPETUAL = InstrumentId("main:ETH/USDC:USDC")
DATED = None  # perpetuals only
GOLD = InstrumentId("main:XYZ-GOLD/USDC:USDC")
OTHER_ETH = InstrumentId("main:HYNA-ETH/USDE:USDE")
WALLETS = ("spot", "swap", "earn")
QUOTE = "USDC"
DEBT = False  # only in portfolio margin
TIERS = True


def portfolio(clock: ManualClock) -> HyperliquidVenue:
    """Coins, staked HYPE, and positions long and short, cross and isolated, on three dexes."""
    truth = HyperliquidVenue(now=lambda: milliseconds(clock.now()))
    truth.spot = {
        "UETH": (Decimal("12.5"), Decimal("1.5")),
        "UBTC": (Decimal("0.5"), Decimal(0)),
        "USDC": (Decimal(250), Decimal(0)),
        "BTC": (Decimal(7000), Decimal(0)),
    }
    truth.cash = {"": Decimal(10000), "xyz": Decimal(500), "hyna": Decimal(300)}
    truth.staked = (Decimal(100), Decimal(5), Decimal("2.5"))
    truth.positions = {
        "ETH": Held(Decimal(-2), Decimal(3100)),
        "SOL": Held(Decimal(40), Decimal(140), margin=Decimal(800)),
        "xyz:GOLD": Held(Decimal("0.5"), Decimal(2500)),
        "hyna:ETH": Held(Decimal("-0.25"), Decimal(3000)),
    }
    return truth


@asynccontextmanager
async def bench(
    *,
    credentials: Mapping[str, str] | None = KEYS,
    wallets: Sequence[str] = WALLETS,
    time_limit: float = 10.0,
    sandbox: bool = False,
    own_margin: bool = False,  # none is made up: the venue tells it
) -> AsyncIterator[Bench[HyperliquidServer]]:
    clock = ManualClock()
    async with open_bench(
        HyperliquidServer,
        portfolio(clock),
        "hyperliquid",
        clock=clock,
        credentials=credentials,
        wallets=wallets,
        time_limit=time_limit,
        sandbox=sandbox,
        own_margin=own_margin,
    ) as opened:
        yield opened


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench[HyperliquidServer]]:
    """The portfolio that every venue can hold, without debt and dated contracts, which the venue does not have."""
    async with bench() as it:
        tiers = [(str(floor), int(1 / (2 * rate))) for floor, rate in held.TIERS]
        it.truth.tables = {CONTRACTS["ETH"][2]: tiers, CONTRACTS["BTC"][2]: tiers}
        it.truth.spot_prices |= {"@151": held.ETH_PRICE, "@156": held.SOL_PRICE}
        it.truth.prices |= {"ETH": held.ETH_MARK}
        it.truth.spot = {"UETH": (held.eth, Decimal(0))}
        it.truth.staked = (Decimal(0), Decimal(0), Decimal(0))
        it.truth.cash = {"": held.cash}
        it.truth.positions = {"ETH": Held(held.perpetual, held.perpetual_entry)} if held.perpetual else {}
        yield it


@asynccontextmanager
async def trading() -> AsyncIterator[Bench[HyperliquidServer]]:
    """With an API wallet's key, a short, and the collateral for a hedge of all coins on the first-party dex alone."""
    async with bench(credentials=TRADING_KEYS) as it:
        it.truth.positions = {"ETH": Held(Decimal(-2), Decimal(3100))}
        it.truth.cash = {"": Decimal(100_000)}
        yield it
