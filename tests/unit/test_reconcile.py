"""When an order that cannot be found is believed not to exist, and when its position tells instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.act import Reconciler
from hedged.act.reconcile import moved_by, proven, to_send_again
from hedged.adapters.store.memory import MemoryStore
from hedged.model.order import (
    Absent,
    Cancelled,
    Fill,
    Intent,
    OrderRow,
    OrderState,
    Outcome,
    PastOrder,
    Unknown,
    Working,
)
from hedged.model.policy import World
from hedged.observe.continuity import filled
from hedged.ports import Memory
from tests.store_samples import ETH, fill, intent
from tests.support import T0, ManualClock

D = Decimal
SOLD = replace(intent("hd1"), held=D(-8))  # sell 2 at a position of −8


class Venue:
    """A gateway whose answers are set; it takes ten seconds until nothing found means something."""

    account = "main"
    absent_after = timedelta(seconds=10)

    def __init__(self) -> None:
        self.answer: Outcome | Absent = Absent("hd1")
        self.after_cancel: Outcome | Absent = Absent("hd1")
        self.cancelled: list[str] = []

    async def submit(self, approved: Any) -> Outcome:
        raise AssertionError("nothing is sent")

    async def find(self, intent: Intent) -> Outcome | Absent:
        return self.answer

    async def cancel(self, intent: Intent) -> Outcome | Absent:
        self.cancelled.append(intent.client_order_id)
        return self.after_cancel

    async def guard(self, resting: Any, within: timedelta) -> None: ...


def row(*, absences: int = 0, state: OrderState = OrderState.UNKNOWN, venue_id: str | None = None) -> OrderRow:
    return OrderRow(SOLD, state, T0, "c1", sent_at=T0, sends=1, absences=absences, venue_order_id=venue_id)


def read(held: int | None, **doubts: int) -> Memory:
    """What the last cycle read: a position; None: the account was not read."""
    if held is None:
        return Memory(at=T0, positions={ETH: D(-8)}, read_at={"main": T0 - timedelta(minutes=1)})
    return Memory(at=T0, positions={ETH: D(held)}, read_at={"main": T0}, polls={ETH: 1} if doubts else {})


@pytest.mark.parametrize(
    ("absences", "memory", "venue_id", "end"),
    [
        (0, read(-8), None, None),  # the first look in vain proves nothing
        (1, read(-8), None, Absent),  # twice, and the position is as it was
        (1, read(-8), "77", None),  # the venue had acknowledged it
        (3, read(-8), "77", None),
        (4, read(-8), "77", Cancelled),  # and has forgotten it since
        (9, read(-8, doubted=1), "77", None),
        (1, read(None), None, None),  # nobody read the position since
        (1, read(-8, doubted=1), None, None),  # what was read is in doubt
        (1, read(-10), None, None),  # it moved: perhaps only the look-up is late
        (2, read(-10), None, Fill),  # still not shown: the position tells
        (2, read(-9), None, Fill),
        (9, read(-6), None, None),  # against the order: somebody else's doing
        (9, read(-20), None, None),  # by more than the order
    ],
)
def test_what_a_look_up_in_vain_proves(absences: int, memory: Memory, venue_id: str | None, end: type | None) -> None:
    """Absent, filled by what the position shows, or nothing: never a guess."""
    found = proven(row(absences=absences, venue_id=venue_id), Venue(), memory, T0)
    assert (None if found is None else type(found)) is end
    if isinstance(found, Fill):
        assert (found.quantity, found.estimated) == (abs(memory.positions[ETH] + 8), True)


def test_an_order_decided_on_without_a_position_is_never_guessed_at() -> None:
    """Journals of older versions do not tell what was held."""
    old = replace(row(absences=9), intent=replace(SOLD, held=None))
    assert moved_by(old.intent, read(-10)) is None
    assert proven(old, Venue(), read(-10), T0) is None


async def opened() -> tuple[MemoryStore, Venue, ManualClock, Reconciler]:
    store, clock = MemoryStore(), ManualClock()
    await store.open("p", World.REAL, T0)
    await store.plan("c1", [SOLD], T0)
    await store.mark_sent("hd1", T0)
    return store, Venue(), clock, Reconciler(clock)


async def test_no_jump_of_the_wall_clock_makes_an_order_absent_sooner() -> None:
    """Thirty days later by the wall clock and a second by the other: the order may still be on its way."""
    store, venue, clock, reconciler = await opened()
    for _ in range(5):
        clock.set(clock.now() + timedelta(days=30))
        clock.advance(1)
        assert await reconciler.reconcile({"main": venue}, store, read(-8), clock.now()) == []
    assert [each.absences for each in await store.open_orders()] == [0]
    clock.advance(10)
    assert await reconciler.reconcile({"main": venue}, store, read(-8), clock.now()) == []
    assert await reconciler.reconcile({"main": venue}, store, read(-8), clock.now()) == [(SOLD, Absent("hd1"))]


async def test_a_new_process_waits_anew() -> None:
    """It cannot know how long ago the order left: what another counted does not make its own first look the last."""
    store, venue, clock, _ = await opened()
    await store.record_absence("hd1", T0)
    clock.advance(3600)
    assert await Reconciler(clock).reconcile({"main": venue}, store, read(-8), clock.now()) == []


async def test_an_order_that_nobody_can_look_up_stays_open() -> None:
    """Unknown, or no gateway to ask: nothing is written and nothing ends."""
    store, venue, clock, reconciler = await opened()
    venue.answer = Unknown("hd1", "time-out")
    assert await reconciler.reconcile({"main": venue}, store, read(-8), clock.now()) == []
    assert await reconciler.reconcile({}, store, read(-8), clock.now()) == []
    assert [each.state for each in await store.open_orders()] == [OrderState.SENT]


async def test_an_order_that_still_works_is_taken_back_and_believed_by_its_look_up() -> None:
    """What comes of cancelling is what the venue shows after it: a fill, or an order that is not over yet."""
    store, venue, clock, reconciler = await opened()
    venue.answer = venue.after_cancel = Working("hd1", "77", D(1))
    assert await reconciler.reconcile({"main": venue}, store, read(-9), clock.now()) == []
    assert [(each.state, each.venue_order_id) for each in await store.open_orders()] == [
        (OrderState.ACKNOWLEDGED, "77")
    ]
    venue.after_cancel = fill("hd1", quantity="1")
    assert await reconciler.reconcile({"main": venue}, store, read(-9), clock.now()) == [(SOLD, venue.after_cancel)]
    assert venue.cancelled == ["hd1", "hd1"]


async def test_what_was_planned_and_not_sent_is_closed() -> None:
    """Nothing left for it: no look-up is needed."""
    store, clock = MemoryStore(), ManualClock()
    await store.open("p", World.REAL, T0)
    await store.plan("c1", [SOLD], T0)
    assert await Reconciler(clock).reconcile({}, store, Memory(), T0) == [(SOLD, Absent("hd1"))]
    assert await store.open_orders() == []


def test_an_id_is_sent_again_only_while_it_is_the_newest_and_not_too_often() -> None:
    """The newest order of an instrument, absent, sent once or twice: any other gets a new id."""

    def past(state: str, *, sends: int = 1, minutes: int = 0) -> PastOrder:
        return PastOrder(SOLD, state, T0 + timedelta(minutes=minutes), sends > 0, sends=sends)

    assert to_send_again([past("absent")]) == {ETH: SOLD}
    assert to_send_again([past("absent", sends=2), past("filled", minutes=-1)]) == {ETH: SOLD}
    for orders in ([past("absent", sends=3)], [past("absent", sends=0)], [past("filled", minutes=1), past("absent")]):
        assert to_send_again(orders) == {}


@pytest.mark.parametrize(("held", "after"), [(-8, -10), (-10, -10), (-9, -9)])
def test_a_fill_found_later_is_added_to_a_position_that_does_not_show_it(held: int, after: int) -> None:
    """A position that moved since the order was decided on has it in it already."""
    assert filled(read(held), SOLD, fill("hd1")).positions[ETH] == after
