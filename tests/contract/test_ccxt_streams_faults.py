"""Streams that fail in every way: nothing escapes, polling goes on, it is seen, and they come back."""

from __future__ import annotations

import asyncio
import gzip
import logging
from typing import Any

import pytest
import structlog
from aiohttp import web
from ccxt.async_support.base.ws import client as ccxt_client

from hedged.adapters.exchanges.ccxt_streams import PAUSE_LAST, SILENT_AFTER, TICKS_WITHIN
from hedged.adapters.exchanges.stream_client import MESSAGE_MAX
from tests.venues.streams_bench import LOGINS, PERPETUAL, PRIVATE, VENUES, Stage, stage

GARBAGE = (
    "<html>down</html>",
    "{",
    "[]",
    "[1, 2]",
    "null",
    '"words"',
    "12",
    '{"e": [], "topic": {}, "arg": 1, "channel": [], "data": "x", "d": 5, "a": null, "id": {}, "dataType": 7}',
    '{"e": "ACCOUNT_UPDATE", "a": {"B": 1, "P": "x"}, "topic": "wallet", "data": {"a": 1}, "d": {}, "id": null}',
    "x" * 100_000,
    b"\x00\xff\xfe",
    b"",
)


async def comes_back(on: Stage, price: str = "3000") -> None:
    """Connected anew after a pause, and as watchful as before."""
    topic = f"marks:{PERPETUAL[on.venue]}"
    await on.until(lambda: on.heard_by(topic))
    await on.hub.tell("mark", PERPETUAL[on.venue], price)
    await asyncio.sleep(0.02)
    on.streams.cycle_begins()
    on.woken.clear()
    await on.hub.tell("mark", PERPETUAL[on.venue], str(float(price) * 1.05))
    assert "moved by +5.00 %" in (await on.reasons(1))[0]


async def test_what_unpacks_to_far_more_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small message cannot fill this machine's memory: it ends that connection, and ccxt never sees it."""
    unpack, sizes = ccxt_client.gunzip, []

    def seen(data: bytes) -> str:
        text: str = unpack(data)
        sizes.append(len(text))
        return text

    monkeypatch.setattr(ccxt_client, "gunzip", seen)
    async with stage("bingx", keys=False) as on:
        await on.marked()
        socket = on.hub.sockets[0]
        await socket.ws.send_bytes(gzip.compress(b" " * (MESSAGE_MAX + 1)))
        await on.until(lambda: socket not in on.hub.sockets)
        await comes_back(on)
    assert 0 < max(sizes) <= MESSAGE_MAX


@pytest.mark.parametrize("venue", VENUES)
async def test_garbage_is_survived(venue: str) -> None:
    """A message that nobody can read ends at most that connection; no word of it is repeated."""
    async with stage(venue, keys=False) as on:
        await on.marked()
        for garbage in GARBAGE:
            socket = on.hub.sockets[0]
            if isinstance(garbage, bytes):
                await socket.ws.send_bytes(garbage)
            elif venue == "bingx":
                await socket.ws.send_bytes(gzip.compress(garbage.encode()))
            else:
                await socket.ws.send_str(garbage)
            await asyncio.sleep(0.02)
            await comes_back(on)


@pytest.mark.parametrize("venue", VENUES)
async def test_garbage_in_private_streams_is_survived(venue: str) -> None:
    """The same for what balances and positions come by."""
    async with stage(venue) as on:
        await on.listening()
        for garbage in GARBAGE:
            for socket in list(on.hub.sockets):
                if not socket.ws.closed:
                    await on.hub.send(socket, garbage if isinstance(garbage, str) else "\x00")
            await asyncio.sleep(0.02)
            await on.until(lambda: all(on.heard_by(topic) for topic in PRIVATE[venue]))
        assert on.task is not None
        assert not on.task.done()


async def test_a_closed_connection_comes_back() -> None:
    """Venues close every connection once a day at the latest."""
    async with stage("okx") as on:
        await on.listening()
        await on.marked()
        await on.clock.move(20)
        for socket in list(on.hub.sockets):
            await socket.ws.close()
        await on.down("marks", "closed")
        await on.down("account", "closed")
        assert on.hub.opened == 2
        await on.clock.move(1)
        await on.listening()
        await comes_back(on)
        assert on.hub.opened == 4


async def test_a_silent_connection_is_declared_dead() -> None:
    """One that answers no ping for a minute is not trusted, though it stands."""
    async with stage("binance", keys=False, fault="mute") as on:
        await on.hub.wait(lambda: on.hub.sockets)
        await on.clock.move(SILENT_AFTER + 20)
        await on.down("marks", "nothing heard for 60 s")
        on.hub.fault = ""
        await comes_back(on)


async def test_a_subscription_that_tells_no_price_is_made_anew() -> None:
    """Pings are answered, but the venue has forgotten what was asked for."""
    async with stage("bybit", keys=False) as on:
        await on.marked()
        for _ in range(round(TICKS_WITHIN / 15) + 2):
            await on.clock.move(15)
            await asyncio.sleep(0.01)  # the pongs come over real sockets
        await on.down("marks", "no price for 300 s")
        await comes_back(on)


@pytest.mark.parametrize("fault", ["refuse", "hang"])
async def test_a_venue_without_streams_is_asked_less_and_less(fault: str) -> None:
    """Five minutes apart in the end, however long it lasts, and one line in the log for all of it."""
    async with stage("okx", keys=False, fault=fault) as on:
        with structlog.testing.capture_logs() as lines:
            tried = 0
            for _ in range(40):
                await on.clock.move(PAUSE_LAST / 10)
                await asyncio.sleep(0.02)
                tried = len([path for _, path in on.it.server.requests if path.startswith("/ws")])
        assert 3 <= tried <= 12  # in 20 minutes
        assert [line["event"] for line in lines].count("stream_down") == 1
        state = on.state("marks")
        assert (state.up, state.since) == (False, on.it.clock.now())  # since the beginning
        on.hub.fault = ""
        on.it.server.requests.clear()
        await comes_back(on)


@pytest.mark.parametrize("venue", LOGINS)
async def test_a_refused_login_silences_its_own_line_alone(
    venue: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prices are watched on; that it is refused is seen; no key, signature or address is repeated anywhere."""
    loop = asyncio.get_running_loop()
    unseen: list[Any] = []
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    caplog.set_level(logging.DEBUG)
    async with stage(venue, refuse_login=True) as on:
        await on.marked()
        private = [state.name for state in on.streams.states() if state.name != "marks"]
        refused = [name for name in private if name != "margin"]
        for name in refused:
            async with asyncio.timeout(10):
                while on.state(name).detail in {"", "not connected yet"}:
                    await asyncio.sleep(0.01)
        await comes_back(on)
        said = " ".join(str(state) for state in on.streams.states())
        keys = [*on.hub.keys.values(), "listenkey", "listentoken", "signature="]
    import gc

    gc.collect()
    written = "".join(capsys.readouterr()) + caplog.text + said + repr(unseen)
    assert not [key for key in keys if key in written]
    assert unseen == []
    assert len(refused) >= 1


@pytest.mark.parametrize("venue", VENUES)
async def test_polling_is_not_touched(venue: str) -> None:
    """With every websocket refused, the account is read as ever."""
    async with stage(venue, fault="refuse") as on:
        await on.clock.move(600)
        await asyncio.sleep(0.05)
        assert (await on.it.reader.balances(on.it.reader.wallets[0])).value
        assert (await on.it.reader.derivatives()).value.positions
        assert on.woken == []


@pytest.mark.parametrize("venue", ["binance", "bingx"])
async def test_lines_by_listen_key_are_opened_anew_before_it_dies(venue: str) -> None:
    """Within the hour, without a pause and without being called down; nothing is ever prolonged by PUT."""
    async with stage(venue, options={"wallets": ("swap",)}) as on:
        await on.hub.until(PRIVATE[venue][0])
        lines, made = len(on.streams.states()) - 1, len(on.hub.listen_keys)
        assert made == lines
        with structlog.testing.capture_logs() as logged:
            for _ in range(240):
                await on.clock.move(15)
                await asyncio.sleep(0.001)
            await on.hub.wait(lambda: len(on.hub.listen_keys) == 2 * made)
            await on.hub.until(PRIVATE[venue][0])
        assert {line["stream"] for line in logged if line["event"] == "stream_down"} <= {"marks"}
        assert set(on.hub.listen_keys) == {"POST"}
        before = len(on.woken)
        await on.hub.tell("position", PERPETUAL[venue], "-7")
        await on.reasons(before + 1)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<html>down</html>", "HTML"),
        ("", "empty"),
        ("{}", "HTTP 200"),
        ('{"code": "200000", "data": {"token": "t"}}', "instanceServers"),
        (
            '{"code": "200000", "data": {"token": "t", "instanceServers": [{"endpoint": "ws://ws-api-spot.kucoin.com/"}]}}',
            "not encrypted",
        ),
    ],
)
async def test_a_token_that_does_not_come_is_asked_for_again(
    body: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KuCoin gives a websocket's address with a token: without it nothing is connected, and it is seen."""
    async with stage("kucoin", keys=False) as on:
        await on.marked()
        with monkeypatch.context() as patched:
            patched.setattr(on.hub._speech, "listen_key", lambda _: web.Response(text=body))
            await on.hub.sockets[0].ws.close()
            await on.down("marks", "closed")
            await on.clock.move(1)
            await on.down("marks", words)
            assert on.hub.opened == 1
        await comes_back(on)


@pytest.mark.parametrize("fault", ["refuse", "hang", ""])
async def test_a_token_in_an_address_is_in_no_word(
    fault: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused, not answered, or closed: what opens KuCoin's websockets is part of their address, and is not repeated."""
    loop = asyncio.get_running_loop()
    unseen: list[Any] = []
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    caplog.set_level(logging.DEBUG)
    async with stage("kucoin", fault=fault) as on:
        await on.until(lambda: len(on.hub.listen_keys) >= 4)
        if not fault:
            await on.listening()
            for socket in list(on.hub.sockets):
                await socket.ws.send_str('{"id": "1", "type": "error", "code": 401, "data": "token is expired"}')
        await on.until(lambda: not on.state("swap").up and "not connected" not in on.state("swap").detail)
        said = " ".join(str(state) for state in on.streams.states())
    written = "".join(capsys.readouterr()) + caplog.text + said + repr(unseen)
    assert "listentoken" not in written
    assert unseen == []


async def test_all_wallets_of_kucoin_are_heard() -> None:
    """Futures are on another host; funding and cross margin are told of by what tells of the trading account."""
    async with stage("kucoin") as on:
        await on.listening()
        await on.until(lambda: len(on.heard_by("balances:spot")) == 3)
        topic, message = on.hub._speech.wallet("USDT", "100")
        await on.hub.send(on.heard_by(topic)[0], message)
        assert await on.reasons(1) == ["main: balance of USDT changed (swap)"]
        for event, wallet in (("main.deposit", "funding"), ("marginV2.setted", "margin"), ("trade_hf.setted", "spot")):
            topic, message = on.hub._speech.balance("ETH", "5")
            message["data"]["relationEvent"] = event
            for socket in on.heard_by(topic):
                await on.hub.send(socket, message)
            assert await on.reasons(1) == [f"main: balance of ETH changed ({wallet})"]


async def test_a_venue_that_lists_nothing_has_no_streams_yet() -> None:
    """Markets come from polling's own line: without them the streams wait, and say so."""
    async with stage("okx", keys=False) as on:
        await on.marked()
        on.it.server.faults["*"] = "html"
        on.it.opened._line._markets = None
        for socket in list(on.hub.sockets):
            await socket.ws.close()
        await on.down("marks", "closed")
        await on.clock.move(1)
        await on.down("marks", "HTML")
        on.it.server.faults.clear()
        await comes_back(on)


async def test_a_test_system_without_streams_never_leads_to_the_real_one() -> None:
    """A sandbox account whose venue has no streams there is left to polling, and says why."""
    async with stage("weex", options={"sandbox": True}) as on:
        for name in ("marks", "swap", "spot"):
            await on.until(lambda: len(on.streams.states()) == 3)
            await on.down(name, "the venue's test system has no streams")
        assert on.hub.opened == 0
