"""Couriers: every message gets there, in order, whatever its channel and the store do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from hedged.adapters.store.memory import MemoryStore
from hedged.errors import DeliveryError, StoreUnavailable
from hedged.model.alert import Message, MessageKind, OutboxRow, Told
from hedged.model.finding import Severity
from hedged.model.policy import World
from hedged.ports import CycleRecord, Memory
from hedged.tell.outbox import Backoff, Courier, Failing
from tests.support import T0, CountingIds, ManualClock
from tests.virtual_time import VirtualTimeLoop, WallClock


def message(event: str = "e1", kind: MessageKind = MessageKind.FIRING) -> Message:
    return Message(event, kind, f"margin/{event}", Severity.WARNING, f"{kind.value} {event}", "body", T0)


class Outbox(MemoryStore):
    """The store in RAM; `down` makes it fail, `late` only when a delivery is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = CountingIds()
        self.down = self.late = False

    async def put(self, *messages: Message, channel: str = "phone", now: datetime = T0) -> None:
        record = CycleRecord(self.ids.new(), now, now, None, None, None, Memory(), (), messages)
        await self.record_cycle(record, [channel])

    async def due(self, channel: str, now: datetime, limit: int) -> Sequence[OutboxRow]:
        if self.down:
            raise StoreUnavailable("the database is locked")
        return await super().due(channel, now, limit)

    async def delivered(self, row_id: int, now: datetime) -> None:
        if self.down or self.late:
            raise StoreUnavailable("the database is locked")
        await super().delivered(row_id, now)

    async def waiting(self, channel: str = "phone") -> Sequence[OutboxRow]:
        return await super().due(channel, datetime.max.replace(tzinfo=UTC), 10_000)


class Phone:
    """A channel that does with each message what `behave` says: returns, raises or hangs."""

    name = "phone"
    confirms = True

    def __init__(self, behave: Callable[[Message], Any] = lambda _message: None) -> None:
        self.behave = behave
        self.got: list[Message] = []
        self.tries: Counter[str] = Counter()

    async def deliver(self, message: Message) -> None:
        self.tries[message.title] += 1
        error = self.behave(message)
        if error == "hang":
            await asyncio.Event().wait()
        if error:
            raise error
        self.got.append(message)

    async def publish_state(self, state: object) -> None: ...
    async def close(self) -> None: ...

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.got]


DOWN = DeliveryError("no route")


@pytest.fixture
async def store() -> Outbox:
    outbox = Outbox()
    await outbox.open("test", World.SIMULATED, T0)
    return outbox


async def test_delivers_in_order_and_once(store: Outbox) -> None:
    """What is acknowledged leaves the outbox."""
    phone = Phone()
    courier = Courier(store, phone, ManualClock())
    await store.put(message("e1"), message("e2"), message("e1", MessageKind.RESOLVED))
    assert await courier.deliver_due() == 3
    assert await courier.deliver_due() == 0
    assert phone.titles == ["firing e1", "firing e2", "resolved e1"]
    assert await store.waiting() == []


async def test_a_failure_waits_longer_each_time(store: Outbox) -> None:
    """Exponential back-off with a cap, kept with the row, so that a restart does not forget it."""
    clock = ManualClock()
    courier = Courier(store, Phone(lambda _message: DOWN), clock, backoff=Backoff(first=2, cap=15))
    await store.put(message())
    waits = []
    for attempts in range(1, 7):
        await courier.deliver_due()
        (row,) = await store.waiting()
        assert row.attempts == attempts
        waits.append((row.next_try_at - clock.now()).total_seconds())
        clock.advance(waits[-1] - 0.1)
        await courier.deliver_due()
        assert (await store.waiting())[0].attempts == attempts, "tried before its time"
        clock.advance(0.1)
    assert waits == [2, 4, 8, 15, 15, 15]


async def test_an_end_never_overtakes_its_beginning(store: Outbox) -> None:
    """While the firing waits for its next try, the resolved of the same event waits too; others go out."""
    clock = ManualClock()
    phone = Phone(lambda each: DOWN if each.event_id == "e1" else None)
    courier = Courier(store, phone, clock)
    await store.put(message("e1"), message("e1", MessageKind.RESOLVED), message("e2"))
    await courier.deliver_due()
    assert await courier.deliver_due() == 1
    assert phone.titles == ["firing e2"]
    restarted = Courier(store, phone, clock)
    phone.behave = lambda _message: None
    assert await restarted.deliver_due() == 0, "it is not time yet"
    clock.advance(60)
    await restarted.deliver_due()
    assert phone.titles == ["firing e2", "firing e1", "resolved e1"]


async def test_a_message_nobody_takes_holds_up_no_other(store: Outbox) -> None:
    """One that the service always refuses stays behind; it is kept, and its failure is logged once."""
    clock = ManualClock()
    phone = Phone(lambda each: DOWN if each.event_id == "bad" else None)
    courier = Courier(store, phone, clock)
    with structlog.testing.capture_logs() as logs:
        await store.put(message("bad"))
        for each in range(20):
            await store.put(message(f"e{each}"), now=clock.now())
            await courier.deliver_due()
            clock.advance(31)
    await courier.deliver_due()
    assert phone.titles == [f"firing e{each}" for each in range(20)]
    assert [row.message.event_id for row in await store.waiting()] == ["bad"]
    assert len([each for each in logs if each["log_level"] == "warning"]) == 1


async def test_a_hung_channel_is_cut_off(store: Outbox) -> None:
    """A channel that never answers counts as failed after the time-out."""
    courier = Courier(store, Phone(lambda _message: "hang"), ManualClock(), timeout=0.01)
    await store.put(message())
    assert await courier.deliver_due() == 0
    assert (await store.waiting())[0].attempts == 1


async def test_a_bug_in_a_channel_is_a_failed_delivery(store: Outbox) -> None:
    """An unexpected exception loses no message and does not end the courier."""
    courier = Courier(store, Phone(lambda _message: KeyError("chat")), ManualClock())
    await store.put(message())
    assert await courier.deliver_due() == 0
    assert (await store.waiting())[0].attempts == 1


async def test_failure_and_recovery_are_logged_once(store: Outbox) -> None:
    """Ten failures are one line, the recovery another; the next outage is news again."""
    clock = ManualClock()
    phone = Phone(lambda _message: DOWN)
    courier = Courier(store, phone, clock)
    with structlog.testing.capture_logs() as logs:
        for outage in ("e1", "e2"):
            phone.behave = lambda _message: DOWN
            await store.put(message(outage))
            for _ in range(10):
                await courier.deliver_due()
                clock.advance(60)
            phone.behave = lambda _message: None
            await courier.deliver_due()
    assert [(each["log_level"], each["channel"]) for each in logs] == [("warning", "phone"), ("info", "phone")] * 2
    assert logs[0]["error"] == "no route"


async def test_delivered_but_not_noted_is_not_sent_again(store: Outbox) -> None:
    """When the store fails between the channel's acknowledgement and the note, the note is made up for."""
    phone = Phone()
    courier = Courier(store, phone, ManualClock())
    await store.put(message("e1"), message("e2"))
    store.late = True
    for _ in range(3):
        await courier.deliver_due()
    store.late = False
    await courier.deliver_due()
    assert phone.titles == ["firing e1", "firing e2"]
    assert await store.waiting() == []


async def test_a_failing_store_is_survived(store: Outbox) -> None:
    """The courier goes on once the store can be read again, and says so once."""
    phone = Phone()
    courier = Courier(store, phone, ManualClock())
    await store.put(message())
    store.down = True
    with structlog.testing.capture_logs() as logs:
        assert [await courier.deliver_due() for _ in range(3)] == [0, 0, 0]
        store.down = False
        assert await courier.deliver_due() == 1
    assert [each["log_level"] for each in logs] == ["warning", "info"]


async def test_the_clock_set_back_does_not_put_messages_off(store: Outbox) -> None:
    """A next try that lies 30 days ahead was written before the jump, and has come."""
    clock = ManualClock()
    phone = Phone(lambda _message: DOWN)
    courier = Courier(store, phone, clock)
    await store.put(message())
    await courier.deliver_due()
    clock.set(T0 - timedelta(days=30))
    phone.behave = lambda _message: None
    assert await courier.deliver_due() == 1


def virtual(scene: Callable[[WallClock], Any]) -> None:
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scene(WallClock(loop)))


def test_runs_until_cancelled_waking_at_each_kick() -> None:
    """A message goes out as soon as the courier is kicked, without polling."""

    async def scene(clock: WallClock) -> None:
        store = Outbox()
        await store.open("test", World.SIMULATED, T0)
        phone = Phone()
        courier = Courier(store, phone, clock)
        await store.put(message("left over"))
        task = asyncio.create_task(courier.run())
        await clock.sleep(1)
        assert phone.titles == ["firing left over"], "what an earlier run left goes out without a kick"
        await store.put(message("e1"), now=clock.now())
        await clock.sleep(1000)
        assert len(phone.got) == 1
        courier.kick()
        await clock.sleep(0.001)
        assert len(phone.got) == 2
        task.cancel()

    virtual(scene)


def test_a_message_that_waits_is_tried_again_without_a_kick() -> None:
    """Also when its channel works and nothing else is in the outbox."""

    async def scene(clock: WallClock) -> None:
        store = Outbox()
        await store.open("test", World.SIMULATED, T0)
        phone = Phone(lambda each: DOWN if each.event_id == "bad" else None)
        courier = Courier(store, phone, clock)
        await store.put(message("bad"))
        task = asyncio.create_task(courier.run())
        await clock.sleep(40)
        await store.put(message("good"), now=clock.now())
        courier.kick()
        await clock.sleep(29)
        assert phone.titles == ["firing good"]
        phone.behave = lambda _message: None
        await clock.sleep(31)
        assert phone.titles == ["firing good", "firing bad"]
        task.cancel()

    virtual(scene)


def test_a_dead_channel_delays_no_other_and_drains_within_a_minute() -> None:
    """Two couriers on one store: one channel hangs for an hour, the other's times do not change."""

    async def scene(clock: WallClock) -> None:
        store = Outbox()
        await store.open("test", World.SIMULATED, T0)
        dead, live = Phone(lambda _message: "hang"), Phone()
        live.name = "mail"
        couriers = [Courier(store, dead, clock), Courier(store, live, clock)]
        tasks = [asyncio.create_task(courier.run()) for courier in couriers]
        for minute in range(60):
            for channel in ("phone", "mail"):
                await store.put(message(f"e{minute}"), channel=channel, now=clock.now())
            for courier in couriers:
                courier.kick()
            await clock.sleep(0.001)
            assert len(live.got) == minute + 1
            await clock.sleep(60)
        assert sum(dead.tries.values()) < 60 * 60 / 30, "a dead channel is hammered"
        dead.behave = lambda _message: None
        await clock.sleep(60)
        assert sorted(dead.titles) == sorted(live.titles)
        for task in tasks:
            task.cancel()

    virtual(scene)


async def test_what_is_critical_goes_first(store: Outbox) -> None:
    """Before what has waited longer, but not before what was said of the same event."""
    phone = Phone()
    courier = Courier(store, phone, ManualClock())
    worse = replace(message("e2", MessageKind.ESCALATED), severity=Severity.CRITICAL)
    await store.put(message("e1"), message("e2"), message("e3"), worse)
    await courier.deliver_due()
    assert phone.titles == ["firing e2", "escalated e2", "firing e1", "firing e3"]


async def test_a_group_keeps_its_place_among_the_messages_of_its_members(store: Outbox) -> None:
    """While what was said of one of them waits, the message of all waits, and whatever follows of any."""
    clock = ManualClock()
    phone = Phone(lambda each: DOWN if each.event_id == "e1" else None)
    courier = Courier(store, phone, clock)
    told = tuple(Told(each, "drift/x", MessageKind.RESOLVED, Severity.WARNING) for each in ("e1", "e2"))
    group = replace(message("g1", MessageKind.RESOLVED), alerts=told)
    await store.put(message("e1"))
    await courier.deliver_due()
    await store.put(group, message("e2"), message("e3"))
    await courier.deliver_due()
    assert phone.titles == ["firing e3"]
    phone.behave = lambda _message: None
    clock.advance(60)
    await courier.deliver_due()
    assert phone.titles == ["firing e3", "firing e1", "resolved g1", "firing e2"]


async def test_no_more_than_its_rate_and_the_critical_one_at_once(store: Outbox) -> None:
    """Three a minute here: the fourth waits until the first is a minute old, what is critical does not."""
    clock, phone = ManualClock(), Phone()
    courier = Courier(store, phone, clock, minute_max=3)
    await store.put(*(message(f"e{n}") for n in range(6)))
    assert await courier.deliver_due() == 3
    clock.advance(59)
    await store.put(replace(message("c"), severity=Severity.CRITICAL), now=clock.now())
    assert await courier.deliver_due() == 1
    assert phone.titles[-1] == "firing c"
    clock.advance(1)
    assert await courier.deliver_due() == 2, "the critical one counts too"
    clock.advance(60)
    assert await courier.deliver_due() == 1
    assert phone.titles == ["firing e0", "firing e1", "firing e2", "firing c", "firing e3", "firing e4", "firing e5"]


def test_a_critical_one_does_not_wait_for_the_rate_of_the_others() -> None:
    """A courier that rests because of its rate is woken by the next cycle."""

    async def scene(clock: WallClock) -> None:
        store, phone = Outbox(), Phone()
        await store.open("test", World.SIMULATED, T0)
        courier = Courier(store, phone, clock, minute_max=2)
        task = asyncio.create_task(courier.run())
        await store.put(*(message(f"e{n}") for n in range(5)), now=clock.now())
        courier.kick()
        await clock.sleep(1)
        assert len(phone.got) == 2
        await store.put(replace(message("c"), severity=Severity.CRITICAL), now=clock.now())
        courier.kick()
        await clock.sleep(0.001)
        assert phone.titles[-1] == "firing c"
        await clock.sleep(125)
        assert len(phone.got) == 6
        task.cancel()

    virtual(scene)


async def test_a_channel_that_takes_nothing_says_since_when_and_why(store: Outbox) -> None:
    """Until it takes something: the daemon tells it on the others."""
    clock = ManualClock()
    phone = Phone(lambda _message: DOWN)
    courier = Courier(store, phone, clock)
    assert courier.failing is None
    await store.put(message())
    await courier.deliver_due()
    clock.advance(60)
    await courier.deliver_due()
    assert courier.failing == Failing(T0, "no route")
    phone.behave = lambda _message: None
    clock.advance(60)
    await courier.deliver_due()
    assert courier.failing is None
