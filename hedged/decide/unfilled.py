"""Where the book has had no takers within the collar, orders wait longer each time before they are sent again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hedged.decide.rebalance import Trade
from hedged.decide.roll import is_last_call
from hedged.model.instrument import InstrumentId
from hedged.model.order import OrderState, PastOrder, Placement, Purpose
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Snapshot

WAIT_MAX = timedelta(minutes=15)
"""However often nothing was filled, it is tried again after this."""


def waiting_until(orders: Sequence[PastOrder], now: datetime, every: timedelta) -> Mapping[InstrumentId, datetime]:
    """Until when nothing more is sent where the last two orders or more took nothing from the book.

    After n of them in a row 2^(n − 1) cycles from the last one on, a quarter of an hour at the most. The first is
    simply tried again; one of the other side, or of which a part was filled, ends the row. `orders`: of the last day,
    in any order.
    """
    rows: dict[InstrumentId, list[PastOrder]] = {}
    for order in sorted(orders, key=lambda each: each.planned_at):
        if order.planned_at > now or not order.sent or order.intent.placement is Placement.PASSIVE:
            continue  # a clock that was ahead; what waits in the book has a time of its own
        row = rows.setdefault(order.intent.instrument, [])
        if row and row[-1].intent.side is not order.intent.side:
            row.clear()
        if order.state == OrderState.CANCELLED.value:
            row.append(order)
        else:
            row.clear()
    until = {name: _wait(row, every) for name, row in rows.items() if len(row) > 1}
    return {name: at for name, at in until.items() if at > now}


def _wait(row: Sequence[PastOrder], every: timedelta) -> datetime:
    doublings = min(len(row) - 1, 16)  # no interval is so short that more would make a difference
    return row[-1].planned_at + min(every * (1 << doublings), WAIT_MAX)


def held_back(
    trades: Sequence[Trade], waiting: Mapping[InstrumentId, datetime], snapshot: Snapshot, policy: PortfolioPolicy
) -> str | None:
    """Why these trades wait for the book to fill again; None: they may go.

    What closes a hedge, or is bought back for margin, never waits, nor does a roll whose last call has come.
    """
    found = [(waiting[each.instrument], each.instrument) for each in trades if each.instrument in waiting]
    if not found or any(_urgent(each, snapshot, policy) for each in trades):
        return None
    until, instrument = max(found)
    return f"nothing was filled of the last orders on {instrument}: the next goes after {until:%H:%M:%S} UTC"


def _urgent(trade: Trade, snapshot: Snapshot, policy: PortfolioPolicy) -> bool:
    if trade.purpose is not Purpose.ROLL:
        return trade.purpose is not Purpose.REBALANCE
    instrument = snapshot.instruments.get(trade.instrument)
    return instrument is not None and is_last_call(instrument, policy.roll, snapshot.now, policy.every)
