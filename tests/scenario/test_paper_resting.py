"""Orders that rest in the book of a paper account: filled by a market that goes through them, as the maker."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import Portfolio, run_cycle
from hedged.errors import Unreachable, VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import (
    GATE_SEAL,
    Absent,
    ApprovedIntent,
    Cancelled,
    Fill,
    Intent,
    Outcome,
    Placement,
    Rejected,
    Side,
    Working,
)
from hedged.model.policy import Holding, Limits, PaperPolicy, World
from hedged.model.snapshot import Quote, Read
from hedged.tell.rules import AlertRules
from tests.build import ETH_PERP, hedge, perp, policy
from tests.store_samples import intent
from tests.support import T0, CountingIds, ManualClock

D = Decimal
ETH = InstrumentId(ETH_PERP)
POLICY = PaperPolicy(cash=D(10_000), fee_maker=D("0.0002"), slippage_bps=D(10), leverage=D(5))


class Board:
    """A book of a dollar on either side of the mark."""

    account = "main"

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.mark, self.error = clock, 3000, None
        self.error: VenueError | None

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        return {ETH: perp()}

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        if self.error is not None:
            raise self.error
        quote = Quote(D(self.mark), bid=D(self.mark - 1), ask=D(self.mark + 1))
        return {name: Read(quote, self.clock.now()) for name in instruments}

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        return {asset: Read(D(self.mark), self.clock.now()) for asset in assets if asset == "ETH"}


class Desk:
    def __init__(self) -> None:
        self.clock, self.store = ManualClock(), MemoryStore()
        self.board = Board(self.clock)
        self.paper = self.restart()

    def restart(self) -> PaperAccount:
        self.paper = PaperAccount(
            "main", self.board, real=None, store=self.store, policy=POLICY, quote="USDT", clock=self.clock
        )
        return self.paper

    async def begin(self) -> Desk:
        await self.store.open("test", World.PAPER, T0)
        return self

    async def rest(self, side: Side, quantity: str, price: int, *, name: str = "hd1", reduces: bool = False) -> Outcome:
        return await self.paper.submit(ApprovedIntent(wanted(side, quantity, name, reduces), D(1), GATE_SEAL, D(price)))

    async def held(self) -> dict[InstrumentId, Decimal]:
        return {each.instrument: each.contracts for each in (await self.paper.derivatives()).value.positions}


def wanted(side: Side, quantity: str, name: str = "hd1", reduces: bool = False) -> Intent:
    return replace(intent(name), side=side, quantity=D(quantity), reduce_only=reduces, placement=Placement.PASSIVE)


SALE = wanted(Side.SELL, "2")


async def test_it_waits_until_the_market_has_gone_through_its_price() -> None:
    """At the price itself others are in front; above it, a sale is filled there, at the maker's fee, once."""
    desk = await Desk().begin()
    assert await desk.rest(Side.SELL, "2", 3001) == Working("hd1", "hd1")
    for mark in (3000, 2990, 3002):
        desk.board.mark = mark
        assert await desk.paper.find(SALE) == Working("hd1", "hd1")
        assert await desk.held() == {}
    desk.board.mark = 3003
    filled = await desk.paper.find(SALE)
    assert isinstance(filled, Fill)
    assert (filled.quantity, filled.price, filled.fee, filled.slippage) == (2, 3001, D("1.2004"), 4)
    assert await desk.held() == {ETH: -2}
    assert await desk.paper.find(SALE) == filled
    assert await desk.paper.cancel(SALE) == filled


async def test_it_outlives_a_restart_and_is_not_placed_twice() -> None:
    """What rests is in the ledger; the same id again changes nothing."""
    desk = await Desk().begin()
    await desk.rest(Side.BUY, "1", 2999)
    desk.restart()
    assert await desk.rest(Side.BUY, "5", 2998) == Working("hd1", "hd1")
    desk.board.mark = 2990
    assert isinstance(await desk.paper.find(SALE), Fill)
    assert await desk.held() == {ETH: 1}


async def test_what_is_taken_back_is_cancelled_for_good() -> None:
    """Unless the market was there first; later prices do not bring it back."""
    desk = await Desk().begin()
    await desk.rest(Side.SELL, "2", 3001)
    cancelled = await desk.paper.cancel(SALE)
    assert isinstance(cancelled, Cancelled)
    desk.board.mark = 3500
    desk.restart()
    assert await desk.paper.find(SALE) == cancelled
    await desk.rest(Side.SELL, "2", 3501, name="hd2")
    desk.board.mark = 3600
    assert isinstance(await desk.paper.cancel(wanted(Side.SELL, "2", "hd2")), Fill)
    assert await desk.paper.find(wanted(Side.SELL, "2", "hd3")) == Absent("hd3")


@pytest.mark.parametrize(("side", "price"), [(Side.SELL, 2999), (Side.SELL, 2990), (Side.BUY, 3001)])
async def test_it_never_takes(side: Side, price: int) -> None:
    """At a price where the other side stands already it is turned down, as the venues do."""
    desk = await Desk().begin()
    turned = await desk.rest(side, "1", price)
    assert isinstance(turned, Rejected)
    assert "filled at once" in turned.reason


async def test_without_margin_it_ends_when_it_is_reached() -> None:
    """What the account cannot carry is not filled, and does not wait on."""
    desk = await Desk().begin()
    await desk.rest(Side.SELL, "50", 3001)
    desk.board.mark = 3010
    ended = await desk.paper.find(SALE)
    assert isinstance(ended, Rejected)
    assert "insufficient margin" in ended.reason
    assert await desk.held() == {}


async def test_a_market_that_cannot_be_read_leaves_it_where_it_is() -> None:
    """It rests on, and may be taken back all the same."""
    desk = await Desk().begin()
    await desk.rest(Side.SELL, "2", 3001)
    desk.board.error = Unreachable("main", "quotes", "no answer")
    assert await desk.paper.find(SALE) == Working("hd1", "hd1")
    assert isinstance(await desk.paper.cancel(SALE), Cancelled)


async def test_a_passive_hedge_on_paper_from_the_decision_to_the_fill() -> None:
    """Two ETH sold at rest: half a minute later the market has come; nothing is told to have vanished or recovered twice."""
    desk = await Desk().begin()
    rules = policy(
        replace(hedge("ETH"), placement=Placement.PASSIVE), holdings=[Holding("ETH", D(2), T0)], limits=Limits()
    )
    by_name = {"main": desk.paper}
    portfolio = Portfolio(
        rules, {"main": desk.board}, by_name, by_name, desk.store, ("log",), AlertRules(), desk.clock, CountingIds()
    )  # fmt: skip
    first = await run_cycle(portfolio, desk.clock.now())
    assert [(type(each), each.client_order_id) for each in first.outcomes] == [
        (Working, first.decision.intents[0].intent.client_order_id)
    ]
    desk.clock.advance(60)
    desk.board.mark = 3010
    second = await run_cycle(portfolio, desk.clock.now())
    assert second.decision.intents == ()
    assert await desk.held() == {ETH: D("-1.9")}
    assert {message.key for message in second.messages} <= {"drift/alts"}
    assert portfolio.settled == []
