"""No writing call to Bybit leaves, whatever is called: the guard stops it before a byte is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from tests.venues.bybit_bench import bench

SYMBOL = "ETH/USDT:USDT"
UNIFIED: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 1)),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_orders", ([{"symbol": SYMBOL, "type": "market", "side": "buy", "amount": 1}],)),
    ("create_market_sell_order", (SYMBOL, 1)),
    ("create_reduce_only_order", (SYMBOL, "market", "buy", 1)),
    ("create_market_buy_order_with_cost", ("ETH/USDT", 100)),
    ("create_convert_trade", ("1", "ETH", "USDT")),
    ("edit_order", ("1", SYMBOL, "limit", "sell", 1, 3000)),
    ("edit_orders", ([{"id": "1", "symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 1, "price": 3000}],)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_orders", (["1"], SYMBOL)),
    ("cancel_orders_for_symbols", ([{"id": "1", "symbol": SYMBOL}],)),
    ("cancel_all_orders", (SYMBOL,)),
    ("cancel_all_orders_after", (10000,)),
    ("transfer", ("USDT", 1, "unified", "fund")),
    ("withdraw", ("USDT", 1, "0x" + "1" * 40, {"network": "ERC20"})),
    ("set_leverage", (5, SYMBOL)),
    ("set_margin_mode", ("cross", SYMBOL, {"leverage": 5})),
    ("set_position_mode", (False, SYMBOL)),
    ("borrow_cross_margin", ("USDT", 1)),
    ("repay_cross_margin", ("USDT", 1)),
    ("upgrade_unified_trade_account", ()),
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


async def test_no_endpoint_beyond_the_list_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of Bybit and the dialect does not list raises, and the server sees no request."""
    async with bench() as it:
        await it.market.instruments()
        await it.reader.balances("spot")
        it.paths()
        tried = {"GET": 0, "POST": 0}
        for method, path, sections in _endpoints(it.exchange.api):
            if (method, f"/{path}") in it.dialect.endpoints:
                continue
            with pytest.raises(NotAllowed):
                await it.exchange.request(path, sections, method, {"symbol": "ETHUSDT"})
            tried[method] += 1
        assert tried["POST"] > 100
        assert tried["GET"] > 100
        assert it.paths() == []


async def test_only_reading_calls_are_listed() -> None:
    """All that may be sent is GET, and Bybit's GETs change nothing."""
    async with bench() as it:
        assert {method for method, _ in it.dialect.endpoints} == {"GET"}


def _endpoints(api: Any, sections: tuple[str, ...] = ()) -> Iterator[tuple[str, str, list[str]]]:
    """(method, path, sections) of ccxt's table of endpoints."""
    for key, inner in api.items():
        if key in {"get", "post", "put", "delete", "patch"}:
            for path in inner:
                yield key.upper(), path, list(sections)
        else:
            yield from _endpoints(inner, (*sections, key))
