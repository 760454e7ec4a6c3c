"""No writing call leaves for OKX, whatever is called: the guard stops it before a byte is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from tests.venues.okx_bench import Bench, bench

SYMBOL = "ETH/USDT:USDT"
UNIFIED: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 1)),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_orders", ([{"symbol": SYMBOL, "type": "market", "side": "buy", "amount": 1}],)),
    ("create_market_sell_order", (SYMBOL, 1)),
    ("create_reduce_only_order", (SYMBOL, "market", "buy", 1)),
    ("create_convert_trade", ("1", "ETH", "USDT", 1)),
    ("edit_order", ("1", SYMBOL, "limit", "sell", 1, 3000)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_orders", (["1"], SYMBOL)),
    ("cancel_all_orders_after", (10_000,)),
    ("close_position", (SYMBOL,)),
    ("transfer", ("USDT", 1, "funding", "trading")),
    ("set_leverage", (5, SYMBOL, {"marginMode": "cross"})),
    ("set_position_mode", (False, SYMBOL)),
    ("add_margin", (SYMBOL, 1)),
    ("reduce_margin", (SYMBOL, 1)),
    ("borrow_cross_margin", ("USDT", 1)),
    ("repay_cross_margin", ("USDT", 1, {"id": "1"})),
]


async def _ready(it: Bench) -> None:
    await it.market.instruments()
    await it.reader.balances("spot")
    it.paths()


@pytest.mark.parametrize(("method", "arguments"), UNIFIED, ids=lambda value: value if isinstance(value, str) else "")
async def test_no_unified_writing_method_reaches_the_venue(method: str, arguments: tuple[Any, ...]) -> None:
    """ccxt's own writing methods raise, and the server sees no request."""
    async with bench() as it:
        await _ready(it)
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert it.paths() == []


async def test_no_endpoint_that_is_not_listed_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of OKX and the dialect does not list raises, GET or not; nothing is sent."""
    async with bench() as it:
        await _ready(it)
        tried = {"GET": 0, "POST": 0}
        for method, path, section in _endpoints(it.exchange.api):
            if (method, f"/api/v5/{path}") in it.dialect.endpoints:
                continue
            with pytest.raises(NotAllowed):
                await it.exchange.request(path, [section], method, {"instId": "ETH-USDT-SWAP"})
            tried[method] += 1
        assert tried["GET"] > 150
        assert tried["POST"] > 100
        assert it.paths() == []


def _endpoints(api: Any) -> Iterator[tuple[str, str, str]]:
    for section, methods in api.items():
        for method, paths in methods.items():
            for path in paths:
                yield method.upper(), path, section
