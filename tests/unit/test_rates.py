"""Contracts priced in another currency than the portfolio: converted at market, or unknown; never assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.model.finding import HedgeStatus, Kind
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import ApprovedIntent
from hedged.model.policy import Limits, PortfolioPolicy
from hedged.model.snapshot import Fault, Missing, Position, Quote, Read, Snapshot
from tests.build import Number, account, balances, dec, derivatives, hedge, perp, policy, snapshot
from tests.support import T0

USDC = InstrumentId("main:ETH/USDC:USDC")
COIN = InstrumentId("main:ETH/USD:ETH")
LINEAR = replace(perp(USDC), quote="USDC", settle="USDC")
INVERSE = replace(perp(COIN, multiplier=10, lot=1), linear=False, quote="USD", settle="ETH")


def seen(
    contract: Instrument, held: Position, prices: Mapping[str, Number | Missing[Decimal]], **quoted: Decimal
) -> Snapshot:
    return snapshot(
        account(spot=balances(ETH=10), positions=derivatives(held)),
        instruments=[contract],
        marks={contract.id: Read(Quote(mark=dec(3000), **quoted), T0)},
        prices=prices,
    )


def test_a_usdc_contract_is_worth_what_usdc_is_worth() -> None:
    """10 ETH at 2,940 USDT against 9.8 ETH short at 3,000 USDC of 0.98 USDT each: 28,812 of 29,400."""
    state = assess(seen(LINEAR, Position(USDC, dec("-9.8")), {"ETH": 2940, "USDC": "0.98"}), watching(USDC)).hedges[0]
    assert (state.hedge_value, state.exposure_value) == (dec("28812"), dec(29_400))
    assert state.hedge_ratio == dec("0.98")
    assert state.legs[0].mark == 3000


def watching(*legs: InstrumentId, **more: Limits) -> PortfolioPolicy:
    return policy(hedge("ETH", legs=list(legs)), **more)


def test_dollars_without_a_market_are_worth_what_the_coin_says() -> None:
    """ETH costs 3,030 USDT and the contract's index says 3,000 dollars: a dollar is 1.01 USDT."""
    held = Position(COIN, dec(-3000), entry_price=dec(3000))
    state = assess(seen(INVERSE, held, {"ETH": 3030}, index=dec(3000)), watching(COIN)).hedges[0]
    assert state.legs[0].base_quantity == -10
    assert state.hedge_value == dec(30_300)
    assert state.hedge_ratio == 1


def test_a_market_goes_before_the_index() -> None:
    """Where the currency itself is traded, its price counts."""
    held = Position(COIN, dec(-3000), entry_price=dec(3000))
    state = assess(seen(INVERSE, held, {"ETH": 3030, "USD": 1}, index=dec(3000)), watching(COIN)).hedges[0]
    assert state.hedge_value == dec(30_000)


@pytest.mark.parametrize("index", [None, Decimal(0)])
def test_an_unknown_rate_blocks_and_says_so(index: Decimal | None) -> None:
    """Neither a market nor an index: the hedge is blocked, its value unknown, and nothing is assumed to be 1."""
    found = assess(seen(LINEAR, Position(USDC, dec(-10)), {"ETH": 3000}, index=index), watching(USDC))  # type: ignore[arg-type]
    state = found.hedges[0]
    assert (state.status, state.hedge_value) == (HedgeStatus.BLOCKED, None)
    assert state.blocked_by == ("USDC, which main:ETH/USDC:USDC is priced in, has no believable price in USDT",)
    assert [finding.kind for finding in found.findings] == [Kind.DATA_MISSING]


def test_a_rate_that_could_not_be_read_blocks() -> None:
    """The last good rate shows a value; it is not traded on."""
    gone: Missing[Decimal] = Missing(Fault.UNREACHABLE, "prices", "no answer", Read(dec("0.99"), T0))
    state = assess(seen(LINEAR, Position(USDC, dec(-10)), {"ETH": 3000, "USDC": gone}), watching(USDC)).hedges[0]
    assert state.status is HedgeStatus.BLOCKED
    assert state.hedge_value == dec(29_700)


def test_orders_and_limits_are_in_the_portfolios_currency() -> None:
    """0.5 of 10 ETH short at a dollar of 0.8: 4.5 ETH more reach 95 %, worth 10,800 USDT to every limit."""
    view = seen(LINEAR, Position(USDC, dec("-5")), {"ETH": 2400, "USDC": "0.8"})
    setup = watching(USDC)
    decision = decide(assess(view, setup), view, setup, Book("c"))
    intent = decision.intents[0]
    assert isinstance(intent, ApprovedIntent)
    assert (intent.intent.quantity, intent.intent.price, intent.intent.notional) == (dec("4.5"), 3000, dec(10_800))
    for limits, reason in (
        (Limits(order_notional_max=dec(10_799)), "order of 10,800.00 USDT exceeds order_notional_max 10,799.00 USDT"),
        (
            Limits(turnover_day_max=dec(10_799)),
            "turnover of 10,800.00 USDT today would exceed turnover_day_max 10,799.00 USDT",
        ),
        (
            Limits(position_notional_max=dec(22_799)),
            "position of 22,800.00 USDT would exceed position_notional_max 22,799.00 USDT",
        ),
    ):
        tight = watching(USDC, limits=limits)
        refused = decide(assess(view, tight), view, tight, Book("c")).refused
        assert [refusal.reason for refusal in refused] == [reason]
    assert decide(
        assess(view, setup), view, watching(USDC, limits=Limits(order_notional_max=dec(10_800))), Book("c")
    ).intents


@pytest.mark.parametrize("index", [300_000, 30, 2600])
def test_a_rate_that_cannot_be_right_sizes_nothing(index: int) -> None:
    """An index that is not the coin's price, or a dollar worth a fraction of one, blocks instead of ordering fifty-fold."""
    held = Position(COIN, dec(-3000), entry_price=dec(3000))
    setup = watching(COIN, limits=Limits(order_notional_max=dec(50_000)))
    view = seen(INVERSE, held, {"ETH": 3030}, index=dec(index))
    found = assess(view, setup)
    assert found.hedges[0].status is HedgeStatus.BLOCKED
    assert decide(found, view, setup, Book("c")).intents == ()
    dear = seen(LINEAR, Position(USDC, dec(-10)), {"ETH": 3000, "USDC": "0.5"})
    assert assess(dear, watching(USDC)).hedges[0].status is HedgeStatus.BLOCKED
