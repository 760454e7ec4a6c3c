"""Rolling a short from the near contract to the far one: when, how much of it each day, and what the basis is worth.

A roll is a pair: the near leg is bought back and the far leg sold together. Contracts are positive numbers here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from hedged.model.instrument import round_down

DAYS_A_YEAR = Decimal(365)
ROLL_DAYS = (4, 3, 2)
"""Whole days before expiry on which a third each is rolled, as the CF benchmarks' index does."""


@dataclass(frozen=True, slots=True)
class RollPair:
    """Near contracts to buy back and far contracts to sell, together."""

    near: Decimal
    far: Decimal


def annualised_basis(future: Decimal, spot: Decimal, days: Decimal) -> Decimal:
    """(F/S − 1)·365/days, a fraction a year; > 0: a short earns it by expiry. 3030 over 3000 for 30 days: 0.121667."""
    if not (spot > 0 and days > 0):
        raise ValueError("spot and days must be above 0")
    return (future / spot - 1) * DAYS_A_YEAR / days


def rolled_share(now: datetime, expiry: datetime, days: Sequence[int] = ROLL_DAYS) -> Fraction:
    """How much of the near leg should have been rolled by `now`: equal parts, each due `days` × 24 h before expiry.

    0 before the first of the days, 1 from the last of them on; a day that was missed is caught up with.
    """
    if not days:
        raise ValueError("a roll takes at least one day")
    return Fraction(sum(1 for day in days if now >= expiry - timedelta(days=day)), len(days))


def roll_pair(
    *,
    near_at_start: Decimal,
    near_held: Decimal,
    far_opened: Decimal,
    share: Fraction,
    coins_ratio: Decimal,
    near_lot: Decimal,
    far_lot: Decimal,
) -> RollPair:
    """The pair that brings a roll to `share` of what was held at its start; nothing where it is there.

    `far_opened`: far contracts sold by this roll so far; `coins_ratio` = coins of a near contract / coins of a far one.
    Whole lots: the near leg is rounded down, except that the last part takes all that is left; the far leg is rounded
    to the lot nearest to the whole of what was bought back, so that both together are off by half a far lot at most.
    """
    due = near_at_start * share.numerator / share.denominator - (near_at_start - near_held)
    near = near_held if share >= 1 else round_down(max(due, Decimal(0)), near_lot)
    replaced = (near_at_start - near_held + near) * coins_ratio
    far = (replaced / far_lot).to_integral_value(ROUND_HALF_UP) * far_lot - far_opened
    return RollPair(near, max(far, Decimal(0)))
