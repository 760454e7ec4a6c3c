"""What becomes of an order at rest in a book once nobody wants it any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.model.instrument import InstrumentId
from hedged.model.order import Decision, Intent, Placement, Purpose, Side
from hedged.model.policy import LegPolicy, PortfolioPolicy
from hedged.model.snapshot import Fault, Missing, Snapshot
from tests.build import BTC_PERP, ETH_PERP, account, balances, dec, derivatives, hedge, perp, policy, snapshot
from tests.margin import setup, short, with_odds
from tests.support import T0

ETH = InstrumentId(ETH_PERP)
SETUP = policy(replace(hedge("ETH"), placement=Placement.PASSIVE))


def order(side: Side = Side.SELL, quantity: str = "9", held: str = "-10", **more: object) -> Intent:
    """Nine more to be sold, for coins that came to be twenty."""
    size = dec(quantity)
    base = Intent("hd" + "1" * 24, "alts", ETH, side, size, dec(3000), size * 3000, side is Side.BUY, "why")
    return replace(base, placement=Placement.PASSIVE, held=dec(held), **more)


def view(coins: str, contracts: str = "-10", mark: int = 3000) -> Snapshot:
    return snapshot(
        account(spot=balances(ETH=coins), positions=derivatives((ETH_PERP, contracts))),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: mark, BTC_PERP: 60_000},
        prices={"ETH": 3000},
    )


def decided(seen: Snapshot, waiting: Intent, rules: PortfolioPolicy = SETUP, **book: object) -> Decision:
    here = frozenset({waiting.instrument})
    known = Book("c" * 24, open_orders=(waiting,), in_flight=here, resting=here)
    return decide(assess(seen, rules), seen, rules, replace(known, **book))


@pytest.mark.parametrize(
    ("coins", "contracts", "resting", "back"),
    [
        ("20", "-10", order(), False),  # as it was
        ("20", "-16", order(), False),  # most of it is filled
        ("19", "-10", order(), False),  # a little less of it is needed
        ("10", "-10", order(), True),  # the coins were sold again
        ("10", "-12", order(), True),  # and a part of it was filled: the other side is wanted
        ("14", "-10", order(), True),  # the half of it would be enough: all of it would end far beyond the band
        ("14", "-16", order(), True),  # as is the case by now
        ("14", "-10", order(held="-5"), False),  # five of it are filled, and four are left
        ("0", "-10", order(), True),  # nothing is left to hedge
        ("20", "-10", order(hedge="gone"), True),  # its hedge is not in the configuration any more
        ("8", "-10", order(Side.BUY, "1.5"), False),  # over-hedged, as it was
        ("10", "-10", order(Side.BUY, "1.5"), True),
        ("20", "-10", order(Side.BUY, "1.5"), True),
    ],
)
def test_an_order_that_nobody_wants_is_taken_back(coins: str, contracts: str, resting: Intent, back: bool) -> None:
    """At once; nothing else is done with the hedge until it is gone, and the reason says so."""
    decision = decided(view(coins, contracts), resting)
    assert decision.take_back == ((resting.client_order_id,) if back else ())
    assert decision.intents == ()
    assert decision.refused == ()
    if back and resting.hedge == "alts":
        assert f"takes back its order at rest in the book: {resting.side.value}" in decision.reason


def test_what_is_closed_waits_for_its_own_instrument_alone() -> None:
    """The coins are gone: the leg in Bitcoin is closed now, the one with the order as soon as that is taken back."""
    legs = [LegPolicy(ETH, weight=dec("0.5")), LegPolicy(InstrumentId(BTC_PERP), weight=dec("0.5"))]
    rules = policy(replace(hedge("ETH", legs=legs), placement=Placement.PASSIVE))
    seen = view("0")
    held = derivatives((ETH_PERP, -5), (BTC_PERP, "-0.25"))
    seen = replace(seen, accounts={"main": account(spot=balances(ETH=0), positions=held)})
    decision = decided(seen, order(), rules)
    assert [(each.intent.instrument, each.intent.purpose) for each in decision.intents] == [(BTC_PERP, Purpose.CLOSE)]
    assert decision.refused == ()
    assert len(decision.take_back) == 1


async def test_a_rescue_takes_it_back_and_goes_next() -> None:
    """Near liquidation an order that would open more is the last thing that is wanted."""
    rules = setup()
    seen = await with_odds(short(-10, 2_000), rules)
    resting = order()
    decision = decided(seen, resting, rules)
    assert decision.take_back == (resting.client_order_id,)
    assert decision.intents == decision.refused == ()
    gone = decide(assess(seen, rules), seen, rules, Book("c" * 24))
    assert {each.intent.purpose for each in gone.intents} == {Purpose.REDUCE}


def test_what_is_not_known_takes_nothing_back() -> None:
    """Coins that cannot be read, or a price that one reading alone shows: the order rests on, for its time at most."""
    lost = Missing(Fault.UNREADABLE, "fetch_balance spot", "", balances(T0 - timedelta(hours=1), ETH=99))
    blind = replace(view("10"), accounts={"main": account(spot=lost, positions=derivatives((ETH_PERP, -10)))})
    assert decided(blind, order()).take_back == ()
    assert decided(view("10"), order(), prices={"ETH": Decimal(6000)}).take_back == ()
    assert decided(view("10"), order(), marks={ETH: dec(2900)}).take_back == ()
    assert decided(view("10"), order(), marks={ETH: dec(2950)}).take_back != ()
    waits = decided(view("20"), order(), prices={"ETH": Decimal(6000)})
    assert waits.reason == "alts: waits for its order at rest in the book"


def test_an_order_of_unknown_end_is_not_at_rest() -> None:
    """Nobody knows whether it is there: it is looked up, and what would be traded is refused meanwhile."""
    decision = decided(view("0"), order(), resting=frozenset())
    assert decision.take_back == ()
    assert "has not come to an end" in decision.refused[0].reason
