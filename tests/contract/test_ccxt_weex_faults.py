"""Whatever WEEX answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

import asyncio
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
from hedged.model.snapshot import Doubt
from tests.contract.weex_replies import JSON, one_field_unfit
from tests.support import T0
from tests.venues.server import FAULTS
from tests.venues.weex_bench import DOGE, ETHER, KEYS, Bench, bench

D = Decimal
Ask = Callable[[Bench], Awaitable[object]]
NOW = 1793620800000  # T0 in the venue's milliseconds

_WALLET = Doubt("main/swap/USDT", "main", "USDT", None, before=D(10), now=D(0), polls=1)
_COINS = Doubt("main/spot/ETH", "main", "ETH", None, before=D(10), now=D(0), polls=1)
_GONE = Doubt(ETHER, "main", "ETH", ETHER, before=D(-2), now=D(0), polls=1)
BOUGHT = {
    "id": 1,
    "orderId": 2,
    "symbol": "ETHUSDT",
    "buyer": True,
    "commission": "1",
    "commissionAsset": "USDT",
    "maker": True,
    "price": "3000",
    "qty": "2",
    "quoteQty": "6000",
    "realizedPnl": "-9",
    "side": "BUY",
    "positionSide": "SHORT",
    "time": NOW,
}
ORDERED = {"symbol": "ETHUSDT", "side": "BUY", "executedQty": "2", "time": NOW}
WITHDRAWN = {"billId": 1, "asset": "USDT", "symbol": None, "income": "-10", "incomeType": "withdraw", "time": NOW}
SENT = {"billId": "1", "coinName": "ETH", "bizType": "withdraw", "deltaAmount": "-10", "cTime": str(NOW)}


def _with(**histories: list[dict[str, Any]]) -> Callable[[Bench], None]:
    def set_up(it: Bench) -> None:
        for name, rows in histories.items():
            setattr(it.truth, name, rows)

    return set_up


def _explain(doubt: Doubt, **histories: list[dict[str, Any]]) -> Ask:
    set_up = _with(**{"fills": [], "orders": [], "income": [], "bills": [], **histories})

    def ask(it: Bench) -> Awaitable[object]:
        set_up(it)
        return it.reader.explain(doubt, T0)

    return ask


READS: dict[str, tuple[str, Ask]] = {
    "spot markets": ("/api/v3/exchangeInfo", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "futures markets": ("/capi/v3/market/exchangeInfo", lambda it: it.market.instruments()),
    "server time": ("/api/v3/time", lambda it: it.reader.balances("spot")),
    "spot wallet": ("/api/v3/account/", lambda it: it.reader.balances("spot")),
    "futures wallet": ("/capi/v3/account/balance", lambda it: it.reader.balances("swap")),
    "margin of futures": ("/capi/v3/account/balance", lambda it: it.reader.derivatives()),
    "futures positions": ("/capi/v3/account/position/allPosition", lambda it: it.reader.derivatives()),
    "marks of positions": ("/capi/v3/market/premiumIndex", lambda it: it.reader.derivatives()),
    "mark prices": ("/capi/v3/market/premiumIndex", lambda it: it.market.quotes([ETHER, DOGE])),
    "futures books": ("/capi/v3/market/ticker/bookTicker", lambda it: it.market.quotes([ETHER, DOGE])),
    "spot prices": ("/api/v3/market/ticker/price", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "futures fills": ("/capi/v3/userTrades", _explain(_GONE, fills=[BOUGHT])),
    "futures orders": ("/capi/v3/order/history", _explain(_GONE, orders=[ORDERED])),
    "futures income": ("/capi/v3/account/income", _explain(_WALLET, income=[WITHDRAWN])),
    "spot bills": ("/api/v3/account/bills", _explain(_COINS, bills=[SENT])),
}
# an empty list is the venue's own way to say that there is none of these
MAY_BE_EMPTY = {"futures wallet", "futures positions", "futures fills", "futures orders", "spot bills"}
NOTHING_CAME = {"hang", "drop", "reset", "500", "502", "504", "429", "418", "403"}


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each of eighteen faults raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    path, ask = READS[name]
    right = None
    for fault in FAULTS:
        if fault == "list" and name in MAY_BE_EMPTY:
            continue
        async with bench(time_limit=0.2 if fault == "hang" else 5) as it:
            it.server.faults[path] = fault
            with pytest.raises(VenueError) as caught:
                await ask(it)
            assert type(caught.value) is (Unreachable if fault in NOTHING_CAME else Unreadable), fault
            assert caught.value.account == "main"
            it.server.faults.clear()
            it.clock.advance(61)
            await it.settled()
            it.server.venue.now = lambda: NOW
            again = await ask(it)
            assert again is not None
            right = again if right is None else right
            assert _values(again) == _values(right), fault


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


@pytest.mark.parametrize("name", READS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(
    running: tuple[asyncio.Runner, Bench], name: str, data: st.DataObject
) -> None:
    """A reply that is anything at all, or right but for one field, gives an error, the right values, or 'not told'."""
    runner, it = running
    path, ask = READS[name]
    line = it.opened._line

    async def read(reply: str | None) -> Any:
        line._markets, line._synchronised = None, False
        it.server.replies = {} if reply is None else {path: reply}
        return _values(await ask(it))

    right = runner.run(read(None))
    reply = json.dumps(data.draw(JSON | one_field_unfit(_right_reply(it, path)), label="reply"))
    if name in MAY_BE_EMPTY and reply == "[]":
        return
    try:
        values = runner.run(read(reply))
    except VenueError:
        return
    if name in {"spot markets", "futures markets"}:  # one that is not listed in full is not listed
        right = {key: value for key, value in right.items() if key in values}
    if isinstance(right, str) and values is None:  # nothing that explains it: a person is asked
        return
    assert values == right


def _right_reply(it: Bench, path: str) -> Any:
    public, signed = it.server._public(), it.server._signed()
    asked = {"startTime": NOW, "endTime": NOW, "limit": 100}
    answer = public.get(path) or (lambda: next(signed[key] for key in signed if key[1] == path)(asked))
    return json.loads(json.dumps(answer()))


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
                it.server.api_key = "another"
            if fault == "echo":  # a venue that repeats what it was sent
                message = f"bad https://x/?sign={'a' * 43}= {KEYS['apiKey']} {KEYS['secret']} {KEYS['password']}"
                for path in ("/api/v3/account/", "/capi/v3/account/balance"):
                    it.server.replies[path] = json.dumps({"code": -1142, "msg": message})
            for ask in (
                it.reader.balances("spot"),
                it.reader.balances("swap"),
                it.reader.derivatives(),
                it.market.quotes([ETHER]),
                it.reader.explain(_WALLET, T0),
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
    for secret in (*KEYS.values(), "ACCESS-SIGN", "://", "a" * 43):
        assert secret not in everything, secret
