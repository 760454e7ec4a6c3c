"""Whatever Kraken answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.snapshot import Doubt
from tests.contract.replies import Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.bench import Bench
from tests.venues.kraken_bench import KEYS, bench
from tests.venues.kraken_server import KrakenServer

PRIVATE = "/0/private"
_SPENT = Doubt("main/spot/ETH", "main", "ETH", None, Decimal(10), Decimal(1), polls=1)
_PRICED = ["ETH", "SOL"]
NONE: tuple[object, ...] = ({"error": [], "result": {}}, {"error": [], "result": []})
READS = {
    "spot markets": Asked("/0/public/AssetPairs", lambda it: it.market.prices(_PRICED, "USD"), NONE, listed=True),
    "pairs of positions": Asked("/0/public/AssetPairs", lambda it: it.reader.balances("margin")),
    "server time": Asked("/0/public/Time", lambda it: it.reader.balances("spot")),
    "spot prices": Asked("/0/public/Ticker", lambda it: it.market.prices(_PRICED, "USD"), NONE, listed=True),
    "balances": Asked(f"{PRIVATE}/BalanceEx", lambda it: it.reader.balances("spot"), NONE),
    "what earns": Asked(f"{PRIVATE}/BalanceEx", lambda it: it.reader.balances("earn"), NONE),
    "margin positions": Asked(f"{PRIVATE}/OpenPositions", lambda it: it.reader.balances("margin"), NONE),
    "key permissions": Asked(f"{PRIVATE}/GetApiKeyInfo", lambda it: it.opened.permissions()),
    "ledger": Asked(f"{PRIVATE}/Ledgers", lambda it: it.reader.explain(_SPENT, T0), may_be_unknown=True),
}
_NAMES = {"XETH", "ETH.F", "XBT.M", "DOT28.S", "ZUSD", "USD.HOLD", "USDT", "TGUFMY-FLESJ-VYIX0", "TGUFMY-FLESJ-VYIX1"}


def _movements(it: Bench[KrakenServer]) -> None:
    """What explains the doubt above."""
    it.truth.booked("XETH", "-9", "withdrawal")


def _well(replies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return replies.map(lambda result: {"error": [], "result": result})


VENUE = Venue(
    bench, READS, _movements, envelope=_well, may_lack={*_NAMES, "credit_used", "error"}, untouched={"result"}
)


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each fault raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    await every_fault_passes(VENUE, name)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with Running(VENUE) as accounts:
        yield accounts


# pairs are kept by ccxt once they are read: as `spot markets` they are asked for again
@pytest.mark.parametrize("name", [name for name in READS if name != "pairs of positions"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(running: Running, name: str, data: st.DataObject) -> None:
    """A reply that is anything at all, or right but for one field, gives an error or the right values."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures, nonces and addresses appear in no message, repr, log line at any level, or traceback."""
    breaks = {
        "key": lambda it: setattr(it.server, "api_key", "another"),
        "echo": echo(KEYS, (f"{PRIVATE}/BalanceEx", f"{PRIVATE}/OpenPositions"), lambda said: {"error": [said]}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("spot"),
            it.reader.balances("margin"),
            it.opened.permissions(),
            it.market.prices(["ETH"], "USD"),
        ),
        caplog,
        capsys,
    )
    assert "main: balances" in everything
    for secret in (*KEYS.values(), "API-Sign", "nonce=", "://"):
        assert secret not in everything, secret
