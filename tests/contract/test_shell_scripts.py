"""Every shell script of the project is clean to shellcheck."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT, need

SCRIPTS = sorted(
    path
    for folder in (ROOT / ".ci", ROOT / "deploy")
    for path in folder.rglob("*")
    if path.is_file() and "secrets" not in path.parts and path.read_bytes().startswith(b"#!")
)


def test_the_scripts_are_found() -> None:
    """The search sees them all, so that a pass means something."""
    assert {path.name for path in SCRIPTS} == {"check", "deploy", "lock", "run", "install.sh", "make-passwords"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    """No warning of any level, and the script can be started."""
    result = subprocess.run([need("shellcheck"), str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (0, "")
    assert script.stat().st_mode & 0o111
