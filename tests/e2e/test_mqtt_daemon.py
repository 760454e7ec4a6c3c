"""The daemon as users run it, beside a real broker: what that refuses is told elsewhere, and what is asked is done."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.broker import Broker
from tests.e2e.broker_kills import kills
from tests.e2e.mqtt_daemon import ROOT_TOPIC, Daemon, Subscriber
from tests.home_assistant_rules import problems
from tests.mqtt_rig import certificates
from tests.support import ROOT

ACL = (ROOT / "deploy" / "mosquitto" / "acl").read_text()
LOGINS = {"viewer": "v", "operator": "o"}


@contextlib.contextmanager
def beside(folder: Path, broker: Broker, **more: Any) -> Iterator[Daemon]:
    with broker:
        daemon = Daemon(folder, broker.port, **more)
        try:
            yield daemon
        finally:
            daemon.kill()


@pytest.mark.timeout(180)
async def test_through_deaths_of_the_broker_and_of_the_daemon(tmp_path: Path) -> None:
    """Each alert reaches a subscriber that comes back, under one id; ten deaths of each are there by command."""
    tally = await kills(tmp_path, rounds=2, alerts=12, seed=1)
    assert (tally.alerts, tally.broker_kills, tally.daemon_kills) == (12, 2, 2)


@pytest.mark.timeout(120)
async def test_a_denied_topic_is_told_on_another_channel_and_at_doctor(tmp_path: Path) -> None:
    """The broker acknowledges alerts that it throws away: the log says so, and `doctor` names the topic."""
    acl = ACL.replace("topic readwrite hedged/+/alert/+\n", "")
    broker = Broker(tmp_path, password="h", acl=acl)
    with beside(tmp_path, broker, login=("hedged", "h")) as daemon:
        daemon.configure(unpriced=1)
        code, checks = daemon.doctor()
        assert code == 1
        assert checks["mqtt: broker"][0] == "ok"
        result, text = checks["mqtt: topics"]
        assert result == "failed"
        assert text.endswith(f"allow to write and to read {ROOT_TOPIC}/alert/doctor")
        daemon.start()
        await daemon.until("the denial is told", lambda: "topics_denied/kills" in daemon.log)
        assert f"did not come back: {ROOT_TOPIC}/alert/" in daemon.log


@pytest.mark.timeout(120)
async def test_with_tls_password_and_acl_a_pause_is_asked_and_answered(tmp_path: Path) -> None:
    """Doctor is content; the operator pauses, everybody sees it, and `resume` is not among the words."""
    files = certificates(tmp_path)
    tls = (files["ca"], files["server"], files["server_key"])
    broker = Broker(tmp_path, password="h", others=LOGINS, acl=ACL, tls=tls)
    settings = f'tls = true\nca_file = "{files["ca"]}"\ndiscovery = true\ncommands = ["pause"]'
    with beside(tmp_path, broker, login=("hedged", "h"), mqtt=settings) as daemon:
        _, checks = daemon.doctor()
        assert checks["mqtt: broker"] == ("ok", f"127.0.0.1:{broker.port} lets us in, MQTT 5, with TLS")
        assert checks["mqtt: topics"] == ("ok", "8 can be written and read")
        asked_by = f"pause: by whom the broker lets publish to {ROOT_TOPIC}/cmd/+"
        assert checks["mqtt: commands"] == ("ok", asked_by)
        daemon.start()
        phone = Subscriber(broker.port, ca_file=files["ca"], username="operator", password="o")
        await phone.be(there=True)
        try:
            await daemon.until("online", lambda: phone.topics.get(f"{ROOT_TOPIC}/status") == "online")
            async with phone.client(identifier="hand") as client:
                for verb in ("pause", "resume"):
                    await client.publish(f"{ROOT_TOPIC}/cmd/{verb}", asked(verb), qos=1)
            await daemon.until("both are answered", lambda: all(phone.reply(verb) for verb in ("pause", "resume")))
            assert (phone.reply("pause")["ok"], phone.reply("resume")["ok"]) == (True, False)
            await daemon.until("everybody sees it", lambda: bool(phone.topics[f"{ROOT_TOPIC}/summary"]["paused"]))
            paused = phone.topics[f"{ROOT_TOPIC}/summary"]["paused"]
            assert (paused["by"], paused["reason"]) == ("a command (mqtt)", "storm")
            await daemon.until("it is told", lambda: "paused/kills" in phone.events)
            await daemon.until("what was dropped is told too", lambda: "commands_dropped/kills" in phone.events)
        finally:
            await phone.be(there=False)
        assert daemon.stop() == 0


def asked(verb: str) -> bytes:
    expires = datetime.now(UTC) + timedelta(minutes=1)
    reason = {"reason": "storm"} if verb == "pause" else {}
    return json.dumps({"request": verb, "nonce": f"nonce-{verb}", "expires": expires.isoformat(), **reason}).encode()


@pytest.mark.timeout(120)
async def test_home_assistant_gets_what_it_accepts(tmp_path: Path) -> None:
    """Of a running daemon: the description by its rules, and states on all topics that it names."""
    with beside(tmp_path, Broker(tmp_path), mqtt="discovery = true") as daemon:
        daemon.start()
        home = Subscriber(daemon.port, topics=("hedged/#", "homeassistant/#"))
        await home.be(there=True)
        try:
            await daemon.until("described", lambda: bool(home.described()))
            topic, message = home.described()[0]
            assert list(problems(topic, message)) == []
            named = {entity["stat_t"] for entity in message["cmps"].values()} | {message["avty_t"]}
            await daemon.until("all have a state", lambda: named <= home.topics.keys())
        finally:
            await home.be(there=False)


def test_doctor_says_when_anybody_may_ask(tmp_path: Path) -> None:
    """A broker without passwords, and commands allowed: who may ask is up to its ACL alone."""
    with beside(tmp_path, Broker(tmp_path), mqtt='commands = ["pause", "approve"]') as daemon:
        code, checks = daemon.doctor()
        assert (code, checks["mqtt: topics"][0]) == (0, "ok")
        assert checks["mqtt: commands"][0] == "unknown"
        assert "see that its ACL keeps them from asking pause, approve" in checks["mqtt: commands"][1]


@pytest.mark.parametrize(
    ("login", "words"),
    [(("hedged", "x"), "it refuses the user name or the password"), (None, "it lets nobody in without user name")],
)
def test_doctor_names_a_wrong_password(tmp_path: Path, login: tuple[str, str] | None, words: str) -> None:
    """In words, with the broker's address, and without the password."""
    broker = Broker(tmp_path, password="h")
    with beside(tmp_path, broker, login=login) as daemon:
        code, checks = daemon.doctor()
        assert code == 1
        assert checks["mqtt: broker"][0] == "failed"
        assert f"127.0.0.1:{broker.port}: " in checks["mqtt: broker"][1]
        assert words in checks["mqtt: broker"][1]
