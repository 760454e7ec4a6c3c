"""One line of what `hedged doctor` and `hedged go-live --check` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MARKS = {"ok": ("✓", "green"), "failed": ("✗", "bold red"), "unknown": ("?", "dim")}


@dataclass(frozen=True, slots=True)
class Check:
    """`unknown`: nobody can tell. `text` says what was found; of a failed check, what to do."""

    what: str
    result: Literal["ok", "failed", "unknown"]
    text: str
