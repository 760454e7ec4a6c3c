"""Whatever Gate answers of a unified account: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.replies import Asked, Running, Venue, every_fault_passes
from tests.contract.test_ccxt_gate_faults import API, BLANK, NONE, UNKNOWN, UNTOUCHED
from tests.venues.gate_bench import unified

READS = {
    "unified account": Asked(f"{API}/unified/accounts", lambda it: it.reader.derivatives()),
    "unified coins": Asked(f"{API}/unified/accounts", lambda it: it.reader.balances("spot")),
    "account mode": Asked(f"{API}/unified/unified_mode", lambda it: it.reader.derivatives()),
    "futures account": Asked(f"{API}/futures/usdt/accounts", lambda it: it.reader.balances("spot")),
    "account beside it": Asked(f"{API}/futures/btc/accounts", lambda it: it.reader.balances("swap")),
    "profit of its coins": Asked(f"{API}/futures/usdt/positions", lambda it: it.reader.balances("spot"), NONE),
    "positions": Asked(f"{API}/futures/usdt/positions", lambda it: it.reader.derivatives(), NONE),
}
VENUE = Venue(
    unified,
    READS,
    blank_is_none={*BLANK, "funding"},
    may_lack={"use_funding", "funding", "settings", "usdt_futures", "position_mode", "currency", "contract"},
    untouched={*UNTOUCHED, "USDT", "ETH", "SOL"},
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
