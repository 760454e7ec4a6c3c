"""Whatever a venue answers with status 200: no order is taken for acknowledged or for absent that is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedged.errors import VenueError
from hedged.model.order import Absent, Accepted, Found, OpenOrder, Unknown
from tests.contract.order_venues import ETHER, VENUES, Bench, trading
from tests.contract.replies import JSON, one_field_unfit

D = Decimal


@dataclass
class Running:
    """A trading venue in a loop of its own, with one order; what each look-up shows of it, if none before has it."""

    runner: asyncio.Runner
    it: Bench
    name: str
    shown: dict[str, tuple[Any, Found | Absent | Unknown]] = field(default_factory=dict)

    def look_up(self, path: str) -> Found | Absent | Unknown:
        """The order, with the places that are read before this one not showing it."""
        places = self.it.venue.lookups
        self.it.server.blind = set(places[: places.index(path)] if path in places else ())
        return self.runner.run(self.it.orders.find_by_client_id(self.name, ETHER))


@pytest.fixture(scope="module", params=VENUES, ids=lambda venue: venue.exchange)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    with asyncio.Runner() as runner:
        opened = trading(request.param)
        it = runner.run(opened.__aenter__())
        approved = it.intent()
        assert isinstance(runner.run(it.orders.submit(approved)), Accepted)
        venue = Running(runner, it, approved.intent.client_order_id)
        for path in (*it.venue.lookups, *filter(None, [it.venue.fills])):
            found = venue.look_up(path)
            venue.shown[path] = json.loads(it.server.sent[path]), found
        it.heal()
        yield venue
        runner.run(opened.__aexit__(None, None, None))


RANDOM = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RANDOM
@given(data=st.data())
def test_a_random_reply_to_an_order_is_never_taken_for_an_acknowledgement(
    running: Running, data: st.DataObject
) -> None:
    """Whatever comes back with status 200: Accepted under the venue's own id, or not Accepted; never Rejected."""
    it, path, approved = running.it, running.it.venue.create, running.it.intent()
    (first,), name = it.desk.orders, approved.intent.client_order_id
    before = it.server.sent[path].replace(first.client_id, name)
    given_id = it.desk.venue_id(first.number + 1)
    right = json.loads(before.replace(it.desk.venue_id(first.number), given_id))
    it.server.replies[path] = json.dumps(data.draw(JSON | one_field_unfit(right), label="reply"))
    it.server.first_done.add(path)
    it.desk.set_position(it.venue.market_id, -1000 * it.venue.lot, D(3000))
    outcome = running.runner.run(it.orders.submit(approved))
    it.heal()
    placed = it.desk.orders.pop()
    assert (placed.client_id, it.desk.venue_id(placed.number)) == (name, given_id)
    assert outcome == Accepted(name, given_id) or isinstance(outcome, Unknown), outcome


@RANDOM
@given(data=st.data())
def test_a_random_reply_to_a_look_up_is_never_absent(running: Running, data: st.DataObject) -> None:
    """Of an order that is there, with a place that answers anything at all: right as far as it is told, or Unknown."""
    it = running.it
    for path, (shown, right) in running.shown.items():
        reply = json.dumps(data.draw(JSON | one_field_unfit(shown), label=path))
        if reply != "[]" and not is_by_hand(it, reply):  # what means 'none' on some of these paths
            it.server.replies[path] = reply
            assert_right_or_unknown(running.look_up(path), right)
            it.heal()


def is_by_hand(it: Bench, reply: str) -> bool:
    """Whether it has the row of an order that nobody gave an id of ours."""
    return any(f'"{it.orders._dialect.names.client_id}": {blank}' in reply for blank in it.venue.by_hand)


def assert_right_or_unknown(found: Found | Absent | Unknown, right: Found | Absent | Unknown) -> None:
    if isinstance(found, Unknown):
        return
    assert isinstance(found, Found), found
    assert isinstance(right, Found)
    assert (found.status, found.filled, found.venue_order_id) == (right.status, right.filled, right.venue_order_id)
    assert found.average_price in {right.average_price, None}
    assert found.fee in {right.fee, None}


@RANDOM
@given(data=st.data())
def test_a_random_reply_about_open_orders_hides_none(running: Running, data: st.DataObject) -> None:
    """Whatever the list answers: an error, or the order that waits there as it is, ours and as much of it as it is."""
    it, venue = running.it, running.it.venue
    order = it.desk.orders[0]
    order.status, filled = "open", order.filled
    order.filled, order.average = D(0), D(0)
    try:
        right = running.runner.run(it.orders.open_orders(ETHER))
        shown = json.loads(it.server.sent[venue.waiting])
        reply = json.dumps(data.draw(JSON | one_field_unfit(shown), label="reply"))
        it.server.replies[venue.waiting] = reply
        try:
            found = running.runner.run(it.orders.open_orders(ETHER))
        except VenueError:
            return
        assert reply == "[]" or is_by_hand(it, reply) or _as_far_as_told(found) == _as_far_as_told(right)
    finally:
        it.heal()
        order.status, order.filled, order.average = "filled", filled, D(3000)


def _as_far_as_told(orders: tuple[OpenOrder, ...]) -> list[OpenOrder]:
    """Without the price: a venue that leaves it blank has none, as that of an order at market."""
    return [replace(order, price=None) for order in orders]


# what says that it is armed, for 30 seconds where the venue repeats that
CONFIRMS: dict[str, Callable[[Any], bool]] = {
    "binance": lambda reply: (reply["symbol"], D(reply["countdownTime"])) == ("ETHUSDT", 30_000),
    "okx": lambda reply: reply["data"][0].get("tag", "hedged") == "hedged" and D(reply["data"][0]["triggerTime"]) > 0,
    "bingx": lambda reply: bool(reply["data"]["status"] == "ACTIVATED"),
    "gate": lambda reply: D(reply["trigger_time"]) > 0,
}


@RANDOM
@given(data=st.data())
def test_a_random_reply_to_a_countdown_does_not_arm_it(running: Running, data: st.DataObject) -> None:
    """Whatever comes back: an error, unless it says what the venue says of a countdown that runs."""
    it, path = running.it, running.it.venue.countdown
    if path is None:
        return
    running.runner.run(it.orders.arm_countdown(30, [ETHER]))
    right = json.loads(it.server.sent[path])
    reply = data.draw(JSON | one_field_unfit(right), label="reply")
    it.server.replies[path] = json.dumps(reply)
    try:
        armed = running.runner.run(it.orders.arm_countdown(30, [ETHER]))
    except VenueError:
        return
    finally:
        it.heal()
    assert armed == {ETHER}
    assert CONFIRMS[it.venue.exchange](reply)
