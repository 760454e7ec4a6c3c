"""A venue that shows a fill a cycle or more late: nothing is sent a second time meanwhile, over whole cycles."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.model.order import ApprovedIntent, Outcome, Unknown
from hedged.model.snapshot import Derivatives, Position, Read
from tests.build import ETH_PERP, dec, hedge, policy
from tests.fakes import FakeVenue, wire
from tests.support import ManualClock


class LateVenue(FakeVenue):
    """Fills at once, and shows the position as it was `late` readings ago."""

    def __init__(self, clock: ManualClock, late: int) -> None:
        super().__init__(clock)
        self.late = late
        self.history: list[Decimal] = []

    async def derivatives(self) -> Read[Derivatives]:
        self.history.append(self.contracts[ETH_PERP])
        shown = self.history[max(len(self.history) - 1 - self.late, 0)]
        held = (Position(ETH_PERP, shown),) if shown else ()
        return Read(Derivatives(held, self.margin), self.clock.now())


async def cycles(portfolio: Portfolio, clock: ManualClock, number: int) -> list[CycleReport]:
    reports = []
    for _ in range(number):
        reports.append(await run_cycle(portfolio, clock.now()))
        clock.advance(60)
    return reports


@pytest.mark.parametrize("late", [0, 1, 2])
@pytest.mark.parametrize(("held", "quantity"), [("-14", "3.5"), ("-6", "3.5")])
async def test_an_order_is_sent_once_however_late_its_fill_shows(held: str, quantity: str, late: int) -> None:
    """Reductions and openings: to the edge of the band and no further; what is refused meanwhile says why."""
    clock = ManualClock()
    venue = LateVenue(clock, late)
    venue.contracts[ETH_PERP] = dec(held)
    portfolio = await wire(policy(hedge("ETH")), clock, venue)
    reports = await cycles(portfolio, clock, 6)
    assert [each.intent.quantity for each in venue.submitted] == [dec(quantity)]
    said = [refusal.reason for report in reports for refusal in report.decision.refused]
    assert len(said) <= late
    assert all("does not show yet what was filled" in reason for reason in said)
    assert portfolio.brake.halted is None


async def test_a_fill_that_never_shows_ends_in_a_halt() -> None:
    """After three readings it counts as not followed, the next order goes, and that one halts."""
    clock = ManualClock()
    venue = LateVenue(clock, 100)
    venue.contracts[ETH_PERP] = dec(-14)
    portfolio = await wire(policy(hedge("ETH")), clock, venue)
    await cycles(portfolio, clock, 10)
    assert len(venue.submitted) == portfolio.policy.limits.unfollowed_max
    assert "unfollowed_max" in (portfolio.brake.why or "")


async def test_an_order_whose_fill_was_found_out_later_is_not_sent_again_either() -> None:
    """A time-out, then a look-up that finds it filled while the position still shows nothing of it."""

    class TimesOut(LateVenue):
        async def submit(self, approved: ApprovedIntent) -> Outcome:
            await super().submit(approved)
            return Unknown(approved.intent.client_order_id, "time-out")

    clock = ManualClock()
    venue = TimesOut(clock, 1)
    venue.contracts[ETH_PERP] = dec(-14)
    portfolio = await wire(policy(hedge("ETH")), clock, venue)
    await cycles(portfolio, clock, 6)
    assert [each.intent.quantity for each in venue.submitted] == [dec("3.5")]
