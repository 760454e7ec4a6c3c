"""OKX's public data through the adapter: contracts and their sizes, quotes, prices, tiers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from tests.venues.okx_bench import DATED, INVERSE, PERPETUAL, Bench, bench

D = Decimal
DATED_INVERSE = InstrumentId("main:BTC/USD:BTC-261225")


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
        {"minSz": "x"},
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
    assert (quote.bid_size, quote.ask_size) == (10, 10)
    assert (quote.volume_day, quote.high_day, quote.low_day) == (D("66675001500"), 3001, 2999)  # coins at the mark
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
