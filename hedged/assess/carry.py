"""What holding a position costs at today's funding rate. Costs > 0 are paid, < 0 received."""

from __future__ import annotations

from decimal import Decimal

from hedged.model.snapshot import Quote

HOURS_A_YEAR = Decimal(8760)


def carry_year(notional: Decimal, quote: Quote) -> Decimal | None:
    """Quote currency a year for a position of signed `notional` (short negative); None: no funding rate known.

    Funding rate > 0: longs pay shorts, so a short receives. Annual = rate × 8760 / interval in hours.
    """
    if quote.funding_rate is None or not quote.funding_interval_hours:
        return None
    return notional * quote.funding_rate * HOURS_A_YEAR / quote.funding_interval_hours
