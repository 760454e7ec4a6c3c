"""Real ccxt over real TLS to a local server that speaks OKX's dialect and checks signatures."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Margin, Position
from tests.support import ManualClock
from tests.venues.okx_bench import DATED, INVERSE, KEYS, PERPETUAL, WALLETS, Bench, bench
from tests.venues.okx_venue import Coin, Held

D = Decimal
DATED_INVERSE = InstrumentId("main:BTC/USD:BTC-261225")
COLD = [  # all that a first full read of three wallets, both types of contracts and one quote asks
    *["public/instruments"] * 3,
    "public/time",
    "account/balance",
    "account/positions",
    "asset/balances",
    "finance/savings/balance",
    *["public/mark-price"] * 2,
    *["market/tickers"] * 3,
    "public/funding-rate",
    "market/index-tickers",
]
WARM = [path for path in COLD if path not in {"public/instruments", "public/time"}]


async def test_lists_contracts_with_their_rules() -> None:
    """A linear contract is `ctVal` coins, an inverse one so many dollars; dated ones end when the venue says."""
    async with bench() as it:
        instruments = await it.market.instruments()
    assert instruments[PERPETUAL] == Instrument(
        id=PERPETUAL,
        account="main",
        symbol="ETH/USDT:USDT",
        kind=ContractKind.PERPETUAL,
        base="ETH",
        quote="USDT",
        settle="USDT",
        multiplier=D("0.1"),
        tick_size=D("0.01"),
        lot_size=D("0.01"),
        quantity_min=D("0.01"),
    )
    inverse = instruments[INVERSE]
    assert (inverse.linear, inverse.multiplier, inverse.quote, inverse.settle) == (False, 100, "USD", "BTC")
    assert (inverse.lot_size, inverse.quantity_min) == (1, 1)
    for dated in (instruments[DATED], instruments[DATED_INVERSE]):
        assert (dated.kind, dated.expiry) == (ContractKind.FUTURE, datetime(2026, 12, 25, 8, tzinfo=UTC))
        assert dated.delisting is None
    assert len(instruments) == 6


async def test_sees_a_delisting_and_a_halt() -> None:
    """A perpetual with an `expTime` is taken off then; a contract whose state is not live does not trade."""
    async with bench() as it:
        it.truth.delisting["SOL-USDT-SWAP"] = "1796115600000"
        it.truth.state["BTC-USDT-SWAP"] = "suspend"
        instruments = await it.market.instruments()
    solana = instruments[InstrumentId("main:SOL/USDT:USDT")]
    assert (solana.delisting, solana.expiry) == (datetime(2026, 12, 1, 9, tzinfo=UTC), None)
    assert not instruments[InstrumentId("main:BTC/USDT:USDT")].trading
    assert (instruments[PERPETUAL].delisting, instruments[PERPETUAL].trading) == (None, True)


@pytest.mark.parametrize(
    "change",
    [
        {"ctVal": ""},
        {"ctVal": "0"},
        {"ctMult": "0"},
        {"ctType": ""},
        {"ctValCcy": "USD"},
        {"lotSz": ""},
        {"tickSz": "0"},
        {"settleCcy": ""},
        {"uly": ""},
    ],
    ids=str,
)
async def test_a_contract_whose_size_is_not_clear_is_left_out(change: dict[str, str]) -> None:
    """Without value, type, step, or counted in another currency than its type says, it has no size; the rest stay."""
    async with bench() as it:
        _list_changed(it, "SOL-USDT-SWAP", change)
        instruments = await it.market.instruments()
    assert InstrumentId("main:SOL/USDT:USDT") not in instruments
    assert PERPETUAL in instruments


async def test_a_dated_contract_without_its_date_is_left_out() -> None:
    """ccxt gives it the symbol of the perpetual, in whose place it must not stand."""
    async with bench() as it:
        _list_changed(it, "ETH-USDT-261225", {"expTime": ""})
        instruments = await it.market.instruments()
    assert DATED not in instruments
    assert PERPETUAL not in instruments or instruments[PERPETUAL].kind is ContractKind.PERPETUAL


async def test_a_contract_multiplier_counts() -> None:
    """One contract is value times multiplier; a blank multiplier is one."""
    async with bench() as it:
        _list_changed(it, "SOL-USDT-SWAP", {"ctVal": "0.5", "ctMult": "10"})
        _list_changed(it, "BTC-USDT-SWAP", {"ctMult": ""})
        instruments = await it.market.instruments()
    assert instruments[InstrumentId("main:SOL/USDT:USDT")].multiplier == 5
    assert instruments[InstrumentId("main:BTC/USDT:USDT")].multiplier == D("0.01")


async def test_a_contract_settled_in_a_third_currency_is_linear_if_the_venue_says_so() -> None:
    """Dollar contracts settled in USDC are neither linear nor inverse to ccxt, but coins are what they count."""
    async with bench() as it:
        _list_changed(it, "SOL-USDT-SWAP", {"uly": "SOL-USD", "settleCcy": "USDC"})
        found = (await it.market.instruments())[InstrumentId("main:SOL/USD:USDC")]
    assert (found.linear, found.multiplier, found.settle) == (True, 1, "USDC")


def _list_changed(it: Bench, inst_id: str, change: dict[str, str]) -> None:
    listed = it.truth.instruments

    def instruments(kind: str) -> list[dict[str, Any]]:
        return [row | change if row["instId"] == inst_id else row for row in listed(kind)]

    it.truth.instruments = instruments  # type: ignore[method-assign]


async def test_quotes_carry_mark_book_index_and_funding() -> None:
    """Marks are of the venue's own time; funding has the interval that its times say; dated contracts have none."""
    solana = InstrumentId("main:SOL/USDT:USDT")
    async with bench() as it:
        it.truth.now = lambda: 1793620799000  # 2026-11-02 11:59:59: a second before our clock
        quotes = await it.market.quotes([PERPETUAL, solana, DATED, INVERSE, InstrumentId("main:NONE/USDT:USDT")])
    assert set(quotes) == {PERPETUAL, solana, DATED, INVERSE}
    quote = quotes[PERPETUAL].value
    assert quotes[PERPETUAL].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (3000, 3000, D("2999.7"), D("3000.3"))
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0001"), 8)
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert quotes[solana].value.funding_interval_hours == 4
    assert (quotes[INVERSE].value.mark, quotes[INVERSE].value.index) == (60000, 60000)
    dated = quotes[DATED].value
    assert (dated.mark, dated.funding_rate, dated.funding_interval_hours, dated.funding_next) == (
        3030,
        None,
        None,
        None,
    )


async def test_a_long_dated_contract_that_pays_funding_has_its_rate() -> None:
    """What the venue calls XPERP is listed as dated and still pays."""
    name = InstrumentId("main:ETH/USDT:USDT-310404")
    async with bench() as it:
        change = {"instId": "ETH-USDT_UM_XPERP-310404", "expTime": "1933056000000", "ruleType": "xperp"}
        _list_changed(it, "ETH-USDT-261225", change)
        end = {"prevFundingTime": "1793606400000", "fundingTime": "1793635200000", "nextFundingTime": "1793649600000"}
        rate = {"instId": change["instId"], "fundingRate": "-0.0002", **end}
        it.truth.funding_rates = lambda: [rate]  # type: ignore[method-assign]
        mark = {"instId": change["instId"], "markPx": "3000", "ts": "1793620800000"}
        it.truth.mark_prices = lambda _kind: [mark]  # type: ignore[method-assign]
        quotes = await it.market.quotes([name])
    assert (quotes[name].value.funding_rate, quotes[name].value.funding_interval_hours) == (D("-0.0002"), 8)


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ("public/funding-rate", {"prevFundingTime": "1793700000000"}, "fundingTime is not between"),
        ("market/tickers", {"bidPx": "-1"}, "bidPx is below zero"),
    ],
)
async def test_impossible_figures_are_unreadable(path: str, change: dict[str, str], says: str) -> None:
    """A period that ends before it begins, a price below zero: nothing is made of them."""
    async with bench() as it:
        rows = it.truth.funding_rates() if path == "public/funding-rate" else it.truth.tickers("SWAP")
        data = [row | change for row in rows]
        it.server.replies[f"/api/v5/{path}"] = json.dumps({"code": "0", "data": data})
        with pytest.raises(Unreadable, match=says):
            await it.market.quotes([PERPETUAL])


async def test_a_quote_without_indices_has_none() -> None:
    """The venue lists indices by four quotes; for another one it is not asked, and the rest is read."""
    async with bench() as it:
        _list_changed(it, "SOL-USDT-SWAP", {"uly": "SOL-EUR", "settleCcy": "EUR"})
        name = InstrumentId("main:SOL/EUR:EUR")
        quote = (await it.market.quotes([name]))[name].value
        assert "market/index-tickers" not in it.paths()
    assert (quote.mark, quote.index) == (150, None)


async def test_a_crossed_or_empty_book_is_no_book() -> None:
    """A bid above the ask is torn data; a blank is the venue's way to say that nobody bids."""
    async with bench() as it:
        rows = it.truth.tickers("SWAP")
        rows[0]["bidPx"] = rows[1]["bidPx"] = ""
        rows[1]["bidPx"] = "3100"
        it.server.replies["/api/v5/market/tickers"] = json.dumps({"code": "0", "msg": "", "data": rows})
        quotes = await it.market.quotes([PERPETUAL, InstrumentId("main:BTC/USDT:USDT")])
    bitcoin = quotes[InstrumentId("main:BTC/USDT:USDT")].value
    assert (quotes[PERPETUAL].value.bid, quotes[PERPETUAL].value.ask) == (None, None)
    assert (bitcoin.bid, bitcoin.ask) == (None, D(60006))


async def test_prices_only_what_trades_against_the_quote() -> None:
    """An asset is priced by its trading spot market, as of the venue's time; halted and priceless ones are absent."""
    async with bench() as it:
        it.truth.state["SOL-USDT"] = "suspend"
        it.truth.prices["BTC"] = D(0)
        it.truth.now = lambda: 1793620799000
        prices = await it.market.prices(["ETH", "BTC", "USDC", "SOL", "NONE", "USDT"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}
    assert prices["ETH"].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)


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
        ({"posSide": "short", "pos": "0"}, "hedge mode"),
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
        closed = [{"instType": "MARGIN", "instId": "ETH-USDT"}, {"instType": "OPTION", "instId": "X"}, {}]
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


async def test_tiers_are_the_venues_in_dollars() -> None:
    """Floors in contracts become notionals at the mark, five families in a request; inverse ones need no mark."""
    async with bench() as it:
        markets = await it.opened._line.markets()
        it.paths()
        tiers = await it.dialect.tiers(it.connection, markets.contracts)
        asked = it.paths()
        it.truth.prices["SOL"] = D(0)
        marks = [row for row in it.truth.mark_prices("SWAP") if not row["instId"].startswith("SOL")]
        it.server.replies["/api/v5/public/mark-price"] = json.dumps({"code": "0", "data": marks})
        without = await it.dialect.tiers(it.connection, markets.contracts)
    assert set(tiers) - set(without) == {DATED, InstrumentId("main:SOL/USDT:USDT")}
    assert set(tiers) == set(markets.instruments)
    assert tiers[PERPETUAL] == (
        MarginTier(D(0), D("0.004"), D(100)),
        MarginTier(D(300_000), D("0.005"), D(75)),
        MarginTier(D(6_000_000), D("0.01"), D(50)),
    )
    assert [tier.notional_floor for tier in tiers[INVERSE]] == [0, 100_000, 2_000_000]
    assert [tier.notional_floor for tier in tiers[DATED]] == [0, 303_000, 6_060_000]
    assert sorted(asked) == ["public/mark-price"] * 2 + ["public/position-tiers"] * 2


@pytest.mark.parametrize(
    ("perm", "ip", "expected"),
    [
        ("read_only", "", Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        ("read_only,trade", "1.2.3.4", Permissions(read=True, trade=True, withdraw=False, bound_to_address=True)),
        ("another", "", Permissions(read=False, trade=False, withdraw=False, bound_to_address=False)),
        ("read_only, withdraw,trade", "", Permissions(read=True, trade=True, withdraw=True, bound_to_address=False)),
    ],
)
async def test_tells_what_the_key_may_do(perm: str, ip: str, expected: Permissions) -> None:
    """Reading, trading, withdrawing, and whether only some addresses may use the key."""
    async with bench() as it:
        it.truth.perm, it.truth.ip = perm, ip
        await it.reader.balances("spot")
        assert await it.dialect.permissions(it.connection) == expected


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Fifteen requests for the first full read, eleven for each later one, none of them a write."""
    async with bench() as it:
        await _read_everything(it)
        assert sorted(it.paths()) == sorted(COLD)
        assert len(COLD) == 15
        it.clock.advance(60)
        await _read_everything(it)
        assert sorted(it.paths()) == sorted(WARM)
        assert len(WARM) == 11
        assert it.server.writes == []


async def _read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not {"account/balance", "asset/currencies", "public/time"} & set(it.paths())


async def test_the_sandbox_is_the_venues_demo_system() -> None:
    """With `sandbox` requests carry the demo header; a key of the other system is refused with the reason."""
    async with bench(sandbox=True) as it:
        it.server.demo_key = True
        assert (await it.reader.balances("spot")).value
        it.server.demo_key = False
        with pytest.raises(Refused, match="demo keys need sandbox"):
            await it.reader.balances("spot")


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for without losing a read."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.balances("spot")
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.balances("spot")
        assert it.paths() == ["account/balance", "public/time", "account/balance"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"apiKey": "unknown-key"}, "the venue does not know this key"),
        ({"secret": "wrong"}, "the secret does not belong to this key"),
        ({"password": "wrong"}, "the password is not this key's passphrase"),
    ],
)
async def test_a_wrong_key_is_refused(change: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=KEYS | change) as it:
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read


async def test_the_passphrase_is_needed() -> None:
    """A credentials file without it is a configuration error that names it."""
    with pytest.raises(ConfigurationError, match="account main: .* lacks password, which okx needs"):
        await open_ccxt("main", "okx", ["spot"], {"apiKey": "a", "secret": "b"}, clock=ManualClock())


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (401, "50110", Refused, "bound to another address"),
        (401, "50119", Refused, "the key does not exist"),
        (403, "50030", Refused, "allow reading for it"),
        (200, "50120", Refused, "allow reading for it"),
        (200, "51000", Refused, "51000"),
        (429, "50011", Unreachable, "asked to slow down"),
        (503, "50001", Unreachable, "50001"),
        (200, "50026", Unreachable, "50026"),
        (200, "50004", Unreachable, "50004"),
        (200, "58350", Unreadable, "58350"),
        (200, "99999", Unreadable, "99999"),
        (200, None, Unreadable, "HTTP 200"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(
    status: int, code: str | None, kind: type[Exception], says: str
) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        body = {"code": code, "msg": "the venue says no", "data": []}
        it.server.responses["/api/v5/account/balance"] = {"status": status, "text": json.dumps(body)}
        with pytest.raises(kind, match=f"main: trading account: .*{says}"):
            await it.reader.balances("spot")
