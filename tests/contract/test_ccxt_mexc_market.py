"""What MEXC lists, where it trades, and its margin tiers, read through real ccxt over real TLS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from tests.venues.mexc_bench import INVERSE, PERPETUAL, Bench, bench, enveloped
from tests.venues.mexc_venue import Lent, Pool

D = Decimal
SOLANA = InstrumentId("main:SOL/USDT:USDT")
TICKER = "/api/v1/contract/ticker"


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
    [
        {"contractSize": 0},
        {"volUnit": None},
        {"priceUnit": -1},
        {"minVol": None},
        {"minVol": "x"},
        {"state": 9},
        {"settleCoin": "MX"},
    ],
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


async def test_without_a_step_there_is_one_tier() -> None:
    """Levels that cover nothing more are not levels."""
    async with bench() as it:
        it.truth.contract_fields["ETH_USDT"] = {"riskIncrVol": 0, "riskLevelLimit": 3}
        assert await tiers_of(it, "ETH_USDT") == (MarginTier(D(0), D("0.004"), D(200)),)


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
