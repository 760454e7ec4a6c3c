"""What is traded, how much, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Decision, Placement, Side
from hedged.model.policy import LegPolicy, Limits, Mode, PortfolioPolicy
from hedged.model.proposal import Proposal, Verdict
from hedged.model.snapshot import Fault, Margin, Missing, Snapshot
from hedged.model.trade import Purpose
from tests.build import BTC_PERP, ETH_PERP, account, balances, dec, derivatives, future, hedge, perp, policy, snapshot
from tests.support import T0

BOOK = Book("0" * 24)
SECOND = "main:ETH/USDC:USDC"


def view(short: str, *, eth: str = "10", instrument: Instrument | None = None, **more: object) -> Snapshot:
    return snapshot(
        account(spot=balances(ETH=eth), positions=derivatives((ETH_PERP, short))),
        instruments=[instrument or perp()],
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000},
        **more,
    )


def decided(seen: Snapshot, setup: PortfolioPolicy, book: Book = BOOK) -> Decision:
    return decide(assess(seen, setup), seen, setup, book)


def orders(decision: Decision) -> list[tuple[Side, Decimal, bool]]:
    return [(a.intent.side, a.intent.quantity, a.intent.reduce_only) for a in decision.intents]


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        ("0", [(Side.SELL, dec("9.5"), False)]),
        ("-9", [(Side.SELL, dec("0.5"), False)]),
        ("-9.5", []),
        ("-10", []),
        ("-10.5", []),
        ("-11", [(Side.BUY, dec("0.5"), True)]),
        ("2", [(Side.SELL, dec(2), True)]),  # a long in the way is closed first, never turned around in one order
    ],
)
def test_to_the_nearest_edge(short: str, expected: list[tuple[Side, Decimal, bool]]) -> None:
    """Outside the band trade to its edge and no further; inside it leave alone; reductions are reduce-only."""
    assert orders(decided(view(short), policy(hedge("ETH")))) == expected


@pytest.mark.parametrize(
    ("lot", "short", "quantity"),
    [("0.4", "-8.8", "0.8"), ("0.4", "-11.2", "0.8"), ("1", "-9", None), ("3", "-9", None), ("3", "-6", "3")],
)
def test_lots_round_inside_the_band(lot: str, short: str, quantity: str | None) -> None:
    """Whole lots that land inside the band; a lot larger than the band widens it."""
    decision = decided(view(short, instrument=perp(lot=lot)), policy(hedge("ETH")))
    assert [q for _, q, _ in orders(decision)] == ([dec(quantity)] if quantity else [])


def test_the_band_widens_to_the_smallest_order_and_says_so() -> None:
    """2,940 for an order priced 2 % off is 3,000 of an exposure of 30,000: ±0.05 can't be held, ±0.1 is, and shown."""
    seen = view("-9.2", instrument=perp(notional_min=2940))
    assessment = assess(seen, policy(hedge("ETH")))
    assert assessment.hedges[0].band == Decimal("0.1")
    assert decided(seen, policy(hedge("ETH"))).intents == ()
    assert "±0.1" in decided(seen, policy(hedge("ETH"))).reason


def test_without_exposure_the_hedge_is_closed_reduce_only() -> None:
    """When the coins are gone (and that is believed) the short goes too."""
    assert orders(decided(view("-3", eth="0"), policy(hedge("ETH")))) == [(Side.BUY, dec(3), True)]


def test_blocked_hedges_make_no_order() -> None:
    """With the balance missing nothing is traded, and the reason says what is missing."""
    lost = Missing(Fault.UNREADABLE, "fetch_balance spot", "an empty reply", balances(T0 - timedelta(hours=1), ETH=99))
    seen = snapshot(
        account(spot=lost, positions=derivatives((ETH_PERP, -10))), marks={ETH_PERP: 3000}, prices={"ETH": 3000}
    )
    decision = decided(seen, policy(hedge("ETH")))
    assert (decision.intents, decision.proposals, decision.refused) == ((), (), ())
    assert "fetch_balance spot" in decision.reason


def test_monitor_proposes_and_never_approves() -> None:
    """Monitor shows what it would trade; nothing of it can be sent."""
    decision = decided(view("0"), policy(hedge("ETH", mode=Mode.MONITOR), mode=Mode.MONITOR))
    assert decision.intents == ()
    assert [intent.quantity for intent in decision.proposals] == [dec("9.5")]


def test_approve_asks_and_live_begins_with_the_smallest_order() -> None:
    """What passes the gate is put to a person, or sent: the first on a contract is only to see that it is filled."""
    asked = decided(view("0"), policy(hedge("ETH", mode=Mode.APPROVE), mode=Mode.APPROVE))
    assert asked.intents == ()
    assert [proposal.quantity for proposal in asked.awaiting] == [dec("9.5")]
    sent = decided(view("0"), policy(hedge("ETH", mode=Mode.LIVE), mode=Mode.LIVE))
    assert [approved.intent.quantity for approved in sent.intents] == [perp().lot_size]


def test_the_fall_back_takes_over_and_is_bought_back_first() -> None:
    """The first tradable instrument is sold; what was sold on the fall-back is bought back first."""
    setup = policy(hedge("ETH", legs=[ETH_PERP, SECOND]))

    def seen(first: Instrument, a: str, b: str) -> Snapshot:
        return snapshot(
            account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, a), (SECOND, b))),
            instruments=[first, perp(SECOND)],
            marks={ETH_PERP: 3000, SECOND: 3000},
            prices={"ETH": 3000},
        )

    down = decided(seen(perp(trading=False), "0", "0"), setup)
    assert [(a.intent.instrument, a.intent.quantity) for a in down.intents] == [(SECOND, dec("9.5"))]
    over = decided(seen(perp(), "-9", "-3"), setup)
    assert [(a.intent.instrument, a.intent.quantity) for a in over.intents] == [(SECOND, dec("1.5"))]
    both = decided(seen(perp(), "-12", "-1"), setup)
    assert [(a.intent.instrument, a.intent.quantity) for a in both.intents] == [
        (SECOND, dec(1)),
        (ETH_PERP, dec("1.5")),
    ]


def test_weights_split_the_target() -> None:
    """Half on each of two instruments: a leg far off is brought to its own edge, though the sum is on target."""
    legs = [LegPolicy(InstrumentId(ETH_PERP), weight=dec("0.5")), LegPolicy(InstrumentId(BTC_PERP), weight=dec("0.5"))]
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -8), (BTC_PERP, "-0.1"))),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3000, BTC_PERP: 60000},
        prices={"ETH": 3000},
    )
    decision = decided(seen, policy(hedge("ETH", legs=legs)))
    assert [(a.intent.instrument, a.intent.side, a.intent.quantity) for a in decision.intents] == [
        (BTC_PERP, Side.SELL, dec("0.125")),
        (ETH_PERP, Side.BUY, dec("2.5")),
    ]
    assert decision.intents[1].intent.only_after == (decision.intents[0].intent.client_order_id,)


@pytest.mark.parametrize(
    ("approved", "sent"), [({BTC_PERP, ETH_PERP}, [BTC_PERP, ETH_PERP]), ({BTC_PERP}, [BTC_PERP]), ({ETH_PERP}, [])]
)
def test_half_of_a_pair_is_not_sent_on_its_own_approval(approved: set[str], sent: list[str]) -> None:
    """What may only follow another order waits for that one's approval too, and keeps its own."""
    legs = [LegPolicy(InstrumentId(ETH_PERP), weight=dec("0.5")), LegPolicy(InstrumentId(BTC_PERP), weight=dec("0.5"))]
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -8), (BTC_PERP, "-0.1"))),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3000, BTC_PERP: 60000},
        prices={"ETH": 3000},
    )
    setup = policy(hedge("ETH", legs=legs, mode=Mode.APPROVE))
    waiting = decided(seen, setup).awaiting
    answered = tuple(
        replace(each, verdict=Verdict.APPROVED) if each.instrument in approved else each for each in waiting
    )
    decision = decided(seen, setup, replace(BOOK, proposals=answered))
    assert [each.intent.instrument for each in decision.intents] == sent
    assert decision.answered == ()
    assert all(each.intent.placement is Placement.IOC for each in decision.intents)


def test_a_weighted_chain_counts_as_one_leg() -> None:
    """A weighted dated leg that was rolled into the next contract is on target, not missing."""
    december, march = "main:ETH/USDT:USDT-261225", "main:ETH/USDT:USDT-270326"
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((march, -5), (BTC_PERP, "-0.25"))),
        instruments=[future(december, T0 + timedelta(days=5)), future(march, T0 + timedelta(days=90)), perp(BTC_PERP)],
        marks={december: 3000, march: 3000, BTC_PERP: 60000},
        prices={"ETH": 3000},
    )
    legs = [LegPolicy(InstrumentId(december), weight=dec("0.5")), LegPolicy(InstrumentId(BTC_PERP), weight=dec("0.5"))]
    assert decided(seen, policy(hedge("ETH", legs=legs))).intents == ()


def test_shared_instruments_are_traded_on_the_sum() -> None:
    """Two hedges on one instrument, one far under and one without need: one order on the sum."""
    setup = policy(hedge("ETH"), hedge("UNI", name="uni"))
    seen = snapshot(
        account(spot=balances(ETH=10, UNI=1000), positions=derivatives((ETH_PERP, -16))),
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000, "UNI": 30},
    )
    decision = decided(seen, setup)
    assert [(a.intent.hedge, a.intent.quantity) for a in decision.intents] == [("alts+uni", dec(3))]


@pytest.mark.parametrize(
    ("limits", "book", "reason"),
    [
        (Limits(order_notional_max=dec(20_000)), BOOK, "order_notional_max"),
        (Limits(position_notional_max=dec(20_000)), BOOK, "position_notional_max"),
        (Limits(turnover_day_max=dec(30_000)), Book("0" * 24, turnover_day=dec(2_000)), "turnover_day_max"),
        (Limits(), Book("0" * 24, in_flight=frozenset({InstrumentId(ETH_PERP)})), "has not come to an end"),
        (Limits(), Book("0" * 24, orders_allowed=False), "store"),
        (Limits(orders_cycle_max=0), BOOK, "orders_cycle_max"),
    ],
)
def test_limits_refuse_with_the_reason(limits: Limits, book: Book, reason: str) -> None:
    """An order over a limit is refused whole, kept, and says which limit it was."""
    decision = decided(view("0"), policy(hedge("ETH"), limits=limits), book)
    assert decision.intents == ()
    assert reason in decision.refused[0].reason


@pytest.mark.parametrize(
    ("short", "target", "parts"),
    [
        ("-16", "1", ["1.666", "1.666", "1.666", "0.502"]),  # 16.5 short of 10, back to 10.5 at 5,000 an order
        ("-4", "0", ["1.666", "1.666", "0.668"]),
    ],
)
def test_a_reduction_beyond_the_limit_is_made_in_parts(short: str, target: str, parts: list[str]) -> None:
    """Each at most order_notional_max, one a cycle, until the edge or nothing is left; none is ever refused for it."""
    setup = policy(hedge("ETH", ratio=target), limits=Limits(order_notional_max=dec(5_000)))
    held, done = dec(short), []
    for _ in range(10):
        decision = decided(view(f"{held}"), setup)
        assert decision.refused == ()
        if not decision.intents:
            break
        ((side, quantity, reduce_only),) = orders(decision)
        assert (side, reduce_only) == (Side.BUY, True)
        part = f"{quantity:f} of it now, for order_notional_max is 5,000" in decision.intents[0].intent.reason
        assert part is (quantity == dec("1.666"))
        held += quantity
        done.append(quantity)
    assert done == [dec(part) for part in parts]
    assert held == (0 if target == "0" else dec("-10.5"))


def test_the_same_decision_has_the_same_order_id() -> None:
    """Ids are `hd` + 24 hex, made of the cycle and the instrument, so that a repeat is recognised."""
    first, again = (decided(view("0"), policy(hedge("ETH"))).intents[0].intent for _ in range(2))
    assert first.client_order_id == again.client_order_id
    assert len(first.client_order_id) == 26
    other = decided(view("0"), policy(hedge("ETH")), Book("1" * 24)).intents[0].intent
    assert other.client_order_id != first.client_order_id


def test_the_users_smallest_order_is_kept_to() -> None:
    """With order_notional_min 3,000 a hedge 1,000 outside its band waits in a band of ±0.1."""
    setup = policy(hedge("ETH"), limits=Limits(order_notional_min=dec(3000)))
    assert decided(view("-9.2"), setup).intents == ()
    assert "widened" in decided(view("-9.2"), setup).reason
    assert [quantity for _, quantity, _ in orders(decided(view("-8.8"), setup))] == [1]


def test_a_hedge_on_its_edge_is_left_alone_to_the_last_digit() -> None:
    """21 whole contracts short of 22 coins: the quotient's 28th digit is no drift."""
    mark = dec("42908.41")
    seen = snapshot(
        account(spot=balances(ETH=22), positions=derivatives((ETH_PERP, -21))),
        instruments=[perp(lot=1)],
        marks={ETH_PERP: mark},
        prices={"ETH": mark},
    )
    band = Decimal(1) / Decimal(22)
    assert decided(seen, policy(hedge("ETH", band=round(band, 28)))).intents == ()


def test_limits_in_one_cycle_add_up() -> None:
    """The number of orders a cycle counts those approved before."""
    setup = policy(hedge("ETH"), hedge("BTC", name="btc", legs=[BTC_PERP]), limits=Limits(orders_cycle_max=1))
    seen = snapshot(
        account(spot=balances(ETH=10, BTC=1)),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3000, BTC_PERP: 60000},
        prices={"ETH": 3000, "BTC": 60000},
    )
    decision = decided(seen, setup)
    assert len(decision.intents) == 1
    assert "orders_cycle_max" in decision.refused[0].reason


def test_only_one_leg_is_sold() -> None:
    """More hedge goes to the first tradable instrument alone, whatever the second would take."""
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives()),
        instruments=[perp(), perp(SECOND)],
        marks={ETH_PERP: 3000, SECOND: 3000},
        prices={"ETH": 3000},
    )
    decision = decided(seen, policy(hedge("ETH", legs=[ETH_PERP, SECOND])))
    assert [a.intent.instrument for a in decision.intents] == [ETH_PERP]


def test_buying_back_skips_legs_that_hold_nothing() -> None:
    """An over-hedge is bought back where it is held; an empty fall-back is never bought."""
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -12))),
        instruments=[perp(), perp(SECOND)],
        marks={ETH_PERP: 3000, SECOND: 3000},
        prices={"ETH": 3000},
    )
    decision = decided(seen, policy(hedge("ETH", legs=[ETH_PERP, SECOND])))
    assert [(a.intent.instrument, a.intent.quantity) for a in decision.intents] == [(ETH_PERP, dec("1.5"))]


def test_reductions_are_not_held_to_the_position_limit() -> None:
    """A position already over the limit may always shrink."""
    setup = policy(hedge("ETH"), limits=Limits(position_notional_max=dec(1000)))
    assert orders(decided(view("-12"), setup)) == [(Side.BUY, dec("1.5"), True)]


def test_what_cannot_trade_is_not_closed_blindly() -> None:
    """Without exposure a halted leg is left: an order there could only fail."""
    assert decided(view("-3", eth="0", instrument=perp(trading=False)), policy(hedge("ETH"))).intents == ()


def test_an_approval_for_less_leaves_no_dust() -> None:
    """All 2 are to be closed and 1.6 were approved: 1.5 go, since 0.4 could never be traded by themselves again."""
    approved = Proposal(
        id="0badcafe",
        hedge="alts",
        instrument=InstrumentId(ETH_PERP),
        side=Side.BUY,
        quantity=dec("1.6"),
        price=dec(3000),
        notional=dec(4800),
        reduce_only=True,
        purpose=Purpose.CLOSE,
        reason="",
        made_at=T0,
        expires_at=T0 + timedelta(minutes=30),
        verdict=Verdict.APPROVED,
    )
    setup = policy(hedge("ETH", mode=Mode.APPROVE), mode=Mode.APPROVE)
    seen = view("-2", eth="0", instrument=perp(lot="0.1", notional_min=1470))
    decision = decided(seen, setup, replace(BOOK, proposals=(approved,)))
    assert orders(decision) == [(Side.BUY, dec("1.5"), True)]


@pytest.mark.parametrize(
    "limits", [Limits(turnover_day_max=dec(70_000)), Limits(orders_cycle_max=1), Limits(leverage_max=dec(1))]
)
@pytest.mark.parametrize("mode", [Mode.MONITOR, Mode.APPROVE])
def test_what_is_not_sent_takes_nothing_from_what_is(mode: Mode, limits: Limits) -> None:
    """A hedge that is only watched, or waits for a person, comes first in the file: the live one trades all the same."""
    watched = hedge("BTC", name="watched", legs=[BTC_PERP], mode=mode)
    real = hedge("ETH", name="real", mode=Mode.LIVE)
    seen = snapshot(
        account(spot=balances(BTC=1, ETH=10), positions=derivatives(margin=Margin(dec(60_000), None, dec(60_000)))),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3000, BTC_PERP: 60_000},
        prices={"ETH": 3000, "BTC": 60_000},
    )
    setup = policy(watched, real, mode=Mode.LIVE, limits=limits)
    decision = decided(seen, setup, replace(BOOK, proven=frozenset({InstrumentId(ETH_PERP)})))
    assert orders(decision) == [(Side.SELL, dec("9.5"), False)]
    assert len(decision.proposals) + len(decision.awaiting) == 1


def test_what_is_sent_counts_for_what_is_shown() -> None:
    """The live one first: what the other would take is refused for lack of turnover, and said so."""
    real, watched = hedge("ETH", name="real"), hedge("BTC", name="watched", legs=[BTC_PERP], mode=Mode.MONITOR)
    seen = snapshot(
        account(spot=balances(BTC=1, ETH=10), positions=derivatives()),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3000, BTC_PERP: 60_000},
        prices={"ETH": 3000, "BTC": 60_000},
    )
    decision = decided(seen, policy(real, watched, limits=Limits(turnover_day_max=dec(70_000))))
    assert [refusal.intent.hedge for refusal in decision.refused] == ["watched"]
