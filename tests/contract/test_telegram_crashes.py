"""The desk dies at every point at which it waits for somebody: one answer, one command, and it can be given again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hedged.model.policy import World
from hedged.model.proposal import Verdict
from tests.bot_api import BotServer
from tests.contract.test_telegram import Scene, desk_over
from tests.fakes import BrokenStore
from tests.store_samples import proposal, record
from tests.support import T0, HandClock

WAITS = ("get_blob", "put_blob", "proposals", "proposal", "claim_command", "end_command", "answer", "note_command")


class Crash(BaseException):
    """As `kill -9`: nothing that follows happens."""


class Fuse:
    """Goes off at the n-th point: before a call is made, or after it was and before anybody hears of it."""

    def __init__(self, at: int) -> None:
        self.at, self.passed = at, 0

    @property
    def blown(self) -> bool:
        return self.passed >= self.at

    def tick(self) -> None:
        self.passed += 1
        if self.blown:
            raise Crash

    def around(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            self.tick()
            result = await call(*args, **kwargs)
            self.tick()
            return result

        return guarded


async def lived(scene: Scene, enough: Callable[[], bool]) -> None:
    """The loops run until somebody has seen enough, or until one of them dies."""
    tasks = [asyncio.create_task(loop()) for loop in (scene.desk.poll, scene.desk.keep_shown)]
    async with asyncio.timeout(20):
        while not enough() and not any(task.done() for task in tasks):
            await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await scene.channel.close()


def ended(server: BotServer) -> bool:
    return any("✔ Approved" in each.text for each in server.messages.values())


async def life_and_death(at: int) -> bool:
    """Whether the fuse went off."""
    async with BotServer() as server:
        store, clock, fuse = BrokenStore(), HandClock(), Fuse(at)
        await store.open("mine", World.PAPER, T0)
        await store.record_cycle(record(1, proposals=[proposal()]), [])
        pressed: set[int] = set()

        def person() -> bool:
            """Presses every button to approve that stands and has not been pressed in this life."""
            for number, message in server.messages.items():
                if "Approve" in message.buttons and number not in pressed:
                    pressed.add(number)
                    server.press(number, "Approve")
            return ended(server)

        real = {name: getattr(store, name) for name in WAITS}
        for name, call in real.items():
            setattr(store, name, fuse.around(call))
        first = desk_over(server, store, clock)
        first.channel.chat.api.call = fuse.around(first.channel.chat.api.call)
        await lived(first, person)
        for name, call in real.items():
            setattr(store, name, call)
        if fuse.blown:
            pressed.clear()  # nothing came of it: a person tries again
            await lived(desk_over(server, store, clock), person)

        found = await store.proposal("0badcafe")
        assert found is not None
        assert (found.verdict, found.decided_by) == (Verdict.APPROVED, "telegram 7")
        outcomes = [row.outcome.value for row in await store.past_commands(100)]
        assert outcomes.count("done") <= 1
        assert len(server.messages) <= 2, "one, and at worst one that was sent and not kept"
        return fuse.blown


@pytest.mark.timeout(300)
async def test_a_desk_that_dies_anywhere_is_answered_once() -> None:
    """Every point of a proposal's way from the store to the chat and of an answer's way back."""
    at = 0
    while await life_and_death(at := at + 1):
        pass
    assert at > 30, "the fuse was never long enough to see the whole way"
