"""One request for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class SharedCalls:
    """Legs of one cycle that need the same reply share one request, and so agree with each other.

    A caller that gives up (time-out) leaves the request running for the others; `close` ends those still running.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def ask(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """The reply of the request of this key that is running, or of a new one."""
        return await asyncio.shield(self.start(key, call))

    def start(self, key: str, call: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """Run the request without waiting for it, unless it is running."""
        task: asyncio.Task[T] | None = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(_as_coroutine(call))
            self._running[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return task

    def _forget(self, key: str, task: asyncio.Task[Any]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # all who asked may have given up: without this the loop would complain of it

    async def close(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _as_coroutine(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """The replies once all are there. If one failed, its error, when none is under way any more: a second try with the
    venue's time would otherwise join a request that was signed with ours.
    """
    replies = await asyncio.gather(*calls, return_exceptions=True)
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return replies
