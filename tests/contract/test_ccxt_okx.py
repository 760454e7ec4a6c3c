"""Real ccxt over real TLS to a local OKX: what is asked, with which key, and how the venue says no."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable
from hedged.model.permissions import Permissions
from tests.support import ManualClock
from tests.venues.okx_bench import DATED, KEYS, PERPETUAL, WALLETS, Bench, bench

D = Decimal
COLD = [  # all that a first full read of three wallets, both types of contracts and one quote asks
    *["public/instruments"] * 3,
    "public/time",
    "account/balance",
    "account/positions",
    "asset/balances",
    "finance/savings/balance",
    *["public/mark-price"] * 2,
    *["market/tickers"] * 3,
    "public/funding-rate",
    "market/index-tickers",
]
WARM = [path for path in COLD if path not in {"public/instruments", "public/time"}]


@pytest.mark.parametrize(
    ("perm", "ip", "expected"),
    [
        ("read_only", "", Permissions(read=True, trade=False, withdraw=False, bound_to_address=False)),
        ("read_only,trade", "1.2.3.4", Permissions(read=True, trade=True, withdraw=False, bound_to_address=True)),
        ("another", "", Permissions(read=False, trade=False, withdraw=False, bound_to_address=False)),
        ("read_only, withdraw,trade", "", Permissions(read=True, trade=True, withdraw=True, bound_to_address=False)),
    ],
)
async def test_tells_what_the_key_may_do(perm: str, ip: str, expected: Permissions) -> None:
    """Reading, trading, withdrawing, and whether only some addresses may use the key."""
    async with bench() as it:
        it.truth.perm, it.truth.ip = perm, ip
        await it.reader.balances("spot")
        assert await it.dialect.permissions(it.connection) == expected


async def test_a_full_read_takes_the_fewest_requests() -> None:
    """Fifteen requests for the first full read, eleven for each later one, none of them a write."""
    async with bench() as it:
        await _read_everything(it)
        assert sorted(it.paths()) == sorted(COLD)
        assert len(COLD) == 15
        it.clock.advance(60)
        await _read_everything(it)
        assert sorted(it.paths()) == sorted(WARM)
        assert len(WARM) == 11
        assert it.server.writes == []


async def _read_everything(it: Bench) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED]),
        it.market.prices(["ETH", "SOL", "USDC"], "USDT"),
    )


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USDT"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.mark == 3000
        assert not {"account/balance", "asset/currencies", "public/time"} & set(it.paths())


async def test_the_sandbox_is_the_venues_demo_system() -> None:
    """With `sandbox` requests carry the demo header; a key of the other system is refused with the reason."""
    async with bench(sandbox=True) as it:
        it.server.demo_key = True
        assert (await it.reader.balances("spot")).value
        it.server.demo_key = False
        with pytest.raises(Refused, match="demo keys need sandbox"):
            await it.reader.balances("spot")


async def test_signs_with_the_venues_time() -> None:
    """A clock that is wrong from the start, or jumps later, is made up for without losing a read."""
    async with bench() as it:
        it.truth.now = lambda: int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        await it.reader.balances("spot")
        it.truth.now = lambda: int((it.clock.now() - timedelta(days=30)).timestamp() * 1000)
        it.paths()
        await it.reader.balances("spot")
        assert it.paths() == ["account/balance", "public/time", "account/balance"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"apiKey": "unknown-key"}, "the venue does not know this key"),
        ({"secret": "wrong"}, "the secret does not belong to this key"),
        ({"password": "wrong"}, "the password is not this key's passphrase"),
    ],
)
async def test_a_wrong_key_is_refused(change: dict[str, str], says: str) -> None:
    """The venue's refusal becomes one, with what to do about it; it is no outage."""
    async with bench(credentials=KEYS | change) as it:
        for read in (*map(it.reader.balances, WALLETS), it.reader.derivatives()):
            with pytest.raises(Refused, match=says):
                await read


async def test_the_passphrase_is_needed() -> None:
    """A credentials file without it is a configuration error that names it."""
    with pytest.raises(
        ConfigurationError, match="account main: .* lacks password, which okx needs; password is the passphrase"
    ):
        await open_ccxt("main", "okx", ["spot"], {"apiKey": "a", "secret": "b"}, clock=ManualClock())


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (401, "50110", Refused, "bound to another address"),
        (401, "50119", Refused, "the key does not exist"),
        (403, "50030", Refused, "allow reading for it"),
        (200, "50120", Refused, "allow reading for it"),
        (200, "51000", Refused, "51000"),
        (429, "50011", Unreachable, "asked to slow down"),
        (503, "50001", Unreachable, "50001"),
        (200, "50026", Unreachable, "50026"),
        (200, "50004", Unreachable, "50004"),
        (200, "58350", Unreadable, "58350"),
        (200, "99999", Unreadable, "99999"),
        (200, None, Unreadable, "HTTP 200"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(
    status: int, code: str | None, kind: type[Exception], says: str
) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        body = {"code": code, "msg": "the venue says no", "data": []}
        it.server.responses["/api/v5/account/balance"] = {"status": status, "text": json.dumps(body)}
        with pytest.raises(kind, match=f"main: trading account: .*{says}"):
            await it.reader.balances("spot")
