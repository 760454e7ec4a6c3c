"""What is told of an account's odds: the vectors of the formulas end to end, and what must stay unknown."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from hedged.adapters.clock import seeded_generator
from hedged.adapters.store.memory import MemoryStore
from hedged.assess import assess
from hedged.assess.margin import alarms_after, margin_statuses, with_alarms
from hedged.assess.margin import margin_findings as findings_of_margin
from hedged.decide import Book, decide
from hedged.decide.margin import room_after
from hedged.estimate.innovations import innovations
from hedged.estimate.price_past import PricePast, common_innovations
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.history import STEP, Bar
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.order import Intent, Side
from hedged.model.policy import MarginPolicy, PortfolioPolicy
from hedged.model.snapshot import Fault, Margin, Missing, Position, Read, Snapshot
from hedged.model.statistics import MarginOdds
from hedged.observe.margin_risk import MarginRisk, subjects_of
from hedged.tell.state import state_object
from tests.build import BTC_PERP, ETH_PERP, account, balances, derivatives, hedge, perp, snapshot
from tests.fakes import BrokenStore
from tests.margin import RiskAt, contract, setup, short, with_odds
from tests.support import T0

D = Decimal
ALERT = MarginPolicy()


async def odds_of(seen: Snapshot, rules: PortfolioPolicy | None = None, volatility: float = 0.8) -> MarginOdds:
    return (await RiskAt(rules or setup(), volatility).odds(seen))["main"]


def margin_findings(seen: Snapshot, rules: PortfolioPolicy) -> list[Finding]:
    return [each for each in assess(seen, rules).findings if each.kind is Kind.MARGIN_ODDS]


@pytest.mark.parametrize(
    ("contracts", "mark", "equity", "rate", "price"),
    [(-1, 50_000, 5_000, "0.004", 54_780.8765), (-10, 3_000, 6_000, "0.005", 3_582.0896)],
)
async def test_the_move_that_breaches(contracts: int, mark: int, equity: int, rate: str, price: float) -> None:
    """The liquidation price by hand, told as a move of the instrument."""
    listed = contract(tiers=(MarginTier(D(0), D(rate), D(20)),))
    odds = await odds_of(short(contracts, equity, mark=mark, instrument=listed))
    (move,) = odds.breaches
    assert move.instrument == ETH_PERP
    assert mark * (1 + move.ratio) == pytest.approx(price, abs=1e-3)


@pytest.mark.parametrize(("days", "level"), [(1, 1.113892), (7, 1.330255), (30, 1.805385)])
async def test_the_equity_that_is_needed(days: int, level: float) -> None:
    """1 % at a volatility of 0.8: notional × (L·(1 + MMR) − 1); with just that much the odds are 1 %."""
    rules = setup(MarginPolicy(top_up_within=timedelta(days=days)))
    odds = await odds_of(short(-10, 6_000), rules)
    needed = 30_000 * (level * 1.005 - 1)
    assert float(odds.equity_needed or 0) == pytest.approx(needed, rel=1e-5)
    assert odds.top_up == max((odds.equity_needed or D(0)) - 6_000, D(0))
    at_need = await odds_of(short(-10, odds.equity_needed or D(0)), rules)
    assert at_need.probability == pytest.approx(0.01, rel=1e-3)
    assert at_need.bootstrap is None
    assert at_need.room == pytest.approx(1, abs=1e-6)


async def test_the_leverage_proposed_is_the_lowest() -> None:
    """30,000 over 6,000 is 5x; where even all of the equity misses the target there is none to propose."""
    assert (await odds_of(short(-10, 6_000))).leverage_lowest == 5
    assert (await odds_of(short(-10, 3_000))).leverage_lowest is None


async def test_what_to_close_brings_the_odds_to_the_target() -> None:
    """The rest of the short over what is left of the equity is at most 1 % likely to be liquidated, and not far below."""
    odds = await odds_of(short(-10, 2_000))
    assert (odds.probability or 0) > 0.05
    closing = odds.to_close[ETH_PERP]
    assert 0 < closing < 10
    after = await odds_of(short(-10 + closing, 2_000 - closing * 3_000 * D("0.0007")))
    assert 0.005 < (after.probability or 0) <= 0.01


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (short(-10, None), "its equity is not told"),
        (
            short(-10, 6_000, instrument=perp()),
            f"the maintenance margin of {ETH_PERP} is not known (name its [[tiers]])",
        ),
        (short(-10, 6_000, trusted=False), f"the size of {ETH_PERP} is not trusted"),
        (
            short(-10, 6_000, instrument=replace(contract(), linear=False)),
            f"{ETH_PERP} is inverse, and what backs it is not told apart",
        ),
        (
            short(-10, 6_000, instrument=perp(), isolated_equity=D(6_000)),
            f"the maintenance margin of {ETH_PERP} is not known (name its [[tiers]])",
        ),
    ],
    ids=["no equity", "no tiers", "not trusted", "inverse", "isolated without tiers"],
)
async def test_what_is_not_known_is_unknown(seen: Snapshot, why: str) -> None:
    """No odds, no order, and where hedged is to act on them it says so."""
    seen = await with_odds(seen, setup())
    odds = seen.margin_odds["main"]
    assert odds.unknown == why
    assert odds.probability is odds.room is odds.top_up is None
    (told,) = margin_findings(seen, setup())
    assert why in told.text
    assert told.severity is Severity.WARNING
    assert not margin_findings(seen, setup(ALERT))
    assert "margin_odds/main" in assess(seen, setup(ALERT)).undetermined, "an alarm told before is not over by that"
    decision = decide(assess(seen, setup()), seen, setup(), Book("c"))
    assert not decision.intents


DOGE = InstrumentId("main:DOGE/USDT:USDT")


def beside(shared: str | None, apart: str, **more: object) -> Snapshot:
    """10 ETH short in cross margin over `shared`, and 10,000 DOGE at 0.1 held apart; the tightest pool's margin told."""
    held = derivatives(
        Position(ETH_PERP, D(-10)),
        Position(DOGE, D(10_000), isolated_equity=D(apart)),
        margin=Margin(D(apart), None),
    )
    told = {} if shared is None else {"USDT": D(shared)}
    return snapshot(
        account(spot=balances(ETH=10), positions=replace(held, value=replace(held.value, equities=told))),
        instruments=[contract(), replace(contract(DOGE, lot=1), **more)],  # type: ignore[arg-type]
        marks={ETH_PERP: 3_000, DOGE: "0.1"},
        prices={"ETH": 3_000, "DOGE": "0.1"},
    )


async def test_an_isolated_position_is_a_pool_of_its_own() -> None:
    """What is set apart for it counts and no more: the odds are those of an account with just that."""
    alone = await odds_of(short(-10, 600_000, isolated_equity=D(6_000)))
    whole = await odds_of(short(-10, 6_000))
    assert (alone.probability, alone.equity_needed, alone.equity) == (whole.probability, whole.equity_needed, 6_000)
    assert (alone.unknown, alone.others, alone.apart) == ("", (), ETH_PERP)


async def test_an_isolated_position_in_danger_speaks_and_leaves_the_others_alone() -> None:
    """A bet near its end alarms by its name and is bought back; the hedge in cross margin is not, and may grow."""
    rules = replace(setup(), hedges=(hedge("ETH"), hedge("DOGE", name="dogs", legs=[DOGE])))
    seen = await with_odds(beside("60000", "30"), rules)
    odds = seen.margin_odds["main"]
    assert odds.apart == DOGE
    assert set(odds.to_close) == {DOGE}
    (finding,) = margin_findings(seen, rules)
    assert finding.text.startswith("main margin of DOGE/USDT:USDT (isolated): ")
    assert "USDT set apart for DOGE/USDT:USDT or sell" in finding.text
    assert finding.values["adding"] == f"{finding.values['top_up']} USDT set apart for DOGE/USDT:USDT"
    more = Intent("hd", "alts", ETH_PERP, Side.SELL, D(1), D(3000), D(3000), False, "why")
    bet = replace(more, instrument=DOGE, side=Side.BUY, quantity=D(1_000), price=D("0.1"), notional=D(100))
    rooms = [room_after(each, held, seen, rules, {})[0] for each, held in ((more, D(-10)), (bet, D(10_000)))]
    assert [room is not None and room.after is not None and room.after > 1 for room in rooms] == [True, False]
    assert rooms[1] is not None
    assert 0 < (rooms[1].after or 0) < 1


async def test_where_several_pools_are_in_danger_the_figure_is_that_of_all() -> None:
    """What the text asks for each adds up to what is handed on as a number, as long as it is in one currency."""
    seen = await with_odds(beside("3000", "30"), setup())
    odds = seen.margin_odds["main"]
    (finding,) = margin_findings(seen, setup())
    adding = finding.values["adding"]
    assert isinstance(adding, str)
    assert f" Top up {adding} or " in finding.text
    assert " and " in adding
    amounts = [D(each.partition(" ")[0].replace(",", "")) for each in adding.split(" and ")]
    assert finding.values["top_up"] == sum(amounts)
    strange = replace(odds, others=tuple(replace(each, currency="USDC") for each in odds.others))
    (finding,) = margin_findings(replace(seen, margin_odds={"main": strange}), setup())
    assert finding.values["top_up"] is None
    assert "USDC" in str(finding.values["adding"])


@pytest.mark.parametrize(
    ("seen", "speaks", "why"),
    [
        (beside("2000", "900", tiers=()), None, f"the maintenance margin of {DOGE} is not known"),
        (beside(None, "30"), DOGE, "what is left beside its isolated positions is not told"),
    ],
    ids=["isolated", "shared"],
)
async def test_what_is_unknown_of_one_pool_says_nothing_against_another(
    seen: Snapshot, speaks: InstrumentId | None, why: str
) -> None:
    """The rest has its odds and its alarm, is bought back, and the message says what is not known beside it."""
    known = await with_odds(seen, setup())
    odds = known.margin_odds["main"]
    assert (odds.unknown, odds.apart, odds.alarm) == ("", speaks, "critical")
    assert set(odds.to_close) == {speaks or ETH_PERP}
    (finding,) = margin_findings(known, setup())
    assert finding.severity is Severity.CRITICAL
    assert f"nothing can be told, because {why}" in finding.text
    other = Intent("hd", "alts", ETH_PERP if speaks else DOGE, Side.SELL, D(1), D(1), D(1), False, "why")
    room, _ = room_after(other, D(0), known, setup(), {})
    assert room is not None
    assert room.after is None, "nobody knows what would back it"


async def test_an_unknown_part_is_told_where_nothing_alarms() -> None:
    """Where hedged is to act on it, and not otherwise; for want of a price the next reading may tell."""
    seen = await with_odds(beside("60000", "900", tiers=()), setup())
    (finding,) = margin_findings(seen, setup())
    assert finding.severity is Severity.WARNING
    assert "of the rest it is known" in finding.text
    assert not margin_findings(seen, setup(ALERT))
    assert "margin_odds/main" not in assess(seen, setup(ALERT)).undetermined
    blind = replace(seen, quotes={name: each for name, each in seen.quotes.items() if name != DOGE})
    blind = await with_odds(blind, setup())
    assert not margin_findings(blind, setup())
    assert "margin_odds/main" in assess(blind, setup()).undetermined
    assert alarms_after(blind.margin_odds, {"main": "critical"}) == {"main": "critical"}


async def test_positions_in_two_currencies_are_no_pool() -> None:
    """What USDT backs and what USDC backs may be two accounts."""
    other = replace(contract(BTC_PERP), settle="USDC")
    held = derivatives(Position(ETH_PERP, D(-1)), Position(BTC_PERP, D(-1)), margin=Margin(D(9_000), None))
    seen = snapshot(account(positions=held), instruments=[contract(), other], marks={ETH_PERP: 3_000, BTC_PERP: 60_000})
    assert (await odds_of(seen)).unknown == (
        "its positions settle in USDC and USDT, and what backs each is not told apart"
    )


async def test_what_was_not_read_is_passing() -> None:
    """An account that cannot be read is told as that; its odds keep their alarm and say nothing of their own."""
    seen = short(-10, 2_000)
    broken = replace(seen.accounts["main"], derivatives=Missing(Fault.UNREACHABLE, "fetch_positions", "timeout"))
    seen = await with_odds(replace(seen, accounts={"main": broken}), setup(), {"main": "critical"})
    assert seen.margin_odds["main"].passing
    assert not margin_findings(seen, setup())
    assert "margin_odds/main" in assess(seen, setup()).undetermined
    assert alarms_after(seen.margin_odds, {"main": "critical"}) == {"main": "critical"}


async def test_a_stale_price_is_no_price() -> None:
    """Odds by a price of ten minutes ago are nobody's odds now."""
    seen = short(-10, 6_000)
    old = {ETH_PERP: Read(seen.quotes[ETH_PERP].value, T0 - timedelta(minutes=10))}  # type: ignore[union-attr]
    assert (await odds_of(replace(seen, quotes=old))).passing


async def test_the_maintenance_asked_now_serves_where_tiers_are_not_told() -> None:
    """150 for a position of 30,000 is a rate of 0.5 %, and is said to be what is asked now."""
    told = await odds_of(short(-10, 6_000, instrument=perp(), maintenance_margin=D(150)))
    known = await odds_of(short(-10, 6_000))
    assert told.probability == pytest.approx(known.probability)
    assert "as asked now" in told.basis
    assert "as asked now" not in known.basis


async def test_the_venues_own_liquidation_price_counts_where_it_is_nearer() -> None:
    """An isolated position has less behind it than the account's equity; the venue knows how much."""
    isolated = await odds_of(short(-10, 600_000, liquidation_price=D("3582.0896")))
    assert isolated.equity == pytest.approx(D(6_000), abs=D("0.01"))
    assert isolated.breaches[0].ratio == pytest.approx(0.19403, abs=1e-5)
    farther = await odds_of(short(-10, 6_000, liquidation_price=D(9_000)))
    assert farther.equity == 6_000


async def test_two_shorts_breach_together_before_either_alone() -> None:
    """Both moves are told: each alone, and all together, which comes first."""
    held = derivatives(Position(ETH_PERP, D(-1)), Position(BTC_PERP, D("-0.05")), margin=Margin(D(1_500), None))
    seen = snapshot(
        account(positions=held), instruments=[contract(), contract(BTC_PERP)], marks={ETH_PERP: 3_000, BTC_PERP: 60_000}
    )
    odds = await odds_of(seen)
    assert odds.breach_common is not None
    assert 0 < odds.breach_common.ratio < min(move.ratio for move in odds.breaches)


def at(probability: float) -> dict[str, MarginOdds]:
    return {"main": MarginOdds("main", T0, timedelta(days=1), walk=probability)}


@pytest.mark.parametrize(
    ("probability", "before", "after"),
    [
        (0.0099, None, None),
        (0.01, None, "warning"),
        (0.0499, None, "warning"),
        (0.05, None, "critical"),
        (0.0071, "warning", "warning"),
        (0.0069, "warning", None),
        (0.0499, "warning", "warning"),
        (0.0351, "critical", "critical"),
        (0.0349, "critical", "warning"),
        (0.0071, "critical", "warning"),
        (0.0069, "critical", None),
    ],
)
def test_an_alarm_begins_and_ends_at_different_odds(probability: float, before: str | None, after: str | None) -> None:
    """It does not come and go with every price, at either severity."""
    found = with_alarms(at(probability), {"main": before} if before else {}, ALERT)
    assert found["main"].alarm == after
    assert alarms_after(found, {}) == ({"main": after} if after else {})


async def test_the_sentence() -> None:
    """Everything that one needs to act: what is left, the move, the odds, and both ways out with their amounts."""
    seen = await with_odds(short(-10, 3_000, maintenance_margin=D(150)), setup(ALERT))
    held = seen.accounts["main"].derivatives
    assert isinstance(held, Read)
    told = replace(held, value=replace(held.value, margin=Margin(D(3_000), D(150))))
    seen = replace(seen, accounts={"main": replace(seen.accounts["main"], derivatives=told)})
    (finding,) = margin_findings(seen, setup(ALERT))
    assert finding.severity is Severity.WARNING
    assert finding.text == (
        "main margin: 95% of equity left before liquidation, ETH +9.5% gets there; 3.1% within 1 d (at most 1.0% is "
        "wanted; estimated from a prior). Top up 584 USDT or buy back 1.718 contracts of ETH/USDT:USDT."
    )
    (row,) = state_object(assess(seen, setup(ALERT)), decide(assess(seen, setup()), seen, setup(), Book("c")), setup())[
        "margin"
    ]  # type: ignore[misc]
    assert row["top_up"] == "583.84"
    assert row["breach"] == {"instrument": ETH_PERP, "ratio": pytest.approx(0.09453, abs=1e-5)}
    assert row["liquidation_probability"] == pytest.approx(0.0308, abs=1e-3)


async def test_the_sentence_of_a_thin_margin() -> None:
    """How much is left, the move that takes it, and what brings it back below the warning; no move where none is known."""
    seen = await with_odds(short(-10, 3_000, maintenance_margin=D(150)), setup(ALERT))
    (row,) = margin_statuses(seen)
    thin = replace(row, margin_ratio=D("0.88"), equity=D(1_000), maintenance=D(880))
    (finding,) = findings_of_margin([thin], seen, setup(ALERT))
    assert finding.text == (
        "main margin: 12% of equity left before liquidation, ETH +9.5% gets there; maintenance margin is 88% of it, "
        "critical from 75%. Top up 761 USDT to get below the warning; buying back alone is not enough."
    )
    (unknown,) = findings_of_margin([replace(thin, odds=None, estimated=True)], seen, setup(ALERT))
    assert "left before liquidation (estimated); maintenance" in unknown.text


# the past that odds rest on


def bars(n: int, sigma: float = 0.01) -> list[Bar]:
    """Hours up to `T0`."""
    moves = np.random.default_rng(7).normal(0, sigma, n)
    closes = 3_000 * np.exp(np.cumsum(moves - moves.mean()))
    first = T0 - STEP * (n - 1)
    return [Bar(first + STEP * i, c, c * 1.004, c * 0.996) for i, c in enumerate(closes.tolist())]


def test_a_past_that_is_fed_bar_by_bar_is_the_one_that_is_measured_at_once() -> None:
    """The odds were measured on `innovations`: what the daemon feeds must be the same, to the digit."""
    rows = bars(24 * 60)
    past = PricePast(3600)
    for row in rows:
        past.add(int(row.at.timestamp()), row.close, row.high, row.low)
    close, high, low = (np.array([[getattr(row, name)] for row in rows]) for name in ("close", "high", "low"))
    whole, fed = innovations(close, high, low, 1 / 24), common_innovations([past])
    assert whole is not None
    assert fed is not None
    for name in ("close", "high", "low"):
        assert np.allclose(getattr(fed, name), getattr(whole, name), rtol=1e-12, atol=1e-12)
    assert (fed.bar_years, fed.forgetting) == (whole.bar_years, whole.forgetting)


def test_only_the_hours_that_all_have_are_common() -> None:
    """A gap in one price takes its hours out for all; a change over the gap is no bar."""
    rows = bars(24 * 40)
    whole, gappy = PricePast(3600), PricePast(3600)
    for number, row in enumerate(rows):
        epoch = int(row.at.timestamp())
        whole.add(epoch, row.close, row.high, row.low)
        if number not in range(100, 105):
            gappy.add(epoch, row.close, row.high, row.low)
    gappy.add(int(rows[3].at.timestamp()), 1.0, 1.0, 1.0)  # no news
    gappy.add(int(rows[-1].at.timestamp()) + 3600, math.nan, 1.0, 1.0)  # no price
    both = common_innovations([whole, gappy])
    assert both is not None
    assert both.close.shape == (len(rows) - 1 - 6, 2)


async def risk_with(rows: list[Bar], subject: str, rules: PortfolioPolicy | None = None) -> MarginRisk:
    store = MemoryStore()
    rules = rules or setup()
    await store.open("test", rules.world, T0)
    await store.put_bars(subject, rows)
    return MarginRisk(store, rules, seeded_generator, paths=2_000)


async def test_without_a_past_it_is_estimated_from_a_prior() -> None:
    """And says so; only the walk is asked."""
    odds = (await (await risk_with([], ETH_PERP)).odds(short(-10, 6_000)))["main"]
    assert odds.basis == "estimated from a prior"
    assert odds.bootstrap is None
    assert odds.walk is not None


async def test_a_short_past_is_walked_alone() -> None:
    """Less than a month of hours holds too few wild ones to draw from."""
    odds = (await (await risk_with(bars(24 * 10), ETH_PERP)).odds(short(-10, 6_000)))["main"]
    assert odds.basis == "from 10 days of prices (a walk alone)"
    assert odds.bootstrap is None


@pytest.mark.parametrize("subject", subjects_of(ETH_PERP, "USDT"))
async def test_with_a_past_both_models_are_asked(subject: str) -> None:
    """Of the contract itself, or of its coin."""
    odds = (await (await risk_with(bars(24 * 90), subject)).odds(short(-10, 3_000)))["main"]
    assert odds.basis == "from 90 days of prices"
    assert odds.bootstrap is not None
    assert odds.probability == max(odds.walk or 0, odds.bootstrap)


async def test_what_is_later_than_now_is_not_known() -> None:
    """A bar of the future, by whatever clock, is no past."""
    rows = bars(24 * 90)
    risk = await risk_with([*rows, Bar(T0 + STEP, 9e5, 9e5, 9e5)], ETH_PERP)
    clean = await risk_with(rows, ETH_PERP)
    assert (await risk.odds(short(-10, 3_000))) == (await clean.odds(short(-10, 3_000)))


async def test_the_dice_are_not_thrown_again_within_an_hour() -> None:
    """The same account an instant later has the same odds, and with a little less equity more."""
    risk = await risk_with(bars(24 * 90), ETH_PERP)
    first = (await risk.odds(short(-10, 3_000)))["main"]
    drawn = risk._drawn["main", "USDT", "", ""]
    assert (await risk.odds(short(-10, 3_000)))["main"] == first
    poorer = (await risk.odds(short(-10, 2_900)))["main"]
    assert (poorer.probability or 0) > (first.probability or 0)
    moved = (await risk.odds(short(-10, 3_000, mark=3_030)))["main"]
    assert risk._drawn["main", "USDT", "", ""] is drawn
    assert moved.equity_needed == pytest.approx((first.equity_needed or D(0)) * D("1.01"), rel=D("1e-4"))
    await risk.odds(short(-10, 3_000, mark=3_090))
    assert risk._drawn["main", "USDT", "", ""] is not drawn, "a price that has moved by 3 % is another position"
    drawn = risk._drawn["main", "USDT", "", ""]
    await risk.odds(short("-9.9", 3_000, mark=3_090))
    assert risk._drawn["main", "USDT", "", ""] is not drawn, "after a trade what it needs is drawn anew"


async def test_a_store_that_fails_leaves_the_odds_standing() -> None:
    """What is known serves; the cycle tells of the store."""
    store = BrokenStore()
    await store.open("test", setup().world, T0)
    store.broken = {"bars"}
    odds = (await MarginRisk(store, setup(), seeded_generator).odds(short(-10, 6_000)))["main"]
    assert odds.walk is not None


@pytest.mark.parametrize("equity", ["NaN", "Infinity", "1e400"])
async def test_figures_that_make_no_sense_are_unknown(equity: str) -> None:
    """They come from outside, and must not end a cycle."""
    assert (await odds_of(short(-10, D(equity)))).unknown.startswith("its figures make no sense")


async def test_an_account_without_positions_has_all_the_room() -> None:
    """Nothing can be liquidated, and what the hedge's contract would have to survive is known already."""
    odds = await odds_of(short(0, 6_000))
    assert odds.probability == 0
    assert (odds.room or 0) > 1e6
    assert odds.survives[ETH_PERP].rise == pytest.approx(0.113892, abs=1e-6)
