"""Whatever OKX answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import io
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.errors import Unreachable, Unreadable, VenueError
from hedged.model.snapshot import Doubt, Margin
from tests.support import T0
from tests.venues.okx_bench import DATED, INVERSE, KEYS, PERPETUAL, Bench, bench
from tests.venues.server import FAULTS

Ask = Callable[[Bench], Awaitable[object]]

_GONE = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, Decimal(-20), Decimal(0), polls=1)
_SPENT = Doubt("main/spot/USDT", "main", "USDT", None, Decimal(1), Decimal(0), polls=1)
_MOVED = Doubt("main/funding/ETH", "main", "ETH", None, Decimal(1), Decimal(0), polls=1)


async def _tiers(it: Bench) -> object:
    async with it.opened._line.reading("tiers"):
        markets = await it.opened._line.markets()
        return await it.dialect.tiers(it.connection, markets.contracts)


async def _permissions(it: Bench) -> object:
    async with it.opened._line.reading("permissions"):
        return await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))


_QUOTED = [PERPETUAL, DATED, INVERSE]
READS: dict[str, tuple[str, Ask]] = {
    "markets": ("public/instruments", lambda it: it.market.instruments()),
    "server time": ("public/time", lambda it: it.reader.balances("spot")),
    "trading account": ("account/balance", lambda it: it.reader.balances("spot")),
    "margin": ("account/balance", lambda it: it.reader.derivatives()),
    "positions": ("account/positions", lambda it: it.reader.derivatives()),
    "funding account": ("asset/balances", lambda it: it.reader.balances("funding")),
    "savings": ("finance/savings/balance", lambda it: it.reader.balances("earn")),
    "mark prices": ("public/mark-price", lambda it: it.market.quotes(_QUOTED)),
    "books": ("market/tickers", lambda it: it.market.quotes(_QUOTED)),
    "funding rates": ("public/funding-rate", lambda it: it.market.quotes(_QUOTED)),
    "index prices": ("market/index-tickers", lambda it: it.market.quotes([PERPETUAL])),
    "spot prices": ("market/tickers", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "margin tiers": ("public/position-tiers", _tiers),
    "key permissions": ("account/config", _permissions),
    "fills": ("trade/fills", lambda it: it.reader.explain(_GONE, T0)),
    "position bills": ("account/bills", lambda it: it.reader.explain(_GONE, T0)),
    "closed orders": ("trade/orders-history", lambda it: it.reader.explain(_GONE, T0)),
    "trading bills": ("account/bills", lambda it: it.reader.explain(_SPENT, T0)),
    "funding bills": ("asset/bills", lambda it: it.reader.explain(_MOVED, T0)),
}
NOTHING_CAME = {"hang", "drop", "reset", "500", "502", "504", "429", "418", "403"}


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each fault raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    path, ask = f"/api/v5/{READS[name][0]}", READS[name][1]
    async with bench() as it:
        right = _values(await ask(it))
    for fault in FAULTS:
        async with bench(time_limit=0.2 if fault == "hang" else 5) as it:
            it.server.faults[path] = fault
            with pytest.raises(VenueError) as caught:
                await ask(it)
            assert type(caught.value) is (Unreachable if fault in NOTHING_CAME else Unreadable), fault
            assert caught.value.account == "main"
            it.server.faults.clear()
            it.clock.advance(61)
            await it.settled()
            it.server.venue.now = lambda: 1793620800000
            assert _values(await ask(it)) == right, fault


def _values(read: Any) -> Any:
    """Without the times of reading, which the waiting has moved."""
    if isinstance(read, dict):
        return {key: getattr(value, "value", value) for key, value in read.items()}
    return getattr(read, "value", read)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[asyncio.Runner, Bench]]:
    """One opened account for all random replies: opening one takes longer than a hundred of them."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        it = runner.run(stack.enter_async_context(bench()))
        yield runner, it
        runner.run(stack.aclose())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
UNFIT = [None, True, [1], {"a": 1}, {}, float("nan"), ""]
UNFIT_NUMBER = [*UNFIT, [], "NaN", "1e999", "abc", "0x10", "1_000", "٣", " 1"]
# blank in these is the venue's own word for 'none'
BLANK_IS_NONE = {"upl", "liab", "uplLiab", "isoLiab", "interest", "isoEq", "availBal", "ctMult", "ip"}


@pytest.mark.parametrize("name", READS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(
    running: tuple[asyncio.Runner, Bench], name: str, data: st.DataObject
) -> None:
    """A reply that is anything at all, or right but for one field, gives an error, right values, or 'unknown'."""
    runner, it = running
    path, ask = READS[name]
    line = it.opened._line

    async def read(reply: str | None) -> Any:
        if name in {"markets", "server time"}:  # else they are as good as read before each
            line._markets, line._synchronised = None, False
        it.server.replies = {} if reply is None else {f"/api/v5/{path}": reply}
        return _values(await ask(it))

    right = runner.run(read(None))
    reply = json.dumps(data.draw(JSON | _one_field_unfit(_right_reply(it, path)), label="reply"))
    try:
        values = runner.run(read(reply))
    except VenueError:
        return
    assert _agrees(values, right)


def _agrees(found: Any, right: Any) -> bool:
    """Equal, but that anything may be unknown: None, not listed, without a price."""
    if found is None or (isinstance(found, Margin) and found.maintenance is None):
        return True
    if isinstance(found, dict):
        return all(key in right and _agrees(value, right[key]) for key, value in found.items())
    if isinstance(found, tuple):
        return len(found) == len(right) and all(map(_agrees, found, right))
    if isinstance(found, Margin) and found.maintenance != right.maintenance:  # by the ratio, which is rounded
        return abs(found.maintenance - right.maintenance) < Decimal("1e-9")
    if dataclasses.is_dataclass(found):
        return all(_agrees(getattr(found, f.name), getattr(right, f.name)) for f in dataclasses.fields(found))
    return bool(found == right)


def _right_reply(it: Bench, path: str) -> Any:
    """The whole reply; of a list that is asked for by type, all types in one."""
    kinds = {"public/instruments", "public/mark-price", "market/tickers"}
    page = {"begin": "0", "before": "0", "limit": "100"}
    asks = [{"instType": kind} for kind in ("SPOT", "SWAP", "FUTURES")] if path in kinds else [page]
    if path == "public/position-tiers":
        asks = [{"instFamily": "ETH-USDT"}]
    if path == "market/index-tickers":
        asks = [{"quoteCcy": "USDT"}]
    if path == "public/funding-rate":
        asks = [{"instId": "ANY"}]
    answers = {**it.server._public(), **it.server._signed()}
    return {"code": "0", "msg": "", "data": [row for asked in asks for row in answers[path](asked)]}


@st.composite
def _one_field_unfit(draw: st.DrawFn, reply: Any) -> Any:
    """The reply with one field taken out or made into what it cannot be."""
    mutated = copy.deepcopy(reply)
    parent, key = draw(st.sampled_from(list(_nodes(mutated))))
    if isinstance(parent, dict) and key not in {"ctMult", "prevFundingTime"} and draw(st.booleans()):
        del parent[key]
    else:
        is_number = str(parent[key]).replace(".", "").replace("-", "").isdigit()
        unfit = UNFIT_NUMBER if is_number else UNFIT
        parent[key] = draw(st.sampled_from([value for value in unfit if value != "" or key not in BLANK_IS_NONE]))
    return mutated


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _nodes(inner)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, passphrase, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    caplog.set_level(logging.DEBUG)
    said = io.StringIO()
    for fault in (*FAULTS, "key", "echo"):
        async with bench(time_limit=0.2 if fault == "hang" else 5) as it:
            await it.market.instruments()
            it.server.faults = {} if fault in {"key", "echo"} else {"*": fault}
            if fault == "key":
                it.server.passphrase = "another"
            if fault == "echo":  # a venue that repeats what it was sent
                message = f"bad https://x/?sign={'a' * 64} {' '.join(KEYS.values())}"
                reply = json.dumps({"code": "51000", "msg": message, "data": []})
                it.server.replies = dict.fromkeys(("/api/v5/account/balance", "/api/v5/account/positions"), reply)
            reads = (
                *map(it.reader.balances, it.reader.wallets),
                it.reader.derivatives(),
                it.market.quotes([PERPETUAL]),
            )
            for ask in reads:
                try:
                    await ask
                except VenueError as error:
                    print(error, repr(error), error.__cause__, error.__dict__, file=said)
                    traceback.print_exception(error, file=said)
            print(repr(it.opened), repr(it.reader), repr(it.market), vars(it.reader), file=said)
    captured = capsys.readouterr()
    everything = said.getvalue() + caplog.text + captured.out + captured.err
    assert "main: trading account" in everything
    for secret in (*KEYS.values(), "sign=", "://", "OK-ACCESS-SIGN"):
        assert secret not in everything, secret
