"""One portfolio in every venue's dialect is one assessment, to the last digit.

The figures are worked out by hand here, once, from what `tests/venues/same.py` holds; no venue is compared with
another. What differs between venues for a reason stands in one table, `MARGIN`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal

import pytest

from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.model.policy import LegPolicy, Mode
from hedged.tell.rules import AlertRules
from tests.build import hedge, policy
from tests.support import CountingIds
from tests.venues.benches import ACCOUNTS, LEGS
from tests.venues.same import PLAIN, WITH_DATED, WITH_DEBT, SamePortfolio

D = Decimal


@dataclass(frozen=True)
class Worked:
    """By hand. `hedge_value` = contracts in coins × mark; B = the exposures' sum; drift = hedge_value / B − 1."""

    exposures: dict[str, tuple[Decimal, Decimal]]  # asset → coins, value
    hedge_value: Decimal
    beta_exposure: Decimal
    equity: Decimal  # cash + gain of the contracts
    maintenance: Decimal  # 0.5 % of what they are worth
    collateral: Decimal  # of the perpetual: equity − the maintenance of the dated contract


ETH = (D("12.5"), D(37_500))  # at 3,000
WORKED = {
    # 10.5 × 3,001 = 31,510.5; gain 10.5 × (3,100 − 3,001) = 1,039.5; 31,510.5 × 0.005 = 157.5525
    PLAIN: Worked({"ETH": ETH}, D("31510.5"), D(37_500), D("9039.5"), D("157.5525"), D("9039.5")),
    # 30.25 SOL owed at 150 are −4,537.5
    WITH_DEBT: Worked(
        {"ETH": ETH, "SOL": (D("-30.25"), D("-4537.5"))},
        D("31510.5"),
        D("32962.5"),
        D("9039.5"),
        D("157.5525"),
        D("9039.5"),
    ),
    # and 1.5 × 3,030 = 4,545; gain 1.5 × (3,050 − 3,030) = 30; 4,545 × 0.005 = 22.725
    WITH_DATED: Worked({"ETH": ETH}, D("36055.5"), D(37_500), D("9069.5"), D("180.2775"), D("9046.775")),
}
NAMES = {PLAIN: "plain", WITH_DEBT: "with debt", WITH_DATED: "with a dated leg"}


@dataclass(frozen=True)
class Shown:
    """What a venue shows of an account's margin, and what follows for us."""

    ratio: bool = True  # False: unknown
    estimated: bool = False  # the maintenance is ours, from tiers
    tells_liquidation: bool = True  # as a price; in the local venues twice the mark
    formula: bool = False  # a liquidation price that the venue leaves out is computed
    debt_in_equity: Decimal = Decimal()  # what the debt above takes off the equity that backs the contracts
    dated_apart: bool = False  # dated contracts are backed by an account of their own, and that one is not the tighter
    why: str = ""

    def distance(self, portfolio: SamePortfolio, *, told: bool) -> Decimal | None:
        """The perpetual's, which is the nearer: collateral + 10.5 × (3,001 − P) = 0.005 × 10.5 × P, to twelve digits."""
        if told:
            return D(1)
        if not self.formula:
            return None
        backing = PLAIN if portfolio.dated and self.dated_apart else portfolio
        collateral = WORKED[backing].collateral - (self.debt_in_equity if portfolio.sol_owed else 0)
        return Context(prec=12).divide(collateral + D("31510.5"), D("10.5") * D("1.005")) / 3001 - 1


MARGIN = {
    "binance": Shown(why="tells maintenance; where it tells no liquidation price there is none"),
    "bingx": Shown(estimated=True, formula=True, why="tells tiers, no maintenance"),
    "bitget": Shown(why="tells its rate of each position; where it tells no liquidation price there is none"),
    "bitget uta": Shown(
        debt_in_equity=D("4537.5"), why="one account for all; where it tells no liquidation price there is none"
    ),
    "bybit": Shown(
        debt_in_equity=D(4500), why="one account for all, its own prices; interest counts once it is charged"
    ),
    "coinbase": Shown(tells_liquidation=False, why="tells the account's maintenance; no tiers to compute a price from"),
    "gate": Shown(dated_apart=True, why="tells maintenance; perpetual and dated contracts are liquidated apart"),
    "krakenfutures": Shown(formula=True, tells_liquidation=False, why="tells a wallet's maintenance, and tiers"),
    "deribit": Shown(why="tells a currency's maintenance, and liquidation prices where there are any"),
    "hyperliquid": Shown(why="tells a dex's maintenance; where it tells no liquidation price there is none"),
    "kucoin": Shown(
        tells_liquidation=False, why="tells each position's maintenance; no liquidation price of a cross one"
    ),
    "mexc": Shown(estimated=True, formula=True, why="tells tiers, no maintenance"),
    "okx": Shown(debt_in_equity=D("4537.5"), why="one account for all: only its own liquidation prices are right"),
    "weex": Shown(ratio=False, why="tells neither maintenance nor tiers; [[tiers]] would make it known"),
}


def held_by(venue: str) -> list[SamePortfolio]:
    """Of the three portfolios those that the venue can hold."""
    bench = ACCOUNTS[venue]
    return [PLAIN, *([WITH_DEBT] if bench.DEBT else []), *([WITH_DATED] if bench.DATED else [])]


CASES = [pytest.param(venue, each, id=f"{venue} {NAMES[each]}") for venue in LEGS for each in held_by(venue)]


async def cycle(venue: str, portfolio: SamePortfolio, *, tells_liquidation: bool = True) -> CycleReport:
    """One cycle over the venue's local server, hedging whatever it holds with its ETH contracts, in monitor mode."""
    module = ACCOUNTS[venue]
    legs = [LegPolicy(LEGS[venue])]
    if portfolio.dated and module.DATED:
        legs.append(LegPolicy(module.DATED))
    setup = policy(hedge("ETH", "SOL", name="all", legs=legs, mode=Mode.MONITOR), mode=Mode.MONITOR)
    setup = replace(setup, quote=module.QUOTE)
    async with module.same(portfolio) as it:
        it.truth.tells_liquidation = tells_liquidation
        store = MemoryStore()
        await store.open(setup.name, setup.world, it.clock.now())
        wired = Portfolio(
            policy=setup,
            markets={"main": it.market},
            accounts={"main": it.reader},
            gateways={},
            store=store,
            channels=(),
            rules=AlertRules(),
            clock=it.clock,
            ids=CountingIds(),
        )
        return await run_cycle(wired, it.clock.now())


def test_every_venue_has_its_line() -> None:
    """Whoever adds a venue with contracts says what it shows of the margin, and why."""
    assert set(MARGIN) == set(LEGS)
    assert all(shown.why for shown in MARGIN.values())


@pytest.mark.parametrize(("venue", "portfolio"), CASES)
async def test_the_same_portfolio_is_the_same_assessment(venue: str, portfolio: SamePortfolio) -> None:
    """Exposures, hedge value, ratio, drift and margin are those worked out by hand, whoever presents them."""
    report = await cycle(venue, portfolio)
    right, shown = WORKED[portfolio], MARGIN[venue]
    found = {row.asset: (row.quantity, row.value) for row in report.assessment.exposures if row.hedge == "all"}
    assert found == right.exposures
    (state,) = report.assessment.hedges
    assert state.blocked_by == ()
    assert (state.exposure_value, state.beta_exposure) == (right.beta_exposure, right.beta_exposure)
    assert state.hedge_value == right.hedge_value
    assert state.hedge_ratio == right.hedge_value / right.beta_exposure
    assert state.drift == right.hedge_value / right.beta_exposure - 1
    dated = {ACCOUNTS[venue].DATED: portfolio.dated} if portfolio.dated else {}
    legs = {leg.instrument: leg.base_quantity for leg in state.legs}
    assert legs == {LEGS[venue]: portfolio.perpetual, **dated}

    (margin,) = report.assessment.margin
    backing = WORKED[PLAIN] if portfolio.dated and shown.dated_apart else right
    equity = backing.equity - (shown.debt_in_equity if portfolio.sol_owed else 0)
    assert margin.margin_ratio == (backing.maintenance / equity if shown.ratio else None), shown.why
    assert margin.estimated is (shown.estimated or (shown.formula and not shown.tells_liquidation))
    assert margin.liquidation_distance_ratio == shown.distance(portfolio, told=shown.tells_liquidation)


@pytest.mark.parametrize(("venue", "portfolio"), CASES)
async def test_a_liquidation_price_left_out_is_computed_or_unknown(venue: str, portfolio: SamePortfolio) -> None:
    """From equity, tiers and marks where they are told, and then said to be estimated; else unknown."""
    (margin,) = (await cycle(venue, portfolio, tells_liquidation=False)).assessment.margin
    assert margin.liquidation_distance_ratio == MARGIN[venue].distance(portfolio, told=False), MARGIN[venue].why
    assert margin.estimated is MARGIN[venue].formula
