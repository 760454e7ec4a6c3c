"""Real ccxt over real TLS to a local server that speaks Bybit's dialect and checks signatures."""

from __future__ import annotations

import asyncio
from collections import Counter
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
from tests.venues.bybit_bench import (
    DATED,
    IN_USDC,
    INVERSE,
    INVERSE_DATED,
    KEYS,
    PERPETUAL,
    Bench,
    bench,
)
from tests.venues.bybit_venue import Coin, Held

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")
WARM = Counter(
    {
        "/v5/account/wallet-balance": 1,  # coins and margin share it
        "/v5/position/list": 6,  # three segments; behind the rows of each the venue announces a further page
        "/v5/asset/transfer/query-account-coins-balance": 1,
        "/v5/earn/position": 2,
        "/v5/market/tickers": 3,
    }
)
COLD = WARM + Counter({"/v5/market/instruments-info": 5, "/v5/market/time": 1})


def patch_row(it: Bench, path: str, name: str, found: dict[str, str], **fields: Any) -> None:
    """Change fields of the rows in `name` that have what is in `found`; a field set to ... is taken out."""

    def change(asked: str, parameters: dict[str, str], result: dict[str, Any]) -> None:
        if asked != path:
            return
        for row in result[name]:
            for inner in (row, *row.get("coin", ())):
                if all(inner.get(key) == value for key, value in found.items()):
                    inner.update(fields)
                    for key in [key for key, value in fields.items() if value is ...]:
                        del inner[key]

    it.server.patch = change


async def read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED, IN_USDC, INVERSE, INVERSE_DATED]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_lists_contracts_with_their_rules() -> None:
    """Linear contracts are counted in coins, inverse ones in dollars whatever their smallest order."""
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
        multiplier=D(1),
        tick_size=D("0.01"),
        lot_size=D("0.01"),
        quantity_min=D("0.01"),
        notional_min=D(5),
    )
    inverse = instruments[InstrumentId("main:ETH/USD:ETH")]
    assert (inverse.linear, inverse.settle, inverse.multiplier, inverse.quantity_min) == (False, "ETH", 1, 10)
    assert inverse.notional_min == 0
    assert instruments[IN_USDC].settle == "USDC"
    for dated in (DATED, INVERSE_DATED):
        assert instruments[dated].kind is ContractKind.FUTURE
        assert instruments[dated].expiry == datetime(2026, 12, 25, 8, tzinfo=UTC)
    assert len(instruments) == 9


async def test_sees_a_delisting_and_a_halt() -> None:
    """A perpetual with a delivery time is being delisted then; one whose status is not Trading does not trade."""
    async with bench() as it:
        it.truth.delivery["SOLUSDT"] = 1796115600000
        it.truth.contract_status["BTCUSD"] = "Closed"
        instruments = await it.market.instruments()
    assert instruments[SOLANA].delisting == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert (instruments[SOLANA].kind, instruments[SOLANA].expiry) == (ContractKind.PERPETUAL, None)
    assert not instruments[INVERSE].trading
    assert instruments[PERPETUAL].trading
    assert instruments[PERPETUAL].delisting is None


@pytest.mark.parametrize(
    ("symbol", "fields"),
    [
        ("SOLUSDT", {"lotSizeFilter": {"qtyStep": "0", "minOrderQty": "0.1"}}),
        ("SOLUSDT", {"lotSizeFilter": {"qtyStep": "0.1"}}),
        ("SOLUSDT", {"lotSizeFilter": {"qtyStep": "0.1", "minOrderQty": "0.1", "minNotionalValue": "five"}}),
        ("SOLUSDT", {"priceFilter": {}}),
        ("SOLUSDT", {"deliveryTime": ...}),
    ],
)
async def test_a_contract_without_rules_is_left_out(symbol: str, fields: dict[str, Any]) -> None:
    """A contract whose step or minimum cannot be read is not listed rather than given an invented one."""
    async with bench() as it:
        patch_row(it, "/v5/market/instruments-info", "list", {"symbol": symbol}, **fields)
        instruments = await it.market.instruments()
    assert PERPETUAL in instruments
    assert len(instruments) == 8


async def test_a_dated_contract_without_its_date_is_no_perpetual() -> None:
    """ccxt would list it under the perpetual's symbol: it is left out."""
    async with bench() as it:
        patch_row(it, "/v5/market/instruments-info", "list", {"symbol": "BTCUSDZ26"}, deliveryTime="0")
        markets = await it.opened._line.markets()
    assert "BTCUSDZ26" not in markets.contracts
    assert INVERSE_DATED not in markets.instruments


async def test_quotes_carry_mark_book_and_funding() -> None:
    """Marks are of the venue's own time; the funding interval is the listing's, dated contracts have none."""
    async with bench() as it:
        it.truth.now = lambda: 1793620799000  # 2026-11-02 11:59:59: a second before our clock
        quotes = await it.market.quotes([PERPETUAL, SOLANA, DATED, INVERSE, InstrumentId("main:NONE/USDT:USDT")])
    assert set(quotes) == {PERPETUAL, SOLANA, DATED, INVERSE}
    quote = quotes[PERPETUAL].value
    assert quotes[PERPETUAL].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (3000, 3000, D("2999.7"), D("3000.3"))
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0001"), 8)
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert quotes[SOLANA].value.funding_interval_hours == 4
    assert (quotes[INVERSE].value.mark, quotes[INVERSE].value.funding_interval_hours) == (60000, 8)
    dated = quotes[DATED].value
    assert (dated.mark, dated.funding_rate, dated.funding_interval_hours, dated.funding_next) == (
        3030,
        None,
        None,
        None,
    )


async def test_only_the_categories_that_are_wanted_are_asked() -> None:
    """One request for all linear contracts, none for inverse ones that nobody wants."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        await it.market.quotes([PERPETUAL, SOLANA, DATED, IN_USDC])
        assert it.paths() == ["/v5/market/tickers"]


async def test_the_tickers_own_funding_interval_is_fresher() -> None:
    """Where the ticker names the interval it counts: it changes between two listings."""
    async with bench() as it:
        patch_row(it, "/v5/market/tickers", "list", {"symbol": "ETHUSDT"}, fundingIntervalHour="1")
        quotes = await it.market.quotes([PERPETUAL, SOLANA])
    assert quotes[PERPETUAL].value.funding_interval_hours == 1
    assert quotes[SOLANA].value.funding_interval_hours == 4


@pytest.mark.parametrize(
    ("fields", "bid", "ask"),
    [
        ({"bid1Price": "3100"}, None, None),
        ({"bid1Price": ""}, None, D("3000.3")),
        ({"bid1Price": "0"}, None, D("3000.3")),
        ({"bid1Price": ..., "ask1Price": ...}, None, None),
    ],
)
async def test_a_crossed_or_empty_book_is_no_book(fields: dict[str, Any], bid: D | None, ask: D | None) -> None:
    """A bid above the ask is torn data; blank and zero are the venue's way to say that nobody bids."""
    async with bench() as it:
        patch_row(it, "/v5/market/tickers", "list", {"symbol": "ETHUSDT"}, **fields)
        quote = (await it.market.quotes([PERPETUAL]))[PERPETUAL].value
    assert (quote.bid, quote.ask, quote.mark) == (bid, ask, 3000)


@pytest.mark.parametrize("mark", ["", "0", "-1", None, ...])
async def test_without_a_mark_there_is_no_quote(mark: Any) -> None:
    """A last price or an entry is no mark: the read fails."""
    async with bench() as it:
        patch_row(it, "/v5/market/tickers", "list", {"symbol": "ETHUSDT"}, markPrice=mark)
        with pytest.raises(Unreadable, match="markPrice"):
            await it.market.quotes([PERPETUAL])


async def test_prices_only_what_trades_against_the_quote() -> None:
    """An asset is priced by its trading spot market; halted, unlisted and priceless ones are absent, never zero."""
    async with bench() as it:
        it.truth.spot_status["UNI"] = "Closed"
        it.truth.prices["AAVE"] = D(0)
        it.truth.now = lambda: 1793620799000
        prices = await it.market.prices(["ETH", "USDC", "UNI", "AAVE", "NONE", "USDT"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}
    assert prices["ETH"].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)


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


async def test_positions_of_every_segment_are_signed() -> None:
    """Longs and shorts in USDT, USDC and inverse, perpetual and dated; money is in the quote currency throughout."""
    async with bench() as it:
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    found = {position.instrument: position for position in read.value.positions}
    assert found[PERPETUAL] == Position(
        instrument=PERPETUAL,
        contracts=D(-2),
        entry_price=D(3100),
        liquidation_price=D(6000),
        unrealised_pnl=D(200),
        maintenance_margin=D(30),
    )
    assert found[INVERSE] == Position(
        instrument=INVERSE,
        contracts=D(-30000),
        entry_price=D(50000),
        liquidation_price=D(120000),
        unrealised_pnl=D(-6000),  # −0.1 BTC at the mark
        maintenance_margin=D(150),  # 0.0025 BTC at the mark
    )
    assert {name: position.contracts for name, position in found.items()} == {
        PERPETUAL: D(-2),
        SOLANA: D(40),
        DATED: D("-1.5"),
        IN_USDC: D("0.25"),
        INVERSE: D(-30000),
        INVERSE_DATED: D(6000),
    }
    assert all(position.trusted for position in found.values())
    assert instruments[INVERSE].base_quantity(found[INVERSE].contracts, D(60000)) == D("-0.5")
    assert instruments[PERPETUAL].base_quantity(found[PERPETUAL].contracts, D(3000)) == D(-2)
    assert read.as_of == it.clock.now()


async def test_margin_is_the_accounts() -> None:
    """Equity and maintenance of all coins and positions together, in dollars."""
    async with bench() as it:
        it.truth.coins = {"USDT": Coin(D(10000))}
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100))}
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(equity=D(10200), maintenance=D(30), available=D(10140))


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


@pytest.mark.parametrize("name", ["accountMMRate", "totalMaintenanceMargin", "totalEquity"])
async def test_half_blank_margin_is_unreadable(name: str) -> None:
    """One blank field is a torn reply, not isolated margin."""
    async with bench() as it:
        patch_row(it, "/v5/account/wallet-balance", "list", {"accountType": "UNIFIED"}, **{name: ""})
        with pytest.raises(Unreadable, match=name):
            await it.reader.derivatives()


async def test_fields_that_the_venue_leaves_out_stay_unknown() -> None:
    """Blank, zero or missing optional fields are None: no liquidation price of zero, no maintenance of nothing."""
    gone = {"liqPrice": "0", "unrealisedPnl": "", "positionMM": ..., "markPrice": ""}
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, **gone)
        found = {p.instrument: p for p in (await it.reader.derivatives()).value.positions}
        assert found[PERPETUAL] == Position(PERPETUAL, D(-2), entry_price=D(3100))
        patch_row(it, "/v5/position/list", "list", {"symbol": "BTCUSD"}, markPrice="")
        found = {p.instrument: p for p in (await it.reader.derivatives()).value.positions}
        assert (found[INVERSE].unrealised_pnl, found[INVERSE].maintenance_margin) == (None, None)
        assert found[INVERSE].trusted


@pytest.mark.parametrize("market_id", ["ETHUSDT", "BTCUSD"])
@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.05", False), ("100", False)])
async def test_a_position_worth_something_else_is_not_trusted(market_id: str, factor: str, trusted: bool) -> None:
    """The venue's value of a position, in dollars or coins, must agree with its size within 2 %."""
    async with bench() as it:
        it.truth.positions = {market_id: Held(D(-2), it.truth.mark(market_id))}
        value = D(it.truth._position(market_id)["positionValue"]) * D(factor)
        patch_row(it, "/v5/position/list", "list", {"symbol": market_id}, positionValue=str(value))
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


@pytest.mark.parametrize("price", ["entry", "mark"])
async def test_the_value_may_be_of_the_entry_or_of_the_mark(price: str) -> None:
    """The venue values positions at their entry; a value at the mark is as right."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(2000))}
        value = "4000" if price == "entry" else "6000"
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, positionValue=value)
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted


async def test_a_position_that_cannot_be_checked_is_not_trusted() -> None:
    """Without entry and mark nothing confirms the size."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, avgPrice="", markPrice="")
        found = {p.instrument: p for p in (await it.reader.derivatives()).value.positions}
    assert not found[PERPETUAL].trusted
    assert found[SOLANA].trusted


async def test_a_position_in_an_unlisted_symbol_fails_the_read() -> None:
    """Without its listing a contract's size is unknown: the read names the symbol and gives nothing."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHPERP"}, symbol="GONEPERP")
        with pytest.raises(Unreadable, match="GONEPERP"):
            await it.reader.derivatives()


@pytest.mark.parametrize("side", ["", "None", "buy"])
async def test_a_position_without_a_side_fails_the_read(side: str) -> None:
    """A position whose direction is not told is not guessed."""
    async with bench() as it:
        patch_row(it, "/v5/position/list", "list", {"symbol": "ETHUSDT"}, side=side)
        with pytest.raises(Unreadable, match="side"):
            await it.reader.derivatives()


async def test_hedge_mode_is_refused_with_the_way_out() -> None:
    """Two positions in one contract are not read as one; the message tells what to switch."""
    async with bench() as it:
        it.truth.hedge_mode = True
        with pytest.raises(Refused, match="Position Mode → One-Way Mode"):
            await it.reader.derivatives()


async def test_every_page_of_every_segment_is_read() -> None:
    """Positions come in pages with a cursor, which is followed to its end."""
    async with bench() as it:
        right = (await it.reader.derivatives()).value
        it.truth.page = 1
        assert (await it.reader.derivatives()).value == right


async def test_a_page_that_moved_is_not_counted_twice() -> None:
    """The same row on two pages is one position; two rows that differ fail the read."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100))}
        sizes = iter(["2", "2", "2", "2", "2", "3"])

        def again(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
            if path == "/v5/position/list" and asked.get("settleCoin") == "USDT":
                row = {**it.truth._position("ETHUSDT"), "size": next(sizes)}
                result.update(list=[row, row], nextPageCursor="" if "cursor" in asked else "1")

        it.server.patch = again
        assert len((await it.reader.derivatives()).value.positions) == 1
        assert len((await it.reader.derivatives()).value.positions) == 1
        with pytest.raises(Unreadable, match="two different positions in ETHUSDT"):
            await it.reader.derivatives()


async def test_pages_without_end_are_given_up() -> None:
    """A venue that always announces a further page does not hold the read for ever, nor is any of it believed."""
    async with bench() as it:

        def endless(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
            if path == "/v5/position/list":
                number = int(asked.get("cursor", "0")) + 1
                result.update(list=[{**it.truth._position("ETHUSDT"), "seq": number}], nextPageCursor=str(number))

        it.server.patch = endless
        with pytest.raises(Unreadable, match="more than 20 pages"):
            await it.reader.derivatives()


async def test_a_segment_that_fails_leaves_no_positions() -> None:
    """Two of three segments are not a portfolio: the read fails as a whole."""
    async with bench() as it:

        def fail(path: str, asked: dict[str, str], result: dict[str, Any]) -> None:
            if asked.get("category") == "inverse" and path == "/v5/position/list":
                result["list"] = None

        it.server.patch = fail
        with pytest.raises(Unreadable, match="positions"):
            await it.reader.derivatives()


async def test_a_linear_contract_in_another_coin_is_a_segment_of_its_own() -> None:
    """Positions are asked for by settlement coin: a coin that the venue adds is asked for, too."""
    async with bench() as it:
        asked: list[str | None] = []

        def record(path: str, parameters: dict[str, str], result: dict[str, Any]) -> None:
            if path == "/v5/position/list" and "cursor" not in parameters:
                asked.append(parameters.get("settleCoin"))
            for row in result.get("list", ()):
                if path == "/v5/market/instruments-info" and row["symbol"] == "XRPUSDT":
                    row.update(quoteCoin="USDE", settleCoin="USDE")

        it.server.patch = record
        await it.reader.derivatives()
    assert sorted(asked, key=str) == [None, "USDC", "USDE", "USDT"]


async def test_half_a_wallet_is_no_wallet() -> None:
    """Equity without the coins that make it up, or another account's row, is a torn reply."""
    for fields, says in (({"coin": []}, "coin is empty"), ({"accountType": "CONTRACT"}, "one unified account")):
        async with bench() as it:
            patch_row(it, "/v5/account/wallet-balance", "list", {"accountType": "UNIFIED"}, **fields)
            for read in (it.reader.balances("spot"), it.reader.derivatives()):
                with pytest.raises(Unreadable, match=says):
                    await read


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Nineteen requests for the first full read with all wallets, thirteen for each later one, none of them a write."""
    async with bench() as it:
        await read_everything(it)
        assert Counter(it.paths()) == COLD
        assert COLD.total() == 19
        it.clock.advance(60)
        await read_everything(it)
        assert Counter(it.paths()) == WARM
        assert WARM.total() == 13
        assert it.server.writes == []


async def test_the_default_wallets_without_positions_take_seven() -> None:
    """One for coins and margin, three for the empty segments, three for tickers."""
    async with bench(wallets=["spot", "swap"]) as it:
        it.truth.positions = {}
        await read_everything(it)
        it.paths()
        await read_everything(it)
        assert len(it.paths()) == 7


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert set(it.paths()) == {"/v5/market/instruments-info", "/v5/market/tickers"}


async def test_the_sandbox_is_the_testnet() -> None:
    """With `sandbox` every request goes to the venue's test system."""
    async with bench(sandbox=True) as it:
        assert (await it.reader.balances("spot")).value
        assert "api-testnet" in it.exchange.last_request_url


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for without losing a read."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.balances("spot")
        it.clock.set(it.clock.now() + timedelta(days=30))
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.balances("spot")
        assert it.paths() == ["/v5/account/wallet-balance", "/v5/market/time", "/v5/account/wallet-balance"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"apiKey": "z" * 18, "secret": KEYS["secret"]}, "does not know this key .*: 10003 API key is invalid"),
        ({"apiKey": KEYS["apiKey"], "secret": "wrong"}, "the secret does not belong to this key: 10004"),
    ],
)
async def test_a_wrong_key_is_refused(keys: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=keys) as it:
        for read in (it.reader.balances("spot"), it.reader.balances("funding"), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (10005, Refused, "allow reading this wallet"),
        (10010, Refused, "bound to another address"),
        (10024, Refused, "compliance"),
        (10028, Refused, "not a unified trading account"),
        (33004, Refused, "expired"),
        (10001, Refused, "10001 said"),
        (10006, Unreachable, "10006 said"),
        (10016, Unreachable, "the venue cannot answer now: 10016 said"),
        (10000, Unreachable, "the venue cannot answer now: 10000 said"),
        (99999, Unreadable, "99999 said"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(code: int, kind: type[Exception], says: str) -> None:
    """All of them come with status 200: what a person has to mend, what passes by itself, what nobody knows."""
    async with bench() as it:
        await it.reader.balances("spot")
        text = f'{{"retCode": {code}, "retMsg": "said", "result": {{}}, "time": 1793620800000}}'
        it.server.replies["/v5/account/wallet-balance"] = text
        with pytest.raises(kind, match=f"main: unified wallet: .*{says}"):
            await it.reader.balances("spot")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({}, Permissions(read=True, trade=False, withdraw=False, bound_to_address=True, expires=None)),
        (
            {
                "readOnly": 0,
                "permissions": {"ContractTrade": ["Order"], "Wallet": ["AccountTransfer", "Withdraw"]},
                "ips": ["*"],
                "expiredAt": "2027-02-01T03:21:05Z",
            },
            Permissions(True, True, True, False, datetime(2027, 2, 1, 3, 21, 5, tzinfo=UTC)),
        ),
        (
            {"readOnly": 0, "permissions": {"ContractTrade": ["Position"], "Wallet": []}, "ips": [], "expiredAt": ""},
            Permissions(True, False, False, False, None),
        ),
        ({"readOnly": 0, "permissions": {}, "ips": None}, Permissions(True, None, None, None, None)),
    ],
)
async def test_tells_what_the_key_may_do(key: dict[str, Any], expected: Permissions) -> None:
    """A read-only key may nothing else; what the venue does not say is unknown."""
    async with bench() as it:
        it.truth.key.update(key)
        assert await it.dialect.permissions(it.connection) == expected


async def test_margin_tiers_are_the_venues() -> None:
    """Each bracket starts where the one below ends; inverse ones, which count in coins, stay unknown."""
    async with bench() as it:
        markets = await it.opened._line.markets()
        it.paths()
        tiers = await it.dialect.tiers(it.connection, markets.contracts)
        linear = [contract.id for contract in markets.contracts.values() if contract.linear]
        assert set(tiers) == set(linear)
        assert it.paths() == ["/v5/market/risk-limit"] * len(linear)
    assert tiers[PERPETUAL] == (
        MarginTier(D(0), D("0.005"), D("100")),
        MarginTier(D(2000000), D("0.0056"), D("90")),
    )


async def test_tiers_in_percent_are_fractions_all_the_same() -> None:
    """The venue's examples give the rates as fractions and as percent; leverage tells which."""
    async with bench() as it:
        markets = await it.opened._line.markets()
        wanted = {"ETHUSDT": markets.contracts["ETHUSDT"]}
        patch_row(
            it, "/v5/market/risk-limit", "list", {"maxLeverage": "100.00"}, maintenanceMargin="0.5", initialMargin="1"
        )
        assert (await it.dialect.tiers(it.connection, wanted))[PERPETUAL][0].maintenance_margin_rate == D("0.005")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wallets": ["spot", "vault"]}, "wallets = vault .* earn, funding, margin, spot, swap"),
        ({"credentials": {"apiKey": "x"}}, "lacks secret"),
    ],
)
async def test_what_cannot_be_opened_is_a_configuration_error(change: dict[str, Any], says: str) -> None:
    """Each names the account, the value and what is allowed."""
    given = {"account": "main", "exchange": "bybit", "wallets": ["spot"], "credentials": KEYS, **change}
    with pytest.raises(ConfigurationError, match=f"account main: .*{says}"):
        await open_ccxt(clock=ManualClock(), **given)
