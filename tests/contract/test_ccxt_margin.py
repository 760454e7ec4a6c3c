"""A venue that leaves out margin: what the account reader makes of it with tiers and the marks of the same cycle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.binance import Binance
from hedged.errors import Refused, Unreachable
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Derivatives, Margin, Read
from tests.venues.binance_bench import PERPETUAL, Bench, bench
from tests.venues.binance_venue import Held

D = Decimal
BRACKETS = "/fapi/v1/leverageBracket"
MARKS = "/fapi/v1/premiumIndex"
OWN = {PERPETUAL: (MarginTier(D(0), D("0.02"), D(10)),)}


class Silent(Binance):
    """Binance, if it told neither maintenance margin nor liquidation prices."""

    own_margin: ClassVar[bool] = True

    async def derivatives(self, connection: Connection, markets: Markets) -> Read[Derivatives]:
        read = await super().derivatives(connection, markets)
        assert read.value.margin is not None
        positions = tuple(replace(p, liquidation_price=None, maintenance_margin=None) for p in read.value.positions)
        return Read(Derivatives(positions, replace(read.value.margin, maintenance=None)), read.as_of)


@asynccontextmanager
async def silent(
    tiers: Mapping[InstrumentId, tuple[MarginTier, ...]] | None = None, **options: Any
) -> AsyncIterator[Bench]:
    async with bench(tiers=tiers, **options) as it:
        it.opened._line.dialect = Silent()
        yield it


async def test_fills_what_the_venue_leaves_out() -> None:
    """Two short coins at 3000 with 10,200 of equity: 0.5 % of their value, and the formula's liquidation price."""
    async with silent() as it:
        read = await it.reader.derivatives()
    assert read.as_of == it.clock.now()
    assert read.value.margin == Margin(D(10200), D(30), D(9900), estimated=True)
    (position,) = read.value.positions
    assert position.maintenance_margin == 30
    # in the second bracket there: (10200 + 50 + 2·3000) / (2·1.01)
    assert position.liquidation_price == D("8044.55445545")


async def test_the_users_tiers_go_before_the_venues() -> None:
    """With tiers in the configuration the venue is not asked for any, and instruments show them."""
    async with silent(tiers=OWN) as it:
        derivatives = (await it.reader.derivatives()).value
        assert derivatives.margin is not None
        assert derivatives.margin.maintenance == 120
        assert BRACKETS not in it.paths()
        assert (await it.market.instruments())[PERPETUAL].tiers == OWN[PERPETUAL]


async def test_marks_and_tiers_cost_no_request_in_a_cycle() -> None:
    """The marks are those that the market reader is asking for at the same time, the tiers an hour old at most."""
    async with silent() as it:

        async def cycle() -> list[str]:
            await asyncio.gather(it.market.quotes([PERPETUAL]), it.reader.derivatives())
            await it.settled()
            return it.paths()

        first = await cycle()
        assert (first.count(MARKS), first.count(BRACKETS)) == (1, 1)
        it.clock.advance(60)
        later = await cycle()
        assert (later.count(MARKS), later.count(BRACKETS)) == (1, 0)
        it.clock.advance(3600)
        assert (await cycle()).count(BRACKETS) == 1


async def test_marks_of_another_cycle_are_asked_for_again() -> None:
    """Marks a few seconds old serve; later ones are read anew; a market reader always gets its own."""
    async with silent() as it:
        await it.market.quotes([PERPETUAL])
        it.clock.advance(5)
        await it.reader.derivatives()
        assert it.paths().count(MARKS) == 1
        it.clock.advance(1)
        await it.reader.derivatives()
        assert it.paths().count(MARKS) == 1
        await it.market.quotes([PERPETUAL])
        assert it.paths().count(MARKS) == 1


async def test_quotes_on_their_way_serve_only_who_asks_for_no_more() -> None:
    """A position that nobody asked a quote for yet is asked for itself."""
    other = InstrumentId("main:SOL/USDT:USDT")
    async with bench() as it:
        await it.market.instruments()
        one, two = await asyncio.gather(it.market.quotes([PERPETUAL]), it.market.quotes([PERPETUAL, other]))
    assert (set(one), set(two)) == ({PERPETUAL}, {PERPETUAL, other})


@pytest.mark.parametrize("path", [BRACKETS, MARKS])
@pytest.mark.parametrize("fault", ["500", "hang", "html", "empty", "object"])
async def test_without_marks_or_tiers_margin_is_unknown_and_positions_are_read(path: str, fault: str) -> None:
    """Neither is worth losing the positions for: the margin is None, and there again when they are."""
    async with silent(time_limit=1.0 if fault == "hang" else 5) as it:
        await it.market.instruments()
        it.server.faults[path] = fault
        derivatives = (await it.reader.derivatives()).value
        assert [position.contracts for position in derivatives.positions] == [-2]
        assert derivatives.positions[0].liquidation_price is None
        assert derivatives.margin == Margin(D(10200), None, D(9900))
        it.server.faults.clear()
        await it.settled()
        it.clock.advance(61)
        margin = (await it.reader.derivatives()).value.margin
        assert margin is not None
        assert margin.maintenance == 30


async def test_tiers_that_fail_are_left_alone_for_a_minute_and_kept_for_six_hours() -> None:
    """The last tiers serve while they cannot be read again, but not for ever."""
    async with silent() as it:
        await it.reader.derivatives()
        it.server.faults[BRACKETS] = "500"
        it.paths()
        it.clock.advance(3600)
        for count in (1, 0):
            margin = (await it.reader.derivatives()).value.margin
            assert margin is not None
            assert margin.maintenance == 30
            assert it.paths().count(BRACKETS) == count
        it.clock.advance(5 * 3600 + 1)
        margin = (await it.reader.derivatives()).value.margin
        assert margin is not None
        assert margin.maintenance is None


async def test_instruments_carry_the_venues_tiers() -> None:
    """Once an account with positions has been read, also where the venue tells the margin itself."""
    async with bench() as it:
        assert (await it.market.instruments())[PERPETUAL].tiers == ()
        await it.reader.derivatives()
        await it.settled()
        expected = (MarginTier(D(0), D("0.005"), D(75)), MarginTier(D(10000), D("0.01"), D(50)))
        assert (await it.market.instruments())[PERPETUAL].tiers == expected
        it.clock.advance(3600)
        await it.market.instruments()
        await it.settled()
        assert (await it.market.instruments())[PERPETUAL].tiers == expected


async def test_an_inverse_position_leaves_the_margin_unknown() -> None:
    """Coins back it: the formula for dollars does not hold."""
    async with silent() as it:
        it.truth.more.coins = {"BTC": D(1)}
        it.truth.more.held = {"BTCUSD_PERP": _coin_held()}
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.maintenance is None
    assert not margin.estimated


def _coin_held() -> Any:
    from tests.venues.binance_more import CoinHeld

    return CoinHeld(D(-10), D(60000))


async def test_the_clock_is_measured_again_every_ten_minutes() -> None:
    """The skew is ours − the venue's; a later measurement runs beside the reads and delays none."""
    async with bench() as it:
        assert it.opened.skew_seconds is None
        it.truth.now = lambda: int(it.clock.now().timestamp() * 1000) - 2500
        await it.reader.balances("spot")
        assert it.opened.skew_seconds == 2.5
        it.paths()
        it.clock.advance(599)
        await it.reader.balances("spot")
        assert "/api/v3/time" not in it.paths()
        it.truth.now = lambda: int(it.clock.now().timestamp() * 1000) + 4000
        it.clock.advance(1)
        await it.reader.balances("spot")
        await it.settled()
        assert it.paths().count("/api/v3/time") == 1
        assert it.opened.skew_seconds == -4.0


async def test_a_clock_that_cannot_be_measured_again_fails_no_read() -> None:
    """The last measurement stands; it is tried again each minute."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.server.faults["/api/v3/time"] = "500"
        it.paths()
        for wait, asked in ((600, 1), (1, 0), (60, 1)):
            it.clock.advance(wait)
            assert (await it.reader.balances("spot")).value
            await it.settled()
            assert it.paths().count("/api/v3/time") == asked
        assert it.opened.skew_seconds == 0.0


async def test_a_slow_answer_is_no_skew() -> None:
    """Only what the way there and back cannot account for counts."""
    async with bench() as it:
        fetch_time = it.exchange.fetch_time

        async def slowly(*arguments: Any) -> Any:
            answer = await fetch_time(*arguments)
            it.clock.advance(3)
            return answer

        it.exchange.fetch_time = slowly
        it.truth.now = lambda: int(it.clock.now().timestamp() * 1000) - 2000
        await it.reader.balances("spot")
    assert it.opened.skew_seconds == 2.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Permissions(read=True, trade=True, withdraw=False, bound_to_address=True)),
        ({"enableWithdrawals": True}, Permissions(read=True, trade=True, withdraw=True, bound_to_address=True)),
        ({"enableFutures": False}, Permissions(read=True, trade=False, withdraw=False, bound_to_address=True)),
        ({"ipRestrict": False}, Permissions(read=True, trade=True, withdraw=False, bound_to_address=False)),
    ],
)
async def test_what_the_key_may_do(change: dict[str, bool], expected: Permissions) -> None:
    """Each of the venue's words is one of ours."""
    async with bench() as it:
        it.truth.more.key |= change
        assert await it.opened.permissions() == expected


async def test_permissions_that_are_not_true_or_false_are_no_answer() -> None:
    """A withdrawal right of null or "false" is not the absence of one; without a key there is nothing to ask."""
    async with bench() as it:
        for value in (None, "false", 0):
            it.truth.more.key["enableWithdrawals"] = value
            with pytest.raises(Exception, match="expected true or false"):
                await it.opened.permissions()
        it.server.faults["/sapi/v1/account/apiRestrictions"] = "500"
        with pytest.raises(Unreachable, match="key permissions"):
            await it.opened.permissions()
        it.server.api_key = "another"
        it.server.faults.clear()
        with pytest.raises(Refused):
            await it.opened.permissions()
    async with bench(credentials=None) as it:
        assert await it.opened.permissions() is None
        assert it.paths() == []


async def test_a_long_that_nothing_liquidates_has_no_price() -> None:
    """Filled or not, None is what it is; the maintenance says that it was looked at."""
    async with silent() as it:
        it.truth.positions = {"ETHUSDT": Held(D(1), D(3000))}
        (position,) = (await it.reader.derivatives()).value.positions
    assert (position.liquidation_price, position.maintenance_margin) == (None, 15)
