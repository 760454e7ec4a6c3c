"""A portfolio at work, with its channels: what happens around each cycle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from hedged.act.take_back import take_back
from hedged.adapters.channels.heartbeat import Signal
from hedged.adapters.channels.mqtt import MqttChannel
from hedged.cycle import GUARDED_CYCLES, CycleReport, Portfolio, run_cycle
from hedged.daemon.clock_watch import ClockWatch, VenueClock
from hedged.daemon.delivery import channels_down
from hedged.daemon.vitals import Vitals
from hedged.daemon.wakes import Wakes
from hedged.decide.jumps import UNCONFIRMED
from hedged.errors import DeliveryError, StoreError
from hedged.model.alert import AlertState, Message, MessageKind
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.proposal import Verdict
from hedged.model.stream import StreamState
from hedged.ports import AccountReader, CandleReader, Channel, MarketReader, OpenOrders, OrderGateway, Streams
from hedged.tell.pipeline import addressed
from hedged.tell.state import stream_object

if TYPE_CHECKING:
    from hedged.adapters.channels.heartbeat import Heartbeat
    from hedged.adapters.exchanges.ccxt_account import CcxtVenue
    from hedged.adapters.store.lock import StoreLock
    from hedged.daemon.background import Loop
    from hedged.daemon.book_watch import BookWatch
    from hedged.daemon.commands import Commands
    from hedged.daemon.history import HistoryKeeper
    from hedged.daemon.keys import KeyWatch
    from hedged.tell.outbox import Courier, Failing

log = structlog.get_logger(__name__)

THIN_EVERY = timedelta(hours=1)
LOOK_FOR_STOPS_EVERY = 1.0  # seconds
SKEW_SECONDS_MAX = 1.0
STREAM_DOWN_AFTER = timedelta(minutes=5)
FAILURE_REPEAT = timedelta(minutes=30)
TAKE_BACK_WITHIN = 1.3  # seconds to cancel what rests, less than what the daemon has for it when it stops
END_GUARD_WITHIN = 0.4  # seconds
DENIED_NAMED = 5  # topics in a sentence
UNDELIVERED_MAX = 200  # messages a channel
DIRECT_DELIVERY_WITHIN = 10.0  # seconds, for messages that the store could not keep

Close = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Exchanges:
    """Every account's ports, and what has to be closed after them."""

    markets: dict[str, MarketReader] = field(default_factory=dict)
    readers: dict[str, AccountReader] = field(default_factory=dict)
    candles: dict[str, CandleReader] = field(default_factory=dict)
    venues: dict[str, CcxtVenue] = field(default_factory=dict)  # those reached through ccxt
    streams: dict[str, Streams] = field(default_factory=dict)  # of those that are watched between polls
    gateways: dict[str, OrderGateway] = field(default_factory=dict)  # of those that a hedge may really trade on
    clocks: dict[str, VenueClock] = field(default_factory=dict)  # of those that tell the time
    books: dict[str, OpenOrders] = field(default_factory=dict)  # of those that show all that waits there
    closers: list[Close] = field(default_factory=list)
    releasers: list[Callable[[], None]] = field(default_factory=list)  # of locks on keys, once nothing is sent any more
    unkeyed: dict[str, tuple[Path, ...]] = field(default_factory=dict)  # account → where its key was looked for
    owners: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)  # exchange and key → account

    def weights(self) -> dict[str, float]:
        """Request weight that each account reached through ccxt has spent since the start, in ccxt's units."""
        return {name: venue.weight for name, venue in self.venues.items()}

    async def close(self) -> None:
        try:
            for close in self.closers:
                await close()
        finally:
            while self.releasers:
                self.releasers.pop()()


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
    _failing: tuple[str, datetime] | None = None  # event id and last message of a run of failed cycles
    _undelivered: dict[str, list[Message]] = field(default_factory=dict)  # by channel, kept by nobody else
    _direct: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
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
        structlog.contextvars.bind_contextvars(cycle=cycle_id)  # on every line until the next cycle
        woken_by = self.wakes.take()
        for streams in self.exchanges.streams.values():
            streams.cycle_begins()
        await self._hold()
        told = await self._told()
        outside = [*extra, *self._findings(now), *self._streams_down(told, now)]
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
        self._failing = None
        if self.history is not None:
            self.history.learn(report)
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
            self._deliver_directly(report.messages)
        elif any(self._undelivered.values()):
            self._deliver_directly([])
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
        for task in self._direct:
            task.cancel()
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
        yield from self._skews()
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
                yield from self._denied(channel)

    def _lost(self) -> dict[str, Failing]:
        """Channels that keep a connection and have none, also where there is nothing to deliver."""
        mqtt = [channel for channel in self.channels if isinstance(channel, MqttChannel)]
        return {channel.name: channel.failing for channel in mqtt if channel.failing is not None}

    def _denied(self, channel: MqttChannel) -> Iterator[Finding]:
        """Topics that a broker denies, which it tells nobody who publishes there."""
        topics = channel.denied
        if topics:
            named = ", ".join(topics[:DENIED_NAMED]) + (" and more" if len(topics) > DENIED_NAMED else "")
            text = f"{self.name}: what was published over {channel.name} did not come back: {named}."
            yield Finding(Kind.TOPICS_DENIED, self.name, Severity.WARNING, text, {"topics": len(topics)})

    def _skews(self) -> Iterator[Finding]:
        """Accounts whose venue's clock and this machine's are apart, and a clock that no order can rest on."""
        if self.clock_watch.doubt is not None:
            text = f"{self.name}: {self.clock_watch.doubt}; orders wait until the clock is right."
            yield Finding(Kind.CLOCK_SKEW, self.name, Severity.CRITICAL, text)
        for name, venue in self.exchanges.venues.items():
            skew = venue.skew_seconds
            if skew is not None and abs(skew) > SKEW_SECONDS_MAX:
                text = f"{name}: this machine's clock is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}."
                yield Finding(Kind.CLOCK_SKEW, name, Severity.WARNING, text, {"skew_ms": round(skew * 1000)})

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

    def _streams_down(self, told: Collection[str], now: datetime) -> Iterator[Finding]:
        """Accounts whose streams have been down for minutes: nothing is lost but the quick reaction.

        Once told it is over when every stream stands again, also where a restart forgot how long it was down.
        """
        for name, streams in self.exchanges.streams.items():
            down = [state for state in streams.states() if not state.up]
            long = any(now - state.since >= STREAM_DOWN_AFTER for state in down)
            if long or (down and f"{Kind.STREAM_DOWN.value}/{name}" in told):
                listed = ", ".join(f"{state.name} ({state.detail})" for state in down)
                text = f"{name}: streams down: {listed}."
                yield Finding(Kind.STREAM_DOWN, name, Severity.INFO, text, {"streams_down": len(down)})

    def _tell_failure(self, error: Exception, now: datetime) -> None:
        """A cycle that fails as a whole can record no alert, and the next may fail too: say so at once, once."""
        policy = self.portfolio.policy
        if self._failing is not None and now - self._failing[1] < FAILURE_REPEAT:
            return
        self._failing = (self._failing[0] if self._failing else self.portfolio.ids.new(), now)
        message = Message(
            event_id=self._failing[0],
            kind=MessageKind.FIRING,
            key=f"{Kind.CYCLE_FAILED.value}/{self.name}",
            severity=Severity.CRITICAL,
            title=f"Critical: {self.name} could not complete a cycle",
            body=(
                f"{self.name}: a cycle failed ({type(error).__name__}, see the log). Nothing is watched or traded "
                "until one completes; hedged tries again at every interval."
            ),
            at=now,
        )
        self._deliver_directly([addressed(message, policy.name, policy.world, self.portfolio.url)])

    def _deliver_directly(self, messages: Sequence[Message]) -> None:
        """With no outbox to keep them, messages go out at once: better told and forgotten than not told."""

        async def deliver(channel: Channel) -> None:
            waiting = self._undelivered.pop(channel.name, [])
            for message in (*waiting, *messages):
                try:
                    await asyncio.wait_for(channel.deliver(message), DIRECT_DELIVERY_WITHIN)
                except (DeliveryError, TimeoutError) as error:
                    log.warning("message not delivered, tried again", channel=channel.name, error=str(error))
                    kept = self._undelivered.setdefault(channel.name, [])
                    kept[:] = [*kept, message][-UNDELIVERED_MAX:]

        for channel in self.channels:
            task = asyncio.create_task(deliver(channel))
            self._direct.add(task)
            task.add_done_callback(self._direct.discard)

    async def _thin(self, now: datetime) -> None:
        if self._thinned_at is not None and now - self._thinned_at < THIN_EVERY:
            return
        self._thinned_at = now
        try:
            await self.portfolio.store.thin(now)
        except StoreError as error:
            log.warning("old rows could not be thinned out", error=str(error))
