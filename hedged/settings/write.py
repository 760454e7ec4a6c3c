"""New hedges at the end of a configuration file, whose every other byte stays as it is."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from tomlkit.items import Array

from hedged.errors import ConfigurationError
from hedged.settings.load import load

_MARK = "\ufeff"
"""At the beginning of a file, by which some editors say that it is in UTF-8; it stays there."""


@dataclass(frozen=True, slots=True)
class NewHedge:
    """`comment`: lines that go above the table."""

    name: str
    assets: tuple[str, ...]
    instruments: tuple[str, ...]
    target: str
    comment: tuple[str, ...] = ()

    def as_toml(self) -> str:
        document = tomlkit.document()
        table = tomlkit.table()
        for key, value in (("name", self.name), ("assets", list(self.assets))):
            table.add(key, value)
        table.add("instruments", list(self.instruments))
        table.add("target", self.target)
        hedges = tomlkit.aot()
        hedges.append(table)
        document.add("hedges", hedges)
        return "".join(f"# {line}\n" for line in self.comment) + tomlkit.dumps(document)


def with_hedges(text: str, hedges: Sequence[NewHedge]) -> str:
    """`text` with these hedges behind it, lines ended as its own are.

    Raises `ConfigurationError` for a hedge whose name is taken, since what is there is never written over; and where
    nothing can be appended, with the way out.
    """
    parsed = tomlkit.parse(text.removeprefix(_MARK))
    if isinstance(parsed.get("hedges"), Array):
        raise ConfigurationError(
            "hedges = [ … ] is a list on its own line, behind which TOML takes no [[hedges]]: write each of its hedges "
            "as a table under [[hedges]], or remove the line if it is empty, and plan again"
        )
    taken = _names(parsed.unwrap())
    problems = [
        f"hedge {each.name!r} is in the file already: remove it, or plan other assets"
        for each in hedges
        if each.name in taken
    ]
    if problems:
        raise ConfigurationError(*problems)
    added = "".join(f"\n{each.as_toml()}" for each in hedges)
    whole = text if text.endswith("\n") or not text else f"{text}\n"
    return whole + (added.replace("\n", "\r\n") if "\r\n" in text else added)


def difference(before: str, after: str, name: str) -> str:
    """As `diff -u` shows it."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), fromfile=name, tofile=f"{name} with the plan", lineterm=""
    )
    return "\n".join(lines)


def read_exactly(path: Path) -> str:
    """The file's text with its line ends. Raises `ConfigurationError`."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def replace_checked(path: Path, text: str) -> None:
    """Put `text` in the file's place, all or nothing, once it loads as a configuration. Raises `ConfigurationError`."""
    target = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=".toml")
        beside = Path(name)  # in the same folder, which paths in the file are relative to
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(text.encode("utf-8"))
            shutil.copymode(target, beside)
            _check(beside, target)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}") from None


def _check(written: Path, target: Path) -> None:
    try:
        load(written, dry_run=True)
    except ConfigurationError as error:
        problems = [problem.replace(str(written), str(target)) for problem in error.problems]
        raise ConfigurationError(*problems, "nothing was written: the file would not be right with this plan") from None


def _names(values: Mapping[str, object]) -> set[str]:
    hedges = values.get("hedges")
    return {str(each.get("name")) for each in hedges if isinstance(each, dict)} if isinstance(hedges, list) else set()
