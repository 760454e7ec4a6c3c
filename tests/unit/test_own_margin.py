"""Margin that a venue leaves out, from tiers and marks; what cannot be computed rightly stays unknown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.own_margin import fill_margin, is_lacking
from hedged.estimate.margin_account import MarginAccount, OpenPosition
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Derivatives, Margin, Position
from tests.build import perp

D = Decimal
ETH = InstrumentId("main:ETH/USDT:USDT")
BTC = InstrumentId("main:BTC/USDT:USDT")
INSTRUMENTS = {ETH: perp(ETH, multiplier="0.1"), BTC: perp(BTC)}
TIERS = {
    ETH: (MarginTier(D(0), D("0.005"), D(50)), MarginTier(D(50_000), D("0.01"), D(25))),
    BTC: (MarginTier(D(0), D("0.004"), D(100)),),
}
MARKS = {ETH: D(3000), BTC: D(60_000)}


def short(contracts: str = "-100", **told: Any) -> Position:
    return Position(ETH, D(contracts), **told)


def derivatives(*positions: Position, equity: str = "6000", maintenance: str | None = None) -> Derivatives:
    return Derivatives(positions, Margin(D(equity), None if maintenance is None else D(maintenance)))


def fill(told: Derivatives, instruments: dict[InstrumentId, Instrument] = INSTRUMENTS) -> Derivatives:
    return fill_margin(told, instruments, MARKS, TIERS)


@pytest.mark.parametrize(
    ("contracts", "equity", "maintenance", "liquidation"),
    [
        ("-100", "6000", "150", "3582.08955224"),  # a short of 10 coins at 3000: (6000 + 10·3000)/(10·1.005)
        ("100", "6000", "150", "2412.06030151"),  # a long: (10·3000 − 6000)/(10·0.995)
        ("-200", "6000", "350", "3279.70297030"),  # 60,000: the second bracket, less its amount of 250
        ("100", "30000", "150", None),  # a long that is paid in full: no price does
        ("-100", "150", "150", "3000"),  # at its end: the mark itself
        ("-100", "-30000", "150", "3000"),  # beyond it: the mark, not the far price the formula gives
        ("100", "100", "150", "3000"),
    ],
)
def test_one_position_by_the_formula(contracts: str, equity: str, maintenance: str, liquidation: str | None) -> None:
    """Maintenance at the mark in its bracket, and the price at which equity has fallen to it."""
    filled = fill(derivatives(short(contracts), equity=equity))
    assert filled.margin == Margin(D(equity), D(maintenance), estimated=True)
    (position,) = filled.positions
    assert position.maintenance_margin == D(maintenance)
    if liquidation is None:
        assert position.liquidation_price is None
    else:
        assert position.liquidation_price is not None
        assert round(position.liquidation_price, 8) == D(liquidation)


def test_the_others_profit_and_maintenance_count_as_collateral() -> None:
    """Cross margin: the same price as of an account that knows every entry, to twelve digits."""
    account = MarginAccount(
        D(20_000),
        {ETH: OpenPosition(D(-100), D(-31_000), D("0.1")), BTC: OpenPosition(D("0.5"), D(29_000), D(1))},
    )
    told = derivatives(short(), Position(BTC, D("0.5")), equity=str(account.equity(MARKS)))
    filled = fill(told)
    assert filled.margin is not None
    assert filled.margin.maintenance == account.maintenance(MARKS, TIERS)
    for position in filled.positions:
        right = account.liquidation_price(position.instrument, MARKS, TIERS)
        if right is None:
            assert position.liquidation_price is None
        else:
            assert position.liquidation_price is not None
            assert abs(position.liquidation_price / right - 1) < D("1e-11")
    assert filled.positions[0].liquidation_price is not None


def test_what_the_venue_tells_is_kept() -> None:
    """Only what is None is filled; the estimate of the rest is said to be one."""
    told = derivatives(short(maintenance_margin=D(777)), maintenance="900")
    filled = fill(told)
    assert filled.margin == Margin(D(6000), D(900), estimated=True)
    assert filled.positions[0].maintenance_margin == 777
    assert filled.positions[0].liquidation_price is not None
    complete = derivatives(short(maintenance_margin=D(777), liquidation_price=D(4000)), maintenance="900")
    assert fill(complete) is complete


def test_without_positions_nothing_has_to_be_maintained() -> None:
    """An account that holds nothing needs no tiers to know that; a closed position is none."""
    assert fill(derivatives(equity="500")).margin == Margin(D(500), D(0), estimated=True)
    assert fill(derivatives(short("0"), equity="500")).margin == Margin(D(500), D(0), estimated=True)


INVERSE = replace(INSTRUMENTS[BTC], linear=False, multiplier=D(100), settle="BTC")
USDC = replace(INSTRUMENTS[BTC], settle="USDC")


@pytest.mark.parametrize(
    ("told", "instruments", "marks", "tiers"),
    [
        pytest.param(derivatives(short()), INSTRUMENTS, MARKS, {BTC: TIERS[BTC]}, id="no tiers"),
        pytest.param(derivatives(short()), INSTRUMENTS, MARKS, {**TIERS, ETH: ()}, id="empty tiers"),
        pytest.param(derivatives(short()), INSTRUMENTS, MARKS, {ETH: TIERS[ETH][1:]}, id="tiers not from 0"),
        pytest.param(derivatives(short()), INSTRUMENTS, MARKS, {ETH: TIERS[ETH][::-1]}, id="tiers not ascending"),
        pytest.param(
            derivatives(short("100")), INSTRUMENTS, MARKS, {ETH: (MarginTier(D(0), D(1), D(1)),)}, id="a rate of 1"
        ),
        pytest.param(derivatives(short()), INSTRUMENTS, {}, TIERS, id="no mark"),
        pytest.param(derivatives(short(trusted=False)), INSTRUMENTS, MARKS, TIERS, id="a size in doubt"),
        pytest.param(
            derivatives(short(), Position(BTC, D(5))), {**INSTRUMENTS, BTC: INVERSE}, MARKS, TIERS, id="inverse"
        ),
        pytest.param(
            derivatives(short(), Position(BTC, D(5))), {**INSTRUMENTS, BTC: USDC}, MARKS, TIERS, id="two currencies"
        ),
        pytest.param(
            derivatives(short(), Position(BTC, D(5))), INSTRUMENTS, {ETH: D(3000)}, TIERS, id="another has no mark"
        ),
        pytest.param(Derivatives((short(),), None), INSTRUMENTS, MARKS, TIERS, id="no equity"),
    ],
)
def test_what_cannot_be_computed_stays_unknown(told: Derivatives, instruments: Any, marks: Any, tiers: Any) -> None:
    """One thing unknown makes the whole account's margin unknown, for all share it; no default tiers are assumed."""
    assert fill_margin(told, instruments, marks, tiers) is told


@pytest.mark.parametrize(
    ("told", "lacking"),
    [
        (derivatives(), True),
        (derivatives(short(liquidation_price=D(4000))), True),
        (derivatives(short(), maintenance="1"), True),
        (derivatives(short(liquidation_price=D(4000)), maintenance="1"), False),
        (derivatives(short("0"), maintenance="1"), False),
        (Derivatives((short(),), None), False),
    ],
)
def test_asks_for_marks_and_tiers_only_where_something_is_missing(told: Derivatives, lacking: bool) -> None:
    """A venue that tells everything costs no further request."""
    assert is_lacking(told) is lacking
