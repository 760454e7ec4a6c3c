"""The dead man's switch: a service that raises the alarm when signals stop coming, or when one says that it should."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import structlog

from hedged.errors import StoreError
from hedged.ports import Clock, Store
from hedged.tell.state import time

if TYPE_CHECKING:
    import aiohttp

KEPT = "heartbeat"  # the store's small fact: {"delivered_at": ISO time of the last success that was answered}
KEEP_EVERY = timedelta(minutes=1)
WAITING_MAX = 2  # the newest start and how it ended: older ones say nothing that these do not

_log = structlog.get_logger(__name__)


class Signal(StrEnum):
    """What healthchecks.io and its kin are told. The value is what goes behind the address."""

    START = "/start"  # with it the service knows how long a cycle takes, and one that never ends
    SUCCESS = ""
    FAIL = "/fail"  # it raises the alarm at once


class Heartbeat:
    """GETs an address for each cycle, in the background. The address is a secret and is never shown.

    `signals`: also when a cycle begins and when it fails; without, only when it was completed. Signals go out in
    order, one at a time; while one hangs the newest two wait and the others are dropped.
    """

    def __init__(self, url: str, store: Store, clock: Clock, *, signals: bool = True, timeout: float = 5.0) -> None:
        import aiohttp  # noqa: PLC0415 - 0.2 s, only for those who have a heartbeat

        self.delivered_at: datetime | None = None  # by this process
        self._url = url
        self._store = store
        self._clock = clock
        self._signals = signals
        self._errors = (aiohttp.ClientError, OSError, ValueError)
        self._limit = aiohttp.ClientTimeout(total=timeout)
        self._new_session = aiohttp.ClientSession
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: deque[Signal] = deque(maxlen=WAITING_MAX)
        self._problems: dict[Signal, str] = {}  # why the last of each was not answered
        self._kept_at: datetime | None = None
        self._unkept = False

    @property
    def problem(self) -> str | None:
        """Why the service does not hear all it should; None: it does, or has not been told anything yet."""
        return "; ".join(f"{signal.name.lower()}: {reason}" for signal, reason in self._problems.items()) or None

    def state(self) -> Mapping[str, object]:
        """As it stands in the state of a cycle."""
        return {"delivered_at": time(self.delivered_at), "problem": self.problem}

    def send(self, signal: Signal) -> None:
        """Returns at once."""
        if signal is not Signal.SUCCESS and not self._signals:
            return
        self._waiting.append(signal)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(), name="heartbeat")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _send_all(self) -> None:
        while self._waiting:
            signal = self._waiting.popleft()
            problem = await self._get(signal)
            if problem is None:
                await self._answered(signal)
            else:
                self._complain(signal, problem)

    async def _get(self, signal: Signal) -> str | None:
        """Why it was not answered; None: it was. Never the error's own text: it may name the address."""
        if self._session is None:
            self._session = self._new_session(timeout=self._limit, trust_env=True)
        try:
            async with self._session.get(address(self._url, signal)) as response:
                response.raise_for_status()
        except TimeoutError:
            return f"no answer within {self._limit.total:g} s"
        except self._errors as error:
            status = getattr(error, "status", None)
            return f"status {status}" if status else type(error).__name__
        return None

    async def _answered(self, signal: Signal) -> None:
        if self._problems.pop(signal, None) is not None:
            _log.info("the heartbeat is answered again", signal=signal.name.lower())
        if signal is Signal.SUCCESS:
            self.delivered_at = self._clock.now()
            await self._keep(self.delivered_at)

    def _complain(self, signal: Signal, reason: str) -> None:
        if signal not in self._problems:
            hint = {"hint": "heartbeat_signals = false where the service knows no such address"} if signal.value else {}
            _log.warning(
                "the heartbeat is not answered, its service may raise an alarm",
                signal=signal.name.lower(),
                reason=reason,
                **hint,
            )
        self._problems[signal] = reason

    async def _keep(self, now: datetime) -> None:
        """So that it is known after a restart, and to other commands, when somebody was last there to listen."""
        if self._kept_at is not None and timedelta(0) <= now - self._kept_at < KEEP_EVERY:
            return
        try:
            await self._store.put_blob(KEPT, {"delivered_at": time(now)}, now)
        except StoreError as error:
            if not self._unkept:
                _log.warning("when the heartbeat was answered could not be kept", error=str(error))
            self._unkept = True
        else:
            self._kept_at, self._unkept = now, False


def address(url: str, signal: Signal) -> str:
    """Where a signal goes: its word ends the path, before any query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + signal.value)) if signal.value else url
