"""The MQTT channel against a real mosquitto."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from hedged.adapters.channels.mqtt import MqttChannel, MqttOptions
from hedged.adapters.channels.mqtt_client import Complaints, new_client
from hedged.adapters.channels.mqtt_topics import encode
from hedged.adapters.clock import SystemClock
from hedged.errors import DeliveryError, StoreUnavailable
from hedged.model.alert import Message
from tests import mqtt_rig
from tests.broker import Broker
from tests.mqtt_rig import ALERT, WITHIN, Watcher, certificates, connected, options, running, state, watching
from tests.support import ROOT, CountingIds


@pytest.fixture(params=["5", "3.1.1"], autouse=True)
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything here holds for both versions."""
    monkeypatch.setattr(mqtt_rig, "PROTOCOL", request.param)
    return str(request.param)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """One that the test starts itself."""
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


async def test_the_state_is_retained_for_those_who_come_later(tmp_path: Path) -> None:
    """Each hedge's item with `now` and `mode`, and `online`, wait on the broker for a new subscriber."""
    with Broker(tmp_path) as broker:
        async with running(options(broker)) as channel:
            await channel.publish_state(state("alts", "majors"))
            async with watching(broker) as watcher:
                await watcher.until(lambda topics: len(topics) == 5)
            async with watching(broker) as late:
                await late.until(lambda topics: len(topics) == 5)
        assert all(message.retain for message in late.came)
        assert late.topics["hedged/demo/status"] == "online"
        assert json.loads(late.topics["hedged/demo/hedge/alts/state"]) == {
            "schema": "hedged.hedge/1", "name": "alts", "hedge_ratio": 0.91, "exposure_value": "1000.50",
            "now": "2026-11-02T12:00:00Z", "mode": "paper",
        }  # fmt: skip


async def test_only_the_newest_state_is_kept_while_not_connected(broker: Broker) -> None:
    """A hundred states during an outage are one publication after it, and none of them waits."""
    async with running(options(broker)) as channel:
        for each in range(100):
            await channel.publish_state(state("alts", ratio=each))
        broker.start()
        async with watching(broker) as watcher:
            await watcher.until(lambda topics: "hedged/demo/hedge/alts/state" in topics)
        states = [each for each in watcher.came if str(each.topic).endswith("/state")]
        assert [json.loads(each.payload)["hedge_ratio"] for each in states] == [99]


async def test_a_hedge_that_left_loses_its_retained_state(tmp_path: Path) -> None:
    """Also one that an earlier process published."""
    with Broker(tmp_path) as broker:
        async with watching(broker) as watcher:
            async with running(options(broker)) as channel:
                await channel.publish_state(state("alts", "a/b"))
                await watcher.until(lambda topics: "hedged/demo/hedge/a%2Fb/state" in topics)
                await channel.publish_state(state("alts"))
                await watcher.until(lambda topics: topics["hedged/demo/hedge/a%2Fb/state"] == "")
            async with running(options(broker)) as channel:
                await channel.publish_state(state("majors"))
                await watcher.until(lambda topics: topics["hedged/demo/hedge/alts/state"] == "")
        async with watching(broker) as late:
            await late.until(lambda topics: len(topics) == 4)
        assert set(late.topics) == {
            f"hedged/demo/{level}" for level in ("status", "summary", "proposals", "hedge/majors/state")
        }


async def test_margin_and_a_summary_are_retained_too(tmp_path: Path) -> None:
    """An account's margin under its name, and the portfolio at a glance, each with its schema."""
    row = {"account": "main/2", "margin_ratio": 0.2, "liquidation_distance_ratio": None, "estimated": True}
    found = [{"kind": "drift", "severity": "warning"}, {"kind": "x", "severity": "info"}]
    whole = {
        **state("alts"),
        "world": "paper",
        "portfolio": "demo",
        "quote": "USDT",
        "margin": [row],
        "findings": found,
    }
    with Broker(tmp_path) as broker:
        async with running(options(broker)) as channel, watching(broker) as watcher:
            await channel.publish_state({**whole, "paused": None, "halted": None})
            await watcher.until(lambda topics: len(topics) == 5)
            when = {"now": "2026-11-02T12:00:00Z", "mode": "paper"}
            assert json.loads(watcher.topics["hedged/demo/margin/main%2F2/state"]) == {
                "schema": "hedged.margin/1", **row, **when,
            }  # fmt: skip
            assert json.loads(watcher.topics["hedged/demo/summary"]) == {
                "schema": "hedged.summary/1", **when, "world": "paper", "portfolio": "demo", "quote": "USDT",
                "findings": {"info": 1, "warning": 1, "critical": 0}, "problem": True, "paused": None, "halted": None,
            }  # fmt: skip
            await channel.publish_state(state("alts"))
            await watcher.until(lambda topics: topics["hedged/demo/margin/main%2F2/state"] == "")


class Firing:
    """What still fires."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.error: str | None = None

    async def standing(self) -> list[Message]:
        if self.error is not None:
            raise StoreUnavailable(self.error)
        return [replace(ALERT, event_id=name, republished=True) for name in self.names]


def told(watcher: Watcher) -> list[str]:
    """The alerts that came marked as told again, by event id."""
    alerts = [json.loads(each.payload) for each in watcher.came if "/alert/" in str(each.topic)]
    return [each["event_id"] for each in alerts if each["republished"]]


async def throw_out(chosen: MqttOptions) -> None:
    """A broker ends a connection when another one comes by its name."""
    async with new_client(chosen, Complaints()):
        pass


async def test_what_fires_is_told_again_on_every_connection(tmp_path: Path) -> None:
    """With the same event ids, marked; what has ended meanwhile is not."""
    firing = Firing("e1", "e2")
    with Broker(tmp_path) as broker:
        chosen = options(broker, again_after=3600)
        async with watching(broker) as watcher, running(chosen, firing) as channel:
            await watcher.until(lambda _: told(watcher) == ["e1", "e2"])
            await connected(channel)
            firing.names = ("e2", "e3")
            await throw_out(chosen)
            await watcher.until(lambda _: told(watcher) == ["e1", "e2", "e2", "e3"])


async def test_what_fires_is_told_once_more_a_little_later(tmp_path: Path) -> None:
    """A broker that was killed has forgotten its subscribers, and they take their time."""
    with Broker(tmp_path) as broker:
        async with watching(broker) as watcher, running(options(broker, again_after=0.2), Firing("e1")) as channel:
            await watcher.until(lambda _: told(watcher) == ["e1", "e1"])
            await asyncio.sleep(0.5)
            await connected(channel)
            await watcher.until(lambda topics: "hedged/demo/alert/probe" in topics)
            assert told(watcher) == ["e1", "e1"], "and then no more"


async def test_a_store_that_fails_breaks_no_connection(tmp_path: Path) -> None:
    """What fires cannot be read: it is said, and told with the next look."""
    firing = Firing("e1")
    firing.error = "the disk is full"
    with Broker(tmp_path) as broker, structlog.testing.capture_logs() as logs:
        async with watching(broker) as watcher, running(options(broker, again_after=0.2), firing) as channel:
            await connected(channel)
            async with asyncio.timeout(WITHIN):
                while not logs:
                    await asyncio.sleep(0.01)
            firing.error = None
            await watcher.until(lambda topics: "hedged/demo/alert/e1" in topics)
    assert [(each["log_level"], each["error"]) for each in logs] == [("warning", "the disk is full")]


async def test_an_alert_reaches_a_subscriber_that_was_away_exactly_once(tmp_path: Path) -> None:
    """QoS 1 and not retained: it waits in the subscriber's session, and nowhere else."""
    with Broker(tmp_path) as broker:
        session = {"identifier": "phone", "clean_session": False}
        async with watching(broker, **session):
            pass
        async with running(options(broker)) as channel:
            await connected(channel)
            await channel.deliver(ALERT)
        async with watching(broker, **session) as phone:
            await phone.until(lambda topics: topics.get("hedged/demo/status") == "offline")
        alerts = [each for each in phone.came if str(each.topic) == "hedged/demo/alert/e1"]
        assert [(each.qos, each.retain) for each in alerts] == [(1, False)]
        found = json.loads(alerts[0].payload)
        assert (found["event_id"], found["kind"], found["body"]) == ("e1", "firing", "Body – ±")


async def test_it_says_offline_when_it_ends(tmp_path: Path) -> None:
    """A clean end sends no last will, so it is said in words, retained."""
    with Broker(tmp_path) as broker:
        async with running(options(broker)) as channel:
            await connected(channel)
        async with watching(broker) as watcher:
            await watcher.until(lambda topics: topics.get("hedged/demo/status") == "offline")


CHILD = """
import asyncio, sys
from hedged.adapters.channels.mqtt import MqttChannel, MqttOptions
from hedged.adapters.clock import SystemClock
from tests.support import CountingIds
options = MqttOptions(host="127.0.0.1", port=int(sys.argv[1]), instance="demo")
asyncio.run(MqttChannel(options, SystemClock(), CountingIds()).run())
"""


async def test_the_last_will_tells_of_a_process_that_was_killed(tmp_path: Path) -> None:
    """After SIGKILL the broker says offline, retained."""
    with Broker(tmp_path) as broker:
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(broker.port)], cwd=ROOT)
        try:
            async with watching(broker) as watcher:
                await watcher.until(lambda topics: topics.get("hedged/demo/status") == "online")
                child.kill()
                await watcher.until(lambda topics: topics["hedged/demo/status"] == "offline")
        finally:
            child.kill()
            child.wait()
        async with watching(broker) as late:
            await late.until(lambda topics: topics.get("hedged/demo/status") == "offline")
        assert late.came[0].retain


@pytest.mark.parametrize("graceful", [True, False])
async def test_it_comes_back_when_the_broker_does(broker: Broker, graceful: bool) -> None:
    """The broker ends or is killed and starts anew: online and the latest state are there again; logged once each."""
    broker.start()
    with structlog.testing.capture_logs() as logs:
        async with running(options(broker)) as channel:
            await connected(channel)
            await channel.publish_state(state("alts", ratio=1))
            if graceful:
                broker.stop()
            else:
                broker.kill()
            async with asyncio.timeout(WITHIN):
                while not logs:
                    await asyncio.sleep(0.01)
            with pytest.raises(DeliveryError, match=f"127.0.0.1:{broker.port}"):
                await channel.deliver(ALERT)
            await channel.publish_state(state("alts", ratio=2))
            await asyncio.sleep(0.2)  # some attempts that fail
            broker.start()
            async with watching(broker) as watcher:
                await watcher.until(
                    lambda topics: (
                        '"hedge_ratio": 2' in topics.get("hedged/demo/hedge/alts/state", "")
                        and topics.get("hedged/demo/status") == "online"
                    )
                )
            await connected(channel)
    assert [each["log_level"] for each in logs] == ["warning", "info"]


async def test_a_broker_that_forgot_gets_the_state_again(broker: Broker) -> None:
    """Killed before it saved, it comes back empty: the latest state is published without waiting for a new one."""
    broker.start()
    async with running(options(broker)) as channel:
        await channel.publish_state(state("alts"))
        async with watching(broker) as watcher:
            await watcher.until(lambda topics: "hedged/demo/hedge/alts/state" in topics)
        broker.kill()
        broker.start()
        async with watching(broker) as watcher:
            await watcher.until(lambda topics: "hedged/demo/hedge/alts/state" in topics)


async def test_a_password_is_needed_and_given(tmp_path: Path) -> None:
    """The right one gets in; a wrong one is named as the reason, and never shown."""
    with Broker(tmp_path, password="CANARY-1") as broker:
        async with running(options(broker, username="hedged", password="CANARY-1")) as channel:
            await connected(channel)
        with structlog.testing.capture_logs() as logs:
            async with running(options(broker, username="hedged", password="CANARY-2")) as channel:
                async with asyncio.timeout(WITHIN):
                    while not logs:
                        await asyncio.sleep(0.01)
                with pytest.raises(DeliveryError, match=r"(?i)not authori[sz]ed"):
                    await channel.deliver(ALERT)
        assert "CANARY" not in repr(logs) + repr(options(broker, password="CANARY-1"))


async def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    """With `ca_file` the broker is trusted; without it, it is not."""
    files = certificates(tmp_path)
    with Broker(tmp_path, tls=(files["ca"], files["server"], files["server_key"])) as broker:
        async with running(options(broker, tls=True, ca_file=files["ca"])) as channel:
            await connected(channel)
        with structlog.testing.capture_logs() as logs:
            async with running(options(broker, tls=True)):
                async with asyncio.timeout(WITHIN):
                    while not logs:
                        await asyncio.sleep(0.01)
        assert "certificate" in logs[0]["error"]


async def test_no_broker_at_all_is_a_delivery_error_at_once(tmp_path: Path) -> None:
    """Not connected: the message stays in the outbox, nobody waits."""
    channel = MqttChannel(MqttOptions(host="127.0.0.1", port=9, instance="demo"), SystemClock(), CountingIds())
    with pytest.raises(DeliveryError, match="not connected yet"):
        await channel.deliver(ALERT)


@pytest.mark.parametrize(
    ("name", "level"),
    [("alts", "alts"), ("a/b#c+d%", "a%2Fb%23c%2Bd%25"), ("Ω 1", "Ω 1"), ("a\x00\n", "a%00%0A"), ("#", "%23")],
)
def test_names_are_one_level_of_a_topic(name: str, level: str) -> None:
    """Wildcards, separators and control characters cannot leave their level."""
    assert encode(name) == level
