"""Whatever BingX answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

import asyncio
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
from hedged.model.snapshot import Doubt, Position, Quote
from tests.contract.bingx_replies import JSON, one_field_unfit
from tests.support import T0
from tests.venues.bingx_bench import INVERSE, KEYS, LINEAR, Bench, bench
from tests.venues.bingx_venue import Held
from tests.venues.server import FAULTS

Ask = Callable[[Bench], Awaitable[object]]


def gone(subject: Any, asset: str) -> Doubt:
    instrument = None if "/" in subject and ":" not in subject else subject
    return Doubt(subject, "main", asset, instrument, before=Decimal(2), now=Decimal(0), polls=1)


def both_quotes(it: Bench) -> Awaitable[object]:
    return it.market.quotes([LINEAR, INVERSE])


def derivatives(it: Bench) -> Awaitable[object]:
    return it.reader.derivatives()


def explain(subject: Any, asset: str) -> Ask:
    return lambda it: it.reader.explain(gone(subject, asset), T0)


READS: dict[str, tuple[str, Ask]] = {
    "spot markets": ("/openApi/spot/v1/common/symbols", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "futures markets": ("/openApi/swap/v2/quote/contracts", lambda it: it.market.instruments()),
    "coin-margined markets": ("/openApi/cswap/v1/market/contracts", lambda it: it.market.instruments()),
    "server time": ("/openApi/swap/v2/server/time", lambda it: it.reader.balances("spot")),
    "spot wallet": ("/openApi/spot/v1/account/balance", lambda it: it.reader.balances("spot")),
    "funding wallet": ("/openApi/fund/v1/account/balance", lambda it: it.reader.balances("funding")),
    "futures wallet": ("/openApi/swap/v3/user/balance", lambda it: it.reader.balances("swap")),
    "coin-margined wallet": ("/openApi/cswap/v1/user/balance", lambda it: it.reader.balances("swap")),
    "margin of futures": ("/openApi/swap/v3/user/balance", derivatives),
    "margin of coin-margined": ("/openApi/cswap/v1/user/balance", derivatives),
    "futures positions": ("/openApi/swap/v2/user/positions", derivatives),
    "coin-margined positions": ("/openApi/cswap/v1/user/positions", derivatives),
    "mark prices": ("/openApi/swap/v2/quote/premiumIndex", both_quotes),
    "coin-margined mark prices": ("/openApi/cswap/v1/market/premiumIndex", both_quotes),
    "futures books": ("/openApi/swap/v2/quote/ticker", both_quotes),
    "coin-margined books": ("/openApi/cswap/v1/market/ticker", both_quotes),
    "spot prices": ("/openApi/spot/v1/ticker/24hr", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "futures fills": ("/openApi/swap/v2/trade/fillHistory", explain(LINEAR, "ETH")),
    "forced futures orders": ("/openApi/swap/v2/trade/forceOrders", explain(LINEAR, "ETH")),
    "futures orders": ("/openApi/swap/v2/trade/allOrders", explain(LINEAR, "ETH")),
    "forced coin-margined orders": ("/openApi/cswap/v1/trade/forceOrders", explain(INVERSE, "ETH")),
    "coin-margined orders": ("/openApi/cswap/v1/trade/orderHistory", explain(INVERSE, "ETH")),
    "futures income": ("/openApi/swap/v2/user/income", explain("main/swap/USDT", "USDT")),
    "transfers": ("/openApi/api/v3/asset/transferRecord", explain("main/funding/SOL", "SOL")),
    "withdrawals": ("/openApi/api/v3/capital/withdraw/history", explain("main/spot/ETH", "ETH")),
    "spot fills": ("/openApi/spot/v1/trade/myTrades", explain("main/spot/ETH", "ETH")),
}
MAY_BE_A_LIST = {"withdrawals"}  # where the bare empty list is the venue's own way to say that there are none
NOTHING_CAME = {"hang", "drop", "reset", "500", "502", "504", "429", "418", "403"}


def mix(it: Bench) -> None:
    """Positions of both kinds, long and short."""
    it.truth.positions["ETH-USD"] = Held(Decimal(-300), Decimal(3750))
    it.truth.now = lambda: 1793620800000


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each fault raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    path, ask = READS[name]
    right = None
    for fault in FAULTS:
        if fault == "list" and name in MAY_BE_A_LIST:
            continue
        async with bench(time_limit=0.4 if fault == "hang" else 5) as it:
            mix(it)
            it.server.faults[path] = fault
            with pytest.raises(VenueError) as caught:
                await ask(it)
            assert type(caught.value) is (Unreachable if fault in NOTHING_CAME else Unreadable), fault
            assert caught.value.account == "main"
            it.server.faults.clear()
            it.clock.advance(61)
            await it.settled()
            again = await ask(it)
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
        mix(it)
        yield runner, it
        runner.run(stack.aclose())


@pytest.mark.parametrize("name", READS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(
    running: tuple[asyncio.Runner, Bench], name: str, data: st.DataObject
) -> None:
    """A reply that is anything at all, or right but for one field, gives an error, the right values or less of them."""
    runner, it = running
    path, ask = READS[name]

    async def read(reply: str | None) -> Any:
        it.line._synchronised = name != "server time"
        if "markets" in name:
            it.line._markets = None
        it.server.replies = {} if reply is None else {path: reply}
        return _values(await ask(it))

    right = runner.run(read(None))
    reply = json.dumps(data.draw(JSON | one_field_unfit(runner.run(_right_reply(it, path))), label="reply"))
    if name in MAY_BE_A_LIST and reply == "[]":
        return
    try:
        values = runner.run(read(reply))
    except VenueError:
        return
    if "markets" in name:  # one that is not listed in full is not listed
        right = {key: value for key, value in right.items() if key in values}
    assert _known(values, right) == right


async def _right_reply(it: Bench, path: str) -> Any:
    public, signed = it.server._public(), it.server._signed()
    return json.loads(json.dumps(public[path]() if path in public else signed[path]({})))


OPTIONAL = {  # what the venue does not tell in every reply, and may be unknown for it
    Quote: ("funding_interval_hours", "bid", "ask"),
    Position: ("entry_price", "liquidation_price", "unrealised_pnl"),
}


def _known(values: Any, right: Any) -> Any:
    """`values` with what is unknown in them filled in, where it may be unknown."""
    if isinstance(values, dict):
        return {key: _known(value, right.get(key)) for key, value in values.items()}
    if isinstance(values, tuple):
        return tuple(_known(value, each) for value, each in zip(values, right, strict=True))
    if type(values) in OPTIONAL and type(values) is type(right):
        unknown = [name for name in OPTIONAL[type(values)] if getattr(values, name) is None]
        return dataclasses.replace(values, **{name: getattr(right, name) for name in unknown})
    if dataclasses.is_dataclass(values) and hasattr(values, "positions"):
        return dataclasses.replace(values, positions=_known(values.positions, right.positions))  # type: ignore[type-var]
    return values


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    caplog.set_level(logging.DEBUG)
    said = io.StringIO()
    for fault in (*FAULTS, "key", "echo"):
        async with bench(time_limit=0.2 if fault == "hang" else 5) as it:
            await it.market.instruments()
            it.server.faults = {} if fault in {"key", "echo"} else {"*": fault}
            if fault == "key":
                it.server.api_key = "another"
            if fault == "echo":  # a venue that repeats what it was sent
                message = f"bad request https://x/?signature={'a' * 64} {KEYS['apiKey']} {KEYS['secret']}"
                for path in ("/openApi/spot/v1/account/balance", "/openApi/swap/v3/user/balance"):
                    it.server.replies[path] = json.dumps({"code": 100400, "msg": message})
            for ask in (
                it.reader.balances("spot"),
                it.reader.balances("swap"),
                it.reader.derivatives(),
                it.market.quotes([LINEAR]),
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
    for secret in (KEYS["apiKey"], KEYS["secret"], "signature=", "://", "timestamp="):
        assert secret not in everything, secret
