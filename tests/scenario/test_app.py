"""The daemon's portfolio around its cycles: what is told when the cycle itself, or the store, fails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
import structlog

from hedged.adapters.channels.heartbeat import Signal
from hedged.app import App, Exchanges
from hedged.daemon.keys import KeyWatch
from hedged.errors import DeliveryError, Unreachable
from hedged.model.alert import Message
from hedged.model.permissions import Permissions
from hedged.model.policy import Mode
from hedged.tell.outbox import Courier
from hedged.tell.rules import AlertRules
from tests.build import hedge, policy
from tests.fakes import BrokenStore, FakeVenue, wire
from tests.support import ManualClock


class Ear:
    """A channel that keeps what it hears."""

    confirms = True

    def __init__(self, name: str = "ear") -> None:
        self.name = name
        self.down: str | None = None
        self.heard: list[Message] = []
        self.states: list[Mapping[str, object]] = []

    async def deliver(self, message: Message) -> None:
        if self.down:
            raise DeliveryError(self.down)
        self.heard.append(message)

    async def publish_state(self, state: Mapping[str, object]) -> None:
        self.states.append(state)

    async def close(self) -> None: ...


@pytest.fixture
async def stage() -> tuple[App, Ear, FakeVenue, ManualClock]:
    clock, ear = ManualClock(), Ear()
    venue = FakeVenue(clock)
    portfolio = await wire(policy(hedge("ETH")), clock, venue, store=BrokenStore())
    return App(portfolio, [ear], [], [], None, Exchanges()), ear, venue, clock


async def test_a_cycle_that_fails_is_told_once_and_at_once(stage: tuple[App, Ear, FakeVenue, ManualClock]) -> None:
    """A defect in the cycle reaches the channels although no alert can be recorded, once until it works again."""
    app, ear, venue, clock = stage
    venue.faults["derivatives"] = RuntimeError("a defect")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await app.cycle(clock.now(), ())
    await app._direct.settled()
    assert [(m.key, m.severity.value) for m in ear.heard] == [("cycle_failed/test", "critical")]
    venue.faults.clear()
    await app.after_cycle(await app.cycle(clock.now(), ()))
    assert ear.states[0]["portfolio"] == "test"


async def test_what_the_store_cannot_keep_is_delivered_directly(stage: tuple[App, Ear, FakeVenue, ManualClock]) -> None:
    """With a full disk there is no outbox: the messages go out at once."""
    app, ear, venue, clock = stage
    app.portfolio.store.broken = {"record_cycle"}
    venue.hold(ETH=12)
    await app.after_cycle(await app.cycle(clock.now(), ()))
    await app._direct.settled()
    assert "drift/alts" in {message.key for message in ear.heard}


async def test_a_channel_that_takes_nothing_is_told_on_the_others() -> None:
    """After a minute, with the reason, and its end too; not on itself; and a restart does not end it."""
    clock, phone, mail = ManualClock(), Ear("phone"), Ear("mail")
    portfolio = await wire(policy(hedge("ETH")), clock, FakeVenue(clock))
    portfolio.channels, portfolio.rules = ("phone", "mail"), AlertRules(group_interval=timedelta(0))

    def start() -> App:
        return App(
            portfolio,
            [phone, mail],
            [Courier(portfolio.store, each, clock) for each in (phone, mail)],
            [],
            None,
            Exchanges(),
        )

    async def cycle(app: App, *, seconds: float = 61) -> None:
        clock.advance(seconds)
        await app.after_cycle(await app.cycle(clock.now(), ()))
        for courier in app.couriers:
            await courier.deliver_due()

    def told(ear: Ear) -> list[str]:
        return [message.kind.value for message in ear.heard if message.key == "channel_down/mail"]

    app = start()
    mail.down = "535 wrong password"
    portfolio.accounts["main"].hold(ETH=12)
    for _ in range(2):
        await cycle(app)
    assert told(phone) == ["firing"]
    assert "535 wrong password" in next(m.body for m in phone.heard if m.key == "channel_down/mail")
    app = start()
    await cycle(app)
    assert told(phone) == ["firing"], "a restart is no end"
    mail.down = None
    clock.advance(60)
    for courier in app.couriers:
        await courier.deliver_due()
    await cycle(app)
    assert told(phone) == ["firing", "resolved"]
    assert mail.heard
    assert told(mail) == []


class FakeClockOf:
    """A venue as far as its clock is concerned."""

    reader = None
    weight = 0.0

    def __init__(self, skew: float | None) -> None:
        self.skew_seconds = skew


@pytest.mark.parametrize(("skew", "told"), [(0.9, False), (-1.5, True), (None, False)])
async def test_a_clock_that_is_off_is_told(
    stage: tuple[App, Ear, FakeVenue, ManualClock], skew: float | None, told: bool
) -> None:
    """More than a second from the exchange's time is a finding."""
    app, _, _, clock = stage
    app.exchanges.venues["main"] = FakeClockOf(skew)
    report = await app.cycle(clock.now(), ())
    assert ("clock_skew/main" in {message.key for message in report.messages}) is told


class FakeHeartbeat:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, signal: Signal) -> None:
        self.sent.append(signal.name)

    def state(self) -> Mapping[str, object]:
        return {"delivered_at": None, "problem": "success: status 500"}

    async def close(self) -> None: ...


class FakeCourier:
    name, failing, tried = "ear", None, True

    def __init__(self) -> None:
        self.kicks = 0

    def kick(self) -> None:
        self.kicks += 1


async def test_after_each_cycle_the_heartbeat_and_the_couriers(stage: tuple[App, Ear, FakeVenue, ManualClock]) -> None:
    """A completed cycle is what the dead-man's switch hears of; old rows are thinned once an hour."""
    app, _, _, clock = stage
    app.heartbeat, courier = FakeHeartbeat(), FakeCourier()
    app.couriers = [courier]
    thinned = []

    async def thin(now) -> int:
        thinned.append(now)
        return 0

    app.portfolio.store.thin = thin
    for _ in range(61):
        clock.advance(60)
        await app.after_cycle(await app.cycle(clock.now(), ()))
    assert app.heartbeat.sent == ["START", "SUCCESS"] * 61
    assert (courier.kicks, len(thinned)) == (61, 2)


async def test_a_cycle_that_fails_is_a_failed_heartbeat(stage: tuple[App, Ear, FakeVenue, ManualClock]) -> None:
    """The switch raises its alarm at once, and hears of the next cycle all the same."""
    app, _, venue, clock = stage
    app.heartbeat = FakeHeartbeat()
    venue.faults["derivatives"] = RuntimeError("a defect")
    with pytest.raises(RuntimeError):
        await app.cycle(clock.now(), ())
    venue.faults.clear()
    report = await app.cycle(clock.now(), ())
    await app.after_cycle(report)
    assert app.heartbeat.sent == ["START", "FAIL", "START", "SUCCESS"]
    assert report.state["heartbeat"] == {"delivered_at": None, "problem": "success: status 500"}


async def test_the_weight_of_a_cycle_is_logged(stage: tuple[App, Ear, FakeVenue, ManualClock]) -> None:
    """What each venue was asked for since the last cycle, in its own units, stands on the cycle's line."""
    app, _, _, clock = stage
    venue = FakeClockOf(None)
    app.exchanges.venues["main"] = venue  # type: ignore[assignment]
    with structlog.testing.capture_logs() as lines:
        for spent in (12.5, 20.0):
            venue.weight = spent
            await app.cycle(clock.now(), ())
    weights = [line["weight"] for line in lines if line["event"] == "cycle"]
    assert weights == [{"main": 12.5}, {"main": 7.5}]


async def test_orders_are_halted_from_outside_a_cycle_where_any_could_be_made() -> None:
    """As a key that can withdraw does it: no order from then on, told as critical; without a gateway nothing to stop."""
    for trades in (True, False):
        clock = ManualClock()
        venue = FakeVenue(clock)
        venue.hold(ETH=12)
        mode = Mode.PAPER if trades else Mode.MONITOR
        portfolio = await wire(policy(hedge("ETH", mode=mode), mode=mode), clock, venue)
        portfolio.gateways = portfolio.gateways if trades else {}
        app = App(portfolio, [], [], [], None, Exchanges())
        await app.halt("the key of main may withdraw now")
        report = await app.cycle(clock.now(), ())
        told = {message.key: message.body for message in report.messages}
        assert (f"halted/{portfolio.policy.name}" in told) is trades
        assert (portfolio.brake.why is not None) is trades
        if trades:
            assert report.decision.intents == ()
            assert "the key of main may withdraw now" in told[f"halted/{portfolio.policy.name}"]
            assert report.decision.refused


async def test_live_orders_wait_for_a_key_that_could_not_be_asked_about() -> None:
    """The venue did not say whether it may withdraw; as soon as it does, what is wanted is sent."""
    clock = ManualClock()
    venue, key = FakeVenue(clock), Key()
    venue.hold(ETH=12)
    portfolio = await wire(policy(hedge("ETH", mode=Mode.LIVE), mode=Mode.LIVE), clock, venue)
    keys = KeyWatch({"main": key}, {}, clock)
    app = App(portfolio, [], [], [], None, Exchanges(), keys=keys, live=("main",))
    await keys.check()
    report = await app.cycle(clock.now(), ())
    assert "whether the key of main may withdraw" in report.decision.refused[0].reason
    assert "key_unconfirmed/main" in {message.key for message in report.messages}
    key.answer = Permissions(trade=True, withdraw=False)
    clock.advance(600)
    await keys.check()
    await app.cycle(clock.now(), ())
    assert venue.submitted


class Key:
    """A key whose venue is down until it gives an answer."""

    answer: Permissions | None = None

    async def permissions(self) -> Permissions | None:
        if self.answer is None:
            raise Unreachable("main", "permissions", "time-out")
        return self.answer
