"""Replies as the venue documents them, and its own listing rows, go through the adapter."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Balance, Doubt, Margin, Position
from tests.support import T0, need_shared
from tests.venues.bybit_bench import INVERSE, INVERSE_DATED, PERPETUAL, Bench, bench
from tests.venues.bybit_venue import Coin

D = Decimal
BITCOIN = InstrumentId("main:BTC/USDT:USDT")
RIPPLE = InstrumentId("main:XRP/USDT:USDT")


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(need_shared(f"venues/bybit/{name}.json").read_text())["httpResponse"]
    return found


def answer_with(it: Bench, path: str, name: str) -> None:
    it.server.replies[path] = json.dumps(sample(name))


async def test_a_unified_wallet() -> None:
    """Coins without debt, and margin from the account's own totals in dollars."""
    async with bench() as it:
        it.truth.positions = {}
        answer_with(it, "/v5/account/wallet-balance", "fetch_balance.doc1")
        assert (await it.reader.balances("spot")).value == (Balance("BTC", D("0.805994")),)
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(
        equity=D("18070.32797922"), maintenance=D("0.38106773"), available=D("17887.72614237"), estimated=False
    )


@pytest.mark.parametrize("name", ["fetch_balance.doc2", "fetch_borrow_interest.doc1"])
async def test_the_classic_margin_account_is_not_read(name: str) -> None:
    """Replies of the account type before the unified one have another form: an error, never an empty wallet."""
    async with bench() as it:
        answer_with(it, "/v5/account/wallet-balance", name)
        for read in (it.reader.balances("spot"), it.reader.derivatives()):
            with pytest.raises(Unreadable, match="unified wallet"):
                await read


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "fetch_positions.doc1",
            Position(PERPETUAL, D("0.5"), entry_price=D("1073.85"), maintenance_margin=D("2.9745645")),
        ),
        (
            "fetch_positions.doc2",
            Position(
                RIPPLE,
                D(100),
                entry_price=D("0.3615"),
                liquidation_price=D("0.0001"),
                unrealised_pnl=D("-1.83"),
                maintenance_margin=D("0.381021"),
            ),
        ),
        (
            "fetch_positions.doc3",
            Position(
                PERPETUAL,
                D("0.10"),
                entry_price=D("1198.45"),
                liquidation_price=D("919.10"),
                unrealised_pnl=D("0.083"),
            ),
        ),
    ],
)
async def test_positions(name: str, expected: Position) -> None:
    """Size with sign and what else is told; what is not told is None. A row on every page is one position."""
    async with bench() as it:
        answer_with(it, "/v5/position/list", name)
        assert (await it.reader.derivatives()).value.positions == (expected,)
        instrument = (await it.market.instruments())[expected.instrument]
    assert instrument.base_quantity(expected.contracts, D(1)) == expected.contracts
    assert expected.trusted


async def test_tickers() -> None:
    """Mark, index, book and funding of an inverse contract, as of the venue's time."""
    async with bench() as it:
        answer_with(it, "/v5/market/tickers", "fetch_tickers.doc1")
        read = (await it.market.quotes([INVERSE]))[INVERSE]
    quote = read.value
    assert read.as_of == datetime(2022, 12, 30, 5, 1, 36, 682000, tzinfo=UTC)
    assert (quote.mark, quote.index) == (D("16596.00"), D("16598.54"))
    assert (quote.bid, quote.ask) == (D("16596.00"), D("16597.50"))
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("-0.001034"), 8)
    assert quote.funding_next == datetime(2022, 12, 30, 8, tzinfo=UTC)


async def test_funding_rates() -> None:
    """The older form of a ticker has no book that is read; mark and funding are there."""
    async with bench() as it:
        answer_with(it, "/v5/market/tickers", "fetch_funding_rates.doc1")
        quote = (await it.market.quotes([BITCOIN, PERPETUAL]))[BITCOIN].value
    assert (quote.mark, quote.funding_rate, quote.bid) == (D("19255.00"), D("0.0001"), None)


async def test_funding_and_orders_explain_only_what_they_moved() -> None:
    """A funding row has a quantity and moves no position; an executed order moves its own."""
    async with bench() as it:
        answer_with(it, "/v5/execution/list", "fetch_funding_history.doc1")
        answer_with(it, "/v5/order/history", "fetch_open_orders.doc1")
        gone = Doubt(BITCOIN, "main", "BTC", BITCOIN, D("0.001"), D(0), polls=1)
        assert await it.reader.explain(gone, T0) == (
            "orders since 2026-11-02 12:00 UTC executed -0.001 contracts in all"
        )
        monero = Doubt(RIPPLE, "main", "XRP", RIPPLE, D("0.98"), D(0), polls=1)
        assert await it.reader.explain(monero, T0) is None


async def test_real_market_rows() -> None:
    """The venue's own listing rows are understood: their rules, dated and inverse contracts."""
    listed = json.loads(need_shared("venues/bybit/markets.json").read_text())

    def categories(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
        if path == "/v5/market/instruments-info":
            kind = {"spot": "spot", "linear": "linear", "inverse": "inverse"}[asked["category"]]
            rows = [market["info"] for market in listed.values() if market[kind]]
            result["list"] = [] if "status" in asked else rows

    async with bench() as it:
        it.server.patch = categories
        instruments = await it.market.instruments()
        it.truth.positions = {}
        it.truth.coins = {"USDT": Coin(D(1))}
        assert (await it.reader.derivatives()).value.positions == ()
    assert set(instruments) == {f"main:{symbol}" for symbol, market in listed.items() if market["contract"]}
    assert instruments[BITCOIN].tick_size == D("0.10")
    assert instruments[BITCOIN].notional_min == 5
    assert (instruments[INVERSE].lot_size, instruments[INVERSE].notional_min) == (1, 0)
    assert instruments[INVERSE_DATED].expiry == datetime(2026, 12, 25, 8, tzinfo=UTC)
