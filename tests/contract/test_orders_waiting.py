"""Orders that wait in the book, venue by venue: never filled at once, all seen, and cleaned up by the venue if we die."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.dialects.orders import Covers
from hedged.errors import VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, Found, OpenOrder, OrderStatus, Rejected, Side, Unknown
from tests.contract.order_venues import ETHER, EVERY, VENUES, Bench, OrderVenue, trading
from tests.venues.server import BODIES, STATUSES

D = Decimal
BELOW = D(2990)  # a buy waits there
SILENT = ("hang", "drop", "reset", *STATUSES, *BODIES)
RESTING = pytest.mark.parametrize("venue", [each for each in VENUES if each.post_only], ids=lambda each: each.exchange)
COUNTING = pytest.mark.parametrize("venue", [each for each in VENUES if each.countdown], ids=lambda each: each.exchange)


async def rest(it: Bench, **how: Any) -> str:
    """A buy of ten lots that waits; its id."""
    approved = it.intent(quantity=it.venue.lot * 10, **how)
    outcome = await it.orders.submit(approved, rest_at=BELOW)
    assert isinstance(outcome, Accepted), outcome
    return approved.intent.client_order_id


@RESTING
async def test_an_order_that_waits_is_found_open_with_what_is_filled(venue: OrderVenue) -> None:
    """Nothing is filled at once; partly, wholly, or cancelled with a part of it filled: the look-up tells each."""
    async with trading(venue) as it:
        name, other = await rest(it), await rest(it)
        waiting = await it.orders.find_by_client_id(name, ETHER)
        assert isinstance(waiting, Found)
        assert (waiting.status, waiting.filled, waiting.average_price) == (OrderStatus.OPEN, 0, None)
        (placed,) = it.placed(name)
        assert (placed.price, placed.post_only) == (BELOW, True)

        it.desk.take(name, venue.lot * 3)
        partly = await it.orders.find_by_client_id(name, ETHER)
        assert isinstance(partly, Found)
        assert (partly.status, partly.filled, partly.average_price) == (OrderStatus.OPEN, venue.lot * 3, BELOW)

        ended = await it.orders.cancel(name, ETHER)
        assert isinstance(ended, Found)
        assert (ended.status, ended.filled) == (OrderStatus.CANCELLED, venue.lot * 3)

        it.desk.take(other, venue.lot * 10)
        whole = await it.orders.find_by_client_id(other, ETHER)
        assert isinstance(whole, Found)
        assert (whole.status, whole.filled) == (OrderStatus.FILLED, venue.lot * 10)


@RESTING
async def test_an_order_that_would_not_wait_is_never_filled(venue: OrderVenue) -> None:
    """At a price that the book has already, it is refused or cancelled by the venue, as that does it; nothing trades."""
    async with trading(venue) as it:
        held = it.desk.position(venue.market_id)
        approved = it.intent()
        outcome = await it.orders.submit(approved, rest_at=D(3010))
        name = approved.intent.client_order_id
        found = await it.orders.find_by_client_id(name, ETHER)
        if isinstance(outcome, Rejected):
            assert found == Absent(name)
        else:
            assert isinstance(found, Found)
            assert (found.status, found.filled) == (OrderStatus.CANCELLED, 0)
        assert it.desk.position(venue.market_id) == held
        assert await it.orders.open_orders(ETHER) == ()


@EVERY
async def test_an_order_waits_within_its_limit_or_does_not_leave(venue: OrderVenue) -> None:
    """Worse than the limit, no price at all, or a venue that has no such orders: nothing is sent."""
    async with trading(venue) as it:
        it.server.requests.clear()
        prices = [D("3015.01"), D(0), D(-1), D("NaN"), *([] if venue.post_only else [BELOW])]
        for price in prices:
            outcome = await it.orders.submit(it.intent(), rest_at=price)
            assert isinstance(outcome, Rejected), price
            assert outcome.reason.startswith("nothing was sent"), outcome
        sale = it.intent(side=Side.SELL, limit=D(3000), reduce_only=False)
        assert isinstance(await it.orders.submit(sale, rest_at=D("2999.99")), Rejected)
        assert it.server.writes == []
        assert it.orders.post_only is venue.post_only


@RESTING
@pytest.mark.parametrize("taken", [False, True], ids=["not taken", "taken"])
async def test_the_outcome_of_an_order_that_waits_is_never_wrong(venue: OrderVenue, taken: bool) -> None:
    """Under every fault: unknown, then found where the venue has it, and sent again under the same id where not."""
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        for fault in (*SILENT, f"code:{venue.unbelieved}"):
            approved = it.intent()
            name = approved.intent.client_order_id
            it.strike(venue.create, fault)
            if taken:
                it.server.first_done.add(venue.create)
            if fault == "hang":
                it.patience(0.3)
            outcome = await it.orders.submit(approved, rest_at=BELOW)
            it.patience(9.0)
            it.heal()
            assert isinstance(outcome, Unknown), (fault, outcome)
            found = await it.orders.find_by_client_id(name, ETHER)
            if taken:
                assert isinstance(found, Found), (fault, found)
                assert found.status is OrderStatus.OPEN, fault
            else:
                assert found == Absent(name), (fault, found)
                assert isinstance(await it.orders.submit(approved, rest_at=BELOW), Accepted), fault
            assert len(it.placed(name)) == 1, fault


def foreign(it: Bench, client_id: str = "", **how: Any) -> None:
    """Somebody else's sale of ten lots at 3,100, in the book."""
    order = it.desk.place(
        client_id or f"by-hand-{len(it.desk.orders)}",
        how.get("market_id", it.venue.market_id),
        "sell",
        it.venue.lot * 10,
        D(3100),
        reduce_only=False,
    )
    order.status = "open"


@EVERY
async def test_open_orders_are_ours_and_those_of_others(venue: OrderVenue) -> None:
    """Every order that waits in the instrument's book, ours by our id; what has ended is not there."""
    async with trading(venue) as it:
        assert await it.orders.open_orders(ETHER) == ()
        await it.orders.submit(it.intent())  # filled at once
        it.desk.fraction, it.desk.resting = D("0.5"), True
        ours = it.intent(quantity=venue.lot * 10)
        await it.orders.submit(ours)
        foreign(it)
        mine, by_hand = it.desk.open(venue.market_id)
        shown = await it.orders.open_orders(ETHER)
        assert sorted(shown, key=lambda order: order.venue_order_id) == [
            OpenOrder(
                ours.intent.client_order_id,
                it.desk.venue_id(mine.number),
                Side.BUY,
                venue.lot * 10,
                venue.lot * 5,
                D(3015),
            ),
            OpenOrder(None, it.desk.venue_id(by_hand.number), Side.SELL, venue.lot * 10, D(0), D(3100)),
        ]


@EVERY
async def test_open_orders_are_read_on_every_page(venue: OrderVenue) -> None:
    """With more orders than a page holds none is left out, be it the first or the last."""
    async with trading(venue) as it:
        count = 2 * (venue.page or 20) + 1
        for number in range(count):
            foreign(it, f"n{number}")
        assert len(await it.orders.open_orders(ETHER)) == count


@EVERY
async def test_open_orders_that_cannot_be_read_are_not_none(venue: OrderVenue) -> None:
    """Under every fault, with one order there and with none: an error, never a list that lacks it."""
    async with trading(venue) as it:
        for there in (False, True):
            if there:
                foreign(it)
            right = await it.orders.open_orders(ETHER)
            for fault in (*SILENT, "truncated", f"code:{venue.believed}", f"code:{venue.unbelieved}"):
                if fault == "list" and it.server.sent[venue.waiting].startswith("["):
                    continue  # a venue that shows an empty list says that there is none
                it.strike(venue.waiting, fault)
                if fault == "hang":
                    it.patience(0.3)
                with pytest.raises(VenueError):
                    await it.orders.open_orders(ETHER)
                it.patience(9.0)
                it.heal()
            assert await it.orders.open_orders(ETHER) == right
        with pytest.raises(VenueError, match="not listed"):
            await it.orders.open_orders(InstrumentId("main:GONE/USDT:USDT"))


@COUNTING
async def test_the_venue_cancels_what_is_open_unless_it_is_armed_again(venue: OrderVenue) -> None:
    """After the seconds that were asked for the orders are gone; armed again in time, or told to stop, they stay."""
    async with trading(venue) as it:
        name = await rest(it)
        limits = it.orders.countdown
        assert limits is not None

        async def status() -> OrderStatus:
            found = await it.orders.find_by_client_id(name, ETHER)
            assert isinstance(found, Found)
            return found.status

        for _ in range(3):
            assert await it.orders.arm_countdown(30, [ETHER]) == {ETHER}
            it.clock.advance(29)
            assert await status() is OrderStatus.OPEN
        assert await it.orders.arm_countdown(0, [ETHER]) == {ETHER}
        it.clock.advance(3600)
        assert await status() is OrderStatus.OPEN
        foreign(it)
        assert await it.orders.arm_countdown(limits.seconds_min, [ETHER]) == {ETHER}
        it.clock.advance(limits.seconds_min)
        assert await status() is OrderStatus.CANCELLED
        left = await it.orders.open_orders(ETHER)
        assert [order.client_order_id for order in left] == ([None] if limits.covers is Covers.OURS else [])


@COUNTING
async def test_a_countdown_that_is_not_confirmed_is_an_error(venue: OrderVenue) -> None:
    """Under every fault, and where the reply is of something else: nobody is told that the venue cleans up."""
    async with trading(venue) as it:
        assert venue.countdown is not None
        await it.orders.arm_countdown(30, [ETHER])
        right = it.server.sent[venue.countdown]
        for fault in (*SILENT, "truncated", f"code:{venue.believed}", f"code:{venue.unbelieved}"):
            it.strike(venue.countdown, fault)
            if fault == "hang":
                it.patience(0.3)
            with pytest.raises(VenueError):
                await it.orders.arm_countdown(30, [ETHER])
            it.patience(9.0)
            it.heal()
        await it.orders.arm_countdown(0, [ETHER])
        off = it.server.sent[venue.countdown]
        for seconds, reply in ((0, right), (30, off)):
            it.server.replies[venue.countdown] = reply
            with pytest.raises(VenueError):
                await it.orders.arm_countdown(seconds, [ETHER])
        it.heal()
        for seconds in (-1, 100_000):
            with pytest.raises(ValueError, match="not within"):
                await it.orders.arm_countdown(seconds, [ETHER])


async def test_a_countdown_says_whose_orders_it_cancels() -> None:
    """Those of a market, ours alone, or the account's; and where there is none, nothing is sent and nothing armed."""
    covers = {"binance": Covers.MARKET, "okx": Covers.OURS, "bingx": Covers.ACCOUNT, "gate": Covers.MARKET}
    for venue in VENUES:
        async with trading(venue) as it:
            limits = it.orders.countdown
            assert (limits.covers if limits else None) is covers.get(venue.exchange)
            assert (limits is not None) is (venue.countdown is not None)
            if limits is None:
                it.server.requests.clear()
                assert await it.orders.arm_countdown(30, [ETHER]) == frozenset()
                assert it.server.requests == []


@COUNTING
async def test_a_countdown_for_coin_margined_contracts_is_armed_or_is_said_not_to_be(venue: OrderVenue) -> None:
    """BingX has none for those: they are not among the armed ones."""
    assert venue.inverse is not None
    instrument = venue.inverse[0]
    async with trading(venue) as it:
        armed = await it.orders.arm_countdown(30, [ETHER, instrument])
        assert armed == ({ETHER} if venue.exchange == "bingx" else {ETHER, instrument})
