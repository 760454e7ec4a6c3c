"""Whatever OKX answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said, explain
from tests.venues.okx_bench import DATED, INVERSE, KEYS, PERPETUAL, Bench, bench

_GONE = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, Decimal(-20), Decimal(0), polls=1)
_SPENT = Doubt("main/spot/USDT", "main", "USDT", None, Decimal(1), Decimal(0), polls=1)
_MOVED = Doubt("main/funding/ETH", "main", "ETH", None, Decimal(1), Decimal(0), polls=1)


HISTORIES = ("fills", "orders", "bills", "funding_bills")
BOUGHT = {"instId": "ETH-USDT-SWAP", "instType": "SWAP", "side": "buy", "fillSz": "20", "accFillSz": "20"}
BOUGHT |= {"ts": str(NOW)}
LIQUIDATED = {"ccy": "USDT", "type": "5", "balChg": "-10", "instId": "ETH-USDT-SWAP", "ts": str(NOW)}
PAID = {"ccy": "USDT", "type": "2", "balChg": "-1", "instId": "", "ts": str(NOW)}
WITHDRAWN = {"ccy": "ETH", "type": "2", "balChg": "-1", "instId": "", "ts": str(NOW)}


async def _tiers(it: Bench) -> object:
    async with it.opened._line.reading("tiers"):
        markets = await it.opened._line.markets()
        return await it.dialect.tiers(it.connection, markets.contracts)


async def _permissions(it: Bench) -> object:
    return await it.opened.permissions()


_QUOTED = [PERPETUAL, DATED, INVERSE]
V5 = "/api/v5"
READS = {
    "markets": Asked(f"{V5}/public/instruments", lambda it: it.market.instruments()),
    "server time": Asked(f"{V5}/public/time", lambda it: it.reader.balances("spot")),
    "trading account": Asked(f"{V5}/account/balance", lambda it: it.reader.balances("spot")),
    "margin": Asked(f"{V5}/account/balance", lambda it: it.reader.derivatives()),
    "positions": Asked(f"{V5}/account/positions", lambda it: it.reader.derivatives()),
    "funding account": Asked(f"{V5}/asset/balances", lambda it: it.reader.balances("funding")),
    "savings": Asked(f"{V5}/finance/savings/balance", lambda it: it.reader.balances("earn")),
    "mark prices": Asked(f"{V5}/public/mark-price", lambda it: it.market.quotes(_QUOTED)),
    "books": Asked(f"{V5}/market/tickers", lambda it: it.market.quotes(_QUOTED)),
    "funding rates": Asked(f"{V5}/public/funding-rate", lambda it: it.market.quotes(_QUOTED)),
    "index prices": Asked(f"{V5}/market/index-tickers", lambda it: it.market.quotes([PERPETUAL])),
    "spot prices": Asked(f"{V5}/market/tickers", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "margin tiers": Asked(f"{V5}/public/position-tiers", _tiers),
    "key permissions": Asked(f"{V5}/account/config", _permissions),
    "fills": Asked(f"{V5}/trade/fills", explain(_GONE, HISTORIES, fills=[BOUGHT])),
    "position bills": Asked(f"{V5}/account/bills", explain(_GONE, HISTORIES, bills=[LIQUIDATED])),
    "closed orders": Asked(f"{V5}/trade/orders-history", explain(_GONE, HISTORIES, orders=[BOUGHT])),
    "trading bills": Asked(f"{V5}/account/bills", explain(_SPENT, HISTORIES, bills=[PAID])),
    "funding bills": Asked(f"{V5}/asset/bills", explain(_MOVED, HISTORIES, funding_bills=[WITHDRAWN])),
}


def _whole_reply(it: Bench, read: Asked) -> Any:
    """The whole reply; of a list that is asked for by type, all types in one."""
    path = read.path.removeprefix(f"{V5}/")
    kinds = {"public/instruments", "public/mark-price", "market/tickers"}
    page = {"begin": "0", "before": "0", "limit": "100"}
    asks = [{"instType": kind} for kind in ("SPOT", "SWAP", "FUTURES")] if path in kinds else [page]
    if path == "public/position-tiers":
        asks = [{"instFamily": "ETH-USDT"}]
    if path == "market/index-tickers":
        asks = [{"quoteCcy": "USDT"}]
    if path == "public/funding-rate":
        asks = [{"instId": "ANY"}]
    answers = {**it.server._public(), **it.server._signed()}
    return {"code": "0", "msg": "", "data": [row for asked in asks for row in answers[path](asked)]}


VENUE = Venue(
    bench,
    READS,
    whole=_whole_reply,
    blank_is_none={"upl", "liab", "uplLiab", "isoLiab", "interest", "isoEq", "availBal", "ctMult", "ip"},
    may_lack={"ctMult", "prevFundingTime"},
    unknown={"*", "Margin.maintenance"},
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


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, passphrase, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    told = (f"{V5}/account/balance", f"{V5}/account/positions")
    breaks = {
        "key": lambda it: setattr(it.server, "passphrase", "another"),
        "echo": echo(KEYS, told, lambda said: {"code": "51000", "msg": said, "data": []}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            *map(it.reader.balances, it.reader.wallets),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL]),
        ),
        caplog,
        capsys,
    )
    assert "main: trading account" in everything
    for secret in (*KEYS.values(), "sign=", "://", "OK-ACCESS-SIGN"):
        assert secret not in everything, secret
