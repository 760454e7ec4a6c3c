"""What an order costs, before it is made."""

from __future__ import annotations

from decimal import Decimal

from hedged.model.instrument import InstrumentId
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Snapshot, seen

_BASIS_POINT = Decimal("0.0001")


def one_way_cost(instrument: InstrumentId, snapshot: Snapshot, policy: PortfolioPolicy) -> Decimal | None:
    """Fee, half the spread and slippage as a fraction of the notional; > 0 is paid. None: it is not listed.

    The book's spread where there is one, the configured one else; the venue's own fee goes before the configured.
    """
    listed, quoted = snapshot.instruments.get(instrument), snapshot.quotes.get(instrument)
    if listed is None:
        return None
    quote = seen(quoted) if quoted is not None else None
    spread = policy.paper.spread_bps * _BASIS_POINT
    if quote is not None and quote.value.bid is not None and quote.value.ask is not None:
        spread = (quote.value.ask - quote.value.bid) / quote.value.mark
    fee = policy.paper.fee_taker if listed.fee_taker is None else listed.fee_taker
    return fee + spread / 2 + policy.paper.slippage_bps * _BASIS_POINT
