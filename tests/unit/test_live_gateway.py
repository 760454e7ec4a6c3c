"""What a live gateway makes of an exchange's answers: fills in the portfolio's terms, and the exchange's countdown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import structlog

from hedged.adapters.exchanges.dialects.orders import Countdown, Covers
from hedged.adapters.exchanges.live import LiveGateway, fill_of
from hedged.errors import Unreachable
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import (
    GATE_SEAL,
    Absent,
    Accepted,
    ApprovedIntent,
    Cancelled,
    Fill,
    Found,
    OrderStatus,
    Unknown,
    Working,
)
from hedged.model.policy import CountdownUse
from tests.build import perp
from tests.store_samples import ETH, intent
from tests.support import ManualClock

D = Decimal
WITHIN = timedelta(seconds=180)
SLOW = 3 * timedelta(minutes=5)  # as a cycle every five minutes asks for
OTHER = InstrumentId("main:SOL/USDT:USDT")


class Line:
    """An account's writing calls, whose answers are set one after the other."""

    account = "main"
    valid_for = 5.0
    post_only = True

    def __init__(self, *found: Found | Absent | Unknown, covers: Covers | None = Covers.MARKET) -> None:
        self.found = list(found)
        self.countdown = None if covers is None else Countdown(10, 120, covers)
        self.armed: list[tuple[int, frozenset[InstrumentId]]] = []
        self.fails = False

    async def submit(self, approved: ApprovedIntent, *, rest_at: Decimal | None = None) -> Any:
        return Accepted(approved.intent.client_order_id, "77")

    async def find_by_client_id(self, client_order_id: str, instrument: InstrumentId) -> Any:
        return self.found.pop(0) if self.found else Absent(client_order_id)

    async def cancel(self, client_order_id: str, instrument: InstrumentId) -> Any:
        return await self.find_by_client_id(client_order_id, instrument)

    async def arm_countdown(self, seconds: int, instruments: Collection[InstrumentId]) -> frozenset[InstrumentId]:
        self.armed.append((seconds, frozenset(instruments)))
        if self.fails:
            raise Unreachable("main", "countdown", "time-out")
        return frozenset(instruments)


def gateway(
    line: Line,
    terms: Instrument | None = None,
    *,
    listed: bool = True,
    use: CountdownUse = CountdownUse.ALL,
    traded: Collection[InstrumentId] = (),
) -> LiveGateway:
    async def look(instrument: InstrumentId) -> Instrument | None:
        return (terms or perp()) if listed else None

    return LiveGateway(line, look, ManualClock(), countdown=use, traded=traded)


def order(**changes: Any) -> ApprovedIntent:
    return ApprovedIntent(replace(intent("hd1"), **changes), D(2940), GATE_SEAL)


def found(status: OrderStatus = OrderStatus.FILLED, filled: str = "2", price: str | None = "2999", **fee: Any) -> Found:
    return Found("hd1", "77", status, D(filled), None if price is None else D(price), **fee)


async def test_an_order_is_watched_to_its_end() -> None:
    """Not shown at first, then open, then filled: what counts is the record at the end, looked at a few times."""
    line = Line(Absent("hd1"), found(OrderStatus.OPEN, "1"), found(fee=D(3), fee_asset="USDT"))
    fill = await gateway(line).submit(order())
    assert isinstance(fill, Fill)
    assert (fill.quantity, fill.price, fill.fee, fill.estimated) == (D(2), D(2999), D(3), False)
    assert fill.slippage == D(2), "sold for a dollar less than the mark of 3,000, twice"


async def test_an_acknowledged_order_is_never_absent_at_once() -> None:
    """The exchange gave an id and does not show the order yet: it works, until a later look tells."""
    assert await gateway(Line()).submit(order()) == Working("hd1", "77")
    assert await gateway(Line(found(OrderStatus.OPEN, "1"))).submit(order()) == Working("hd1", "77", D(1))


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (found(OrderStatus.EXPIRED, "0", None), Cancelled),
        (found(OrderStatus.REJECTED, "0", None), Cancelled),
        (found(OrderStatus.CANCELLED, "1"), Fill),
        (found(OrderStatus.OPEN, "0", None), Working),
        (Absent("hd1"), Absent),
        (Unknown("hd1", "time-out"), Unknown),
    ],
)
async def test_what_a_look_up_means(told: Any, outcome: type) -> None:
    """By how the order stands and by what was filled, not by one of them."""
    assert isinstance(await gateway(Line(told)).find(order().intent), outcome)


async def test_a_fill_whose_terms_are_not_known_is_unknown() -> None:
    """Without the contract nobody can say what was traded."""
    assert isinstance(await gateway(Line(found()), listed=False).find(order().intent), Unknown)


@pytest.mark.parametrize(
    ("told", "fee", "estimated"),
    [
        (found(fee=D(3), fee_asset="USDT"), "3", False),
        (found(fee=D("-1"), fee_asset="USDT"), "-1", False),
        (found(fee=D("0.001"), fee_asset="ETH"), "2.999", False),
        (found(fee=D("0.01"), fee_asset="BNB"), "2.999", True),  # 0.05 % of 2 × 2,999
        (found(), "2.999", True),
        (found(price=None, fee=D(3), fee_asset="USDT"), "3", True),
    ],
)
def test_fees_in_the_quote_currency(told: Found, fee: str, estimated: bool) -> None:
    """Told in the quote or the coin it is converted; in a third asset, or not at all, it is what the contract says."""
    terms = replace(perp(), fee_taker=D("0.0005"))
    fill = fill_of(told, intent("hd1"), terms, ManualClock())
    assert (fill.fee, fill.estimated) == (D(fee), estimated)


def test_a_fee_in_the_coin_that_a_linear_contract_is_settled_in_is_no_quote() -> None:
    """Contracts on ETH in dollars that are linear and settled in ETH: 0.001 of it is 2.999 dollars."""
    terms = replace(perp("main:ETH/USD:ETH"), quote="USD", settle="ETH", linear=True)
    told = found(fee=D("0.001"), fee_asset="ETH")
    assert fill_of(told, intent("hd1"), terms, ManualClock()).fee == D("2.999")


def test_another_currency_is_converted_at_the_rate_of_the_decision() -> None:
    """An order worth 6,000 in the contract's currency and 5,400 in the portfolio's: its fee, too."""
    fill = fill_of(found(fee=D(3), fee_asset="USDT"), intent("hd1", notional="5400"), perp(), ManualClock())
    assert fill.fee == D("2.7")


async def test_what_rests_is_guarded_and_let_go() -> None:
    """Armed anew with every call, within the exchange's limits; ended for what rests no more; nothing where nothing is."""
    line = Line()
    desk = gateway(line)
    await desk.guard([], WITHIN)
    await desk.guard([ETH, OTHER], WITHIN)
    await desk.guard([ETH], timedelta(seconds=3))
    await desk.guard([], WITHIN)
    await desk.guard([], WITHIN)
    assert line.armed == [
        (120, frozenset({ETH, OTHER})),
        (0, frozenset({OTHER})),
        (10, frozenset({ETH})),
        (0, frozenset({ETH})),
    ]


async def test_one_countdown_for_all_is_not_ended_while_anything_rests() -> None:
    """Where it covers the account, ending it for one would end it for the others."""
    line = Line(covers=Covers.ACCOUNT)
    desk = gateway(line)
    await desk.guard([ETH, OTHER], WITHIN)
    await desk.guard([ETH], WITHIN)
    assert [seconds for seconds, _ in line.armed] == [120, 120]


async def test_a_countdown_that_may_be_armed_is_ended_later() -> None:
    """A call without an answer may have reached the exchange; no venue without one is asked."""
    line = Line()
    desk = gateway(line)
    line.fails = True
    await desk.guard([ETH], WITHIN)
    line.fails = False
    await desk.guard([], WITHIN)
    assert line.armed[-1] == (0, frozenset({ETH}))
    without = Line(covers=None)
    await gateway(without).guard([ETH], WITHIN)
    assert without.armed == []


@pytest.mark.parametrize(
    ("covers", "use", "armed"),
    [
        (Covers.OURS, CountdownUse.OURS, True),
        (Covers.MARKET, CountdownUse.OURS, False),
        (Covers.ACCOUNT, CountdownUse.OURS, False),
        (Covers.OURS, CountdownUse.ALL, True),
        (Covers.MARKET, CountdownUse.ALL, True),
        (Covers.ACCOUNT, CountdownUse.ALL, True),
        (Covers.OURS, CountdownUse.OFF, False),
        (Covers.MARKET, CountdownUse.OFF, False),
    ],
)
async def test_orders_of_others_are_cancelled_only_where_that_is_allowed(
    covers: Covers, use: CountdownUse, armed: bool
) -> None:
    """A countdown that covers more than ours is not armed by itself, and where none is in use none is ended either."""
    line = Line(covers=covers)
    desk = gateway(line, use=use, traded=[ETH])
    await desk.guard([ETH], WITHIN)
    await desk.guard([], WITHIN)
    assert line.armed == ([(120, frozenset({ETH})), (0, frozenset({ETH}))] if armed else [])


@pytest.mark.parametrize("covers", list(Covers))
async def test_a_countdown_that_could_end_between_two_cycles_is_not_armed(covers: Covers) -> None:
    """Of 15 minutes that are asked for the venue gives 2: it would cancel orders while all is well. Said once."""
    line = Line(covers=covers)
    desk = gateway(line)
    with structlog.testing.capture_logs() as lines:
        await desk.guard([ETH], SLOW)
        await desk.guard([ETH], SLOW)
    assert line.armed == []
    assert [each["event"] for each in lines] == ["what rests here stays in the book if hedged dies"]
    await desk.guard([ETH], timedelta(seconds=240))
    assert line.armed == [(120, frozenset({ETH}))], "half of what is asked for outlasts a cycle"


async def test_a_countdown_armed_by_another_process_is_ended_once() -> None:
    """After a restart nobody knows whether one still runs: with nothing at rest it is taken back, and that is all."""
    line = Line(covers=Covers.OURS)
    desk = gateway(line, traded=[ETH, OTHER])
    await desk.guard([], WITHIN)
    await desk.guard([], WITHIN)
    assert line.armed == [(0, frozenset({ETH, OTHER}))]


async def test_a_countdown_armed_by_another_process_goes_on_where_orders_still_rest() -> None:
    """One for each market: those at rest are armed anew, the others let go."""
    line = Line()
    await gateway(line, traded=[ETH, OTHER]).guard([ETH], WITHIN)
    assert line.armed == [(0, frozenset({OTHER})), (120, frozenset({ETH}))]
