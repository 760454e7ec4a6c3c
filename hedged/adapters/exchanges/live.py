"""Orders at a real venue behind the `OrderGateway` port: sent once, then watched until they end.

What comes of an order is read from the venue's record of it, never from the reply to sending it. Where the record
does not tell a fee or an average price, both are worked out from what was asked and said to be estimated.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from decimal import Decimal
from typing import Protocol, TypeAlias

import structlog

from hedged.adapters.exchanges.dialects.orders import Countdown, Covers
from hedged.errors import VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import (
    Absent,
    Accepted,
    ApprovedIntent,
    Cancelled,
    Fill,
    Found,
    Intent,
    OpenOrder,
    OrderStatus,
    Outcome,
    Rejected,
    Unknown,
    Working,
)
from hedged.model.policy import CountdownUse
from hedged.ports import Clock

log = structlog.get_logger(__name__)

ZERO = Decimal(0)
WAITS = (0.1, 0.3, 1.0, 2.0)  # seconds before each look at an order that should end at once
MARGIN = timedelta(seconds=5)  # on top of the time for which a venue may still take an order
SOONEST = 0.5  # of the time that is asked for: a countdown that ends before may end while all is well

Sought: TypeAlias = Found | Absent | Unknown


class OrderLine(Protocol):
    """One account's writing calls; `ccxt_orders.CcxtOrders` is the real one. Nothing here raises."""

    @property
    def account(self) -> str: ...

    @property
    def valid_for(self) -> float:
        """Seconds after sending for which an order that is Unknown may still be taken by the venue."""

    @property
    def post_only(self) -> bool:
        """Whether an order can wait in the book without ever taking."""

    async def submit(
        self, approved: ApprovedIntent, *, rest_at: Decimal | None = None
    ) -> Accepted | Rejected | Unknown: ...
    async def find_by_client_id(self, client_order_id: str, instrument: InstrumentId) -> Sought: ...
    async def cancel(self, client_order_id: str, instrument: InstrumentId) -> Sought: ...
    async def arm_countdown(self, seconds: int, instruments: Collection[InstrumentId]) -> frozenset[InstrumentId]:
        """Raises `VenueError` and `ValueError`; see `CcxtOrders`."""

    async def open_orders(self, instrument: InstrumentId) -> tuple[OpenOrder, ...]:
        """Raises `VenueError`."""

    @property
    def countdown(self) -> Countdown | None: ...


Listed: TypeAlias = Callable[[InstrumentId], Awaitable[Instrument | None]]


class LiveGateway:
    """`OrderGateway` over one account's line. `listed` tells an instrument's terms, None where they are not known.

    `countdown`: which of the venue's own countdowns are used. `traded`: where an earlier process may have left one.
    """

    def __init__(
        self,
        line: OrderLine,
        listed: Listed,
        clock: Clock,
        *,
        countdown: CountdownUse = CountdownUse.OURS,
        traded: Collection[InstrumentId] = (),
    ) -> None:
        self.account = line.account
        self.absent_after = timedelta(seconds=line.valid_for) + MARGIN
        self._countdown, self._unused = _used(line.countdown, countdown)
        self._armed: frozenset[InstrumentId] = frozenset(traded if self._countdown is not None else ())  # perhaps
        self._complained = self._too_short = False
        self._line = line
        self._listed = listed
        self._clock = clock

    async def submit(self, approved: ApprovedIntent) -> Outcome:
        intent = approved.intent
        rest_at = approved.rest_at if self._line.post_only else None  # where nothing can wait, it takes
        sent = await self._line.submit(approved, rest_at=rest_at)
        if not isinstance(sent, Accepted):
            return sent
        working = Working(intent.client_order_id, sent.venue_order_id)
        if rest_at is not None:
            return working
        for wait in WAITS:
            await self._clock.sleep(wait)
            found = await self._line.find_by_client_id(intent.client_order_id, intent.instrument)
            if isinstance(found, Found) and found.ended:
                return await self._outcome(found, intent)
            if isinstance(found, Found):
                working = Working(intent.client_order_id, found.venue_order_id, found.filled)
        return working  # not shown yet, or not ended: the next cycle looks again

    async def find(self, intent: Intent) -> Outcome | Absent:
        return await self._told(await self._line.find_by_client_id(intent.client_order_id, intent.instrument), intent)

    async def cancel(self, intent: Intent) -> Outcome | Absent:
        return await self._told(await self._line.cancel(intent.client_order_id, intent.instrument), intent)

    async def open_orders(self, instrument: InstrumentId) -> tuple[OpenOrder, ...]:
        return await self._line.open_orders(instrument)

    async def guard(self, resting: Collection[InstrumentId], within: timedelta) -> None:
        wanted, limits = frozenset(resting), self._countdown
        if wanted and self._unused:
            log.warning("what rests here stays in the book if hedged dies", account=self.account, why=self._unused)
            self._unused = ""
        if limits is None or not (wanted or self._armed):
            return
        seconds = min(max(math.ceil(within.total_seconds()), limits.seconds_min), limits.seconds_max)
        if wanted and seconds < SOONEST * within.total_seconds():
            if not self._too_short:
                why = f"the venue's countdown lasts {seconds} s at most, which could end between two cycles"
                log.warning("what rests here stays in the book if hedged dies", account=self.account, why=why)
            self._too_short, wanted = True, frozenset()
        try:
            ended = self._armed - wanted
            if ended and not (wanted and limits.covers is not Covers.MARKET):
                await self._line.arm_countdown(0, ended)
            self._armed = await self._line.arm_countdown(seconds, wanted) if wanted else frozenset()
            self._complained = False
        except (VenueError, ValueError) as error:
            self._armed |= wanted  # perhaps: so it is taken back when nothing rests any more
            if not self._complained:
                log.warning("the venue's countdown could not be set", account=self.account, error=str(error))
            self._complained = True

    async def _told(self, sought: Sought, intent: Intent) -> Outcome | Absent:
        return await self._outcome(sought, intent) if isinstance(sought, Found) else sought

    async def _outcome(self, found: Found, intent: Intent) -> Outcome:
        if not found.ended:
            return Working(found.client_order_id, found.venue_order_id, found.filled)
        if not found.filled:
            words = "rejected by the venue" if found.status is OrderStatus.REJECTED else "nothing offered at its limit"
            return Cancelled(found.client_order_id, f"{words} ({found.status.value})")
        instrument = await self._listed(intent.instrument)
        if instrument is None:
            return Unknown(found.client_order_id, "it is filled, and the terms of its contract are not known")
        return fill_of(found, intent, instrument, self._clock)


def _used(countdown: Countdown | None, use: CountdownUse) -> tuple[Countdown | None, str]:
    """The countdown to go by, and what is said where there is one that is not used."""
    if countdown is None or use is CountdownUse.OFF:
        return None, ""
    if use is CountdownUse.OURS and countdown.covers is not Covers.OURS:
        return None, (
            "the venue's countdown would cancel orders of yours too, so it is not used: allow it with "
            '[limits] countdown = "all", or say "off"'
        )
    return countdown, ""


def fill_of(found: Found, intent: Intent, instrument: Instrument, clock: Clock) -> Fill:
    """What was filled, in the portfolio's terms: fee and slippage in the quote currency of the instrument."""
    price = found.average_price or intent.price
    fee = _fee(found, instrument, price)
    rate = intent.notional / abs(instrument.notional(intent.quantity, intent.price))  # into the portfolio's quote
    notional, at_mark = (abs(instrument.notional(found.filled, each)) for each in (price, intent.price))
    charged = notional * (instrument.fee_taker or ZERO) if fee is None else fee
    return Fill(
        client_order_id=found.client_order_id,
        instrument=intent.instrument,
        side=intent.side,
        quantity=found.filled,
        price=price,
        fee=charged * rate,
        at=clock.now(),
        slippage=(price - intent.price) * intent.side.sign * at_mark / intent.price * rate,
        estimated=fee is None or found.average_price is None,
    )


def _fee(found: Found, instrument: Instrument, price: Decimal) -> Decimal | None:
    """In the instrument's quote currency; None where the venue does not tell, or tells it in a third one."""
    if found.fee is None:
        return None
    if found.fee_asset == instrument.base:  # first: Bitget settles linear contracts in their base, too
        return found.fee * price
    if found.fee_asset == instrument.quote or (instrument.linear and found.fee_asset == instrument.settle):
        return found.fee
    return None
