"""The MQTT channel beside a real broker, and somebody who listens: what tests of it share."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hedged.adapters.channels.mqtt import MqttChannel, MqttOptions
from hedged.adapters.clock import SystemClock
from hedged.errors import DeliveryError
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from hedged.tell.outbox import Backoff
from tests.broker import Broker
from tests.support import T0, CountingIds

DAY = timedelta(days=1)
PROTOCOL = "5"
WITHIN = 10.0  # seconds, for what takes milliseconds
QUICK = Backoff(first=0.02, cap=0.05)
ALERT = Message("e1", MessageKind.FIRING, "margin/main", Severity.CRITICAL, "Margin", "Body – ±", T0)


def state(*names: str, ratio: float = 0.91) -> dict[str, object]:
    hedges = [{"name": name, "hedge_ratio": ratio, "exposure_value": "1000.50"} for name in names]
    return {"schema": 1, "now": "2026-11-02T12:00:00Z", "mode": "paper", "hedges": hedges}


def options(broker: Broker, **more: Any) -> MqttOptions:
    return MqttOptions(
        **{"host": "127.0.0.1", "port": broker.port, "instance": "demo", "protocol": PROTOCOL, "backoff": QUICK, **more}
    )


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
        self.client = client
        self.topics: dict[str, str] = {}
        self.came: list[aiomqtt.Message] = []

    async def until(self, true: Callable[[Mapping[str, str]], object]) -> None:
        async with asyncio.timeout(WITHIN):
            while not true(self.topics):
                message = await anext(self.client.messages)
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


def certificates(folder: Path) -> dict[str, Path]:
    """PEM files by name: an authority `ca`; with keys (`…_key`) a `server` for 127.0.0.1, one for `other` names, a
    `client`; and an `old` server and client that have expired.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    years = {"": (T0 - timedelta(days=365), T0 + timedelta(days=36_500)), "old": (T0 - 999 * DAY, T0 - 900 * DAY)}
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = _certificate("authority", "authority", ca_key, years[""])
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(usage, True)
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
    files = {"ca": folder / "ca.pem"}
    files["ca"].write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    for name, valid, address in (
        ("server", "", "127.0.0.1"), ("other_server", "", "192.0.2.1"), ("client", "", "127.0.0.1"),
        ("old_server", "old", "127.0.0.1"), ("old_client", "old", "127.0.0.1"),
    ):  # fmt: skip
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        leaf = _certificate(name, "authority", key, years[valid]).add_extension(names, critical=False)
        leaf = leaf.add_extension(issuer, critical=False)
        files[name], files[f"{name}_key"] = folder / f"{name}.pem", folder / f"{name}.key"
        files[name].write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        files[f"{name}_key"].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        )
    return files


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, valid: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
