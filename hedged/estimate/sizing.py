"""From values to contracts. Every quantity is in contracts and positive, every value in the quote currency."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hedged.model.instrument import Instrument, round_down, round_up


def order_min(instrument: Instrument, mark: Decimal, collar: Decimal, notional_min: Decimal = Decimal(0)) -> Decimal:
    """The smallest quantity: a lot, the venue's minimum amount, its minimum notional or the user's at the mark.

    A venue holds its minimum against the price that an order names, not against the mark: that of a sell is `collar`
    below it, and a buy that waits in the book may be as far away.
    """
    for_venue = instrument.contracts_for(instrument.notional_min, mark * (1 - collar))
    least = max(for_venue, instrument.contracts_for(notional_min, mark), instrument.quantity_min, instrument.lot_size)
    return round_up(least, instrument.lot_size)


def quantity_into_band(
    instrument: Instrument, mark: Decimal, collar: Decimal, *, value: Decimal, notional_min: Decimal = Decimal(0)
) -> Decimal:
    """Contracts that move the hedge by at least `value` > 0: rounded up, so that it lands on or inside the edge."""
    quantity = round_up(instrument.contracts_for(value, mark), instrument.lot_size)
    return max(quantity, order_min(instrument, mark, collar, notional_min))


def leaves_crumb(left: Decimal, lot: Decimal, least: Decimal) -> bool:
    """Whether a position of `left` ≥ 0 contracts could be closed but never opened: it is best not left at all.

    Less than a lot cannot be traded at all, and is no reason for anything.
    """
    return lot <= left < least


def reduction(held: Decimal, wanted: Decimal, lot: Decimal, least: Decimal, most: Decimal | None = None) -> Decimal:
    """Contracts to trade off `held`, at least about `wanted`, both > 0; whole lots, at most `most`.

    Leaves nothing (but for less than a lot), or at least the smallest order: so that a position that shrinks by parts
    never becomes dust. Where all of it would be more than `most`, it stops `least` before the end.
    """
    whole = round_down(held, lot)
    quantity = min(round_up(wanted, lot), whole)
    if most is not None:
        quantity = min(quantity, max(round_down(most, lot), lot))
    if not leaves_crumb(held - quantity, lot, least):
        return quantity
    if most is None or whole <= most:
        return whole
    stop = round_down(held - least, lot)
    return stop if stop > 0 else quantity


def largest_that(passes: Callable[[Decimal], bool], least: Decimal, most: Decimal, lot: Decimal) -> Decimal | None:
    """The largest quantity of whole lots from `least` to `most` that passes, where any smaller one would too.

    None: none does.
    """
    if passes(most):
        return most
    low, high = int(round_up(least, lot) / lot), int(round_up(most, lot) / lot)
    if low >= high or not passes(low * lot):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle * lot) else (low, middle)
    return low * lot


def contracts_for_target(instrument: Instrument, price: Decimal, exposure: Decimal, target_ratio: Decimal) -> Decimal:
    """Whole lots for a simple (value) hedge: exposure × target ratio / (multiplier × price), rounded down.

    $50,000 over a contract of $5,000 is 10; $30,000 with 0.1 ETH contracts at $3,000 is 100.
    """
    return round_down(instrument.contracts_for(exposure * target_ratio, price), instrument.lot_size)
