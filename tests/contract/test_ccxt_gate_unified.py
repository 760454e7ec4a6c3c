"""Gate's unified account through the adapter: one pool of coins and debts, what it backs, and what it does not tell."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.snapshot import Balance, Margin
from tests.contract import test_same_portfolio as same_portfolio
from tests.contract.order_venues import VENUES
from tests.scenario import test_live_on_each_venue as live
from tests.support import ManualClock
from tests.venues import gate_bench
from tests.venues.gate_bench import DATED, INVERSE, PERPETUAL, WALLETS, bench, same_unified, unified, unified_portfolio
from tests.venues.gate_venue import Coin, GateVenue, Held
from tests.venues.opened import Bench
from tests.venues.same import PLAIN, WITH_DATED, WITH_DEBT, SamePortfolio

D = Decimal
PERPETUALS_ALONE = {"ETH_USDT": Held(D("-200.5"), D(3100))}


async def test_reads_the_pool_once_and_what_is_beside_it() -> None:
    """Coins with what is owed of them, cash without the profit of futures; no coin is in two wallets."""
    async with unified() as it:
        read = {wallet: (await it.reader.balances(wallet)).value for wallet in WALLETS}
    assert read["spot"] == (
        Balance("ETH", D(10), D("1.5")),
        Balance("SOL", D(1), D(0), D(30)),
        Balance("USDT", D(14600), D(500), D(100)),  # 600 of it were made by contracts
    )
    assert read["swap"] == (Balance("BTC", D("0.5")), Balance("USDT", D(1000)))
    assert read["earn"] == (Balance("USDT", D(250)),)
    assert {coin.asset for coin in read["margin"]} == {"SOL", "USDT", "ETH"}


async def test_where_spot_is_no_wallet_the_pool_is_that_of_futures() -> None:
    """What backs the contracts is there whichever wallets are named."""
    async with unified(wallets=("swap",)) as it:
        read = (await it.reader.balances("swap")).value
    assert {coin.asset: coin.net for coin in read} == {
        "BTC": D("0.5"),
        "ETH": D("11.5"),
        "SOL": D(-29),
        "USDT": D(16000),
    }


async def test_positions_of_every_segment_are_read() -> None:
    """Those that the pool backs, and those with an account of their own."""
    async with unified() as it:
        read = (await it.reader.derivatives()).value
    assert [(each.instrument, each.contracts) for each in read.positions] == [
        (PERPETUAL, D("-200.5")),
        (INVERSE, D(-6000)),
        (DATED, D(50)),
    ]
    assert all(each.trusted for each in read.positions)


@pytest.mark.parametrize(
    ("mode", "equity"),
    [
        # 11.5 ETH at 3,000 less a haircut of 5 %, 29 SOL owed at 150, and the dollars with 200.5 of profit
        ("multi_currency", "43625.5"),
        ("portfolio", "43625.5"),
        ("single_currency", "15200.5"),  # the dollars alone
    ],
)
async def test_the_margin_is_the_venues_own_by_mode(mode: str, equity: str) -> None:
    """Of the whole account, or of USDT where other coins do not back contracts."""
    async with unified(mode) as it:
        it.truth.positions = dict(PERPETUALS_ALONE)
        read = (await it.reader.derivatives()).value
    assert read.margin == Margin(D(equity), D("30.075"), D(equity) - D("300.75"))
    assert read.equities == {"USDT": D(equity)}


async def test_the_tightest_pool_is_the_margin_also_beside_the_unified_one() -> None:
    """Dated contracts are backed by an account of their own, and that one is nearer to its end here."""
    async with unified() as it:
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (margin.equity, margin.maintenance) == (D(1050), D("7.5"))


async def test_a_pool_that_owes_can_be_liquidated_without_a_position() -> None:
    """Its margin is told; where it is told as nothing, it is unknown, and never none."""
    async with unified() as it:
        it.truth.positions = {}
        it.truth.unified = {"total_maintenance_margin": "87"}
        owes = (await it.reader.derivatives()).value.margin
        it.truth.unified = {}
        unknown = (await it.reader.derivatives()).value.margin
        it.truth.coins = {"USDT": Coin(D(100))}
        nothing = (await it.reader.derivatives()).value.margin
    assert owes is not None
    assert unknown is not None
    assert (owes.maintenance, unknown.maintenance) == (87, None)
    assert nothing == Margin(D(700), D(0), D(700))


@pytest.mark.parametrize("mode", ["multi_currency", "single_currency"])
async def test_a_maintenance_of_zero_with_a_position_is_unknown(mode: str) -> None:
    """The venue gives zero for what has no meaning in a mode."""
    async with unified(mode) as it:
        it.truth.positions = dict(PERPETUALS_ALONE)
        it.truth.coins = {"USDT": Coin(D(5000))}
        told = it.truth.unified_account()
        told["total_maintenance_margin"] = told["balances"]["USDT"]["mm"] = "0"
        it.server.replies["/api/v4/unified/accounts"] = json.dumps(told)
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.maintenance is None


async def test_an_isolated_position_is_a_pool_of_its_own() -> None:
    """Its margin is cash that the pool's equity does not have, and its profit is in no coin."""
    async with unified() as it:
        it.truth.positions = {"ETH_USDT": Held(D(-200), D(3100), isolated=D(500))}
        (usdt,) = [coin for coin in (await it.reader.balances("spot")).value if coin.asset == "USDT"]
        read = (await it.reader.derivatives()).value
    assert usdt.net == 14000 + 500 - 100 + 600 + 500
    assert read.margin is not None
    assert read.margin.maintenance is None  # the pool backs nothing, owes, and tells no margin for that
    assert [each.isolated_equity for each in read.positions] == [D(700)]
    assert read.equities == {}


async def test_a_coin_below_zero_is_owed() -> None:
    """Interest and losses are taken off the coin: what is missing is a debt, and nothing of it is there."""
    async with unified() as it:
        it.truth.positions = {}
        it.truth.coins = {"USDT": Coin(D(-650)), "ETH": Coin(D(-1), D(0), D(2))}
        read = (await it.reader.balances("spot")).value
    assert read == (Balance("USDT", D(0), D(0), D(50)), Balance("ETH", D(0), D(0), D(3)))


@pytest.mark.parametrize(
    ("change", "settings", "says"),
    [
        ({"use_funding": True}, {}, "Earn funds count as margin"),
        ({}, {"use_funding": True}, "Earn funds count as margin"),
        ({"mode": "new"}, {}, "mode 'new', which cannot be read"),
        ({"mode": "classic"}, {}, "mode 'classic', which cannot be read"),
        ({}, {"usdt_futures": False}, "does not back USDT perpetuals"),
    ],
    ids=str,
)
async def test_what_cannot_be_known_is_refused_by_name(
    change: dict[str, Any], settings: dict[str, Any], says: str
) -> None:
    """Neither its coins nor its positions are read, and what to do is said."""
    async with unified() as it:
        it.truth.unified, it.truth.settings = change, settings
        if "mode" in change:
            it.server.replies["/api/v4/unified/unified_mode"] = json.dumps(change)
        for read in (lambda: it.reader.balances("spot"), it.reader.derivatives):
            with pytest.raises(Refused, match=f"main: account mode: .*{says}"):
                await read()


async def test_a_coin_that_counts_earn_funds_is_refused() -> None:
    """Also where the switch is not told: an amount of them is."""
    async with unified() as it:
        told = it.truth.unified_account()
        del told["use_funding"]
        told["balances"]["USDT"]["funding"] = "5"
        it.server.replies["/api/v4/unified/accounts"] = json.dumps(told)
        with pytest.raises(Refused, match="Earn funds count as margin"):
            await it.reader.balances("spot")


async def test_an_equity_that_contradicts_its_parts_fails_the_read() -> None:
    """Of every coin but the one that has the profit of futures in it; rounding in the last digits is none."""
    async with unified() as it:
        told = it.truth.unified_account()
        for equity, reads in (("11.50000001", True), ("11.51", False), ("1016.1", False)):
            told["balances"]["ETH"]["equity"] = equity
            it.server.replies["/api/v4/unified/accounts"] = json.dumps(told)
            if reads:
                await it.reader.balances("spot")
            else:
                with pytest.raises(Unreadable, match="equity of ETH is not what is available"):
                    await it.reader.balances("spot")


DOCUMENTED = {
    "user_id": 10001,
    "locked": False,
    "balances": {
        currency: {
            "available": available,
            "freeze": "0",
            "borrowed": borrowed,
            "negative_liab": "0",
            "futures_pos_liab": "0",
            "equity": equity,
            "total_freeze": "0",
            "total_liab": "0",
            "spot_in_use": "12",
        }
        for currency, available, borrowed, equity in (
            ("ETH", "0", "0.075393666654", "1016.1"),
            ("POINT", "9999999999.017023138734", "0", "12016.1"),
            ("USDT", "0.00000062023", "0", "16.1"),
        )
    },
    "total": "230.94621713",
    "borrowed": "161.66395521",
    "total_initial_margin": "1025.0524665088",
    "total_margin_balance": "3382495.944473949183",
    "total_maintenance_margin": "205.01049330176",
    "total_initial_margin_rate": "3299.827135672679",
    "total_maintenance_margin_rate": "16499.135678363399",
    "total_available_margin": "3381470.892007440383",
    "unified_account_total": "3381470.892007440383",
    "unified_account_total_liab": "0",
    "unified_account_total_equity": "100016.1",
    "leverage": "2",
    "spot_order_loss": "12",
    "spot_hedge": False,
}


async def test_the_documented_example_is_read_as_far_as_it_makes_sense() -> None:
    """Its margin is; its ether is not: an equity of 1,016 of which nothing is there and a part is owed."""
    async with unified() as it:
        it.truth.positions = {}
        it.server.replies["/api/v4/unified/accounts"] = json.dumps(DOCUMENTED)
        it.server.replies["/api/v4/unified/unified_mode"] = json.dumps(
            {"mode": "portfolio", "settings": {"spot_hedge": True, "usdt_futures": True, "options": True}}
        )
        margin = (await it.reader.derivatives()).value.margin
        assert margin == Margin(D("3382495.944473949183"), D("205.01049330176"), D("3381470.892007440383"))
        with pytest.raises(Unreadable, match="equity of ETH"):
            await it.reader.balances("spot")
        balances = {**DOCUMENTED["balances"], "ETH": {**DOCUMENTED["balances"]["USDT"], "equity": "0.00000062023"}}  # type: ignore[dict-item, index]
        it.server.replies["/api/v4/unified/accounts"] = json.dumps({**DOCUMENTED, "balances": balances})
        assert (await it.reader.balances("spot")).value == (
            Balance("ETH", D("0.00000062023")),
            Balance("USDT", D("16.1")),
        )


async def test_an_empty_pool_of_an_account_that_is_worth_something_fails_the_read() -> None:
    """And one without its dollars, in which positions are held, has no margin that could be told."""
    async with unified("single_currency") as it:
        told = it.truth.unified_account()
        it.server.replies["/api/v4/unified/accounts"] = json.dumps({**told, "balances": {}})
        with pytest.raises(Unreadable, match="balances is empty"):
            await it.reader.balances("spot")
        del told["balances"]["USDT"]
        it.server.replies["/api/v4/unified/accounts"] = json.dumps(told)
        with pytest.raises(Unreadable, match="balances lacks USDT"):
            await it.reader.derivatives()


@pytest.mark.parametrize("segment", ["futures/btc", "delivery/usdt"])
async def test_other_contracts_that_say_they_are_in_the_pool_are_refused_if_there_are_any(segment: str) -> None:
    """The venue does not document them there: an empty account is none, any other could be counted twice."""
    async with unified() as it:
        right = it.truth.futures_account
        it.truth.futures_account = lambda name: right(name) | ({"margin_mode": 1} if name == segment else {})
        for read in (lambda: it.reader.balances("spot"), it.reader.derivatives):
            with pytest.raises(Refused, match=f"does not tell what backs {segment}: close what is there"):
                await read()
        it.truth.futures[segment] = D(0)
        it.truth.positions = dict(PERPETUALS_ALONE)
        assert (await it.reader.derivatives()).value.positions
        beside = {coin.asset for coin in (await it.reader.balances("swap")).value}
        assert beside == ({"USDT"} if segment == "futures/btc" else {"BTC"})


async def test_options_of_a_unified_account_are_refused() -> None:
    """They are backed by the same pool, and can neither be valued nor hedged."""
    async with unified() as it:
        it.truth.options = [{"contract": "ETH_USDT-20261225-3000-C", "size": 1}]
        with pytest.raises(Refused, match="ETH_USDT-20261225-3000-C"):
            await it.reader.derivatives()


async def test_a_key_that_may_not_read_the_pool_is_refused() -> None:
    """The account is known to be unified: its spot wallet is not read as that of a classic one."""
    async with unified() as it:
        it.server.forbidden.add("unified")
        for read in (lambda: it.reader.balances("spot"), it.reader.derivatives):
            with pytest.raises(Refused, match=r"allow reading for it .*unified"):
                await read()
        assert "spot/accounts" not in it.paths()


async def test_an_account_that_changes_its_mode_is_read_as_what_it_is() -> None:
    """Positions see it at once, and the wallets with them."""
    async with bench() as it:
        assert (await it.reader.balances("spot")).value[0] == Balance("ETH", D(10), D("1.5"))
        it.truth.mode_of_account, it.truth.coins = "multi_currency", {"ETH": Coin(D(3)), "USDT": Coin(D(9))}
        await it.reader.derivatives()
        assert (await it.reader.balances("spot")).value[0] == Balance("ETH", D(3))
        it.truth.mode_of_account = ""
        await it.reader.derivatives()
        assert (await it.reader.balances("spot")).value[0] == Balance("ETH", D(10), D("1.5"))


async def test_a_cycle_asks_for_the_pool_once() -> None:
    """Wallets and positions share the request, and so agree with each other."""
    async with unified() as it:
        await everything(it)
        it.clock.advance(61)
        it.paths()
        await everything(it)
        asked = Counter(it.paths())
    assert asked["unified/accounts"] == asked["unified/unified_mode"] == 1
    assert max(asked.values()) == 1


async def everything(it: Bench) -> None:
    await asyncio.gather(it.reader.derivatives(), *map(it.reader.balances, WALLETS))
    await it.settled()


async def test_a_unified_account_of_the_testnet_is_refused() -> None:
    """Its endpoints are not there."""
    async with unified(sandbox=True, wallets=("spot", "swap")) as it:
        with pytest.raises(Refused, match="testnet's unified account cannot be read"):
            await it.reader.balances("spot")


@pytest.mark.parametrize("portfolio", [PLAIN, WITH_DEBT, WITH_DATED], ids=["plain", "with debt", "with a dated leg"])
async def test_the_same_portfolio_as_at_other_venues(portfolio: SamePortfolio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held in the pool it is the same assessment; the debt is taken off what backs the contracts, as at OKX."""
    module = SimpleNamespace(
        same=same_unified, PERPETUAL=PERPETUAL, DATED=DATED, QUOTE=gate_bench.QUOTE, WALLETS=WALLETS
    )
    shown = same_portfolio.Shown(dated_apart=True, debt_in_equity=D("4537.5"), why="one pool but for dated contracts")
    monkeypatch.setitem(same_portfolio.ACCOUNTS, "gate", module)  # type: ignore[arg-type]
    monkeypatch.setitem(same_portfolio.MARGIN, "gate", shown)
    await same_portfolio.test_the_same_portfolio_is_the_same_assessment("gate", portfolio)
    await same_portfolio.test_a_liquidation_price_left_out_is_computed_or_unknown("gate", portfolio)


@asynccontextmanager
async def with_perpetuals_alone() -> AsyncIterator[Bench]:
    truth: GateVenue = unified_portfolio(ManualClock())
    truth.positions = dict(PERPETUALS_ALONE)
    async with bench(truth=truth) as it:
        yield it


async def test_a_unified_account_trades_live_by_the_same_endpoints() -> None:
    """Orders of perpetuals are those of a classic account: one of the right size, and the next look is in the band."""
    venue = next(each for each in VENUES if each.exchange == "gate")
    await live.test_a_live_hedge_of_what_the_venue_holds(replace(venue, bench=with_perpetuals_alone))
