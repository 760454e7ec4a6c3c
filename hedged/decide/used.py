"""What a cycle's orders have used up of its limits, apart by what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from hedged.decide.account_room import UnderWay
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Intent
from hedged.model.policy import Mode
from hedged.model.proposal import Proposal

ZERO = Decimal(0)


class Way(Enum):
    """What becomes of an order that the gate lets through."""

    SENT = "sent"
    ASKED = "asked"  # put to a person, and decided anew should he approve it
    SHOWN = "shown"
    BY_HAND = "by hand"


@dataclass(slots=True)
class Used:
    """What this cycle's orders of one way have used up."""

    under_way: UnderWay
    turnover: Decimal = ZERO
    orders: int = 0
    traded: dict[InstrumentId, Decimal] = field(default_factory=dict)  # contracts, signed
    needs: dict[str, float] = field(default_factory=dict)  # account → equity bound by these orders

    def add(self, intent: Intent, need: float) -> None:
        self.turnover += intent.notional
        self.orders += 1
        self.traded[intent.instrument] = self.traded.get(intent.instrument, ZERO) + intent.signed_quantity
        account = intent.instrument.partition(":")[0]
        self.needs[account] = self.needs.get(account, 0.0) + need
        self.under_way.add(intent)


def way_of(mode: Mode, approval: Proposal | None, instrument: Instrument) -> Way:
    if instrument.by_hand:
        return Way.BY_HAND
    if mode is Mode.MONITOR:
        return Way.SHOWN
    return Way.ASKED if mode is Mode.APPROVE and approval is None else Way.SENT
