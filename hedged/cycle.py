"""The plan of the house: observe → assess → decide → act → tell, once per `now`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from functools import partial

from hedged.act import Reconciler, submit_all
from hedged.act.brake import Asked, Brake, StopFile
from hedged.act.overrides import overrides
from hedged.act.reconcile import TakeBack, to_send_again
from hedged.assess import assess, effect
from hedged.assess.foreign import foreign_orders
from hedged.assess.margin import alarms_after, with_alarms
from hedged.decide import Book, decide
from hedged.decide.carry import carried
from hedged.decide.jumps import marks_after, prices_after
from hedged.decide.margin import is_reducing
from hedged.decide.placement import crossing, resting, taken_back
from hedged.decide.runaway import DAY, runaway, seen
from hedged.decide.runaway import filled as filled_guard
from hedged.decide.timing import next_signals, timed
from hedged.errors import Fenced, StoreError
from hedged.estimate.effect import WATCHED, Health
from hedged.model.alert import Alert, Message
from hedged.model.effect import EffectDay
from hedged.model.finding import Assessment, Finding, HedgeGroup
from hedged.model.guard import GuardMemory
from hedged.model.instrument import InstrumentId
from hedged.model.order import (
    Absent,
    Decision,
    Fill,
    Intent,
    OrderRow,
    OrderState,
    Outcome,
    PastOrder,
    Unknown,
    Working,
)
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.model.snapshot import Snapshot
from hedged.model.statistics import HedgeStatistics
from hedged.model.timing import Override, SignalState
from hedged.observe import Observer
from hedged.observe.continuity import filled, remember
from hedged.observe.last_good import LastGood
from hedged.ports import AccountReader, Clock, CycleRecord, Ids, MarketReader, Memory, OrderGateway, RiskModel, Store
from hedged.tell.attention import attention
from hedged.tell.daily import daily
from hedged.tell.later import Later
from hedged.tell.lifecycle import AlertRules
from hedged.tell.pipeline import Happened, earlier_findings, order_findings, tell, trouble_findings
from hedged.tell.proposals import proposal_findings
from hedged.tell.quiet import Attention
from hedged.tell.state import finding_object, order_object, state_object
from hedged.tell.stops import refused_by_limits, stop_findings, stops_object

MINUTE = timedelta(minutes=1)
GUARDED_CYCLES = 3  # without one, a venue cancels what rests there


@dataclass(slots=True)
class Portfolio:
    """One configuration, wired. `memory` and `alerts` are what the last cycle left, kept for when the store fails."""

    policy: PortfolioPolicy
    markets: Mapping[str, MarketReader]  # by account name
    accounts: Mapping[str, AccountReader]  # those that can be read; in paper mode the paper accounts
    gateways: Mapping[str, OrderGateway]  # empty in monitor
    store: Store
    channels: tuple[str, ...]  # names, for the outbox
    rules: AlertRules
    clock: Clock
    ids: Ids
    positions_of: str = "venue"  # or "paper": whose positions the accounts show
    stop_file: StopFile | None = None
    asked: Asked = field(default_factory=Asked)  # the pause that a signal asked for
    brake: Brake = field(init=False)
    further: tuple[str, ...] = ()  # channels that are told what is critical and unacknowledged
    confirming: frozenset[str] = frozenset()  # channels whose acknowledgement says that people are told
    attention: Attention = field(default_factory=Attention, init=False)
    digest_at: time | None = None  # of the day, UTC
    reconciler: Reconciler = field(init=False)
    guarded: bool = True  # hedged stops itself where orders and their effect come apart
    observer: Observer | None = field(default=None, init=False)
    memory: Memory = field(default_factory=Memory, init=False)
    alerts: Sequence[Alert] = field(default=(), init=False)
    book: Book = field(default_factory=lambda: Book(""), init=False)
    statistics: Mapping[str, HedgeStatistics] = field(default_factory=dict)  # by hedge, as last estimated
    risk: RiskModel | None = None  # None: nobody asks how likely a liquidation is
    overrides: Mapping[str, Override] = field(default_factory=dict, init=False)  # target ratios set by hand
    settled: list[tuple[Intent, Outcome | Absent]] = field(default_factory=list, init=False)  # and not told yet
    past_orders: Sequence[PastOrder] = field(default=(), init=False)  # of the last day
    open_rows: Sequence[OrderRow] = field(default=(), init=False)  # orders nobody knows the end of
    health: Mapping[str, Health] = field(default_factory=dict, init=False)  # by group of hedges, as the day began
    health_of: datetime | None = field(default=None, init=False)  # that day
    unkept_effects: dict[tuple[str, datetime], EffectDay] = field(default_factory=dict, init=False)  # by group, day
    unrecorded: Sequence[tuple[Intent, Fill]] = field(default=(), init=False)  # orders that the last process left
    unbooked: frozenset[InstrumentId] = frozenset()  # filled in the last process after the cycle that it recorded last
    told: set[str] = field(default_factory=set, init=False)  # orders told already, whose outcome could not be kept
    loaded: bool = field(default=False, init=False)  # the store has been read once
    lease: timedelta | None = (
        None  # how long this process may send orders without having been heard of; None: no matter
    )
    fenced: str | None = field(default=None, init=False)  # who has taken over from this process
    unkept: str | None = field(default=None, init=False)  # why the last cycle could not be recorded

    def __post_init__(self) -> None:
        self.brake = Brake(self.store, self.stop_file, self.asked)
        self.reconciler = Reconciler(self.clock)


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What one cycle saw, decided and did."""

    cycle_id: str
    snapshot: Snapshot
    assessment: Assessment
    decision: Decision
    outcomes: tuple[Outcome, ...] = ()
    alerts: tuple[Alert, ...] = ()
    messages: tuple[Message, ...] = ()
    state: Mapping[str, object] = field(default_factory=dict)
    store_error: str | None = None  # why nothing of this cycle is kept
    signals: Mapping[str, SignalState] = field(default_factory=dict)
    effects: tuple[EffectDay, ...] = ()  # the days that it changed, as they stand now
    guard: GuardMemory = field(default_factory=GuardMemory)
    runaway: str | None = None  # why hedged should stop itself

    def orders(self) -> list[dict[str, object]]:
        """What became of each order sent, JSON-able."""
        intents = {approved.intent.client_order_id: approved.intent for approved in self.decision.intents}
        return [
            order_object(intents[outcome.client_order_id], outcome)
            for outcome in self.outcomes
            if outcome.client_order_id in intents
        ]


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
        outcomes, failure = await submit_all(
            report.decision.intents,
            portfolio.gateways,
            portfolio.store,
            portfolio.brake,
            cycle_id=cycle_id,
            clock=portfolio.clock,
        )
        report, trouble = replace(report, outcomes=outcomes), failure or trouble
        await _guard(portfolio, report)
        if failure is not None:
            portfolio.told |= {each.client_order_id for each in outcomes if not isinstance(each, Unknown)}
    finally:
        # Also when acting failed in a way nobody thought of: what was seen is told all the same.
        await portfolio.brake.look(portfolio.clock.now())
        groups = report.assessment.groups
        outside = [
            *extra,
            *earlier_findings(portfolio.settled, portfolio.open_rows, groups),
            *trouble_findings(portfolio.fenced, trouble, portfolio.policy.name),
        ]
        outside += effect.findings(portfolio.health, groups)
        outside += _foreign_orders(portfolio, report)
        outside += order_findings(refused_by_limits(report.decision), report.outcomes, groups)
        outside += proposal_findings(report.decision, groups, portfolio.policy.quote)
        outside += stop_findings(portfolio.brake, report.decision, groups, portfolio.policy.name)
        told = [*report.assessment.findings, *outside]
        beside = {**stops_object(portfolio.brake), **(beside or {})}
        report = replace(report, state=Later(partial(_told, report, told, beside)))
        happened = Happened(report.assessment, report.decision, report.outcomes, outside)
        alerts, messages = tell(
            happened, portfolio.alerts, portfolio.policy, portfolio.rules, portfolio.ids.new, portfolio.attention
        )
        if portfolio.digest_at is not None:
            last, digest = await daily(portfolio.digest_at, portfolio.memory.digest_at, happened, alerts, portfolio)
            portfolio.memory = replace(portfolio.memory, digest_at=last)
            messages = (*messages, *digest)
        report = await _record(portfolio, replace(report, alerts=alerts, messages=messages), now)
    return report


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
    signals = next_signals(portfolio.policy, portfolio.memory.signals, statistics, now)
    policy = carried(timed(portfolio.policy, portfolio.overrides, signals, now), snapshot)
    assessment = assess(snapshot, policy)
    before = portfolio.memory.guard
    marks, prices = (
        marks_after(before.marks, snapshot, policy.limits.price_collar),
        prices_after(before.prices, snapshot),
    )
    guard = replace(seen(before, snapshot, assessment.margin), marks=marks, prices=prices)
    wrong = None
    if portfolio.guarded and portfolio.gateways and portfolio.brake.halted is None:
        wrong = runaway(guard, portfolio.past_orders, policy.limits, now, portfolio.brake.resumed_at)
    stopped = portfolio.brake.why or (wrong and f"halted by the guard: {wrong}")
    book = replace(
        portfolio.book,
        cycle_id=cycle_id,
        orders_allowed=orders_allowed,
        stopped=stopped,
        marks={name: mark.price for name, mark in marks.items()},
        prices={asset: price.price for asset, price in prices.items()},
    )
    decision = decide(assessment, snapshot, policy, book)
    stops = stops_object(portfolio.brake)
    state = Later(lambda: {**state_object(assessment, decision, policy, statistics), **stops})
    return CycleReport(
        cycle_id, snapshot, assessment, decision, state=state, signals=signals, guard=guard, runaway=wrong
    )


async def recall(portfolio: Portfolio, now: datetime) -> str | None:
    """Bring back what the last cycle left, and drive open orders to an end. Returns why the store can't be used.

    When it cannot, the process's own recollection serves: watching goes on, trading does not.
    """
    store = portfolio.store
    await portfolio.brake.look(now)
    try:
        await _renew(portfolio, now)
        # While cycles cannot be recorded the process knows better than the store, once it has read that.
        if portfolio.unkept is None or not portfolio.loaded:
            portfolio.memory = await store.memory()
            portfolio.alerts = await store.alerts()
        portfolio.attention = await attention(store, portfolio.alerts, portfolio.rules, portfolio.confirming, now)
        if not portfolio.loaded and (last := await store.last_cycle()) is not None:
            fills = [fill for fill in await store.fills(last[1]) if fill.at > last[1]]
            portfolio.unrecorded = effect.unrecorded(portfolio.memory.ledgers, fills)
            portfolio.unbooked = frozenset(fill.instrument for fill in fills)
        portfolio.loaded = True
        if portfolio.memory.positions_of not in {"", portfolio.positions_of}:  # the mode was changed
            portfolio.memory = Memory()
        portfolio.memory = replace(portfolio.memory, positions_of=portfolio.positions_of)
        portfolio.reconciler.take_back = _take_back(portfolio, now)
        for intent, outcome in await portfolio.reconciler.reconcile(portfolio.gateways, store, portfolio.memory, now):
            if intent.client_order_id not in portfolio.told:
                portfolio.settled.append((intent, outcome))
                if isinstance(outcome, Fill):  # what follows from it has not vanished
                    portfolio.memory = filled(portfolio.memory, intent, outcome)
        rows = await store.open_orders()
        portfolio.open_rows = [row for row in rows if row.intent.instrument.partition(":")[0] in portfolio.gateways]
        in_flight = frozenset(row.intent.instrument for row in rows)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        turnover = await store.turnover(midnight)
        if portfolio.health_of != midnight:
            portfolio.health = effect.health(await store.effects(midnight - WATCHED), midnight)
            portfolio.health_of = midnight
        portfolio.overrides = await overrides(store)
        portfolio.past_orders = await store.past_orders(now - DAY if portfolio.guarded else now - MINUTE)
        minute, day = (
            sum(order.sent and abs(now - order.planned_at) < span for order in portfolio.past_orders)
            for span in (MINUTE, DAY)
        )
        portfolio.book = Book(
            "",
            turnover_day=turnover.notional,
            in_flight=in_flight,
            orders_minute=minute,
            orders_day=day,
            open_orders=tuple(row.intent for row in rows),
            again=to_send_again(portfolio.past_orders),
            proposals=tuple(await store.proposals(now - portfolio.policy.proposals_expire)),
            proven=portfolio.memory.proven,
            resting=resting(rows),
            crossing=crossing(portfolio.past_orders, now, portfolio.policy.limits),
        )
    except StoreError as error:
        return str(error)
    return portfolio.brake.unreadable or portfolio.unkept


def _take_back(portfolio: Portfolio, now: datetime) -> TakeBack:
    """Which orders at rest are cancelled, so that what is left of them is decided anew; all of them where a person or
    the guard has stopped orders that way.
    """

    def judged(row: OrderRow, working: Working) -> bool:
        if portfolio.brake.cancels:
            return True
        seen = portfolio.memory.guard.marks.get(row.intent.instrument)
        why = taken_back(
            row,
            working,
            now,
            portfolio.policy.limits,
            orders=portfolio.past_orders,
            mark=seen.price if seen is not None else None,
            urgent=is_reducing(portfolio.policy.margin, portfolio.memory.margin_alarms, row.intent.instrument),
        )
        return why is not None

    return judged


async def _renew(portfolio: Portfolio, now: datetime) -> None:
    """Go on being the one that sends orders. Raises `Fenced` where another process is by now: this one never is again.

    Nothing else is done with the store then: the orders in its journal are that other process's.
    """
    if portfolio.fenced is None and portfolio.lease is not None:
        try:
            await portfolio.store.renew_lease(now + portfolio.lease)
        except Fenced as error:
            portfolio.fenced = str(error)
    if portfolio.fenced is not None:
        raise Fenced(portfolio.fenced)


async def _record(portfolio: Portfolio, report: CycleReport, now: datetime) -> CycleReport:
    """Keep the cycle in one transaction; in the process too, in case the store fails next time."""
    fills = [outcome for outcome in report.outcomes if isinstance(outcome, Fill)]
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
    ended = {alert.key for alert in report.alerts}
    portfolio.alerts = (*(alert for alert in portfolio.alerts if alert.key not in ended), *report.alerts)
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


def _foreign_orders(portfolio: Portfolio, report: CycleReport) -> Iterator[Finding]:
    """Who else trades, as far as the venue's positions are shown and this process knows its own orders."""
    if portfolio.positions_of == "venue" and portfolio.loaded:
        late = {intent.instrument for intent, _ in portfolio.settled}
        unsure = late | portfolio.unbooked | portfolio.book.in_flight
        groups, policy = report.assessment.groups, portfolio.policy
        yield from foreign_orders(report.snapshot, portfolio.memory, groups, policy, unsure)


def _proven(
    policy: PortfolioPolicy, groups: Sequence[HedgeGroup], orders: Sequence[tuple[Intent, Fill]]
) -> frozenset[InstrumentId]:
    """Contracts on which these fills were real ones."""
    modes = {hedge.name: hedge.mode for hedge in policy.hedges}
    real = {group.name for group in groups if modes[group.hedges[0]] in {Mode.APPROVE, Mode.LIVE}}
    return frozenset(fill.instrument for intent, fill in orders if intent.hedge in real)
