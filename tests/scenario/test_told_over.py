"""What is said of a hedge's orders is over once an order could have been made, and never for want of a reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hedged.act.brake import keep_pause, keep_resumed
from hedged.assess import assess
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import Unreadable
from hedged.model.alert import MessageKind
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.order import Decision, Rejected
from hedged.model.policy import Limits
from hedged.model.snapshot import Fault
from hedged.model.stop import Stop
from hedged.tell.pipeline import Happened, undetermined_keys
from tests.build import ETH_PERP, account, dec, derivatives, hedge, policy
from tests.fakes import FakeVenue, fault, wire
from tests.support import T0, ManualClock
from tests.unit.test_findings import USUAL, broken, view

SETUP = policy(hedge("ETH"))


async def rejected() -> tuple[Portfolio, FakeVenue, ManualClock]:
    """A hedge that has drifted, whose order the venue has just rejected."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(SETUP, clock, venue)
    venue.hold(ETH=12)
    venue.outcome = Rejected("", "not enough margin")
    assert "order_rejected/alts" in told(await run_cycle(portfolio, clock.now()))
    return portfolio, venue, clock


async def later(portfolio: Portfolio, clock: ManualClock, *, cycles: int = 1) -> list[CycleReport]:
    reports = []
    for _ in range(cycles):
        clock.advance(60)
        reports.append(await run_cycle(portfolio, clock.now()))
    return reports


def told(*reports: CycleReport) -> dict[str, MessageKind]:
    return {message.key: message.kind for report in reports for message in report.messages}


def over(reports: Sequence[CycleReport]) -> set[str]:
    return {key for key, kind in told(*reports).items() if kind is MessageKind.RESOLVED}


async def test_a_rejected_order_is_not_over_for_want_of_data() -> None:
    """While the account cannot be read nobody knows whether an order would be rejected; the next good cycle tells."""
    portfolio, venue, clock = await rejected()
    venue.faults["derivatives"] = fault(Unreadable, "derivatives")
    assert "order_rejected/alts" not in over(await later(portfolio, clock, cycles=3))
    venue.faults.clear()
    venue.outcome = None
    assert "order_rejected/alts" in over(await later(portfolio, clock))


async def test_a_refused_order_is_not_over_for_want_of_data() -> None:
    """As for the venue's word, so for the gate's."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(replace(SETUP, limits=Limits(order_notional_max=dec(1000))), clock, venue)
    venue.hold(ETH=12)
    assert "order_refused/alts" in told(await run_cycle(portfolio, clock.now()))
    venue.faults["balances spot"] = fault(Unreadable, "balances")
    assert "order_refused/alts" not in over(await later(portfolio, clock, cycles=3))
    venue.faults.clear()
    venue.hold(ETH=10)
    assert "order_refused/alts" in over(await later(portfolio, clock))


async def test_a_rejected_order_is_not_over_because_orders_are_stopped() -> None:
    """A pause sends nothing that could be rejected: the end comes with the first order after it, and no repeat before."""
    portfolio, venue, clock = await rejected()
    await keep_pause(portfolio.store, Stop(T0, "`hedged pause`", "looking into it"))
    paused = await later(portfolio, clock, cycles=5 * 60)
    assert "order_rejected/alts" not in told(*paused)
    await keep_resumed(portfolio.store, clock.now())
    venue.outcome = None
    assert "order_rejected/alts" in over(await later(portfolio, clock))


async def test_what_rests_on_a_whole_hedge_is_not_over_without_it() -> None:
    """A hedge too coarse for its contracts stays so while its positions cannot be read."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(SETUP, clock, venue)
    listed = next(iter(venue.listed.values()))
    venue.listed = {listed.id: replace(listed, lot_size=dec(100))}
    venue.contracts = {}
    assert "too_coarse/alts" in told(await run_cycle(portfolio, clock.now()))
    venue.faults["derivatives"] = fault(Unreadable, "derivatives")
    assert "too_coarse/alts" not in over(await later(portfolio, clock, cycles=3))
    venue.faults.clear()
    venue.listed = {listed.id: listed}
    assert "too_coarse/alts" in over(await later(portfolio, clock))


async def test_a_refused_reload_is_over_with_the_next_good_one() -> None:
    """Told while it lasts, and its end at once, also where it was refused before."""
    clock = ManualClock()
    portfolio = await wire(SETUP, clock, FakeVenue(clock))
    refused = Finding(
        Kind.RELOAD_REFUSED, "test", Severity.WARNING, "test: reload REFUSED: band = 2.0 must be below 1."
    )
    for _ in range(2):
        clock.advance(120)
        assert told(await run_cycle(portfolio, clock.now(), [refused])) == {"reload_refused/test": MessageKind.FIRING}
        clock.advance(120)
        assert told(await run_cycle(portfolio, clock.now())) == {"reload_refused/test": MessageKind.RESOLVED}


async def test_a_reload_refused_for_another_reason_is_told_at_once() -> None:
    """Nobody may mend what was told and believe that to be all; also where somebody has acknowledged the first."""

    def refused(why: str) -> Finding:
        return Finding(Kind.RELOAD_REFUSED, "test", Severity.WARNING, f"test: reload REFUSED: {why}.", {"problems": 1})

    clock = ManualClock()
    portfolio = await wire(SETUP, clock, FakeVenue(clock))
    first, second, third = refused("band = 2.0 must be below 1"), refused("every = 0 must be above 0"), refused("x")

    async def said(finding: Finding) -> list[tuple[str, MessageKind]]:
        clock.advance(120)
        report = await run_cycle(portfolio, clock.now(), [finding])
        return [(each.body.partition(":")[2].split(".")[0], each.kind) for each in report.messages]

    assert [kind for _, kind in await said(first)] == [MessageKind.FIRING]
    assert await said(first) == []
    assert [kind for _, kind in await said(second)] == [MessageKind.REPEAT]
    assert await said(second) == []
    assert await portfolio.store.acknowledge("reload_refused/test", "ann", clock.now())
    assert await said(second) == []
    clock.advance(5 * 3600)
    assert await said(second) == [], "acknowledged: not repeated"
    (told_third,) = [text for text, _ in await said(third)]
    assert "REFUSED: x" in told_third


def test_what_is_due_is_told_also_where_the_hedge_is_blocked() -> None:
    """A finding of this cycle rests on what was read, whatever else of its hedge is missing."""
    blind = assess(
        view(account=account(spot=broken(Fault.UNREADABLE), positions=derivatives((ETH_PERP, "-10")))), USUAL
    )
    due = Finding(Kind.PAUSED_DUE, "alts", Severity.CRITICAL, "alts: due.")
    without = undetermined_keys(Happened(blind, Decision(reason="")), ())
    assert due.key in without
    assert due.key not in undetermined_keys(Happened(blind, Decision(reason=""), outside=[due]), ())
