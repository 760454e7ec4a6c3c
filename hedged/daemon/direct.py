"""Messages that no outbox can keep: told at once, and kept in the process until each channel has taken them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Kind, Severity
from hedged.ports import Channel

log = structlog.get_logger(__name__)

UNDELIVERED_MAX = 200  # messages a channel
WITHIN = 10.0  # seconds for one of them
FAILURE_REPEAT = timedelta(minutes=30)


class Direct:
    """Better told and forgotten than not told. Each channel gets them in order, and one that it refuses holds up none.

    What no channel has taken when the process ends is lost: it is in the log then.
    """

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = channels
        self._waiting: dict[str, dict[int, Message]] = {channel.name: {} for channel in channels}  # oldest first
        self._running: dict[str, asyncio.Task[None]] = {}
        self._number = 0

    @property
    def waiting(self) -> bool:
        """Whether some channel has not taken what is kept for it here."""
        return any(self._waiting.values())

    def deliver(self, messages: Sequence[Message]) -> None:
        """These, behind what still waits. Returns at once: a channel that hangs holds nothing up."""
        for channel in self._channels:
            kept = self._waiting[channel.name]
            for message in messages:
                self._number += 1
                kept[self._number] = message
            for number in list(kept)[:-UNDELIVERED_MAX]:
                self._lose(channel.name, kept.pop(number))
            running = self._running.get(channel.name)
            if kept and (running is None or running.done()):
                self._running[channel.name] = asyncio.create_task(self._deliver(channel))

    async def _deliver(self, channel: Channel) -> None:
        """Each that waits once, also what comes meanwhile; what is not taken is tried again the next time."""
        kept, last = self._waiting[channel.name], 0
        while (number := next((each for each in kept if each > last), None)) is not None:
            last = number
            try:
                await asyncio.wait_for(channel.deliver(kept[number]), WITHIN)
            except Exception as error:  # noqa: BLE001  whatever a channel raises, the others behind are told
                log.warning("message not delivered, tried again", channel=channel.name, error=str(error) or repr(error))
            else:
                kept.pop(number, None)

    async def settled(self) -> None:
        """Returns when every delivery under way has come to an end."""
        await asyncio.gather(*self._running.values())

    def close(self) -> None:
        for task in self._running.values():
            task.cancel()
        for name, kept in self._waiting.items():
            for message in kept.values():
                self._lose(name, message)

    @staticmethod
    def _lose(channel: str, message: Message) -> None:
        log.error("message lost", channel=channel, alert=message.key, event_id=message.event_id, title=message.title)


class Failures:
    """A cycle that fails as a whole can record no alert, and the next may fail too: said at once, and once a while."""

    def __init__(self, portfolio: str) -> None:
        self._portfolio = portfolio
        self._last: tuple[str, datetime] | None = None  # event id and last message of a run of failed cycles

    def over(self) -> None:
        self._last = None

    def message(self, error: Exception, now: datetime, new_event_id: str) -> Message | None:
        """What to say of it; None where that was said not long ago."""
        if self._last is not None and now - self._last[1] < FAILURE_REPEAT:
            return None
        event_id = self._last[0] if self._last is not None else new_event_id
        self._last = (event_id, now)
        return Message(
            event_id=event_id,
            kind=MessageKind.FIRING,
            key=f"{Kind.CYCLE_FAILED.value}/{self._portfolio}",
            severity=Severity.CRITICAL,
            title=f"Critical: {self._portfolio} could not complete a cycle",
            body=(
                f"{self._portfolio}: a cycle failed ({type(error).__name__}, see the log). Nothing is watched or "
                "traded until one completes; hedged tries again at every interval."
            ),
            at=now,
        )
