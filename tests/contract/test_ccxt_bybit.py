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
    patch_row,
)

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
COLD = WARM + Counter({"/v5/market/instruments-info": 5, "/v5/market/time": 1, "/v5/position/list": 1})  # options


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
        assert instruments[dated].delisting is None
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
        ("SOLUSDT", {"settleCoin": ...}),
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
    assert (quote.bid_size, quote.ask_size) == (D("2.5"), 40)
    assert (quote.volume_day, quote.high_day, quote.low_day) == (D("235294950000.5"), 3001, 2999)
    assert quotes[INVERSE].value.volume_day == 49337318000
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


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Nineteen requests for the first full read with all wallets, thirteen for each later one, none of them a write."""
    async with bench() as it:
        await read_everything(it)
        assert Counter(it.paths()) == COLD
        assert COLD.total() == 20
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
        (10016, Unreachable, "HTTP 200: 10016 said"),
        (10000, Unreachable, "HTTP 200: 10000 said"),
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
        (
            {"permissions": {"ContractTrade": [], "Wallet": ["Withdraw"]}, "expiredAt": "2027-02-01T03:21:05Z"},
            Permissions(True, False, False, True, None),
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


async def test_another_contracts_tiers_are_not_taken() -> None:
    """Rows of a contract that was not asked for are left out."""
    async with bench() as it:
        markets = await it.opened._line.markets()
        patch_row(it, "/v5/market/risk-limit", "list", {"maxLeverage": "90.00"}, symbol="BTCUSDT")
        tiers = await it.dialect.tiers(it.connection, {"ETHUSDT": markets.contracts["ETHUSDT"]})
    assert tiers == {PERPETUAL: (MarginTier(D(0), D("0.005"), D(100)),)}


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
