"""What holds for every alert: how patient and how talkative it is, and what one cycle knows of all of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hedged.model.finding import Kind, Severity
from hedged.tell.quiet import Attention
from hedged.tell.templates import Template

QUIET = frozenset({Kind.DRIFT, Kind.ASSET_UNCOVERED, Kind.NO_EXPOSURE, Kind.CYCLE_MISSED, Kind.CYCLE_OVERRUN})
"""Kinds that hedged puts right by itself, or that are over as soon as they are seen."""

EVENTS = frozenset(
    {
        Kind.POSITION_CLOSED,
        Kind.POSITION_REDUCED,
        Kind.ORDER_RECOVERED,
        Kind.PROPOSAL,
        Kind.PROPOSAL_VOID,
        Kind.PROPOSAL_FILLED,
        Kind.FOREIGN_ORDER,
        Kind.COMMANDS_DROPPED,
    }
)
"""Kinds that happen rather than last: told when they happen, and never told to be over."""

SWITCHED = frozenset({Kind.PAUSED, Kind.PAUSED_DUE, Kind.HALTED, Kind.FENCED, Kind.RELOAD_REFUSED})
"""Kinds that somebody switches on and off: over as soon as they are, however often they come back."""

REPEAT: Mapping[Severity, timedelta] = {
    Severity.INFO: timedelta(hours=24),
    Severity.WARNING: timedelta(hours=4),
    Severity.CRITICAL: timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class AlertRules:
    """How patient and how talkative alerts are. Every severity needs a repeat interval."""

    hold: Mapping[Kind, timedelta] = field(default_factory=dict)  # `for`: pending this long first; absent: 0
    keep: Mapping[Kind, timedelta] = field(default_factory=dict)  # fires on for this long after it was found last
    repeat: Mapping[Severity, timedelta] = field(default_factory=lambda: dict(REPEAT))
    settle: timedelta = timedelta(hours=1)  # how long one that came back must stay away before it is over
    quiet: frozenset[Kind] = QUIET  # kinds that come back without a message within the repeat interval
    lower_after: timedelta = timedelta(minutes=10)  # how long it must be found less severe before it is
    group_interval: timedelta = timedelta(minutes=1)  # between two messages about one kind
    further_after: timedelta | None = None  # a critical one unacknowledged for so long goes to further channels
    confirm_within: timedelta | None = None  # and one that no channel has confirmed for so long; None: none can
    templates: Mapping[Kind, Template] = field(default_factory=dict)  # the user's own words
    group_template: Template | None = None  # and those for a message about several of one kind


@dataclass(frozen=True, slots=True)
class Cycle:
    """What is the same for every alert in one cycle."""

    undetermined: frozenset[str]
    configured: Callable[[Kind, str], bool]
    order_trouble: frozenset[str]
    rules: AlertRules
    now: datetime
    attention: Attention
    orders: Mapping[str, str]
