"""Whatever Deribit answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.instrument import InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.deribit_bench import DATED, INVERSE, KEYS, PERPETUAL, bench
from tests.venues.deribit_server import API_KEY, PREFIX

QUOTED = (PERPETUAL, DATED, INVERSE)


def derivatives(it: Any) -> Any:
    it.opened._line._markets = None  # another reply's
    return it.reader.derivatives()


def quotes(it: Any) -> Any:
    return it.market.quotes(QUOTED)


def prices(it: Any) -> Any:
    return it.market.prices(["ETH"], "USDC")


def explain(path: str, subject: str, instrument: InstrumentId | None = None) -> Asked:
    """A doubt about five that are gone."""
    doubt = Doubt(subject, "main", "USDC", instrument, before=Decimal(5), now=Decimal(0), polls=1)

    async def ask(it: Any) -> object:
        await it.market.instruments()
        return await it.reader.explain(doubt, T0)

    return Asked(f"{PREFIX}private/{path}", ask, may_be_unknown=True)


def allowed(reply: Any) -> Permissions | None:
    """What a key list that can be read says: a scope is but a word, and another key's row says nothing of ours."""
    row = next((row for row in reply["result"] if row["client_id"] == API_KEY), None)
    if row is None:
        return None
    scopes = row["max_scope"].split()
    read = all(f"{part}:read" in scopes for part in ("account", "trade", "wallet"))
    bound = bool(row["ip_whitelist"]) if isinstance(row.get("ip_whitelist"), list) else None
    return Permissions(read, "trade:read_write" in scopes, "wallet:read_write" in scopes, bound)


READS = {
    "futures markets": Asked(f"{PREFIX}public/get_instruments", lambda it: it.market.instruments(), listed=True),
    "index names": Asked(f"{PREFIX}public/get_index_price_names", prices, listed=True),
    "server time": Asked(f"{PREFIX}public/get_time", lambda it: it.reader.balances("spot")),
    "coins": Asked(f"{PREFIX}private/get_account_summaries", lambda it: it.reader.balances("spot")),
    "margin": Asked(f"{PREFIX}private/get_account_summaries", derivatives),
    "positions": Asked(f"{PREFIX}private/get_positions", derivatives, [{"result": []}]),
    "marks and books": Asked(
        f"{PREFIX}public/get_book_summary_by_currency?currency=USDC&kind=future", quotes, listed=True
    ),
    "index price": Asked(f"{PREFIX}public/get_index_price", prices),
    "trades": explain("get_user_trades_by_instrument_and_time", PERPETUAL, PERPETUAL),
    "delivery": explain("get_transaction_log", DATED, DATED),
    "log": explain("get_transaction_log", "main/spot/USDC"),
    "key permissions": Asked(
        f"{PREFIX}private/list_api_keys", lambda it: it.opened.permissions(), may_be_unknown=True, meaning=allowed
    ),
}


def prepare(it: Any) -> None:
    """What shows where five of each went; one time for all."""
    row = {"timestamp": NOW}
    it.truth.now = lambda: NOW
    it.truth.trades = [row | {"instrument_name": "ETH_USDC-PERPETUAL", "direction": "sell", "amount": 5.0}]
    it.truth.logs = [
        row | {"type": "withdrawal", "currency": "USDC", "change": -5.0},
        row | {"type": "delivery", "currency": "USDC", "change": 0, "instrument_name": "ETH_USDC-25DEC26"},
    ]
    it.truth.ip_whitelist = ["1.2.3.4"]


# what the venue leaves out where there is none of it
UNKNOWN = {"Quote.bid", "Quote.ask", "Quote.index", "Quote.funding_rate", "Quote.funding_interval_hours"}
UNKNOWN |= {"Position.liquidation_price", "Position.trusted", "Balance.locked", "Instrument.delisting"}
UNTOUCHED = ("ip_whitelist", "expiration_timestamp")
VENUE = Venue(bench, READS, prepare, unknown=UNKNOWN, untouched=UNTOUCHED, may_lack=("spot_reserve",))


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
    """A reply that is anything at all, or right but for one field, gives an error, the right values, or less."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    paths = (f"{PREFIX}private/get_account_summaries", f"{PREFIX}private/get_positions")
    breaks = {
        "key": lambda it: setattr(it.server, "secret", "another"),
        "echo": echo(KEYS, paths, lambda said: {"error": {"code": 11050, "message": said}}),
    }

    def asks(it: Any) -> list[Any]:
        return [it.reader.balances("spot"), derivatives(it), quotes(it), it.opened.permissions()]

    everything = await everything_said(VENUE, breaks, asks, caplog, capsys)
    assert "main: account: HTTP 200: 11050 bad request" in everything
    for secret in (*KEYS.values(), "shown-to-nobody", "sig=", "://", "deri-hmac"):
        assert secret not in everything, secret
