"""Loops that must not die: a courier, the MQTT connection."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from hedged.ports import Clock

BACKOFF_FIRST = 1.0  # seconds
BACKOFF_LAST = 60.0
HEALTHY_AFTER = 300.0  # a loop that lived this long has earned a quick first restart again

log = structlog.get_logger(__name__)

Loop = Callable[[], Coroutine[Any, Any, None]]


async def keep_alive(loop: Loop, clock: Clock) -> None:
    """Run `loop` until it returns; when it raises, log the traceback and start it again after a growing pause."""
    pause = BACKOFF_FIRST
    while True:
        started = clock.monotonic()
        try:
            await loop()
        except Exception:
            if clock.monotonic() - started >= HEALTHY_AFTER:
                pause = BACKOFF_FIRST
            log.exception("background task failed", task=name_of(loop), again_in_s=pause)
        else:
            return
        await clock.sleep(pause)
        pause = min(pause * 2, BACKOFF_LAST)


def name_of(loop: Loop) -> str:
    """How the log names it, for example `Courier.run`."""
    call = getattr(loop, "func", loop)  # of a partial
    return str(getattr(call, "__qualname__", type(call).__name__))
