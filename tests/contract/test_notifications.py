"""Notifications through apprise, and the heartbeat, against local HTTP servers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
import structlog
from aiohttp import web

from hedged.adapters.channels.apprise import AppriseChannel, apprise_channels
from hedged.adapters.channels.heartbeat import Heartbeat, Signal
from hedged.adapters.credentials import NotifyUrl, Secret
from hedged.adapters.store.memory import MemoryStore
from hedged.errors import ConfigurationError, DeliveryError, StoreUnavailable
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from hedged.model.policy import World
from tests.broker import free_port
from tests.support import T0, ManualClock

ALERT = Message("e1", MessageKind.FIRING, "margin/main", Severity.CRITICAL, "Critical: margin", "12 % left ±", T0)


@dataclass
class Service:
    """Answers with `status`, or not before `gate` opens."""

    port: int = 0
    status: int = 200
    got: list[object] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(await request.json() if request.can_read_body else request.path_qs)
        self.arrived.set()
        await self.gate.wait()
        return web.Response(status=self.status)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    service = Service()
    service.gate.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.port = runner.addresses[0][1]
    try:
        yield service
    finally:
        service.gate.set()
        await runner.cleanup()


async def test_apprise_delivers_title_body_and_severity() -> None:
    """The service gets the same words as every channel; critical is a failure in its terms."""
    async with serving() as service:
        await AppriseChannel("notify-1", f"json://127.0.0.1:{service.port}/CANARY").deliver(ALERT)
    (got,) = service.got
    assert isinstance(got, dict)
    assert (got["title"], got["message"], got["type"]) == ("Critical: margin", "12 % left ±", "failure")


@pytest.mark.parametrize(
    ("kind", "severity", "sort"),
    [
        (MessageKind.RESOLVED, Severity.CRITICAL, "success"),
        (MessageKind.FIRING, Severity.WARNING, "warning"),
        (MessageKind.FIRING, Severity.INFO, "info"),
    ],
)
async def test_apprise_knows_ends_from_beginnings(kind: MessageKind, severity: Severity, sort: str) -> None:
    """Services colour by it."""
    async with serving() as service:
        message = Message("e1", kind, "margin/main", severity, "t", "b", T0)
        await AppriseChannel("notify-1", f"json://127.0.0.1:{service.port}/").deliver(message)
    assert isinstance(service.got[0], dict)
    assert service.got[0]["type"] == sort


async def test_apprise_refusal_is_a_delivery_error_with_its_reason_and_without_the_url() -> None:
    """The library only says no; its reason is caught from its log, the address never shown."""
    before = list(logging.getLogger("apprise").handlers)
    async with serving() as service:
        service.status = 403
        with pytest.raises(DeliveryError, match="403") as caught:
            await AppriseChannel("notify-1", f"json://user:CANARY@127.0.0.1:{service.port}/CANARY").deliver(ALERT)
    assert "CANARY" not in str(caught.value)
    assert logging.getLogger("apprise").handlers == before


async def test_apprise_reasons_are_scrubbed() -> None:
    """A plug-in that puts the address into its complaint does not get it into the log."""

    class Plugin:
        def notify(self, **_message: object) -> bool:
            logging.getLogger("apprise").warning("cannot reach https://api.test/bot1234567890CANARY/send?k=CANARY")
            return False

    channel = AppriseChannel("notify-1", "json://127.0.0.1/")
    channel._service = Plugin()
    with pytest.raises(DeliveryError, match=r"cannot reach https://api.test/\*\*\*/send") as caught:
        await channel.deliver(ALERT)
    assert "CANARY" not in str(caught.value)


async def test_apprise_without_an_answer_blocks_neither_the_loop_nor_itself() -> None:
    """While a delivery hangs the loop turns, and a second delivery is refused at once instead of piling up."""
    async with serving() as service:
        service.gate.clear()
        channel = AppriseChannel("notify-1", f"json://127.0.0.1:{service.port}/")
        first = asyncio.create_task(channel.deliver(ALERT))
        await asyncio.wait_for(service.arrived.wait(), 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first, 0.01)
        with pytest.raises(DeliveryError, match="previous message"):
            await channel.deliver(ALERT)
        service.gate.set()
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(DeliveryError):
                    await channel.deliver(ALERT)
                    break
                await asyncio.sleep(0.01)
    assert len(service.got) == 2


async def test_apprise_nobody_there() -> None:
    """No server: a delivery error."""
    with pytest.raises(DeliveryError):
        await AppriseChannel("notify-1", f"json://127.0.0.1:{free_port()}/").deliver(ALERT)


def url(text: str, name: str = "notify-1", line: int = 1) -> NotifyUrl:
    return NotifyUrl(name, Secret(text), f"/etc/hedged/notify:{line}")


def test_a_channel_for_each_url() -> None:
    """Each under its own name, and each of them can say that a service has taken a message."""
    channels = apprise_channels([url("json://127.0.0.1:1/"), url("json://127.0.0.1:2/", "phone")])
    assert [(channel.name, channel.confirms) for channel in channels] == [("notify-1", True), ("phone", True)]


def test_a_url_nobody_understands_is_named_by_its_line() -> None:
    """File, line and scheme, all bad lines at once, and nothing that may be secret."""
    with pytest.raises(ConfigurationError) as caught:
        apprise_channels([url("json://127.0.0.1/"), url("tgrm://CANARY/1", line=2), url("CANARY", line=3)])
    first, second = caught.value.problems
    assert first.startswith("/etc/hedged/notify:2  tgrm://…  must be a notification URL")
    assert second.startswith("/etc/hedged/notify:3  …  must be")
    assert "CANARY" not in str(caught.value)


HOSTILE = "EVIL*_[x](http://y)_*<b>&amp; is under-hedged."


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("text", HOSTILE),
        ("html", "EVIL*_[x](http://y)_*&lt;b&gt;&amp;amp; is under-hedged."),
        ("markdown", None),
    ],
)
async def test_names_with_markup_in_them_mark_up_nothing(form: str, body: str | None) -> None:
    """Text, HTML or Markdown: what a service shows is what the name says."""
    async with serving() as service:
        message = replace(ALERT, body=HOSTILE)
        await AppriseChannel("notify-1", f"json://127.0.0.1:{service.port}/?format={form}").deliver(message)
    (got,) = service.got
    assert isinstance(got, dict)
    said = got["message"]
    if body is None:  # which marks are escaped depends on the library; those that could mark up are
        assert "[x](" not in said
        assert "*_" not in said.replace("\\*", "").replace("\\_", "")
    else:
        assert said == body


def test_a_service_that_takes_all_for_markdown_is_sent_it_escaped() -> None:
    """Discord shows bold what stands between stars, whatever it is told that it is."""
    channel = AppriseChannel("notify-1", f"discord://{'1' * 18}/{'a' * 68}")
    title, body, _ = channel._payload(replace(ALERT, title="*x*", body="EVIL*_."))
    assert (title, body) == (r"\*x\*", r"EVIL\*\_.")


async def test_the_users_own_html_goes_where_html_is_read() -> None:
    """A template's HTML as it stands, to a service that speaks it; the text to one that does not."""
    message = replace(ALERT, html="<i>12 %</i> left")
    async with serving() as service:
        await AppriseChannel("notify-1", f"json://127.0.0.1:{service.port}/?format=html").deliver(message)
        await AppriseChannel("notify-1", f"json://127.0.0.1:{service.port}/?format=text").deliver(message)
    assert [got["message"] for got in service.got if isinstance(got, dict)] == ["<i>12 %</i> left", ALERT.body]


@pytest.mark.parametrize(
    ("link", "more"),
    [
        (None, r"More: `hedged alerts e1 --config /etc/hedged/mine\.toml`\."),
        ("https://hedged.example/alerts/e1", r"More: https://hedged\.example/alerts/e1"),
    ],
)
async def test_a_message_over_the_limit_is_cut_at_a_sentence(link: str | None, more: str) -> None:
    """With a link to the rest, or the command that shows it; what HTML makes longer counts as long as it becomes."""
    body = " ".join(f"Sentence {n} says < something." for n in range(3000))
    async with serving() as service:
        for form in ("text", "html"):
            address = f"json://127.0.0.1:{service.port}/?format={form}"
            for message in (replace(ALERT, body=body, link=link), replace(ALERT, link=link)):
                await AppriseChannel("notify-1", address, "/etc/hedged/mine.toml").deliver(message)
    for got, short in zip(service.got[::2], service.got[1::2], strict=True):
        assert isinstance(got, dict)
        assert isinstance(short, dict)
        assert 30_000 < len(got["message"]) <= 32_768
        assert re.search(rf"something\.(<br ?/?>|\s|&nbsp;)+{more}$", got["message"])
        assert "More:" not in short["message"], "what is whole needs no link"


async def settle(heartbeat: Heartbeat) -> None:
    assert heartbeat._task is not None
    await asyncio.wait_for(asyncio.wait({heartbeat._task}), 10)


class Kept(MemoryStore):
    """Counts what is written; `down` refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes, self.down = 0, False

    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None:
        if self.down:
            raise StoreUnavailable("the disk is full")
        self.writes += 1
        await super().put_blob(key, value, now)


async def beating(
    url: str, clock: ManualClock | None = None, store: Kept | None = None, *, signals: bool = True, timeout: float = 5.0
) -> Heartbeat:
    kept, clock = store or Kept(), clock or ManualClock()
    await kept.open("mine", World.PAPER, clock.now())
    return Heartbeat(url, kept, clock, signals=signals, timeout=timeout)


@pytest.mark.parametrize(
    ("signals", "tail", "got"),
    [
        (True, "", ["/ping/CANARY/start", "/ping/CANARY", "/ping/CANARY/start", "/ping/CANARY/fail"]),
        (True, "/", ["/ping/CANARY/start", "/ping/CANARY/", "/ping/CANARY/start", "/ping/CANARY/fail"]),
        (
            True,
            "?a=1",
            ["/ping/CANARY/start?a=1", "/ping/CANARY?a=1", "/ping/CANARY/start?a=1", "/ping/CANARY/fail?a=1"],
        ),
        (False, "?a=1", ["/ping/CANARY?a=1"]),
    ],
)
async def test_each_signal_has_its_address(signals: bool, tail: str, got: list[str]) -> None:
    """Start, success, start, fail: words behind the path; without signals a completed cycle alone."""
    async with serving() as service:
        heartbeat = await beating(f"http://127.0.0.1:{service.port}/ping/CANARY{tail}", signals=signals)
        for signal in (Signal.START, Signal.SUCCESS, Signal.START, Signal.FAIL):
            heartbeat.send(signal)
            if heartbeat._task is not None:
                await settle(heartbeat)
        await heartbeat.close()
    assert service.got == got


async def test_a_heartbeat_that_is_not_answered_delays_nothing_and_does_not_pile_up() -> None:
    """`send` returns at once; while one hangs the newest two wait, in order; closing does not wait for it."""
    async with serving() as service:
        service.gate.clear()
        heartbeat = await beating(f"http://127.0.0.1:{service.port}/p")
        heartbeat.send(Signal.START)
        await asyncio.wait_for(service.arrived.wait(), 10)
        for signal in (Signal.FAIL, Signal.START, Signal.SUCCESS):
            heartbeat.send(signal)
        assert service.got == ["/p/start"]
        service.gate.set()
        await settle(heartbeat)
        assert service.got == ["/p/start", "/p/start", "/p"]
        service.gate.clear()
        heartbeat.send(Signal.START)
        await asyncio.wait_for(heartbeat.close(), 5)


async def test_when_the_heartbeat_was_answered_is_kept_at_most_once_a_minute() -> None:
    """Only a success counts; a clock set back does not stop the keeping."""
    clock, store = ManualClock(), Kept()
    async with serving() as service:
        heartbeat = await beating(f"http://127.0.0.1:{service.port}/", clock, store)
        kept = []
        for signal, seconds in ((Signal.START, 0), (Signal.SUCCESS, 0), (Signal.SUCCESS, 59), (Signal.SUCCESS, 1)):
            clock.advance(seconds)
            heartbeat.send(signal)
            await settle(heartbeat)
            kept.append(store.writes)
        assert kept == [0, 1, 1, 2]
        assert await store.get_blob("heartbeat") == {"delivered_at": "2026-11-02T12:01:00Z"}
        clock.set(T0)
        heartbeat.send(Signal.SUCCESS)
        await settle(heartbeat)
        assert await store.get_blob("heartbeat") == {"delivered_at": "2026-11-02T12:00:00Z"}
        await heartbeat.close()
    assert heartbeat.delivered_at == T0


async def test_a_heartbeat_whose_answer_cannot_be_kept_goes_on() -> None:
    """A full disk is said once, and the switch is fed all the same."""
    store = Kept()
    async with serving() as service:
        heartbeat = await beating(f"http://127.0.0.1:{service.port}/", store=store)
        store.down = True
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                heartbeat.send(Signal.SUCCESS)
                await settle(heartbeat)
        await heartbeat.close()
    assert [each["error"] for each in logs] == ["the disk is full"]
    assert len(service.got) == 2
    assert heartbeat.problem is None


async def test_heartbeat_failure_and_recovery_are_logged_once() -> None:
    """An answer of 500, none in time and no server are failures; the URL is never shown."""
    async with serving() as service:
        heartbeat = await beating(f"http://127.0.0.1:{service.port}/CANARY", timeout=0.2)
        with structlog.testing.capture_logs() as logs:
            service.status = 500
            for _ in range(3):
                heartbeat.send(Signal.SUCCESS)
                await settle(heartbeat)
            assert heartbeat.problem == "success: status 500"
            service.status = 200
            heartbeat.send(Signal.SUCCESS)
            await settle(heartbeat)
            assert heartbeat.problem is None
            service.gate.clear()
            heartbeat.send(Signal.SUCCESS)
            await settle(heartbeat)
        await heartbeat.close()
    dead = await beating(f"http://127.0.0.1:{free_port()}/CANARY")
    with structlog.testing.capture_logs() as more:
        dead.send(Signal.SUCCESS)
        await settle(dead)
    await dead.close()
    assert [(each["log_level"], each.get("reason")) for each in logs + more] == [
        ("warning", "status 500"),
        ("info", None),
        ("warning", "no answer within 0.2 s"),
        ("warning", "ClientConnectorError"),
    ]
    assert "CANARY" not in repr(logs + more)


async def test_a_service_that_knows_no_start_is_named_by_it() -> None:
    """Its success is answered and its /start is not: said once, with the key that ends it."""
    async with serving() as service:
        heartbeat = await beating(f"http://127.0.0.1:{service.port}/")
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                service.status = 404
                heartbeat.send(Signal.START)
                await settle(heartbeat)
                service.status = 200
                heartbeat.send(Signal.SUCCESS)
                await settle(heartbeat)
        await heartbeat.close()
    assert [(each["signal"], "heartbeat_signals = false" in each["hint"]) for each in logs] == [("start", True)]
    assert heartbeat.problem == "start: status 404"
