"""Where each key of a TOML text stands, so that a fault can name its line.

`tomllib` gives values without places. This scan walks the same text, which `tomllib` has already accepted, and
therefore only has to tell keys from values, never to judge them.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""Keys and array indices from the root: `("hedges", 0, "band")`."""

_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?""""{0,2}'  # up to two quotes may stand before the closing three
    r"|'''.*?''''{0,2}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}\n#]*")


def find_lines(text: str) -> Mapping[Place, int]:
    """The line (from 1) on which each table, key and array element of a valid TOML text is first named.

    Raises RecursionError on arrays nested as deeply as `tomllib` itself refuses.
    """
    return _Scan(text.replace("\r\n", "\n")).document()


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [at for at, char in enumerate(text) if char == "\n"]
        self._found: dict[Place, int] = {}
        self._tables_in: dict[Place, int] = {}  # arrays of tables → tables so far

    def document(self) -> dict[Place, int]:
        table: Place = ()
        while self._skip(_BLANK) < len(self._text):
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
        return self._found

    def _header(self) -> Place:
        is_array = self._peek("[[")
        self._at += 2 if is_array else 1
        line = self._line()
        *parents, last = self._key()
        self._at += 2 if is_array else 1
        place: Place = ()
        for part in parents:
            place = self._newest((*place, part), line)
        if not is_array:
            return self._newest((*place, last), line)
        place = (*place, last)
        index = self._tables_in[place] = self._tables_in.get(place, -1) + 1
        self._note(place, line)
        return self._note((*place, index), line)

    def _newest(self, place: Place, line: int) -> Place:
        """A header's part that names an array of tables means the newest table in it."""
        self._note(place, line)
        return (*place, self._tables_in[place]) if place in self._tables_in else place

    def _pair(self, table: Place) -> None:
        line = self._line()
        place = table
        for part in self._key():
            place = self._note((*place, part), line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(place)

    def _key(self) -> list[str]:
        """A dotted key; stops on what follows it."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            if self._peek('"') or self._peek("'"):
                quoted = self._take(_STRING)
                parts.append(next(iter(tomllib.loads(f"{quoted} = 0"))))
            else:
                parts.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if not self._peek("."):
                return parts
            self._at += 1

    def _value(self, place: Place) -> None:
        if self._peek("["):
            self._array(place)
        elif self._peek("{"):
            self._inline_table(place)
        elif self._peek('"') or self._peek("'"):
            self._skip(_STRING)
        else:
            self._skip(_BARE_VALUE)

    def _array(self, place: Place) -> None:
        self._at += 1
        index = 0
        while self._skip(_BLANK) < len(self._text) and not self._peek("]"):
            self._value(self._note((*place, index), self._line()))
            index += 1
            self._comma()
        self._at += 1

    def _inline_table(self, place: Place) -> None:
        self._at += 1
        while self._skip(_BLANK) < len(self._text) and not self._peek("}"):
            self._pair(place)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._peek(","):
            self._at += 1

    def _note(self, place: Place, line: int) -> Place:
        self._found.setdefault(place, line)
        return place

    def _line(self) -> int:
        return bisect_right(self._newlines, self._at - 1) + 1

    def _peek(self, expected: str) -> bool:
        return self._text.startswith(expected, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._take(pattern)
        return self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:  # not the TOML that was promised: stop rather than turn in circles
            raise ValueError(f"line {self._line()}: not TOML")
        self._at = match.end()
        return match.group()
