"""Contracts at a broker that hedged does not reach: counted, watched, and traded in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.by_hand import ByHandAccount
from hedged.cycle import run_cycle
from hedged.errors import Unreachable, Unreadable
from hedged.model.broker import Broker, BrokerContract, BrokerPosition
from hedged.model.finding import HedgeStatus, Kind
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Fault
from tests.build import ETH_PERP, dec, future, hedge, perp, policy
from tests.fakes import FakeVenue, wire
from tests.support import T0, ManualClock

MICRO = InstrumentId("cme:ETH/USD:USD-261127")
EXPIRY = datetime.fromisoformat("2026-11-27T16:00:00Z")
ENTERED = T0 - timedelta(days=5)


def broker(contracts: int = -50, *, price_from: str = ETH_PERP, max_age: timedelta | None = None) -> Broker:
    contract = replace(future(MICRO, EXPIRY, multiplier="0.1", lot=1), by_hand=True)
    held = (BrokerPosition(MICRO, dec(contracts), ENTERED, dec(3100), max_age),) if contracts else ()
    return Broker("cme", (BrokerContract(contract, price_from),), held)


async def watched(entered: Broker, clock: ManualClock, venue: FakeVenue):
    portfolio = await wire(policy(hedge("ETH", legs=[MICRO]), accounts=("main", "cme")), clock, venue)
    hand = ByHandAccount(entered, {"main": venue}, "USDT", clock)
    portfolio.markets = {"main": venue, "cme": hand}
    portfolio.accounts = {"main": venue, "cme": hand}
    return portfolio


async def test_what_is_entered_counts_and_what_is_missing_is_told_in_words() -> None:
    """Of 10 ETH 5 are short at the broker: the hedge knows it, and the order is a sentence for a person."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    venue.contracts = {}
    portfolio = await watched(broker(), clock, venue)
    report = await run_cycle(portfolio, clock.now())
    state = report.assessment.hedges[0]
    assert (state.hedge_ratio, state.status) == (dec("0.5"), HedgeStatus.UNDER)
    assert state.legs[0].as_of == ENTERED
    assert (report.decision.intents, venue.submitted) == ((), [])
    intent = report.decision.by_hand[0]
    assert (intent.instrument, intent.quantity, intent.notional) == (MICRO, 45, dec(13_500))
    body = "\n".join(message.body for message in report.messages)
    assert "Selling 45 contracts of ETH/USD:USD-261127 on cme would bring it back: place it there" in body
    intents = report.state["decision"]["intents"]  # type: ignore[index]
    assert [entry["quantity"] for entry in intents] == ["45"]


async def test_expiry_of_a_contract_by_hand_is_told() -> None:
    """Two days before its last moment of trading the contract is a warning like any other."""
    clock = ManualClock(EXPIRY - timedelta(days=2))
    portfolio = await watched(broker(-95), clock, FakeVenue(clock))
    report = await run_cycle(portfolio, clock.now())
    assert [(f.kind, f.subject) for f in report.assessment.findings if f.kind is Kind.EXPIRY] == [(Kind.EXPIRY, MICRO)]


async def test_a_position_taken_out_of_the_file_is_believed() -> None:
    """What the user removes is gone; a broker's position needs no accept-position."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await watched(broker(), clock, venue)
    await run_cycle(portfolio, clock.now())
    hand = ByHandAccount(broker(0), {"main": venue}, "USDT", clock)
    portfolio.markets, portfolio.accounts = {"main": venue, "cme": hand}, {"main": venue, "cme": hand}
    portfolio.observer = None
    report = await run_cycle(portfolio, clock.now())
    assert report.assessment.hedges[0].hedge_value == 0
    assert report.snapshot.doubts == ()
    assert [doubt.explanation for doubt in report.snapshot.explained] == ["it was taken out of the configuration"]


async def test_positions_that_have_passed_their_age_block() -> None:
    """A number the user has said keeps for four days is not traded on after five."""
    clock = ManualClock()
    hand = ByHandAccount(broker(max_age=timedelta(days=4)), {"main": FakeVenue(clock)}, "USDT", clock)
    with pytest.raises(Unreadable, match="was entered on .* has passed its max_age"):
        await hand.derivatives()
    fresh = ByHandAccount(broker(max_age=timedelta(days=6)), {"main": FakeVenue(clock)}, "USDT", clock)
    assert (await fresh.derivatives()).value.positions[0].contracts == -50


async def test_the_price_is_that_of_its_source() -> None:
    """A contract's mark, or a coin's spot price from the first account that has one; a failure is no price."""
    clock = ManualClock()
    silent, venue = FakeVenue(clock, "other"), FakeVenue(clock)
    silent.faults["prices"] = Unreachable("other", "prices", "no answer")
    venue.marks[ETH_PERP], venue.price["ETH"] = Decimal(3001), Decimal(2999)
    markets = {"other": silent, "main": venue}
    marked = await ByHandAccount(broker(), markets, "USDT", clock).quotes([MICRO])
    spot = await ByHandAccount(broker(price_from="ETH"), markets, "USDT", clock).quotes([MICRO])
    assert (marked[MICRO].value.mark, spot[MICRO].value.mark) == (3001, 2999)
    venue.price.clear()
    with pytest.raises(Unreachable):
        await ByHandAccount(broker(price_from="ETH"), markets, "USDT", clock).quotes([MICRO])


async def test_a_source_that_fails_leaves_the_contract_unpriced() -> None:
    """Its hedge is blocked by name, and the rest of the cycle goes on."""
    clock = ManualClock()
    venue = FakeVenue(clock)
    venue.faults["quotes"] = Unreachable("main", "quotes", "no answer")
    portfolio = await watched(broker(), clock, venue)
    report = await run_cycle(portfolio, clock.now())
    leg = report.snapshot.quotes[MICRO]
    assert getattr(leg, "fault", None) is Fault.UNREACHABLE
    assert report.assessment.hedges[0].status is HedgeStatus.BLOCKED


def test_an_ordinary_contract_is_not_by_hand() -> None:
    """Only what is entered is traded in words."""
    assert not perp().by_hand
