"""After a cycle: all of it kept in one transaction, and in the process in case the store fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hedged.assess import effect
from hedged.assess.margin import alarms_after
from hedged.decide.runaway import filled as filled_guard
from hedged.errors import StoreError
from hedged.model.alert import Alert
from hedged.model.finding import HedgeGroup
from hedged.model.instrument import InstrumentId
from hedged.model.order import (
    Fill,
    Intent,
)
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.observe.continuity import remember
from hedged.portfolio import CycleReport, Portfolio
from hedged.ports import CycleRecord


async def record(portfolio: Portfolio, report: CycleReport, now: datetime) -> CycleReport:
    """Keep the cycle in one transaction; in the process too, in case the store fails next time."""
    fills = [outcome for outcome in report.outcomes if isinstance(outcome, Fill)]
    _know(portfolio, report.alerts)
    if not portfolio.loaded:  # what is stored is not known, so nothing is written over it
        portfolio.unkept = portfolio.unkept or "it could not be read yet"
        return replace(report, store_error=portfolio.unkept)
    intents = {each.intent.client_order_id: each.intent for each in report.decision.intents}
    settled = [(intent, fill) for intent, fill in portfolio.settled if isinstance(fill, Fill)]
    orders = [(intents[fill.client_order_id], fill) for fill in fills if fill.client_order_id in intents]
    ledgers, effects = effect.advance(
        portfolio.memory.ledgers,
        report.assessment,
        report.snapshot,
        portfolio.policy,
        earlier=[*portfolio.unrecorded, *settled],
        orders=orders,
        payments=portfolio.payments,
    )
    portfolio.settled, portfolio.unrecorded, portfolio.unbooked = [], (), frozenset()
    portfolio.unkept_effects.update({(day.hedge, day.day): day for day in effects})
    report = replace(report, effects=tuple(effects))
    memory = remember(report.snapshot, portfolio.memory, fills)
    guard = filled_guard(report.guard, report.snapshot, fills)
    alarms = alarms_after(report.snapshot.margin_odds, portfolio.memory.margin_alarms)
    proven = memory.proven | _proven(portfolio.policy, report.assessment.groups, [*settled, *orders])
    portfolio.memory = replace(
        memory,
        signals=report.signals,
        ledgers=ledgers,
        guard=guard,
        margin_alarms=alarms,
        proven=proven,
        digest_at=portfolio.memory.digest_at,
    )
    record = CycleRecord(
        cycle_id=report.cycle_id,
        started_at=now,
        finished_at=portfolio.clock.now(),
        snapshot=report.snapshot,
        state=report.state,
        decision=report.decision,
        memory=portfolio.memory,
        alerts=portfolio.alerts if portfolio.unkept else report.alerts,
        messages=report.messages,
        effects=tuple(portfolio.unkept_effects.values()),
        proposals=(*report.decision.answered, *report.decision.awaiting),
    )
    try:
        await portfolio.store.record_cycle(record, portfolio.channels, portfolio.further)
    except Exception as error:  # noqa: BLE001  whatever it is: what happened is told all the same
        portfolio.unkept = str(error) if isinstance(error, StoreError) else f"{type(error).__name__} while recording"
        return replace(report, store_error=portfolio.unkept)
    portfolio.unkept = None
    portfolio.unkept_effects.clear()
    return report


def _know(portfolio: Portfolio, alerts: Sequence[Alert]) -> None:
    """In the process, until the store has them. By event, not by key: an earlier one may not have its end there yet."""
    newer = {alert.event_id for alert in alerts}
    portfolio.alerts = (*(alert for alert in portfolio.alerts if alert.event_id not in newer), *alerts)


def _proven(
    policy: PortfolioPolicy, groups: Sequence[HedgeGroup], orders: Sequence[tuple[Intent, Fill]]
) -> frozenset[InstrumentId]:
    """Contracts on which these fills were real ones."""
    modes = {hedge.name: hedge.mode for hedge in policy.hedges}
    real = {group.name for group in groups if modes[group.hedges[0]] in {Mode.APPROVE, Mode.LIVE}}
    return frozenset(fill.instrument for intent, fill in orders if intent.hedge in real)
