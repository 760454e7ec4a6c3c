"""The market of the past never shows what is stamped later than the replay's clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hedged.adapters.exchanges.historical import HistoricalMarket
from hedged.adapters.exchanges.price_table import FundingRates, History, PriceTable
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, LegPolicy, Mode, PortfolioPolicy, World
from hedged.replay.clock import ReplayClock

START = datetime(2021, 3, 26, 0, tzinfo=UTC)  # a contract expires at 08:00
ROWS = 20
HOUR = 3600
DATED = "ETH/USDT:USDT-210625"
INSTRUMENTS = tuple(InstrumentId(f"main:{s}") for s in ("ETH/USDT:USDT", "ETH/USDT:USDT-210326", DATED))

CELL = st.one_of(st.just(b""), st.decimals("0.01", "9999", places=2).map(lambda price: str(price).encode()))
COLUMN = st.lists(CELL, min_size=ROWS, max_size=ROWS)
RATES = st.lists(st.decimals("-0.01", "0.01", places=6).map(lambda r: str(r).encode()), min_size=ROWS, max_size=ROWS)


def _table(name: str, column: list[bytes]) -> PriceTable:
    times = int(START.timestamp()) + HOUR * np.arange(ROWS, dtype=np.int64)
    return PriceTable("past.csv", times, {name: np.array(column, dtype="S16")}, HOUR, 0)


def _history(columns: tuple[list[bytes], ...], rates: list[bytes], *, recorded: bool) -> History:
    spot, perp, dated = columns
    times = int(START.timestamp()) + HOUR * np.arange(ROWS, dtype=np.int64)
    funding = {"ETH": FundingRates(times, np.array(rates, dtype="S16"))}
    return History(_table("ETH", spot), _table("ETH", perp), _table(DATED, dated) if recorded else None, funding)


async def _seen(history: History, until: int) -> list[object]:
    """All that the market shows at every bar up to and including this one, asked in order."""
    clock = ReplayClock(START)
    hedge = HedgePolicy("h", ("ETH",), tuple(LegPolicy(i) for i in INSTRUMENTS), Decimal(1), Decimal("0.1"))
    policy = PortfolioPolicy("p", Mode.PAPER, World.PAPER, "USDT", timedelta(hours=1), (hedge,))
    market = HistoricalMarket("main", policy, history, clock)
    seen: list[object] = []
    for row in range(until + 1):
        clock.set(START + timedelta(hours=row))
        seen.append(sorted(await market.instruments()))
        seen.append(await market.quotes(INSTRUMENTS))
        seen.append(await market.prices(["ETH", "USDT"], "USDT"))
    return seen


@given(
    past=st.tuples(COLUMN, COLUMN, COLUMN),
    other=st.tuples(COLUMN, COLUMN, COLUMN),
    rates=RATES,
    other_rates=RATES,
    row=st.integers(0, ROWS - 2),
    recorded=st.booleans(),
)
async def test_another_future_shows_the_same_present(
    past: tuple[list[bytes], ...],
    other: tuple[list[bytes], ...],
    rates: list[bytes],
    other_rates: list[bytes],
    row: int,
    recorded: bool,
) -> None:
    """Listings, marks, prices, funding and basis up to a moment do not depend on what comes after it."""
    for column in (past[2], other[2]):  # the recorded chain needs a bar somewhere, before the moment or after it
        column[-1] = column[-1] or b"1"
    spliced = tuple(mine[: row + 1] + theirs[row + 1 :] for mine, theirs in zip(past, other, strict=True))
    first = _history(past, rates, recorded=recorded)
    second = _history(spliced, rates[: row + 1] + other_rates[row + 1 :], recorded=recorded)
    assert await _seen(first, row) == await _seen(second, row)


async def test_the_bar_that_is_not_over_is_not_seen() -> None:
    """Rows stamped by their opening are shifted by a step: at its own stamp a close is the future."""
    column = [str(100 + row).encode() for row in range(ROWS)]
    history = _history((column, column, column), [b"0"] * ROWS, recorded=False)
    shifted = replace(history.spot, times=history.spot.times + HOUR, delay=HOUR)
    seen = await _seen(replace(history, spot=shifted, perp=None), 1)
    prices = [look["ETH"].value for look in seen[2::3] if "ETH" in look]  # type: ignore[index, operator]
    assert prices == [Decimal(100)]
