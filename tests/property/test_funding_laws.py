"""Payments may come late, twice, in halves and in any order: each counts once, and the parts are still the whole."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.cycle import run_cycle
from hedged.errors import Unreachable
from hedged.model.codec import decode, encode
from hedged.model.effect import FundingPayment
from hedged.model.instrument import InstrumentId
from hedged.ports import Memory
from tests.build import ETH_PERP, hedge, policy
from tests.fakes import FakeVenue, fault, wire
from tests.support import T0, ManualClock

D = Decimal
SETUP = policy(hedge("ETH"))
RATE = D("0.0003")
EVERY = timedelta(hours=8)
NAME = InstrumentId(ETH_PERP)

payments = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 1)), max_size=8)  # (which settlement, which half)
steps = st.lists(
    st.fixed_dictionaries(
        {
            "hours": st.integers(1, 11),
            "price": st.integers(1000, 5000),
            "basis": st.integers(-5, 5),
            "read": payments,
            "readable": st.sampled_from([True, True, True, False]),
            "restarts": st.booleans(),
        }
    ),
    min_size=2,
    max_size=6,
)
amounts = st.lists(st.decimals("-99", "99", places=8), min_size=16, max_size=16)
delays = st.lists(st.integers(0, 900), min_size=8, max_size=8)  # seconds


def settled(after: datetime, until: datetime) -> list[datetime]:
    midnight = T0.replace(hour=0)
    times = [midnight + n * EVERY for n in range(40)]
    return [at for at in times if after < at <= until]


@settings(max_examples=60, deadline=None)
@given(steps, amounts, delays)
def test_every_payment_counts_once_and_every_settlement_is_read_or_computed(
    path: list[dict], given_amounts: list[Decimal], late: list[int]
) -> None:
    """Over whole cycles, through data that is missing and processes that end: 10 coins, 10 short, and the funding."""
    asyncio.run(_walk(path, given_amounts, late))


async def _walk(path: list[dict], given_amounts: list[Decimal], late: list[int]) -> None:
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(SETUP, clock, venue)
    await _tick(portfolio, clock, venue)
    first = covered = clock.now()
    times = settled(first, first + timedelta(hours=64))
    computed: dict[datetime, Decimal] = {}
    read: dict[datetime, dict[int, Decimal]] = {}
    for step in path:
        clock.advance(step["hours"] * 3600)
        if step["restarts"]:
            memory, ids = decode(Memory, encode(portfolio.memory)), portfolio.ids
            portfolio = await wire(SETUP, clock, venue, store=portfolio.store)
            portfolio.ids = ids
            portfolio.store._memory = memory
        before = venue.price["ETH"], venue.marks[ETH_PERP]
        venue.price["ETH"] = D(step["price"])
        venue.marks[ETH_PERP] = D(step["price"] + step["basis"])
        if step["readable"]:
            venue.faults.clear()
            computed |= dict.fromkeys(settled(covered, clock.now()), 10 * venue.marks[ETH_PERP] * RATE)
            covered = clock.now()
        else:
            venue.faults["prices"] = fault(Unreachable, "prices")
            venue.price["ETH"], venue.marks[ETH_PERP] = before
        told = [(times[n], n, half) for n, half in step["read"] if n < len(times)]
        portfolio.payments = [
            FundingPayment(NAME, at + timedelta(seconds=late[n]), given_amounts[2 * n + half], "USDT", f"{n}.{half}")
            for at, n, half in told
        ]
        for at, n, half in told:
            if at <= covered:
                read.setdefault(at, {})[half] = given_amounts[2 * n + half]
        await _tick(portfolio, clock, venue)
        funding = sum((sum(read[at].values()) if at in read else paid for at, paid in computed.items()), D(0))
        days = await portfolio.store.effects(T0 - timedelta(days=9))
        moved = 10 * (venue.price["ETH"] - 3000) - 10 * (venue.marks[ETH_PERP] - 3000)
        assert sum(day.parts.funding for day in days) == funding
        assert sum(day.parts.total for day in days) == moved + funding
        assert sum(day.funding_settled for day in days) == len(computed)
        assert sum(day.funding_read for day in days) == len(read)


async def _tick(portfolio: object, clock: ManualClock, venue: FakeVenue) -> None:
    now = clock.now()
    following = settled(now, now + EVERY)[0]
    venue.funding = {"funding_rate": RATE, "funding_interval_hours": D(8), "funding_next": following}
    report = await run_cycle(portfolio, now)
    assert report.store_error is None
