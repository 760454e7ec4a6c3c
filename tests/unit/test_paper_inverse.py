"""Coin-margined contracts on paper: coins are their collateral, and are never counted twice. All worked by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.paper_ledger import from_blob, to_blob
from hedged.assess import assess
from hedged.errors import Unreachable, VenueError
from hedged.model.instrument import ContractKind, InstrumentId
from hedged.model.order import Rejected, Side
from hedged.model.policy import PaperPolicy, World
from hedged.model.snapshot import Read
from tests.build import ETH_PERP, account, balances, derivatives, hedge, perp, policy, snapshot
from tests.support import T0
from tests.unit.test_paper_account import Desk, the

D = Decimal
INVERSE = InstrumentId("main:BTC/USD:BTC")
CONTRACT = replace(perp(INVERSE, multiplier=100, lot=1), linear=False, quote="USD", settle="BTC")
FREE = PaperPolicy(
    cash=D(10_000), coins={"BTC": D("1.2")}, fee_taker=D(0), slippage_bps=D(0), spread_bps=D(0), leverage=D(5)
)


async def opened(coins: str = "1.2", fee: str = "0", *more: object) -> Desk:
    made = Desk(CONTRACT, *more, policy=replace(FREE, coins={"BTC": D(coins)}, fee_taker=D(fee)))  # type: ignore[arg-type]
    await made.store.open("test", World.PAPER, T0)
    price(made, "60000")
    return made


def price(desk: Desk, mark: str, rate: str | None = None) -> None:
    desk.board.mark(mark, rate, desk.clock.now() if rate else None, name=INVERSE)
    desk.board.spot["BTC"] = D(mark)


async def coins(desk: Desk) -> Decimal:
    return next(each.free for each in (await desk.paper.balances("swap")).value if each.asset == "BTC")


@pytest.mark.parametrize(("mark", "value"), [(30_000, 66_000), (60_000, 72_000), (90_000, 78_000), (120_000, 84_000)])
async def test_wallet_plus_short_is_worth_what_it_should_be(mark: int, value: int) -> None:
    """N = 60,000 sold at 60,000 over 1.2 BTC: (C − N/P0)·P + N, by the margin and by exposure less hedge alike."""
    desk = await opened()
    the(await desk.trade(Side.SELL, "600", name=INVERSE))
    price(desk, str(mark))
    read = (await desk.paper.derivatives()).value
    assert read.margin is not None
    assert abs(read.margin.equity - value) < D("0.001"), "the ledger has eight decimals of a coin"
    assert read.positions[0].liquidation_price is None, "covered by its coins at any price"
    seen = snapshot(
        account(spot=balances(), swap=balances(BTC=await coins(desk)), positions=derivatives(*read.positions)),
        instruments=[CONTRACT],
        marks={INVERSE: mark},
        prices={"BTC": mark, "USD": 1},
    )
    state = assess(seen, policy(hedge("BTC", legs=[INVERSE]))).hedges[0]
    assert state.exposure_value is not None
    assert state.hedge_value is not None
    assert state.exposure_value - state.hedge_value == D("0.2") * mark, "the delta, once"
    assert state.exposure_value - state.hedge_value + 60_000 == value


async def test_fees_funding_and_a_partial_close_in_coins() -> None:
    """Each entry in BTC to eight decimals; fee and slippage of a fill are told in dollars, as for any other."""
    desk = await opened(fee="0.0005")
    assert the(await desk.trade(Side.SELL, "600", name=INVERSE)).fee == D(30)
    assert await coins(desk) == D("1.1995")
    desk.clock.set(T0.replace(hour=16))
    price(desk, "50000", "0.0001")  # the short is worth 1.2 BTC and receives 0.00012
    read = (await desk.paper.derivatives()).value
    assert await coins(desk) == D("1.19962")
    assert read.funding_paid == {INVERSE: D("-0.00012")}
    price(desk, "50000")
    fill = the(await desk.trade(Side.BUY, "300", name=INVERSE, reduce_only=True))
    assert fill.fee == D(15)
    assert await coins(desk) == D("1.29932"), "300 × 100 × (1/50,000 − 1/60,000) = 0.1 gained, 0.0003 paid"
    (position,) = (await desk.paper.derivatives()).value.positions
    assert (position.contracts, position.entry_price) == (D(-300), D(60_000))
    price(desk, "80000")
    read = (await desk.paper.derivatives()).value
    assert read.margin is not None
    assert read.margin.equity == (D("1.29932") - D("0.125")) * 80_000
    assert read.margin.maintenance == D("0.005") * 30_000
    assert (await desk.paper.totals()).fees == 0, "the cash has paid nothing"


async def test_coins_that_were_paid_are_in_the_wallet_whoever_looks_first() -> None:
    """The coins are exposure: read before the positions, they have the funding and the settlement of now, too."""
    desk = await opened()
    the(await desk.trade(Side.SELL, "600", name=INVERSE))
    desk.clock.set(T0.replace(hour=16))
    price(desk, "50000", "0.0001")
    assert await coins(desk) == D("1.20012")
    desk.board.shown.clear()
    assert await coins(desk) == D("1.20012"), "what cannot be brought up to now is as it was stored"


async def test_it_is_liquidated_where_the_formula_says_and_the_cash_stays() -> None:
    """C = 0.2, N = 60,000 at 60,000, MMR 0.5 %: P = N·0.995/(1 − 0.2) = 74,625; what is left goes as the fee."""
    desk = await opened("0.2")
    the(await desk.trade(Side.SELL, "600", name=INVERSE))
    (position,) = (await desk.paper.derivatives()).value.positions
    assert position.liquidation_price == D(74_625)
    price(desk, "74624")
    assert (await desk.paper.derivatives()).value.positions
    price(desk, "74626")
    assert (await desk.paper.derivatives()).value.positions == ()
    assert await coins(desk) == 0
    cash = next(each.free for each in (await desk.paper.balances("swap")).value if each.asset == "USDT")
    assert cash == D(10_000)


async def test_a_dated_one_is_settled_in_coins() -> None:
    """Sold at 60,000, delivered at the index of 50,000: 60,000 × (1/50,000 − 1/60,000) = 0.2 BTC gained."""
    name = InstrumentId("main:BTC/USD:BTC-261127")
    ends = datetime(2026, 11, 27, 8, tzinfo=UTC)
    dated = replace(CONTRACT, id=name, symbol="BTC/USD:BTC-261127", kind=ContractKind.FUTURE, expiry=ends)
    desk = await opened("1.2", "0", dated)
    desk.board.mark("60000", name=name)
    the(await desk.trade(Side.SELL, "600", name=name))
    desk.board.mark("50000", name=name)
    desk.clock.set(ends)
    assert (await desk.paper.derivatives()).value.positions == ()
    assert await coins(desk) == D("1.4")


async def test_the_tightest_wallet_speaks_for_the_account_and_a_restart_finds_both() -> None:
    """Linear contracts share the cash, inverse ones the coins; neither helps the other."""
    desk = await opened("0.25", "0", perp())
    desk.board.mark("3000")
    the(await desk.trade(Side.SELL, "1"))
    the(await desk.trade(Side.SELL, "600", name=INVERSE))
    read = (await desk.paper.derivatives()).value
    assert {each.instrument: each.contracts for each in read.positions} == {ETH_PERP: D(-1), INVERSE: D(-600)}
    assert read.margin is not None
    assert (read.margin.equity, read.margin.maintenance) == (D(15_000), D(300))
    assert read.equities == {"USDT": D(10_000), "BTC": D(15_000)}
    desk.restart()
    assert (await desk.paper.derivatives()).value == read
    too_much = await desk.trade(Side.SELL, "600", name=INVERSE)
    assert isinstance(too_much, Rejected)
    assert too_much.reason == "insufficient margin: needs 0.200000 BTC at 5x leverage, available 0.050000"


async def test_without_coins_it_says_how_to_get_some() -> None:
    """Cash is no collateral of a coin-margined contract, and is not turned into coins behind anybody's back."""
    desk = Desk(CONTRACT)
    await desk.store.open("test", World.PAPER, T0)
    price(desk, "60000")
    outcome = await desk.trade(Side.SELL, "1", name=INVERSE)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == (
        "main:BTC/USD:BTC is margined in BTC, and the paper wallet has none: put some in, [paper] coins = { BTC = 1 }"
    )


async def test_a_ledger_of_before_there_were_coins_is_read() -> None:
    """A position without the word is a linear one."""
    desk = Desk()
    await desk.store.open("test", World.PAPER, T0)
    desk.board.mark("3000")
    the(await desk.trade(Side.SELL, "1"))
    blob = dict(await desk.store.get_blob("paper/main") or {})
    del blob["positions"][ETH_PERP]["inverse"]  # type: ignore[attr-defined]
    assert to_blob(from_blob(blob))["positions"][ETH_PERP]["inverse"] is False  # type: ignore[index]


async def test_a_coin_without_a_price_matters_only_where_it_backs_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle coins need no price, told or not; what backs a position without one is an error, and never worth nothing."""
    desk = await opened()
    prices = desk.board.prices

    async def failing(assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        raise Unreachable("main", "prices", "no answer")

    for price_of in (failing, prices):
        monkeypatch.setattr(desk.board, "prices", price_of)
        desk.board.spot.clear()
        idle = (await desk.paper.derivatives()).value
        assert idle.margin is not None
        assert (idle.margin.equity, idle.equities) == (D(10_000), {"USDT": D(10_000)})
    price(desk, "60000")
    the(await desk.trade(Side.SELL, "600", name=INVERSE))
    desk.board.spot.clear()
    for price_of in (failing, prices):
        monkeypatch.setattr(desk.board, "prices", price_of)
        with pytest.raises(VenueError):
            await desk.paper.derivatives()
