"""What the next contract of a chain is worth against this one."""

from __future__ import annotations

from decimal import Decimal

DAYS_A_YEAR = Decimal(365)


def annualised_basis(future: Decimal, spot: Decimal, days: Decimal) -> Decimal:
    """(F/S − 1)·365/days, a fraction a year; > 0: a short earns it by expiry. 3030 over 3000 for 30 days: 0.121667."""
    if not (spot > 0 and days > 0):
        raise ValueError("spot and days must be above 0")
    return (future / spot - 1) * DAYS_A_YEAR / days
