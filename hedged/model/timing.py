"""When a hedge is wanted at all: always, in windows, while a signal says so; and what a person has set by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Window:
    """From `begin` (None: since ever) up to `end` (None: for ever)."""

    begin: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recurring:
    """From every time that a crontab line names (five fields, UTC), for so long."""

    crontab: str
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class Insurance:
    """Hedged inside any of these, and not outside."""

    windows: tuple[Window, ...] = ()
    recurring: tuple[Recurring, ...] = ()


class Measure(StrEnum):
    """What a signal looks at, as a change over some days of closes."""

    RELATIVE_STRENGTH = "relative-strength"  # of ln(basket / BTC): altcoins losing ground
    TREND = "trend"  # of ln(basket)


@dataclass(frozen=True, slots=True)
class Signal:
    """Hedged once the change over `days` falls below `on_below`, until it rises above `off_above`.

    Each state is kept for `min_hold` at least. Changes are natural logarithms: −0.05 is a fall of 4.9 %.
    """

    measure: Measure = Measure.RELATIVE_STRENGTH
    days: int = 30
    on_below: Decimal = Decimal("-0.05")
    off_above: Decimal = Decimal("0.05")
    min_hold: timedelta = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class SignalState:
    on: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Override:
    """A target ratio that a person has set, which expires by itself; `until` None: only a person ends it."""

    ratio: Decimal
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until
