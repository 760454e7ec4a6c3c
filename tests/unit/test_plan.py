"""Which contracts a plan proposes, how many, for what, and why not the others."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from hedged.estimate.past_prices import PastPrices, past_prices
from hedged.estimate.plan import Planner, is_on
from hedged.estimate.plan_cost import cost_year
from hedged.estimate.plan_size import given_away, sized_legs
from hedged.estimate.plan_words import compared, symbol_of
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.plan import Candidate, PlanHolding, PlanOptions, PlanProposal
from hedged.model.policy import Target

HOUR = 3600
TIERS = (MarginTier(Decimal(0), Decimal("0.01"), Decimal(50)),)


def contract(
    base: str, multiplier: str = "1", lot: str = "0.001", *, mark: str = "1", date: str = "", **more: object
) -> Candidate:
    symbol = f"{base}/USDT:USDT" + (f"-{date}" if date else "")
    instrument = Instrument(
        id=InstrumentId(f"main:{symbol}"),
        account="main",
        symbol=symbol,
        kind=ContractKind.FUTURE if date else ContractKind.PERPETUAL,
        base=base,
        quote="USDT",
        settle="USDT",
        multiplier=Decimal(multiplier),
        lot_size=Decimal(lot),
        expiry=datetime.strptime(f"{date}08", "%y%m%d%H").replace(tzinfo=UTC) if date else None,
        tiers=TIERS,
    )
    return Candidate(instrument, Decimal(mark), **{"carry_year": Decimal(0), "spread": Decimal(0), **more})  # type: ignore[arg-type]


def market(days: int = 365, **betas: float) -> PastPrices:
    """Hourly prices of coins that move with one factor by these betas, and each a little by itself; ETH is the factor."""
    rng = np.random.default_rng(7)
    factor = rng.normal(0, 0.006, days * 24)
    moves = {"ETH": factor + rng.normal(0, 0.0005, days * 24)}
    moves |= {name: beta * factor + rng.normal(0, 0.003, days * 24) for name, beta in betas.items()}
    times = np.arange(1, days * 24 + 1) * HOUR
    prices = {name: 100 * np.exp(np.cumsum(each - each.mean())) for name, each in moves.items()}
    return past_prices({name: (times, p, p, p) for name, p in prices.items()}, HOUR, int(times[-1]), 365)


def planned(
    history: PastPrices,
    held: dict[str, float],
    candidates: list[Candidate],
    betas: dict[str, dict[str, float]] | None = None,
    **options: object,
) -> PlanProposal:
    """`held`: value by asset, at a price of 100."""
    holdings = [PlanHolding(asset, Decimal(repr(value)) / 100, Decimal(100)) for asset, value in held.items()]
    planner = Planner(candidates, history, PlanOptions(**options), betas or {}, np.random.default_rng(0))  # type: ignore[arg-type]
    return planner.propose("alts", holdings)


def bases(proposal: PlanProposal) -> list[str]:
    assert proposal.best is not None
    return sorted(leg.instrument.partition(":")[2].partition("/")[0] for leg in proposal.best.legs)


# The vector of two coins: Σ_ff = [[.0025, .0024], [.0024, .0036]] (BTC, ETH), Σ_fs = [.0027, .0039], Var(s) = .0064.
TWO = np.array([[0.0025, 0.0024, 0.0027], [0.0024, 0.0036, 0.0039], [0.0027, 0.0039, 0.0064]])
ETH_ALONE = TWO[1:, 1:]


def test_whole_contracts_for_one_proxy() -> None:
    """$100,000 at h = 1.083333 over contracts of 0.1 ETH at $3,000: 361.11, so 361 short; next to nothing is lost."""
    h = np.array([ETH_ALONE[0, 1] / ETH_ALONE[0, 0]])
    (leg,) = sized_legs(h, ETH_ALONE, Decimal(100_000), [contract("ETH", "0.1", "1", mark="3000")])
    assert leg.optimum == pytest.approx(-361.1111, abs=1e-4)
    assert (leg.contracts, leg.notional) == (Decimal(-361), Decimal(-108_300))
    assert 0 < given_away(h, [leg], ETH_ALONE, Decimal(100_000)) < 1e-6
    naive = given_away(np.ones(1), [leg], ETH_ALONE, Decimal(100_000))
    assert naive == pytest.approx(0.083**2 * 0.0036 / 0.0064, rel=1e-6)


def test_whole_contracts_for_two_are_enumerated_together() -> None:
    """h = [.1111, 1.0093] over large contracts: of the four roundings the one that leaves the least variance."""
    h = np.linalg.solve(TWO[:2, :2], TWO[:2, 2])
    assert h.tolist() == pytest.approx([0.111111, 1.009259], abs=1e-6)
    exposure, money = 10_000.0, np.array([1_000.0, 3_000.0])
    legs = sized_legs(
        h, TWO, Decimal(10_000), [contract("BTC", lot="1", mark="1000"), contract("ETH", lot="1", mark="3000")]
    )
    found = np.array([float(leg.contracts) for leg in legs])

    def left(contracts: np.ndarray) -> float:
        away = (-contracts * money / exposure) - h
        return float(away @ TWO[:2, :2] @ away) / 0.0064

    tried = [left(np.array([-a, -b])) for a in (1, 2) for b in (3, 4)]
    assert left(found) == pytest.approx(min(tried))
    assert given_away(h, legs, TWO, Decimal(10_000)) == pytest.approx(min(tried))
    assert found.tolist() == [-2, -3], "each by itself would be rounded to -1 and -3"


@pytest.mark.parametrize(("value", "expected"), [("12", 0), ("60", -1), ("110", -1)])
def test_less_than_half_of_the_smallest_order_is_left_out(value: str, expected: int) -> None:
    """A contract worth 100 and a target of 12: no leg rather than eight times too much."""
    (leg,) = sized_legs(np.ones(1), np.ones((2, 2)), Decimal(value), [contract("ETH", lot="1", mark="100")])
    assert leg.contracts == expected


def test_a_coin_is_hedged_with_its_own_contract() -> None:
    """As many coins short as are held; almost nothing is left, and the file's word for it is quantity."""
    proposal = planned(market(UNI=1.2), {"UNI": 50_000}, [contract("UNI", mark="100"), contract("ETH", mark="100")])
    assert proposal.best is not None
    assert bases(proposal) == ["UNI"]
    assert proposal.best.target is Target.QUANTITY
    assert proposal.best.legs[0].contracts == -500
    assert proposal.best.expected == pytest.approx(1, abs=1e-3)
    dearer = planned(market(UNI=1.2), {"UNI": 50_000}, [contract("UNI", mark="103")]).best
    assert dearer is not None
    assert dearer.legs[0].contracts == -500, "coins, not value: the basis is no reason to short fewer"


def test_without_own_contracts_a_proxy_is_taken() -> None:
    """Neither UNI nor a thousand UNI; ETH at beta, with an interval and a risk that is left."""
    listed = [contract("UNI", mark="100"), contract("1000UNI", mark="100"), contract("ETH", mark="100")]
    proposal = planned(market(UNI=1.2), {"UNI": 50_000}, listed, own=False)
    best = proposal.best
    assert best is not None
    assert bases(proposal) == ["ETH"]
    assert best.target is Target.MINIMUM_VARIANCE
    assert best.legs[0].ratio == pytest.approx(1.2, abs=0.05)
    assert best.expected is not None
    assert best.low is not None
    assert best.high is not None
    assert best.low < best.expected - 0.05 < best.high
    assert best.residual_year is not None
    unhedged = 50_000 * math.hypot(1.2 * 0.006, 0.003) * math.sqrt(8760)
    assert float(best.residual_year) == pytest.approx(unhedged * math.sqrt(1 - best.expected), rel=0.05)


@pytest.mark.parametrize(
    ("base", "asset", "own"),
    [
        ("SHIB", "SHIB", True),
        ("1000SHIB", "SHIB", True),
        ("kPEPE", "PEPE", True),
        ("BTCDOM", "BTC", False),
        ("1INCH", "INCH", False),
    ],
)
def test_what_counts_as_a_coins_own(base: str, asset: str, own: bool) -> None:
    """Also a thousand of it, but not another coin whose name ends alike."""
    assert is_on(base, asset) is own


def test_the_size_asked_for_is_proposed() -> None:
    """And each size is told; more than there are is said."""
    history = market(UNI=1.2, LINK=0.9, SOL=1.1)
    listed = [contract(base, mark="100") for base in ("ETH", "LINK", "SOL")]
    for size in (1, 2, 3):
        proposal = planned(history, {"UNI": 50_000}, listed, size=size)
        assert len(bases(proposal)) == size
        assert [len(each.legs) for each in proposal.sets] == [1, 2, 3]
    proposal = planned(history, {"UNI": 50_000}, listed, size=4)
    assert proposal.best is not None
    assert "there are not 4 contracts to choose from" in proposal.notes


def test_a_set_is_not_chosen_for_what_funding_pays_today() -> None:
    """SOL earns 30 % a year just now and hedges worse: it loses, and the sentence says by how much."""
    history = market(UNI=1.2, SOL=0.7)
    listed = [contract("ETH", mark="100"), contract("SOL", mark="100", carry_year=Decimal("-0.3"))]
    proposal = planned(history, {"UNI": 50_000}, listed, size=1)
    assert bases(proposal) == ["ETH"]
    (reason,) = [each.reason for each in proposal.alternatives if each.what == "SOL perpetual"]
    assert reason.startswith("-0.")
    assert reason.endswith("a year less")


def test_a_set_that_costs_dearly_loses() -> None:
    """ETH hedges better and costs a fifth a year; at a tenth for all risk that is too much."""
    history = market(UNI=1.2, SOL=1.1)
    listed = [contract("ETH", mark="100", carry_year=Decimal("0.2")), contract("SOL", mark="100")]
    assert bases(planned(history, {"UNI": 50_000}, listed, size=1)) == ["SOL"]


def test_of_two_contracts_on_a_coin_the_cheaper_is_taken() -> None:
    """The dated one earns its basis; the perpetual is told with the difference."""
    dated = contract("ETH", mark="100", date="270326", carry_year=Decimal("-0.08"))
    proposal = planned(market(UNI=1.2), {"UNI": 50_000}, [contract("ETH", mark="100"), dated])
    assert proposal.best is not None
    assert proposal.best.legs[0].instrument == dated.instrument.id
    assert proposal.best.cost.roll > 0
    told = {each.what: each.reason for each in proposal.alternatives}
    assert "a year dearer" in told["main:ETH/USDT:USDT"]


def test_costs_add_up_and_unknown_funding_is_not_zero() -> None:
    """Funding of a short of notional N at carry c is N·c; without it the total is unknown and said to be."""
    proposal = planned(market(UNI=1.2), {"UNI": 50_000}, [contract("ETH", mark="100", carry_year=Decimal("0.05"))])
    assert proposal.best is not None
    cost, leg = proposal.best.cost, proposal.best.legs[0]
    assert cost.funding == pytest.approx(-leg.notional * Decimal("0.05"), abs=Decimal("0.01"))
    assert cost.fees > 0
    assert cost.total == cost.fees + (cost.funding or 0) + cost.roll
    proposal = planned(market(UNI=1.2), {"UNI": 50_000}, [contract("ETH", mark="100", carry_year=None)])
    assert proposal.best is not None
    assert proposal.best.cost.total is None
    assert any("funding is not known" in note for note in proposal.notes)


def test_an_index_that_rises_when_coins_fall_is_bought() -> None:
    """Its ratio is negative, its contracts positive, and its funding is paid the other way round."""
    index = contract("BTCDOM", mark="100", direction=-1, carry_year=Decimal("-0.1"))
    proposal = planned(market(UNI=1.2, BTCDOM=-0.6), {"UNI": 50_000}, [index])
    assert proposal.best is not None
    leg = proposal.best.legs[0]
    assert leg.ratio < 0 < leg.contracts
    assert proposal.best.cost.funding == pytest.approx(leg.notional * Decimal("0.1"), abs=Decimal("0.01"))


def test_a_candidate_with_too_short_a_past_says_so() -> None:
    """Ten days of the year are known: named with both numbers, and not chosen."""
    history = market(UNI=1.2, SOL=1.2)
    history.close["SOL"][: -10 * 24] = np.nan
    proposal = planned(history, {"UNI": 50_000}, [contract("ETH", mark="100"), contract("SOL", mark="100")])
    assert bases(proposal) == ["ETH"]
    reasons = {each.what: each.reason for each in proposal.alternatives}
    assert reasons["SOL perpetual"] == "10 of 365 days of prices are known, 90% are needed"


def test_an_asset_with_too_short_a_past_says_so() -> None:
    """Which, and how many days; it is taken to move like the rest."""
    history = market(UNI=1.2, NEW=1.5)
    history.close["NEW"][: -5 * 24] = np.nan
    proposal = planned(history, {"UNI": 50_000, "NEW": 10_000}, [contract("ETH", mark="100")])
    assert proposal.best is not None
    assert proposal.best.expected is not None
    assert "NEW: only 5 days of prices are known: its part is taken to move like the rest" in proposal.notes


def test_without_a_past_the_listed_betas_say_how_much() -> None:
    """Σ w·β on ETH; how well is unknown, not a number."""
    betas = {"UNI": {"ETH": 1.3}, "NEW": {"ETH": 0.8}}
    listed = [contract("SOL", mark="100"), contract("ETH", mark="100")]
    proposal = planned(market(days=2), {"UNI": 30_000, "NEW": 10_000}, listed, betas)
    best = proposal.best
    assert best is not None
    assert bases(proposal) == ["ETH"]
    assert float(best.legs[0].contracts) == pytest.approx(-(0.75 * 1.3 + 0.25 * 0.8) * 400)
    assert (best.expected, best.low, best.high, best.residual_year) == (None, None, None, None)
    assert any("how well they will hedge is unknown" in note for note in proposal.notes)
    assert best.margin[0].assumed


@pytest.mark.parametrize(
    ("value", "listed", "note"),
    [(-500, ["ETH"], "net short"), (0, ["ETH"], "nothing to hedge"), (500, [], "no contract to hedge with")],
)
def test_nothing_to_propose_is_said(value: float, listed: list[str], note: str) -> None:
    """A short, nothing, or nothing to hedge with."""
    proposal = planned(market(UNI=1.2), {"UNI": value}, [contract(base, mark="100") for base in listed])
    assert proposal.best is None
    assert note in proposal.notes[0]


def test_what_is_no_number_is_refused() -> None:
    """Never a plan on NaN."""
    with pytest.raises(ValueError, match="finite"):
        planned(market(UNI=1.2), {"UNI": math.nan}, [contract("ETH", mark="100")])


def test_margin_is_that_of_the_walk_where_there_is_no_past() -> None:
    """L = exp(σ√T·Φ⁻¹(1 − x/2)) at σ = .9 before a price is known; collateral N·(L·(1 + MMR) − 1), whole and up."""
    proposal = planned(past_prices({}, HOUR, 10**9, 365), {"UNI": 50_000}, [contract("ETH", mark="100")])
    assert proposal.best is not None
    (margin,) = proposal.best.margin
    level = math.exp(0.9 * math.sqrt(1 / 365) * NormalDist().inv_cdf(0.995))
    assert margin.collateral == math.ceil(50_000 * (level * 1.01 - 1))
    assert margin.leverage == int(50_000 // float(margin.collateral))


@pytest.mark.parametrize(("changed", "value"), [("probability", 0.001), ("top_up_within", 7 / 365)])
def test_more_safety_takes_more_margin(changed: str, value: float) -> None:
    """A smaller probability, or a longer time to top up."""
    history, listed = market(UNI=1.2), [contract("ETH", mark="100")]
    one, other = (planned(history, {"UNI": 50_000}, listed, **options) for options in ({}, {changed: value}))
    assert one.best is not None
    assert other.best is not None
    assert other.best.margin[0].collateral > one.best.margin[0].collateral * Decimal("1.2")


def test_the_same_question_gets_the_same_answer() -> None:
    """Whatever else the same planner was asked before."""
    history, listed = market(UNI=1.2), [contract("ETH", mark="100")]
    assert planned(history, {"UNI": 50_000}, listed) == planned(history, {"UNI": 50_000}, listed)


def test_contracts_are_sized_in_the_portfolios_currency() -> None:
    """Priced in USDC at 2 to the quote: half as many contracts."""
    one = contract("ETH", mark="100")
    two = replace(one, rate=Decimal(2))
    sizes, collateral = [], []
    for each in (one, two):
        best = planned(market(UNI=1.2), {"UNI": 50_000}, [each]).best
        assert best is not None
        sizes.append(float(best.legs[0].contracts))
        collateral.append(float(best.margin[0].collateral))
    assert sizes[0] == pytest.approx(2 * sizes[1], abs=0.002)
    assert collateral[0] == pytest.approx(2 * collateral[1], abs=2), "posted in the contract's own currency"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"carry_year": Decimal("0.1")}, 0.101),
        ({"carry_year": Decimal("-0.1")}, -0.099),
        ({"carry_year": Decimal("0.1"), "direction": -1}, -0.099),
        ({"date": "270326", "carry_year": Decimal(0)}, 0.005),
        ({"date": "270319", "carry_year": Decimal(0)}, 0.053),
        ({"spread": Decimal("0.001")}, 0.002),
        ({"carry_year": None}, math.nan),
    ],
)
def test_what_holding_a_unit_costs_a_year(more: dict[str, Any], expected: float) -> None:
    """Carry as it is bought or sold, a fee of 5 bp and half the spread in and out, four rolls of a quarter's, 52 of a week's."""
    assert cost_year(contract("ETH", **more)) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("effectiveness", "cost", "words"),
    [
        (0.004, 0.012, "+0.004 effectiveness for 1.2% a year more"),
        (-0.05, -0.003, "-0.050 effectiveness for 0.3% a year less"),
        (0.0001, 0.02, "no effectiveness more for 2.0% a year more"),
        (0.02, 0.0, "+0.020 effectiveness at the same cost"),
        (0.02, math.nan, "+0.020 effectiveness, at a cost that is not known"),
    ],
)
def test_a_reason_is_a_sentence(effectiveness: float, cost: float, words: str) -> None:
    """What it would gain, and what that would cost."""
    assert compared(effectiveness, cost) == words


def test_what_contracts_are_called() -> None:
    """As people do."""
    assert symbol_of(InstrumentId("main:UNI/USDT:USDT")) == "UNI perpetual"
    assert symbol_of(InstrumentId("main:ETH/USDT:USDT-261225")) == "ETH 261225"
