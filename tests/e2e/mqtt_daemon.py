"""The daemon as its own process beside a real broker, over a simulated market: what tests of MQTT as a whole share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiomqtt

from tests.support import ROOT

CONFIG = """
name = "kills"
mode = "monitor"
[schedule]
every = "1s"
[[accounts]]
name = "sim"
exchange = "simulated"
balances = {{ ETH = 4 }}
[[hedges]]
name = "eth"
assets = ["ETH"]
instruments = ["sim:ETH/USDT:USDT"]
[mqtt]
host = "127.0.0.1"
port = {port}
{mqtt}
[alerts]
group_interval = "1s"
messages_minute_max = 1000
[store]
path = "{store}"
{holdings}
"""
HOLDING = """
[[holdings]]
asset = "{asset}"
quantity = 1
as_of = 2026-01-01
"""
ROOT_TOPIC = "hedged/kills-simulated"


class Daemon:
    """`hedged run` on a folder's configuration. `unpriced`: so many assets without a price, an alert each."""

    def __init__(self, folder: Path, port: int, *, mqtt: str = "", login: tuple[str, str] | None = None) -> None:
        self.folder = folder
        self.store = folder / "kills.sqlite"
        self.config = folder / "kills.toml"
        self.port = port
        self._mqtt = mqtt
        self.process: subprocess.Popen[bytes] | None = None
        if login is not None:
            secret = folder / "credentials" / "mqtt"
            secret.parent.mkdir(exist_ok=True)
            secret.write_text(json.dumps(dict(zip(("username", "password"), login, strict=True))))
            secret.chmod(0o600)
        self.configure()

    def configure(self, unpriced: int = 0) -> None:
        holdings = "".join(HOLDING.format(asset=f"X{number:03}") for number in range(unpriced))
        text = CONFIG.format(port=self.port, mqtt=self._mqtt, store=self.store, holdings=holdings)
        self.config.write_text(text)

    def start(self) -> None:
        command = [sys.executable, "-m", "hedged.cli.main", "run", "--config", str(self.config)]
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, env={**os.environ, "NO_PROXY": "*"})

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(15)

    @property
    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()

    @property
    def cycles(self) -> int:
        """Completed, of all its lives."""
        return self.log.count("decision=") if self.process is not None else 0

    def doctor(self) -> tuple[int, dict[str, tuple[str, str]]]:
        """The exit code, and what each check says."""
        command = [sys.executable, "-m", "hedged.cli.main", "doctor", "--json", "--config", str(self.config)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        checks = json.loads(done.stdout)["checks"]
        return done.returncode, {check["what"]: (check["result"], check["text"]) for check in checks}

    def firing(self) -> dict[str, str]:
        """Key → event id of what fires, from the store itself; nothing before there is one."""
        if not self.cycles:
            return {}
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as database:
            return dict(database.execute("SELECT key, event_id FROM alerts WHERE state = 'firing'").fetchall())

    async def until(self, what: str, condition: Callable[[], bool], within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within:.0f} s: {what}\n{self.log[-3000:]}")
            await asyncio.sleep(0.05)


class Subscriber:
    """Somebody who keeps coming back, under the same name, to whatever is left of his session."""

    def __init__(
        self,
        port: int,
        name: str = "phone",
        *,
        topics: Sequence[str] = ("hedged/#",),
        ca_file: Path | None = None,
        **login: str,
    ) -> None:
        self._port, self._name, self._filters, self._login = port, name, topics, login
        self._tls = aiomqtt.TLSParameters(ca_certs=str(ca_file)) if ca_file is not None else None
        self._running: asyncio.Task[None] | None = None
        self.events: dict[str, set[str]] = {}  # key → event ids under which it came
        self.topics: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []

    def client(self, identifier: str | None = None) -> aiomqtt.Client:
        session = {"identifier": identifier or self._name, "clean_session": False}
        return aiomqtt.Client("127.0.0.1", self._port, tls_params=self._tls, **session, **self._login)

    async def be(self, *, there: bool) -> None:
        """Come back, or go away."""
        if there and self._running is None:
            self._running = asyncio.create_task(self._run())
        if not there and self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with self.client() as client:
                    await client.subscribe([(each, 1) for each in self._filters])
                    async for message in client.messages:
                        self._hear(str(message.topic), bytes(message.payload))
            await asyncio.sleep(0.1)

    def _hear(self, topic: str, payload: bytes) -> None:
        body = json.loads(payload) if payload.startswith(b"{") else payload.decode()
        self.topics[topic] = body
        if "/alert/" in topic and isinstance(body, dict):
            self.messages.append(body)
            for alert in body["alerts"]:
                self.events.setdefault(alert["key"], set()).add(alert["event_id"])

    def reply(self, request: str) -> dict[str, Any]:
        found: dict[str, Any] = self.topics.get(f"{ROOT_TOPIC}/reply/{request}", {})
        return found

    def described(self) -> list[tuple[str, dict[str, Any]]]:
        return [(topic, body) for topic, body in self.topics.items() if topic.endswith("/config") and body]

    def missing(self, wanted: dict[str, str]) -> Sequence[str]:
        return [key for key, event_id in wanted.items() if event_id not in self.events.get(key, ())]
