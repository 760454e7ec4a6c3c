"""Orders at Hyperliquid: what is signed and by whom, how contracts, prices and ids are named, what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.adapters.exchanges.ccxt_orders import open_ccxt_orders
from hedged.adapters.exchanges.dialects.hyperliquid_order_rows import client_id, cloid_of
from hedged.adapters.exchanges.guard import NotAllowed
from hedged.errors import ConfigurationError, VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, Found, OpenOrder, OrderStatus, Rejected, Side, Unknown
from hedged.model.permissions import Permissions
from tests.contract.order_venues import VENUES, Bench, trading
from tests.venues.binance_bench import pki
from tests.venues.hyperliquid_bench import GOLD, KEYS, OTHER_ETH, PERPETUAL, TRADING_KEYS, bench
from tests.venues.hyperliquid_server import ADDRESS, AGENT, AGENT_KEY
from tests.venues.hyperliquid_signature import action_hash, address, signer
from tests.venues.hyperliquid_venue import Held

D = Decimal
VENUE = next(venue for venue in VENUES if venue.exchange == "hyperliquid")
ORDER = {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}}
OTHER_KEY = "0x" + "cd" * 32


def test_the_local_venue_hashes_and_recovers_as_the_venues_own_kit_does() -> None:
    """By vectors that the tests of Hyperliquid's Python SDK publish: of an order's hash, and of a signature by a key."""
    taken = {**ORDER, "a": 4, "p": "1670.1", "s": "0.0147", "t": {"limit": {"tif": "Ioc"}}}
    action = {"type": "order", "orders": [taken], "grouping": "na"}
    told = "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"
    assert action_hash(action, 1677777606040, None).hex() == told

    key = "0x0123456789012345678901234567890123456789012345678901234567890123"
    signed = {"type": "order", "orders": [{**ORDER, "c": "0x00000000000000000000000000000001"}], "grouping": "na"}
    request = {
        "action": signed,
        "nonce": 0,
        "signature": {
            "r": "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
            "s": "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da",
            "v": 27,
        },
    }
    assert signer(request) == address(key) == "0x14791697260e4c9a71f18484c9f997b308e59325"
    assert signer(request, test=True) != address(key)
    assert signer({**request, "expiresAfter": 1}) != address(key)


async def test_an_order_is_signed_by_the_agent_and_soon_too_old() -> None:
    """Contract, side, digits, IOC or post-only, reduce-only and our id; five seconds by the venue's clock, no more."""
    async with trading(VENUE) as it:
        it.clock.advance(1)
        first, second = it.intent(), it.intent(side=Side.SELL, reduce_only=False, limit=D("2985.07"))
        await it.orders.submit(first)
        await it.orders.submit(second, rest_at=D("3100.01"))
        buy, sell = (request["action"]["orders"][0] for request in it.server.acts)  # type: ignore[attr-defined]
        assert buy == {
            "a": 1,
            "b": True,
            "p": "3015",
            "s": "0.01",
            "r": True,
            "t": {"limit": {"tif": "Ioc"}},
            "c": "0x68646764" + first.intent.client_order_id.removeprefix("hd"),
        }
        assert (sell["p"], sell["t"], sell["r"]) == ("3100.1", {"limit": {"tif": "Alo"}}, False)
        for request in it.server.acts:  # type: ignore[attr-defined]
            assert signer(request) == AGENT
            assert request["expiresAfter"] == it.desk.venue.now() + 5000
        assert it.orders.valid_for == 5


async def test_an_order_that_arrives_too_late_is_not_taken() -> None:
    """The venue refuses it by its expiry, in words that are on no list: unknown, and then absent."""
    async with trading(VENUE) as it:
        late = it.intent()
        held = it.server.held["POST /exchange/order"] = asyncio.Event()
        sending = asyncio.create_task(it.orders.submit(late))
        async with asyncio.timeout(10):
            while ("POST", "/exchange/order") not in it.server.requests:
                await asyncio.sleep(0.005)
        it.clock.advance(6)
        held.set()
        assert isinstance(await sending, Unknown)
        found = await it.orders.find_by_client_id(late.intent.client_order_id, it.ether)
        assert found == Absent(late.intent.client_order_id)


def acting(action: object, **more: object) -> str:
    return json.dumps({"action": action, "nonce": 1, "signature": {"r": "0x1", "s": "0x1", "v": 27}, **more})


@pytest.mark.parametrize(
    "body",
    [
        acting({"type": "withdraw3", "destination": ADDRESS, "amount": "1", "time": 1}),
        acting({"type": "usdSend", "destination": ADDRESS, "amount": "1", "time": 1}),
        acting({"type": "approveAgent", "agentAddress": ADDRESS, "agentName": "", "nonce": 1}),
        acting({"type": "approveBuilderFee", "builder": ADDRESS, "maxFeeRate": "1%", "nonce": 1}),
        acting({"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 50}),
        acting({"type": "vaultTransfer", "vaultAddress": ADDRESS, "isDeposit": True, "usd": 1}),
        acting({"type": "scheduleCancel", "time": 1}),
        acting({"type": "setReferrer", "code": "CCXT1"}),
        acting({"type": "cancel", "cancels": [{"a": 1, "o": 1}]}),
        acting({"type": "order", "orders": [], "grouping": "na", "builder": {"b": ADDRESS, "f": 10}}),
        acting({"type": "order", "orders": []}),
        acting({"type": "order", "orders": [], "grouping": "na"}, vaultAddress="0x" + "1" * 40),
        acting({"type": "order", "orders": [], "grouping": "na"}, vaultAddress=None),
        acting({"type": ["order"], "orders": [], "grouping": "na"}),
        acting(["order"]),
        json.dumps({"type": "order", "orders": [], "grouping": "na"}),
        json.dumps({"type": "orderStatus"}),
        "not json",
        "[]",
        None,
    ],
)
async def test_nothing_but_orders_and_cancelling_them_leaves(body: str | None) -> None:
    """Whatever else ccxt could sign with the key: withdrawals, transfers, agents, fees for others, leverage."""
    async with trading(VENUE) as it:
        it.server.requests.clear()
        with pytest.raises(NotAllowed, match="nothing was sent"):
            await it.orders._exchange.fetch("https://api.hyperliquid.xyz/exchange", "POST", {}, body)
        assert it.server.requests == []


@pytest.mark.parametrize(("name", "asset", "coin"), [(GOLD, 110_000, "xyz:GOLD"), (OTHER_ETH, 120_000, "hyna:ETH")])
async def test_contracts_of_builders_have_numbers_of_their_own(name: InstrumentId, asset: int, coin: str) -> None:
    """The order moves that contract and no other, is found, seen waiting on its dex, and cancelled there."""
    async with trading(VENUE) as it:
        it.desk.venue.positions[coin] = Held(D(-1), D(3000))
        before = {each: it.desk.position(each) for each in ("ETH", "BTC", coin)}
        bought = it.intent(instrument=name, limit=D(3100))
        assert isinstance(await it.orders.submit(bought), Accepted)
        moved = {each: it.desk.position(each) - held for each, held in before.items()}
        assert moved == {"ETH": 0, "BTC": 0, coin: D("0.01")}
        assert it.desk.asked[-1]["a"] == asset
        found = await it.orders.find_by_client_id(bought.intent.client_order_id, name)
        assert isinstance(found, Found)
        assert (found.filled, found.average_price) == (D("0.01"), it.desk.mark(coin))
        waits = it.intent(instrument=name, limit=D(3100))
        await it.orders.submit(waits, rest_at=D(2000))
        (seen,) = await it.orders.open_orders(name)
        assert seen.client_order_id == waits.intent.client_order_id
        assert await it.orders.open_orders(PERPETUAL) == ()
        ended = await it.orders.cancel(waits.intent.client_order_id, name)
        assert isinstance(ended, Found)
        assert ended.status is OrderStatus.CANCELLED


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("POST /info/meta", {"universe": [{"name": "BTC"}], "marginTables": []}),
        ("POST /info/meta", {"universe": [{"name": "ETH"}, {"name": "ETH"}]}),
        ("POST /info/meta", {"universe": [{"name": "ETH", "isDelisted": True}]}),
        ("POST /info/meta", {"universe": []}),
        ("POST /info/userRole", {"role": "user"}),
        ("POST /info/userRole", {"role": "missing"}),
        ("POST /info/userRole", {"role": "agent"}),
        ("POST /info/userRole", {"role": "agent", "data": {"user": "0x" + "1" * 40}}),
        ("POST /info/userRole", {"role": "agent", "data": None}),
        ("POST /info/exchangeStatus", {"specialStatuses": None}),
    ],
)
async def test_no_order_leaves_for_a_contract_or_an_account_that_is_not_certain(path: str, reply: object) -> None:
    """The number is that of the one contract of this name; the agent's orders go to the account that is read."""
    async with trading(VENUE) as it:
        it.server.replies[path] = json.dumps(reply)
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert outcome.reason.startswith("nothing was sent")
        assert it.server.writes == []


@pytest.mark.parametrize(
    ("limit", "side", "price"),
    [
        ("12345.6", Side.BUY, "12345"),
        ("2999.99", Side.BUY, "2999.9"),
        ("2999.91", Side.SELL, "3000"),
        ("123456.7", Side.BUY, "123456"),
        ("999.91", Side.SELL, "1000"),
    ],
)
async def test_prices_have_five_digits_on_the_safe_side(limit: str, side: Side, price: str) -> None:
    """Also where the tick of the last hour would allow more: a buy never pays more, a sale never takes less."""
    async with trading(VENUE) as it:
        await it.orders.submit(it.intent(limit=D(limit), side=side, reduce_only=side is Side.BUY))
        assert it.desk.asked[0]["p"] == price


@given(digits=st.text("0123456789abcdef", min_size=24, max_size=24), other=st.text("0123456789abcdef", min_size=32))
def test_ids_go_one_to_one_and_no_other_programs_is_ours(digits: str, other: str) -> None:
    """What comes back of our id is it; a cloid without our word in front is another's, whatever its end."""
    ours = f"hd{digits}"
    assert client_id({"cloid": cloid_of(ours)}) == ours
    foreign = f"0x{other[:32]}"
    assert foreign.startswith("0x68646764") or not client_id({"cloid": foreign}).startswith("hd")
    assert client_id({"cloid": None}) == client_id({}) == ""


async def test_another_programs_order_is_not_ours() -> None:
    """It is seen in the book without an id of ours, and its fills are none of an order that we look for."""
    async with trading(VENUE) as it:
        it.desk.resting = True
        foreign = "0x" + "0" * 8 + "1" * 24
        it.desk.place(foreign, "ETH", "sell", D(1), D(3100), reduce_only=False)
        it.desk.take(foreign, D("0.5"))
        (seen,) = await it.orders.open_orders(it.ether)
        assert (seen.client_order_id, seen.filled) == (None, D("0.5"))
        assert await it.orders.find_by_client_id("hd" + "1" * 24, it.ether) == Absent("hd" + "1" * 24)


async def test_orders_in_other_contracts_are_not_in_this_ones_book() -> None:
    """The venue lists those of a whole dex, and of spot."""
    async with trading(VENUE) as it:
        it.desk.resting = True
        for coin in ("BTC", "ETH"):
            it.desk.place(f"by-hand-{coin}", coin, "sell", D(1), D(70_000), reduce_only=False)
        (seen,) = await it.orders.open_orders(it.ether)
        assert seen.venue_order_id == str(it.desk.orders[1].number)


# as the venue's pages show them: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint
SHOWN_ORDER = {
    "coin": "ETH",
    "side": "A",
    "limitPx": "2412.7",
    "sz": "0.0",
    "oid": 1,
    "timestamp": 1724361546645,
    "triggerCondition": "N/A",
    "isTrigger": False,
    "triggerPx": "0.0",
    "children": [],
    "isPositionTpsl": False,
    "reduceOnly": True,
    "orderType": "Market",
    "origSz": "0.0076",
    "tif": "FrontendMarket",
    "cloid": None,
}
SHOWN_OPEN = {
    "coin": "ETH",
    "isPositionTpsl": False,
    "isTrigger": False,
    "limitPx": "29792.0",
    "oid": 91490942,
    "orderType": "Limit",
    "origSz": "5.0",
    "reduceOnly": False,
    "side": "A",
    "sz": "5.0",
    "timestamp": 1681247412573,
    "triggerCondition": "N/A",
    "triggerPx": "0.0",
}
SHOWN_FILL = {
    "closedPnl": "0.0",
    "coin": "ETH",
    "crossed": False,
    "dir": "Open Long",
    "hash": "0xa166e3fa63c25663024b03f2e0da011a00307e4017465df020210d3d432e7cb8",
    "oid": 1,
    "px": "2413.5",
    "side": "A",
    "startPosition": "26.86",
    "sz": "0.0076",
    "time": 1681222254710,
    "fee": "0.01",
    "feeToken": "USDC",
    "builderFee": "0.01",
    "tid": 118906512037719,
}


async def test_the_documentations_rows_are_read() -> None:
    """With our id the order is ours; as it stands it is somebody else's, and that is no answer to a look-up by id."""
    async with trading(VENUE) as it:
        name = it.new_id()
        for cloid, known in ((None, False), ("0x68646764" + name.removeprefix("hd"), True)):
            stated = {"order": {**SHOWN_ORDER, "cloid": cloid}, "status": "filled", "statusTimestamp": 1724361546645}
            it.server.replies["POST /info/orderStatus"] = json.dumps({"status": "order", "order": stated})
            it.server.replies["POST /info/userFillsByTime"] = json.dumps([SHOWN_FILL])
            found = await it.orders.find_by_client_id(name, it.ether)
            assert isinstance(found, Found if known else Unknown)
        assert found == Found(name, "1", OrderStatus.FILLED, D("0.0076"), D("2413.5"), D("0.01"), "USDC")
        it.server.replies["POST /info/frontendOpenOrders"] = json.dumps([SHOWN_OPEN])
        assert await it.orders.open_orders(it.ether) == (OpenOrder(None, "91490942", Side.SELL, D(5), D(0), D(29792)),)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("open", OrderStatus.OPEN),
        ("triggered", OrderStatus.OPEN),
        ("canceled", OrderStatus.CANCELLED),
        ("marginCanceled", OrderStatus.CANCELLED),
        ("liquidatedCanceled", OrderStatus.CANCELLED),
        ("scheduledCancel", OrderStatus.CANCELLED),
        ("iocCancelRejected", OrderStatus.EXPIRED),
        ("badAloPxRejected", OrderStatus.CANCELLED),
        ("perpMarginRejected", OrderStatus.REJECTED),
        ("oracleRejected", OrderStatus.REJECTED),
        ("somethingNew", None),
        ("", None),
    ],
)
async def test_every_status_of_the_documentation_is_understood(status: str, end: OrderStatus | None) -> None:
    """One that is not is unknown: whether it is an end, nobody can say."""
    async with trading(VENUE) as it:
        name = it.new_id()
        order = {**SHOWN_ORDER, "cloid": "0x68646764" + name.removeprefix("hd"), "sz": "0.0076"}
        stated = {"order": order, "status": status, "statusTimestamp": 1724361546645}
        it.server.replies["POST /info/orderStatus"] = json.dumps({"status": "order", "order": stated})
        it.server.replies["POST /info/frontendOpenOrders"] = json.dumps([order] if end is OrderStatus.OPEN else [])
        found = await it.orders.find_by_client_id(name, it.ether)
        if end is None:
            assert isinstance(found, Unknown)
            return
        assert isinstance(found, Found)
        assert (found.status, found.filled, found.average_price) == (end, 0, None)


async def test_an_acknowledgement_need_not_repeat_our_id() -> None:
    """Where it does, it has to be ours; where it does not, the look-up by our id has to show the venue's number."""
    async with trading(VENUE) as it:
        first = it.intent()
        assert isinstance(await it.orders.submit(first), Accepted)
        asked = [path for _, path in it.server.requests]
        assert asked[-1] == "/info/orderStatus"
        it.desk.echoes = True  # type: ignore[attr-defined]
        assert isinstance(await it.orders.submit(it.intent()), Accepted)
        assert it.server.requests[-1] == ("POST", "/exchange/order")
        right = it.server.sent["POST /exchange/order"]
        it.server.replies["POST /exchange/order"] = right  # of the order before
        it.server.first_done.add("POST /exchange/order")
        assert isinstance(await it.orders.submit(it.intent()), Unknown)
        it.heal()
        it.server.replies["POST /info/orderStatus"] = it.server.sent["POST /info/orderStatus"]
        it.desk.echoes = False  # type: ignore[attr-defined]
        assert isinstance(await it.orders.submit(it.intent()), Unknown)


async def test_what_the_venue_refused_is_told_in_its_words() -> None:
    """It shows such orders under our id as refused: rejected. One that found nothing, or would not wait, has ended."""
    async with trading(VENUE) as it:
        too_small = it.intent(quantity=D("0.001"), reduce_only=False, side=Side.SELL, limit=D(2990))
        outcome = await it.orders.submit(too_small)
        assert isinstance(outcome, Rejected)
        assert "Order must have minimum value of" in outcome.reason
        found = await it.orders.find_by_client_id(too_small.intent.client_order_id, it.ether)
        assert isinstance(found, Found)
        assert (found.status, found.filled) == (OrderStatus.REJECTED, 0)

        it.desk.poor = True
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert "Insufficient margin" in outcome.reason
        it.desk.poor = False

        for rest_at, limit, status in ((None, D(2900), OrderStatus.EXPIRED), (D(3010), D(3015), OrderStatus.CANCELLED)):
            approved = it.intent(limit=limit)
            assert isinstance(await it.orders.submit(approved, rest_at=rest_at), Accepted)
            found = await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether)
            assert isinstance(found, Found)
            assert (found.status, found.filled, found.ended) == (status, 0, True)


async def test_fills_that_do_not_add_up_leave_an_order_that_has_ended_unknown() -> None:
    """Unless their list is too long for one answer; of one that is filled by its own word the fee is known by them."""
    async with trading(VENUE) as it:
        approved = it.intent()
        await it.orders.submit(approved)
        right = await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether)
        (fill,) = json.loads(it.server.sent["POST /info/userFillsByTime"])
        half = {**fill, "sz": "0.005", "px": "2990", "fee": "0.25"}
        rest = {**half, "px": "3000", "fee": "-0.05", "tid": 1}
        others = [{**fill, "oid": 1}] * 1999
        for rows, price, fee in (
            ([half, *others], None, None),
            ([half, {**rest, "feeToken": "HYPE"}], D(2995), None),
            ([half, rest, {**fill, "oid": 1}], D(2995), D("0.2")),
        ):
            it.server.replies["POST /info/userFillsByTime"] = json.dumps(rows)
            found = await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether)
            assert isinstance(found, Found)
            assert isinstance(right, Found)
            assert (found.filled, found.average_price, found.fee) == (right.filled, price, fee)
        for rows in ([half], [half, *others[1:]], [fill, half], []):
            it.server.replies["POST /info/userFillsByTime"] = json.dumps(rows)
            assert isinstance(await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether), Unknown)


@pytest.mark.parametrize(
    ("status", "left", "told", "filled"),
    [
        ("filled", "0.05", "0.05", D("0.05")),  # the size as it was at first
        ("filled", "0.05", "0.03", None),
        ("filled", "0.05", "0", None),
        ("filled", "0.02", "0.03", D("0.03")),
        ("filled", "0.0", "0.03", None),
        ("canceled", "0.05", "0.03", None),
        ("canceled", "0.05", "0", D(0)),
        ("canceled", "0.05", "fault", None),
        ("filled", "0.0", "fault", D("0.05")),
    ],
)
async def test_nothing_is_said_to_be_filled_or_not_that_the_fills_belie(
    status: str, left: str, told: str, filled: Decimal | None
) -> None:
    async with trading(VENUE) as it:
        approved = it.intent(quantity=D("0.05"))
        await it.orders.submit(approved)
        await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether)
        (fill,) = json.loads(it.server.sent["POST /info/userFillsByTime"])
        stated = json.loads(it.server.sent["POST /info/orderStatus"])
        stated["order"]["status"], stated["order"]["order"]["sz"] = status, left
        it.server.replies["POST /info/orderStatus"] = json.dumps(stated)
        if told == "fault":
            it.strike("POST /info/userFillsByTime", "500")
        else:
            it.server.replies["POST /info/userFillsByTime"] = json.dumps([{**fill, "sz": told}] if D(told) else [])
        found = await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether)
        assert isinstance(found, Unknown) if filled is None else isinstance(found, Found) and found.filled == filled


async def test_an_order_that_waits_by_its_status_alone_is_unknown() -> None:
    """It may have ended since: how much of it was filled is told by the open orders."""
    async with trading(VENUE) as it:
        approved = it.intent(side=Side.BUY)
        assert isinstance(await it.orders.submit(approved, rest_at=D(2990)), Accepted)
        it.server.replies["POST /info/frontendOpenOrders"] = "[]"
        assert isinstance(await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether), Unknown)
        it.heal()
        it.strike("POST /info/frontendOpenOrders", "500")
        assert isinstance(await it.orders.find_by_client_id(approved.intent.client_order_id, it.ether), Unknown)


@pytest.mark.parametrize("trouble", ["429", "refused", "not let in"])
async def test_no_trouble_after_an_order_has_left_says_that_it_was_not_sent(trouble: str) -> None:
    """The confirmation of an order is another request: that it rests, or is refused, is not the order's refusal."""
    async with trading(VENUE) as it:
        await it.orders.find_by_client_id(it.new_id(), it.ether)
        approved = it.intent()
        held = it.server.held["POST /exchange/order"] = asyncio.Event()
        sending = asyncio.create_task(it.orders.submit(approved))
        while ("POST", "/exchange/order") not in it.server.requests:
            await asyncio.sleep(0)
        if trouble == "429":
            it.strike("POST /info/frontendOpenOrders", "429")
            with pytest.raises(VenueError):
                await it.orders.open_orders(it.ether)
        else:
            said = {"refused": VENUE.believed, "not let in": VENUE.shut_out}[trouble]
            it.strike("POST /info/orderStatus", f"code:{said}")
        held.set()
        assert isinstance(await sending, Unknown)
        assert len(it.placed(approved.intent.client_order_id)) == 1


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (KEYS, Permissions(read=True, trade=False, withdraw=False)),
        (TRADING_KEYS, Permissions(read=True, trade=True, withdraw=False)),
        ({**KEYS, "privateKey": OTHER_KEY}, Permissions(read=True, trade=False, withdraw=False)),
        (
            {"walletAddress": address(AGENT_KEY).upper().replace("0X", "0x"), "privateKey": AGENT_KEY},
            Permissions(read=True, trade=True, withdraw=True),
        ),
    ],
    ids=["no key", "agent", "stranger", "own key"],
)
async def test_what_a_key_may_do_is_told_by_whose_it_is(keys: Mapping[str, str], expected: Permissions) -> None:
    """An agent cannot withdraw, the key of the wallet itself can; nobody but an agent of this account may trade."""
    async with bench(credentials=keys) as it:
        assert await it.opened.permissions() == expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ({"role": "agent", "data": {"user": "0x" + "1" * 40}}, Permissions(read=True, trade=False, withdraw=False)),
        ({"role": "user"}, Permissions(read=True, trade=False, withdraw=True)),
        ({"role": "missing"}, Permissions(read=True, trade=False, withdraw=False)),
        ({"role": "something new"}, None),
        ({"role": "vault"}, Permissions(read=True, trade=False, withdraw=True)),
        ({"role": "agent"}, None),
        ({"role": "agent", "data": {"user": 7}}, None),
        ({}, None),
        ([], None),
    ],
)
async def test_the_key_of_another_account_trades_nothing_here(role: object, expected: Permissions | None) -> None:
    """One that is a wallet's own may withdraw there; a reply that does not say whose agent it is, is an error."""
    async with bench(credentials={**KEYS, "privateKey": OTHER_KEY}) as it:
        it.server.replies["/info/userRole"] = json.dumps(role)
        if expected is not None:
            assert await it.opened.permissions() == expected
            return
        with pytest.raises(VenueError):
            await it.opened.permissions()


async def test_orders_need_a_key_and_one_that_is_a_key() -> None:
    """The user is told which, before anything is sent."""
    async with trading(VENUE) as it:
        with pytest.raises(ConfigurationError, match="privateKey"):
            await open_ccxt_orders(it.reader, "main", "hyperliquid", ("swap",), KEYS, clock=it.clock)
    for wrong in ("0x12", "word", "ab" * 32, "0x" + "g" * 64, "0x" + "0" * 64, "0x" + "f" * 64):
        with pytest.raises(ConfigurationError, match="64 hexadecimal digits") as told:
            async with bench(credentials={**KEYS, "privateKey": wrong}):
                pass
        assert wrong not in str(told.value)


async def test_the_key_is_nowhere_but_in_the_line_for_orders() -> None:
    """The reader's instance of ccxt does not have it, and neither line repeats it."""
    async with trading(VENUE) as it:
        await it.orders.submit(it.intent())
        assert not it.reader._line.connection.exchange.privateKey
        said: list[Any] = [
            it.orders,
            vars(it.orders),
            it.reader._streaming,
            it.orders._dialect,
            vars(it.orders._dialect),
        ]
        assert AGENT_KEY.removeprefix("0x") not in repr(said)


async def test_a_sub_accounts_orders_are_signed_by_its_masters_agent() -> None:
    """Named in what is signed, and nowhere else done; that of another master's is not sent at all."""
    async with trading(VENUE) as it:
        server: Any = it.server
        server.venue.role, server.master, server.agents = "subAccount", "0x" + "5a" * 20, {AGENT: "0x" + "5a" * 20}
        assert await it.reader.permissions() == Permissions(read=True, trade=True, withdraw=False)
        assert isinstance(await it.orders.submit(it.intent()), Accepted)
        waits = it.intent()
        await it.orders.submit(waits, rest_at=D(2990))
        ended = await it.orders.cancel(waits.intent.client_order_id, it.ether)
        assert isinstance(ended, Found)
        assert ended.status is OrderStatus.CANCELLED
        assert [request["vaultAddress"] for request in server.acts] == [ADDRESS] * 3
        assert {signer(request) for request in server.acts} == {AGENT}
        assert AGENT not in {signer({**request, "vaultAddress": "0x" + "1" * 40}) for request in server.acts}
        server.agents = {AGENT: "0x" + "1" * 40}
        assert await it.reader.permissions() == Permissions(read=True, trade=False, withdraw=False)
        outcome = await it.orders.submit(it.intent())
        assert isinstance(outcome, Rejected)
        assert "has approved" in outcome.reason
        assert len(server.acts) == 3


async def test_a_test_nets_order_is_signed_for_it_alone() -> None:
    """The signature names the net: an order for the one is a stranger's on the other."""
    async with bench(credentials=TRADING_KEYS, sandbox=True) as it:
        orders = await open_ccxt_orders(
            it.opened,
            "main",
            "hyperliquid",
            ("swap",),
            TRADING_KEYS,
            clock=it.clock,
            sandbox=True,
            connect_to=it.server.connect_to,
            ca_file=pki()[0],
        )
        stage = Bench(VENUE, it.server, it.server.desk, it.clock, it.opened, orders)
        try:
            assert isinstance(await orders.submit(stage.intent(limit=D(3015))), Accepted)
        finally:
            await orders.close()
        (request,) = it.server.acts
        assert (signer(request, test=True), it.server.hosts) == (AGENT, {"api.hyperliquid-testnet.xyz"})
        assert signer(request) != AGENT
