"""The dead man's switch: a service that raises the alarm when these pings stop coming."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import aiohttp

_log = structlog.get_logger(__name__)


class Heartbeat:
    """GETs one URL after each completed cycle, in the background. The URL is a secret and is never shown."""

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        import aiohttp  # noqa: PLC0415 - 0.2 s, only for those who have a heartbeat

        self._url = url
        self._errors = (aiohttp.ClientError, OSError, ValueError)
        self._limit = aiohttp.ClientTimeout(total=timeout)
        self._new_session = aiohttp.ClientSession
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._complained = False

    def ping(self) -> None:
        """A cycle was completed. Returns at once; while an earlier ping is under way there is no second."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._get(), name="heartbeat")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _get(self) -> None:
        if self._session is None:
            self._session = self._new_session(timeout=self._limit, trust_env=True)
        try:
            async with self._session.get(self._url) as response:
                response.raise_for_status()
        except TimeoutError:
            self._complain(f"no answer within {self._limit.total:g} s")
        except self._errors as error:
            # Not the error's own text: it may name the address.
            self._complain(f"status {status}" if (status := getattr(error, "status", None)) else type(error).__name__)
        else:
            if self._complained:
                self._complained = False
                _log.info("the heartbeat is answered again")

    def _complain(self, reason: str) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("the heartbeat is not answered, its service may raise an alarm", reason=reason)
