"""What is particular about Gate's orders: ids that may be used twice, dated contracts, expiry, and how orders end."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.dialects.orders import NotPlaced
from hedged.errors import Unreadable, VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, ApprovedIntent, Found, OpenOrder, OrderStatus, Rejected, Side, Unknown
from tests.contract.order_venues import ETHER, VENUES, Bench, trading
from tests.venues.gate_bench import DATED, INVERSE

D = Decimal
GATE = next(venue for venue in VENUES if venue.exchange == "gate")
BITCOIN = InstrumentId("main:BTC/USDT:USDT")
API = "/api/v4/futures/usdt"
DELIVERY = "/api/v4/delivery/usdt"
MARKET = {ETHER: "ETH_USDT", DATED: "ETH_USDT_20261225"}


def sale(it: Bench, instrument: InstrumentId = DATED, **how: Any) -> ApprovedIntent:
    """Ten contracts sold at the mark, or half a percent below."""
    return it.intent(instrument=instrument, quantity=D(10), side=Side.SELL, limit=D(2985), reduce_only=False, **how)


async def sent(it: Bench, approved: ApprovedIntent, *, rest_at: Decimal | None = None) -> str:
    outcome = await it.orders.submit(approved, rest_at=rest_at)
    assert isinstance(outcome, Accepted), outcome
    return approved.intent.client_order_id


async def test_a_dated_order_is_found_in_the_lists_and_cancelled_by_the_venues_id() -> None:
    """There is no query by our id: filled, waiting and cancelled ones are told by the open and the finished orders."""
    async with trading(GATE) as it:
        filled = await sent(it, sale(it))
        found = await it.orders.find_by_client_id(filled, DATED)
        assert isinstance(found, Found)
        assert (found.status, found.filled, found.average_price) == (OrderStatus.FILLED, 10, 3000)
        assert (found.fee, found.fee_asset) == (it.placed(filled)[0].fee, "USDT")
        assert it.desk.position(MARKET[DATED]) == -10
        waiting = await sent(it, sale(it), rest_at=D(3100))
        (placed,) = it.placed(waiting)
        assert await it.orders.open_orders(DATED) == (
            OpenOrder(waiting, str(placed.number), Side.SELL, D(10), D(0), D(3100)),
        )
        cancelled = await it.orders.cancel(waiting, DATED)
        assert isinstance(cancelled, Found)
        assert (cancelled.status, cancelled.filled) == (OrderStatus.CANCELLED, 0)
        it.server.requests.clear()
        assert await it.orders.cancel("hd" + "f" * 24, DATED) == Absent("hd" + "f" * 24)
        assert it.server.writes == []
        assert not any(f"{DELIVERY}/orders/" in path for method, path in it.server.requests if method == "GET")


async def test_a_dated_order_is_searched_for_on_every_page_of_the_finished_ones() -> None:
    """Behind two hundred newer ones it is found; in a list that does not end it is unknown, and never absent."""
    async with trading(GATE) as it:
        first = await sent(it, sale(it))
        for number in range(230):
            it.desk.place(f"n{number}", MARKET[DATED], "sell", D(1), D(2985), reduce_only=False)
        assert isinstance(await it.orders.find_by_client_id(first, DATED), Found)
        page = json.loads(it.server.sent[f"GET {DELIVERY}/orders"])
        assert len(page) == 31
        row = page[0]
        asked = iter(range(10_000_000, 20_000_000))
        rows = [{**row, "id": next(asked), "text": "t-another"} for _ in range(100)]
        it.server.replies[f"GET {DELIVERY}/orders"] = json.dumps(rows)
        assert isinstance(await it.orders.find_by_client_id(it.new_id(), DATED), Unknown)


@pytest.mark.parametrize("instrument", [ETHER, DATED], ids=["perpetual", "dated"])
async def test_a_second_order_of_an_id_is_not_sent(instrument: InstrumentId) -> None:
    """The venue would take it: whoever sends an id again is told of the order that is there, filled or waiting."""
    async with trading(GATE) as it:
        for rest_at in (None, D(3100)):
            approved = sale(it, instrument)
            name = await sent(it, approved, rest_at=rest_at)
            (placed,) = it.placed(name)
            it.server.requests.clear()
            for seconds in (0, 70):  # by its id the venue shows it for a minute after its end
                it.clock.advance(seconds)
                assert await it.orders.submit(approved, rest_at=rest_at) == Accepted(name, str(placed.number))
                assert it.server.writes == []
        it.desk.place(name, MARKET[instrument], "sell", D(1), D(2985), reduce_only=False)
        assert len(it.placed(name)) == 2, "or the venue refuses it, and this shows nothing"


@pytest.mark.parametrize("instrument", [ETHER, DATED], ids=["perpetual", "dated"])
async def test_a_history_however_long_keeps_no_order_from_leaving(instrument: InstrumentId) -> None:
    """Asked for is the newest of it alone; a look-up reads back for days, and what they do not end in is unknown."""
    async with trading(GATE) as it:
        for number in range(1000):
            it.desk.place(f"n{number}", MARKET[instrument], "sell", D(1), D(2985), reduce_only=False)
        it.server.requests.clear()
        name = await sent(it, it.intent(instrument=instrument))
        assert [method for method, _ in it.server.requests].count("GET") <= 4, "the time, and a page of each list"
        assert isinstance(await it.orders.find_by_client_id(it.new_id(), instrument), Unknown)
        it.clock.advance(4 * 86400)
        later = await sent(it, it.intent(instrument=instrument))
        for number in range(120):
            it.desk.place(f"l{number}", MARKET[instrument], "sell", D(1), D(2985), reduce_only=False)
        it.clock.advance(70)
        assert isinstance(await it.orders.find_by_client_id(later, instrument), Found)
        it.server.requests.clear()
        absent = it.new_id()
        assert await it.orders.find_by_client_id(absent, instrument) == Absent(absent)
        assert len(it.server.requests) <= 9, "two pages of what has ended, twice"
        assert len(it.placed(name)) == 1


async def test_a_list_that_begins_with_the_oldest_is_read_to_its_end() -> None:
    async with trading(GATE) as it:
        for number in range(150):
            it.desk.place(f"n{number}", MARKET[DATED], "sell", D(1), D(2985), reduce_only=False)
            it.clock.advance(60)
        it.clock.advance(4 * 86400)
        name = await sent(it, sale(it))
        listed = it.desk._list  # type: ignore[attr-defined]

        def oldest_first(asked: dict[str, Any]) -> Any:
            start = int(asked["offset"])
            return listed({**asked, "offset": "0", "limit": "1000"})[::-1][start : start + int(asked["limit"])]

        it.desk._list = oldest_first  # type: ignore[attr-defined]
        assert isinstance(await it.orders.find_by_client_id(name, DATED), Found)


async def test_no_order_leaves_while_its_id_cannot_be_asked_for() -> None:
    """It might be there already: nothing is sent, in words."""
    async with trading(GATE) as it:
        for reply in ("<html>", "{}", "[]"):
            it.server.replies[f"GET {API}/orders/id"] = reply
            outcome = await it.orders.submit(it.intent())
            assert isinstance(outcome, Rejected), reply
            assert not outcome.sent
            assert outcome.reason.startswith("nothing was sent"), outcome
        assert it.server.writes == []


async def test_a_perpetuals_order_expires_and_any_is_held_for_possible_for_a_minute() -> None:
    """The venue takes what was signed up to a minute ago; a header shortens that for perpetuals, and there only."""
    async with trading(GATE) as it:
        for approved in (it.intent(), sale(it)):
            await sent(it, approved)
        now = it.desk.venue.now()
        assert it.desk.until == [str(now + 5000), None]
        assert it.orders.valid_for == 60


async def test_what_was_not_filled_is_found_in_the_list_when_its_id_is_forgotten() -> None:
    """After a minute the query by our id knows nothing of it, after ten the lists do not either."""
    async with trading(GATE) as it:
        name = await sent(it, it.intent(limit=D(2990)))
        for minutes, said in ((0, Found), (2, Found), (11, Absent)):
            it.clock.advance(60 * minutes)
            found = await it.orders.find_by_client_id(name, ETHER)
            assert isinstance(found, said), minutes
            if isinstance(found, Found):
                assert (found.status, found.filled) == (OrderStatus.EXPIRED, 0)
        filled = await sent(it, it.intent())
        it.clock.advance(3600)
        assert isinstance(await it.orders.find_by_client_id(filled, ETHER), Found)


@pytest.mark.parametrize(("instrument", "quantity", "size"), [(ETHER, "1.5", "-1.5"), (BITCOIN, "3", -3)])
async def test_sizes_are_text_where_parts_of_contracts_trade(
    instrument: InstrumentId, quantity: str, size: object
) -> None:
    """And whole numbers elsewhere; what is sold is below zero, and the price is text."""
    async with trading(GATE) as it:
        mark = it.desk.mark(instrument.split(":")[1].replace("/", "_"))
        short = it.intent(
            instrument=instrument, quantity=D(quantity), side=Side.SELL, limit=mark * D("0.99"), reduce_only=False
        )
        name = await sent(it, short)
        asked = it.desk.asked[-1]
        assert (asked["size"], asked["text"], asked["tif"], asked["reduce_only"]) == (size, f"t-{name}", "ioc", False)
        assert isinstance(asked["price"], str)


async def test_fills_of_an_order_that_is_not_shown_are_not_absent() -> None:
    """The newest fills are the last place that is asked: one that carries our id makes the order unknown."""
    async with trading(GATE) as it:
        name = await sent(it, it.intent())
        it.server.blind = set(GATE.lookups[:3])
        found = await it.orders.find_by_client_id(name, ETHER)
        assert isinstance(found, Unknown)
        assert "fills of an order that is not shown" in found.reason
        it.server.blind = set(GATE.lookups)
        assert await it.orders.find_by_client_id(name, ETHER) == Absent(name)


async def test_a_segment_whose_account_does_not_exist_has_no_orders_and_takes_none() -> None:
    """Nothing was ever moved into it: a refusal that is final, and no order that has to be looked up for ever."""
    async with trading(GATE) as it:
        for instrument, segment in ((DATED, "delivery/usdt"), (INVERSE, "futures/btc")):
            del it.desk.venue.futures[segment]
            limit = it.desk.mark("BTC_USD") * D("0.99") if instrument == INVERSE else D(2985)
            short = it.intent(instrument=instrument, quantity=D(10), side=Side.SELL, limit=limit, reduce_only=False)
            outcome = await it.orders.submit(short)
            assert isinstance(outcome, Rejected), outcome
            assert "USER_NOT_FOUND" in outcome.reason
            name = short.intent.client_order_id
            assert await it.orders.find_by_client_id(name, instrument) == Absent(name)
            assert await it.orders.open_orders(instrument) == ()


async def test_a_fee_that_points_paid_is_not_known() -> None:
    """Points are no coin: what they cost is told by nobody."""
    async with trading(GATE) as it:
        name = await sent(it, it.intent())
        await it.orders.find_by_client_id(name, ETHER)
        fills = json.loads(it.server.sent[f"GET {API}/my_trades"])
        for change, fee in (({}, it.placed(name)[0].fee), ({"point_fee": "0.01"}, None), ({"size": "0.4"}, None)):
            it.server.replies[f"GET {API}/my_trades"] = json.dumps([fills[0], {**fills[1], **change}])
            found = await it.orders.find_by_client_id(name, ETHER)
            assert isinstance(found, Found)
            assert (found.fee, found.fee_asset) == (fee, None if fee is None else "USDT"), change


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"finish_as": "ioc", "left": "0.5"}, OrderStatus.EXPIRED),
        *(
            ({"finish_as": word, "left": "0.5"}, OrderStatus.CANCELLED)
            for word in ("cancelled", "liquidated", "auto_deleveraged", "reduce_only", "position_closed", "stp")
        ),
        ({"finish_as": "reduce_out", "left": "0.5"}, OrderStatus.CANCELLED),
        ({"status": "open", "finish_as": "", "left": "0.5"}, OrderStatus.OPEN),
        ({"finish_as": "filled", "left": "0.5"}, None),
        ({"finish_as": "something new", "left": "0.5"}, None),
        ({"finish_as": "ioc", "left": "-0.5"}, None),
        ({"finish_as": "ioc", "left": "1.5"}, None),
        ({"finish_as": "ioc", "left": "0.5", "size": "0"}, None),
    ],
    ids=str,
)
async def test_how_an_order_ended_is_the_venues_word(change: dict[str, str], status: OrderStatus | None) -> None:
    """Each documented end; one that is not understood, or contradicts the amounts, leaves the order unknown."""
    async with trading(GATE) as it:
        name = await sent(it, it.intent())
        await it.orders.find_by_client_id(name, ETHER)
        row = json.loads(it.server.sent[f"GET {API}/orders/id"])
        it.server.replies[f"GET {API}/orders/id"] = json.dumps({**row, **change})
        found = await it.orders.find_by_client_id(name, ETHER)
        if status is None:
            assert isinstance(found, Unknown), found
        else:
            assert isinstance(found, Found), found
            assert (found.status, found.filled) == (status, D("0.5"))


async def test_somebody_elses_odd_order_hides_ours_only_from_the_list_of_open_ones() -> None:
    """An order to close a position may have no size: ours is found beside it; the open orders cannot be told."""
    async with trading(GATE) as it:
        name = await sent(it, it.intent())
        await it.orders.find_by_client_id(name, ETHER)
        ours = json.loads(it.server.sent[f"GET {API}/orders/id"])
        odd = {**ours, "id": 5, "size": "0", "left": "0", "text": "web"}
        it.server.blind = {f"GET {API}/orders/id"}
        it.server.replies[f"GET {API}/orders"] = json.dumps([odd, ours])
        assert isinstance(await it.orders.find_by_client_id(name, ETHER), Found)
        it.server.replies[f"GET {API}/orders"] = json.dumps([{**odd, "status": "open"}])
        with pytest.raises(VenueError, match="neither bought nor sold"):
            await it.orders.open_orders(ETHER)


async def test_a_countdown_is_for_the_contracts_that_have_one() -> None:
    """By contract, in the segment of each; dated contracts have none, and are not among the armed ones."""
    async with trading(GATE) as it:
        it.server.requests.clear()
        assert await it.orders.arm_countdown(30, [ETHER, INVERSE, DATED]) == {ETHER, INVERSE}
        assert sorted(path for _, path in it.server.writes) == [
            "/api/v4/futures/btc/countdown_cancel_all",
            f"{API}/countdown_cancel_all",
        ]
        assert it.desk.deadlines.keys() == {"ETH_USDT", "BTC_USD"}


async def test_a_documented_order_is_read_as_it_stands() -> None:
    """The order of the venue's own documentation: 6,024 contracts bought of BTC_USDT at 3,765, none of them filled."""
    documented = {
        "id": 15675394,
        "user": 100000,
        "contract": "BTC_USDT",
        "create_time": 1546569968,
        "size": 6024,
        "iceberg": 0,
        "left": 6024,
        "price": "3765",
        "fill_price": "0",
        "mkfr": "-0.00025",
        "tkfr": "0.00075",
        "tif": "gtc",
        "refu": 0,
        "is_reduce_only": False,
        "is_close": False,
        "is_liq": False,
        "text": "t-my-custom-id",
        "status": "finished",
        "finish_time": 1514764900,
        "finish_as": "cancelled",
        "stp_id": 0,
        "stp_act": "-",
        "amend_text": "-",
    }
    async with trading(GATE) as it:
        name = it.new_id()
        it.server.replies[f"GET {API}/orders/id"] = json.dumps(documented)
        assert isinstance(await it.orders.find_by_client_id(name, BITCOIN), Unknown)
        it.server.replies[f"GET {API}/orders/id"] = json.dumps({**documented, "text": f"t-{name}"})
        found = await it.orders.find_by_client_id(name, BITCOIN)
        assert found == Found(name, "15675394", OrderStatus.CANCELLED, D(0), None, None, None)
        it.server.replies[f"GET {API}/orders"] = json.dumps([{**documented, "status": "open"}])
        assert await it.orders.open_orders(BITCOIN) == (OpenOrder(None, "15675394", Side.BUY, D(6024), D(0), D(3765)),)


async def test_a_venue_that_is_asked_too_fast_has_said_nothing_and_is_left_alone() -> None:
    """By a label of its own, whatever the status: the order is unknown, and the next one is not sent."""
    async with trading(GATE) as it:
        it.strike(GATE.create, "code:TOO_FAST")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)
        it.server.responses.clear()
        it.server.requests.clear()
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert not outcome.sent
        assert it.server.requests == []


async def test_only_documented_labels_are_believed() -> None:
    """Each is in ccxt's table or in the venue's list of errors, and none of them is a failure of the venue itself."""
    async with trading(GATE) as it:
        listed = set(it.orders._exchange.exceptions["exact"])
        white = {label for label, kind in it.orders._dialect.complaints.items() if issubclass(kind, NotPlaced)}
        assert white - listed == {"POSITION_DUAL_MODE", "REDUCE_EXCEEDED"}
        assert not white & {"INTERNAL", "SERVER_ERROR", "TOO_BUSY", "ORDER_FINISHED", "NO_CHANGE"}


async def test_a_reply_that_says_created_is_read_only_where_something_is_created() -> None:
    """Orders come with status 201; a list that comes with it is not the list that is promised."""
    async with trading(GATE) as it:
        await sent(it, it.intent())
        it.server.statuses[f"GET {API}/orders"] = 201
        with pytest.raises(Unreadable, match="HTTP 201"):
            await it.orders.open_orders(ETHER)
