"""What the service manager is told, over the socket it names in $NOTIFY_SOCKET: sd_notify(3) in a few lines.

Without that variable, outside systemd, every call does nothing. A service manager that cannot be reached is
never a reason to stop watching, so errors of the socket are swallowed here: systemd's own time-outs are what
tells of them.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta

from hedged.adapters.clock import monotonic_usec


class Notifier:
    """One process's voice to systemd. `watchdog` is how often a sign of life is due; None: nobody waits for one."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, monotonic_usec: Callable[[], int] = monotonic_usec
    ) -> None:
        environ = os.environ if environ is None else environ
        path = environ.get("NOTIFY_SOCKET", "")
        # '@' is how an abstract socket is written: a zero byte in the address, no file
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._monotonic_usec = monotonic_usec
        self.watchdog = _watchdog(environ)

    def ready(self, status: str) -> None:
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """To be followed by `ready`, also when the new configuration was refused."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_usec()}", _status("reloading the configuration"))

    def stopping(self) -> None:
        self._send("STOPPING=1", _status("stopping"))

    def alive(self, status: str) -> None:
        """The watchdog's sign of life: only after a *completed* cycle."""
        self._send("WATCHDOG=1", _status(status))

    def status(self, text: str) -> None:
        self._send(_status(text))

    def expect_every(self, interval: timedelta) -> None:
        """Make systemd wait at least this long for a sign of life; a longer WatchdogSec= of the unit stays."""
        if self.watchdog is not None and interval > self.watchdog:
            self.watchdog = interval
            self._send(f"WATCHDOG_USEC={interval // timedelta(microseconds=1)}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock,
        ):
            sock.sendto("\n".join(lines).encode(), self._address)


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"  # one line: a line break would begin another field


def _watchdog(environ: Mapping[str, str]) -> timedelta | None:
    """WATCHDOG_USEC, unless WATCHDOG_PID says that it is meant for another process."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or usec == "0" or (pid and pid != str(os.getpid())):
        return None
    return timedelta(microseconds=int(usec))
