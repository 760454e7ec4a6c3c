"""Which of a hedge's orders goes first, and what becomes of a pair that is half done."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.act import submit_all
from hedged.act.brake import Brake
from hedged.adapters.store.memory import MemoryStore
from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.model.instrument import InstrumentId
from hedged.model.order import Cancelled, Decision, Fill, Outcome, Rejected, Side, Unknown
from hedged.model.policy import LegPolicy, Limits, Mode, Target, World
from hedged.model.snapshot import Snapshot
from hedged.model.statistics import HedgeStatistics
from hedged.tell.pipeline import order_findings
from tests.build import BTC_PERP, ETH_PERP, account, balances, dec, derivatives, hedge, perp, policy, snapshot
from tests.fakes import FakeVenue
from tests.support import T0, ManualClock

ETH, BTC = InstrumentId(ETH_PERP), InstrumentId(BTC_PERP)
LEGS = [LegPolicy(ETH, weight=dec("0.5")), LegPolicy(BTC, weight=dec("0.5"))]
SPLIT = policy(hedge("ETH", legs=LEGS))


def view(eth: str, btc: str, coins: str = "10") -> Snapshot:
    return snapshot(
        account(spot=balances(ETH=coins), positions=derivatives((ETH_PERP, eth), (BTC_PERP, btc))),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3000, BTC_PERP: 60_000},
        prices={"ETH": 3000},
    )


def decided(seen: Snapshot, setup=SPLIT) -> Decision:
    return decide(assess(seen, setup), seen, setup, Book("0" * 24))


def test_what_reduces_goes_first_where_enough_stays_hedged() -> None:
    """Over-hedged by ETH: bought back before BTC is sold, which frees the margin for it."""
    decision = decided(view("-7", "-0.2"))  # 21,000 + 12,000 for 30,000
    assert [(each.intent.instrument, each.intent.side) for each in decision.intents] == [
        (ETH, Side.BUY),
        (BTC, Side.SELL),
    ]
    assert not any(each.intent.only_after for each in decision.intents)


def test_what_opens_goes_first_where_too_little_would_be_left() -> None:
    """On target in sum and both legs far off: BTC is sold first, and ETH is bought back only after that."""
    sold, bought = (each.intent for each in decided(view("-8", "-0.1")).intents)
    assert (sold.instrument, bought.instrument) == (BTC, ETH)
    assert bought.only_after == (sold.client_order_id,)


def test_least_variance_with_a_leg_that_is_held_long() -> None:
    """A leg that rises when the coins fall is judged by what it adds to the hedge, not by its side of the market."""
    hedge_ = replace(hedge("ETH", legs=[ETH_PERP, BTC_PERP]), target=Target.MINIMUM_VARIANCE)
    statistics = {"alts": HedgeStatistics(T0, ratios={ETH: dec("0.5"), BTC: dec("-0.5")})}
    seen = replace(view("-8", "0.1"), statistics=statistics)
    first, then = (each.intent for each in decided(seen, policy(hedge_)).intents)
    assert (first.instrument, first.side, first.reduce_only) == (BTC, Side.BUY, False)
    assert (then.instrument, then.side, then.reduce_only) == (ETH, Side.BUY, True)
    assert then.only_after == (first.client_order_id,)


def test_without_its_other_half_it_is_not_decided() -> None:
    """The sale is over a limit: the purchase that would leave the hedge naked is refused with it."""
    setup = policy(hedge("ETH", legs=LEGS), limits=Limits(position_notional_max=dec(10_000)))
    decision = decided(view("-8", "-0.1"), setup)
    assert decision.intents == ()
    assert "position_notional_max" in decision.refused[0].reason
    assert "too little hedged" in decision.refused[1].reason


def test_a_first_smallest_order_does_not_carry_the_other_half() -> None:
    """Live, the first sale of BTC is a single lot: ETH is not bought back for that."""
    setup = policy(replace(hedge("ETH", legs=LEGS), mode=Mode.LIVE), mode=Mode.LIVE)
    decision = decided(view("-8", "-0.1"), setup)
    assert [(each.intent.instrument, each.intent.quantity) for each in decision.intents] == [(BTC, dec("0.001"))]
    assert decision.intents[0].intent.part.startswith("the first order there is the smallest")
    assert "too little hedged" in decision.refused[0].reason
    proven = decide(
        assess(view("-8", "-0.1"), setup), view("-8", "-0.1"), setup, Book("0" * 24, proven=frozenset({BTC}))
    )
    assert len(proven.intents) == 2
    assert not any(each.intent.part for each in proven.intents), "all that is wanted"


def test_monitor_and_approve_show_both_halves() -> None:
    """Put to a person they come together, in their order."""
    for mode in (Mode.MONITOR, Mode.APPROVE):
        setup = policy(replace(hedge("ETH", legs=LEGS), mode=mode), mode=mode)
        decision = decided(view("-8", "-0.1"), setup)
        assert decision.refused == ()
        assert decision.intents == ()


def filled(quantity: Decimal) -> Fill:
    return Fill("", BTC, Side.SELL, quantity, dec(60_000), dec(0), T0)


@pytest.mark.parametrize(
    ("outcome", "sent"),
    [
        (None, [BTC, ETH]),
        (Rejected("", "no margin"), [BTC]),
        (Unknown("", "a time-out"), [BTC]),
        (Cancelled("", "nothing offered"), [BTC]),
        (filled(dec("0.1")), [BTC]),  # a part of it
    ],
)
async def test_without_its_other_half_it_is_not_sent(outcome: Outcome | None, sent: list[InstrumentId]) -> None:
    """Whatever became of the sale but its whole fill: the purchase is withdrawn, and its row in the journal closed."""
    clock, store = ManualClock(), MemoryStore()
    await store.open("test", World.PAPER, T0)
    venue = FakeVenue(clock)
    venue.outcome = outcome
    approved = decided(view("-8", "-0.1")).intents
    outcomes, trouble = await submit_all(approved, {"main": venue}, store, Brake(store), cycle_id="c", clock=clock)
    assert trouble is None
    assert [each.intent.instrument for each in venue.submitted] == sent
    if len(sent) == 1:
        assert isinstance(outcomes[1], Rejected)
        assert "was not filled" in outcomes[1].reason
        assert approved[1].intent.client_order_id not in {
            row.intent.client_order_id for row in await store.open_orders()
        }


def test_a_half_done_pair_is_told_with_what_was_done() -> None:
    """The sale was filled and the purchase rejected: said in one sentence, with what comes of it."""
    decision = decided(view("-7", "-0.2"))
    bought, sold = (each.intent for each in decision.intents)
    done = replace(filled(bought.quantity), client_order_id=bought.client_order_id, instrument=ETH, side=Side.BUY)
    outcomes = [done, Rejected(sold.client_order_id, "no margin")]
    (told,) = order_findings(decision, outcomes, assess(view("-7", "-0.2"), SPLIT).groups)
    assert "no margin" in told.text
    assert f"buy {bought.quantity:f} {ETH} was filled" in told.text
    assert "finishes or undoes" in told.text


@pytest.mark.parametrize(("eth", "btc"), [("-2.5", "-0.25"), ("-8", "-0.125"), ("-5", "0"), ("0", "-0.25")])
def test_a_half_done_pair_is_finished_by_what_is_held(eth: str, btc: str) -> None:
    """From wherever a pair was left, the next cycles end with both legs inside their bands, and go on no further."""
    held = {ETH: dec(eth), BTC: dec(btc)}
    for _ in range(4):
        decision = decided(view(str(held[ETH]), str(held[BTC])))
        for each in decision.intents:
            held[each.intent.instrument] += each.intent.signed_quantity
    assert decided(view(str(held[ETH]), str(held[BTC]))).intents == ()
    assert abs(held[ETH] + 5) <= dec("0.501")
    assert abs(held[BTC] + dec("0.25")) <= dec("0.0251")
