"""The real process watched from outside: figures, health, the heartbeat's signals, the probe."""

from __future__ import annotations

import http.server
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.broker import free_port
from tests.e2e.test_stop import Daemon
from tests.support import ROOT


@contextmanager
def switch() -> Iterator[tuple[int, list[str]]]:
    """A dead-man's switch and what it heard."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, heard
    finally:
        server.shutdown()
        server.server_close()


class Watched(Daemon):
    """With an address for its figures."""

    def __init__(self, folder: Path, beat: int) -> None:
        self.port, self.beat = free_port(), beat
        super().__init__(folder)

    def start(self) -> None:
        text = self.config.read_text()
        if "[web]" not in text:
            tables = (
                f'[web]\nlisten = "127.0.0.1:{self.port}"\n[notify]\nheartbeat_url = "http://127.0.0.1:{self.beat}/p"\n'
            )
            self.config.write_text(text + tables)
        super().start()

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; 0: nobody is there."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def probe(self) -> tuple[int, str]:
        done = subprocess.run(self._command("probe"), cwd=ROOT, capture_output=True, check=False, text=True, timeout=60)
        return done.returncode, done.stdout


@pytest.mark.timeout(180)
def test_a_daemon_watched_from_outside(tmp_path: Path) -> None:
    """Figures at work, after a reload and not after its end; SIGTERM is the daemon's own; the switch hears in turn."""
    with switch() as (beat, heard):
        daemon = Watched(tmp_path, beat)
        try:
            daemon.until(lambda: daemon.get("/readyz")[0] == 200)
            status, text = daemon.get("/metrics")
            assert status == 200
            assert 'hedged_hedge_ratio{hedge="alts"}' in text
            assert "hedged_heartbeat_up 1.0" in text or "hedged_heartbeat_up" not in text
            status, page = daemon.get("/alerts")
            assert status == 200
            assert "Not up to date" not in page
            daemon.until(lambda: daemon.probe()[0] in {0, 1})
            daemon.process.send_signal(signal.SIGHUP)
            daemon.until(lambda: "configuration reloaded" in (tmp_path / "daemon.log").read_text())
            daemon.until(lambda: daemon.get("/readyz")[0] == 200)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(timeout=30) == 0
            assert daemon.get("/healthz")[0] == 0
            deadline = time.monotonic() + 30
            while daemon.probe()[0] != 2:  # three intervals of a second
                assert time.monotonic() < deadline
        finally:
            daemon.process.kill()
            daemon.process.wait()
    assert "cannot be served" not in (tmp_path / "daemon.log").read_text()
    assert set(heard) == {"/p/start", "/p"}
    assert heard[:2] == ["/p/start", "/p"]
