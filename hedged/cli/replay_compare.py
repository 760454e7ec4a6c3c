"""`hedged replay --compare`: several policies over the same past, as a table, as JSON and as a page with charts."""

from __future__ import annotations

import json as json_
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hedged.model.policy import PortfolioPolicy
from hedged.replay.variations import Variation, distinct

if TYPE_CHECKING:  # these read numpy, and more
    from hedged.adapters.exchanges.price_table import History
    from hedged.replay.compare import Compared, Progress
    from hedged.replay.run import Window
    from hedged.tell.rules import AlertRules


@dataclass(frozen=True, slots=True)
class Asked:
    """The command: options by name without their dashes, None where not given; `files` name those that are data."""

    name: str  # of the portfolio
    options: Mapping[str, object]
    files: tuple[str, ...]
    report: Path | None

    def command(self) -> str:
        words = ["hedged", "replay", "--compare"]
        for option, value in self.options.items():
            words += [] if value is None else [f"--{option}", str(value)]
        return shlex.join(words)


def writable(path: Path) -> None:
    """Raises `ValueError` where no such file can be made: before years are replayed, not after."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"there is no folder {path.absolute().parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise ValueError(f"{path} cannot be written")


def compare_policies(
    policy: PortfolioPolicy,
    variations: Sequence[Variation],
    asked: Asked,
    *,
    history: History,
    window: Window,
    rules: AlertRules,
    json: bool,
) -> None:
    """Data on stdout; with `json` the notes, which are for people, on stderr. Raises what a replay raises."""
    from hedged.replay.compare import Past, compare
    from hedged.replay.notes import paper_note
    from hedged.replay.page import Origin, page
    from hedged.replay.summary import notes_of

    policies, notes = distinct(variations, policy)
    with _progress([variation.name for variation, _ in policies]) as progress:
        compared = compare(policies, Past(history, window, rules), progress=progress)
    if asked.report is not None:
        files = [(name, str(path)) for name in asked.files if (path := asked.options[name]) is not None]
        origin = Origin(asked.name, asked.command(), files, (paper_note(policy), *notes))
        _write(asked.report, page(origin, compared))
    common, own = notes_of([(each.name, each.report.notes) for each in compared])
    _print(compared, asked.name, [*notes, *common, *own], json=json)


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing: who has the old report open keeps a whole one."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(content)
        Path(file.name).chmod(0o666 & ~_umask())
        Path(file.name).replace(path)
    except OSError as error:
        typer.echo(f"{path}: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _progress(names: Sequence[str]) -> Iterator[Progress]:
    """A bar for each policy on stderr; nothing without a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("bars"))
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        tasks = [bar.add_task(name, total=None) for name in names]
        yield lambda number, done, total: bar.update(tasks[number], completed=done, total=total or None)


def _print(compared: Sequence[Compared], name: str, notes: Sequence[str], *, json: bool) -> None:
    if json:
        for note in notes:
            typer.echo(note, err=True)
        typer.echo(json_.dumps([each.as_json() for each in compared], indent=2))
        return
    from hedged.cli.tables import new_console, print_table
    from hedged.replay.summary import summary_table

    console = new_console()
    print_table(console, summary_table(compared, name))
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True, markup=False)
