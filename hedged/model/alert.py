"""What people are told: the life of an alert, and the message made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hedged.model.finding import Kind, Scalar, Severity


class AlertState(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class MessageKind(StrEnum):
    FIRING = "firing"
    REPEAT = "repeat"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    REMOVED = "removed"
    ORDER = "order"
    UNCONFIRMED = "unconfirmed"  # critical, and nobody has acknowledged it
    DIGEST = "digest"  # of no alert: how everything stands
    TEST = "test"
    PASSED = "passed"  # it came and went before its group's next message


@dataclass(frozen=True, slots=True)
class Alert:
    """One finding's life. `event_id` stays the same from firing to resolved, and across a quick reopening."""

    key: str  # kind/subject, no number in it
    kind: Kind
    subject: str
    severity: Severity
    state: AlertState
    event_id: str
    text: str
    values: Mapping[str, Scalar] = field(default_factory=dict)
    since: datetime | None = None  # first seen in this life
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    told_at: datetime | None = None  # last message about it
    told_severity: Severity | None = None
    closed_as: str | None = None  # "resolved" or "removed"
    lower_since: datetime | None = None  # since then it was found less severe than `severity` says
    risen_at: datetime | None = None  # when people were first told its present severity
    owed: MessageKind | None = None  # its group was told too recently: said with the group's next message
    told_in: str | None = None  # id of the last message about it: its own event id, or that of a group's message
    told_before: tuple[str, ...] = ()  # ids of earlier messages of groups about it, the last of them at the end
    further_at: datetime | None = None  # since then the further channels are told too


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says of one alert."""

    event_id: str
    key: str
    kind: MessageKind
    severity: Severity


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell, the same for every channel: of one alert under its event id, or of a group's under its own."""

    event_id: str
    kind: MessageKind
    key: str
    severity: Severity
    title: str
    body: str
    at: datetime
    values: Mapping[str, Scalar] = field(default_factory=dict)
    portfolio: str = ""
    world: str = ""  # simulated, paper or real: never to be mistaken for each other
    alerts: tuple[Told, ...] = ()  # each that it speaks of
    further: bool = False  # to the further channels as well
    html: str | None = None  # a template's; else it is made of title and body
    republished: bool = False  # told before under the same event id, and told again to who may have missed it
    link: str | None = None  # where all of it can be read, if there is such a page; without any secret

    @property
    def event_ids(self) -> frozenset[str]:
        """Every event that it speaks of, and its own id."""
        return frozenset({self.event_id, *(told.event_id for told in self.alerts)})


@dataclass(frozen=True, slots=True)
class Event:
    """What is kept under one event id: its alert, or those of a message about several; and what was said of them, the
    oldest first.
    """

    alerts: tuple[Alert, ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message on its way to one channel."""

    id: int
    channel: str
    message: Message
    attempts: int
    next_try_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far one message got on one channel."""

    message_id: str
    channel: str
    kind: MessageKind
    at: datetime  # of the message
    attempts: int  # in vain
    delivered_at: datetime | None = None  # None: it is on its way
    error: str | None = None  # of the last attempt, where it is on its way


@dataclass(frozen=True, slots=True)
class Silence:
    """While it lasts nothing is told of alerts whose key its pattern covers (`*` stands for anything)."""

    id: str
    pattern: str
    made_at: datetime
    ends_at: datetime
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A person has taken notice of an event: it is not repeated, until its end or until the time given."""

    event_id: str
    by: str
    at: datetime
    until: datetime | None = None
