"""What keeps an alert quiet although it fires: a person's word, or another alert that explains it. Pure.

Nothing keeps quiet about `protected` alerts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hedged.model.alert import Acknowledgement, Alert, AlertState, Silence
from hedged.model.finding import Kind, Severity

PROTECTED = frozenset({Kind.PAUSED, Kind.PAUSED_DUE, Kind.HALTED, Kind.DATA_STALE})
PROTECTED_WHEN_CRITICAL = frozenset({Kind.MARGIN, Kind.MARGIN_ODDS, Kind.LIQUIDATION_NEAR})

OF_ITS_HEDGE: Mapping[Kind, frozenset[Kind]] = {Kind.DRIFT: frozenset({Kind.DATA_STALE, Kind.DATA_MISSING})}
"""Kinds that are explained by another of the same subject: a hedge whose data is missing has old figures."""

OF_ALL: Mapping[Kind, frozenset[Kind]] = {
    Kind.PROPOSAL: frozenset({Kind.PAUSED, Kind.HALTED}),
    Kind.ORDER_REFUSED: frozenset({Kind.PAUSED, Kind.HALTED}),
    Kind.ORDER_REJECTED: frozenset({Kind.PAUSED, Kind.HALTED}),
}
"""Kinds that are explained by another of whatever subject: while orders are stopped none is sent."""


@dataclass(frozen=True, slots=True)
class Attention:
    """What people have said, and what has reached them, as far as this cycle knows."""

    silences: Sequence[Silence] = ()
    acknowledgements: Mapping[str, Acknowledgement] = field(default_factory=dict)  # by event id
    reached: frozenset[str] = frozenset()  # ids of messages that a channel's other end has confirmed


def protected(alert: Alert) -> bool:
    """It is told whatever anybody said."""
    return alert.kind in PROTECTED or (alert.severity is Severity.CRITICAL and alert.kind in PROTECTED_WHEN_CRITICAL)


def covers(pattern: str, key: str) -> bool:
    """Whether a silence's pattern names this key; `*` stands for anything, all else for itself."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), key, re.DOTALL) is not None


def silenced_by(alert: Alert, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """The silence that holds its messages back. One that seems to begin later was made before the clock was set back:
    it is over.
    """
    if protected(alert):
        return None
    return next(
        (each for each in silences if each.made_at <= now < each.ends_at and covers(each.pattern, alert.key)), None
    )


def acknowledged(
    alert: Alert, acknowledgements: Mapping[str, Acknowledgement], now: datetime
) -> Acknowledgement | None:
    """The word of a person who has seen it as severe as it is, and whose rest from it is not over."""
    said = acknowledgements.get(alert.event_id)
    if said is None or (alert.risen_at is not None and said.at < alert.risen_at):
        return None
    return said if said.until is None or said.at <= now < said.until else None


def inhibited_by(alert: Alert, firing: Collection[tuple[Kind, str]]) -> tuple[Kind, str] | None:
    """Kind and subject of what fires and explains it."""
    if protected(alert):
        return None
    of_all, of_its_hedge = OF_ALL.get(alert.kind, ()), OF_ITS_HEDGE.get(alert.kind, ())
    for kind, subject in firing:
        if kind in of_all or (kind in of_its_hedge and subject == alert.subject):
            return kind, subject
    return None


def firing_now(alerts: Iterable[Alert]) -> list[tuple[Kind, str]]:
    """Those that explain others, as far as they fire."""
    explaining = frozenset().union(*OF_ITS_HEDGE.values(), *OF_ALL.values())
    return [(each.kind, each.subject) for each in alerts if each.state is AlertState.FIRING and each.kind in explaining]
