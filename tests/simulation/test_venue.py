"""The simulated venue keeps the truth: orders, funding, expiry, liquidation, whenever it is asked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.adapters.exchanges.simulated import SimulatedExchange
from hedged.errors import Refused, Unreachable, VenueError
from hedged.model.instrument import InstrumentId, instrument_id
from hedged.model.order import GATE_SEAL, Absent, ApprovedIntent, Fill, Intent, Rejected, Side, Unknown
from hedged.model.snapshot import Balance, Doubt
from hedged.simulation.coins import future_symbol, quarterly_expiries
from hedged.simulation.market import SimulatedMarket, funding_times
from hedged.simulation.venue import SimulatedVenue
from tests.store_samples import intent
from tests.support import T0, ManualClock

D = Decimal
ETH = "ETH/USDT:USDT"
ETH_ID = instrument_id("sim", ETH)
DAY = timedelta(days=1)
FAR = D(10**9)


def venue(clock: ManualClock, *, cash: int = 10_000, seed: int = 5, story: bool = False) -> SimulatedVenue:
    market = SimulatedMarket(seed, T0, "story" if story else "calm")
    coins = {"spot": (Balance("UNI", D(500)), Balance("SOL", D(20), locked=D(1), debt=D(4)))}
    return SimulatedVenue(market, clock, balances=coins, cash=D(cash))


def sell(place: SimulatedVenue, quantity: str, *, name: str = "o1", symbol: str = ETH) -> None:
    order = place.place(name, symbol, Side.SELL, quantity=D(quantity), price_limit=D(10))
    assert order.rejected is None, order.rejected


def test_an_order_fills_at_the_book_and_only_once() -> None:
    """The bid, less the fee; the same client order id again answers the same order."""
    clock = ManualClock()
    place = venue(clock)
    quote = place.quote(ETH)
    assert quote is not None
    sell(place, "2")
    order = place.order("o1")
    assert order is not None
    assert order.price == quote.bid
    assert place.place("o1", ETH, Side.SELL, quantity=D(2), price_limit=D(10)) == order
    margin, _, _ = place.margin_account()
    assert margin.contracts(ETH_ID) == D(-2)
    assert margin.wallet == D(10_000) - order.fee


@pytest.mark.parametrize(
    ("symbol", "quantity", "limit", "reason"),
    [
        ("GHOST/USDT:USDT", "1", "0", "not listed"),
        (ETH, "1.00001", "0", "multiple of the lot"),
        (ETH, "1", "9999", "worse than the limit"),
        (ETH, "900", "10", "insufficient margin"),
    ],
)
def test_the_venue_rejects_with_a_reason(symbol: str, quantity: str, limit: str, reason: str) -> None:
    """A rejected order is at its end and changed nothing."""
    place = venue(ManualClock())
    order = place.place("o1", symbol, Side.SELL, quantity=D(quantity), price_limit=D(limit))
    assert order.rejected is not None
    assert reason in order.rejected
    assert place.margin_account()[0].wallet == D(10_000)


def test_funding_is_booked_at_its_times_and_rates() -> None:
    """Ten days later the wallet is what thirty fundings at the market's own rates and marks make it."""
    clock = ManualClock()
    place = venue(clock)
    sell(place, "1")
    wallet = place.margin_account()[0].wallet
    for at in funding_times(T0, T0 + 10 * DAY):
        quote, rate = place.market.quote(ETH, at), place.market.funding_rate(ETH, at)
        assert quote is not None
        assert rate is not None
        wallet += (quote.mark * rate).quantize(D("1e-8"))
    clock.set(T0 + 10 * DAY)
    assert place.margin_account()[0].wallet == wallet
    assert len([e for e in place.events(T0) if e.kind == "funding"]) == 30


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 4 * 1440), min_size=1, max_size=8), st.integers(0, 1000))
def test_the_truth_does_not_depend_on_when_it_is_asked(gaps: list[int], seed: int) -> None:
    """Looking in between changes nothing: funding, expiry and liquidation happen at their own minute."""
    often, once = ManualClock(), ManualClock()
    watched, left = (venue(clock, cash=2_500, seed=seed, story=True) for clock in (often, once))
    for place in (watched, left):
        sell(place, "2")
    for minutes in gaps:
        often.advance(60 * minutes)
        watched.margin_account()
    once.set(often.now())
    assert watched.margin_account() == left.margin_account()
    assert watched.events(T0) == left.events(T0)


def test_a_squeezed_short_is_liquidated_in_its_minute() -> None:
    """In the story's rally: at the first minute where maintenance reached equity, though nobody looked for days."""
    clock = ManualClock()
    place = venue(clock, cash=1_500, story=True)
    sell(place, "2")
    clock.set(T0 + 5 * DAY)
    margin, marks, _ = place.margin_account()
    assert (margin.positions, marks) == ({}, {})
    assert margin.wallet >= 0
    (event,) = [e for e in place.events(T0) if e.kind == "liquidation"]
    assert timedelta(hours=14) < event.at - T0 < timedelta(hours=24)
    early = ManualClock()
    before = venue(early, cash=1_500, story=True)
    sell(before, "2")
    early.set(event.at - timedelta(minutes=1))
    assert before.margin_account()[0].contracts(ETH_ID) == D(-2)


def test_a_dated_future_is_settled_in_cash() -> None:
    """At the index's average before its expiry; the position and its quote are gone."""
    expiry = quarterly_expiries(T0, 1)[0]
    clock = ManualClock(expiry - 2 * DAY)
    place = SimulatedVenue(SimulatedMarket(5, expiry - 10 * DAY), clock, cash=D(10_000))
    symbol = future_symbol("ETH", expiry)
    sell(place, "10", symbol=symbol)
    order = place.order("o1")
    assert order is not None
    clock.set(expiry + DAY)
    margin, _, _ = place.margin_account()
    price = place.market.settlement_price(symbol)
    assert margin.positions == {}
    assert margin.wallet == D(10_000) - order.fee + (order.price - price)
    assert [e.kind for e in place.events(T0)] == ["trade", "settlement"]


def test_deleveraging_takes_its_share_at_the_mark() -> None:
    """Half the short is gone, by the venue's own doing, and its history says so."""
    place = venue(ManualClock())
    sell(place, "2")
    place.deleverage(ETH, D("0.5"))
    assert place.margin_account()[0].contracts(ETH_ID) == D(-1)
    assert place.events(T0)[-1].kind == "adl"


def test_transfers_change_the_holdings() -> None:
    """Coins arrive and leave; more than is free cannot."""
    place = venue(ManualClock())
    place.transfer("spot", "UNI", D(-200))
    place.transfer("spot", "LINK", D(50))
    place.transfer("swap", "USDT", D(500))
    assert {b.asset: b.free for b in place.balances("spot")} == {"UNI": D(300), "SOL": D(20), "LINK": D(50)}
    assert place.balances("swap")[0].free == D(10_500)
    with pytest.raises(ValueError, match="only 300 UNI free"):
        place.transfer("spot", "UNI", D(-301))


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """Nothing is paid twice when the time is lived through again."""
    clock = ManualClock()
    place = venue(clock)
    sell(place, "1")
    clock.set(T0 + DAY)
    wallet = place.margin_account()[0].wallet
    clock.set(T0)
    place.margin_account()
    clock.set(T0 + DAY)
    assert place.margin_account()[0].wallet == wallet


# the adapter


def approved(quantity: str, *, name: str = "hd1") -> ApprovedIntent:
    intent = Intent(name, "alts", ETH_ID, Side.SELL, D(quantity), D(3000), D(3000), reduce_only=False, reason="test")
    return ApprovedIntent(intent=intent, price_limit=D(10), seal=GATE_SEAL)


def exchange() -> tuple[SimulatedExchange, SimulatedVenue]:
    clock = ManualClock()
    place = venue(clock)
    return SimulatedExchange(place, clock), place


async def test_the_adapter_speaks_the_model() -> None:
    """Listing, quotes, prices, wallets and derivatives under the account's name."""
    reader, _ = exchange()
    assert tuple(reader.wallets) == ("spot", "swap")
    listed = await reader.instruments()
    assert listed[ETH_ID].account == "sim"
    quotes = await reader.quotes([ETH_ID, InstrumentId("sim:GHOST/USDT:USDT")])
    assert set(quotes) == {ETH_ID}
    assert quotes[ETH_ID].as_of == T0
    prices = await reader.prices(["ETH", "USDT", "GHOST"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": D(3000), "USDT": D(1)}
    assert (await reader.prices(["ETH"], "BTC"))["ETH"].value == D("0.05")
    assert await reader.prices(["ETH"], "EUR") == {}
    assert (await reader.balances("spot")).value[1].debt == D(4)
    with pytest.raises(Refused, match="no wallet"):
        await reader.balances("earn")


async def test_an_order_through_the_adapter_is_found_again() -> None:
    """Fill or rejection by our id, absent what was never sent; the position shows in the derivatives."""
    gateway, _ = exchange()
    filled = await gateway.submit(approved("2"))
    rejected = await gateway.submit(approved("900", name="hd2"))
    assert isinstance(filled, Fill)
    assert isinstance(rejected, Rejected)
    assert await gateway.find(intent("hd1")) == filled
    assert await gateway.find(intent("hd2")) == rejected
    assert await gateway.find(intent("hd3")) == Absent("hd3")
    view = (await gateway.derivatives()).value
    assert (view.positions[0].contracts, view.positions[0].instrument) == (D(-2), ETH_ID)
    assert view.margin is not None
    assert not view.margin.estimated


@pytest.mark.parametrize(("call", "placed"), [("place", False), ("place:reply", True)])
async def test_a_lost_order_is_unknown_until_it_is_looked_up(call: str, placed: bool) -> None:
    """Lost on the way there or on the way back: only the look-up tells, and asking again places nothing twice."""
    gateway, place = exchange()
    place.fault = lambda name: Unreachable("sim", name, "time-out") if name == call else None
    assert isinstance(await gateway.submit(approved("2")), Unknown)
    place.fault = lambda name: Unreachable("sim", name, "time-out")
    assert isinstance(await gateway.find(intent("hd1")), Unknown)
    place.fault = None
    assert isinstance(await gateway.find(intent("hd1")), Fill if placed else Absent)
    await gateway.submit(approved("2"))
    assert place.margin_account()[0].contracts(ETH_ID) == D(-2)


async def test_a_fault_reaches_every_reading_call() -> None:
    """Whatever is injected is what the caller sees."""
    reader, place = exchange()
    place.fault = lambda name: Unreachable("sim", name, "down")
    for call in (
        reader.instruments(),
        reader.quotes([ETH_ID]),
        reader.prices(["ETH"], "USDT"),
        reader.balances("spot"),
        reader.derivatives(),
    ):
        with pytest.raises(VenueError, match="down"):
            await call


async def test_the_venues_history_explains() -> None:
    """A deleveraged position and a withdrawn coin are explained; an untouched one is not."""
    reader, place = exchange()
    sell(place, "2")
    place.deleverage(ETH, D(1))
    place.transfer("spot", "UNI", D(-400))
    position = Doubt(ETH_ID, "sim", "ETH", ETH_ID, D(-2), D(0), 1)
    assert "auto-deleveraged" in str(await reader.explain(position, T0))
    coins = Doubt("sim/spot/UNI", "sim", "UNI", None, D(500), D(100), 1)
    assert await reader.explain(coins, T0) == "transfer of -400 UNI"
    cash = Doubt("sim/swap/USDT", "sim", "USDT", None, D(500), D(100), 1)
    assert "sell 2" in str(await reader.explain(cash, T0))
    untouched = Doubt("sim/spot/SOL", "sim", "SOL", None, D(500), D(100), 1)
    assert await reader.explain(untouched, T0) is None
    assert await reader.explain(coins, T0 + DAY) is None


async def test_the_past_is_that_of_the_market_by_full_hours() -> None:
    """Bars begin with the first full hour of the market, end with the last that is over, and show what it showed."""
    clock = ManualClock(T0 + timedelta(minutes=20))
    place = SimulatedVenue(SimulatedMarket(5, clock.now()), clock)
    exchange = SimulatedExchange(place, clock)
    assert await exchange.bars("ETH", "USDT", T0 - DAY) == []
    closes = {}
    while clock.now() < T0 + 10 * DAY:
        clock.advance(3600)
        at = clock.now().replace(minute=0)
        shown = place.market.quote(ETH, at - timedelta(minutes=1))
        assert shown is not None
        closes[at] = shown.mark
    del closes[T0 + timedelta(hours=1)]  # began before the market did
    taken = []
    while bars := await exchange.bars(ETH_ID, "USDT", taken[-1].at if taken else T0 - DAY):
        taken += bars
    assert {bar.at: bar.close for bar in taken} == {at: pytest.approx(float(mark), 0.01) for at, mark in closes.items()}
    assert all(bar.low <= bar.close <= bar.high for bar in taken)
    spot = await exchange.bars("ETH", "USDT", T0)
    assert spot is not None
    assert spot[0].close == pytest.approx(float(place.market.price("ETH", T0 + timedelta(minutes=119)) or 0), 0.01)
    for subject, quote in (("GHOST", "USDT"), ("sim:GHOST/USDT:USDT", "USDT"), ("ETH", "EUR")):
        assert await exchange.bars(subject, quote, T0) is None
