"""When venues are asked what funding they settled: seldom, after a cycle, and never in its way."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import structlog

from hedged.assess.funding import KEPT, NEAR
from hedged.daemon.payments import PAYMENTS_MAX, PaymentKeeper
from hedged.errors import Refused, Unreachable, VenueError
from hedged.model.effect import Funded, FundingPayment, HedgeLedger
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Read
from tests.support import T0, ManualClock

D = Decimal
ETH = InstrumentId("main:ETH/USDT:USDT")
BTC = InstrumentId("main:BTC/USDT:USDT")
OTHER = InstrumentId("other:ETH/USDT:USDT")
MINUTES = 60.0


class Payments:
    """A venue that answers with what it holds, as of when it is asked."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.rows: list[FundingPayment] = []
        self.fails: VenueError | None = None
        self.tells = True
        self.asked: list[tuple[tuple[InstrumentId, ...], datetime]] = []

    async def funding_payments(
        self, instruments: Collection[InstrumentId], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        self.asked.append((tuple(instruments), since))
        if self.fails is not None:
            raise self.fails
        found = tuple(row for row in self.rows if row.at >= since)
        return Read(found, self.clock.now()) if self.tells else None


def settled(minutes: float, *ids: str, name: InstrumentId = ETH) -> Funded:
    return Funded(name, T0 + timedelta(minutes=minutes), D(5), D(1), ids)


def payment(minutes: float, id_: str = "1") -> FundingPayment:
    return FundingPayment(ETH, T0 + timedelta(minutes=minutes), D(3), "USDT", id_)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def venue(clock: ManualClock) -> Payments:
    return Payments(clock)


@pytest.fixture
def keeper(venue: Payments, clock: ManualClock) -> PaymentKeeper:
    return PaymentKeeper({"main": venue}, clock)


async def look(keeper: PaymentKeeper, clock: ManualClock, minutes: float, *funded: Funded) -> None:
    """So many minutes on, after a cycle that left these settlements."""
    clock.advance(minutes * MINUTES)
    keeper.learn([HedgeLedger(funded=funded)])
    await keeper.look()


async def test_a_venue_is_asked_once_a_settlement_has_passed(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """Nothing is asked without one, nor in its first minute, nor for one that is read; for all contracts together."""
    await look(keeper, clock, 0.5)
    await look(keeper, clock, 0.4, settled(0))
    await look(keeper, clock, 0.2, settled(0, "7"), settled(0, name=OTHER))
    assert venue.asked == []
    venue.rows = [payment(0)]
    await look(keeper, clock, 0, settled(0), settled(0, "7", name=BTC))
    assert venue.asked == [((BTC, ETH), clock.now() - KEPT)]
    assert list(keeper.payments) == venue.rows


async def test_a_payment_that_is_late_is_asked_for_again_and_at_last_no_more(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """Every ten minutes for an hour; then what a whole answer does not list stays computed, and the next is asked."""
    for _ in range(180):
        await look(keeper, clock, 1, settled(0))
    assert len(venue.asked) == 7
    assert [since for _, since in venue.asked[1:]] == [T0 - NEAR] * 6
    await look(keeper, clock, 300, settled(0), settled(479))
    assert venue.asked[-1][1] == T0 + timedelta(minutes=61) - NEAR, "from where the last answer ended"


async def test_a_venue_that_cannot_be_read_is_said_once_and_asked_again(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """Ten minutes later, then every hour. What was read stays; no settlement is given up for want of an answer."""
    venue.rows = [payment(0)]
    await look(keeper, clock, 2, settled(0))
    venue.fails = Unreachable("main", "funding payments", "no answer")
    with structlog.testing.capture_logs() as said:
        for _ in range(25):
            await look(keeper, clock, 10, settled(0, "1"), settled(8))
        assert list(keeper.payments) == venue.rows
        assert len(venue.asked) == 1 + 2 + 3
        venue.fails = None
        for _ in range(6):
            await look(keeper, clock, 10, settled(0, "1"), settled(8))
    assert [each["log_level"] for each in said] == ["warning", "info"]
    assert said[0]["account"] == "main"
    assert venue.asked[-1][1] == T0 + timedelta(minutes=2) - NEAR
    assert len(venue.asked) == 7


async def test_a_venue_that_refuses_is_asked_every_hour(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """It will hardly think better of it in ten minutes."""
    venue.fails = Refused("main", "funding payments", "the key may not do this")
    for _ in range(18):
        await look(keeper, clock, 10, settled(0))
    assert len(venue.asked) == 3


async def test_a_venue_that_does_not_tell_is_not_asked_again(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """None is its answer once and for all; the loop ends with the last such venue."""
    venue.tells = False
    await look(keeper, clock, 2, settled(0))
    await look(keeper, clock, 60, settled(0), settled(59))
    assert len(venue.asked) == 1
    await asyncio.wait_for(keeper.run(), 5)


async def test_what_is_kept_is_bounded(keeper: PaymentKeeper, venue: Payments, clock: ManualClock) -> None:
    """The newest of the last days, each once."""
    venue.rows = [payment(-n / 10, str(n)) for n in range(PAYMENTS_MAX + 500)]
    await look(keeper, clock, 2, settled(0))
    assert len(keeper.payments) == PAYMENTS_MAX
    assert keeper.payments[-1].id == "0"
    clock.advance(3 * 86_400)
    await look(keeper, clock, 30, settled(4340))
    assert keeper.payments == []


async def test_the_loop_asks_after_a_cycle(keeper: PaymentKeeper, venue: Payments, clock: ManualClock) -> None:
    """And waits for the next."""
    task = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    assert venue.asked == []
    clock.advance(2 * MINUTES)
    keeper.learn([HedgeLedger(funded=(settled(0),))])
    while not venue.asked:
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()


async def test_a_clock_that_was_ahead_holds_up_no_request(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """Set back by a day, it is as if nothing had been asked yet."""
    await look(keeper, clock, 1440, settled(1430))
    clock.set(T0)
    await look(keeper, clock, 2, settled(0))
    assert [since for _, since in venue.asked[1:]] == [clock.now() - KEPT]
