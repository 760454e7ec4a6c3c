"""What a market-taking order does to a margin account: the price it gets, and why it may be turned down.

One set of rules for the paper account and the simulated venue. Quantities in contracts, money in the currency that
settles the contract: the quote, or the coin of an inverse one.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from hedged.estimate.margin_account import MarginAccount, Marks, Tiers, money, worth
from hedged.model.instrument import Instrument, round_down
from hedged.model.order import Side
from hedged.model.snapshot import Quote

_ZERO = Decimal(0)
_ONE = Decimal(1)
# An average price needs no more digits than this; always rounded against whoever takes.
_DEARER = Context(prec=12, rounding=ROUND_CEILING)
_CHEAPER = Context(prec=12, rounding=ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class TakerOrder:
    """`quantity` > 0; a fill at a price worse than `price_limit` is not wanted."""

    instrument: Instrument
    side: Side
    quantity: Decimal
    reduce_only: bool
    price_limit: Decimal


@dataclass(frozen=True, slots=True)
class TakerTerms:
    """What taking costs, as fractions of the price, and how far the account may be geared."""

    fee_rate: Decimal
    slippage: Decimal
    spread: Decimal  # full width, where the venue shows no book
    leverage: Decimal


@dataclass(frozen=True, slots=True)
class Taken:
    """The account after the fill. `fee` > 0 is paid; `slippage` > 0 was lost against the mark."""

    account: MarginAccount
    quantity: Decimal  # may be less than asked: no more than is held where reduce-only, than is offered at the limit
    price: Decimal  # average
    fee: Decimal
    slippage: Decimal
    realised: Decimal


@dataclass(frozen=True, slots=True)
class TurnedDown:
    """No fill, and why: a sentence with its numbers."""

    reason: str


def taker_price(side: Side, quote: Quote, terms: TakerTerms) -> Decimal:
    """The book's side, or mark ± half the spread without a book; then worse by the slippage."""
    touch = quote.ask if side is Side.BUY else quote.bid
    if touch is None:
        touch = quote.mark * (_ONE + side.sign * terms.spread / 2)
    return _rounded(side, touch * (_ONE + side.sign * terms.slippage))


def _rounded(side: Side, price: Decimal) -> Decimal:
    context = _DEARER if side is Side.BUY else _CHEAPER
    price = context.plus(price)
    return price.quantize(_ONE) if price == price.to_integral_value() else price.normalize()


def take(
    account: MarginAccount, order: TakerOrder, *, quote: Quote, marks: Marks, tiers: Tiers, terms: TakerTerms
) -> Taken | TurnedDown:
    """Fill `order` at once or turn it down.

    `marks` and `tiers` are needed for every position that stays open, and for the order's instrument, unless the
    order only reduces: giving risk back needs no margin.
    """
    instrument = order.instrument
    quantity = _quantity(account.contracts(instrument.id), order)
    if isinstance(quantity, TurnedDown):
        return quantity
    offered = _offered(quantity, order, quote, terms)
    if isinstance(offered, TurnedDown):
        return offered
    asked = quantity
    quantity, price = offered
    notional = instrument.notional(asked, order.price_limit)  # a venue knows no other when it takes the order
    if not order.reduce_only and notional < instrument.notional_min:
        return TurnedDown(f"notional {notional:.2f} is below the minimum {instrument.notional_min}")
    signed = quantity * order.side.sign
    inverse = not instrument.linear
    paid, fair = (worth(signed, each, instrument.multiplier, inverse=inverse) for each in (price, quote.mark))
    after, realised = account.fill(instrument.id, signed, price, instrument.multiplier, inverse=inverse)
    fee = money(abs(paid) * terms.fee_rate)
    after = after.charge(fee)
    if abs(after.contracts(instrument.id)) > abs(account.contracts(instrument.id)):
        available = after.available(marks, tiers, terms.leverage)
        if available < 0:
            before = account.available(marks, tiers, terms.leverage)
            digits = 6 if inverse else 2
            return TurnedDown(
                f"insufficient margin: needs {before - available:.{digits}f} {instrument.settle}"
                f" at {terms.leverage}x leverage, available {before:.{digits}f}"
            )
    slippage = money(fair - paid if inverse else paid - fair)
    return Taken(after, quantity, price, fee, slippage, realised)


def _offered(
    quantity: Decimal, order: TakerOrder, quote: Quote, terms: TakerTerms
) -> tuple[Decimal, Decimal] | TurnedDown:
    """What of `quantity` the book fills within the limit, and at which price on average.

    As much as the touch is known to hold at its price, the rest worse by the slippage; what would be worse than the
    limit is not filled.
    """
    side, limit = order.side, order.price_limit
    touch, size = (quote.ask, quote.ask_size) if side is Side.BUY else (quote.bid, quote.bid_size)
    beyond = taker_price(side, quote, terms)
    at_touch = _ZERO
    if touch is not None and size is not None and side.sign * (touch - limit) <= 0:
        at_touch = min(quantity, round_down(size, order.instrument.lot_size))
    rest = quantity - at_touch if side.sign * (beyond - limit) <= 0 else _ZERO
    if not at_touch and not rest:
        return TurnedDown(f"{side.value} at {beyond} would be worse than the limit {limit}")
    if touch is None or not at_touch:
        return rest, beyond
    if not rest:
        return at_touch, touch
    return quantity, _rounded(side, (at_touch * touch + rest * beyond) / quantity)


def _quantity(held: Decimal, order: TakerOrder) -> Decimal | TurnedDown:
    """Contracts to fill, positive: whole lots, at least the minimum, and never through zero where reduce-only."""
    instrument, quantity = order.instrument, order.quantity
    if not quantity.is_finite() or quantity <= 0:
        return TurnedDown(f"quantity {quantity} is not above 0")
    if quantity % instrument.lot_size:
        return TurnedDown(f"quantity {quantity} is not a multiple of the lot {instrument.lot_size}")
    if order.reduce_only:
        if held * order.side.sign >= 0:
            return TurnedDown(f"reduce-only {order.side.value} with {held} contracts held has nothing to reduce")
        return min(quantity, abs(held))
    if quantity < instrument.quantity_min:
        return TurnedDown(f"quantity {quantity} is below the minimum {instrument.quantity_min}")
    return quantity
