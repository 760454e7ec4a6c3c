"""Bitget's accounts through the adapter: coins and debts, positions, margin, and what cannot be read."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.snapshot import Balance, Margin, Position
from tests.venues.bitget_bench import COIN_DATED, COIN_PERPETUAL, PERPETUAL, WALLETS, bench, same
from tests.venues.bitget_venue import BitgetVenue, Held
from tests.venues.opened import Bench
from tests.venues.same import WITH_DEBT

D = Decimal


def positions(it: Bench, **change: object) -> None:
    """Have the first USDT position say something else; the other products hold none."""
    row = it.truth.position_rows("USDT-FUTURES")[0] | change
    it.truth.position_rows = lambda product: [row] if product == "USDT-FUTURES" else []


async def test_reads_each_wallet() -> None:
    """Every wallet by itself; cross and isolated margin together with debt and interest; futures without profit."""
    async with bench() as it:
        read = {wallet: (await it.reader.balances(wallet)).value for wallet in WALLETS}
    assert read["spot"] == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(10000)))
    assert read["funding"] == (Balance("ETH", D(2), D(1)),)
    assert read["margin"] == (Balance("SOL", D(1), D("0.5"), D("35.75")), Balance("ETH", D(1)))
    assert read["earn"] == (Balance("USDT", D(250)),)
    assert {coin.asset: round(coin.free, 9) for coin in read["swap"]} == {"USDT": 5000, "BTC": D("0.5"), "ETH": 2}


async def test_bonus_is_not_the_users() -> None:
    """What the venue has lent to trade with is neither in the wallet nor in the equity."""
    async with bench() as it:
        it.truth.coupon, it.truth.positions = D(100), {}
        assert (await it.reader.balances("swap")).value[0] == Balance("USDT", D(5000))
        assert (await it.reader.derivatives()).value.margin == Margin(D(5000), D(0), D(5000))


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none, and needs no margin."""
    async with bench(truth=BitgetVenue()) as it:
        for wallet in WALLETS:
            assert (await it.reader.balances(wallet)).value == ()
        assert (await it.reader.derivatives()).value.margin == Margin(D(0), D(0), D(0))


def told_of(it: Bench, product: str, told: object) -> None:
    """What the venue tells of a product's positions from now on."""
    reply = {"code": "00000", "msg": "success", "requestTime": 1, "data": told}
    it.server.replies[f"/api/v2/mix/position/all-position?productType={product}"] = json.dumps(reply)


async def test_null_for_a_product_without_positions_is_none() -> None:
    """Where its coins carry neither profit nor risk; what the other products hold is read."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": it.truth.positions["ETHUSDT"]}
        right = (await it.reader.derivatives()).value
        for product in ("USDC-FUTURES", "COIN-FUTURES"):
            told_of(it, product, None)
        assert (await it.reader.derivatives()).value == right


@pytest.mark.parametrize("told", [{}, "", "null", False, 0, [None], {"list": []}])
async def test_anything_but_null_is_not_none(told: object) -> None:
    """A shape that nobody has seen there does not mean that there are no positions."""
    async with bench() as it:
        told_of(it, "USDC-FUTURES", told)
        with pytest.raises(Unreadable):
            await it.reader.derivatives()


async def test_null_for_a_product_whose_margin_is_at_risk_is_unreadable() -> None:
    """The two replies contradict each other: which is right is not ours to guess."""
    async with bench() as it:
        told_of(it, "COIN-FUTURES", None)
        with pytest.raises(Unreadable, match="no positions in COIN-FUTURES are told"):
            await it.reader.derivatives()


async def test_positions_are_signed_coins_whatever_backs_them() -> None:
    """A short is negative; profit told in coins is turned into dollars; −1 for a liquidation price is none."""
    async with bench() as it:
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    linear, coin, dated = read.value.positions
    assert linear == Position(PERPETUAL, D(-2), D(3100), D(6000), D(200), D(30))
    assert (coin.instrument, coin.contracts, coin.maintenance_margin, coin.trusted) == (
        COIN_PERPETUAL,
        D("-0.1"),
        30,
        True,
    )
    assert coin.unrealised_pnl is not None
    assert round(coin.unrealised_pnl, 9) == -1000  # a tenth of a bitcoin sold at 50,000
    assert (dated.instrument, dated.contracts, dated.liquidation_price) == (COIN_DATED, D("0.5"), None)
    assert instruments[COIN_PERPETUAL].base_quantity(coin.contracts, D(60000)) == D("-0.1")
    assert instruments[COIN_PERPETUAL].notional(coin.contracts, D(60000)) == -6000
    assert read.value.margin == Margin(D(5200), D(30), D(4900))


async def test_the_tightest_pool_is_the_margin() -> None:
    """Each coin of each product is liquidated by itself; one with a loss close to its end is what is told."""
    async with bench() as it:
        it.truth.futures["COIN-FUTURES", "BTC"] = D("0.02")
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (round(margin.equity, 6), margin.maintenance) == (200, 30)  # 0.02 bitcoins less 1,000 dollars


async def test_an_isolated_position_is_a_pool_of_its_own() -> None:
    """Its margin and profit back it and nothing else; the rest of the account is without it."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100), isolated=D(500)), "BTCUSDT": Held(D("0.01"), D(60000))}
        told = (await it.reader.derivatives()).value
        it.truth.positions["ETHUSDT"].isolated = D(4900)  # nearly all there is: little is left for the other
        rest = (await it.reader.derivatives()).value.margin
    assert told.margin == Margin(D(700), D(30))
    assert told.equities == {"USDT": D(4500)}
    assert [each.isolated_equity for each in told.positions] == [D(700), None]
    assert rest == Margin(D(100), D(3), D(70))


async def test_the_venues_risk_rate_counts_where_it_asks_for_more() -> None:
    """The position's rate leaves out what a liquidation costs; the account's risk rate has it."""
    async with bench() as it:
        rows = it.truth.accounts("USDT-FUTURES")
        rows[0]["crossedRiskRate"] = "0.01"
        it.truth.accounts = lambda product: rows if product == "USDT-FUTURES" else []
        positions(it)
        margin = (await it.reader.derivatives()).value.margin
        positions(it, keepMarginRate="")
        rows[0]["crossedRiskRate"] = ""
        unknown = (await it.reader.derivatives()).value.margin
    assert margin == Margin(D(5200), D(52), D(4900))
    assert unknown == Margin(D(5200), None)


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        ({}, True),
        ({"total": "2000"}, False),  # by the profit and by the margin
        ({"total": "2000", "unrealizedPL": ""}, False),
        ({"total": "2000", "marginSize": ""}, False),
        ({"unrealizedPL": "-200"}, False),
        ({"holdSide": "long"}, False),
        ({"unrealizedPL": "203"}, True),
        ({"openPriceAvg": "3000.1", "unrealizedPL": "-7"}, True),  # too near to say anything
        ({"leverage": "50", "marginMode": "isolated"}, True),  # its margin is the user's to change
        ({"leverage": "50"}, False),
    ],
)
async def test_a_position_that_the_venues_figures_contradict_is_not_trusted(
    change: dict[str, str], trusted: bool
) -> None:
    """Contracts × (mark − entry) must be the profit, and contracts × price the margin × leverage, within 2 %."""
    async with bench() as it:
        positions(it, **change)
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


async def test_another_margin_coin_is_converted_as_the_venue_does() -> None:
    """A bitcoin contract backed by ether: its profit is in ether, worth what the account's own conversion says."""
    async with bench() as it:
        it.truth.positions = {"BTCUSD": Held(D("-0.1"), D(50000), "ETH")}
        read = (await it.reader.derivatives()).value
    (position,) = read.positions
    assert position.unrealised_pnl is not None
    assert (round(position.unrealised_pnl, 6), position.trusted) == (-1000, True)
    assert read.margin is not None
    assert (round(read.margin.equity, 6), read.margin.maintenance) == (5000, 30)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"posMode": "hedge_mode"}, "hedge mode.* One-way mode"),
        ({"assetMode": "union"}, "multi-assets mode.* Single-asset mode"),
    ],
)
async def test_modes_that_cannot_be_read_are_refused(change: dict[str, str], says: str) -> None:
    """With the way out in the venue's own words."""
    async with bench() as it:
        positions(it, **change)
        with pytest.raises(Refused, match=f"main: futures positions: .*{says}"):
            await it.reader.derivatives()


async def test_multi_assets_mode_is_refused_without_positions_too() -> None:
    """Its margin coins would be missing from the wallet."""
    async with bench() as it:
        it.truth.asset_mode = "union"
        with pytest.raises(Refused, match="multi-assets mode"):
            await it.reader.balances("swap")


async def test_two_positions_in_one_contract_are_refused() -> None:
    """Coin-margined contracts can be held with two margin coins at once: that is not one position."""
    async with bench() as it:
        rows = it.truth.position_rows("COIN-FUTURES")[:1] * 2
        it.truth.position_rows = lambda product: rows if product == "COIN-FUTURES" else []
        with pytest.raises(Refused, match="several positions in BTCUSD"):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"symbol": "GONEUSDT"}, "GONEUSDT, which the venue does not list"),
        ({"holdSide": "net"}, "neither long nor short"),
        ({"markPrice": "0"}, "markPrice is not above zero"),
        ({"marginCoin": "EUR"}, "the EUR account that backs a position is missing"),
    ],
)
async def test_a_position_that_is_not_understood_fails_the_read(change: dict[str, str], says: str) -> None:
    """An unlisted contract has no known size; nothing is guessed and nothing is left out."""
    async with bench() as it:
        positions(it, **change)
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_a_missing_product_is_a_failed_read() -> None:
    """Positions of all three products or none at all."""
    async with bench() as it:
        it.truth.position_rows = lambda product: None if product == "COIN-FUTURES" else []
        with pytest.raises(Unreadable, match="COIN-FUTURES"):
            await it.reader.derivatives()


async def test_the_same_portfolio_as_at_other_venues() -> None:
    """Debt with interest in the margin wallet, a short in coins, equity and maintenance to the last digit."""
    async with same(WITH_DEBT) as it:
        assert (await it.reader.balances("margin")).value == (Balance("SOL", D(0), D(0), D("30.25")),)
        read = (await it.reader.derivatives()).value
    assert read.positions[0].contracts == D("-10.5")
    assert read.margin is not None
    assert (read.margin.equity, read.margin.maintenance) == (D("9039.5"), D("157.5525"))
