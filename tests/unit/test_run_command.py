"""`hedged run`: what ends it before it begins, and with which exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hedged
from hedged.cli.main import main
from hedged.errors import ConfigurationError, HedgedError, StoreUnavailable, WrongStore


def run(monkeypatch: pytest.MonkeyPatch, config: Path, *options: str) -> int:
    """`hedged run`, with logging left as it is: it would outlive the test. The exit code."""
    monkeypatch.setattr("hedged.adapters.log.configure", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", ["hedged", "run", "--config", str(config), *options])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def wire_to(monkeypatch: pytest.MonkeyPatch, error: HedgedError) -> list[Any]:
    """A composition root that gets the settings and raises `error`; what it got."""
    built: list[Any] = []

    async def build(settings: Any, clock: Any, ids: Any, asked: Any, *, clock_watch: Any) -> Any:
        built.append(settings)
        raise error

    monkeypatch.setattr(hedged, "app", SimpleNamespace(build=build), raising=False)
    monkeypatch.setattr("hedged.settings.load", lambda path, *, dry_run: (path, dry_run))
    return built


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("hedged.toml:3  band = 2.0  must be below 1"), 78),
        (WrongStore("state.sqlite belongs to the world 'real', this is 'paper'"), 78),
        (StoreUnavailable("state.sqlite: the disk is full"), 1),
    ],
)
def test_an_error_at_the_start_is_a_line_and_an_exit_code(
    error: HedgedError, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the user has to mend exits 78, which systemd does not start again; the rest exits 1, which it does."""
    wire_to(monkeypatch, error)
    assert run(monkeypatch, tmp_path / "hedged.toml") == code
    written = capsys.readouterr()
    assert (written.out, written.err.splitlines()) == ("", [str(error)])


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_the_settings_are_read_for_this_run(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file named is loaded, with or without --dry-run, and handed to the composition root."""
    built = wire_to(monkeypatch, ConfigurationError("x"))
    run(monkeypatch, tmp_path / "hedged.toml", *options)
    assert built == [(tmp_path / "hedged.toml", bool(options))]


def test_a_missing_file_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With everything real: a file that is not there exits 78 and is named."""
    assert run(monkeypatch, tmp_path / "none.toml") == 78
    assert "none.toml" in capsys.readouterr().err
