"""The risk gate, the only maker of `ApprovedIntent`: every limit is checked here, and there is no other way out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeGuard

from hedged.decide.account_room import AccountRoom
from hedged.decide.jumps import UNCONFIRMED, book_agrees
from hedged.decide.placement import resting_price
from hedged.estimate.sizing import leaves_crumb, order_min
from hedged.model.instrument import Instrument
from hedged.model.order import GATE_SEAL, ApprovedIntent, Intent, Placement, Purpose, Refusal, Side
from hedged.model.policy import FREE_MARGIN_MIN, Limits, Mode
from hedged.model.proposal import Proposal, Verdict
from hedged.model.snapshot import Quote

ZERO = Decimal(0)
_LARGEST = Decimal("1e15")  # contracts, or a price: beyond anything that is traded


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
    now: datetime | None = None  # without it no approval is believed to be fresh
    last_mark: Decimal | None = None  # believed minutes ago at most, see `decide.jumps`; None: there is none
    doubt: str | None = None  # why its size may be wrong, though the position and the contract's own price are known
    orders_day: int = 0  # sent within 24 hours, and all of this cycle
    exposed: Decimal | None = None  # `contracts`, had only orders on the intent's own side been filled; None: the same
    unseen: bool = False  # the fill of an earlier order does not show in the position yet
    currency: str = ""  # that of `rate` and of the limits, for the words of a refusal
    room: AccountRoom | None = None  # None: the order opens nothing, or nobody reads the account's margin


def judge(intent: Intent, context: GateContext, limits: Limits) -> str | None:
    """Why this intent may not be sent, in words with the numbers; None where nothing speaks against it."""
    instrument, quote, contracts = context.instrument, context.quote, context.contracts
    if not _is_positive(intent.quantity):
        return f"quantity {intent.quantity} is not a positive number that can be traded"
    if instrument is None or not instrument.trading:
        return f"{intent.instrument} does not trade"
    if quote is None or not _is_positive(quote.mark):
        return f"no fresh price of {intent.instrument}"
    if contracts is None or not contracts.is_finite() or abs(contracts) > _LARGEST:
        return f"the position in {intent.instrument} is not known"
    if context.in_flight:
        return f"an earlier order on {intent.instrument} has not come to an end"
    if context.unseen:
        return f"the position in {intent.instrument} does not show yet what was filled of the last order there"
    return (
        _size(intent, instrument, quote, contracts, limits)
        or _crumb(intent, instrument, quote, context, limits)
        or _notional(intent, instrument, quote, context, limits)
        or _number(intent, context, limits)
        or _margin(intent, context)
        or _account(intent, instrument, quote, context, limits)
        or (context.doubt if intent.purpose is not Purpose.REDUCE else None)
        or _jump(intent, quote, context, limits)
        or _collar(intent, quote, limits)
    )


def approve(
    intent: Intent, context: GateContext, limits: Limits, mode: Mode, approval: Proposal | None = None
) -> ApprovedIntent | Refusal:
    """An order that may be sent, with the worst price it may have; or the refusal, to be kept.

    `approval`: what a person has approved, which is what mode `approve` needs beside all that the others do.
    """
    if mode is Mode.MONITOR:
        return Refusal(intent=intent, reason=f"mode {mode.value} sends no orders")
    reason = judge(intent, context, limits)
    if reason is None and mode is Mode.APPROVE:
        reason = misfit(intent, context, limits, approval)
    if reason is not None or context.quote is None:
        return Refusal(intent=intent, reason=reason or f"no fresh price of {intent.instrument}")
    intent = replace(intent, approval=approval.id if approval is not None and mode is Mode.APPROVE else None)
    worst = 1 + limits.price_collar * intent.side.sign
    rest_at = resting_price(intent.side, context.quote) if intent.placement is Placement.PASSIVE else None
    return ApprovedIntent(intent=intent, price_limit=context.quote.mark * worst, seal=GATE_SEAL, rest_at=rest_at)


def misfit(intent: Intent, context: GateContext, limits: Limits, approval: Proposal | None) -> str | None:
    """Why a person's approval does not cover this order now; None: it does."""
    if approval is None or approval.verdict is not Verdict.APPROVED:
        return "nobody has approved it"
    same = (
        (intent.hedge, approval.hedge),
        (intent.instrument, approval.instrument),
        (intent.side, approval.side),
        (intent.reduce_only, approval.reduce_only),
        (intent.purpose, approval.purpose),
    )
    if any(wanted != approved for wanted, approved in same):
        return f"proposal {approval.id} approved another order"
    if not _is_positive(approval.quantity) or intent.quantity > approval.quantity:
        return f"proposal {approval.id} approved {approval.quantity:f} contracts and no more"
    if context.now is None or not approval.holds(context.now):
        return f"proposal {approval.id} was good until {approval.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if context.quote is None or not _is_positive(approval.price):
        return f"no fresh price of {intent.instrument}"
    away = abs(context.quote.mark / approval.price - 1)
    if away > limits.price_collar:
        return (
            f"the mark {context.quote.mark:f} is {away:.2%} off the {approval.price:f} of proposal {approval.id}, "
            f"price_collar is {limits.price_collar:.2%}"
        )
    return None


def _size(intent: Intent, instrument: Instrument, quote: Quote, contracts: Decimal, limits: Limits) -> str | None:
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
    least = instrument.lot_size if reduces else order_min(instrument, quote.mark, limits.price_collar)
    if intent.quantity < least:
        return f"{intent.quantity:f} contracts are below the smallest order of {least:f}"
    return None


def _crumb(intent: Intent, instrument: Instrument, quote: Quote, context: GateContext, limits: Limits) -> str | None:
    """A reduction leaves at least the smallest order, or nothing: or what is left can never be traded by itself.

    Unless the limit of an order is smaller than that, and so leaves no other way down. A roll ends with nothing left
    whatever its slices leave meanwhile.
    """
    least = order_min(instrument, quote.mark, limits.price_collar)
    after = abs((context.contracts or ZERO) + intent.signed_quantity)
    if not intent.reduce_only or intent.purpose is Purpose.ROLL or not leaves_crumb(after, instrument.lot_size, least):
        return None
    worth = abs(instrument.notional(least + instrument.lot_size, quote.mark)) * context.rate
    if limits.order_notional_max is not None and worth > limits.order_notional_max:
        return None
    return f"{after:f} contracts would be left, less than the smallest order of {least:f}"


def _notional(intent: Intent, instrument: Instrument, quote: Quote, context: GateContext, limits: Limits) -> str | None:
    """Order, position and turnover, all at the mark the gate knows, not the intent's own."""
    order = abs(instrument.notional(intent.quantity, quote.mark)) * context.rate
    if limits.order_notional_max is not None and order > limits.order_notional_max:
        most = _money(limits.order_notional_max, context)
        return f"order of {_money(order, context)} exceeds order_notional_max {most}"
    before = context.contracts if context.exposed is None else context.exposed
    after = (before or ZERO) + intent.signed_quantity
    position = abs(instrument.notional(after, quote.mark)) * context.rate
    if limits.position_notional_max is not None and not intent.reduce_only and position > limits.position_notional_max:
        most = _money(limits.position_notional_max, context)
        return f"position of {_money(position, context)} would exceed position_notional_max {most}"
    turnover = context.turnover_day + order
    if limits.turnover_day_max is not None and not _lets_go(intent) and turnover > limits.turnover_day_max:
        most = _money(limits.turnover_day_max, context)
        return f"turnover of {_money(turnover, context)} today would exceed turnover_day_max {most}"
    return None


def _money(amount: Decimal, context: GateContext) -> str:
    return f"{amount:,.2f} {context.currency}".rstrip()


def _lets_go(intent: Intent) -> bool:
    """Whether an order rescues its account from a liquidation or ends a hedge: no limit of a day refuses those.

    Such a limit is there for what goes round and round. These two only give up what was opened within it, lower what
    can be lost, and wait for nothing: a day in which so much was traded is when they matter. A reduction into the band
    is the other half of a round, and less of a hedge: it keeps to the limits like what it undoes.
    """
    return intent.reduce_only and intent.purpose in {Purpose.REDUCE, Purpose.CLOSE}


def _number(intent: Intent, context: GateContext, limits: Limits) -> str | None:
    """Orders a cycle, a minute and a day."""
    if context.orders_cycle >= limits.orders_cycle_max:
        return f"{context.orders_cycle} orders in this cycle are orders_cycle_max"
    if context.orders_minute >= limits.orders_minute_max:
        return f"{context.orders_minute} orders within a minute, orders_minute_max is {limits.orders_minute_max}"
    if context.orders_day >= limits.orders_day_max and not _lets_go(intent):
        return f"{context.orders_day} orders within a day, orders_day_max is {limits.orders_day_max}"
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


def _account(intent: Intent, instrument: Instrument, quote: Quote, context: GateContext, limits: Limits) -> str | None:
    """What the account carries once the order is filled, as far as it opens something."""
    room = context.room
    if room is None or intent.reduce_only:
        return None
    before = (context.contracts if context.exposed is None else context.exposed) or ZERO
    held, after = abs(before), abs(before + intent.signed_quantity)
    position = abs(instrument.notional(after, quote.mark)) * context.rate
    added = abs(instrument.notional(max(after - held, ZERO), quote.mark)) * context.rate * room.margin_rate
    return _leverage(room, position, context, limits) or _free_margin(room, added, context, limits)


def _leverage(room: AccountRoom, position: Decimal, context: GateContext, limits: Limits) -> str | None:
    """All positions of the account together over its equity."""
    most = limits.leverage_max
    if most is None:
        return None
    if not _is_known(room.equity) or not _is_known(room.notional):
        return f"the leverage of {room.account} is not known, and leverage_max is set"
    total = room.notional + position
    if total > most * room.equity:
        total_text, equity_text = _money(total, context), _money(room.equity, context)
        return f"{room.account} would hold {total_text} with {equity_text} of equity, leverage_max is {most:f}"
    return None


def _free_margin(room: AccountRoom, added: Decimal, context: GateContext, limits: Limits) -> str | None:
    """What is not bound as initial margin. Unknown, it refuses only where the user has set the limit."""
    if not _is_known(room.equity) or not _is_known(room.available):
        if limits.free_margin_min:
            return f"the free margin of {room.account} is not known, and free_margin_min is set"
        return None
    least = FREE_MARGIN_MIN if limits.free_margin_min is None else limits.free_margin_min
    left = room.available - added
    if least and (room.equity <= 0 or left < least * room.equity):
        of = f"the {_money(room.equity, context)} of equity of {room.account}"
        return f"{_money(left, context)} of {of} would stay free as margin, free_margin_min is {least:.1%}"
    return None


def _jump(intent: Intent, quote: Quote, context: GateContext, limits: Limits) -> str | None:
    """A mark far from the last one may be wrong: it is read a second time before anything rests on it.

    A rescue from liquidation does not wait for that where the book says the same: it is in a crash that one is due.
    """
    last = context.last_mark
    if last is None or (intent.purpose is Purpose.REDUCE and book_agrees(quote, limits.price_collar)):
        return None
    if not _is_positive(last):
        return f"the last mark of {intent.instrument}, {last}, is not a positive number"
    if abs(quote.mark / last - 1) > limits.price_collar:
        return (
            f"the mark of {intent.instrument} jumped by {quote.mark / last - 1:+.2%} from {last:f} to {quote.mark:f}, "
            + UNCONFIRMED
        )
    return None


def _collar(intent: Intent, quote: Quote, limits: Limits) -> str | None:
    """Neither the price it was decided on nor the side of the book that it meets may be far from the mark."""
    if not _is_positive(intent.price):
        return f"price {intent.price} is not a positive number"
    touch = quote.ask if intent.side is Side.BUY else quote.bid
    if intent.placement is Placement.PASSIVE:
        touch = resting_price(intent.side, quote)
        if touch is None:
            return f"there is no book of {intent.instrument} to rest in"
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
    """A number that can be reckoned with: with more digits than that, remainders are not exact any more."""
    return value.is_finite() and 0 < value <= _LARGEST


def _is_known(value: Decimal | None) -> TypeGuard[Decimal]:
    return value is not None and value.is_finite()
