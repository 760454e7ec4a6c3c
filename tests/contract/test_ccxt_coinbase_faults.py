"""Whatever Coinbase answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.replies import Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.bench import Bench
from tests.venues.coinbase_bench import DATED, KEYS, PERPETUAL, bench
from tests.venues.coinbase_server import CoinbaseServer

API = "/api/v3/brokerage"
FUTURES = f"{API}/market/products?product_type=FUTURE"
BOOK = f"{API}/market/product_book"
_CLOSED = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, Decimal(-20), Decimal(0), polls=1)
_SPENT = Doubt("main/spot/ETH", "main", "ETH", None, Decimal(10), Decimal(1), polls=1)
_NO_PRODUCTS: tuple[object, ...] = ({"products": []},)
_PRICES = f"{API}/market/products?product_type=SPOT&product_ids=ETH-USD&product_ids=SOL-USD"
_QUOTED = "product_ids=ET-24DEC26-CDE&product_ids=ETP-20DEC30-CDE"
READS = {
    "markets": Asked(FUTURES, lambda it: it.market.instruments(), _NO_PRODUCTS, listed=True),
    "server time": Asked(f"{API}/time", lambda it: it.reader.balances("spot")),
    "prices": Asked(_PRICES, lambda it: it.market.prices(["ETH", "SOL"], "USD"), _NO_PRODUCTS, listed=True),
    "products": Asked(
        f"{FUTURES}&{_QUOTED}", lambda it: it.market.quotes([PERPETUAL, DATED]), _NO_PRODUCTS, listed=True
    ),
    "book": Asked(f"{BOOK}?product_id=ETP-20DEC30-CDE&limit=1", lambda it: it.market.quotes([PERPETUAL])),
    "accounts": Asked(f"{API}/accounts?limit=250", lambda it: it.reader.balances("spot")),
    "futures cash": Asked(f"{API}/cfm/balance_summary", lambda it: it.reader.balances("spot")),
    "margin": Asked(f"{API}/cfm/balance_summary", lambda it: it.reader.derivatives()),
    "positions": Asked(f"{API}/cfm/positions", lambda it: it.reader.derivatives()),
    "key permissions": Asked(
        f"{API}/key_permissions",
        lambda it: it.opened.permissions(),
        meaning=lambda reply: Permissions(
            read=reply["can_view"], trade=reply["can_trade"], withdraw=reply["can_transfer"]
        ),
    ),
    "fills": Asked(
        f"{API}/orders/historical/fills?product_ids=ETP-20DEC30-CDE&start_sequence_timestamp=2026-11-02T12%3A00%3A00Z"
        "&limit=100",
        lambda it: it.reader.explain(_CLOSED, T0),
        may_be_unknown=True,
    ),
    "transactions": Asked(
        "/v2/accounts/uuid-ETH/transactions?limit=100", lambda it: it.reader.explain(_SPENT, T0), may_be_unknown=True
    ),
}


def _movements(it: Bench[CoinbaseServer]) -> None:
    """What explains each of the doubts above."""
    it.truth.filled("ETP-20DEC30-CDE", "BUY", "20")
    it.truth.moved("ETH", "-9", "send")


VENUE = Venue(
    bench,
    READS,
    _movements,
    unknown={
        "Quote.bid",
        "Quote.ask",
        "Quote.index",
        "Quote.funding_rate",
        "Quote.funding_interval_hours",
        "Quote.funding_next",
    },
    untouched={"trading_disabled", "is_disabled"},  # one that is halted is listed as such
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
    """Keys, tokens and addresses appear in no message, repr, log line at any level, or traceback."""
    paths = (f"{API}/accounts", f"{API}/cfm/positions")
    breaks = {
        "key": lambda it: it.server.keys.clear(),
        "echo": echo(KEYS, paths, lambda said: {"error": "unheard of", "message": said}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("spot"),
            it.reader.derivatives(),
            it.opened.permissions(),
            it.market.quotes([PERPETUAL]),
        ),
        caplog,
        capsys,
    )
    assert "main: accounts" in everything
    secrets = (*KEYS.values(), *KEYS["secret"].split("\n")[1:3], "Bearer", "eyJ", "://")
    for secret in secrets:
        assert secret not in everything, secret
