"""Laws of the odds of a liquidation for any account."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.estimate.breach import common_breach_move
from hedged.estimate.innovations import Innovations
from hedged.estimate.liquidation_odds import Need, RiskyPosition, account_need
from hedged.model.instrument import MarginTier

TIERS = (
    MarginTier(Decimal(0), Decimal("0.005"), Decimal(50)),
    MarginTier(Decimal(20_000), Decimal("0.03"), Decimal(10)),
)
HISTORY = Innovations(
    close=(_draw := np.random.default_rng(9).standard_t(4, (500, 2)) / math.sqrt(2)),
    high=np.maximum(_draw, 0) + 0.2,
    low=np.minimum(_draw, 0) - 0.2,
    bar_years=1 / 8760,
    forgetting=0.004,
)

notionals = st.floats(-1e6, 1e6).filter(lambda value: abs(value) > 1)
volatilities = st.floats(0.0, 4.0)
positions = st.builds(RiskyPosition, notionals, volatilities, volatilities, st.just(TIERS), st.booleans())
accounts = st.tuples(positions, positions)
equities = st.floats(-1e6, 1e7)
horizons = st.floats(0.05, 3.0)  # days
targets = st.floats(0.001, 0.5)


def need_of(account: tuple[RiskyPosition, ...], days: float, *, bootstrap: bool) -> Need:
    return account_need(
        account,
        days / 365,
        history=HISTORY if bootstrap else None,
        rng=np.random.default_rng(1),
        paths=200,
    )


@settings(max_examples=60, deadline=None)
@given(accounts, horizons, st.booleans(), equities, st.floats(0, 1e6))
def test_odds_are_probabilities_and_collateral_never_raises_them(
    account: tuple[RiskyPosition, ...], days: float, bootstrap: bool, equity: float, more: float
) -> None:
    """Within 0 and 1 under both models; with more equity never higher."""
    need = need_of(account, days, bootstrap=bootstrap)
    poorer, richer = need.probability(equity), need.probability(equity + more)
    for odds in (poorer, richer):
        assert 0 <= odds.walk <= 1
        assert (odds.bootstrap is not None) is bootstrap
        assert 0 <= odds.worst <= 1
    assert richer.walk <= poorer.walk
    assert richer.worst <= poorer.worst


@settings(max_examples=60, deadline=None)
@given(accounts, horizons, st.floats(1, 3), st.booleans(), equities)
def test_longer_is_never_safer(
    account: tuple[RiskyPosition, ...], days: float, longer: float, bootstrap: bool, equity: float
) -> None:
    """With the same randomness a longer horizon keeps the paths of the shorter and goes on."""
    soon, late = (need_of(account, each, bootstrap=bootstrap) for each in (days, days * longer))
    assert soon.probability(equity).worst <= late.probability(equity).worst + 1e-12


@settings(max_examples=60, deadline=None)
@given(accounts, horizons, targets, st.floats(0, 0.3), st.booleans(), equities)
def test_what_is_proposed_meets_the_target(
    account: tuple[RiskyPosition, ...], days: float, target: float, looser: float, bootstrap: bool, equity: float
) -> None:
    """The collateral proposed, and the top-up to it; a looser target never asks for more."""
    need = need_of(account, days, bootstrap=bootstrap)
    enough = need.equity_for(target)
    assert need.probability(enough * (1 + 1e-9) + 1e-6).worst <= target + 1e-9
    assert need.probability(equity + need.top_up(equity, target) + 1e-6 + 1e-9 * enough).worst <= target + 1e-9
    assert need.equity_for(target + looser) <= enough
    assert 0 <= need.keep_ratio(equity, target, 0.001) <= 1


@settings(max_examples=60, deadline=None)
@given(accounts, equities)
def test_the_common_move_uses_up_the_equity(account: tuple[RiskyPosition, ...], equity: float) -> None:
    """At the move found, what the positions need is the equity; before half of it, less."""
    move = common_breach_move(account, equity)

    def needed(ratio: float) -> float:
        return sum(float(each.need(np.array(1 + ratio))) for each in account)

    if move is None:
        assert needed(0.0) < equity
    elif move.ratio == 0:
        assert needed(0.0) >= equity
    else:
        assert math.isclose(
            needed(move.ratio), equity, rel_tol=1e-3, abs_tol=1e-3 * sum(abs(p.notional) for p in account)
        )
        assert needed(move.ratio / 2) <= equity
