"""One fault in a configuration, and how it reads: `config/hedged.toml:10  hedges[0].band = 2.0  must be below 1`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from hedged.errors import ConfigurationError
from hedged.settings.lines import Place

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
SECRET = re.compile(r"(?i)(key|secret|passw|token|credential|user|phrase|wallet_?address)(?!.*_file$)")
"""Names of keys under which a user may have put a secret, wherever that is; paths of files are none."""

_SHOWN_MAX = 60
_LISTED_MAX = 5
NOTHING = object()
"""Stands for a value that is not there, or that may be a secret and is not to be shown."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the value at `place`, before it is known where that came from."""

    place: Place
    text: str
    show_value: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem with its source: `file` and `line`, or the environment `variable` that set the value."""

    file: str
    line: int | None
    variable: str | None
    key: str
    value: str | None  # as TOML would spell it; None: not shown
    text: str
    column: int | None = None  # where TOML itself is broken

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        named = self.key if self.variable is None else self.variable
        parts = [where if self.variable is None else "environment"]
        if named:
            parts.append(named if self.value is None else f"{named} = {self.value}")
        return "  ".join(filter(None, [*parts, self.text]))


class SettingsError(ConfigurationError):
    """A configuration that cannot be used; `faults` are its problems one by one, in the order of the file."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.variable or "", fault.line or 0)))
        super().__init__(*dict.fromkeys(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True)
class Source:
    """Where the merged values came from."""

    path: Path
    values: Mapping[str, object]
    lines: Mapping[Place, int]
    variables: Mapping[Place, str]

    def fault(self, problem: Problem) -> Fault:
        may_be_secret = any(SECRET.search(part) for part in problem.place if isinstance(part, str))
        value = self.value(problem.place) if problem.show_value and not may_be_secret else NOTHING
        variable = self.variables.get(problem.place)
        return Fault(
            file=printable(str(self.path)),
            line=None if variable else self._line(problem.place),
            variable=variable,
            key=spelled(problem.place),
            value=None if value is NOTHING else shown(value),
            text=problem.text,
        )

    def value(self, place: Place) -> object:
        """The raw value at a place, or `NOTHING`."""
        value: object = self.values
        for part in place:
            try:
                value = value[part]  # type: ignore[index]  # whatever has no such part raises
            except (KeyError, IndexError, TypeError):
                return NOTHING
        return value

    def _line(self, place: Place) -> int | None:
        """The line of the place, else of the nearest table around it."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return None


def spelled(place: Place) -> str:
    """A place as users write it: `hedges[0].beta.UNI`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else printable(json.dumps(part, ensure_ascii=False))
            text += f".{key}" if text else key
    return text


def shown(value: object) -> str | None:
    """A value as TOML spells it, shortened; None for what may carry a secret (an address with a password)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if "://" in value or "@" in value or len(value) > _SHOWN_MAX:
            return '"…"'
        return printable(json.dumps(value, ensure_ascii=False))
    if isinstance(value, Decimal) and not value.is_finite():
        return str(value).lower().removesuffix("inity")
    if isinstance(value, (int, Decimal)):
        return str(value) if len(str(value)) <= _SHOWN_MAX else "…"
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, list):
        items = f"[{', '.join(shown(item) or '…' for item in value[:_LISTED_MAX])}]"
        return items if len(value) <= _LISTED_MAX and len(items) <= _SHOWN_MAX else "[…]"
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    return None


def printable(text: str) -> str:
    """Without characters that would drive a terminal."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, whatever its case, or None if none is like it."""
    by_folded = {name.casefold(): name for name in known}
    matches = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None
