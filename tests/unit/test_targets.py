"""What a hedge ought to be short, by each way of sizing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.model.finding import HedgeStatus
from hedged.model.instrument import InstrumentId
from hedged.model.order import Side
from hedged.model.policy import HedgePolicy, Target
from hedged.model.snapshot import Snapshot
from hedged.model.statistics import HedgeStatistics
from tests.build import BTC_PERP, ETH_PERP, Number, account, balances, dec, derivatives, hedge, perp, policy, snapshot
from tests.support import T0


def sized(target: Target, *assets: str, **more: object) -> HedgePolicy:
    return replace(hedge(*assets, **more), target=target)  # type: ignore[arg-type]


def view(
    shorts: Mapping[str, Number], coins: Mapping[str, Number], ratios: Mapping[str, Number] | None = None
) -> Snapshot:
    seen = snapshot(
        account(spot=balances(**coins), positions=derivatives(*shorts.items())),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3030, BTC_PERP: 61_200},
        prices={"ETH": 3000, "BTC": 60_000, "UNI": 10},
    )
    if ratios is None:
        return seen
    estimated = HedgeStatistics(T0, ratios={InstrumentId(name): dec(ratio) for name, ratio in ratios.items()})
    return replace(seen, statistics={"alts": estimated})


def test_by_quantity_the_basis_moves_nothing() -> None:
    """Ten coins against ten short are a ratio of exactly 1, wherever the contract trades; by value they are 1.01."""
    seen = view({ETH_PERP: -10}, {"ETH": 10})
    by_quantity = assess(seen, policy(sized(Target.QUANTITY, "ETH"))).hedges[0]
    assert (by_quantity.hedge_ratio, by_quantity.drift) == (1, 0)
    assert (by_quantity.exposure_value, by_quantity.beta_exposure) == (30_000, 30_300)
    assert assess(seen, policy(sized(Target.VALUE, "ETH"))).hedges[0].hedge_ratio == dec("1.01")


def test_by_quantity_each_coin_has_its_own_contract() -> None:
    """Of two coins the one that is not hedged is what trades, though the sum could be made up with the other."""
    setup = policy(sized(Target.QUANTITY, "ETH", "BTC", legs=[ETH_PERP, BTC_PERP]))
    seen = view({ETH_PERP: -10, BTC_PERP: 0}, {"ETH": 10, "BTC": "0.5"})
    group = assess(seen, setup).groups[0]
    assert group.leg_targets == {ETH_PERP: dec(30_300), BTC_PERP: dec(30_600)}
    intents = [approved.intent for approved in decide(assess(seen, setup), seen, setup, Book("c")).intents]
    assert [(intent.instrument, intent.side) for intent in intents] == [(BTC_PERP, Side.SELL)]


def test_by_least_variance_each_leg_has_its_estimated_share() -> None:
    """h = 0.4 and 0.7 of 33,000: B is their sum, each leg's drift counts, the largest triggers."""
    setup = policy(sized(Target.MINIMUM_VARIANCE, "ETH", "UNI", legs=[ETH_PERP, BTC_PERP]))
    seen = view({ETH_PERP: 0, BTC_PERP: 0}, {"ETH": 10, "UNI": 300}, {ETH_PERP: "0.4", BTC_PERP: "0.7"})
    state, group = assess(seen, setup).hedges[0], assess(seen, setup).groups[0]
    assert (state.exposure_value, state.beta_exposure) == (33_000, dec("36300.0"))
    assert group.leg_targets == {ETH_PERP: dec(13_200), BTC_PERP: dec(23_100)}
    assert (state.hedge_ratio, state.drift) == (0, -1)


def test_what_falls_when_the_assets_rise_is_held_long() -> None:
    """An estimated ratio below zero overrides the instrument's usual direction: long counts as hedge."""
    setup = policy(sized(Target.MINIMUM_VARIANCE, "ETH", legs=[ETH_PERP, BTC_PERP]))
    ratios: dict[str, Number] = {ETH_PERP: 1, BTC_PERP: "-0.2"}
    held = view({ETH_PERP: "-9.9009901", BTC_PERP: "0.0980392"}, {"ETH": 10}, ratios)
    state = assess(held, setup).hedges[0]
    assert round(state.hedge_ratio or 0, 6) == 1
    assert state.status is HedgeStatus.OK
    bare = view({ETH_PERP: "-9.9009901", BTC_PERP: 0}, {"ETH": 10}, ratios)
    intents = [approved.intent for approved in decide(assess(bare, setup), bare, setup, Book("c")).intents]
    assert [(intent.instrument, intent.side) for intent in intents] == [(BTC_PERP, Side.BUY)]


def test_without_an_estimate_nothing_is_sized() -> None:
    """Ratios that are not known yet block the hedge, and say so."""
    state = assess(view({ETH_PERP: 0}, {"ETH": 10}), policy(sized(Target.MINIMUM_VARIANCE, "ETH"))).hedges[0]
    assert (state.status, state.beta_exposure) == (HedgeStatus.BLOCKED, None)
    assert state.blocked_by == ("alts: its hedge ratios are not estimated yet",)


def test_a_target_ratio_scales_every_leg() -> None:
    """Half a hedge is half of each leg."""
    setup = policy(sized(Target.MINIMUM_VARIANCE, "ETH", legs=[ETH_PERP, BTC_PERP], ratio="0.5"))
    seen = view({ETH_PERP: 0, BTC_PERP: 0}, {"ETH": 10}, {ETH_PERP: "0.5", BTC_PERP: "0.5"})
    assert set(assess(seen, setup).groups[0].leg_targets.values()) == {Decimal(7500)}
