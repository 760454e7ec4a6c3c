"""What holds of every decision, whatever the numbers."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.model.order import Side
from hedged.model.policy import Limits
from tests.build import ETH_PERP, account, balances, derivatives, hedge, perp, policy, snapshot

amounts = st.decimals(min_value=0, max_value=1_000, places=3)
prices = st.decimals(min_value="0.01", max_value=100_000, places=2)
shorts = st.decimals(min_value=-1_500, max_value=200, places=1)
bands = st.decimals(min_value="0.005", max_value="0.4", places=3)
lots = st.sampled_from(["0.001", "0.1", "1", "7"])


@given(coins=amounts, price=prices, mark=prices, lots_held=shorts, band=bands, lot=lots, multiplier=lots)
def test_an_order_lands_inside_the_band_and_never_beyond(
    coins: Decimal, price: Decimal, mark: Decimal, lots_held: Decimal, band: Decimal, lot: str, multiplier: str
) -> None:
    """After the order the hedge is nearer its target and, unless it was cut at zero, inside its effective band."""
    held = lots_held.to_integral_value() * Decimal(lot)
    contract = perp(lot=lot, multiplier=multiplier)
    setup = policy(hedge("ETH", band=band), limits=Limits(price_collar=Decimal("0.9")))

    def assessed(contracts: Decimal):
        seen = snapshot(
            account(spot=balances(ETH=coins), positions=derivatives((ETH_PERP, contracts))),
            instruments=[contract],
            marks={ETH_PERP: mark},
            prices={"ETH": price},
        )
        return seen, assess(seen, setup)

    seen, before = assessed(held)
    decision = decide(before, seen, setup, Book("0" * 24))
    assert len(decision.intents) <= 1
    if not decision.intents:
        group = before.groups[0]
        assert decision.refused or group.drift is None or abs(group.drift) <= group.band
        return
    intent = decision.intents[0].intent
    after_contracts = held + intent.signed_quantity
    assert intent.quantity % Decimal(lot) == 0
    assert not (held * after_contracts < 0), "an order never turns a position around"
    assert intent.reduce_only is (abs(after_contracts) < abs(held))
    _, after = assessed(after_contracts)
    old, new = before.groups[0], after.groups[0]
    if new.drift is None or old.drift is None:
        assert after_contracts == 0
        return
    assert abs(new.drift) <= abs(old.drift)
    cut_at_zero = after_contracts == 0 and held > 0 and intent.side is Side.SELL
    assert cut_at_zero or abs(new.drift) <= new.band
