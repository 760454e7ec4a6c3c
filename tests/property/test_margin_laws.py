"""What holds of buying back for margin, whatever the numbers."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.assess import assess
from hedged.assess.margin import alarms_after
from hedged.decide import Book, decide
from hedged.model.instrument import MarginTier
from hedged.model.order import Purpose
from hedged.model.policy import Limits
from tests.margin import contract, setup, short, with_odds

D = Decimal
STEEP = (
    MarginTier(D(0), D("0.005"), D(20)),
    MarginTier(D(50_000), D("0.01"), D(10)),
    MarginTier(D(250_000), D("0.05"), D(5)),
)
COST = D("0.0007")  # less than the cost that is allowed for


@settings(max_examples=60, deadline=None)
@given(
    contracts=st.decimals("-200", "200", places=1).filter(bool),
    share=st.floats(-0.02, 0.4),
    coins=st.integers(0, 300),
    lot=st.sampled_from(["0.001", "0.1", "1", "7"]),
    volatility=st.floats(0.2, 3.0),
)
def test_buying_back_only_ever_reduces_and_ends_at_the_target(
    contracts: Decimal, share: float, coins: int, lot: str, volatility: float
) -> None:
    """Never a larger position, never one turned around; and in the end the odds are met, or nothing is left."""
    rules = setup(limits=Limits(price_collar=D("0.9")))
    held = (contracts / D(lot)).to_integral_value() * D(lot)
    equity = abs(held) * 3_000 * D(repr(round(share, 6)))
    listed = contract(lot=lot, tiers=STEEP)
    alarms: dict[str, str] = {}
    began = False
    for _ in range(12):
        if not held:
            break
        seen = asyncio.run(
            with_odds(short(held, equity, coins=coins, instrument=listed), rules, alarms, volatility=volatility)
        )
        alarms = alarms_after(seen.margin_odds, alarms)
        decision = decide(assess(seen, rules), seen, rules, Book("c" * 24))
        rescue = [each.intent for each in decision.intents if each.intent.purpose is Purpose.REDUCE]
        odds = seen.margin_odds["main"]
        assert bool(rescue) is (odds.alarm == "critical"), "a critical alarm is acted on, and nothing else is"
        if not rescue:
            break
        began = True
        for intent in rescue:
            after = held + intent.signed_quantity
            assert intent.reduce_only
            assert abs(after) < abs(held)
            assert after * held >= 0
            equity -= intent.quantity * 3_000 * COST
            held = after
    if began and held:
        seen = asyncio.run(with_odds(short(held, equity, instrument=listed), rules, volatility=volatility))
        assert (seen.margin_odds["main"].probability or 0) <= 0.01 * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_it_does_not_trade_to_and_fro(seed: int) -> None:
    """Over 200 cycles of a rally and a fall, what was bought back is not sold before there is room for all of it.

    After a purchase for margin the next order the other way is one that met the user's target when it was made, and
    it is not followed by another purchase at once.
    """
    rules = setup()
    rng = np.random.default_rng(seed)
    drift = np.concatenate([np.full(100, 0.0025), np.full(100, -0.003)])
    marks = 3_000 * np.exp(np.cumsum(drift + rng.normal(0, 0.004, 200)))
    held, wallet, before = D(-9), D(4_500), 3_000.0
    alarms: dict[str, str] = {}
    made: list[tuple[int, bool]] = []  # cycle, whether for margin
    for cycle, mark in enumerate(np.round(marks, 2).tolist()):
        wallet += held * D(repr(round(mark - before, 2)))
        before = mark
        seen = asyncio.run(with_odds(short(held, wallet, mark=D(repr(mark)), coins=9), rules, alarms))
        alarms = alarms_after(seen.margin_odds, alarms)
        decision = decide(assess(seen, rules), seen, rules, Book("c" * 24))
        for approved in decision.intents:
            intent = approved.intent
            held += intent.signed_quantity
            wallet -= intent.notional * COST
            made.append((cycle, intent.purpose is Purpose.REDUCE))
            if intent.purpose is not Purpose.REDUCE and not intent.reduce_only:
                after = asyncio.run(with_odds(short(held, wallet, mark=D(repr(mark)), coins=9), rules))
                assert (after.margin_odds["main"].room or 0) >= 1 - 1e-3
    rescues = [cycle for cycle, for_margin in made if for_margin]
    assert rescues, "the rally comes near liquidation"
    turns = sum(a != b for (_, a), (_, b) in pairwise(made))
    assert turns <= 2, made
