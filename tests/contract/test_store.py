"""What both stores promise; every test runs over the one in RAM and the one on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedged.adapters.store import commands
from hedged.adapters.store.memory import MemoryStore
from hedged.adapters.store.retention import Retention
from hedged.adapters.store.sql import SqlStore
from hedged.errors import StoreError, StoreUnavailable
from hedged.model.alert import Acknowledgement, AlertState, Delivery, Event, Message, MessageKind, Silence, Told
from hedged.model.command import CommandOutcome, CommandRow
from hedged.model.effect import Parts
from hedged.model.finding import Severity
from hedged.model.history import KEPT, Bar
from hedged.model.order import (
    Absent,
    Cancelled,
    Fill,
    OrderRow,
    OrderState,
    Outcome,
    Rejected,
    Unknown,
    Working,
)
from hedged.model.policy import World
from hedged.model.proposal import Proposal, Verdict
from hedged.ports import Memory, Store, Turnover
from tests.store_samples import ETH, alert, effect_day, fill, intent, memory, message, proposal, record
from tests.support import T0

RETENTION = Retention(orders_and_alerts=timedelta(days=100), rows_a_call=3)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture(params=["ram", "disk"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = (
        MemoryStore(retention=RETENTION)
        if request.param == "ram"
        else SqlStore(tmp_path / "hedged.db", retention=RETENTION)
    )
    await made.open("main", World.PAPER, T0)
    yield made
    await made.close()


async def test_a_new_store_knows_nothing(store: Store) -> None:
    """Every question has an answer before the first cycle."""
    assert await store.memory() == Memory()
    assert await store.alerts() == []
    assert await store.last_cycle() is None
    assert await store.latest_state() is None
    assert await store.open_orders() == []
    assert await store.fills(T0) == []
    assert await store.turnover(T0) == Turnover()
    assert await store.proposals(T0) == []
    assert await store.proposal("0badcafe") is None
    assert await store.due("log", T0, 10) == []
    assert await store.get_blob("market") is None
    assert not await store.accept("main", T0)
    assert await store.thin(T0) == 0


async def test_a_cycle_leaves_what_the_next_one_starts_from(store: Store) -> None:
    """Memory, alerts, state and the last cycle's name are those of the newest record."""
    doubt = memory(polls={"main/spot/UNI": 2})
    await store.record_cycle(record(1), [])
    await store.record_cycle(record(2, remembered=doubt, alerts=[alert("alts", "e1")]), [])
    assert await store.memory() == doubt
    assert await store.alerts() == [alert("alts", "e1")]
    assert await store.last_cycle() == (f"{2:024x}", T0 + 2 * MINUTE)
    assert await store.latest_state() == record(2).state


async def test_a_cycle_that_saw_nothing_leaves_the_last_state(store: Store) -> None:
    """It counts as the last cycle; the state shown is the one before, with its own time in it."""
    await store.record_cycle(record(1), [])
    await store.record_cycle(record(2, seen=False), [])
    assert await store.last_cycle() == (f"{2:024x}", T0 + 2 * MINUTE)
    assert await store.latest_state() == record(1).state


async def test_a_cycle_is_recorded_once(store: Store) -> None:
    """The same id again is refused whole, so that no message is sent twice."""
    await store.record_cycle(record(1, messages=[message("e1")]), ["log"])
    with pytest.raises(StoreError, match="recorded already"):
        await store.record_cycle(record(1, messages=[message("e1")]), ["log"])
    assert len(await store.due("log", T0 + DAY, 10)) == 1


# alerts


async def test_alerts_that_ended_a_day_ago_are_not_asked_for(store: Store) -> None:
    """One that ended may reopen quietly for a day after; then it is history."""
    ended = alert("alts", "e1", AlertState.RESOLVED)
    await store.record_cycle(record(1, at=T0, alerts=[ended]), [])
    await store.record_cycle(record(2, at=T0 + DAY - MINUTE), [])
    assert await store.alerts() == [ended]
    await store.record_cycle(record(3, at=T0 + DAY), [])
    assert await store.alerts() == []


async def test_a_pending_alert_that_is_not_listed_again_is_forgotten(store: Store) -> None:
    """It never fired; a firing one stays until its own end."""
    pending, firing = alert("a", "e1", AlertState.PENDING), alert("b", "e2")
    await store.record_cycle(record(1, alerts=[pending, firing]), [])
    assert sorted(each.event_id for each in await store.alerts()) == ["e1", "e2"]
    await store.record_cycle(record(2), [])
    assert await store.alerts() == [firing]


async def test_the_newest_life_of_an_alert_is_the_one_asked_for(store: Store) -> None:
    """The same key under a new event: the one that fires comes before the one that ended."""
    old, new = alert("alts", "e9", AlertState.RESOLVED), alert("alts", "e1", at=T0 + MINUTE)
    await store.record_cycle(record(1, alerts=[old]), [])
    await store.record_cycle(record(2, alerts=[new]), [])
    assert await store.alerts() == [new]
    ended = replace(new, state=AlertState.RESOLVED, resolved_at=T0 + 3 * MINUTE)
    await store.record_cycle(record(3, alerts=[ended]), [])
    assert await store.alerts() == [ended]


# accepting


@pytest.mark.parametrize(
    ("subject", "accepted"),
    [
        (ETH, {ETH}),
        ("main", {"main/spot/UNI", "main/swap/USDT"}),
        ("main/spot/UNI", {"main/spot/UNI"}),
        ("mai", set()),
        ("main:ETH", set()),
        ("other:ETH/USDT:USDT", set()),
    ],
)
async def test_a_person_accepts_what_is_in_doubt(store: Store, subject: str, accepted: set[str]) -> None:
    """An instrument accepts its position, an account's name all of its balances; anything else nothing."""
    doubts = {ETH: 3, "main/spot/UNI": 1, "main/swap/USDT": 1, "main2/spot/UNI": 1}
    await store.record_cycle(record(1, remembered=memory(polls=doubts)), [])
    assert await store.accept(subject, T0) is bool(accepted)
    assert (await store.memory()).accepted == accepted


async def test_an_acceptance_lasts_as_long_as_the_doubt(store: Store) -> None:
    """It survives a cycle that began before it, and goes with the doubt: the next vanishing is a new question."""
    doubt = memory(polls={ETH: 3})
    await store.record_cycle(record(1, remembered=doubt), [])
    await store.accept(ETH, T0)
    await store.record_cycle(record(2, remembered=doubt), [])  # made from memory read before it was accepted
    assert (await store.memory()).accepted == {ETH}
    await store.record_cycle(record(3, remembered=memory(accepted=frozenset({ETH}))), [])
    assert (await store.memory()).accepted == frozenset()
    await store.record_cycle(record(4, remembered=doubt), [])
    assert (await store.memory()).accepted == frozenset()


async def test_a_cycle_may_carry_acceptances_itself(store: Store) -> None:
    """Those of subjects still in doubt are kept."""
    await store.record_cycle(record(1, remembered=memory(polls={ETH: 1}, accepted=frozenset({ETH, "x"}))), [])
    assert (await store.memory()).accepted == {ETH}


# what people say of alerts


async def test_what_fires_is_acknowledged_by_event_or_key(store: Store) -> None:
    """By its id or its key, and nothing else; the latest word counts, and it survives the next cycle."""
    await store.record_cycle(record(1, alerts=[alert("a", "e1"), alert("b", "e2", AlertState.PENDING)]), [])
    assert await store.acknowledge("drift/a", "ann", T0)
    assert await store.acknowledge("e1", "bob", T0 + MINUTE, T0 + DAY)
    assert not await store.acknowledge("drift/b", "ann", T0), "it is pending: nobody was told"
    assert not await store.acknowledge("e9", "ann", T0)
    await store.record_cycle(record(2, alerts=[alert("a", "e1")]), [])
    assert await store.acknowledgements() == [Acknowledgement("e1", "bob", T0 + MINUTE, T0 + DAY)]


async def test_an_acknowledgement_goes_with_its_event(store: Store) -> None:
    """Once the event cannot reopen any more nobody is asked about it."""
    await store.record_cycle(record(1, alerts=[alert("a", "e1")]), [])
    await store.acknowledge("e1", "ann", T0)
    await store.record_cycle(record(2, at=T0, alerts=[alert("a", "e1", AlertState.RESOLVED)]), [])
    assert len(await store.acknowledgements()) == 1
    await store.record_cycle(record(3, at=T0 + 2 * DAY), [])
    assert await store.acknowledgements() == []


async def test_silences_last_until_their_end(store: Store) -> None:
    """Those in force, the first to end first; one that is taken back is over at once, once."""
    long = Silence("s1", "drift/*", T0, T0 + DAY, "ann", "moving coins")
    short = Silence("s2", "margin/main", T0, T0 + MINUTE, "bob")
    for each in (long, short):
        await store.silence(each)
    assert await store.silences(T0) == [short, long]
    assert await store.silences(T0 + MINUTE) == [long]
    assert not await store.unsilence("s2", T0 + MINUTE), "it has ended"
    assert await store.unsilence("s1", T0 + MINUTE)
    assert not await store.unsilence("s1", T0 + MINUTE)
    assert not await store.unsilence("s9", T0)
    assert await store.silences(T0 + MINUTE) == []


# the journal


async def _to(store: Store, state: str) -> None:
    """An order hd1, brought to a state."""
    await store.plan("c1", [intent("hd1")], T0)
    if state == "planned":
        return
    await store.mark_sent("hd1", T0)
    ends: dict[str, Outcome | Absent] = {
        "filled": fill("hd1"),
        "rejected": Rejected("hd1", "margin"),
        "unknown": Unknown("hd1", "time-out"),
        "acknowledged": Working("hd1", "77"),
        "cancelled": Cancelled("hd1", "nothing at the limit"),
        "absent": Absent("hd1"),
    }
    if state in ends:
        await store.record_outcome(ends[state], T0)


_STEPS: dict[str, Callable[[Store], Awaitable[None]]] = {
    "sent": lambda store: store.mark_sent("hd1", T0),
    "filled": lambda store: store.record_outcome(fill("hd1"), T0),
    "rejected": lambda store: store.record_outcome(Rejected("hd1", "margin"), T0),
    "unknown": lambda store: store.record_outcome(Unknown("hd1", "time-out"), T0),
    "acknowledged": lambda store: store.record_outcome(Working("hd1", "77"), T0),
    "cancelled": lambda store: store.record_outcome(Cancelled("hd1", "nothing at the limit"), T0),
    "absent": lambda store: store.record_outcome(Absent("hd1"), T0),
}
_OUT = {"filled", "cancelled", "rejected", "acknowledged", "unknown", "absent"}
_ALLOWED = {
    "planned": {"sent", "rejected", "unknown", "absent"},
    "sent": _OUT,
    "acknowledged": _OUT,
    "unknown": _OUT,
    "filled": {"filled"},  # told again: recorded once
    "cancelled": {"cancelled"},
    "rejected": {"rejected"},
    "absent": {"absent"},
}


@pytest.mark.parametrize("step", _STEPS)
@pytest.mark.parametrize("state", _ALLOWED)
async def test_orders_go_forward_only(store: Store, state: str, step: str) -> None:
    """Each step of the table is taken or refused; a refused one changes nothing."""
    await _to(store, state)
    if step in _ALLOWED[state]:
        await _STEPS[step](store)
        after = step
    else:
        with pytest.raises(StoreError, match=f"hd1 is {state} and cannot become {step}"):
            await _STEPS[step](store)
        after = state
    opened = [row.state.value for row in await store.open_orders()]
    assert opened == ([after] if after in ("planned", "sent", "acknowledged", "unknown") else [])
    assert len(await store.fills(T0)) == (after == "filled")


async def test_open_orders_are_whole(store: Store) -> None:
    """What a restart needs to look an order up: the intent, where it stands, since when and from which cycle."""
    await store.plan("c1", [intent("hd2"), intent("hd1")], T0)
    await store.plan("c0", [intent("hd3")], T0 - MINUTE)
    await store.plan("c2", [], T0)
    await store.mark_sent("hd1", T0 + MINUTE)
    assert await store.open_orders() == [
        OrderRow(intent("hd3"), OrderState.PLANNED, T0 - MINUTE, "c0"),
        OrderRow(intent("hd1"), OrderState.SENT, T0, "c1", sent_at=T0 + MINUTE, sends=1),
        OrderRow(intent("hd2"), OrderState.PLANNED, T0, "c1"),
    ]


async def test_an_id_is_planned_once(store: Store) -> None:
    """A second order under a used id is refused, and the rest of its batch with it."""
    await store.plan("c1", [intent("hd1")], T0)
    with pytest.raises(StoreError, match="already in the journal"):
        await store.plan("c2", [intent("hd2"), intent("hd1")], T0)
    assert [row.intent.client_order_id for row in await store.open_orders()] == ["hd1"]
    with pytest.raises(StoreError, match="hd9 is not in the journal"):
        await store.mark_sent("hd9", T0)
    with pytest.raises(StoreError, match="hd9 is not in the journal"):
        await store.record_outcome(fill("hd9"), T0)


async def test_an_absent_order_is_planned_again_under_its_id(store: Store) -> None:
    """Newly decided, it is as planned as any; what is remembered is how often it was sent and not how it was."""
    await _to(store, "sent")
    await store.record_absence("hd1", T0)
    await store.record_absence("hd1", T0)
    assert [row.absences for row in await store.open_orders()] == [2]
    await store.record_outcome(Absent("hd1"), T0)
    with pytest.raises(StoreError, match="hd1 is absent and cannot become absent"):
        await store.record_absence("hd1", T0)
    await store.plan("c2", [intent("hd1", notional="5000"), intent("hd2")], T0 + MINUTE)
    again = next(row for row in await store.open_orders() if row.intent.client_order_id == "hd1")
    assert (again.state, again.cycle_id, again.planned_at) == (OrderState.PLANNED, "c2", T0 + MINUTE)
    assert again.intent.notional == Decimal(5000)
    await store.mark_sent("hd1", T0 + MINUTE)
    row = next(row for row in await store.open_orders() if row.intent.client_order_id == "hd1")
    assert (row.sends, row.absences, row.sent_at) == (2, 0, T0 + MINUTE)


async def test_the_venues_id_is_kept(store: Store) -> None:
    """From the acknowledgement on, also where nobody knows any more how the order stands."""
    await _to(store, "acknowledged")
    await store.record_outcome(Unknown("hd1", "time-out"), T0)
    assert [row.venue_order_id for row in await store.open_orders()] == ["77"]


async def test_a_fill_is_recorded_once_and_not_contradicted(store: Store) -> None:
    """The same fill again is the same fill; a different one for the order is a fault to be seen."""
    await _to(store, "filled")
    await store.record_outcome(fill("hd1"), T0 + MINUTE)
    assert await store.fills(T0) == [fill("hd1")]
    with pytest.raises(StoreError, match="a different fill"):
        await store.record_outcome(fill("hd1", quantity="1"), T0)
    assert await store.fills(T0) == [fill("hd1")]


async def test_turnover_counts_fills_and_what_may_still_fill(store: Store) -> None:
    """Filled quantity at the decided price, plus the whole of every open order; not what was refused or is older."""
    for order in ("hd1", "hd2", "hd3", "hd4", "hd5"):
        await store.plan("c1", [intent(order, notional="6000.10")], T0)
    ends: list[Outcome] = [fill("hd1"), fill("hd2", quantity="0.5"), Rejected("hd3", "no"), fill("hd4", at=T0 - MINUTE)]
    for outcome in ends:
        await store.mark_sent(outcome.client_order_id, T0)
        await store.record_outcome(outcome, T0)
    assert await store.turnover(T0) == Turnover(Decimal("6000.10") + Decimal("1500.025") + Decimal("6000.10"), 3)


async def test_fills_come_in_time(store: Store) -> None:
    """Oldest first, from the moment asked for."""
    times = {"hd1": T0 + MINUTE, "hd2": T0, "hd3": T0 - MINUTE}
    expected: list[Fill] = []
    for order, at in times.items():
        await store.plan("c1", [intent(order)], T0)
        await store.mark_sent(order, T0)
        await store.record_outcome(fill(order, at=at), T0)
        expected.append(fill(order, at=at))
    assert await store.fills(T0) == [expected[1], expected[0]]


# proposals


async def _answered(store: Store, verdict: Verdict) -> Proposal:
    """A proposal, brought to a verdict on a way that leads there."""
    made = proposal()
    await store.record_cycle(record(1, proposals=[made]), [])
    for step in {Verdict.OPEN: [], Verdict.USED: [Verdict.APPROVED, Verdict.USED]}.get(verdict, [verdict]):
        made = replace(made, verdict=step)
        assert await store.answer(made)
    return made


_MAY_FOLLOW = {
    Verdict.OPEN: {Verdict.APPROVED, Verdict.REJECTED, Verdict.EXPIRED, Verdict.REPLACED},
    Verdict.APPROVED: {Verdict.USED, Verdict.EXPIRED, Verdict.REJECTED},
}


@pytest.mark.parametrize("by_cycle", [False, True])
@pytest.mark.parametrize("after", Verdict)
@pytest.mark.parametrize("before", Verdict)
async def test_a_proposal_is_answered_once(store: Store, before: Verdict, after: Verdict, by_cycle: bool) -> None:
    """Each verdict follows where it may, whoever gives it; else nothing changes, and nothing is answered twice."""
    kept = await _answered(store, before)
    wanted = replace(kept, verdict=after, decided_by="cli", decided_at=T0)
    if by_cycle:
        await store.record_cycle(record(2, proposals=[wanted]), [])
    else:
        assert await store.answer(wanted) is (after in _MAY_FOLLOW.get(before, set()))
    assert await store.proposal(kept.id) == (wanted if after in _MAY_FOLLOW.get(before, set()) else kept)


async def test_a_proposal_with_other_numbers_is_not_answered(store: Store) -> None:
    """An answer counts for the numbers that were seen."""
    await _answered(store, Verdict.OPEN)
    assert not await store.answer(replace(proposal(quantity="3"), verdict=Verdict.APPROVED))
    assert not await store.answer(replace(proposal("00000000"), verdict=Verdict.APPROVED))
    assert await store.proposals(T0) == [proposal()]


async def test_the_first_of_two_answers_counts(store: Store) -> None:
    """Approved by two at once: one of them is told that it came second."""
    made = await _answered(store, Verdict.OPEN)
    answers = [replace(made, verdict=Verdict.APPROVED, decided_by=name) for name in ("cli", "mqtt")]
    assert sorted(await asyncio.gather(*map(store.answer, answers))) == [False, True]


async def test_an_approval_is_used_by_one_order(store: Store) -> None:
    """In the order's own transaction; a second one is refused whole, also the same id planned again."""
    await _answered(store, Verdict.APPROVED)
    first, second = (replace(intent(name), approval="0badcafe") for name in ("hd1", "hd2"))
    await store.plan("c1", [first], T0)
    used = await store.proposal("0badcafe")
    assert used is not None
    assert (used.verdict, used.client_order_id) == (Verdict.USED, "hd1")
    with pytest.raises(StoreError, match="0badcafe is used"):
        await store.plan("c2", [intent("hd3"), second], T0)
    assert [row.intent for row in await store.open_orders()] == [first]
    await store.record_outcome(Absent("hd1"), T0)
    with pytest.raises(StoreError, match="0badcafe is used"):
        await store.plan("c3", [first], T0)
    assert await store.open_orders() == []


async def test_two_orders_cannot_share_an_approval(store: Store) -> None:
    """Neither of a pair planned at once is kept, and the approval is not used up."""
    kept = await _answered(store, Verdict.APPROVED)
    with pytest.raises(StoreError, match="no other order has used"):
        await store.plan("c1", [replace(intent(name), approval=kept.id) for name in ("hd1", "hd2")], T0)
    assert await store.open_orders() == []
    assert await store.proposal(kept.id) == kept


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.APPROVED])
async def test_only_an_approved_proposal_lets_an_order_through(store: Store, verdict: Verdict) -> None:
    """Open, rejected, expired, replaced, used by another, or unknown: the order is not planned."""
    kept = await _answered(store, verdict)
    for name in (kept.id, "00000000"):
        with pytest.raises(StoreError, match=f"proposal {name} is"):
            await store.plan("c1", [replace(intent("hd1"), approval=name)], T0)
    assert await store.open_orders() == []
    assert await store.proposal(kept.id) == kept


async def test_a_failed_plan_uses_no_approval(store: Store) -> None:
    """An id that is taken fails the order, and the approval with it."""
    kept = await _answered(store, Verdict.APPROVED)
    await store.plan("c1", [intent("hd1")], T0)
    with pytest.raises(StoreError, match="already in the journal"):
        await store.plan("c2", [replace(intent("hd1"), approval=kept.id)], T0)
    assert await store.proposal(kept.id) == kept


async def test_proposals_are_listed_while_they_matter(store: Store) -> None:
    """Those not at their end, however old, and the others from the time asked for; forgotten with the orders."""
    old, older, new = (proposal(name, at=T0 + days * DAY) for name, days in (("a", 1), ("b", 0), ("c", 2)))
    await store.record_cycle(record(1, proposals=[old, older, new]), [])
    assert await store.proposals(T0 + 2 * DAY) == [new, old, older]
    ended = replace(older, verdict=Verdict.EXPIRED)
    await store.record_cycle(record(2, proposals=[ended]), [])
    assert await store.proposals(T0 + 2 * DAY) == [new, old]
    assert await store.proposals(T0) == [new, old, ended]
    assert await store.thin(T0 + 101 * DAY) >= 1
    assert await store.proposals(T0) == [new, old]


# delivery


async def test_each_channel_gets_each_message(store: Store) -> None:
    """One row a message and channel, oldest first, at once."""
    await store.record_cycle(record(1, messages=[message("e1"), message("e2")]), ["log", "mqtt"])
    await store.record_cycle(record(2, messages=[message("e3")]), ["log"])
    now = T0 + 2 * MINUTE
    assert [row.message for row in await store.due("log", now, 10)] == [message("e1"), message("e2"), message("e3")]
    assert [row.message for row in await store.due("log", now, 2)] == [message("e1"), message("e2")]
    mqtt = await store.due("mqtt", now, 10)
    assert [(row.channel, row.message.event_id, row.attempts) for row in mqtt] == [("mqtt", "e1", 0), ("mqtt", "e2", 0)]
    assert len({row.id for row in [*mqtt, *await store.due("log", now, 10)]}) == 5


async def test_what_became_of_a_message(store: Store) -> None:
    """On each channel: on its way with the last failure, or delivered and when; asked for by the message's id."""
    sent = message("e1")
    await store.record_cycle(record(0, alerts=[alert("alts", "e1")], messages=[sent, message("e2")]), ["log", "mail"])
    (row, _) = await store.due("mail", T0, 10)
    await store.failed(row.id, T0 + MINUTE, "refused")
    (row, _) = await store.due("log", T0, 10)
    await store.delivered(row.id, T0 + MINUTE)
    assert await store.deliveries({"e1", "e9"}) == [
        Delivery("e1", "log", sent.kind, sent.at, 0, T0 + MINUTE),
        Delivery("e1", "mail", sent.kind, sent.at, 1, error="refused"),
    ]
    assert await store.deliveries(frozenset()) == []
    (row,) = [each for each in await store.due("mail", T0 + DAY, 10) if each.message.event_id == "e1"]
    await store.delivered(row.id, T0 + MINUTE)
    await store.record_cycle(record(1), [])
    assert [each.delivered_at for each in await store.deliveries({"e1"})] == [T0 + MINUTE] * 2


async def test_all_that_is_kept_of_an_event(store: Store) -> None:
    """Its alert and every message about it once, those of groups too; a group's id leads to what it told of."""
    first, second = message("e1"), replace(message("e1", at=T0 + MINUTE), kind=MessageKind.REPEAT)
    told = tuple(Told(each, f"drift/{each}", MessageKind.REPEAT, Severity.WARNING) for each in ("e1", "e2"))
    group = replace(message("g1", at=T0 + 2 * MINUTE), kind=MessageKind.REPEAT, alerts=told)
    mine = replace(alert("a", "e1"), told_in="g1", told_before=("g0",))
    other = replace(alert("b", "e2"), told_in="g1")
    await store.record_cycle(record(1, alerts=[mine, other], messages=[first]), ["log", "phone"])
    await store.record_cycle(record(2, alerts=[mine, other], messages=[second, group]), ["log", "phone"])
    for row in await store.due("log", T0 + DAY, 10):
        await store.delivered(row.id, T0)
    assert await store.event("e1") == Event((mine,), (first, second, group))
    found = await store.event("g1")
    assert found is not None
    assert {each.event_id for each in found.alerts} == {"e1", "e2"}
    assert found.messages == (group,)
    assert await store.event("e9") is None


async def test_further_channels_get_what_asks_for_them(store: Store) -> None:
    """The first channels get all, the further ones only what is marked so."""
    await store.record_cycle(
        record(0, messages=[message("e1"), replace(message("e2"), further=True)]), ["log"], ["sms"]
    )
    assert [row.message.event_id for row in await store.due("log", T0, 10)] == ["e1", "e2"]
    assert [row.message.event_id for row in await store.due("sms", T0, 10)] == ["e2"]


async def test_a_channel_is_not_told_that_it_is_down(store: Store) -> None:
    """The others are: it would hear of it when it works again."""
    key = "channel_down/sms"
    down = Message(
        "e1",
        MessageKind.FIRING,
        key,
        Severity.WARNING,
        "t",
        "b",
        T0,
        alerts=(Told("e1", key, MessageKind.FIRING, Severity.WARNING),),
    )
    await store.record_cycle(record(0, messages=[down]), ["log", "sms"])
    assert len(await store.due("log", T0, 10)) == 1
    assert await store.due("sms", T0, 10) == []


async def test_the_message_of_a_group_acknowledges_all_of_it(store: Store) -> None:
    """Who answers a message means everything that it says still fires."""
    told = [replace(alert(name, name * 2), told_in="g1") for name in "ab"]
    over = replace(alert("c", "cc", AlertState.RESOLVED), told_in="g1")
    await store.record_cycle(record(1, alerts=[*told, over]), [])
    assert await store.acknowledge("g1", "ann", T0)
    again = replace(told[0], told_in="g3", told_before=("g2",))
    await store.record_cycle(record(2, alerts=[again, told[1]]), [])
    assert await store.acknowledge("g2", "bob", T0), "an answer to an earlier message still finds it"
    assert sorted(each.event_id for each in await store.acknowledgements()) == ["aa", "bb"]


async def test_delivered_rows_are_done_and_failed_ones_come_again(store: Store) -> None:
    """A failure counts and waits; an acknowledgement ends it, also when it is told twice."""
    await store.record_cycle(record(0, messages=[message("e1"), message("e2")]), ["log"])
    first, second = await store.due("log", T0, 10)
    await store.failed(first.id, T0 + MINUTE, "refused")
    await store.delivered(second.id, T0)
    await store.delivered(second.id, T0)
    assert await store.due("log", T0, 10) == []
    assert await store.due("log", T0 + MINUTE, 10) == [replace(first, attempts=1, next_try_at=T0 + MINUTE)]
    await store.failed(second.id, T0, "late")
    assert [row.id for row in await store.due("log", T0 + MINUTE, 10)] == [first.id]


async def test_what_waits_is_counted_by_channel(store: Store) -> None:
    """A failed message still waits, a delivered one does not, and a channel for which none waits is not named."""
    assert await store.backlog() == {}
    await store.record_cycle(record(0, messages=[message("e1"), message("e2")]), ["log", "mqtt"])
    first, second = await store.due("log", T0, 10)
    await store.failed(first.id, T0 + MINUTE, "refused")
    await store.delivered(second.id, T0)
    assert await store.backlog() == {"log": 1, "mqtt": 2}
    await store.delivered(first.id, T0)
    assert await store.backlog() == {"mqtt": 2}


# small facts


async def test_a_blob_is_kept_as_it_was(store: Store) -> None:
    """A copy: what happens to the object afterwards is not stored."""
    value = {"cash": "10000.10", "positions": [{"contracts": "-2"}]}
    await store.put_blob("paper/main", {"cash": "1"}, T0)
    await store.put_blob("paper/main", value, T0)
    value["positions"] = []
    assert await store.get_blob("paper/main") == {"cash": "10000.10", "positions": [{"contracts": "-2"}]}
    with pytest.raises(TypeError):
        await store.put_blob("paper/main", {"cash": Decimal(1)}, T0)


# forgetting


async def test_thinning_never_takes_what_is_not_over(store: Store) -> None:
    """Undelivered messages, open orders and firing alerts stay, however old."""
    await store.record_cycle(record(1, alerts=[alert("alts", "e1")], messages=[message("e1")]), ["log"])
    await store.plan("c1", [intent("hd1"), intent("hd2"), intent("hd3")], T0)
    await store.mark_sent("hd2", T0)
    await store.record_outcome(Unknown("hd3", "time-out"), T0)
    later = T0 + 1000 * DAY
    while await store.thin(later):
        pass
    assert len(await store.open_orders()) == 3
    assert await store.alerts() == [alert("alts", "e1")]
    assert len(await store.due("log", later, 10)) == 1
    assert await store.memory() == memory(T0 + MINUTE)


async def test_thinning_is_bounded_and_takes_the_rest_next_time(store: Store) -> None:
    """Orders past their time go with their fills, so many a call; younger ones stay."""
    for n in range(5):
        await store.plan("c1", [intent(f"hd{n}")], T0)
        await store.mark_sent(f"hd{n}", T0)
        await store.record_outcome(fill(f"hd{n}"), T0 + n * DAY)
    assert await store.thin(T0 + 100 * DAY) == 0
    assert await store.thin(T0 + 104 * DAY) == 3
    assert await store.thin(T0 + 104 * DAY) == 1
    assert await store.fills(T0) == [fill("hd4")]


async def test_a_closed_store_says_so(store: Store) -> None:
    """After closing every call is refused, and closing again is harmless."""
    await store.close()
    await store.close()
    for call in (store.memory(), store.open_orders(), store.record_cycle(record(1), []), store.thin(T0)):
        with pytest.raises(StoreUnavailable, match="not open"):
            await call


async def test_prices_of_the_past_are_kept_by_subject(store: Store) -> None:
    """In the order of time, from after a moment on; a bar that is put again is replaced; the oldest are forgotten."""
    first, second, third = (Bar(T0 + hours * timedelta(hours=4), 3000.0 + hours, 3010, 2990) for hours in range(3))
    await store.put_bars("ETH", [second, first])
    await store.put_bars("main:ETH/USDT:USDT", [third])
    await store.put_bars("ETH", [Bar(second.at, 2999.5, 3000, 2999), third])
    assert await store.bars("ETH", T0) == [Bar(second.at, 2999.5, 3000, 2999), third]
    assert await store.bars("BTC", T0) == []
    assert await store.newest_bars() == {"ETH": third.at, "main:ETH/USDT:USDT": third.at}
    assert await store.thin(T0 + KEPT + timedelta(hours=5)) == 2
    assert await store.bars("ETH", T0 - DAY) == [third]


async def test_the_days_of_hedges_are_kept_as_they_stand(store: Store) -> None:
    """Each row replaces the one of its hedge and day, in the cycle's own transaction; the oldest are forgotten."""
    first, second = effect_day("alts"), effect_day("alts", T0 + DAY)
    other = effect_day("btc", T0 + DAY)
    await store.record_cycle(replace(record(1), effects=[second, first]), [])
    grown = replace(second, seconds=120.5, parts=Parts(fees=Decimal("-1.10"), funding=Decimal("0.00000001")))
    await store.record_cycle(replace(record(2), effects=[grown, other]), [])
    with pytest.raises(StoreError, match="recorded already"):
        await store.record_cycle(replace(record(2), effects=[replace(first, seconds=0.0)]), [])
    assert await store.effects(T0 - DAY) == [first, grown, other]
    assert await store.effects(T0 + DAY) == [grown, other]
    assert await store.thin(T0 + KEPT + timedelta(hours=5)) >= 1
    assert await store.effects(T0 - DAY) == [grown, other]


async def test_past_orders_tell_what_became_of_each(store: Store) -> None:
    """Newest first, from the time asked for on: sent or not, filled by how much, rejected why."""
    for number in range(5):
        await store.plan(f"{number:024x}", [intent(f"hd{number}")], T0 + number * MINUTE)
    for number in (1, 2, 3):
        await store.mark_sent(f"hd{number}", T0 + number * MINUTE)
    await store.record_outcome(Absent("hd0"), T0 + DAY)
    await store.record_outcome(fill("hd1", quantity="1.5"), T0 + DAY)
    await store.record_outcome(Rejected("hd2", "no margin"), T0 + DAY)
    past = await store.past_orders(T0 + MINUTE)
    told = [(each.intent.client_order_id, each.state, each.sent, each.filled, each.reason) for each in past]
    assert told == [
        ("hd4", "planned", False, 0, None),
        ("hd3", "sent", True, 0, None),
        ("hd2", "rejected", True, 0, "no margin"),
        ("hd1", "filled", True, Decimal("1.5"), None),
    ]
    assert past[0].planned_at == T0 + 4 * MINUTE
    assert (await store.past_orders(T0))[-1].state == "absent"


def asked(nonce: str | None, *, outcome: CommandOutcome = CommandOutcome.TAKEN, source: str = "mqtt") -> CommandRow:
    return CommandRow(T0, source, nonce, "pause", outcome, {"request": "r"})


async def test_a_nonce_counts_once(store: Store) -> None:
    """Whatever became of it, and for each source by itself."""
    assert await store.claim_command(asked("n1"))
    assert not await store.claim_command(asked("n1"))
    await store.end_command(replace(asked("n1", outcome=CommandOutcome.DONE), data={"request": "r", "text": "done"}))
    assert not await store.claim_command(asked("n1"))
    assert await store.claim_command(asked("n1", source="telegram"))
    found = [(row.source, row.nonce, row.outcome.value, row.data) for row in await store.past_commands(9)]
    assert found == [
        ("telegram", "n1", "taken", {"request": "r"}),
        ("mqtt", "n1", "done", {"request": "r", "text": "done"}),
    ]


async def test_what_was_dropped_is_kept_and_its_nonce_used_up(store: Store) -> None:
    """A nonce that was used before stays with its own row."""
    await store.note_command(asked("n1", outcome=CommandOutcome.DROPPED))
    assert not await store.claim_command(asked("n1"))
    await store.note_command(asked("n1", outcome=CommandOutcome.DROPPED))
    await store.note_command(asked(None, outcome=CommandOutcome.DROPPED))
    assert [(row.nonce, row.outcome.value) for row in await store.past_commands(9)] == [
        (None, "dropped"), (None, "dropped"), ("n1", "dropped"),
    ]  # fmt: skip
    assert len(await store.past_commands(2)) == 2


async def test_commands_are_forgotten_by_number_and_not_by_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far the clock jumps a nonce that was used lately is known; those dropped cannot push it out."""
    if isinstance(store, MemoryStore):
        pytest.skip("the one in RAM ends with its process")
    monkeypatch.setattr(commands, "KEPT_DROPPED", 2)
    monkeypatch.setattr(commands, "KEPT_TAKEN", 3)
    for n in range(5):
        assert await store.claim_command(asked(f"used{n}"))
        for _ in range(5):
            await store.note_command(asked(None, outcome=CommandOutcome.DROPPED))
    while await store.thin(T0 + 9999 * DAY):
        pass
    kept = [row.nonce for row in await store.past_commands(99)]
    assert sorted(filter(None, kept)) == ["used2", "used3", "used4"]
    assert len(kept) == 5
