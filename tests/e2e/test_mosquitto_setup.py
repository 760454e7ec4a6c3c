"""The shipped broker configuration in a real mosquitto: passwords and ACL do what they say."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest

from tests.support import ROOT, need

MOSQUITTO = ROOT / "deploy" / "mosquitto"
OTHERS = ("viewer", "homeassistant", "operator")


def make_passwords(folder: Path) -> None:
    need("mosquitto_passwd")
    subprocess.run([MOSQUITTO / "make-passwords", str(folder)], check=True, timeout=30)


def login(folder: Path, name: str) -> dict[str, str]:
    secret = json.loads((folder / name).read_text())
    return {"username": secret["username"], "password": secret["password"]}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broker") / "secrets"
    make_passwords(folder)
    return folder


@pytest.fixture(scope="module")
def port(secrets: Path) -> Iterator[int]:
    """The shipped configuration with other paths and a free port, in a broker of its own."""
    program, folder = need("mosquitto"), secrets.parent
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        free = sock.getsockname()[1]
    (folder / "data").mkdir()
    text = (MOSQUITTO / "mosquitto.conf").read_text()
    text = text.replace("listener 1883", f"listener {free} 127.0.0.1", 1)
    text = text.replace("/mosquitto/config/passwd", f"{secrets}/mosquitto.passwd")
    text = text.replace("/mosquitto/config/acl", f"{MOSQUITTO}/acl").replace("/mosquitto/data/", f"{folder}/data/")
    (folder / "mosquitto.conf").write_text(f"{text}\nuser root\n")  # else it gives up the right to read these folders
    with (folder / "log").open("wb") as log:
        broker = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stdout=log, stderr=log)
    try:
        yield free
    finally:
        broker.terminate()
        broker.wait(10)


def client(port: int, **login: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", port, timeout=5, **login)


@pytest.fixture
async def answering(port: int, secrets: Path) -> int:
    """The port, once the broker takes connections there."""
    for _ in range(100):
        try:
            async with client(port, **login(secrets, "mqtt")):
                return port
        except aiomqtt.MqttError:
            await asyncio.sleep(0.1)
    raise AssertionError((secrets.parent / "log").read_text())


@pytest.mark.parametrize("who", [{}, {"username": "hedged", "password": "guess"}, {"username": "x", "password": "y"}])
async def test_nobody_gets_in_without_a_password(answering: int, who: dict[str, str]) -> None:
    """Anonymous, wrong and unknown logins are refused."""
    with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori[sz]ed"):
        async with client(answering, **who):
            pass


PUBLISHED = [
    "hedged/alts/status",
    "hedged/alts/summary",
    "hedged/alts/proposals",
    "hedged/alts/hedge/a/state",
    "hedged/alts/margin/main/state",
    "hedged/alts/alert/0a",
    "hedged/alts/reply/r1",
]


@pytest.mark.parametrize("topic", PUBLISHED)
async def test_the_daemon_publishes_and_hears_its_echo(answering: int, secrets: Path, topic: str) -> None:
    """What the daemon publishes reaches both the viewer and the daemon itself."""
    async with (
        client(answering, **login(secrets, "mqtt")) as daemon,
        client(answering, **login(secrets, "mqtt-viewer")) as viewer,
    ):
        for each in (daemon, viewer):
            await each.subscribe(topic, qos=1)
        await daemon.publish(topic, "hello", qos=1)
        for each in (daemon, viewer):
            assert await first(each) == (topic, b"hello")


@pytest.mark.parametrize("topic", [*PUBLISHED, "hedged/alts/cmd/pause", "homeassistant/status"])
async def test_a_viewer_changes_nothing(answering: int, secrets: Path, topic: str) -> None:
    """What the viewer publishes is dropped: the next thing anybody hears comes from the daemon."""
    async with (
        client(answering, **login(secrets, "mqtt")) as daemon,
        client(answering, **login(secrets, "mqtt-viewer")) as viewer,
    ):
        await viewer.subscribe("hedged/#", qos=1)
        await viewer.publish(topic, "forged", qos=1)
        await daemon.publish("hedged/alts/status", "online", qos=1)
        assert await first(viewer) == ("hedged/alts/status", b"online")


async def test_the_operator_asks_and_nothing_else(answering: int, secrets: Path) -> None:
    """A command reaches the daemon; a forged state, alert or reply reaches nobody."""
    async with (
        client(answering, **login(secrets, "mqtt")) as daemon,
        client(answering, **login(secrets, "mqtt-operator")) as operator,
    ):
        await daemon.subscribe("hedged/alts/#", qos=1)
        for topic in PUBLISHED:
            await operator.publish(topic, "forged", qos=1)
        await operator.publish("hedged/alts/cmd/pause", "please", qos=1)
        assert await first(daemon) == ("hedged/alts/cmd/pause", b"please")


async def test_home_assistant_is_told_of_the_device_and_says_when_it_starts(answering: int, secrets: Path) -> None:
    """The description goes one way, the birth message the other; commands are not among its rights."""
    async with (
        client(answering, **login(secrets, "mqtt")) as daemon,
        client(answering, **login(secrets, "mqtt-homeassistant")) as home,
    ):
        await home.subscribe("homeassistant/device/+/config", qos=1)
        await daemon.subscribe([("homeassistant/status", 1), ("hedged/alts/cmd/+", 1)])
        await daemon.publish("homeassistant/device/hedged_alts/config", "{}", qos=1)
        assert await first(home) == ("homeassistant/device/hedged_alts/config", b"{}")
        await home.publish("hedged/alts/cmd/pause", "please", qos=1)
        await home.publish("homeassistant/status", "online", qos=1)
        assert await first(daemon) == ("homeassistant/status", b"online")


@pytest.mark.parametrize("topic", ["hedged/alts/cmd/pause", "other/alts/status", "homeassistant/x"])
async def test_the_daemon_keeps_to_its_own_tree(answering: int, secrets: Path, topic: str) -> None:
    """Outside its topics the daemon neither writes nor reads; commands are not its to give."""
    async with client(answering, **login(secrets, "mqtt")) as daemon:
        await daemon.subscribe(topic, qos=1)
        await daemon.subscribe("hedged/alts/status", qos=1)
        await daemon.publish(topic, "forged", qos=1)
        await daemon.publish("hedged/alts/status", "online", qos=1)
        assert await first(daemon) == ("hedged/alts/status", b"online")


async def first(listener: aiomqtt.Client) -> tuple[str, bytes]:
    async with asyncio.timeout(5):
        async for message in listener.messages:
            return str(message.topic), bytes(message.payload)
    raise AssertionError("the connection ended")


def test_passwords_are_made_once_and_kept_private(tmp_path: Path) -> None:
    """Run twice, the script changes nothing; the folder is its owner's alone, and no password is in the clear."""
    folder = tmp_path / "secrets"
    make_passwords(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    make_passwords(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert before.keys() == {"mosquitto.passwd", "mqtt", *(f"mqtt-{name}" for name in OTHERS)}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert login(folder, "mqtt")["password"].encode() not in before["mosquitto.passwd"]
    assert login(folder, "mqtt")["password"] != login(folder, "mqtt-viewer")["password"]


def test_a_lost_secret_is_made_anew(tmp_path: Path) -> None:
    """Without its secret file a user gets a new password, which replaces the old one in the broker's file."""
    folder = tmp_path / "secrets"
    make_passwords(folder)
    old = (folder / "mosquitto.passwd").read_text()
    (folder / "mqtt").unlink()
    make_passwords(folder)
    new = (folder / "mosquitto.passwd").read_text()
    assert sorted(line.split(":")[0] for line in new.splitlines()) == sorted(["hedged", *OTHERS])
    assert len(set(old.splitlines()) & set(new.splitlines())) == len(OTHERS)
