"""Whatever a venue answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.errors import Unreachable, Unreadable
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.binance_bench import DATED, KEYS, PERPETUAL, WALLETS, Bench, bench

_SENT = Doubt("main/swap/USDT", "main", "USDT", None, before=Decimal(1), now=Decimal(0), polls=1)
_CLOSED = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, before=Decimal(-2), now=Decimal(0), polls=1)
NONE: tuple[object, ...] = ([],)  # an empty list is the venue's own way to say that there is none of these
READS = {
    "spot markets": Asked("/api/v3/exchangeInfo", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True),
    "futures markets": Asked("/fapi/v1/exchangeInfo", lambda it: it.market.instruments(), listed=True),
    "server time": Asked("/api/v3/time", lambda it: it.reader.balances("spot")),
    "spot wallet": Asked("/api/v3/account", lambda it: it.reader.balances("spot")),
    "margin wallet": Asked("/sapi/v1/margin/account", lambda it: it.reader.balances("margin")),
    "futures wallet": Asked("/fapi/v3/account", lambda it: it.reader.balances("swap")),
    "margin of futures": Asked("/fapi/v3/account", lambda it: it.reader.derivatives()),
    "futures positions": Asked("/fapi/v3/positionRisk", lambda it: it.reader.derivatives(), NONE),
    "mark prices": Asked("/fapi/v1/premiumIndex", lambda it: it.market.quotes([PERPETUAL, DATED])),
    "futures books": Asked("/fapi/v1/ticker/bookTicker", lambda it: it.market.quotes([PERPETUAL, DATED])),
    "spot prices": Asked("/api/v3/ticker/price", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "futures income": Asked("/fapi/v1/income", lambda it: it.reader.explain(_SENT, T0), NONE),
    "futures fills": Asked("/fapi/v1/userTrades", lambda it: it.reader.explain(_CLOSED, T0), NONE),
}


def _movements(it: Bench) -> None:
    """What explains each of the doubts above."""
    it.truth.income = [{"symbol": "", "incomeType": "TRANSFER", "income": "-1", "asset": "USDT", "time": NOW}]
    it.truth.fills = [{"symbol": "ETHUSDT", "side": "BUY", "qty": "2", "price": "3000", "time": NOW}]


VENUE = Venue(bench, READS, _movements, unknown={"Position.liquidation_price"})


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
    breaks = {
        "key": lambda it: setattr(it.server, "api_key", "another"),
        "echo": echo(KEYS, ("/api/v3/account", "/fapi/v3/account"), lambda said: {"code": -1100, "msg": said}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("spot"),
            it.reader.balances("swap"),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL]),
        ),
        caplog,
        capsys,
    )
    assert "main: spot wallet" in everything
    for secret in (KEYS["apiKey"], KEYS["secret"], "signature=", "://", "timestamp="):
        assert secret not in everything, secret


async def test_the_answer_to_a_read_that_gave_up_is_not_lost_on_others() -> None:
    """One reader's time-out does not end the request that another shares with it."""
    async with bench(time_limit=0.2) as it:
        await it.reader.balances("spot")
        it.server.faults["/fapi/v3/account"] = "hang"
        for _ in range(2):
            with pytest.raises(Unreachable, match="no answer within"):
                await it.reader.balances("swap")
        it.server.faults.clear()
        assert (await it.reader.balances("swap")).value
        assert set(WALLETS) >= {"swap"}


@pytest.mark.parametrize(("path", "most"), [("/fapi/v3/positionRisk", 16), ("/fapi/v1/exchangeInfo", 64)])
async def test_a_reply_without_end_is_left(path: str, most: int) -> None:
    """A venue, or what stands before it, cannot fill this machine's memory: the rest is not even fetched."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < most + 200:
            sent += 1
            yield b" " * (1 << 20)

    async with bench() as it:
        it.server.responses[path] = {"body": endless(), "content_type": "application/json"}
        with pytest.raises(Unreadable, match=f"goes on after {most} MB"):
            await it.reader.derivatives()
        it.server.responses.clear()
        assert (await it.reader.derivatives()).value.positions
    assert most <= sent < most + 100  # the rest is what sockets hold
