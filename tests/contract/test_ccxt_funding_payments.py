"""What funding an account was paid, from each venue that tells it, with real ccxt over real TLS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.errors import VenueError
from hedged.model.effect import FundingPayment
from hedged.model.instrument import InstrumentId
from tests.contract.replies import Asked, Running, Venue, every_fault_passes
from tests.support import T0, need_shared
from tests.venues import (
    binance_bench,
    bingx_bench,
    bitget_bench,
    bitget_uta_bench,
    bybit_bench,
    gate_bench,
    hyperliquid_bench,
    krakenfutures_bench,
    kucoin_bench,
    mexc_bench,
    okx_bench,
    weex_bench,
)
from tests.venues.bingx_server import INCOME

D = Decimal
Put = Callable[[Any, list[dict[str, Any]]], None]
ETH = InstrumentId("main:ETH/USDT:USDT")
ETH_COINS = InstrumentId("main:ETH/USD:ETH")
BTC_COINS = InstrumentId("main:BTC/USD:BTC")
NOON = round(T0.timestamp() * 1000)
HOURS = 3_600_000
SINCE = T0 - timedelta(hours=20)


@dataclass(frozen=True)
class Source:
    """A venue's history: `row` makes one of its entries of a contract, a time, an amount and an id."""

    bench: Callable[..., AbstractAsyncContextManager[Any]]
    instrument: InstrumentId
    path: str
    put: Put
    row: Callable[[str, int, str, str], dict[str, Any]]
    market: str
    another: str  # a contract that is not asked for
    other: Mapping[str, object]  # what makes of the row something else than funding; {}: there is nothing else there
    currency: str = "USDT"
    sample: str = ""
    wallets: tuple[str, ...] | None = None
    numbered: bool = True  # else its time tells an entry from the others
    oldest_first: bool = False
    query: str = ""  # of one of several requests of the path, as it is sent


def income(market: str, at: int, amount: str, id_: str, asset: str = "USDT") -> dict[str, Any]:
    """Of Binance; BingX's is alike."""
    return {
        "symbol": market,
        "incomeType": "FUNDING_FEE",
        "income": amount,
        "asset": asset,
        "info": "FUNDING_FEE",
        "time": at,
        "tranId": id_,
        "tradeId": "",
    }


def bybit_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "symbol": market,
        "type": "SETTLEMENT",
        "funding": amount,
        "cashFlow": "17",
        "fee": "0",
        "change": str(D(amount) + 17),
        "transactionTime": str(at),
        "currency": "USDT",
        "category": "linear",
    }


def okx_row(market: str, at: int, amount: str, id_: str, coin: str = "USDT", balance: str = "balChg") -> dict[str, Any]:
    changes = {"balChg": "0", "posBalChg": "0", balance: amount}
    return {"billId": id_, "instId": market, "instType": "SWAP", "type": "8", "ccy": coin, "ts": str(at), **changes}


def mexc_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    number, funding = int(id_), float(amount)
    return {"id": number, "symbol": market, "positionType": 2, "funding": funding, "rate": 1e-05, "settleTime": at}


def weex_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    kind = "position_funding"
    return {"billId": id_, "asset": "USDT", "symbol": market, "income": amount, "incomeType": kind, "time": str(at)}


def gate_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    return {"time": at // 1000, "change": amount, "type": "fund", "text": market, "contract": market, "balance": "9"}


def bitget_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    told = {"symbol": market, "amount": amount, "fee": "0", "businessType": "contract_settle_fee", "coin": "USDT"}
    return {"billId": id_, **told, "cTime": str(at)}


def bitget_record(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    """Of the unified account, which tells by the kind of record whether it was received or paid."""
    kind = "CONTRACT_MAIN_SETTLE_FEE_USER_" + ("OUT" if amount.startswith("-") else "IN")
    told = {"category": "USDT-FUTURES", "symbol": market, "coin": "USDT", "type": kind, "fee": "0", "balance": "9"}
    return {"id": id_, **told, "amount": amount.removeprefix("-"), "ts": str(at)}


def kucoin_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    return {"id": int(id_), "symbol": market, "timePoint": at, "funding": float(amount), "settleCurrency": "USDT"}


def hyperliquid_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    delta = {"type": "funding", "coin": market, "usdc": amount, "szi": "-2", "fundingRate": "0.0000125"}
    return {"time": at, "hash": "0x" + "0" * 64, "delta": delta}


def kraken_row(market: str, at: int, amount: str, id_: str) -> dict[str, Any]:
    when = (T0 + timedelta(milliseconds=at - NOON)).isoformat().replace("+00:00", "Z")
    told = {"info": "funding rate change", "margin_account": "flex", "old_balance": 5, "new_balance": 6}
    return {
        **told,
        "asset": "usd",
        "contract": market,
        "date": when,
        "id": int(id_),
        "realized_funding": float(amount),
    }


def _gate(it: Any, rows: list[dict[str, Any]]) -> None:
    it.truth.books = {"futures/usdt": rows}


def _of(name: str, it: Any, rows: list[dict[str, Any]]) -> None:
    setattr(it.truth, name, rows)


def _more(it: Any, rows: list[dict[str, Any]]) -> None:
    it.truth.more.income.clear()
    it.truth.more.income.extend(rows)


def _bingx(it: Any, rows: list[dict[str, Any]]) -> None:
    it.truth.histories = {INCOME: rows}


OTHER_INCOME = {"incomeType": "COMMISSION"}
V5_BILLS = "/api/v5/account/bills"
SOURCES: dict[str, Source] = {
    "binance": Source(
        binance_bench.bench,
        ETH,
        "/fapi/v1/income",
        partial(_of, "income"),
        income,
        "ETHUSDT",
        "BTCUSDT",
        OTHER_INCOME,
        sample="binance",
        oldest_first=True,
    ),
    "binance coin-m": Source(
        binance_bench.bench,
        ETH_COINS,
        "/dapi/v1/income",
        _more,
        partial(income, asset="ETH"),
        "ETHUSD_PERP",
        "BTCUSD_PERP",
        OTHER_INCOME,
        "ETH",
        oldest_first=True,
    ),
    "binance portfolio margin": Source(
        binance_bench.bench,
        ETH,
        "/papi/v1/um/income",
        _more,
        income,
        "ETHUSDT",
        "BTCUSDT",
        OTHER_INCOME,
        wallets=("portfolio",),
        oldest_first=True,
    ),
    "bybit": Source(
        bybit_bench.bench,
        ETH,
        "/v5/account/transaction-log",
        partial(_of, "log"),
        bybit_row,
        "ETHUSDT",
        "BTCUSDT",
        {"type": "TRADE"},
    ),
    "okx": Source(
        okx_bench.bench,
        ETH,
        V5_BILLS,
        partial(_of, "bills"),
        okx_row,
        "ETH-USDT-SWAP",
        "BTC-USDT-SWAP",
        {"type": "2"},
    ),
    "okx, coin-margined, on the position's own margin": Source(
        okx_bench.bench,
        BTC_COINS,
        V5_BILLS,
        partial(_of, "bills"),
        partial(okx_row, coin="BTC", balance="posBalChg"),
        "BTC-USD-SWAP",
        "ETH-USD-SWAP",
        {"type": "2"},
        "BTC",
        sample="okx",
    ),
    "bingx": Source(
        bingx_bench.bench, ETH, INCOME, _bingx, income, "ETH-USDT", "BTC-USDT", OTHER_INCOME, sample="bingx"
    ),
    "mexc": Source(
        mexc_bench.bench,
        ETH,
        "/api/v1/private/position/funding_records",
        partial(_of, "funding_paid"),
        mexc_row,
        "ETH_USDT",
        "BTC_USDT",
        {},
        sample="mexc",
    ),
    "weex": Source(
        weex_bench.bench,
        ETH,
        "/capi/v3/account/income",
        partial(_of, "income"),
        weex_row,
        "ETHUSDT",
        "BTCUSDT",
        {"incomeType": "deposit"},
        sample="weex",
    ),
    "gate": Source(
        gate_bench.bench,
        ETH,
        "/api/v4/futures/usdt/account_book",
        _gate,
        gate_row,
        "ETH_USDT",
        "BTC_USDT",
        {"type": "fee"},
        numbered=False,
    ),
    "bitget": Source(
        bitget_bench.bench,
        ETH,
        "/api/v2/mix/account/bill",
        partial(_of, "bills"),
        bitget_row,
        "ETHUSDT",
        "BTCUSDT",
        {"businessType": "open_long"},
    ),
    "bitget uta": Source(
        bitget_uta_bench.bench,
        ETH,
        "/api/v3/account/financial-records",
        partial(_of, "records"),
        bitget_record,
        "ETHUSDT",
        "BTCUSDT",
        {"type": "OPEN_LONG"},
        query=f"?category=USDT-FUTURES&limit=100&startTime={NOON - 20 * HOURS}&type=CONTRACT_MAIN_SETTLE_FEE_USER_IN",
    ),
    "kucoin": Source(
        kucoin_bench.bench,
        ETH,
        "/api/v1/funding-history",
        partial(_of, "fundings"),
        kucoin_row,
        "ETHUSDTM",
        "XBTUSDTM",
        {},
        numbered=False,
    ),
    "hyperliquid": Source(
        hyperliquid_bench.bench,
        InstrumentId("main:ETH/USDC:USDC"),
        "/info/userFunding",
        partial(_of, "fundings"),
        hyperliquid_row,
        "ETH",
        "BTC",
        {},
        "USDC",
        numbered=False,
        oldest_first=True,
    ),
    "kraken futures": Source(
        krakenfutures_bench.bench,
        InstrumentId("main:ETH/USD:USD"),
        "/api/history/v3/account-log",
        partial(_of, "log"),
        kraken_row,
        "pf_ethusd",
        "pf_xbtusd",
        {"realized_funding": None, "info": "futures trade"},
        "USD",
        oldest_first=True,
    ),
}


TWICE = {"bybit", "bitget uta"}  # two rows a page there; what was received and what was paid


def opened(source: Source, **more: Any) -> AbstractAsyncContextManager[Any]:
    return source.bench(**more) if source.wallets is None else source.bench(wallets=source.wallets, **more)


def ask(it: Any, source: Source, since: datetime = SINCE) -> Any:
    return it.opened.payments.funding_payments([source.instrument], since)


def requests(it: Any, source: Source) -> int:
    return sum(source.path.endswith(path) for path in it.paths())


def two(source: Source) -> list[dict[str, Any]]:
    """One received at 08:00 and one paid at 00:00, the newest first, as most venues list them."""
    return [
        source.row(source.market, NOON - 4 * HOURS, "0.375", "7002"),
        source.row(source.market, NOON - 12 * HOURS, "-1.25", "7001"),
    ]


def listed(source: Source, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[::-1] if source.oldest_first else rows


@pytest.mark.parametrize("name", SOURCES)
async def test_what_was_settled_comes_signed_dated_and_named(name: str) -> None:
    """Received above zero, paid below, in its coin; older ones, other contracts and other entries stay out."""
    source = SOURCES[name]
    async with opened(source) as it:
        rows = two(source)
        rows.append(source.row(source.another, NOON - 4 * HOURS, "-5", "7003"))
        if source.other:
            rows.append({**source.row(source.market, NOON - 3 * HOURS, "-7", "7004"), **source.other})
        rows.append(source.row(source.market, NOON - 24 * HOURS, "-9", "7005"))
        source.put(it, listed(source, rows))
        it.paths()
        read = await ask(it, source)
        assert requests(it, source) == (2 if name in TWICE else 1)
        assert read.as_of == it.clock.now()
        assert list(read.value) == [
            FundingPayment(
                source.instrument, at, D(amount), source.currency, id_ if source.numbered else at.isoformat()
            )
            for at, amount, id_ in (
                (T0 - timedelta(hours=12), "-1.25", "7001"),
                (T0 - timedelta(hours=4), "0.375", "7002"),
            )
        ]
        assert it.server.writes == []


@pytest.mark.parametrize("name", SOURCES)
async def test_it_weighs_little_and_counts(name: str) -> None:
    """A request a contract at most, a tenth of what may go out at once: a cycle that begins now does not wait."""
    source = SOURCES[name]
    async with opened(source) as it:
        source.put(it, listed(source, two(source)))
        await ask(it, source)
        requests, weight = it.opened.requests, it.opened.weight
        await ask(it, source)
        assert it.opened.requests == requests + (2 if name == "bitget uta" else 1)
        assert 0 < it.opened.weight - weight <= it.opened._line.dialect.burst / 10


@pytest.mark.parametrize("name", SOURCES)
async def test_an_account_that_was_paid_nothing_has_an_empty_answer(name: str) -> None:
    """Empty, and as of now: it was asked and there is nothing."""
    source = SOURCES[name]
    async with opened(source) as it:
        source.put(it, [])
        read = await ask(it, source)
        assert (read.value, read.as_of) == ((), it.clock.now())


async def test_the_log_of_bybit_is_asked_for_to_its_end() -> None:
    """After a start three days are asked for at once: with a start alone the venue shows the first of them only."""
    source = SOURCES["bybit"]
    async with opened(source) as it:
        source.put(it, two(source))
        read = await ask(it, source, T0 - timedelta(days=3))
        assert [each.id for each in read.value] == ["7001", "7002"]


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.sample])
async def test_a_published_reply_is_read(name: str) -> None:
    """Amounts, times and ids of the venues' own examples, as ccxt reads them; one contract put for another."""
    source = SOURCES[name]
    kept = json.loads(need_shared(f"venues/{source.sample}/fetch_funding_history.doc1.json").read_text())
    reply, told = kept["httpResponse"], kept["parsedResponse"]
    for row in _rows(reply):
        field = "instId" if "instId" in row else "symbol"
        row[field] = source.market
    oldest = min(row["timestamp"] for row in told)
    async with opened(source) as it:
        await it.reader.derivatives()
        it.server.replies[source.path] = json.dumps(reply)
        read = await ask(it, source, T0 + timedelta(milliseconds=oldest - NOON))
    found = [(round(each.at.timestamp() * 1000), float(each.amount), each.id) for each in read.value]
    assert found == sorted((row["timestamp"], row["amount"], _id(row)) for row in told)


def _rows(reply: Any) -> list[dict[str, Any]]:
    while not isinstance(reply, list):
        reply = reply.get("data", reply.get("resultList", reply.get("items")))
    return reply


def _id(row: dict[str, Any]) -> str:
    return str(row["info"].get("id", row["id"]))


async def test_a_full_page_of_binance_is_all_up_to_its_last_row() -> None:
    """A thousand rows from the start on: what comes after them has not been read."""
    source = SOURCES["binance"]
    async with opened(source) as it:
        rows = [source.row(source.market, NOON - 19 * HOURS + n * 1000, "1", str(n)) for n in range(1000)]
        it.server.replies[source.path] = json.dumps(rows)
        read = await ask(it, source)
        assert len(read.value) == 1000
        assert read.as_of == T0 - timedelta(hours=19) + timedelta(seconds=999)


async def test_bills_of_okx_are_asked_for_page_by_page() -> None:
    """A hundred and fifty of them come in two, and none twice."""
    source = SOURCES["okx"]
    async with opened(source) as it:
        source.put(it, [source.row(source.market, NOON - n * 60_000, "1", str(9000 - n)) for n in range(150)])
        it.paths()
        read = await ask(it, source)
        assert len({each.id for each in read.value}) == 150
        assert requests(it, source) == 2


@pytest.mark.parametrize(
    ("name", "rows"),
    [("bingx", 1000), ("okx", 1000), ("mexc", 500), ("gate", 100), ("bitget", 1000), ("bitget uta", 1000)],
)
async def test_more_than_can_be_asked_for_is_an_error(name: str, rows: int) -> None:
    """Newest first without an end to be seen: the oldest may be missing, so none is taken for all."""
    source = SOURCES[name]
    async with opened(source) as it:
        source.put(it, [source.row(source.market, NOON - n * 60_000, "1", str(9000 - n)) for n in range(rows)])
        with pytest.raises(VenueError):
            await ask(it, source)


async def test_a_page_of_weex_that_goes_on_is_an_error() -> None:
    """It says so itself."""
    source = SOURCES["weex"]
    async with opened(source) as it:
        source.put(it, two(source))
        it.truth.income_goes_on = True
        with pytest.raises(VenueError, match="may lack some"):
            await ask(it, source)


@pytest.mark.parametrize("name", ["bitget", "bitget uta"])
async def test_bills_of_bitget_are_asked_for_page_by_page(name: str) -> None:
    """A hundred and fifty of them come in two, and none twice."""
    source = SOURCES[name]
    async with opened(source) as it:
        source.put(it, [source.row(source.market, NOON - n * 60_000, "1", str(9000 - n)) for n in range(150)])
        it.paths()
        read = await ask(it, source)
        assert len({each.id for each in read.value}) == 150
        assert requests(it, source) == (3 if name == "bitget uta" else 2)  # and what was paid


async def test_funding_of_kraken_is_realised_with_trades_too() -> None:
    """What has accrued since the hour is paid as the position changes; the position's own row does not count."""
    source = SOURCES["kraken futures"]
    async with opened(source) as it:
        money = {**source.row(source.market, NOON - 90 * 60_000, "0.5", "7"), "info": "futures trade"}
        source.put(it, [{**money, "asset": source.market, "id": 6}, money])
        read = await ask(it, source)
        assert [(each.id, each.amount, each.at) for each in read.value] == [("7", D("0.5"), T0 - timedelta(minutes=90))]


@pytest.mark.parametrize(("name", "rows"), [("hyperliquid", 500), ("kraken futures", 500)])
async def test_a_full_page_that_begins_with_the_oldest_is_all_up_to_its_last_row(name: str, rows: int) -> None:
    """What comes after it has not been read, and is asked for next time."""
    source = SOURCES[name]
    async with opened(source) as it:
        source.put(it, [source.row(source.market, NOON - 19 * HOURS + n * 1000, "1", str(n)) for n in range(rows)])
        read = await ask(it, source)
        assert len(read.value) == rows
        assert read.as_of == T0 - timedelta(hours=19) + timedelta(seconds=rows - 1)


async def test_a_history_of_kucoin_that_goes_on_is_an_error() -> None:
    """It says so itself."""
    source = SOURCES["kucoin"]
    async with opened(source) as it:
        source.put(it, two(source))
        it.truth.funding_goes_on = True
        with pytest.raises(VenueError, match="lacks some"):
            await ask(it, source)


async def test_coin_margined_contracts_of_bingx_are_not_told_of() -> None:
    """Nothing is asked where the venue has no such list, and nothing is said to have been paid."""
    async with bingx_bench.bench() as it:
        await it.reader.balances("spot")
        await it.opened.market.instruments()
        it.paths()
        assert (await it.opened.payments.funding_payments([bingx_bench.INVERSE], SINCE)).value == ()
        assert INCOME not in it.paths()


def _venue(source: Source) -> Venue:
    read = Asked(source.path + source.query, partial(ask, source=source), _none(source))
    may_lack = {"info", "tradeId", "instType", "category", "cashFlow", "fee", "positionType", "rate"}
    return Venue(
        partial(opened, source),
        {"payments": read},
        lambda it: source.put(it, listed(source, two(source))),
        may_lack=may_lack,
        untouched=("nextPageCursor", "tranId", "id") if source.path != V5_BILLS else (),
    )


def _none(source: Source) -> tuple[object, ...]:
    """A reply that is a list and no more: an empty one says that there is nothing."""
    bare = ("binance", "gate", "hyperliquid")
    return ([],) if source.bench.__module__.rpartition(".")[2].startswith(bare) else ()


@pytest.mark.parametrize("name", SOURCES)
async def test_every_fault_is_an_error_and_passes(name: str) -> None:
    """Never an empty answer, which would say that nothing was paid; afterwards it is read as before."""
    await every_fault_passes(_venue(SOURCES[name]), "payments")


@pytest.fixture(scope="module", params=list(SOURCES))
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    with Running(_venue(SOURCES[request.param])) as accounts:
        yield accounts


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(running: Running, data: st.DataObject) -> None:
    """A reply that is anything at all, or right but for one field, gives an error or the payments as they were."""
    running.is_error_or_right("payments", data)
