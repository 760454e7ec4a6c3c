"""Net exposure per asset: everything held, less everything owed, plus positions that hedge nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Position, Snapshot, seen

ZERO = Decimal(0)


@dataclass(slots=True)
class NetQuantity:
    """Coins of one asset, all places together, and the oldest reading they rest on."""

    quantity: Decimal = ZERO
    as_of: datetime | None = None
    readings: list[datetime] = field(default_factory=list)  # of exchange data only, for the skew

    def add(self, quantity: Decimal, as_of: datetime) -> None:
        self.quantity += quantity
        self.readings.append(as_of)
        self._older(as_of)

    def add_holding(self, quantity: Decimal, as_of: datetime) -> None:
        """Off-exchange coins: their date is the user's, so it says nothing about torn readings."""
        self.quantity += quantity
        self._older(as_of)

    def _older(self, as_of: datetime) -> None:
        if self.as_of is None or as_of < self.as_of:
            self.as_of = as_of


def positions_of(snapshot: Snapshot) -> Iterator[tuple[Position, datetime]]:
    """Every open position that could be seen, with the time it was read (old where the last read failed)."""
    for account in snapshot.accounts.values():
        derivatives = seen(account.derivatives) if account.derivatives is not None else None
        if derivatives is not None:
            for position in derivatives.value.positions:
                if position.contracts:
                    yield position, derivatives.as_of


def net_quantities(
    snapshot: Snapshot, policy: PortfolioPolicy, owned: Mapping[InstrumentId, str] | frozenset[InstrumentId]
) -> dict[str, NetQuantity]:
    """Coins per asset after aliases: free + locked + off-exchange − debt + the delta of positions not in `owned`.

    Ignored assets and cash (the quote, stablecoins) are left out. What is missing now is taken as last seen, so that
    it can be shown; whether it may be traded on is decided elsewhere.
    """
    totals: dict[str, NetQuantity] = {}
    aliases, ignore, cash = policy.aliases, policy.ignore, cash_assets(policy)

    def total(asset: str) -> NetQuantity | None:
        if asset in ignore:  # by the name the venue uses, too
            return None
        name = aliases.get(asset, asset)
        if name in ignore or name in cash:
            return None
        found = totals.get(name)
        if found is None:
            found = totals[name] = NetQuantity()
        return found

    for account in snapshot.accounts.values():
        for leg in account.wallets.values():
            balances = seen(leg)
            if balances is None:
                continue
            for balance in balances.value:
                net = balance.net
                if net and (entry := total(balance.asset)) is not None:
                    entry.add(net, balances.as_of)
    for holding in policy.holdings:
        if (entry := total(holding.asset)) is not None:
            entry.add_holding(holding.quantity, holding.as_of)
    for position, as_of in positions_of(snapshot):
        if position.instrument in owned:
            continue
        instrument = snapshot.instruments.get(position.instrument)
        delta = delta_of(instrument, position) if instrument is not None else None
        if instrument is not None and delta is not None and (entry := total(instrument.base)) is not None:
            entry.add(delta, as_of)
    return totals


def delta_of(instrument: Instrument, position: Position) -> Decimal | None:
    """Coins that a position moves like, signed. An inverse one of face value N entered at P0 moves like N / P0.

    That is the delta beside the coin wallet's balance *without* unrealised PnL, which is what adapters report; with
    the marked equity it would be N / mark, and mixing the two counts the PnL twice.
    """
    if instrument.linear:
        return instrument.base_quantity(position.contracts, ZERO)
    if not position.entry_price:
        return None
    return instrument.base_quantity(position.contracts, position.entry_price)


def cash_assets(policy: PortfolioPolicy) -> frozenset[str]:
    """What counts as cash: the quote currency, the US dollar and stablecoins."""
    return policy.stablecoins | {policy.quote}


def mark_of(snapshot: Snapshot, instrument: InstrumentId) -> Decimal | None:
    """The mark as last seen, in the instrument's quote currency."""
    leg = snapshot.quotes.get(instrument)
    quote = seen(leg) if leg is not None else None
    return quote.value.mark if quote is not None else None
