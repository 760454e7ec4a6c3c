"""A real MQTT broker for tests: mosquitto on a free loopback port, with a folder of its own."""

from __future__ import annotations

import base64
import getpass
import hashlib
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support import need

_START_WITHIN = 10.0


class Broker:
    """`start`, `stop` (SIGTERM: it saves what it retains), `kill` (SIGKILL), on the same `port` each time.

    `password`: of the user `hedged`; None admits everybody. `others`: further users and theirs. `acl`: the lines of an
    ACL file. `tls`: files of the authority, the server's certificate and its key; `mutual` wants one of clients too.
    `more`: lines for the configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: str | None = None,
        others: Mapping[str, str] | None = None,
        acl: str | None = None,
        tls: tuple[Path, Path, Path] | None = None,
        mutual: bool = False,
        more: Sequence[str] = (),
    ) -> None:
        self._program = need("mosquitto")
        self._folder = folder / "broker"
        self._folder.mkdir(exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"user {getpass.getuser()}",  # as root it would change to a user that cannot write here
            "persistence true",
            f"persistence_location {self._folder}/",
            "log_dest stderr",
        ]
        if password is None:
            lines.append("allow_anonymous true")
        else:
            users = self._folder / "users"
            everybody = {"hedged": password, **(others or {})}
            users.write_text("".join(f"{name}:{_hashed(word)}\n" for name, word in everybody.items()))
            users.chmod(0o600)
            lines += ["allow_anonymous false", f"password_file {users}"]
        if tls is not None:
            lines += [f"cafile {tls[0]}", f"certfile {tls[1]}", f"keyfile {tls[2]}"]
            lines += ["require_certificate true"] if mutual else []
        if acl is not None:
            rules = self._folder / "acl"
            rules.write_text(acl)
            rules.chmod(0o600)
            lines.append(f"acl_file {rules}")
        lines += more
        self._config = self._folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", str(self._config)], stderr=log)
        deadline = time.monotonic() + _START_WITHIN
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mosquitto did not start: {(self._folder / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _hashed(password: str) -> str:
    """As mosquitto_passwd writes it: PBKDF2 with SHA-512."""
    salt, rounds = b"hedged tests", 101
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 64)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
