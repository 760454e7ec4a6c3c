"""What a venue settled in the place of what was computed: which payment is of which settlement, and what it is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.assess.funding import KEPT, NEAR, remembered, with_payments, with_settlements
from hedged.estimate.decomposition import decompose
from hedged.model.effect import (
    AssetReading,
    EffectDay,
    Funded,
    FundingPayment,
    HedgeLedger,
    HedgeReading,
    LegReading,
    Parts,
)
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Read
from tests.build import ETH_PERP
from tests.support import T0

D = Decimal
LINEAR = InstrumentId(ETH_PERP)
INVERSE = InstrumentId("main:ETH/USD:ETH")
HOUR = timedelta(hours=1)
DAY = EffectDay("alts", T0.replace(hour=0))


def leg(*, linear: bool = True, rate: str = "1") -> LegReading:
    return LegReading(LINEAR, 1, D(-10), D(-10), D(3000), D(rate), D(1), D(1), linear=linear)


def ledger(*funded: Funded, hours: float = 8, **legs: LegReading) -> HedgeLedger:
    """Of the last day up to so many hours after noon."""
    named = {LINEAR: legs.get("linear", leg()), INVERSE: legs.get("inverse", leg(linear=False))}
    reading = HedgeReading(T0 + hours * HOUR, {}, named, D(0), D(0))
    return HedgeLedger(reading, DAY, funded, T0 - timedelta(days=1))


def computed(hours: float, amount: str = "5", name: InstrumentId = LINEAR, worth: str = "1") -> Funded:
    return Funded(name, T0 + hours * HOUR, D(amount), D(worth))


def payment(
    hours: float, amount: str, id_: str = "1", name: InstrumentId = LINEAR, currency: str = "USDT"
) -> FundingPayment:
    return FundingPayment(name, T0 + hours * HOUR, D(amount), currency, id_)


def booked(before: HedgeLedger, *payments: FundingPayment, **prices: str) -> tuple[Decimal, int, int]:
    """What these add to the day's funding, and how many more settlements there are and were read."""
    legs = {coin: Read(D(price), T0) for coin, price in prices.items()}
    day, _ = with_payments(DAY, before, payments, legs)
    return day.parts.funding, day.funding_settled, day.funding_read


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (4, (D(-2), 0, 1)),  # at its time: 3 in the place of 5
        (4.3, (D(-2), 0, 1)),  # booked 18 minutes late
        (4.4, (D(3), 1, 1)),  # a settlement of its own
        (7.9, (D(3), 1, 1)),
        (8.1, (D(0), 0, 0)),  # no interval has reached it
        (-24.1, (D(0), 0, 0)),  # before the ledger
    ],
)
def test_a_payment_takes_the_place_of_its_settlements_figure(hours: float, expected: tuple[Decimal, int, int]) -> None:
    """Within twenty minutes it is the same one; else one that nobody knew of, as far as the ledger goes."""
    assert booked(ledger(computed(4)), payment(hours, "3")) == expected


def test_the_nearest_settlement_is_meant() -> None:
    """Where settlements are an hour apart or less, none is taken for its neighbour."""
    before = ledger(computed(4), computed(4.5))
    day, after = with_payments(DAY, before, [payment(4.3, "3")], {})
    assert [each.amount for each in after.funded] == [D(5), D(3)]
    assert day.parts.funding == -2


def test_a_contract_of_another_account_or_hedge_is_left_alone() -> None:
    """The ledger holds no such leg."""
    assert booked(ledger(computed(4)), payment(4, "3", name=InstrumentId("other:ETH/USDT:USDT"))) == (0, 0, 0)


def test_the_same_payment_again_changes_nothing() -> None:
    """Not even the ledger, so that nothing is written."""
    day, after = with_payments(DAY, ledger(computed(4)), [payment(4, "3"), payment(4, "3")], {})
    assert (day.parts.funding, day.funding_read) == (D(-2), 1)
    again, same = with_payments(day, after, [payment(4, "3")], {})
    assert again is day
    assert same is after


def test_the_halves_of_a_settlement_add_up() -> None:
    """A position in two parts is paid in two: the first replaces what was computed, the second comes on top."""
    assert booked(ledger(computed(4)), payment(4, "3"), payment(4, "1.5", "2")) == (D("-0.5"), 0, 1)


def test_coins_are_worth_what_the_mark_said() -> None:
    """0.002 ETH at 3,000 when it was settled, whatever a coin costs now; a currency of its own rate by that rate."""
    before = ledger(computed(4, "5", INVERSE, "3000"), computed(4, "5", LINEAR, "0.99"))
    assert booked(before, payment(4, "0.002", name=INVERSE, currency="ETH"), ETH="9999")[0] == D(1)
    assert booked(before, payment(4, "100"))[0] == D(94)


def test_a_settlement_nobody_knew_of_is_worth_what_the_last_reading_says() -> None:
    """The mark of the coin-margined contract, times the rate of its currency."""
    before = ledger(inverse=leg(linear=False, rate="1.01"))
    assert booked(before, payment(4, "-0.01", name=INVERSE, currency="ETH")) == (D("-30.3"), 1, 1)


def test_another_coin_is_converted_at_its_price_or_not_at_all() -> None:
    """Some accounts are paid in a credit or a coin of the venue: without a price it stays computed, never zero."""
    before = ledger(computed(4))
    assert booked(before, payment(4, "0.01", currency="BNB"), BNB="600") == (D(1), 0, 1)
    assert booked(before, payment(4, "0.01", currency="BNB")) == (0, 0, 0)
    assert booked(before, payment(7, "0.01", currency="BNB")) == (0, 0, 0)


def test_an_amount_beyond_all_money_is_no_payment() -> None:
    """It stays computed, and the payments beside it are taken."""
    before = ledger(computed(4), computed(0))
    assert booked(before, payment(4, "1e30"), payment(0, "3", "2")) == (D(-2), 0, 1)


def test_a_settlement_that_was_read_before_it_was_known_is_not_booked_again() -> None:
    """The interval brings its computed figure a cycle later: it is taken back."""
    read = replace(computed(4, "3"), ids=("1",))
    inside = replace(DAY, parts=Parts(funding=D(12)))
    day, after = with_settlements(inside, ledger(read), [computed(4.01, "5"), computed(7, "7")])
    assert (day.parts.funding, day.funding_settled) == (D(7), 1)
    assert after.funded == (read, computed(7, "7"))


def test_what_is_older_than_three_days_is_forgotten_and_not_taken_any_more() -> None:
    """A payment of that time would count twice: nobody knows whether it is booked."""
    before = ledger(computed(4), replace(computed(5), ids=("1",)), hours=80)
    assert remembered(before, T0 + 6 * HOUR) is before
    after = remembered(before, T0 + 5 * HOUR + KEPT)
    assert after.funded == (before.funded[1],), "within reach of the oldest payment that is taken"
    later = remembered(after, T0 + 5 * HOUR + KEPT + NEAR)
    assert later.funded == ()
    assert booked(later, payment(5.3, "3")) == (0, 0, 0)
    assert booked(later, payment(5.4, "3")) == (D(3), 1, 1)


def test_a_ledger_takes_no_payment_of_before_its_first_reading() -> None:
    """Also one that the venue books some minutes later: the position was not the hedge's then."""
    new = remembered(HedgeLedger(ledger(hours=0).reading, DAY), T0)
    later = replace(new, reading=ledger(hours=8).reading)
    assert booked(later, payment(0.2, "3")) == (0, 0, 0)
    assert booked(later, payment(0.5, "3")) == (D(3), 1, 1)


def test_a_clock_that_was_far_ahead_stops_payments_for_no_longer_than_itself() -> None:
    """What it made the ledger forget stays forgotten; from the present on payments are taken again."""
    ahead = remembered(ledger(computed(4)), T0 + timedelta(days=400))
    back = remembered(ahead, T0 + 5 * HOUR)
    assert back.funded_since == T0 + 5 * HOUR + NEAR
    assert booked(back, payment(4, "3")) == (0, 0, 0)
    assert booked(back, payment(6, "3")) == (D(3), 1, 1)


@pytest.mark.parametrize(("announced", "funding"), [("0.0001", D(2)), (None, D(0))])
def test_funding_in_coins_that_was_read_did_not_come_from_elsewhere(announced: str | None, funding: Decimal) -> None:
    """10 ETH became 10.0025: at 2,000 five dollars, of which two were announced or none. Five were paid: none came."""
    rate = D(announced) if announced is not None else None
    short = replace(leg(linear=False), contracts=D(-2000), mark=D(2000), spot=D(2000), multiplier=D(10))
    short = replace(short, funding_rate=rate, funding_hours=D(8), funding_next=T0 + HOUR)
    before = HedgeReading(T0, {"ETH": AssetReading(D(10), D(2000))}, {INVERSE: short}, D(20_000), D(20_000))
    next_ = {INVERSE: replace(short, funding_next=T0 + 9 * HOUR)}
    now = replace(before, at=T0 + 2 * HOUR, assets={"ETH": AssetReading(D("10.0025"), D(2000))}, legs=next_)
    interval = decompose(before, now)
    assert interval is not None
    day = replace(DAY, parts=interval.parts, flows=interval.flows)
    assert (day.parts.funding, day.flows) == (funding, 5 - funding)
    day, after = with_settlements(day, HedgeLedger(before, DAY, (), T0 - HOUR), interval.funded)
    read = payment(1, "0.0025", name=INVERSE, currency="ETH")
    day, after = with_payments(day, replace(after, reading=now), [read], {})
    assert (day.parts.funding, day.flows) == (D(5), D(0))
    again, _ = with_settlements(
        replace(day, parts=day.parts + Parts(funding=D(2)), flows=day.flows - 2), after, [computed(1, "2", INVERSE)]
    )
    assert (again.parts.funding, again.flows) == (D(5), D(0)), "a second time the same hour: both are taken back"


def test_funding_in_dollars_is_no_coin_that_came() -> None:
    """Nor is that in coins which are no exposure of the hedge."""
    assets = {"ETH": AssetReading(D(10), D(3000))}
    held = ledger(computed(4), computed(4, name=INVERSE))
    assert held.reading is not None
    linear, _ = with_payments(DAY, replace(held, reading=replace(held.reading, assets=assets)), [payment(4, "3")], {})
    other, _ = with_payments(DAY, held, [payment(4, "3", name=INVERSE, currency="ETH")], {})
    assert (linear.parts.funding, linear.flows, other.flows) == (D(-2), D(0), D(0))
