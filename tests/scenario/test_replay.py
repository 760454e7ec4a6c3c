"""A whole replay over a few bars, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedged.adapters.exchanges.price_table import FundingRates, History, PriceTable
from hedged.cycle import CycleReport
from hedged.errors import ConfigurationError, DataError
from hedged.model.effect import PART_NAMES
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill, Purpose
from hedged.model.policy import (
    HedgePolicy,
    Holding,
    LegPolicy,
    MarginPolicy,
    Mode,
    OnCritical,
    PaperPolicy,
    PortfolioPolicy,
    Target,
    World,
)
from hedged.replay.clock import ReplayClock
from hedged.replay.course import Recorder
from hedged.replay.past import PastBars
from hedged.replay.report import ReplayReport, report_rows
from hedged.replay.run import Window, check_frequency, paper_policy, replay
from hedged.replay.samples import held_assets
from hedged.tell.rules import AlertRules
from tests.support import ManualClock

START = datetime(2021, 1, 1, tzinfo=UTC)
HOUR = 3600
HOURLY = Window(frequency=timedelta(hours=1), frequency_text="1h")
FREE = PaperPolicy(cash=Decimal(1_000_000), fee_taker=Decimal(0), slippage_bps=Decimal(0), spread_bps=Decimal(0))
PERP = "main:ETH/USDT:USDT"


def table(step: int = HOUR, delay: int = 0, **columns: list[float | str]) -> PriceTable:
    """Rows from `START` on; an empty text is a missing bar."""
    cells = {name: np.array([str(value).encode() for value in row], dtype=np.bytes_) for name, row in columns.items()}
    times = int(START.timestamp()) + delay + step * np.arange(len(next(iter(cells.values()))), dtype=np.int64)
    return PriceTable("spot.csv", times, cells, step, delay)


def history(spot: PriceTable, perp: PriceTable | None = None, rates: dict[int, str] | None = None) -> History:
    """`rates`: hours after the start → ETH's funding rate."""
    funding = {}
    if rates is not None:
        times = int(START.timestamp()) + HOUR * np.array(list(rates), dtype=np.int64)
        funding["ETH"] = FundingRates(times, np.array([rate.encode() for rate in rates.values()], dtype=np.bytes_))
    return History(spot, perp, None, funding)


def portfolio(
    paper: PaperPolicy = FREE, band: str = "0.05", instruments: tuple[str, ...] = (PERP,), **coins: str
) -> PortfolioPolicy:
    hedge = HedgePolicy(
        name="alts",
        assets=tuple(coins),
        legs=tuple(LegPolicy(InstrumentId(name)) for name in instruments),
        target_ratio=Decimal(1),
        band=Decimal(band),
    )
    return PortfolioPolicy(
        name="study",
        mode=Mode.MONITOR,
        world=World.REAL,
        quote="USDT",
        every=timedelta(hours=1),
        hedges=(hedge,),
        holdings=tuple(
            Holding(coin, Decimal(quantity), datetime(2030, 1, 1, tzinfo=UTC), max_age=timedelta(days=1))
            for coin, quantity in coins.items()
        ),
        paper=paper,
    )


async def run(policy: PortfolioPolicy, past: History, window: Window = HOURLY) -> ReplayReport:
    return await replay(policy, past, window, rules=AlertRules(), stopwatch=ManualClock())


async def test_one_order_by_hand() -> None:
    """100 SOL at 10 are hedged to the lower edge, 950 worth of ETH at 100: 9.5 sold 0.02 % below the mark less fee."""
    paper = PaperPolicy(
        cash=Decimal(10_000), fee_taker=Decimal("0.0005"), slippage_bps=Decimal(1), spread_bps=Decimal(2)
    )
    sol, eth = [10, 10.7, 10.4, 10.9, 10.7], [100, 110, 105, 112, 107.5]  # never below the edge again
    report = await run(portfolio(paper, band="0.05", SOL="100"), history(table(SOL=sol, ETH=eth)))
    price = Decimal("99.980001")  # 100 × (1 − half the spread of 2 bp) × (1 − 1 bp)
    assert report.orders == 1
    assert report.turnover == Decimal("9.5") * price
    assert report.costs.fees == round(Decimal("9.5") * price * Decimal("0.0005"), 8)
    assert report.costs.slippage == Decimal("9.5") * (100 - price)
    assert (report.costs.funding, report.costs.roll, report.liquidations, report.bars) == (0, 0, 0, 5)

    # S = 1000, 1070, 1040, 1090, 1070; the short of 9.5 ETH loses 9.5 × ΔP, and pays its costs in the first hour.
    costs = float(report.costs.fees + report.costs.slippage)
    unhedged = [0.07, -30 / 1070, 50 / 1040, -20 / 1090]
    hedged = [(70 - 95 - costs) / 1000, (-30 + 47.5) / 1070, (50 - 66.5) / 1040, (-20 + 42.75) / 1090]
    assert report.effectiveness == pytest.approx(1 - np.var(hedged) / np.var(unhedged), rel=1e-9)
    proxy = [0.1, -5 / 110, 7 / 105, -4.5 / 112]
    naive = np.subtract(unhedged, proxy)
    assert report.naive_effectiveness == pytest.approx(1 - np.var(naive) / np.var(unhedged), rel=1e-9)
    correlation = np.corrcoef(unhedged, proxy)[0, 1]
    assert report.hindsight_effectiveness == pytest.approx(correlation**2, rel=1e-9)  # at the optimum HE = R²


async def test_worst_drift_is_what_was_found_before_trading_once_the_hedge_was_there() -> None:
    """On the edge at .95, then the coins rise by a quarter: .95/1.25 − 1 = −.24, which is traded back to the edge."""
    report = await run(portfolio(SOL="100"), history(table(SOL=[10, 10, 12.5, 12.5], ETH=[100] * 4)))
    assert report.max_drift == Decimal("0.24")
    assert report.orders == 2


async def test_a_hedge_of_the_same_thing_takes_all_the_variance_away() -> None:
    """The perpetual is the basket: effectiveness 1 but for a lot, in hindsight exactly 1."""
    walk = np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.02, 60)))
    sol, ada = [round(float(10 * p), 6) for p in walk], [round(float(p**0.5), 6) for p in walk]
    basket = [round(100 * s + 1000 * a, 6) for s, a in zip(sol, ada, strict=True)]
    report = await run(
        portfolio(band="0.00001", SOL="100", ADA="1000"), history(table(SOL=sol, ADA=ada), table(ETH=basket))
    )
    assert report.effectiveness == pytest.approx(1, abs=1e-4)
    assert report.hindsight_effectiveness == pytest.approx(1, abs=1e-12)
    assert report.naive_effectiveness == pytest.approx(1, abs=1e-12)


async def test_a_short_receives_funding_above_zero_and_pays_below() -> None:
    """5 ETH short: at 16:00 and 24:00, 5 × mark × rate each; what settles at the very hour of the fill is not its own."""
    eth = [100] * 16 + [110] * 8 + [120] * 8
    past = history(table(SOL=[10] * 32, ETH=eth), rates={0: "0.01", 16: "0.0001", 24: "-0.0003"})
    report = await run(portfolio(band="0.5", SOL="100"), past)
    contracts = Decimal(5)  # half of 1000, the lower edge, at 100
    assert report.costs.funding == -contracts * (110 * Decimal("0.0001") - 120 * Decimal("0.0003"))


async def test_a_missing_price_makes_no_order_and_no_return() -> None:
    """The third hour would call for an order; without SOL's price there is none, and no return from or to it."""
    sol: list[float | str] = [10, 10.4, "", 10.4, 10.1, 10.5, 10]
    eth: list[float | str] = [100, 105, 170, 106, 103, 106, 101]
    gap = await run(portfolio(band="0.2", SOL="100"), history(table(SOL=sol, ETH=eth)))
    assert gap.orders == 1
    unhedged = [0.04, -0.3 / 10.4, 0.4 / 10.1, -0.5 / 10.5]
    short = [8 * 5 / 1000, 8 * -3 / 1040, 8 * 3 / 1010, 8 * -5 / 1050]
    hedged = np.subtract(unhedged, short)
    assert gap.effectiveness == pytest.approx(1 - np.var(hedged) / np.var(unhedged), rel=1e-9)
    assert "Prices of SOL missing in spot.csv: 1 of 7 bars." in gap.notes
    sol[2] = 10.4
    assert (await run(portfolio(band="0.2", SOL="100"), history(table(SOL=sol, ETH=eth)))).orders > 1


async def test_a_row_that_is_not_there_is_no_bar_and_no_return() -> None:
    """Rows are what is replayed; across the hole no return is taken, and the report says so."""
    whole = table(SOL=[10, 10.4, 9, 10.4, 10.1, 10.5], ETH=[100, 105, 170, 106, 103, 106])
    kept = np.array([True, True, False, True, True, True])
    holed = replace(whole, times=whole.times[kept], columns={n: c[kept] for n, c in whole.columns.items()})
    report = await run(portfolio(band="0.2", SOL="100"), history(holed))
    unhedged = [0.04, -0.3 / 10.4, 0.4 / 10.1]
    hedged = np.subtract(unhedged, [8 * 5 / 1000, 8 * -3 / 1040, 8 * 3 / 1010])
    assert (report.bars, report.orders) == (5, 1)
    assert report.effectiveness == pytest.approx(1 - np.var(hedged) / np.var(unhedged), rel=1e-9)
    assert "Bars missing in spot.csv: 1, at most 1:00:00 on end. No cycle ran there." in report.notes


async def test_too_little_cash_ends_in_a_liquidation() -> None:
    """5 ETH short on 125: at 124.5 the loss leaves less than the maintenance. It is closed, and the replay goes on."""
    paper = replace(FREE, cash=Decimal(125))
    eth = [100, 124, 124, 124]
    assert (await run(portfolio(paper, band="0.5", SOL="100"), history(table(SOL=[10] * 4, ETH=eth)))).liquidations == 0
    eth[2] = 124.5
    report = await run(portfolio(paper, band="0.5", SOL="100"), history(table(SOL=[10] * 4, ETH=eth)))
    assert report.liquidations == 1
    assert report.costs.fees > 0  # the liquidation's own
    assert any(note.startswith("Orders refused: 2") and "free_margin_min" in note for note in report.notes)


async def test_dated_contracts_are_rolled_before_they_end() -> None:
    """A named quarterly is rolled into the next by daily slices of 5 %, the rest on the last bar before its end."""
    names = ("main:ETH/USDT:USDT-210326",)
    days = 100
    past = history(table(step=86_400, SOL=[10] * days, ETH=[100] * days))
    paper = replace(FREE, fee_taker=Decimal("0.001"))
    report = await run(portfolio(paper, instruments=names, SOL="100"), past, Window(frequency=timedelta(days=1)))
    assert report.costs.fees == Decimal("0.95")  # the opening
    assert report.costs.roll == Decimal("1.9")  # 950 bought back and sold, at 0.1 %
    assert report.turnover == 3 * 950
    assert report.max_drift is not None
    assert report.max_drift <= Decimal("0.05")
    assert any(note.startswith("No --dated: quarterly contracts on ETH") for note in report.notes)


@pytest.mark.parametrize("chain", ["ETH/USDT:USDT", "ETH/USD:ETH"], ids=["in dollars", "in coins"])
async def test_a_year_of_hours_rolls_four_times_and_settles_nothing(chain: str) -> None:
    """Prices wander by the hour; the hedge on quarterlies is inside its band at every roll and never delivered."""
    hours = 365 * 24
    walk = np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.006, (2, hours)), axis=1))
    past = history(table(SOL=list(10 * walk[0]), ETH=list(100 * (0.7 * walk[0] + 0.3 * walk[1]))))
    held = {"SOL": "100"} if chain.endswith("USDT") else {"ETH": "4"}
    coins = {} if chain.endswith("USDT") else {"ETH": Decimal(12)}
    policy = portfolio(replace(FREE, coins=coins), instruments=(f"main:{chain}-210326",), **held)
    seen: list[CycleReport] = []
    report = await replay(
        policy,
        past,
        replace(HOURLY, frequency=timedelta(days=1)),
        rules=AlertRules(),
        stopwatch=ManualClock(),
        each=seen.append,
    )
    rolled = [cycle for cycle in seen if any(each.intent.purpose is Purpose.ROLL for each in cycle.decision.intents)]
    left = {near for cycle in rolled for near in _ending(cycle)}
    assert left == {f"main:{chain}-{date}" for date in ("210326", "210625", "210924", "211231")}
    for cycle in rolled:
        group = cycle.assessment.groups[0]
        assert abs(group.drift or 0) <= group.band
        assert len(cycle.outcomes) == len(cycle.decision.intents)
        assert all(isinstance(outcome, Fill) for outcome in cycle.outcomes)
    settled = [doubt for cycle in seen for doubt in cycle.snapshot.explained]
    assert settled == []
    assert report.costs.roll == 0  # nothing costs anything here


def _ending(cycle: CycleReport) -> list[str]:
    return [leg.instrument for leg in cycle.assessment.groups[0].legs if leg.ending and leg.contracts]


@pytest.mark.parametrize(
    ("delay", "start", "end", "bars"),
    [
        (0, None, None, 10),
        (0, 2, 5, 3),
        (HOUR, 2, 5, 3),  # stamps, not the hour later at which they are known
        (HOUR, 8, None, 2),
        (HOUR, None, 1, 1),
    ],
)
async def test_the_window_holds_the_rows_stamped_from_start_up_to_end(
    delay: int, start: int | None, end: int | None, bars: int
) -> None:
    """--start is the first row's stamp, --end is not replayed any more."""
    window = replace(
        HOURLY,
        start=None if start is None else START + timedelta(hours=start),
        end=None if end is None else START + timedelta(hours=end),
    )
    report = await run(portfolio(SOL="1"), history(table(delay=delay, SOL=[10] * 10, ETH=[100] * 10)), window)
    assert report.bars == bars
    assert report.first == START + timedelta(hours=start or 0, seconds=delay)


async def test_what_cannot_be_replayed_says_why() -> None:
    """No row in the window, no price of a holding, nothing held, an odd frequency: a sentence each."""
    past = history(table(SOL=[10] * 3, ETH=[100] * 3))
    late = replace(HOURLY, start=START + timedelta(days=9))
    with pytest.raises(DataError, match=r"spot.csv: no row between start and end; .* 2021-01-01T00:00:00Z to .*T02"):
        await run(portfolio(SOL="1"), past, late)
    with pytest.raises(DataError, match=r"spot.csv: no prices of DOGE, which \[\[holdings\]\] has"):
        await run(portfolio(DOGE="1"), past)
    with pytest.raises(ConfigurationError, match=r"study: nothing to replay: it takes \[\[holdings\]\]"):
        await run(portfolio(), past)
    with pytest.raises(ConfigurationError, match="study: nothing to replay"):
        await run(portfolio(USDT="1"), past)
    with pytest.raises(ValueError, match="must be a multiple of the step of spot.csv, 1:00:00"):
        check_frequency(timedelta(minutes=90), past)


def decomposed(report: ReplayReport) -> bool:
    """Whether the parts are the equity's change to the cent, and the costs those that the accounts have booked."""
    found, costs = report.decomposition, report.costs
    assert found.unaccounted is not None
    assert found.unknown_seconds == 0
    assert abs(found.parts.funding + costs.funding) < CENT
    assert abs(found.parts.roll + costs.roll) < CENT
    assert abs(found.parts.fees + costs.fees) < CENT
    assert abs(found.parts.slippage + costs.slippage) < CENT
    assert found.lost_while_rising - found.gained_while_falling == -found.hedge
    return abs(found.unaccounted) < CENT


COSTLY = replace(FREE, fee_taker=Decimal("0.0005"), slippage_bps=Decimal(2), spread_bps=Decimal(2))
CENT = Decimal("0.005")


IN_COINS = "main:ETH/USD:ETH"
IN_COINS_DATED = "main:ETH/USD:ETH-210326"


@pytest.mark.parametrize(
    "instruments",
    [
        (PERP,),
        ("main:ETH/USDT:USDT-210326",),
        (PERP, "main:ETH/USDT:USDT-210326"),
        (IN_COINS,),
        (IN_COINS_DATED,),
        (PERP, IN_COINS_DATED),
    ],
    ids=["perpetual", "dated", "both", "in coins", "dated in coins", "dollars and coins"],
)
@pytest.mark.parametrize("target", [Target.VALUE, Target.MINIMUM_VARIANCE])
async def test_the_parts_of_the_pnl_are_the_change_of_the_equity(instruments: tuple[str, ...], target: Target) -> None:
    """120 days of four-hourly bars with fees, funding, basis and rolls: nothing is lost, nothing told twice."""
    bars, rng = 120 * 6, np.random.default_rng(11)
    walk = np.exp(np.cumsum(rng.normal(0, 0.012, (2, bars)), axis=1))
    eth = 100 * (0.7 * walk[0] + 0.3 * walk[1])
    spot = table(step=4 * HOUR, SOL=list(10 * walk[0]), ETH=list(eth), BTC=list(100 * walk[1]))
    perp = table(step=4 * HOUR, ETH=list(eth * np.exp(rng.normal(0, 0.001, bars))))
    past = history(spot, perp, {hours: f"{rng.normal(0.0001, 0.0003):.6f}" for hours in range(0, 4 * bars, 8)})
    in_coins = any(name in instruments for name in (IN_COINS, IN_COINS_DATED))
    paper = replace(COSTLY, coins={"ETH": Decimal(5)}) if in_coins else COSTLY
    policy = portfolio(paper, instruments=instruments, SOL="100")
    policy = replace(policy, hedges=(replace(policy.hedges[0], target=target),))
    report = await run(policy, past, Window(frequency=timedelta(days=1)))
    assert report.orders > 10
    assert decomposed(report)
    if PERP not in instruments and instruments != (IN_COINS,):
        assert report.decomposition.parts.roll < 0
        assert report.decomposition.parts.basis_run_off != 0


async def test_a_short_in_coins_is_worth_what_the_same_in_dollars_is() -> None:
    """4 ETH beside 6 in the wallet, 50 contracts of 10 dollars sold at 100: half of what the coins make is left."""
    eth = [100, 80, 125, 50, 200]
    coins = replace(FREE, coins={"ETH": Decimal(6)})
    report = await run(portfolio(coins, band="0.5", instruments=(IN_COINS,), ETH="4"), history(table(ETH=eth)))
    assert report.orders == 1
    assert report.effectiveness == pytest.approx(0.75), "half of the moves, a quarter of the variance"
    assert report.turnover == 500, "half of 1,000, the edge of the band, in whole contracts"
    assert report.decomposition.exposure == 10 * 100
    assert report.decomposition.hedge == -5 * 100
    assert decomposed(report)
    note = "Contracts margined in ETH have a face value of 10 USD and are traded whole; they are priced by the files: a"
    assert f"{note} USD counts as a USDT." in report.notes


@pytest.mark.parametrize("dated", [False, True])
async def test_collateral_counted_a_hedge_in_coins_does_what_one_in_dollars_does(dated: bool) -> None:
    """Half a year of the same prices and costs over the same 10 ETH, 4 of them the collateral: within 3 bp.

    Before costs, as a roll in coins costs a share of the face, and one in dollars a share of what the coins are worth.
    """
    bars, rng = 180 * 6, np.random.default_rng(5)
    eth = 1000 * np.exp(np.cumsum(rng.normal(0, 0.012, bars)))
    perp = table(step=4 * HOUR, ETH=list(eth * np.exp(rng.normal(0, 0.0005, bars))))
    past = history(table(step=4 * HOUR, ETH=list(eth)), perp)
    days = Window(frequency=timedelta(days=1))
    suffix = "-210326" if dated else ""
    linear = await run(portfolio(COSTLY, "0.005", (PERP + suffix,), ETH="10"), past, days)
    wallet = replace(COSTLY, coins={"ETH": Decimal(4)})
    inverse = await run(portfolio(wallet, "0.005", (IN_COINS + suffix,), ETH="6"), past, days)
    assert (linear.effectiveness or 0) > 0.98
    assert inverse.effectiveness == pytest.approx(linear.effectiveness, abs=0.001)
    before_costs = [each.decomposition.parts.total + each.costs.total for each in (linear, inverse)]
    assert abs(before_costs[0] - before_costs[1]) < 10_000 * Decimal("0.0003")
    assert decomposed(inverse)
    assert decomposed(linear)
    assert float(inverse.costs.total) == pytest.approx(float(linear.costs.total), rel=0.2)


async def test_funding_of_a_short_in_coins_is_paid_on_its_face() -> None:
    """40 contracts of 10 dollars at 0.1 %: 0.4 dollars whatever the price, in coins that are exposure from then on.

    0.004 of them at 100, so that a contract is lacking; 0.41 dollars are 0.005125 at 80; at last 0.82 are paid.
    """
    coins = replace(FREE, coins={"ETH": Decimal(6)})
    past = history(table(step=8 * HOUR, ETH=[100, 100, 80, 125]), rates={8: "0.001", 16: "0.001", 24: "-0.002"})
    report = await run(
        portfolio(coins, band="0.6", instruments=(IN_COINS,), ETH="4"),
        past,
        replace(HOURLY, frequency=timedelta(hours=8)),
    )
    assert report.turnover == 400 + 10
    assert report.costs.funding == Decimal("-0.4") - Decimal("0.41") + Decimal("0.82")
    assert report.decomposition.exposure == Decimal("10.004") * -20 + Decimal("10.009125") * 45
    assert decomposed(report)


async def test_what_is_drawn_has_the_coins_of_the_wallet_once() -> None:
    """4 ETH beside 6 in the wallet, half of them short since 100: 10·p without the hedge, 10·p − 5·(p − 100) with it."""
    recorder, eth = Recorder(), [100.0, 80.0, 125.0, 50.0, 200.0]
    coins = replace(FREE, coins={"ETH": Decimal(6)})
    policy = portfolio(coins, band="0.5", instruments=(IN_COINS,), ETH="4")
    await replay(policy, history(table(ETH=eth)), HOURLY, rules=AlertRules(), stopwatch=ManualClock(), watch=recorder)
    lines = recorder.course().lines
    assert lines["unhedged"].values.tolist() == pytest.approx([10 * price for price in eth])
    assert lines["hedged"].values.tolist() == pytest.approx([10 * price - 5 * (price - 100) for price in eth])


async def test_coins_without_a_price_are_bridged_and_not_worth_nothing() -> None:
    """Over the third bar nothing is known, no return and no order; the whole is that of its two ends, to the cent.

    600 dollars sold at 100 cost 0.003 ETH in fees, which are no exposure any more.
    """
    coins = replace(COSTLY, coins={"ETH": Decimal(6)})
    eth: list[float | str] = [100, 80, "", 125, 50]
    report = await run(portfolio(coins, band="0.4", instruments=(IN_COINS,), ETH="4"), history(table(ETH=eth)))
    assert decomposed(report)
    assert float(report.decomposition.exposure) == pytest.approx((10 - 0.003) * (50 - 100), abs=0.001)
    assert "Prices of ETH missing in spot.csv: 1 of 5 bars." in report.notes


async def test_coins_of_the_wallet_alone_can_be_replayed() -> None:
    """They are holdings: nothing else has to be listed. Those of two accounts are twice as many."""
    coins = replace(FREE, coins={"ETH": Decimal(6)})
    alone = replace(portfolio(coins, band="0.01", instruments=(IN_COINS,), ETH="1"), holdings=())
    report = await run(alone, history(table(ETH=[100, 80, 125])))
    assert report.decomposition.exposure == 6 * 25
    assert decomposed(report)
    both = replace(portfolio(coins, instruments=(IN_COINS, "other:ETH/USD:ETH"), ETH="1"), holdings=())
    assert held_assets(both) == {"ETH": 12.0}
    assert decomposed(await run(both, history(table(ETH=[100, 80, 125]))))


async def test_a_short_in_coins_is_liquidated_by_its_coins_alone() -> None:
    """N = 500 at 100 over 1.5 coins: gone at N·(1 − MMR)/(N/P0 − C) = 142.14, though the cash could have borne it."""
    coins = replace(FREE, coins={"ETH": Decimal("1.5")})
    limit = 500 * 0.995 / (5 - 1.5)
    eth = [100.0, limit - 1, limit - 1]
    policy = portfolio(coins, band="0.5", instruments=(IN_COINS,), ETH="8.5")
    assert (await run(policy, history(table(ETH=eth)))).liquidations == 0
    eth[1] = limit + 0.2
    report = await run(policy, history(table(ETH=eth)))
    assert report.liquidations == 1
    assert report.decomposition.unaccounted is not None
    assert report.costs.fees > 1
    assert abs(report.decomposition.unaccounted + report.costs.fees) < CENT


async def test_contracts_in_coins_need_coins() -> None:
    """Said before the first bar, with the way out, and not by a refusal at every bar."""
    with pytest.raises(ConfigurationError, match=r"main:ETH/USD:ETH is margined in ETH, .* coins = { ETH = 1 }"):
        await run(portfolio(instruments=(IN_COINS,), ETH="6"), history(table(ETH=[100] * 3)))
    policy = portfolio(replace(FREE, coins={"DOGE": Decimal(1)}), ETH="6")
    with pytest.raises(DataError, match=r"spot.csv: no prices of DOGE, which \[paper\] coins has"):
        await run(policy, history(table(ETH=[100] * 3)))


async def test_the_report_says_where_the_pnl_came_from() -> None:
    """JSON and table have every part, and what the hedge cost in the rally by itself."""
    report = await run(portfolio(SOL="100"), history(table(SOL=[10, 12], ETH=[100, 110])))
    shown = report.as_json()
    assert shown["opportunity_cost"] == "95"  # 9.5 ETH short lost 10 each
    found = shown["decomposition"]
    assert (found["exposure"], found["hedge"], found["total"]) == ("200", "-95", "105")
    assert set(found["parts"]) == set(PART_NAMES)
    assert sum(Decimal(part) for part in found["parts"].values()) == Decimal(found["total"])
    rows = report_rows(report)
    assert rows["opportunity: hedge on rising days"] == "-95.00"
    assert len(rows) == len(set(rows)) >= 30


async def test_a_missing_price_is_bridged_and_a_liquidation_is_not_hidden() -> None:
    """Across a hole the PnL is that of its two ends; the fee of a liquidation is what the parts do not account for."""
    sol: list[float | str] = [10, 10.4, "", 10.4, 10.1, 10.5, 10]
    assert decomposed(
        await run(portfolio(COSTLY, SOL="100"), history(table(SOL=sol, ETH=[100, 105, 170, 106, 103, 106, 101])))
    )
    paper = replace(FREE, cash=Decimal(125))
    past = history(table(SOL=[10] * 4, ETH=[100, 124, 124.5, 124]))
    report = await run(portfolio(paper, band="0.5", SOL="100"), past)
    assert report.liquidations == 1
    assert report.decomposition.unaccounted == -report.costs.fees
    assert report.decomposition.parts.unexplained == Decimal("-2.5")  # 5 × 0.5, gone by no order of ours
    assert "not accounted for" in report_rows(report)


async def test_what_nobody_reads_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state that `once` prints and MQTT retains is a tenth of a cycle, and a replay looks at none."""

    def refuse(*_: object) -> None:
        raise AssertionError("nobody asked for it")

    monkeypatch.setattr("hedged.cycle.state_object", refuse)
    report = await run(portfolio(SOL="100"), history(table(SOL=[10, 12, 9], ETH=[100] * 3)))
    assert report.orders == 3


PRICE = st.floats(0.5, 2).map(lambda factor: round(factor, 3))
SERIES = st.lists(st.tuples(PRICE, PRICE), min_size=12, max_size=24)


def _without_seconds(report: ReplayReport) -> ReplayReport:
    return replace(report, seconds=0.0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(series=SERIES, other=SERIES, cut=st.integers(4, 11))
async def test_nothing_that_comes_later_changes_what_came_before(
    series: list[tuple[float, float]], other: list[tuple[float, float]], cut: int
) -> None:
    """Other prices and rates from a moment on leave every figure of the replay up to it as it was, and so does a rerun."""
    policy = portfolio(band="0.02", SOL="100", DOGE="5")
    window = replace(HOURLY, end=START + timedelta(hours=cut))

    def past(tail: list[tuple[float, float]]) -> History:
        rows = series[:cut] + tail
        columns = {name: [row[i] for row in rows] for i, name in enumerate(("SOL", "ETH"))}
        rates = {hour: f"{row[0] / 1000:.6f}" for hour, row in enumerate(rows)}
        return history(table(DOGE=[1] * len(rows), **columns), rates=rates)

    first = _without_seconds(await run(policy, past(series[cut:]), window))
    assert _without_seconds(await run(policy, past(other), window)) == first
    assert _without_seconds(await run(policy, past(series[cut:]), window)) == first


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(series=SERIES, ratio=st.sampled_from(["0.4", "1", "1.3"]), dated=st.booleans())
async def test_over_any_prices_the_parts_in_coins_are_the_whole(
    series: list[tuple[float, float]], ratio: str, dated: bool
) -> None:
    """Leaps and falls by half, a mark beside the coin's price, funding and costs: nothing is lost, nothing told twice."""
    coins = replace(COSTLY, coins={"ETH": Decimal(30)})
    instrument = IN_COINS_DATED if dated else IN_COINS
    policy = portfolio(coins, band="0.02", instruments=(instrument,), ETH="1")
    policy = replace(policy, hedges=(replace(policy.hedges[0], target_ratio=Decimal(ratio)),))
    spot = table(ETH=[round(100 * row[0], 2) for row in series])
    perp = table(ETH=[round(100 * row[0] * (0.95 + row[1] / 20), 2) for row in series])
    rates = {hour: f"{(row[1] - 1) / 1000:.6f}" for hour, row in enumerate(series)}
    report = await run(policy, history(spot, perp, rates))
    if report.liquidations:
        assert report.decomposition.unaccounted is not None
    else:
        assert decomposed(report)


def test_any_portfolio_is_replayed_on_paper_with_holdings_held_from_the_start() -> None:
    """Mode and world of the file play no part, and coins listed in 2030 are neither late nor stale in 2021."""
    policy = paper_policy(portfolio(SOL="100"), START, timedelta(days=1))
    assert (policy.mode, policy.world, policy.hedges[0].mode) == (Mode.PAPER, World.PAPER, Mode.PAPER)
    assert policy.holdings == (Holding("SOL", Decimal(100), START),)


SQUEEZED = [3000.0] + [3000 * 1.006**i for i in range(1, 60)] + [3000 * 1.006**59 * 0.99**i for i in range(1, 40)]


@pytest.mark.parametrize(
    ("on_critical", "liquidations"), [(OnCritical.ALERT, 1), (OnCritical.REDUCE, 0)], ids=["alert", "reduce"]
)
async def test_a_replay_buys_back_for_margin_where_it_may(on_critical: OnCritical, liquidations: int) -> None:
    """3 ETH over 1,900 in a rally of 42 %: liquidated, or bought back in parts, and the report says how often."""
    policy = replace(
        portfolio(paper=replace(FREE, cash=Decimal(1_900)), ETH="3"), margin=MarginPolicy(on_critical=on_critical)
    )
    report = await run(policy, history(table(ETH=[round(price, 4) for price in SQUEEZED])))
    assert report.liquidations == liquidations
    assert (report.margin_reductions > 0) is (on_critical is OnCritical.REDUCE)
    assert report.margin_reductions <= 12
    assert report.as_json()["margin_reductions"] == report.margin_reductions
    assert report_rows(report)["bought back for margin"] == f"{report.margin_reductions}"


@pytest.mark.parametrize(
    ("on_critical", "liquidations"), [(OnCritical.ALERT, 1), (OnCritical.REDUCE, 0)], ids=["alert", "reduce"]
)
async def test_a_short_in_coins_is_bought_back_for_margin_too(on_critical: OnCritical, liquidations: int) -> None:
    """2.85 of 3 ETH short over 0.6 of them, in the same rally: gone at 3,781, or bought back in parts; it adds up."""
    paper = replace(FREE, coins={"ETH": Decimal("0.6")})
    policy = replace(portfolio(paper, instruments=(IN_COINS,), ETH="2.4"), margin=MarginPolicy(on_critical=on_critical))
    report = await run(policy, history(table(ETH=[round(price, 4) for price in SQUEEZED])))
    assert report.liquidations == liquidations
    assert (report.margin_reductions > 0) is (on_critical is OnCritical.REDUCE)
    assert report.decomposition.unaccounted is not None
    assert abs(report.decomposition.unaccounted + report.costs.fees) < CENT, "nothing but the fee of a liquidation"


async def test_the_past_of_a_replay_ends_now() -> None:
    """Odds rest on the prices of the files up to the clock's time, from before the window too, and on no later one."""
    clock = ReplayClock(START + timedelta(hours=3))
    past = PastBars(table(ETH=[1.0, 2.0, "", 4.0, 5.0], BTC=[1.0] * 5), "USDT", clock)
    rows = await past.bars("ETH/USDT", START - timedelta(days=400))
    assert [(row.at, row.close, row.high, row.low) for row in rows] == [
        (START + timedelta(hours=hours), close, close, close) for hours, close in ((0, 1.0), (1, 2.0), (3, 4.0))
    ]
    assert [row.close for row in await past.bars("ETH/USDT", rows[1].at)] == [4.0]
    for unknown in (PERP, "SOL/USDT", "ETH/USDC"):
        assert not await past.bars(unknown, START)
