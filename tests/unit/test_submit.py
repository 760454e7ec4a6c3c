"""What is planned, what leaves and what is held back, in one pass over a cycle's orders."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hedged.act import submit_all
from hedged.act.brake import Brake
from hedged.act.proposals import decide
from hedged.adapters.store.memory import MemoryStore
from hedged.model.order import GATE_SEAL, ApprovedIntent, Intent, Outcome, Rejected, Unknown
from hedged.model.policy import World
from hedged.model.proposal import Proposal
from hedged.model.trade import Purpose, Side
from hedged.ports import CycleRecord, Memory
from tests.build import dec
from tests.store_samples import ETH, fill, intent
from tests.support import T0, ManualClock


class Venue:
    """Fills what it is sent, unless an outcome is set for it; `takes` seconds an order."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.sent: list[str] = []
        self.outcomes: dict[str, Outcome] = {}
        self.takes = 0.0

    async def submit(self, approved: ApprovedIntent) -> Outcome:
        name = approved.intent.client_order_id
        self.sent.append(name)
        self.clock.advance(self.takes)
        return self.outcomes.get(name) or replace(fill(name), instrument=approved.intent.instrument)


class Pass:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.venue = Venue(self.clock)
        self.store = MemoryStore()
        self.brake = Brake(self.store)

    async def run(self, *intents: Intent, fresh_for: timedelta = timedelta(minutes=3)) -> tuple[Outcome, ...]:
        approved = [ApprovedIntent(each, dec(2940), GATE_SEAL) for each in intents]
        outcomes, trouble = await submit_all(
            approved,
            {"main": self.venue},  # type: ignore[dict-item]
            self.store,
            self.brake,
            cycle_id="c",
            clock=self.clock,
            fresh_for=fresh_for,
        )
        assert trouble is None
        assert [each.client_order_id for each in outcomes] == [each.client_order_id for each in intents]
        return outcomes


@pytest.fixture
async def one() -> Pass:
    made = Pass()
    await made.store.open("p", World.REAL, T0)
    return made


def other(name: str, **changes: Any) -> Intent:
    return replace(intent(name), instrument="main:BTC/USDT:USDT", **changes)


@pytest.mark.parametrize("outcome", [Unknown("hd1", "time-out"), Rejected("hd1", "no"), fill("hd1", quantity="1")])
async def test_one_order_of_a_contract_at_a_time(one: Pass, outcome: Outcome) -> None:
    """Behind an order that was not filled whole nothing more leaves there; elsewhere it does."""
    one.venue.outcomes["hd1"] = outcome
    _, second, third = await one.run(intent("hd1"), intent("hd2"), other("hd3"))
    assert one.venue.sent == ["hd1", "hd3"]
    assert isinstance(second, Rejected)
    assert "was not filled whole" in second.reason
    assert third.client_order_id == "hd3"


async def test_the_next_of_a_contract_goes_once_the_last_is_filled(one: Pass) -> None:
    """Whole: then its position is what the next was decided on."""
    await one.run(intent("hd1"), intent("hd2"))
    assert one.venue.sent == ["hd1", "hd2"]


async def test_what_was_decided_long_ago_is_not_sent(one: Pass) -> None:
    """A night's sleep between two orders of a cycle: the second is of yesterday."""
    one.venue.takes = 8 * 3600.0
    _, late = await one.run(intent("hd1"), other("hd2"))
    assert one.venue.sent == ["hd1"]
    assert isinstance(late, Rejected)
    assert "decided 28800 s ago" in late.reason


async def test_what_never_left_is_no_rejection_of_the_venues(one: Pass) -> None:
    """Told as rejected, kept as absent: its id is free, and the guard does not count it."""
    one.venue.outcomes["hd1"] = Rejected("hd1", "nothing was sent: no time", sent=False)
    (outcome,) = await one.run(intent("hd1"))
    assert isinstance(outcome, Rejected)
    assert [each.state for each in await one.store.past_orders(T0 - timedelta(days=1))] == ["absent"]


async def test_a_yes_that_is_taken_back_holds_back_its_order_alone(one: Pass) -> None:
    """Between the decision and the journal: that order is not sent, the others are, and the store is well."""
    given = Proposal(
        id="0" * 8,
        hedge="alts",
        instrument=ETH,
        side=Side.SELL,
        quantity=dec(2),
        price=dec(3000),
        notional=dec(6000),
        reduce_only=False,
        purpose=Purpose.REBALANCE,
        reason="why",
        made_at=T0,
        expires_at=T0 + timedelta(minutes=30),
    )
    await one.store.record_cycle(CycleRecord("c0", T0, T0, None, None, None, Memory(), (), (), proposals=(given,)), ())
    await decide(one.store, given.id, digest=given.digest, approve=True, by="cli", now=T0)
    await decide(one.store, given.id, digest=None, approve=False, by="cli", now=T0)
    refused, sent = await one.run(replace(intent("hd1"), approval=given.id), other("hd2"))
    assert one.venue.sent == ["hd2"]
    assert isinstance(refused, Rejected)
    assert f"proposal {given.id} is rejected" in refused.reason
    assert sent.client_order_id == "hd2"


async def test_who_asks_for_the_order_in_hand_waits_for_its_end(one: Pass) -> None:
    """A pause that is answered after it has waited for `in_hand` is followed by no order."""
    begun, go = asyncio.Event(), asyncio.Event()
    submit = one.venue.submit

    async def slowly(approved: ApprovedIntent) -> Outcome:
        begun.set()
        await go.wait()
        return await submit(approved)

    one.venue.submit = slowly  # type: ignore[method-assign]
    running = asyncio.create_task(one.run(intent("hd1"), other("hd2")))
    await begun.wait()
    assert one.brake.in_hand.locked()
    go.set()
    await running
    assert not one.brake.in_hand.locked()
