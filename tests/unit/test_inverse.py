"""Coin-margined contracts: one identity for the delta, never the PnL twice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.model.finding import HedgeStatus
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Position
from tests.build import account, balances, dec, derivatives, hedge, perp, policy, quote, snapshot

INVERSE = InstrumentId("main:BTC/USD:BTC")
CONTRACT = replace(perp(INVERSE, multiplier=100, lot=1), linear=False, quote="USD", settle="BTC")
SETUP = policy(hedge("BTC", legs=[INVERSE]))


def seen(mark: int, position: Position):
    return snapshot(
        account(spot=balances(), swap=balances(BTC="1.2"), positions=derivatives(position)),
        instruments=[CONTRACT],
        marks={INVERSE: mark},
        prices={"BTC": mark, "USD": 1},
    )


@pytest.mark.parametrize(("mark", "value"), [(30_000, 66_000), (60_000, 72_000), (90_000, 78_000), (120_000, 84_000)])
def test_wallet_plus_short_is_worth_what_it_should_be(mark: int, value: int) -> None:
    """N = 60,000 entered at 60,000 with 1.2 BTC: (C − N/P0)·P + N, at four prices."""
    short = Position(INVERSE, dec(-600), entry_price=dec(60_000))
    state = assess(seen(mark, short), SETUP).hedges[0]
    assert state.legs[0].base_quantity == -1
    assert state.exposure_value is not None
    assert state.hedge_value is not None
    net_delta = state.exposure_value - state.hedge_value
    assert net_delta + 60_000 == value
    assert net_delta == Decimal("0.2") * mark


@pytest.mark.parametrize("mark", [30_000, 60_000, 120_000])
def test_funding_is_paid_on_the_face(mark: int) -> None:
    """0.01 % each 8 h of 60,000 dollars is 6,570 a year, whatever the coins behind it are worth by now."""
    short = Position(INVERSE, dec(-600), entry_price=dec(60_000))
    before = seen(mark, short)
    funded = quote(mark, funding_rate=Decimal("0.0001"), funding_interval_hours=Decimal(8))
    (leg,) = assess(replace(before, quotes={INVERSE: funded}), SETUP).hedges[0].legs
    assert leg.carry_year == -6_570


def test_without_an_entry_price_the_delta_is_unknown() -> None:
    """A venue that does not tell the entry leaves the hedge's value unknown, and nothing is traded on a guess."""
    state = assess(seen(60_000, Position(INVERSE, dec(-600))), SETUP).hedges[0]
    assert (state.hedge_value, state.hedge_ratio) == (None, None)
    assert state.status is HedgeStatus.BLOCKED
