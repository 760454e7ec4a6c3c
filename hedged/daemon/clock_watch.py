"""Whether this machine's clock can be believed: against the clock that never jumps, and against the venues'.

Windows, expiries and cool-downs go by the wall clock, so orders wait while it is in doubt: since it jumped, or while a
venue's is more than a minute away from it. It is believed again after a cycle without a jump, as soon as a venue that
was asked anew agrees with it; where no venue answers, once a person has resumed orders.

A machine that was suspended has not jumped: the other clock counts on meanwhile, where the system has such a one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from hedged.errors import VenueError
from hedged.ports import Clock

JUMP_MAX = SKEW_MAX = 60.0  # seconds
ASKED_WITHIN = 5.0  # seconds, of all venues together: the cycle waits for it

log = structlog.get_logger(__name__)


class VenueClock(Protocol):
    """Somewhere that tells the time."""

    async def clock_skew(self) -> float | None:
        """Our clock − the venue's now, in seconds; None: it does not tell. Raises `VenueError`."""


class ClockWatch:
    """Looked at before each cycle. One for a process, for a doubt outlives every reload. `venues`: by account."""

    def __init__(self, clock: Clock, venues: Mapping[str, VenueClock] | None = None) -> None:
        self._venues: Mapping[str, VenueClock] = {}
        self.ask(venues or {})
        self.doubt: str | None = None  # why the clock is not believed, in words
        self._clock = clock
        self._last: tuple[datetime, float] | None = None  # wall clock and monotonic seconds at the last look
        self._resumed_at: datetime | None = None  # as it was when the doubt began

    def ask(self, venues: Mapping[str, VenueClock]) -> None:
        """Whom to ask from now on, and at the next look in any case."""
        self._venues, self._asks = venues, True

    @property
    def in_doubt(self) -> bool:
        """Also for a jump since the last look."""
        return self.doubt is not None or abs(self._jumped()) > JUMP_MAX

    async def look(self, resumed_at: datetime | None, off: Mapping[str, float | None]) -> None:
        """`resumed_at`: when a person resumed orders last. `off`: skews as last measured, in seconds, by account."""
        jumped = self._jumped()
        self._last = self._clock.now(), self._clock.monotonic()
        asks = self._asks or abs(jumped) > JUMP_MAX or self.doubt is not None or bool(_beyond(off))
        if not asks:
            return
        self._asks = False
        measured = await self._measured()
        apart, before = _beyond({**off, **measured}), self.doubt
        if apart:
            self.doubt = f"this machine's clock is {', '.join(_apart(*each) for each in apart.items())}"
        elif abs(jumped) > JUMP_MAX:
            span = timedelta(seconds=round(abs(jumped)))
            self.doubt = f"this machine's clock jumped {'forward' if jumped > 0 else 'back'} by {span}"
        elif self.doubt is not None and (measured or resumed_at != self._resumed_at):
            self.doubt = None
        if before is None and self.doubt is not None:
            self._resumed_at = resumed_at
        if self.doubt != before:
            log.warning("orders wait for the clock" if self.doubt else "the clock is believed again", why=self.doubt)

    def _jumped(self) -> float:
        """Seconds by which the wall clock went further than time did since the last look; < 0: back."""
        if self._last is None:
            return 0.0
        wall, steady = self._last
        return (self._clock.now() - wall).total_seconds() - (self._clock.monotonic() - steady)

    async def _measured(self) -> dict[str, float]:
        """Of the venues that answer now."""

        async def ask(name: str, venue: VenueClock) -> None:
            try:
                skew = await venue.clock_skew()
            except VenueError as error:
                log.info("a venue's time could not be read", account=name, error=str(error))
                return
            if skew is not None:
                found[name] = skew

        found: dict[str, float] = {}
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                await asyncio.gather(*(ask(name, venue) for name, venue in self._venues.items()))
        except TimeoutError:
            log.info("not every venue told its time", within_s=ASKED_WITHIN, told=sorted(found))
        return dict(sorted(found.items()))


def _apart(name: str, skew: float) -> str:
    return f"{timedelta(seconds=round(abs(skew)))} {'ahead of' if skew > 0 else 'behind'} {name}'s"


def _beyond(skews: Mapping[str, float | None]) -> dict[str, float]:
    return {name: skew for name, skew in skews.items() if skew is not None and abs(skew) > SKEW_MAX}
