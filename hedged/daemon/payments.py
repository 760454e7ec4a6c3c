"""Funding as the venues settled it: asked for after a cycle, when a settlement has passed whose payment is not read.

What cannot be read stays computed from the announced rates, and no cycle waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hedged.assess.funding import KEPT, NEAR
from hedged.errors import Refused, VenueError
from hedged.model.effect import Funded, FundingPayment, HedgeLedger
from hedged.ports import Clock, PaymentReader

ASK_AFTER = timedelta(minutes=1)  # venues book a settlement within seconds, most of the time
ASK_AGAIN = timedelta(minutes=10)
FAILING_AGAIN = timedelta(hours=1)  # a venue that has failed twice, or that refuses
LATE_AFTER = timedelta(hours=1)  # what is not in a reply so long after its settlement is asked for again at `LATE` only
LATE = tuple(timedelta(hours=hours) for hours in (2, 4, 8, 16, 32, 50, 71))
"""So long after a settlement its payment is asked for once more; past `KEPT` it would not be taken any more."""
PAYMENTS_MAX = 5_000  # kept in mind, the newest

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Asked:
    """How far one account has been asked."""

    next_at: datetime | None = None  # not again before
    answered: datetime | None = None  # when it last was
    until: datetime | None = None  # all that had been shown by then of what was settled up to then has been read
    failing: bool = False


class PaymentKeeper:
    """`payments` are those of the last days that were read, by every account together; a cycle may take them often."""

    def __init__(self, readers: Mapping[str, PaymentReader], clock: Clock) -> None:
        self.payments: Sequence[FundingPayment] = ()
        self._readers = dict(readers)
        self._clock = clock
        self._asked = {account: _Asked() for account in readers}
        self._settled: Mapping[str, Sequence[Funded]] = {}  # by account, of the last days
        self._cycle = asyncio.Event()

    def learn(self, ledgers: Iterable[HedgeLedger]) -> None:
        """Take from a cycle which settlements are computed so far, and look after them while no cycle runs."""
        settled: dict[str, list[Funded]] = {}
        for ledger in ledgers:
            for each in ledger.funded:
                settled.setdefault(each.instrument.partition(":")[0], []).append(each)
        self._settled = settled
        self._cycle.set()

    async def run(self) -> None:
        """After each cycle that leaves something to ask for. Raises nothing that a venue does wrong."""
        while self._readers:
            await self._cycle.wait()
            self._cycle.clear()
            await self.look()

    async def look(self) -> None:
        """Ask those accounts for which it is time, one after the other."""
        for account in list(self._readers):
            now = self._clock.now()
            since = self._due(account, now)
            if since is not None:
                await self._ask(account, since, now)

    def _due(self, account: str, now: datetime) -> datetime | None:
        """From when on this account is to be asked; None: there is nothing to ask for, or not yet."""
        asked = self._asked[account]
        if asked.next_at is not None and asked.next_at > now + FAILING_AGAIN:  # the clock was ahead
            asked.next_at = asked.answered = asked.until = None
        if asked.next_at is not None and now < asked.next_at:
            return None
        awaited = [each.at for each in self._settled.get(account, ()) if not each.ids and each.at + ASK_AFTER <= now]
        oldest, until, answered = now - KEPT, asked.until, asked.answered
        if until is None or answered is None:
            return oldest if awaited else None
        due = [at for at in awaited if at > until - LATE_AFTER or any(answered < at + late <= now for late in LATE)]
        return max(oldest, min(until, *due) - NEAR) if due else None

    async def _ask(self, account: str, since: datetime, now: datetime) -> None:
        asked = self._asked[account]
        asked.next_at = now + ASK_AGAIN
        instruments = sorted({each.instrument for each in self._settled.get(account, ())})
        try:
            read = await self._readers[account].funding_payments(instruments, since)
        except VenueError as error:
            if not asked.failing:
                said = {"account": account, "call": error.call, "error": error.detail}
                log.warning("funding payments are not read: what they were stays computed", **said)
            if asked.failing or isinstance(error, Refused):
                asked.next_at = now + FAILING_AGAIN
            asked.failing = True
            return
        if asked.failing:
            log.info("funding payments are read again", account=account)
        asked.failing = False
        if read is None:
            del self._readers[account]
            return
        asked.answered = now
        asked.until = read.as_of if asked.until is None else max(asked.until, read.as_of)
        self._keep(read.value, now)

    def _keep(self, payments: Sequence[FundingPayment], now: datetime) -> None:
        """Beside those that are kept, for a cycle that found its data missing takes them later."""
        known = {
            (each.instrument, each.id): each for each in (*self.payments, *payments) if each.at > now - KEPT - NEAR
        }
        self.payments = sorted(known.values(), key=lambda each: (each.at, each.id))[-PAYMENTS_MAX:]
