"""Orders, interest and histories as the venues' documentation shows them, and the account of every sample there is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hedged.adapters.exchanges import dialects
from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.order import Accepted, Found, OpenOrder, OrderStatus, Side, Unknown
from hedged.model.snapshot import Doubt
from tests.contract.order_venues import ETHER, VENUES, Bench, trading
from tests.support import ROOT, T0, need_shared
from tests.venues import binance_bench, okx_bench, weex_bench

D = Decimal
BY_NAME = {venue.exchange: venue for venue in VENUES}
BITCOIN, DOGE = InstrumentId("main:BTC/USDT:USDT"), InstrumentId("main:DOGE/USDT:USDT")

# what is never asked for: spot orders, Deribit's orders, the interest of the past (the wallets tell what is owed), and
# lists of tickers where a lighter list has the same
NOT_ASKED = {
    "binance": {"create_order.doc1", "fetch_borrow_interest.doc1", "fetch_open_order.doc1"},
    "bingx": {"create_order.doc1", "fetch_order.doc2"},
    "bybit": {"fetch_borrow_interest.doc1"},
    "deribit": {"create_order.doc1", "fetch_order.doc1", "fetch_funding_rate.doc1"},
    "mexc": {
        "create_order.doc1",
        "fetch_open_orders.doc1",
        "fetch_order.doc1",
        "fetch_order.doc2",
        "fetch_tickers.doc2",
    },
    "okx": {"create_order.doc1", "fetch_borrow_interest.doc1", "fetch_funding_history.doc1"},
    "weex": {
        *("create_order.doc1", "fetch_open_orders.doc1", "fetch_order.doc1", "fetch_tickers.doc1"),
        "fetch_tickers.doc2",
    },
}


def document(venue: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(need_shared(f"venues/{venue}/{name}.json").read_text())
    return found


def sample(venue: str, name: str) -> Any:
    return document(venue, name)["httpResponse"]


def test_every_sample_is_named_in_a_test() -> None:
    """A reply that is new in the folder is put through the adapter by a test, or said here to be of no use to it."""
    folder = need_shared("venues")
    tests = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "contract").glob("test_*.py")}
    for path in sorted(folder.glob("*/*.json")):
        here = [
            text for file, text in tests.items() if path.parent.name in file.name or file.name == Path(__file__).name
        ]
        assert any(path.stem in text for text in here), path


@pytest.mark.parametrize("venue", NOT_ASKED)
def test_what_is_not_read_cannot_even_be_asked(venue: str) -> None:
    """The request of each such sample is on no list of calls, of the line that reads or of the one for orders."""
    reading, trading = dialects.find(venue), dialects.order_dialects().get(venue)
    assert reading is not None
    listed = {*reading.endpoints, *(trading.endpoints if trading else ())}
    for name in NOT_ASKED[venue]:
        for method, url in document(venue, name)["request"]:
            assert (method, urlsplit(url).path) not in listed, name


async def submit(it: Bench, reply: Any) -> tuple[str, Accepted | Any]:
    """An order that is answered so, with the sample's client id as ours; the id, and what is made of it."""
    approved = it.intent()
    name = approved.intent.client_order_id
    it.server.replies[it.venue.create] = json.dumps(reply).replace("OURS", name)
    return name, await it.orders.submit(approved)


@pytest.mark.parametrize(
    ("venue", "name", "client_id", "number"),
    [
        ("okx", "create_order.doc1", "oktswap6", "312269865356374016"),
        ("bybit", "create_order.doc1", "spot-test-postonly", "1321003749386327552"),
        ("bingx", "create_order.doc2", '"clientOrderID": ""', "1709036527545438208"),
    ],
)
async def test_an_acknowledgement_counts_only_with_our_id(venue: str, name: str, client_id: str, number: str) -> None:
    """As it stands the sample acknowledges somebody else's order; with our id it is ours, under the venue's number."""
    async with trading(BY_NAME[venue]) as it:
        reply = sample(venue, name)
        _, outcome = await submit(it, reply)
        assert isinstance(outcome, Unknown)
        text = json.dumps(reply)
        ours = '"clientOrderID": "OURS"' if venue == "bingx" else "OURS"
        placed, outcome = await submit(it, json.loads(text.replace(client_id, ours)))
        assert outcome == Accepted(placed, number)


async def test_an_acknowledgement_of_mexc_has_the_venues_number_alone() -> None:
    """There our id is not repeated: the number is taken as it comes."""
    async with trading(BY_NAME["mexc"]) as it:
        placed, outcome = await submit(it, sample("mexc", "create_order.doc2"))
        assert outcome == Accepted(placed, "814218083416790528")


@pytest.mark.parametrize("venue", ["binance", "bingx", "mexc", "weex"])
async def test_an_acknowledgement_of_a_spot_order_acknowledges_nothing(venue: str) -> None:
    """The samples of spot orders are of another form, or of another id: the order is unknown."""
    async with trading(BY_NAME[venue]) as it:
        _, outcome = await submit(it, sample(venue, "create_order.doc1"))
        assert isinstance(outcome, Unknown)


async def look_up(it: Bench, path: str, reply: Any, instrument: InstrumentId) -> Found | Any:
    name = it.new_id()
    it.server.replies[path] = json.dumps(reply).replace("OURS", name)
    return await it.orders.find_by_client_id(name, instrument)


async def test_orders_are_found_as_the_samples_have_them() -> None:
    """Status, contracts, price and fee of documented orders, and Unknown for one that does not carry our id."""
    async with trading(BY_NAME["binance"]) as it:
        reply = sample("binance", "fetch_order.doc1")
        path = "GET /fapi/v1/order"
        assert isinstance(await look_up(it, path, reply, BITCOIN), Unknown)
        found = await look_up(it, path, {**reply, "clientOrderId": "OURS"}, BITCOIN)
        assert (found.venue_order_id, found.status, found.filled) == ("1", OrderStatus.OPEN, D("1.0"))
        assert (found.average_price, found.fee) == (None, None)  # neither is told by that form of the reply
        assert isinstance(await look_up(it, path, {**reply, "clientOrderId": "OURS"}, ETHER), Unknown)
    async with trading(BY_NAME["bingx"]) as it:
        reply = sample("bingx", "fetch_order.doc1")
        path = "GET /openApi/swap/v2/trade/order"
        assert isinstance(await look_up(it, path, reply, BITCOIN), Unknown)
        reply["data"]["order"]["clientOrderID"] = "OURS"
        assert isinstance(await look_up(it, path, reply, BITCOIN), Unknown)  # filled, and nothing of it is
    async with trading(BY_NAME["mexc"]) as it:
        reply = sample("mexc", "fetch_order.doc2")
        reply["data"] |= {"externalOid": "OURS", "symbol": "BTC_USDT"}
        found = await look_up(it, "GET /api/v1/private/order/external", reply, BITCOIN)
        assert (found.venue_order_id, found.status, found.filled) == ("264995729269765120", OrderStatus.OPEN, 0)
    async with trading(BY_NAME["bybit"]) as it:
        reply = sample("bybit", "fetch_open_orders.doc1")
        reply["result"]["list"][0]["orderLinkId"] = "OURS"
        found = await look_up(it, "GET /v5/order/realtime", reply, BITCOIN)
        assert (found.status, found.filled, found.average_price) == (OrderStatus.FILLED, D("0.001"), D("122529.9"))
        assert (found.fee, found.fee_asset) == (D("0.06739145"), "USDT")


async def test_open_orders_are_seen_as_the_samples_have_them() -> None:
    """Somebody's orders with side, size and price; one that has just been filled does not wait any more."""
    async with trading(BY_NAME["binance"]) as it:
        it.server.replies["GET /fapi/v1/openOrders"] = json.dumps([sample("binance", "fetch_open_order.doc1")])
        assert await it.orders.open_orders(BITCOIN) == (
            OpenOrder(None, "3697213934", Side.BUY, D("0.010"), D(0), D(33000)),
        )
    async with trading(BY_NAME["bybit"]) as it:
        it.server.replies["GET /v5/order/realtime"] = json.dumps(sample("bybit", "fetch_open_orders.doc1"))
        assert await it.orders.open_orders(BITCOIN) == ()
    expected: Mapping[str, OpenOrder] = {
        "fetch_open_orders.doc2": OpenOrder(None, "737185556881998184", Side.BUY, D(1400), D(0), D("0.05")),
        "fetch_open_orders.doc1": OpenOrder(None, "736807745679786974", Side.SELL, D(299), D(0), D("0.12")),
    }
    async with trading(BY_NAME["weex"]) as it:
        for name, order in expected.items():
            it.server.replies["GET /capi/v3/openOrders"] = json.dumps(sample("weex", name))
            assert await it.orders.open_orders(DOGE) == (order,)


async def test_interest_of_the_past_is_no_debt() -> None:
    """Debts come with the wallets. The list of interest charged, in their place, is an error and never 'no debt'."""
    async with binance_bench.bench() as it:
        it.server.replies["/sapi/v1/margin/account"] = json.dumps(sample("binance", "fetch_borrow_interest.doc1"))
        with pytest.raises(Unreadable, match="margin"):
            await it.reader.balances("margin")
    async with okx_bench.bench() as trade:
        trade.server.replies["/api/v5/account/balance"] = json.dumps(sample("okx", "fetch_borrow_interest.doc1"))
        for read in (trade.reader.balances("spot"), trade.reader.derivatives()):
            with pytest.raises(Unreadable):
                await read


async def test_funding_of_the_past_explains_what_it_moved() -> None:
    """Funding received accounts for a change of just that size, in the coin it came in."""
    async with binance_bench.bench() as it:
        income = json.loads(json.dumps(sample("binance", "fetch_funding_history.doc1")))
        it.server.replies["/fapi/v1/income"] = json.dumps(income)
        since = T0.replace(year=2021, month=5, day=20)
        gained = Doubt("main/swap/USDT", "main", "USDT", None, D(0), D("0.00134317"), polls=1)
        said = await it.reader.explain(gained, since)
        assert said is not None
        assert "+0.00134317 USDT" in said
    async with okx_bench.bench() as trade:
        trade.server.replies["/api/v5/account/bills"] = json.dumps(sample("okx", "fetch_funding_history.doc1"))
        gained = Doubt("main/spot/ETH", "main", "ETH", None, D(0), D("0.0000148752712240"), polls=1)
        said = await trade.reader.explain(gained, T0.replace(year=2021))
        assert said is not None
        assert "0.000014875271224" in said


async def test_a_single_mark_is_not_the_list_of_all() -> None:
    """Marks are asked for in one list: one object in its place is an error; the list of one is read."""
    async with binance_bench.bench() as it:
        it.server.replies["/fapi/v1/premiumIndex"] = json.dumps(sample("binance", "fetch_funding_rate.doc1"))
        with pytest.raises(Unreadable, match="mark prices"):
            await it.market.quotes([BITCOIN])
        it.server.replies["/fapi/v1/premiumIndex"] = json.dumps(sample("binance", "fetch_mark_prices.doc1"))
        quote = (await it.market.quotes([BITCOIN]))[BITCOIN].value
    assert (quote.mark, quote.funding_rate) == (D("45802.81129892"), D("0.00063521"))


async def test_a_ticker_is_no_mark_and_no_price() -> None:
    """WEEX's daily tickers have no funding and no plain price: in place of what is asked they are an error."""
    async with weex_bench.bench() as it:
        it.server.replies["/capi/v3/market/premiumIndex"] = json.dumps(sample("weex", "fetch_tickers.doc2"))
        with pytest.raises(Unreadable):
            await it.market.quotes([ETHER])
        it.server.replies["/api/v3/market/ticker/price"] = json.dumps(sample("weex", "fetch_tickers.doc1"))
        with pytest.raises(Unreadable):
            await it.market.prices(["ETH"], "USDT")
