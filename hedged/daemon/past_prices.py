"""Hourly bars of what statistics rest on, kept in the store: fetched once, then hour by hour.

A bar's subject in the store is a contract (`main:ETH/USDT:USDT`) or a coin in the portfolio's quote (`ETH/USDT`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog
from numpy.typing import NDArray

from hedged.errors import Unreachable, VenueError
from hedged.estimate.effectiveness import Floats
from hedged.model.history import STEP, Bar, full_hour
from hedged.model.instrument import InstrumentId
from hedged.ports import CandleReader, Clock, Store

AFTER_THE_HOUR = timedelta(minutes=1)  # the last hour's bars are asked for
PAUSE = 1.0  # seconds between two pages: years of prices are in no hurry, cycles and orders are
PAGES_MAX = 200  # of one subject at a time
RETRY_FIRST, RETRY_LAST = timedelta(minutes=1), timedelta(hours=1)
ASK_FOR_LISTING_EVERY = timedelta(days=1)
RECENT = timedelta(days=1)  # what is kept may be gone by before it has been asked on
PATIENCE = timedelta(hours=1)  # for which a venue may fail before the past counts as missing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why prices of a subject are not up to date, and since when. `listed` False: no venue has such a market."""

    since: datetime
    text: str
    listed: bool = True

    def is_lasting(self, now: datetime) -> bool:
        """Whether it is more than a venue's passing fault."""
        return not self.listed or now - self.since >= PATIENCE


@dataclass(frozen=True, slots=True)
class Extent:
    """How many bars there are of a subject, when the first and the last was known."""

    subject: str
    bars: int
    first: datetime | None
    last: datetime | None


@dataclass(slots=True)
class _Subject:
    ask_at: datetime
    newest: datetime | None = None
    was_read: bool = False
    failures: int = 0
    trouble: Trouble | None = None


def subject_of(instrument: InstrumentId, quote: str, readable: Iterable[str]) -> str:
    """Whose prices stand for this instrument's: its own, or its coin's where it is dated or nobody can read it.

    `readable`: the accounts whose venues can be asked for past prices.
    """
    account, _, symbol = instrument.partition(":")
    pair, _, settle = symbol.partition(":")
    if "-" in settle or account not in readable:
        return f"{pair.partition('/')[0]}/{quote}"
    return instrument


class PastPrices:
    """`days`: how far back. `pause`: seconds between two requests."""

    def __init__(
        self,
        readers: Mapping[str, CandleReader],
        store: Store,
        clock: Clock,
        *,
        quote: str,
        days: int,
        pause: float = PAUSE,
    ) -> None:
        self.readers = readers
        self.quote = quote
        self._store = store
        self._clock = clock
        self._reach = timedelta(days=days)
        self._pause = pause
        self._subjects: dict[str, _Subject] = {}
        self._kept: Mapping[str, datetime] = {}
        self._served_by: dict[str, str] = {}  # coin → account
        self._failing = False

    async def recall(self) -> None:
        """Learn what the store has. Raises `StoreError`."""
        self._kept = await self._store.newest_bars()

    def oldest(self) -> datetime:
        """Bars known after this are of interest."""
        return full_hour(self._clock.now()) - self._reach

    def newest(self, name: str) -> datetime | None:
        """When the newest bar was known; None: there is none that is young enough."""
        subject = self._subjects.get(name)
        newest = self._kept.get(name) if subject is None else subject.newest
        return newest if newest is not None and newest > self.oldest() else None

    def trouble(self, name: str) -> Trouble | None:
        subject = self._subjects.get(name)
        return None if subject is None else subject.trouble

    def is_settled(self, name: str) -> bool:
        """Whether there is nothing to wait for: prices are there, or will not be soon."""
        newest, now = self.newest(name), self._clock.now()
        subject = self._subjects.get(name)
        if subject is None or (subject.trouble is None and not subject.was_read):
            return newest is not None and now - newest <= RECENT
        return subject.trouble is None or subject.trouble.is_lasting(now) or newest is not None

    async def update(self, names: Sequence[str]) -> Mapping[str, datetime]:
        """Fetch what has become due of these; by name, when the oldest new bar was known. Raises `StoreError`."""
        fresh: dict[str, datetime] = {}
        down: dict[str, VenueError] = {}
        for name in names:
            subject = self._subjects.setdefault(name, _Subject(self._clock.now(), self._kept.get(name)))
            if subject.ask_at > self._clock.now():
                continue
            try:
                listed = await self._bring_up(name, subject, fresh, down)
            except VenueError as error:
                self._failed(subject, error)
            else:
                self._succeeded(subject, name, listed=listed)
        self._tell()
        return fresh

    async def extent(self, name: str) -> Extent:
        """What there is of it. Raises `StoreError`."""
        rows = await self._store.bars(name, self.oldest())
        return Extent(name, len(rows), rows[0].at if rows else None, rows[-1].at if rows else None)

    async def is_listed(self, name: str) -> bool:
        """Whether a venue has such a market, and tells its last hours. Raises `VenueError`."""
        return await self._ask(name, self._clock.now() - 6 * STEP, {}) is not None

    async def closes(self, name: str, times: NDArray[np.int64]) -> Floats:
        """Closes known at these epoch seconds, whole hours one after another; NaN where there is none."""
        found = np.full(len(times), np.nan)
        if len(times):
            step, first = int(STEP.total_seconds()), int(times[0])
            for bar in await self._store.bars(name, datetime.fromtimestamp(first, self.oldest().tzinfo) - STEP):
                row = (int(bar.at.timestamp()) - first) // step
                if 0 <= row < len(times):
                    found[row] = bar.close
        return found

    async def _bring_up(
        self, name: str, subject: _Subject, fresh: dict[str, datetime], down: dict[str, VenueError]
    ) -> bool:
        """All pages up to now; False: no venue has such a market. Raises what the venue that has it raises."""
        for _ in range(PAGES_MAX):
            since = max(subject.newest or self.oldest(), self.oldest())
            rows = await self._ask(name, since, down)
            if rows is None:
                return False
            if rows and rows[-1].at > since:
                await self._store.put_bars(name, rows)
                fresh.setdefault(name, rows[0].at)
                subject.newest = rows[-1].at
            await self._clock.sleep(self._pause)
            if not rows or rows[-1].at <= since or rows[-1].at + STEP > self._clock.now():
                break
        return True

    async def _ask(self, name: str, since: datetime, down: dict[str, VenueError]) -> Sequence[Bar] | None:
        error: VenueError | None = None
        for account, asked in self._sources(name):
            try:
                if account in down:
                    raise down[account]
                rows = await self.readers[account].bars(asked, self.quote, since)
            except VenueError as raised:
                error = error or raised
                if isinstance(raised, Unreachable):
                    down[account] = raised
                continue
            if rows is not None:
                self._served_by[name] = account
                return rows
        if error is not None:
            raise error
        return None

    def _sources(self, name: str) -> Iterator[tuple[str, str]]:
        """Who can be asked for it, and by which name: a coin of every account, first of the one that had it."""
        account, colon, _ = name.partition(":")
        if colon:
            yield account, name
            return
        coin = name.rpartition("/")[0]
        served = self._served_by.get(name)
        for account in sorted(self.readers, key=lambda each: each != served):
            yield account, coin

    def _failed(self, subject: _Subject, error: VenueError) -> None:
        now = self._clock.now()
        since = subject.trouble.since if subject.trouble is not None and subject.trouble.listed else now
        subject.trouble = Trouble(since, str(error))
        subject.ask_at = now + min(RETRY_FIRST * 2 ** min(subject.failures, 10), RETRY_LAST)
        subject.failures += 1

    def _succeeded(self, subject: _Subject, name: str, *, listed: bool) -> None:
        now = self._clock.now()
        subject.failures, subject.was_read = 0, True
        subject.ask_at = full_hour(now) + STEP + AFTER_THE_HOUR
        if listed:
            subject.trouble = None
            return
        known = subject.trouble
        since = known.since if known is not None and not known.listed else now
        subject.trouble = Trouble(since, f"no exchange of an account lists {name}", listed=False)
        subject.ask_at = now + ASK_FOR_LISTING_EVERY

    def _tell(self) -> None:
        """One line when reading begins to fail, and one when it works again."""
        failing = {name: each.trouble for name, each in self._subjects.items() if each.trouble and each.trouble.listed}
        if failing and not self._failing:
            first = next(iter(failing.values()))
            log.warning("past prices could not be read, tried again", subjects=sorted(failing), error=first.text)
        elif self._failing and not failing:
            log.info("past prices are read again")
        self._failing = bool(failing)
