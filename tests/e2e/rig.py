"""The daemon as its own process, between a local exchange and a real broker, and somebody who listens.

By command, for as long as you like:

    python -m tests.e2e.rig --minutes 10
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import aiomqtt

from tests.broker import Broker
from tests.support import ROOT
from tests.venues.binance_server import API_KEY, SECRET
from tests.venues.certificates import make_ca

CONFIG = """
name = "soak"
mode = "paper"
quote = "USDT"
[schedule]
every = "{every}s"
[[accounts]]
name = "main"
exchange = "binance"
wallets = ["spot", "margin", "swap"]
connect_to = "{connect_to}"
ca_file = "{ca_file}"
[[hedges]]
name = "alts"
assets = ["ETH", "UNI", "AAVE"]
instruments = ["main:ETH/USDT:USDT"]
[paper]
cash = 30000
[alerts]
group_interval = "0s"
[alerts.repeat]
warning = "1s"
[mqtt]
host = "127.0.0.1"
port = {mqtt_port}
[notify]
heartbeat_url = "http://127.0.0.1:9/never"
[store]
path = "{store}"
"""
HELD = {"ETH": "5", "UNI": "1250", "AAVE": "50"}


@dataclass
class Listener:
    """What a subscriber has seen: the retained state, and every alert message in order."""

    port: int
    retained: dict[str, Any] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        async with aiomqtt.Client("127.0.0.1", self.port, identifier="listener", clean_session=False) as client:
            await client.subscribe("hedged/#", qos=1)
            self.ready.set()
            async for message in client.messages:
                topic, payload = str(message.topic), bytes(message.payload).decode()
                body = json.loads(payload) if payload.startswith("{") else payload
                if "/alert/" in topic:
                    self.alerts.append(body)
                else:
                    self.retained[topic] = body
                    if topic.endswith("/state"):
                        self.states.append(body)

    def drift(self, kind: str) -> list[dict[str, Any]]:
        return [alert for alert in self.alerts if alert["key"] == "drift/alts" and alert["kind"] == kind]


class Rig:
    """Starts and stops everything; ends only what it started."""

    def __init__(self, folder: Path, every: int = 1, text: str = CONFIG) -> None:
        self.folder = folder
        self.every = every
        self._text = text
        self.store = folder / "soak.sqlite"
        self.config = folder / "soak.toml"
        self.broker = Broker(folder)
        self.listener = Listener(self.broker.port)
        self.daemon: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[str] | None = None
        self._control = ""
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.broker.start()
        ca_file, cert, key = make_ca(self.folder)
        command = [sys.executable, "-m", "tests.venues.binance_server", "--cert", str(cert), "--key", str(key)]
        self._server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        where = json.loads(self._server.stdout.readline())
        self._control = f"http://{where['control']}"
        for asset, free in HELD.items():
            self.control("balance", {"wallet": "spot", "asset": asset, "free": free})
        for asset, price in (("ETH", "3000"), ("UNI", "8"), ("AAVE", "100")):
            self.control("price", {"asset": asset, "price": price})
        self.config.write_text(
            self._text.format(
                every=self.every,
                connect_to=where["connect_to"],
                ca_file=ca_file,
                mqtt_port=self.broker.port,
                store=self.store,
            )
        )
        keys = self.folder / "credentials" / "account-main"
        keys.parent.mkdir()
        keys.write_text(json.dumps({"apiKey": API_KEY, "secret": SECRET}))
        keys.chmod(0o600)
        self._listening = asyncio.create_task(self.listener.run())
        await asyncio.wait_for(self.listener.ready.wait(), 10)
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await self._listening
        for process in (self.daemon, self._server):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(15)
        self.broker.stop()

    def start(self) -> None:
        command = [sys.executable, "-m", "hedged.cli.main", "run", "--config", str(self.config)]
        environment = {**os.environ, "NO_PROXY": "*", "STATE_DIRECTORY": str(self.folder)}
        with (self.folder / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(command, cwd=ROOT, stderr=log, env=environment)

    def kill(self) -> None:
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(10)

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code and the seconds it took."""
        assert self.daemon is not None
        began = time.monotonic()
        self.daemon.terminate()
        return self.daemon.wait(15), time.monotonic() - began

    def control(self, verb: str, body: dict[str, str]) -> None:
        request = urllib.request.Request(
            f"{self._control}/control/{verb}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5) as reply:
            assert reply.status == 200

    def writes(self) -> int:
        return int(self.told("requests")["writes"])

    def told(self, what: str) -> dict[str, Any]:
        """What the exchange itself knows."""
        with urllib.request.urlopen(f"{self._control}/control/{what}", timeout=5) as reply:
            found: dict[str, Any] = json.load(reply)
            return found

    def fills(self) -> list[dict[str, Any]]:
        """From the store itself, oldest first."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as database:
            return [json.loads(data) for (data,) in database.execute("SELECT data FROM fills ORDER BY at")]

    def integrity(self) -> str:
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as database:
            return str(database.execute("PRAGMA integrity_check").fetchone()[0])

    @property
    def status(self) -> object:
        return self.listener.retained.get("hedged/soak-simulated/status")

    @property
    def state(self) -> dict[str, Any]:
        return self.listener.retained.get("hedged/soak-simulated/hedge/alts/state", {})

    async def until(self, what: str, condition: Callable[[], bool], within: float = 30.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                tail = (self.folder / "daemon.log").read_text()[-3000:]
                raise AssertionError(f"not within {within:.0f} s: {what}\nstate {self.state}\n{tail}")
            assert self.daemon is None or self.daemon.poll() is None, (self.folder / "daemon.log").read_text()[-3000:]
            await asyncio.sleep(0.05)

    async def cycles(self, number: int) -> None:
        """Wait for as many further states to be published."""
        seen = len(self.listener.states) + number
        await self.until(
            f"{number} more cycles", lambda: len(self.listener.states) >= seen, 10 + 5 * number * self.every
        )


@dataclass
class Tally:
    drifts: int = 0
    kills: int = 0
    seconds: float = 0.0


async def first_hedge(rig: Rig) -> None:
    """Online, the hedge built on paper, told and over."""
    await rig.until("online", lambda: rig.status == "online")
    await rig.until("on target", lambda: rig.state.get("state") == "ok")
    await rig.until("told", lambda: len(rig.listener.drift("firing")) == 1)
    await rig.until("over", lambda: len(rig.listener.drift("resolved")) == 1)
    assert len(rig.fills()) == 1


async def injected_drift(rig: Rig, number: int) -> None:
    """UNI moves by a quarter: one alert with its order, one paper order, resolved."""
    await rig.cycles(3)  # longer than the repeat interval: a drift that comes back within it would be quiet
    fills, told = len(rig.fills()), len(rig.listener.drift("firing"))
    rig.control("price", {"asset": "UNI", "price": "12" if number % 2 == 0 else "8"})
    await rig.until("the drift is told", lambda: len(rig.listener.drift("firing")) == told + 1)
    await rig.until("the order is filled", lambda: len(rig.fills()) == fills + 1)
    await rig.until("the drift is over", lambda: len(rig.listener.drift("resolved")) == told + 1)
    await rig.until("on target", lambda: rig.state.get("state") == "ok")


async def kill_and_restart(rig: Rig) -> None:
    """After kill -9 the last will says offline; started again nothing is repeated and nothing is traded twice."""
    fills, alerts = len(rig.fills()), len(rig.listener.alerts)
    ratio = rig.state["hedge_ratio"]
    rig.kill()
    rig.daemon = None
    await rig.until("the last will", lambda: rig.status == "offline")
    rig.start()
    await rig.until("online again", lambda: rig.status == "online")
    await rig.cycles(3)
    assert rig.integrity() == "ok"
    assert len(rig.fills()) == fills, "a second order"
    again = [alert for alert in rig.listener.alerts[alerts:] if not alert["republished"]]
    assert again == [], "a repeated alert"
    assert abs(Decimal(str(rig.state["hedge_ratio"])) - Decimal(str(ratio))) < Decimal("0.001")


async def soak(folder: Path, minutes: float, every: int) -> Tally:
    """Drift and kill in turn until the time is up."""
    tally = Tally()
    began = time.monotonic()
    async with Rig(folder, every) as rig:
        await first_hedge(rig)
        while time.monotonic() - began < minutes * 60:
            await injected_drift(rig, tally.drifts)
            tally.drifts += 1
            await kill_and_restart(rig)
            tally.kills += 1
        tally.seconds = time.monotonic() - began
        assert rig.writes() == 0, "a writing call reached the exchange"
        assert len(rig.fills()) == tally.drifts + 1
        code, seconds = rig.stop()
        assert code == 0
        assert seconds < 10
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = asyncio.run(soak(Path(folder), options.minutes, options.every))
    print(
        f"{tally.seconds:.0f} s at one cycle each {options.every} s: {tally.drifts} drifts injected, told once, traded once "
        f"and resolved; {tally.kills} kill -9, 0 alerts repeated, 0 orders repeated, 0 writing calls at the exchange"
    )


if __name__ == "__main__":
    main()
