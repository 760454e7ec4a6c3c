"""An order that waits for a person's word, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from hedged.model.instrument import InstrumentId
from hedged.model.trade import Purpose, Side


class Verdict(StrEnum):
    """How a proposal stands. Only `APPROVED` lets an order through, and only once."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    USED = "used"  # an order was sent on it
    EXPIRED = "expired"
    REPLACED = "replaced"  # by a newer one, before anybody answered


@dataclass(frozen=True, slots=True)
class Proposal:
    """What hedged would trade, with its numbers. `quantity` is in contracts and positive, as in `Intent`."""

    id: str  # short, for people: eight lowercase hex digits
    hedge: str
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal  # the mark it was decided on
    notional: Decimal  # quote currency, positive
    reduce_only: bool
    purpose: Purpose
    reason: str
    made_at: datetime
    expires_at: datetime
    verdict: Verdict = Verdict.OPEN
    decided_at: datetime | None = None
    decided_by: str | None = None  # "cli", "mqtt", "telegram 12345" …
    client_order_id: str | None = None  # of the order that used it
    ended_because: str | None = None  # why it was rejected, expired or replaced

    def holds(self, now: datetime) -> bool:
        """Whether its time has come and not passed; a clock that was put back makes no old one young again."""
        return self.made_at <= now < self.expires_at

    @property
    def digest(self) -> str:
        """What a person approves: any number that differs gives another one. 64 lowercase hex digits."""
        said = "|".join(
            (
                self.id,
                self.hedge,
                self.instrument,
                self.side.value,
                str(self.quantity),
                str(self.price),
                str(self.notional),
                str(self.reduce_only),
                self.purpose.value,
                self.made_at.isoformat(),
                self.expires_at.isoformat(),
            )
        )
        return hashlib.sha256(said.encode()).hexdigest()
