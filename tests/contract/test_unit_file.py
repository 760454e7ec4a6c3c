"""systemd's own judgement of the unit, and that it agrees with what the installer puts where."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT, need

UNIT = ROOT / "systemd" / "hedged.service"
TEXT = UNIT.read_text()


def settings(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", TEXT, re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The unit with a program that exists on every machine, which is all that `verify` asks of it."""
    path = tmp_path / "hedged.service"
    path.write_text(re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", TEXT, flags=re.MULTILINE))
    return path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("systemd-analyze"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_verify_has_nothing_to_say(copy: Path) -> None:
    """Any output is a fault: `verify` returns 0 on keys it does not know."""
    result = analyze("verify", "--man=no", str(copy))
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_verify_would_complain(copy: Path) -> None:
    """The same call does see a misspelt key, so its silence means something."""
    copy.write_text(copy.read_text().replace("RestartSec=", "RestartSecs="))
    assert "RestartSecs" in analyze("verify", "--man=no", str(copy)).stderr


def test_the_service_is_hardened(copy: Path) -> None:
    """The exposure that systemd computes is at most 1.5 of 10."""
    result = analyze("security", "--offline=true", str(copy))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
    assert found is not None, result.stdout + result.stderr
    assert float(found[1]) <= 1.5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("DynamicUser", "yes"),
        ("StateDirectory", "hedged"),
        ("RestartPreventExitStatus", "78"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("LimitCORE", "0"),
    ],
)
def test_what_the_daemon_counts_on(key: str, value: str) -> None:
    """The daemon's side of these is held by other tests; this is the unit's."""
    assert settings(key) == [value]


def test_stopping_gets_just_more_time_than_it_needs() -> None:
    """The daemon stops within 10 s; systemd kills it soon after, not before."""
    [seconds] = settings("TimeoutStopSec")
    assert 10 < int(seconds) <= 15


def test_the_watchdog_outlasts_three_default_cycles() -> None:
    """Three intervals of a minute fit, so an ordinary portfolio never asks for more."""
    assert settings("WatchdogSec") == ["3min"]


def test_secrets_have_the_names_that_the_settings_look_for() -> None:
    """Each credential is read from systemd's store by a relative name: one that is missing fails nothing."""
    pairs = [value.split(":") for value in settings("LoadCredential")]
    assert {name for name, _ in pairs} == {"account-main", "mqtt", "notify", "telegram", "web-token"}
    assert all(source == f"hedged.{name}" for name, source in pairs)


def test_the_unit_starts_what_the_installer_installs() -> None:
    """Program and configuration of ExecStart are the installer's own paths."""
    [start] = settings("ExecStart")
    assert start == "/opt/hedged/current/bin/hedged run --config /etc/hedged/hedged.toml"
    installer = (ROOT / "deploy" / "install.sh").read_text()
    assert all(
        part in installer for part in ("/opt/hedged/current/bin/hedged", "$etc/hedged.toml", "etc=$root/etc/hedged")
    )
