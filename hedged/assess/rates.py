"""What the currency that a contract is priced in is worth in the portfolio's. Never assumed, also between dollars."""

from __future__ import annotations

from decimal import Decimal

from hedged.model.instrument import Instrument
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Quote, Read, Snapshot, seen

DOLLAR_OFF_MAX = Decimal("0.25")
"""How far two dollars may be apart and still be believed: USDC was at 0.88 for hours in March 2023."""

INDEX_OFF_MAX = Decimal("0.1")
"""How far a contract's index may be from its mark and still be taken for the same coin's price."""


def rate_of(instrument: Instrument, snapshot: Snapshot, policy: PortfolioPolicy) -> Decimal | None:
    """Units of the portfolio's quote for one of the currency that `instrument` is priced in; None: nobody tells.

    Its market price where there is one. Else what the contract's coin costs over the contract's own index, which is
    the same coin's price in the contract's currency: few venues trade dollars against stablecoins, and all of them
    tell what their coin-margined contracts follow. One that cannot be right is None: every order is sized by it.
    """
    if instrument.quote == policy.quote:
        return Decimal(1)
    rate = _told(instrument, snapshot)
    dollars = instrument.quote in policy.stablecoins and policy.quote in policy.stablecoins
    if rate is None or rate <= 0 or (dollars and abs(rate - 1) > DOLLAR_OFF_MAX):
        return None
    return rate


def _told(instrument: Instrument, snapshot: Snapshot) -> Decimal | None:
    leg = snapshot.prices.get(instrument.quote)
    price = seen(leg) if leg is not None else None
    if price is not None:
        return price.value
    quoted, priced = snapshot.quotes.get(instrument.id), snapshot.prices.get(instrument.base)
    if not isinstance(quoted, Read) or not isinstance(priced, Read):
        return None
    return rate_by_index(priced.value, quoted.value)


def rate_by_index(coin: Decimal | None, quote: Quote) -> Decimal | None:
    """What the contract's currency is worth, by what its coin costs in the portfolio's and in its own index."""
    if coin is None or not quote.index or abs(quote.mark / quote.index - 1) > INDEX_OFF_MAX:
        return None
    return coin / quote.index
