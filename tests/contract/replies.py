"""Every read of a venue against every fault and a hundred random replies: one home for all venues.

A venue's test file says what differs: its table of reads, what more the local venue is made to hold, and which
fields of a reply may be blank or absent. Then it has four short tests, as `test_ccxt_binance_faults.py` has them.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import io
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from decimal import Decimal
from typing import Any, Self, cast

import pytest
from hypothesis import strategies as st

from hedged.errors import Unreachable, Unreadable, VenueError
from hedged.model.snapshot import Balance, Doubt, Margin, Read
from tests.support import T0
from tests.venues.server import FAULTS

NOW = round(T0.timestamp() * 1000)  # in a venue's milliseconds
# faults after which nothing is known; after any other there was an answer, which could not be read
NOTHING_CAME = frozenset({"hang", "drop", "reset", "500", "502", "504", "429", "418", "403"})
Ask = Callable[[Any], Awaitable[object]]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A read of the adapter, and the one request of it whose reply is put to the test."""

    path: str  # with "?query" just as sent, where the read asks the same path several times
    ask: Ask  # takes the bench
    none: Sequence[object] = ()  # replies that are the venue's own way to say that there is none of these
    listed: bool = False  # a row that cannot be read in full may be left out of what is given
    may_be_unknown: bool = False  # None is an answer: nothing that explains it
    meaning: Callable[[Any], object] | None = None  # of a reply that may rightly say something else, as a key's rights
    wallets: tuple[str, ...] | None = None  # of the account; None: those of the bench

    @property
    def bare_path(self) -> str:
        return self.path.partition("?")[0]


@dataclasses.dataclass(frozen=True)
class Venue:
    """What differs from venue to venue when its reads are put to the test."""

    bench: Callable[..., AbstractAsyncContextManager[Any]]
    reads: Mapping[str, Asked]
    prepare: Callable[[Any], None] = lambda it: None  # more for the local venue to hold
    whole: Callable[[Any, Asked], Any] | None = None  # the right reply; None: what the server answered the request
    envelope: Callable[[st.SearchStrategy[Any]], st.SearchStrategy[Any]] | None = None  # anything, said to be well
    blank_is_none: Collection[str] = ()  # fields in which "" is the venue's own word for none
    may_lack: Collection[str] = ()  # fields that the venue may leave out
    untouched: Collection[str] = ()  # fields left as they are
    unknown: Collection[str] = ()  # see `agrees`
    time_limit: float = 0.4  # seconds, for a request that is left hanging

    def opened(self, fault: str, wallets: tuple[str, ...] | None = None) -> AbstractAsyncContextManager[Any]:
        more = {} if wallets is None else {"wallets": wallets}
        return self.bench(time_limit=self.time_limit if fault == "hang" else 5, **more)


def explain(doubt: Doubt, histories: Collection[str], **rows: list[dict[str, Any]]) -> Ask:
    """Ask what became of it, while of these histories of the local venue only `rows` is filled."""

    def ask(it: Any) -> Awaitable[object]:
        for name in histories:
            setattr(it.truth, name, rows.get(name, []))
        return cast("Awaitable[object]", it.reader.explain(doubt, T0))

    return ask


# --- faults ---------------------------------------------------------------------------------------------------------


async def every_fault_passes(venue: Venue, name: str) -> None:
    """Each fault of this request raises, named by whose it is; afterwards the read gives what it gives without."""
    read = venue.reads[name]
    async with venue.opened("", read.wallets) as it:
        venue.prepare(it)
        right = values(await read.ask(it))
    assert right, "a read that gives nothing shows nothing"
    for fault in FAULTS:
        if fault == "list" and [] in read.none:
            continue
        async with venue.opened(fault, read.wallets) as it:
            venue.prepare(it)
            it.server.faults[read.bare_path] = fault
            with pytest.raises(VenueError) as caught:
                await read.ask(it)
            assert isinstance(caught.value, Unreachable if fault in NOTHING_CAME else Unreadable), fault
            assert caught.value.account == "main"
            it.server.faults.clear()
            it.clock.advance(61)
            await it.settled()
            it.truth.now = lambda: NOW
            assert values(await read.ask(it)) == right, fault


# --- random replies -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
UNFIT: tuple[object, ...] = (None, True, "", [1], {"a": 1}, {}, float("nan"))
UNFIT_NUMBER: tuple[object, ...] = (*UNFIT, [], "NaN", "1e999", "abc", "0x10", "1_000", "٣", " 1", 10**50)


class Running:
    """Accounts kept open for all random replies: opening one takes longer than a hundred of them."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._opened: dict[tuple[str, ...] | None, Any] = {}
        self._kept: dict[str, bool] = {}  # path → whether the reply is kept, and asked for but once: markets, clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        with self._runner:
            self._runner.run(self._stack.aclose())

    def is_error_or_right(self, name: str, data: st.DataObject) -> None:
        """Draw a reply for this read, give it, and see that it raises or gives what is right, or less of it."""
        venue, read = self._venue, self._venue.reads[name]
        it = self._bench(read)
        right = self._read(it, read)
        given = venue.whole(it, read) if venue.whole else it.server.answered[read.path]
        replies = JSON | one_field_unfit(given, venue.blank_is_none, venue.may_lack, venue.untouched)
        reply = data.draw(replies | venue.envelope(JSON) if venue.envelope else replies, label="reply")
        if any(json.dumps(reply) == json.dumps(none) for none in read.none):
            return
        try:
            found = self._read(it, read, reply)
        except VenueError:
            return
        finally:
            assert _was_asked(it, read)
        if read.may_be_unknown and found is None:
            return
        if read.meaning is not None:
            right = read.meaning(reply)
        if read.listed:
            right = {key: value for key, value in right.items() if key in found}
        assert agrees(found, right, venue.unknown), (found, right)

    def _bench(self, read: Asked) -> Any:
        if read.wallets not in self._opened:
            it = self._runner.run(self._stack.enter_async_context(self._venue.opened("", read.wallets)))
            self._venue.prepare(it)
            self._opened[read.wallets] = it
        it = self._opened[read.wallets]
        if read.path not in self._kept:
            self._kept[read.path] = False
            self._read(it, read)
            self._read(it, read)
            self._kept[read.path] = not _was_asked(it, read)
        return it

    def _read(self, it: Any, read: Asked, reply: Any = ...) -> Any:
        """What the read gives, with this reply if there is one."""
        if self._kept[read.path]:
            _forget(it)
        it.server.answered = {}
        it.server.requests.clear()
        it.server.replies = {} if reply is ... else {read.path: json.dumps(reply)}
        try:
            return values(self._runner.run(_awaited(read.ask(it))))
        finally:
            if self._kept[read.path]:  # no later read shall build on a listing that lacks what was unfit
                _forget(it)


def _forget(it: Any) -> None:
    it.opened._line._markets, it.opened._line._synchronised = None, False


def _was_asked(it: Any, read: Asked) -> bool:
    return any(path == read.bare_path for _, path in it.server.requests)


async def _awaited(read: Awaitable[object]) -> object:
    return await read


@st.composite
def one_field_unfit(
    draw: st.DrawFn,
    reply: Any,
    blank_is_none: Collection[str] = (),
    may_lack: Collection[str] = (),
    untouched: Collection[str] = (),
) -> Any:
    """The reply with one field taken out or made into what it cannot be; for the names see `Venue`."""
    mutated = copy.deepcopy(reply)
    nodes = [node for node in _nodes(mutated) if node[1] not in untouched]
    if not nodes:
        return draw(JSON)
    parent, key = draw(st.sampled_from(nodes))
    if isinstance(parent, dict) and key not in may_lack and draw(st.booleans()):
        del parent[key]
    else:
        is_number = isinstance(parent[key], int | float) or str(parent[key]).replace(".", "").replace("-", "").isdigit()
        unfit = UNFIT_NUMBER if is_number else UNFIT
        parent[key] = draw(st.sampled_from([value for value in unfit if value != "" or key not in blank_is_none]))
    return mutated


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _nodes(inner)


# --- comparing ------------------------------------------------------------------------------------------------------


def values(read: Any) -> Any:
    """What was read, without the times of reading, which waiting moves."""
    if isinstance(read, Mapping):
        return {key: values(value) for key, value in read.items()}
    return read.value if isinstance(read, Read) else read


HINTS = frozenset(f"Quote.{name}" for name in ("bid_size", "ask_size", "volume_day", "high_day", "low_day"))
"""What only makes an order's impact known: None wherever it cannot be read, and no reason to raise."""


def agrees(found: Any, right: Any, unknown: Collection[str] = ()) -> bool:
    """Equal, or less where `unknown` names what may be unknown rather than raise; nothing may differ.

    "Quote.bid" may be None, "Position.trusted" may be False, "Instrument.notional_min" may be 0, of
    "Derivatives.equities" some may lack; of "Balance.locked" only the sum with `free` counts, and "Margin.maintenance"
    may come from a rounded ratio. "*": anything may be None, and not listed.
    """
    if found == right or (found is None and "*" in unknown):
        return True
    if isinstance(found, Mapping) and isinstance(right, Mapping):
        known = all(key in right and agrees(value, right[key], unknown) for key, value in found.items())
        return known and ("*" in unknown or len(found) == len(right))
    if isinstance(found, tuple) and isinstance(right, tuple):
        return len(found) == len(right) and all(agrees(*pair, unknown) for pair in zip(found, right, strict=True))
    if type(found) is not type(right) or not dataclasses.is_dataclass(found):
        return False
    if isinstance(found, Balance) and "Balance.locked" in unknown:
        return (found.asset, found.net, found.debt) == (right.asset, right.net, right.debt)
    return all(_field_agrees(found, right, field.name, unknown) for field in dataclasses.fields(found))


def _field_agrees(found: Any, right: Any, name: str, unknown: Collection[str]) -> bool:
    mine, theirs = getattr(found, name), getattr(right, name)
    if mine is None and f"{type(found).__name__}.{name}" in HINTS:
        return True
    if f"{type(found).__name__}.{name}" in unknown:
        if mine is None or (name == "trusted" and mine is False) or (name == "notional_min" and mine == 0):
            return True
        if name == "equities" and mine.items() <= theirs.items():
            return True
        if isinstance(found, Margin) and name == "maintenance":
            return bool(abs(mine - theirs) < Decimal("1e-9"))
    return agrees(mine, theirs, unknown)


# --- secrets --------------------------------------------------------------------------------------------------------

Break = Callable[[Any], None]


def echo(keys: Mapping[str, str], paths: Sequence[str], said: Callable[[str], object]) -> Break:
    """A venue that repeats what it was sent, as the error that `said` makes of the text."""
    text = f"bad request https://x/?signature={'a' * 64} sign={'a' * 43}= {' '.join(keys.values())}"

    def break_it(it: Any) -> None:
        it.server.replies = dict.fromkeys(paths, json.dumps(said(text)))

    return break_it


async def everything_said(
    venue: Venue,
    breaks: Mapping[str, Break],
    asks: Callable[[Any], Sequence[Awaitable[object]]],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """All text that the reads produce under every fault and break: errors, tracebacks, reprs, logs at any level."""
    caplog.set_level(logging.DEBUG)
    said = io.StringIO()
    for fault in (*FAULTS, *breaks):
        async with venue.opened(fault) as it:
            await it.market.instruments()
            if fault in breaks:
                breaks[fault](it)
            else:
                it.server.faults = {"*": fault}
            for ask in asks(it):
                try:
                    await ask
                except VenueError as error:
                    print(error, repr(error), error.__cause__, error.__dict__, file=said)
                    traceback.print_exception(error, file=said)
            print(repr(it.opened), repr(it.reader), repr(it.market), vars(it.reader), file=said)
    captured = capsys.readouterr()
    return said.getvalue() + caplog.text + captured.out + captured.err
