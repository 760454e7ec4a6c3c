"""sd_notify over real unix sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hedged.adapters.systemd import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A service manager's end: the value of NOTIFY_SOCKET, and the socket behind it."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@hedged-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0") if name.startswith("@") else name)
        sock.settimeout(2)
        yield name, sock


def test_each_state_is_told(manager: tuple[str, socket.socket]) -> None:
    """Start, sign of life, reload and stop arrive in sd_notify's own words, one datagram each."""
    name, sock = manager
    notifier = Notifier({"NOTIFY_SOCKET": name}, monotonic_usec=lambda: 123)
    told = []
    for tell in (
        lambda: notifier.ready("watching"),
        lambda: notifier.alive("3 alerts"),
        lambda: notifier.status("two\nlines"),
        notifier.reloading,
        notifier.stopping,
    ):
        tell()
        told.append(sock.recv(4096).decode())
    assert told == [
        "READY=1\nSTATUS=watching",
        "WATCHDOG=1\nSTATUS=3 alerts",
        "STATUS=two lines",
        "RELOADING=1\nMONOTONIC_USEC=123\nSTATUS=reloading the configuration",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_outside_systemd_nothing_happens() -> None:
    """Without NOTIFY_SOCKET every call is silent, and no sign of life is due."""
    notifier = Notifier({})
    notifier.ready("x")
    notifier.alive("x")
    assert notifier.watchdog is None


def test_a_service_manager_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    """A socket nobody listens on is no reason to stop watching."""
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive("x")


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "180000000"}, timedelta(minutes=3)),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": str(os.getpid())}, timedelta(minutes=3)),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "1"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_interval_is_read(environ: dict[str, str], interval: timedelta | None) -> None:
    """WATCHDOG_USEC counts when it is a number and meant for this process."""
    assert Notifier(environ).watchdog == interval


def test_slow_cycles_lengthen_the_watchdog_and_fast_ones_leave_it(manager: tuple[str, socket.socket]) -> None:
    """A portfolio read every hour must not be shot after five minutes; the unit's own longer time stays."""
    name, sock = manager
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "300000000"})
    notifier.expect_every(timedelta(minutes=3))
    notifier.expect_every(timedelta(hours=3))
    assert sock.recv(4096) == b"WATCHDOG_USEC=10800000000"
    assert notifier.watchdog == timedelta(hours=3)


def test_without_a_watchdog_none_is_started(manager: tuple[str, socket.socket]) -> None:
    """A unit without WatchdogSec= is not given one."""
    name, sock = manager
    Notifier({"NOTIFY_SOCKET": name}).expect_every(timedelta(hours=3))
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(4096)
