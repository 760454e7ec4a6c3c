"""Tables that stay readable in a narrow terminal: numbers and dates are never broken.

A table that fits is a table. One that does not is written row by row: its name, and under it `column value` pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

FOLDED = 18
"""Columns that a name may be folded to before the table is given up: the rest of it is still recognised."""

_INDENT = 2
_APART = "  "  # between two pairs


def new_console() -> Console:
    """As wide as the terminal; a pipe or a file is as wide as its text."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=max(out.width, 160))


def table(title: str, *columns: str) -> Table:
    """Columns by their names: `>name` is a number, to the right; `=name` is a date or word that is not broken."""
    shown = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for column in columns:
        whole = column[:1] in {">", "="}
        shown.add_column(
            column[1:] if whole else column,
            justify="right" if column[:1] == ">" else "left",
            overflow="fold",
            no_wrap=whole,
        )
    return shown


def print_table(out: Console, shown: Table) -> None:
    """Nothing for a table without rows."""
    if not shown.row_count:
        return
    for column in shown.columns:
        if _natural(out, shown) <= out.width:
            break
        column.header = _text(column.header).plain.replace(" ", "\n")
    folding = (max(0, _width(column) - FOLDED) for column in shown.columns if not column.no_wrap)
    least = _natural(out, shown) - sum(folding)
    if least <= out.width:
        out.print(shown)
    else:
        _stacked(out, shown)


def _natural(out: Console, shown: Table) -> int:
    return Measurement.get(out, out.options.update(width=10_000), shown).maximum


def _width(column: Column) -> int:
    return max((_text(cell).cell_len for cell in column.cells), default=0)


def _stacked(out: Console, shown: Table) -> None:
    if shown.title:
        out.print(Text(_text(shown.title).plain, style="bold"))
    _, *others = shown.columns
    rows = zip(*(column.cells for column in shown.columns), strict=True)
    for name, *cells in rows:
        out.print(Padding(_text(name), (0, 0, 0, 1), expand=False))
        pairs = [_pair(column, _text(cell)) for column, cell in zip(others, cells, strict=True) if _text(cell).plain]
        for line in _lines(pairs, out.width - _INDENT):
            out.print(Padding(line, (0, 0, 0, _INDENT), expand=False))
    out.print(Text(_text(shown.caption).plain) if shown.caption else "")


def _pair(column: Column, value: Text) -> Text:
    name = _text(column.header).plain.replace("\n", " ")
    return Text.assemble((f"{name} " if name else "", "dim"), value)


def _lines(pairs: Sequence[Text], width: int) -> Iterator[Text]:
    """As many pairs on a line as fit; one that alone is longer is folded by the terminal."""
    line = Text()
    for pair in pairs:
        if line.plain and line.cell_len + len(_APART) + pair.cell_len > width:
            yield line
            line = Text()
        line = Text.assemble(line, _APART if line.plain else "", pair)
    if line.plain:
        yield line


def _text(cell: RenderableType | None) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell or ""))
