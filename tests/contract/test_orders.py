"""The writing calls, venue by venue: an order is where the outcome says, and there is never a second one."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, Found, OrderStatus, Rejected, Unknown
from tests.contract.order_venues import EVERY, Bench, OrderVenue, trading
from tests.venues.server import BODIES, STATUSES

D = Decimal

# what comes back of an order that the venue may or may not have taken
SILENT = ("hang", "drop", "reset", *STATUSES, *BODIES)


def expected(venue: OrderVenue, fault: str, taken: bool) -> type:
    """What `submit` has to say of an order that the venue has taken or not, and answered so."""
    if fault == f"code:{venue.believed}":
        return Accepted if taken else Rejected  # the look-up that follows tells
    if fault == f"code:{venue.duplicate}":
        return Accepted if taken else Unknown
    return Unknown


@EVERY
@pytest.mark.parametrize("taken", [False, True], ids=["not taken", "taken"])
async def test_the_outcome_of_an_order_is_never_wrong(venue: OrderVenue, taken: bool) -> None:
    """Under every fault: Accepted only with the venue's id, Rejected only if it has none; then found, or sent again."""
    said_no = [f"code:{code}" for code in (venue.believed, venue.unbelieved, venue.duplicate) if code]
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), it.ether)  # the venue's time is known
        for fault in (*SILENT, *said_no):
            approved = it.intent()
            name = approved.intent.client_order_id
            it.strike(venue.create, fault)
            if taken:
                it.server.first_done.add(venue.create)
            if fault == "hang":
                it.patience(0.3)
            outcome = await it.orders.submit(approved)
            it.patience(9.0)
            it.heal()
            assert len(it.placed(name)) == taken, fault
            assert isinstance(outcome, expected(venue, fault, taken)), (fault, outcome)
            if isinstance(outcome, Accepted):
                assert outcome == Accepted(name, it.desk.venue_id(it.placed(name)[0].number)), fault
            await settle(it, approved, fault)


async def settle(it: Bench, approved: Any, fault: str) -> None:
    """Found if the venue has it; if not, the same id is sent again, and is there once."""
    name = approved.intent.client_order_id
    found = await it.orders.find_by_client_id(name, it.ether)
    if it.placed(name):
        assert isinstance(found, Found), (fault, found)
        assert found.status is OrderStatus.FILLED
    else:
        assert found == Absent(name), (fault, found)
        assert isinstance(await it.orders.submit(approved), Accepted), fault
    assert len(it.placed(name)) == 1, fault


@EVERY
async def test_a_truncated_acknowledgement_is_unknown_and_then_found(venue: OrderVenue) -> None:
    """Half a reply says nothing, although the order is there."""
    async with trading(venue) as it:
        approved = it.intent()
        it.strike(venue.create, "truncated")
        assert isinstance(await it.orders.submit(approved), Unknown)
        it.heal()
        await settle(it, approved, "truncated")


@EVERY
async def test_an_acknowledgement_without_the_venues_id_is_unknown(venue: OrderVenue) -> None:
    """Blank, null, zero, or a word where the id should be: the order is there, and nobody was told its id."""
    async with trading(venue) as it:
        first = it.intent()
        assert isinstance(await it.orders.submit(first), Accepted)
        number = re.escape(it.desk.venue_id(it.desk.orders[0].number))
        for bad in ('""', "null", "0", '"0"', "true", '"null"', "-5", "[]"):
            approved = it.intent()
            name = approved.intent.client_order_id
            right = it.server.sent[venue.create].replace(first.intent.client_order_id, name)
            it.server.replies[venue.create] = re.sub(f'"?{number}"?', bad, right)
            it.server.first_done.add(venue.create)
            assert isinstance(await it.orders.submit(approved), Unknown), bad
            it.heal()
            await settle(it, approved, bad)


@EVERY
async def test_a_refusal_within_a_servers_error_is_not_believed(venue: OrderVenue) -> None:
    """A white-listed code under status 503 is no 'no': the order may be there."""
    async with trading(venue) as it:
        for code in (venue.believed, venue.shut_out):
            it.strike(venue.create, f"code:{code}")
            it.server.responses[venue.create]["status"] = 503
            assert isinstance(await it.orders.submit(it.intent()), Unknown), code


@EVERY
async def test_an_order_of_a_market_that_is_not_listed_is_unknown(venue: OrderVenue) -> None:
    """A contract that was taken off, or another account's, cannot be looked up: that is not Absent."""
    async with trading(venue) as it:
        for instrument in (InstrumentId("main:GONE/USDT:USDT"), InstrumentId("other:ETH/USDT:USDT")):
            assert isinstance(await it.orders.find_by_client_id(it.new_id(), instrument), Unknown)


@EVERY
async def test_the_same_id_twice_is_one_order(venue: OrderVenue) -> None:
    """Sent again, an order that the venue has is acknowledged as what it is, or unknown where no code says so."""
    async with trading(venue) as it:
        approved = it.intent()
        first = await it.orders.submit(approved)
        again = await it.orders.submit(approved)
        assert isinstance(first, Accepted)
        assert again == first or (venue.duplicate is None and isinstance(again, Unknown))
        assert len(it.placed(approved.intent.client_order_id)) == 1


@EVERY
async def test_a_key_that_is_not_let_in_is_rejected_without_a_look(venue: OrderVenue) -> None:
    """A refusal that comes before the order is looked at is final; so is one for the time, which is measured anew.

    Where a position is read before an order, that read is what measures it, and the order goes out in time.
    """
    async with trading(venue) as it:
        it.strike(venue.create, f"code:{venue.shut_out}")
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert venue.shut_out in outcome.reason
        it.heal()
        late = it.intent()
        it.orders._exchange.options["timeDifference"] = 3_600_000  # signs with a time of an hour ago
        outcome = await it.orders.submit(late)
        if not venue.asks_first:
            assert isinstance(outcome, Rejected), outcome
            assert not it.placed(late.intent.client_order_id)
            outcome = await it.orders.submit(late)
        assert isinstance(outcome, Accepted)


@EVERY
async def test_a_refusal_is_not_final_while_the_order_could_be_there(venue: OrderVenue) -> None:
    """A white-listed code whose look-up fails leaves the order unknown."""
    async with trading(venue) as it:
        it.strike(venue.create, f"code:{venue.believed}")
        held = it.server.held[venue.create] = asyncio.Event()
        sending = asyncio.create_task(it.orders.submit(it.intent()))
        while venue.create not in [f"{method} {it.server.named(path)}" for method, path in it.server.requests]:
            await asyncio.sleep(0)
        for path in venue.lookups:  # they may have been read before as well
            it.strike(path, "html")
        held.set()
        assert isinstance(await sending, Unknown)


@EVERY
async def test_a_look_up_tells_absent_only_if_every_place_was_read(venue: OrderVenue) -> None:
    """With no such order each place in turn misbehaves: Unknown, never Absent."""
    async with trading(venue) as it:
        name = it.new_id()
        assert await it.orders.find_by_client_id(name, it.ether) == Absent(name)
        legitimate = {"list", "object"}  # an empty list is an answer; `object` is one where the shape says so
        for path in venue.lookups:
            for fault in (*SILENT, "truncated", f"code:{venue.unbelieved}", f"code:{venue.believed}"):
                it.strike(path, fault)
                if fault == "hang":
                    it.patience(0.3)
                found = await it.orders.find_by_client_id(name, it.ether)
                it.patience(9.0)
                it.heal()
                if fault == "truncated" and it.server.sent.get(path) is None:
                    continue  # this venue says by a code that there is none, and a code is not cut off here
                if fault in legitimate and json.loads(BODIES[fault]) == json.loads(it.server.sent.get(path, "0")):
                    continue
                assert isinstance(found, Unknown), (path, fault, found)


@EVERY
async def test_a_look_up_of_an_order_that_is_there_never_says_absent(venue: OrderVenue) -> None:
    """Each place in turn misbehaves: what is found elsewhere is right, else it is Unknown."""
    async with trading(venue) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        name = approved.intent.client_order_id
        right = await it.orders.find_by_client_id(name, it.ether)
        assert isinstance(right, Found)
        for path in venue.lookups:
            for fault in (*STATUSES, *BODIES, "drop", "reset", f"code:{venue.unbelieved}"):
                if fault == "list" and it.server.sent.get(path, "").startswith("["):
                    continue  # a venue that shows an empty list says that there is none
                it.strike(path, fault)
                found = await it.orders.find_by_client_id(name, it.ether)
                it.heal()
                told = replace(right, fee=None, fee_asset=None) if path == venue.fills else right
                assert found == told or isinstance(found, Unknown), (path, fault, found)


@EVERY
async def test_what_is_found_is_the_venues_truth(venue: OrderVenue) -> None:
    """Filled, half filled, not filled, waiting and cancelled: status, contracts, price and fee are the venue's."""
    async with trading(venue) as it:

        async def found(**how: Any) -> tuple[Found, Any]:
            approved = it.intent(quantity=it.venue.lot * 10, **how)
            outcome = await it.orders.submit(approved)
            assert isinstance(outcome, Accepted), outcome
            (placed,) = it.placed(approved.intent.client_order_id)
            shown = await it.orders.find_by_client_id(placed.client_id, it.ether)
            assert isinstance(shown, Found), shown
            assert shown.venue_order_id == outcome.venue_order_id == it.desk.venue_id(placed.number)
            assert shown.fee == (placed.fee if placed.filled else None)
            return shown, placed

        whole, _ = await found()
        assert (whole.status, whole.filled, whole.average_price) == (OrderStatus.FILLED, venue.lot * 10, D(3000))
        assert whole.ended
        assert whole.fee_asset == venue.settle

        it.desk.fraction = D("0.5")
        half, _ = await found()
        assert (half.filled, half.average_price) == (venue.lot * 5, D(3000))
        assert half.status in {OrderStatus.CANCELLED, OrderStatus.EXPIRED}

        none, _ = await found(limit=D(2990))
        assert (none.filled, none.average_price, none.fee) == (0, None, None)
        assert none.ended

        it.desk.resting = True
        waiting, placed = await found()
        assert (waiting.status, waiting.filled, waiting.ended) == (OrderStatus.OPEN, venue.lot * 5, False)

        cancelled = await it.orders.cancel(placed.client_id, it.ether)
        assert isinstance(cancelled, Found)
        assert (cancelled.status, cancelled.filled) == (OrderStatus.CANCELLED, venue.lot * 5)
        assert await it.orders.cancel("hd" + "f" * 24, it.ether) == Absent("hd" + "f" * 24)


@EVERY
async def test_a_fee_that_cannot_be_read_does_not_hide_the_order(venue: OrderVenue) -> None:
    """What is filled is known also where the fills are not told: the fee is None, not zero."""
    if venue.fills is None:
        return
    async with trading(venue) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        it.strike(venue.fills, "html")
        found = await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether)
        assert isinstance(found, Found)
        assert (found.filled, found.fee, found.fee_asset) == (venue.lot, None, None)


@EVERY
async def test_a_call_that_is_cancelled_leaves_its_order_to_be_looked_up(venue: OrderVenue) -> None:
    """Cancelling a submit in flight raises, and the order may be there."""
    async with trading(venue) as it:
        approved = it.intent()
        it.server.first_done.add(venue.create)
        it.strike(venue.create, "hang")
        task = asyncio.create_task(it.orders.submit(approved))
        while not it.desk.orders:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        it.heal()
        await settle(it, approved, "cancelled")
