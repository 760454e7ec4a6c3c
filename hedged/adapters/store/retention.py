"""How long history is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """Ages beyond which rows may go. Open orders, undelivered messages and alerts that have not ended never do.

    A cycle is kept with its snapshot and decision; one that traded is kept as long as its orders.
    """

    every_cycle: timedelta = timedelta(days=2)
    one_an_hour: timedelta = timedelta(days=30)
    one_a_day: timedelta = timedelta(days=365)
    orders_and_alerts: timedelta = timedelta(days=365)
    delivered: timedelta = timedelta(days=7)
    rows_a_call: int = 5_000  # bounds how long one call holds the write lock
