"""No writing call leaves, whatever is called: the guard stops it before a byte is sent."""

from __future__ import annotations

from typing import Any

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from tests.venues.binance_bench import bench

SYMBOL = "ETH/USDT:USDT"
UNIFIED: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 1)),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_orders", ([{"symbol": SYMBOL, "type": "market", "side": "buy", "amount": 1}],)),
    ("create_market_sell_order", (SYMBOL, 1)),
    ("create_reduce_only_order", (SYMBOL, "market", "buy", 1)),
    ("create_convert_trade", ("1", "ETH", "USDT")),
    ("edit_order", ("1", SYMBOL, "limit", "sell", 1, 3000)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_orders", (["1"], SYMBOL)),
    ("cancel_all_orders", (SYMBOL,)),
    ("transfer", ("USDT", 1, "spot", "future")),
    ("withdraw", ("USDT", 1, "0x" + "1" * 40, {"network": "ETH"})),
    ("set_leverage", (5, SYMBOL)),
    ("set_margin_mode", ("cross", SYMBOL)),
    ("set_position_mode", (False, SYMBOL)),
    ("add_margin", (SYMBOL, 1)),
    ("reduce_margin", (SYMBOL, 1)),
    ("borrow_cross_margin", ("USDT", 1)),
    ("borrow_isolated_margin", ("ETH/USDT", "USDT", 1)),
    ("repay_cross_margin", ("USDT", 1)),
    ("repay_isolated_margin", ("ETH/USDT", "USDT", 1)),
]


@pytest.mark.parametrize(("method", "arguments"), UNIFIED, ids=lambda value: value if isinstance(value, str) else "")
async def test_no_unified_writing_method_reaches_the_venue(method: str, arguments: tuple[Any, ...]) -> None:
    """ccxt's own writing methods raise, and the server sees no request."""
    async with bench() as it:
        await it.market.instruments()
        await it.reader.balances("spot")
        it.paths()
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert it.paths() == []


async def test_no_endpoint_that_writes_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of Binance and that is not a GET raises, but for the one POST that reads."""
    async with bench() as it:
        await it.market.instruments()
        await it.reader.balances("spot")
        it.paths()
        tried = 0
        for method, path, sections in _endpoints(it.exchange.api):
            if method == "GET" or (method, path) == ("POST", "asset/get-funding-asset"):
                continue
            with pytest.raises(NotAllowed):
                await it.exchange.request(path, sections, method, {"symbol": "ETHUSDT"})
            tried += 1
        assert tried > 200
        assert it.paths() == []


async def test_a_get_that_is_not_listed_is_not_sent_either() -> None:
    """Some venues place orders by GET: only endpoints that a dialect lists go out."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.paths()
        with pytest.raises(NotAllowed):
            await it.exchange.sapiGetAccountStatus()
        assert it.paths() == []


def _endpoints(api: Any, sections: tuple[str, ...] = ()) -> Any:
    """(method, path, sections) of ccxt's table of endpoints."""
    for key, inner in api.items():
        if key in {"get", "post", "put", "delete", "patch"}:
            for path in inner:
                yield key.upper(), path, list(sections)
        else:
            yield from _endpoints(inner, (*sections, key))
