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
        self.ends_after: timedelta | None = None  # so long after what it is asked from
        self.asked: list[tuple[tuple[InstrumentId, ...], datetime]] = []

    async def funding_payments(
        self, instruments: Collection[InstrumentId], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        self.asked.append((tuple(instruments), since))
        if self.fails is not None:
            raise self.fails
        found = tuple(row for row in self.rows if row.at >= since)
        as_of = self.clock.now() if self.ends_after is None else min(self.clock.now(), since + self.ends_after)
        return Read(found, as_of) if self.tells else None


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


async def test_a_payment_that_is_late_is_asked_for_ever_more_seldom_and_at_last_no_more(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """Every ten minutes for an hour, then after 2, 4, 8 … hours; another settlement meanwhile is asked for alone."""
    for _ in range(119):
        await look(keeper, clock, 1, settled(0))
    assert len(venue.asked) == 7
    assert [since for _, since in venue.asked[1:]] == [T0 - NEAR] * 6
    await look(keeper, clock, 1, settled(0))
    assert venue.asked[7:] == [((ETH,), T0 - NEAR)], "after two hours"
    await look(keeper, clock, 60, settled(0), settled(179))
    assert venue.asked[8:] == [((ETH,), T0 + timedelta(hours=2) - NEAR)], "from where the last answer ended"
    venue.asked.clear()
    for _ in range(100 * 6):
        await look(keeper, clock, 10, settled(0))
    assert len(venue.asked) == 6, "after 4, 8, 16, 32, 50 and 71 hours"


@pytest.mark.parametrize("late", [75, 600, 4200])
async def test_a_venue_that_always_shows_payments_late_is_read_all_the_same(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock, late: int
) -> None:
    """Up to three days late, also where a settlement every eight hours is asked for in between."""
    shown, read = [payment(480 * n, str(n)) for n in range(10)], set[str]()
    for minutes in range(5, 6200, 5):
        clock.set(T0 + timedelta(minutes=minutes))
        venue.rows = [row for row in shown if row.at + timedelta(minutes=late) <= clock.now()]
        rows = [settled(480 * n, *({str(n)} & read)) for n in range(10) if 480 * n <= minutes]
        await look(keeper, clock, 0, *(row for row in rows if row.at > clock.now() - KEPT))
        read |= {row.id for row in keeper.payments if clock.now() < row.at + KEPT}
    assert read >= {"0", "1", "2", "3"}
    assert len(venue.asked) < 10 * 14


async def test_an_answer_that_ends_early_is_gone_on_from(
    keeper: PaymentKeeper, venue: Payments, clock: ManualClock
) -> None:
    """A page that is full up to some hours ago, asked for anew for the sake of a late payment: no start over."""
    await look(keeper, clock, 1, settled(0))
    venue.ends_after = timedelta(hours=3)
    await look(keeper, clock, 600, settled(0), settled(590))
    await look(keeper, clock, 10, settled(0), settled(590))
    await look(keeper, clock, 10, settled(0), settled(590))
    assert [since for _, since in venue.asked[1:]] == [
        T0 - NEAR,
        T0 + timedelta(hours=3) - 2 * NEAR,
        T0 + timedelta(hours=6) - 3 * NEAR,
    ]


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
