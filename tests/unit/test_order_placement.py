"""At rest or at once, whole or by slices, and when an order at rest is taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.decide.margin import is_reducing
from hedged.decide.placement import crossing, resting, taken_back
from hedged.model.instrument import InstrumentId
from hedged.model.order import Decision, Intent, OrderRow, OrderState, PastOrder, Placement, Purpose, Side, Working
from hedged.model.policy import LegPolicy, Limits, MarginPolicy, OnCritical, PortfolioPolicy
from hedged.model.snapshot import Quote, Read, Snapshot
from hedged.model.statistics import HedgeStatistics
from tests.build import ETH_PERP, account, balances, dec, derivatives, future, hedge, perp, policy, snapshot
from tests.store_samples import ETH, intent
from tests.support import T0

MINUTE = timedelta(minutes=1)
LIMITS = Limits(passive_for=2 * MINUTE)
SOLD = replace(intent("hd1"), placement=Placement.PASSIVE)  # 2 at 3,000
PASSIVE = policy(replace(hedge("ETH"), placement=Placement.PASSIVE))
BOOK = Book("0" * 24)


def view(short: str, quote: Quote | None = None, *, eth: str = "10", lot: str = "0.001") -> Snapshot:
    quote = quote or Quote(dec(3000), dec("2999.7"), dec("3000.3"))
    return snapshot(
        account(spot=balances(ETH=eth), positions=derivatives((ETH_PERP, short))),
        instruments=[perp(lot=lot)],
        marks={ETH_PERP: Read(quote, T0)},
        prices={"ETH": 3000},
    )


def decided(seen: Snapshot, setup: PortfolioPolicy = PASSIVE, book: Book = BOOK) -> Decision:
    return decide(assess(seen, setup), seen, setup, book)


def placements(decision: Decision) -> list[Placement]:
    return [each.intent.placement for each in decision.intents]


# at rest or at once


def test_rebalancing_rests_where_the_hedge_asks_for_it() -> None:
    """Passive by its own key only; otherwise an order takes what is there."""
    assert placements(decided(view("-8"))) == [Placement.PASSIVE]
    assert placements(decided(view("-8"), policy(hedge("ETH")))) == [Placement.IOC]


def test_what_is_closed_or_has_waited_takes() -> None:
    """Closing does not wait; nor does what a passive order left undone; nor is there waiting without a book."""
    assert placements(decided(view("-8", eth="0"))) == [Placement.IOC]
    assert placements(decided(view("-8"), book=replace(BOOK, crossing=frozenset({ETH})))) == [Placement.IOC]
    assert placements(decided(view("-8", Quote(dec(3000))))) == [Placement.IOC]


def test_a_shared_position_rests_only_where_both_hedges_ask_for_it() -> None:
    """One of two hedges on the instrument wants its orders filled at once."""
    setup = policy(replace(hedge("ETH"), placement=Placement.PASSIVE), hedge("UNI", name="uni"))
    assert placements(decided(view("-5"), setup)) == [Placement.IOC]


@pytest.mark.parametrize(("left", "placement"), [(122, Placement.PASSIVE), (121, Placement.IOC)])
def test_a_roll_rests_until_its_last_call_is_near(left: int, placement: Placement) -> None:
    """With the window two hours before the end, a minute's cycle and two minutes at rest, 2 h 3 min are too short."""
    near, far = "main:ETH/USDT:USDT-261225", "main:ETH/USDT:USDT-270326"
    setup = policy(replace(hedge("ETH", legs=[near]), placement=Placement.PASSIVE))
    quote = Quote(dec(3000), dec(2999), dec(3001))
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((near, -10))),
        instruments=[future(near, T0 + (left + 2) * MINUTE), future(far, T0 + timedelta(days=90))],
        marks={near: Read(quote, T0), far: Read(quote, T0)},
        prices={"ETH": 3000},
    )
    decision = decided(seen, setup)
    assert {each.intent.purpose for each in decision.intents} == {Purpose.ROLL}
    assert decision.intents[0].intent.placement is placement


# taken back


def row(order: Intent = SOLD) -> OrderRow:
    return OrderRow(order, OrderState.ACKNOWLEDGED, T0, "c1", venue_order_id="7")


def past(ago: int, order: Intent = SOLD, state: str = "cancelled", filled: str = "0") -> PastOrder:
    return PastOrder(order, state, T0 - ago * MINUTE, sent=True, filled=dec(filled))


OPEN = Working("hd1", "7", dec("0.5"))


@pytest.mark.parametrize(
    ("after", "mark", "orders", "why"),
    [
        (119, None, [], None),
        (120, None, [], "1.5 of 2 contracts were not filled within their time"),
        (-1, None, [], "not filled"),  # the clock was put back: nobody knows how long it has waited
        (30, "2998.6", [], None),  # a sale, and the price fell by less than 5 basis points
        (30, "2998.4", [], "the mark went from 3000 to 2998.4"),
        (30, "3100", [], None),  # towards the order
        (30, None, [past(1), past(2)], "not filled"),  # placed anew twice: it has waited two minutes and a half
        (30, None, [past(1, filled="2"), past(2)], None),  # the one before was filled: this is another
        (30, None, [past(1, replace(SOLD, side=Side.BUY)), past(2)], None),
        (30, None, [past(5)], None),
    ],
)
def test_an_order_at_rest_waits_its_time_in_all(
    after: int, mark: str | None, orders: list[PastOrder], why: str | None
) -> None:
    """Its time counts from the first of those in a row; where the market leaves it behind it is placed anew."""
    now = T0 + timedelta(seconds=after)
    found = taken_back(row(), OPEN, now, LIMITS, orders=orders, mark=None if mark is None else dec(mark))
    assert found is None if why is None else found is not None and why in found


def test_what_was_not_to_rest_is_taken_back_at_once() -> None:
    """An order that takes and is still open has not ended as it should."""
    assert taken_back(row(replace(SOLD, placement=Placement.IOC)), OPEN, T0, LIMITS) == "it was not to rest"


def test_what_rests_makes_way_where_margin_is_needed() -> None:
    """While an account's positions are bought back for margin, nothing of it waits in a book."""
    assert taken_back(row(), OPEN, T0, LIMITS, urgent=True) == "the account needs margin"
    alarms = {"main": "critical", "other": "warning"}
    for margin, instrument, urgent in (
        (MarginPolicy(on_critical=OnCritical.REDUCE), ETH, True),
        (MarginPolicy(on_critical=OnCritical.REDUCE), InstrumentId("other:ETH/USDT:USDT"), False),
        (MarginPolicy(), ETH, False),
    ):
        assert is_reducing(margin, alarms, instrument) is urgent


def test_a_hedge_waits_for_its_order_at_rest() -> None:
    """Known to rest it is no trouble, and nothing is refused; an order of unknown fate still is."""
    waiting = decided(view("-8"), book=replace(BOOK, resting=resting([row()]), in_flight=frozenset({ETH})))
    assert (waiting.intents, waiting.refused) == ((), ())
    assert "waits for its order at rest" in waiting.reason
    unknown = replace(row(), state=OrderState.UNKNOWN)
    assert resting([unknown, row(replace(SOLD, placement=Placement.IOC))]) == frozenset()
    assert decided(view("-8"), book=replace(BOOK, in_flight=frozenset({ETH}))).refused


def test_a_pair_that_depends_on_its_order_rests_nowhere() -> None:
    """What has to be filled first takes, and so does what waits for it."""
    btc = "main:BTC/USDT:USDT"
    legs = [LegPolicy(ETH, weight=dec("0.5")), LegPolicy(InstrumentId(btc), weight=dec("0.5"))]
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -8), (btc, "-0.1"))),
        instruments=[perp(), perp(btc)],
        marks={
            ETH_PERP: Read(Quote(dec(3000), dec(2999), dec(3001)), T0),
            btc: Read(Quote(dec(60_000), dec(59_999), dec(60_001)), T0),
        },
        prices={"ETH": 3000},
    )
    setup = policy(replace(hedge("ETH", legs=legs), placement=Placement.PASSIVE))
    assert placements(decided(seen, setup)) == [Placement.IOC, Placement.IOC]


@pytest.mark.parametrize(
    ("orders", "crosses"),
    [
        ([], False),
        ([past(1)], False),  # taken back early, since the mark had moved: once more at rest
        ([past(2)], True),
        ([past(1), past(2)], True),
        ([past(2, filled="2", state="filled")], False),
        ([past(2, filled="1", state="filled")], True),  # a part of it
        ([past(0, state="rejected")], True),  # it would have taken at once, and the venue refused
        ([past(1, replace(SOLD, placement=Placement.IOC)), past(2)], False),  # that has been done
    ],
)
def test_what_has_had_its_time_crosses(orders: list[PastOrder], crosses: bool) -> None:
    """By the journal alone, so that a restart forgets nothing."""
    assert crossing(orders, T0, LIMITS) == ({ETH} if crosses else frozenset())


# by slices

BUSY = Quote(dec(3000), dec("2999.7"), dec("3000.3"), volume_day=dec(50_000_000), high_day=dec(3100), low_day=dec(2900))


def sizes(seen: Snapshot, setup: PortfolioPolicy | None = None) -> list[Decimal]:
    return [each.intent.quantity for each in decided(seen, setup or policy(hedge("ETH"))).intents]


def test_an_order_that_would_move_the_market_is_sliced() -> None:
    """σ_d = 4.0 % by the day's range: 28,500 would pay 6.4 bp against a spread of 2; as much goes as pays half of that.

    Q = 50 million · (1.5 · 1 bp / 4.0052 %)² = 701, less than a tenth: a tenth goes.
    """
    decision = decided(view("0", BUSY), policy(hedge("ETH")))
    assert [each.intent.quantity for each in decision.intents] == [dec("0.95")]
    assert "0.950 of it now" in decision.intents[0].intent.reason


def test_a_slice_pays_half_the_spread() -> None:
    """With a spread of 4 bp on 100 million a day, Q = 100 million · (1.5 · 2 bp / 4.0052 %)² = 5,610."""
    wide = replace(BUSY, bid=dec("2999.4"), ask=dec("3000.6"), volume_day=dec(100_000_000))
    quantity = sizes(view("0", wide))[0]
    assert quantity == dec("1.870")


@pytest.mark.parametrize(
    "quote",
    [
        replace(BUSY, volume_day=None),
        replace(BUSY, volume_day=dec(0)),
        replace(BUSY, high_day=None),
        replace(BUSY, low_day=dec(3101)),
        replace(BUSY, bid=None),
        replace(BUSY, bid=dec(3000), ask=dec(3000)),
        replace(BUSY, volume_day=dec(2_000_000_000)),  # 28,500 pay 1 bp, less than the spread
    ],
)
def test_where_nothing_is_known_or_little_moved_it_goes_whole(quote: Quote) -> None:
    """No volume, no range, no book, or an impact within the spread."""
    assert sizes(view("0", quote)) == [dec("9.5")]


def test_volatility_of_the_past_goes_before_that_of_a_day() -> None:
    """76.4 % a year are 4 % a day, also where the venue tells no range; 1 % a year moves nothing."""
    bare = replace(view("0", replace(BUSY, high_day=None)))
    for volatility, quantity in ((0.7642, "0.95"), (0.01, "9.5")):
        known = {"alts": HedgeStatistics(T0, hedge_volatility=volatility)}
        assert sizes(replace(bare, statistics=known)) == [dec(quantity)]


def test_neither_closing_nor_the_smallest_order_is_sliced() -> None:
    """What is closed goes at once; a slice is never smaller than the smallest order, and leaves no dust."""
    assert sizes(view("-8", BUSY, eth="0")) == [8]
    coarse = policy(hedge("ETH"), limits=Limits(order_notional_min=dec(6_000)))
    assert sizes(view("0", BUSY), coarse) == [2]
    assert sizes(view("-12", BUSY, lot="1")) == [1]


def test_what_another_order_waits_for_is_not_sliced() -> None:
    """A slice of the sale would not make up for the whole purchase that follows it."""
    btc = "main:BTC/USDT:USDT"
    legs = [LegPolicy(ETH, weight=dec("0.5")), LegPolicy(InstrumentId(btc), weight=dec("0.5"))]
    thin = replace(BUSY, mark=dec(60_000), bid=dec(59_994), ask=dec(60_006), high_day=dec(62_000), low_day=dec(58_000))
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -8), (btc, "-0.1"))),
        instruments=[perp(), perp(btc)],
        marks={ETH_PERP: Read(BUSY, T0), btc: Read(thin, T0)},
        prices={"ETH": 3000},
    )
    assert sizes(seen, policy(hedge("ETH", legs=legs))) == [dec("0.125"), dec("2.5")]


def test_slices_end() -> None:
    """From nothing to the edge within forty cycles, however thin the market; none of them overshoots."""
    held, cycles = Decimal(0), 0
    while orders := sizes(view(str(-held), BUSY)):
        held, cycles = held + orders[0], cycles + 1
        assert held <= dec("9.501")
        assert cycles <= 40
    assert held >= dec("9.5")
