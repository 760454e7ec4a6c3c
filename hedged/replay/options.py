"""What the user asks of a replay, without the libraries that carry it out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_FREQUENCY = re.compile(r"(?P<count>[1-9]\d{0,4})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class BarTime(StrEnum):
    """What a row's stamp is: the opening of its bar (the close is known one step later) or its close."""

    OPEN = "open"
    CLOSE = "close"


def parse_frequency(text: str) -> timedelta:
    """`1d`, `4h`, `15m` … Raises `ValueError` with what is allowed."""
    match = _FREQUENCY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no frequency: expected a whole number and s, m, h, d or w, such as 1d or 4h")
    return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})


def parse_moment(text: str) -> datetime:
    """A date or an ISO 8601 time; without a zone it is UTC. Raises `ValueError` with what is allowed."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: expected 2021-01-31 or 2021-01-31T08:00:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
