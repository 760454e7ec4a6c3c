"""No writing call leaves for WEEX, whatever is called: the guard stops it before a byte is sent."""

from __future__ import annotations

from typing import Any

import pytest

from hedged.adapters.exchanges.dialects.weex import Weex
from hedged.adapters.exchanges.guard import NotAllowed
from tests.venues.weex_bench import bench

SYMBOL = "ETH/USDT:USDT"
UNIFIED: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 1)),
    ("create_order", (SYMBOL, "limit", "buy", 1, 3000, {"stopLossPrice": 2000})),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_reduce_only_order", (SYMBOL, "market", "buy", 1)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_order", ("1", "ETH/USDT")),
    ("cancel_orders", (["1"], SYMBOL)),
    ("cancel_all_orders", (SYMBOL,)),
    ("close_position", (SYMBOL,)),
    ("close_all_positions", ()),
    ("set_leverage", (5, SYMBOL, {"marginMode": "cross"})),
    ("set_margin_mode", ("cross", SYMBOL)),
    ("set_position_mode", (False, SYMBOL, {"marginMode": "cross"})),
    ("add_margin", (SYMBOL, 1, {"positionId": "1"})),
    ("reduce_margin", (SYMBOL, 1, {"positionId": "1"})),
]
READING_POSTS = {("POST", "/capi/v3/account/income"), ("POST", "/api/v3/account/bills")}


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


async def test_no_endpoint_that_is_not_listed_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of WEEX and that the dialect does not list raises, GET or not."""
    async with bench() as it:
        await it.market.instruments()
        await it.reader.balances("spot")
        it.paths()
        tried = 0
        for section, methods in it.exchange.api.items():
            for method, paths in methods.items():
                for path in paths:
                    if (method.upper(), f"/{path}") in Weex.endpoints:
                        continue
                    with pytest.raises(NotAllowed):
                        await it.exchange.request(path, [section], method.upper(), {"symbol": "ETHUSDT"})
                    tried += 1
        assert tried > 70
        assert it.paths() == []


def test_the_only_posts_are_histories() -> None:
    """Two of the venue's histories are asked for by POST; no other method than GET is listed."""
    assert {key for key in Weex.endpoints if key[0] != "GET"} == READING_POSTS
