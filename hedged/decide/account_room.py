"""What an account's collateral still carries: its positions at their largest, and what is free of initial margin.

Orders whose end is not known count as filled wherever that makes things worse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.assess.rates import rate_of
from hedged.estimate.liquidation import DEFAULT_TIERS, tier_for
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Intent, Side
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Derivatives, Read, Snapshot

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class AccountRoom:
    """An account before an order, in the quote currency; None: not known.

    `notional`: of its other positions together, each without its sign and at its largest. `available`: equity not
    bound as initial margin, what is on its way bound already. `margin_rate`: what an added position binds, a fraction
    of its value. Where a venue keeps several pools, equity and available are those of the tightest.
    """

    account: str
    equity: Decimal | None = None
    notional: Decimal | None = None
    available: Decimal | None = None
    margin_rate: Decimal = Decimal(1)


@dataclass(slots=True)
class UnderWay:
    """Contracts that orders may still trade, by instrument and side, positive: sent before, or approved just now."""

    buys: dict[InstrumentId, Decimal] = field(default_factory=dict)
    sells: dict[InstrumentId, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, intents: Iterable[Intent]) -> UnderWay:
        orders = cls()
        for intent in intents:
            orders.add(intent)
        return orders

    def add(self, intent: Intent) -> None:
        """Whole, whatever is filled of it: nobody knows whether the position that was read shows that already."""
        side = self.buys if intent.side is Side.BUY else self.sells
        side[intent.instrument] = side.get(intent.instrument, ZERO) + intent.quantity

    def worst(self, instrument: InstrumentId, held: Decimal, side: Side) -> Decimal:
        """Signed contracts once all orders of that side are filled and none of the other."""
        orders = self.buys if side is Side.BUY else self.sells
        return held + side.sign * orders.get(instrument, ZERO)

    def largest(self, instrument: InstrumentId, held: Decimal) -> Decimal:
        """Contracts without sign: the larger of what either side alone would leave."""
        return max(abs(self.worst(instrument, held, side)) for side in Side)


def account_room(intent: Intent, snapshot: Snapshot, policy: PortfolioPolicy, orders: UnderWay) -> AccountRoom | None:
    """What is left on the account that `intent` trades on, before it; `orders` are those before it.

    None where it opens nothing, and at a broker, whose margin nobody reads.
    """
    instrument = snapshot.instruments[intent.instrument]
    if intent.reduce_only or instrument.by_hand:
        return None
    account = instrument.account
    derivatives = fresh_derivatives(account, snapshot, policy.thresholds.stale_after)
    if derivatives is None or derivatives.margin is None:
        return AccountRoom(account)
    margin = derivatives.margin
    held = {position.instrument: position.contracts for position in derivatives.positions}
    names = {name for name in (*held, *orders.buys, *orders.sells) if name.partition(":")[0] == account}
    others: Decimal | None = ZERO
    bound: Decimal | None = ZERO
    for name in sorted(names):
        contracts = held.get(name, ZERO)
        now, largest = (_value(name, size, snapshot, policy) for size in (contracts, orders.largest(name, contracts)))
        if now is None or largest is None:
            others, bound = None if name != instrument.id else others, None
            continue
        if name != instrument.id and others is not None:
            others += largest
        if bound is not None:
            bound += max(largest - now, ZERO) * margin_rate(
                snapshot.instruments[name], largest, margin.leverage, policy
            )
    contracts = orders.largest(instrument.id, held.get(instrument.id, ZERO)) + intent.quantity
    size = _value(instrument.id, contracts, snapshot, policy)
    return AccountRoom(
        account,
        equity=margin.equity,
        notional=others,
        available=None if margin.available is None or bound is None else margin.available - bound,
        margin_rate=margin_rate(instrument, size or ZERO, margin.leverage, policy),
    )


def fresh_derivatives(account: str, snapshot: Snapshot, stale_after: timedelta) -> Derivatives | None:
    """An account's positions and margin, if they may be traded on."""
    view = snapshot.accounts.get(account)
    leg = view.derivatives if view is not None else None
    return leg.value if isinstance(leg, Read) and is_fresh(leg.as_of, snapshot.now, stale_after) else None


def is_fresh(as_of: datetime, now: datetime, stale_after: timedelta) -> bool:
    return now - as_of <= stale_after


def margin_rate(
    instrument: Instrument, notional: Decimal, leverage: Decimal | None, policy: PortfolioPolicy
) -> Decimal:
    """Initial margin as a fraction of value: by the leverage in use where it is told, and never more than the tier's.

    What a venue's account is set to is rarely told: then the tier's is the least that is bound, and the venue has the
    last word.
    """
    tiers = instrument.tiers or policy.tiers.get(instrument.id) or DEFAULT_TIERS
    most = tier_for(notional, tiers)[0].leverage_max
    return 1 / (most if leverage is None else min(most, leverage))


def _value(name: InstrumentId, contracts: Decimal, snapshot: Snapshot, policy: PortfolioPolicy) -> Decimal | None:
    """Without sign, at the mark, in the quote currency; None: not known. Nothing is worth 0 whatever its price."""
    if not contracts:
        return ZERO
    instrument, quote = snapshot.instruments.get(name), snapshot.quotes.get(name)
    rate = rate_of(instrument, snapshot, policy) if instrument is not None else None
    if instrument is None or rate is None or not isinstance(quote, Read):
        return None
    if not is_fresh(quote.as_of, snapshot.now, policy.thresholds.stale_after):
        return None
    return abs(instrument.notional(contracts, quote.value.mark)) * rate
