"""Real ccxt over real TLS to a local server that speaks MEXC's dialect and checks both of its signatures."""

from __future__ import annotations

import asyncio
import functools
import gc
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
from tests.venues.mexc_bench import INVERSE, KEYS, PERPETUAL, Bench, bench
from tests.venues.mexc_venue import Held, Lent, Pool

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")
ASSETS, POSITIONS = "/api/v1/private/account/assets", "/api/v1/private/position/open_positions"
MODE, TICKER, DETAIL = (
    "/api/v1/private/position/position_mode",
    "/api/v1/contract/ticker",
    "/api/v1/contract/detail",
)
COLD = [  # all that a first full read with three wallets, one pair lent on and two contracts asks
    "/api/v3/exchangeInfo",
    DETAIL,
    "/api/v3/time",
    "/api/v3/account",
    "/api/v3/margin/isolated/account",
    ASSETS,
    POSITIONS,
    MODE,
    TICKER,
    "/api/v1/contract/funding_rate/ETH_USDT",
    "/api/v1/contract/funding_rate/BTC_USD",
    "/api/v3/ticker/price",
]
WARM = [path for path in COLD if not path.endswith(("exchangeInfo", "detail", "time", "ETH_USDT", "BTC_USD"))]


def enveloped(data: Any) -> str:
    return json.dumps({"success": True, "code": 0, "data": data})


async def read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, INVERSE]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


# what is listed


async def test_lists_contracts_with_their_rules() -> None:
    """A linear contract is a fraction of a coin, an inverse one a face value in dollars settled in the coin."""
    async with bench() as it:
        instruments = await it.market.instruments()
    linear = Instrument(
        id=PERPETUAL,
        account="main",
        symbol="ETH/USDT:USDT",
        kind=ContractKind.PERPETUAL,
        base="ETH",
        quote="USDT",
        settle="USDT",
        multiplier=D("0.01"),
        tick_size=D("0.01"),
        lot_size=D(1),
        quantity_min=D(1),
    )
    assert instruments[PERPETUAL] == linear
    inverse = instruments[INVERSE]
    assert (inverse.linear, inverse.multiplier, inverse.quote, inverse.settle) == (False, 100, "USD", "BTC")
    assert inverse.base_quantity(D(3), D(60000)) == D("0.005")
    assert len(instruments) == 6


@pytest.mark.parametrize(("state", "trading"), [(0, True), (1, False), (2, False), (3, False), (4, False)])
async def test_only_an_enabled_contract_trades(state: int, trading: bool) -> None:
    """Delivery, completion, offline and pause are listed as not trading."""
    async with bench() as it:
        it.truth.contract_state["SOL_USDT"] = state
        assert (await it.market.instruments())[SOLANA].trading is trading


@pytest.mark.parametrize(
    "fields",
    [{"contractSize": 0}, {"volUnit": None}, {"priceUnit": -1}, {"minVol": "x"}, {"state": 9}, {"settleCoin": "MX"}],
)
async def test_a_contract_without_a_known_size_is_left_out(fields: dict[str, Any]) -> None:
    """Without its size, steps and settlement a contract is not listed rather than guessed; the others are."""
    async with bench() as it:
        it.truth.contract_fields["SOL_USDT"] = fields
        instruments = await it.market.instruments()
    assert not [name for name in instruments if "SOL" in name]
    assert PERPETUAL in instruments


async def test_coins_go_by_the_name_that_markets_have() -> None:
    """The venue's STEPN is what others call GMT: balances, prices and markets agree on one name."""
    async with bench() as it:
        it.truth.spot = {"STEPN": (D(100), D(0))}
        it.truth.pools["STEPN"] = Pool(D(7))
        it.truth.margin = {"STEPNUSDT": {"STEPN": Lent(free=D(3))}}
        held = [(await it.reader.balances(wallet)).value[0].asset for wallet in ("spot", "margin")]
        swap = {balance.asset for balance in (await it.reader.balances("swap")).value}
        prices = await it.market.prices(["GMT", "STEPN"], "USDT")
    assert held == ["GMT", "GMT"]
    assert swap == {"USDT", "GMT"}
    assert {asset: read.value for asset, read in prices.items()} == {"GMT": D("0.2")}


# quotes and prices


async def test_quotes_carry_mark_book_and_funding() -> None:
    """The mark is the fair price, not the last trade; times are the venue's; each contract has its own interval."""
    async with bench() as it:
        it.truth.now = lambda: 1793620799000  # 2026-11-02 11:59:59: a second before our clock
        it.truth.funding_rate["SOL_USDT"] = -2.6e-05
        quotes = await it.market.quotes([PERPETUAL, SOLANA, INVERSE, InstrumentId("main:NONE/USDT:USDT")])
    assert set(quotes) == {PERPETUAL, SOLANA, INVERSE}
    quote = quotes[PERPETUAL].value
    assert quotes[PERPETUAL].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)
    assert (quote.mark, quote.bid, quote.ask) == (3000, D("2999.7"), D("3000.3"))
    assert quote.index is not None
    assert round(quote.index) == 3003
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0001"), 8)
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert quotes[SOLANA].value.funding_rate == D("-0.000026")
    assert quotes[SOLANA].value.funding_interval_hours == 4
    assert quotes[INVERSE].value.mark == 60000


async def test_the_funding_schedule_is_asked_again_once_it_has_passed() -> None:
    """One call a contract until funding was due; the rate itself is as fresh as the mark."""
    async with bench() as it:
        await it.market.quotes([PERPETUAL, SOLANA])
        it.paths()
        it.clock.advance(3 * 3600)
        it.truth.funding_rate["ETH_USDT"] = 0.0007
        quotes = await it.market.quotes([PERPETUAL, SOLANA])
        assert "/api/v1/contract/funding_rate/ETH_USDT" not in it.paths()
        assert quotes[PERPETUAL].value.funding_rate == D("0.0007")
        it.clock.advance(3600)  # 16:00, when both are due
        quotes = await it.market.quotes([PERPETUAL, SOLANA])
        asked = it.paths()
        assert {path for path in asked if "funding" in path} == {
            "/api/v1/contract/funding_rate/ETH_USDT",
            "/api/v1/contract/funding_rate/SOL_USDT",
        }
        assert quotes[PERPETUAL].value.funding_next == datetime(2026, 11, 3, 0, tzinfo=UTC)
        assert quotes[SOLANA].value.funding_next == datetime(2026, 11, 2, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "reply",
    [
        "<html>",
        enveloped({"symbol": "BTC_USDT", "collectCycle": 1, "nextSettleTime": 1893456000000}),
        enveloped({"symbol": "ETH_USDT", "collectCycle": 0, "nextSettleTime": 1893456000000}),
        json.dumps({"success": False, "code": 1001, "message": "Contract does not exist"}),
    ],
)
async def test_a_schedule_that_is_not_told_is_unknown(reply: str) -> None:
    """Interval and time are unknown, not eight hours; the mark does not wait, and the next read asks again."""
    async with bench() as it:
        it.server.replies["/api/v1/contract/funding_rate/ETH_USDT"] = reply
        before = (await it.market.quotes([PERPETUAL]))[PERPETUAL].value
        it.server.replies.clear()
        after = (await it.market.quotes([PERPETUAL]))[PERPETUAL].value
    assert (before.mark, before.funding_rate) == (3000, D("0.0001"))
    assert (before.funding_interval_hours, before.funding_next) == (None, None)
    assert after.funding_interval_hours == 8


async def test_many_schedules_are_spread_over_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """No read asks for more schedules than the venue allows at once; the rest follows with the next reads."""
    monkeypatch.setattr("hedged.adapters.exchanges.dialects.mexc._SCHEDULES_MAX", 2)
    async with bench() as it:
        wanted = list(await it.market.instruments())
        told = []
        for _ in range(4):
            quotes = await it.market.quotes(wanted)
            told.append(sum(read.value.funding_next is not None for read in quotes.values()))
    assert told == [2, 4, 6, 6]


async def test_a_crossed_or_empty_book_is_no_book() -> None:
    """A bid above the ask is torn data; a zero is the venue's way to say that nobody bids."""
    async with bench() as it:
        rows = it.truth.tickers()
        for row in rows:
            if row["symbol"] == "ETH_USDT":
                row["bid1"] = 3100
            if row["symbol"] == "SOL_USDT":
                row["bid1"] = 0
        it.server.replies[TICKER] = enveloped(rows)
        quotes = await it.market.quotes([PERPETUAL, SOLANA])
    assert (quotes[PERPETUAL].value.bid, quotes[PERPETUAL].value.ask) == (None, None)
    assert quotes[SOLANA].value.bid is None
    assert quotes[SOLANA].value.ask is not None


async def test_prices_only_what_trades_against_the_quote() -> None:
    """Paused, unlisted and priceless coins are absent, never zero."""
    async with bench() as it:
        it.truth.spot_status["SOL"] = "2"
        it.truth.prices["LINK"] = D(0)
        prices = await it.market.prices(["ETH", "USDC", "SOL", "LINK", "NONE", "USDT"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}
    assert prices["ETH"].as_of == it.clock.now()


# wallets


async def test_reads_each_wallet() -> None:
    """Spot is free and locked, margin carries principal plus interest as debt, futures what was paid in."""
    async with bench() as it:
        spot = await it.reader.balances("spot")
        margin = await it.reader.balances("margin")
        swap = await it.reader.balances("swap")
    assert spot.value == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(500)))
    assert margin.value == (Balance("SOL", D(1), D(2), D("30.25")),)
    assert swap.value == (Balance("USDT", D(10000)),)
    assert spot.as_of == margin.as_of == swap.as_of == it.clock.now()


async def test_the_futures_wallet_is_neither_profit_nor_bonus() -> None:
    """Coins and dollars as paid in and realised, with profit, loss, bonus and orders on top left out."""
    async with bench() as it:
        it.truth.pools = {"USDT": Pool(D(10000), bonus=D(50), frozen=D(100)), "BTC": Pool(D("0.5"))}
        it.truth.positions["BTC_USD"] = Held(D(300), D(50000))
        swap = await it.reader.balances("swap")
    assert {balance.asset: round(balance.free, 8) for balance in swap.value} == {"USDT": 10000, "BTC": D("0.5")}


async def test_margin_accounts_of_all_pairs_are_added_up() -> None:
    """Each pair is an account of its own; the venue shows five at a time; debts of one coin add up."""
    async with bench() as it:
        for asset in ("BTC", "ETH", "SOL", "LINK", "USDC", "STEPN"):
            it.truth.margin[f"{asset}USDT"] = {
                asset: Lent(D(1), D(0), D("0.5"), D("0.125")),
                "USDT": Lent(D(100), D(10), D(7), D("0.25")),
            }
        margin = {balance.asset: balance for balance in (await it.reader.balances("margin")).value}
        assert it.paths().count("/api/v3/margin/isolated/account") == 2
    assert margin["USDT"] == Balance("USDT", D(600), D(60), D("43.5"))
    assert margin["BTC"] == Balance("BTC", D(1), D(0), D("0.625"))
    assert len(margin) == 7


async def test_a_margin_account_that_is_not_shown_fails_the_read() -> None:
    """A pair that was asked for and is missing from the reply may hold a debt: nothing is read."""
    async with bench() as it:
        it.server.replies["/api/v3/margin/isolated/account"] = json.dumps({"assets": []})
        with pytest.raises(Unreadable, match="assets are not those of the pairs"):
            await it.reader.balances("margin")


async def test_a_venue_that_lends_on_nothing_has_no_margin_wallet() -> None:
    """Where no pair can be asked for, the wallet is refused with the way out, not empty."""
    async with bench() as it:
        it.truth.margin = {}
        with pytest.raises(Refused, match="leave margin out of wallets"):
            await it.reader.balances("margin")


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none, and needs no maintenance margin."""
    async with bench() as it:
        it.truth.spot, it.truth.positions = {}, {}
        assert (await it.reader.balances("spot")).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.positions == ()
    assert derivatives.margin == Margin(D(10000), D(0), D(10000))


# positions and margin


async def test_positions_are_signed_contracts() -> None:
    """Long and short, linear and inverse, in one read; what the venue does not tell stays unknown."""
    async with bench() as it:
        it.truth.pools["BTC"] = Pool(D(1))
        it.truth.positions = {
            "ETH_USDT": Held(D(-200), D(3100)),
            "SOL_USDT": Held(D(35), D(140)),
            "BTC_USD": Held(D(-6), D(50000)),
        }
        instruments = await it.market.instruments()
        read = await it.reader.derivatives()
    short, long, inverse = read.value.positions
    assert short == Position(PERPETUAL, D(-200), entry_price=D(3100), liquidation_price=D(6000))
    assert (short.unrealised_pnl, short.maintenance_margin, short.trusted) == (None, None, True)
    assert long == Position(SOLANA, D(35), entry_price=D(140))
    assert inverse == Position(INVERSE, D(-6), entry_price=D(50000), liquidation_price=D(120000))
    assert instruments[PERPETUAL].base_quantity(short.contracts, D(3000)) == -2
    assert instruments[SOLANA].base_quantity(long.contracts, D(150)) == D("3.5")
    assert instruments[INVERSE].base_quantity(inverse.contracts, D(60000)) == D("-0.01")
    assert instruments[INVERSE].notional(inverse.contracts, D(60000)) == -600
    assert read.as_of == it.clock.now()


async def test_margin_is_equity_without_bonus_and_unknown_maintenance() -> None:
    """Equity is wallet plus unrealised profit; the venue's bonus is not ours; its maintenance is not told."""
    async with bench() as it:
        it.truth.pools["USDT"] = Pool(D(10000), bonus=D(50))
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(equity=D(10200), maintenance=None, available=D(9430))


async def test_a_coin_margined_account_is_valued_at_the_mark() -> None:
    """Equity in bitcoin becomes dollars; the mark is asked for only where it is needed."""
    async with bench() as it:
        it.truth.pools["BTC"] = Pool(D("0.5"))
        it.truth.positions = {"BTC_USD": Held(D(-60), D(60000))}
        margin = (await it.reader.derivatives()).value.margin
        assert it.paths().count(TICKER) == 1
        it.truth.positions = {"ETH_USDT": Held(D(-1), D(3000))}
        await it.reader.derivatives()
        assert TICKER not in it.paths()
    assert margin is not None
    assert (margin.equity, margin.maintenance, margin.available) == (30000, None, D(29400))


async def test_the_pool_that_is_used_most_is_the_margin() -> None:
    """Pools do not back each other: of two, the one whose positions take more of its equity is shown."""
    async with bench() as it:
        it.truth.pools = {"USDT": Pool(D(10000)), "USDC": Pool(D(40))}
        it.truth.positions = {"ETH_USDT": Held(D(-200), D(3000)), "ETH_USDC": Held(D(-1), D(3000))}
        first = (await it.reader.derivatives()).value.margin
        it.truth.pools["USDC"] = Pool(D(100000))
        second = (await it.reader.derivatives()).value.margin
    assert (first.equity, second.equity) == (40, 10000)  # type: ignore[union-attr]


async def test_a_position_without_its_wallet_is_half_a_reply() -> None:
    """Something backs every position: a reply without that currency is torn."""
    async with bench() as it:
        it.truth.pools = {"USDC": Pool(D(1))}
        with pytest.raises(Unreadable, match="settled in USDT, but no wallet"):
            await it.reader.derivatives()


async def test_no_wallet_and_no_position_is_an_unknown_margin() -> None:
    """Without a wallet in USDT there is no margin to speak of, not a margin of zero."""
    async with bench() as it:
        it.truth.pools, it.truth.positions = {}, {}
        assert (await it.reader.derivatives()).value.margin is None


async def test_a_position_in_an_unlisted_symbol_fails_the_read() -> None:
    """Without its listing a contract's size is unknown: the read names the symbol and gives nothing."""
    async with bench() as it:
        rows = [{**it.truth.open_positions()[0], "symbol": "GONE_USDT"}]
        it.server.replies[POSITIONS] = enveloped(rows)
        with pytest.raises(Unreadable, match="GONE_USDT"):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("fields", "says"), [({"positionType": 3}, "neither long nor short"), ({"holdVol": -1}, "below zero")]
)
async def test_a_side_that_is_unknown_fails_the_read(fields: dict[str, Any], says: str) -> None:
    """What is neither 1 nor 2 is not taken for a short, nor a negative size for a long."""
    async with bench() as it:
        it.server.replies[POSITIONS] = enveloped([{**it.truth.open_positions()[0], **fields}])
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


async def test_a_closed_position_is_none() -> None:
    """A row without contracts is history, whatever contract it was in."""
    async with bench() as it:
        it.server.replies[POSITIONS] = enveloped(
            [{**it.truth.open_positions()[0], "symbol": "GONE_USDT", "holdVol": 0}]
        )
        assert (await it.reader.derivatives()).value.positions == ()


async def test_hedge_mode_is_refused_with_the_way_out() -> None:
    """The venue's own default: the message tells what to close and what to choose, also while nothing is open."""
    async with bench() as it:
        it.truth.position_mode, it.truth.positions = 1, {}
        with pytest.raises(Refused, match="choose One-Way Mode \\(Futures → Settings → Position Mode\\)"):
            await it.reader.derivatives()


async def test_an_unknown_mode_or_two_positions_in_one_contract_fail_the_read() -> None:
    """A mode that is neither, and a short beside a long in one-way mode, are not understood."""
    async with bench() as it:
        it.truth.position_mode = 3
        with pytest.raises(Unreadable, match="no position mode"):
            await it.reader.derivatives()
        it.truth.position_mode = 2
        it.server.replies[POSITIONS] = enveloped(it.truth.open_positions() * 2)
        with pytest.raises(Unreadable, match="two positions in ETH_USDT"):
            await it.reader.derivatives()


# tiers and permissions


async def tiers_of(it: Bench, market_id: str) -> tuple[MarginTier, ...] | None:
    instruments = {instrument.symbol: instrument for instrument in (await it.market.instruments()).values()}
    base, quote = market_id.split("_")
    instrument = instruments[f"{base}/{quote}:{quote if quote != 'USD' else base}"]
    found = await it.dialect.tiers(it.connection, {market_id: instrument})
    return found.get(instrument.id)


async def test_tiers_rise_by_steps() -> None:
    """The first level reaches to the base volume; contracts become their value at the mark; one request."""
    steps = {"riskBaseVol": 10000, "riskIncrVol": 20000, "riskLevelLimit": 3, "initialMarginRate": 0.008}
    async with bench() as it:
        it.truth.contract_fields = {"ETH_USDT": steps, "BTC_USD": steps}
        await it.market.instruments()
        it.paths()
        tiers = await tiers_of(it, "ETH_USDT")
        assert it.paths() == [TICKER]
        inverse = await tiers_of(it, "BTC_USD")
    assert tiers is not None
    assert [tier.notional_floor for tier in tiers] == [0, 300_000, 900_000]
    assert [tier.maintenance_margin_rate for tier in tiers] == [D("0.004"), D("0.008"), D("0.012")]
    assert [tier.leverage_max for tier in tiers] == [125, 1 / D("0.012"), 62.5]
    assert inverse is not None
    assert [tier.notional_floor for tier in inverse] == [0, 1_000_000, 3_000_000]


async def test_tiers_from_a_table() -> None:
    """Where the listing carries a table, it is the truth, in whatever order its rows come."""
    table = [
        {"level": 2, "maxVol": 310000, "mmr": 0.0025, "imr": 0.005, "maxLeverage": 200},
        {"level": 1, "maxVol": 50000, "mmr": 0.001, "imr": 0.002, "maxLeverage": 500},
    ]
    async with bench() as it:
        it.truth.contract_fields["ETH_USDT"] = {"riskLimitMode": "CUSTOM", "riskLimitCustom": table, "riskIncrVol": 0}
        tiers = await tiers_of(it, "ETH_USDT")
    assert tiers == (MarginTier(D(0), D("0.001"), D(500)), MarginTier(D(1_500_000), D("0.0025"), D(200)))


@pytest.mark.parametrize(
    "fields",
    [
        {"riskLimitType": "BY_VALUE"},
        {"maintenanceMarginRate": None},
        {"riskLimitCustom": "x"},
        {"riskLimitCustom": [{"maxVol": 0, "mmr": 0.1, "imr": 0.2}]},
    ],
)
async def test_limits_that_are_not_understood_are_no_tiers(fields: dict[str, Any]) -> None:
    """Limits by something else than contracts, and odd ones, are unknown; the contract is listed all the same."""
    async with bench() as it:
        it.truth.contract_fields["ETH_USDT"] = fields
        assert await tiers_of(it, "ETH_USDT") is None


READING = "SPOT_ACCOUNT_READ,SPOT_DEAL_READ,CONTRACT_ACCOUNT_READ,CONTRACT_DEAL_READ,SPOT_WITHDRAW_READ"


@pytest.mark.parametrize(
    ("scopes", "read", "trade", "withdraw"),
    [
        (READING, True, False, False),
        ("SPOT_DEAL_WRITE", False, False, False),
        (f"{READING}, CONTRACT_DEAL_WRITE", True, True, False),
        (f"{READING},SPOT_WITHDRAW_WRITE", True, False, True),
    ],
)
async def test_permissions_of_the_key(scopes: str, read: bool, trade: bool, withdraw: bool) -> None:
    """By the names of its scopes: reading withdrawals is not withdrawing, trading spot is not trading futures."""
    async with bench() as it:
        it.truth.scopes = scopes
        told = await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))
    expires = it.clock.now() + timedelta(days=82)
    assert told == Permissions(read=read, trade=trade, withdraw=withdraw, bound_to_address=False, expires=expires)


async def test_a_bound_key_does_not_expire() -> None:
    """A key that lists addresses is bound to them; without days left there is no date."""
    async with bench() as it:
        it.truth.addresses, it.truth.days_left = "192.0.2.1,192.0.2.2", None
        told = await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))
    assert told is not None
    assert (told.bound_to_address, told.expires) == (True, None)


# requests, keys, clock


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Twelve requests for the first full read, seven for each later one until funding is due, none a write."""
    async with bench() as it:
        await read_everything(it)
        assert sorted(it.paths()) == sorted(COLD)
        assert len(COLD) == 12
        it.clock.advance(60)
        await read_everything(it)
        assert sorted(it.paths()) == sorted(WARM)
        assert len(WARM) == 7
        assert it.server.writes == []
        assert it.clock.slept == []


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not [path for path in it.paths() if "private" in path or path == "/api/v3/account"]


async def test_there_is_no_sandbox(caplog: pytest.LogCaptureFixture) -> None:
    """A test system that does not exist is a fault of the configuration; nothing is left open behind it."""
    with pytest.raises(ConfigurationError, match="exchange = mexc .* has no test system"):
        await open_ccxt("main", "mexc", ["spot"], KEYS, clock=ManualClock(), sandbox=True)
    gc.collect()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("keys", "spot", "swap"),
    [
        ({"apiKey": "mx0another", "secret": KEYS["secret"]}, "does not know this key", "the key is unknown"),
        ({"apiKey": KEYS["apiKey"], "secret": "wrong"}, "the secret does not belong", "the secret does not belong"),
    ],
)
async def test_a_wrong_key_is_refused(keys: dict[str, str], spot: str, swap: str) -> None:
    """Spot refuses with a status and a code, contracts with a code and status 200: both say what to do."""
    async with bench(credentials=keys) as it:
        for wallet in ("spot", "margin"):
            with pytest.raises(Refused, match=spot):
                await it.reader.balances(wallet)
        with pytest.raises(Refused, match=swap):
            await it.reader.balances("swap")
        with pytest.raises(Refused, match=swap):
            await it.reader.derivatives()


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for, in spot calls and in contract calls."""
    async with bench() as it:
        it.truth.now = functools.partial(_ahead, it, 1)
        await it.reader.balances("spot")
        await it.reader.balances("swap")
        for path, wallet, hours in (("/api/v3/account", "spot", 2), (ASSETS, "swap", 3)):
            it.truth.now = functools.partial(_ahead, it, hours)
            it.paths()
            await it.reader.balances(wallet)
            assert it.paths() == [path, "/api/v3/time", path]


def _ahead(it: Bench, hours: int) -> int:
    return int((it.clock.now() + timedelta(hours=hours)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("response", "kind", "says"),
    [
        ({"text": '{"success": false, "code": 0, "message": "?", "data": []}'}, Unreadable, "success is not true"),
        ({"text": '{"success": false, "code": 200, "data": []}'}, Unreadable, "success is not true"),
        ({"text": '{"success": "true", "code": 0, "data": []}'}, Unreadable, "success is not true"),
        ({"text": '{"code": 0, "data": []}'}, Unreadable, "lacks success"),
        ({"text": '{"success": false, "code": 500, "message": "System internal error!"}'}, Unreadable, "500 System"),
        ({"text": '{"success": false, "code": 510, "message": "too frequent"}'}, Unreachable, "510 too frequent"),
        ({"text": '{"success": false, "code": 703, "message": "x"}'}, Refused, "allow reading of futures orders"),
        ({"text": '{"success": false, "code": 1000, "message": "x"}'}, Refused, "open it once"),
        ({"text": '{"success": false, "code": 500, "message": "Under maintenance"}'}, Unreachable, "maintenance"),
        ({"text": '{"success": true, "code": 0, "data": null}'}, Unreadable, "data is null, expected a list"),
        ({"text": '{"success": true, "code": 0, "data": {}}'}, Unreadable, "data is an object, expected a list"),
        ({"status": 403, "text": '{"code": 700007, "msg": "No permission"}'}, Refused, "allow reading for it"),
        ({"status": 400, "text": '{"code": 700006, "msg": "ip"}'}, Refused, "bound to another address"),
        ({"status": 503, "text": "<html>"}, Unreachable, "HTTP 503"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(response: dict[str, Any], kind: type[Exception], says: str) -> None:
    """A reply that is not marked as a success is no empty wallet, whatever its code and status."""
    async with bench() as it:
        it.server.responses[ASSETS] = response
        with pytest.raises(kind, match=f"main: futures wallet: .*{says}"):
            await it.reader.balances("swap")


async def test_a_list_of_contracts_that_is_no_success_is_no_list() -> None:
    """The listing is ccxt's own call: there too an unsuccessful reply with rows in it does not count."""
    async with bench() as it:
        rows = it.truth.contract_detail()
        it.server.replies[DETAIL] = json.dumps({"success": False, "code": 0, "data": rows})
        with pytest.raises(Unreadable, match="contracts: .*success is not true"):
            await it.market.instruments()
