"""Real ccxt over real TLS to a local Kraken Futures: what is asked, what it means, and how the venue says no."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, InstrumentId, MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Doubt, Margin, Position
from tests.support import T0, ManualClock
from tests.venues.bench import Bench
from tests.venues.krakenfutures_bench import DATED, DATED_INVERSE, INVERSE, KEYS, PERPETUAL, WALLETS, bench, same
from tests.venues.krakenfutures_server import KrakenFuturesServer
from tests.venues.krakenfutures_venue import Held
from tests.venues.same import PLAIN

D = Decimal
API = "/derivatives/api/v3"
WARM = [f"{API}/accounts", f"{API}/openpositions", f"{API}/tickers"]
It = Bench[KrakenFuturesServer]


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Five requests for the first full read of both wallets, three for each later one, none of them a write."""
    async with bench() as it:
        await _read_everything(it)
        assert sorted(it.paths()) == sorted([*WARM, f"{API}/instruments", f"{API}/tickers/PF_XBTUSD"])
        it.clock.advance(60)
        await _read_everything(it)
        assert sorted(it.paths()) == sorted(WARM)
        assert it.server.writes == []


async def _read_everything(it: It) -> None:
    it.truth.positions.pop("PI_XBTUSD", None)  # the index price of its coin would be one more
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED]),
        it.market.prices(["ETH", "SOL"], "USD"),
    )


async def test_lists_contracts_with_their_rules() -> None:
    """A linear contract is a coin, an inverse one a dollar; dated ones end when the venue says; a halt shows."""
    async with bench() as it:
        it.truth.halted = {"PF_SOLUSD"}
        instruments = await it.market.instruments()
    assert set(instruments) == {
        PERPETUAL, DATED, INVERSE, DATED_INVERSE, "main:BTC/USD:USD", "main:SOL/USD:USD",
    }  # fmt: skip
    ether = instruments[PERPETUAL]
    assert (ether.base, ether.quote, ether.settle, ether.linear, ether.multiplier) == ("ETH", "USD", "USD", True, 1)
    assert (ether.tick_size, ether.lot_size, ether.quantity_min) == (D("0.1"), D("0.001"), D("0.001"))
    bitcoin = instruments[INVERSE]
    assert (bitcoin.linear, bitcoin.settle, bitcoin.multiplier, bitcoin.lot_size) == (False, "BTC", 1, 1)
    for name in (DATED, DATED_INVERSE):
        assert instruments[name].kind is ContractKind.FUTURE
        assert instruments[name].expiry == datetime(2026, 12, 25, 16, tzinfo=UTC)
    assert [name for name, each in instruments.items() if not each.trading] == ["main:SOL/USD:USD"]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "options"},
        {"contractSize": 0},
        {"contractSize": None},
        {"tickSize": None},
        {"symbol": "PF_SOLEUR"},
        {"symbol": "FF_SOLUSD_261225"},
        {"contractValueTradePrecision": None},
        {"tradeable": None},
    ],
    ids=str,
)
async def test_a_contract_whose_size_is_not_clear_is_left_out(change: dict[str, Any]) -> None:
    """Of another kind, without size or step, in another currency, dated without a date: not listed; the rest stay."""
    async with bench() as it:
        rows = [row | change if row["symbol"] == "PF_SOLUSD" else row for row in it.truth.instruments()]
        it.server.replies[f"{API}/instruments"] = json.dumps({"result": "success", "instruments": rows})
        instruments = await it.market.instruments()
    assert not [name for name in instruments if "SOL" in name]
    assert PERPETUAL in instruments


async def test_quotes_are_of_the_venues_time_with_relative_funding() -> None:
    """An hour's funding is an amount: over the index for a linear contract, times it for an inverse one."""
    async with bench() as it:
        told_at = it.clock.now() - timedelta(seconds=1)
        it.truth.now = lambda: int(told_at.timestamp() * 1000)
        quotes = await it.market.quotes([PERPETUAL, DATED, INVERSE, InstrumentId("main:NONE/USD:USD")])
    assert set(quotes) == {PERPETUAL, DATED, INVERSE}
    quote = quotes[PERPETUAL].value
    assert quotes[PERPETUAL].as_of == told_at
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (3001, 3000, D("3000.6999"), D("3001.3001"))
    for name in (PERPETUAL, INVERSE):
        paid = quotes[name].value
        assert paid.funding_rate is not None
        assert round(paid.funding_rate, 12) == D("0.00001")
        assert (paid.funding_interval_hours, paid.funding_next) == (1, T0)
    dated = quotes[DATED].value
    assert (dated.mark, dated.funding_rate, dated.funding_interval_hours) == (3030, None, None)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bid": None, "ask": 0}, (None, None)),
        ({"bid": 3100}, (None, None)),
        ({"ask": None}, (D("3000.6999"), None)),
    ],
)
async def test_an_empty_or_crossed_book_is_no_book(change: dict[str, Any], expected: tuple[Any, Any]) -> None:
    """Null or zero is the venue's way to say that nobody bids; a bid above the ask is torn."""
    async with bench() as it:
        _tick(it, change)
        quote = (await it.market.quotes([PERPETUAL]))[PERPETUAL].value
    assert (quote.bid, quote.ask) == expected


async def test_a_contract_without_a_mark_has_no_quote() -> None:
    """One that has not traded yet has neither mark nor index: it is absent, not zero."""
    async with bench() as it:
        _tick(it, {"markPrice": None, "indexPrice": None})
        assert await it.market.quotes([PERPETUAL]) == {}
        assert await it.market.prices(["ETH"], "USD") == {}


def _tick(it: It, change: dict[str, Any]) -> None:
    rows = [row | change if row["symbol"] == "PF_ETHUSD" else row for row in it.truth.tickers()]
    reply = {"result": "success", "tickers": rows, "serverTime": it.truth.stamp()}
    it.server.replies[f"{API}/tickers"] = json.dumps(reply)


async def test_coins_cost_what_their_index_says() -> None:
    """There are no spot markets: the index of the linear perpetual is the coin's price, in dollars only."""
    async with bench() as it:
        dollars = await it.market.prices(["ETH", "BTC", "XRP", "USD"], "USD")
        assert await it.market.prices(["ETH"], "USDT") == {}
    assert {asset: read.value for asset, read in dollars.items()} == {"ETH": 3000, "BTC": 60000, "USD": 1}


async def test_reads_each_wallet_once() -> None:
    """Collateral of the multi-collateral and single-collateral wallets; the holding wallet; no contract is a coin."""
    async with bench() as it:
        swap, funding = await it.reader.balances("swap"), await it.reader.balances("funding")
    assert swap.value == (Balance("USD", D(50000)), Balance("USDT", D(1000)), Balance("BTC", D("0.5")))
    assert funding.value == (Balance("ETH", D("10.5")),)
    assert swap.as_of == funding.as_of == it.clock.now()


async def test_a_coin_in_two_collateral_wallets_is_counted_in_both() -> None:
    """Bitcoin of the multi-collateral wallet and of the wallet of its inverse contracts are two amounts of one coin."""
    async with bench() as it:
        it.truth.flex = {"XBT": D("0.25"), "USD": D(-10)}
        assert (await it.reader.balances("swap")).value == (Balance("BTC", D("0.75")), Balance("USD", D(-10)))


async def test_positions_are_signed_contracts() -> None:
    """A short is negative, in coins (linear) or dollars (inverse); marks and margins are not the positions'."""
    async with bench() as it:
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    assert read.value.positions == (
        Position(PERPETUAL, D(-2), D(3100), unrealised_pnl=D(198)),
        Position(DATED, D("0.5"), D(3000), unrealised_pnl=D(15)),
        Position(INVERSE, D(-6000), D(50000)),
    )
    assert instruments[PERPETUAL].base_quantity(D(-2), D(3001)) == -2
    assert instruments[INVERSE].base_quantity(D(-6000), D(60000)) == D("-0.1")
    assert instruments[INVERSE].notional(D(-6000), D(60000)) == -6000
    assert read.as_of == it.clock.now()


async def test_small_letters_in_a_position_are_the_same_contract() -> None:
    """The venue has spelt contracts both ways."""
    async with bench() as it:
        rows = [row | {"symbol": row["symbol"].lower()} for row in it.truth.open_positions()]
        _positions(it, rows)
        positions = (await it.reader.derivatives()).value.positions
    assert [position.instrument for position in positions] == [PERPETUAL, DATED, INVERSE]


def _positions(it: It, rows: list[dict[str, Any]]) -> None:
    it.server.replies[f"{API}/openpositions"] = json.dumps({"result": "success", "openPositions": rows})


async def test_the_margin_is_that_of_the_wallet_nearest_to_its_liquidation() -> None:
    """Single-collateral wallets are weighed in dollars, by the threshold that comes first, beside the multi-collateral."""
    async with bench() as it:
        both = (await it.reader.derivatives()).value.margin
        it.truth.single["XBT"] = D("0.03")  # 0.02 is lost, 0.001 is needed
        tight = (await it.reader.derivatives()).value.margin
        del it.truth.positions["PI_XBTUSD"]
        flex = (await it.reader.derivatives()).value.margin
    assert both is not None
    assert round(both.equity) == 28800
    assert tight is not None
    assert tight.maintenance is not None
    assert (round(tight.equity), round(tight.maintenance)) == (600, 90)
    assert flex == Margin(equity=D("51183"), maintenance=D("75.17"), available=D("51032.66"))


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none, and needs no margin."""
    async with bench() as it:
        it.truth.cash, it.truth.flex, it.truth.single, it.truth.positions = {}, {}, {}, {}
        for wallet in WALLETS:
            assert (await it.reader.balances(wallet)).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert (derivatives.positions, derivatives.margin) == ((), Margin(D(0), D(0), D(0)))


async def test_an_account_without_a_holding_wallet_has_nothing_in_it() -> None:
    """Only the multi-collateral wallet is told: what is in it, positions and margin are read as ever."""
    async with bench() as it:
        right = [(await it.reader.balances("swap")).value, (await it.reader.derivatives()).value]
        told = it.truth.accounts()
        del told["cash"]
        it.truth.accounts = lambda: told
        assert (await it.reader.balances("funding")).value == ()
        assert [(await it.reader.balances("swap")).value, (await it.reader.derivatives()).value] == right


@pytest.mark.parametrize("cash", [None, [], {}, {"balances": None}, {"balances": []}, {"balances": {"xbt": None}}])
async def test_a_holding_wallet_that_is_none_is_not_empty(cash: object) -> None:
    """Named and not understood is something else than not there."""
    async with bench() as it:
        told = {**it.truth.accounts(), "cash": cash}
        it.truth.accounts = lambda: told
        with pytest.raises(Unreadable):
            await it.reader.balances("funding")


async def test_an_isolated_position_makes_the_margin_unknown() -> None:
    """Its own margin is told nowhere, and nothing is computed for it."""
    async with bench(own_margin=True) as it:
        it.truth.positions = {"PF_ETHUSD": Held(D(-2), D(3100), isolated=True)}
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.margin is not None
    assert derivatives.margin.maintenance is None
    assert derivatives.positions[0].liquidation_price is None


@pytest.mark.parametrize("flex", [{"USD": "50000"}, {"USD": "25000", "USDC": "25000"}])
async def test_a_liquidation_price_is_computed_where_dollars_back_linear_positions(flex: dict[str, str]) -> None:
    """From the venue's tiers and marks, marked as estimated."""
    async with same(PLAIN) as it:
        it.truth.flex = {coin: D(amount) for coin, amount in flex.items()}
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.margin is not None
    assert derivatives.margin.estimated
    assert derivatives.positions[0].liquidation_price is not None
    assert derivatives.positions[0].liquidation_price > 3001


@pytest.mark.parametrize("flex", [{"USD": "50000", "ETH": "1"}, {"EUR": "50000"}])
async def test_no_liquidation_price_is_computed_where_coins_are_collateral(flex: dict[str, str]) -> None:
    """They are worth more or less as the price moves: the wallet's own margin is told, its end is not."""
    async with same(PLAIN) as it:
        it.truth.flex = {coin: D(amount) for coin, amount in flex.items()}
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.margin is not None
    assert not derivatives.margin.estimated
    assert derivatives.margin.maintenance is not None
    assert derivatives.positions[0].liquidation_price is None


@pytest.mark.parametrize(
    ("rows", "kind", "says"),
    [
        ([{"symbol": "PF_GONEUSD"}], Unreadable, "a position in PF_GONEUSD, which the venue does not list"),
        ([{"side": "both"}], Unreadable, "side is neither long nor short"),
        ([{"size": -1}], Unreadable, "size is below zero"),
        ([{}, {"maxFixedLeverage": 5}], Refused, "ETH/USD:USD is held more than once"),
    ],
)
async def test_positions_that_cannot_be_read_fail_the_read(
    rows: list[dict[str, Any]], kind: type[Exception], says: str
) -> None:
    """Unlisted, without a side, both cross and isolated: none is left out of the rest."""
    async with bench() as it:
        _positions(it, [it.truth.open_positions()[0] | change for change in rows])
        with pytest.raises(kind, match=says):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fi_xbtusd": None}, "no wallet that backs it"),
        ({"fi_xbtusd": {"type": "marginAccount", "balances": {}}}, "lacks its margin"),
        ({"pool": {"type": "another"}}, "wallet pool is of a kind that is not understood"),
    ],
)
async def test_a_wallet_that_is_missing_or_strange_fails_the_read(change: dict[str, Any], says: str) -> None:
    """An inverse position without the wallet that backs it, or a wallet of an unknown kind, is no account."""
    async with bench() as it:
        accounts = {key: value for key, value in (it.truth.accounts() | change).items() if value is not None}
        it.server.replies[f"{API}/accounts"] = json.dumps({"result": "success", "accounts": accounts})
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_tiers_come_with_the_list() -> None:
    """Floors are dollars; they cost no request; where retail clients have another table, none is told."""
    async with bench() as it:
        markets = await it.opened._line.markets()
        it.paths()
        tiers = await it.dialect.tiers(it.connection, markets.contracts)
        assert it.paths() == []
        it.truth.retail_tiers = (("0", "0.25"),)
        await it.opened._line._load_markets()
        assert await it.dialect.tiers(it.connection, markets.contracts) == {}
    assert set(tiers) == set(markets.instruments)
    assert tiers[PERPETUAL] == tiers[INVERSE]
    assert tiers[PERPETUAL] == (
        MarginTier(D(0), D("0.01"), D(50)),
        MarginTier(D(500_000), D("0.02"), D(25)),
        MarginTier(D(2_000_000), D("0.05"), D(10)),
    )


@pytest.mark.parametrize(
    ("general", "transfer", "blocks", "expected"),
    [
        ("READ_ONLY", "NO_ACCESS", [], Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        ("FULL_ACCESS", "NO_ACCESS", ["10.0.0.1/32"], Permissions(read=True, trade=True, withdraw=False, bound_to_address=True)),
        ("NO_ACCESS", "FULL_ACCESS", ["0.0.0.0/0"], Permissions(read=False, trade=False, withdraw=True, bound_to_address=False)),
    ],
)  # fmt: skip
async def test_tells_what_the_key_may_do(general: str, transfer: str, blocks: list[str], expected: Permissions) -> None:
    """Reading and trading are one right in two grades; withdrawing is another; anywhere is no address."""
    async with bench() as it:
        it.truth.general, it.truth.transfer, it.truth.blocks = general, transfer, blocks
        assert await it.opened.permissions() == expected


async def test_a_right_of_an_unknown_grade_is_not_guessed_at() -> None:
    """A word that the venue did not have when this was written does not mean 'no'."""
    async with bench() as it:
        it.truth.transfer = "SOME_ACCESS"
        with pytest.raises(Unreadable, match="permissions"):
            await it.opened.permissions()


_GONE = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, D(-2), D(0), polls=1)
_SPENT = Doubt("main/swap/USD", "main", "USD", None, D(50000), D(10000), polls=1)


@pytest.mark.parametrize(
    ("kind", "amount", "explained"),
    [("futures trade", "0", True), ("futures liquidation", "0", True), ("futures trade", "-1", False)],
)
async def test_the_log_explains_what_became_of_a_position(kind: str, amount: str, explained: bool) -> None:
    """Rows of the contract that add up to the change; the money's rows and other contracts do not count."""
    async with bench() as it:
        await it.reader.derivatives()
        it.truth.log_row("pf_ethusd", "-2", amount, kind, contract="pf_ethusd")
        it.truth.log_row("usd", "50000", "50200", kind, contract="pf_ethusd")
        it.truth.log_row("pf_xbtusd", "0", "1", kind, contract="pf_xbtusd")
        said = await it.reader.explain(_GONE, T0)
    assert said == (f"since 2026-11-02 12:00 UTC: {kind} +2 contracts" if explained else None)


async def test_the_log_explains_what_became_of_a_balance() -> None:
    """Transfers and conversions out of the wallet asked about; what happened in the other wallet does not count."""
    async with bench() as it:
        await it.reader.balances("swap")
        it.truth.log_row("usd", "0", "39000", "transfer", wallet="cash")
        assert await it.reader.explain(_SPENT, T0) is None
        it.truth.log_row("usd", "50000", "11000", "transfer")
        it.truth.log_row("usd", "11000", "10000", "conversion")
        assert await it.reader.explain(_SPENT, T0) == (
            "since 2026-11-02 12:00 UTC: conversion -1000 USD, transfer -39000 USD"
        )
        holding = replace(_SPENT, subject="main/funding/USD", before=D(0), now=D(39000))
        assert await it.reader.explain(holding, T0) == "since 2026-11-02 12:00 UTC: transfer +39000 USD"
        assert await it.reader.explain(_SPENT, T0 + timedelta(minutes=1)) is None, "before the time asked about"


async def test_a_full_page_explains_nothing() -> None:
    """There may be more movements than the venue shows at once."""
    async with bench() as it:
        await it.reader.balances("swap")
        for _ in range(500):
            it.truth.log_row("usd", "50000", "49920", "transfer")
        assert await it.reader.explain(_SPENT, T0) is None


@pytest.mark.parametrize("change", [{"apiKey": "unknown"}, {"secret": "d3Jvbmc="}])
async def test_a_wrong_key_is_refused(change: dict[str, str]) -> None:
    """Also where the venue says so with status 200, as it does for wallets and positions."""
    async with bench(credentials=KEYS | change) as it:
        reads = (
            *map(it.reader.balances, WALLETS),
            it.reader.derivatives(),
            it.opened.permissions(),
            it.reader.explain(_GONE, T0),
        )
        for read in reads:
            with pytest.raises(Refused, match="create one for derivatives"):
                await read


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (200, {"result": "error", "error": "accountInactive"}, Refused, "open it at the venue"),
        (200, {"result": "error", "error": "apiLimitExceeded"}, Unreachable, "HTTP 200"),
        (200, {"result": "error", "error": "Unavailable"}, Unreachable, "HTTP 200"),
        (200, {"result": "error", "error": "invalidArgument: symbol"}, Refused, "HTTP 200"),
        (200, {"result": "error"}, Unreadable, "HTTP 200"),
        (200, {"result": 7}, Unreadable, "HTTP 200"),
        (400, {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 0, "message": "400"}]}, Refused, "HTTP 400"),
        (500, {"errors": [{"code": 98, "message": "API Server Error"}], "status": "INTERNAL"}, Unreadable, "HTTP 500"),
    ],
)  # fmt: skip
async def test_each_way_to_say_no_is_told_apart(
    status: int, body: dict[str, Any], kind: type[Exception], says: str
) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        reply = it.server._ok(accounts=it.truth.accounts()) | body
        it.server.responses[f"{API}/accounts"] = {"status": status, "text": json.dumps(reply)}
        with pytest.raises(kind, match=f"main: wallets: .*{says}"):
            await it.reader.balances("swap")


async def test_an_error_of_null_is_none() -> None:
    """A field that says that nothing is wrong does not make a reply wrong."""
    async with bench() as it:
        reply = it.server._ok(accounts=it.truth.accounts(), error=None)
        it.server.replies[f"{API}/accounts"] = json.dumps(reply)
        assert (await it.reader.balances("funding")).value == (Balance("ETH", D("10.5")),)


async def test_a_venue_that_limits_us_is_left_alone() -> None:
    """Its limit counts requests of this machine: none is sent while it lasts."""
    async with bench() as it:
        await it.reader.balances("swap")
        it.server.replies[f"{API}/accounts"] = json.dumps({"result": "error", "error": "apiLimitExceeded"})
        it.paths()
        for _ in range(2):
            with pytest.raises(Unreachable):
                await it.reader.balances("swap")
        assert it.paths() == [f"{API}/accounts"]


async def test_the_clock_is_measured_without_being_needed() -> None:
    """Requests carry no time: a clock an hour wrong is seen and costs nothing."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() - timedelta(hours=1)).timestamp() * 1000)
        await it.reader.balances("swap")
        assert it.opened.skew_seconds == 3600


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USD"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3001
        assert it.paths() == [f"{API}/instruments", f"{API}/tickers", f"{API}/tickers"]


async def test_there_is_no_sandbox() -> None:
    """The venue has closed its demo system; asking for it is a configuration error that says so."""
    with pytest.raises(ConfigurationError, match="was closed in July 2026"):
        await open_ccxt("main", "krakenfutures", ["swap"], KEYS, clock=ManualClock(), sandbox=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda venue: venue.create_order("ETH/USD:USD", "market", "sell", 1),
        lambda venue: venue.cancel_all_orders(),
        lambda venue: venue.cancel_all_orders_after(1000),
        lambda venue: venue.transfer_out("USD", 1),
        lambda venue: venue.set_leverage(2, "ETH/USD:USD"),
        lambda venue: venue.privatePostWithdrawal({}),
        lambda venue: venue.privatePutPnlpreferences({}),
    ],
)
async def test_nothing_that_writes_leaves(write: Any) -> None:
    """Whatever ccxt is asked to send that is not on the list of reading calls, no byte of it goes out."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        with pytest.raises(Refused, match="not on the list of this line's calls"):
            await write(it.exchange)
        assert it.paths() == []
