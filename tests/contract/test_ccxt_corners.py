"""What is not read every time and must not be left out unsaid: options, standard futures, isolated margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from hedged.errors import Refused, Unreadable
from hedged.model.snapshot import Balance
from tests.venues import binance_bench, bingx_bench, bybit_bench, gate_bench
from tests.venues.binance_venue import Margin

D = Decimal


@dataclass(frozen=True)
class Corner:
    """`hold`: a position there, and none any more. `fault`: of a reply that only this corner has; None: shared."""

    bench: Callable[..., Any]
    path: str
    hold: Callable[[Any], None]
    leave: Callable[[Any], None]
    symbol: str
    what: str
    alone: bool = True  # nothing else is asked by this path


def binance_option(truth: Any) -> None:
    truth.options = [{"symbol": "BTC-270326-90000-C", "side": "SHORT", "quantity": "-0.1", "markPrice": "1050.01"}]


def standard(truth: Any) -> None:
    truth.standard = [{"symbol": "BTC-USDT", "positionSide": "LONG", "positionAmt": "0.5", "entryPrice": 60000}]


def gate_option(truth: Any) -> None:
    truth.options = [{"contract": "ETH_USDT-20270326-4000-C", "size": -2, "entry_price": "100"}]


def gate_leaves(truth: Any) -> None:
    truth.options = []


CORNERS = {
    "binance": Corner(
        binance_bench.bench,
        "/eapi/v1/position",
        binance_option,
        lambda truth: truth.options.clear(),
        "BTC-270326-90000-C",
        "options",
    ),
    "bybit": Corner(
        bybit_bench.bench,
        "/v5/position/list",
        lambda truth: truth.options.update({"ETH-26MAR27-4000-P-USDT": "1.5"}),
        lambda truth: truth.options.clear(),
        "ETH-26MAR27-4000-P-USDT",
        "options",
        alone=False,
    ),
    "bingx": Corner(
        bingx_bench.bench,
        "/openApi/contract/v1/allPosition",
        standard,
        lambda truth: truth.standard.clear(),
        "BTC-USDT",
        "standard futures",
    ),
    "gate": Corner(
        gate_bench.bench,
        "options/positions",
        gate_option,
        gate_leaves,
        "ETH_USDT-20270326-4000-C",
        "options",
    ),
}


def full(path: str) -> str:
    """Gate's bench leaves out what all of its paths begin with."""
    return path if path.startswith("/") else f"/api/v4/{path}"


EVERY = pytest.mark.parametrize("corner", CORNERS.values(), ids=CORNERS)


@EVERY
async def test_a_position_that_cannot_be_valued_refuses_the_account(corner: Corner) -> None:
    """Named, with the way out, as long as it is there; read again as soon as it is closed."""
    async with corner.bench() as it:
        corner.hold(it.truth)
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await it.reader.derivatives()
            for word in (corner.symbol, corner.what, "close it"):
                assert word in str(refused.value)
        corner.leave(it.truth)
        assert (await it.reader.derivatives()).value.positions


@EVERY
async def test_it_is_looked_for_hourly(corner: Corner) -> None:
    """While there is none nothing more is asked; one that is opened is seen within the hour."""
    async with corner.bench() as it:
        await it.reader.derivatives()
        first = it.paths().count(corner.path)
        corner.hold(it.truth)
        await it.reader.derivatives()
        assert it.paths().count(corner.path) == first - 1
        it.clock.advance(3600)
        with pytest.raises(Refused, match=corner.symbol):
            await it.reader.derivatives()


@pytest.mark.parametrize("fault", ["500", "html", "drop", "403", "object"])
@pytest.mark.parametrize("corner", [each for each in CORNERS.values() if each.alone], ids=lambda each: each.what)
async def test_one_that_cannot_be_looked_into_keeps_nothing_else_from_being_read(corner: Corner, fault: str) -> None:
    """It is said once, and asked again later; what is found then counts."""
    async with corner.bench() as it:
        corner.hold(it.truth)
        it.server.faults[full(corner.path)] = fault
        with capture_logs() as lines:
            for _ in range(2):
                assert (await it.reader.derivatives()).value.positions
                it.clock.advance(300)
        said = [line for line in lines if line["event"] == "not_looked_into"]
        assert [(line["account"], line["what"]) for line in said] == [("main", corner.what)]
        it.server.faults.clear()
        it.clock.advance(3600)
        with pytest.raises(Refused, match=corner.symbol):
            await it.reader.derivatives()


@pytest.mark.parametrize("corner", [each for each in CORNERS.values() if each.alone], ids=lambda each: each.what)
async def test_one_that_holds_something_has_to_be_readable(corner: Corner) -> None:
    """Once a position was seen there, an unreadable reply is not 'closed'."""
    async with corner.bench() as it:
        corner.hold(it.truth)
        with pytest.raises(Refused):
            await it.reader.derivatives()
        it.server.faults[full(corner.path)] = "html"
        with pytest.raises(Unreadable, match=corner.what):
            await it.reader.derivatives()


async def test_isolated_margin_is_part_of_the_margin_wallet() -> None:
    """Coins, reserves, debt and interest of both sides of every pair, added to cross margin's."""
    async with binance_bench.bench() as it:
        it.truth.margin = {"SOL": Margin(D(5), D(0), D("2.5"), D("0.5")), "USDT": Margin(D(100))}
        it.truth.isolated = {
            "SOL": (Margin(D(1), D(2), D(4), D("0.25")), Margin(D(50), D(0), D(7), D(1))),
            "ETH": (Margin(D("0.5")), Margin()),
            "BTC": (Margin(), Margin()),
        }
        expected = {
            "SOL": Balance("SOL", D(6), D(2), D("7.25")),
            "USDT": Balance("USDT", D(150), D(0), D(8)),
            "ETH": Balance("ETH", D("0.5")),
        }
        for _ in range(2):
            found = (await it.reader.balances("margin")).value
            assert {balance.asset: balance for balance in found} == expected
        it.server.faults["/sapi/v1/margin/isolated/account"] = "html"
        with pytest.raises(Unreadable, match="isolated margin"):
            await it.reader.balances("margin")


async def test_an_account_without_isolated_margin_is_asked_hourly() -> None:
    """Where no pair is used, or the key may not see them, cross margin is the wallet."""
    path = "/sapi/v1/margin/isolated/account"
    async with binance_bench.bench() as it:
        it.truth.margin = {"SOL": Margin(D(5))}
        it.truth.isolated = {"ETH": (Margin(), Margin())}
        for _ in range(2):
            assert (await it.reader.balances("margin")).value == (Balance("SOL", D(5)),)
        assert it.paths().count(path) == 1
        it.clock.advance(3600)
        it.server.faults[path] = "403"
        assert (await it.reader.balances("margin")).value == (Balance("SOL", D(5)),)
        it.server.faults.clear()
        it.truth.isolated["ETH"] = (Margin(D(1)), Margin())
        it.clock.advance(3600)
        assert Balance("ETH", D(1)) in (await it.reader.balances("margin")).value


async def test_the_test_systems_have_no_such_corners() -> None:
    """Binance's demo has no options and BingX's no standard futures: nothing is asked."""
    for module, corner in ((binance_bench, CORNERS["binance"]), (bingx_bench, CORNERS["bingx"])):
        async with module.bench(sandbox=True) as it:
            await it.reader.derivatives()
            assert corner.path not in it.paths()
