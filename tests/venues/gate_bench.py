"""A local Gate, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.gate_server import API_KEY, SECRET, GateServer
from tests.venues.gate_venue import Coin, GateVenue, Held, Lent
from tests.venues.opened import Bench, opened_on
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET}
PERPETUAL = InstrumentId("main:ETH/USDT:USDT")
DATED = InstrumentId("main:ETH/USDT:USDT-261225")
INVERSE = InstrumentId("main:BTC/USD:BTC")
WALLETS = ("spot", "margin", "earn", "swap")
QUOTE = "USDT"
DEBT = True
TIERS = True
D = Decimal


def portfolio(clock: ManualClock) -> GateVenue:
    """Coins in every wallet, debts of two pairs, positions long and short, linear, dated and inverse."""
    truth = GateVenue(now=lambda: milliseconds(clock.now()))
    truth.spot = {"ETH": (D(10), D("1.5")), "USDT": (D(10000), D(0))}
    truth.margin = {
        "SOL_USDT": (Lent(D(1), D("0.5"), D(30), D("0.25")), Lent(D(500))),
        "ETH_USDT": (Lent(D(2)), Lent(D(0), D(0), D(100), D("0.5"))),
    }
    truth.lent = {"USDT": D(250)}
    truth.futures = {"futures/usdt": D(5000), "futures/btc": D("0.5"), "delivery/usdt": D(1000)}
    truth.positions = {
        "ETH_USDT": Held(D("-200.5"), D(3100)),
        "BTC_USD": Held(D(-6000), D(50000)),
        "ETH_USDT_20261225": Held(D(50), D(2900)),
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
    truth: GateVenue | None = None,
) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with opened_on(
        GateServer,
        portfolio(clock) if truth is None else truth,
        clock,
        exchange="gate",
        credentials=credentials,
        wallets=wallets,
        prefix="/api/v4/",
        time_limit=time_limit,
        sandbox=sandbox,
        own_margin=own_margin,
    ) as it:
        if truth is not None:
            truth.now = lambda: milliseconds(clock.now())
        yield it


def unified_portfolio(clock: ManualClock, mode: str = "multi_currency") -> GateVenue:
    """Coins and debts in one pool that backs the perpetuals in USDT; bitcoins and dated contracts beside it."""
    truth = portfolio(clock)
    truth.mode_of_account = mode
    truth.spot = {}
    truth.coins = {
        "ETH": Coin(D(10), D("1.5")),
        "SOL": Coin(D(1), D(0), D(30)),
        "USDT": Coin(D(14000), D(500), D(100)),
        "POINT": Coin(D(7)),
    }
    truth.futures["futures/usdt"] = D(600)  # what contracts made before
    return truth


@asynccontextmanager
async def unified(mode: str = "multi_currency", **more: Any) -> AsyncIterator[Bench]:
    async with bench(truth=unified_portfolio(ManualClock(), mode), **more) as it:
        yield it


@asynccontextmanager
async def same_unified(held: SamePortfolio) -> AsyncIterator[Bench]:
    """The pool has the coins, the debt and the cash, of which a part was made by contracts; only USDT is collateral."""
    truth = GateVenue(mode_of_account="multi_currency", collateral=False)
    truth.prices |= {"ETH": held.ETH_PRICE, "SOL": held.SOL_PRICE}
    truth.marks = {"ETH_USDT": held.ETH_MARK, "ETH_USDT_20261225": held.DATED_MARK}
    truth.coins = {"ETH": Coin(held.eth), "USDT": Coin(held.cash - 100)}
    if held.sol_owed:
        truth.coins["SOL"] = Coin(D(0), D(0), held.sol_owed + held.sol_interest)
    truth.futures = {"futures/usdt": D(100)}
    truth.positions = {"ETH_USDT": Held(held.perpetual * 100, held.perpetual_entry)}
    if held.dated:
        truth.futures["delivery/usdt"] = held.cash
        truth.positions["ETH_USDT_20261225"] = Held(held.dated * 100, held.dated_entry)
    async with bench(truth=truth, own_margin=True) as it:
        yield it


@asynccontextmanager
async def rich() -> AsyncIterator[Bench]:
    """Without the dated position, and with what a hedge of all coins needs in the account of the perpetuals."""
    truth = portfolio(ManualClock())
    truth.futures["futures/usdt"] = D(60000)
    del truth.positions["ETH_USDT_20261225"]
    async with bench(truth=truth) as it:
        yield it


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench]:
    """Coins in spot, the debt in an isolated pair, shorts of 0.01 ETH a contract; the dated one has its own account.

    Perpetual and dated contracts are backed by an account each, which has all of the cash.
    """
    truth = GateVenue()
    truth.prices |= {"ETH": held.ETH_PRICE, "SOL": held.SOL_PRICE}
    truth.marks = {"ETH_USDT": held.ETH_MARK, "ETH_USDT_20261225": held.DATED_MARK}
    truth.spot = {"ETH": (held.eth, D(0))}
    if held.sol_owed:
        truth.margin = {"SOL_USDT": (Lent(D(0), D(0), held.sol_owed, held.sol_interest), Lent())}
    truth.futures = {"futures/usdt": held.cash}
    truth.positions = {"ETH_USDT": Held(held.perpetual * 100, held.perpetual_entry)}
    if held.dated:
        truth.futures["delivery/usdt"] = held.cash
        truth.positions["ETH_USDT_20261225"] = Held(held.dated * 100, held.dated_entry)
    async with bench(truth=truth, own_margin=True) as it:
        yield it
