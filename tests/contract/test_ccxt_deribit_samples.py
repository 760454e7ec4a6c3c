"""Replies as Deribit's documentation and ccxt's maintainers show them go through the adapter."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hedged.assess.exposure import delta_of
from hedged.errors import Unreadable
from hedged.model.instrument import ContractKind
from hedged.model.snapshot import Balance, Margin
from tests.support import need_shared
from tests.venues.deribit_bench import INVERSE, bench
from tests.venues.deribit_server import PREFIX

D = Decimal


def sample(name: str) -> Any:
    return json.loads((need_shared("venues/deribit") / name).read_text())


async def test_a_wallet() -> None:
    """A small sum of bitcoin, in an account's reply from before spot orders had reserves."""
    async with bench() as it:
        reply = json.dumps(sample("fetch_balance.doc1.json")["httpResponse"])
        it.server.replies[f"{PREFIX}private/get_account_summaries"] = reply
        assert (await it.reader.balances("spot")).value == (Balance("BTC", D("0.00062359")),)


async def test_an_inverse_position() -> None:
    """Fifty dollars of bitcoin, just settled: it moves like what it is worth, whatever it was opened at."""
    async with bench() as it:
        reply = sample("fetch_positions.doc1.json")["httpResponse"]
        it.server.replies[f"{PREFIX}private/get_positions"] = json.dumps(reply)
        derivatives = (await it.reader.derivatives()).value
        listed = await it.market.instruments()
        reply["result"][0] |= {"direction": "sell", "size": -50, "size_currency": "-0.006687487"}
        it.server.replies[f"{PREFIX}private/get_positions"] = json.dumps(reply)
        (short,) = (await it.reader.derivatives()).value.positions
    (long,) = derivatives.positions
    mark = D("7476.65")
    assert (long.instrument, long.contracts, long.trusted) == (INVERSE, D(50), True)
    assert (short.contracts, short.trusted) == (D(-50), True)
    assert long.entry_price == mark
    assert delta_of(listed[INVERSE], long) == pytest.approx(D("0.006687487"), abs=D("1e-9"))
    assert (long.liquidation_price, long.unrealised_pnl) == (D("1.74"), D(0))
    assert long.maintenance_margin == D("0.000143783") * mark
    assert derivatives.margin is not None
    assert derivatives.margin.maintenance is not None


async def test_margin_of_a_wallet_and_a_position_that_belong_together() -> None:
    """A pool is valued at the index price of its coin; the account without that currency is no account of this."""
    async with bench() as it:
        summaries = sample("fetch_balance.doc1.json")["httpResponse"]
        positions = sample("fetch_positions.doc1.json")["httpResponse"]
        summaries["result"]["summaries"][0] |= {"maintenance_margin": "0.000143783"}
        it.server.replies[f"{PREFIX}private/get_positions"] = json.dumps(positions)
        it.server.replies[f"{PREFIX}private/get_account_summaries"] = json.dumps(summaries)
        index = D("7466.79")
        assert (await it.reader.derivatives()).value.margin == Margin(
            D("0.00062359") * index, D("0.000143783") * index, D("0.00062359") * index
        )
        summaries["result"]["summaries"][0]["currency"] = "ETH"
        it.server.replies[f"{PREFIX}private/get_account_summaries"] = json.dumps(summaries)
        with pytest.raises(Unreadable, match="lacks BTC, in which positions are held"):
            await it.reader.derivatives()


async def test_books_of_options_are_no_quotes() -> None:
    """A row of the sample is an option's: it answers for no contract that is read here."""
    async with bench() as it:
        reply = json.dumps(sample("fetch_tickers.doc1.json")["httpResponse"])
        it.server.replies[f"{PREFIX}public/get_book_summary_by_currency"] = reply
        assert await it.market.quotes([INVERSE]) == {}


async def test_real_market_rows() -> None:
    """The venue's own listing rows are understood: dollars and coins, steps, expiry, and what is spot is no contract."""
    listed = sample("markets.json")
    async with bench() as it:
        reply = json.dumps({"result": [market["info"] for market in listed.values()]})
        it.server.replies[f"{PREFIX}public/get_instruments"] = reply
        found = {i.symbol: i for i in (await it.market.instruments()).values()}
    assert set(found) == {symbol for symbol, market in listed.items() if market["contract"]}
    linear, inverse, dated = (found[s] for s in ("BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USD:BTC-261225"))
    assert (linear.linear, linear.lot_size, linear.tick_size) == (True, D("0.001"), D(1))
    assert (inverse.linear, inverse.lot_size, inverse.tick_size) == (False, D(10), D("0.5"))
    assert {i.multiplier for i in found.values()} == {D(1)}
    assert (dated.kind, dated.expiry) == (ContractKind.FUTURE, datetime(2026, 12, 25, 8, tzinfo=UTC))
    assert (linear.expiry, linear.delisting) == (None, None)
