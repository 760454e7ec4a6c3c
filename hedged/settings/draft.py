"""A file's raw values, read as far as they have the right types.

The checks across tables look at these, so that one run names every fault, also when the schema has found others.
A wrong type is the schema's to report.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedged.model.policy import Mode
from hedged.settings.faults import Problem
from hedged.settings.lines import Place


@dataclass(frozen=True, slots=True)
class Draft:
    """The parts of a file that refer to each other, as far as they have the right types."""

    values: Mapping[str, Any]
    accounts: tuple[tuple[Place, Mapping[str, Any]], ...]
    hedges: tuple[tuple[Place, Mapping[str, Any]], ...]
    aliases: Mapping[str, str]
    mode: Mode | None
    folder: Path

    @classmethod
    def of(cls, values: Mapping[str, Any], folder: Path) -> Draft:
        aliases = table_in(table_in(values, "portfolio"), "aliases")
        return cls(
            values=values,
            accounts=tables_in(values, "accounts"),
            hedges=tables_in(values, "hedges"),
            aliases={key: value for key, value in aliases.items() if isinstance(value, str)},
            mode=mode_of(values.get("mode", "monitor")),
            folder=folder,
        )

    def asset(self, name: str) -> str:
        return self.aliases.get(name, name)


def located(folder: Path, path: str | Path) -> Path:
    """A path of the file: relative to the file's folder, `~` is the home of who runs this."""
    return folder / os.path.expanduser(path)  # noqa: PTH111 - leaves an unknown ~user as it is, where pathlib raises


def twice(place: Place, items: Iterable[tuple[int, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in items:
        if item in seen:
            yield Problem((*place, index), "stands here twice")
        seen.add(item)


def mode_of(value: object) -> Mode | None:
    return Mode(value) if isinstance(value, str) and value in set(Mode) else None


def table_in(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = values.get(key)
    return table if isinstance(table, dict) else {}


def tables_in(values: Mapping[str, Any], key: str) -> tuple[tuple[Place, Mapping[str, Any]], ...]:
    rows = values.get(key)
    if not isinstance(rows, list):
        return ()
    return tuple(((key, index), row) for index, row in enumerate(rows) if isinstance(row, dict))


def texts_in(table: Mapping[str, Any], key: str) -> list[tuple[int, str]]:
    items = table.get(key)
    if not isinstance(items, list):
        return []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, str)]


def number_of(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None
