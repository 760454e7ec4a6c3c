"""Tables in terminals of any width: numbers and dates are never broken, names may be."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hedged.cli.tables import print_table, table

NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=2).map(lambda value: f"{value:,}")


def printed(width: int, *rows: tuple[str, ...]) -> list[str]:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    shown = table("Legs in USDT", "instrument", ">contracts", ">notional a year", "=ends", "note")
    for row in rows:
        shown.add_row(*row)
    print_table(out, shown)
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


@given(st.integers(34, 200), st.text("ABC/:-", min_size=1, max_size=40), NUMBERS, NUMBERS)
def test_a_number_or_a_date_is_never_broken(width: int, name: str, contracts: str, notional: str) -> None:
    """At whatever width, and however long the name beside it: each stands whole on a line, and no line is too long."""
    lines = printed(width, (name, contracts, notional, "2027-03-26", "halted"))
    for whole in (contracts, notional, "2027-03-26"):
        assert any(whole in line for line in lines)
    assert all(len(line.rstrip()) <= width for line in lines)


def test_what_fits_is_a_table_and_what_does_not_is_written_row_by_row() -> None:
    """The same row wide and narrow; narrow, each figure has its column's name before it."""
    row = ("main:ETH/USDT:USDT-270326", "-18.04", "54,109.23", "2027-03-26", "")
    assert any("│" in line or "─" in line for line in printed(100, row))
    assert printed(40, row) == [
        "Legs in USDT",
        " main:ETH/USDT:USDT-270326",
        "  contracts -18.04",
        "  notional a year 54,109.23",
        "  ends 2027-03-26",
        "",
    ]


def test_headings_are_broken_before_the_table_is_given_up() -> None:
    """A heading of several words stands on several lines where that makes room."""
    lines = printed(62, ("ETH", "1", "2", "2027-03-26", "ok"))
    assert any("notional a year" in line for line in lines)
    assert any("─" in line for line in lines)
    lines = printed(54, ("ETH", "1", "2", "2027-03-26", "ok"))
    assert not any("notional a year" in line for line in lines)
    assert any("─" in line for line in lines)


def test_a_table_without_rows_is_not_shown() -> None:
    """Not even its title."""
    assert printed(60) == []
