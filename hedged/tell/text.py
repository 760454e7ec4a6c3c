"""Text that people read: what came from outside made safe, and times and numbers in words. Pure.

Names of assets and contracts come from venues and are not trusted: everything that is not printable is taken out and
lengths are bounded.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

SUBJECT_MAX = 48
TEXT_MAX = 600


def clean(text: str, limit: int) -> str:
    """Untrusted text on one line: nothing unprintable (control, bidirectional, zero-width), cut to `limit`."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def span_text(span: timedelta) -> str:
    """A length of time in its two largest units: 45 s, 12 min, 2 h 5 min, 3 d 4 h."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    for size, unit, smaller_size, smaller in ((1440, "d", 60, "h"), (60, "h", 1, "min")):
        if minutes >= size:
            rest = minutes % size // smaller_size
            return f"{minutes // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{minutes} min"


def plain(number: Decimal) -> str:
    return f"{number.normalize():,f}"


def contracts_text(quantity: Decimal) -> str:
    return f"{plain(quantity)} contract{'' if quantity == 1 else 's'}"
