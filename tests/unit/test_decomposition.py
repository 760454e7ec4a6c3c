"""The split of a hedge's PnL, against tables worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.estimate.decomposition import allocated, booked, decompose, funding_between, ratio_error
from hedged.model.effect import AssetReading, HedgeReading, LegReading, Parts
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill, Intent, Purpose, Side
from tests.build import BTC_PERP, ETH_PERP, Number, dec
from tests.support import T0

HOUR = timedelta(hours=1)
D = Decimal


def leg(contracts: Number, mark: Number, **more: object) -> LegReading:
    """A linear contract on one coin, in lots of 0.1."""
    given = {"slot": ETH_PERP, "direction": 1, "rate": D(1), "multiplier": D(1), "lot_size": D("0.1"), **more}
    return LegReading(contracts=dec(contracts), base_quantity=dec(contracts), mark=dec(mark), **given)


def reading(
    hours: float,
    assets: dict[str, tuple[Number, Number]],
    full: Number,
    *,
    target: Number | None = None,
    targets: dict[InstrumentId, Decimal] | None = None,
    **legs: LegReading,
) -> HedgeReading:
    names = {"eth": ETH_PERP, "btc": BTC_PERP}
    return HedgeReading(
        at=T0 + hours * HOUR,
        assets={name: AssetReading(dec(q), dec(p)) for name, (q, p) in assets.items()},
        legs={InstrumentId(names[name]): each for name, each in legs.items()},
        full_value=dec(full),
        target_value=dec(full if target is None else target),
        targets=targets or {},
    )


def parts(before: HedgeReading, now: HedgeReading) -> dict[str, Decimal]:
    """What is not nothing, by name; the sum is checked against assets and legs valued one by one."""
    found = decompose(before, now)
    assert found is not None
    names = Parts.__dataclass_fields__
    return {name: value for name in names if (value := getattr(found.parts, name))}


def test_a_proxy_hedge_on_target() -> None:
    """100 SOL at 10 against 10 ETH short at 100: SOL +5 % and ETH +3 % leave 50 − 30 = 20, the proxy's own."""
    before = reading(0, {"SOL": (100, 10)}, 1000, eth=leg(-10, 100, spot=D(100)))
    now = reading(1, {"SOL": (100, "10.5")}, 1050, eth=leg(-10, 103, spot=D(103)))
    assert parts(before, now) == {"proxy": D(20)}
    found = decompose(before, now)
    assert found is not None
    assert (found.exposure, found.full_hedge, found.flows) == (D(50), D(30), D(0))


def test_what_the_target_ratio_leaves_open_and_what_the_hedge_lacks() -> None:
    """Ratio 0.8: 200 of 1000 are left open by choice; 7 of the 8 ETH are there, so 100 more are a gap of whole lots."""
    before = reading(0, {"SOL": (100, 10)}, 1000, target=800, eth=leg(-7, 100))
    now = reading(1, {"SOL": (100, "10.5")}, 1050, target=840, eth=leg(-7, 103))
    assert parts(before, now) == {"proxy": D(20), "by_choice": D(6), "band_gap": D(3)}  # together 50 − 21


def test_what_no_lot_can_close() -> None:
    """A target of 1003 over lots worth 10: 10 ETH are as near as it gets, and 3 are left, times 3 %."""
    before = reading(0, {"SOL": (100, "10.03")}, 1003, eth=leg(-10, 100))
    now = reading(1, {"SOL": (100, "10.03")}, 1003, eth=leg(-10, 103))
    assert parts(before, now) == {"proxy": D("-30.09"), "lot_residual": D("0.09")}
    assert sum(parts(before, now).values()) == D(-30)


def test_the_same_coin_leaves_its_basis_alone() -> None:
    """10 ETH hedged in coins: the spot rises 2, the contract 3; only the basis of 1 a coin is lost."""
    before = reading(0, {"ETH": (10, 100)}, 1010, eth=leg(-10, 101, spot=D(100)))
    now = reading(1, {"ETH": (10, 102)}, 1040, eth=leg(-10, 104, spot=D(102)))
    assert parts(before, now) == {"basis": D(-10)}


def test_the_basis_of_a_dated_contract_runs_off() -> None:
    """A basis of 4 with four days left is 3 a day later: by time alone 1 a coin is earned; it fell to 2.5, .5 more."""
    ends = T0 + timedelta(days=4)
    before = reading(0, {"ETH": (10, 100)}, 1040, eth=leg(-10, 104, spot=D(100), expires=ends))
    now = reading(24, {"ETH": (10, 100)}, 1025, eth=leg(-10, "102.5", spot=D(100), expires=ends))
    assert parts(before, now) == {"basis_run_off": D(10), "basis": D(5)}


def test_a_leg_that_is_held_long() -> None:
    """BTCDOM rises when altcoins fall: bought for 500, it makes 25 on +5 % while the coins lose 50 against 5 % of B."""
    bought = leg(5, 100, direction=-1)
    before = reading(0, {"SOL": (100, 10)}, 500, eth=bought)
    now = reading(1, {"SOL": (100, "9.5")}, 475, eth=leg(5, 105, direction=-1))
    assert parts(before, now) == {"proxy": D(-25)}
    found = decompose(before, now)
    assert found is not None
    assert found.full_hedge == D(-25), "of the fall, the hedge takes 25 away"


def test_no_hedge_wanted_is_exposure_left_open_by_choice() -> None:
    """With a target of nothing all that the coins do is chosen; what is still held of the hedge is a gap."""
    before = reading(0, {"SOL": (100, 10)}, 1000, target=0, eth=leg(-1, 100))
    now = reading(1, {"SOL": (100, 11)}, 1100, target=0, eth=leg(-1, 101))
    assert parts(before, now) == {"by_choice": D(100), "band_gap": D(-1)}


def test_two_legs_have_targets_of_their_own() -> None:
    """600 on ETH (+1 %), 400 on BTC (+2 %): the coins' 20 less 6 less 8; BTC lacks a tenth of its 400."""
    slots = {InstrumentId(ETH_PERP): D(600), InstrumentId(BTC_PERP): D(400)}
    btc = leg("-0.36", 1000, slot=BTC_PERP, lot_size=D("0.01"))
    before = reading(0, {"SOL": (100, 10)}, 1000, targets=slots, eth=leg(-6, 100), btc=btc)
    later = replace(btc, mark=D(1020))
    now = reading(1, {"SOL": (100, "10.2")}, 1000, targets=slots, eth=leg(-6, 101), btc=later)
    assert parts(before, now) == {"proxy": D(6), "band_gap": D("0.8")}


def test_a_slot_held_in_two_contracts_shares_its_target() -> None:
    """In the middle of a roll both legs count, by what is held of each; without any the first that trades takes it."""
    near, far = leg(-3, 100), leg(-1, 100)
    held = reading(0, {}, 800, eth=near, btc=replace(far, slot=near.slot))
    assert allocated(held) == {ETH_PERP: D(600), BTC_PERP: D(200)}
    none = reading(0, {}, 800, eth=leg(0, 100, tradable=False), btc=leg(0, 100, slot=ETH_PERP))
    assert allocated(none) == {BTC_PERP: D(800)}


def test_coins_that_came_are_no_gain_and_interest_is_a_loss() -> None:
    """5 SOL more, at the new price; a debt that grew by itself is interest, one that brought coins is not."""
    before = reading(0, {"SOL": (100, 10), "ADA": (-50, 1), "XRP": (-50, 1)}, 0)
    before.assets["ADA"], before.assets["XRP"] = AssetReading(D(-50), D(1), D(50)), AssetReading(D(-50), D(1), D(50))
    now = reading(1, {"SOL": (105, 11)}, 0)
    now.assets.update(ADA=AssetReading(D(-51), D(1), D(51)), XRP=AssetReading(D(-50), D(1), D(60)))
    found = decompose(before, now)
    assert found is not None
    assert (found.exposure, found.flows, found.parts.interest) == (D(100), D(55), D(-1))


def test_a_position_that_others_changed_is_told_apart() -> None:
    """Of 10 ETH short 4 are gone without an order: 6 are known to have lost 18, what the 4 lost is put by name."""
    before = reading(0, {"SOL": (100, 10)}, 1000, eth=leg(-10, 100))
    now = reading(1, {"SOL": (100, 10)}, 1000, eth=leg(-6, 103))
    assert parts(before, now) == {"proxy": D(-30), "band_gap": D(12), "unexplained": D(-12)}
    flipped = reading(1, {"SOL": (100, 10)}, 1000, eth=leg(2, 103))
    assert parts(before, flipped)["unexplained"] == D(-30)


def test_what_has_no_price_any_more_is_not_known() -> None:
    """A contract or a coin that was held and is gone from the market leaves no number, not a zero."""
    before = reading(0, {"SOL": (100, 10)}, 1000, eth=leg(-10, 100))
    assert decompose(before, reading(1, {"SOL": (100, 10)}, 1000)) is None
    assert decompose(before, reading(1, {}, 0, eth=leg(-10, 100))) is None
    assert decompose(reading(0, {"SOL": (0, 10)}, 0, eth=leg(0, 100)), reading(1, {}, 0)) is not None


@pytest.mark.parametrize(
    ("rate", "later", "next_hours", "until", "paid"),
    [
        ("0.0001", "0.0003", 2, 1.9, "0"),
        ("0.0001", "0.0003", 2, 2, "-0.1"),  # 10 × 100 × the rate announced for it: received
        ("0.0001", "0.0003", 2, 10, "-0.4"),  # the second at the later rate
        ("-0.0001", "0.0003", 2, 3, "0.1"),
    ],
)
def test_funding_is_worked_out_where_the_account_does_not_tell(
    rate: str, later: str, next_hours: float, until: float, paid: str
) -> None:
    """A short receives above zero; each funding time counts once."""
    first = leg(-10, 100, funding_rate=D(rate), funding_hours=D(8), funding_next=T0 + next_hours * HOUR)
    after = replace(first, funding_rate=D(later))
    assert funding_between(first, after, T0, T0 + until * HOUR)[0] == D(paid)


def test_funding_is_what_the_account_tells() -> None:
    """Its own books go before the estimate."""
    first = leg(-10, 100, funding_rate=D("0.01"), funding_hours=D(1), funding_paid=D("-3.5"))
    after = replace(first, funding_paid=D("-5"))
    assert funding_between(first, after, T0, T0 + 5 * HOUR) == (D("-1.5"), [])
    assert funding_between(leg(-10, 100), leg(-10, 100), T0, T0 + 5 * HOUR) == (0, []), "a dated contract has none"


def _order(
    purpose: Purpose = Purpose.REBALANCE, *, side: Side = Side.SELL, price: str = "99.5", quantity: str = "2"
) -> tuple[Intent, Fill]:
    name = InstrumentId(ETH_PERP)
    intent = Intent("hd1", "alts", name, side, D(quantity), D(100), D(200), False, "", purpose)
    return intent, Fill("hd1", name, side, D(quantity), D(price), D("0.1"), T0)


def test_an_order_costs_its_fee_and_its_distance_from_the_middle_of_the_book() -> None:
    """2 sold at 99.5 with the book's middle at 99.9 and the mark at 100: .1 fee, .8 slippage, and .2 of basis."""
    at = reading(0, {"SOL": (100, 10)}, 1000, eth=leg(-8, 100, mid=D("99.9")))
    after, costs = booked(at, *_order())
    assert costs == Parts(fees=D("-0.1"), slippage=D("-0.8"), basis=D("-0.2"))
    assert (after.legs[ETH_PERP].contracts, after.legs[ETH_PERP].base_quantity) == (D(-10), D(-10))
    assert booked(at, *_order(Purpose.ROLL))[1] == Parts(roll=D("-0.9"), basis=D("-0.2"))
    assert booked(replace(at, legs={}), *_order())[1] == Parts(fees=D("-0.1"))
    without_book = reading(0, {"SOL": (100, 10)}, 1000, eth=leg(-8, 100))
    assert booked(without_book, *_order())[1] == Parts(fees=D("-0.1"), slippage=D(-1))


def test_an_order_found_out_about_later_is_measured_where_it_was_decided() -> None:
    """Decided at 100, when the last good reading's mark was 97: its slippage is .5 a coin, the 3 between are basis."""
    at = reading(0, {}, 1000, eth=leg(-8, 97, mid=D("96.9")))
    assert booked(at, *_order())[1] == Parts(fees=D("-0.1"), slippage=D(-1), basis=D(6))


def test_an_inverse_contract_moves_like_its_face_over_its_opening_price() -> None:
    """100 of 10 dollars sold at 50 are 20 coins; buying half back leaves 10, whatever the price."""
    empty = leg(0, 50, multiplier=D(10), linear=False)
    opened, _ = booked(reading(0, {}, 1000, eth=empty), *_order(price="50", quantity="100"))
    assert opened.legs[ETH_PERP].base_quantity == D(-20)
    halved, _ = booked(opened, *_order(side=Side.BUY, price="80", quantity="50"))
    assert halved.legs[ETH_PERP].base_quantity == D(-10)


def in_coins(contracts: Number, coins: Number, mark: Number, **more: object) -> LegReading:
    """So many contracts of 100 dollars, opened for so many coins."""
    held = leg(contracts, mark, multiplier=D(100), linear=False, lot_size=D(1), **more)
    return replace(held, base_quantity=dec(coins))


@pytest.mark.parametrize(("mark", "coins"), [(30_000, 66_000), (90_000, 78_000), (120_000, 84_000)])
def test_a_short_in_coins_makes_what_its_wallet_and_it_are_worth(mark: int, coins: int) -> None:
    """N = 60,000 at 60,000 over 1.2 BTC, 72,000 in all: 1.2 coins gain by the price, 1 is taken back, 0.2 is left."""
    before = reading(0, {"ETH": ("1.2", 60_000)}, 60_000, eth=in_coins(-600, -1, 60_000, spot=D(60_000)))
    now = reading(1, {"ETH": ("1.2", mark)}, mark, eth=in_coins(-600, -1, mark, spot=D(mark)))
    found = decompose(before, now)
    assert found is not None
    assert found.exposure == D("1.2") * (mark - 60_000)
    assert found.parts.total == coins - 72_000 == D("0.2") * (mark - 60_000)
    assert found.parts.basis == 0


def test_the_gain_in_coins_is_worth_what_the_coin_costs() -> None:
    """0.25 BTC gained at a mark of 48,000, the coin at 50,000: 12,500, of which 10,000 by the coin, 2,500 by the basis."""
    before = reading(0, {}, 60_000, eth=in_coins(-600, -1, 60_000, spot=D(60_000)))
    now = reading(1, {}, 50_000, eth=in_coins(-600, -1, 48_000, spot=D(50_000)))
    found = decompose(before, now)
    assert found is not None
    assert found.parts.total == D(12_500)
    assert found.parts.basis == D(2_500)


def test_an_order_in_coins_changes_the_wallet_by_what_it_paid_and_made() -> None:
    """300 of 600 bought back at 50,000: 0.1 BTC made, 0.0005 paid as the fee of 25 dollars, so 1.2995 are exposure.

    The mark is 50,500 and so is the coin: 0.6 − 30,000 / 50,500 coins better than that, worth 300 dollars.
    """
    at = reading(0, {"ETH": ("1.2", 50_500)}, 60_000, eth=in_coins(-600, -1, 50_500, spot=D(50_500)))
    name = InstrumentId(ETH_PERP)
    intent = Intent("hd1", "alts", name, Side.BUY, D(300), D(50_500), D(0), True, "")
    after, costs = booked(at, intent, Fill("hd1", name, Side.BUY, D(300), D(50_000), D(25), T0))
    assert after.assets["ETH"].quantity == D("1.2995")
    assert (after.legs[name].contracts, after.legs[name].base_quantity) == (D(-300), D("-0.5"))
    assert costs == Parts(fees=D("-25.25"), slippage=D(300))
    assert at.assets["ETH"].quantity == D("1.2"), "what was read stays what was read"
    dearer = reading(0, {}, 60_000, eth=in_coins(-600, -1, 50_500, spot=D(50_500), rate=D("1.25")))
    fill = Fill("hd1", name, Side.BUY, D(300), D(50_000), D("31.25"), T0)
    assert booked(dearer, intent, fill)[1] == Parts(fees=D("-31.5625"), slippage=D(375)), "a dollar is worth 1.25 here"


def test_funding_in_coins_is_worked_out_on_the_face_and_told_in_money() -> None:
    """0.01 % of 60,000 dollars is 6, whatever the coins cost; what the account tells are coins, at their price now."""
    first = in_coins(-600, -1, 60_000, funding_rate=D("0.0001"), funding_hours=D(8), funding_next=T0 + 2 * HOUR)
    later = replace(first, mark=D(30_000), spot=D(30_300))
    assert funding_between(first, later, T0, T0 + 3 * HOUR) == (D(-6), [(T0 + 2 * HOUR, D(-6))])
    told = [replace(each, funding_paid=D(paid)) for each, paid in ((first, "-0.001"), (later, "-0.0012"))]
    assert funding_between(*told, T0, T0 + 3 * HOUR) == (D("-0.0002") * 30_300, [])


def test_coins_that_funding_brought_came_from_nowhere_else() -> None:
    """0.0002 BTC received are funding and no deposit; 0.5 that came beside them are."""
    before = reading(
        0, {"ETH": ("1.2", 60_000)}, 60_000, eth=in_coins(-600, -1, 60_000, spot=D(60_000), funding_paid=D(0))
    )
    later = in_coins(-600, -1, 60_000, spot=D(60_000), funding_paid=D("-0.0002"))
    for came, flows in (("0", 0), ("0.5", 30_000)):
        found = decompose(before, reading(1, {"ETH": (D("1.2002") + D(came), 60_000)}, 60_000, eth=later))
        assert found is not None
        assert (found.flows, found.parts.funding, found.parts.total) == (flows, D(12), D(12))


def test_the_ratio_error_is_what_the_best_ratio_would_have_taken_more() -> None:
    """The exposure moved 1.2 for each 1 of the full hedge, which took 300: 60 of the proxy's 75 were the ratio's."""
    assert ratio_error(Parts(proxy=D(75)), D(300), 1.2) == (D(60), D(15))
