"""Real ccxt over real TLS to a local server that speaks BingX's dialect and checks signatures: what is read."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.snapshot import Balance, Margin
from tests.venues.bingx_bench import INVERSE, KEYS, LINEAR, Bench, bench

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")
COLD = [  # all that a first full read with three wallets and both kinds of contracts asks
    "/openApi/spot/v1/common/symbols",
    "/openApi/swap/v2/quote/contracts",
    "/openApi/cswap/v1/market/contracts",
    "/openApi/swap/v2/server/time",
    "/openApi/swap/v1/positionSide/dual",
    "/openApi/swap/v1/trade/assetMode",
    "/openApi/contract/v1/allPosition",
    "/openApi/spot/v1/account/balance",
    "/openApi/fund/v1/account/balance",
    "/openApi/swap/v3/user/balance",
    "/openApi/cswap/v1/user/balance",
    "/openApi/swap/v2/user/positions",
    "/openApi/cswap/v1/user/positions",
    "/openApi/swap/v2/quote/premiumIndex",
    "/openApi/swap/v2/quote/ticker",
    "/openApi/cswap/v1/market/premiumIndex",
    "/openApi/cswap/v1/market/ticker",
    "/openApi/spot/v1/ticker/24hr",
]
WARM = COLD[7:]
WARM_LINEAR = [path for path in WARM if not path.startswith("/openApi/cswap/v1/market/")]


async def read_everything(it: Bench, *instruments: InstrumentId) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes(instruments),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_lists_linear_and_coin_margined_contracts_with_their_rules() -> None:
    """A linear contract is one coin, a coin-margined one its face value in dollars, traded in whole ones."""
    async with bench() as it:
        instruments = await it.market.instruments()
    assert instruments[LINEAR] == Instrument(
        id=LINEAR,
        account="main",
        symbol="ETH/USDT:USDT",
        kind=ContractKind.PERPETUAL,
        base="ETH",
        quote="USDT",
        settle="USDT",
        tick_size=D("0.01"),
        lot_size=D("0.01"),
        quantity_min=D("0.01"),
        notional_min=D(2),
    )
    assert instruments[INVERSE] == Instrument(
        id=INVERSE,
        account="main",
        symbol="ETH/USD:ETH",
        kind=ContractKind.PERPETUAL,
        base="ETH",
        quote="USD",
        settle="ETH",
        linear=False,
        multiplier=D(10),
        tick_size=D("0.01"),
        lot_size=D(1),
        quantity_min=D(1),
        notional_min=D(10),
    )
    assert instruments[SOLANA].lot_size == 1
    assert len(instruments) == 7


async def test_sees_a_delisting_and_a_halt() -> None:
    """A contract with an offline date is being delisted then; one closed to new positions does not trade."""
    async with bench() as it:
        it.truth.offline["SOL-USDT"] = 1796115600000
        it.truth.halted.add("BTC-USDT")
        instruments = await it.market.instruments()
    assert instruments[SOLANA].delisting == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert not instruments[InstrumentId("main:BTC/USDT:USDT")].trading
    assert (instruments[LINEAR].delisting, instruments[LINEAR].trading) == (None, True)


@pytest.mark.parametrize("decimals", [-1, "1.5", 40])
async def test_a_contract_without_rules_is_left_out(decimals: Any) -> None:
    """A contract whose step cannot be read is not listed rather than given an invented one; the others are."""
    async with bench() as it:
        reply = it.truth.contracts()
        next(row for row in reply["data"] if row["symbol"] == "SOL-USDT")["quantityPrecision"] = decimals
        it.server.replies["/openApi/swap/v2/quote/contracts"] = json.dumps(reply)
        try:
            instruments = await it.market.instruments()
        except Unreadable:
            return  # ccxt itself could not read it: nothing is listed, which is the safe side too
    assert SOLANA not in instruments
    assert LINEAR in instruments


async def test_quotes_carry_mark_book_and_funding() -> None:
    """Coin-margined marks are of the venue's own time, linear ones of their arrival: the reply tells none."""
    async with bench() as it:
        it.truth.now = lambda: 1793620799000  # 2026-11-02 11:59:59: a second before our clock
        quotes = await it.market.quotes([LINEAR, SOLANA, INVERSE, InstrumentId("main:NONE/USDT:USDT")])
        now = it.clock.now()
    assert set(quotes) == {LINEAR, SOLANA, INVERSE}
    assert (quotes[LINEAR].as_of, quotes[INVERSE].as_of) == (now, now - timedelta(seconds=1))
    quote = quotes[LINEAR].value
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (3000, D("3001.5"), D("2999.7"), D("3000.3"))
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.0001"), 8)
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert quotes[SOLANA].value.funding_interval_hours == 4
    assert quotes[INVERSE].value == quote


async def test_what_a_mark_does_not_tell_is_unknown() -> None:
    """Without an interval it is unknown, not eight hours; a time to funding that is no date is no date."""
    async with bench() as it:
        reply = it.truth.premium_index()
        for row in reply["data"]:
            del row["fundingIntervalHours"]
            row["nextFundingTime"] = 14_400_000
        it.server.replies["/openApi/swap/v2/quote/premiumIndex"] = json.dumps(reply)
        quote = (await it.market.quotes([LINEAR]))[LINEAR].value
    assert (quote.mark, quote.funding_interval_hours, quote.funding_next) == (3000, None, None)


async def test_a_crossed_or_empty_book_is_no_book() -> None:
    """A bid above the ask is torn data; a zero is the venue's way to say that nobody bids."""
    async with bench() as it:
        reply = it.truth.tickers()
        book = {row["symbol"]: row for row in reply["data"]}
        book["ETH-USDT"]["bidPrice"] = "3100"
        book["SOL-USDT"]["bidPrice"] = "0"
        it.server.replies["/openApi/swap/v2/quote/ticker"] = json.dumps(reply)
        quotes = await it.market.quotes([LINEAR, SOLANA])
    assert (quotes[LINEAR].value.bid, quotes[LINEAR].value.ask) == (None, None)
    assert quotes[SOLANA].value.bid is None
    assert quotes[SOLANA].value.ask is not None


async def test_prices_only_what_trades_against_the_quote() -> None:
    """Halted, unlisted and priceless assets are absent, never zero; the time is the ticker's."""
    async with bench() as it:
        it.truth.now = lambda: 1793620799000
        it.truth.halted.add("UNI-USDT")
        it.truth.prices["AAVE"] = D(0)
        prices = await it.market.prices(["ETH", "USDC", "UNI", "AAVE", "NONE", "USDT"], "USDT")
        now = it.clock.now()
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": D("0.9998"), "USDT": 1}
    assert prices["ETH"].as_of == now - timedelta(seconds=1)


async def test_reads_each_wallet() -> None:
    """Spot and fund account are free and locked; futures are the wallet balances of both perpetual accounts."""
    async with bench() as it:
        spot, funding, swap = [await it.reader.balances(wallet) for wallet in ("spot", "funding", "swap")]
        now = it.clock.now()
    assert spot.value == (Balance("ETH", D(10), D("1.5")), Balance("USDT", D(500)))
    assert funding.value == (Balance("SOL", D(40)),)
    assert swap.value == (Balance("USDT", D(10000)), Balance("ETH", D(2)))
    assert spot.as_of == funding.as_of == swap.as_of == now


@pytest.mark.parametrize("data", [{}, {"balances": None}, {"balances": [{"asset": "ETH", "free": "1"}]}])
async def test_half_a_wallet_is_no_wallet(data: Any) -> None:
    """Without its list, or with a row that lacks a field, a wallet is unreadable and not empty."""
    async with bench() as it:
        it.server.replies["/openApi/spot/v1/account/balance"] = json.dumps({"code": 0, "data": data})
        with pytest.raises(Unreadable, match="balances"):
            await it.reader.balances("spot")


async def test_a_coin_is_named_as_the_market_that_prices_it() -> None:
    """Where the venue reuses another coin's ticker, the balance and its price bear the same name."""
    async with bench() as it:
        it.truth.spot = {"TRUMP": (D(3), D(0))}
        (coin,) = (await it.reader.balances("spot")).value
        prices = await it.market.prices([coin.asset, "TRUMP"], "USDT")
    assert {asset: read.value for asset, read in prices.items()} == {coin.asset: 10}


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means none; nothing open has nothing to maintain."""
    async with bench() as it:
        it.truth.spot, it.truth.positions, it.truth.linear, it.truth.inverse = {}, {}, {}, {}
        assert (await it.reader.balances("spot")).value == ()
        assert (await it.reader.balances("swap")).value == ()
        assert (await it.reader.derivatives()).value.margin is None
        it.truth.linear = {"USDT": D(10), "USDC": D(5)}
        derivatives = (await it.reader.derivatives()).value
    assert derivatives.positions == ()
    assert derivatives.margin == Margin(D(15), D(0), D(15))


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Eighteen for the first full read of all kinds, eleven for each later one, nine without coin-margined quotes."""
    async with bench() as it:
        await read_everything(it, LINEAR, INVERSE)
        assert sorted(it.paths()) == sorted(COLD)
        it.clock.advance(60)
        await read_everything(it, LINEAR, INVERSE)
        assert sorted(it.paths()) == sorted(WARM)
        await read_everything(it, LINEAR, SOLANA)
        assert sorted(it.paths()) == sorted(WARM_LINEAR)
        assert (len(COLD), len(WARM), len(WARM_LINEAR)) == (18, 11, 9)
        assert it.server.writes == []


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([LINEAR]))[LINEAR].value.mark == 3000
        assert set(it.paths()) <= set(it.server._public())


async def test_a_venue_that_is_down_is_unreachable_and_recovers() -> None:
    """A venue without answer does not read as an empty one."""
    async with bench() as it:
        it.server.faults["*"] = "drop"
        with pytest.raises(Unreachable, match="main: server time"):
            await it.reader.balances("spot")
        it.server.faults.clear()
        assert len((await it.reader.balances("spot")).value) == 2


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"apiKey": "z" * 40, "secret": KEYS["secret"]}, "does not know this key"),
        ({"apiKey": KEYS["apiKey"], "secret": "wrong"}, "the secret does not belong to this key"),
    ],
)
async def test_a_wrong_key_is_refused(keys: dict[str, str], says: str) -> None:
    """The venue's refusal, though it comes with status 200, becomes one that says what to do about it."""
    async with bench(credentials=keys) as it:
        for read in (*map(it.reader.balances, it.reader.wallets), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read
