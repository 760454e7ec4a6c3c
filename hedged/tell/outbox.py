"""Delivery: one courier a channel takes messages from the outbox to the other side, so a dead one delays no other.

At least once, in order within an event, with the event's id the same each time. Nothing is given up: a row leaves
the outbox only when its channel has acknowledged it. What is critical goes before the rest, and waits for no rate.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from hedged.errors import DeliveryError, StoreError
from hedged.model.alert import OutboxRow
from hedged.model.finding import Severity
from hedged.ports import Channel, Clock, Store

_log = structlog.get_logger(__name__)

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_OFTEN = 3  # tries
_MINUTE = 60.0


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


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel that takes nothing."""

    since: datetime
    why: str


class Courier:
    """Delivers one channel's messages. Call `kick` after each cycle; run `run` as a task."""

    def __init__(
        self,
        store: Store,
        channel: Channel,
        clock: Clock,
        *,
        timeout: float = 10.0,
        batch: int = 1000,
        backoff: Backoff | None = None,
        minute_max: int | None = None,
    ) -> None:
        """`minute_max`: messages a minute that the channel is asked to take; None: as many as there are."""
        self._store = store
        self._channel = channel
        self._clock = clock
        self._timeout = timeout
        self._batch = batch
        self._backoff = backoff or Backoff()
        self._minute_max = minute_max
        self._sent: deque[float] = deque()  # when, within the last minute, on the clock that never jumps
        self._failing: Failing | None = None
        self.tried = False  # since the start: something, or there was nothing
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
                await self._rest()
                self._kicked.set()

    async def _rest(self) -> None:
        """For the pause, or until kicked where the channel works: what is new may be critical."""
        tasks = [asyncio.ensure_future(self._clock.sleep(self._pause))]
        if not self._failures:
            tasks.append(asyncio.ensure_future(self._kicked_again()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _kicked_again(self) -> None:
        await self._kicked.wait()

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
                for row, urgent in ready:
                    if not urgent and (wait := self._until_allowed()):
                        self._pause = wait
                        return delivered
                    if not await self._try(row):
                        return delivered
                    delivered += 1
                    if self._kicked.is_set():  # what is new may be critical
                        self._kicked.clear()
                        break
            else:
                self.tried = True  # nothing is left to try
        except StoreError as error:
            self._pause_after_failure()
            self._complain("the outbox cannot be used", error)
        return delivered

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def failing(self) -> Failing | None:
        """Since when the channel takes nothing, and why; None: it does, or nothing was tried."""
        return self._failing

    def _until_allowed(self) -> float:
        """Seconds until the next message may go; 0: now."""
        now = self._clock.monotonic()
        while self._sent and now - self._sent[0] >= _MINUTE:
            self._sent.popleft()
        if self._minute_max is None or len(self._sent) < self._minute_max:
            return 0.0
        return self._sent[len(self._sent) - self._minute_max] + _MINUTE - now

    async def _try(self, row: OutboxRow) -> bool:
        if self._minute_max is not None:
            self._sent.append(self._clock.monotonic())
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
        since = self._failing.since if self._failing is not None else self._clock.now()
        self._failing, self.tried = Failing(since, error), True
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
        self._failing, self.tried = None, True
        if self._complained:
            self._complained = False
            _log.info("the channel takes messages again", channel=self._channel.name)


def _ready(rows: Sequence[OutboxRow], now: datetime, wait_max: float) -> tuple[list[tuple[OutboxRow, bool]], float]:
    """Rows whose time has come and that no earlier row of their events holds up, and whether each is urgent; and the
    seconds until the next.

    A time further away than any wait was written before the wall clock was set back: it has come.
    """
    held_up: set[str] = set()
    ready: list[OutboxRow] = []
    waits = [wait_max]
    for row in rows:
        wait = (row.next_try_at - now).total_seconds()
        if row.message.event_ids & held_up:
            held_up |= row.message.event_ids
        elif 0 < wait <= wait_max:
            held_up |= row.message.event_ids
            waits.append(wait)
        else:
            ready.append(row)
    return _by_urgency(ready), min(waits)


def _by_urgency(rows: Sequence[OutboxRow]) -> list[tuple[OutboxRow, bool]]:
    """What is critical first, with all that has to go before it; last what was tried often.

    So a message that is never taken holds up only its own events. Rows that share an event keep their order.
    """
    behind: set[str] = set()
    often: set[int] = set()
    for row in rows:
        if row.attempts >= _OFTEN or row.message.event_ids & behind:
            behind |= row.message.event_ids
            often.add(row.id)
    urgent: set[str] = set()
    first: set[int] = set()
    for row in reversed(rows):
        critical = row.message.severity is Severity.CRITICAL
        if row.id not in often and (critical or row.message.event_ids & urgent):
            urgent |= row.message.event_ids
            first.add(row.id)
    ordered = sorted(rows, key=lambda row: 0 if row.id in first else 2 if row.id in often else 1)
    return [(row, row.id in first) for row in ordered]
