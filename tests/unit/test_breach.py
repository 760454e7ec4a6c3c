"""The move that breaches an account, and contracts to buy back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedged.estimate.breach import breach_moves, common_breach_move, contracts_to_close, risky_positions
from hedged.estimate.liquidation import inverse_liquidation_price
from hedged.estimate.liquidation_odds import RiskyPosition, account_need
from hedged.estimate.margin_account import MarginAccount
from hedged.estimate.volatility import Volatilities
from hedged.model.instrument import MarginTier
from tests.build import BTC_PERP, ETH_PERP

D = Decimal
FLAT = (MarginTier(D(0), D("0.005"), D(20)),)
TIERS = {ETH_PERP: FLAT, BTC_PERP: FLAT}
MARKS = {ETH_PERP: D(3000), BTC_PERP: D(60_000)}


def account(wallet: int, eth: str = "0", btc: str = "0") -> MarginAccount:
    found = MarginAccount(D(wallet))
    for instrument, size in ((ETH_PERP, eth), (BTC_PERP, btc)):
        if D(size):
            found, _ = found.fill(instrument, D(size), MARKS[instrument])
    return found


def positions(eth: float = 0.0, btc: float = 0.0, *, inverse: bool = False) -> list[RiskyPosition]:
    values = [eth * 3000, btc * 60_000]
    return [RiskyPosition(value, 0.8, 0.8, FLAT, inverse) for value in values if value]


def test_the_rise_that_breaches_a_short() -> None:
    """10 ETH short at 3000 over 6000 is liquidated at 3582.09: ETH +19.4 %."""
    (move,) = breach_moves(account(6000, eth="-10"), MARKS, TIERS)
    assert (move.instrument, move.ratio) == (ETH_PERP, pytest.approx(0.194030, abs=1e-6))
    common = common_breach_move(positions(eth=-10), 6000)
    assert common is not None
    assert common.ratio == pytest.approx(move.ratio, abs=1e-9)


def test_the_nearest_breach_comes_first_and_together_they_are_nearer() -> None:
    """Each alone with the other standing still; both at once breach before either does."""
    moves = breach_moves(account(6000, eth="-10", btc="-0.1"), MARKS, TIERS)
    assert [move.instrument for move in moves] == [ETH_PERP, BTC_PERP]
    common = common_breach_move(positions(eth=-10, btc=-0.1), 6000)
    assert common is not None
    assert 0 < common.ratio < moves[0].ratio < moves[1].ratio


def test_a_long_breaches_by_a_fall() -> None:
    """Told as a negative move, alone and together."""
    (move,) = breach_moves(account(6000, eth="10"), MARKS, TIERS)
    common = common_breach_move(positions(eth=10), 6000)
    assert common is not None
    assert move.ratio == pytest.approx(common.ratio) == pytest.approx((30_000 - 6000) / (30_000 * 0.995) - 1)


def test_an_account_to_be_liquidated_already_says_so() -> None:
    """A move of 0, not a price on the safe side."""
    assert [move.ratio for move in breach_moves(account(100, eth="-10"), MARKS, TIERS)] == [0.0]
    gone = common_breach_move(positions(eth=-10), 100)
    assert gone is not None
    assert gone.ratio == 0.0


def test_an_account_s_odds_rest_on_its_own_equity() -> None:
    """Wallet and unrealised loss of this account, at present marks; spot elsewhere is no part of it."""
    marks = MARKS | {ETH_PERP: D(3100)}
    held = account(6000, eth="-10", btc="-0.1")
    known = dict.fromkeys((ETH_PERP, BTC_PERP), Volatilities.starting_at(0.8))
    risky = risky_positions(held, marks, TIERS, known)
    assert [each.notional for each in risky] == [-31_000, -6_000]
    need = account_need(risky, 1 / 365)
    assert need.probability(float(held.equity(marks))).worst > need.probability(6000.0).worst > 0
    breach = common_breach_move(risky, float(held.equity(marks)))
    assert breach is not None
    moved = {instrument: mark * D(repr(1 + breach.ratio)) for instrument, mark in marks.items()}
    assert float(held.equity(moved)) == pytest.approx(float(held.maintenance(moved, TIERS)), abs=1e-4)
    with pytest.raises(KeyError):
        risky_positions(held, marks, TIERS, {})


def test_what_no_move_breaches() -> None:
    """No position; a long with cash for a fall to nothing; an inverse short covered by its coins."""
    assert breach_moves(account(100), MARKS, TIERS) == []
    assert common_breach_move([], 100) is None
    assert breach_moves(account(30_000, eth="10"), MARKS, TIERS) == []
    assert common_breach_move(positions(eth=10), 30_000) is None
    assert common_breach_move(positions(eth=-10, inverse=True), 30_000) is None


@pytest.mark.parametrize(
    ("notional", "coins", "price"),
    [
        ("-60000", "1.2", None),
        ("-60000", "1.0", None),
        ("-60000", "0.5", "119400"),  # 60,000 · (1 − .005) / (1 − .5)
        ("60000", "0.2", "50250"),  # 60,000 · (1 + .005) / (1 + .2)
        ("60000", "-1", "Infinity"),
    ],
)
def test_inverse_liquidation_prices(notional: str, coins: str, price: str | None) -> None:
    """Entered at 60,000: a short whose coins cover it has none; at the price found equity is maintenance, in coins."""
    found = inverse_liquidation_price(
        notional=D(notional), entry_price=D(60_000), collateral_coins=D(coins), tiers=FLAT
    )
    assert found == (None if price is None else D(price))
    if found is not None and found.is_finite():
        equity = D(coins) + D(notional) * (1 / D(60_000) - 1 / found)
        assert float(equity) == pytest.approx(float(abs(D(notional)) * D("0.005") / found))


def test_the_common_move_of_an_inverse_short_is_its_liquidation_price() -> None:
    """The two ways to ask say the same."""
    price = inverse_liquidation_price(notional=D(-60_000), entry_price=D(60_000), collateral_coins=D("0.5"), tiers=FLAT)
    move = common_breach_move(positions(btc=-1, inverse=True), 30_000)
    assert price is not None
    assert move is not None
    assert move.ratio == pytest.approx(float(price) / 60_000 - 1)


@pytest.mark.parametrize(
    ("contracts", "keep", "close"),
    [
        ("-10", 0.75, "2.5"),
        ("-10", 0.7501, "2.5"),
        ("10", 0.75, "-2.5"),
        ("-10", 0.0, "10"),
        ("-10", 1.0, "0"),
        ("-0.3", 0.1, "0.3"),
    ],
)
def test_contracts_to_close_are_whole_lots_and_never_more_than_held(contracts: str, keep: float, close: str) -> None:
    """Rounded up, so that what is left is at most the part to keep; signed against the position."""
    assert contracts_to_close(D(contracts), keep, D("0.5")) == D(close)
