"""What an account still carries: positions at their largest, equity that is free, orders that may yet be filled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.decide.account_room import AccountRoom, UnderWay, account_room
from hedged.decide.desk import Desk
from hedged.decide.rebalance import Trade
from hedged.model.order import Decision, Intent, Side
from hedged.model.policy import Limits
from hedged.model.snapshot import Margin, Snapshot
from tests.build import BTC_PERP, ETH_PERP, account, balances, dec, derivatives, hedge, perp, policy, snapshot
from tests.store_samples import intent
from tests.support import T0

SETUP = policy(hedge("ETH"))
MARGIN = Margin(dec(10_000), dec(50), dec(9_000))


def view(
    *,
    eth: str = "-2",
    btc: str = "-0.1",
    margin: Margin | None = MARGIN,
    **more: object,
) -> Snapshot:
    return snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, eth), (BTC_PERP, btc), margin=margin)),
        instruments=[perp(), perp(BTC_PERP)],
        marks={ETH_PERP: 3000, BTC_PERP: 60_000},
        prices={"ETH": 3000, "BTC": 60_000},
        **more,
    )


def order(side: Side, quantity: str, instrument: str = ETH_PERP) -> Intent:
    return replace(intent("hd1"), instrument=instrument, side=side, quantity=dec(quantity), reduce_only=False)


def room(seen: Snapshot, *under_way: Intent) -> AccountRoom | None:
    return account_room(order(Side.SELL, "1"), seen, SETUP, UnderWay.of(under_way))


def test_the_other_positions_count_without_their_sign() -> None:
    """6,000 of BTC beside the ETH that the order is for; a position without a tier binds a twentieth."""
    assert room(view(btc="0.1")) == AccountRoom("main", dec(10_000), dec(6_000), dec(9_000), dec("0.05"))


def test_what_is_on_its_way_counts_where_it_makes_things_worse() -> None:
    """Of a purchase and a sale of BTC only the sale makes a short larger, and binds margin; so does ETH's own."""
    under_way = order(Side.SELL, "0.2", BTC_PERP), order(Side.BUY, "0.05", BTC_PERP), order(Side.SELL, "2")
    found = room(view(), *under_way)
    assert found is not None
    assert found.notional == 18_000
    assert found.available == 9_000 - 12_000 * dec("0.05") - 6_000 * dec("0.05")


def test_the_leverage_that_is_told_says_what_is_bound() -> None:
    """A paper account at 5 times binds a fifth."""
    found = room(view(margin=Margin(dec(10_000), None, dec(9_000), leverage=dec(5))))
    assert found is not None
    assert found.margin_rate == dec("0.2")


@pytest.mark.parametrize(
    "seen",
    [
        view(margin=None),
        replace(view(), accounts={}),
        replace(view(), accounts={"main": account(positions=derivatives(at=T0 - timedelta(minutes=4)))}),
    ],
)
def test_what_was_not_read_is_not_known(seen: Snapshot) -> None:
    """No margin, no account, or figures of four minutes ago."""
    assert room(seen) == AccountRoom("main")


def test_a_position_without_a_price_leaves_the_account_unknown() -> None:
    """It may be worth anything; its equity is told all the same."""
    seen = view()
    bare = replace(seen, quotes={name: read for name, read in seen.quotes.items() if name != BTC_PERP})
    found = room(bare)
    assert found is not None
    assert (found.equity, found.notional) == (10_000, None)


def decided(seen: Snapshot, limits: Limits, book: Book | None = None) -> Decision:
    setup = policy(hedge("ETH"), hedge("BTC", name="btc", legs=[BTC_PERP]), limits=limits)
    return decide(assess(seen, setup), seen, setup, book or Book("0" * 24))


def test_orders_of_one_cycle_share_the_margin() -> None:
    """There is room for the first hedge's order or the second's, not for both."""
    flat = derivatives(margin=Margin(dec(20_000), dec(0), dec(20_000), leverage=dec(2)))
    seen = replace(view(), accounts={"main": account(spot=balances(ETH=10, BTC="0.4"), positions=flat)})
    both = decided(seen, Limits())
    assert [each.intent.instrument for each in both.intents] == [ETH_PERP]
    assert "free_margin_min" in both.refused[0].reason
    limited = decided(seen, Limits(free_margin_min=Decimal(0), leverage_max=dec("2.57")))
    assert [each.intent.instrument for each in limited.intents] == [ETH_PERP, BTC_PERP]
    limited = decided(seen, Limits(free_margin_min=Decimal(0), leverage_max=dec("2.56")))
    assert "leverage_max" in limited.refused[0].reason


def test_an_order_nobody_knows_the_end_of_leaves_less_for_others() -> None:
    """A sale of BTC that may have been filled uses up the leverage that ETH's order would need."""
    seen, limits = view(eth="-8", btc="0"), Limits(leverage_max=dec(3))
    assert decided(seen, limits).intents
    open_order = order(Side.SELL, "0.1", BTC_PERP)
    refused = decided(
        seen, limits, Book("0" * 24, open_orders=(open_order,), in_flight=frozenset({open_order.instrument}))
    )
    assert not refused.intents
    assert "leverage_max" in refused.refused[0].reason


def test_the_orders_of_a_day_count_with_those_of_this_cycle() -> None:
    """499 were sent within a day: one more is let through, the second hedge's is not."""
    seen = replace(view(), accounts={"main": account(spot=balances(ETH=10, BTC=1), positions=derivatives())})
    decision = decided(seen, Limits(), Book("0" * 24, orders_day=499))
    assert len(decision.intents) == 1
    assert "orders_day_max is 500" in decision.refused[0].reason


def test_positions_of_minutes_ago_are_not_traded_on() -> None:
    """The gate itself knows no position that was read too long ago, whatever let the trade pass before."""
    old = replace(
        view(), accounts={"main": account(positions=derivatives((ETH_PERP, -2), at=T0 - timedelta(minutes=4)))}
    )
    group = assess(view(), SETUP).groups[0]
    desk = Desk(old, SETUP, Book("0" * 24))
    desk.offer(Trade(group.legs[0].instrument, dec(-1), reduce_only=False, reason=""), group, 0)
    assert "is not known" in desk.decision("", waits=lambda _: False).refused[0].reason
