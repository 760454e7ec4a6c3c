"""Coin-margined contracts in a plan: counted by their face, backed by coins that are exposure, never counted twice."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hedged.cli.plan_show import amount, as_json, show_plan
from hedged.estimate.liquidation import inverse_liquidation_price, touch_probability
from hedged.estimate.past_prices import PastPrices, past_prices
from hedged.estimate.plan import Planner
from hedged.estimate.plan_size import sized_legs
from hedged.estimate.plan_words import symbol_of
from hedged.model.instrument import InstrumentId
from hedged.model.plan import Candidate, PlanHolding, PlannedSet, PlanOptions, PlanProposal
from hedged.model.policy import Target
from tests.unit.test_plan import ETH_ALONE, HOUR, TIERS, contract, market, planned

D = Decimal
NO_PAST = past_prices({}, HOUR, 10**9, 365)
LEVEL = math.exp(0.9 * math.sqrt(1 / 365) * NormalDist().inv_cdf(0.995))
"""A day's rise that one price in a hundred exceeds, at the volatility that is taken for granted without a past."""
SHARE = 1 - 0.99 / LEVEL
"""Coins that a short of 1 then needs, MMR 1 %: N·(1 − 1/L) are lost at L, and MMR·N/L must be left."""


def margined(base: str, face: str = "10", *, mark: str = "100", date: str = "", **more: object) -> Candidate:
    """Settled in its coin, of so many dollars each."""
    plain = contract(base, mark=mark, date=date, **more)
    symbol = f"{base}/USD:{base}" + (f"-{date}" if date else "")
    inverse = replace(
        plain.instrument,
        id=InstrumentId(f"main:{symbol}"),
        symbol=symbol,
        quote="USD",
        settle=base,
        linear=False,
        multiplier=D(face),
        lot_size=D(1),
    )
    return replace(plain, instrument=inverse)


def best_of(proposal: PlanProposal) -> PlannedSet:
    assert proposal.best is not None
    return proposal.best


def test_contracts_are_counted_by_their_face() -> None:
    """$100,000 at h = 1.083333 over contracts of 10 dollars: 10,833.33, so 10,833 short, whatever a coin costs."""
    h = np.array([ETH_ALONE[0, 1] / ETH_ALONE[0, 0]])
    for mark in ("3000", "30"):
        (leg,) = sized_legs(h, ETH_ALONE, D(100_000), [margined("ETH", mark=mark)])
        assert leg.optimum == pytest.approx(-10_833.3333, abs=1e-3)
        assert (leg.contracts, leg.notional, leg.net) == (D(-10_833), D(-108_330), D(-108_330))


def test_coins_that_are_bought_to_back_it_are_covered() -> None:
    """With $12,000 of bought ETH beside it the same hedge takes 1,200 contracts more, and leaves the same."""
    name = margined("ETH").instrument.id
    h = np.array([1.0])
    (leg,) = sized_legs(h, ETH_ALONE, D(100_000), [margined("ETH")], bought={name: D(12_000)})
    assert (leg.contracts, leg.notional, leg.net) == (D(-11_200), D(-112_000), D(-100_000))


def test_a_coin_that_is_held_backs_its_own_hedge() -> None:
    """500 UNI at a mark of 103: 5,150 contracts of 10 dollars are 500 UNI. A part of those held is posted, none bought."""
    best = best_of(planned(NO_PAST, {"UNI": 50_000}, [margined("UNI", mark="103")]))
    (leg,), (margin,) = best.legs, best.margin
    assert best.target is Target.QUANTITY
    assert (leg.contracts, leg.bought) == (D(-5_150), D(0))
    assert leg.contracts * 10 / 103 == D(-500)
    assert (margin.currency, margin.coin, margin.bought) == ("UNI", True, D(0))
    assert float(margin.collateral) == pytest.approx(500 * SHARE, abs=1e-4)
    assert margin.value == (margin.collateral * 103).quantize(D("0.01"))
    assert margin.safe_at == 500, "as many coins as it is short of: C = N / P0"
    assert margin.leverage == int(51_500 / float(margin.value))


def test_the_collateral_meets_the_number_asked_for() -> None:
    """The price that liquidates it, N·(1 − MMR)/(N/P0 − C), is touched within the day in 1 % of cases; 0.1 %: in 0.1 %."""
    for probability in (0.01, 0.001):
        best = best_of(planned(NO_PAST, {"UNI": 50_000}, [margined("UNI")], probability=probability))
        limit = inverse_liquidation_price(
            notional=best.legs[0].notional, entry_price=D(100), collateral_coins=best.margin[0].collateral, tiers=TIERS
        )
        assert limit is not None
        touched = touch_probability(
            level_ratio=float(limit) / 100, volatility_year=0.9, years=1 / 365, drift_year=0.9**2 / 2
        )
        assert touched == pytest.approx(probability, rel=1e-3)
        assert touched <= probability


def test_a_proxy_in_coins_covers_the_coins_it_needs() -> None:
    """UNI at beta 1.3 on ETH, of which nothing is held: $65,000 net of what backs it. N·k is bought, N = 65,000/(1 − k)."""
    proposal = planned(NO_PAST, {"UNI": 50_000}, [margined("ETH")], {"UNI": {"ETH": 1.3}})
    (leg,), (margin,) = best_of(proposal).legs, best_of(proposal).margin
    assert float(leg.notional) == pytest.approx(-65_000 / (1 - SHARE), abs=10)
    assert float(leg.net) == pytest.approx(-65_000, abs=5.01), "nearest whole contract"
    assert leg.bought == margin.bought * 100 == margin.value
    note = (
        f"ETH: {margin.bought:f} to be bought on main as collateral; these coins are exposure too, which the contracts"
    )
    assert f"{note} cover" in proposal.notes
    turnover = 1 + D("0.05") ** 2 / (2 * D("0.05"))  # opening, and rebalancing at the least gap that is counted
    fees = (-leg.notional * turnover + leg.bought) * D("0.0005")
    assert abs(best_of(proposal).cost.fees - fees) < D("0.01"), "more contracts, and the coins themselves"


def test_the_same_is_left_of_the_risk_whatever_backs_it() -> None:
    """Coins bought to back a short are covered: as a proxy ETH in coins hedges UNI as well as ETH in dollars does."""
    history = market(UNI=1.2)
    in_coins, in_dollars = (
        best_of(planned(history, {"UNI": 50_000}, [each], own=False)) for each in (margined("ETH"), contract("ETH"))
    )
    assert in_coins.legs[0].bought > 1_000
    assert in_coins.expected == pytest.approx(in_dollars.expected, abs=1e-4)


def test_coins_to_be_bought_make_a_contract_dearer_to_choose() -> None:
    """SOL moves just as ETH does and costs half a percent a year more; but ETH takes more contracts, so SOL it is."""
    history = market(UNI=1.2)
    for column in (history.close, history.high, history.low):
        column["SOL"] = column["ETH"]  # type: ignore[index]
    listed = [margined("ETH", carry_year=D("0.2")), contract("SOL", mark="100", carry_year=D("0.205"))]
    assert best_of(planned(history, {"UNI": 50_000}, listed, size=1)).legs[0].instrument == "main:SOL/USDT:USDT"
    held = planned(history, {"UNI": 50_000, "ETH": 100_000}, listed, size=1)
    assert best_of(held).legs[0].instrument == "main:ETH/USD:ETH", "nothing has to be bought"


def test_what_is_held_is_posted_first() -> None:
    """60 UNI to hedge with 3 of 10 ETH: those are moved, and no contract more is sold for them."""
    listed = [margined("ETH"), contract("UNI", mark="100")]
    holdings = {"UNI": 6_000, "ETH": 1_000}
    proposal = planned(market(UNI=1.2), holdings, [listed[0]], own=True)
    (leg,), (margin,) = best_of(proposal).legs, best_of(proposal).margin
    assert 0 < margin.collateral < 10
    assert (margin.bought, leg.bought, leg.net) == (0, 0, leg.notional)
    assert leg.ratio == pytest.approx(float(-leg.notional) / 7_000, abs=0.001)


def test_of_equals_the_one_backed_by_money_is_taken() -> None:
    """The other is told with what backs it; where its coin is not held, with what that costs."""
    held = planned(market(UNI=1.2), {"UNI": 50_000}, [margined("UNI"), contract("UNI", mark="100")])
    assert best_of(held).legs[0].instrument == "main:UNI/USDT:USDT"
    told = {each.what: each.reason for each in held.alternatives}
    assert told["main:UNI/USD:UNI"] == "the same coin as main:UNI/USDT:USDT, no cheaper, margined in UNI"
    dear = contract("ETH", mark="100", carry_year=D("0.1"))
    proxy = planned(market(UNI=1.2), {"UNI": 50_000}, [dear, margined("ETH", carry_year=D("0.1"))], own=False)
    assert best_of(proxy).legs[0].instrument == "main:ETH/USDT:USDT"
    (reason,) = [each.reason for each in proxy.alternatives if each.what == "main:ETH/USD:ETH"]
    assert "% a year dearer, margined in ETH, which would have to be bought and hedged as well" in reason


@pytest.mark.parametrize("date", ["", "270326"])
def test_a_cheaper_one_in_coins_is_proposed(date: str) -> None:
    """It is paid 8 % a year more than the linear one, which is told as dearer."""
    earning = margined("UNI", date=date, carry_year=D("-0.08"))
    proposal = planned(market(UNI=1.2), {"UNI": 50_000}, [contract("UNI", mark="100"), earning])
    best = best_of(proposal)
    assert best.legs[0].instrument == earning.instrument.id
    assert best.legs[0].contracts == -5_000
    assert best.cost.funding == -4_000, "8 % of the face of 50,000"
    assert (best.cost.roll > 0) is bool(date)
    told = {each.what: each.reason for each in proposal.alternatives}
    assert "a year dearer" in told["main:UNI/USDT:USDT"]


def test_the_bootstrap_of_the_past_counts_too() -> None:
    """With a year of prices the collateral is what the worse of walk and bootstrap needs, and the same when asked again."""
    history: PastPrices = market(UNI=1.2)
    one, other = (best_of(planned(history, {"UNI": 50_000}, [margined("UNI")])) for _ in range(2))
    assert one == other
    assert not one.margin[0].assumed
    longer = best_of(planned(history, {"UNI": 50_000}, [margined("UNI")], top_up_within=7 / 365))
    assert longer.margin[0].collateral > one.margin[0].collateral * D("1.5")
    assert longer.margin[0].collateral < (longer.margin[0].safe_at or 0)


def test_linear_and_coin_margined_legs_are_backed_apart() -> None:
    """Dollars for the one and coins for the other, each told in its own currency."""
    listed = [margined("UNI", carry_year=D("-0.05")), contract("LINK", mark="100")]
    best = best_of(planned(market(UNI=1.2, LINK=0.9), {"UNI": 50_000, "LINK": 30_000}, listed, size=2))
    assert {each.currency: each.coin for each in best.margin} == {"UNI": True, "USDT": False}
    assert best.target is Target.QUANTITY


@pytest.mark.parametrize(
    ("held", "listed", "words"),
    [
        ({"UNI": 50_000}, "UNI", "the UNI are taken from what is held"),
        ({"UNI": 50_000}, "ETH", "all of it is to be bought, as exposure that the contracts cover"),
        ({"UNI": 50_000, "ETH": 100}, "ETH", "of it is to be bought, as exposure that the contracts cover"),
    ],
)
def test_collateral_in_coins_is_told_with_its_worth(held: dict[str, float], listed: str, words: str) -> None:
    """In coins and in the portfolio's currency, where they come from, and how many make it safe at any price."""
    proposal = planned(NO_PAST, held, [margined(listed)], {"UNI": {"ETH": 1.0}})
    (margin,) = best_of(proposal).margin
    console = Console(file=StringIO(), width=400)
    show_plan([proposal], "USDT", PlanOptions(), [], console)
    (line,) = [line for line in console.file.getvalue().splitlines() if line.startswith("margin:")]  # type: ignore[attr-defined]
    assert f"margin: {margin.collateral:f} {listed} on main ({amount(margin.value)} USDT), at most " in line
    assert f"; with {margin.safe_at:.4f} {listed} no price liquidates it; " in line
    assert words in line
    (shown,) = as_json([proposal], "mine", "USDT", PlanOptions(), [])["groups"][0]["proposed"]["margin"]
    assert (shown["currency"], D(shown["collateral"]), D(shown["bought"])) == (listed, margin.collateral, margin.bought)
    assert D(shown["collateral_value"]) == margin.collateral * 100


@pytest.mark.parametrize(
    ("instrument", "said"),
    [
        ("main:BTC/USD:BTC", "BTC coin-margined perpetual"),
        ("main:BTC/USD:BTC-261225", "BTC coin-margined 261225"),
        ("main:BTC/USDT:USDT", "BTC perpetual"),
        ("main:BTC/USD:USD", "BTC perpetual"),
    ],
)
def test_it_is_called_by_what_backs_it(instrument: str, said: str) -> None:
    """Both kinds on one coin can be told apart."""
    assert symbol_of(InstrumentId(instrument)) == said


@given(
    exposure=st.decimals(1_000, 1_000_000, places=0),
    mark=st.decimals("0.5", "90000", places=2),
    beta=st.floats(0.2, 2),
    face=st.sampled_from(["1", "10", "100"]),
    held=st.decimals(0, 100, places=2),
    days=st.sampled_from([1, 30, 90]),
)
def test_the_hedge_is_never_counted_twice(
    exposure: Decimal, mark: Decimal, beta: float, face: str, held: Decimal, days: int
) -> None:
    """Whatever coins are held: contracts less bought coins are the hedge, and what is posted is held or bought."""
    holdings = [PlanHolding("UNI", exposure, D(1)), *([PlanHolding("ETH", held, mark)] if held else [])]
    options = PlanOptions(dust_value=D(0), top_up_within=days / 365)
    listed = [margined("ETH", face, mark=str(mark))]
    betas = {"UNI": {"ETH": beta}}
    proposal = Planner(listed, NO_PAST, options, betas, np.random.default_rng(0)).propose("alts", holdings)
    (leg,) = best_of(proposal).legs
    wanted = float(exposure) * beta + float(held * mark)
    assert abs(float(-leg.net) - wanted) <= max(float(face) / 2, 1e-6) * 1.001
    for margin in best_of(proposal).margin:
        assert margin.bought == max(margin.collateral - held, D(0))
        assert leg.bought == margin.bought * mark


def test_what_was_asked_before_changes_nothing() -> None:
    """The same planner asked for another coin first, and for the same one twice: to the last digit the same collateral.

    UNI leaps by a fifth once in a while, so that it is the bootstrap that counts.
    """
    listed, history = [margined("UNI"), contract("LINK", mark="100")], market(UNI=1.2, LINK=0.9)
    leaps = np.cumprod(np.where(np.random.default_rng(1).random(len(history.times)) < 0.002, 1.2, 1.0))
    for column in (history.close, history.high, history.low):
        column["UNI"] = column["UNI"] * leaps  # type: ignore[index]
    planner = Planner(listed, history, PlanOptions(), {}, np.random.default_rng(0))
    uni, link = ([PlanHolding(asset, D(500), D(100))] for asset in ("UNI", "LINK"))
    first = best_of(planner.propose("uni", uni)).margin
    best_of(planner.propose("link", link))
    assert best_of(planner.propose("uni", uni)).margin == first
