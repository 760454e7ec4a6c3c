"""A local Deribit, and the adapter opened on it over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from hedged.adapters.exchanges.shapes import milliseconds
from hedged.model.instrument import InstrumentId
from tests.support import ManualClock
from tests.venues.bench import Bench, open_bench
from tests.venues.deribit_server import API_KEY, SECRET, DeribitServer
from tests.venues.deribit_venue import DeribitVenue, Funds, Held
from tests.venues.same import SamePortfolio

KEYS = {"apiKey": API_KEY, "secret": SECRET}
PERPETUAL = InstrumentId("main:ETH/USDC:USDC")
DATED = InstrumentId("main:ETH/USDC:USDC-261225")
INVERSE = InstrumentId("main:BTC/USD:BTC")
INVERSE_DATED = InstrumentId("main:BTC/USD:BTC-261225")
WALLETS = ("spot",)
QUOTE = "USDC"
DEBT = False  # the venue does not lend
TIERS = False  # its margin grows with every dollar of a position, and is told for the account


def portfolio(clock: ManualClock) -> DeribitVenue:
    """Coins in several currencies, and positions long and short, linear and inverse, perpetual and dated."""
    truth = DeribitVenue(now=lambda: milliseconds(clock.now()))
    truth.funds = {
        "BTC": Funds(Decimal("1.5"), realised=Decimal("0.02")),
        "ETH": Funds(Decimal("12.5"), reserved=Decimal("1.5")),
        "USDC": Funds(Decimal(10000), realised=Decimal(-40)),
    }
    truth.positions = {
        "ETH_USDC-PERPETUAL": Held(Decimal(-2), Decimal(3100)),
        "ETH_USDC-25DEC26": Held(Decimal("0.5"), Decimal(3000)),
        "BTC-PERPETUAL": Held(Decimal(-6000), Decimal(50000), settled=Decimal(58000)),
        "BTC-25DEC26": Held(Decimal(3000), Decimal(59000)),
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
) -> AsyncIterator[Bench[DeribitServer]]:
    clock = ManualClock()
    async with open_bench(
        DeribitServer,
        portfolio(clock),
        "deribit",
        clock=clock,
        credentials=credentials,
        wallets=wallets,
        time_limit=time_limit,
        sandbox=sandbox,
        own_margin=own_margin,
    ) as opened:
        yield opened


@asynccontextmanager
async def same(held: SamePortfolio) -> AsyncIterator[Bench[DeribitServer]]:
    """The portfolio that every venue can hold, without its debt; margin by its tiers, which the venue applies."""
    async with bench() as it:
        it.truth.indices |= {"eth_usdc": held.ETH_PRICE, "sol_usdc": held.SOL_PRICE, "eth_usd": held.ETH_PRICE}
        it.truth.marks = {"ETH_USDC-PERPETUAL": held.ETH_MARK, "ETH_USDC-25DEC26": held.DATED_MARK}
        it.truth.tiers = held.TIERS
        it.truth.funds = {"ETH": Funds(held.eth), "USDC": Funds(held.cash)}
        entries = {
            "ETH_USDC-PERPETUAL": Held(held.perpetual, held.perpetual_entry),
            "ETH_USDC-25DEC26": Held(held.dated, held.dated_entry),
        }
        it.truth.positions = {name: position for name, position in entries.items() if position.amount}
        yield it
