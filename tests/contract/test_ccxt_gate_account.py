"""Gate's accounts through the adapter: coins and debts, positions, margin, and what cannot be read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.snapshot import Balance, Margin, Position
from tests.venues.gate_bench import DATED, INVERSE, PERPETUAL, WALLETS, bench, same
from tests.venues.gate_venue import GateVenue, Held
from tests.venues.opened import Bench
from tests.venues.same import WITH_DATED, WITH_DEBT

D = Decimal


def usdt_positions(it: Bench, *changes: dict[str, Any]) -> None:
    """Have the USDT segment hold the first position once for each of these changes; the others hold none."""
    row = it.truth.position_rows("futures/usdt")[0]
    rows = [row | change for change in changes]
    it.truth.position_rows = lambda segment: rows if segment == "futures/usdt" else []


async def test_reads_each_wallet() -> None:
    """Every wallet by itself; isolated pairs together with debt and interest; futures without profit and bonus."""
    async with bench() as it:
        read = {wallet: (await it.reader.balances(wallet)).value for wallet in WALLETS}
    assert read["spot"] == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(10000)))
    assert read["margin"] == (
        Balance("SOL", D(1), D("0.5"), D("30.25")),
        Balance("USDT", D(500), D(0), D("100.5")),
        Balance("ETH", D(2)),
    )
    assert read["earn"] == (Balance("USDT", D(250)),)
    assert read["swap"] == (Balance("USDT", D(6000)), Balance("BTC", D("0.5")))


async def test_savings_of_more_than_a_page_are_all_read() -> None:
    """A full page is followed by the next one."""
    async with bench() as it:
        it.truth.lent = {f"C{number}": D(1) for number in range(230)}
        assert len((await it.reader.balances("earn")).value) == 230
        assert it.paths().count("earn/uni/lends") == 3


async def test_an_account_that_was_never_used_is_empty() -> None:
    """The venue creates futures accounts with the first transfer: until then it says that there is none."""
    async with bench(truth=GateVenue()) as it:
        for wallet in WALLETS:
            assert (await it.reader.balances(wallet)).value == ()
        read = (await it.reader.derivatives()).value
    assert read.positions == ()
    assert read.margin == Margin(D(0), D(0), D(0))


async def test_positions_are_signed_contracts_of_the_multipliers_size() -> None:
    """A short is negative, parts of contracts are read, and an inverse contract's coins are worth the mark."""
    async with bench() as it:
        read = (await it.reader.derivatives()).value
        instruments = await it.market.instruments()
    linear, inverse, dated = read.positions
    assert linear == Position(PERPETUAL, D("-200.5"), D(3100), D(6000), D("200.5"), D("30.075"))
    assert instruments[PERPETUAL].base_quantity(linear.contracts, D(3000)) == D("-2.005")
    assert (inverse.instrument, inverse.contracts, inverse.maintenance_margin) == (INVERSE, -6000, 30)
    assert inverse.unrealised_pnl is not None
    assert round(inverse.unrealised_pnl, 9) == -1200  # 0.12 coins sold, 0.1 are owed back
    assert instruments[INVERSE].notional(inverse.contracts, D(60000)) == -6000
    assert instruments[INVERSE].base_quantity(inverse.contracts, D(60000)) == D("-0.1")
    assert (dated.instrument, dated.contracts, dated.liquidation_price) == (DATED, 50, None)
    assert all(position.trusted for position in read.positions)


async def test_the_tightest_pool_is_the_margin() -> None:
    """Each segment is liquidated by itself; bitcoin is worth its mark."""
    async with bench() as it:
        it.truth.futures["futures/btc"] = D("0.03")
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (round(margin.equity, 6), margin.maintenance) == (600, 30)  # 0.03 bitcoins less 1,200 dollars


async def test_the_older_classic_account_has_its_positions_maintenance() -> None:
    """Without a figure for the whole account the positions' own add up; without theirs, their rates do."""
    async with bench() as it:
        it.truth.newer = False
        usdt_positions(it, {})
        told = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"maintenance_margin": "0"})
        by_average = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"maintenance_margin": "", "average_maintenance_rate": ""})
        by_tier = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"maintenance_margin": "", "average_maintenance_rate": "", "maintenance_rate": "0"})
        unknown = (await it.reader.derivatives()).value.margin
    assert told == by_average == by_tier == Margin(D("5200.5"), D("30.075"), D(5010))
    assert unknown == Margin(D("6250.5"), None)


async def test_the_accounts_maintenance_counts_where_it_is_more() -> None:
    """Open orders need margin too, which the positions do not show."""
    async with bench() as it:
        it.truth.account = {"cross_maintenance_margin": "52"}
        usdt_positions(it, {})
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.maintenance == 52


async def test_an_isolated_position_is_a_pool_of_its_own() -> None:
    """Its margin and profit back it and nothing else; the rest of the account is without it."""
    async with bench() as it:
        it.truth.positions = {"ETH_USDT": Held(D(-200), D(3100), isolated=D(500)), "BTC_USDT": Held(D(100), D(60000))}
        told = (await it.reader.derivatives()).value
        it.truth.positions["ETH_USDT"].isolated = D(4900)
        rest = (await it.reader.derivatives()).value.margin
    assert told.margin == Margin(D(700), D(30))
    assert told.equities == {"USDT": D(4500)}
    assert [each.isolated_equity for each in told.positions] == [D(700), None]
    assert rest is not None
    assert (rest.equity, rest.maintenance) == (D(100), D(3))


async def test_a_leverage_of_zero_is_cross_margin() -> None:
    """Where the mode of a position is not told by itself, as in older accounts."""
    async with bench() as it:
        it.truth.newer = False
        usdt_positions(it, {"pos_margin_mode": "", "leverage": "10", "margin": "100"})
        isolated = (await it.reader.derivatives()).value.margin
        usdt_positions(it, {"pos_margin_mode": "", "leverage": "0", "margin": "100"})
        crossed = (await it.reader.derivatives()).value.margin
    assert isolated is not None
    assert crossed is not None
    assert (isolated.equity, crossed.equity) == (D("300.5"), D("5200.5"))


@pytest.mark.parametrize("name", ["ETH_USDT", "BTC_USD", "ETH_USDT_20261225"])
@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.03", False), ("100", False)])
async def test_a_position_worth_something_else_is_not_trusted(name: str, factor: str, trusted: bool) -> None:
    """Contracts × multiplier × mark must agree with the venue's own value within 2 %, in coins where it is in coins."""
    async with bench() as it:
        it.truth.positions = {name: it.truth.positions[name]}
        right = it.truth.value
        it.truth.value = lambda name: right(name) * D(factor)
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


@pytest.mark.parametrize(
    "account", [{"in_dual_mode": True}, {"position_mode": "dual"}, {"position_mode": "dual_plus"}], ids=str
)
async def test_hedge_mode_is_refused(account: dict[str, Any]) -> None:
    """As the account tells it, once a position is open; the wallets can be read, and nothing open is nothing."""
    async with bench() as it:
        it.truth.account = account
        with pytest.raises(Refused, match=r"main: futures positions: .*hedge mode.*One-Way Mode"):
            await it.reader.derivatives()
        assert (await it.reader.balances("spot")).value
        it.truth.positions = {}
        assert (await it.reader.derivatives()).value.positions == ()


async def test_a_position_in_hedge_mode_is_refused() -> None:
    """As the position itself tells it, and where one contract is there twice."""
    async with bench() as it:
        it.truth.mode = "dual_short"
        with pytest.raises(Refused, match="hedge mode"):
            await it.reader.derivatives()
        it.truth.mode = "single"
        usdt_positions(it, {}, {"size": "5"})
        with pytest.raises(Refused, match="several positions in ETH_USDT"):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"contract": "GONE_USDT"}, "GONE_USDT, which the venue does not list"),
        ({"mark_price": "0"}, "mark_price is not above zero"),
        ({"value": "-1"}, "value is below zero"),
    ],
)
async def test_a_position_that_is_not_understood_fails_the_read(change: dict[str, str], says: str) -> None:
    """An unlisted contract has no known size; nothing is guessed and nothing is left out."""
    async with bench() as it:
        usdt_positions(it, change)
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_a_missing_segment_is_a_failed_read() -> None:
    """Positions of all three segments or none at all."""
    async with bench() as it:
        it.server.replies["/api/v4/delivery/usdt/positions"] = "null"
        with pytest.raises(Unreadable, match="usdt delivery positions"):
            await it.reader.derivatives()


async def test_positions_of_more_than_a_page_are_all_read() -> None:
    """A full page is followed by the next one, and one without an end is not taken for the whole."""
    async with bench() as it:
        row = it.truth.position_rows("futures/usdt")[0]
        rows = [{**row, "contract": "BTC_USDT", "size": 0}] * 130 + [row]
        it.truth.position_rows = lambda segment: rows if segment == "futures/usdt" else []
        assert len((await it.reader.derivatives()).value.positions) == 1
        rows *= 10
        with pytest.raises(Unreadable, match="more than 1000 rows"):
            await it.reader.derivatives()


async def test_the_same_portfolio_as_at_other_venues() -> None:
    """Debt with interest in the margin wallet, a short in contracts, equity and maintenance to the last digit."""
    async with same(WITH_DEBT) as it:
        assert (await it.reader.balances("margin")).value == (Balance("SOL", D(0), D(0), D("30.25")),)
        read = (await it.reader.derivatives()).value
        instruments = await it.market.instruments()
    (short,) = read.positions
    assert instruments[PERPETUAL].base_quantity(short.contracts, D(3001)) == D("-10.5")
    assert read.margin is not None
    assert (read.margin.equity, read.margin.maintenance) == (D("9039.5"), D("157.5525"))
    async with same(WITH_DATED) as it:
        read = (await it.reader.derivatives()).value
    assert instruments[DATED].base_quantity(read.positions[1].contracts, D(3030)) == D("-1.5")
