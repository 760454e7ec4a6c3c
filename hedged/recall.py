"""Before a cycle: what the last one left, and every open order driven to an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hedged.act.overrides import overrides
from hedged.act.reconcile import TakeBack, to_send_again
from hedged.assess import effect
from hedged.decide import Book
from hedged.decide.margin import is_reducing
from hedged.decide.placement import crossing, resting, taken_back
from hedged.decide.runaway import DAY, found_filled
from hedged.decide.unfilled import waiting_until
from hedged.errors import Fenced, StoreError
from hedged.estimate.effect import WATCHED
from hedged.model.alert import Alert, AlertState
from hedged.model.instrument import InstrumentId
from hedged.model.order import (
    Fill,
    OrderRow,
    PastOrder,
    Placement,
    Working,
)
from hedged.model.policy import PortfolioPolicy
from hedged.observe.continuity import filled
from hedged.portfolio import Portfolio
from hedged.ports import Memory
from hedged.tell.attention import attention

MINUTE = timedelta(minutes=1)


async def recall(portfolio: Portfolio, now: datetime) -> str | None:
    """Bring back what the last cycle left, and drive open orders to an end. Returns why the store can't be used.

    When it cannot, the process's own recollection serves: watching goes on, trading does not.
    """
    store = portfolio.store
    await portfolio.brake.look(now)
    try:
        await _renew(portfolio, now)
        # While cycles cannot be recorded the process knows better than the store, once it has read that.
        if portfolio.unkept is None or not portfolio.loaded:
            portfolio.memory = await store.memory()
            portfolio.alerts = _alerts(await store.alerts(), () if portfolio.loaded else portfolio.alerts)
        portfolio.attention = await attention(store, portfolio.alerts, portfolio.rules, portfolio.confirming, now)
        if not portfolio.loaded and (last := await store.last_cycle()) is not None:
            fills = [fill for fill in await store.fills(last[1]) if fill.at > last[1]]
            portfolio.unrecorded = effect.unrecorded(portfolio.memory.ledgers, fills)
            portfolio.unbooked = frozenset(fill.instrument for fill in fills)
            past = await store.past_orders(min(last[1], now) - DAY)
            portfolio.memory = _with_unrecorded(portfolio.memory, fills, past, now)
        portfolio.loaded = True
        if portfolio.memory.positions_of not in {"", portfolio.positions_of}:  # the mode was changed
            portfolio.memory = Memory()
        portfolio.memory = replace(portfolio.memory, positions_of=portfolio.positions_of)
        portfolio.reconciler.take_back = _take_back(portfolio, now)
        for intent, outcome in await portfolio.reconciler.reconcile(portfolio.gateways, store, portfolio.memory, now):
            if intent.client_order_id not in portfolio.told:
                portfolio.settled.append((intent, outcome))
                if isinstance(outcome, Fill):  # what follows from it has not vanished
                    portfolio.memory = filled(portfolio.memory, intent, outcome)
        rows = await store.open_orders()
        portfolio.open_rows = rows
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        turnover = await store.turnover(midnight)
        if portfolio.health_of != midnight:
            portfolio.health = effect.health(await store.effects(midnight - WATCHED), midnight)
            portfolio.health_of = midnight
        portfolio.overrides = await overrides(store)
        portfolio.past_orders = await store.past_orders(now - _looked_back(portfolio))
        minute, day = (
            sum(order.sent and abs(now - order.planned_at) < span for order in portfolio.past_orders)
            for span in (MINUTE, DAY)
        )
        portfolio.book = Book(
            "",
            turnover_day=turnover.notional,
            in_flight=_in_flight(rows, portfolio.policy),
            orders_minute=minute,
            orders_day=day,
            open_orders=tuple(row.intent for row in rows),
            again=to_send_again(portfolio.past_orders),
            proposals=tuple(await store.proposals(now - portfolio.policy.proposals_expire)),
            proven=portfolio.memory.proven,
            resting=resting([row for row in rows if not row.absences]),
            crossing=crossing(portfolio.past_orders, now, portfolio.policy.limits),
            waiting=waiting_until(portfolio.past_orders, now, portfolio.policy.every),
        )
    except StoreError as error:
        return str(error)
    return portfolio.brake.unreadable or portfolio.unkept


def _with_unrecorded(memory: Memory, fills: Sequence[Fill], past: Sequence[PastOrder], now: datetime) -> Memory:
    """With what was filled after the cycle that was recorded last, by a process that died before the next record.

    Or a venue that shows no position for a moment would be believed: nobody would know that there was one. What an
    order was decided on was read after all that the memory knows, unless that was planned before.
    """
    orders = {each.intent.client_order_id: each for each in past}
    for fill in fills:
        order = orders.get(fill.client_order_id)
        if order is None:
            continue
        intent, read = order.intent, memory.positions
        if intent.held is not None and memory.at is not None and order.planned_at > memory.at:
            memory = replace(memory, positions={**read, fill.instrument: intent.held})
        memory = filled(memory, intent, fill)
        memory = replace(memory, guard=found_filled(memory.guard, [(intent, fill)], now))
    return memory


def _alerts(stored: Sequence[Alert], told: Sequence[Alert]) -> Sequence[Alert]:
    """Those of the store, and those that were told before it could be read, which go on under their event ids."""
    live = {alert.key for alert in stored if alert.state is not AlertState.RESOLVED}
    return [*stored, *(alert for alert in told if alert.key not in live)]


def _looked_back(portfolio: Portfolio) -> timedelta:
    """How far orders of the past say something. Unguarded, as in the demo, only whether one waited in a book for
    as long as it may.
    """
    policy = portfolio.policy
    if portfolio.guarded:
        return DAY
    waits = any(hedge.placement is Placement.PASSIVE for hedge in policy.hedges)
    return max(MINUTE, policy.limits.passive_for + 2 * policy.every) if waits else MINUTE


def _in_flight(rows: Sequence[OrderRow], policy: PortfolioPolicy) -> frozenset[InstrumentId]:
    """Where nothing new is sent. An order on an account that goes by another name now is on whatever has its symbol."""
    found = {row.intent.instrument for row in rows}
    lost = {each.partition(":")[2] for each in found if each.partition(":")[0] not in policy.accounts}
    legs = {leg.instrument for hedge in policy.hedges for leg in hedge.legs}
    return frozenset(found | {each for each in legs if each.partition(":")[2] in lost})


def _take_back(portfolio: Portfolio, now: datetime) -> TakeBack:
    """Which orders at rest are cancelled, so that what is left of them is decided anew; all of them where a person or
    the guard has stopped orders that way.
    """

    def judged(row: OrderRow, working: Working) -> bool:
        if portfolio.brake.cancels:
            return True
        seen = portfolio.memory.guard.marks.get(row.intent.instrument)
        why = taken_back(
            row,
            working,
            now,
            portfolio.policy.limits,
            orders=portfolio.past_orders,
            mark=seen.price if seen is not None else None,
            urgent=is_reducing(portfolio.policy.margin, portfolio.memory.margin_alarms, row.intent.instrument),
        )
        return why is not None

    return judged


async def _renew(portfolio: Portfolio, now: datetime) -> None:
    """Go on being the one that sends orders. Raises `Fenced` where another process is by now: this one never is again.

    Nothing else is done with the store then: the orders in its journal are that other process's.
    """
    if portfolio.fenced is None and portfolio.lease is not None:
        try:
            await portfolio.store.renew_lease(now + portfolio.lease)
        except Fenced as error:
            portfolio.fenced = str(error)
    if portfolio.fenced is not None:
        raise Fenced(portfolio.fenced)
