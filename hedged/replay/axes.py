"""Round numbers and dates for the axes of a chart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

HOUR, DAY = 3600, 86_400
_MONTH = 30.4 * DAY
_STEPS = (HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY)  # seconds
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


def value_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 × 10ⁿ that lie in [low, high], at most `most` or so."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def time_ticks(first: int, last: int, most: int = 7) -> list[tuple[int, str]]:
    """Epoch seconds of round times in [first, last] and how they are written, UTC."""
    span = max(last - first, 1)
    step = next((step for step in _STEPS if span / step <= most), None)
    if step is not None:
        begin = -(-first // step) * step
        form = "%d %b %H:%M" if step < DAY else "%d %b %Y"
        return [(at, f"{datetime.fromtimestamp(at, UTC):{form}}") for at in range(begin, last + 1, step)]
    months = next((count for count in _MONTHS if span / (count * _MONTH) <= most), _MONTHS[-1])
    form = "%Y" if months >= 12 else "%b %Y"
    return [(at, f"{datetime.fromtimestamp(at, UTC):{form}}") for at in _month_starts(first, last, months)]


def _month_starts(first: int, last: int, months: int) -> Iterator[int]:
    at = datetime.fromtimestamp(first, UTC).replace(day=1, hour=0, minute=0, second=0)
    while at.timestamp() <= last:
        index = at.year * 12 + at.month - 1
        if at.timestamp() >= first and index % months == 0:
            yield int(at.timestamp())
        at = (at + timedelta(days=32)).replace(day=1)


def money_text(value: float) -> str:
    """Short, for an axis: 1,500 or 12 k or 3.5 M."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:,.6g} M"
    if size >= 1e4:
        return f"{value / 1e3:,.6g} k"
    return f"{value:,.6g}"


def percent_text(value: float) -> str:
    return f"{value * 100:.4g} %"
