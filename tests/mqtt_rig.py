"""The MQTT channel beside a real broker, and somebody who listens: what tests of it share."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiomqtt

from hedged.adapters.channels.mqtt import MqttChannel, MqttOptions
from hedged.adapters.clock import SystemClock
from hedged.errors import DeliveryError
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from hedged.tell.outbox import Backoff
from tests.broker import Broker
from tests.support import T0, CountingIds, need

WITHIN = 10.0  # seconds, for what takes milliseconds
QUICK = Backoff(first=0.02, cap=0.05)
ALERT = Message("e1", MessageKind.FIRING, "margin/main", Severity.CRITICAL, "Margin", "Body – ±", T0)


def state(*names: str, ratio: float = 0.91) -> dict[str, object]:
    hedges = [{"name": name, "hedge_ratio": ratio, "exposure_value": "1000.50"} for name in names]
    return {"schema": 1, "now": "2026-11-02T12:00:00Z", "mode": "paper", "hedges": hedges}


def options(broker: Broker, **more: Any) -> MqttOptions:
    return MqttOptions(**{"host": "127.0.0.1", "port": broker.port, "instance": "demo", "backoff": QUICK, **more})


@contextlib.asynccontextmanager
async def running(chosen: MqttOptions, *parts: Any, **more: Any) -> AsyncIterator[MqttChannel]:
    """The channel, connected as soon as the broker lets it. `parts` and `more`: what else it is given."""
    channel = MqttChannel(chosen, SystemClock(), CountingIds(), *parts, **more)
    task = asyncio.create_task(channel.run())
    try:
        yield channel
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Watcher:
    """A subscriber that keeps the newest payload of each topic, and everything that came."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.topics: dict[str, str] = {}
        self.came: list[aiomqtt.Message] = []

    async def until(self, true: Callable[[Mapping[str, str]], object]) -> None:
        async with asyncio.timeout(WITHIN):
            while not true(self.topics):
                message = await anext(self._client.messages)
                self.came.append(message)
                assert isinstance(message.payload, bytes)
                self.topics[str(message.topic)] = message.payload.decode()


@contextlib.asynccontextmanager
async def watching(broker: Broker, **more: Any) -> AsyncIterator[Watcher]:
    async with aiomqtt.Client("127.0.0.1", broker.port, **more) as client:
        await client.subscribe("#", qos=1)
        yield Watcher(client)


async def connected(channel: MqttChannel) -> None:
    async with asyncio.timeout(WITHIN):
        while True:
            with contextlib.suppress(DeliveryError):
                await channel.deliver(Message("probe", MessageKind.FIRING, "k", Severity.INFO, "t", "b", T0))
                return
            await asyncio.sleep(0.01)


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a certificate for 127.0.0.1 with its key."""
    openssl = need("openssl")
    ca, ca_key, cert, key, request, names = (
        folder / name for name in ("ca.pem", "ca.key", "cert.pem", "key.pem", "request.pem", "names")
    )
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    new_key = ("-newkey", "rsa:2048", "-nodes")
    for command in (
        ("req", "-x509", *new_key, "-keyout", ca_key, "-out", ca, "-subj", "/CN=test authority", "-days", "2"),
        ("req", *new_key, "-keyout", key, "-out", request, "-subj", "/CN=127.0.0.1"),
        ("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-out", cert,
         "-days", "2", "-extfile", names),
    ):  # fmt: skip
        subprocess.run([openssl, *map(str, command)], check=True, capture_output=True)
    return ca, cert, key
