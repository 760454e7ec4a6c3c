"""Policies to compare: each a change of the configured one, and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, LegPolicy, Mode, PortfolioPolicy, Target, World
from hedged.model.timing import Insurance, Window
from hedged.replay.variations import VARIATIONS, choose, distinct

HEDGE = HedgePolicy(
    name="alts",
    assets=("SOL", "DOGE"),
    legs=(
        LegPolicy(InstrumentId("main:ETH/USDT:USDT"), weight=Decimal("0.7")),
        LegPolicy(InstrumentId("main:BTC/USDT:USDT"), weight=Decimal("0.3")),
    ),
    target_ratio=Decimal("0.8"),
    band=Decimal("0.03"),
    beta={"SOL": Decimal("1.3")},
    carry_shrink_max=Decimal("0.2"),
    timing=Insurance(windows=(Window(datetime(2021, 1, 1, tzinfo=UTC), None),)),
)
POLICY = PortfolioPolicy(
    name="study",
    mode=Mode.PAPER,
    world=World.PAPER,
    quote="USDT",
    every=timedelta(hours=1),
    hedges=(HEDGE, replace(HEDGE, name="rest", assets=("ADA",))),
)
PLAIN = {
    "target": Target.VALUE,
    "beta": {},
    "beta_estimated": False,
    "band_optimal": False,
    "carry_shrink_max": 0,
    "timing": None,
}
HALVES = tuple(replace(leg, weight=Decimal("0.5")) for leg in HEDGE.legs)
WHOLE = tuple(replace(leg, weight=None) for leg in HEDGE.legs)
CHANGES: dict[str, dict[str, object]] = {
    "configured": {},
    "naive": {**PLAIN, "legs": HALVES, "target_ratio": 1, "band": Decimal("0.05")},
    "band-1": {"band": Decimal("0.01"), "band_optimal": False},
    "band-5": {"band": Decimal("0.05"), "band_optimal": False},
    "band-10": {"band": Decimal("0.1"), "band_optimal": False},
    "optimal": {"band_optimal": True},
    "minimum-variance": {
        "legs": WHOLE,
        "target": Target.MINIMUM_VARIANCE,
        "beta": {},
        "beta_estimated": False,
    },
    "none": {**PLAIN, "target_ratio": 0},
}


def by_name(name: str) -> PortfolioPolicy:
    return next(each for each in VARIATIONS if each.name == name).change(POLICY)


def test_every_variation_is_in_the_table() -> None:
    """None is without its row, and each is said in words."""
    assert [each.name for each in VARIATIONS] == list(CHANGES)
    assert all(each.words for each in VARIATIONS)


@pytest.mark.parametrize("name", CHANGES)
def test_a_variation_changes_what_it_says_of_every_hedge_and_nothing_else(name: str) -> None:
    """Field by field: the changed ones by the table, the others as configured."""
    varied = by_name(name)
    assert replace(varied, hedges=POLICY.hedges) == POLICY
    for hedge, before in zip(varied.hedges, POLICY.hedges, strict=True):
        for field in fields(HedgePolicy):
            expected = CHANGES[name].get(field.name, getattr(before, field.name))
            assert getattr(hedge, field.name) == expected, field.name


def test_fixed_bands_end_an_optimal_one() -> None:
    """Also where the configured band is the optimal one."""
    policy = replace(POLICY, hedges=(replace(HEDGE, band_optimal=True),))
    fixed = [each.change(policy).hedges[0] for each in VARIATIONS if each.name.startswith("band-")]
    assert [(hedge.band, hedge.band_optimal) for hedge in fixed] == [
        (Decimal(band), False) for band in ("0.01", "0.05", "0.1")
    ]


def test_one_instrument_needs_no_share_of_the_naive_hedge() -> None:
    """It takes all, so that its fall-backs stay what they are."""
    policy = replace(POLICY, hedges=(replace(HEDGE, legs=WHOLE[:1]),))
    naive = next(each for each in VARIATIONS if each.name == "naive").change(policy)
    assert naive.hedges[0].legs == WHOLE[:1]


def test_names_are_taken_in_their_order_and_once() -> None:
    """Blanks beside a comma do not matter."""
    assert [each.name for each in choose("none, naive,none", POLICY)] == ["none", "naive"]


def test_without_names_least_variance_is_for_several_instruments() -> None:
    """With one there is nothing to divide, so it is an extra."""
    one = replace(POLICY, hedges=(replace(HEDGE, legs=HEDGE.legs[:1]),))
    assert [each.name for each in choose(None, POLICY)] == list(CHANGES)
    assert [each.name for each in choose(None, one)] == [name for name in CHANGES if name != "minimum-variance"]
    assert [each.name for each in choose("minimum-variance", one)] == ["minimum-variance"]


def test_a_name_that_is_not_there_says_which_are() -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="'best' is no policy to compare: expected some of configured, naive, band-1"):
        choose("naive,best", POLICY)
    with pytest.raises(ValueError, match="'' is no policy"):
        choose("", POLICY)


def test_policies_that_come_to_the_same_are_replayed_once() -> None:
    """The first of them stays, and a sentence says which are left out."""
    policy = replace(POLICY, hedges=(replace(HEDGE, band=Decimal("0.05")),))
    kept, notes = distinct(choose("configured,band-5,band-1", policy), policy)
    assert [variation.name for variation, _ in kept] == ["configured", "band-1"]
    assert kept[0][1] == policy
    assert notes == ("Policy band-5 comes to the same as configured here, and is shown once.",)
