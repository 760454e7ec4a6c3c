"""Contracts at a broker that hedged does not reach, as the user has entered them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.model.instrument import Instrument, InstrumentId


@dataclass(frozen=True, slots=True)
class BrokerContract:
    """A contract, and whose price it is followed by: an instrument's mark or, without a colon, a coin's spot price."""

    instrument: Instrument
    price_from: str


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """What is held there. `contracts` is signed: short is negative. `max_age` None: it never goes stale."""

    instrument: InstrumentId
    contracts: Decimal
    as_of: datetime
    entry_price: Decimal | None = None
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Broker:
    """Everything entered for one broker; `name` stands where an account's does in the names of its instruments."""

    name: str
    contracts: tuple[BrokerContract, ...]
    positions: tuple[BrokerPosition, ...] = ()
