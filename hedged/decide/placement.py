"""How an order meets the book: at once or at rest, whole or by slices, and when one at rest is taken back."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.decide.rebalance import Trade, leg_of
from hedged.decide.roll import is_last_call
from hedged.estimate.impact import range_volatility, square_root_impact, value_within
from hedged.estimate.sizing import order_min, reduction
from hedged.model.finding import HedgeGroup
from hedged.model.instrument import Instrument, InstrumentId, round_down
from hedged.model.order import Intent, OrderRow, OrderState, PastOrder, Placement, Purpose, Side, Working
from hedged.model.policy import HedgePolicy, Limits, PortfolioPolicy
from hedged.model.snapshot import Quote, Read, Snapshot

AWAY = Decimal("0.0005")
"""How far the mark may move away from an order at rest before that is placed anew, as a fraction."""

SLICES_MAX = 10
"""At least a tenth of what is left goes in every cycle: an exposure that waits for a better price is a risk itself."""

_DAYS_A_YEAR = 365


# at once or at rest


def placement_of(
    trade: Trade,
    hedges: Sequence[HedgePolicy],
    quote: Quote | None,
    instrument: Instrument,
    *,
    policy: PortfolioPolicy,
    now: datetime,
) -> Placement:
    """Passive only where every hedge of the group asks for it, nothing is urgent, and there is a book to rest in.

    What is closed or bought back for margin takes; so does a roll whose last call would come while the order rests.
    """
    wanted = all(hedge.placement is Placement.PASSIVE for hedge in hedges)
    if not wanted or trade.purpose not in {Purpose.REBALANCE, Purpose.ROLL}:
        return Placement.IOC
    soon = policy.every + policy.limits.passive_for
    if trade.purpose is Purpose.ROLL and is_last_call(instrument, policy.roll, now, soon):
        return Placement.IOC
    side = Side.BUY if trade.contracts > 0 else Side.SELL
    return Placement.PASSIVE if quote is not None and resting_price(side, quote) is not None else Placement.IOC


def resting_price(side: Side, quote: Quote) -> Decimal | None:
    """Where a passive order waits: the best price of its own side. None: no book is told."""
    return quote.bid if side is Side.BUY else quote.ask


def taken_back(
    row: OrderRow,
    outcome: Working,
    now: datetime,
    limits: Limits,
    *,
    orders: Sequence[PastOrder] = (),
    mark: Decimal | None = None,
    urgent: bool = False,
) -> str | None:
    """Why an order that was looked up and still rests is to be cancelled; None: it may rest on.

    It waits `passive_for` in all, however often it was placed anew meanwhile (`orders`: of the past); one that the
    market has left behind is placed anew. An order that should never have rested is taken back at once, and any where
    margin has to be made room for (`urgent`).
    """
    intent = row.intent
    if intent.placement is not Placement.PASSIVE:
        return "it was not to rest"
    if urgent:
        return "the account needs margin"
    waited = now - resting_since(intent, row.planned_at, orders, limits.passive_for)
    if not timedelta(0) <= waited < limits.passive_for:  # a clock that was put back says nothing
        left = intent.quantity - outcome.filled
        return f"{left:f} of {intent.quantity:f} contracts were not filled within their time"
    if mark is not None and (mark / intent.price - 1) * intent.side.sign > AWAY:
        return f"the mark went from {intent.price:f} to {mark:f}"
    return None


def resting(rows: Sequence[OrderRow]) -> frozenset[InstrumentId]:
    """Where a passive order is known to wait in the book."""
    return frozenset(
        row.intent.instrument
        for row in rows
        if row.state is OrderState.ACKNOWLEDGED and row.intent.placement is Placement.PASSIVE
    )


def crossing(orders: Sequence[PastOrder], now: datetime, limits: Limits) -> frozenset[InstrumentId]:
    """Where the next order takes what the book offers: its passive one had its time, or the venue would not have it."""
    newest: dict[InstrumentId, PastOrder] = {}
    for order in sorted(orders, key=lambda each: each.planned_at):
        newest[order.intent.instrument] = order
    return frozenset(name for name, order in newest.items() if _had_its_time(order, orders, now, limits))


def _had_its_time(newest: PastOrder, orders: Sequence[PastOrder], now: datetime, limits: Limits) -> bool:
    intent, waits = newest.intent, limits.passive_for
    whole = newest.filled >= intent.quantity
    if intent.placement is not Placement.PASSIVE or whole:
        return False
    if newest.state == OrderState.REJECTED.value:
        return True
    return now - resting_since(intent, newest.planned_at, orders, waits) >= waits


def resting_since(
    intent: Intent, planned_at: datetime, orders: Sequence[PastOrder], passive_for: timedelta
) -> datetime:
    """When the first of the passive orders in a row was planned that this one continues: same instrument and side."""
    since = planned_at
    for past in sorted(orders, key=lambda each: each.planned_at, reverse=True):
        own = past.intent
        if own.instrument != intent.instrument or past.planned_at >= since:
            continue
        continues = own.placement is Placement.PASSIVE and own.side is intent.side and past.filled < own.quantity
        if not continues or since - past.planned_at > passive_for:
            break
        since = past.planned_at
    return since


# whole or by slices


def sliced(trade: Trade, group: HedgeGroup, snapshot: Snapshot, policy: PortfolioPolicy) -> Trade:
    """The part of a rebalancing order that goes in this cycle; what is left is found again by the next.

    All of it, unless its impact by the square-root law would cost more than the spread; then as much as costs half of
    that on average. Where volume, volatility or book are not known it is not sliced. What is closed, rolled or bought
    back for margin never is.
    """
    quote, instrument = snapshot.quotes.get(trade.instrument), snapshot.instruments.get(trade.instrument)
    leg = leg_of(group.legs, trade.instrument)
    if trade.purpose is not Purpose.REBALANCE or instrument is None or instrument.by_hand or not leg.rate:
        return trade
    if not isinstance(quote, Read) or leg.contracts is None:
        return trade
    quantity, mark = abs(trade.contracts), quote.value.mark
    worth = float(abs(instrument.notional(quantity, mark)))
    room = _impact_room(worth, quote.value, _volatility_day(group.hedges, quote.value, snapshot))
    if room is None:
        return trade
    least = order_min(instrument, mark, policy.limits.price_collar, policy.limits.order_notional_min / leg.rate)
    part = round_down(quantity * max(Decimal(repr(room)), Decimal(1) / SLICES_MAX), instrument.lot_size)
    part = max(part, least)
    if trade.reduce_only:
        part = reduction(abs(leg.contracts), part, instrument.lot_size, least)
    if part >= quantity:
        return trade
    reason = f"{trade.reason}; {part:f} of it now, since all at once would move the price by more than the spread"
    return replace(
        trade, contracts=part.copy_sign(trade.contracts), reason=reason, part="a slice, for the price's sake"
    )


def within_limit(
    trade: Trade, group: HedgeGroup, instruments: Mapping[InstrumentId, Instrument], limits: Limits
) -> Trade:
    """Of a reduction larger than `order_notional_max`, as much as an order may be; the next cycles find the rest.

    What opens is refused whole by the gate, for nobody wants a hedge that large in such an order. What reduces is
    wanted all the more, and refusing it would hold a risk that the limit is there to keep small. Rolls and what is
    bought back for margin have slices of their own.
    """
    instrument, leg = instruments.get(trade.instrument), leg_of(group.legs, trade.instrument)
    if limits.order_notional_max is None or not trade.reduce_only or instrument is None or not leg.mark:
        return trade
    if trade.purpose not in {Purpose.REBALANCE, Purpose.CLOSE} or not leg.contracts:
        return trade
    most = instrument.contracts_for(limits.order_notional_max / (leg.rate or Decimal(1)), leg.mark)
    quantity = abs(trade.contracts)
    if quantity <= most:
        return trade
    least = order_min(instrument, leg.mark, limits.price_collar)
    part = reduction(abs(leg.contracts), quantity, instrument.lot_size, least, most)
    reason = f"{trade.reason}; {part:f} of it now, for order_notional_max is {limits.order_notional_max:,f}"
    said = "as much as order_notional_max lets through at once"
    return replace(trade, contracts=part.copy_sign(trade.contracts), reason=reason, part=said)


def _impact_room(worth: float, quote: Quote, volatility_day: float | None) -> float | None:
    """The share of an order of `worth` that is to go now; None: all of it."""
    if quote.bid is None or quote.ask is None or not quote.volume_day or volatility_day is None:
        return None
    spread, volume = float((quote.ask - quote.bid) / quote.mark), float(quote.volume_day)
    if not (spread > 0 and volume > 0 and worth > 0):
        return None
    whole = square_root_impact(order_value=worth, volume_day=volume, volatility_day=volatility_day)
    if whole.average <= spread:
        return None
    most = value_within(average_max=spread / 2, volume_day=volume, volatility_day=volatility_day)
    return min(most / worth, 1.0)


def _volatility_day(hedges: Collection[str], quote: Quote, snapshot: Snapshot) -> float | None:
    """σ of a day: of the hedge's instruments by their past where that is known, else by the range of this day."""
    for name in hedges:
        statistics = snapshot.statistics.get(name)
        if statistics is not None and statistics.hedge_volatility is not None:
            return statistics.hedge_volatility / math.sqrt(_DAYS_A_YEAR)
    if quote.high_day is None or quote.low_day is None or not quote.high_day >= quote.low_day > 0:
        return None
    return range_volatility(float(quote.high_day), float(quote.low_day))
