"""The margin of coin-margined positions: odds, top-up and buying back, where nothing but the coin backs them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.decide.margin import room_after
from hedged.model.finding import Kind
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.order import Intent, Purpose, Side
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Margin, Position, Snapshot
from hedged.tell.state import state_object
from tests.build import ETH_PERP, account, balances, derivatives, hedge, perp, policy, snapshot
from tests.margin import FLAT, REDUCE, RiskAt, with_odds

D = Decimal
INVERSE = InstrumentId("main:BTC/USD:BTC")
CONTRACT = replace(perp(INVERSE, multiplier=100, lot=1), linear=False, quote="USD", settle="BTC", tiers=FLAT)
RULES: PortfolioPolicy = replace(policy(hedge("BTC", legs=[INVERSE])), margin=REDUCE)
N, P0 = 60_000, 60_000


def seen(coins: str, *, mark: int = P0, contracts: int = -600, cash: int = 0, **more: object) -> Snapshot:
    """N = 60,000 sold at 60,000 over so many coins, and cash that counts as equity beside them."""
    gained = contracts * 100 * (1 / D(P0) - 1 / D(mark))
    equity = (D(coins) + gained) * mark + cash
    held = [Position(INVERSE, D(contracts), entry_price=D(P0))] if contracts else []
    return snapshot(
        account(
            spot=balances(BTC=5), swap=balances(BTC=coins), positions=derivatives(*held, margin=Margin(equity, None))
        ),
        instruments=[replace(CONTRACT, **more)],  # type: ignore[arg-type]
        marks={INVERSE: mark},
        prices={"BTC": mark, "USD": 1},
    )


@pytest.mark.parametrize(("coins", "price"), [("0.2", 74_625.0), ("0.5", 119_400.0)])
async def test_the_move_that_breaches_is_that_of_the_formula(coins: str, price: float) -> None:
    """P = N·(1 − MMR)/(N/P0 − C), told as a move from 60,000."""
    odds = (await RiskAt(RULES).odds(seen(coins)))["main"]
    (move,) = odds.breaches
    assert P0 * (1 + move.ratio) == pytest.approx(price)


async def test_a_short_covered_by_its_coins_cannot_be_liquidated() -> None:
    """C ≥ N/P0: whatever the price, so the odds are nothing and nothing is closed."""
    odds = (await RiskAt(RULES, 3.0).odds(seen("1.0")))["main"]
    assert (odds.breaches, odds.walk, odds.to_close, odds.top_up) == ((), 0.0, {}, 0)


@pytest.mark.parametrize("mark", [60_000, 66_000])
async def test_what_is_needed_is_worked_out_in_coins(mark: int) -> None:
    """1 % within a day at a volatility of 0.8: L = 1.113892 and N·(1 − (1 − MMR)/L), whatever was gained before."""
    odds = (await RiskAt(RULES).odds(seen("0.2", mark=mark)))["main"]
    needed = N * (1 - 0.995 / 1.113892)
    assert float(odds.equity_needed or 0) == pytest.approx(needed, rel=1e-4)
    assert [each.unit for each in odds.pools] == ["USD worth of BTC"]


async def test_it_is_bought_back_in_whole_contracts_until_the_target_is_met() -> None:
    """0.05 BTC behind 60,000 is far too little: reduce-only, no more than is held, and what is left meets the target."""
    before = await with_odds(seen("0.05"), RULES)
    decision = decide(assess(before, RULES), before, RULES, Book("c"))
    (approved,) = decision.intents
    intent = approved.intent
    assert (intent.instrument, intent.side, intent.reduce_only) == (INVERSE, Side.BUY, True)
    assert intent.purpose is Purpose.REDUCE
    assert intent.quantity % 1 == 0
    assert 0 < intent.quantity < 600
    after = await with_odds(seen("0.05", contracts=-600 + int(intent.quantity)), RULES)
    assert (after.margin_odds["main"].probability or 0) <= 0.01
    (finding,) = [each for each in assess(before, RULES).findings if each.kind is Kind.MARGIN_ODDS]
    assert "USD worth of BTC or buy back" in finding.text
    (row,) = state_object(assess(before, RULES), decision, RULES)["margin"]  # type: ignore[misc]
    assert (row["currency"], row["coin"]) == ("USD", "BTC")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (seen("0.2", cash=5_000), f"{INVERSE} is inverse, and what backs it is not told apart"),
        (seen("0.2", settle="ETH"), f"{INVERSE} is inverse, and what backs it is not told apart"),
    ],
    ids=["cash beside the coins", "another coin than its own"],
)
async def test_beside_other_collateral_it_says_that_it_cannot_tell(state: Snapshot, why: str) -> None:
    """Money does not rise with the coin: no odds, no order, and a finding that says so rather than silence."""
    known = await with_odds(state, RULES)
    assert known.margin_odds["main"].unknown == why
    (finding,) = [each for each in assess(known, RULES).findings if each.kind is Kind.MARGIN_ODDS]
    assert why in finding.text
    assert "neither buys back there nor opens more" in finding.text


async def test_opening_asks_for_coins() -> None:
    """The room after a short of 300 contracts is told by the coins alone; cash of the same worth is not known to do."""
    order = Intent("hd", "btc", INVERSE, Side.SELL, D(300), D(P0), D(30_000), False, "why")
    tight = replace(CONTRACT, tiers=(MarginTier(D(0), D("0.005"), D(20)),))
    for coins, cash, known in (("0.2", 0, True), ("0", 12_000, False)):
        idle = await with_odds(seen(coins, contracts=0, cash=cash, tiers=tight.tiers), RULES)
        room, need = room_after(order, D(0), idle, RULES, {})
        assert room is not None
        assert (room.after is not None) is known
        if known:
            assert need == pytest.approx(30_000 * (1 - 0.995 / 1.113892), rel=1e-3)


def both(cash: str, coins: str, **more: object) -> Snapshot:
    """A linear short of 10 ETH over cash and the inverse one over coins, in an account that tells the two apart."""
    linear = replace(perp(), tiers=FLAT)
    held = [Position(ETH_PERP, D(-10)), Position(INVERSE, D(-600), entry_price=D(P0))]
    shown = derivatives(*held, margin=Margin(min(D(cash), D(coins) * P0), None))
    told = more or {"equities": {"USDT": D(cash), "BTC": D(coins) * P0}}
    return snapshot(
        account(
            spot=balances(BTC=5),
            swap=balances(BTC=coins, USDT=cash),
            positions=replace(shown, value=replace(shown.value, **told)),
        ),
        instruments=[CONTRACT, linear],
        marks={INVERSE: P0, ETH_PERP: 3000},
        prices={"BTC": P0, "ETH": 3000, "USD": 1},
    )


async def test_two_pools_are_told_by_the_worse_and_both_are_bought_back() -> None:
    """What each currency backs is judged by itself; neither helps the other, and the alarm says what both lack."""
    rules = replace(policy(hedge("ETH"), hedge("BTC", name="btc", legs=[INVERSE])), margin=REDUCE)
    seen_ = await with_odds(both("2000", "0.05"), rules)
    odds = seen_.margin_odds["main"]
    (other,) = odds.others
    assert {odds.coin, other.coin} == {"BTC", ""}
    assert (odds.probability or 0) > 0.05
    assert other.top_up > 0
    assert set(odds.to_close) == {ETH_PERP, INVERSE}
    alone = (await RiskAt(RULES).odds(seen("0.05")))["main"]
    assert odds.to_close[INVERSE] == alone.to_close[INVERSE]
    orders = decide(assess(seen_, rules), seen_, rules, Book("c")).intents
    assert {each.intent.instrument for each in orders} == {ETH_PERP, INVERSE}
    assert all(each.intent.reduce_only for each in orders)
    (finding,) = [each for each in assess(seen_, rules).findings if each.kind is Kind.MARGIN_ODDS]
    assert "USDT" in finding.text
    assert "USD worth of BTC" in finding.text


async def test_a_pool_with_plenty_lends_nothing_to_the_other() -> None:
    """A million beside it changes nothing for the coins; and an order is asked of the pool that would back it."""
    rules = replace(policy(hedge("ETH"), hedge("BTC", name="btc", legs=[INVERSE])), margin=REDUCE)
    seen_ = await with_odds(both("1000000", "0.05"), rules)
    assert set(seen_.margin_odds["main"].to_close) == {INVERSE}
    linear = Intent("hd", "alts", ETH_PERP, Side.SELL, D(1), D(3000), D(3000), False, "why")
    inverse = Intent("hd", "btc", INVERSE, Side.SELL, D(10), D(P0), D(1000), False, "why")
    rooms = [room_after(each, D(-1), seen_, rules, {})[0] for each in (linear, inverse)]
    assert rooms[0] is not None
    assert rooms[1] is not None
    assert (rooms[0].after or 0) > 1 > (rooms[1].after or 0) > 0


async def test_one_equity_for_two_currencies_is_still_unknown() -> None:
    """A unified account tells one sum: what of it stands behind which is not guessed."""
    known = await with_odds(both("2000", "0.05", equities={}), RULES)
    assert known.margin_odds["main"].unknown == (
        "its positions settle in BTC and USDT, and what backs each is not told apart"
    )


@pytest.mark.parametrize("held", [False, True])
async def test_before_anything_is_held_in_coins_they_are_what_backs_it(held: bool) -> None:
    """Cash and coins told apart: 600 contracts over 0.2 BTC need 6,405 dollars of them and have 12,000, cash or no cash."""
    other = perp(ETH_PERP)
    view = derivatives(*([(ETH_PERP, "-1")] if held else []), margin=Margin(D(500_000), None))
    told = replace(view, value=replace(view.value, equities={"USDT": D(500_000), "BTC": D(12_000)}))
    before = snapshot(
        account(swap=balances(BTC="0.2", USDT=500_000), positions=told),
        instruments=[CONTRACT, replace(other, tiers=FLAT)],
        marks={INVERSE: P0, ETH_PERP: 3_000},
        prices={"BTC": P0, "ETH": 3_000, "USD": 1},
    )
    rules = replace(RULES, hedges=(hedge("BTC", legs=[INVERSE, ETH_PERP]),))
    before = await with_odds(before, rules)
    order = Intent("hd1", "alts", INVERSE, Side.SELL, D(600), D(P0), D(0), False, "")
    room, need = room_after(order, D(0), before, rules, {})
    assert need == pytest.approx(N * (1 - 0.995 / 1.113892), rel=1e-3)
    assert room is not None
    assert room.after == pytest.approx(12_000 / need, rel=1e-6)
