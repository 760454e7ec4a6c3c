"""Whatever a venue answers with status 200: no order is taken for acknowledged or for absent that is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedged.model.order import Accepted, Found, Unknown
from tests.contract.bingx_replies import JSON, one_field_unfit
from tests.contract.order_venues import ETHER, VENUES, Bench, trading

D = Decimal


@pytest.fixture(scope="module", params=VENUES, ids=lambda venue: venue.exchange)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[asyncio.Runner, Bench]]:
    """A trading venue for many examples, in a loop of its own."""
    with asyncio.Runner() as runner:
        opened = trading(request.param)
        it = runner.run(opened.__aenter__())
        yield runner, it
        runner.run(opened.__aexit__(None, None, None))


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
