"""`hedged run`: what ends it before it begins, and with which exit code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

import hedged
from hedged.cli.run import run
from hedged.errors import ConfigurationError, HedgedError, StoreUnavailable, WrongStore


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets logging up for its process; here it would outlive the test."""
    monkeypatch.setattr("hedged.adapters.log.configure", lambda *_, **__: None)
    structlog.reset_defaults()


def start(monkeypatch: pytest.MonkeyPatch, config: Path, error: HedgedError, *options: str) -> tuple[Result, list[Any]]:
    """Run the command with a composition root that gets the settings and raises `error`."""
    built: list[Any] = []

    async def build(settings: Any, clock: Any, ids: Any) -> Any:
        built.append(settings)
        raise error

    monkeypatch.setattr(hedged, "app", SimpleNamespace(build=build), raising=False)
    monkeypatch.setattr("hedged.settings.load", lambda path, *, dry_run: (path, dry_run))
    cli = typer.Typer()
    cli.command()(run)
    return CliRunner().invoke(cli, ["--config", str(config), *options]), built


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("hedged.toml:3  band = 2.0  must be below 1"), 78),
        (WrongStore("state.sqlite belongs to the world 'real', this is 'paper'"), 78),
        (StoreUnavailable("state.sqlite: the disk is full"), 1),
    ],
)
def test_an_error_at_the_start_is_a_line_and_an_exit_code(
    error: HedgedError, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user has to mend exits 78, which systemd does not start again; the rest exits 1, which it does."""
    result, _ = start(monkeypatch, tmp_path / "hedged.toml", error)
    assert result.exit_code == code
    assert result.stderr.splitlines() == [str(error)]
    assert result.stdout == ""


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_the_settings_are_read_for_this_run(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file named is loaded, with or without --dry-run, and handed to the composition root."""
    _, built = start(monkeypatch, tmp_path / "hedged.toml", ConfigurationError("x"), *options)
    assert built == [(tmp_path / "hedged.toml", bool(options))]


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    """Without monkeys: a file that is not there exits 78 and is named."""
    cli = typer.Typer()
    cli.command()(run)
    result = CliRunner().invoke(cli, ["--config", str(tmp_path / "none.toml")])
    assert result.exit_code == 78, result.output
    assert "none.toml" in result.stderr
