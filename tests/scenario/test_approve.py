"""Approve mode over whole cycles: nothing is sent without a person's word, and with it once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

import pytest

from hedged.act.brake import keep_pause, keep_resumed
from hedged.act.overrides import set_override
from hedged.act.proposals import decide
from hedged.adapters.store.memory import MemoryStore
from hedged.app import App, Exchanges
from hedged.cli.unwind import proposal as unwinding
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import ProposalError, Unreadable
from hedged.model.finding import Severity
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Intent, Outcome, Placement, Unknown
from hedged.model.policy import Limits, Mode
from hedged.model.proposal import Proposal, Verdict
from hedged.model.snapshot import Quote, Read
from hedged.model.stop import Stop
from hedged.model.timing import Override
from hedged.model.trade import Purpose, Side
from tests.build import ETH_PERP, dec, hedge, policy
from tests.fakes import BrokenStore, FakeVenue, fault, wire
from tests.support import HandClock, ManualClock

SETUP = policy(hedge("ETH", mode=Mode.APPROVE), mode=Mode.APPROVE)
MINUTE = timedelta(minutes=1)


class Stage:
    def __init__(self, clock: ManualClock, venue: FakeVenue, portfolio: Portfolio) -> None:
        self.clock, self.venue, self.portfolio = clock, venue, portfolio

    @property
    def store(self) -> BrokenStore:
        return self.portfolio.store

    async def tick(self, seconds: float = 60, **spot: str | int) -> CycleReport:
        if spot:
            self.venue.hold(**spot)
        self.clock.advance(seconds)
        return await run_cycle(self.portfolio, self.clock.now())

    async def proposed(self, **spot: str | int) -> Proposal:
        """The one that waits after a cycle."""
        await self.tick(**spot)
        return await self.waiting()

    async def waiting(self) -> Proposal:
        (found,) = [each for each in await self.store.proposals(self.clock.now()) if each.verdict is Verdict.OPEN]
        return found

    async def say(self, proposal: Proposal, *, approve: bool = True) -> str:
        return await decide(
            self.store, proposal.id, digest=proposal.digest, approve=approve, by="cli", now=self.clock.now()
        )

    async def verdict(self, proposal: Proposal) -> Verdict:
        found = await self.store.proposal(proposal.id)
        assert found is not None
        return found.verdict

    async def restart(self) -> None:
        ids = self.portfolio.ids
        self.portfolio = await wire(self.portfolio.policy, self.clock, self.venue, store=self.store)
        self.portfolio.ids = ids

    def price(self, eth: str) -> None:
        self.venue.marks[ETH_PERP] = self.venue.price["ETH"] = Decimal(eth)

    def sent(self) -> list[tuple[Side, Decimal]]:
        return [(each.intent.side, each.intent.quantity) for each in self.venue.submitted]


@pytest.fixture
async def stage() -> Stage:
    clock = ManualClock()
    venue = FakeVenue(clock)
    made = Stage(clock, venue, await wire(SETUP, clock, venue, store=BrokenStore()))
    await made.tick()
    return made


async def test_an_order_is_proposed_with_its_numbers_and_told_once(stage: Stage) -> None:
    """What would be traded, at what price, until when and how to say yes; the next cycle says nothing again."""
    report = await stage.tick(ETH=12)
    waiting = await stage.waiting()
    assert (waiting.side, waiting.quantity, waiting.price) == (Side.SELL, dec("1.4"), dec(3000))
    assert waiting.notional == dec(4200)
    assert waiting.expires_at == waiting.made_at + 30 * MINUTE == stage.clock.now() + 30 * MINUTE
    assert (waiting.hedge, waiting.instrument, waiting.purpose) == ("alts", ETH_PERP, Purpose.REBALANCE)
    (shown,) = report.state["decision"]["proposals"]
    assert (shown["id"], shown["digest"], shown["quantity"]) == (waiting.id, waiting.digest, "1.4")
    told = {message.key: message for message in report.messages}
    assert told.keys() == {"drift/alts", "proposal/alts"}
    assert f"proposal {waiting.id}: sell 1.4 main:ETH/USDT:USDT near 3000, 4,200.00 USDT" in told["proposal/alts"].body
    assert f"hedged approve {waiting.id}" in told["proposal/alts"].body
    assert f"is proposed as {waiting.id}, and waits for your word" in told["drift/alts"].body
    again = await stage.tick()
    assert again.messages == ()
    assert await stage.waiting() == waiting
    assert stage.venue.submitted == []


async def test_what_is_approved_is_sent_once(stage: Stage) -> None:
    """Decided anew in the next cycle, sent, and the approval used up with the order's id; never again."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    report = await stage.tick(5)
    assert stage.sent() == [(Side.SELL, dec("1.4"))]
    (approved,) = stage.venue.submitted
    used = await stage.store.proposal(waiting.id)
    assert used is not None
    assert (used.verdict, used.client_order_id) == (Verdict.USED, approved.intent.client_order_id)
    assert approved.intent.approval == waiting.id
    assert report.decision.awaiting == ()
    with pytest.raises(ProposalError, match="is used already by cli"):
        await stage.say(waiting)
    again = await stage.proposed(ETH=14)
    assert again.id != waiting.id
    assert len(stage.sent()) == 1


async def test_whoever_approved_hears_of_the_fill(stage: Stage) -> None:
    """Each by itself, with its price, its fee and who approved it; told once, and never told to be over."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    report = await stage.tick(5)
    (told,) = [each for each in report.messages if each.key.startswith("proposal_filled/")]
    assert told.key == f"proposal_filled/alts/{waiting.id}"
    assert told.severity is Severity.INFO
    assert (
        f"alts: proposal {waiting.id}, approved by cli, was sent and filled: sell 1.4 main:ETH/USDT:USDT at 3000, "
        "fee 0.00 USDT."
    ) in told.body
    again = await stage.proposed(ETH=14)
    await stage.say(again)
    later = [await stage.tick(70), await stage.tick(), await stage.tick()]
    keys = [each.key for each in chain(*(report.messages for report in later)) if "proposal_filled" in each.key]
    assert keys == [f"proposal_filled/alts/{again.id}"]


async def test_nothing_is_sent_without_a_word(stage: Stage) -> None:
    """For hours: each proposal runs out and is made anew, and people are not told every time."""
    told = []
    for _ in range(4 * 60 - 5):
        report = await stage.tick(ETH=12)
        told += [message.key for message in report.messages if message.key.startswith("proposal")]
    assert stage.venue.submitted == []
    made = await stage.store.proposals(stage.clock.now() - timedelta(days=1))
    assert len(made) == 8
    assert {each.verdict for each in made[1:]} == {Verdict.EXPIRED}
    assert {each.ended_because for each in made[1:]} == {"nobody answered in time"}
    assert told == ["proposal/alts"]


async def test_a_no_is_an_answer(stage: Stage) -> None:
    """What was rejected is not proposed again before it would have run out, unless something else is wanted."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting, approve=False)
    quiet = await stage.tick()
    assert quiet.decision.awaiting == ()
    assert "was rejected by cli, so it is not proposed again before 12:32 UTC" in quiet.decision.reason
    other = await stage.proposed(ETH=13)
    assert other.quantity == dec("2.35")
    await stage.say(other, approve=False)
    for _ in range(29):
        assert (await stage.tick()).decision.awaiting == ()
    assert len((await stage.tick()).decision.awaiting) == 1
    assert stage.venue.submitted == []


@pytest.mark.parametrize(
    ("eth", "price", "stands"),
    [
        ("12", "3000", True),
        ("12.1", "3000", True),  # 1.495 instead of 1.4
        ("12.2", "3000", False),  # 1.59
        ("11.8", "3000", False),  # 1.21
        ("12", "3050", True),
        ("12", "2950", True),
    ],
)
async def test_a_proposal_stands_while_its_numbers_do(stage: Stage, eth: str, price: str, stands: bool) -> None:
    """Within a tenth of the quantity and the collar of the price; else a new one takes its place, and is told."""
    waiting = await stage.proposed(ETH=12)
    stage.price(price)
    report = await stage.tick(ETH=eth)
    assert (await stage.waiting() == waiting) is stands
    assert await stage.verdict(waiting) is (Verdict.OPEN if stands else Verdict.REPLACED)
    told = [message.body for message in report.messages if message.key == "proposal/alts"]
    assert len(told) == (0 if stands else 1)
    if not stands:
        assert (await stage.waiting()).id in told[0]
        with pytest.raises(ProposalError, match="is replaced already"):
            await stage.say(waiting)


@pytest.mark.parametrize("price", ["3070", "2930"])
async def test_a_price_further_off_than_the_collar_asks_anew(stage: Stage, price: str) -> None:
    """What was proposed stands until the jump is confirmed; then one at the new price takes its place, and is told."""
    waiting = await stage.proposed(ETH=12)
    stage.price(price)
    jumped = await stage.tick()
    assert list(jumped.decision.awaiting) == [waiting]
    assert await stage.waiting() == waiting
    report = await stage.tick()
    assert await stage.verdict(waiting) is Verdict.REPLACED
    assert (await stage.waiting()).price == dec(price)
    assert (await stage.waiting()).id in next(m.body for m in report.messages if m.key == "proposal/alts")


async def test_a_price_that_crept_past_the_collar_asks_anew(stage: Stage) -> None:
    """By small steps nothing has to be confirmed: the proposal is replaced when its own price is too far off."""
    waiting = await stage.proposed(ETH=12)
    for price in ("3040", "3070"):
        stage.price(price)
        await stage.tick()
    assert await stage.verdict(waiting) is Verdict.REPLACED
    assert (await stage.waiting()).price == 3070


@pytest.mark.parametrize(
    ("eth", "sent"),
    [("12", "1.4"), ("11.5", "0.926"), ("13", "1.4"), ("20", "1.4")],
)
async def test_an_approval_covers_what_it_names_and_no_more(stage: Stage, eth: str, sent: str) -> None:
    """Less than was approved is sent as it is, more is cut to it."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    await stage.tick(ETH=eth)
    assert stage.sent() == [(Side.SELL, dec(sent))]
    await stage.tick()
    assert len(stage.sent()) == 1


@pytest.mark.parametrize(
    ("eth", "price", "seconds", "why"),
    [
        ("12", "3070", 60, "the mark 3070 is 2.33% off the 3000"),
        ("10", "3000", 60, "it is not wanted any more"),
        ("8", "3000", 60, "it is not wanted any more"),  # the other side is wanted now
        ("12", "3000", 31 * 60, "it was not sent in time"),
    ],
)
async def test_an_approval_that_does_not_fit_any_more_is_void(
    stage: Stage, eth: str, price: str, seconds: float, why: str
) -> None:
    """Another price, no need, the other direction, too late: nothing is sent, it is told why, and it stays void."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    stage.price(price)
    report = await stage.tick(seconds, ETH=eth)
    if "jumped by" in str(report.decision.refused):
        assert await stage.verdict(waiting) is Verdict.APPROVED
        report = await stage.tick(ETH=eth)
    assert stage.venue.submitted == []
    found = await stage.store.proposal(waiting.id)
    assert found is not None
    assert (found.verdict, found.decided_by) == (Verdict.EXPIRED, "cli")
    assert why in (found.ended_because or "")
    void = [message.body for message in report.messages if message.key == "proposal_void/alts"]
    assert len(void) == 1
    assert f"proposal {waiting.id} (sell 1.4 main:ETH/USDT:USDT) was approved by cli: {why}" in void[0]
    stage.price("3000")
    await stage.tick(ETH=12)
    assert stage.venue.submitted == []


async def test_a_refusal_by_a_limit_leaves_the_approval_until_it_runs_out(stage: Stage) -> None:
    """What the gate refuses for a passing reason is sent when that is over; the refusal is told meanwhile."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    stage.portfolio.policy = replace(SETUP, limits=Limits(order_notional_max=dec(1000)))
    refused = await stage.tick()
    assert "order_notional_max" in refused.decision.refused[0].reason
    assert "order_refused/alts" in {message.key for message in refused.messages}
    assert await stage.verdict(waiting) is Verdict.APPROVED
    stage.portfolio.policy = SETUP
    await stage.tick()
    assert stage.sent() == [(Side.SELL, dec("1.4"))]


async def test_an_approval_survives_a_cycle_that_cannot_see(stage: Stage) -> None:
    """Missing data is no answer: nothing is sent, neither approval nor proposal is given up, and then it is sent."""
    waiting = await stage.proposed(ETH=12)
    stage.venue.faults["derivatives"] = fault(Unreadable, "derivatives")
    blind = await stage.tick()
    assert [each.id for each in blind.decision.awaiting] == [waiting.id]
    await stage.say(waiting)
    await stage.tick()
    assert stage.venue.submitted == []
    stage.venue.faults.clear()
    await stage.tick()
    assert len(stage.sent()) == 1


async def test_a_restart_between_approval_and_order_sends_one(stage: Stage) -> None:
    """The approval is in the store; so is its having been used."""
    waiting = await stage.proposed(ETH=12)
    await stage.restart()
    assert (await stage.proposed()).id == waiting.id
    await stage.say(waiting)
    await stage.restart()
    await stage.tick()
    assert len(stage.sent()) == 1
    await stage.restart()
    stage.venue.contracts[ETH_PERP] = dec(-10)  # as if the order had never been
    for _ in range(5):
        await stage.tick()
    assert len(stage.sent()) == 1


async def test_two_approvals_at_once_send_one(stage: Stage) -> None:
    """By two people, or one who asks twice."""
    waiting = await stage.proposed(ETH=12)
    answers = await asyncio.gather(*(stage.say(waiting) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(each, str) for each in answers) == 1
    await stage.tick()
    await stage.tick()
    assert len(stage.sent()) == 1


async def test_an_approval_taken_back_sends_nothing(stage: Stage) -> None:
    """Second thoughts before the next cycle count."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    await stage.say(waiting, approve=False)
    await stage.tick()
    assert stage.venue.submitted == []


async def test_an_order_that_got_lost_needs_a_new_word(stage: Stage) -> None:
    """Nobody knows whether it was placed, then it was not: the next one is proposed under another name."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    stage.venue.outcome = Unknown("", "time-out")
    await stage.tick()
    (lost,) = stage.venue.submitted
    stage.venue.outcome = None
    stage.venue.known[lost.intent.client_order_id] = Absent(lost.intent.client_order_id)  # type: ignore[assignment]
    for _ in range(4):
        await stage.tick()
    assert len(stage.sent()) == 1
    again = await stage.waiting()
    assert again.id != waiting.id
    await stage.say(again)
    await stage.tick()
    assert len(stage.sent()) == 2
    assert stage.venue.submitted[1].intent.approval == again.id


async def test_paused_nothing_is_proposed_and_what_was_approved_waits(stage: Stage) -> None:
    """A pause holds an approval back; after it, and in time, it counts again."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    await keep_pause(stage.store, Stop(stage.clock.now(), "`hedged pause`"))
    paused = await stage.tick()
    assert stage.venue.submitted == []
    assert paused.decision.awaiting == ()
    assert await stage.verdict(waiting) is Verdict.APPROVED
    await keep_resumed(stage.store, stage.clock.now())
    await stage.tick()
    assert len(stage.sent()) == 1


async def test_a_proposal_of_a_hedge_that_sends_no_more_is_over(stage: Stage) -> None:
    """Its mode was changed, or it was removed: an old yes is worth nothing to whatever comes after."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    stage.portfolio.policy = policy(hedge("ETH", mode=Mode.MONITOR), mode=Mode.MONITOR)
    await stage.tick()
    assert await stage.verdict(waiting) is Verdict.EXPIRED
    stage.portfolio.policy = SETUP
    await stage.tick()
    assert stage.venue.submitted == []


async def test_without_a_store_nothing_is_proposed(stage: Stage) -> None:
    """What cannot be kept cannot be approved; nor is it sent."""
    stage.store.broken = {"record_cycle"}
    await stage.tick()
    report = await stage.tick(ETH=12)
    assert report.decision.awaiting == ()
    assert "the store cannot keep an order now" in report.decision.refused[0].reason
    assert stage.venue.submitted == []


async def test_a_store_that_fails_at_the_order_keeps_the_approval(stage: Stage) -> None:
    """Neither sent nor used up; the next cycle sends it."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    stage.store.broken = {"plan"}
    await stage.tick()
    assert stage.venue.submitted == []
    stage.store.broken = set()
    await stage.tick()
    assert len(stage.sent()) == 1


async def test_a_clock_that_was_put_back_makes_no_approval_young(stage: Stage) -> None:
    """A month back, and an old yes is not good for another month."""
    waiting = await stage.proposed(ETH=12)
    await stage.say(waiting)
    stage.clock.set(stage.clock.now() - timedelta(days=30))
    await stage.tick()
    await stage.tick()
    assert stage.venue.submitted == []
    assert await stage.verdict(waiting) is Verdict.EXPIRED


async def test_what_is_approved_takes_and_never_rests(stage: Stage) -> None:
    """An order at rest is taken back and decided anew, which would be another proposal each time."""
    passive = replace(hedge("ETH", mode=Mode.APPROVE), placement=Placement.PASSIVE)
    stage.portfolio.policy = policy(passive, mode=Mode.APPROVE)

    async def quotes(instruments: Collection[InstrumentId]) -> dict[InstrumentId, Read[Quote]]:
        quote = Quote(dec(3000), bid=dec(2999), ask=dec(3001))
        return {name: Read(quote, stage.clock.now()) for name in instruments}

    stage.venue.quotes = quotes
    await stage.say(await stage.proposed(ETH=12))
    await stage.tick()
    assert [each.intent.placement for each in stage.venue.submitted] == [Placement.IOC]
    stage.portfolio.policy = policy(replace(passive, mode=Mode.LIVE), mode=Mode.LIVE)
    await stage.tick(ETH=14)
    assert [each.intent.placement for each in stage.venue.submitted[1:]] == [Placement.PASSIVE]


async def test_unwinding_is_proposed_too(stage: Stage) -> None:
    """`unwind` says that its order waits for a person; it is proposed reduce-only, and sent once approved."""
    await set_override(stage.store, "alts", Override(dec(0), None), stage.clock.now())
    report = await stage.tick()
    waiting = await stage.waiting()
    assert (waiting.side, waiting.quantity, waiting.reduce_only) == (Side.BUY, dec(10), True)
    assert waiting.purpose is Purpose.CLOSE
    lines = list(unwinding("alts", report, stage.portfolio.policy))
    assert lines[0] == "alts: buy 10 main:ETH/USDT:USDT near 3,000, reduce-only, 30,000.00 USDT"
    assert any("sends them once they are approved" in line for line in lines)
    assert not any("monitor" in line for line in lines)
    await stage.say(waiting)
    await stage.tick()
    assert stage.venue.contracts[ETH_PERP] == 0


async def test_a_reduction_is_proposed_as_one(stage: Stage) -> None:
    """Reduce-only, in the words as well."""
    report = await stage.tick(ETH=8)
    told = {message.key: message for message in report.messages}
    assert told["proposal/alts"].severity is Severity.WARNING
    assert "buy 1.6 main:ETH/USDT:USDT, reduce-only near 3000" in told["proposal/alts"].body
    waiting = await stage.waiting()
    assert (waiting.side, waiting.reduce_only) == (Side.BUY, True)
    await stage.say(waiting)
    await stage.tick()
    assert stage.venue.submitted[0].intent.reduce_only


class Mortal(MemoryStore):
    """A store on whose n-th use, before or after it was done, the process dies."""

    def __init__(self) -> None:
        super().__init__()
        self.until_death: int | None = None

    def __getattribute__(self, name: str):
        found = object.__getattribute__(self, name)
        if name.startswith("_") or not asyncio.iscoroutinefunction(found) or self.until_death is None:
            return found

        async def used(*arguments, **named):
            self._age()
            given = await found(*arguments, **named)
            self._age()
            return given

        return used

    def _age(self) -> None:
        if self.until_death is not None:
            self.until_death -= 1
            if self.until_death < 0:
                self.until_death = None
                raise KeyboardInterrupt


async def test_a_death_at_any_moment_sends_one_order_at_most() -> None:
    """From the approval to the end of its cycle: restarted, the order exists once or not at all, and no second one."""
    survived, sent = False, []
    for moment in range(400):
        clock = ManualClock()
        venue, store = FakeVenue(clock), Mortal()
        made = Stage(clock, venue, await wire(SETUP, clock, venue, store=store))
        await made.tick()
        await made.say(await made.proposed(ETH=12))
        store.until_death = moment
        try:
            await made.tick()
            survived = store.until_death is not None
        except KeyboardInterrupt:
            pass
        store.until_death = None
        await made.restart()
        for _ in range(4):
            await made.tick(ETH=13)  # more of the same is wanted now
        assert len(venue.submitted) <= 1, f"died at {moment}"
        sent.append(len(venue.submitted))
        rows = await store.open_orders()
        assert rows == [], f"died at {moment}"
        if survived:
            break
    assert survived
    assert {0, 1} == set(sent)
    assert sent[-1] == 1


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_happens_each_order_has_a_yes_of_its_own(seed: int) -> None:
    """Holdings, prices, answers, faults, restarts and clocks at random: fresh, matching, large enough, used once."""
    chance = random.Random(seed)
    clock = ManualClock()
    venue, store = FakeVenue(clock), BrokenStore()
    stage = Stage(clock, venue, await wire(SETUP, clock, venue, store=store))
    sent: list[tuple[Intent, datetime]] = []
    submit = venue.submit

    async def noted(approved: ApprovedIntent) -> Outcome:
        sent.append((approved.intent, clock.now()))
        if chance.random() < 0.2:
            return Unknown(approved.intent.client_order_id, "time-out")  # and it was not placed
        return await submit(approved)

    venue.submit = noted
    for _ in range(80):
        stage.price(str(chance.choice([*(3000,) * 6, 2960, 3030, 3100])))
        venue.faults = {"derivatives": fault(Unreadable, "derivatives")} if chance.random() < 0.1 else {}
        if chance.random() < 0.1:
            await stage.restart()
        if chance.random() < 0.05:
            clock.advance(chance.choice([-3600, 3600]))
        await stage.tick(chance.choice([5, 60, 600]), ETH=str(chance.choice([8, 10, 12, 12, 13, 20])))
        for each in await store.proposals(clock.now()):
            if each.verdict in {Verdict.OPEN, Verdict.APPROVED} and chance.random() < 0.6:
                with suppress(ProposalError):
                    await stage.say(each, approve=chance.random() < 0.8)
    # One that was found absent is sent again under its id, with a yes for that too.
    assert len({intent.approval for intent, _ in sent}) == len(sent)
    for intent, at in sent:
        yes = store._proposals[intent.approval or ""]
        assert (yes.verdict, yes.client_order_id) == (Verdict.USED, intent.client_order_id)
        assert yes.holds(at)
        assert yes.decided_at is not None
        assert (yes.instrument, yes.side, yes.reduce_only) == (intent.instrument, intent.side, intent.reduce_only)
        assert intent.quantity <= yes.quantity
        assert abs(intent.price / yes.price - 1) <= SETUP.limits.price_collar


async def test_an_approval_is_seen_within_a_second() -> None:
    """The watch between cycles wakes one, once."""
    clock = HandClock()
    venue = FakeVenue(clock)
    portfolio = await wire(SETUP, clock, venue)
    app = App(portfolio, [], [], [], None, Exchanges())
    made = Stage(clock, venue, portfolio)
    await app.cycle(clock.now(), ())
    venue.hold(ETH=12)
    await app.cycle(clock.now(), ())
    watching = asyncio.create_task(app.watch_approvals())
    await clock.move(5)
    assert not app.wakes.pending
    await made.say(await made.waiting())
    await clock.move(1)
    assert app.wakes.take() == ("proposal approved",)
    await clock.move(5)
    assert not app.wakes.pending
    await app.cycle(clock.now(), ())
    assert len(venue.submitted) == 1
    watching.cancel()


# live: the first order


async def test_the_first_live_order_is_the_smallest(stage: Stage) -> None:
    """A lot, to see that orders are filled there; then the rest. Reductions are never cut, and it is not forgotten."""
    live = policy(hedge("ETH", mode=Mode.LIVE), mode=Mode.LIVE)
    stage.portfolio = await wire(live, stage.clock, stage.venue)
    await stage.tick(ETH=8)
    assert stage.sent() == [(Side.BUY, dec("1.6"))]
    stage.portfolio = await wire(live, stage.clock, stage.venue)
    await stage.tick(ETH=12)
    assert stage.sent()[1:] == [(Side.SELL, dec("0.001"))]
    assert "0.001 at first" in stage.venue.submitted[1].intent.reason
    await stage.tick()
    assert stage.sent()[2:] == [(Side.SELL, dec("2.999"))]
    await stage.restart()
    await stage.tick(ETH=14)
    assert stage.sent()[3:] == [(Side.SELL, dec("1.9"))]


async def test_what_was_filled_on_paper_proves_nothing(stage: Stage) -> None:
    """From paper to live on one store: the first real order is small all the same."""
    paper = policy(hedge("ETH"))
    stage.portfolio = await wire(paper, stage.clock, stage.venue)
    await stage.tick(ETH=12)
    stage.portfolio.policy = replace(paper, hedges=(hedge("ETH", mode=Mode.LIVE),))
    await stage.tick(ETH=14)
    assert [quantity for _, quantity in stage.sent()] == [dec("1.4"), dec("0.001")]
