"""What the currency that a contract is priced in is worth in the portfolio's. Never assumed, also between dollars."""

from __future__ import annotations

from decimal import Decimal

from hedged.model.instrument import Instrument
from hedged.model.snapshot import Read, Snapshot, seen


def rate_of(instrument: Instrument, snapshot: Snapshot, quote: str) -> Decimal | None:
    """Units of `quote` for one unit of the currency that `instrument` is priced in; None: nobody tells.

    Its market price where there is one. Else what the contract's coin costs in `quote` over the contract's own index,
    which is the same coin's price in the contract's currency: few venues trade dollars against stablecoins, and all
    of them tell what their coin-margined contracts follow.
    """
    if instrument.quote == quote:
        return Decimal(1)
    leg = snapshot.prices.get(instrument.quote)
    price = seen(leg) if leg is not None else None
    if price is not None:
        return price.value
    quoted, priced = snapshot.quotes.get(instrument.id), snapshot.prices.get(instrument.base)
    if isinstance(quoted, Read) and isinstance(priced, Read) and quoted.value.index:
        return priced.value / quoted.value.index
    return None
