"""Whatever MEXC answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.errors import Unreachable, Unreadable, VenueError
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.mexc_bench import INVERSE, KEYS, PERPETUAL, Bench, bench
from tests.venues.mexc_venue import Held, Pool
from tests.venues.server import FAULTS

Ask = Callable[[Bench], Awaitable[object]]


def _gone(subject: str, asset: str) -> Doubt:
    return Doubt(subject, "main", asset, None, before=1, now=0, polls=1)  # type: ignore[arg-type]


async def _permissions(it: Bench) -> Any:
    async with it.opened._line.reading("permissions"):
        return await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))


_CLOSED = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, before=-2, now=0, polls=1)  # type: ignore[arg-type]
_PRIVATE = "/api/v1/private"
READS: dict[str, tuple[str, Ask]] = {
    "spot markets": ("/api/v3/exchangeInfo", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "contracts": ("/api/v1/contract/detail", lambda it: it.market.instruments()),
    "server time": ("/api/v3/time", lambda it: it.reader.balances("spot")),
    "spot wallet": ("/api/v3/account", lambda it: it.reader.balances("spot")),
    "margin wallet": ("/api/v3/margin/isolated/account", lambda it: it.reader.balances("margin")),
    "futures wallet": (f"{_PRIVATE}/account/assets", lambda it: it.reader.balances("swap")),
    "margin of futures": (f"{_PRIVATE}/account/assets", lambda it: it.reader.derivatives()),
    "futures positions": (f"{_PRIVATE}/position/open_positions", lambda it: it.reader.derivatives()),
    "position mode": (f"{_PRIVATE}/position/position_mode", lambda it: it.reader.derivatives()),
    "marks of coin margin": ("/api/v1/contract/ticker", lambda it: it.reader.derivatives()),
    "contract tickers": ("/api/v1/contract/ticker", lambda it: it.market.quotes([PERPETUAL, INVERSE])),
    "spot prices": ("/api/v3/ticker/price", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "key permissions": ("/api/v3/apiKeyInfo", _permissions),
    "futures fills": (f"{_PRIVATE}/order/list/order_deals", lambda it: it.reader.explain(_CLOSED, T0)),
    "futures orders": (f"{_PRIVATE}/order/list/history_orders", lambda it: it.reader.explain(_CLOSED, T0)),
    "futures transfers": (
        f"{_PRIVATE}/account/transfer_record",
        lambda it: it.reader.explain(_gone("main/swap/USDT", "USDT"), T0),
    ),
    "funding payments": (
        f"{_PRIVATE}/position/funding_records",
        lambda it: it.reader.explain(_gone("main/swap/USDT", "USDT"), T0),
    ),
    "transfers": ("/api/v3/capital/transfer", lambda it: it.reader.explain(_gone("main/spot/ETH", "ETH"), T0)),
    "withdrawals": (
        "/api/v3/capital/withdraw/history",
        lambda it: it.reader.explain(_gone("main/spot/ETH", "ETH"), T0),
    ),
    "spot fills": ("/api/v3/myTrades", lambda it: it.reader.explain(_gone("main/spot/ETH", "ETH"), T0)),
}
MAY_BE_EMPTY = {"withdrawals", "spot fills"}  # bare lists: an empty one is the venue's way to say that there is none
NOTHING_CAME = {"hang", "drop", "reset", "500", "502", "504", "429", "418", "403"}


def _with_coin_margin(it: Bench) -> None:
    it.truth.pools["BTC"] = Pool(it.truth.prices["BTC"] / 60000)
    it.truth.positions["BTC_USD"] = Held(it.truth.prices["BTC"] / 600, it.truth.prices["BTC"])


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each of eighteen faults raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    path, ask = READS[name]
    right = None
    for fault in FAULTS:
        if fault == "list" and name in MAY_BE_EMPTY:
            continue
        async with bench(time_limit=0.4 if fault == "hang" else 5) as it:
            _with_coin_margin(it)
            it.server.faults[path] = fault
            with pytest.raises(VenueError) as caught:
                await ask(it)
            assert type(caught.value) is (Unreachable if fault in NOTHING_CAME else Unreadable), fault
            assert caught.value.account == "main"
            it.server.faults.clear()
            it.clock.advance(61)
            await it.settled()
            it.server.venue.now = lambda: 1793620800000
            again = _values(await ask(it))
            right = again if right is None else right
            assert again == right, fault


def _values(read: Any) -> Any:
    """Without the times of reading, which the waiting has moved."""
    if isinstance(read, dict):
        return {key: getattr(value, "value", value) for key, value in read.items()}
    if hasattr(read, "expires"):
        return (read.read, read.trade, read.withdraw)
    return getattr(read, "value", read)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[asyncio.Runner, Bench]]:
    """One opened account for all random replies: opening one takes longer than a hundred of them."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        it = runner.run(stack.enter_async_context(bench()))
        _with_coin_margin(it)
        yield runner, it
        runner.run(stack.aclose())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
UNFIT = [None, True, "", [1], {"a": 1}, {}, float("nan")]
UNFIT_NUMBER = [*UNFIT, [], "NaN", "1e999", "abc", "0x10", "1_000", "٣", " 1"]
ENDPOINTS = [name for name in READS if name != "margin of futures"]


@pytest.mark.parametrize("name", ENDPOINTS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(
    running: tuple[asyncio.Runner, Bench], name: str, data: st.DataObject
) -> None:
    """A reply that is anything at all, or right but for one field, gives an error or the right values."""
    runner, it = running
    path, ask = READS[name]
    line = it.opened._line

    async def read(reply: str | None) -> Any:
        line._markets, line._synchronised = None, False
        it.server.replies = {} if reply is None else {path: reply}
        return _values(await ask(it))

    right = runner.run(read(None))
    reply = json.dumps(data.draw(JSON | _enveloped(JSON) | _one_field_unfit(_right_reply(it, path)), label="reply"))
    if name in MAY_BE_EMPTY and reply == "[]":
        return
    if json.loads(reply) == {"success": True, "code": 0, "data": []} and name in {
        "futures positions",
        "futures wallet",
    }:
        return  # the venue's own way to say that there is none
    try:
        values = runner.run(read(reply))
    except VenueError:
        return
    if name in {"spot markets", "contracts"}:  # one that is not listed in full is not listed
        right = {key: value for key, value in right.items() if key in values}
    assert values == right


def _enveloped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner.map(lambda data: {"success": True, "code": 0, "data": data})


def _right_reply(it: Bench, path: str) -> Any:
    public, private = it.server.public(), it.server.private()
    asked = {"symbols": "SOLUSDT", "accessKey": KEYS["apiKey"]}
    data = public[path]() if path in public else private[path](asked)
    return json.loads(json.dumps({"success": True, "code": 0, "data": data} if "/v1/" in path else data))


@st.composite
def _one_field_unfit(draw: st.DrawFn, reply: Any) -> Any:
    """The reply with one field taken out or made into what it cannot be."""
    mutated = copy.deepcopy(reply)
    nodes = list(_nodes(mutated))
    if not nodes:
        return draw(JSON)
    parent, key = draw(st.sampled_from(nodes))
    if isinstance(parent, dict) and draw(st.booleans()):
        del parent[key]
    else:
        is_number = isinstance(parent[key], int | float) or str(parent[key]).replace(".", "").replace("-", "").isdigit()
        parent[key] = draw(st.sampled_from(UNFIT_NUMBER if is_number else UNFIT))
    return mutated


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _nodes(inner)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    caplog.set_level(logging.DEBUG)
    said = io.StringIO()
    for fault in (*FAULTS, "key", "echo"):
        async with bench(time_limit=0.4 if fault == "hang" else 5) as it:
            await it.market.instruments()
            it.server.faults = {} if fault in {"key", "echo"} else {"*": fault}
            if fault == "key":
                it.server.api_key = "another"
            if fault == "echo":  # a venue that repeats what it was sent
                message = f"bad request https://x/?signature={'a' * 64} {KEYS['apiKey']} {KEYS['secret']}"
                for path in ("/api/v3/account", "/api/v3/apiKeyInfo"):
                    it.server.replies[path] = json.dumps({"code": 700004, "msg": message})
                told = {"success": False, "code": 600, "message": message}
                it.server.replies[f"{_PRIVATE}/account/assets"] = json.dumps(told)
            for ask in (
                it.reader.balances("spot"),
                it.reader.balances("swap"),
                it.reader.derivatives(),
                it.market.quotes([PERPETUAL]),
                _permissions(it),
            ):
                try:
                    await ask
                except VenueError as error:
                    print(error, repr(error), error.__cause__, error.__dict__, file=said)
                    traceback.print_exception(error, file=said)
            print(repr(it.opened), repr(it.reader), repr(it.market), vars(it.reader), file=said)
    captured = capsys.readouterr()
    everything = said.getvalue() + caplog.text + captured.out + captured.err
    assert "main: spot wallet" in everything
    assert "main: key permissions" in everything
    for secret in (KEYS["apiKey"], KEYS["secret"], "signature=", "://", "timestamp="):
        assert secret not in everything, secret
