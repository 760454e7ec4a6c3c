"""The day in one message: when, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from hedged.model.alert import AlertState, Message, MessageKind
from hedged.model.effect import EffectDay, Parts
from hedged.tell.digest import compose_digest, last_due
from tests.build import hedge, policy
from tests.fakes import BrokenStore, FakeVenue, wire
from tests.store_samples import alert
from tests.support import T0, ManualClock

EIGHT = time(8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 11, 2, 8, 0, tzinfo=UTC), datetime(2026, 11, 2, 8, 0, tzinfo=UTC)),
        (datetime(2026, 11, 2, 7, 59, tzinfo=UTC), datetime(2026, 11, 1, 8, 0, tzinfo=UTC)),
        (datetime(2026, 11, 2, 23, 0, tzinfo=UTC), datetime(2026, 11, 2, 8, 0, tzinfo=UTC)),
    ],
)
def test_when_it_was_due_last(now: datetime, due: datetime) -> None:
    """Today at that time, or yesterday before it."""
    assert last_due(EIGHT, now) == due


async def days_of(portfolio, clock: ManualClock, hours: list[float]) -> list[str]:
    """The digests of cycles at these hours after the start (12:00), a restart before each."""
    from hedged.cycle import run_cycle

    told = []
    began = clock.now()
    for hour in hours:
        clock.set(began + timedelta(hours=hour))
        portfolio.loaded = False
        report = await run_cycle(portfolio, clock.now())
        told += [f"{hour:g}" for message in report.messages if message.kind is MessageKind.DIGEST]
    return told


async def test_once_a_day_and_not_at_the_first_start() -> None:
    """At the first cycle after its time, also after a night without one; restarts and a clock set back make none."""
    clock = ManualClock()
    portfolio = await wire(policy(hedge("ETH")), clock, FakeVenue(clock))
    portfolio.digest_at = EIGHT
    hours = [0, 1, 19.9, 20, 20.1, 43, 44.5, 45, 10 * 24, 10 * 24 + 1, 2, 3, 21]
    assert await days_of(portfolio, clock, hours) == ["20", "44.5", "240", "21"]


async def test_it_says_how_all_stands() -> None:
    """Hedges with ratio and target, margin, yesterday's costs, what fires and what fired."""
    clock = ManualClock()
    portfolio = await wire(policy(hedge("ETH")), clock, FakeVenue(clock))
    from hedged.cycle import run_cycle

    report = await run_cycle(portfolio, clock.now())
    over = replace(alert("old", "e2", AlertState.RESOLVED), told_at=T0, text="old was under-hedged.")
    untold = alert("unsaid", "e3", AlertState.RESOLVED)
    day = EffectDay(
        "alts",
        T0,
        exposure=Decimal(-100),
        parts=Parts(proxy=Decimal(-3), funding=Decimal("1.5"), fees=Decimal("-0.25")),
    )
    message = compose_digest(report.assessment, [alert("alts", "e1"), over, untold], [day], portfolio.policy, "d1")
    assert message.title == "Daily digest: 1 hedge, 1 alert firing"
    assert message.body.splitlines() == [
        "alts: exposure 30,000 USDT, hedge ratio 1.00, target 1.00 ± 0.05: ok.",
        "main: margin ratio unknown (100 % is liquidation).",
        "alts yesterday: coins -100.00, hedge +98.25 USDT; of it funding +1.50, fees, slippage, rolls and interest -0.25.",
        "Firing, warning since 2026-11-02 12:00 UTC: 8 % under-hedged",
        "Fired, warning, over since 2026-11-02 12:00 UTC: old was under-hedged.",
    ]


async def test_a_store_that_cannot_be_read_is_said_so() -> None:
    """Costs that are not known are not zero."""
    clock = ManualClock()
    portfolio = await wire(policy(hedge("ETH")), clock, FakeVenue(clock), store=BrokenStore())
    portfolio.digest_at = EIGHT
    from hedged.cycle import run_cycle

    await run_cycle(portfolio, clock.now())
    portfolio.store.broken = {"effects"}
    clock.set(clock.now() + timedelta(hours=20))
    report = await run_cycle(portfolio, clock.now())
    (digest,) = [message for message in report.messages if message.kind is MessageKind.DIGEST]
    assert isinstance(digest, Message)
    assert "What hedges did yesterday cannot be read." in digest.body
