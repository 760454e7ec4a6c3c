"""What the daemon knows of itself: how its cycles went, since it was started or last read its configuration."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hedged.cycle import CycleReport
from hedged.model.alert import AlertState
from hedged.model.finding import Kind, Severity
from hedged.ports import Clock

STALE_AFTER = 3  # intervals without a completed cycle: what was seen then is no longer how things are
DURATIONS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds that cycles are counted by."""

COMPLETED, FAILED = "completed", "failed"


@dataclass(slots=True)
class Vitals:
    """Counts and the last completed cycle."""

    clock: Clock
    every: timedelta
    report: CycleReport | None = None
    completed_at: datetime | None = None
    cycles: Counter[str] = field(default_factory=Counter)  # by how they ended
    unrecorded: int = 0  # completed, and not kept in the store
    took: float = 0.0  # seconds, all completed cycles together
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATIONS) + 1))  # by bound, the last: longer
    orders: Counter[str] = field(default_factory=Counter)  # by what became of them
    alerts: Counter[tuple[Kind, Severity]] = field(default_factory=Counter)  # those that began to fire
    weights: Mapping[str, float] = field(default_factory=dict)  # by account, of the last cycle, the venue's units
    backlog: Mapping[str, int] | None = None  # by channel, messages in the outbox after the last cycle
    _completed: float | None = None  # monotonic

    def completed(self, report: CycleReport, took: float, weights: Mapping[str, float]) -> None:
        self.report, self.weights = report, weights
        self.completed_at, self._completed = self.clock.now(), self.clock.monotonic()
        self.cycles[COMPLETED] += 1
        self.unrecorded += report.store_error is not None
        self.took += took
        self.durations[bisect_left(DURATIONS, took)] += 1
        self.orders.update(str(order["outcome"]) for order in report.orders())
        self.orders["refused"] += len(report.decision.refused)
        for alert in report.alerts:
            if alert.state is AlertState.FIRING and alert.fired_at == report.assessment.now:
                self.alerts[alert.kind, alert.severity] += 1

    def failed(self) -> None:
        self.cycles[FAILED] += 1

    def silent_for(self) -> float | None:
        """Seconds since a cycle was completed; None: none was."""
        return None if self._completed is None else self.clock.monotonic() - self._completed

    def fresh(self) -> CycleReport | None:
        """The last completed cycle while it still says how things are."""
        silent = self.silent_for()
        return self.report if silent is not None and silent <= STALE_AFTER * self.every.total_seconds() else None
