"""One configuration, wired, with what its last cycle left; and what one cycle saw, decided and did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from hedged.act import Reconciler
from hedged.act.brake import Asked, Brake, StopFile
from hedged.decide import Book
from hedged.estimate.effect import Health
from hedged.model.alert import Alert, Message
from hedged.model.effect import EffectDay, FundingPayment
from hedged.model.finding import Assessment
from hedged.model.guard import GuardMemory
from hedged.model.instrument import InstrumentId
from hedged.model.order import (
    Absent,
    Decision,
    Fill,
    Intent,
    OrderRow,
    Outcome,
    PastOrder,
)
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Snapshot
from hedged.model.statistics import HedgeStatistics
from hedged.model.timing import Override, SignalState
from hedged.observe import Observer
from hedged.ports import AccountReader, Clock, Ids, MarketReader, Memory, OrderGateway, RiskModel, Store
from hedged.tell.quiet import Attention
from hedged.tell.rules import AlertRules
from hedged.tell.state import order_object


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
    url: str | None = None  # under which people reach hedged's pages
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
    payments: Sequence[FundingPayment] = ()  # of funding, as venues tell it, of the last days
    unrecorded: Sequence[tuple[Intent, Fill]] = field(default=(), init=False)  # orders that the last process left
    unbooked: frozenset[InstrumentId] = frozenset()  # filled in the last process after the cycle that it recorded last
    told: set[str] = field(default_factory=set, init=False)  # orders told already, whose outcome could not be kept
    loaded: bool = field(default=False, init=False)  # the store has been read once
    lease: timedelta | None = (
        None  # how long this process may send orders without having been heard of; None: no matter
    )
    fenced: str | None = field(default=None, init=False)  # who has taken over from this process
    held: str | None = None  # why no order may be made for now, though nobody has stopped them
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
