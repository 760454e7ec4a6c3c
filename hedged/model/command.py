"""A command from outside, by whatever way it came: what was asked, or why it is not done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Verb(StrEnum):
    """What may be allowed from outside. To resume is never among it: that takes a person at the machine."""

    ACK = "ack"
    SILENCE = "silence"
    PAUSE = "pause"
    APPROVE = "approve"
    REJECT = "reject"
    SET_RATIO = "set-ratio"


@dataclass(frozen=True, slots=True)
class Acknowledge:
    alert: str  # event id or key
    until: datetime | None = None  # told again from then on; None: not while it lasts


@dataclass(frozen=True, slots=True)
class SilenceAlerts:
    pattern: str
    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PauseOrders:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """To a proposal. `digest` is the proposal's own: what was seen is what is answered."""

    proposal: str
    digest: str
    approve: bool


@dataclass(frozen=True, slots=True)
class SetRatio:
    hedge: str
    ratio: Decimal | None  # None: the configured one again
    until: datetime | None = None  # None only without a ratio


Wish = Acknowledge | SilenceAlerts | PauseOrders | Answer | SetRatio


@dataclass(frozen=True, slots=True)
class Command:
    """Well-formed and in time. Whether its nonce is new, only the store can tell."""

    verb: Verb
    request: str  # the asker's own name for it, under which the reply goes out
    nonce: str
    expires: datetime
    wish: Wish


class Drop(StrEnum):
    """Why a command is not even considered."""

    RETAINED = "retained"  # the broker hands it to whoever subscribes, however old it is
    OVERSIZED = "oversized"
    NOT_ALLOWED = "not allowed"
    MISTYPED = "mistyped"
    EXPIRED = "expired"
    TOO_FAR_AHEAD = "too far ahead"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing was done. `request` and `nonce` as far as they could be read."""

    drop: Drop
    text: str
    request: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request, for whoever asked."""

    request: str
    verb: str
    ok: bool
    text: str
    at: datetime


class CommandOutcome(StrEnum):
    TAKEN = "taken"  # its nonce is used up; whether it was done is not known before it ends
    DONE = "done"
    REFUSED = "refused"  # understood, and not done
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One line of the audit. `data` is JSON-able."""

    at: datetime
    source: str  # "mqtt", "telegram"
    nonce: str | None
    verb: str
    outcome: CommandOutcome
    data: Mapping[str, object] = field(default_factory=dict)
