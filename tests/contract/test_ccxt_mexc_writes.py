"""No writing call leaves for MEXC, whatever is called: the guard stops it before a byte is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from tests.venues.mexc_bench import bench

SYMBOL = "ETH/USDT:USDT"
UNIFIED: list[tuple[str, tuple[Any, ...]]] = [
    ("create_order", (SYMBOL, "market", "sell", 1, None, {"leverage": 5})),
    ("create_order", ("ETH/USDT", "limit", "sell", 1, 3000)),
    ("create_orders", ([{"symbol": "ETH/USDT", "type": "limit", "side": "buy", "amount": 1, "price": 3000}],)),
    ("create_market_buy_order_with_cost", ("ETH/USDT", 10)),
    ("cancel_order", ("1", SYMBOL)),
    ("cancel_order", ("1", "ETH/USDT")),
    ("cancel_orders", (["1"], SYMBOL)),
    ("cancel_all_orders", (SYMBOL,)),
    ("close_all_positions", ()),
    ("transfer", ("USDT", 1, "spot", "swap")),
    ("withdraw", ("USDT", 1, "0x" + "1" * 40, {"network": "ERC20"})),
    ("create_deposit_address", ("USDT", {"network": "ERC20"})),
    ("set_leverage", (5, SYMBOL, {"openType": 1, "positionType": 1})),
    ("set_margin_mode", ("cross", SYMBOL, {"leverage": 5, "direction": "long"})),
    ("set_position_mode", (False, SYMBOL)),
    ("add_margin", (SYMBOL, 1, {"positionId": 1})),
    ("reduce_margin", (SYMBOL, 1, {"positionId": 1})),
]


@pytest.mark.parametrize(("method", "arguments"), UNIFIED, ids=lambda value: value if isinstance(value, str) else "")
async def test_no_unified_writing_method_reaches_the_venue(method: str, arguments: tuple[Any, ...]) -> None:
    """What ccxt offers that writes raises, and the server sees no request."""
    async with bench() as it:
        await it.market.instruments()
        await it.reader.balances("spot")
        it.paths()
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await getattr(it.exchange, method)(*arguments)
        assert it.paths() == []


async def test_no_endpoint_but_the_listed_ones_reaches_the_venue() -> None:
    """Every endpoint that ccxt knows of MEXC, writing or reading, is either on the list or raises unsent."""
    filled = {"symbol": "ETH_USDT", "limit": "5", "order_id": "1", "external_oid": "x", "currency": "USDT", "type": "1"}
    async with bench() as it:
        await it.market.instruments()
        await it.reader.balances("spot")
        it.paths()
        tried = let_through = 0
        for method, path, sections in _endpoints(it.exchange.api):
            url = it.exchange.sign(path, sections, method, {**filled, "stop_order_id": "1"})["url"]
            if method == "GET" and _listed(it, url.partition("?")[0].partition(".com")[2]):
                let_through += 1
                continue
            with pytest.raises(NotAllowed):
                await it.exchange.request(path, sections, method, {**filled, "stop_order_id": "1"})
            tried += 1
        assert tried > 180
        assert let_through == len(it.dialect.endpoints) + 1
        assert it.paths() == []


async def test_all_that_is_listed_is_a_get() -> None:
    """At this venue a GET reads and everything else writes."""
    async with bench() as it:
        assert {method for method, _ in it.dialect.endpoints} == {"GET"}


def _listed(it: Any, path: str) -> bool:
    """`funding_rate/{}` also lets the history of rates through, which is as public as the rate."""
    head, _, _ = path.rpartition("/")
    return not {("GET", path), ("GET", f"{head}/{{}}")}.isdisjoint(it.dialect.endpoints)


def _endpoints(api: Any, sections: tuple[str, ...] = ()) -> Iterator[tuple[str, str, list[str]]]:
    """(method, path, sections) of ccxt's table of endpoints."""
    for key, inner in api.items():
        if key in {"get", "post", "put", "delete", "patch"}:
            for path in inner:
                yield key.upper(), path, list(sections)
        else:
            yield from _endpoints(inner, (*sections, key))
