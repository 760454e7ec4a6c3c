"""Real ccxt over real TLS to a local server that speaks WEEX's dialect and checks signatures."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.snapshot import Balance, Margin, Position
from tests.support import need_shared
from tests.venues.binance_venue import Held
from tests.venues.weex_bench import DOGE, ETHER, KEYS, SOLANA, Bench, bench

D = Decimal
POSITIONS = "/capi/v3/account/position/allPosition"
BALANCE = "/capi/v3/account/balance"
COLD = [  # all that a first full read with both wallets asks
    "/api/v3/exchangeInfo",
    "/capi/v3/market/exchangeInfo",
    "/api/v3/time",
    "/api/v3/account/",
    BALANCE,
    POSITIONS,
    "/capi/v3/market/premiumIndex",
    "/capi/v3/market/ticker/bookTicker",
    "/api/v3/market/ticker/price",
]
WARM = [path for path in COLD if path.rpartition("/")[2] not in {"exchangeInfo", "time"}]


async def read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([ETHER, DOGE]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_lists_contracts_with_their_rules_in_coins() -> None:
    """One contract is one coin; a market's contract size is the step of a quantity, not a multiplier."""
    async with bench() as it:
        instruments = await it.market.instruments()
    assert instruments[ETHER] == Instrument(
        id=ETHER,
        account="main",
        symbol="ETH/USDT:USDT",
        kind=ContractKind.PERPETUAL,
        base="ETH",
        quote="USDT",
        settle="USDT",
        multiplier=D(1),
        tick_size=D("0.01"),
        lot_size=D("0.001"),
        quantity_min=D("0.002"),
    )
    doge = instruments[DOGE]
    assert (doge.multiplier, doge.lot_size, doge.quantity_min) == (1, 100, 100)
    assert doge.tick_size == D("0.00001")
    assert len(instruments) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"contractVal": "0"},
        {"contractVal": None},
        {"minOrderSize": None},
        {"quantityPrecision": "21"},
        {"pricePrecision": "-1"},
    ],
)
async def test_a_contract_without_rules_is_left_out(change: dict[str, Any]) -> None:
    """A contract whose step cannot be read is not listed rather than given an invented one; the others are."""
    async with bench() as it:
        info = it.truth.futures_info()
        info["symbols"][2].update(change)
        it.server.replies["/capi/v3/market/exchangeInfo"] = json.dumps(info)
        instruments = await it.market.instruments()
    assert SOLANA not in instruments
    assert ETHER in instruments


async def test_quotes_carry_mark_book_and_the_coming_funding() -> None:
    """The rate is the one that comes due at the next funding, not the one settled last; hours follow the contract."""
    async with bench() as it:
        it.truth.now = lambda: 1793620799000  # 2026-11-02 11:59:59: a second before our clock
        quotes = await it.market.quotes([ETHER, SOLANA, InstrumentId("main:NONE/USDT:USDT")])
    assert set(quotes) == {ETHER, SOLANA}
    quote = quotes[ETHER].value
    assert quotes[ETHER].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (3000, 3003, D("2999.7"), D("3000.3"))
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.00005618"), 8)
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert quotes[SOLANA].value.funding_interval_hours == 4


async def test_a_crossed_or_empty_book_is_no_book() -> None:
    """A bid above the ask is torn data; a zero is nobody; a contract without a book still has its mark."""
    async with bench() as it:
        rows = {row["symbol"]: row for row in it.truth.book_tickers()}
        rows["ETHUSDT"]["bidPrice"] = "3100"
        rows["DOGEUSDT"]["bidPrice"] = "0"
        del rows["SOLUSDT"]
        it.server.replies["/capi/v3/market/ticker/bookTicker"] = json.dumps(list(rows.values()))
        quotes = await it.market.quotes([ETHER, DOGE, SOLANA])
    assert (quotes[ETHER].value.bid, quotes[ETHER].value.ask) == (None, None)
    assert quotes[DOGE].value.bid is None
    assert quotes[DOGE].value.ask is not None
    assert (quotes[SOLANA].value.mark, quotes[SOLANA].value.ask) == (150, None)


async def test_prices_only_what_trades_against_the_quote() -> None:
    """An asset is priced by its trading spot market; halted, unlisted and priceless ones are absent, never zero."""
    async with bench() as it:
        it.truth.not_trading = {"UNI"}  # the venue still shows its last price
        it.truth.prices["AAVE"] = D(0)
        prices = await it.market.prices(["ETH", "USDC", "UNI", "AAVE", "NONE", "USDT"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}
    assert prices["ETH"].as_of == it.clock.now()


async def test_reads_each_wallet() -> None:
    """Spot is free and locked, futures the balance; what holds nothing is left out."""
    async with bench() as it:
        it.truth.spot["SOL"] = (D(0), D(0))
        spot = await it.reader.balances("spot")
        swap = await it.reader.balances("swap")
    assert spot.value == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(500)))
    assert swap.value == (Balance("USDT", D(10000)),)
    assert spot.as_of == swap.as_of == it.clock.now()


async def test_positions_are_signed_and_in_coins() -> None:
    """A short is negative, 300 DOGE are 300 whatever the contract size; what the venue does not tell is None."""
    async with bench() as it:
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    short, long = read.value.positions
    assert short == Position(
        instrument=ETHER,
        contracts=D(-2),
        entry_price=D(3100),
        liquidation_price=D(6000),
        unrealised_pnl=D(200),
    )
    assert long == Position(
        instrument=DOGE,
        contracts=D(300),
        entry_price=D("0.11"),
        liquidation_price=None,  # the venue's 0: no price liquidates
        unrealised_pnl=D(-3),
    )
    assert instruments[DOGE].base_quantity(long.contracts, D("0.1")) == 300
    assert instruments[ETHER].notional(short.contracts, D(3000)) == -6000
    assert read.as_of == it.clock.now()


@pytest.mark.parametrize(("price", "equity"), [("3000", "10000"), ("3200", "9797")])
async def test_equity_counts_a_loss_and_leaves_a_profit_out(price: str, equity: str) -> None:
    """Whether the balance holds the profit already is not told: equity is the lower reading, maintenance unknown."""
    async with bench() as it:
        it.truth.prices["ETH"] = D(price)
        margin = (await it.reader.derivatives()).value.margin
    assert margin == Margin(equity=D(equity), maintenance=None, available=D(9900))


async def test_margin_is_of_the_collateral_behind_the_positions() -> None:
    """Another asset beside it changes nothing; positions on two collaterals have no common margin; none is torn."""
    async with bench() as it:
        it.truth.futures = {"USDC": D(77), "USDT": D(10000)}
        margin = (await it.reader.derivatives()).value.margin
        rows = it.truth.all_positions()
        rows[1]["asset"] = "USDC"
        it.server.replies[POSITIONS] = json.dumps(rows)
        both = (await it.reader.derivatives()).value.margin
        it.truth.futures = {"USDT": D(10000)}
        with pytest.raises(Unreadable, match="no balance of the collateral"):
            await it.reader.derivatives()
    assert margin == Margin(D(10000), None, D(9900))
    assert both is None


async def test_an_empty_account_is_empty() -> None:
    """Well-formed replies without coins or positions mean that there are none, and no margin either."""
    async with bench() as it:
        it.truth.spot, it.truth.positions = {}, {}
        assert (await it.reader.balances("spot")).value == ()
        idle = (await it.reader.derivatives()).value
        it.truth.futures = {}
        assert (await it.reader.balances("swap")).value == ()
        nothing = (await it.reader.derivatives()).value
    assert (idle.positions, idle.margin) == ((), Margin(D(10000), None, D(9900)))
    assert (nothing.positions, nothing.margin) == ((), None)


@pytest.mark.parametrize(("factor", "trusted"), [("1", True), ("1.019", True), ("1.03", False), ("100", False)])
async def test_a_position_worth_something_else_is_not_trusted(factor: str, trusted: bool) -> None:
    """Value at entry plus profit must be size times mark within 2 %: a size in another unit is off by a factor."""
    async with bench() as it:
        rows = it.truth.all_positions()
        for row in rows:
            for name in ("openValue", "unrealizePnl"):
                row[name] = str(D(row[name]) * D(factor))
        it.server.replies[POSITIONS] = json.dumps(rows)
        positions = (await it.reader.derivatives()).value.positions
    assert [position.trusted for position in positions] == [trusted, trusted]


async def test_the_value_is_checked_by_the_mark_not_by_the_entry() -> None:
    """Far from its entry a position is trusted all the same; without a mark nothing vouches for it."""
    async with bench() as it:
        it.truth.prices["ETH"] = D(1500)
        it.truth.positions = {"ETHUSDT": Held(D(-2), D(3100))}
        (far,) = (await it.reader.derivatives()).value.positions
        marks = [row for row in it.truth.premium_index() if row["symbol"] != "ETHUSDT"]
        it.server.replies["/capi/v3/market/premiumIndex"] = json.dumps(marks)
        (unchecked,) = (await it.reader.derivatives()).value.positions
    assert (far.trusted, unchecked.trusted) == (True, False)
    assert far.unrealised_pnl == 3200


async def test_a_position_in_an_unlisted_symbol_fails_the_read() -> None:
    """Without its listing a contract's unit is unknown: the read names the symbol and gives nothing."""
    async with bench() as it:
        rows = it.truth.all_positions()
        rows[0]["symbol"] = "GONEUSDT"
        it.server.replies[POSITIONS] = json.dumps(rows)
        with pytest.raises(Unreadable, match="GONEUSDT"):
            await it.reader.derivatives()


@pytest.mark.parametrize("second", ["1", "-1"])
async def test_two_positions_in_one_contract_are_refused_with_the_way_out(second: str) -> None:
    """The venue nets nothing: a long beside a short, or two alike, are not read as one."""
    async with bench() as it:
        it.truth.positions["ETHUSDT+"] = Held(D(second), D(3000))
        with pytest.raises(Refused, match="ETH/USDT:USDT has more than one position open .* close all but one"):
            await it.reader.derivatives()
        it.truth.positions["ETHUSDT+"] = Held(D(0), D(3000))
        assert len((await it.reader.derivatives()).value.positions) == 2


async def test_separated_positions_are_refused_with_the_way_out() -> None:
    """In separated mode orders do not add to a position: the message tells what to switch, also for a single one."""
    async with bench() as it:
        it.truth.separated = True
        with pytest.raises(Refused, match="ETH/USDT:USDT is in separated position mode.* Combined"):
            await it.reader.derivatives()


@pytest.mark.parametrize("change", [{"side": "BOTH"}, {"separatedMode": "UNKNOWN"}, {"size": "-2"}])
async def test_a_side_or_mode_of_another_kind_is_unreadable(change: dict[str, str]) -> None:
    """What the documentation does not name has no sign that could be guessed."""
    async with bench() as it:
        rows = it.truth.all_positions()
        rows[0].update(change)
        it.server.replies[POSITIONS] = json.dumps(rows)
        with pytest.raises(Unreadable, match=next(iter(change))):
            await it.reader.derivatives()


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Nine requests for the first full read, six for each later one, none of them a write."""
    async with bench() as it:
        await read_everything(it)
        assert sorted(it.paths()) == sorted(COLD)
        assert len(COLD) == 9
        it.clock.advance(60)
        await read_everything(it)
        assert sorted(it.paths()) == sorted(WARM)
        assert len(WARM) == 6
        assert it.server.writes == []
        assert it.clock.slept == []


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([ETHER]))[ETHER].value.mark == 3000
        assert it.server.asked == []
        assert "/api/v3/time" not in it.paths()


async def test_the_sandbox_is_demo_trading() -> None:
    """Demo balances and positions are read under the names of the live markets; it has no spot wallet."""
    async with bench(sandbox=True) as it:
        it.truth.demo = True
        assert (await it.reader.balances("swap")).value == (Balance("USDT", D(10000)),)
        derivatives = (await it.reader.derivatives()).value
        with pytest.raises(Refused, match=r'wallets = \["swap"\]'):
            await it.reader.balances("spot")
        assert {path for path in it.paths() if "sim" in path} == {
            "/capi/v3/sim/balance",
            "/capi/v3/sim/position/allPosition",
        }
    assert [(p.instrument, p.contracts, p.trusted) for p in derivatives.positions] == [
        (ETHER, -2, True),
        (DOGE, 300, True),
    ]
    assert derivatives.margin == Margin(D(10000), None, D(9900))


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for without losing a read."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.balances("spot")
        it.clock.set(it.clock.now() + timedelta(days=30))
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.balances("spot")
        assert it.paths() == ["/api/v3/account/", "/api/v3/time", "/api/v3/account/"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"apiKey": "weex_" + "z" * 32}, "does not know this key"),
        ({"secret": "wrong"}, "the secret does not belong to this key"),
        ({"password": "wrong"}, "the key and its passphrase"),
    ],
)
async def test_a_wrong_key_is_refused(keys: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials={**KEYS, **keys}) as it:
        for read in (it.reader.balances("spot"), it.reader.balances("swap"), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read


@pytest.mark.parametrize(
    ("response", "kind", "says"),
    [
        ({"status": 451, "text": '{"code": 0, "msg": "restricted location"}'}, Refused, "does not serve this location"),
        ({"status": 400, "text": '{"code": -1056, "msg": "ILLEGAL_IP"}'}, Refused, "bound to another address"),
        ({"status": 200, "text": '{"code": -1052, "msg": "permissions"}'}, Refused, "allow reading for it"),
        ({"status": 400, "text": '{"code": -1142, "msg": "Parameter."}'}, Refused, "-1142 Parameter."),
        ({"status": 200, "text": '{"code": -1054, "msg": "System error."}'}, Unreadable, "System error."),
        ({"status": 503, "text": "busy"}, Unreachable, "HTTP 503"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, Unreadable, "HTTP 302$"),
        ({"status": 200, "text": "<html>maintenance</html>"}, Unreadable, "an HTML page"),
        ({"status": 200, "text": '{"balances": 1}'}, Unreadable, "balances is a number, expected a list"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(response: dict[str, Any], kind: type[Exception], says: str) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer at all."""
    async with bench() as it:
        it.server.responses["/api/v3/account/"] = response
        with pytest.raises(kind, match=f"main: spot wallet: .*{says}"):
            await it.reader.balances("spot")


async def test_requests_keep_to_the_venues_weights() -> None:
    """A burst beyond half of what ten seconds allow is spread out instead of running into a ban."""
    async with bench() as it:
        for _ in range(49):  # five each, and five for the time
            await it.reader.balances("spot")
        assert it.clock.slept == []
        await it.reader.balances("spot")
        assert sum(it.clock.slept) == pytest.approx(0.1)  # five at fifty a second


async def test_samples_of_the_venues_replies() -> None:
    """Replies as ccxt's maintainers received them go through: 300 DOGE long, marks, prices by the spot ticker."""
    folder = need_shared("venues/weex")

    def sample(name: str) -> str:
        return json.dumps(json.loads((folder / name).read_text())["httpResponse"])

    async with bench() as it:
        it.truth.prices["DOGE"] = D("0.09325")
        it.server.replies[POSITIONS] = sample("fetch_positions.doc1.json")
        (position,) = (await it.reader.derivatives()).value.positions
        quotes = []
        for name in ("fetch_funding_rates.doc1.json", "fetch_mark_prices.doc1.json"):
            it.server.replies = {"/capi/v3/market/premiumIndex": sample(name)}
            quotes.append(await it.market.quotes([ETHER, DOGE]))
    assert position == Position(
        instrument=DOGE,
        contracts=D(300),
        entry_price=D("0.09323"),
        liquidation_price=None,
        unrealised_pnl=D("0.006"),
        maintenance_margin=None,
        trusted=True,
    )
    assert [set(read) for read in quotes] == [{ETHER}, {ETHER}]
    first, second = (read[ETHER] for read in quotes)
    assert (first.value.mark, first.value.index) == (D("2133.71"), D("2134.44"))
    assert (first.value.funding_rate, first.value.funding_interval_hours) == (D("0.00005618"), 8)
    assert first.as_of == datetime(2026, 4, 7, 21, 33, 14, 265000, tzinfo=UTC)
    assert (second.value.mark, second.value.funding_rate) == (D("1929.88"), D("0.00003489"))


async def test_real_market_rows() -> None:
    """The venue's own listing rows are understood, all of them, with steps and minimums in coins."""
    listed = json.loads(need_shared("venues/weex/markets.json").read_text())
    spot = [market["info"] for market in listed.values() if market["spot"]]
    linear = [market["info"] for market in listed.values() if market["linear"]]
    async with bench() as it:
        it.server.replies = {
            "/api/v3/exchangeInfo": json.dumps({"symbols": spot}),
            "/capi/v3/market/exchangeInfo": json.dumps({"symbols": linear}),
        }
        instruments = await it.market.instruments()
        assert (await it.market.prices(["DOGE"], "USDT"))["DOGE"].value == D("0.1")
    assert set(instruments) == {f"main:{symbol}" for symbol, market in listed.items() if market["linear"]}
    rules = {i.base: (i.multiplier, i.lot_size, i.quantity_min, i.tick_size) for i in instruments.values()}
    assert rules["DOGE"] == (1, 100, 100, D("0.00001"))
    assert rules["BTC"] == (1, D("0.0001"), D("0.0001"), D("0.1"))
