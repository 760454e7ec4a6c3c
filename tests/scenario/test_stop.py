"""Pause and resume over whole cycles: by command, file and signal, during a burst, through restarts and faults."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hedged.act import submit_all
from hedged.act.brake import Asked, Brake, keep_pause, keep_resumed, kept
from hedged.adapters.pause_file import PauseFile
from hedged.adapters.store.memory import MemoryStore
from hedged.app import App, Exchanges
from hedged.cycle import Portfolio, run_cycle
from hedged.decide.gate import GateContext, approve
from hedged.errors import Unreadable
from hedged.model.alert import AlertState
from hedged.model.finding import Kind, Severity
from hedged.model.order import ApprovedIntent, Placement, Rejected, Working
from hedged.model.policy import Limits, Mode
from hedged.model.stop import Stop
from tests.build import dec, hedge, perp, policy
from tests.fakes import BrokenStore, FakeVenue, fault, wire
from tests.support import T0, HandClock, ManualClock
from tests.unit.test_gate import QUOTE, SELL

SETUP = policy(hedge("ETH"))
PAUSE = Stop(T0, "`hedged pause`", "looking into it")


class Stage:
    def __init__(self, clock: ManualClock, venue: FakeVenue, portfolio: Portfolio) -> None:
        self.clock, self.venue, self.portfolio = clock, venue, portfolio

    async def tick(self, **spot: int):
        if spot:
            self.venue.hold(**spot)
        self.clock.advance(60)
        return await run_cycle(self.portfolio, self.clock.now())

    async def restart(self) -> None:
        ids = self.portfolio.ids
        self.portfolio = await wire(SETUP, self.clock, self.venue, store=self.portfolio.store)
        self.portfolio.ids = ids


@pytest.fixture
async def stage() -> Stage:
    clock = ManualClock()
    venue = FakeVenue(clock)
    return Stage(clock, venue, await wire(SETUP, clock, venue, store=BrokenStore()))


def with_file(stage: Stage, path: Path) -> PauseFile:
    file = PauseFile(path / "store.sqlite")
    stage.portfolio.brake = Brake(stage.portfolio.store, file, stage.portfolio.asked)
    return file


async def test_paused_nothing_is_sent_and_it_is_told_once(stage: Stage) -> None:
    """Watching goes on, the order is refused with the reason, the warning comes once, and resuming trades."""
    await stage.tick()
    await keep_pause(stage.portfolio.store, PAUSE)
    paused = await stage.tick(ETH=12)
    assert stage.venue.submitted == []
    assert (
        "paused since 2026-11-02 12:00:00 UTC by `hedged pause`: looking into it" in paused.decision.refused[0].reason
    )
    told = {message.key: message.severity for message in paused.messages}
    assert told == {"paused/test": Severity.WARNING, "drift/alts": Severity.WARNING}
    assert paused.state["paused"] == {
        "since": "2026-11-02T12:00:00Z",
        "by": "`hedged pause`",
        "reason": "looking into it",
        "cancel": False,
    }
    assert (await stage.tick()).messages == ()
    await keep_resumed(stage.portfolio.store, stage.clock.now())
    resumed = await stage.tick()
    assert resumed.state["paused"] is None
    assert len(stage.venue.submitted) == 1
    assert "paused/test" in {message.key for message in resumed.messages}


async def test_a_reduction_that_waits_for_the_end_of_a_pause_is_critical(stage: Stage) -> None:
    """An order that makes a position smaller is due: critical, and still known when its data is missing."""
    await stage.tick()
    await keep_pause(stage.portfolio.store, PAUSE)
    due = await stage.tick(ETH=8)
    assert {m.key: m.severity for m in due.messages}["paused_due/alts"] is Severity.CRITICAL
    stage.venue.faults["derivatives"] = fault(Unreadable, "derivatives")
    blind = await stage.tick()
    assert "paused_due/alts" not in {m.key for m in blind.messages}, "unknown is not over"
    stage.venue.faults.clear()
    await keep_resumed(stage.portfolio.store, stage.clock.now())
    await stage.tick()
    assert [each.intent.reduce_only for each in stage.venue.submitted] == [True]


@pytest.mark.parametrize(
    ("stopped", "cancelled"), [("not", False), ("paused", False), ("paused and cancels", True), ("halted", True)]
)
async def test_what_rests_is_cancelled_where_the_stop_says_so(stage: Stage, stopped: str, cancelled: bool) -> None:
    """By a halt always, by a pause that asks for it; another leaves an order at rest to its time."""
    resting = replace(SELL, client_order_id="hd1", placement=Placement.PASSIVE, held=dec("-10"))
    stage.venue.known["hd1"] = Working("hd1", "77")
    stage.portfolio.policy = policy(replace(hedge("ETH"), placement=Placement.PASSIVE))
    await stage.portfolio.store.plan("c0", [resting], stage.clock.now())
    await stage.portfolio.store.mark_sent("hd1", stage.clock.now())
    if stopped == "halted":
        await stage.portfolio.brake.halt("something is wrong", stage.clock.now())
    elif stopped != "not":
        await keep_pause(stage.portfolio.store, replace(PAUSE, cancel=cancelled))
    await stage.tick(ETH=20)  # so that the order is wanted
    assert ("cancel" in stage.venue.calls) is cancelled
    assert stage.venue.submitted == []


async def test_a_pause_survives_a_restart(stage: Stage) -> None:
    """Another process on the same store is paused from its first cycle on."""
    await keep_pause(stage.portfolio.store, PAUSE)
    await stage.restart()
    assert (await stage.tick(ETH=12)).decision.intents == ()
    assert stage.venue.submitted == []


async def test_the_file_pauses_with_its_text_and_its_end_does_not_resume(stage: Stage, tmp_path: Path) -> None:
    """Making the file pauses durably; deleting it changes nothing, only resuming does."""
    file = with_file(stage, tmp_path)
    file.write("Bob:\nthe exchange\x1b is odd")
    report = await stage.tick(ETH=12)
    assert stage.venue.submitted == []
    assert report.state["paused"]["by"] == "the file PAUSED"
    assert report.state["paused"]["reason"] == "Bob: the exchange is odd"
    file.remove()
    await stage.tick()
    assert stage.venue.submitted == []
    await keep_resumed(stage.portfolio.store, stage.clock.now())
    await stage.tick()
    assert len(stage.venue.submitted) == 1


@pytest.mark.parametrize("odd", ["folder", "pipe", "binary", "link"])
def test_an_odd_file_pauses_all_the_same(odd: str, tmp_path: Path) -> None:
    """Whatever is there by that name pauses, and none of it holds the daemon up."""
    import os

    file = PauseFile(tmp_path / "store.sqlite")
    assert file.read() is None
    if odd == "folder":
        file.path.mkdir()
    elif odd == "pipe":
        os.mkfifo(file.path)
    elif odd == "binary":
        file.path.write_bytes(b"\xff\x00" * 10_000)
    else:
        (tmp_path / "other").write_text("x")
        file.path.symlink_to(tmp_path / "other")
    said = file.read()
    assert said is not None
    assert len(said) <= 200


@pytest.mark.parametrize("damage", [{}, {"stop": 1}, {"stop": {"since": "yesterday"}}])
async def test_a_pause_that_cannot_be_understood_stops_orders(stage: Stage, damage: dict) -> None:
    """What nobody can read is no permission: no order, critical, until it is cleared by resuming."""
    await stage.tick()
    await stage.portfolio.store.put_blob("pause", damage, T0)
    await stage.restart()
    report = await stage.tick(ETH=12)
    assert stage.venue.submitted == []
    assert {"store_degraded/store", "paused/test"} <= {message.key for message in report.messages}
    await keep_resumed(stage.portfolio.store, stage.clock.now())
    await stage.tick()
    assert len(stage.venue.submitted) == 1


async def test_a_store_that_cannot_be_asked_stops_orders_and_keeps_what_was_known(stage: Stage) -> None:
    """Reading fails: no order; a pause that was known stays known, and one asked for meanwhile is kept later."""
    await stage.tick()
    stage.portfolio.store.broken = {"get_blob"}
    await stage.tick(ETH=12)
    assert stage.venue.submitted == []
    stage.portfolio.asked.ask(stage.clock.now())
    await stage.tick()
    stage.portfolio.store.broken = {"put_blob"}
    assert (await stage.tick()).state["paused"]["by"] == "signal USR1"
    stage.portfolio.store.broken = set()
    await stage.tick()
    assert stage.venue.submitted == []
    assert (await kept(stage.portfolio.store)).paused.by == "signal USR1"
    assert stage.portfolio.asked.since is None


# a burst


def burst(size: int) -> list[ApprovedIntent]:
    approved = []
    for number in range(size):
        intent = replace(SELL, client_order_id=f"hd{number:024x}")
        context = GateContext(perp(lot="0.1"), QUOTE, dec(-2), dec(0), 0, in_flight=False)
        verdict = approve(intent, context, Limits(), Mode.PAPER)
        assert isinstance(verdict, ApprovedIntent)
        approved.append(verdict)
    return approved


class Interrupted(MemoryStore):
    """Calls `interrupt` at the n-th time that anything is awaited of the store; and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.count = -1, 0
        self.interrupt = lambda: asyncio.sleep(0)

    async def beat(self) -> None:
        self.count += 1
        if self.count == self.at:
            await self.interrupt()

    async def plan(self, *arguments) -> None:
        await self.beat()
        await super().plan(*arguments)
        await self.beat()

    async def mark_sent(self, *arguments) -> None:
        await self.beat()
        await super().mark_sent(*arguments)
        await self.beat()

    async def record_outcome(self, *arguments) -> None:
        await self.beat()
        await super().record_outcome(*arguments)
        await self.beat()

    async def get_blob(self, key: str):
        await self.beat()
        found = await super().get_blob(key)
        await self.beat()
        return found


async def _burst_with(how: str, at: int, tmp_path: Path) -> tuple[int, int, list, Interrupted]:
    """Orders sent before and in all, when it is paused at the `at`-th await of a burst of four."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    store = Interrupted()
    await store.open("test", SETUP.world, T0)
    asked, file = Asked(), PauseFile(tmp_path / "store.sqlite")
    brake = Brake(store, file, asked)
    sent_before: list[int] = []

    async def pause() -> None:
        sent_before.append(len(venue.submitted))
        if how == "signal":
            asked.ask(clock.now())
        elif how == "file":
            file.write("burst")
        else:
            await keep_pause(store, PAUSE)

    store.at, store.interrupt = at, pause
    outcomes, trouble = await submit_all(burst(4), {"main": venue}, store, brake, cycle_id="c" * 24, clock=clock)
    assert trouble is None
    file.remove()
    before = sent_before[0] if sent_before else len(venue.submitted)
    return before, len(venue.submitted), list(outcomes), store


@pytest.mark.parametrize("how", ["signal", "file", "store"])
async def test_a_pause_at_each_await_of_a_burst(how: str, tmp_path: Path) -> None:
    """Wherever in a burst it is paused: by signal no order follows, by file or store at most the one in hand; and no row stays open."""
    total = (await _burst_with(how, -1, tmp_path))[3].count
    assert total > 30
    for at in range(1, total + 1):
        before, after, outcomes, store = await _burst_with(how, at, tmp_path)
        assert after - before <= (0 if how == "signal" else 1), f"at await {at}"
        assert len(outcomes) == 4
        assert sum(isinstance(each, Rejected) for each in outcomes) == 4 - after
        assert await store.open_orders() == []
        if after < 4:
            assert "paused since" in next(each.reason for each in outcomes if isinstance(each, Rejected))


async def test_what_a_pause_holds_back_was_never_sent(tmp_path: Path) -> None:
    """In the journal it is an order that does not exist, not one that the venue rejected."""
    _, after, _, store = await _burst_with("signal", 1, tmp_path)
    assert after == 0
    assert {order.state for order in store._orders.values()} == {"absent"}


# the daemon around it


async def test_a_pause_is_seen_within_a_second_and_shown_by_an_early_cycle() -> None:
    """The watch between cycles wakes one, so that whoever waits for the answer has it in seconds; so for the end."""
    clock = HandClock()
    venue = FakeVenue(clock)
    portfolio = await wire(SETUP, clock, venue)
    app = App(portfolio, [], [], [], None, Exchanges())
    await app.cycle(clock.now(), ())
    watching = asyncio.create_task(app.watch_stops())
    await clock.move(5)
    assert not app.wakes.pending
    await keep_pause(portfolio.store, PAUSE)
    await clock.move(1)
    assert app.wakes.take() == ("orders stopped",)
    await keep_resumed(portfolio.store, clock.now())
    await clock.move(1)
    assert app.wakes.take() == ("orders resumed",)
    watching.cancel()


def test_the_words_of_a_stop() -> None:
    """Since, by whom and why, in one line."""
    assert PAUSE.text == "since 2026-11-02 12:00:00 UTC by `hedged pause`: looking into it"


# the guard


async def test_repeated_rejections_halt_until_a_person_resumes(stage: Stage) -> None:
    """After the fifth in a row nothing more is sent, through restarts; resumed, the count begins anew."""
    stage.venue.outcome = Rejected("", "margin is insufficient")
    await stage.tick(ETH=12)
    for _ in range(3):
        assert (await stage.tick()).state["halted"] is None
    assert (await stage.tick()).state["halted"] is None
    halted = await stage.tick()
    assert len(stage.venue.submitted) == 5
    message = next(m for m in halted.messages if m.key == "halted/test")
    assert message.severity is Severity.CRITICAL
    assert "5 orders in a row on main:ETH/USDT:USDT were rejected, rejections_max is 5" in message.body
    assert "margin is insufficient" in message.body
    assert "hedged resume" in message.body
    assert halted.state["halted"]["by"] == "the guard"
    await stage.restart()
    await stage.tick()
    assert len(stage.venue.submitted) == 5
    await keep_resumed(stage.portfolio.store, stage.clock.now())
    await stage.tick()
    assert len(stage.venue.submitted) == 6
    for _ in range(5):
        await stage.tick()
    assert len(stage.venue.submitted) == 10


async def test_a_position_that_does_not_follow_halts(stage: Stage) -> None:
    """Filled twice and still where it was: the third order is not sent."""
    await stage.tick()
    submit = stage.venue.submit

    async def filled_in_words_only(approved):
        held = dict(stage.venue.contracts)
        outcome = await submit(approved)
        stage.venue.contracts = held
        return outcome

    stage.venue.submit = filled_in_words_only
    for _ in range(12):  # a position that is smaller than it should be is waited for, before it is believed
        halted = await stage.tick(ETH=12)
        if halted.runaway is not None:
            break
    assert "did not move after 2 filled orders" in halted.state["halted"]["reason"]
    await stage.tick()
    assert len(stage.venue.submitted) == 2
    await keep_resumed(stage.portfolio.store, stage.clock.now())
    stage.venue.submit = submit
    await stage.tick()
    assert len(stage.venue.submitted) == 3


async def test_a_halt_holds_although_it_cannot_be_kept(stage: Stage) -> None:
    """With a disk that fails at that very moment: no order, and durable as soon as it can be written."""
    stage.venue.outcome = Rejected("", "no")
    await stage.tick(ETH=12)
    for _ in range(4):
        await stage.tick()
    stage.portfolio.store.broken = {"put_blob"}
    await stage.tick()
    assert len(stage.venue.submitted) == 5
    assert (await kept(stage.portfolio.store)).halted is None
    stage.portfolio.store.broken = set()
    await stage.tick()
    assert (await kept(stage.portfolio.store)).halted is not None
    assert len(stage.venue.submitted) == 5


async def test_orders_a_minute_are_counted_over_cycles_and_restarts(stage: Stage) -> None:
    """Early cycles do not get around the limit: the journal is asked, not the process."""
    limited = replace(SETUP, limits=Limits(orders_minute_max=2))
    stage.portfolio.policy = limited
    for eth in (12, 14):
        stage.clock.advance(10)
        stage.venue.hold(ETH=eth)
        await run_cycle(stage.portfolio, stage.clock.now())
    await stage.restart()
    stage.portfolio.policy = limited
    stage.clock.advance(10)
    stage.venue.hold(ETH=16)
    refused = await run_cycle(stage.portfolio, stage.clock.now())
    assert "orders_minute_max" in refused.decision.refused[0].reason
    assert len(stage.venue.submitted) == 2
    await stage.tick()
    assert len(stage.venue.submitted) == 3


async def test_what_rests_and_is_not_wanted_any_more_is_taken_back(stage: Stage) -> None:
    """The coins were sold again while the order waited in the book: it is cancelled at once, not after its time."""
    passive = replace(hedge("ETH"), placement=Placement.PASSIVE)
    stage.portfolio.policy = policy(passive, limits=Limits(passive_for=timedelta(hours=1)))
    resting = replace(SELL, client_order_id="hd1", placement=Placement.PASSIVE, held=dec("-10"))
    stage.venue.known["hd1"] = Working("hd1", "77")
    await stage.portfolio.store.plan("c0", [resting], stage.clock.now())
    await stage.portfolio.store.mark_sent("hd1", stage.clock.now())
    await stage.tick(ETH=20)
    assert "cancel" not in stage.venue.calls, "it is wanted"
    await stage.tick(ETH=10)
    assert "cancel" in stage.venue.calls


async def test_a_second_pause_is_over_when_it_is_resumed(stage: Stage) -> None:
    """However soon after the first: nobody shall believe that orders are still paused."""
    for _ in range(3):
        await keep_pause(stage.portfolio.store, replace(PAUSE, since=stage.clock.now()))
        paused = await stage.tick()
        assert "paused/test" in {message.key for message in paused.messages}
        await keep_resumed(stage.portfolio.store, stage.clock.now())
        resumed = await stage.tick()
        assert "paused/test" in {message.key for message in resumed.messages}
        assert not [each for each in resumed.alerts if each.kind is Kind.PAUSED and each.state is AlertState.FIRING]
