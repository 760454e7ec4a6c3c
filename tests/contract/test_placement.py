"""From the journal to the venue and back: under every fault an intent ends in one order, or in a refusal that is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from hedged.act import Reconciler, submit_all
from hedged.act.brake import Brake
from hedged.act.reconcile import to_send_again
from hedged.adapters.exchanges.live import LiveGateway
from hedged.adapters.store.memory import MemoryStore
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Cancelled, Fill, Outcome, Placement, Rejected, Unknown
from hedged.model.policy import World
from hedged.ports import Memory
from tests.contract.order_venues import ETHER, EVERY, Bench, OrderVenue, trading
from tests.venues.server import BODIES, STATUSES

D = Decimal

SILENT = ("hang", "drop", "reset", *STATUSES, *BODIES)
CYCLES = 9  # after which every order has to have an end: one venue takes what is a minute old


@dataclass
class Desk:
    """One account's journal and gateway, and what its cycles read of the position."""

    it: Bench
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.gateway = LiveGateway(self.it.orders, self._listed, self.it.clock)
        self.reconciler = Reconciler(self.it.clock)
        self.brake = Brake(self.store)

    async def _listed(self, instrument: InstrumentId) -> Instrument | None:
        return (await self.it.reader.markets()).instruments.get(instrument)

    def approved(self) -> ApprovedIntent:
        """0.01 ETH bought back, with the position it was decided on."""
        approved = self.it.intent()
        return replace(approved, intent=replace(approved.intent, held=self._held()))

    def _held(self) -> Decimal:
        return self.it.desk.position(self.it.venue.market_id)

    async def send(self, approved: ApprovedIntent) -> Outcome:
        outcomes, trouble = await submit_all(
            [approved], {"main": self.gateway}, self.store, self.brake, cycle_id="c", clock=self.it.clock
        )
        assert trouble is None
        return outcomes[0]

    async def cycles(self, number: int = CYCLES) -> list[Outcome | Absent]:
        """So many cycles, each reading the position after it looked the order up; what came to an end in them."""
        ended: list[Outcome | Absent] = []
        memory = Memory()
        for _ in range(number):
            now = self.it.clock.now()
            found = await self.reconciler.reconcile({"main": self.gateway}, self.store, memory, now)
            ended += [outcome for _, outcome in found]
            memory = Memory(at=now, read_at={"main": now}, positions={ETHER: self._held()})
            self.it.clock.advance(11)
        return ended


async def _opened(it: Bench) -> Desk:
    desk = Desk(it)
    await desk.store.open("p", World.REAL, it.clock.now())
    await it.orders.find_by_client_id(it.new_id(), ETHER)  # the venue's time is known
    return desk


@EVERY
@pytest.mark.parametrize("taken", [False, True], ids=["not taken", "taken"])
async def test_an_intent_ends_in_one_order_or_a_known_rejection(venue: OrderVenue, taken: bool) -> None:
    """Whatever comes back of it; what was not taken is sent again under its id, and then it is there once."""
    said_no = [f"code:{code}" for code in (venue.believed, venue.unbelieved, venue.duplicate) if code]
    async with trading(venue) as it:
        desk = await _opened(it)
        for fault in (*SILENT, *said_no):
            approved = desk.approved()
            name = approved.intent.client_order_id
            it.strike(venue.create, fault)
            if taken:
                it.server.first_done.add(venue.create)
            if fault == "hang":
                it.patience(0.4)
            outcome = await desk.send(approved)
            it.patience(9.0)
            it.heal()
            ends = [outcome, *await desk.cycles()]
            assert await desk.store.open_orders() == [], fault
            if isinstance(outcome, Rejected):
                assert not it.placed(name), fault
                continue
            end = ends[-1]
            if taken:
                assert isinstance(end, Fill), (fault, ends)
                assert end.quantity == it.placed(name)[0].filled
                assert not end.estimated
            else:
                assert end == Absent(name), (fault, ends)
                again = to_send_again(await desk.store.past_orders(it.clock.now().replace(year=2000)))[ETHER]
                assert again.client_order_id == name, fault
                assert isinstance(await desk.send(approved), Fill), fault
            assert len(it.placed(name)) == 1, fault


@EVERY
async def test_an_order_that_cannot_be_looked_up_stays_open(venue: OrderVenue) -> None:
    """No page of the venue may be missing: until all are read nothing is believed, and nothing else trades there."""
    async with trading(venue) as it:
        desk = await _opened(it)
        approved = desk.approved()
        it.strike(venue.create, "drop")
        assert isinstance(await desk.send(approved), Unknown)
        for path in venue.lookups:
            it.strike(path, "html")
        assert await desk.cycles() == []
        (row,) = await desk.store.open_orders()
        assert row.absences == 0
        it.heal()
        assert await desk.cycles() == [Absent(approved.intent.client_order_id)]


@EVERY
async def test_an_absent_order_whose_position_moved_is_filled_by_what_it_moved(venue: OrderVenue) -> None:
    """The venue does not show the order, and the position is what it would have made of it: an estimated fill."""
    async with trading(venue) as it:
        desk = await _opened(it)
        approved = desk.approved()
        it.strike(venue.create, "drop")
        it.server.first_done.add(venue.create)
        assert isinstance(await desk.send(approved), Unknown)
        it.heal()
        it.desk.orders.clear()  # forgotten, as venues do after a while
        (end,) = await desk.cycles()
        assert isinstance(end, Fill)
        assert (end.quantity, end.estimated) == (approved.intent.quantity, True)


@EVERY
async def test_a_part_is_what_was_filled_and_nothing_offered_is_no_fill(venue: OrderVenue) -> None:
    """An order that takes what is there: half of it; then nothing at all, which is neither a fill nor a rejection."""
    async with trading(venue) as it:
        desk = await _opened(it)
        it.desk.fraction = D("0.5")
        whole = desk.approved()
        double = replace(whole, intent=replace(whole.intent, quantity=2 * whole.intent.quantity))
        filled = await desk.send(double)
        assert isinstance(filled, Fill)
        assert filled.quantity == whole.intent.quantity
        it.desk.fraction = D(0)
        assert isinstance(await desk.send(desk.approved()), Cancelled)
        assert await desk.store.open_orders() == []


@EVERY
async def test_an_order_that_rests_all_the_same_is_taken_back(venue: OrderVenue) -> None:
    """One that should have ended at once and is seen open ends by our word, with what was filled of it."""
    async with trading(venue) as it:
        desk = await _opened(it)
        it.desk.fraction, it.desk.resting = D(0), True
        approved = desk.approved()
        assert approved.intent.placement is Placement.IOC
        await desk.send(approved)
        await desk.cycles(2)
        assert it.desk.open(venue.market_id) == []
        assert await desk.store.open_orders() == []
