"""Crashes at awaits: conditions come and go, channels go down and up, and the process dies again and again.

    python -m tests.simulation.alert_crashes --crashes 10000

Each life is a process of its own, forked, on virtual time, with the real store on a disk, the real lifecycle and the
real couriers. It dies without any farewell at one turn of its event loop: between two steps of whatever it awaits. What
the channels' other ends have got is kept outside of it. In the end all faults stop, and it is counted:

- lost: an event of the store that a channel was never told of, or a message that it never got;
- unbelieved: a condition that had lasted for ten minutes and that a reader of a channel did not believe to last;
- duplicates: messages that a channel got again, and the most of them that one crash made on one channel.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import mmap
import os
import random
import sqlite3
import struct
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from hedged.adapters.clock import SystemIds
from hedged.adapters.store.rows import from_text, to_text
from hedged.adapters.store.sql import SqlStore
from hedged.errors import DeliveryError
from hedged.model.alert import Alert, AlertState, Message
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.policy import World
from hedged.ports import CycleRecord, Memory
from hedged.tell.attention import attention
from hedged.tell.lifecycle import advance
from hedged.tell.outbox import Courier
from hedged.tell.rules import AlertRules
from tests.store_samples import message
from tests.support import T0
from tests.virtual_time import VirtualTimeLoop, WallClock

CHANNELS = ("phone", "mail")
KINDS = (Kind.MARGIN, Kind.NOT_TRADING, Kind.PRICE_MISSING, Kind.POSITION_UNOWNED)
KEYS = tuple((kind, f"s{number}") for kind in KINDS for number in range(3))
FIVE_MINUTES = timedelta(minutes=5)
RULES = AlertRules(repeat=dict.fromkeys(Severity, FIVE_MINUTES), settle=FIVE_MINUTES)  # so that there is much to tell
EVERY, RESTART = 10.0, 5.0  # seconds
TURNS = (150, 1500)  # of the loop, within which a life ends: hardly open, or a few minutes old
LASTING = 600.0  # seconds after which a condition has to be believed
QUIET_END = 7200.0  # seconds without faults in the end
CRASHED = 9
BEGUN, STOPS = {"firing", "repeat", "escalated", "unconfirmed"}, {"resolved", "removed"}


@dataclass(frozen=True)
class Fate:
    """What happens by itself, whoever lives: a function of the seed and the time alone."""

    seed: int
    until: float = float("inf")  # then all conditions are over and all channels up

    def findings(self, at: float) -> list[Finding]:
        found = []
        for kind, subject in KEYS:
            on = next(
                (span for span in spans(self.seed, f"{kind}/{subject}", 600, 480, at) if span[0] <= at < span[1]), None
            )
            if on is not None and at < self.until:
                severity = random.Random(f"{self.seed}{kind}{subject}{on}").choice(list(Severity))
                found.append(Finding(kind, subject, severity, f"{kind.value} of {subject}."))
        return found

    def is_down(self, channel: str, at: float) -> bool:
        return at < self.until and any(a <= at < b for a, b in spans(self.seed, channel, 300, 120, at))


@cache
def _dice(seed: int, name: str) -> tuple[random.Random, list[tuple[float, float]]]:
    return random.Random(f"{seed}/{name}"), []


def spans(seed: int, name: str, off: float, on: float, until: float) -> Iterator[tuple[float, float]]:
    """When something is on: for `on` seconds in the mean, at least 30, after `off` seconds without."""
    dice, known = _dice(seed, name)
    while not known or known[-1][1] <= until:
        begins = (known[-1][1] if known else 0.0) + 60 + dice.expovariate(1 / off)
        known.append((begins, begins + 30 + dice.expovariate(1 / on)))
    yield from reversed(known)


class Loop(VirtualTimeLoop):
    """Time stands while the database is at work. The process ends at a given turn."""

    def __init__(self, elapsed: float, shared: mmap.mmap, dies_at: int | None) -> None:
        super().__init__()
        self.elapsed, self._shared, self._dies_at, self._turns = elapsed, shared, dies_at, 0
        self.busy = 0
        selector = self._selector
        jump = selector.select
        selector.select = lambda timeout=None: (  # type: ignore[method-assign]
            super(type(selector), selector).select(5) if self.busy and timeout != 0 else jump(timeout)
        )

    def _run_once(self) -> None:
        self._turns += 1
        self._shared[:8] = struct.pack("d", self.elapsed)
        if self._turns == self._dies_at:
            os._exit(CRASHED)
        super()._run_once()


class Store(SqlStore):
    """The real one; the loop knows when it is at work."""

    async def _run(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        loop: Any = asyncio.get_running_loop()
        loop.busy += 1
        try:
            return await super()._run(work, *args, **kwargs)
        finally:
            loop.busy -= 1

    async def _connect(self, *, read_only: bool) -> None:
        loop: Any = asyncio.get_running_loop()
        loop.busy += 1
        try:
            await super()._connect(read_only=read_only)
        finally:
            loop.busy -= 1


class End:
    """A channel whose other end is outside of the process: what it has got survives every crash."""

    confirms = True

    def __init__(self, name: str, fate: Fate, clock: WallClock, life: int, book: int) -> None:
        self.name, self._fate, self._clock, self._life, self._book = name, fate, clock, life, book

    async def deliver(self, message: Message) -> None:
        at = (self._clock.now() - T0).total_seconds()
        if self._fate.is_down(self.name, at):
            if int(at) % 2:
                await asyncio.Event().wait()
            raise DeliveryError("down")
        row = {
            "life": self._life, "channel": self.name, "id": message.event_id, "kind": message.kind.value,
            "at": (message.at - T0).total_seconds(),
            "alerts": [(told.event_id, told.key, told.kind.value) for told in message.alerts],
        }  # fmt: skip
        os.write(self._book, (json.dumps(row) + "\n").encode())
        await asyncio.sleep(0)  # the answer is on its way

    async def publish_state(self, state: Mapping[str, object]) -> None: ...
    async def close(self) -> None: ...


async def live(path: Path, fate: Fate, life: int, book: int, until: float | None) -> None:
    """One process: open, look, tell, record, deliver; until `until`, or for ever."""
    loop: Any = asyncio.get_running_loop()
    clock, store, rules, ids = WallClock(loop), Store(path), RULES, SystemIds()
    await store.open("crashes", World.SIMULATED, clock.now())
    couriers = [Courier(store, End(name, fate, clock, life, book), clock) for name in CHANNELS]
    tasks = [asyncio.create_task(courier.run()) for courier in couriers]
    while until is None or loop.elapsed < until:
        now = clock.now()
        alerts = await store.alerts()
        said = await attention(store, alerts, rules, CHANNELS, now)
        after, messages = advance(
            alerts, fate.findings(loop.elapsed), frozenset(), lambda _kind, _subject: True, frozenset(), rules, now,
            ids.new, attention=said,
        )  # fmt: skip
        record = CycleRecord(ids.new(), now, now, None, None, None, Memory(), after, messages)
        await store.record_cycle(record, CHANNELS)
        for courier in couriers:
            courier.kick()
        await clock.sleep(EVERY)
    for task in tasks:
        task.cancel()
    await store.close()


def one_life(
    path: Path, fate: Fate, life: int, book: int, shared: mmap.mmap, dies_at: int | None, until: float | None
) -> int:
    """Fork a process and see how it ends."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        loop = Loop(struct.unpack("d", shared[:8])[0], shared, dies_at)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(live(path, fate, life, book, until))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def simulate(crashes: int, seed: int, folder: Path, *, progress: bool = False) -> dict[str, object]:
    """The figures, after so many crashes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # channels go down: known
    path, book_path = folder / "hedged.sqlite", folder / "received"
    shared = mmap.mmap(-1, 8)
    dice, fate = random.Random(seed), Fate(seed)
    book = os.open(book_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for value in (Memory(), Alert("k", Kind.MARGIN, "s", Severity.INFO, AlertState.FIRING, "e", ""), message("e")):
        from_text(type(value), to_text(value))  # what is made once for each type is made here, for all lives
    gc.collect()
    gc.freeze()
    for life in range(crashes):
        code = one_life(path, fate, life, book, shared, dice.randint(1, dice.choice(TURNS)), None)
        if code != CRASHED:
            raise SystemExit(f"life {life} ended with {code}")
        elapsed = struct.unpack("d", shared[:8])[0] + RESTART
        shared[:8] = struct.pack("d", elapsed)
        if progress and life % 500 == 499:
            print(f"{life + 1} crashes, {elapsed / 3600:.1f} h", file=sys.stderr, flush=True)
    ended = struct.unpack("d", shared[:8])[0]
    if one_life(path, Fate(seed, ended), crashes, book, shared, None, ended + QUIET_END) != 0:
        raise SystemExit("the last life failed")
    os.close(book)
    received = [json.loads(line) for line in book_path.read_text().splitlines()]
    return {"crashes": crashes, "seed": seed, "hours": round(ended / 3600, 1), **count(path, received, seed, ended)}


def count(path: Path, received: list[dict[str, Any]], seed: int, ended: float) -> dict[str, object]:
    with closing(sqlite3.connect(path)) as database:
        events = [json.loads(data) for (data,) in database.execute("SELECT data FROM alerts")]
        outbox = list(database.execute("SELECT channel, data, delivered_at FROM outbox"))
    fired = {event["event_id"] for event in events if event["fired_at"] is not None}
    taken: dict[tuple[str, str, str, float], int] = {}  # → the life that delivered it last
    again: Counter[tuple[str, int]] = Counter()
    told: dict[str, set[str]] = defaultdict(set)
    heard: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for row in received:
        place = (row["channel"], row["id"], row["kind"], row["at"])
        before, taken[place] = taken.get(place), row["life"]
        if before is not None:  # that life died between the channel's taking it and noting so
            again[row["channel"], before] += 1
            continue
        told[row["channel"]] |= {event for event, _, _ in row["alerts"]}
        for _, key, kind in row["alerts"]:
            heard[row["channel"], key].append((row["at"], kind))
    undelivered = sum(
        delivered_at is None or place_of(channel, data) not in taken for channel, data, delivered_at in outbox
    )
    return {
        "events": len(fired),
        "rows": len(outbox),
        "received": len(received),
        "lost": undelivered + sum(len(fired - told[channel]) for channel in CHANNELS),
        "unbelieved": sum(unbelieved(heard, channel, seed, ended) for channel in CHANNELS),
        "not_alternating": sum(not alternates(kinds) for kinds in heard.values()),
        "duplicates": sum(again.values()),
        "duplicates_a_crash_and_channel": max(again.values(), default=0),
    }


def place_of(channel: str, data: str) -> tuple[str, str, str, float]:
    """What tells a row of the outbox from all others, as its receipt has it."""
    message = from_text(Message, data)
    return channel, message.event_id, message.kind.value, (message.at - T0).total_seconds()


def unbelieved(heard: Mapping[tuple[str, str], list[tuple[float, str]]], channel: str, seed: int, ended: float) -> int:
    wrong = 0
    for kind, subject in KEYS:
        said = heard[channel, f"{kind.value}/{subject}"]
        for begins, ends in spans(seed, f"{kind}/{subject}", 600, 480, ended):
            if ends - begins >= LASTING and ends < ended:
                last = max((each for each in said if each[0] <= ends), default=(0.0, ""))
                wrong += last[1] not in BEGUN
    return wrong


def alternates(said: list[tuple[float, str]]) -> bool:
    """Firing, then its end, then firing: in the order of the cycles that said it."""
    fires = False
    for _, kind in sorted(said, key=lambda each: each[0]):
        if (kind == "firing" and fires) or (kind in STOPS and not fires) or (kind == "passed" and fires):
            return False
        fires = (fires or kind == "firing") and kind not in STOPS
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crashes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the database lies; default: a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = simulate(options.crashes, options.seed, Path(folder), progress=True)
    print(json.dumps(figures))
    bad = figures["lost"] or figures["unbelieved"] or figures["not_alternating"]
    raise SystemExit(1 if bad or int(str(figures["duplicates_a_crash_and_channel"])) > 1 else 0)


if __name__ == "__main__":
    main()
