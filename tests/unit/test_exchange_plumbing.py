"""The small parts under the exchange adapter: limiter, shared calls, scrubbing, error kinds, lazy imports."""

from __future__ import annotations

import asyncio
import decimal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hedged.adapters.exchanges import dialects
from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.adapters.exchanges.dialects.base import Dialect
from hedged.adapters.exchanges.guard import ClockSkew, NotAllowed, classify, reading, scrub
from hedged.adapters.exchanges.limiter import Limiter
from hedged.adapters.exchanges.shapes import Misshapen
from hedged.adapters.exchanges.shared_call import SharedCalls
from hedged.adapters.exchanges.transport import LoopbackResolver
from hedged.errors import Refused, Unreachable, Unreadable, VenueError
from tests.support import T0, ManualClock

NO_CCXT = SimpleNamespace(BaseError=type("BaseError", (Exception,), {}))


async def test_a_burst_goes_out_at_once_then_the_rate_holds() -> None:
    """Up to the burst nothing waits; beyond it each weight waits for its share of a second."""
    clock = ManualClock()
    limiter = Limiter(clock, burst=10, per_second=2)
    for _ in range(10):
        await limiter.acquire(1)
    assert clock.slept == []
    await limiter.acquire(4)
    await limiter.acquire()
    assert clock.slept == [2, 0.5]


async def test_the_limiter_refills_to_its_burst_and_no_further() -> None:
    """An idle hour does not save up requests."""
    clock = ManualClock()
    limiter = Limiter(clock, burst=10, per_second=2)
    clock.advance(3600)
    await limiter.acquire(12)
    assert clock.slept == [1]


async def test_setting_the_wall_clock_back_does_not_stop_requests() -> None:
    """The limiter goes by monotonic time alone."""
    clock = ManualClock()
    limiter = Limiter(clock, burst=1, per_second=1)
    await limiter.acquire(1)
    clock.set(T0.replace(year=2020))
    await limiter.acquire(1)
    assert clock.slept == [1]


async def test_those_who_ask_together_share_one_call() -> None:
    """Two at the same time get one reply, the next gets a new one."""
    shared, asked = SharedCalls(), []

    async def call() -> int:
        asked.append(1)
        await asyncio.sleep(0)
        return len(asked)

    assert await asyncio.gather(shared.ask("k", call), shared.ask("k", call)) == [1, 1]
    assert await shared.ask("k", call) == 2


async def test_one_who_gives_up_does_not_take_the_reply_from_others() -> None:
    """A cancelled reader leaves the request running for the other."""
    shared, release = SharedCalls(), asyncio.Event()

    async def call() -> str:
        await release.wait()
        return "reply"

    impatient, patient = asyncio.create_task(shared.ask("k", call)), asyncio.create_task(shared.ask("k", call))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    release.set()
    assert await patient == "reply"


async def test_closing_ends_what_is_running() -> None:
    """No request outlives the account."""
    shared = SharedCalls()
    task = shared.start("k", asyncio.Event().wait)
    await shared.close()
    assert task.cancelled()


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("see https://x.example/api?timestamp=1&signature=abc for more", "see … for more"),
        ("signature=abcdef is not valid", "… is not valid"),
        ("key SECRETKEY is unknown", "key … is unknown"),
        ("a" * 64, "…"),
        (
            "-2015 Invalid API-key, IP, or permissions for action.",
            "-2015 Invalid API-key, IP, or permissions for action.",
        ),
        ("many\n\nlines", "many lines"),
        ("word " * 100, ("word " * 40)),
    ],
)
def test_scrub_keeps_words_and_drops_the_rest(said: str, left: str) -> None:
    """Addresses, parameters, keys and signatures go; the venue's sentence stays, in one line of bounded length."""
    assert scrub(said, ["SECRETKEY"]) == left


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("AuthenticationError", Refused),
        ("PermissionDenied", Refused),
        ("BadSymbol", Refused),
        ("NotSupported", Refused),
        ("RestrictedLocation", Refused),
        ("InvalidNonce", ClockSkew),
        ("RateLimitExceeded", Unreachable),
        ("OnMaintenance", Unreachable),
        ("RequestTimeout", Unreachable),
        ("NullResponse", Unreadable),
        ("ExchangeError", Unreadable),
        ("InvalidOrder", Unreadable),
    ],
)
def test_ccxts_errors_are_sorted_by_whose_fault_they_are(name: str, kind: type[VenueError]) -> None:
    """What to wait for, what to fix, and what to distrust are different things."""
    from ccxt.base import errors

    assert classify(getattr(errors, name)("text"), errors) is kind


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (Misshapen("free is null"), Unreadable),
        (KeyError("free"), Unreadable),
        (TypeError(), Unreadable),
        (TimeoutError(), Unreachable),
        (NotAllowed("main", "POST /x", "no"), NotAllowed),
    ],
)
async def test_a_read_lets_out_venue_errors_alone(raised: Exception, kind: type[VenueError]) -> None:
    """Whatever goes wrong inside a read, what comes out names account and call, and carries nothing along."""
    with pytest.raises(VenueError) as caught:
        async with reading("main", "spot wallet", NO_CCXT, 5):
            raise raised
    assert type(caught.value) is kind
    assert caught.value.account == "main"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_read_is_bounded_in_time() -> None:
    """A read that hangs is unreachable when its time is over."""
    with pytest.raises(Unreachable, match="main: quotes: no answer within 0.01 s"):
        async with reading("main", "quotes", NO_CCXT, 0.01):
            await asyncio.Event().wait()


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", 2), ("::1", 10)])
async def test_every_name_leads_to_the_loopback_address(host: str, family: int) -> None:
    """Whatever host is asked for, the socket goes to the one address and port."""
    (found,) = await LoopbackResolver(host, 8443).resolve("api.binance.com", 443)
    assert (found["host"], found["port"], found["family"]) == (host, 8443, family)


def test_dialects_are_known_by_ccxts_id() -> None:
    """What settings may offer, and what they may not."""
    assert dialects.exchanges()["binance"] == {"spot", "margin", "swap", "funding", "earn", "portfolio"}
    assert dialects.exchanges()["weex"] == {"spot", "swap"}
    assert dialects.find("nowhere") is None


def test_nothing_loads_ccxt_before_an_account_is_opened() -> None:
    """ccxt costs half a second and a hundred megabytes: importing the adapter does not load it."""
    code = "import sys, hedged.adapters.exchanges.ccxt_account; sys.exit('ccxt' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize("expiry", [1, 1_000_000, 1_230_940_799_999])
def test_an_expiry_before_there_were_coins_is_none_of_ours(expiry: int) -> None:
    """ccxt makes a number of anything; a contract that expired in 1970 is a row that could not be read."""
    market = {"id": "ETHUSDT_X", "limits": {}, "expiry": expiry}
    with pytest.raises(Misshapen, match="expiry of ETHUSDT_X"):
        Dialect.instrument(object(), "main", market)


@pytest.mark.parametrize("places", ["41", "-41", "1000000000000"])
async def test_a_precision_of_a_billion_places_is_none(places: str) -> None:
    """ccxt would write out every zero and hold up the whole daemon: such a market has no tick size instead."""
    opened = await open_ccxt("main", "binance", ["spot"], None, clock=ManualClock())
    exchange = opened._line.connection.exchange
    assert exchange.parse_precision(places) is None
    assert exchange.parse_precision("18") == f"0.{'0' * 17}1"
    assert exchange.parse_precision(None) is None
    await opened.close()


async def test_ccxts_rounding_stays_its_own() -> None:
    """It rounds as before, and the process rounds and traps as before: all money would be rounded its way else."""
    opened = await open_ccxt("main", "binance", ["spot"], None, clock=ManualClock())
    round_to = opened._line.connection.exchange.decimal_to_precision
    assert round_to("0.125", rounding_mode=1, precision=2, counting_mode=2) == "0.13"
    assert decimal.getcontext().rounding == decimal.ROUND_HALF_EVEN
    assert not decimal.getcontext().traps[decimal.Underflow]
    await opened.close()
