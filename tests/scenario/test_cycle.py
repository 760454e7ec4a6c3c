"""Whole cycles over a venue whose answers are set by hand: what is traded, what is told, what is remembered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import Refused, Unreachable, Unreadable
from hedged.model.alert import MessageKind, Silence
from hedged.model.finding import Finding, HedgeStatus, Kind, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill, Outcome, Rejected, Unknown, Working
from tests.build import ETH_PERP, hedge, perp, policy
from tests.fakes import BrokenStore, FakeVenue, fault, wire
from tests.store_samples import intent
from tests.support import T0, ManualClock

SETUP = policy(hedge("ETH"))


class Stage:
    """A clock, a venue and the portfolio over them; `tick` runs the next minute's cycle."""

    def __init__(self, clock: ManualClock, venue: FakeVenue, portfolio: Portfolio) -> None:
        self.clock, self.venue, self.portfolio = clock, venue, portfolio

    async def tick(self, **spot: int | str) -> CycleReport:
        if spot:
            self.venue.hold(**spot)
        self.clock.advance(60)
        return await run_cycle(self.portfolio, self.clock.now())

    async def restart(self) -> None:
        """The same store, everything else anew."""
        ids = self.portfolio.ids
        self.portfolio = await wire(SETUP, self.clock, self.venue, store=self.portfolio.store)
        self.portfolio.ids = ids


@pytest.fixture
async def stage() -> Stage:
    clock = ManualClock()
    venue = FakeVenue(clock)
    return Stage(clock, venue, await wire(SETUP, clock, venue, store=BrokenStore()))


def kinds(report: CycleReport) -> set[Kind]:
    return {finding.kind for finding in report.assessment.findings}


async def test_drift_alert_order_resolved(stage: Stage) -> None:
    """A drift is told once with its order in the same message, traded once, and resolved on the next good read."""
    assert (await stage.tick()).messages == ()
    drifted = await stage.tick(ETH=12)
    assert [message.kind for message in drifted.messages] == [MessageKind.FIRING]
    assert "1.4" in drifted.messages[0].body, "the order is in the message"
    assert [each.intent.quantity for each in stage.venue.submitted] == [Decimal("1.4")]
    after = await stage.tick()
    assert [message.kind for message in after.messages] == [MessageKind.RESOLVED]
    assert (await stage.tick()).messages == ()
    assert len(stage.venue.submitted) == 1


async def test_a_restart_neither_repeats_nor_forgets(stage: Stage) -> None:
    """After a restart a firing alert is not told again, and its end still is."""
    stage.venue.outcome = Rejected("", "no margin")
    await stage.tick(ETH=12)
    await stage.restart()
    stage.venue.submitted.clear()
    again = await stage.tick()
    assert Kind.DRIFT not in {m.key.partition("/")[0] for m in again.messages}
    stage.venue.outcome = None
    await stage.tick()
    ended = await stage.tick()
    assert "drift/alts" in {m.key for m in ended.messages if m.kind is MessageKind.RESOLVED}


@pytest.mark.parametrize("error", [Unreachable, Unreadable, Refused])
@pytest.mark.parametrize("call", ["balances spot", "derivatives", "quotes", "prices", "instruments"])
async def test_a_failed_read_blocks_and_recovers(stage: Stage, call: str, error: type) -> None:
    """Whatever call fails, in whatever way: no order, a finding, never a zero; and it recovers by itself."""
    await stage.tick()
    stage.venue.faults[call] = fault(error, call)
    stage.venue.price["ETH"] = Decimal(6000)  # would be a drift, if anybody believed half a picture
    blocked = await stage.tick(ETH=20)
    assert blocked.assessment.hedges[0].status is HedgeStatus.BLOCKED
    assert Kind.DATA_MISSING in kinds(blocked)
    assert stage.venue.submitted == []
    assert all(row.quantity for row in blocked.assessment.exposures)
    del stage.venue.faults[call]
    recovered = await stage.tick()
    if call == "prices":
        await stage.tick()  # one that has doubled is read twice
    assert len(stage.venue.submitted) == 1
    assert MessageKind.RESOLVED in {message.kind for message in recovered.messages}


async def test_a_vanished_position_is_read_again_before_it_is_believed(stage: Stage) -> None:
    """Gone and unexplained: two more reads ≥ 2 s apart, no order, critical after three polls, until accepted."""
    await stage.tick()
    stage.venue.contracts = {}
    stage.venue.calls.clear()
    first = await stage.tick()
    assert stage.venue.calls.count("derivatives") == 3
    assert stage.clock.slept == [2.0, 2.0]
    assert first.assessment.hedges[0].status is HedgeStatus.BLOCKED
    await stage.tick()
    third = await stage.tick()
    severities = {m.key: m.severity.value for m in third.messages}
    assert severities[f"position_vanished/{ETH_PERP}"] == "critical"
    assert stage.venue.submitted == []
    assert await stage.portfolio.store.accept(ETH_PERP, stage.clock.now())
    accepted = await stage.tick()
    assert accepted.snapshot.doubts == ()
    assert len(stage.venue.submitted) == 1, "now it is known to be gone, so the hedge is built again"
    assert (await stage.tick()).snapshot.doubts == ()


async def test_a_position_that_comes_back_is_believed(stage: Stage) -> None:
    """An empty reply that a second read corrects leaves no trace and no order."""
    await stage.tick()
    derivatives = stage.venue.derivatives
    answers = iter([{}, {ETH_PERP: Decimal(-10)}])

    async def flicker():
        stage.venue.contracts = next(answers, {ETH_PERP: Decimal(-10)})
        return await derivatives()

    stage.venue.derivatives = flicker
    report = await stage.tick()
    assert report.messages == ()
    assert report.snapshot.doubts == ()
    assert stage.venue.submitted == []


async def test_what_only_a_further_reading_shows_to_be_gone_is_in_doubt_too(stage: Stage) -> None:
    """One position is smaller, so the account is read again, and that reading has lost the other one."""
    btc = "main:BTC/USDT:USDT"
    stage.venue.listed[InstrumentId(btc)] = perp(btc)
    stage.venue.marks[btc] = stage.venue.price["BTC"] = Decimal(60_000)
    stage.venue.contracts = {ETH_PERP: Decimal(-10), btc: Decimal(-2)}
    stage.portfolio.policy = policy(hedge("ETH"), hedge("BTC", name="btc", legs=[btc]))
    await stage.tick(ETH=10, BTC=2)
    derivatives = stage.venue.derivatives
    answers = iter([{ETH_PERP: Decimal(-10), btc: Decimal(-1)}])

    async def flicker():
        stage.venue.contracts = next(answers, {})
        return await derivatives()

    stage.venue.derivatives = flicker
    report = await stage.tick()
    assert {doubt.subject for doubt in report.snapshot.doubts} == {ETH_PERP, btc}
    assert stage.venue.submitted == [], "a short that is there is not sold again"


async def test_a_vanished_position_that_a_fill_explains_is_believed(stage: Stage) -> None:
    """Closed by hand on the venue: the venue's fills say so, and the hedge is built again."""
    await stage.tick()
    stage.venue.contracts = {}
    stage.venue.explanation = "a fill of 10 at 3,000"
    report = await stage.tick()
    assert report.snapshot.doubts == ()
    assert len(stage.venue.submitted) == 1


@pytest.mark.parametrize(("eth", "doubted"), [("4.9", True), ("0", True), ("5", False)])
async def test_a_balance_that_falls_by_over_half(stage: Stage, eth: str, doubted: bool) -> None:
    """A wallet that loses more than half of an asset without a reason blocks its hedge."""
    await stage.tick()
    report = await stage.tick(ETH=eth)
    assert (Kind.BALANCE_VANISHED in kinds(report)) is doubted
    assert bool(stage.venue.submitted) is not doubted


async def test_a_vanished_balance_until_it_is_accepted(stage: Stage) -> None:
    """`accept-balance` names the account; then what is there now is believed."""
    await stage.tick()
    for _ in range(3):
        await stage.tick(ETH=1)
    assert stage.venue.submitted == []
    assert await stage.portfolio.store.accept("main", stage.clock.now())
    assert (await stage.tick()).snapshot.doubts == ()
    assert [each.intent.reduce_only for each in stage.venue.submitted] == [True]


async def test_an_unknown_order_stops_that_instrument_until_it_is_found(stage: Stage) -> None:
    """After a time-out nothing new is sent there; once the venue tells of the order, trading goes on."""
    await stage.tick()
    stage.venue.outcome = Unknown("", "time-out")

    async def lost(approved):
        stage.venue.submitted.append(approved)
        return Unknown(approved.intent.client_order_id, "time-out")

    submit, stage.venue.submit = stage.venue.submit, lost
    unsure = await stage.tick(ETH=12)
    assert "order_failed/alts" in {message.key for message in unsure.messages}
    stage.venue.faults["find"] = RuntimeError  # must not be reached below with an answer
    del stage.venue.faults["find"]
    order_id = stage.venue.submitted[0].intent.client_order_id
    stage.venue.known[order_id] = Unknown(order_id, "still no answer")
    waiting = await stage.tick()
    assert len(stage.venue.submitted) == 1
    assert "has not come to an end" in waiting.decision.refused[0].reason
    intent = stage.venue.submitted[0].intent
    stage.venue.known[order_id] = Fill(
        order_id, InstrumentId(ETH_PERP), intent.side, intent.quantity, intent.price, Decimal(0), stage.clock.now()
    )
    stage.venue.contracts[ETH_PERP] = Decimal(-10) + intent.signed_quantity
    stage.venue.submit = submit
    stage.venue.outcome = None
    settled = await stage.tick()
    assert len(stage.venue.submitted) == 1
    assert settled.assessment.hedges[0].status is HedgeStatus.OK
    assert await stage.portfolio.store.open_orders() == []


@pytest.mark.parametrize("call", ["memory", "alerts", "plan", "mark_sent"])
async def test_a_store_that_cannot_keep_an_order_gets_none(stage: Stage, call: str) -> None:
    """With the disk full nothing is sent; watching goes on, and it is told as critical."""
    await stage.tick()
    stage.portfolio.store.broken = {call}
    report = await stage.tick(ETH=12)
    assert stage.venue.submitted == []
    assert "store_degraded/store" in {message.key for message in report.messages}
    assert Kind.DRIFT in kinds(report)
    stage.portfolio.store.broken = set()
    await stage.tick()
    await stage.tick()
    assert len(stage.venue.submitted) == 1


async def test_a_cycle_that_cannot_be_recorded_says_so(stage: Stage) -> None:
    """Messages that the store could not take are in the report, for whoever delivers them directly."""
    stage.portfolio.store.broken = {"record_cycle"}
    report = await stage.tick(ETH=12)
    assert report.store_error == "disk full"
    assert report.messages


async def test_a_position_opened_by_somebody_else_is_quoted_and_told(stage: Stage) -> None:
    """A position nobody asked a mark for gets one in the same cycle, and counts as exposure."""
    uni = InstrumentId("main:UNI/USDT:USDT")
    stage.venue.listed[uni] = perp(uni)
    stage.venue.marks[uni] = stage.venue.price["UNI"] = Decimal(8)
    await stage.tick()
    stage.venue.contracts[uni] = Decimal(100)
    report = await stage.tick()
    assert Kind.POSITION_UNOWNED in kinds(report)
    assert {row.asset: row.value for row in report.assessment.exposures}["UNI"] == 800


async def test_an_alias_is_priced_by_its_own_market_and_a_thousand_coins_by_the_coin(stage: Stage) -> None:
    """Ten WBETH are 10.8 ETH; 1000PEPE that nobody hedges are PEPE; what stands for cash needs no price."""
    asked: set[str] = set()
    prices = stage.venue.prices

    async def ask(assets, quote):
        asked.update(assets)
        return await prices(assets, quote)

    stage.venue.prices = ask
    setup = policy(hedge("ETH"), aliases={"WBETH": "ETH", "LDUSDT": "USDT"})
    stage.portfolio = await wire(setup, stage.clock, stage.venue, store=stage.portfolio.store)
    stage.venue.price |= {"WBETH": Decimal(3240), "PEPE": Decimal("0.00001")}
    thousand = InstrumentId("main:1000PEPE/USDT:USDT")
    stage.venue.listed[thousand], stage.venue.marks[thousand] = perp(thousand), Decimal("0.01")
    stage.venue.contracts[thousand] = Decimal(-100)
    report = await stage.tick(WBETH=10, LDUSDT=5)
    rows = {row.asset: (row.quantity, row.value) for row in report.assessment.exposures}
    assert rows == {"ETH": (Decimal("10.8"), 32_400), "PEPE": (-100_000, -1)}
    assert "LDUSDT" not in asked


async def test_two_orders_of_one_cycle_share_the_turnover_limit(stage: Stage) -> None:
    """What the first order of a cycle uses up is not there for the second."""
    from dataclasses import replace

    from hedged.model.policy import Limits

    btc = InstrumentId("main:BTC/USDT:USDT")
    stage.venue.listed[btc] = perp(btc)
    stage.venue.marks[btc] = stage.venue.price["BTC"] = Decimal(60_000)
    both = policy(hedge("ETH"), hedge("BTC", name="btc", legs=[btc]), limits=Limits(turnover_day_max=Decimal(60_000)))
    stage.portfolio.policy = replace(both, name="test")
    stage.venue.contracts = {}
    report = await stage.tick(ETH=10, BTC=1)
    assert len(report.decision.intents) == 1
    assert "turnover_day_max" in report.decision.refused[0].reason


async def test_a_subject_that_leaves_the_configuration_is_closed(stage: Stage) -> None:
    """An alert of a hedge that is gone from the file ends as removed."""
    stage.venue.outcome = Rejected("", "no margin")
    await stage.tick(ETH=12)
    stage.portfolio.policy = policy(hedge("ETH", name="renamed"))
    stage.portfolio.observer = None
    report = await stage.tick()
    told = {(each.kind, each.key) for message in report.messages for each in message.alerts}
    assert (MessageKind.REMOVED, "drift/alts") in told


async def test_a_disk_that_is_full_while_nothing_is_traded_is_told_and_over_when_it_works(stage: Stage) -> None:
    """A record that fails is a critical alert from the next cycle on, told once, and resolved once it works again."""
    await stage.tick()
    stage.portfolio.store.broken = {"record_cycle"}
    reports = [await stage.tick() for _ in range(4)]
    told = [(m.key, m.kind) for report in reports for m in report.messages]
    assert told == [("store_degraded/store", MessageKind.FIRING)]
    stage.portfolio.store.broken = set()
    after = [await stage.tick(), await stage.tick()]
    ended = [(m.key, m.kind) for report in after for m in report.messages]
    assert ended == [("store_degraded/store", MessageKind.RESOLVED)]


async def test_an_end_told_while_the_disk_was_full_is_not_told_again(stage: Stage) -> None:
    """The alert came back as another event before the disk worked again: the end of the first is recorded as well."""
    uni = InstrumentId("main:UNI/USDT:USDT")
    stage.venue.listed[uni] = perp(uni)
    stage.venue.marks[uni] = stage.venue.price["UNI"] = Decimal(8)

    async def tick(held: int) -> list[MessageKind]:
        stage.venue.contracts[uni] = Decimal(held)
        report = await stage.tick()
        return [message.kind for message in report.messages if message.key == f"position_unowned/{uni}"]

    assert await tick(100) == [MessageKind.FIRING]
    stage.portfolio.store.broken = {"record_cycle"}
    stage.venue.explanation = "a fill"
    assert await tick(0) == [MessageKind.RESOLVED]
    stage.clock.advance(5 * 3600)
    assert await tick(100) == [MessageKind.FIRING]
    stage.portfolio.store.broken = set()
    assert await tick(100) == []
    assert [kind for _ in range(3) for kind in await tick(0)] == [MessageKind.RESOLVED]


async def test_what_is_told_before_the_store_can_be_read_is_told_once(stage: Stage) -> None:
    """The same event goes on from cycle to cycle, is recorded once the store works, and ends once."""
    stage.portfolio.store.broken = {"memory", "alerts"}
    reports = [await stage.tick() for _ in range(4)]
    told = [(m.key, m.kind) for report in reports for m in report.messages]
    assert told.count(("store_degraded/store", MessageKind.FIRING)) == 1
    assert len(told) == len(set(told))
    stage.portfolio.store.broken = set()
    after = [await stage.tick() for _ in range(3)]
    ended = [(m.key, m.kind) for report in after for m in report.messages]
    assert ended.count(("store_degraded/store", MessageKind.RESOLVED)) == 1
    assert ("store_degraded/store", MessageKind.FIRING) not in ended


async def test_no_order_while_cycles_cannot_be_recorded(stage: Stage) -> None:
    """What the journal could not follow is not traded."""
    await stage.tick()
    stage.portfolio.store.broken = {"record_cycle"}
    await stage.tick()
    await stage.tick(ETH=12)
    assert stage.venue.submitted == []


async def test_orders_that_were_not_sent_are_told_as_such(stage: Stage) -> None:
    """With the journal failing the message does not claim an order that nobody made."""
    await stage.tick()
    stage.portfolio.store.broken = {"plan"}
    report = await stage.tick(ETH=12)
    bodies = " ".join(message.body for message in report.messages)
    assert "not sent" in bodies
    assert "hedged sells" not in bodies


async def test_its_own_closing_order_is_nothing_that_vanished(stage: Stage) -> None:
    """A hedge that hedged itself bought back is not read again, and not told as somebody else's doing."""
    await stage.tick()
    stage.venue.contracts = {ETH_PERP: Decimal(-3)}
    stage.venue.hold(ETH=0)
    stage.venue.explanation = "a transfer"
    closing = await stage.tick()
    assert [each.quantity for each in closing.outcomes] == [3]
    stage.venue.calls.clear()
    after = await stage.tick()
    assert Kind.POSITION_CLOSED not in kinds(after)
    assert stage.venue.calls.count("derivatives") == 1


async def test_what_vanished_during_an_outage_is_searched_for_since_the_last_good_read(stage: Stage) -> None:
    """The venue is asked what happened since the account was last read, however long that is ago."""
    await stage.tick()
    last_good = stage.clock.now()
    stage.venue.faults["derivatives"] = fault(Unreachable, "derivatives")
    for _ in range(5):
        await stage.tick()
    stage.venue.faults.clear()
    stage.venue.contracts = {}
    asked = []

    async def explain(doubt, since):
        asked.append(since)

    stage.venue.explain = explain
    await stage.tick()
    await stage.tick()
    assert asked == [last_good, last_good]


async def test_an_unreadable_cycle_forgets_neither_doubt_nor_acceptance(stage: Stage) -> None:
    """Polls are not counted anew after an outage, and what a person accepted stays accepted through it."""
    await stage.tick()
    stage.venue.contracts = {}
    await stage.tick()
    stage.venue.faults["derivatives"] = fault(Unreachable, "derivatives")
    await stage.tick()
    stage.venue.faults.clear()
    assert (await stage.tick()).snapshot.doubts[0].polls == 2
    assert await stage.portfolio.store.accept(ETH_PERP, stage.clock.now())
    stage.venue.faults["derivatives"] = fault(Unreachable, "derivatives")
    await stage.tick()
    stage.venue.faults.clear()
    assert (await stage.tick()).snapshot.doubts == ()


async def test_debt_outlives_a_restart(stage: Stage) -> None:
    """A wallet that held nothing but debt still blocks its hedge when it can't be read after a restart."""
    from hedged.model.snapshot import Balance, Read

    balances = stage.venue.balances
    stage.venue.wallets = ("spot", "margin")

    async def both(wallet: str):
        if wallet == "spot":
            return await balances(wallet)
        stage.venue._answer("balances margin")
        return Read((Balance("ETH", free=Decimal(0), debt=Decimal(4)),), stage.clock.now())

    stage.venue.balances = both
    stage.venue.contracts = {ETH_PERP: Decimal(-6)}
    assert (await stage.tick()).assessment.hedges[0].hedge_ratio == 1
    await stage.restart()
    stage.venue.faults["balances margin"] = fault(Unreachable, "margin wallet")
    report = await stage.tick()
    assert report.assessment.hedges[0].status is HedgeStatus.BLOCKED
    assert report.assessment.exposures[0].quantity == 6


async def test_an_order_found_filled_after_a_crash_is_told(stage: Stage) -> None:
    """Filled, and the process died before it could say so: the next one finds the order and tells of it."""
    await stage.tick()
    record, stage.portfolio.store.broken = stage.portfolio.store.record_outcome, {"record_outcome", "record_cycle"}
    await stage.tick(ETH=12)
    assert len(stage.venue.submitted) == 1
    stage.portfolio.store.broken = set()
    assert record is not None
    await stage.restart()
    report = await stage.tick()
    assert "order_recovered/alts" in {message.key for message in report.messages}
    assert len(stage.venue.submitted) == 1


async def test_another_accounts_positions_are_not_what_vanished(stage: Stage) -> None:
    """After a change from paper to monitor the paper positions are gone, which is nothing to worry about."""
    await stage.tick()
    await stage.restart()
    stage.portfolio.positions_of = "paper"
    stage.venue.contracts = {}
    assert (await stage.tick()).snapshot.doubts == ()


async def test_an_unknown_order_is_told_until_it_is_known(stage: Stage) -> None:
    """While nobody knows whether an order exists, its alert does not end."""
    await stage.tick()
    stage.venue.outcome = Unknown("", "time-out")
    await stage.tick(ETH=12)
    order_id = stage.venue.submitted[0].intent.client_order_id
    stage.venue.known[order_id] = Unknown(order_id, "still no answer")
    later = [await stage.tick(), await stage.tick()]
    ended = {m.key for report in later for m in report.messages if m.kind is MessageKind.RESOLVED}
    assert "order_failed/alts" not in ended


async def test_a_price_that_went_missing_does_not_close_a_wildcard_hedge(stage: Stage) -> None:
    """A coin that had a price and has none any more is missing data, not a token without a market."""
    stage.portfolio.policy = policy(hedge("*", name="all"))
    stage.portfolio.observer = None
    await stage.tick()
    del stage.venue.price["ETH"]
    report = await stage.tick()
    assert report.assessment.hedges[0].status is HedgeStatus.BLOCKED
    assert stage.venue.submitted == []
    stage.portfolio.observer = None  # as after a restart
    assert (await stage.tick()).assessment.hedges[0].status is HedgeStatus.BLOCKED


async def test_orders_of_a_shared_instrument_are_told_of_each_hedge(stage: Stage) -> None:
    """While an order of two hedges together is in doubt, both alerts stand, and none is closed as removed."""
    stage.venue.price["UNI"] = Decimal(30)
    stage.portfolio.policy = policy(hedge("ETH"), hedge("UNI", name="uni"))
    await stage.tick()
    stage.venue.outcome = Unknown("", "time-out")
    await stage.tick(ETH=10, UNI=1000)
    order_id = stage.venue.submitted[0].intent.client_order_id
    stage.venue.known[order_id] = Unknown(order_id, "still no answer")
    later = [await stage.tick(), await stage.tick()]
    ended = {MessageKind.RESOLVED, MessageKind.REMOVED}
    assert not ended & {m.kind for report in later for m in report.messages}
    failed = {alert.subject for alert in later[-1].alerts if alert.kind is Kind.ORDER_FAILED}
    assert failed == {"alts", "uni"}


async def test_what_is_stored_is_not_overwritten_before_it_was_read(stage: Stage) -> None:
    """After a restart with a store that cannot be read at first, what vanished meanwhile is still seen."""
    await stage.tick()
    await stage.restart()
    stage.venue.contracts = {}
    stage.portfolio.store.broken = {"memory"}
    await stage.tick()
    stage.portfolio.store.broken = set()
    report = await stage.tick()
    assert report.snapshot.doubts
    assert stage.venue.submitted == []


async def test_a_record_that_fails_in_any_way_loses_no_message(stage: Stage) -> None:
    """Whatever goes wrong while recording, the messages are in the report for whoever delivers them directly."""
    await stage.tick()

    async def broken(record, channels):
        raise TypeError("a defect")

    record, stage.portfolio.store.record_cycle = stage.portfolio.store.record_cycle, broken
    report = await stage.tick(ETH=12)
    assert report.store_error == "TypeError while recording"
    assert "drift/alts" in {message.key for message in report.messages}
    stage.portfolio.store.record_cycle = record


async def test_a_recovered_closing_order_is_nobody_elses(stage: Stage) -> None:
    """Our own buy-back, found filled later, is not told as a position that somebody else closed."""
    stage.venue.contracts = {ETH_PERP: Decimal(-3)}
    await stage.tick(ETH="2.9")
    submit = stage.venue.submit

    async def lost(approved):
        stage.venue.known[approved.intent.client_order_id] = await submit(approved)
        return Unknown(approved.intent.client_order_id, "time-out")

    stage.venue.submit = lost
    stage.venue.explanation = "a transfer"
    await stage.tick(ETH=0)
    stage.venue.explanation = "buy 3 at 3000"
    report = await stage.tick()
    assert Kind.POSITION_CLOSED not in kinds(report)
    assert "order_recovered/alts" in {message.key for message in report.messages}


async def test_a_critical_alert_that_nobody_acknowledges_goes_to_the_further_channels(stage: Stage) -> None:
    """In a real cycle: the further channel gets a row once the time is over, and none where somebody acknowledged."""
    portfolio = stage.portfolio
    portfolio.channels, portfolio.further = ("log",), ("phone",)
    portfolio.rules = replace(portfolio.rules, further_after=timedelta(minutes=5))
    gone = [Finding(Kind.NOT_TRADING, name, Severity.CRITICAL, f"{name} is gone.") for name in ("main:A", "main:B")]

    async def cycle() -> list[str]:
        stage.clock.advance(120)
        await run_cycle(portfolio, stage.clock.now(), gone)
        rows = await portfolio.store.due("phone", stage.clock.now(), 10)
        return [told.key for row in rows for told in row.message.alerts]

    assert await cycle() == []
    assert await portfolio.store.acknowledge("not_trading/main:A", "ann", stage.clock.now())
    assert await cycle() == []
    assert await cycle() == []
    assert await cycle() == ["not_trading/main:B"]
    assert await cycle() == ["not_trading/main:B"], "once"


async def test_a_silence_holds_in_a_real_cycle_and_a_halt_is_told_all_the_same(stage: Stage) -> None:
    """What a person says while the daemon runs holds from its next cycle on."""
    portfolio = stage.portfolio
    now = stage.clock.now()
    await portfolio.store.silence(Silence("s", "*", now, now + timedelta(hours=1), "ann"))
    stage.venue.outcome = Rejected("", "no margin")
    await portfolio.brake.halt("too many orders", now)
    report = await stage.tick(ETH=12)
    assert {message.key for message in report.messages} == {"halted/test"}
    assert "drift/alts" in {alert.key for alert in report.alerts}


@pytest.mark.parametrize("state", [Unknown("hd1", "time-out"), Working("hd1", "77")])
async def test_an_open_order_of_another_mode_is_told_and_blocks_its_contract(stage: Stage, state: Outcome) -> None:
    """Live before, monitor now: nobody can look it up, so it is told with its id and never told to be over."""
    await stage.portfolio.store.plan("c0", [replace(intent("hd1"), instrument=InstrumentId(ETH_PERP))], T0)
    await stage.portfolio.store.mark_sent("hd1", T0)
    await stage.portfolio.store.record_outcome(state, T0)
    stage.portfolio.gateways = {}
    first = await stage.tick(ETH=12)
    told = [message.body for message in first.messages if message.key == "order_failed/alts"]
    assert len(told) == 1
    assert "hd1" in told[0]
    assert "is not looked up" in told[0]
    assert ETH_PERP in stage.portfolio.book.in_flight
    assert "order_failed/alts" not in {message.key for message in (await stage.tick()).messages}


async def test_an_order_on_an_account_that_has_another_name_now_blocks_what_has_its_symbol(stage: Stage) -> None:
    """The venue's contract is the same one."""
    await stage.portfolio.store.plan("c0", [replace(intent("hd1"), instrument=InstrumentId("old:ETH/USDT:USDT"))], T0)
    await stage.portfolio.store.mark_sent("hd1", T0)
    await stage.tick(ETH=12)
    assert ETH_PERP in stage.portfolio.book.in_flight
    assert stage.venue.submitted == []


async def test_the_clock_is_the_whole_portfolios_and_stays_configured(stage: Stage) -> None:
    """A clock that is right again is over, and not out of the configuration."""
    name = stage.portfolio.policy.name
    off = Finding(Kind.CLOCK_SKEW, name, Severity.CRITICAL, "The clock has jumped.")
    await run_cycle(stage.portfolio, stage.clock.now(), [off])
    stage.clock.advance(60)
    report = await stage.tick()
    assert [alert.closed_as for alert in report.alerts if alert.kind is Kind.CLOCK_SKEW] == ["resolved"]
