"""The market of the past: prices at the replay's time, contracts that come and go, funding as it was settled."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from hedged.adapters.exchanges.futures_chain import quarterly_expiries, quarterly_expiry
from hedged.adapters.exchanges.historical import HistoricalMarket
from hedged.adapters.exchanges.price_table import FundingRates, History, PriceTable
from hedged.adapters.exchanges.symbols import parse_symbol
from hedged.errors import ConfigurationError, DataError
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.policy import HedgePolicy, LegPolicy, Mode, PortfolioPolicy, World
from tests.support import ManualClock

START = datetime(2021, 1, 1, tzinfo=UTC)
HOUR = 3600
PERP = InstrumentId("main:ETH/USDT:USDT")
MARCH, JUNE = InstrumentId("main:ETH/USDT:USDT-210326"), InstrumentId("main:ETH/USDT:USDT-210625")


def table(start: datetime = START, step: int = HOUR, **columns: str) -> PriceTable:
    """Prices separated by blanks, `-` where there is none, from `start` on."""
    cells = {name: [b"" if text == "-" else text.encode() for text in row.split()] for name, row in columns.items()}
    length = len(next(iter(cells.values())))
    times = int(start.timestamp()) + step * np.arange(length, dtype=np.int64)
    return PriceTable("test.csv", times, {name: np.array(row, dtype=np.bytes_) for name, row in cells.items()}, step, 0)


def funding(*rates: str, start: datetime = START, interval: int = 8 * HOUR) -> FundingRates:
    times = int(start.timestamp()) + interval * np.arange(len(rates), dtype=np.int64)
    return FundingRates(times, np.array([rate.encode() for rate in rates], dtype=np.bytes_))


def market(
    *instruments: InstrumentId,
    spot: PriceTable,
    perp: PriceTable | None = None,
    dated: PriceTable | None = None,
    rates: FundingRates | None = None,
    tiers: dict[InstrumentId, tuple[MarginTier, ...]] | None = None,
) -> tuple[HistoricalMarket, ManualClock]:
    clock = ManualClock(START)
    hedge = HedgePolicy("alts", ("ETH",), tuple(LegPolicy(i) for i in instruments), Decimal(1), Decimal("0.05"))
    policy = PortfolioPolicy("p", Mode.PAPER, World.PAPER, "USDT", timedelta(hours=1), (hedge,), tiers=tiers or {})
    history = History(spot, perp, dated, {} if rates is None else {"ETH": rates})
    return HistoricalMarket("main", policy, history, clock), clock


async def test_prices_are_those_of_this_very_moment() -> None:
    """A missing bar, or a moment between bars, has no price; the quote currency is its own unit."""
    reader, clock = market(PERP, spot=table(ETH="700 - 720", SOL="1.5 1.6 -"))
    assets = ("ETH", "SOL", "USDT", "DOGE")
    seen = []
    for hours in (0, 1, 2, 1.5, 3):
        clock.set(START + timedelta(hours=hours))
        found = await reader.prices(assets, "USDT")
        assert all(read.as_of == clock.now() for read in found.values())
        seen.append({asset: str(read.value) for asset, read in found.items()})
    assert seen == [
        {"ETH": "700", "SOL": "1.5", "USDT": "1"},
        {"SOL": "1.6", "USDT": "1"},
        {"ETH": "720", "USDT": "1"},
        {"USDT": "1"},
        {"USDT": "1"},
    ]


async def test_a_perpetual_is_marked_at_its_own_price_or_at_spot() -> None:
    """With a file of perpetuals the mark is theirs alone, without one it is the price of the base."""
    reader, clock = market(PERP, spot=table(ETH="700 710"), perp=table(ETH="701 -"))
    quote = (await reader.quotes([PERP]))[PERP].value
    assert (quote.mark, quote.index, quote.bid, quote.funding_rate) == (Decimal(701), Decimal(700), None, Decimal(0))
    clock.advance(HOUR)
    assert await reader.quotes([PERP]) == {}
    reader, _ = market(PERP, spot=table(ETH="700"))
    assert (await reader.quotes([PERP]))[PERP].value.mark == Decimal(700)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        # Hours from the start → the rate told there. Each settlement (0, 8, 16 h) is charged once, at its own rate.
        (8, {0: "0.0001", 8: "0.0002", 16: "0.0003", 24: "0"}),
        (4, {0: "0.0001", 4: "0.0001", 8: "0.0002", 12: "0.0002", 20: "0.0003", 28: "0"}),
        (24, {0: "0.00003333", 24: "0.00016667", 48: "0"}),  # 3 funding times a bar, and the sum is what was settled
    ],
)
async def test_a_bar_charges_what_its_settlements_sum_to(step: int, expected: dict[int, str]) -> None:
    """At a settlement its own rate, in between the last one's, over several their mean; with none on file, 0."""
    rates = funding("0.0001", "0.0002", "0.0003")
    reader, clock = market(PERP, spot=table(step=step * HOUR, ETH="700 " * 12), rates=rates)
    for hours, rate in expected.items():
        clock.set(START + timedelta(hours=hours))
        quote = (await reader.quotes([PERP]))[PERP].value
        assert quote.funding_rate is not None
        assert round(quote.funding_rate, 8) == Decimal(rate)
        assert (quote.funding_interval_hours, quote.funding_next) == (8, None)


@pytest.mark.parametrize(("offset", "interval"), [(0, 8), (4, 4), (1, 1)])
def test_the_funding_interval_reaches_every_settlement(offset: int, interval: int) -> None:
    """Settlements at 04:00, 12:00, 20:00 are on a grid of four hours since midnight, and each is charged once."""
    rates = funding("0.0001", "0.0002", "0.0003", start=START + timedelta(hours=offset))
    last = int(START.timestamp()) + (offset + 16) * HOUR
    assert rates.interval(last) == interval * HOUR
    first = int(START.timestamp()) + offset * HOUR
    charged = [rates.rate(at - HOUR, at) for at in range(first, last + 1, interval * HOUR)]
    assert sum(charged) == Decimal("0.0006")


@pytest.mark.parametrize(
    ("year", "quarter", "day"),
    [(2021, 1, "03-26"), (2021, 2, "06-25"), (2021, 3, "09-24"), (2021, 4, "12-31"), (2022, 1, "03-25")],
)
def test_quarterly_contracts_expire_on_the_last_friday(year: int, quarter: int, day: str) -> None:
    """08:00 UTC on the last Friday of March, June, September and December."""
    assert quarterly_expiry(year, quarter) == datetime.fromisoformat(f"{year}-{day}T08:00:00Z")


def test_the_next_expiries_lie_after_now_even_on_the_day() -> None:
    """At its expiry a contract is over, and the year's end is crossed."""
    last = datetime(2021, 12, 31, 8, tzinfo=UTC)
    assert quarterly_expiries(last - timedelta(seconds=1), 2) == [last, datetime(2022, 3, 25, 8, tzinfo=UTC)]
    assert quarterly_expiries(last, 1) == [datetime(2022, 3, 25, 8, tzinfo=UTC)]


async def test_generated_contracts_stand_at_spot_and_the_basis_that_funding_shows() -> None:
    """F = spot × exp(basis·T): 0.01 % each 8 h is 10.95 % a year; without funding F = spot."""
    reader, _ = market(MARCH, spot=table(ETH="700"), rates=funding("0.0001"))
    expiry = datetime(2021, 3, 26, 8, tzinfo=UTC)
    years = (expiry - START) / timedelta(days=365)
    quote = (await reader.quotes([MARCH]))[MARCH].value
    assert float(quote.mark) == pytest.approx(700 * math.exp(0.1095 * years), rel=1e-9)
    assert (quote.index, quote.funding_rate) == (Decimal(700), None)
    reader, _ = market(MARCH, spot=table(ETH="700"))
    assert (await reader.quotes([MARCH]))[MARCH].value.mark == Decimal(700)


async def test_a_generated_contract_meets_spot_at_its_expiry() -> None:
    """One second before delivery next to nothing is left of the basis."""
    expiry = datetime(2021, 3, 26, 8, tzinfo=UTC)
    last = expiry - timedelta(seconds=1)
    reader, clock = market(MARCH, spot=table(last, ETH="700"), rates=funding(*["0.0001"] * 260))
    clock.set(last)
    assert float((await reader.quotes([MARCH]))[MARCH].value.mark) == pytest.approx(700, rel=1e-7)


async def test_the_listing_moves_on_at_each_expiry() -> None:
    """Two quarters ahead, and the named contract while it lives; an expired one has no quote."""
    december = InstrumentId("main:ETH/USDT:USDT-211231")
    reader, clock = market(december, spot=table(step=86_400, ETH="700 " * 370))
    assert sorted(await reader.instruments()) == [MARCH, JUNE, december]
    march = (await reader.instruments())[MARCH]
    assert (march.expiry, march.base, march.settle) == (datetime(2021, 3, 26, 8, tzinfo=UTC), "ETH", "USDT")
    clock.set(datetime(2021, 3, 26, 8, tzinfo=UTC))
    assert MARCH not in await reader.instruments()
    assert InstrumentId("main:ETH/USDT:USDT-210924") in await reader.instruments()
    assert await reader.quotes([MARCH]) == {}
    clock.set(datetime(2021, 12, 31, 8, tzinfo=UTC))
    assert sorted(await reader.instruments()) == [f"main:ETH/USDT:USDT-{date}" for date in ("220325", "220624")]


async def test_recorded_contracts_are_listed_from_their_first_bar_to_their_expiry() -> None:
    """A contract that the file shows later is not known before; another underlying is none of ours."""
    columns = {MARCH[5:]: "700 701 702", JUNE[5:]: "- 801 802", "BTC/USDT:USDT-210326": "9 9 9"}
    reader, clock = market(MARCH, spot=table(SOL="1 1 1"), dated=table(**columns))
    assert sorted(await reader.instruments()) == [MARCH]
    clock.advance(HOUR)
    assert sorted(await reader.instruments()) == [MARCH, JUNE]
    assert {i: str(read.value.mark) for i, read in (await reader.quotes([MARCH, JUNE])).items()} == {
        MARCH: "701",
        JUNE: "801",
    }
    clock.set(datetime(2021, 3, 26, 8, tzinfo=UTC))
    assert sorted(await reader.instruments()) == [JUNE]


def test_a_chain_is_followed_from_contract_to_contract() -> None:
    """For statistics a period is measured on one contract: the named one while it outlives it, else the nearest."""
    expiry = datetime(2021, 3, 26, 8, tzinfo=UTC)
    start = expiry - timedelta(hours=2)
    columns = {MARCH[5:]: "700 701 702 -", JUNE[5:]: "800 801 802 803"}
    reader, _ = market(MARCH, PERP, spot=table(start, ETH="1 2 3 4"), dated=table(start, **columns))
    at = int(start.timestamp()) + HOUR * np.arange(5)
    # From the second hour on March would be delivered before the period is over.
    followed = [701 / 700 - 1, 802 / 801 - 1, 803 / 802 - 1, math.nan]
    assert reader.returns(MARCH, at) == pytest.approx(followed, nan_ok=True)
    assert reader.returns(PERP, at) == pytest.approx([1, 1 / 2, 1 / 3, math.nan], nan_ok=True)
    assert len(reader.returns(MARCH, at[:1])) == 0


async def test_tiers_come_from_the_configuration() -> None:
    """A price file has none: those of [[tiers]], or none, so that whatever rests on them is called estimated."""
    own = (MarginTier(Decimal(0), Decimal("0.004"), Decimal(100)),)
    reader, _ = market(PERP, spot=table(ETH="1"), tiers={PERP: own})
    assert (await reader.instruments())[PERP].tiers == own
    reader, _ = market(PERP, spot=table(ETH="1"))
    assert (await reader.instruments())[PERP].tiers == ()


@pytest.mark.parametrize("symbol", ["ETH/USDT", "ETH/USD:BTC", "ETH/USDT:USDT-210326-1500-C", "ETH"])
def test_instruments_that_cannot_be_replayed_are_refused(symbol: str) -> None:
    """Spot, contracts that another coin settles, and options are told apart from what a price file can stand for."""
    with pytest.raises(
        ConfigurationError, match=r"hedges.alts: instrument main:.* settled in their quote currency or their own coin"
    ):
        market(InstrumentId(f"main:{symbol}"), spot=table(ETH="1"))


@pytest.mark.parametrize(("coin", "face"), [("ETH", 10), ("BTC", 100)])
async def test_a_contract_margined_in_its_coin_is_whole_dollars(coin: str, face: int) -> None:
    """Of so many dollars each, at the price of its coin, dated or not; a dollar is a unit of the files' currency."""
    perpetual, dated = InstrumentId(f"main:{coin}/USD:{coin}"), InstrumentId(f"main:{coin}/USD:{coin}-210326")
    spot = table(**{coin: "700 800"})
    reader, clock = market(perpetual, dated, spot=spot)
    listed = await reader.instruments()
    for name in (perpetual, dated):
        contract = listed[name]
        assert (contract.linear, contract.settle, contract.multiplier, contract.lot_size) == (False, coin, face, 1)
        assert contract.base_quantity(Decimal(7), Decimal(700)) * 100 == face
    clock.advance(HOUR)
    assert {name: read.value.mark for name, read in (await reader.quotes([perpetual, dated])).items()} == {
        perpetual: 800,
        dated: 800,
    }
    assert (await reader.prices(("USD", coin), "USDT"))["USD"].value == 1


def test_an_instrument_without_prices_is_refused_by_the_file_that_lacks_them() -> None:
    """The file where the prices should be is named, be it spot, perpetuals or dated contracts."""
    for instrument, files in [
        (PERP, {"spot": table(SOL="1")}),
        (PERP, {"spot": table(ETH="1"), "perp": table(SOL="1")}),
        (MARCH, {"spot": table(SOL="1")}),
        (MARCH, {"spot": table(ETH="1"), "dated": table(**{"BTC/USDT:USDT-210326": "1"})}),
    ]:
        with pytest.raises(DataError, match=r"test\.csv: no .*, which (instrument )?main:ETH/USDT:USDT"):
            market(instrument, **files)


def test_symbols_are_taken_apart() -> None:
    """ccxt's spelling, with the expiry at 08:00 UTC; an impossible date is no symbol."""
    parsed = parse_symbol("1000PEPE/USDT:USDT-210326")
    assert parsed is not None
    assert (parsed.base, parsed.chain, parsed.expiry) == (
        "1000PEPE",
        "1000PEPE/USDT:USDT",
        datetime(2021, 3, 26, 8, tzinfo=UTC),
    )
    assert parse_symbol("ETH/USDT:USDT-210231") is None
