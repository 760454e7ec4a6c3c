"""The plan of the house: observe → assess → decide → act → tell, once per `now`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from hedged.act import submit_all
from hedged.assess import assess, effect
from hedged.assess.foreign import foreign_orders
from hedged.assess.margin import with_alarms
from hedged.decide import decide
from hedged.decide.carry import carried
from hedged.decide.jumps import marks_after, prices_after
from hedged.decide.runaway import found_filled, runaway, seen
from hedged.decide.timing import next_signals, timed
from hedged.model.finding import Finding
from hedged.model.order import OrderState, Unknown, Working
from hedged.model.snapshot import Snapshot
from hedged.observe import Observer
from hedged.observe.last_good import LastGood
from hedged.portfolio import CycleReport, Portfolio
from hedged.recall import recall
from hedged.record import record
from hedged.tell.daily import daily
from hedged.tell.later import Later
from hedged.tell.pipeline import Happened, earlier_findings, order_findings, tell, trouble_findings
from hedged.tell.proposals import filled_findings, proposal_findings
from hedged.tell.state import finding_object, state_object
from hedged.tell.stops import refused_by_limits, stop_findings, stops_object

__all__ = ["CycleReport", "Portfolio", "judge", "look", "recall", "run_cycle"]

GUARDED_CYCLES = 3  # without one, a venue cancels what rests there


async def run_cycle(
    portfolio: Portfolio,
    now: datetime,
    extra: Sequence[Finding] = (),
    *,
    cycle_id: str | None = None,
    beside: Mapping[str, object] | None = None,
) -> CycleReport:
    """One whole cycle. `extra` are findings from outside it: a missed cycle, one that took too long.

    `beside` goes into the state as it is, JSON-able: what the daemon knows and no cycle reads.
    Raises nothing that a venue, a gateway or the store does wrong: those become findings.
    """
    cycle_id = cycle_id or portfolio.ids.new()
    trouble = await recall(portfolio, now)
    report = await look(portfolio, now, cycle_id, orders_allowed=trouble is None)
    if report.runaway is not None:
        await portfolio.brake.halt(report.runaway, now)
    try:
        await _take_back(portfolio, report)
        outcomes, failure = await submit_all(
            report.decision.intents,
            portfolio.gateways,
            portfolio.store,
            portfolio.brake,
            cycle_id=cycle_id,
            clock=portfolio.clock,
            fresh_for=portfolio.policy.thresholds.stale_after,
        )
        report, trouble = replace(report, outcomes=outcomes), failure or trouble
        await _guard(portfolio, report)
        if failure is not None:
            portfolio.told |= {each.client_order_id for each in outcomes if not isinstance(each, Unknown)}
    finally:
        # Also when acting failed in a way nobody thought of: what was seen is told all the same.
        await portfolio.brake.look(portfolio.clock.now())
        outside = [*extra, *_found_outside(portfolio, report, trouble)]
        report = await _tell(portfolio, report, outside, beside or {})
        report = await record(portfolio, report, now)
    return report


def _found_outside(portfolio: Portfolio, report: CycleReport, trouble: str | None) -> Iterator[Finding]:
    """What no assessment finds: of orders, of the store, of stops, of what the hedges did."""
    groups, policy = report.assessment.groups, portfolio.policy
    unwatched = {
        row.intent.instrument
        for row in portfolio.open_rows
        if row.intent.instrument.partition(":")[0] not in portfolio.gateways
    }
    yield from earlier_findings(portfolio.settled, portfolio.open_rows, groups, unwatched=unwatched)
    yield from trouble_findings(portfolio.fenced, trouble, policy.name)
    yield from effect.findings(portfolio.health, groups)
    yield from _foreign_orders(portfolio, report)
    yield from order_findings(refused_by_limits(report.decision), report.outcomes, groups)
    yield from proposal_findings(report.decision, groups, policy.quote)
    approved = {each.id: each for each in portfolio.book.proposals}
    yield from filled_findings(report.decision, report.outcomes, approved, policy.quote)
    yield from stop_findings(portfolio.brake, report.decision, groups, policy.name)


async def _tell(
    portfolio: Portfolio, report: CycleReport, outside: Sequence[Finding], beside: Mapping[str, object]
) -> CycleReport:
    """With the state as it is shown, the alerts after this cycle, and the messages about them."""
    told = [*report.assessment.findings, *outside]
    state = Later(partial(_told, report, told, {**stops_object(portfolio.brake), **beside}))
    happened = Happened(report.assessment, report.decision, report.outcomes, outside)
    alerts, messages = tell(
        happened,
        portfolio.alerts,
        portfolio.policy,
        portfolio.rules,
        portfolio.ids.new,
        portfolio.attention,
        portfolio.url,
    )
    if portfolio.digest_at is not None:
        last, digest = await daily(portfolio.digest_at, portfolio.memory.digest_at, happened, alerts, portfolio)
        portfolio.memory = replace(portfolio.memory, digest_at=last)
        messages = (*messages, *digest)
    return replace(report, state=state, alerts=alerts, messages=messages)


async def _take_back(portfolio: Portfolio, report: CycleReport) -> None:
    """Cancel what rests and is not wanted any more. What came of it the next cycle looks up, as of any open order."""
    for row in portfolio.open_rows:
        gateway = portfolio.gateways.get(row.intent.instrument.partition(":")[0])
        if gateway is not None and row.intent.client_order_id in report.decision.take_back:
            await gateway.cancel(row.intent)


async def _guard(portfolio: Portfolio, report: CycleReport) -> None:
    """What rests in a book now is cancelled by the venue itself should we be gone for three cycles."""
    working = {each.client_order_id for each in report.outcomes if isinstance(each, Working)}
    resting = {row.intent.instrument for row in portfolio.open_rows if row.state is OrderState.ACKNOWLEDGED}
    resting |= {each.intent.instrument for each in report.decision.intents if each.intent.client_order_id in working}
    for account, gateway in portfolio.gateways.items():
        there = {each for each in resting if each.partition(":")[0] == account}
        await gateway.guard(there, GUARDED_CYCLES * portfolio.policy.every)


def _told(report: CycleReport, told: Sequence[Finding], beside: Mapping[str, object]) -> dict[str, object]:
    """The state of a whole cycle: what was seen and decided, all that was found, and what became of the orders."""
    findings = [finding_object(each) for each in told]
    return {**report.state, "findings": findings, "orders": report.orders(), **beside}


async def look(portfolio: Portfolio, now: datetime, cycle_id: str, *, orders_allowed: bool = True) -> CycleReport:
    """Observe, assess, decide: the half of a cycle that changes nothing anywhere."""
    if portfolio.observer is None:
        last = LastGood.from_memory(portfolio.memory)
        portfolio.observer = Observer(portfolio.policy, portfolio.markets, portfolio.accounts, portfolio.clock, last)
    snapshot = await portfolio.observer.observe(portfolio.memory, now)
    odds = await portfolio.risk.odds(snapshot) if portfolio.risk is not None else {}
    odds = with_alarms(odds, portfolio.memory.margin_alarms, portfolio.policy.margin)
    return judge(portfolio, replace(snapshot, margin_odds=odds), cycle_id, orders_allowed=orders_allowed)


def judge(portfolio: Portfolio, snapshot: Snapshot, cycle_id: str, *, orders_allowed: bool = True) -> CycleReport:
    """Assess and decide on what was seen, with the statistics that are known now."""
    statistics, now = portfolio.statistics, snapshot.now
    snapshot = replace(snapshot, statistics=statistics)
    signals = portfolio.memory.signals
    if portfolio.held is None:  # else `now` may not be what it is
        signals = next_signals(portfolio.policy, signals, statistics, now)
    policy = carried(timed(portfolio.policy, portfolio.overrides, signals, now), snapshot)
    assessment = assess(snapshot, policy)
    before = found_filled(portfolio.memory.guard, portfolio.settled, now)
    marks = marks_after(before.marks, snapshot, policy.limits.price_collar)
    prices = prices_after(before.prices, snapshot)
    guard = replace(seen(before, snapshot, assessment.margin), marks=marks, prices=prices)
    wrong = None
    if portfolio.guarded and portfolio.gateways and portfolio.brake.halted is None:
        wrong = runaway(guard, portfolio.past_orders, policy.limits, now, portfolio.brake.resumed_at)
    stopped = portfolio.brake.why or (wrong and f"halted by the guard: {wrong}") or portfolio.held
    book = replace(
        portfolio.book,
        cycle_id=cycle_id,
        orders_allowed=orders_allowed,
        stopped=stopped,
        marks={name: mark.price for name, mark in marks.items()},
        prices={asset: price.price for asset, price in prices.items()},
        unseen=frozenset(guard.expected),
    )
    decision = decide(assessment, snapshot, policy, book)
    stops = stops_object(portfolio.brake)
    state = Later(lambda: {**state_object(assessment, decision, policy, statistics), **stops})
    return CycleReport(
        cycle_id, snapshot, assessment, decision, state=state, signals=signals, guard=guard, runaway=wrong
    )


def _foreign_orders(portfolio: Portfolio, report: CycleReport) -> Iterator[Finding]:
    """Who else trades, as far as the venue's positions are shown and this process knows its own orders."""
    if portfolio.positions_of == "venue" and portfolio.loaded:
        late = {intent.instrument for intent, _ in portfolio.settled}
        unsure = late | portfolio.unbooked | portfolio.book.in_flight
        groups, policy = report.assessment.groups, portfolio.policy
        yield from foreign_orders(report.snapshot, portfolio.memory, groups, policy, unsure)
