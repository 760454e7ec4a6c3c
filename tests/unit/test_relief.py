"""What brings a margin back below its warning: enough, no more than a lot too much, and unknown where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hedged.assess import assess
from hedged.assess.costs import one_way_cost
from hedged.assess.margin import margin_statuses
from hedged.assess.relief import Relief, above, closing_text, liquidation_relief, margin_relief, relief_text
from hedged.estimate.liquidation import liquidation_price, maintenance_margin
from hedged.model.finding import Finding, Kind
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Margin, Position, Read, Snapshot
from tests.build import BTC_PERP, ETH_PERP, account, balances, derivatives, perp, snapshot
from tests.margin import contract, setup

D = Decimal
STEEP = (
    MarginTier(D(0), D("0.02"), D(20)),
    MarginTier(D(20_000), D("0.04"), D(10)),
    MarginTier(D(100_000), D("0.1"), D(5)),
)
ETH = InstrumentId(ETH_PERP)
RULES = setup()
WARNING, NEAR = RULES.thresholds.margin_ratio_warning, RULES.thresholds.liquidation_distance_near


def held(
    equity: Decimal,
    *positions: Position,
    debt_maintenance: int = 0,
    instruments: tuple[Instrument, ...] = (),
    mark: int = 3_000,
) -> Snapshot:
    """An account with these positions in cross margin over `equity`, and the maintenance that their tiers ask."""
    listed = instruments or (contract(tiers=STEEP, lot="0.1"),)
    by_id = {each.id: each for each in listed}
    asked = debt_maintenance + sum(
        (maintenance_margin(by_id[each.instrument].notional(each.contracts, D(mark)), STEEP) for each in positions),
        D(0),
    )
    return snapshot(
        account(spot=balances(ETH=10), positions=derivatives(*positions, margin=Margin(equity, asked))),
        instruments=listed,
        marks={each.id: mark for each in listed},
        prices={"ETH": mark, "BTC": mark},
    )


def of(seen: Snapshot, rules: PortfolioPolicy = RULES) -> Relief:
    (row,) = margin_statuses(seen)
    return margin_relief(row, seen, rules)


def told(seen: Snapshot, kind: Kind, rules: PortfolioPolicy = RULES) -> Finding:
    return next(each for each in assess(seen, rules).findings if each.kind is kind)


def ratio_after(seen: Snapshot, relief: Relief, *, spare: str = "0") -> Decimal:
    """Maintenance over equity once what is to be bought back is, but for `spare` of it, at the cost that it has."""
    derivatives_ = seen.accounts["main"].derivatives
    assert isinstance(derivatives_, Read)
    margin = derivatives_.value.margin
    assert margin is not None
    (position,) = derivatives_.value.positions
    closing = relief.to_close[position.instrument] - D(spare).copy_sign(relief.to_close[position.instrument])
    listed = seen.instruments[position.instrument]
    cost = abs(listed.notional(closing, D(3_000))) * (one_way_cost(listed.id, seen, RULES) or 0)
    left = maintenance_margin(listed.notional(position.contracts + closing, D(3_000)), STEEP)
    return left / (margin.equity - cost)


@settings(max_examples=200, deadline=None)
@given(contracts=st.decimals("0.5", "80", places=1), ratio=st.floats(0.5, 3), side=st.sampled_from([-1, 1]))
def test_either_way_is_enough(contracts: Decimal, ratio: float, side: int) -> None:
    """With the money added, or with the contracts bought back at their cost, the ratio is below the warning."""
    asked = maintenance_margin(contracts * 3_000, STEEP)
    equity = asked / D(repr(ratio))
    seen = held(equity, Position(ETH, contracts * side))
    relief = of(seen)
    ((top_up, unit),) = relief.top_up
    assert unit == "USDT"
    assert asked / (equity + top_up) < WARNING
    closing = relief.to_close[ETH]
    assert closing * side <= 0
    assert abs(closing) <= contracts
    assert abs(closing) == contracts or ratio_after(seen, relief) < WARNING


def test_no_more_than_a_lot_too_much() -> None:
    """Within one bracket a lot less would leave the warning standing."""
    seen = held(D(200), Position(ETH, D(-3)))  # 9,000 at 2 %: 180 is asked
    relief = of(seen)
    assert ratio_after(seen, relief) < WARNING < ratio_after(seen, relief, spare="0.1")


def test_the_sentence() -> None:
    """What is left, and both ways out with their amounts and units."""
    finding = told(held(D(200), Position(ETH, D(-3))), Kind.MARGIN)
    assert finding.text == (
        "main margin: 10% of equity left before liquidation; maintenance margin is 90% of it, critical from 75%. "
        "Top up 161 USDT or buy back 1.4 contracts of ETH/USDT:USDT to get below the warning."
    )
    assert finding.values["closing"] == "buy back 1.4 contracts of ETH/USDT:USDT"
    assert finding.values["top_up"] == 161
    assert finding.values["adding"] == "161 USDT"


def apart(eth_equity: int, btc_equity: int, *, near: bool = False) -> Snapshot:
    """Two isolated shorts over what is set apart for each: 3 ETH that ask 180, and 0.5 BTC that ask 800. `near`: 5 %
    liquidate each.
    """
    eth, btc = contract(tiers=STEEP, lot="0.1"), contract(BTC_PERP, tiers=STEEP, lot="0.001")
    positions = (
        Position(eth.id, D(-3), isolated_equity=D(eth_equity), liquidation_price=D(3_150) if near else None),
        Position(btc.id, D("-0.5"), isolated_equity=D(btc_equity), liquidation_price=D(63_000) if near else None),
    )
    margin = Margin(D(eth_equity), D(180))  # of the one nearest to its end, as venues' adapters tell it
    return snapshot(
        account(spot=balances(ETH=10), positions=derivatives(*positions, margin=margin)),
        instruments=[eth, btc],
        marks={eth.id: 3_000, btc.id: 60_000},
        prices={"ETH": 3_000, "BTC": 60_000},
    )


def test_each_pool_is_told_what_it_lacks_and_the_figure_is_all_of_it() -> None:
    """Two isolated positions beyond the warning: an amount set apart for each, and their sum for who reads numbers."""
    finding = told(apart(300, 1_000), Kind.MARGIN)
    adding = "60.1 USDT set apart for ETH/USDT:USDT and 601 USDT set apart for BTC/USDT:USDT"
    assert f"Top up {adding} or buy back 0.6 contracts of ETH/USDT:USDT and " in finding.text
    assert finding.values["adding"] == adding
    assert finding.values["top_up"] == D("661.1")


def test_a_pool_below_the_warning_is_left_alone() -> None:
    """Only the isolated position that is beyond it is told of."""
    relief = of(apart(300, 2_000))
    assert relief.top_up == ((D("60.1"), "USDT set apart for ETH/USDT:USDT"),)
    assert set(relief.to_close) == {ETH}


def test_at_the_warning_itself_one_lot_is_enough() -> None:
    """Where the warning just begins, buying back takes the ratio below it as well as money does."""
    seen = held(D(360), Position(ETH, D(-3)))
    assert ratio_after(seen, of(seen)) < WARNING
    assert told(seen, Kind.MARGIN).text.endswith(
        "Top up 0.01 USDT or buy back 0.1 contracts of ETH/USDT:USDT to get below the warning."
    )


def test_contracts_are_told_without_idle_zeros() -> None:
    """`buy back 3 contracts`, whatever places the lot has; tens and hundreds stay what they are."""
    text = told(held(D(-500), Position(ETH, D("-3.0"))), Kind.MARGIN).text
    assert "or buy back 3 contracts of ETH/USDT:USDT to get" in text
    assert closing_text({ETH: D("-1.0")}) == "sell 1 contract of ETH/USDT:USDT"
    assert closing_text({ETH: D("100.0")}) == "buy back 100 contracts of ETH/USDT:USDT"


def test_what_a_debt_asks_is_not_bought_back() -> None:
    """Maintenance that no position causes stays: more is bought back, and where that is not enough it is said."""
    plain = of(held(D(200), Position(ETH, D(-3)))).to_close[ETH]
    seen = held(D(220), Position(ETH, D(-3)), debt_maintenance=20)
    assert of(seen).to_close[ETH] > plain
    deep = told(held(D(200), Position(ETH, D(-3)), debt_maintenance=150), Kind.MARGIN)
    assert deep.text.endswith("Top up 461 USDT to get below the warning; buying back alone is not enough.")


def test_with_nothing_left_all_of_it_is_bought_back() -> None:
    """An equity of nothing is no reason to be silent: without a position nothing can be liquidated."""
    relief = of(held(D(-5), Position(ETH, D(-3))))
    assert relief.to_close[ETH] == 3
    assert relief.top_up[0][0] > 365


def test_every_position_gives_its_share() -> None:
    """Two positions over one equity are reduced alike, each to whole lots of its own."""
    btc = replace(perp(BTC_PERP, lot="0.01"), tiers=STEEP)
    seen = held(
        D(300), Position(ETH, D(-3)), Position(btc.id, D(3)), instruments=(contract(tiers=STEEP, lot="0.1"), btc)
    )
    closing = of(seen).to_close
    assert closing[ETH] > 0 > closing[btc.id]
    assert closing_text(closing).startswith("buy back ")
    assert " and sell " in closing_text(closing)
    assert (
        closing_text({ETH: D(2), btc.id: D(1)})
        == "buy back 2 contracts of ETH/USDT:USDT and 1 contract of BTC/USDT:USDT"
    )
    assert abs(closing[ETH] + closing[btc.id]) < D("0.1")


def test_what_is_not_known_is_said() -> None:
    """An inverse contract beside other collateral: what to add is known, what to buy back is not, and why."""
    inverse = replace(contract(tiers=STEEP), linear=False, settle="ETH")
    seen = held(D(200), Position(inverse.id, D(-3)), instruments=(inverse,))
    (row,) = margin_statuses(seen)
    thin = replace(row, margin_ratio=D("0.9"), equity=D(200), maintenance=D(180))
    text = relief_text(margin_relief(thin, seen, RULES), "to get below the warning")
    assert text.startswith("Top up 161 USDT to get below the warning; how much to buy back instead is not known, ")
    assert "is inverse, and what backs it is not told apart" in text


def test_figures_that_are_old_say_so() -> None:
    """Last known positions are no ground for an order."""
    seen = held(D(200), Position(ETH, D(-3)))
    late = replace(seen, now=seen.now + timedelta(hours=1))
    assert of(late).unknown
    assert not of(late).to_close


def test_another_currency_is_named() -> None:
    """What backs contracts in dollars of another kind is added as that; without its price nothing is said of contracts."""
    other = replace(contract("main:ETH/USDC:USDC", tiers=STEEP, lot="0.1"), quote="USDC", settle="USDC")
    seen = held(D(200), Position(other.id, D(-3)), instruments=(other,))
    assert "what USDC is worth in USDT is not known" in of(seen).unknown
    priced = replace(seen, prices={**seen.prices, "USDC": Read(D("0.99"), seen.now)})
    relief = of(priced)
    assert relief.top_up[0][1] == "USDT worth of USDC"
    assert relief.to_close[other.id] > 0


def price_of(contracts: Decimal, equity: Decimal) -> Decimal:
    price = liquidation_price(base_quantity=contracts, entry_price=D(3_000), collateral=equity, tiers=STEEP)
    assert price is not None
    return price


@settings(max_examples=200, deadline=None)
@given(contracts=st.decimals("0.5", "60", places=1), share=st.floats(0.03, 0.2), side=st.sampled_from([-1, 1]))
@example(contracts=D("37.0"), share=0.19999999999999998, side=-1)
def test_a_near_liquidation_is_moved_away(contracts: Decimal, share: float, side: int) -> None:
    """With the money added, or with the contracts bought back, the liquidation price is beyond the distance."""
    equity = contracts * 3_000 * D(repr(share))
    position = Position(ETH, contracts * side)
    price = liquidation_price(base_quantity=position.contracts, entry_price=D(3_000), collateral=equity, tiers=STEEP)
    if price is None or abs(price / 3_000 - 1) > NEAR or (price - 3_000) * side >= 0:
        return
    seen = held(equity, replace(position, liquidation_price=price))
    relief = liquidation_relief("main", [ETH], seen, RULES)
    ((top_up, _),) = relief.top_up
    assert abs(price_of(position.contracts, equity + top_up) / 3_000 - 1) >= NEAR
    left = position.contracts + relief.to_close[ETH]
    cost = abs(relief.to_close[ETH]) * 3_000 * (one_way_cost(ETH, seen, RULES) or 0)
    assert not left or abs(price_of(left, equity - cost) / 3_000 - 1) >= NEAR


def test_the_sentence_of_a_near_liquidation() -> None:
    """Which contract's move, how far it is, and both ways out."""
    seen = held(D(1_000), Position(ETH, D(-3), liquidation_price=price_of(D(-3), D(1_000))))
    finding = told(seen, Kind.LIQUIDATION_NEAR)
    assert finding.text == (
        "main: ETH/USDT:USDT +8.9%, the others standing still, reaches its liquidation price (warning from 15%). "
        "Top up 558 USDT or buy back 1.1 contracts of ETH/USDT:USDT to get further away than that."
    )


def test_of_several_near_positions_the_one_that_needs_most_decides() -> None:
    """In one pool, whichever of them is listed first: with the money told, neither is liquidated within the distance."""
    eth = contract(tiers=STEEP, lot="0.1")
    btc = contract(BTC_PERP, tiers=STEEP, lot="0.1")
    small, big = (
        Position(eth.id, D(-1), liquidation_price=D(3_100)),
        Position(btc.id, D(-3), liquidation_price=D(3_100)),
    )
    for positions in ((small, big), (big, small)):
        seen = held(D(300), *positions, instruments=(eth, btc))
        ((top_up, unit),) = liquidation_relief("main", [eth.id, btc.id], seen, RULES).top_up
        after = 3 * 3_000 * D("0.15") + maintenance_margin(D(9_000) * (1 + NEAR), STEEP)
        assert unit == "USDT"
        assert top_up == above(after + maintenance_margin(D(3_000), STEEP) - 300)


def test_a_near_liquidation_in_another_currency_is_told_in_the_portfolio_s() -> None:
    """What a dollar of another kind is worth counts in what is needed."""
    other = replace(contract("main:ETH/USDC:USDC", tiers=STEEP, lot="0.1"), quote="USDC", settle="USDC")
    seen = held(D(1_000), Position(other.id, D(-3)), instruments=(other,))
    assert liquidation_relief("main", [other.id], seen, RULES).unknown == "what USDC is worth in USDT is not known"
    seen = replace(seen, prices={**seen.prices, "USDC": Read(D("0.8"), seen.now)})
    ((top_up, unit),) = liquidation_relief("main", [other.id], seen, RULES).top_up
    needed = (3 * 3_000 * NEAR + maintenance_margin(D(9_000) * (1 + NEAR), STEEP)) * D("0.8")
    assert (top_up, unit) == (above(needed - 1_000), "USDT worth of USDC")
    rich = replace(held(D(1_300), Position(other.id, D(-3)), instruments=(other,)), prices=seen.prices)
    assert "is another than its own figures give" in liquidation_relief("main", [other.id], rich, RULES).unknown


def test_the_figures_of_a_near_liquidation_are_those_of_its_text() -> None:
    """Also where several isolated positions are near: each amount, and all of it together."""
    finding = told(apart(900, 3_000, near=True), Kind.LIQUIDATION_NEAR)
    adding = finding.values["adding"]
    assert isinstance(adding, str)
    assert f"Top up {adding} or " in finding.text
    amounts = [D(each.partition(" ")[0].replace(",", "")) for each in adding.split(" and ")]
    assert len(amounts) == 2
    assert finding.values["top_up"] == sum(amounts)


def test_a_near_liquidation_that_nobody_can_explain() -> None:
    """Without what its positions need there is no figure, and the reason stands in its place."""
    bare = replace(contract(), tiers=())
    seen = held(D(1_000), Position(bare.id, D(-3), liquidation_price=D(3_200)), instruments=(bare,))
    text = told(seen, Kind.LIQUIDATION_NEAR).text
    assert "What to top up or to buy back is not known, because the maintenance margin of" in text


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.01"),
        ("-3", "0.01"),
        ("0.31234", "0.313"),
        ("99.96", "100"),
        ("160", "161"),
        ("2299.2", "2300"),
        ("0.5", "0.501"),
    ],
)
def test_a_round_figure_is_above(amount: str, shown: str) -> None:
    """Rounded up, never to the amount itself: at the warning's own figure the warning stands."""
    assert above(D(amount)) == D(shown) > D(amount)
