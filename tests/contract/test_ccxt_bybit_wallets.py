"""Coins, debts and margin of Bybit's unified account, and its funding and earn wallets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Balance, Margin
from tests.venues.bybit_bench import bench, patch_row
from tests.venues.bybit_venue import Coin, Held

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")


async def test_the_unified_account_is_read_once_whatever_it_is_called() -> None:
    """Spot, margin and swap are names of one pool: configured together its coins count once, and alone they count."""
    async with bench(wallets=["swap", "spot", "margin", "funding"]) as it:
        assert it.reader.wallets == ("spot", "funding")
    async with bench(wallets=["swap"]) as it:
        assert it.reader.wallets == ("spot",)


async def test_reads_coins_and_debts_of_the_unified_account() -> None:
    """Borrowed coins are held and owed with interest; what derivatives overdrew is a debt and no negative coin."""
    async with bench() as it:
        read = await it.reader.balances("spot")
    assert read.value == (
        Balance("BTC", D("1.5")),  # not the unrealised loss of the inverse positions
        Balance("ETH", D(10), D("1.5")),
        Balance("SOL", D(33), debt=D("30.25")),
        Balance("USDC", D(0), debt=D(50)),
        Balance("USDT", D(10000)),
    )
    assert {balance.asset: balance.net for balance in read.value}["SOL"] == D("2.75")
    assert read.as_of == it.clock.now()


@pytest.mark.parametrize(
    ("held", "borrowed", "fields", "expected"),
    [
        ("100", "40", {"spotBorrow": ...}, Balance("XRP", D(100), debt=D(40))),
        ("-60", "0", {"spotBorrow": ...}, Balance("XRP", D(0), debt=D(60))),
        ("-60", "40", {}, Balance("XRP", D(0), debt=D(100))),
        ("-60", "40", {"spotBorrow": ...}, Balance("XRP", D(0), debt=D(100))),
        ("100", "0", {"locked": "130"}, Balance("XRP", D(0), D(100))),
        ("100", "0", {"locked": ...}, Balance("XRP", D(100))),
        ("0", "0", {}, None),
        ("0", "0", {"accruedInterest": "0.5"}, Balance("XRP", D(0), debt=D("0.5"))),
        ("100", "40", {"accruedInterest": ""}, Balance("XRP", D(100), debt=D(40))),
        ("100", "40", {"spotBorrow": ""}, Balance("XRP", D(100), debt=D(40))),
    ],
)
async def test_each_way_to_owe_is_counted_once(
    held: str, borrowed: str, fields: dict[str, Any], expected: Balance | None
) -> None:
    """Spot borrowing, overdraft and both, told apart or not; orders on margin may lock more than there is."""
    async with bench() as it:
        it.truth.coins = {"XRP": Coin(D(held), D(borrowed))}
        it.truth.positions = {}
        patch_row(it, "/v5/account/wallet-balance", "list", {"coin": "XRP"}, **fields)
        assert (await it.reader.balances("spot")).value == ((expected,) if expected else ())


@pytest.mark.parametrize("interest", [..., None, "none", "-1"], ids=str)
async def test_interest_that_is_no_amount_is_unreadable(interest: object) -> None:
    """Blank interest is none; without the field, or with anything else in it, what is owed is not known."""
    async with bench() as it:
        patch_row(it, "/v5/account/wallet-balance", "list", {"coin": "ETH"}, accruedInterest=interest)
        with pytest.raises(Unreadable, match="accruedInterest"):
            await it.reader.balances("spot")


async def test_reads_funding_and_earn() -> None:
    """The funding account as it is; a coin in several earn products, flexible and on-chain, is one balance."""
    async with bench() as it:
        assert (await it.reader.balances("funding")).value == (Balance("ETH", D(3)),)
        assert (await it.reader.balances("earn")).value == (Balance("ETH", D("3.5")), Balance("SOL", D(7)))


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none."""
    async with bench() as it:
        it.truth.coins, it.truth.positions, it.truth.funding, it.truth.earn = {}, {}, {}, {}
        for wallet in it.reader.wallets:
            assert (await it.reader.balances(wallet)).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.positions == ()
    assert derivatives.margin == Margin(D(0), D(0), D(0))


async def test_margin_is_the_accounts() -> None:
    """Equity and maintenance of all coins and positions together, in dollars."""
    async with bench() as it:
        it.truth.coins = {"USDT": Coin(D(10000))}
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100))}
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(equity=D(10200), maintenance=D(30), available=D(10140))


async def test_a_rate_that_is_only_rounded_up_is_no_haircut() -> None:
    """The venue's rate has four decimals: within its last one the account's own totals are the finer truth."""
    async with bench() as it:
        it.truth.coins = {"USDT": Coin(D(9900))}
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100))}  # 30 ÷ 10,100 is printed as 0.0030
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (margin.equity, margin.maintenance) == (10100, 30)


async def test_a_haircut_shows_in_the_ratio() -> None:
    """Where the venue's own rate is the tighter one, maintenance ÷ equity comes out as that rate."""
    async with bench() as it:
        it.truth.coins = {"USDT": Coin(D(10000))}
        it.truth.positions = {"ETHUSDT": Held(D(-200), D(3000))}
        it.truth.haircut = D(4000)
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.maintenance == 3000
    assert margin.equity == 6000


async def test_an_account_that_lost_more_than_it_had_is_still_read() -> None:
    """Below zero equity and the venue's rate are negative: the moment when a failed read would be worst."""
    async with bench() as it:
        it.truth.coins = {"USDT": Coin(D(100))}
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(2900))}
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (margin.equity, margin.maintenance) == (-100, 30)


async def test_bonus_credit_is_not_equity() -> None:
    """A bonus, in whatever coin, is taken off the equity at the venue's own price of that coin."""
    async with bench() as it:
        it.truth.positions = {}
        it.truth.coins = {"USDT": Coin(D(1000), bonus=D(100)), "ETH": Coin(D(2), bonus=D("0.5"))}
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.equity == D(7000) - D(100) - D(1500)


async def test_a_bonus_without_a_price_is_unreadable() -> None:
    """Credit that cannot be valued is not passed off as equity."""
    async with bench() as it:
        it.truth.positions = {}
        it.truth.coins = {"USDT": Coin(D(1000)), "XRP": Coin(D(0), bonus=D(5))}
        with pytest.raises(Unreadable, match="the bonus in XRP has no price"):
            await it.reader.derivatives()


async def test_isolated_margin_has_no_account_margin() -> None:
    """Where every position stands for itself the venue leaves the account's fields blank: unknown, not zero."""
    async with bench() as it:
        it.truth.isolated = True
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.margin is None
    assert len(derivatives.positions) == 6


BLANK = {"accountMMRate": "", "totalMaintenanceMargin": "0", "totalEquity": "", "totalAvailableBalance": ""}


async def test_blanks_of_an_empty_account_are_none() -> None:
    """A new account has no equity, no rate and nothing to maintain; its blanks hold up no other account's hedge."""
    async with bench() as it:
        it.truth.positions, it.truth.coins = {}, {}
        patch_row(it, "/v5/account/wallet-balance", "list", {"accountType": "UNIFIED"}, **BLANK)
        derivatives = (await it.reader.derivatives()).value
        assert (derivatives.positions, derivatives.margin) == ((), Margin(D(0), D(0)))
        assert (await it.reader.balances("spot")).value == ()


async def test_crumbs_without_a_coin_are_an_empty_account() -> None:
    """A worth of less than a cent may come without the coins that make it up."""
    async with bench() as it:
        it.truth.positions, it.truth.coins = {}, {}
        patch_row(it, "/v5/account/wallet-balance", "list", {"accountType": "UNIFIED"}, totalEquity="0.00000638")
        assert (await it.reader.balances("spot")).value == ()


@pytest.mark.parametrize("holds", ["positions", "coins"])
async def test_blanks_of_an_account_that_holds_something_are_unreadable(holds: str) -> None:
    """With positions the rate must be told, with coins what they are worth: neither becomes nothing."""
    async with bench() as it:
        if holds == "coins":
            it.truth.positions = {}
        patch_row(it, "/v5/account/wallet-balance", "list", {"accountType": "UNIFIED"}, **BLANK)
        with pytest.raises(Unreadable, match={"positions": "accountMMRate", "coins": "totalEquity"}[holds]):
            await it.reader.derivatives()


@pytest.mark.parametrize("name", ["accountMMRate", "totalMaintenanceMargin", "totalEquity"])
async def test_half_blank_margin_is_unreadable(name: str) -> None:
    """One blank field is a torn reply, not isolated margin."""
    async with bench() as it:
        patch_row(it, "/v5/account/wallet-balance", "list", {"accountType": "UNIFIED"}, **{name: ""})
        with pytest.raises(Unreadable, match=name):
            await it.reader.derivatives()


async def test_half_a_wallet_is_no_wallet() -> None:
    """Equity without the coins that make it up, or another account's row, is a torn reply."""
    for fields, says in (({"coin": []}, "coin is empty"), ({"accountType": "CONTRACT"}, "one unified account")):
        async with bench() as it:
            patch_row(it, "/v5/account/wallet-balance", "list", {"accountType": "UNIFIED"}, **fields)
            for read in (it.reader.balances("spot"), it.reader.derivatives()):
                with pytest.raises(Unreadable, match=says):
                    await read
