"""Everything outside the daemon: the true time, the true venue, who is told, and what has been seen of it all."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Kind
from hedged.model.order import ApprovedIntent, OrderStatus
from hedged.model.proposal import Proposal
from hedged.model.snapshot import Balance
from hedged.model.timing import Override
from hedged.ports import CycleRecord
from hedged.simulation.market import SimulatedMarket
from hedged.trial.journal import Journal
from hedged.trial.life import STOP, Life, hash_of
from hedged.trial.plan import CASH, CHANNELS, COINS, EVERY, Hedge, Plan
from hedged.trial.store import new_database
from hedged.trial.trace import Trace
from hedged.trial.venue import Placed, Ticket, TrialVenue

_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold. `at` in seconds from the beginning."""

    invariant: int
    said: str
    seed: int = 0
    at: float = 0.0
    tail: tuple[str, ...] = ()


@dataclass(slots=True)
class Recorded:
    """A cycle that was kept, as those who judge need it. `at` in seconds."""

    at: float
    life: int
    record: CycleRecord
    state: Mapping[str, Any]


@dataclass(slots=True)
class Sighting:
    """What the step that is judged now is about; the rest is None."""

    leaving: ApprovedIntent | None = None  # an order's first byte
    ticket: Ticket | None = None
    placed: Placed | None = None  # it reached the venue
    recorded: Recorded | None = None  # a cycle was kept
    message: tuple[str, Message] | None = None  # a channel took it
    final: bool = False  # nothing went wrong for a while, and the end is near


Judge = Callable[["World"], Violation | None]


class VenueClock:
    """The true time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.true_now()

    def monotonic(self) -> float:
        return self._world.elapsed

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


class World:
    """One seed at work. Lives come and go; the venue, the database and the people stay."""

    def __init__(self, plan: Plan, folder: Path, judges: tuple[Judge, ...]) -> None:
        self.plan = plan
        self.seed = plan.seed
        self.elapsed = 0.0
        self.jumped = timedelta(0)  # machine time − true time
        self.trace = Trace(lambda: self.elapsed, str(folder))
        self.violation: Violation | None = None
        self.judges = judges
        self.life: Life | None = None
        self.zombie: Life | None = None  # suspended, and taken for dead
        self.host = 1  # the machine that runs the next life
        self.lives = 0
        self.config = folder / "trial.toml"
        self.store_path = folder / "trial.sqlite"
        self.config.write_text(plan.toml(self.store_path), encoding="utf-8")
        self.store_path.write_bytes(new_database())
        market = SimulatedMarket(hash_of("market", plan.seed) % 2**31, plan.start - timedelta(days=2))
        spot = [Balance(asset, quantity) for asset, quantity in COINS.items()]
        self.venue = TrialVenue(market, VenueClock(self), account="sim", balances={"spot": spot}, cash=CASH)
        self.venue.begin()
        self.venue.look(0.0)
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._luck = plan.stream("venue")
        self.journal: Journal | None = None
        self.seen = Seen()
        self.sighting = Sighting()
        self.at(plan.seconds, self._stop)

    # time

    def true_now(self) -> datetime:
        return self.plan.start + timedelta(seconds=self.elapsed)

    def machine_now(self) -> datetime:
        return self.true_now() + self.jumped

    def at(self, when: float, happening: Callable[[], object]) -> None:
        heapq.heappush(self._events, (max(when, self.elapsed), next(self._numbers), happening))

    def after(self, seconds: float, happening: Callable[[], object]) -> None:
        self.at(self.elapsed + seconds, happening)

    def next_event(self) -> float:
        return self._events[0][0] if self._events else _FOREVER

    def happen(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            heapq.heappop(self._events)[2]()

    def pass_by(self, seconds: float) -> None:
        """No process runs meanwhile."""
        until = self.elapsed + seconds
        while self.next_event() <= until:
            self.elapsed = max(self.elapsed, self.next_event())
            self.happen(self.elapsed)
        self.elapsed = until

    @property
    def over(self) -> bool:
        return self.violation is not None or self.elapsed >= self.plan.seconds

    def _stop(self) -> None:
        self.look()
        self.judge(final=True)
        if self.life is not None and not self.life.loop.signal(STOP):
            self.life.kill()

    # what is seen

    def judge(self, **sighting: Any) -> None:
        """Hold every invariant against what has just happened; the first that fails ends the run."""
        self.sighting = Sighting(**sighting)
        for judge in self.judges:
            if self.violation is None and (found := judge(self)) is not None:
                self.trace.say("VIOLATION", f"invariant {found.invariant}: {found.said}")
                self.violation = Violation(found.invariant, found.said, self.seed, self.elapsed, tuple(self.trace.tail))
                if self.life is not None:
                    self.life.kill()

    def look(self) -> None:
        self.venue.look(self.elapsed)

    def exposure(self, hedge: Hedge) -> Decimal:
        """What there is to hedge, by the venue's own books."""
        prices = {asset: self.venue.market.price(asset, self.true_now()) or Decimal(0) for asset in hedge.assets}
        return sum((self.venue.coins(asset) * price for asset, price in prices.items()), Decimal(0))

    def true_ratio(self, hedge: Hedge) -> Decimal | None:
        """The hedge ratio by the venue's own books; None where nothing is to be hedged or a contract has no price."""
        now, exposure, value = self.true_now(), self.exposure(hedge), Decimal(0)
        for symbol in self.venue.courses:
            if not hedge.trades(symbol) or not self.venue.held(symbol):
                continue
            quote, instrument = self.venue.market.quote(symbol, now), self.venue.instrument(symbol)
            if quote is None or instrument is None:
                return None
            value -= self.venue.held(symbol) * instrument.multiplier * quote.mark
        return value / exposure if exposure > 0 else None

    def leaves(self, approved: ApprovedIntent, ticket: Ticket) -> None:
        self.look()
        if self.life is not None:
            self.life.in_hand = False
        self.trace.say(
            "order",
            f"{ticket.client_order_id} {ticket.side} {ticket.quantity:f} {ticket.symbol} limit {ticket.price_limit:f}"
            f"{' reduce-only' if ticket.reduce_only else ''} ({self.venue.held(ticket.symbol):f} held)",
        )
        self.judge(leaving=approved, ticket=ticket)
        self.seen.sent.append((self.elapsed, approved, ticket))

    def travels(self, ticket: Ticket, seconds: float) -> None:
        """It left, and reaches the venue later, whoever is alive then."""
        self.seen.travelling[ticket.client_order_id] = ticket
        self.after(seconds, lambda: self.arrives(ticket))

    def arrives(self, ticket: Ticket, *, partly: bool = False, shown_late: bool = False) -> Placed | None:
        luck = self._luck
        self.seen.travelling.pop(ticket.client_order_id, None)
        share = Decimal(luck.randrange(5, 95)) / 100 if partly else Decimal(1)
        shown_from = self.elapsed + (luck.uniform(0.5, 6) if shown_late else 0)
        placed = self.venue.arrive(ticket, self.elapsed, share=share, shown_from=shown_from)
        if placed is None:
            self.trace.say("venue", f"{ticket.client_order_id} again: a duplicate")
            return None
        self.trace.say(
            "venue",
            f"{ticket.client_order_id} {placed.status} {placed.filled:f} at {placed.price}, {placed.before:f} → "
            f"{placed.after:f} {placed.refused or ''}",
        )
        self.seen.orders += 1
        self.judge(placed=placed, ticket=ticket)
        if placed.status is OrderStatus.OPEN:
            self.after(30, self._match)
        return placed

    def _match(self) -> None:
        """The market comes to what rests, or does not."""
        share = self._luck.choice((Decimal("0.4"), Decimal(1)))
        for placed in self.venue.match(self.elapsed, share):
            self.trace.say("venue", f"{placed.ticket.client_order_id} {placed.status} {placed.filled:f} while it rests")
            self.judge(placed=placed, ticket=placed.ticket)
        if self.venue.resting:
            self.after(30, self._match)

    def kept(self, name: str, args: tuple[Any, ...]) -> None:
        """The store has committed."""
        if self.journal is None:
            self.journal = Journal(self.store_path)
        if self.life is not None and name == "orders.mark_sent":
            self.life.in_hand = True
        if name == "cycles.write":
            self._recorded(args[0])

    def not_kept(self, name: str, args: tuple[Any, ...], error: Exception) -> None:
        self.trace.say("store", f"{name} failed: {error}")
        if name == "cycles.write":
            record: CycleRecord = args[0]
            self.seen.failed_at = self.elapsed
            for message in record.messages:  # told all the same, and nobody knows it after a crash
                for told in message.alerts:
                    self.seen.told[told.key] = told.kind
                    self.seen.lenient.add(told.key)

    def _recorded(self, record: CycleRecord) -> None:
        state = dict(record.state or {})
        recorded = Recorded(self.elapsed, self.lives, record, state)
        text = json.dumps(state, sort_keys=True, default=str)
        self.trace.say("state", text)
        shown = {alert.key: f"{alert.key} {alert.state} {alert.severity} {alert.event_id}" for alert in record.alerts}
        for key, said in shown.items():
            if self.seen.shown.get(key) != said:
                self.trace.say("alert", said)
        self.seen.shown.update(shown)
        for message in record.messages:
            self.trace.say("message", f"{message.kind} {message.key} {message.event_id} {message.title}")
        self.seen.messages += len(record.messages)
        self.seen.alerts += sum(message.kind is MessageKind.FIRING for message in record.messages)
        self.seen.cycles += 1
        stops = [word for word in ("paused", "halted") if state.get(word)]
        if stops and self.journal is not None and self.journal.stops():
            self.seen.stopped = stops[0]
        self.look()
        self.judge(recorded=recorded)
        self.seen.before, self.seen.last = self.seen.last, recorded

    def delivered(self, channel: str, message: Message, *, lost: bool) -> None:
        key = identity(channel, message)
        self.trace.say("delivered", f"{channel} {message.kind} {message.key} {message.event_id}")
        self.seen.taken[key] += 1
        self.seen.lost[key] += lost
        life = self.life
        self.seen.taken_in[key].add((self.lives, 0 if life is None else life.outside.built))
        if life is not None and message.kind is MessageKind.FIRING and message.key.startswith(Kind.FENCED.value):
            self.seen.fenced = life.number
        self.judge(message=(channel, message))

    def lied(self, kind: str) -> None:
        self.seen.lies[kind] = self.elapsed


def identity(channel: str, message: Message) -> str:
    return f"{channel}/{message.event_id}/{message.kind}/{message.at.isoformat()}"


@dataclass(slots=True)
class Seen:
    """What those who judge remember."""

    sent: list[tuple[float, ApprovedIntent, Ticket]] = field(default_factory=list)
    travelling: dict[str, Ticket] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)  # messages that a channel took, by identity
    lost: Counter[str] = field(default_factory=Counter)  # of those, where it did not say so
    taken_in: defaultdict[str, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    """In which lives, and after how many reloads of them: what a channel took and nobody could note is sent again."""
    fenced: int = 0  # the life of which people were told that another has taken over from it
    undelivered: dict[int, tuple[str, str, float]] = field(default_factory=dict)  # row → channel, message, since
    told: dict[str, MessageKind] = field(default_factory=dict)  # key → last that was said of it
    lenient: set[str] = field(default_factory=set)  # keys of messages that could not be kept
    lies: dict[str, float] = field(default_factory=dict)  # kind → last time
    approvals: dict[str, Proposal] = field(default_factory=dict)  # that a person gave
    wrongly_answered: list[str] = field(default_factory=list)  # proposals that took an answer they may not take
    used: dict[str, str] = field(default_factory=dict)  # approval → order
    stopped: str | None = None  # why no order may leave: acknowledged, and not resumed
    targets: dict[str, list[Override]] = field(default_factory=dict)  # by hedge, what people have asked for
    jumps: list[float] = field(default_factory=list)
    failed_at: float = -_FOREVER  # the last time a cycle could not be kept
    drifting: dict[str, int] = field(default_factory=dict)  # hedge → cycles in a row
    last: Recorded | None = None
    before: Recorded | None = None
    repeats: dict[str, float] = field(default_factory=dict)  # event id → last told
    untold: dict[str, int] = field(default_factory=dict)  # event id → cycles without a word
    expiring: dict[str, int] = field(default_factory=dict)  # symbol → cycles
    cycle_times: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    shown: dict[str, str] = field(default_factory=dict)  # key → alert as last recorded
    squeezed: int = 0  # cycles in a row with a margin ratio that is critical
    orders: int = 0
    alerts: int = 0
    messages: int = 0
    cycles: int = 0


__all__ = ["CHANNELS", "EVERY", "Judge", "Recorded", "Seen", "Sighting", "Violation", "World", "identity"]
