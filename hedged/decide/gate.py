"""The risk gate, the only maker of `ApprovedIntent`: every limit is checked here, and there is no other way out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hedged.estimate.sizing import order_min
from hedged.model.instrument import Instrument
from hedged.model.order import GATE_SEAL, ApprovedIntent, Intent, Refusal, Side
from hedged.model.policy import Limits, Mode
from hedged.model.snapshot import Quote

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class MarginRoom:
    """An account's equity over what it needs for the user's probability of a liquidation, once an order is filled."""

    account: str
    after: float | None  # None: not known


@dataclass(frozen=True, slots=True)
class GateContext:
    """What the gate knows of one instrument when it judges an intent. `contracts` is the signed position held.

    `turnover_day` and `orders_cycle` include everything already approved in this cycle and all that is in flight.
    """

    instrument: Instrument | None
    quote: Quote | None  # None: missing or stale
    contracts: Decimal | None  # None: the position is not known
    turnover_day: Decimal
    orders_cycle: int
    in_flight: bool  # an earlier order on this instrument has not come to an end
    orders_minute: int = 0  # sent within the last minute, and all of this cycle
    rate: Decimal = Decimal(1)  # quote currency for one unit of what the instrument is priced in
    margin: MarginRoom | None = None  # None: hedged does not keep the account's margin by itself


def judge(intent: Intent, context: GateContext, limits: Limits) -> str | None:
    """Why this intent may not be sent, in words with the numbers; None where nothing speaks against it."""
    instrument, quote, contracts = context.instrument, context.quote, context.contracts
    if not _is_positive(intent.quantity):
        return f"quantity {intent.quantity} is not a positive number"
    if instrument is None or not instrument.trading:
        return f"{intent.instrument} does not trade"
    if quote is None or not _is_positive(quote.mark):
        return f"no fresh price of {intent.instrument}"
    if contracts is None or not contracts.is_finite():
        return f"the position in {intent.instrument} is not known"
    if context.in_flight:
        return f"an earlier order on {intent.instrument} has not come to an end"
    return (
        _size(intent, instrument, quote, contracts)
        or _notional(intent, instrument, quote, context, limits)
        or _margin(intent, context)
        or _collar(intent, quote, limits)
    )


def approve(intent: Intent, context: GateContext, limits: Limits, mode: Mode) -> ApprovedIntent | Refusal:
    """An order that may be sent, with the worst price it may have; or the refusal, to be kept."""
    if mode not in {Mode.PAPER, Mode.LIVE}:
        return Refusal(intent=intent, reason=f"mode {mode.value} sends no orders")
    reason = judge(intent, context, limits)
    if reason is not None or context.quote is None:
        return Refusal(intent=intent, reason=reason or f"no fresh price of {intent.instrument}")
    worst = 1 + limits.price_collar * intent.side.sign
    return ApprovedIntent(intent=intent, price_limit=context.quote.mark * worst, seal=GATE_SEAL)


def _size(intent: Intent, instrument: Instrument, quote: Quote, contracts: Decimal) -> str | None:
    """Whole lots, at least the venue's minimum, and a reduction that stays one."""
    if intent.quantity % instrument.lot_size:
        return f"{intent.quantity:f} contracts are not whole lots of {instrument.lot_size:f}"
    after = contracts + intent.signed_quantity
    if contracts and after and (after > 0) != (contracts > 0):
        return f"{intent.quantity:f} contracts would turn the position of {contracts:f} around"
    reduces = abs(after) < abs(contracts)
    if reduces != intent.reduce_only:
        word = "must be reduce-only" if reduces else "is reduce-only, and would not reduce"
        return f"the order {word} at a position of {contracts:f}"
    # Venues take any reduction of at least a lot; their minimum is for opening.
    least = instrument.lot_size if reduces else order_min(instrument, quote.mark)
    if intent.quantity < least:
        return f"{intent.quantity:f} contracts are below the smallest order of {least:f}"
    return None


def _notional(intent: Intent, instrument: Instrument, quote: Quote, context: GateContext, limits: Limits) -> str | None:
    """Order, position, turnover and number of orders, all at the mark the gate knows, not the intent's own."""
    order = abs(instrument.notional(intent.quantity, quote.mark)) * context.rate
    if limits.order_notional_max is not None and order > limits.order_notional_max:
        return f"order of {order:,.2f} exceeds order_notional_max {limits.order_notional_max:,.2f}"
    after = (context.contracts or ZERO) + intent.signed_quantity
    position = abs(instrument.notional(after, quote.mark)) * context.rate
    if limits.position_notional_max is not None and not intent.reduce_only and position > limits.position_notional_max:
        return f"position of {position:,.2f} would exceed position_notional_max {limits.position_notional_max:,.2f}"
    turnover = context.turnover_day + order
    if limits.turnover_day_max is not None and turnover > limits.turnover_day_max:
        return f"turnover of {turnover:,.2f} today would exceed turnover_day_max {limits.turnover_day_max:,.2f}"
    if context.orders_cycle >= limits.orders_cycle_max:
        return f"{context.orders_cycle} orders in this cycle are orders_cycle_max"
    if context.orders_minute >= limits.orders_minute_max:
        return f"{context.orders_minute} orders within a minute, orders_minute_max is {limits.orders_minute_max}"
    return None


def _margin(intent: Intent, context: GateContext) -> str | None:
    """No more of what hedged would have to buy back again."""
    if context.margin is None or intent.reduce_only:
        return None
    room = context.margin
    if room.after is None:
        return f"how likely {room.account} would be liquidated is not known"
    if room.after < 1:
        return f"{room.account} would have {room.after:.0%} of the equity that it needs to be safe from liquidation"
    return None


def _collar(intent: Intent, quote: Quote, limits: Limits) -> str | None:
    """Neither the price it was decided on nor the side of the book it would take may be far from the mark."""
    if not _is_positive(intent.price):
        return f"price {intent.price} is not a positive number"
    touch = quote.ask if intent.side is Side.BUY else quote.bid
    for name, price in (("decision price", intent.price), ("book", touch)):
        if price is None:
            continue
        if not _is_positive(price):
            return f"{name} {price} is not a positive number"
        away = abs(price / quote.mark - 1)
        if away > limits.price_collar:
            return (
                f"{name} {price:f} is {away:.2%} off the mark {quote.mark:f}, price_collar is {limits.price_collar:.2%}"
            )
    return None


def _is_positive(value: Decimal) -> bool:
    return value.is_finite() and value > 0
