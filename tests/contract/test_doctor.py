"""`hedged doctor` and the start of the daemon against a local exchange: what the key may do decides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from hedged import app as root
from hedged.adapters.clock import SystemClock, SystemIds
from hedged.adapters.store.memory import MemoryStore
from hedged.cli.doctor import Check, _reading, examine, position_mode
from hedged.cli.go_live import _keys
from hedged.cli.once import look_once
from hedged.daemon.one_way import in_hedge_mode
from hedged.errors import ConfigurationError
from hedged.settings import Settings, load
from tests.venues.benches import BENCHES
from tests.venues.binance_bench import KEYS, pki
from tests.venues.binance_server import BinanceServer
from tests.venues.binance_venue import BinanceVenue

CONFIG = """
mode = "{mode}"
{accounts}
[[hedges]]
name = "alts"
assets = ["ETH"]
instruments = ["main:ETH/USDT:USDT"]
[store]
path = "{store}"
"""
ACCOUNT = """
[[accounts]]
name = "{name}"
exchange = "binance"
connect_to = "{connect_to}"
ca_file = "{ca_file}"
"""


@asynccontextmanager
async def local(
    tmp_path: Path, *, keys: bool = True, accounts: Sequence[str] = ("main",), mode: str = "monitor"
) -> AsyncIterator[tuple[BinanceServer, Settings]]:
    ca_file, cert, key = pki()
    async with BinanceServer(BinanceVenue(), cert, key) as server:
        path = tmp_path / "p.toml"
        tables = [ACCOUNT.format(name=name, connect_to=server.connect_to, ca_file=ca_file) for name in accounts]
        path.write_text(CONFIG.format(mode=mode, accounts="".join(tables), store=tmp_path / "p.sqlite"))
        for name in accounts if keys else ():
            secret = tmp_path / "credentials" / f"account-{name}"
            secret.parent.mkdir(exist_ok=True)
            secret.write_text(json.dumps(KEYS))
            secret.chmod(0o600)
        yield server, load(path)


def told(checks: list[Check], what: str) -> list[tuple[str, str]]:
    return [(check.result, check.text) for check in checks if check.what == what]


def allow(server: BinanceServer, **rights: bool) -> None:
    usual = {
        "ipRestrict": True,
        "createTime": 1600000000000,
        "enableReading": True,
        "enableWithdrawals": False,
        "enableFutures": False,
        "enableSpotAndMarginTrading": False,
        "enableMargin": False,
    }
    server.replies["/sapi/v1/account/apiRestrictions"] = json.dumps({**usual, **rights})


async def test_all_is_well(tmp_path: Path) -> None:
    """A key that can read and nothing else: no red line, and the database is said to come."""
    async with local(tmp_path) as (server, settings):
        allow(server)
        checks = await examine(settings)
    assert [check for check in checks if check.result == "failed"] == []
    assert ("ok", "it cannot withdraw") in told(checks, "main: key")
    assert told(checks, "main: clock") == [("ok", "within a second of the venue's")]
    assert server.writes == []


async def test_what_else_a_key_may_do_is_told(tmp_path: Path) -> None:
    """Reading and a bound address in green; a key that may not read in red, before the wallets say it in other words."""
    async with local(tmp_path) as (server, settings):
        allow(server)
        assert told(await examine(settings), "main: key") == [
            ("ok", "it cannot withdraw"),
            ("ok", "it may read"),
            ("ok", "it is bound to an address"),
        ]
        allow(server, enableReading=False, ipRestrict=False)
        results = {text: result for result, text in told(await examine(settings), "main: key")}
    assert results["it may not read what hedged reads: allow reading for it"] == "failed"
    assert "it is bound to an address" not in results
    assert list(results.values()).count("unknown") == 1


async def mode_of(it: Any, legs: Collection[str] = ("main:ETH/USDT:USDT",)) -> list[tuple[str, str]]:
    """The doctor's line on the position mode of an opened account."""
    checks = await _reading("main", it.reader, it.opened, legs)
    assert not [text for _, text in told(checks, "main: positions") if "way" in text]
    return told(checks, "main: position mode")


async def test_a_flat_account_is_not_said_to_be_in_a_mode_that_nobody_read() -> None:
    """Where only open positions show it: grey without one, green with one that was read."""
    for venue, legs in (("weex", ("main:ETH/USDT:USDT",)), ("bybit", ())):
        async with BENCHES[venue].bench() as it:
            assert await mode_of(it, legs) == [("ok", "one-way")]
            it.truth.positions.clear()
            assert await mode_of(it, legs) == [("unknown", "shown once a position is open")]


async def test_at_bybit_the_contracts_of_the_hedges_tell_the_mode() -> None:
    """Each has its own: it is known only where all of them tell it."""
    legs = ["main:ETH/USDT:USDT", "main:BTC/USD:BTC"]
    async with BENCHES["bybit"].bench() as it:
        it.truth.positions.clear()
        assert await it.opened.hedge_mode(legs) is False
        it.truth.hedge_mode = True
        assert (await position_mode("main", it.opened, legs)).result == "failed"
        it.truth.hedge_mode = False
        nothing = {"category": "linear", "list": [], "nextPageCursor": ""}
        it.server.replies["/v5/position/list"] = json.dumps({"retCode": 0, "result": nothing, "time": 1})
        assert await it.opened.hedge_mode(legs) is None


# venue → field of its truth, and what it is in one-way mode, in hedge mode, and where it is not understood
MODES: dict[str, tuple[str, object, object, object]] = {
    "okx": ("pos_mode", "net_mode", "long_short_mode", "another"),
    "bitget": ("pos_mode", "one_way_mode", "hedge_mode", "another"),
    "binance": ("hedge_mode", False, True, "another"),
    "bingx": ("hedge_mode", False, True, None),
    "mexc": ("position_mode", 2, 1, 3),
    "gate": ("account", {}, {"in_dual_mode": True}, None),
    "kucoin": ("position_mode", 0, 1, 2),
}


@pytest.mark.parametrize("venue", MODES)
async def test_a_flat_account_in_hedge_mode_is_told_where_the_venue_tells(venue: str) -> None:
    """Before its first position, which would be refused: red with the way out for a hedge, grey without one."""
    name, one_way, hedged, odd = MODES[venue]
    async with BENCHES[venue].bench() as it:
        it.truth.positions.clear()
        setattr(it.truth, name, one_way)
        assert await mode_of(it) == [("ok", "one-way")]
        setattr(it.truth, name, hedged)
        ((result, text),) = await mode_of(it)
        assert result == "failed"
        assert "One-way mode" in text or "One-Way Mode" in text or "one-way mode (Futures" in text
        assert (await mode_of(it, legs=()))[0][0] == "unknown", "a new account without hedges is no fault"
        if odd is not None:
            setattr(it.truth, name, odd)  # a word that is not understood
            assert (await mode_of(it))[0][0] == "unknown"


@pytest.mark.parametrize(
    ("legs", "result"),
    [(["main:ETH/USDT:USDT"], "ok"), (["main:BTC/USD:BTC-260327"], "failed"), ([], "unknown")],
)
@pytest.mark.parametrize("wallets", [("spot", "swap"), ("spot", "portfolio")], ids=" ".join)
async def test_the_mode_is_that_of_the_segment_of_the_hedge(legs: list[str], result: str, wallets: Any) -> None:
    """COIN-M in hedge mode is no fault of a hedge in USD-M."""
    async with BENCHES["binance"].bench(wallets=wallets) as it:
        it.truth.positions.clear()
        it.truth.more.hedge_mode = True
        assert (await position_mode("main", it.opened, legs)).result == result


async def test_a_bingx_key_that_may_not_trade_is_not_told_the_mode() -> None:
    """The venue refuses to tell it: nobody knows, and nothing is red."""
    async with BENCHES["bingx"].bench() as it:
        it.server.forbidden = {"/openApi/swap/v1/positionSide/dual"}
        with capture_logs() as logs:
            assert await in_hedge_mode({"main": it.opened}, {"main": ["main:ETH/USDT:USDT"]}) == {}
    assert [entry["event"] for entry in logs if entry.get("account") == "main"] == [
        "the venue does not tell the position mode: in hedge mode orders are refused"
    ]


async def test_a_key_that_can_withdraw_is_red_and_refused(tmp_path: Path) -> None:
    """The doctor says so; the daemon does not start with it."""
    async with local(tmp_path) as (server, settings):
        allow(server, enableWithdrawals=True)
        assert told(await examine(settings), "main: key")[0][0] == "failed"
        with pytest.raises(ConfigurationError, match="may withdraw"):
            await root.build(settings, SystemClock(), SystemIds())


@pytest.mark.parametrize("mode", ["approve", "live", "monitor"])
async def test_a_hedge_is_not_traded_on_an_account_in_hedge_mode(mode: str, tmp_path: Path) -> None:
    """The daemon says the way out and does not start, go-live is red; what is only watched goes on."""
    async with local(tmp_path, mode=mode) as (server, settings):
        allow(server, enableFutures=True)
        exchanges = await root.open_exchanges(settings, MemoryStore(), SystemClock())
        try:
            await root.require_one_way(settings, exchanges)
            server.venue.hedge_mode = True
            told_by_go_live = told(await _keys(settings, datetime.now(UTC)), "main: position mode")
            if mode == "monitor":
                await root.require_one_way(settings, exchanges)
                assert told_by_go_live == []
                return
            with pytest.raises(ConfigurationError, match="account main: .*hedge mode.*one-way mode"):
                await root.require_one_way(settings, exchanges)
            assert told_by_go_live[0][0] == "failed"
            with capture_logs() as logs:
                server.faults["/fapi/v1/positionSide/dual"] = "500"
                await root.require_one_way(settings, exchanges)
            assert [entry["account"] for entry in logs if "position mode" in entry["event"]] == ["main"]
        finally:
            await exchanges.close()


async def test_the_daemon_does_not_start_to_trade_in_hedge_mode(tmp_path: Path) -> None:
    """Nor is any order line opened."""
    async with local(tmp_path, mode="approve") as (server, settings):
        allow(server, enableFutures=True)
        server.venue.hedge_mode = True
        with pytest.raises(ConfigurationError, match="hedge mode"):
            await root.build(settings, SystemClock(), SystemIds())


async def test_a_venue_that_cannot_be_asked_does_not_stop_watching(tmp_path: Path) -> None:
    """Permissions that cannot be read now are a warning at the start, and grey for the doctor."""
    async with local(tmp_path) as (server, settings):
        server.faults["/sapi/v1/account/apiRestrictions"] = "500"
        assert told(await examine(settings), "main: key")[0][0] == "unknown"
        wired = await root.build(settings, SystemClock(), SystemIds())
        await wired.close()


async def test_a_wrong_key_is_red_with_the_venues_reason(tmp_path: Path) -> None:
    """Each wallet that the key cannot read is a red line."""
    async with local(tmp_path) as (server, settings):
        server.api_key = "another"
        checks = await examine(settings)
    assert told(checks, "main: spot wallet")[0][0] == "failed"
    assert "key" in told(checks, "main: spot wallet")[0][1]


async def test_without_a_key_nobody_can_know(tmp_path: Path) -> None:
    """Public data alone: grey, not green, with the file where a key was looked for."""
    async with local(tmp_path, keys=False) as (_, settings):
        ((result, text),) = told(await examine(settings), "main: key")
    assert result == "unknown"
    assert str(tmp_path / "credentials" / "account-main") in text


@pytest.mark.parametrize("mode", ["monitor", "approve", "live"])
async def test_a_key_that_orders_need_is_red_where_it_is_missing(mode: str, tmp_path: Path) -> None:
    """`run` would refuse to start: what it says of it stands here too, and only where orders are to be sent."""
    async with local(tmp_path, keys=False, mode=mode) as (_, settings):
        ((key, text),) = told(checks := await examine(settings), "main: key")
        assert (key, "[[holdings]]" in text) == ("unknown", True)
        orders = told(checks, "main: orders")
        if mode == "monitor":
            assert orders == []
            return
        ((result, why),) = orders
        assert result == "failed"
        assert why.startswith(f"{settings.path}: account main: it has no key, so no order can be sent there")


async def test_once_says_that_an_account_has_no_key(tmp_path: Path) -> None:
    """What is held there is in no figure, and a look at the portfolio says so; with a key nothing is said."""
    for keys in (False, True):
        async with local(tmp_path, keys=keys) as (_, settings):
            report, _portfolio = await look_once(settings)
        found = report.state["findings"]
        assert isinstance(found, list)
        missing = [each for each in found if each["kind"] == "key_missing"]
        assert [each["subject"] for each in missing] == ([] if keys else ["main"])
        assert not missing or str(tmp_path / "credentials" / "account-main") in missing[0]["text"]


async def test_accounts_of_one_venue_load_its_markets_once(tmp_path: Path) -> None:
    """Two accounts, one list: the second takes what the first has loaded, and both name instruments their own way."""
    async with local(tmp_path, accounts=("main", "other")) as (server, settings):
        (tmp_path / "credentials" / "account-other").unlink()  # one key is one account
        wired = await root.build(settings, SystemClock(), SystemIds())
        try:
            listed = [await market.instruments() for market in wired.exchanges.markets.values()]
        finally:
            await wired.close()
    assert [min(names).partition(":")[0] for names in listed] == ["main", "other"]
    assert len(listed[0]) == len(listed[1]) > 0
    assert sum(path == "/fapi/v1/exchangeInfo" for _, path in server.requests) == 1


async def test_one_key_under_two_accounts_is_refused(tmp_path: Path) -> None:
    """What it holds would count twice, as hedge here and as exposure there."""
    async with local(tmp_path, accounts=("main", "other")) as (_, settings):
        with pytest.raises(ConfigurationError, match="main and other have the same key"):
            await root.build(settings, SystemClock(), SystemIds())
