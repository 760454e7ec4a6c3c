"""Whatever Bybit answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.errors import Unreadable
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Ask, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.bybit_bench import DATED, INVERSE, INVERSE_DATED, KEYS, PERPETUAL, Bench, bench


def balance(wallet: str) -> Ask:
    return lambda it: it.reader.balances(wallet)


def explain(subject: str, before: int) -> Ask:
    instrument = PERPETUAL if subject == PERPETUAL else None
    doubt = Doubt(subject, "main", "ETH", instrument, Decimal(before), Decimal(0), polls=1)
    return lambda it: it.reader.explain(doubt, T0)


async def permissions(it: Bench) -> object:
    async with it.opened._line.reading("permissions"):
        return await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))


async def tiers(it: Bench) -> object:
    async with it.opened._line.reading("tiers"):
        markets = await it.opened._line.markets()
        return await it.dialect.tiers(it.connection, {"ETHUSDT": markets.contracts["ETHUSDT"]})


INFO, TICKERS = "/v5/market/instruments-info", "/v5/market/tickers"
READS = {
    "spot markets": Asked(f"{INFO}?category=spot", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "linear markets": Asked(f"{INFO}?category=linear&limit=1000", lambda it: it.market.instruments()),
    "inverse markets": Asked(f"{INFO}?category=inverse&limit=1000", lambda it: it.market.instruments()),
    "server time": Asked("/v5/market/time", balance("spot")),
    "unified wallet": Asked("/v5/account/wallet-balance", balance("spot")),
    "margin": Asked("/v5/account/wallet-balance", lambda it: it.reader.derivatives()),
    "positions": Asked(
        "/v5/position/list?category=linear&settleCoin=USDT&limit=200", lambda it: it.reader.derivatives()
    ),
    "inverse positions": Asked("/v5/position/list?category=inverse&limit=200", lambda it: it.reader.derivatives()),
    "funding wallet": Asked("/v5/asset/transfer/query-account-coins-balance", balance("funding")),
    "earn wallet": Asked("/v5/earn/position?category=OnChain", balance("earn")),
    "linear tickers": Asked(TICKERS, lambda it: it.market.quotes([PERPETUAL, DATED])),
    "inverse tickers": Asked(TICKERS, lambda it: it.market.quotes([INVERSE, INVERSE_DATED])),
    "spot tickers": Asked(TICKERS, lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "fills": Asked("/v5/execution/list", explain(PERPETUAL, -2)),
    "orders": Asked("/v5/order/history", explain(PERPETUAL, -3)),
    "account log": Asked("/v5/account/transaction-log", explain("main/spot/ETH", 10)),
    "transfers": Asked("/v5/asset/transfer/query-inter-transfer-list", explain("main/funding/ETH", 10)),
    "withdrawals": Asked("/v5/asset/withdraw/query-record", explain("main/funding/ETH", 10)),
    "key permissions": Asked("/v5/user/query-api", permissions),
    "risk limits": Asked("/v5/market/risk-limit", tiers),
}


def fill_histories(it: Bench) -> None:
    """Movements that explain each of the doubts above."""
    now, truth = str(it.truth.now()), it.truth
    fill = {"symbol": "ETHUSDT", "side": "Buy", "execType": "Trade", "execTime": now}
    truth.fills = [{**fill, "execQty": "1.5", "execId": "1"}, {**fill, "execQty": "0.5", "execId": "2"}]
    truth.orders = [{"symbol": "ETHUSDT", "side": "Buy", "cumExecQty": "3", "createdTime": now}]
    truth.log = [{"type": "TRADE", "currency": "ETH", "change": "-10", "transactionTime": now}]
    moved = {"coin": "ETH", "fromAccountType": "FUND", "toAccountType": "UNIFIED", "timestamp": now}
    truth.transfers = [{**moved, "amount": "4", "status": "SUCCESS"}]
    truth.withdrawals = [{"coin": "ETH", "amount": "6", "status": "success", "createTime": now}]


def in_envelope(anything: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Anything where the venue says that all is well."""
    listed = st.fixed_dictionaries({"list": st.lists(anything, max_size=2, min_size=1)})
    return st.fixed_dictionaries({"retCode": st.just(0), "result": anything | listed, "time": st.just(NOW)})


VENUE = Venue(
    bench,
    READS,
    fill_histories,
    envelope=in_envelope,
    blank_is_none={"accruedInterest", "spotBorrow"},
    untouched={"nextPageCursor"},
    unknown={"*", "Position.trusted", "Instrument.notional_min", "Balance.locked"},
)


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each fault raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    await every_fault_passes(VENUE, name)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with Running(VENUE) as accounts:
        yield accounts


@pytest.mark.parametrize("name", READS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(running: Running, name: str, data: st.DataObject) -> None:
    """A reply that is anything at all, or right but for one field, gives an error or the right values."""
    running.is_error_or_right(name, data)


@pytest.mark.parametrize("cursor", [None, 1, True, [], {}, ...])
@pytest.mark.parametrize("name", ["positions", "inverse positions", "fills", "account log", "withdrawals"])
async def test_without_a_cursor_nobody_knows_whether_there_is_more(name: str, cursor: Any) -> None:
    """A page that does not say whether it is the last is unreadable: the rest might be missing."""
    read = READS[name]
    async with bench() as it:
        fill_histories(it)
        it.server.answered = {}
        await read.ask(it)
        reply = it.server.answered[read.path]
        reply["result"]["nextPageCursor"] = cursor
        if cursor is ...:
            del reply["result"]["nextPageCursor"]
        it.server.replies[read.path] = json.dumps(reply)
        with pytest.raises(Unreadable, match="nextPageCursor"):
            await read.ask(it)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    breaks = {
        "key": lambda it: setattr(it.server, "api_key", "another"),
        "secret": lambda it: setattr(it.server, "secret", "another"),  # it repeats what was signed, key included
        "echo": echo(KEYS, ["/v5/position/list"], lambda said: {"retCode": 10001, "retMsg": said}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("spot"),
            it.reader.balances("funding"),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL]),
        ),
        caplog,
        capsys,
    )
    assert "main: unified wallet" in everything
    assert "10004 error sign" in everything
    for secret in (KEYS["apiKey"], KEYS["secret"], "sign=", "://", "timestamp="):
        assert secret not in everything, secret
