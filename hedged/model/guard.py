"""What the guard remembers from cycle to cycle to notice that orders and their effect have come apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedged.model.instrument import InstrumentId

UNFOLLOWED_KEPT = 100  # moments an instrument


@dataclass(frozen=True, slots=True)
class Expected:
    """Filled orders on one instrument: contracts held before, by how many they change it, both signed, and when."""

    before: Decimal
    by: Decimal
    at: datetime
    looks: int = 0  # readings since that did not show it


@dataclass(frozen=True, slots=True)
class EquitySample:
    at: datetime
    equity: Decimal  # quote currency


@dataclass(frozen=True, slots=True)
class MarkSeen:
    """The last price that was believed, and one that jumped away from it and waits for a second reading."""

    price: Decimal
    at: datetime
    pace: Decimal = Decimal(0)  # of a jump that was confirmed, a fraction a reading; 0: it moves within the collar
    jumped_to: Decimal | None = None
    jumped_at: datetime | None = None
    swing: Decimal = Decimal(0)  # the widest step between two readings since `price`, a fraction of the lower
    refused: int = 0  # readings in a row that were not believed


@dataclass(frozen=True, slots=True)
class GuardMemory:
    """All JSON-able, part of a cycle's memory."""

    expected: Mapping[InstrumentId, Expected] = field(default_factory=dict)  # not seen in the position yet
    unfollowed: Mapping[InstrumentId, tuple[datetime, ...]] = field(default_factory=dict)  # when in a row it did not
    equity: Mapping[str, tuple[EquitySample, ...]] = field(default_factory=dict)  # by account, a day, oldest first
    marks: Mapping[InstrumentId, MarkSeen] = field(default_factory=dict)  # of the past minutes, see `decide.jumps`
    prices: Mapping[str, MarkSeen] = field(default_factory=dict)  # of coins, by asset, likewise
