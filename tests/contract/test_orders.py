"""The writing calls, venue by venue: an order is where the outcome says, and there is never a second one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedged.adapters.exchanges.ccxt_orders import within
from hedged.adapters.exchanges.dialects import order_dialects
from hedged.adapters.exchanges.guard import NotAllowed
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, Found, OrderStatus, Rejected, Side, Unknown
from tests.contract.bingx_replies import JSON, one_field_unfit
from tests.contract.order_venues import ETHER, VENUES, Bench, OrderVenue, trading
from tests.venues.server import BODIES, STATUSES

D = Decimal
EVERY = pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.exchange)

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
        await it.orders.find_by_client_id(it.new_id(), ETHER)  # the venue's time is known
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
    found = await it.orders.find_by_client_id(name, ETHER)
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
    """A refusal that comes before the order is looked at is final; so is one for the time, which is measured anew."""
    async with trading(venue) as it:
        it.strike(venue.create, f"code:{venue.shut_out}")
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert venue.shut_out in outcome.reason
        it.heal()
        late = it.intent()
        it.orders._exchange.options["timeDifference"] = 3_600_000  # signs with a time of an hour ago
        outcome = await it.orders.submit(late)
        assert isinstance(outcome, Rejected), outcome
        assert not it.placed(late.intent.client_order_id)
        assert isinstance(await it.orders.submit(late), Accepted)


@EVERY
async def test_a_refusal_is_not_final_while_the_order_could_be_there(venue: OrderVenue) -> None:
    """A white-listed code whose look-up fails leaves the order unknown."""
    async with trading(venue) as it:
        it.strike(venue.create, f"code:{venue.believed}")
        for path in venue.lookups:
            it.strike(path, "html")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)


@EVERY
async def test_a_look_up_tells_absent_only_if_every_place_was_read(venue: OrderVenue) -> None:
    """With no such order each place in turn misbehaves: Unknown, never Absent."""
    async with trading(venue) as it:
        name = it.new_id()
        assert await it.orders.find_by_client_id(name, ETHER) == Absent(name)
        legitimate = {"list", "object"}  # an empty list is an answer; `object` is one where the shape says so
        for path in venue.lookups:
            for fault in (*SILENT, "truncated", f"code:{venue.unbelieved}", f"code:{venue.believed}"):
                it.strike(path, fault)
                if fault == "hang":
                    it.patience(0.3)
                found = await it.orders.find_by_client_id(name, ETHER)
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
        right = await it.orders.find_by_client_id(name, ETHER)
        assert isinstance(right, Found)
        for path in venue.lookups:
            for fault in (*STATUSES, *BODIES, "drop", "reset", f"code:{venue.unbelieved}"):
                if fault == "list" and it.server.sent.get(path, "").startswith("["):
                    continue  # a venue that shows an empty list says that there is none
                it.strike(path, fault)
                found = await it.orders.find_by_client_id(name, ETHER)
                it.heal()
                assert found == right or isinstance(found, Unknown), (path, fault, found)


@EVERY
async def test_what_is_found_is_the_venues_truth(venue: OrderVenue) -> None:
    """Filled, half filled, not filled, waiting and cancelled: status, contracts, price and fee are the venue's."""
    async with trading(venue) as it:

        async def found(**how: Any) -> tuple[Found, Any]:
            approved = it.intent(quantity=it.venue.lot * 10, **how)
            outcome = await it.orders.submit(approved)
            assert isinstance(outcome, Accepted), outcome
            (placed,) = it.placed(approved.intent.client_order_id)
            shown = await it.orders.find_by_client_id(placed.client_id, ETHER)
            assert isinstance(shown, Found), shown
            assert shown.venue_order_id == outcome.venue_order_id == it.desk.venue_id(placed.number)
            assert shown.fee == (placed.fee if placed.filled else None)
            return shown, placed

        whole, _ = await found()
        assert (whole.status, whole.filled, whole.average_price) == (OrderStatus.FILLED, venue.lot * 10, D(3000))
        assert whole.ended
        assert whole.fee_asset == "USDT"

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

        cancelled = await it.orders.cancel(placed.client_id, ETHER)
        assert isinstance(cancelled, Found)
        assert (cancelled.status, cancelled.filled) == (OrderStatus.CANCELLED, venue.lot * 5)
        assert await it.orders.cancel("hd" + "f" * 24, ETHER) == Absent("hd" + "f" * 24)


@EVERY
async def test_a_fee_that_cannot_be_read_does_not_hide_the_order(venue: OrderVenue) -> None:
    """What is filled is known also where the fills are not told: the fee is None, not zero."""
    if venue.fills is None:
        return
    async with trading(venue) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        it.strike(venue.fills, "html")
        found = await it.orders.find_by_client_id(approved.intent.client_order_id, ETHER)
        assert isinstance(found, Found)
        assert (found.filled, found.fee, found.fee_asset) == (venue.lot, None, None)


@EVERY
async def test_contracts_are_sent_in_the_venues_unit(venue: OrderVenue) -> None:
    """A quantity in contracts moves the venue's position by as many coins, or dollars, as it stands for."""
    async with trading(venue) as it:
        listed = (await it.reader.markets()).instruments
        contract = listed[ETHER]
        assert contract.base_quantity(venue.lot, D(3000)) == D("0.01")
        held = it.desk.position(venue.market_id)
        await it.orders.submit(it.intent())
        moved = it.desk.position(venue.market_id) - held
        assert contract.multiplier * moved == D("0.01")
        if venue.inverse is not None:
            instrument, market_id, contracts = venue.inverse
            inverse, mark = listed[instrument], it.desk.mark(market_id)
            assert inverse.notional(contracts, mark) == 1000
            held = it.desk.position(market_id)
            short = it.intent(
                instrument=instrument, quantity=contracts, side=Side.SELL, limit=mark * D("0.995"), reduce_only=False
            )
            outcome = await it.orders.submit(short)
            assert isinstance(outcome, Accepted), outcome
            assert it.desk.position(market_id) - held == -contracts
            shown = await it.orders.find_by_client_id(short.intent.client_order_id, instrument)
            assert isinstance(shown, Found)
            assert (shown.filled, shown.average_price) == (contracts, mark)
            assert shown.fee_asset == inverse.base


@EVERY
async def test_a_reduction_says_so_and_the_price_is_no_worse_than_the_limit(venue: OrderVenue) -> None:
    """Reduce-only is sent, and kept by the venue; the limit goes to the tick on the safe side; nothing is at market."""
    async with trading(venue) as it:
        await it.orders.submit(it.intent(limit=D("3015.0199")))
        await it.orders.submit(it.intent(side=Side.SELL, limit=D("2985.0101"), reduce_only=False))
        bought, sold = it.desk.orders
        assert (bought.side, bought.price, bought.reduce_only) == ("buy", D("3015.01"), True)
        assert (sold.side, sold.price, sold.reduce_only) == ("sell", D("2985.02"), False)
        too_much = it.intent(quantity=abs(it.desk.position(venue.market_id)) * 2)
        assert isinstance(await it.orders.submit(too_much), Rejected)
        assert len(it.desk.orders) == 2
        assert not any("market" in str(value).lower() for asked in it.desk.asked for value in asked.values())


@EVERY
async def test_what_is_not_whole_never_leaves(venue: OrderVenue) -> None:
    """Half lots, nothing, NaN, a limit below the first tick, another id or market: rejected before a byte is sent."""
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        it.server.requests.clear()
        contract = (await it.reader.markets()).instruments[ETHER]
        wrong = [
            it.intent(quantity=contract.lot_size / 2),
            it.intent(quantity=venue.lot + D("1e-18")),
            it.intent(quantity=D(0)),
            it.intent(quantity=-venue.lot),
            it.intent(quantity=D("NaN")),
            it.intent(quantity=D("sNaN")),
            it.intent(quantity=D("Infinity")),
            it.intent(quantity=D("1e40")),
            it.intent(limit=D("NaN")),
            it.intent(limit=D("0.0000001")),
            it.intent(limit=D(0)),
            it.intent("another id"),
            it.intent("hd" + "A" * 24),
            it.intent(instrument=InstrumentId("main:NOPE/USDT:USDT")),
            it.intent(instrument=InstrumentId("other:ETH/USDT:USDT")),
        ]
        for approved in wrong:
            outcome = await it.orders.submit(approved)
            assert isinstance(outcome, Rejected), approved
            assert outcome.reason.startswith("nothing was sent"), outcome
        assert it.server.requests == []
        assert it.desk.orders == []


@EVERY
async def test_only_what_the_gate_has_approved_gets_in(venue: OrderVenue) -> None:
    """A bare intent is a programmer's mistake, and sends nothing."""
    async with trading(venue) as it:
        with pytest.raises(TypeError, match="approved"):
            await it.orders.submit(it.intent().intent)  # type: ignore[arg-type]
        assert not it.server.writes


@EVERY
async def test_the_line_that_reads_cannot_trade_and_the_other_way_round(venue: OrderVenue) -> None:
    """Each line sends what is on its own list: no order by the reader, no wallet and no withdrawal by the trader."""
    async with trading(venue) as it:
        dialect = order_dialects()[venue.exchange]
        reading = it.reader._line.dialect.endpoints
        writing = {key for key in dialect.endpoints if key[0] != "GET"}
        assert writing
        assert not writing & set(reading)
        it.server.requests.clear()
        method, path = venue.create.split(" ")
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await it.reader._line.connection.exchange.fetch(f"https://venue.example{path}", method)
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await it.orders._exchange.fetch("https://venue.example/sapi/v1/capital/withdraw/apply", "POST")
        assert it.server.requests == []


@EVERY
async def test_nothing_is_sent_twice_behind_our_back(venue: OrderVenue) -> None:
    """On a connection that drops, an order and a look-up arrive once each."""
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        for path in (venue.create, *venue.lookups):
            it.strike(path, "drop")
        it.server.requests.clear()
        await it.orders.submit(it.intent())
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        asked = [f"{method} {it.server.named(path)}" for method, path in it.server.requests]
        assert sorted(asked) == sorted((venue.create, *venue.lookups))


@EVERY
async def test_an_order_does_not_wait_behind_polling(venue: OrderVenue) -> None:
    """With the reader's rate limit spent and waiting for ever, an order goes out at once."""
    async with trading(venue) as it:
        never = asyncio.Event()

        async def wait(_: float) -> None:
            await never.wait()

        it.clock.sleep = wait  # type: ignore[method-assign]
        polling = asyncio.create_task(it.reader._line.connection.exchange.throttle(1e9))
        await asyncio.sleep(0)
        behind = asyncio.create_task(it.reader._line.connection.exchange.throttle(1))
        outcome = await asyncio.wait_for(it.orders.submit(it.intent()), 5)
        assert isinstance(outcome, Accepted)
        assert not polling.done()
        assert not behind.done()
        for task in (polling, behind):
            task.cancel()


@EVERY
async def test_a_venue_that_asked_for_rest_is_not_asked(venue: OrderVenue) -> None:
    """After a 429 the next order is not sent, which is certain, and a look-up is unknown."""
    async with trading(venue) as it:
        it.strike(venue.create, "429")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)
        it.server.faults.clear()
        it.server.requests.clear()
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert outcome.reason.startswith("nothing was sent")
        assert isinstance(await it.orders.find_by_client_id(it.new_id(), ETHER), Unknown)
        assert it.server.requests == []


@EVERY
async def test_no_secret_is_in_any_outcome(venue: OrderVenue) -> None:
    """Keys, signatures and addresses are in no reason, also where the venue repeats what it was sent."""
    async with trading(venue) as it:
        await it.orders.find_by_client_id(it.new_id(), ETHER)
        said = []
        echo = json.dumps(venue.no(venue.unbelieved)).replace(
            '"no"', json.dumps(f"no: https://x/?signature={'a' * 64} {' '.join(venue.keys.values())}")
        )
        for fault in (*STATUSES, "drop", "html", "echo", f"code:{venue.shut_out}"):
            for path in (venue.create, *venue.lookups):
                if fault == "echo":
                    it.server.replies[path] = echo
                else:
                    it.strike(path, fault)
            said.append(await it.orders.submit(it.intent()))
            said.append(await it.orders.find_by_client_id(it.new_id(), ETHER))
            it.heal()
        said += [it.orders, vars(it.orders)]
        for secret in (*venue.keys.values(), "signature=", "://"):
            assert secret not in repr(said), secret


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


@pytest.fixture(scope="module", params=VENUES, ids=lambda venue: venue.exchange)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[asyncio.Runner, Bench]]:
    """A trading venue for many examples, in a loop of its own."""
    with asyncio.Runner() as runner:
        opened: AsyncIterator[Bench] = trading(request.param)
        it = runner.run(opened.__aenter__())  # type: ignore[attr-defined]
        yield runner, it
        runner.run(opened.__aexit__(None, None, None))  # type: ignore[attr-defined]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_random_reply_to_an_order_is_never_taken_for_an_acknowledgement(
    running: tuple[asyncio.Runner, Bench], data: st.DataObject
) -> None:
    """Whatever comes back with status 200: Accepted under the venue's own id, or not Accepted; never Rejected."""
    runner, it = running
    path = it.venue.create
    it.desk.set_position(it.venue.market_id, -1000 * it.venue.lot, D(3000))
    if path not in it.server.sent:
        assert isinstance(runner.run(it.orders.submit(it.intent())), Accepted)
    approved, (first, *_, last) = it.intent(), [it.desk.orders[0], *it.desk.orders]
    name, number = approved.intent.client_order_id, last.number + 1
    before = it.server.sent[path].replace(first.client_id, name)
    right = json.loads(before.replace(it.desk.venue_id(first.number), it.desk.venue_id(number)))
    it.server.replies[path] = json.dumps(data.draw(JSON | one_field_unfit(right), label="reply"))
    it.server.first_done.add(path)
    outcome = runner.run(it.orders.submit(approved))
    it.heal()
    assert it.placed(name)[0].number == number
    assert outcome == Accepted(name, it.desk.venue_id(number)) or isinstance(outcome, Unknown), outcome


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_random_reply_to_a_look_up_is_never_absent(
    running: tuple[asyncio.Runner, Bench], data: st.DataObject
) -> None:
    """Of an order that is there, with a place that answers anything at all: right as far as it is told, or Unknown."""
    runner, it = running
    it.desk.set_position(it.venue.market_id, -1000 * it.venue.lot, D(3000))
    approved = it.intent()
    name = approved.intent.client_order_id
    it.desk.orders.clear()
    runner.run(it.orders.submit(approved))
    right = runner.run(it.orders.find_by_client_id(name, ETHER))
    assert isinstance(right, Found)
    for path in (*it.venue.lookups, *filter(None, [it.venue.fills])):
        if path not in it.server.sent:
            continue  # the order was found before this place was read
        reply = json.dumps(data.draw(JSON | one_field_unfit(json.loads(it.server.sent[path])), label=path))
        if reply == "[]" or ': ""' in reply:
            continue  # an empty list, and a blank, are what some venues say for none
        it.server.replies[path] = reply
        found = runner.run(it.orders.find_by_client_id(name, ETHER))
        it.heal()
        if isinstance(found, Unknown):
            continue
        assert isinstance(found, Found), found
        assert (found.status, found.filled, found.venue_order_id) == (right.status, right.filled, right.venue_order_id)
        assert found.average_price in {right.average_price, None}
        assert found.fee in {right.fee, None}


@pytest.mark.parametrize(
    ("limit", "tick", "buy", "sell"),
    [
        ("3015", "0.01", "3015", "3015"),
        ("2999.9999999999999999999999999", "0.05", "2999.95", "3000.00"),
        ("0.7", "0.5", "0.5", "1.0"),
        ("3000.05", "0.1", "3000.0", "3000.1"),
    ],
)
def test_a_limit_goes_to_the_tick_on_the_safe_side(limit: str, tick: str, buy: str, sell: str) -> None:
    """A buy never pays more and a sale never takes less than the limit, to the last digit."""
    assert within(D(limit), D(tick), Side.BUY) == D(buy) <= D(limit)
    assert within(D(limit), D(tick), Side.SELL) == D(sell) >= D(limit)
