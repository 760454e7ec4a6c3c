"""What a person sees when the machine fails a command: one line and exit status 1, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hedged.cli.main import app

CONFIG = """
mode = "paper"
[[accounts]]
name = "sim"
exchange = "simulated"
balances = { ETH = 4 }
[store]
path = "folder/store.sqlite"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("arguments", [["once", "-c"], ["once", "--json", "-c"], ["check-config", "-c"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(config: Path, arguments: list[str]) -> None:
    """Whether a table, JSON or a line: what cannot be written is said, once, on stderr."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hedged.cli.main", *arguments, str(config)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "the output could not be written: No space left on device\n"


def test_a_closed_output_is_no_traceback(config: Path) -> None:
    """As some supervisors start a program: without a stdout at all."""
    script = f"import sys; sys.stdout = None; sys.argv = ['hedged', 'check-config', '-c', {str(config)!r}]; from hedged.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_doctor_of_a_database_that_another_user_has(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not even be looked into is a red line with the way out, and the other checks go on."""
    exists = Path.exists

    def denied(path: Path) -> bool:
        if path.parent.name == "folder":
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", denied)
    result = CliRunner().invoke(app, ["doctor", "-c", str(config)])
    assert result.exit_code == 1
    assert "✗ database: the database" in result.output
    assert "(Permission denied): ask as the user that hedged runs as" in result.output
    assert "✓ sim: " in result.output
