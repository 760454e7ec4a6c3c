"""Delivery: one courier a channel takes messages from the outbox to the other side, so a dead one delays no other.

At least once, in order within an event, with the event's id the same each time. Nothing is given up: a row leaves
the outbox only when its channel has acknowledged it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from hedged.errors import DeliveryError, StoreError
from hedged.model.alert import OutboxRow
from hedged.ports import Channel, Clock, Store

_log = structlog.get_logger(__name__)

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_OFTEN = 3  # tries


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between tries, in seconds: doubling from `first`, never more than `cap`.

    The cap bounds how long a message waits once its channel works again.
    """

    first: float = 2.0
    cap: float = 30.0

    def after(self, failures: int) -> float:
        """The wait after that many failures in a row, from 1."""
        return float(min(self.cap, self.first * 2 ** min(failures - 1, 30)))


class Courier:
    """Delivers one channel's messages. Call `kick` after each cycle; run `run` as a task."""

    def __init__(
        self,
        store: Store,
        channel: Channel,
        clock: Clock,
        *,
        timeout: float = 10.0,
        batch: int = 200,
        backoff: Backoff | None = None,
    ) -> None:
        self._store = store
        self._channel = channel
        self._clock = clock
        self._timeout = timeout
        self._batch = batch
        self._backoff = backoff or Backoff()
        self._kicked = asyncio.Event()
        self._kicked.set()  # what an earlier run left in the outbox
        self._pause = 0.0  # seconds before the next pass; 0: none is needed until kicked
        self._failures = 0  # in a row
        self._complained = False
        self._blamed: set[int] = set()  # rows whose failure was logged: one that never goes out is named once
        self._unmarked: set[int] = set()  # delivered, but not yet noted in the store: not sent again

    def kick(self) -> None:
        """There may be something new in the outbox."""
        self._kicked.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._kicked.wait()
            self._kicked.clear()
            await self.deliver_due()
            if self._pause:
                await self._clock.sleep(self._pause)
                self._kicked.set()

    async def deliver_due(self) -> int:
        """Deliver what is due, oldest first, until done or until one fails; the number delivered."""
        delivered = 0
        self._pause = 0.0
        try:
            await self._mark_delivered()
            # Also rows that wait for their next try are asked for: nothing of the same event may overtake them.
            while rows := await self._store.due(self._channel.name, _END_OF_TIME, self._batch):
                ready, wait = _ready(rows, self._clock.now(), self._backoff.cap)
                if not ready:
                    self._pause = wait
                    break
                for row in ready:
                    if not await self._try(row):
                        return delivered
                    delivered += 1
        except StoreError as error:
            self._pause_after_failure()
            self._complain("the outbox cannot be used", error)
        return delivered

    async def _try(self, row: OutboxRow) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                await self._channel.deliver(row.message)
        except TimeoutError:
            await self._failed(row, f"no answer within {self._timeout:g} s")
        except DeliveryError as error:
            await self._failed(row, str(error))
        except Exception as error:  # noqa: BLE001 - a channel's bug must not end the delivery of alerts
            await self._failed(row, f"{type(error).__name__}: {error}")
        else:
            self._unmarked.add(row.id)
            self._blamed.discard(row.id)
            self._recovered()
            await self._mark_delivered()
            return True
        return False

    async def _failed(self, row: OutboxRow, error: str) -> None:
        self._pause_after_failure()
        if row.id not in self._blamed:
            self._blamed.add(row.id)
            self._complain("a channel takes no messages, they wait in the outbox", error)
        wait = timedelta(seconds=self._backoff.after(row.attempts + 1))
        await self._store.failed(row.id, self._clock.now() + wait, error)

    async def _mark_delivered(self) -> None:
        for row_id in sorted(self._unmarked):
            await self._store.delivered(row_id, self._clock.now())
            self._unmarked.discard(row_id)

    def _pause_after_failure(self) -> None:
        self._failures += 1
        self._pause = self._backoff.after(self._failures)

    def _complain(self, event: str, error: object) -> None:
        if not self._complained:
            self._complained = True
            _log.warning(event, channel=self._channel.name, error=str(error))

    def _recovered(self) -> None:
        self._failures = 0
        if self._complained:
            self._complained = False
            _log.info("the channel takes messages again", channel=self._channel.name)


def _ready(rows: Sequence[OutboxRow], now: datetime, wait_max: float) -> tuple[list[OutboxRow], float]:
    """Rows whose time has come and that no earlier row of their event holds up; and the seconds until the next.

    Events that were tried often go behind the others, so that a message that is never taken holds up only its own
    event. A time further away than any wait was written before the wall clock was set back: it has come.
    """
    tries: dict[str, int] = {}
    held_up: set[str] = set()
    ready: list[OutboxRow] = []
    waits = [wait_max]
    for row in rows:
        event = row.message.event_id
        tries.setdefault(event, row.attempts)
        wait = (row.next_try_at - now).total_seconds()
        if event in held_up:
            continue
        if 0 < wait <= wait_max:
            held_up.add(event)
            waits.append(wait)
        else:
            ready.append(row)
    ready.sort(key=lambda row: tries[row.message.event_id] >= _OFTEN)
    return ready, min(waits)
