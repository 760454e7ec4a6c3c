"""Positions of every segment of a Bybit account, or none at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Position
from tests.venues.bybit_bench import DATED, IN_USDC, INVERSE, INVERSE_DATED, PERPETUAL, bench, patch_row
from tests.venues.bybit_venue import Held

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")


async def test_positions_of_every_segment_are_signed() -> None:
    """Longs and shorts in USDT, USDC and inverse, perpetual and dated; money is in the quote currency throughout."""
    async with bench() as it:
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    found = {position.instrument: position for position in read.value.positions}
    assert found[PERPETUAL] == Position(
        instrument=PERPETUAL,
        contracts=D(-2),
        entry_price=D(3100),
        liquidation_price=D(6000),
        unrealised_pnl=D(200),
        maintenance_margin=D(30),
    )
    assert found[INVERSE] == Position(
        instrument=INVERSE,
        contracts=D(-30000),
        entry_price=D(50000),
        liquidation_price=D(120000),
        unrealised_pnl=D(-6000),  # −0.1 BTC at the mark
        maintenance_margin=D(150),  # 0.0025 BTC at the mark
    )
    assert {name: position.contracts for name, position in found.items()} == {
        PERPETUAL: D(-2),
        SOLANA: D(40),
        DATED: D("-1.5"),
        IN_USDC: D("0.25"),
        INVERSE: D(-30000),
        INVERSE_DATED: D(6000),
    }
    assert all(position.trusted for position in found.values())
    assert instruments[INVERSE].base_quantity(found[INVERSE].contracts, D(60000)) == D("-0.5")
    assert instruments[PERPETUAL].base_quantity(found[PERPETUAL].contracts, D(3000)) == D(-2)
    assert read.as_of == it.clock.now()


async def test_fields_that_the_venue_leaves_out_stay_unknown() -> None:
    """Blank, zero or missing optional fields are None: no liquidation price of zero, no maintenance of nothing."""
    gone = {"liqPrice": "0", "unrealisedPnl": "", "positionMM": ..., "markPrice": ""}
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, **gone)
        found = {p.instrument: p for p in (await it.reader.derivatives()).value.positions}
        assert found[PERPETUAL] == Position(PERPETUAL, D(-2), entry_price=D(3100))
        patch_row(it, "/v5/position/list", "list", {"symbol": "BTCUSD"}, markPrice="")
        found = {p.instrument: p for p in (await it.reader.derivatives()).value.positions}
        assert (found[INVERSE].unrealised_pnl, found[INVERSE].maintenance_margin) == (None, None)
        assert found[INVERSE].trusted


@pytest.mark.parametrize("market_id", ["ETHUSDT", "BTCUSD"])
@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.05", False), ("100", False)])
async def test_a_position_worth_something_else_is_not_trusted(market_id: str, factor: str, trusted: bool) -> None:
    """The venue's value of a position, in dollars or coins, must agree with its size within 2 %."""
    async with bench() as it:
        it.truth.positions = {market_id: Held(D(-2), it.truth.mark(market_id))}
        value = D(it.truth._position(market_id)["positionValue"]) * D(factor)
        patch_row(it, "/v5/position/list", "list", {"symbol": market_id}, positionValue=str(value))
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


@pytest.mark.parametrize("price", ["entry", "mark"])
async def test_the_value_may_be_of_the_entry_or_of_the_mark(price: str) -> None:
    """The venue values positions at their entry; a value at the mark is as right."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(2000))}
        value = "4000" if price == "entry" else "6000"
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, positionValue=value)
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted


async def test_a_position_that_cannot_be_checked_is_not_trusted() -> None:
    """Without entry and mark nothing confirms the size."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, avgPrice="", markPrice="")
        found = {p.instrument: p for p in (await it.reader.derivatives()).value.positions}
    assert not found[PERPETUAL].trusted
    assert found[SOLANA].trusted


async def test_a_position_in_an_unlisted_symbol_fails_the_read() -> None:
    """Without its listing a contract's size is unknown: the read names the symbol and gives nothing."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHPERP"}, symbol="GONEPERP")
        with pytest.raises(Unreadable, match="GONEPERP"):
            await it.reader.derivatives()


@pytest.mark.parametrize("side", ["", "None", "buy"])
async def test_a_position_without_a_side_fails_the_read(side: str) -> None:
    """A position whose direction is not told is not guessed."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, side=side)
        with pytest.raises(Unreadable, match="side"):
            await it.reader.derivatives()


async def test_an_empty_position_is_none() -> None:
    """A row of size zero, which has no side and no value, is what is left of a closed position."""
    left = {"size": "0", "side": "", "avgPrice": "", "positionValue": ""}
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, **left)
        found = (await it.reader.derivatives()).value.positions
    assert len(found) == 5
    assert PERPETUAL not in {position.instrument for position in found}


async def test_a_position_whose_value_is_blank_fails_the_read() -> None:
    """Blank is right only where nothing is held."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, positionValue="")
        with pytest.raises(Unreadable, match="positionValue"):
            await it.reader.derivatives()


async def test_a_maintenance_below_zero_fails_the_read() -> None:
    """No position gives margin back."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, positionMM="-1")
        with pytest.raises(Unreadable, match="positionMM"):
            await it.reader.derivatives()


async def test_hedge_mode_is_refused_with_the_way_out() -> None:
    """Two positions in one contract are not read as one; the message tells what to switch."""
    async with bench() as it:
        it.truth.hedge_mode = True
        with pytest.raises(Refused, match="Position Mode → One-Way Mode"):
            await it.reader.derivatives()


async def test_every_page_of_every_segment_is_read() -> None:
    """Positions come in pages with a cursor, which is followed to its end."""
    async with bench() as it:
        right = (await it.reader.derivatives()).value
        it.truth.page = 1
        assert (await it.reader.derivatives()).value == right


async def test_a_page_that_moved_is_not_counted_twice() -> None:
    """The same row on two pages is one position; two rows that differ fail the read."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100))}
        sizes = iter(["2", "2", "2", "2", "2", "3"])

        def again(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
            if path == "/v5/position/list" and asked.get("settleCoin") == "USDT":
                row = {**it.truth._position("ETHUSDT"), "size": next(sizes)}
                result.update(list=[row, row], nextPageCursor="" if "cursor" in asked else "1")

        it.server.patch = again
        assert len((await it.reader.derivatives()).value.positions) == 1
        assert len((await it.reader.derivatives()).value.positions) == 1
        with pytest.raises(Unreadable, match="two different positions in ETHUSDT"):
            await it.reader.derivatives()


async def test_pages_without_end_are_given_up() -> None:
    """A venue that always announces a further page does not hold the read for ever, nor is any of it believed."""
    async with bench() as it:

        def endless(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
            if path == "/v5/position/list":
                number = int(asked.get("cursor", "0")) + 1
                result.update(list=[{**it.truth._position("ETHUSDT"), "seq": number}], nextPageCursor=str(number))

        it.server.patch = endless
        with pytest.raises(Unreadable, match="more than 20 pages"):
            await it.reader.derivatives()


async def test_a_segment_that_fails_leaves_no_positions() -> None:
    """Two of three segments are not a portfolio: the read fails as a whole."""
    async with bench() as it:

        def fail(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
            if asked.get("category") == "inverse" and path == "/v5/position/list":
                result["list"] = None

        it.server.patch = fail
        with pytest.raises(Unreadable, match="positions"):
            await it.reader.derivatives()


async def test_both_dollar_segments_are_asked_whatever_is_listed() -> None:
    """A listing without contracts in one of them does not hide the positions there."""
    async with bench() as it:
        asked: set[str | None] = set()

        def unlist(path: str, parameters: dict[str, str], result: dict[str, Any]) -> None:
            if path == "/v5/position/list":
                asked.add(parameters.get("settleCoin"))
            if path == "/v5/market/instruments-info":
                result["list"] = [row for row in result["list"] if row["symbol"] != "ETHPERP"]

        it.server.patch = unlist
        with pytest.raises(Unreadable, match="ETHPERP"):
            await it.reader.derivatives()
    assert asked == {"USDT", "USDC", None}


async def test_a_linear_contract_in_another_coin_is_a_segment_of_its_own() -> None:
    """Positions are asked for by settlement coin: a coin that the venue adds is asked for, too."""
    async with bench() as it:
        asked: list[str | None] = []

        def record(path: str, parameters: dict[str, str], result: dict[str, Any]) -> None:
            if path == "/v5/position/list" and "cursor" not in parameters and parameters["category"] != "option":
                asked.append(parameters.get("settleCoin"))
            for row in result.get("list", ()):
                if path == "/v5/market/instruments-info" and row["symbol"] == "XRPUSDT":
                    row.update(quoteCoin="USDE", settleCoin="USDE")

        it.server.patch = record
        await it.reader.derivatives()
    assert sorted(asked, key=str) == [None, "USDC", "USDE", "USDT"]


async def test_the_oldest_part_dates_the_whole() -> None:
    """Positions and margin are as old as what arrived first of them."""
    async with bench() as it:
        await it.reader.derivatives()
        path = "/v5/account/wallet-balance"
        it.server.held[path] = asyncio.Event()
        it.paths()
        reading = asyncio.create_task(it.reader.derivatives())
        async with asyncio.timeout(5):
            while sum(asked == "/v5/position/list" for _, asked in it.server.requests) < 6:
                await asyncio.sleep(0)
        it.clock.advance(5)
        it.server.held[path].set()
        assert (await reading).as_of == it.clock.now() - timedelta(seconds=5)
