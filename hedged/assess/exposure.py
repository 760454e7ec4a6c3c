"""Net exposure per asset: everything held, less everything owed, plus positions that hedge nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedged.model.instrument import Instrument, InstrumentId, bundle
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Position, Snapshot, seen

ZERO = Decimal(0)
_ONE = Decimal(1)


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
    """Coins per asset as they count (`coin_of`): free + locked + off-exchange − debt + the delta of positions not in
    `owned`.

    Ignored assets and cash (the quote, stablecoins) are left out. What is missing now is taken as last seen, so that
    it can be shown; whether it may be traded on is decided elsewhere.
    """
    totals: dict[str, NetQuantity] = {}
    ignore, cash = policy.ignore, cash_assets(policy)

    def total(asset: str, *, contract: bool = False) -> tuple[NetQuantity, Decimal] | None:
        if asset in ignore:  # by the name the venue uses, too
            return None
        name, coins = (coin_of_contract if contract else coin_of)(asset, snapshot, policy)
        if name in ignore or name in cash:
            return None
        return totals.setdefault(name, NetQuantity()), coins

    for account in snapshot.accounts.values():
        for leg in account.wallets.values():
            balances = seen(leg)
            if balances is None:
                continue
            for balance in balances.value:
                net = balance.net
                if net and (entry := total(balance.asset)) is not None:
                    entry[0].add(net * entry[1], balances.as_of)
    for holding in policy.holdings:
        if (entry := total(holding.asset)) is not None:
            entry[0].add_holding(holding.quantity * entry[1], holding.as_of)
    for position, as_of in positions_of(snapshot):
        if position.instrument in owned:
            continue
        instrument = snapshot.instruments.get(position.instrument)
        delta = delta_of(instrument, position) if instrument is not None else None
        if instrument is None or delta is None:
            continue
        if (entry := total(instrument.base, contract=True)) is not None:
            entry[0].add(delta * entry[1], as_of)
    return totals


_ALIKE = (Decimal("0.5"), Decimal(2))


def alias_rate(asset: str, snapshot: Snapshot, policy: PortfolioPolicy) -> Decimal | None:
    """How many of the coin that it stands for one of an alias is worth; None where either has no price."""
    prices = [snapshot.prices.get(name) for name in (asset, policy.aliases[asset])]
    own, other = (None if leg is None else seen(leg) for leg in prices)
    return own.value / other.value if own is not None and other is not None and other.value else None


def is_alike(rate: Decimal) -> bool:
    """Whether an alias may be worth that: a staked or wrapped coin has gained some years' interest, not a multiple."""
    return _ALIKE[0] <= rate <= _ALIKE[1]


def coin_of(asset: str, snapshot: Snapshot, policy: PortfolioPolicy) -> tuple[str, Decimal]:
    """The coin that one of `asset` counts as, and how many of it.

    An alias counts as what it is worth by the market, since a staked coin may have gained on the one that it stands
    for; one to one where it has no price of its own, or one that cannot be its own.
    """
    name = policy.aliases.get(asset, asset)
    if name == asset or name in cash_assets(policy):
        return name, _ONE
    rate = alias_rate(asset, snapshot, policy)
    return name, rate if rate is not None and is_alike(rate) else _ONE


def coin_of_contract(base: str, snapshot: Snapshot, policy: PortfolioPolicy) -> tuple[str, Decimal]:
    """The same for the base of a contract: 1000PEPE counts as a thousand PEPE, unless a coin is named like that."""
    named = {*policy.aliases, *(asset for hedge in policy.hedges for asset in hedge.assets)}
    own = snapshot.prices.get(base)
    coin, times = bundle(base)
    if base in named or (own is not None and seen(own) is not None) or coin not in {*named, *snapshot.prices}:
        return coin_of(base, snapshot, policy)
    name, coins = coin_of(coin, snapshot, policy)
    return name, coins * times


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
