"""The stop on the real process: the command and its answer, the signal, kill -9, resuming."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenario.test_commands import CONFIG
from tests.scenario.test_stop_commands import orders
from tests.support import ROOT


class Daemon:
    """`hedged run` on the simulated exchange, a cycle a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "mine.toml"
        text = CONFIG.format(mode="paper", cash=20_000, store=folder / "mine.sqlite")
        self.config.write_text(text.replace("[[accounts]]", '[schedule]\nevery = "1s"\n[[accounts]]', 1))
        self.start()

    def start(self) -> None:
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(self._command("run"), cwd=ROOT, stderr=log)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "hedged.cli.main", *arguments, "-c", str(self.config)]

    def ask(self, *arguments: str) -> str:
        done = subprocess.run(
            self._command(*arguments), cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state(self) -> dict:
        return json.loads(self.ask("status", "--json"))

    def cycles(self, number: int) -> None:
        """So many further cycles are completed."""
        for _ in range(number):
            before = self._last()
            self.until(lambda before=before: self._last() != before)

    def _last(self) -> str:
        import sqlite3
        from contextlib import closing

        try:
            with closing(sqlite3.connect(f"file:{self.folder / 'mine.sqlite'}?mode=ro", uri=True)) as database:
                return str(database.execute("SELECT cycle_id FROM memory").fetchall())
        except sqlite3.OperationalError:
            return "[]"

    def until(self, condition: Callable[[], bool], within: float = 30) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, (self.folder / "daemon.log").read_text()[-2000:]
            assert self.process.poll() is None, (self.folder / "daemon.log").read_text()[-2000:]
            time.sleep(0.05)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(15)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    running = Daemon(tmp_path)
    yield running
    running.end()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["command", "signal"])
def test_stopped_until_resumed(daemon: Daemon, how: str) -> None:
    """After the answer no order is sent, not after kill -9 and not after a reload either; resumed, it is."""
    daemon.until(lambda: daemon._last() != "[]")
    daemon.until(lambda: orders(daemon.config) == 1)
    if how == "command":
        assert "the daemon has seen it and sends no new order" in daemon.ask("pause", "--wait", "30")
    else:
        os.kill(daemon.process.pid, signal.SIGUSR1)
        daemon.until(lambda: daemon.state()["paused"] is not None)
        assert daemon.state()["paused"]["by"] == "signal USR1"
    sent = orders(daemon.config)
    daemon.ask("set-ratio", "alts", "0.3")
    daemon.cycles(2)
    daemon.end(signal.SIGKILL)
    daemon.start()
    daemon.cycles(2)
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.cycles(2)
    assert orders(daemon.config) == sent
    due = [finding["kind"] for finding in daemon.state()["findings"]]
    assert {"paused", "paused_due"} <= set(due)
    daemon.ask("resume")
    daemon.until(lambda: orders(daemon.config) > sent)
