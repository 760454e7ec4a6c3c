"""Real ccxt over real TLS to a local server that speaks Binance's dialect and checks signatures."""

from __future__ import annotations

import asyncio
import gc
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.snapshot import Balance, Doubt, Margin, Position
from tests.support import ManualClock, need_shared
from tests.venues.binance_bench import DATED, KEYS, PERPETUAL, Bench, bench, pki
from tests.venues.binance_server import BinanceServer
from tests.venues.binance_venue import Held

D = Decimal
COLD = [  # all that a first full read with three wallets asks
    "/api/v3/exchangeInfo",
    "/fapi/v1/exchangeInfo",
    "/dapi/v1/exchangeInfo",
    "/api/v3/time",
    "/api/v3/account",
    "/sapi/v1/margin/account",
    "/sapi/v1/margin/isolated/account",
    "/eapi/v1/position",
    "/fapi/v3/account",
    "/fapi/v3/positionRisk",
    "/dapi/v1/account",
    "/dapi/v1/positionRisk",
    "/fapi/v1/leverageBracket",
    "/fapi/v1/premiumIndex",
    "/fapi/v1/ticker/bookTicker",
    "/fapi/v1/fundingInfo",
    "/api/v3/ticker/price",
]
HOURLY = {"exchangeInfo", "time", "fundingInfo", "leverageBracket"}
CORNERS = {"/sapi/v1/margin/isolated/account", "/eapi/v1/position"}  # hourly while nothing is there
WARM = [path for path in COLD if path.rpartition("/")[2] not in HOURLY and path not in CORNERS]


async def read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_lists_contracts_with_their_rules() -> None:
    """Perpetuals and dated contracts come with steps, minimums and expiry; one contract is one coin."""
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
        lot_size=D("0.001"),
        quantity_min=D("0.001"),
        notional_min=D(20),
    )
    assert instruments[DATED].kind is ContractKind.FUTURE
    assert instruments[DATED].expiry == datetime(2026, 12, 25, 8, tzinfo=UTC)
    assert sorted(i.symbol for i in instruments.values()) == [
        "BTC/USD:BTC",
        "BTC/USDT:USDT",
        "ETH/USD:ETH",
        "ETH/USD:ETH-261225",
        "ETH/USDT:USDT",
        "ETH/USDT:USDT-261225",
        "SOL/USDT:USDT",
    ]


async def test_sees_a_delisting_and_a_halt() -> None:
    """A perpetual with a delivery date is being delisted then; one whose status is not TRADING does not trade."""
    async with bench() as it:
        it.truth.delivery["SOLUSDT"] = 1796115600000
        it.truth.contract_status["BTCUSDT"] = "SETTLING"
        instruments = await it.market.instruments()
    assert instruments[InstrumentId("main:SOL/USDT:USDT")].delisting == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert instruments[InstrumentId("main:SOL/USDT:USDT")].expiry is None
    assert not instruments[InstrumentId("main:BTC/USDT:USDT")].trading
    assert instruments[PERPETUAL].delisting is None
    assert instruments[PERPETUAL].trading


async def test_a_contract_without_rules_is_left_out() -> None:
    """A contract whose step cannot be read is not listed rather than given an invented one; the others are."""
    async with bench() as it:
        info = it.truth.futures_info()
        row = next(row for row in info["symbols"] if row["symbol"] == "SOLUSDT")
        row["filters"][1]["stepSize"] = "0"
        it.server.replies["/fapi/v1/exchangeInfo"] = json.dumps(info)
        instruments = await it.market.instruments()
    assert InstrumentId("main:SOL/USDT:USDT") not in instruments
    assert PERPETUAL in instruments


async def test_quotes_carry_mark_book_and_funding() -> None:
    """Marks are of the venue's own time; funding has its interval, eight hours where the venue lists none."""
    solana = InstrumentId("main:SOL/USDT:USDT")
    async with bench() as it:
        it.truth.now = lambda: 1793620799000  # 2026-11-02 11:59:59: a second before our clock
        quotes = await it.market.quotes([PERPETUAL, solana, DATED, InstrumentId("main:NONE/USDT:USDT")])
    assert set(quotes) == {PERPETUAL, solana, DATED}
    quote = quotes[PERPETUAL].value
    assert quotes[PERPETUAL].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (3000, 3000, D("2999.7"), D("3000.3"))
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0001"), 8)
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert (quote.bid_size, quote.volume_day) == (10, None)
    assert quotes[solana].value.funding_interval_hours == 4
    dated = quotes[DATED].value
    assert (dated.mark, dated.funding_rate, dated.funding_interval_hours, dated.funding_next) == (
        3030,
        None,
        None,
        None,
    )


async def test_a_crossed_or_empty_book_is_no_book() -> None:
    """A bid above the ask is torn data; a zero is the venue's way to say that nobody bids."""
    async with bench() as it:
        rows = it.truth.book_tickers()
        for row in rows:
            if row["symbol"] == "ETHUSDT":
                row["bidPrice"] = "3100"
            if row["symbol"] == "ETHUSDT_261225":
                row["bidPrice"] = "0"
        it.server.replies["/fapi/v1/ticker/bookTicker"] = json.dumps(rows)
        quotes = await it.market.quotes([PERPETUAL, DATED])
    assert (quotes[PERPETUAL].value.bid, quotes[PERPETUAL].value.ask) == (None, None)
    assert quotes[DATED].value.bid is None
    assert quotes[DATED].value.ask is not None


async def test_an_unknown_funding_interval_is_unknown() -> None:
    """Where the venue cannot be asked for intervals they are unknown, not eight hours; marks do not wait for it."""
    async with bench() as it:
        it.server.faults["/fapi/v1/fundingInfo"] = "500"
        before = await it.market.quotes([PERPETUAL])
        it.server.faults.clear()
        after = await it.market.quotes([PERPETUAL])
    assert before[PERPETUAL].value.funding_interval_hours is None
    assert before[PERPETUAL].value.mark == 3000
    assert after[PERPETUAL].value.funding_interval_hours == 8


async def test_prices_only_what_trades_against_the_quote() -> None:
    """An asset is priced by its trading spot market; halted, unlisted and priceless ones are absent, never zero."""
    async with bench() as it:
        it.truth.spot_status["UNI"] = "BREAK"  # the venue still shows its last price
        it.truth.prices["AAVE"] = D(0)
        prices = await it.market.prices(["ETH", "USDC", "UNI", "AAVE", "NONE", "USDT"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}
    assert prices["ETH"].as_of == it.clock.now()


async def test_a_coin_without_a_market_in_the_quote_is_priced_by_way_of_a_dollar() -> None:
    """At that dollar's own market price, both from one request."""
    async with bench() as it:
        await it.market.instruments()
        it.server.requests.clear()
        prices = await it.market.prices(["ETH", "USDT"], "USDC")
        assert it.paths() == ["/api/v3/ticker/price"]
    assert {asset: read.value for asset, read in prices.items()} == {
        "ETH": 3000 * (1 / D("0.9998")),
        "USDT": 1 / D("0.9998"),
    }


async def test_reads_each_wallet() -> None:
    """Spot is free and locked, margin carries principal plus interest as debt, futures the wallet balance."""
    async with bench() as it:
        spot = await it.reader.balances("spot")
        margin = await it.reader.balances("margin")
        swap = await it.reader.balances("swap")
    assert spot.value == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(500)))
    assert margin.value == (Balance("SOL", D(1), D(2), D("30.25")),)
    assert swap.value == (Balance("USDT", D(10000)),)
    assert spot.as_of == margin.as_of == swap.as_of == it.clock.now()


async def test_a_futures_asset_never_touched_still_counts_once() -> None:
    """Wallet balances count whatever their update time; what multi-assets mode shows as available does not."""
    async with bench() as it:
        it.truth.futures = {"USDT": D(10000), "BNB": D("0.5"), "FDUSD": D(0)}  # all updateTime 0, available 10,000
        swap = await it.reader.balances("swap")
    assert swap.value == (Balance("USDT", D(10000)), Balance("BNB", D("0.5")))


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none."""
    async with bench() as it:
        it.truth.spot, it.truth.positions = {}, {}
        assert (await it.reader.balances("spot")).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.positions == ()
    assert derivatives.margin == Margin(D(10000), D(0), D(10000))


async def test_positions_are_signed_and_margin_is_the_venues() -> None:
    """A short is negative; equity is wallet plus unrealised profit, maintenance the venue's total."""
    async with bench() as it:
        read = await it.reader.derivatives()
    assert read.value.positions == (
        Position(
            instrument=PERPETUAL,
            contracts=D(-2),
            entry_price=D(3100),
            liquidation_price=D(6000),
            unrealised_pnl=D(200),
            maintenance_margin=D(30),
        ),
    )
    assert read.value.margin == Margin(equity=D(10200), maintenance=D(30), available=D(9900))
    assert read.as_of == it.clock.now()


async def test_a_liquidation_price_of_zero_is_none() -> None:
    """The venue writes 0 where no price liquidates; taken as a price it would be the nearest danger of all."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(1), D(3000))}
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.liquidation_price is None


@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.03", False), ("10", False)])
async def test_a_position_worth_something_else_is_not_trusted(factor: str, trusted: bool) -> None:
    """Contracts times mark must agree with the venue's notional within 2 %."""
    async with bench() as it:
        rows = it.truth.position_risk()
        rows[0]["notional"] = str(D(rows[0]["notional"]) * D(factor))
        it.server.replies["/fapi/v3/positionRisk"] = json.dumps(rows)
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


async def test_a_position_in_an_unlisted_symbol_fails_the_read() -> None:
    """Without its listing a contract's size is unknown: the read names the symbol and gives nothing."""
    async with bench() as it:
        rows = it.truth.position_risk()
        rows[0]["symbol"] = "GONEUSDT"
        it.server.replies["/fapi/v3/positionRisk"] = json.dumps(rows)
        with pytest.raises(Unreadable, match="GONEUSDT"):
            await it.reader.derivatives()


async def test_hedge_mode_is_refused_with_the_way_out() -> None:
    """Two positions in one contract are not read as one; the message tells what to switch."""
    async with bench() as it:
        it.truth.hedge_mode = True
        with pytest.raises(Refused, match="USDⓈ-M Futures: .*switch it to one-way mode"):
            await it.reader.derivatives()


@pytest.mark.parametrize("path", ["/fapi/v3/positionRisk", "/dapi/v1/positionRisk", "/dapi/v1/account"])
async def test_hedge_mode_with_nothing_open_holds_up_no_hedge(path: str) -> None:
    """The venue lists sides with nothing in them; they are no positions, whatever the mode."""
    async with bench() as it:
        (row, *_) = it.truth.position_risk()
        it.truth.positions = {}
        empty = dict.fromkeys(("positionAmt", "maintMargin", "unRealizedProfit", "notional", "entryPrice"), "0")
        sides = [{**row, **empty, "positionSide": side} for side in ("BOTH", "LONG", "SHORT")]
        account = {**it.truth.more.coin_account(), "positions": sides}
        it.server.replies[path] = json.dumps(account if path.endswith("account") else sides)
        assert (await it.reader.derivatives()).value.positions == ()


async def test_the_tightest_margin_pool_decides() -> None:
    """Where USDC positions are backed by USDC alone, that pool's margin is shown if it is the closer to its end."""
    async with bench() as it:
        account = it.truth.futures_account()
        pool = {
            **account["assets"][0],
            "asset": "USDC",
            "crossWalletBalance": "90",
            "crossUnPnl": "10",
            "maintMargin": "60",
        }
        account["assets"].append(pool)
        it.server.replies["/fapi/v3/account"] = json.dumps(account)
        apart = (await it.reader.derivatives()).value
        account["totalMaintMargin"] = "90"  # multi-assets mode: the totals are of all assets
        it.server.replies["/fapi/v3/account"] = json.dumps(account)
        shared = (await it.reader.derivatives()).value
    assert apart.margin == Margin(equity=D(100), maintenance=D(60))
    assert apart.equities == {"USDT": D(10200), "USDC": D(100)}
    assert shared.margin == Margin(equity=D(10200), maintenance=D(90), available=D(9900))
    assert shared.equities == {}, "one sum: what backs which is not told"


@pytest.mark.parametrize(
    ("apart", "equity", "maintenance"),
    [
        (D(9900), D(300), D(30)),  # the short has the other 100 and its gain of 200
        (D(1000), D(600), D(290)),  # 1,000 less a loss of 400, for 1 BTC less 2,000 USDT at 0.5 %
    ],
    ids=["cross", "isolated"],
)
async def test_an_isolated_position_is_a_pool_of_its_own(apart: D, equity: D, maintenance: D) -> None:
    """What is set apart for it backs no other; whichever pool is nearer to its end speaks for the account."""
    async with bench() as it:
        it.truth.prices["BTC"] = D(58000)
        it.truth.positions["BTCUSDT"] = Held(D(1), D(58400), isolated=apart)
        margin = (await it.reader.derivatives()).value.margin
    assert margin is not None
    assert (margin.equity, margin.maintenance) == (equity, maintenance)


async def test_an_isolated_position_alone_leaves_nothing_to_maintain() -> None:
    """The cross pool needs nothing then, however little is left in it."""
    async with bench() as it:
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3000), isolated=D(10000))}
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(D(10000), D(30))


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Seventeen requests for the first full read, nine for each later one, none of them a write."""
    async with bench() as it:
        await read_everything(it)
        await it.settled()
        assert sorted(it.paths()) == sorted(COLD)
        assert len(COLD) == 17
        it.clock.advance(60)
        await read_everything(it)
        assert sorted(it.paths()) == sorted(WARM)
        assert len(WARM) == 9
        assert it.server.writes == []


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not {"/api/v3/account", "/api/v3/time"} & set(it.paths())


async def test_the_sandbox_is_the_venues_demo_system() -> None:
    """With `sandbox` every request goes to the demo addresses; a wallet that it lacks is refused."""
    async with bench(sandbox=True) as it:
        assert (await it.reader.balances("spot")).value
        assert "demo-api" in it.exchange.last_request_url
        with pytest.raises(Refused):
            await it.reader.balances("margin")


async def test_opening_sends_nothing_and_a_venue_that_is_down_recovers() -> None:
    """A venue that is down when the daemon starts is unreachable in its cycle, and read in a later one."""
    ca_file, cert, key = pki()
    clock = ManualClock()
    async with BinanceServer(_truth(clock), cert, key) as server:
        port, address = int(server.connect_to.rpartition(":")[2]), server.connect_to
    opened = await open_ccxt("main", "binance", ["spot"], KEYS, clock=clock, connect_to=address, ca_file=ca_file)
    try:
        assert opened.reader is not None
        with pytest.raises(Unreachable, match="main: server time: no connection"):
            await opened.reader.balances("spot")
        with pytest.raises(Unreachable):
            await opened.market.instruments()
        async with BinanceServer(_truth(clock), cert, key, port) as server:
            assert server.requests == []
            assert (await opened.reader.balances("spot")).value == (Balance("ETH", D(1)),)
            assert PERPETUAL in await opened.market.instruments()
    finally:
        await opened.close()


def _truth(clock: ManualClock) -> Any:
    from tests.venues.binance_bench import portfolio

    truth = portfolio(clock)
    truth.spot = {"ETH": (D(1), D(0))}
    return truth


async def test_markets_are_read_again_every_hour() -> None:
    """A delisting announced while the daemon runs is seen within the hour, without delaying a read."""
    solana = InstrumentId("main:SOL/USDT:USDT")
    async with bench() as it:
        await it.market.instruments()
        it.truth.delivery["SOLUSDT"] = 1796115600000
        it.clock.advance(3599)
        assert (await it.market.instruments())[solana].delisting is None
        assert "/fapi/v1/exchangeInfo" in it.paths()
        await it.market.instruments()
        assert it.paths() == []
        it.clock.advance(1)
        await it.market.instruments()
        await _until(lambda: "/fapi/v1/exchangeInfo" in [path for _, path in it.server.requests])
        await it.settled()
        assert (await it.market.instruments())[solana].delisting is not None


async def test_a_list_that_cannot_be_read_again_is_used_for_six_hours() -> None:
    """While the list fails the last one serves, tried again each minute; after six hours the venue is not read."""
    async with bench() as it:
        await it.market.instruments()
        it.server.faults["/fapi/v1/exchangeInfo"] = "500"
        it.clock.advance(3600)
        assert PERPETUAL in await it.market.instruments()
        await it.settled()
        it.paths()
        assert PERPETUAL in await it.market.instruments()
        await it.settled()
        assert it.paths() == []
        it.clock.advance(60)
        assert PERPETUAL in await it.market.instruments()
        await it.settled()
        assert "/fapi/v1/exchangeInfo" in it.paths()
        it.clock.advance(6 * 3600)
        with pytest.raises(Unreachable, match="futures markets"):
            await it.market.instruments()


async def test_a_slow_list_is_there_for_the_next_cycle() -> None:
    """A list that takes longer than a read may is still awaited in the background, and asked for once."""
    async with bench(time_limit=0.2) as it:
        arrives = it.server.held["/fapi/v1/exchangeInfo"] = asyncio.Event()
        with pytest.raises(Unreachable, match="markets: no answer within 0.2 s"):
            await it.market.instruments()
        arrives.set()
        await it.settled()
        assert PERPETUAL in await it.market.instruments()
        assert it.paths().count("/fapi/v1/exchangeInfo") == 1


async def _until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for without losing a read."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.balances("spot")
        it.clock.set(it.clock.now() + timedelta(days=30))
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.balances("spot")
        assert it.paths() == ["/api/v3/account", "/api/v3/time", "/api/v3/account"]


async def test_a_rate_limit_is_left_alone_for_as_long_as_it_asks() -> None:
    """After 429 nothing is sent to that host for a minute; other hosts are read on."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.server.faults["/api/v3/account"] = "429"
        with pytest.raises(Unreachable, match="slow down"):
            await it.reader.balances("spot")
        it.server.faults.clear()
        it.paths()
        with pytest.raises(Unreachable, match="asking again in 60 s"):
            await it.reader.balances("spot")
        assert it.paths() == []
        assert (await it.reader.balances("swap")).value
        it.clock.advance(61)
        assert (await it.reader.balances("spot")).value


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"apiKey": "z" * 40, "secret": KEYS["secret"]}, "the key is unknown"),
        ({"apiKey": KEYS["apiKey"], "secret": "wrong"}, "the secret does not belong to this key"),
        ({"apiKey": "short", "secret": KEYS["secret"]}, "the key is malformed"),
    ],
)
async def test_a_wrong_key_is_refused(keys: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=keys) as it:
        for read in (it.reader.balances("spot"), it.reader.balances("swap"), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read


async def test_a_key_withdrawn_later_is_refused_too() -> None:
    """A key that worked and then does not is a refusal, which ccxt would report as a rate limit."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.server.api_key = "another"
        with pytest.raises(Refused, match="the key is unknown"):
            await it.reader.balances("spot")


@pytest.mark.parametrize(
    ("response", "kind", "says"),
    [
        ({"status": 451, "text": '{"code": 0, "msg": "restricted location"}'}, Refused, "does not serve this location"),
        ({"status": 400, "text": '{"code": -1121, "msg": "Invalid symbol."}'}, Refused, "-1121 Invalid symbol."),
        ({"status": 200, "text": '{"code": -2015, "msg": "Invalid API-key."}'}, Refused, "the key is unknown"),
        ({"status": 503, "text": '{"code": -1008, "msg": "Server overloaded."}'}, Unreachable, "Server overloaded."),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, Unreadable, "HTTP 302$"),
        ({"status": 201, "text": '{"balances": []}'}, Unreadable, "HTTP 201"),
        ({"status": 200, "text": "<html>maintenance</html>"}, Unreadable, "an HTML page"),
        ({"status": 200, "text": '{"balances": 1}'}, Unreadable, "balances is a number, expected a list"),
        ({"status": 200, "body": b"\xff\xfe"}, Unreadable, "not text"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(response: dict[str, Any], kind: type[Exception], says: str) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer at all; no redirect is followed."""
    async with bench() as it:
        it.server.responses["/api/v3/account"] = response
        with pytest.raises(kind, match=f"main: spot wallet: .*{says}"):
            await it.reader.balances("spot")
        assert it.paths()[-1] == "/api/v3/account"


async def test_a_rate_limit_may_say_how_long() -> None:
    """The venue's own Retry-After counts, up to an hour."""
    async with bench() as it:
        it.server.responses["/api/v3/ticker/price"] = {"status": 418, "headers": {"Retry-After": "120"}}
        with pytest.raises(Unreachable, match="slow down"):
            await it.market.prices(["ETH"], "USDT")
        with pytest.raises(Unreachable, match="asking again in 120 s"):
            await it.market.prices(["ETH"], "USDT")


async def test_requests_keep_to_the_venues_weights() -> None:
    """A burst of reads beyond half a minute's weight is spread out instead of running into a ban."""
    async with bench() as it:
        doubt = Doubt("main/swap/USDT", "main", "USDT", None, before=D(1), now=D(0), polls=1)
        for _ in range(19):
            await it.reader.explain(doubt, it.clock.now())  # the venue's income list weighs 30
        assert it.clock.slept == []
        for _ in range(2):
            await it.reader.explain(doubt, it.clock.now())
        assert sum(it.clock.slept) > 0


async def test_half_a_futures_wallet_is_no_wallet() -> None:
    """A margin balance without the assets that make it up is a torn reply."""
    async with bench() as it:
        it.server.replies["/fapi/v3/account"] = json.dumps({**it.truth.futures_account(), "assets": []})
        for read in (it.reader.balances("swap"), it.reader.derivatives()):
            with pytest.raises(Unreadable, match="assets is empty"):
                await read


async def test_another_authority_is_not_trusted(tmp_path: Any) -> None:
    """TLS is verified against `ca_file` and nothing else."""
    from tests.venues.certificates import make_ca

    other, _, _ = make_ca(tmp_path)
    async with bench() as it:
        opened = await open_ccxt(
            "main", "binance", [], None, clock=it.clock, connect_to=it.server.connect_to, ca_file=other
        )
        with pytest.raises(Unreachable, match="certificate"):
            await opened.market.instruments()
        await opened.close()
        assert it.paths() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"exchange": "nowhere"}, "exchange = nowhere .* binance"),
        ({"wallets": ["spot", "vault"]}, "wallets = vault .* earn, funding, margin, portfolio, spot, swap"),
        ({"credentials": {"apiKey": "x"}}, "lacks secret"),
        ({"connect_to": "192.0.2.1:8443"}, "a loopback address"),
        ({"connect_to": "localhost:8443"}, "a loopback address"),
        ({"connect_to": "127.0.0.1"}, "a loopback address"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file = /nowhere/ca.pem"),
    ],
)
async def test_what_cannot_be_opened_is_a_configuration_error(
    change: dict[str, Any], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each names the account, the value and what is allowed; nothing is left open behind it."""
    given = {"account": "main", "exchange": "binance", "wallets": ["spot"], "credentials": KEYS, **change}
    with pytest.raises(ConfigurationError, match=f"account main: .*{says}"):
        await open_ccxt(clock=ManualClock(), **given)
    gc.collect()
    assert caplog.text == ""


async def test_samples_from_the_venues_documentation() -> None:
    """Replies as the venue documents them go through: no debt, a futures asset, a position in a listed contract."""
    folder = need_shared("venues/binance")

    def sample(name: str) -> Any:
        return json.loads((folder / name).read_text())["httpResponse"]

    async with bench() as it:
        info = it.truth.futures_info()
        info["symbols"].append({**info["symbols"][1], "symbol": "WLDUSDT", "pair": "WLDUSDT", "baseAsset": "WLD"})
        it.server.replies = {
            "/fapi/v1/exchangeInfo": json.dumps(info),
            "/sapi/v1/margin/account": json.dumps(sample("fetch_balance.doc1.json")),
            "/fapi/v3/account": json.dumps(sample("fetch_balance.doc2.json")),
            "/fapi/v3/positionRisk": json.dumps(sample("fetch_positions.doc1.json")),
            "/fapi/v1/premiumIndex": json.dumps(sample("fetch_funding_rates.doc1.json")),
        }
        assert (await it.reader.balances("margin")).value == ()
        assert (await it.reader.balances("swap")).value == (Balance("BNB", D("0.01")),)
        (position,) = (await it.reader.derivatives()).value.positions
        bitcoin = InstrumentId("main:BTC/USDT:USDT")
        quotes = await it.market.quotes([bitcoin, PERPETUAL])
    assert (position.instrument, position.contracts, position.trusted) == ("main:WLD/USDT:USDT", 5, True)
    assert position.liquidation_price is None
    assert set(quotes) == {bitcoin}
    assert quotes[bitcoin].value.mark == D("45802.81129892")
    assert quotes[bitcoin].as_of == datetime(2021, 5, 17, 11, 52, 24, 1000, tzinfo=UTC)


async def test_real_market_rows() -> None:
    """The venue's own listing rows are understood: their rules, the dated contract, the inverse one."""
    listed = json.loads(need_shared("venues/binance/markets.json").read_text())
    spot = [market["info"] for market in listed.values() if market["spot"]]
    linear = [market["info"] for market in listed.values() if market["linear"]]
    inverse = [market["info"] for market in listed.values() if market["inverse"]]
    async with bench() as it:
        it.server.replies = {
            "/api/v3/exchangeInfo": json.dumps({"symbols": spot}),
            "/fapi/v1/exchangeInfo": json.dumps({"symbols": linear}),
            "/dapi/v1/exchangeInfo": json.dumps({"symbols": inverse}),
        }
        instruments = await it.market.instruments()
    assert set(instruments) == {f"main:{symbol}" for symbol, market in listed.items() if market["contract"]}
    coin = instruments[InstrumentId("main:BTC/USD:BTC")]
    assert (coin.linear, coin.multiplier, coin.settle, coin.lot_size) == (False, 100, "BTC", 1)
    assert instruments[InstrumentId("main:BTC/USDT:USDT")].tick_size == D("0.10")
    assert instruments[InstrumentId("main:BTC/USDT:USDT-261225")].expiry == datetime(2026, 12, 25, 8, tzinfo=UTC)
