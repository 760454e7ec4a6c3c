"""Where the book has had no takers within the collar, orders wait longer each time before they are sent again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hedged.decide.book import Taken
from hedged.decide.rebalance import Trade
from hedged.decide.roll import is_last_call
from hedged.model.order import OrderState, PastOrder, Placement, Purpose
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Snapshot

WAIT_MAX = timedelta(minutes=15)
"""However often nothing was filled, it is tried again after this."""


def waiting_until(orders: Sequence[PastOrder], now: datetime, every: timedelta) -> Mapping[Taken, datetime]:
    """Until when nothing more is sent where the last two orders or more took nothing from that side of the book.

    After n of them in a row 2^(n − 1) cycles from the last one on, a quarter of an hour at the most. The first is
    simply tried again; one of which a part was filled ends the row. `orders`: of the last day, in any order.
    """
    rows: dict[Taken, list[PastOrder]] = {}
    for order in sorted(orders, key=lambda each: each.planned_at):
        if order.planned_at > now or not order.sent or order.intent.placement is Placement.PASSIVE:
            continue  # a clock that was ahead; what waits in the book has a time of its own
        row = rows.setdefault((order.intent.instrument, order.intent.side), [])
        if order.state == OrderState.CANCELLED.value:
            row.append(order)
        else:
            row.clear()
    until = {taken: _wait(row, every) for taken, row in rows.items() if len(row) > 1}
    return {taken: at for taken, at in until.items() if at > now}


def _wait(row: Sequence[PastOrder], every: timedelta) -> datetime:
    doublings = min(len(row) - 1, 16)  # no interval is so short that more would make a difference
    return row[-1].planned_at + min(every * (1 << doublings), WAIT_MAX)


def with_takers(
    first: Sequence[Trade],
    then: Sequence[Trade],
    waiting: Mapping[Taken, datetime],
    snapshot: Snapshot,
    policy: PortfolioPolicy,
) -> tuple[list[Trade], list[Trade], str | None]:
    """Of a hedge's trades those that need not wait for the book to fill again, and why the others do.

    The two of a roll wait together, and what only follows a trade that waits, waits with it. What closes a hedge or is
    bought back for margin never waits, nor does a roll whose last call has come.
    """
    trades = (*first, *then)
    last_call = any(_at_last_call(each, snapshot, policy) for each in trades)
    patient = {Purpose.REBALANCE} if last_call else {Purpose.REBALANCE, Purpose.ROLL}
    held = [each for each in trades if each.purpose in patient and (each.instrument, each.side) in waiting]
    if not held:
        return list(first), list(then), None
    if any(each.purpose is Purpose.ROLL for each in held):
        held += [each for each in trades if each.purpose is Purpose.ROLL]
    going = [each for each in first if each not in held]
    after = [each for each in then if each not in held] if len(going) == len(first) else []
    until, side, instrument = max((waiting[taken], taken[1], taken[0]) for taken in _sought(held) & waiting.keys())
    told = f"nothing was filled of the last orders to {side.value} {instrument}"
    return going, after, f"{told}: the next goes after {until:%H:%M:%S} UTC"


def _sought(trades: Sequence[Trade]) -> set[Taken]:
    return {(each.instrument, each.side) for each in trades}


def _at_last_call(trade: Trade, snapshot: Snapshot, policy: PortfolioPolicy) -> bool:
    instrument = snapshot.instruments.get(trade.instrument)
    if trade.purpose is not Purpose.ROLL or instrument is None:
        return False
    return is_last_call(instrument, policy.roll, snapshot.now, policy.every)
