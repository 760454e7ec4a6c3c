"""Messages that no outbox can keep reach every channel, in order, whatever a channel does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hedged.daemon.direct import UNDELIVERED_MAX, Direct
from hedged.errors import DeliveryError, StoreError
from hedged.model.alert import Message
from tests.store_samples import message

MESSAGES = [message(f"e{number}") for number in range(4)]


class Line:
    """A channel that takes what it is given, unless it is told to raise, or to wait for `gate`."""

    name, confirms = "line", False

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuses: dict[str, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def deliver(self, message: Message) -> None:
        await self.gate.wait()
        if message.event_id in self.refuses:
            raise self.refuses[message.event_id]
        self.taken.append(message.event_id)


@pytest.mark.parametrize("error", [DeliveryError("no"), StoreError("disk full"), OSError(5, "io"), RuntimeError()])
async def test_what_a_channel_refuses_is_tried_again_and_holds_up_none(error: Exception) -> None:
    """Whatever it raises: those behind are delivered, and it is itself once the channel takes it."""
    line = Line()
    direct = Direct([line])  # type: ignore[list-item]
    line.refuses = {"e1": error}
    direct.deliver(MESSAGES[:3])
    await direct.settled()
    assert line.taken == ["e0", "e2"]
    assert direct.waiting
    line.refuses = {}
    direct.deliver([])
    await direct.settled()
    assert line.taken == ["e0", "e2", "e1"]
    assert not direct.waiting


async def test_what_comes_later_does_not_overtake() -> None:
    """While a channel hangs more is to be said: it is said in the order in which it came."""
    line = Line()
    line.gate.clear()
    direct = Direct([line])  # type: ignore[list-item]
    for each in MESSAGES:
        direct.deliver([each])
        await asyncio.sleep(0)
    line.gate.set()
    await direct.settled()
    assert line.taken == ["e0", "e1", "e2", "e3"]


async def test_only_the_newest_are_kept_for_a_dead_channel() -> None:
    """The memory of a process is not endless."""
    line = Line()
    many = [replace(MESSAGES[0], event_id=f"e{number}") for number in range(UNDELIVERED_MAX + 5)]
    line.refuses = {each.event_id: DeliveryError("no") for each in many}
    direct = Direct([line])  # type: ignore[list-item]
    direct.deliver(many)
    await direct.settled()
    line.refuses = {}
    direct.deliver([])
    await direct.settled()
    assert line.taken == [each.event_id for each in many[5:]]
