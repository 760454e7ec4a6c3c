"""Buying back for margin: how much, in what order, through the gate; and not selling it again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.act import submit_all
from hedged.act.brake import Brake
from hedged.adapters.store.memory import MemoryStore
from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.decide.desk import Desk
from hedged.decide.gate import GateContext, MarginRoom, judge
from hedged.decide.margin import room_after
from hedged.decide.rebalance import Trade
from hedged.model.finding import HedgeStatus
from hedged.model.instrument import InstrumentId
from hedged.model.order import Decision, Intent, Purpose, Side, Unknown
from hedged.model.policy import Limits, MarginPolicy, Mode, PortfolioPolicy, World
from hedged.model.snapshot import Doubt, Fault, Margin, Missing, Position, Snapshot
from hedged.tell.orders import margin_sentences
from tests.build import BTC_PERP, ETH_PERP, account, balances, derivatives, hedge, snapshot
from tests.fakes import FakeVenue
from tests.margin import contract, setup, short, with_odds
from tests.support import ManualClock

D = Decimal


async def decided(seen: Snapshot, rules: PortfolioPolicy, **book: object) -> Decision:
    seen = await with_odds(seen, rules)
    return decide(assess(seen, rules), seen, rules, replace(Book("c" * 24), **book))


async def test_a_short_near_its_liquidation_is_bought_back_in_part() -> None:
    """Reduce-only, for margin, whole lots, with its reason and numbers; nothing else is done with the hedge."""
    decision = await decided(short(-10, 2_000), setup())
    (approved,) = decision.intents
    intent = approved.intent
    assert (intent.side, intent.reduce_only, intent.purpose) == (Side.BUY, True, Purpose.REDUCE)
    assert 0 < intent.quantity < 10
    assert "main would be liquidated with a probability of" in intent.reason
    assert "less of it, since main would be liquidated" in decision.reason
    (said,) = margin_sentences(decision).values()
    assert said.startswith("hedged buys ")


async def test_by_default_it_is_only_told() -> None:
    """`on_critical = "alert"` trades nothing."""
    decision = await decided(short(-10, 2_000), setup(MarginPolicy()))
    assert not decision.intents
    assert not decision.refused


async def test_below_critical_nothing_is_bought_back() -> None:
    """Likelier than the user allows, and less than five times as likely: that is a warning."""
    seen = await with_odds(short(-10, 3_200), setup())
    assert seen.margin_odds["main"].alarm == "warning"
    assert not (await decided(short(-10, 3_200), setup())).intents


async def test_it_goes_before_what_the_hedge_wants() -> None:
    """Under-hedged by half and near liquidation: it buys, and does not sell in the same cycle."""
    decision = await decided(short(-10, 2_000, coins=20), setup())
    assert [each.intent.side for each in decision.intents] == [Side.BUY]
    assert not decision.refused


async def test_what_blocks_a_hedge_does_not_block_its_rescue() -> None:
    """Coins that could not be read stop the hedge; the account's own figures are whole, and it is bought back."""
    seen = short(-10, 2_000)
    blind = replace(seen.accounts["main"], wallets={"spot": Missing(Fault.UNREACHABLE, "fetch_balance", "timeout")})
    seen = replace(seen, accounts={"main": blind})
    assert assess(seen, setup()).groups[0].status is HedgeStatus.BLOCKED
    assert [each.intent.purpose for each in (await decided(seen, setup())).intents] == [Purpose.REDUCE]


async def test_a_position_in_doubt_is_left_alone() -> None:
    """Nothing is traded that is not believed."""
    seen = replace(short(-10, 2_000), doubts=(Doubt(ETH_PERP, "main", "ETH", ETH_PERP, D(-20), D(-10), 1),))
    assert not (await decided(seen, setup())).intents


async def test_an_order_that_is_not_known_yet_comes_first() -> None:
    """The gate refuses it like any other, and keeps the refusal."""
    decision = await decided(short(-10, 2_000), setup(), in_flight=frozenset({ETH_PERP}))
    assert not decision.intents
    assert "has not come to an end" in decision.refused[0].reason


async def test_in_monitor_it_is_proposed() -> None:
    """And told as something that hedged does not send."""
    rules = replace(setup(), mode=Mode.MONITOR, hedges=(hedge("ETH", mode=Mode.MONITOR),))
    decision = await decided(short(-10, 2_000), rules)
    assert not decision.intents
    assert [each.purpose for each in decision.proposals] == [Purpose.REDUCE]


async def test_it_is_sliced_by_the_limit_of_an_order() -> None:
    """Each slice passes the gate at the position that the one before it leaves, and together they are the whole."""
    whole = (await decided(short(-10, 2_000), setup())).intents[0].intent.quantity
    rules = setup(limits=Limits(order_notional_max=D(3_300)))
    decision = await decided(short(-10, 2_000), rules)
    assert not decision.refused
    assert [each.intent.quantity for each in decision.intents[:-1]] == [D("1.1")] * (len(decision.intents) - 1)
    assert sum(each.intent.quantity for each in decision.intents) == whole
    ids = [each.intent.client_order_id for each in decision.intents]
    assert len(set(ids)) == len(ids) > 3
    assert [each.intent.only_after for each in decision.intents] == [tuple(ids[:place]) for place in range(len(ids))]


async def test_no_slice_goes_where_one_before_it_was_not_filled() -> None:
    """The next ones were decided on what it leaves: nothing more is in flight there than one order."""
    decision = await decided(short(-10, 2_000), setup(limits=Limits(order_notional_max=D(3_300))))
    clock, store = ManualClock(), MemoryStore()
    await store.open("test", World.PAPER, clock.now())
    venue = FakeVenue(clock)
    venue.outcome = Unknown("", "time-out")
    outcomes, _ = await submit_all(
        decision.intents, {"main": venue}, store, Brake(store), cycle_id="c" * 24, clock=clock
    )
    assert [each.intent for each in venue.submitted] == [decision.intents[0].intent]
    assert len(outcomes) == len(decision.intents)
    assert len(await store.open_orders()) == 1


async def test_more_is_refused_where_margin_is_lacking() -> None:
    """What would be bought back in the next cycle is not sold in this one; the refusal says so, with the number."""
    decision = await decided(short(-5, 2_200, coins=10), setup())
    assert not decision.intents
    assert "of the equity that it needs to be safe from liquidation" in decision.refused[0].reason
    assert not (await decided(short(-5, 3_800, coins=10), setup())).refused


async def test_by_default_more_is_not_refused_for_margin() -> None:
    """Who keeps the margin by hand is told, and not stopped."""
    assert (await decided(short(-5, 2_200, coins=10), setup(MarginPolicy()))).intents


async def test_a_first_hedge_needs_its_margin_too() -> None:
    """Nothing held yet: the room is that of the whole order."""
    assert (await decided(short(0, 4_000), setup())).intents
    assert (await decided(short(0, 3_300), setup())).refused


async def test_two_orders_share_one_room() -> None:
    """Room for either is no room for both: the second is refused."""
    rules = setup()
    rules = replace(rules, hedges=(hedge("ETH"), hedge("BTC", name="btc", legs=(BTC_PERP,))))
    seen = snapshot(
        account(spot=balances(ETH=10, BTC=D("0.5")), positions=derivatives(margin=Margin(D(5_000), None))),
        instruments=[contract(), contract(BTC_PERP)],
        marks={ETH_PERP: 3_000, BTC_PERP: 60_000},
        prices={"ETH": 3_000, "BTC": 60_000},
    )
    decision = await decided(seen, rules)
    assert [each.intent.instrument for each in decision.intents] == [ETH_PERP]
    assert [each.intent.instrument for each in decision.refused] == [BTC_PERP]


async def test_odds_that_are_not_known_allow_no_more() -> None:
    """With `reduce` an account that cannot be judged is not opened further on."""
    decision = await decided(short(-5, None), setup())
    assert "not known" in decision.refused[0].reason


async def test_the_worse_account_alone_is_reduced() -> None:
    """Equity of one account is no collateral of another's positions."""
    other = InstrumentId("other:ETH/USDT:USDT")
    rules = replace(setup(), hedges=(hedge("ETH", legs=(ETH_PERP, other)),), accounts=frozenset({"main", "other"}))
    seen = snapshot(
        account(positions=derivatives(Position(ETH_PERP, D(-5)), margin=Margin(D(100_000), None))),
        account("other", positions=derivatives(Position(other, D(-5)), margin=Margin(D(900), None))),
        instruments=[contract(), contract(other)],
        marks={ETH_PERP: 3_000, other: 3_000},
        prices={"ETH": 3_000},
    )
    decision = await decided(seen, rules)
    assert {each.intent.instrument for each in decision.intents} == {other}


@pytest.mark.parametrize("equity", [20, 0, -50])
async def test_without_equity_all_of_it_is_closed(equity: int) -> None:
    """Nothing smaller would be safe."""
    decision = await decided(short(-10, equity), setup())
    assert sum(each.intent.quantity for each in decision.intents) == 10


def intent_of(purpose: Purpose = Purpose.REBALANCE, *, reduce_only: bool = False) -> Intent:
    side = Side.BUY if reduce_only else Side.SELL
    return Intent("hd", "alts", ETH_PERP, side, D(5), D(3_000), D(15_000), reduce_only, "why", purpose)


async def test_no_reduction_is_ever_refused_for_want_of_margin() -> None:
    """The gate itself knows, whoever fills in its context."""
    seen = short(-10, 2_000)
    quote = seen.quotes[ETH_PERP].value  # type: ignore[union-attr]
    none_left = GateContext(contract(), quote, D(-10), D(0), 0, in_flight=False, margin=MarginRoom("main", 0.1))
    assert judge(intent_of(reduce_only=True), none_left, Limits()) is None
    assert judge(intent_of(), none_left, Limits()) is not None


async def test_a_roll_is_not_stopped_halfway() -> None:
    """Its far leg opens what its near leg gives back: margin for both at once is not asked for."""
    seen = await with_odds(short(-10, 4_200), setup())
    assert room_after(intent_of(Purpose.ROLL), D(-10), seen, setup(), {}) == (None, 0.0)
    room, _ = room_after(intent_of(), D(-10), seen, setup(), {})
    assert room is not None
    assert (room.after or 1) < 1


async def test_orders_of_one_cycle_count_for_those_that_follow() -> None:
    """Two reductions by six of a position of ten: the second would turn it around, and is refused."""
    seen, rules = short(-10, 20_000), setup()
    group = assess(seen, rules).groups[0]
    desk = Desk(seen, rules, Book("c" * 24))
    for number in range(2):
        desk.offer(Trade(ETH_PERP, D(6), reduce_only=True, reason="why", purpose=Purpose.REDUCE), group, number)
    decision = desk.decision("why", waits=lambda _: False)
    assert len(decision.intents) == 1
    assert "would turn the position of -4 around" in decision.refused[0].reason
