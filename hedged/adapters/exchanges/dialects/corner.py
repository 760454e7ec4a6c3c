"""Corners of a venue that few have anything in: looked into now and then, so that nothing is left out unsaid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.guard import ClockSkew
from hedged.adapters.exchanges.shapes import Misshapen, Row
from hedged.errors import Refused, VenueError

HOUR, SOON = 3600.0, 600.0  # seconds

_log = structlog.get_logger(__name__)


class Corner:
    """One of them. Hourly while it is empty; each time while something is there, which then has to be readable.

    One that cannot be looked into (a key that may not, a service that is down) does not keep the rest from being read:
    that is logged, once, and tried again.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._held: Sequence[Row] = ()
        self._due = 0.0  # monotonic
        self._failing = False

    async def look(self, connection: Connection, ask: Callable[[], Awaitable[Sequence[Row]]]) -> Sequence[Row]:
        """What is there, as far as is known; `ask` gives the rows that hold something."""
        now = connection.clock.monotonic()
        if not self._held and now < self._due:
            return ()
        try:
            self._held = await ask()
        except ClockSkew:
            raise  # asked again once the clock is known
        except (VenueError, Misshapen) as error:
            if self._held:
                raise
            if not self._failing:
                said = error.detail if isinstance(error, VenueError) else str(error)
                _log.warning("not_looked_into", account=connection.account, what=self._name, detail=said)
            self._failing, self._due = True, now + (HOUR if isinstance(error, Refused) else SOON)
            return ()
        self._failing, self._due = False, now + HOUR
        return self._held

    async def refuse(self, connection: Connection, ask: Callable[[], Awaitable[Sequence[Row]]], name: str) -> None:
        """`Refused` where a position is held there, which can neither be valued nor hedged; `name`: its field."""
        held = await self.look(connection, ask)
        if held:
            listed = ", ".join(sorted({str(row[name]) for row in held})[:5])
            detail = f"a position in {listed} ({self._name}), which cannot be read: close it"
            raise Refused(connection.account, "positions", detail)
