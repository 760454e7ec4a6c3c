"""BingX's samples, key, clock, codes and demo: what goes with reading an account there."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import Refused, Unreachable, Unreadable
from hedged.model.instrument import MarginTier
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance
from tests.support import ROOT, ManualClock
from tests.venues.binance_bench import pki
from tests.venues.bingx_bench import INVERSE, KEYS, LINEAR, Bench, bench

D = Decimal
SYMBOL = "ETH/USDT:USDT"
SPOT, FUND = "/openApi/spot/v1/account/balance", "/openApi/fund/v1/account/balance"
LINEAR_WALLET, COIN_WALLET = "/openApi/swap/v3/user/balance", "/openApi/cswap/v1/user/balance"
LINEAR_POSITIONS, COIN_POSITIONS = "/openApi/swap/v2/user/positions", "/openApi/cswap/v1/user/positions"
PERMISSIONS = "/openApi/v1/account/apiPermissions"


def serve(it: Bench, path: str, reply: Any) -> None:
    it.server.replies[path] = json.dumps(reply)


async def test_tiers_ascend_and_coin_margined_ones_are_unknown() -> None:
    """One request a linear contract; the venue has no table of coin-margined ones."""
    async with bench() as it:
        instruments = await it.market.instruments()
        wanted = {"ETH-USDT": instruments[LINEAR], "ETH-USD": instruments[INVERSE]}
        it.paths()
        tiers = await it.line.signed(lambda: it.dialect.tiers(it.line.connection, wanted))
        assert it.paths() == ["/openApi/swap/v2/server/time", "/openApi/swap/v1/maintMarginRatio"]
    assert tiers == {LINEAR: (MarginTier(D(0), D("0.0033"), D(100)), MarginTier(D(900000), D("0.005"), D(100)))}


@pytest.mark.parametrize(
    ("numbers", "addresses", "expected"),
    [
        ([2], [], Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        ([1, 2, 3, 4], ["1.2.3.4"], Permissions(read=True, trade=True, withdraw=False, bound_to_address=True)),
        ([2, 5], [""], Permissions(read=True, trade=False, withdraw=True, bound_to_address=False)),
    ],
)
async def test_permissions_are_the_venues_numbers(
    numbers: list[int], addresses: list[str], expected: Permissions
) -> None:
    """2 reads, 3 trades perpetuals, 5 withdraws; told with or without the usual envelope."""
    async with bench() as it:
        it.truth.permissions, it.truth.addresses = numbers, addresses
        assert await it.line.signed(lambda: it.dialect.permissions(it.line.connection)) == expected
        serve(it, PERMISSIONS, it.truth.key_permissions()["data"])
        assert await it.line.signed(lambda: it.dialect.permissions(it.line.connection)) == expected


@pytest.mark.parametrize("reply", [{"code": 0, "data": {}}, {"code": 0, "data": 1}, {"data": {"permissions": ["x"]}}])
async def test_permissions_in_another_form_are_no_permissions(reply: Any) -> None:
    """A key of which the venue says nothing that is understood is not one that cannot withdraw."""
    async with bench() as it:
        serve(it, PERMISSIONS, reply)
        with pytest.raises(Unreadable, match="permissions"):
            async with it.line.reading("permissions"):
                await it.line.signed(lambda: it.dialect.permissions(it.line.connection))


async def test_signs_with_the_venues_time() -> None:
    """A clock that is an hour off, or jumps later, is made up for: ccxt alone would sign with ours for ever."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.balances("spot")
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.balances("spot")
        assert it.paths() == [SPOT, "/openApi/swap/v2/server/time", SPOT]


async def test_all_of_a_read_is_signed_again_together() -> None:
    """A request still under way with the old time when another is refused for it does not spoil the second try."""
    async with bench() as it:
        await it.reader.derivatives()
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        wallet = "/openApi/cswap/v1/user/balance"
        arrives = it.server.held[wallet] = asyncio.Event()
        read = asyncio.ensure_future(it.reader.derivatives())
        async with asyncio.timeout(5):
            while wallet not in [path for _, path in it.server.requests]:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        arrives.set()
        assert len((await read).value.positions) == 2


async def test_a_rate_limit_told_by_a_code_is_left_alone() -> None:
    """The venue limits with status 200 and a code: asking on would lengthen it."""
    async with bench() as it:
        await it.reader.balances("spot")
        serve(it, SPOT, {"code": 100410, "msg": "rate limited"})
        with pytest.raises(Unreachable, match="spot wallet: HTTP 200: 100410 rate limited"):
            await it.reader.balances("spot")
        it.server.replies.clear()
        it.paths()
        with pytest.raises(Unreachable, match="asking again in 60 s"):
            await it.reader.balances("spot")
        assert it.paths() == []
        it.clock.advance(61)
        assert (await it.reader.balances("spot")).value


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (100004, Refused, "the key may not do this"),
        (100419, Refused, "bound to another address"),
        (100414, Refused, "risk control"),
        (80012, Unreachable, "80012"),
        (100500, Unreachable, "100500"),
        (100503, Unreachable, "100503"),
        ("109500", Unreachable, "109500"),
        (504, Unreachable, "504"),
        (424242, Unreadable, "424242"),
    ],
)
async def test_each_code_is_told_apart(code: Any, kind: type[Exception], says: str) -> None:
    """What a person has to mend, what passes by itself, and what is not understood; all with status 200."""
    async with bench() as it:
        serve(it, SPOT, {"code": code, "msg": "risk control check fail", "data": {"balances": []}})
        with pytest.raises(kind, match=f"main: spot wallet: .*{says}") as caught:
            await it.reader.balances("spot")
        assert type(caught.value) is kind


async def test_the_demo_has_linear_contracts_alone() -> None:
    """With `sandbox` every request goes to the demo's address; a wallet that it lacks is refused, not empty."""
    async with bench(sandbox=True) as it:
        it.truth.positions["ETH-USDC"] = it.truth.positions.pop("SOL-USDT")
        it.truth.linear["USDC"] = D(1)
        assert len((await it.reader.derivatives()).value.positions) == 2
        assert (await it.reader.balances("swap")).value[0] == Balance("USDT", D(10000))
        assert "open-api-vst" in it.exchange.last_request_url
        assert not any("cswap" in path or "spot" in path for path in it.paths())
        for wallet in ("spot", "funding"):
            with pytest.raises(Refused, match=f"{wallet} wallet: demo trading has USDT perpetuals only"):
                await it.reader.balances(wallet)


async def test_the_server_runs_by_itself() -> None:
    """The local venue as its own process speaks the same dialect."""
    ca_file, cert, key = pki()
    command = [sys.executable, "-m", "tests.venues.bingx_server", "--cert", str(cert), "--key", str(key)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        clock = ManualClock(datetime.now(UTC))
        at = {"connect_to": told["connect_to"], "ca_file": ca_file}
        venue = await open_ccxt("main", "bingx", ["swap"], KEYS, clock=clock, **at)
        assert venue.reader is not None
        assert (await venue.reader.balances("swap")).value == (Balance("USDT", D(10000)),)
        await venue.close()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)
    assert process.returncode == 0
