"""Orders that find no takers are not sent again every cycle."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hedged.assess import assess
from hedged.decide import Book, decide
from hedged.decide.unfilled import waiting_until
from hedged.model.instrument import InstrumentId
from hedged.model.order import PastOrder, Placement, Side
from hedged.model.policy import LegPolicy, Mode
from hedged.model.proposal import Verdict
from hedged.model.snapshot import Snapshot
from tests.build import ETH_PERP, account, balances, dec, derivatives, future, hedge, perp, policy, quote, snapshot
from tests.store_samples import ETH, intent
from tests.support import T0

MINUTE = timedelta(minutes=1)
SALE = intent("hd1")
PURCHASE = replace(SALE, side=Side.BUY)
RESTED = replace(SALE, placement=Placement.PASSIVE)
BOOK = Book("0" * 24)


def past(ago: float, state: str = "cancelled", order: object = SALE, *, sent: bool = True) -> PastOrder:
    return PastOrder(order, state, T0 - ago * MINUTE, sent=sent)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("orders", "minutes"),
    [
        ([past(0.5)], None),  # the first is simply tried again
        ([past(2), past(1)], 1),  # two cycles after the last one
        ([past(3), past(2)], None),  # whose time is over
        ([past(1), past(4), past(2)], 3),  # in whatever order they are told
        ([past(9 - each) for each in range(9)], 14),  # 2⁸ minutes, but a quarter of an hour is the most
        ([past(900 - each) for each in range(900)], 14),
        ([past(3), past(2, "filled"), past(1)], None),
        ([past(3), past(2, "rejected"), past(1)], None),  # which has a guard of its own
        ([past(2), past(1, order=PURCHASE)], None),
        ([past(2), past(1, order=RESTED)], None),  # waits in the book by itself
        ([past(2), past(1, sent=False)], None),
        ([past(2), past(-5)], None),  # planned by a clock that was ahead
    ],
)
def test_each_order_without_takers_doubles_the_wait(orders: list[PastOrder], minutes: int | None) -> None:
    """Orders in a row that took nothing from the book, on one side of one instrument, with a cycle a minute."""
    expected = {} if minutes is None else {(ETH, Side.SELL): T0 + minutes * MINUTE}
    assert waiting_until(orders, T0, MINUTE) == expected


def test_a_wait_is_never_beyond_its_bound() -> None:
    """A cycle an hour: the next order may go in the next cycle all the same."""
    assert waiting_until([past(120), past(60)], T0, timedelta(hours=1)) == {}


def view(short: str, *, eth: str = "10", ends_in: timedelta | None = None) -> Snapshot:
    name = InstrumentId("main:ETH/USDT:USDT-261225") if ends_in is not None else ETH_PERP
    far = InstrumentId("main:ETH/USDT:USDT-270326")
    listed = [perp()] if ends_in is None else [future(name, T0 + ends_in), future(far, T0 + timedelta(days=99))]
    return snapshot(
        account(spot=balances(ETH=eth), positions=derivatives((name, short))),
        instruments=listed,
        marks={each.id: quote(3000) for each in listed},
        prices={"ETH": 3000},
    )


def sent(seen: Snapshot, waiting: InstrumentId, side: Side = Side.SELL) -> tuple[int, str]:
    legs = [next(iter(seen.instruments))]
    setup = policy(hedge("ETH", legs=legs))
    book = replace(BOOK, waiting={(waiting, side): T0 + 4 * MINUTE})
    decision = decide(assess(seen, setup), seen, setup, book)
    return len(decision.intents), decision.reason


def test_rebalancing_waits_and_says_until_when() -> None:
    """Nothing is sent there, and the reason names the instrument and the time; elsewhere nothing waits."""
    orders, reason = sent(view("-8"), ETH)
    assert orders == 0
    assert f"nothing was filled of the last orders to sell {ETH}: the next goes after 12:04:00 UTC" in reason
    assert sent(view("-8"), InstrumentId("main:BTC/USDT:USDT"))[0] == 1


def test_the_other_side_of_the_book_is_another_matter() -> None:
    """Where nobody buys, somebody may sell: an over-hedge is bought back at once."""
    assert sent(view("-12"), ETH)[0] == 1
    assert sent(view("-12"), ETH, Side.BUY)[0] == 0
    assert waiting_until([past(2), past(1, order=PURCHASE)], T0, MINUTE) == {}


def test_one_leg_without_takers_holds_up_no_other() -> None:
    """Half on each of two contracts, nothing hedged: the one is sold, the other waits."""
    btc = InstrumentId("main:BTC/USDT:USDT")
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives()),
        instruments=[perp(), perp(btc)],
        marks={ETH_PERP: 3000, btc: 60000},
        prices={"ETH": 3000},
    )
    legs = [LegPolicy(InstrumentId(ETH_PERP), weight=dec("0.5")), LegPolicy(btc, weight=dec("0.5"))]
    setup = policy(hedge("ETH", legs=legs))
    decision = decide(assess(seen, setup), seen, setup, replace(BOOK, waiting={(ETH, Side.SELL): T0 + MINUTE}))
    assert [each.intent.instrument for each in decision.intents] == [btc]
    assert "sell main:ETH/USDT:USDT" in decision.reason


def test_what_follows_an_order_that_waits_is_not_sent_without_it() -> None:
    """The leg that is too large is bought back once the other is sold; or too little would be hedged meanwhile."""
    btc = InstrumentId("main:BTC/USDT:USDT")
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -8), (btc, "-0.1"))),
        instruments=[perp(), perp(btc)],
        marks={ETH_PERP: 3000, btc: 60000},
        prices={"ETH": 3000},
    )
    legs = [LegPolicy(InstrumentId(ETH_PERP), weight=dec("0.5")), LegPolicy(btc, weight=dec("0.5"))]
    setup = policy(hedge("ETH", legs=legs))
    decision = decide(assess(seen, setup), seen, setup, replace(BOOK, waiting={(btc, Side.SELL): T0 + MINUTE}))
    assert decision.intents == ()


def test_what_closes_a_hedge_does_not_wait() -> None:
    """Nothing is left to hedge: the short has to go, takers or not."""
    assert sent(view("-8", eth="0"), ETH)[0] == 1


@pytest.mark.parametrize(("left", "waits"), [(timedelta(days=2), True), (timedelta(hours=2), False)])
def test_a_roll_waits_until_its_last_call(left: timedelta, waits: bool) -> None:
    """Days before the end there is time for the book to fill again; two hours before there is none."""
    orders, _ = sent(view("-10", ends_in=left), InstrumentId("main:ETH/USDT:USDT-270326"))
    assert (orders == 0) is waits


def test_an_approval_outlives_the_wait() -> None:
    """What a person has approved is neither sent while the book is waited for nor ended: it is sent afterwards."""
    setup = policy(hedge("ETH", mode=Mode.APPROVE))
    seen = view("-8")
    asked = decide(assess(seen, setup), seen, setup, BOOK).awaiting
    book = replace(BOOK, proposals=tuple(replace(each, verdict=Verdict.APPROVED) for each in asked))
    waiting = decide(assess(seen, setup), seen, setup, replace(book, waiting={(ETH, Side.SELL): T0 + MINUTE}))
    assert (waiting.intents, waiting.answered) == ((), ())
    assert len(decide(assess(seen, setup), seen, setup, book).intents) == 1
