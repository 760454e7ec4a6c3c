"""What a decision has to know of orders before it: of the past, on their way, at rest, proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedged.model.instrument import InstrumentId
from hedged.model.order import Intent
from hedged.model.proposal import Proposal
from hedged.model.trade import Side

Taken = tuple[InstrumentId, Side]
"""A contract and the side of an order that takes from its book."""


@dataclass(frozen=True, slots=True)
class Book:
    """What has been traded and is on its way. `cycle_id` names this cycle's orders."""

    cycle_id: str
    turnover_day: Decimal = Decimal(0)  # quote currency, since midnight UTC, orders in flight included
    orders_minute: int = 0  # sent within the last minute
    in_flight: frozenset[InstrumentId] = frozenset()  # an order there has not come to an end
    unseen: frozenset[InstrumentId] = frozenset()  # the fill of an order there does not show in the position yet
    orders_allowed: bool = True  # False: the store cannot keep an order, so none is made
    stopped: str | None = None  # why orders are paused or halted
    orders_day: int = 0  # sent within the last 24 hours
    open_orders: tuple[Intent, ...] = ()  # of every account, whose end nobody knows yet
    marks: Mapping[InstrumentId, Decimal] = field(default_factory=dict)  # last believed, see `decide.jumps`
    prices: Mapping[str, Decimal] = field(default_factory=dict)  # of coins, by asset, likewise
    again: Mapping[InstrumentId, Intent] = field(default_factory=dict)  # found absent: its id is used once more
    proposals: tuple[Proposal, ...] = ()  # open, approved, and recently rejected
    proposing: bool = True  # False: only a look, nothing new is put to a person
    proven: frozenset[InstrumentId] = frozenset()  # where a real order has been filled already
    resting: frozenset[InstrumentId] = frozenset()  # a passive order is known to wait in the book there
    crossing: frozenset[InstrumentId] = frozenset()  # a passive order there had its time: the next one takes
    waiting: Mapping[Taken, datetime] = field(default_factory=dict)  # no takers there, until then none is sought
