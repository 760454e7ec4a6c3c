"""500 conditions in ten seconds, from what is found to what a phone rings for, on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise

import pytest

from hedged.adapters.store.memory import MemoryStore
from hedged.model.alert import Message
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.policy import World
from hedged.ports import CycleRecord, Memory
from hedged.tell.attention import attention
from hedged.tell.lifecycle import advance
from hedged.tell.outbox import Courier
from hedged.tell.rules import AlertRules
from tests.support import T0, CountingIds
from tests.virtual_time import VirtualTimeLoop, WallClock

KINDS = (Kind.MARGIN, Kind.NOT_TRADING, Kind.PRICE_MISSING, Kind.POSITION_UNOWNED, Kind.DATA_MISSING)
RULES = AlertRules()
AFTER = 180.0  # seconds, long enough for what was held back


class Phone:
    """Takes a third of a second for each message."""

    name, confirms = "phone", True

    def __init__(self, clock: WallClock) -> None:
        self.clock = clock
        self.rung: list[tuple[float, Message]] = []

    async def deliver(self, message: Message) -> None:
        await self.clock.sleep(1 / 3)
        self.rung.append((self.clock.monotonic(), message))

    async def publish_state(self, state: Mapping[str, object]) -> None: ...
    async def close(self) -> None: ...


async def storm(clock: WallClock, seed: int) -> tuple[list[tuple[float, Message]], dict[str, float], set[str]]:
    """What rang, when each key was critical first, and all keys that were ever found."""
    dice, ids, store, phone = random.Random(seed), CountingIds(), MemoryStore(), Phone(clock)
    await store.open("storm", World.SIMULATED, clock.now())
    courier = Courier(store, phone, clock, minute_max=20)
    task = asyncio.create_task(courier.run())
    critical: dict[str, float] = {}
    found_ever: set[str] = set()
    while clock.monotonic() < 10 + AFTER:
        found = []
        if clock.monotonic() < 10:
            for number in range(500):
                if dice.random() < 0.5:
                    severity = Severity.CRITICAL if dice.random() < 0.004 else Severity.WARNING
                    found.append(Finding(KINDS[number % 5], f"s{number}", severity, f"s{number}."))
        for each in found:
            found_ever.add(each.key)
            if each.severity is Severity.CRITICAL:
                critical.setdefault(each.key, clock.monotonic())
        alerts, now = await store.alerts(), clock.now()
        said = await attention(store, alerts, RULES, ("phone",), now)
        after, messages = advance(
            alerts, found, frozenset(), lambda _kind, _subject: True, frozenset(), RULES, now, ids.new, attention=said
        )
        await store.record_cycle(
            CycleRecord(ids.new(), now, now, None, None, None, Memory(), after, messages), ["phone"]
        )
        courier.kick()
        await clock.sleep(1)
    task.cancel()
    return phone.rung, critical, found_ever


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_is_one_message_a_kind_and_minute_and_what_is_critical_comes_at_once(seed: int) -> None:
    """All 500 are told, in a handful of messages; each critical one within five seconds of the cycle that found it."""
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        rung, critical, found_ever = runner.run(storm(WallClock(loop), seed))
    assert len(critical) > 5
    assert len(found_ever) >= 490
    told = {each.key for _, message in rung for each in message.alerts}
    assert told == found_ever
    late = {}
    for key, found_at in critical.items():
        at = [
            when
            for when, message in rung
            for each in message.alerts
            if each.key == key and each.severity is Severity.CRITICAL
        ]
        late[key] = min(at) - found_at
    assert max(late.values()) <= 5
    calm = [message for _, message in rung if message.severity is not Severity.CRITICAL]
    for kind in KINDS:
        times = sorted(message.at for message in calm if message.key.startswith(kind.value))
        assert all(b - a >= timedelta(minutes=1) for a, b in pairwise(times)), kind
    assert len(rung) <= len(critical) + len(KINDS) * (1 + (10 + AFTER) / 60), "more than one a kind and minute"
    assert rung[-1][1].at < T0 + timedelta(seconds=10 + AFTER)
