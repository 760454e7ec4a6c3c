"""Many pieces of news about one kind of alert as one message, no more often than once an interval. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hedged.model.alert import Alert, MessageKind
from hedged.model.finding import Kind, Severity

AT_ONCE = frozenset({MessageKind.FIRING, MessageKind.ESCALATED, MessageKind.UNCONFIRMED})
OVER = frozenset({MessageKind.PASSED, MessageKind.REMOVED, MessageKind.RESOLVED})


@dataclass(frozen=True, slots=True)
class News:
    """What there is to say of one alert. `order`: what was ordered about it; `unknown`: its data is missing now."""

    alert: Alert
    kind: MessageKind
    order: str | None = None
    unknown: bool = False

    @property
    def urgent(self) -> bool:
        return self.alert.severity is Severity.CRITICAL and self.kind in AT_ONCE


def due_groups(
    news: Iterable[News], last_told: Mapping[Kind, datetime], interval: timedelta, now: datetime
) -> Iterator[tuple[list[News], bool]]:
    """Each kind's news, what still stands and is most severe first, and whether they go now or are held back."""
    groups: dict[Kind, list[News]] = {}
    for each in news:
        groups.setdefault(each.alert.kind, []).append(each)
    for kind, group in groups.items():
        group.sort(key=lambda each: (each.kind in OVER, -each.alert.severity.rank))
        rested = kind not in last_told or now - last_told[kind] >= interval
        yield group, rested or any(each.urgent for each in group)
