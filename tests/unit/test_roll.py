"""Out of a contract that ends: as a pair, by slices that keep the hedge inside its band whichever order fails."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.assess import assess
from hedged.assess.legs import expand_chains
from hedged.decide import Book, decide
from hedged.model.chain import Cadence, Chain, cadence_of, successor
from hedged.model.finding import Kind
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Decision, Intent, Purpose, Side
from hedged.model.policy import LegPolicy, Limits, Mode, PortfolioPolicy, RollPolicy
from hedged.model.snapshot import Margin, Snapshot
from tests.build import ETH_PERP, account, balances, dec, derivatives, future, hedge, perp, policy, snapshot
from tests.support import T0

NEAR = "main:ETH/USDT:USDT-261225"
FAR = "main:ETH/USDT:USDT-270326"
SETUP = policy(hedge("ETH", legs=[NEAR]))


def view(
    near: str = "-10", far: str = "0", *, left: timedelta = timedelta(days=4), lot: str = "0.001", more: object = None
) -> Snapshot:
    listed = [future(NEAR, T0 + left, lot=lot), future(FAR, T0 + timedelta(days=90), lot=lot), perp()]
    return snapshot(
        account(spot=balances(ETH=10), positions=derivatives((NEAR, near), (FAR, far))),
        instruments=listed,
        marks={NEAR: 3000, FAR: 3030, ETH_PERP: 3000},
        prices={"ETH": 3000},
    )


def decided(seen: Snapshot, setup: PortfolioPolicy = SETUP) -> Decision:
    return decide(assess(seen, setup), seen, setup, Book("0" * 24))


def orders(decision: Decision) -> list[tuple[str, Side, Decimal, bool]]:
    return [(i.instrument, i.side, i.quantity, i.reduce_only) for i in intents(decision)]


def intents(decision: Decision) -> list[Intent]:
    return [approved.intent for approved in decision.intents]


def test_a_slice_of_both_legs_within_the_band() -> None:
    """With ±5 % of 30,000 to spare, 1,500 of each: the near leg bought back reduce-only, the far one sold."""
    decision = decided(view())
    assert orders(decision) == [(NEAR, Side.BUY, dec("0.5"), True), (FAR, Side.SELL, dec("0.495"), False)]
    assert all(not intent.only_after for intent in intents(decision))
    assert {intent.purpose for intent in intents(decision)} == {Purpose.ROLL}
    assert f"roll {NEAR} into {FAR}" in decision.reason


def test_before_its_time_nothing_is_rolled() -> None:
    """Outside the roll window the far contract is not even a leg."""
    assert decided(view(left=timedelta(days=6))).intents == ()
    assert [leg.instrument for leg in assess(view(left=timedelta(days=6)), SETUP).hedges[0].legs] == [NEAR]


def test_at_the_last_call_all_of_it_goes() -> None:
    """A cycle before the settlement window the rest is rolled at once: far first, so that nothing is ever naked."""
    left = SETUP.roll.stop + SETUP.every
    assert orders(decided(view("-7", "-3", left=left))) == [
        (FAR, Side.SELL, dec("6.930"), False),
        (NEAR, Side.BUY, dec(7), True),
    ]
    far, near = intents(decided(view("-7", "-3", left=left)))
    assert near.only_after == (far.client_order_id,)
    assert len(orders(decided(view("-7", "-3", left=left + timedelta(seconds=1))))) == 2
    assert intents(decided(view("-7", "-3", left=left + timedelta(seconds=1))))[1].quantity < 1


def test_in_the_settlement_window_the_near_leg_waits_for_nothing() -> None:
    """Half of the stop is left: it is bought back whether or not the far leg can be sold, as settlement would end it."""
    for left, waits in ((SETUP.roll.stop / 2 + timedelta(seconds=1), True), (SETUP.roll.stop / 2, False)):
        _, near = intents(decided(view("-7", "-3", left=left)))
        assert (near.instrument, bool(near.only_after)) == (NEAR, waits)


def leaving(near: Decimal, far: Decimal, left: timedelta, equity: str | None) -> Snapshot:
    """With margin told: what is free is what the positions do not bind at five times."""
    seen = view(str(near), str(far), left=left)
    if equity is None:
        return seen
    bound = (abs(near) * 3000 + abs(far) * 3030) / 5
    held = derivatives((NEAR, near), (FAR, far), margin=Margin(dec(equity), None, dec(equity) - bound, leverage=dec(5)))
    return replace(seen, accounts={"main": account(spot=balances(ETH=10), positions=held)})


@pytest.mark.parametrize(
    ("limits", "equity"),
    [
        (Limits(order_notional_max=dec(5000)), None),
        (Limits(turnover_day_max=dec(10_000)), None),
        (Limits(leverage_max=dec(2)), "20000"),
        (Limits(leverage_max=dec("1.5")), "20000"),  # nothing is left of it: the near leg makes room first
        (Limits(free_margin_min=dec("0.6")), "20000"),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_at_the_last_call_as_much_goes_as_the_limits_allow(limits: Limits, equity: str | None, *, fails: bool) -> None:
    """Part by part within the hour, each order of a pair inside the band; the near leg only with what takes it over."""
    setup, rng = policy(hedge("ETH", legs=[NEAR]), limits=limits), random.Random(1)
    held = {NEAR: dec(-10), FAR: Decimal(0)}
    for minute in range(60):  # each with a day's turnover of its own, or that alone would be the end of it
        seen = leaving(held[NEAR], held[FAR], setup.roll.stop - timedelta(minutes=minute), equity)
        decision = decided(seen, setup)
        done: set[str] = set()
        for intent in intents(decision):
            if done.issuperset(intent.only_after) and not (fails and rng.random() < 0.3):
                held[intent.instrument] += intent.signed_quantity
                done.add(intent.client_order_id)
                assert 3000 * abs(held[NEAR]) + 3030 * abs(held[FAR]) >= 30_000 * dec("0.949")
        assert held[NEAR] <= 0
        if not held[NEAR]:
            return
    pytest.fail(f"not rolled within the hour: {held}")


def test_in_the_settlement_window_the_near_leg_goes_by_the_size_that_is_allowed() -> None:
    """A limit of half of it takes two cycles, not for ever."""
    setup = policy(hedge("ETH", legs=[NEAR]), limits=Limits(order_notional_max=dec(15_000), leverage_max=dec(1)))
    seen = leaving(dec(-10), dec(0), setup.roll.stop / 2, "20000")
    decision = decided(seen, setup)
    assert orders(decision) == [(NEAR, Side.BUY, dec(5), True)]
    assert [refusal.intent.instrument for refusal in decision.refused] == [FAR]


def test_a_limit_on_orders_makes_smaller_slices() -> None:
    """No roll order is larger than order_notional_max."""
    decision = decided(view(), policy(hedge("ETH", legs=[NEAR]), limits=Limits(order_notional_max=dec(600))))
    assert [intent.quantity for intent in intents(decision)] == [dec("0.2"), dec("0.198")]
    assert decision.refused == ()


def test_a_half_done_pair_is_finished() -> None:
    """The far leg was sold, the near one not bought back: the room is now below, and only the near leg moves."""
    assert orders(decided(view("-10", "-0.495"))) == [(NEAR, Side.BUY, dec("0.999"), True)]


def test_an_increase_goes_to_the_far_leg_and_a_decrease_comes_from_the_near_one() -> None:
    """While rolling, drift is corrected where the hedge is going, not in the contract that it leaves."""
    assert orders(decided(view("-8", "-1")))[0][:2] == (FAR, Side.SELL)
    assert orders(decided(view("-8", "-4")))[0][:2] == (NEAR, Side.BUY)


def test_a_delisting_is_an_end_and_the_fall_back_takes_over() -> None:
    """A perpetual that the venue takes off is left in the same way, for the hedge's next instrument."""
    other = "main:ETH/USDC:USDC"
    seen = replace(
        view("0", "0"),
        accounts={"main": account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -10)))},
        instruments={
            InstrumentId(ETH_PERP): perp(delisting=T0 + timedelta(days=3)),
            InstrumentId(other): perp(other),
        },
        quotes={**view().quotes, InstrumentId(other): view().quotes[InstrumentId(ETH_PERP)]},
    )
    setup = policy(hedge("ETH", legs=[ETH_PERP, other]))
    assert [order[:2] for order in orders(decided(seen, setup))] == [(ETH_PERP, Side.BUY), (other, Side.SELL)]
    split = policy(
        hedge("ETH", legs=[LegPolicy(InstrumentId(name), weight=dec("0.5")) for name in (ETH_PERP, other)]),
    )
    assert all(intent.purpose is not Purpose.ROLL for intent in intents(decided(seen, split)))


def test_in_monitor_a_roll_is_proposed() -> None:
    """Nothing is sent; what would be traded is shown."""
    decision = decided(view(), policy(hedge("ETH", legs=[NEAR], mode=Mode.MONITOR), mode=Mode.MONITOR))
    assert [intent.instrument for intent in decision.proposals] == [NEAR, FAR]


def test_a_long_hedge_is_rolled_the_other_way_round() -> None:
    """What is held long because it rises when the assets fall is sold near and bought far."""
    legs = [LegPolicy(InstrumentId(NEAR), direction=-1)]
    assert orders(decided(view("10"), policy(hedge("ETH", legs=legs)))) == [
        (NEAR, Side.SELL, dec("0.5"), True),
        (FAR, Side.BUY, dec("0.495"), False),
    ]


def test_what_is_rolled_is_told_with_its_cost() -> None:
    """Both legs' fees, half spreads and slippage on what is left, and the far leg's basis a year: 1 % over 86 days."""
    found = [finding for finding in assess(view(), SETUP).findings if finding.kind is Kind.ROLL]
    assert [(finding.subject, finding.values["cost"]) for finding in found] == [("alts", dec("48.0000"))]
    assert "30,000 USDT of it are left and go to main:ETH/USDT:USDT-270326" in found[0].text
    assert "+4.2% a year" in found[0].text


def test_with_nothing_to_roll_into_it_warns() -> None:
    """No later contract is listed and there is no fall-back."""
    seen = view()
    alone = replace(seen, instruments={name: c for name, c in seen.instruments.items() if name == NEAR})
    found = [finding for finding in assess(alone, SETUP).findings if finding.kind is Kind.ROLL]
    assert [(finding.severity.value, finding.values["far"]) for finding in found] == [("warning", None)]
    assert decided(alone).intents == ()


@pytest.mark.parametrize("lot", ["0.001", "0.5", "1"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), band=st.sampled_from(["0.02", "0.05", "0.2"]), fails=st.sampled_from([0.0, 0.3]))
def test_whatever_fails_the_hedge_stays_inside_its_band(lot: str, seed: int, band: str, fails: float) -> None:
    """Orders fail at random for days; after every single one the hedge is inside its band, and at last it is over."""
    rng = random.Random(seed)
    setup = policy(hedge("ETH", legs=[NEAR], band=band))
    held = {NEAR: dec(-10), FAR: Decimal(0)}
    for _ in range(400):
        seen = view(str(held[NEAR]), str(held[FAR]), lot=lot)
        group = assess(seen, setup).groups[0]
        assert abs(group.drift or 0) <= group.band
        decision = decided(seen, setup)
        assert decision.refused == ()
        if not held[NEAR]:
            assert decision.intents == ()
            return
        for intent in intents(decision):
            if rng.random() >= fails:
                held[intent.instrument] += intent.signed_quantity
                between = assess(view(str(held[NEAR]), str(held[FAR]), lot=lot), setup).groups[0]
                assert abs(between.drift or 0) <= between.band
    pytest.fail(f"not rolled in 400 cycles: {held}")


def test_the_successor_is_the_next_that_lasts() -> None:
    """Not one that ends within the window itself, not another chain's."""
    seen = view(left=timedelta(days=1))
    soon: Instrument = future("main:ETH/USDT:USDT-261230", T0 + timedelta(days=4))
    other: Instrument = future("main:BTC/USDT:USDT-270101", T0 + timedelta(days=30))
    crowded = replace(seen, instruments={**seen.instruments, soon.id: soon, other.id: other})
    assert [leg.instrument for leg in assess(crowded, SETUP).hedges[0].legs] == [NEAR, FAR]


QUARTERS = (date(2026, 12, 25), date(2027, 3, 26), date(2027, 6, 25), date(2027, 9, 24))
MONTHS = (date(2026, 11, 27), date(2027, 1, 29), date(2027, 2, 26), date(2027, 4, 30))
FRIDAYS = tuple(date(2026, 11, 6) + timedelta(weeks=week) for week in range(50))


def dated(day: date) -> Instrument:
    return future(f"main:ETH/USDT:USDT-{day:%y%m%d}", datetime.combine(day, time(8), UTC))


def listed_on(now: datetime) -> dict[InstrumentId, Instrument]:
    """As Bybit, OKX and Deribit list them: the next weeks' beside two months' and three quarters'."""
    ahead = [day for day in FRIDAYS if datetime.combine(day, time(8), UTC) > now]
    quarters, months = [day for day in ahead if day in QUARTERS], [day for day in ahead if day in MONTHS]
    return {each.id: each for each in map(dated, sorted({*ahead[:2], *months[:2], *quarters[:3]}))}


@pytest.mark.parametrize(
    ("expiry", "cadence"),
    [
        (datetime(2026, 12, 25, 8, tzinfo=UTC), Cadence.QUARTER),
        (datetime(2027, 1, 29, 8, tzinfo=UTC), Cadence.MONTH),
        (datetime(2027, 1, 22, 8, tzinfo=UTC), Cadence.WEEK),
        (date(2026, 12, 24), Cadence.QUARTER),  # a Thursday, before a last Friday that is a holiday
        (date(2026, 12, 17), None),
        (date(2026, 12, 31), None),
        (None, None),
    ],
)
def test_an_expiry_tells_how_often_its_kind_ends(expiry: date | None, cadence: Cadence | None) -> None:
    """The last Friday of a quarter, of another month, any other Friday; and nothing of other days."""
    assert cadence_of(expiry) is cadence


@pytest.mark.parametrize(
    ("named", "rolled_into"),
    [
        (date(2026, 12, 25), ["270326", "270625"]),
        (date(2026, 11, 27), ["261225", "270129", "270226", "270326", "270430", "270625"]),
        (date(2026, 11, 13), [f"{day:%y%m%d}" for day in FRIDAYS[2:32]]),
    ],
)
def test_a_contract_is_followed_by_one_that_ends_as_often(named: date, rolled_into: list[str]) -> None:
    """Half a year of a chain with weeklies: who holds a quarter's is not made to roll by the week."""
    leg = dated(named).id
    held, found, now = leg, [], T0
    while now < datetime(2027, 6, 9, tzinfo=UTC):
        shown = snapshot(
            account(positions=derivatives((held, -10))), instruments=listed_on(now).values(), marks={}, prices={}
        )
        legs = expand_chains(hedge("ETH", legs=[leg]), replace(shown, now=now), [held], RollPolicy())
        following = [each.instrument for each in legs if each.instrument not in {leg, held}]
        if following:
            held = following[-1]
            found.append(held.rpartition("-")[2])
        now += timedelta(hours=12)
    assert found[: len(rolled_into)] == rolled_into
    assert len(found) <= len(rolled_into) + 1


def test_without_one_that_ends_as_often_the_next_that_lasts_or_the_next_follows() -> None:
    """No quarter's is listed: one as long away as that, and where there is none the nearest."""
    chain = Chain("main", "ETH", "USDT", "USDT")
    near, far, farther = (dated(day) for day in (FRIDAYS[1], date(2027, 2, 19), date(2027, 2, 12)))
    before = timedelta(days=5)
    assert successor(chain, [near, far, farther], T0, before, Cadence.QUARTER) == farther
    assert successor(chain, [near], T0, before, Cadence.QUARTER) == near
    assert successor(chain, [near, far], T0, before) == near
