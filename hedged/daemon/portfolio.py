"""A portfolio at work, with its channels: what happens around each cycle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from hedged.act.take_back import take_back
from hedged.adapters.channels.heartbeat import Signal
from hedged.adapters.channels.mqtt import MqttChannel
from hedged.cycle import GUARDED_CYCLES, CycleReport, Portfolio, run_cycle
from hedged.daemon.clock_watch import ClockWatch
from hedged.daemon.delivery import channels_down
from hedged.daemon.direct import Direct, Failures
from hedged.daemon.exchanges import Exchanges
from hedged.daemon.troubles import clocks_apart, streams_down, topics_denied
from hedged.daemon.vitals import Vitals
from hedged.daemon.wakes import Wakes
from hedged.decide.jumps import UNCONFIRMED
from hedged.errors import StoreError
from hedged.model.alert import AlertState
from hedged.model.finding import Finding
from hedged.model.instrument import InstrumentId
from hedged.model.proposal import Verdict
from hedged.model.stream import StreamState
from hedged.ports import Channel, Streams
from hedged.tell.pipeline import addressed
from hedged.tell.state import stream_object

if TYPE_CHECKING:
    from hedged.adapters.channels.heartbeat import Heartbeat
    from hedged.adapters.store.lock import StoreLock
    from hedged.daemon.background import Loop
    from hedged.daemon.book_watch import BookWatch
    from hedged.daemon.commands import Commands
    from hedged.daemon.history import HistoryKeeper
    from hedged.daemon.keys import KeyWatch
    from hedged.daemon.payments import PaymentKeeper
    from hedged.tell.outbox import Courier, Failing

log = structlog.get_logger(__name__)

THIN_EVERY = timedelta(hours=1)
LOOK_FOR_STOPS_EVERY = 1.0  # seconds
TAKE_BACK_WITHIN = 1.3  # seconds to cancel what rests, less than what the daemon has for it when it stops
END_GUARD_WITHIN = 0.4  # seconds


@dataclass(slots=True)
class App:
    """A portfolio with its channels: what the daemon runs."""

    portfolio: Portfolio
    channels: Sequence[Channel]
    couriers: Sequence[Courier]
    background: Sequence[Loop]
    heartbeat: Heartbeat | None
    exchanges: Exchanges
    keys: KeyWatch | None = None
    live: Sequence[str] = ()  # accounts on which real money is traded without asking anybody
    history: HistoryKeeper | None = None
    payments: PaymentKeeper | None = None
    commands: Commands | None = None
    books: BookWatch | None = None
    lock: StoreLock | None = None
    clock_watch: ClockWatch = field(default=None)  # type: ignore[assignment]  # of the exchanges' clocks
    wakes: Wakes = field(default_factory=lambda: Wakes(timedelta(seconds=5)))
    look_every: float = LOOK_FOR_STOPS_EVERY  # at pauses and approvals
    vitals: Vitals = field(init=False)
    _looked: asyncio.Event = field(default_factory=asyncio.Event)  # the first cycle is over
    _thinned_at: datetime | None = None
    cycle_weights: dict[str, float] = field(default_factory=dict)  # by account: spent since the cycle before
    _weighed: dict[str, float] = field(default_factory=dict)
    _taken_back: bool = False
    _failures: Failures = field(init=False)
    _direct: Direct = field(init=False)

    def __post_init__(self) -> None:
        self._failures, self._direct = Failures(self.name), Direct(self.channels)
        self.vitals = Vitals(self.portfolio.clock, self.every)
        self.clock_watch = self.clock_watch or ClockWatch(self.portfolio.clock, self.exchanges.clocks)

    @property
    def name(self) -> str:
        return self.portfolio.policy.name

    @property
    def every(self) -> timedelta:
        return self.portfolio.policy.every

    async def cycle(self, now: datetime, extra: Sequence[Finding]) -> CycleReport:
        cycle_id, began = self.portfolio.ids.new(), self.portfolio.clock.monotonic()
        self._beat(Signal.START)
        if self.history is not None:
            self.portfolio.statistics = self.history.statistics
        if self.payments is not None:
            self.portfolio.payments = self.payments.payments
        structlog.contextvars.bind_contextvars(cycle=cycle_id)  # on every line until the next cycle
        woken_by = self.wakes.take()
        for streams in self.exchanges.streams.values():
            streams.cycle_begins()
        await self._hold()
        told = await self._told()
        states = {name: each.states() for name, each in self.exchanges.streams.items()}
        outside = [*extra, *self._findings(now), *streams_down(states, told, now)]
        outside += channels_down(self.couriers, told, now, self._lost())
        beside = {
            "woken_by": list(woken_by),
            "streams": [stream_object(state) for state in self.stream_states()],
            "heartbeat": None if self.heartbeat is None else self.heartbeat.state(),
        }
        try:
            report = await run_cycle(self.portfolio, now, outside, cycle_id=cycle_id, beside=beside)
        except Exception as error:
            self._tell_failure(error, now)
            self.vitals.failed()
            self._beat(Signal.FAIL)
            raise
        finally:
            self._looked.set()
        self._failures.over()
        if self.history is not None:
            self.history.learn(report)
        if self.payments is not None:
            self.payments.learn(self.portfolio.memory.ledgers.values())
        if any(each.reason.endswith(UNCONFIRMED) for each in report.decision.refused):
            self.wakes.wake("a jump is read again")
        self._weigh()
        self.vitals.completed(report, self.portfolio.clock.monotonic() - began, self.cycle_weights)
        woken = {"woken_by": "; ".join(woken_by)} if woken_by else {}
        said = {"messages": len(report.messages), "weight": self.cycle_weights, **woken}
        log.info("cycle", decision=report.decision.reason, **said)
        for order in report.orders():
            log.info("order", **order)
        return report

    async def _hold(self) -> None:
        """Whether this cycle may make orders at all."""
        skews = {name: venue.skew_seconds for name, venue in self.exchanges.venues.items()}
        await self.clock_watch.look(self.portfolio.brake.resumed_at, skews)
        doubt = self.clock_watch.doubt
        reasons = [] if doubt is None else [f"on hold until the clock is right: {doubt}"]
        if self.keys is not None and (why := self.keys.not_asked(self.live, self.portfolio.clock.now())):
            reasons.append(why)
        self.portfolio.held = "; ".join(reasons) or None

    async def watch_books(self) -> None:
        """Look for orders of somebody else, once there was a cycle: it is not held up by this."""
        await self._looked.wait()
        if self.books is not None:
            await self.books.run()

    async def listen(self, streams: Streams) -> None:
        """Watch between cycles, once there was one: it is not held up by connections that only make haste."""
        await self._looked.wait()
        await streams.run(self.wakes.wake)

    async def halt(self, reason: str) -> None:
        """Stop orders, where any could be made: until a person resumes them."""
        if self.portfolio.gateways:
            await self.portfolio.brake.halt(reason, self.portfolio.clock.now())

    async def watch_stops(self) -> None:
        """See a pause or its end within a second, and show it by a cycle before its time."""
        brake, clock = self.portfolio.brake, self.portfolio.clock
        await self._looked.wait()
        before = (brake.paused, brake.halted)
        while True:
            await clock.sleep(self.look_every)
            await brake.look(clock.now())
            after = (brake.paused, brake.halted)
            if after != before:
                stopped = any(each is not None for each in after)
                log.warning("orders are stopped" if stopped else "orders are made again", why=brake.why)
                self.wakes.wake("orders stopped" if stopped else "orders resumed")
            before = after

    async def watch_approvals(self) -> None:
        """See a person's approval within a second, and act on it by a cycle before its time."""
        store, clock = self.portfolio.store, self.portfolio.clock
        await self._looked.wait()
        seen: set[str] = set()
        while True:
            await clock.sleep(self.look_every)
            with contextlib.suppress(StoreError):  # which the cycle tells
                standing = await store.proposals(clock.now())
                approved = {each.id for each in standing if each.verdict is Verdict.APPROVED}
                if approved - seen:
                    self.wakes.wake("proposal approved")
                seen = approved

    async def after_cycle(self, report: CycleReport) -> None:
        """Show the state, wake the couriers, ping the heartbeat, thin the store now and then."""
        for courier in self.couriers:
            courier.kick()
        if report.store_error is not None:
            log.error("the cycle could not be recorded", error=report.store_error)
            self._direct.deliver(report.messages)
        elif self._direct.waiting:
            self._direct.deliver([])
        for channel in self.channels:
            await channel.publish_state(report.state)
        self._beat(Signal.SUCCESS)
        self.vitals.backlog = await self._backlog()
        if not self.clock_watch.in_doubt:  # by a clock that is ahead everything is old
            await self._thin(report.assessment.now)

    async def take_back(self) -> None:
        """What rests in a book is cancelled; where that is not certain, the venue's own countdown goes on."""
        self._taken_back = True
        portfolio = self.portfolio
        if portfolio.fenced is not None or not portfolio.gateways:
            return  # the orders in the journal are those of another process
        try:
            left = await take_back(portfolio.gateways, portfolio.store, portfolio.clock, within=TAKE_BACK_WITHIN)
        except StoreError as error:
            log.error("orders at rest could not be taken back", error=str(error))
            return
        for row in left:
            intent = row.intent
            log.error(
                "this order may still rest: it is looked up at the next start",
                order=intent.client_order_id,
                instrument=intent.instrument,
            )
        await self._guard({row.intent.instrument for row in left})

    async def _guard(self, resting: Collection[InstrumentId]) -> None:
        """Have the venues' countdowns go on for these, and end the others."""
        within = GUARDED_CYCLES * self.every
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_GUARD_WITHIN):
                for account, gateway in self.portfolio.gateways.items():
                    await gateway.guard({each for each in resting if each.partition(":")[0] == account}, within)

    async def close(self) -> None:
        self._direct.close()
        if not self._taken_back and self.portfolio.fenced is None:
            await self._guard(())  # who comes next arms them anew
        await self.exchanges.close()
        for channel in self.channels:
            await channel.close()
        if self.heartbeat is not None:
            await self.heartbeat.close()
        if self.lock is not None and not self.lock.shared:
            with contextlib.suppress(StoreError):  # then another machine waits until it has run out
                await self.portfolio.store.release_lease()
        await self.portfolio.store.close()
        if self.lock is not None:
            self.lock.release()

    def _beat(self, signal: Signal) -> None:
        if self.heartbeat is not None:
            self.heartbeat.send(signal)

    async def _backlog(self) -> Mapping[str, int] | None:
        """Messages that wait in the outbox, by channel; None: nobody can tell."""
        try:
            waiting = await self.portfolio.store.backlog()
        except StoreError:  # which the next cycle tells
            return None
        return {**{channel.name: 0 for channel in self.channels}, **waiting}

    def _weigh(self) -> None:
        total = self.exchanges.weights()
        self.cycle_weights = {name: round(weight - self._weighed.get(name, 0.0), 3) for name, weight in total.items()}
        self._weighed = total

    def _findings(self, now: datetime) -> Iterator[Finding]:
        """What is told with every cycle and found outside of it."""
        skews = {name: venue.skew_seconds for name, venue in self.exchanges.venues.items()}
        yield from clocks_apart(self.name, self.clock_watch.doubt, skews)
        if self.keys is not None:
            yield from self.keys.findings(now)
        if self.history is not None:
            yield from self.history.findings(now)
        if self.commands is not None:
            yield from self.commands.findings(now)
        if self.books is not None:
            yield from self.books.findings()
        for channel in self.channels:
            if isinstance(channel, MqttChannel):
                yield from topics_denied(self.name, channel.name, channel.denied)

    def _lost(self) -> dict[str, Failing]:
        """Channels that keep a connection and have none, also where there is nothing to deliver."""
        mqtt = [channel for channel in self.channels if isinstance(channel, MqttChannel)]
        return {channel.name: channel.failing for channel in mqtt if channel.failing is not None}

    def stream_states(self) -> Iterator[StreamState]:
        for streams in self.exchanges.streams.values():
            yield from streams.states()

    async def _told(self) -> set[str]:
        """Keys of the alerts that fire, also before the first cycle."""
        portfolio = self.portfolio
        alerts = portfolio.alerts
        if not portfolio.loaded:
            with contextlib.suppress(StoreError):  # which the cycle tells
                alerts = await portfolio.store.alerts()
        return {alert.key for alert in alerts if alert.state is AlertState.FIRING}

    def _tell_failure(self, error: Exception, now: datetime) -> None:
        policy, message = self.portfolio.policy, self._failures.message(error, now, self.portfolio.ids.new())
        if message is not None:
            self._direct.deliver([addressed(message, policy.name, policy.world, self.portfolio.url)])

    async def _thin(self, now: datetime) -> None:
        if self._thinned_at is not None and now - self._thinned_at < THIN_EVERY:
            return
        self._thinned_at = now
        try:
            await self.portfolio.store.thin(now)
        except StoreError as error:
            log.warning("old rows could not be thinned out", error=str(error))
