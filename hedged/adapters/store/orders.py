"""The journal: rows of orders and fills, in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, func, insert, or_, select, union_all, update
from sqlalchemy.exc import IntegrityError

from hedged.adapters.store import journal, proposals
from hedged.adapters.store.rows import from_text, to_text
from hedged.adapters.store.tables import fills, orders
from hedged.model.order import ABSENT, Absent, Fill, Intent, OrderRow, OrderState, Outcome, PastOrder, Working
from hedged.ports import Turnover

_PLAN = insert(orders)
_FIND = select(orders.c.state, orders.c.data, orders.c.cycle_id).where(orders.c.client_order_id == bindparam("wanted"))
_STEP = update(orders).where(
    orders.c.client_order_id == bindparam("wanted"), orders.c.state.in_(bindparam("comes_from", expanding=True))
)
_SENT = _STEP.values(state=OrderState.SENT.value, sent_at=bindparam("now"), sends=orders.c.sends + 1, absences=0)
_CAME_TO = _STEP.values(
    state=bindparam("after"),
    ended_at=bindparam("ended"),
    reason=bindparam("why"),
    venue_order_id=func.coalesce(bindparam("given"), orders.c.venue_order_id),
)
_AGAIN = _STEP.values(
    cycle_id=bindparam("cycle"),
    state=OrderState.PLANNED.value,
    notional=bindparam("worth"),
    data=bindparam("intent"),
    planned_at=bindparam("now"),
    ended_at=None,
    reason=None,
)
_SOUGHT = _STEP.values(absences=orders.c.absences + 1)
_INSERT_FILL = insert(fills)
_FILL = select(fills.c.data).where(fills.c.client_order_id == bindparam("wanted"))
_FILLS = select(fills.c.data).where(fills.c.at >= bindparam("since")).order_by(fills.c.at, fills.c.client_order_id)
_OPEN = (
    select(
        orders.c.data,
        orders.c.state,
        orders.c.planned_at,
        orders.c.cycle_id,
        orders.c.sent_at,
        orders.c.sends,
        orders.c.absences,
        orders.c.venue_order_id,
    )
    .where(orders.c.ended_at.is_(None))
    .order_by(orders.c.planned_at, orders.c.client_order_id)
)
# What was planned since then has not ended before: so that the index on the end serves.
_PAST = (
    select(
        orders.c.data,
        orders.c.state,
        orders.c.planned_at,
        orders.c.sent_at,
        orders.c.sends,
        orders.c.reason,
        fills.c.data.label("fill"),
    )
    .select_from(orders.outerjoin(fills))
    .where(or_(orders.c.ended_at.is_(None), orders.c.ended_at >= bindparam("since")))
    .where(orders.c.planned_at >= bindparam("since"))
    .order_by(orders.c.planned_at.desc(), orders.c.client_order_id.desc())
    .limit(journal.PAST_ORDERS_MAX)
)
_TURNOVER = union_all(
    select(fills.c.notional).where(fills.c.at >= bindparam("since")),
    select(orders.c.notional).where(orders.c.ended_at.is_(None)),
)


def plan(connection: Connection, cycle_id: str, intents: Sequence[Intent], now: datetime) -> None:
    for intent in intents:
        proposals.use(connection, intent)
    rows = [
        {
            "client_order_id": intent.client_order_id,
            "cycle_id": cycle_id,
            "state": OrderState.PLANNED.value,
            "notional": intent.notional,
            "data": to_text(intent),
            "planned_at": now,
        }
        for intent in intents
        if not _planned_again(connection, cycle_id, intent, now)
    ]
    if not rows:
        return
    try:
        connection.execute(_PLAN, rows)
    except IntegrityError as error:
        taken = ", ".join(intent.client_order_id for intent in intents)
        raise journal.already_planned(taken) from error


def _planned_again(connection: Connection, cycle_id: str, intent: Intent, now: datetime) -> bool:
    """Whether this is the id of an order that was found absent, which is to be sent again."""
    values = {
        "wanted": intent.client_order_id,
        "comes_from": journal.COMES_FROM[OrderState.PLANNED.value],
        "cycle": cycle_id,
        "worth": intent.notional,
        "intent": to_text(intent),
        "now": now,
    }
    return bool(connection.execute(_AGAIN, values).rowcount)


def record_absence(connection: Connection, client_order_id: str) -> None:
    """One more look-up in vain; the row stays open."""
    values = {"wanted": client_order_id, "comes_from": journal.OPEN}
    if connection.execute(_SOUGHT, values).rowcount == 0:
        state, _, _ = _find(connection, client_order_id)
        raise journal.no_such_step(client_order_id, state, ABSENT)


def mark_sent(connection: Connection, client_order_id: str, now: datetime) -> None:
    """Once only: a second sending of the same order is exactly what must not happen."""
    sent = OrderState.SENT.value
    values = {"wanted": client_order_id, "comes_from": journal.COMES_FROM[sent], "now": now}
    if connection.execute(_SENT, values).rowcount == 0:
        state, _, _ = _find(connection, client_order_id)
        raise journal.no_such_step(client_order_id, state, sent)


def record_outcome(connection: Connection, outcome: Outcome | Absent, now: datetime) -> None:
    """Told twice, it is recorded once."""
    wanted, after = outcome.client_order_id, journal.state_after(outcome)
    values = {
        "wanted": wanted,
        "comes_from": journal.COMES_FROM[after],
        "after": after,
        "ended": None if after in journal.OPEN else now,
        "why": journal.reason_of(outcome),
        "given": outcome.venue_order_id if isinstance(outcome, Working) else None,
    }
    stepped = connection.execute(_CAME_TO, values).rowcount
    state, intent, cycle_id = _find(connection, wanted)
    if not stepped:
        if state != after:
            raise journal.no_such_step(wanted, state, after)
        if isinstance(outcome, Fill) and outcome != _fill(connection, wanted):
            raise journal.contradicts(wanted)
    elif isinstance(outcome, Fill):
        fill = {
            "client_order_id": wanted,
            "cycle_id": cycle_id,
            "at": outcome.at,
            "notional": journal.fill_notional(outcome, intent),
            "data": to_text(outcome),
        }
        connection.execute(_INSERT_FILL, fill)


def _find(connection: Connection, client_order_id: str) -> tuple[str, Intent, str]:
    row = connection.execute(_FIND, {"wanted": client_order_id}).first()
    if row is None:
        raise journal.not_in_journal(client_order_id)
    return row[0], from_text(Intent, row[1]), row[2]


def _fill(connection: Connection, client_order_id: str) -> Fill | None:
    data = connection.execute(_FILL, {"wanted": client_order_id}).scalar()
    return None if data is None else from_text(Fill, data)


def open_orders(connection: Connection) -> list[OrderRow]:
    return [
        OrderRow(
            intent=from_text(Intent, row.data),
            state=OrderState(row.state),
            planned_at=row.planned_at,
            cycle_id=row.cycle_id,
            sent_at=row.sent_at,
            sends=row.sends,
            absences=row.absences,
            venue_order_id=row.venue_order_id,
        )
        for row in connection.execute(_OPEN)
    ]


def past_orders(connection: Connection, since: datetime) -> list[PastOrder]:
    return [
        PastOrder(
            intent=from_text(Intent, row.data),
            state=row.state,
            planned_at=row.planned_at,
            sent=row.sent_at is not None,
            filled=Decimal(0) if row.fill is None else from_text(Fill, row.fill).quantity,
            reason=row.reason,
            sends=row.sends,
        )
        for row in connection.execute(_PAST, {"since": since})
    ]


def turnover(connection: Connection, since: datetime) -> Turnover:
    notionals = connection.execute(_TURNOVER, {"since": since}).scalars().all()
    return Turnover(notional=sum(notionals, Decimal(0)), orders=len(notionals))


def fills_since(connection: Connection, since: datetime) -> list[Fill]:
    return [from_text(Fill, data) for data in connection.execute(_FILLS, {"since": since}).scalars()]
