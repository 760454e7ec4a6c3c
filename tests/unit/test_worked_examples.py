"""The examples that everyone starts from, from holdings to the order, through the pure core as a whole."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.estimate.sizing import contracts_for_target
from hedged.model.finding import HedgeStatus, Kind
from hedged.model.order import Side
from hedged.model.snapshot import Balance, Read
from tests.build import ETH_PERP, account, balances, derivatives, hedge, perp, policy, snapshot
from tests.support import T0

BOOK = Book("0" * 24)


def test_fifty_thousand_over_contracts_of_five_thousand_is_ten() -> None:
    """$50,000 over a $5,000 contract is 10 contracts."""
    contract = perp(multiplier="0.1", lot=1)
    assert contracts_for_target(contract, Decimal(50_000), Decimal(50_000), Decimal(1)) == 10


def test_thirty_thousand_in_three_coins_is_a_hundred_micro_contracts() -> None:
    """$15,000 + $10,000 + $5,000 with 0.1 ETH contracts at $3,000 is 100, sold from nothing to the band's edge."""
    seen = snapshot(
        account(spot=balances(ETH=5, UNI=1250, AAVE=50)),
        instruments=[perp(multiplier="0.1", lot=1)],
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000, "UNI": 8, "AAVE": 100},
    )
    setup = policy(hedge("ETH", "UNI", "AAVE"))
    state = assess(seen, setup).hedges[0]
    assert state.exposure_value == state.beta_exposure == 30_000
    assert contracts_for_target(perp(multiplier="0.1", lot=1), Decimal(3000), Decimal(30_000), Decimal(1)) == 100

    (approved,) = decide(assess(seen, setup), seen, setup, BOOK).intents
    assert (approved.intent.side, approved.intent.quantity) == (Side.SELL, 95)  # 0.95 × 100: the nearest edge

    held = snapshot(
        account(spot=balances(ETH=5, UNI=1250, AAVE=50), positions=derivatives((ETH_PERP, -100))),
        instruments=[perp(multiplier="0.1", lot=1)],
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000, "UNI": 8, "AAVE": 100},
    )
    assert assess(held, setup).hedges[0].hedge_ratio == 1


def test_a_token_swapped_for_one_in_no_hedge_shrinks_the_short() -> None:
    """$5,000 of one token swapped for another that no hedge names: over-hedged, and the new one is uncovered."""
    setup = policy(hedge("ETH", "UNI"))
    seen = snapshot(
        account(spot=balances(ETH=5, UNI=625, PEPE=500_000_000), positions=derivatives((ETH_PERP, "-8.3334"))),
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000, "UNI": 8, "PEPE": "0.00001"},
    )
    assessment = assess(seen, setup)
    assert assessment.hedges[0].status is HedgeStatus.OVER
    (approved,) = decide(assessment, seen, setup, BOOK).intents
    assert approved.intent.side is Side.BUY
    assert approved.intent.reduce_only
    uncovered = [finding for finding in assessment.findings if finding.kind is Kind.ASSET_UNCOVERED]
    assert [finding.subject for finding in uncovered] == ["PEPE"]


@pytest.mark.parametrize(
    ("what", "mark", "uni", "status", "side"),
    [
        ("the short's underlying rises, the coins do not", 3300, 10, HedgeStatus.OVER, Side.BUY),
        ("the coins fall further than the short's underlying", 2850, 8, HedgeStatus.OVER, Side.BUY),
        ("the short's underlying falls, the coins do not", 2700, 10, HedgeStatus.UNDER, Side.SELL),
        ("both fall alike", 2700, 9, HedgeStatus.OK, None),
    ],
)
def test_prices_that_move_apart(what: str, mark: int, uni: int, status: HedgeStatus, side: Side | None) -> None:
    """1,000 UNI at 10 hedged by 3.3333 ETH at 3,000: which way each move goes, by value."""
    setup = policy(hedge("UNI"))
    seen = snapshot(
        account(spot=balances(UNI=1000), positions=derivatives((ETH_PERP, "-3.333"))),
        marks={ETH_PERP: mark},
        prices={"UNI": uni},
    )
    assessment = assess(seen, setup)
    assert assessment.hedges[0].status is status, what
    intents = decide(assessment, seen, setup, BOOK).intents
    assert [each.intent.side for each in intents] == ([side] if side else [])
    if side is Side.BUY:
        assert intents[0].intent.reduce_only, "part of the short is bought back"


def test_borrowed_spot_is_hedged_net() -> None:
    """10 ETH of which 4 are borrowed, with interest: the net of 5.9 is what a short of 5.9 hedges whole."""
    borrowed = Read((Balance("ETH", free=Decimal(10), debt=Decimal("4.1")),), T0)
    seen = snapshot(
        account(spot=balances(), positions=derivatives((ETH_PERP, "-5.9")), margin=borrowed),
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000},
    )
    assessment = assess(seen, policy(hedge("ETH")))
    assert assessment.exposures[0].quantity == Decimal("5.9")
    assert assessment.hedges[0].hedge_ratio == 1
