"""Prices of the past, for statistics alone: floats, and never what an order is priced by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

STEP = timedelta(hours=4)
"""Length of the bars that are kept: short enough for a month to say something, long enough to be few."""

KEPT = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Close:
    """The last price of one bar, and when it was known: the end of the bar, UTC."""

    at: datetime
    price: float
