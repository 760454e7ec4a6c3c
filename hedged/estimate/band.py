"""Where in the no-trade band a hedge stands, and how far back it has to go. Ratios are in units of the hedge ratio."""

from __future__ import annotations

from decimal import Decimal

# Ratios are quotients of 28 digits: a hedge traded exactly to its edge must not be found a last digit outside it.
ROUNDING = Decimal("1e-12")


def is_outside(drift: Decimal, band: Decimal) -> bool:
    """Whether a hedge has left its band; on the edge it has not."""
    return abs(drift) > band + ROUNDING


def ratio_to_reach(actual: Decimal, target: Decimal, band: Decimal, inner: Decimal | None = None) -> Decimal | None:
    """The hedge ratio to trade to: the nearest edge of the band, or None on or inside it.

    Only to the edge: the last few points cost fees and remove next to no risk (Leland 1996; Whalley, Wilmott 1997).
    `inner` is the edge to stop at where orders cost something whatever their size; else the band itself.
    """
    edge = band if inner is None else inner
    nearest = min(max(actual, target - edge), target + edge)
    return nearest if is_outside(actual - target, band) else None


def effective_band(band: Decimal, order_min_value: Decimal, exposure: Decimal) -> Decimal:
    """The half-width that can be held with whole lots: at least the smallest order as a fraction of `exposure` > 0.

    A narrower band would ask for an order that jumps over it.
    """
    return max(band, order_min_value / exposure)
