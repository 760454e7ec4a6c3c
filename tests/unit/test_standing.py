"""What is told again when a connection comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hedged.act import operator
from hedged.adapters.store.memory import MemoryStore
from hedged.model.alert import AlertState
from hedged.model.finding import Kind, Severity
from hedged.model.policy import World
from hedged.tell.message import message_object
from hedged.tell.standing import Standing
from tests.store_samples import alert, record
from tests.support import T0, ManualClock


async def test_what_fires_and_was_told_is_told_again_unless_acknowledged() -> None:
    """Under the same event ids, marked, the worst first; not what is over, unsaid yet, or seen by a person."""
    store, clock = MemoryStore(), ManualClock()
    await store.open("main", World.PAPER, T0)
    told = [replace(alert(name, name * 2), told_at=T0) for name in "abcd"]
    told[1] = replace(told[1], severity=Severity.CRITICAL)
    over = replace(told[3], state=AlertState.RESOLVED, resolved_at=T0)
    await store.record_cycle(record(1, alerts=[*told[:3], over, alert("e", "ee")]), [])
    await operator.acknowledge(store, "drift/c", "ann", clock.now())
    messages = await Standing(store, clock, "main", World.PAPER).standing()
    assert [message.event_id for message in messages] == ["bb", "aa"]
    assert all(message_object(message)["republished"] is True for message in messages)
    assert messages[0].title.endswith("[main, paper]")
    assert not any("order" in message.body for message in messages), "nobody here knows what was ordered meanwhile"


async def test_one_that_is_put_off_comes_back_after_its_rest() -> None:
    """A snooze is an acknowledgement with an end."""
    store, clock = MemoryStore(), ManualClock()
    await store.open("main", World.PAPER, T0)
    await store.record_cycle(record(1, alerts=[replace(alert("a", "aa"), told_at=T0)]), [])
    await operator.acknowledge(store, "aa", "ann", T0, T0 + timedelta(hours=1))
    standing = Standing(store, clock, "main", World.PAPER)
    assert await standing.standing() == []
    clock.advance(3600)
    assert len(await standing.standing()) == 1


async def test_what_is_silenced_or_came_back_quietly_is_not_told_again() -> None:
    """People believe it to be over, or asked not to hear of it; what nobody can silence is told."""
    store, clock = MemoryStore(), ManualClock()
    await store.open("main", World.PAPER, T0)
    quietly = replace(alert("a", "aa"), told_at=T0, closed_as="resolved")
    stale = replace(alert("s", "ss"), kind=Kind.DATA_STALE, key="data_stale/s", told_at=T0)
    await store.record_cycle(record(1, alerts=[quietly, replace(alert("b", "bb"), told_at=T0), stale]), [])
    await operator.silence(store, "*", T0 + timedelta(hours=1), "ann", "", T0)
    standing = Standing(store, clock, "main", World.PAPER)
    assert [message.event_id for message in await standing.standing()] == ["ss"]
    clock.advance(3600)
    assert [message.event_id for message in await standing.standing()] == ["bb", "ss"]
