"""An event loop in virtual time: waiting for a timer moves the clock to it at once, and nothing else moves it.

One loop is one process of the daemon. It ends as a process ends that is killed: between two steps, with every task
where it was, and no `finally` that could still tell anybody anything.
"""

from __future__ import annotations

import asyncio
import selectors
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Killed(BaseException):
    """The process has died. Raised wherever it would go on, and caught by the world around it alone."""


class Surroundings(Protocol):
    """What happens outside the process while its loop turns."""

    def turn(self) -> None:
        """The loop is about to take its next step. May raise `Killed`."""

    def next_event(self) -> float:
        """When something happens next, in seconds of virtual time; infinite: nothing will."""

    def happen(self, until: float) -> None:
        """Let everything happen that is due by then. May raise `Killed`."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Signals are sent with `signal`; threads are not needed: what would run in one runs at once."""

    def __init__(self, start: float, surroundings: Surroundings) -> None:
        super().__init__(_Jumping(self))
        self.elapsed = start
        self.surroundings = surroundings
        self._handlers: dict[int, Callable[[], object]] = {}
        self.set_default_executor(_AtOnce(max_workers=1))
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self.elapsed

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        self._handlers[sig] = lambda: callback(*args)

    def remove_signal_handler(self, sig: int) -> bool:
        return self._handlers.pop(sig, None) is not None

    def signal(self, number: int) -> bool:
        """As if it had come from outside; False: the process does not listen to it (yet, or any more)."""
        handler = self._handlers.get(number)
        if handler is not None:
            self.call_soon(handler)
        return handler is not None

    def bury(self) -> None:
        """Throw away every task as it stands. Whatever they still touch must be dead already."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of what was about to be awaited
            for task in asyncio.all_tasks(self):
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  as asyncio.gather does
                coroutine: Any = task.get_coro()
                with suppress(BaseException):
                    coroutine.close()
        self.close()


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self._loop
        loop.surroundings.turn()
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        event = loop.surroundings.next_event()
        until = event if timeout is None else loop.elapsed + timeout
        if until == float("inf"):
            raise RuntimeError("nothing will ever happen: every task waits for another")
        if event <= until:
            loop.elapsed = max(event, loop.elapsed)
            loop.surroundings.happen(loop.elapsed)
        else:
            loop.elapsed = until
        return []


class _AtOnce(ThreadPoolExecutor):
    """Runs in the caller what would have run beside it: the same result at the same moment, every time."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  whoever waits for the result gets it
            future.set_exception(error)
        return future


def run_now(coroutine: Any, *, steps: int = 1000) -> Any:
    """The result of a coroutine that waits for nothing but its turn: for what is done from outside the process."""
    try:
        for _ in range(steps):
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("it waits for something that does not happen outside a loop")
