"""Notifications through apprise, and the heartbeat, against local HTTP servers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import structlog
from aiohttp import web

from hedged.adapters.channels.apprise import AppriseChannel, apprise_channels
from hedged.adapters.channels.heartbeat import Heartbeat
from hedged.errors import ConfigurationError, DeliveryError
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from tests.broker import free_port
from tests.support import T0

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
        self.got.append(await request.json() if request.can_read_body else request.path)
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


def test_a_channel_for_each_line() -> None:
    """Comments and blank lines are skipped; names count the URLs."""
    channels = apprise_channels("# phone\njson://127.0.0.1:1/\n\n  json://127.0.0.1:2/  \n", "notify")
    assert [channel.name for channel in channels] == ["notify-1", "notify-2"]


def test_a_url_nobody_understands_is_named_by_its_line() -> None:
    """File, line and scheme, all bad lines at once, and nothing that may be secret."""
    with pytest.raises(ConfigurationError) as caught:
        apprise_channels("json://127.0.0.1/\ntgrm://CANARY/1\nCANARY\n", "/etc/hedged/notify")
    first, second = caught.value.problems
    assert first.startswith("/etc/hedged/notify:2  tgrm://…  must be a notification URL")
    assert second.startswith("/etc/hedged/notify:3  …  must be")
    assert "CANARY" not in str(caught.value)


async def settle(heartbeat: Heartbeat) -> None:
    assert heartbeat._task is not None
    await asyncio.wait_for(asyncio.wait({heartbeat._task}), 10)


async def test_the_heartbeat_pings_its_url() -> None:
    """One GET a completed cycle."""
    async with serving() as service:
        heartbeat = Heartbeat(f"http://127.0.0.1:{service.port}/ping/CANARY")
        for _ in range(2):
            heartbeat.ping()
            await settle(heartbeat)
        await heartbeat.close()
    assert service.got == ["/ping/CANARY"] * 2


async def test_a_heartbeat_that_is_not_answered_delays_nothing_and_does_not_pile_up() -> None:
    """`ping` returns at once; while one hangs there is no second; closing does not wait for it."""
    async with serving() as service:
        service.gate.clear()
        heartbeat = Heartbeat(f"http://127.0.0.1:{service.port}/")
        for _ in range(5):
            heartbeat.ping()
        await asyncio.wait_for(service.arrived.wait(), 10)
        heartbeat.ping()
        await asyncio.wait_for(heartbeat.close(), 1)
    assert len(service.got) == 1


async def test_heartbeat_failure_and_recovery_are_logged_once() -> None:
    """An answer of 500, none in time and no server are failures; the URL is never shown."""
    async with serving() as service:
        heartbeat = Heartbeat(f"http://127.0.0.1:{service.port}/CANARY", timeout=0.2)
        with structlog.testing.capture_logs() as logs:
            service.status = 500
            for _ in range(3):
                heartbeat.ping()
                await settle(heartbeat)
            service.status = 200
            heartbeat.ping()
            await settle(heartbeat)
            service.gate.clear()
            heartbeat.ping()
            await settle(heartbeat)
        await heartbeat.close()
    dead = Heartbeat(f"http://127.0.0.1:{free_port()}/CANARY")
    with structlog.testing.capture_logs() as more:
        dead.ping()
        await settle(dead)
    await dead.close()
    assert [(each["log_level"], each.get("reason")) for each in logs + more] == [
        ("warning", "status 500"),
        ("info", None),
        ("warning", "no answer within 0.2 s"),
        ("warning", "ClientConnectorError"),
    ]
    assert "CANARY" not in repr(logs + more)
