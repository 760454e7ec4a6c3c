"""Margins that a venue does not tell, made of its tiers and marks, and said to be estimated; unknown where it has none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from hedged.adapters.exchanges.dialects import exchanges, find
from tests.venues import bingx_bench, bybit_bench, mexc_bench, weex_bench

Open = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.mark.parametrize("bench", [bingx_bench.bench, mexc_bench.bench], ids=["bingx", "mexc"])
async def test_maintenance_comes_from_the_venues_tiers(bench: Open) -> None:
    """A linear position without a maintenance margin of the venue's gets one from its table, marked as estimated."""
    async with bench(own_margin=True) as it:
        told = (await it.reader.derivatives()).value
    linear = [position for position in told.positions if position.instrument == "main:ETH/USDT:USDT"]
    assert linear
    assert all(position.maintenance_margin for position in linear)


async def test_without_tiers_the_margin_stays_unknown() -> None:
    """WEEX tells no tiers: nothing is made up for it."""
    async with weex_bench.bench(own_margin=True) as it:
        told = (await it.reader.derivatives()).value
    assert told.positions
    assert told.margin is None or told.margin.maintenance is None


async def test_what_the_venue_tells_is_kept() -> None:
    """Bybit's own ratio is not replaced by an estimate."""
    async with bybit_bench.bench(own_margin=True) as it:
        own = (await it.reader.derivatives()).value.margin
    async with bybit_bench.bench() as it:
        told = (await it.reader.derivatives()).value.margin
    assert own is not None
    assert told is not None
    assert (own.equity, own.maintenance, own.estimated) == (told.equity, told.maintenance, False)


def test_every_venue_says_whether_its_pools_are_plain() -> None:
    """Where collateral is of many kinds, or in pools of the venue's own, only the venue's figures are used."""
    dialects = {name: find(name) for name in exchanges()}
    plain = {name for name, dialect in dialects.items() if dialect is not None and dialect.own_margin}
    assert plain == {"bingx", "bybit", "coinbase", "krakenfutures", "mexc", "weex"}
