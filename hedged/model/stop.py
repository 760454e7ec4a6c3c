"""Why no new order is made: a *pause* is the operator's, a *halt* the guard's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """In force until `hedged resume`. `by`: the command, the file, the signal or the guard that made it."""

    since: datetime
    by: str
    reason: str = ""
    cancel: bool = False  # what rests in a book is cancelled, too

    @property
    def text(self) -> str:
        said = f": {self.reason}" if self.reason else ""
        also = ", and what rests is cancelled" if self.cancel else ""
        return f"since {self.since:%Y-%m-%d %H:%M:%S} UTC by {self.by}{also}{said}"
