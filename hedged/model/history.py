"""Prices of the past, for statistics alone: floats, and never what an order is priced by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

STEP = timedelta(hours=1)
"""Length of the bars that are kept: shorter ones bounce, and longer ones lose what a day looked like."""

KEPT = timedelta(days=400)


def full_hour(at: datetime) -> datetime:
    """The last full hour before, or at, this time."""
    return at.replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices of the `STEP` that ended at `at`, which is when they were known, UTC; low ≤ close ≤ high, all > 0."""

    at: datetime
    close: float
    high: float
    low: float


@dataclass(frozen=True, slots=True)
class Settlement:
    """A funding rate that was settled at `at`, UTC; > 0: longs paid shorts."""

    at: datetime
    rate: Decimal
