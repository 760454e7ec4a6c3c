"""Whatever Gate answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.gate_bench import DATED, INVERSE, KEYS, PERPETUAL, bench
from tests.venues.opened import Bench

API = "/api/v4"
NONE: tuple[object, ...] = ([],)  # an empty list is the venue's own way to say that there is none of these
_GONE = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, Decimal("-200.5"), Decimal(0), polls=1)
_QUOTED = (PERPETUAL, DATED, INVERSE)


def _left(wallet: str, asset: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, Decimal(1), Decimal(0), polls=1)


def _bound(reply: Any) -> Permissions:
    return Permissions(read=True, trade=False, withdraw=False, bound_to_address=bool(reply["ip_whitelist"]))


def _spent(wallet: str, asset: str, path: str) -> Asked:
    return Asked(f"{API}/{path}", lambda it: it.reader.explain(_left(wallet, asset), T0), NONE, may_be_unknown=True)


READS = {
    "server time": Asked(f"{API}/spot/time", lambda it: it.reader.derivatives()),
    "spot markets": Asked(
        f"{API}/spot/currency_pairs", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True
    ),
    "contracts": Asked(f"{API}/futures/usdt/contracts", lambda it: it.market.instruments(), listed=True),
    "inverse contracts": Asked(f"{API}/futures/btc/contracts", lambda it: it.market.instruments(), listed=True),
    "dated contracts": Asked(f"{API}/delivery/usdt/contracts", lambda it: it.market.instruments(), NONE, listed=True),
    "spot prices": Asked(f"{API}/spot/tickers", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True),
    "tickers": Asked(f"{API}/futures/usdt/tickers", lambda it: it.market.quotes(_QUOTED)),
    "dated tickers": Asked(f"{API}/delivery/usdt/tickers", lambda it: it.market.quotes(_QUOTED), NONE),
    "margin tiers": Asked(f"{API}/delivery/usdt/risk_limit_tiers", lambda it: it.tiers()),
    "key's addresses": Asked(f"{API}/account/detail", lambda it: it.permissions(), meaning=_bound),
    "key permissions": Asked(f"{API}/account/main_keys", lambda it: it.permissions(), NONE, may_be_unknown=True),
    "spot wallet": Asked(f"{API}/spot/accounts", lambda it: it.reader.balances("spot"), NONE),
    "margin wallet": Asked(f"{API}/margin/accounts", lambda it: it.reader.balances("margin"), NONE),
    "earn wallet": Asked(f"{API}/earn/uni/lends", lambda it: it.reader.balances("earn"), NONE),
    "futures wallet": Asked(f"{API}/futures/btc/accounts", lambda it: it.reader.balances("swap")),
    "margin": Asked(f"{API}/futures/usdt/accounts", lambda it: it.reader.derivatives()),
    "positions": Asked(f"{API}/futures/usdt/positions", lambda it: it.reader.derivatives(), NONE),
    "dated positions": Asked(f"{API}/delivery/usdt/positions", lambda it: it.reader.derivatives(), NONE),
    "fills": Asked(
        f"{API}/futures/usdt/my_trades_timerange",
        lambda it: it.reader.explain(_GONE, T0),
        NONE,
        may_be_unknown=True,
    ),
    "liquidations": Asked(
        f"{API}/futures/usdt/liquidates", lambda it: it.reader.explain(_GONE, T0), NONE, may_be_unknown=True
    ),
    "deleveraging": Asked(
        f"{API}/futures/usdt/auto_deleverages", lambda it: it.reader.explain(_GONE, T0), NONE, may_be_unknown=True
    ),
    "spot bills": _spent("spot", "ETH", "spot/account_book"),
    "margin bills": _spent("margin", "SOL", "margin/account_book"),
    "earn bills": _spent("earn", "USDT", "earn/uni/lend_records"),
    "futures bills": _spent("swap", "BTC", "futures/btc/account_book"),
}
# what depends on the account's age and mode, and what is then unknown
BLANK = {"maintenance_margin", "average_maintenance_rate", "cross_maintenance_margin", "cross_available"}
UNTOUCHED = {
    "in_delisting",
    "enable_evolved_classic",
    "in_dual_mode",
    "enable_credit",
    "margin_mode",
    "pos_margin_mode",
    "enable_decimal",
}
UNKNOWN = {
    "Position.maintenance_margin",
    "Position.liquidation_price",
    "Position.trusted",
    *(f"Quote.{name}" for name in ("bid", "ask", "index", "funding_rate", "funding_interval_hours", "funding_next")),
    "Margin.maintenance",
    "Margin.available",
    "Instrument.delisting",
}


def _movements(it: Bench) -> None:
    """What explains each of the doubts above; the position is explained by deleveraging alone."""
    now = NOW // 1000
    it.truth.fills = [{"contract": "ETH_USDT", "size": 1, "create_time": now}]
    it.truth.events = {
        "auto_deleverages": [{"contract": "ETH_USDT", "time": now}],
        "liquidates": [{"contract": "BTC_USDT", "time": now}],
    }
    change = {"type": "withdraw", "change": "-1", "time": now}
    it.truth.books = {
        "spot": [{**change, "currency": "ETH"}],
        "margin": [{"change": "-1", "time": now, "currency": "SOL"}],
        "earn": [{"currency": "USDT", "type": "redeem", "amount": "1", "create_time": now}],
        "futures/btc": [change],
    }


VENUE = Venue(
    bench,
    READS,
    _movements,
    blank_is_none=BLANK,
    may_lack={"enable_decimal", "status", "contract", "position_mode", "currency"},
    untouched=UNTOUCHED,
    unknown=UNKNOWN,
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
    """A reply that is anything at all, or right but for one field, gives an error, right values, or 'unknown'."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    breaks = {
        "key": lambda it: setattr(it.server, "secret", "another"),
        **{
            f"echo {path}": echo(
                KEYS, (f"{API}/{path}",), lambda said: {"label": "INVALID_PARAM_VALUE", "message": said}
            )
            for path in ("spot/accounts", "futures/usdt/accounts")
        },
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
    assert "main: spot wallet" in everything
    for secret in (*KEYS.values(), "sign=", "://", "SIGN:"):
        assert secret not in everything, secret
