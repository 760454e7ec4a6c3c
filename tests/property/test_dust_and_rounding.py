"""Rounding goes towards less risk, and what shrinks by parts ends: it never becomes dust."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.estimate.sizing import leaves_crumb, order_min, reduction
from hedged.model.order import Decision
from hedged.model.policy import Limits
from hedged.model.snapshot import Snapshot
from tests.build import ETH_PERP, account, balances, dec, derivatives, hedge, perp, policy, snapshot

SECOND = "main:ETH/USDC:USDC"
LOTS = st.sampled_from(["0.001", "0.1", "1", "7"])
MINIMA = st.sampled_from([0, 5, 100, 3_000])
WIDE = Limits(price_collar=Decimal("0.9"))

sizes = st.decimals(min_value="0.001", max_value=1_000, places=3)


@given(held=sizes, wanted=sizes, lot=LOTS, minimum=sizes, most=st.none() | sizes)
def test_a_reduction_leaves_nothing_or_enough(
    held: Decimal, wanted: Decimal, lot: str, minimum: Decimal, most: Decimal | None
) -> None:
    """Whole lots, never through zero, within what one order may be; no dust but where that leaves no other way."""
    step = Decimal(lot)
    least = order_min(perp(lot=lot), Decimal(1), Limits().price_collar, minimum)
    quantity = reduction(held, wanted, step, least, most)
    left = held - quantity
    assert quantity % step == 0
    assert 0 <= quantity <= held
    assert most is None or quantity <= max(most, step)
    assert quantity > 0 or held < step
    if most is None or most >= least + step:
        assert not leaves_crumb(left, step, least)
    if most is None:
        assert quantity >= min(wanted, held - held % step)


@settings(max_examples=40, deadline=None)
@given(
    coins=st.decimals(min_value=1, max_value=1_000, places=3),
    shrinks=st.floats(0.3, 0.97),
    fills=st.floats(0.2, 1),
    lot=LOTS,
    notional_min=MINIMA,
    most=st.sampled_from([None, 10_000]),
)
def test_a_hedge_that_shrinks_and_shrinks_ends(
    coins: Decimal, shrinks: float, fills: float, lot: str, notional_min: int, most: int | None
) -> None:
    """Coins melt away and orders are filled in part: the short follows in orders that can be placed, to nothing.

    Never refused as dust, never below the smallest order but by a partial fill, and then closed whole.
    """
    contract = perp(lot=lot, notional_min=notional_min)
    limits = Limits(price_collar=Decimal("0.9"), order_notional_max=None if most is None else dec(most))
    setup = policy(hedge("ETH"), limits=limits)
    held, step = -(coins // Decimal(lot)) * Decimal(lot), Decimal(lot)
    least = order_min(contract, Decimal(100), limits.price_collar)
    assume(most is None or (least + step) * 100 <= most)
    orders, partial = 0, False
    for cycle in range(700):
        seen = view(coins, [(ETH_PERP, held)], [contract], price=100)
        decision = decide(assess(seen, setup), seen, setup, Book("0" * 24))
        assert decision.refused == ()
        worth = [approved.intent.notional for approved in decision.intents if approved.intent.reduce_only]
        assert most is None or all(each <= most for each in worth), "in parts, where it is more than an order may be"
        for approved in decision.intents:
            quantity = approved.intent.quantity
            assert not partial or abs(held) >= least or quantity == abs(held)
            done = quantity if cycle % 2 else max(quantity * dec(repr(fills)) // step * step, step)
            partial = done < quantity
            held += done * approved.intent.side.sign
            orders += 1
            assert partial or not leaves_crumb(abs(held), step, least)
        coins = round(coins * dec(repr(shrinks)), 6)
        if not coins and not held:
            break
    assert held == 0
    assert orders < 700


@settings(deadline=None)
@given(
    coins=st.decimals(min_value="0.1", max_value=1_000, places=3),
    first=st.decimals(min_value=-1_500, max_value=0, places=1),
    second=st.decimals(min_value=-1_500, max_value=0, places=1),
    band=st.decimals(min_value="0.005", max_value="0.4", places=3),
    lots=st.tuples(LOTS, LOTS),
    notional_min=MINIMA,
)
def test_whatever_the_lots_of_two_legs_no_order_adds_risk(
    coins: Decimal, first: Decimal, second: Decimal, band: Decimal, lots: tuple[str, str], notional_min: int
) -> None:
    """A fall-back with lots wider than the band is not traded past the other edge: |drift| never grows."""
    contracts = [perp(ETH_PERP, lot=lots[0], notional_min=notional_min), perp(SECOND, lot=lots[1])]
    held = {
        contract.id: (quantity // contract.lot_size) * contract.lot_size
        for contract, quantity in zip(contracts, (first, second), strict=True)
    }
    setup = policy(hedge("ETH", legs=[ETH_PERP, SECOND], band=band), limits=WIDE)
    seen = view(coins, list(held.items()), contracts)
    before = assess(seen, setup).groups[0]
    decision: Decision = decide(assess(seen, setup), seen, setup, Book("0" * 24))
    for approved in decision.intents:
        held[approved.intent.instrument] += approved.intent.signed_quantity
    after = assess(view(coins, list(held.items()), contracts), setup).groups[0]
    if before.drift is None or after.drift is None:
        return
    assert abs(after.drift) <= abs(before.drift)
    assert before.drift * after.drift >= 0 or abs(after.drift) <= after.band


def view(coins: Decimal, held: list[tuple[str, Decimal]], contracts: list, price: int = 3000) -> Snapshot:
    return snapshot(
        account(spot=balances(ETH=coins), positions=derivatives(*held)),
        instruments=contracts,
        marks={contract.id: price for contract in contracts},
        prices={"ETH": price},
    )
