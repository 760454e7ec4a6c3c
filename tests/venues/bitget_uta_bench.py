"""A local Bitget whose account is a unified one, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from tests.support import ManualClock
from tests.venues.bitget_bench import DATED, DEBT, KEYS, PERPETUAL, QUOTE, TIERS
from tests.venues.bitget_server import BitgetServer
from tests.venues.bitget_unified import UnifiedVenue
from tests.venues.bitget_venue import Held
from tests.venues.opened import Bench, opened_on
from tests.venues.same import SamePortfolio

WALLETS = ("uta", "funding")
D = Decimal
__all__ = ["DATED", "DEBT", "KEYS", "PERPETUAL", "QUOTE", "TIERS", "WALLETS", "bench", "portfolio", "same"]


def portfolio(clock: ManualClock) -> UnifiedVenue:
    """Coins and a loan in the pool, coins in the funding wallet, positions long and short, in coins and in USDT."""
    truth = UnifiedVenue(now=lambda: milliseconds(clock.now()))
    truth.marks = {"ETHUSD": D(2500)}
    truth.pool = {"ETH": D("11.5"), "USDT": D(10000), "BTC": D("0.5"), "SOL": D("-30.25")}
    truth.funding = {"ETH": (D(2), D(1))}
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
    truth: UnifiedVenue | None = None,
) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with opened_on(
        BitgetServer,
        portfolio(clock) if truth is None else truth,
        clock,
        exchange="bitget",
        credentials=credentials,
        wallets=wallets,
        prefix="/api/v3/",
        time_limit=time_limit,
        sandbox=sandbox,
        own_margin=own_margin,
    ) as it:
        it.server.unified = True
        if truth is not None:
            truth.now = lambda: milliseconds(clock.now())
        yield it


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench]:
    """Coins in the funding wallet, cash and debt in the pool, shorts in USDT contracts."""
    truth = UnifiedVenue()
    truth.prices |= {"ETH": held.ETH_PRICE, "SOL": held.SOL_PRICE}
    truth.marks = {"ETHUSDT": held.ETH_MARK, "ETHUSDTZ26": held.DATED_MARK}
    truth.funding = {"ETH": (held.eth, D(0))}
    truth.pool = {"USDT": held.cash}
    if held.sol_owed:
        truth.pool["SOL"] = -held.sol_owed - held.sol_interest
    truth.positions = {"ETHUSDT": Held(held.perpetual, held.perpetual_entry)}
    if held.dated:
        truth.positions["ETHUSDTZ26"] = Held(held.dated, held.dated_entry)
    async with bench(truth=truth, own_margin=True) as it:
        yield it
