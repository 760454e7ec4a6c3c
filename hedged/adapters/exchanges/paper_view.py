"""What a paper account saw of the market at one look, and what its positions are worth by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hedged.errors import Unreadable
from hedged.estimate.liquidation import DEFAULT_TIERS
from hedged.estimate.margin_account import MarginAccount, Tiers
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read


@dataclass(frozen=True, slots=True)
class View:
    """Listing and quotes as of `now`, for the paper account named `account`."""

    account: str
    now: datetime
    instruments: Mapping[InstrumentId, Instrument]
    quotes: Mapping[InstrumentId, Read[Quote]]

    def marks(self, account: MarginAccount) -> dict[InstrumentId, Decimal]:
        """The mark of every open position. Raises `Unreadable` if one is missing: equity is then unknown."""
        missing = [instrument for instrument in account.positions if instrument not in self.quotes]
        if missing:
            raise Unreadable(self.account, "paper positions", f"no mark price for {', '.join(missing)}")
        return {instrument: self.quotes[instrument].value.mark for instrument in account.positions}

    def index(self, instrument: InstrumentId) -> Read[Decimal]:
        """What the contract would be settled at: its index, or its mark where no index is told."""
        read = self.quotes[instrument]
        return Read(read.value.mark if read.value.index is None else read.value.index, read.as_of)

    def tiers_of(self, instrument: InstrumentId) -> tuple[MarginTier, ...]:
        """The venue's tiers, or the assumed ones where it tells none."""
        return self._told(instrument) or DEFAULT_TIERS

    def tiers(self, account: MarginAccount) -> Tiers:
        return {instrument: self.tiers_of(instrument) for instrument in account.positions}

    def estimated(self, account: MarginAccount) -> bool:
        """Whether any open position rests on assumed tiers."""
        return not all(self._told(instrument) for instrument in account.positions)

    def _told(self, instrument: InstrumentId) -> tuple[MarginTier, ...]:
        listed = self.instruments.get(instrument)
        return listed.tiers if listed else ()


def ended(end: datetime | None, now: datetime) -> bool:
    """Whether a contract with this end (None: it has none) exists no more."""
    return end is not None and end <= now
