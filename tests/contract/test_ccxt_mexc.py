"""Requests, keys, clock and refusals: real ccxt over real TLS to a local server that checks both of MEXC's signatures."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable
from tests.support import ManualClock
from tests.venues.mexc_bench import INVERSE, KEYS, PERPETUAL, Bench, bench

D = Decimal
ASSETS, POSITIONS = "/api/v1/private/account/assets", "/api/v1/private/position/open_positions"
MODE, TICKER, DETAIL = (
    "/api/v1/private/position/position_mode",
    "/api/v1/contract/ticker",
    "/api/v1/contract/detail",
)
COLD = [  # all that a first full read with three wallets, one pair lent on and two contracts asks
    "/api/v3/exchangeInfo",
    DETAIL,
    "/api/v3/time",
    "/api/v3/account",
    "/api/v3/margin/isolated/account",
    ASSETS,
    POSITIONS,
    MODE,
    TICKER,
    "/api/v1/contract/funding_rate/ETH_USDT",
    "/api/v1/contract/funding_rate/BTC_USD",
    "/api/v3/ticker/price",
]
WARM = [path for path in COLD if not path.endswith(("exchangeInfo", "detail", "time", "ETH_USDT", "BTC_USD"))]


async def read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, INVERSE]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Twelve requests for the first full read, seven for each later one until funding is due, none a write."""
    async with bench() as it:
        await read_everything(it)
        assert sorted(it.paths()) == sorted(COLD)
        assert len(COLD) == 12
        it.clock.advance(60)
        await read_everything(it)
        assert sorted(it.paths()) == sorted(WARM)
        assert len(WARM) == 7
        assert it.server.writes == []
        assert it.clock.slept == []


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not [path for path in it.paths() if "private" in path or path == "/api/v3/account"]


async def test_there_is_no_sandbox(caplog: pytest.LogCaptureFixture) -> None:
    """A test system that does not exist is a fault of the configuration; nothing is left open behind it."""
    with pytest.raises(ConfigurationError, match="exchange = mexc .* has no test system"):
        await open_ccxt("main", "mexc", ["spot"], KEYS, clock=ManualClock(), sandbox=True)
    gc.collect()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("keys", "spot", "swap"),
    [
        ({"apiKey": "mx0another", "secret": KEYS["secret"]}, "does not know this key", "the key is unknown"),
        ({"apiKey": KEYS["apiKey"], "secret": "wrong"}, "the secret does not belong", "the secret does not belong"),
    ],
)
async def test_a_wrong_key_is_refused(keys: dict[str, str], spot: str, swap: str) -> None:
    """Spot refuses with a status and a code, contracts with a code and status 200: both say what to do."""
    async with bench(credentials=keys) as it:
        for wallet in ("spot", "margin"):
            with pytest.raises(Refused, match=spot):
                await it.reader.balances(wallet)
        with pytest.raises(Refused, match=swap):
            await it.reader.balances("swap")
        with pytest.raises(Refused, match=swap):
            await it.reader.derivatives()


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for, in spot calls and in contract calls."""
    async with bench() as it:
        it.truth.now = functools.partial(_ahead, it, 1)
        await it.reader.balances("spot")
        await it.reader.balances("swap")
        for path, wallet, hours in (("/api/v3/account", "spot", 2), (ASSETS, "swap", 3)):
            it.truth.now = functools.partial(_ahead, it, hours)
            it.paths()
            await it.reader.balances(wallet)
            assert it.paths() == [path, "/api/v3/time", path]


def _ahead(it: Bench, hours: int) -> int:
    return int((it.clock.now() + timedelta(hours=hours)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("response", "kind", "says"),
    [
        ({"text": '{"success": false, "code": 0, "message": "?", "data": []}'}, Unreadable, "success is not true"),
        ({"text": '{"success": false, "code": 200, "data": []}'}, Unreadable, "success is not true"),
        ({"text": '{"success": "true", "code": 0, "data": []}'}, Unreadable, "success is not true"),
        ({"text": '{"code": 0, "data": []}'}, Unreadable, "lacks success"),
        ({"text": '{"success": false, "code": 500, "message": "System internal error!"}'}, Unreadable, "500 System"),
        ({"text": '{"success": false, "code": 510, "message": "too frequent"}'}, Unreachable, "510 too frequent"),
        ({"text": '{"success": false, "code": 703, "message": "x"}'}, Refused, "allow reading of futures orders"),
        ({"text": '{"success": false, "code": 1000, "message": "x"}'}, Refused, "open it once"),
        ({"text": '{"success": false, "code": 500, "message": "Under maintenance"}'}, Unreachable, "maintenance"),
        ({"text": '{"success": true, "code": 0, "data": null}'}, Unreadable, "data is null, expected a list"),
        ({"text": '{"success": true, "code": 0, "data": {}}'}, Unreadable, "data is an object, expected a list"),
        ({"status": 403, "text": '{"code": 700007, "msg": "No permission"}'}, Refused, "allow reading for it"),
        ({"status": 400, "text": '{"code": 700006, "msg": "ip"}'}, Refused, "bound to another address"),
        ({"status": 503, "text": "<html>"}, Unreachable, "HTTP 503"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(response: dict[str, Any], kind: type[Exception], says: str) -> None:
    """A reply that is not marked as a success is no empty wallet, whatever its code and status."""
    async with bench() as it:
        it.server.responses[ASSETS] = response
        with pytest.raises(kind, match=f"main: futures wallet: .*{says}"):
            await it.reader.balances("swap")


async def test_a_list_of_contracts_that_is_no_success_is_no_list() -> None:
    """The listing is ccxt's own call: there too an unsuccessful reply with rows in it does not count."""
    async with bench() as it:
        rows = it.truth.contract_detail()
        it.server.replies[DETAIL] = json.dumps({"success": False, "code": 0, "data": rows})
        with pytest.raises(Unreadable, match="contracts: .*success is not true"):
            await it.market.instruments()
