"""The line finder against TOML files whose lines are known because they were written piece by piece."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given, reject
from hypothesis import strategies as st

from hedged.settings.lines import Place, find_lines

bare = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
keys = bare | st.text("ab.#]='\" é", min_size=1, max_size=5)
scalars = st.sampled_from(
    ["1", "-2.5", "true", "nan", "2026-11-01", "2026-11-01 10:00:00Z", '"a # ] } , = \\" b"', "'[x] # \\'", '""', "''"]
)
multiline = st.sampled_from(
    ['"""a\n[b]\nc = 1 # """', '"""x"""""', "'''\n]\n'''", "'''a'''''", '"""\\\n  "q" \\""" """', '""""""']
)
gaps = st.sampled_from(["", " ", "\n", " # ] comment\n", "\n\n# [c]\n  "])


class Writer:
    """Writes a document from Hypothesis' choices and notes on which line each place begins."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[Place, int] = {}

    def note(self, place: Place) -> Place:
        self.lines.setdefault(place, self.text.count("\n") + 1)
        return place

    def key(self, key: str) -> str:
        is_bare = all(char.isascii() and (char.isalnum() or char in "-_") for char in key)
        return key if is_bare and self.draw(st.booleans()) else json.dumps(key, ensure_ascii=False)

    def pairs(self, table: Place, depth: int, before: str = "", after: str = "\n") -> None:
        for number, key in enumerate(self.draw(st.lists(keys, max_size=3, unique=True))):
            self.text += before if number else ""
            parts = [key, *(self.draw(st.lists(bare, max_size=1)))]
            for length in range(1, len(parts) + 1):
                self.note((*table, *parts[:length]))
            self.text += self.draw(st.sampled_from([".", " . "])).join(map(self.key, parts))
            self.text += self.draw(st.sampled_from(["=", " = ", "\t="]))
            self.value((*table, *parts), depth)
            self.text += after

    def value(self, place: Place, depth: int) -> None:
        kind = self.draw(st.sampled_from(["scalar", "multiline", "array", "inline"])) if depth else "scalar"
        if kind == "array":
            self.text += "["
            count = self.draw(st.integers(0, 3))
            for index in range(count):
                self.text += self.draw(gaps)
                self.value(self.note((*place, index)), depth - 1)
                self.text += self.draw(gaps) + ("," if index < count - 1 or self.draw(st.booleans()) else "")
            self.text += self.draw(gaps) + "]"
        elif kind == "inline":
            self.text += "{ "
            self.pairs(place, depth=0, before=", ", after=" ")
            self.text += "}"
        else:
            self.text += self.draw(scalars if kind == "scalar" else multiline)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Place, int]]:
    writer = Writer(draw)
    writer.pairs((), 2)
    names = draw(st.lists(st.from_regex(r"t[0-9]", fullmatch=True), max_size=3, unique=True))
    for name in names:
        writer.text += draw(st.sampled_from(["", "\n", "# [not.a.table]\n"]))
        top = f"{name}_table"
        if draw(st.booleans()):
            writer.note((top,))
            writer.text += f"[ {top} ] # comment\n"
            writer.pairs((top,), 2)
            continue
        for index in range(draw(st.integers(1, 3))):
            table = writer.note((*writer.note((top,)), index))
            writer.text += f"[[{top}]]\n"
            writer.pairs(table, 1)
            if draw(st.booleans()):
                inner = writer.note((*table, "inner_table"))
                writer.text += f'[{top}."inner_table"]\n'
                writer.pairs(inner, 1)
    return writer.text, writer.lines


def places(value: Any, place: Place = ()) -> set[Place]:
    found = {place} if place else set()
    if isinstance(value, dict):
        return found.union(*(places(inner, (*place, key)) for key, inner in value.items()))
    if isinstance(value, list):
        return found.union(*(places(inner, (*place, index)) for index, inner in enumerate(value)))
    return found


def parsed(text: str) -> dict[str, Any]:
    """The parser's view; keys that clash make no document."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        reject()


@given(documents())
def test_every_place_has_the_line_it_was_written_on(document: tuple[str, dict[Place, int]]) -> None:
    """A wrong line sends the user to the wrong key."""
    text, lines = document
    assert parsed(text) is not None
    assert dict(find_lines(text)) == lines


@given(documents())
def test_the_places_are_those_of_the_parser(document: tuple[str, dict[Place, int]]) -> None:
    """Neither a place too many nor one too few, with either sort of line end."""
    text, _ = document
    expected = places(parsed(text))
    assert set(find_lines(text)) == expected
    assert find_lines(text.replace("\n", "\r\n")) == find_lines(text)
