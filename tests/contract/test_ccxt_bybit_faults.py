"""Whatever Bybit answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.errors import Unreachable, Unreadable, VenueError
from tests.contract.bybit_reads import READS, Asked, fill_histories, is_right, values
from tests.venues.bybit_bench import KEYS, PERPETUAL, Bench, bench
from tests.venues.server import FAULTS

NOTHING_CAME = {"hang", "drop", "reset", "500", "502", "504", "429", "418", "403"}


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each of nineteen faults raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    read = READS[name]
    right = None
    for fault in FAULTS:
        async with bench(time_limit=0.2 if fault == "hang" else 5) as it:
            fill_histories(it)
            it.server.faults[read.path] = fault
            with pytest.raises(VenueError) as caught:
                await read.ask(it)
            assert type(caught.value) is (Unreachable if fault in NOTHING_CAME else Unreadable), fault
            assert caught.value.account == "main"
            it.server.faults.clear()
            it.clock.advance(61)
            await it.settled()
            it.server.venue.now = lambda: 1793620800000
            again = values(await read.ask(it))
            right = again if right is None else right
            assert again, fault
            assert again == right, fault


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[asyncio.Runner, Bench]]:
    """One opened account for all random replies: opening one takes longer than a hundred of them."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        it = runner.run(stack.enter_async_context(bench()))
        fill_histories(it)
        yield runner, it
        runner.run(stack.aclose())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
UNFIT = [None, True, "", [1], {"a": 1}, {}, float("nan")]
UNFIT_NUMBER = [*UNFIT, [], "NaN", "1e999", "abc", "0x10", "1_000", "٣", " 1", 10**50]


@pytest.mark.parametrize("name", READS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(
    running: tuple[asyncio.Runner, Bench], name: str, data: st.DataObject
) -> None:
    """A reply that is anything at all, or right but for one field, gives an error or the right values."""
    runner, it = running
    read = READS[name]
    right, given_right = runner.run(_with_right_reply(it, read))
    reply = data.draw(JSON | _in_envelope() | _one_field_unfit(given_right), label="reply")
    try:
        found = runner.run(_read(it, read, reply))
    except VenueError:
        return
    assert is_right(found, right)


async def _read(it: Bench, read: Asked, reply: Any = ...) -> Any:
    line = it.opened._line
    line._markets, line._synchronised = None, False
    it.server.instead = {} if reply is ... else {(read.path, read.query): reply}
    return values(await read.ask(it))


async def _with_right_reply(it: Bench, read: Asked) -> tuple[Any, Any]:
    """What the read gives, and the reply that the venue gave it."""
    replies: list[Any] = []

    def note(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
        query = "&".join(f"{key}={value}" for key, value in asked.items())
        if path == read.path and read.query in {"", query} and not replies:
            replies.append(copy.deepcopy(result))

    it.server.patch = note
    right = await _read(it, read)
    it.server.patch = None
    return right, {"retCode": 0, "retMsg": "OK", "result": replies[0], "retExtInfo": {}, "time": it.truth.now()}


def _in_envelope() -> st.SearchStrategy[Any]:
    """Anything where the venue says that all is well."""
    return st.fixed_dictionaries(
        {
            "retCode": st.just(0),
            "result": JSON | st.fixed_dictionaries({"list": st.lists(JSON, max_size=2, min_size=1)}),
            "time": st.just(1793620800000),
        }
    )


@st.composite
def _one_field_unfit(draw: st.DrawFn, reply: Any) -> Any:
    """The reply with one field taken out or made into what it cannot be."""
    mutated = copy.deepcopy(reply)
    parent, key = draw(st.sampled_from([node for node in _nodes(mutated) if node[1] != "nextPageCursor"]))
    if isinstance(parent, dict) and draw(st.booleans()):
        del parent[key]
    else:
        is_number = isinstance(parent[key], int) or str(parent[key]).replace(".", "").replace("-", "").isdigit()
        parent[key] = draw(st.sampled_from(UNFIT_NUMBER if is_number else UNFIT))
    return mutated


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _nodes(inner)


@pytest.mark.parametrize("cursor", [None, 1, True, [], {}, ...])
@pytest.mark.parametrize("name", ["positions", "inverse positions", "fills", "account log", "withdrawals"])
async def test_without_a_cursor_nobody_knows_whether_there_is_more(name: str, cursor: Any) -> None:
    """A page that does not say whether it is the last is unreadable: the rest might be missing."""
    read = READS[name]
    async with bench() as it:
        fill_histories(it)
        _, reply = await _with_right_reply(it, read)
        reply["result"]["nextPageCursor"] = cursor
        if cursor is ...:
            del reply["result"]["nextPageCursor"]
        with pytest.raises(Unreadable, match="nextPageCursor"):
            await _read(it, read, reply)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    caplog.set_level(logging.DEBUG)
    said = io.StringIO()
    for fault in (*FAULTS, "key", "secret", "echo"):
        async with bench(time_limit=0.2 if fault == "hang" else 5) as it:
            await it.market.instruments()
            it.server.faults = {"*": fault} if fault in FAULTS else {}
            if fault == "key":
                it.server.api_key = "another"
            if fault == "secret":  # the venue repeats what was signed, key included
                it.server.secret = "another"
            if fault == "echo":
                message = f"bad request https://x/?sign={'a' * 64} {KEYS['apiKey']} {KEYS['secret']}"
                it.server.replies["/v5/position/list"] = json.dumps({"retCode": 10001, "retMsg": message})
            for ask in (
                it.reader.balances("spot"),
                it.reader.balances("funding"),
                it.reader.derivatives(),
                it.market.quotes([PERPETUAL]),
            ):
                try:
                    await ask
                except VenueError as error:
                    print(error, repr(error), error.__cause__, error.__dict__, file=said)
                    traceback.print_exception(error, file=said)
            print(repr(it.opened), repr(it.reader), repr(it.market), vars(it.reader), file=said)
    captured = capsys.readouterr()
    everything = said.getvalue() + caplog.text + captured.out + captured.err
    assert "main: unified wallet" in everything
    assert "10004 error sign" in everything
    for secret in (KEYS["apiKey"], KEYS["secret"], "sign=", "://", "timestamp="):
        assert secret not in everything, secret
