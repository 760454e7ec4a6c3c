"""OKX's accounts through the adapter: coins and debts, positions, margin."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.snapshot import Balance, Margin, Position
from tests.venues.okx_bench import DATED, INVERSE, PERPETUAL, WALLETS, bench
from tests.venues.okx_venue import Coin, Held

D = Decimal


async def test_reads_each_wallet() -> None:
    """The trading account without unrealised profit and with debt and interest; the funding account; savings."""
    async with bench() as it:
        spot = await it.reader.balances("spot")
        funding = await it.reader.balances("funding")
        earn = await it.reader.balances("earn")
    assert spot.value == (
        Balance("ETH", D(10), D("1.5")),
        Balance("USDT", D(10000)),
        Balance("BTC", D("0.5")),
        Balance("SOL", D(0), D(0), D("30.25")),
    )
    assert spot.value[3].net == D("-30.25")
    assert funding.value == (Balance("ETH", D(2), D(1)),)
    assert earn.value == (Balance("USDT", D(250)),)
    assert spot.as_of == funding.as_of == earn.as_of == it.clock.now()


async def test_names_of_the_one_trading_account_are_read_once() -> None:
    """`margin` and `swap` are the trading account too: whoever lists them all counts every coin once."""
    async with bench(wallets=["swap", "spot", "margin", "funding"]) as it:
        assert it.reader.wallets == ("spot", "funding")
    async with bench(wallets=["swap"]) as it:
        assert it.reader.wallets == ("spot",)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # oversold: the cash is negative, and so is the equity
        ({"eq": "-27.25", "cashBal": "-27", "liab": "27", "interest": "0.25", "availBal": "0"}, ("0", "0", "27.25", "-27.25")),
        # borrowed and still at hand, partly in an order
        ({"eq": "2.75", "cashBal": "33", "liab": "30", "interest": "0.25", "availBal": "1", "frozenBal": "32"}, ("1", "32", "30.25", "2.75")),
        # an equity that shows none of the debt
        ({"eq": "3", "cashBal": "3", "liab": "30", "interest": "0.25", "availBal": "1", "frozenBal": "2"}, ("1", "2", "30.25", "-27.25")),
        # owed only because positions are losing: the profit is the positions' matter
        ({"eq": "-400", "cashBal": "100", "upl": "-500", "liab": "400", "uplLiab": "400", "availBal": "0"}, ("100", "0", "0", "100")),
        # a profit is not a coin; isolated margin and bots' funds are
        ({"eq": "99.9", "cashBal": "94.4", "upl": "-0.1", "isoEq": "5.5", "availBal": "94.4", "frozenBal": "5.5"}, ("94.5", "5.5", "0", "100")),
        # as above, where the cash is told net of what was borrowed
        ({"eq": "0", "cashBal": "0", "liab": "100", "availBal": "100"}, ("100", "0", "100", "0")),
        ({"eq": "-27", "cashBal": "-27", "liab": "27", "availBal": ""}, ("0", "0", "27", "-27")),
        # what an isolated position owes is in its own equity
        ({"eq": "100", "cashBal": "80", "liab": "50", "isoLiab": "50", "availBal": "80"}, ("150", "0", "50", "100")),
        # more is held back than there is
        ({"eq": "5", "cashBal": "5", "availBal": "0", "frozenBal": "10"}, ("0", "5", "0", "5")),
        # spot mode leaves blank what it does not know
        ({"eq": "0.049", "cashBal": "0.049", "upl": "", "liab": "", "uplLiab": "", "isoLiab": "", "interest": "", "availBal": "0.049"}, ("0.049", "0", "0", "0.049")),
    ],
    ids=["oversold", "borrowed", "debt apart", "losing", "isolated", "net cash", "no avail", "isolated debt", "frozen", "spot"],
)  # fmt: skip
async def test_what_a_coin_of_the_trading_account_is(row: dict[str, str], expected: tuple[str, ...]) -> None:
    """Free, locked, debt and net of a currency in each state in which the venue shows one."""
    async with bench() as it:
        account = it.truth.account()
        account[0]["details"] = [account[0]["details"][1] | {"upl": "0"} | row]
        it.server.replies["/api/v5/account/balance"] = json.dumps({"code": "0", "data": account})
        (coin,) = (await it.reader.balances("spot")).value
    assert (coin.free, coin.locked, coin.debt, coin.net) == tuple(map(D, expected))


async def test_a_debt_below_zero_is_no_debt_at_all() -> None:
    """The venue gives what is owed as a positive amount: anything else is not understood."""
    async with bench() as it:
        it.truth.trading["SOL"].liab = D(-30)
        with pytest.raises(Unreadable, match="liab is below zero"):
            await it.reader.balances("spot")


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none, and needs no margin."""
    async with bench() as it:
        it.truth.trading, it.truth.positions, it.truth.funding, it.truth.savings = {}, {}, {}, {}
        for wallet in WALLETS:
            assert (await it.reader.balances(wallet)).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.positions == ()
    assert derivatives.margin == Margin(D(0), D(0), D(0))


@pytest.mark.parametrize("worth", ["0", "0.00000000638"])
async def test_crumbs_without_a_coin_are_an_empty_account(worth: str) -> None:
    """All but its worth is blank, and crumbs of it are listed nowhere: no coins, no positions, nothing to maintain."""
    names = ("adjEq", "borrowFroz", "imr", "mgnRatio", "mmr", "notionalUsd", "ordFroz", "upl")
    reply = {"code": "0", "msg": "", "data": [dict.fromkeys(names, "") | {"details": [], "totalEq": worth}]}
    async with bench() as it:
        it.truth.positions = {}
        it.server.replies["/api/v5/account/balance"] = json.dumps(reply)
        assert (await it.reader.balances("spot")).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert (derivatives.positions, derivatives.margin) == ((), Margin(D(worth), D(0)))


async def test_half_an_account_is_no_account() -> None:
    """A total without the currencies that make it up is a torn reply."""
    async with bench() as it:
        account = [it.truth.account()[0] | {"details": []}]
        it.server.replies["/api/v5/account/balance"] = json.dumps({"code": "0", "data": account})
        with pytest.raises(Unreadable, match="details is empty"):
            await it.reader.balances("spot")


async def test_positions_are_signed_contracts_with_profit_and_margin_in_the_quote() -> None:
    """A short is negative; an inverse contract's coins are turned into dollars at its mark; blank is unknown."""
    async with bench() as it:
        it.truth.positions["BTC-USD-SWAP"] = Held(D(-60), D(48000))
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    short, dated, inverse = read.value.positions
    assert short == Position(PERPETUAL, D(-20), D(3100), D(6000), D(200), D(30))
    assert dated == Position(DATED, D(5), D(3000), None, D(15), D("7.575"))
    assert (inverse.instrument, inverse.contracts, inverse.maintenance_margin) == (INVERSE, -60, 30)
    assert inverse.unrealised_pnl is not None
    assert round(inverse.unrealised_pnl, 9) == -1500  # 6,000 dollars' worth: 0.125 coins sold, 0.1 are owed back
    assert instruments[PERPETUAL].base_quantity(short.contracts, D(3000)) == -2
    assert instruments[INVERSE].base_quantity(inverse.contracts, D(60000)) == D("-0.1")
    assert instruments[INVERSE].notional(inverse.contracts, D(60000)) == -6000
    assert read.as_of == it.clock.now()


async def test_zero_is_how_the_venue_says_none() -> None:
    """A liquidation or entry price of zero is none; a mark of zero cannot be."""
    async with bench() as it:
        rows = it.truth.position_rows()[:1]
        rows[0] |= {"liqPx": "0", "avgPx": "0"}
        it.server.replies["/api/v5/account/positions"] = json.dumps({"code": "0", "data": rows})
        (position,) = (await it.reader.derivatives()).value.positions
        rows[0]["markPx"] = "0"
        it.server.replies["/api/v5/account/positions"] = json.dumps({"code": "0", "data": rows})
        with pytest.raises(Unreadable, match="markPx"):
            await it.reader.derivatives()
    assert (position.liquidation_price, position.entry_price) == (None, None)


@pytest.mark.parametrize("inst_id", ["ETH-USDT-SWAP", "ETH-USDT-261225", "BTC-USD-SWAP"])
@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.03", False), ("10", False)])
async def test_a_position_worth_something_else_is_not_trusted(inst_id: str, factor: str, trusted: bool) -> None:
    """Contracts times size times mark must agree with the venue's notional within 2 %, whichever the sign."""
    async with bench() as it:
        it.truth.positions = {inst_id: it.truth.positions[inst_id]}
        rows = it.truth.position_rows()
        rows[0]["notionalUsd"] = str(D(rows[0]["notionalUsd"]) * D(factor))
        it.server.replies["/api/v5/account/positions"] = json.dumps({"code": "0", "data": rows})
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


async def test_a_position_in_an_unlisted_contract_fails_the_read() -> None:
    """Without its listing a contract's size is unknown: the read names it and gives nothing."""
    async with bench() as it:
        rows = it.truth.position_rows()
        rows[0]["instId"] = "GONE-USDT-SWAP"
        it.server.replies["/api/v5/account/positions"] = json.dumps({"code": "0", "data": rows})
        with pytest.raises(Unreadable, match="GONE-USDT-SWAP"):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"posSide": "long"}, "hedge mode .* One-way mode"),
        (
            {"instType": "MARGIN", "instId": "ETH-USDT"},
            "ETH-USDT keeps its coins and its debt in a spot margin position",
        ),
        ({"instType": "OPTION", "instId": "BTC-USD-261225-60000-C"}, "BTC-USD-261225-60000-C .option."),
        ({"instId": "ETH-USDT-261225"}, "held both cross and isolated"),
    ],
)
async def test_what_a_person_has_to_change_is_refused(change: dict[str, str], says: str) -> None:
    """Hedge mode, spot margin, options and a contract held twice: the whole read is refused, with the way out."""
    async with bench() as it:
        rows = it.truth.position_rows()
        rows[0] |= change
        it.server.replies["/api/v5/account/positions"] = json.dumps({"code": "0", "data": rows})
        with pytest.raises(Refused, match=says):
            await it.reader.derivatives()


async def test_a_closed_position_that_is_still_listed_is_none() -> None:
    """The venue may go on listing what was closed, of kinds that cannot be read as well: zero is no position."""
    async with bench() as it:
        rows = it.truth.position_rows()[:1]
        closed = [
            {"instType": "MARGIN", "instId": "ETH-USDT"},
            {"instType": "OPTION", "instId": "X"},
            {},
            {"posSide": "short"},
        ]
        rows += [rows[0] | change | {"pos": "0"} for change in closed]
        it.server.replies["/api/v5/account/positions"] = json.dumps({"code": "0", "data": rows})
        assert len((await it.reader.derivatives()).value.positions) == 1


async def test_margin_of_a_shared_account_is_the_venues() -> None:
    """In multi-currency mode one adjusted equity backs all cross positions."""
    async with bench() as it:
        account = it.truth.account()[0]
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(D(account["adjEq"]), D("67.575"), D(account["availEq"]))


@pytest.mark.parametrize(
    ("change", "maintenance"),
    [
        ({"adjEq": "10000", "mmr": "30", "mgnRatio": "200"}, D(50)),  # liquidation costs are in the ratio
        ({"adjEq": "10000", "mmr": "30", "mgnRatio": "333.3"}, D(30)),  # the same but for rounding
        ({"adjEq": "10000", "mmr": "", "mgnRatio": "200"}, D(50)),
        ({"adjEq": "10000", "mmr": "", "mgnRatio": ""}, None),
    ],
)
async def test_the_venues_own_ratio_decides_where_it_is_tighter(
    change: dict[str, str], maintenance: Decimal | None
) -> None:
    """Liquidation comes at the venue's ratio of one, which counts more than maintenance; untold is unknown."""
    async with bench() as it:
        del it.truth.trading["SOL"]  # a debt alone would need margin
        account = [it.truth.account()[0] | change]
        it.server.replies["/api/v5/account/balance"] = json.dumps({"code": "0", "data": account})
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (margin.equity, margin.maintenance) == (10000, maintenance)


async def test_a_debt_without_positions_needs_margin_that_may_be_unknown() -> None:
    """A loan is liquidated too: without the venue's figure its maintenance is unknown, not zero."""
    async with bench() as it:
        it.truth.positions = {}
        account = [it.truth.account()[0] | {"mmr": "", "mgnRatio": ""}]
        it.server.replies["/api/v5/account/balance"] = json.dumps({"code": "0", "data": account})
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.maintenance is None


async def test_the_tightest_currency_decides_in_futures_mode() -> None:
    """Each currency backs its own contracts: here half a bitcoin against 6,000 dollars, not the dollars beside it."""
    async with bench() as it:
        it.truth.futures_mode = True
        it.truth.trading["BTC"] = Coin(D("0.03"))
        bitcoin = (await it.reader.derivatives()).value.margin
        del it.truth.positions["BTC-USD-SWAP"]
        dollars = (await it.reader.derivatives()).value.margin
    assert bitcoin is not None
    assert (bitcoin.equity.quantize(D("0.01")), bitcoin.maintenance) == (600, 30)  # 0.03 coins less 0.02 of loss
    assert dollars == Margin(D(10215), D("37.575"), D(10215))


async def test_a_currency_that_is_used_up_is_the_tightest() -> None:
    """Collateral at or below zero is beyond liquidation, whatever the others have."""
    async with bench() as it:
        it.truth.futures_mode = True
        it.truth.trading["BTC"] = Coin(D("0.01"))
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.equity.quantize(D("0.01")) == -600


async def test_a_coins_worth_has_to_be_told() -> None:
    """Coin collateral counts in dollars; without the venue's valuation there is no margin to show."""
    async with bench() as it:
        it.truth.futures_mode = True
        account = it.truth.account()
        account[0]["details"][2]["eqUsd"] = "0"
        it.server.replies["/api/v5/account/balance"] = json.dumps({"code": "0", "data": account})
        with pytest.raises(Unreadable, match="eqUsd and eq of BTC give no price"):
            await it.reader.derivatives()


async def test_bots_funds_and_bonus_credit_are_no_collateral() -> None:
    """What stands apart or was lent by the venue holds off no liquidation; a dollar of margin is taken as one."""
    async with bench() as it:
        it.truth.futures_mode = True
        it.truth.positions = {"ETH-USDT-SWAP": Held(D(-20), D(3000))}
        account = it.truth.account()
        account[0]["details"][1] |= {"stgyEq": "1000", "rewardBal": "500", "eqUsd": "9000"}
        it.server.replies["/api/v5/account/balance"] = json.dumps({"code": "0", "data": account})
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert margin.equity == 8500


async def test_an_isolated_position_may_be_the_tightest() -> None:
    """Its own margin and profit back it, whatever lies in the account; a coin margin counts at the mark."""
    async with bench() as it:
        dated = it.truth.positions["ETH-USDT-261225"]
        it.truth.positions["ETH-USDT-SWAP"] = Held(D(-20), D(3000), margin=D(100))
        linear = (await it.reader.derivatives()).value.margin
        wallet = (await it.reader.balances("spot")).value
        it.truth.positions = {"BTC-USD-SWAP": Held(D(-60), D(60000), margin=D("0.01"))}
        inverse = (await it.reader.derivatives()).value.margin
        it.truth.positions = {"ETH-USDT-SWAP": Held(D(-20), D(3000), margin=D(5000)), "ETH-USDT-261225": dated}
        it.truth.futures_mode, it.truth.trading = True, {"USDT": Coin(D(100))}
        beside = (await it.reader.derivatives()).value.margin
    assert beside == Margin(D(115), D("7.575"), D(115))  # of the dated one: the isolated margin is not its own
    assert linear == Margin(D(100), D(30))
    assert inverse == Margin(D(600), D(30))
    assert Balance("USDT", D(10100)) in wallet  # the margin set apart is still the user's


async def test_positions_in_a_currency_that_the_account_does_not_show_are_torn_data() -> None:
    """Collateral that is not in the reply cannot be taken for none."""
    async with bench() as it:
        it.truth.futures_mode = True
        del it.truth.trading["BTC"]
        with pytest.raises(Unreadable, match="details lacks BTC"):
            await it.reader.derivatives()
