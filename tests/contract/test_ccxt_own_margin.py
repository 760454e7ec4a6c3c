"""Margins that a venue does not tell, made of its tiers and marks, and said to be estimated; unknown where it has none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.dialects import exchanges, find
from hedged.adapters.exchanges.tier_book import TierBook
from hedged.model.instrument import MarginTier
from hedged.model.snapshot import Derivatives
from tests.venues import bingx_bench, bybit_bench, mexc_bench, weex_bench
from tests.venues.benches import BENCHES
from tests.venues.bybit_venue import Coin
from tests.venues.bybit_venue import Held as BybitHeld
from tests.venues.mexc_venue import Held as MexcHeld

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


MODES: dict[str, tuple[str, object, object]] = {  # field, of a cross position, of an isolated one
    "bingx": ("isolated", False, True),
    "mexc": ("openType", 2, 1),
    "weex": ("marginType", "CROSSED", "ISOLATED"),
}


async def with_modes(venue: str, of_ether: object, of_the_other: object) -> Derivatives:
    """A short of ETH and another position in these margin modes; the venue tells no liquidation price."""
    field = MODES[venue][0]
    async with BENCHES[venue].bench(own_margin=True) as it:
        it.truth.tells_liquidation = False
        if venue == "mexc":
            it.truth.positions["BTC_USDT"] = MexcHeld(Decimal(10), Decimal(60000))
        instruments = await it.market.instruments()
        brackets = (MarginTier(Decimal(0), Decimal("0.005"), Decimal(20)),)
        it.opened._line._tiers = TierBook(dict.fromkeys(instruments, brackets))
        answer = it.server.answer

        def told(node: Any) -> Any:
            if isinstance(node, list):
                return [told(inner) for inner in node]
            if not isinstance(node, dict):
                return node
            mode = of_ether if str(node.get("symbol")).startswith("ETH") else of_the_other
            return {key: mode if key == field else told(inner) for key, inner in node.items()}

        async def answer_with(request: Any) -> Any:
            return told(await answer(request))

        it.server.answer = answer_with
        derivatives: Derivatives = (await it.reader.derivatives()).value
    assert len(derivatives.positions) == 2
    return derivatives


@pytest.mark.parametrize("venue", MODES)
async def test_crossed_positions_share_the_pool(venue: str) -> None:
    """Where every position is in cross margin, maintenance and the short's liquidation price are made of the tiers."""
    _, cross, _ = MODES[venue]
    told = await with_modes(venue, cross, cross)
    assert told.margin is not None
    assert told.margin.maintenance
    assert told.margin.estimated
    assert [each.liquidation_price is not None for each in told.positions if each.contracts < 0] == [True]


@pytest.mark.parametrize("which", ["the short", "the other", "both", "not told"])
@pytest.mark.parametrize("venue", MODES)
async def test_beside_an_isolated_position_nothing_is_made_up(venue: str, which: str) -> None:
    """What is set apart for one position backs no other, nor that position the pool: both are unknown, not pooled."""
    _, cross, isolated = MODES[venue]
    modes = {"the short": (isolated, cross), "the other": (cross, isolated), "both": (isolated, isolated)}
    told = await with_modes(venue, *modes.get(which, (cross, None)))
    assert told.margin is not None
    assert (told.margin.maintenance, told.margin.estimated) == (None, False)
    assert [(each.liquidation_price, each.maintenance_margin) for each in told.positions] == [(None, None)] * 2


async def test_no_price_is_made_up_where_coins_are_the_collateral() -> None:
    """Bybit with as many ETH as are shorted: blank is none, whatever a formula that holds the coins' worth fixed says."""
    async with bybit_bench.bench(own_margin=True) as it:
        it.truth.coins = {"ETH": Coin(Decimal(10))}
        it.truth.positions, it.truth.tells_liquidation = {"ETHUSDT": BybitHeld(Decimal(-10), Decimal(3000))}, False
        for _ in range(2):  # once the tiers have been asked for they are known
            told = (await it.reader.derivatives()).value
            await it.settled()
    assert [each.liquidation_price for each in told.positions] == [None]
    assert told.positions[0].maintenance_margin == 150
    assert told.margin is not None
    assert not told.margin.estimated


def test_every_venue_says_whether_its_pools_are_plain() -> None:
    """Where collateral is of many kinds, or in pools of the venue's own, only the venue's figures are used."""
    dialects = {name: find(name) for name in exchanges()}
    plain = {name for name, dialect in dialects.items() if dialect is not None and dialect.own_margin}
    assert plain == {"bingx", "coinbase", "krakenfutures", "mexc", "weex"}
