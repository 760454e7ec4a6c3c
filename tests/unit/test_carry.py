"""What holding the short costs, in its size: only ever less of it, by formula, within what the user allows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide.carry import carried
from hedged.model.instrument import InstrumentId
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Quote, Read, Snapshot
from tests.build import ETH_PERP, account, balances, hedge, perp, policy, snapshot
from tests.support import T0

D = Decimal
PAY = D("0.1")  # c: a tenth of the exposure a year is paid to be rid of its risk


def rules(shrink: str, pay: Decimal | None = PAY) -> PortfolioPolicy:
    return policy(replace(hedge("ETH"), carry_shrink_max=D(shrink), risk_cost_year=pay))


def seen(rate: str | None) -> Snapshot:
    """Funding each 8 h; −0.01 % is 10.95 % a year that the short pays."""
    found = snapshot(account(spot=balances(ETH=10)), instruments=[perp()], marks={ETH_PERP: 3000}, prices={"ETH": 3000})
    known = None if rate is None else D(rate)
    quote = Quote(D(3000), funding_rate=known, funding_interval_hours=D(8))
    return replace(found, quotes={InstrumentId(ETH_PERP): Read(quote, T0)})


def target(rate: str | None, shrink: str = "1", pay: Decimal | None = PAY) -> Decimal:
    return carried(rules(shrink, pay), seen(rate)).hedges[0].target_ratio


def test_the_target_is_that_of_least_variance_and_cost() -> None:
    """H = (Cov·E − carry/γ)/Var with γ = 2c/(σ²E), so 1 − 0.1095/0.2 = 0.4525, whatever σ and E are."""
    assert target("-0.0001") == D("0.4525")
    for sigma, exposure in ((0.5, 1e4), (0.9, 3e5)):
        gamma = 2 * float(PAY) / (sigma**2 * exposure)
        short = (sigma**2 * exposure - 0.1095 / gamma) / sigma**2
        assert short / exposure == pytest.approx(0.4525)


@pytest.mark.parametrize(
    ("rate", "shrink", "left"),
    [
        ("0.0001", "1", "1"),  # the short is paid: no reason to bet on more
        ("-0.0001", "0.2", "0.8"),  # no less than the user allows
        ("-0.01", "1", "0"),  # never a long
        ("-0.0001", "0", "1"),  # the default
        (None, "1", "1"),  # not known
    ],
)
def test_only_ever_less_and_within_what_is_allowed(rate: str | None, shrink: str, left: str) -> None:
    """Whatever funding does."""
    assert target(rate, shrink) == D(left)


def test_it_says_so() -> None:
    """The hedge's state carries the reason with both numbers."""
    state = assess(seen("-0.0001"), carried(rules("0.2"), seen("-0.0001"))).hedges[0]
    assert state.target_ratio == D("0.8")
    assert state.target_reason is not None
    assert "less, because the short costs 11.0% a year" in state.target_reason
