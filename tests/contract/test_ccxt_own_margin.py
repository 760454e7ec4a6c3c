"""Margins that a venue does not tell, made of its tiers and marks, and said to be estimated; unknown where it has none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
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


@pytest.mark.parametrize("venue", MODES)
async def test_beside_a_position_of_a_mode_that_is_not_told_nothing_is_made_up(venue: str) -> None:
    """What backs it is not known, nor what is left to the others: both are unknown, not pooled."""
    assert_unknown(await with_modes(venue, MODES[venue][1], None))


def assert_unknown(told: Derivatives) -> None:
    assert told.margin is not None
    assert (told.margin.maintenance, told.margin.estimated) == (None, False)
    assert [(each.liquidation_price, each.maintenance_margin) for each in told.positions] == [(None, None)] * 2


@dataclass(frozen=True)
class Apart:
    """By hand, at 0.5 % of the mark. `short`, `other`: what is set apart, None: shared; then the tightest pool and the
    liquidation prices.
    """

    venue: str
    short: str | None
    other: str | None
    equity: str
    maintenance: str
    prices: tuple[str, str | None]


APART = [
    # BingX: 2 ETH short at 3,100 with five times leverage, 200 ahead: 1,240 + 200 of 10,300; (1440 + 6000)/2.01
    Apart("bingx", "1440", None, "1440", "30", ("3701.49253731", None)),
    # 10 SOL long at 140, 100 ahead: 280 + 100; 10,300 − 380 are left: (9920 + 6000)/2.01, (1500 − 380)/9.95
    Apart("bingx", None, "380", "380", "7.5", ("7920.39800995", "112.562814070")),
    Apart("bingx", "1440", "380", "1440", "30", ("3701.49253731", "112.562814070")),
    # MEXC: ten times leverage, so 620 + 200 of 10,200; 0.001 BTC long at the mark: 6 of 60
    Apart("mexc", "820", None, "820", "30", ("3393.03482587", None)),
    Apart("mexc", None, "6", "6", "0.3", ("8056.71641791", "54271.3567839")),
    # WEEX: 620 are told, and a profit is not counted; 300 DOGE at 0.1 have lost 3 of 10
    Apart("weex", "620", None, "620", "30", ("3293.53233831", None)),
    Apart("weex", None, "7", "7", "0.15", ("7955.22388060", "0.0770519262982")),
]


async def apart(case: Apart, change: Callable[[Any], None] = lambda it: None) -> Derivatives:
    async with BENCHES[case.venue].bench(own_margin=True) as it:
        it.truth.tells_liquidation = False
        names = (
            ("ETH_USDT", "BTC_USDT")
            if case.venue == "mexc"
            else {"bingx": ("ETH-USDT", "SOL-USDT"), "weex": ("ETHUSDT", "DOGEUSDT")}[case.venue]
        )
        if case.venue == "mexc":
            it.truth.positions["BTC_USDT"] = MexcHeld(Decimal(10), Decimal(60000))
        chosen = [name for name, own in zip(names, (case.short, case.other), strict=True) if own is not None]
        for name in chosen:
            if case.venue == "mexc":
                it.truth.positions[name].isolated = True
            elif case.venue == "bingx":
                it.truth.isolated.add(name)
            else:
                it.truth.isolated[name] = Decimal(620 if name == "ETHUSDT" else 10)
        change(it)
        brackets = (MarginTier(Decimal(0), Decimal("0.005"), Decimal(20)),)
        it.opened._line._tiers = TierBook(dict.fromkeys(await it.market.instruments(), brackets))
        derivatives: Derivatives = (await it.reader.derivatives()).value
    return derivatives


@pytest.mark.parametrize("case", APART, ids=lambda case: f"{case.venue} {case.short} {case.other}")
async def test_an_isolated_position_is_a_pool_of_its_own(case: Apart) -> None:
    """What is set apart backs no other; the pool nearest to its end speaks for the account; each has its own price."""
    told = await apart(case)
    own = [None if amount is None else Decimal(amount) for amount in (case.short, case.other)]
    assert [each.isolated_equity for each in told.positions] == own
    assert told.margin is not None
    assert (told.margin.equity, told.margin.maintenance) == (Decimal(case.equity), Decimal(case.maintenance))
    assert told.margin.estimated
    whole = {"bingx": 10_300, "mexc": 10_200, "weex": 9_800 if case.short else 9_997}[
        case.venue
    ]  # WEEX: of two, the lower
    left = whole - sum((amount for amount in own if amount is not None), Decimal(0))
    assert told.equities == ({"USDT": left} if None in own else {}), "what backs the other, whichever is the tightest"
    prices = [None if price is None else Decimal(price) for price in case.prices]
    assert [each.liquidation_price for each in told.positions] == prices


@pytest.mark.parametrize("case", [each for each in APART if each.short and not each.other], ids=lambda case: case.venue)
async def test_what_is_set_apart_and_not_told_is_unknown(case: Apart) -> None:
    """Zero where an isolated position has its margin is no margin: nothing is computed of it or of the others."""

    def blank(it: Any) -> None:
        answer = it.server.answer

        def without(node: Any) -> Any:
            if isinstance(node, list):
                return [without(each) for each in node]
            if not isinstance(node, dict):
                return node
            names = {"margin", "im", "isolatedMargin"}
            return {key: 0 if key in names else without(value) for key, value in node.items()}

        async def answer_with(request: Any) -> Any:
            return without(await answer(request))

        it.server.answer = answer_with

    assert_unknown(await apart(case, blank))


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
