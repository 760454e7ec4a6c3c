"""A broker that says no, in a real mosquitto: whatever it denies is named in words, and told on the other channels."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from hedged.adapters.channels.mqtt import MqttChannel, MqttOptions
from hedged.adapters.channels.mqtt_client import Complaints, new_client
from hedged.adapters.channels.mqtt_visit import visit
from hedged.app import App, Exchanges
from hedged.errors import DeliveryError
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.outbox import Courier
from tests.broker import Broker, free_port
from tests.build import hedge, policy
from tests.fakes import FakeVenue, wire
from tests.mqtt_rig import ALERT, WITHIN, certificates, connected, options, running, state, watching
from tests.support import ManualClock

PASSWORD = "CANARY-1"

ACL = """
user hedged
topic readwrite hedged/+/status
topic readwrite hedged/+/summary
topic readwrite hedged/+/proposals
topic readwrite hedged/+/hedge/+/state
topic readwrite hedged/+/margin/+/state
topic readwrite hedged/+/alert/+
topic readwrite hedged/+/reply/+
topic read hedged/+/cmd/+
topic readwrite homeassistant/device/+/config
topic read homeassistant/status
"""


async def why_not(chosen: MqttOptions) -> str:
    """The first thing that the running channel says about its connection."""
    with structlog.testing.capture_logs() as logs:
        async with running(chosen) as channel, asyncio.timeout(WITHIN):
            while not logs:
                await asyncio.sleep(0.01)
            with pytest.raises(DeliveryError) as error:
                await channel.deliver(ALERT)
    assert "CANARY" not in repr(logs) + str(error.value)
    assert str(error.value).endswith(logs[0]["error"])
    return str(logs[0]["error"])


TLS: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "a broker's certificate that has expired": (
        {"server": "old_server"}, {"ca_file": "ca"}, "its certificate has expired",
    ),
    "an authority that nobody here knows": (
        {"server": "server"}, {}, "signed by no authority in the system's store",
    ),
    "a certificate for another name": (
        {"server": "other_server"}, {"ca_file": "ca"}, "made for another name than 127.0.0.1",
    ),
    "a client certificate that has expired": (
        {"server": "server", "mutual": "yes"}, {"ca_file": "ca", "cert_file": "old_client"}, "old_client.pem has expired",
    ),
    "no client certificate where one is wanted": (
        {"server": "server", "mutual": "yes"}, {"ca_file": "ca"}, "it wants a client certificate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TLS)
async def test_a_certificate_is_named_in_words(tmp_path: Path, case: str) -> None:
    """Running and at `doctor`: which certificate is wrong, whose it is, and why."""
    broker_has, we_have, words = TLS[case]
    files = certificates(tmp_path)
    server = broker_has["server"]
    ours = {key: files[name] for key, name in we_have.items()}
    if "cert_file" in ours:
        ours["key_file"] = files[f"{we_have['cert_file']}_key"]
    tls = (files["ca"], files[server], files[f"{server}_key"])
    with Broker(tmp_path, tls=tls, mutual="mutual" in broker_has) as broker:
        chosen = options(broker, tls=True, timeout=2.0, **ours)
        assert words in await why_not(chosen)
        with pytest.raises(DeliveryError, match=words):
            await visit(chosen, ["hedged/demo/status"])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_client_certificate_password_and_acl_together(tmp_path: Path, protocol: str) -> None:
    """All of it right: alerts go out, and no topic is denied."""
    files = certificates(tmp_path)
    tls = (files["ca"], files["server"], files["server_key"])
    with Broker(tmp_path, tls=tls, mutual=True, password=PASSWORD, acl=ACL) as broker:
        login = {"username": "hedged", "password": PASSWORD, "protocol": protocol}
        ours = {"ca_file": files["ca"], "cert_file": files["client"], "key_file": files["client_key"]}
        chosen = options(broker, tls=True, **login, **ours)
        async with running(chosen) as channel:
            await connected(channel)
            await channel.publish_state(state("alts"))
            await channel.deliver(ALERT)
            assert channel.denied == ()
        assert await visit(chosen, [f"hedged/demo/{level}" for level in ("alert/doctor", "status", "summary")]) == []


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("login", "words"),
    [
        ({"username": "hedged", "password": "CANARY-2"}, "it refuses the user name or the password"),
        ({}, "it lets nobody in without user name and password"),
    ],
)
async def test_a_wrong_password_is_named_in_words(
    tmp_path: Path, protocol: str, login: dict[str, str], words: str
) -> None:
    """Running and at `doctor`; the password itself is never shown."""
    with Broker(tmp_path, password=PASSWORD) as broker:
        chosen = options(broker, protocol=protocol, **login)
        assert words in await why_not(chosen)
        with pytest.raises(DeliveryError, match=words):
            await visit(chosen, ["hedged/demo/status"])


async def test_a_connection_that_is_lost_is_told_elsewhere_with_nothing_to_deliver(tmp_path: Path) -> None:
    """After a minute the finding names channel and reason; with the connection it is over."""
    with Broker(tmp_path, password=PASSWORD) as broker:
        async with running(options(broker, username="hedged", password="CANARY-2")) as channel:
            app = await beside(channel)
            async with asyncio.timeout(WITHIN):
                while channel.failing is None:
                    await asyncio.sleep(0.01)
            began = channel.failing.since
            assert await down(app, began + timedelta(seconds=59)) == []
            (finding,) = await down(app, began + timedelta(seconds=60))
            assert finding.subject == "mqtt"
            assert "it refuses the user name or the password" in finding.text
        async with running(options(broker, username="hedged", password=PASSWORD)) as channel:
            await connected(channel)
            assert await down(await beside(channel), began + timedelta(hours=1)) == []


async def beside(channel: MqttChannel) -> App:
    """A portfolio with this channel, and nothing to deliver."""
    clock = ManualClock()
    portfolio = await wire(policy(hedge("ETH")), clock, FakeVenue(clock))
    courier = Courier(portfolio.store, channel, clock)
    return App(portfolio, [channel], [courier], [], None, Exchanges())


async def down(app: App, now: datetime) -> list[Finding]:
    """What a cycle at that time finds of its channels."""
    app.portfolio.clock.set(now)
    report = await app.cycle(now, ())
    found = [each for each in report.state["findings"] if each["kind"] == "channel_down"]
    return [Finding(Kind(each["kind"]), each["subject"], Severity(each["severity"]), each["text"]) for each in found]


async def test_nobody_who_listens_and_no_tls_are_told_apart(tmp_path: Path) -> None:
    """A port without a listener, a listener without TLS, and one with TLS that is spoken to without."""
    files = certificates(tmp_path)
    with Broker(tmp_path, tls=(files["ca"], files["server"], files["server_key"])) as broker:
        assert "compare `port` and `tls`" in await why_not(options(broker, timeout=2.0))
    with Broker(tmp_path) as broker:
        plain = options(broker, tls=True, timeout=2.0)
        assert "compare `port` and `tls`" in await why_not(plain)
        nobody = options(broker)
    free = MqttOptions(**{**{name: getattr(nobody, name) for name in MqttOptions.__slots__}, "port": free_port()})
    assert await why_not(free) == "nobody listens there"


DENIED = {
    "alert/+": "hedged/demo/alert/e1",
    "status": "hedged/demo/status",
    "summary": "hedged/demo/summary",
    "hedge/+/state": "hedged/demo/hedge/alts/state",
}


@pytest.mark.parametrize(
    ("level", "protocol", "instead"),
    [
        *((level, protocol, "") for level in DENIED for protocol in ("5", "3.1.1")),
        ("alert/+", "5", "topic write hedged/+/{level}"),
        ("alert/+", "3.1.1", "topic read hedged/+/{level}"),
    ],
)
async def test_a_topic_that_the_acl_denies_is_named(tmp_path: Path, level: str, protocol: str, instead: str) -> None:
    """The broker acknowledges what it denies; that nothing comes back is found and named."""
    line = f"topic readwrite hedged/+/{level}"
    assert line in ACL
    acl = ACL.replace(line, instead.format(level=level))
    broker = Broker(tmp_path, password=PASSWORD, acl=acl)
    login = {"username": "hedged", "password": PASSWORD, "protocol": protocol, "echo_within": 0.5}
    with broker:
        async with running(options(broker, **login)) as channel:
            await channel.publish_state(state("alts"))
            delivered = await outcome(channel)
            async with asyncio.timeout(WITHIN):
                while not channel.denied:
                    await asyncio.sleep(0.01)
            assert channel.denied == (DENIED[level].replace("/e1", "/+"),)
            assert (DENIED[level] in delivered) is (level == "alert/+")
        tried = [*DENIED.values(), "hedged/demo/margin/main/state"]
        assert await visit(options(broker, **login), tried) == [DENIED[level]]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_what_was_retained_before_is_no_echo(tmp_path: Path, protocol: str) -> None:
    """The broker hands out `online` from somebody else's hand: it denies ours all the same."""
    acl = "topic read #\nuser other\ntopic readwrite #\n"
    with Broker(tmp_path, password=PASSWORD, others={"other": "o"}, acl=acl + "user hedged\ntopic read #\n") as broker:
        async with watching(broker, username="other", password="o") as other:
            await other.client.publish("hedged/demo/status", "online", qos=1, retain=True)
        login = {"username": "hedged", "password": PASSWORD, "protocol": protocol, "echo_within": 0.5}
        async with running(options(broker, **login)) as channel:
            async with asyncio.timeout(WITHIN):
                while "hedged/demo/status" not in channel.denied:
                    await asyncio.sleep(0.01)


async def test_what_is_allowed_later_is_denied_no_more(tmp_path: Path) -> None:
    """The ACL is mended and the broker started anew: the next alert that comes back ends it."""
    with Broker(tmp_path, acl="topic read #\ntopic write hedged/+/status") as broker:
        async with running(options(broker, echo_within=0.5)) as channel:
            await channel.publish_state(state("alts", "gone"))
            assert "hedged/demo/alert/e1" in await outcome(channel)
            async with asyncio.timeout(WITHIN):
                while len(channel.denied) < 5:
                    await asyncio.sleep(0.01)
            broker.kill()
            (tmp_path / "broker" / "acl").write_text("topic readwrite #")
            broker.start()
            await channel.publish_state(state("alts"))
            async with asyncio.timeout(WITHIN):
                while await outcome(channel):
                    await asyncio.sleep(0.01)
                while channel.denied:
                    await asyncio.sleep(0.01)


async def outcome(channel: Any) -> str:
    """What comes of an alert, once there is a connection: empty when it was delivered."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                await channel.deliver(ALERT)
            except DeliveryError as error:
                if "not connected" not in str(error):
                    return str(error)
                await asyncio.sleep(0.01)
            else:
                return ""


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_connection_that_ends_before_the_echo_has_delivered_nothing(tmp_path: Path, protocol: str) -> None:
    """Acknowledged, thrown away by the ACL, and then the connection is lost: that is a failure, at once."""
    acl = ACL.replace("topic readwrite hedged/+/alert/+", "")
    with Broker(tmp_path, password=PASSWORD, acl=acl) as broker:
        login = {"username": "hedged", "password": PASSWORD, "protocol": protocol}
        chosen = options(broker, **login, echo_within=100.0)
        async with running(chosen) as channel:
            async with asyncio.timeout(WITHIN):
                while channel._client is None:
                    await asyncio.sleep(0.01)
            delivering = asyncio.create_task(channel.deliver(ALERT))
            await asyncio.sleep(0.2)
            assert not delivering.done()
            async with asyncio.timeout(WITHIN), new_client(chosen, Complaints()):  # by the same name
                with pytest.raises(DeliveryError, match="the connection was lost"):
                    await delivering


async def test_a_visit_changes_nothing(tmp_path: Path) -> None:
    """After `doctor` the broker holds what it held, the daemon is online, and listeners saw no other value."""
    with Broker(tmp_path) as broker:
        async with running(options(broker)) as channel, watching(broker) as watcher:
            await channel.publish_state(state("alts"))
            await watcher.until(lambda topics: "hedged/demo/hedge/alts/state" in topics)
            before = dict(watcher.topics)
            await visit(options(broker), ["hedged/demo/alert/doctor", *before])
            await channel.deliver(ALERT)
            await watcher.until(lambda topics: "hedged/demo/alert/e1" in topics)
            assert {topic: watcher.topics[topic] for topic in before} == before
        async with watching(broker) as late:
            await late.until(lambda topics: len(topics) == len(before))
        assert late.topics.keys() == before.keys()
