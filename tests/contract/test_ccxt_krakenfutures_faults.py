"""Whatever Kraken Futures answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.snapshot import Doubt
from tests.contract.replies import Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.bench import Bench
from tests.venues.krakenfutures_bench import DATED, INVERSE, KEYS, PERPETUAL, bench
from tests.venues.krakenfutures_server import KrakenFuturesServer

It = Bench[KrakenFuturesServer]
API = "/derivatives/api/v3"
LOG = "/api/history/v3/account-log"
_CLOSED = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, Decimal(-2), Decimal(0), polls=1)
_SENT = Doubt("main/swap/USD", "main", "USD", None, Decimal(50000), Decimal(0), polls=1)
_QUOTED = [PERPETUAL, DATED, INVERSE]


async def _tiers(it: It) -> object:
    async with it.opened._line.reading("tiers"):
        markets = await it.opened._line.markets()
        return await it.dialect.tiers(it.connection, markets.contracts)


READS = {
    "markets": Asked(f"{API}/instruments", lambda it: it.market.instruments(), listed=True),
    "markets that price": Asked(f"{API}/instruments", lambda it: it.market.prices(["ETH", "SOL"], "USD"), listed=True),
    "margin tiers": Asked(f"{API}/instruments", _tiers, listed=True),
    "server time": Asked(f"{API}/tickers/PF_XBTUSD", lambda it: it.reader.balances("swap")),
    "collateral": Asked(f"{API}/accounts", lambda it: it.reader.balances("swap")),
    "holding wallet": Asked(f"{API}/accounts", lambda it: it.reader.balances("funding")),
    "margin": Asked(f"{API}/accounts", lambda it: it.reader.derivatives()),
    "positions": Asked(f"{API}/openpositions", lambda it: it.reader.derivatives()),
    "index prices of a margin": Asked(f"{API}/tickers", lambda it: it.reader.derivatives()),
    "quotes": Asked(f"{API}/tickers", lambda it: it.market.quotes(_QUOTED), listed=True),
    "prices": Asked(f"{API}/tickers", lambda it: it.market.prices(["ETH", "SOL"], "USD"), listed=True),
    "key permissions": Asked("/api/auth/v1/api-keys/v3/check", lambda it: it.opened.permissions()),
    "log of a position": Asked(LOG, lambda it: it.reader.explain(_CLOSED, T0), may_be_unknown=True),
    "log of a balance": Asked(LOG, lambda it: it.reader.explain(_SENT, T0), may_be_unknown=True),
}


def _movements(it: It) -> None:
    """What explains each of the doubts above."""
    it.truth.log_row("pf_ethusd", "-2", "0", "futures trade", contract="pf_ethusd")
    it.truth.log_row("usd", "50000", "0", "transfer")


VENUE = Venue(
    bench,
    READS,
    _movements,
    # what the venue may leave out, or say that there is none of
    unknown={"Quote.bid", "Quote.ask", "Quote.index", "Quote.funding_rate", "Quote.funding_interval_hours"}
    | {"Quote.funding_next", "Position.unrealised_pnl", "Margin.available"},
    may_lack={"eth", "xbt", "USD", "USDT", "fi_xbtusd", "PI_XBTUSD", "marginLevels", "retailMarginLevels"}
    | {"lastTradingTime", "cash"},
    untouched={"balances", "lastTradingTime"},
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
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    wallets = (f"{API}/accounts", f"{API}/openpositions")
    breaks = {
        "key": lambda it: setattr(it.server, "api_key", "another"),
        "echo": echo(KEYS, wallets, lambda said: {"result": "error", "error": said}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("swap"),
            it.reader.derivatives(),
            it.opened.permissions(),
            it.market.quotes([PERPETUAL]),
        ),
        caplog,
        capsys,
    )
    assert "main: wallets" in everything
    for secret in (*KEYS.values(), "Authent", "sign=", "://"):
        assert secret not in everything, secret
