"""No writing call leaves for BingX, whatever is called: the guard stops it before a byte is sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from tests.venues.bingx_bench import bench

SYMBOL = "ETH/USDT:USDT"
UNIFIED: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 1)),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_orders", ([{"symbol": SYMBOL, "type": "market", "side": "buy", "amount": 1}],)),
    ("edit_order", ("1", SYMBOL, "limit", "sell", 1, 3000)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_orders", (["1"], SYMBOL)),
    ("cancel_all_orders", (SYMBOL,)),
    ("cancel_all_orders_after", (10000, {"type": "swap"})),
    ("close_position", (SYMBOL,)),
    ("close_all_positions", ()),
    ("transfer", ("USDT", 1, "spot", "swap")),
    ("withdraw", ("USDT", 1, "0x" + "1" * 40, {"network": "ERC20"})),
    ("set_leverage", (5, SYMBOL, {"side": "BOTH"})),
    ("set_margin_mode", ("cross", SYMBOL)),
    ("set_position_mode", (False, SYMBOL)),
    ("set_margin", (SYMBOL, 1, {"type": 1})),
]


@pytest.mark.parametrize(("method", "arguments"), UNIFIED, ids=lambda value: value if isinstance(value, str) else "")
async def test_no_unified_writing_method_reaches_the_venue(method: str, arguments: tuple[Any, ...]) -> None:
    """ccxt's own writing methods raise, and the server sees no request."""
    async with bench() as it:
        await it.market.instruments()
        it.exchange.currencies["USDT"] = {"id": "USDT", "code": "USDT", "precision": "0.01", "networks": {}}
        it.paths()
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert it.paths() == []


async def test_only_listed_endpoints_reach_the_venue() -> None:
    """Of all that ccxt knows of BingX, reading or writing, what the dialect does not list is not sent."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        tried = 0
        it.exchange.nonce = lambda: "1793620800000"  # ccxt cannot sign some of these with a number
        for method, path, sections in _endpoints(it.exchange.api):
            if sections[0] not in it.exchange.urls["api"]:
                continue  # ccxt has no address for these
            address = it.exchange.sign(path, sections, method, {"symbol": "ETH-USDT"})["url"]
            if (method, urlsplit(address).path) in it.dialect.endpoints:
                continue
            with pytest.raises(NotAllowed):
                await it.exchange.request(path, sections, method, {"symbol": "ETH-USDT"})
            tried += 1
        assert tried > 120
        assert it.paths() == []
        assert {method for method, _ in it.dialect.endpoints} == {"GET"}


def _endpoints(api: Any, sections: tuple[str, ...] = ()) -> Any:
    """(method, path, sections) of ccxt's table of endpoints."""
    for key, inner in api.items():
        if key in {"get", "post", "put", "delete", "patch"}:
            for path in inner:
                yield key.upper(), path, list(sections)
        else:
            yield from _endpoints(inner, (*sections, key))
