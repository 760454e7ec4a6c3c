"""A streaming instance of ccxt.pro cannot write: not by websocket, not by HTTP, whoever asks it to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hedged.adapters.exchanges.guard import NotAllowed
from hedged.adapters.exchanges.stream_client import verb
from hedged.adapters.exchanges.stream_session import Listening, listen
from hedged.adapters.exchanges.stream_table import TABLES
from tests.venues.streams_bench import VENUES, Stage, stage, symbol

ORDERS = (
    ("create_order_ws", ("ETH/USDT:USDT", "limit", "buy", 1, 3000)),
    ("edit_order_ws", ("1", "ETH/USDT:USDT", "limit", "buy", 1, 3000)),
    ("cancel_order_ws", ("1", "ETH/USDT:USDT")),
)
REST = ("create_order", "cancel_order", "set_leverage", "fetch_balance")
UNABLE = {"NotSupported", "ArgumentsRequired"}


def opened(on: Stage) -> Any:
    """The instance that a private line is watched with."""
    streams = on.streams
    return listen("swap", streams._line, streams._opening, on.it.opened._session, on.clock, told=lambda *_: None)


async def refusal(listening: Listening, call: str, args: tuple[Any, ...]) -> Exception:
    with pytest.raises(Exception) as caught:
        async with asyncio.timeout(5):
            await getattr(listening.exchange, call)(*args)
    return caught.value


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])  # the others have no orders by websocket
async def test_no_order_leaves_by_websocket(venue: str) -> None:
    """Connected and logged in, ccxt.pro's own calls end at the list of words: the venue hears nothing of them."""
    async with stage(venue) as on:
        await on.listening()
        async with opened(on) as listening:
            ways = listening.exchange.urls["api"]["ws"]
            if venue == "bybit":  # orders have a connection of their own there
                ways["private"]["trade"] = ways["private"]["contract"]
            for call, args in ORDERS:
                assert isinstance(await refusal(listening, call, args), NotAllowed), call
        words = {verb(frame) for frame in on.hub.said}
        assert words <= TABLES[venue].says


@pytest.mark.parametrize("venue", VENUES)
async def test_no_http_but_listen_keys(venue: str) -> None:
    """Not even readings: they are polling's, over a line of its own."""
    async with stage(venue) as on:
        await on.listening()
        await on.marked()
        on.it.server.requests.clear()
        async with opened(on) as listening:
            name = symbol(venue)
            asked = ((name, "limit", "buy", 1, 3000), ("1", name), (5, name), ())
            for call, args in zip(REST, asked, strict=True):
                error = await refusal(listening, call, args)
                if venue != "hyperliquid":  # where ccxt stumbles over what is not there: a key, a number, a cache
                    assert isinstance(error, NotAllowed) or type(error).__name__ in UNABLE, call
        assert [path for _, path in on.it.server.requests if "/ws" not in path] == []


@pytest.mark.parametrize(
    "frame",
    [
        {"op": "order", "args": []},
        {"op": "batch-orders"},
        {"op": "order.create", "args": [{}]},
        {"method": "order.place", "params": {}},
        {"method": "order.cancel"},
        {"op": "subscribe", "method": "order.place"},
        {"type": "subscribe", "op": "spot.order"},
        {"op": ["subscribe"]},
        {"args": [{}]},
        {"id": 1, "dataType": "x", "order": {}},
        {},
        [],
        [{"op": "subscribe"}],
        None,
        7,
        "order",
        '{"op":"order"}',
        '{"op":"subscribe"',
        '[{"op":"subscribe"}]',
        "",
    ],
)
def test_frames_that_are_on_no_list(frame: Any) -> None:
    """Neither other verbs nor frames with two of them, none, or a form that nobody wrote down."""
    assert not any(verb(frame) in table.says for table in TABLES.values())


@pytest.mark.parametrize("exchange", TABLES)
def test_the_table_asks_for_what_ccxt_offers(exchange: str) -> None:
    """Every watch method it names is one that this version of ccxt.pro has for the venue."""
    import ccxt.pro

    offered = getattr(ccxt.pro, exchange)().has
    table = TABLES[exchange]
    watches = [table.contracts, table.spot, *(watch for line in table.private for watch in line.watches)]
    for watch in filter(None, watches):
        camel = "".join(part.title() if n else part for n, part in enumerate(watch.method.split("_")))
        assert offered[camel] is True, watch.method
