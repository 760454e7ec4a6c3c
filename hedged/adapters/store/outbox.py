"""Messages on their way: rows of the outbox, in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from hedged.adapters.store.rows import from_text, to_text
from hedged.adapters.store.tables import outbox
from hedged.model.alert import Delivery, Message, OutboxRow
from hedged.ports import CycleRecord
from hedged.tell.route import receivers

_INSERT = insert(outbox)
_DUE = (
    select(outbox.c.id, outbox.c.channel, outbox.c.data, outbox.c.attempts, outbox.c.next_try_at)
    .where(
        outbox.c.delivered_at.is_(None),
        outbox.c.channel == bindparam("wanted"),
        outbox.c.next_try_at <= bindparam("now"),
    )
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
)
_UNDELIVERED = update(outbox).where(outbox.c.id == bindparam("wanted"), outbox.c.delivered_at.is_(None))
_DELIVERED = _UNDELIVERED.values(delivered_at=bindparam("now"), error=None)
_FAILED = _UNDELIVERED.values(attempts=outbox.c.attempts + 1, next_try_at=bindparam("again"), error=bindparam("why"))
_BACKLOG = select(outbox.c.channel, func.count()).where(outbox.c.delivered_at.is_(None)).group_by(outbox.c.channel)
_LAST = (
    select(outbox.c.channel, func.max(outbox.c.delivered_at))
    .where(outbox.c.delivered_at.is_not(None))
    .group_by(outbox.c.channel)
)

_OF = (
    select(outbox.c.event_id, outbox.c.channel, outbox.c.data, outbox.c.attempts, outbox.c.delivered_at, outbox.c.error)
    .where(outbox.c.event_id.in_(bindparam("messages", expanding=True)))
    .order_by(outbox.c.id)
)


def put(connection: Connection, record: CycleRecord, channels: Sequence[str], further: Sequence[str]) -> None:
    """A row for each message and channel that is to get it."""
    rows = [
        {
            "cycle_id": record.cycle_id,
            "channel": channel,
            "event_id": message.event_id,
            "data": data,
            "attempts": 0,
            "next_try_at": record.finished_at,
        }
        for message, data in ((message, to_text(message)) for message in record.messages)
        for channel in receivers(message, channels, further)
    ]
    if rows:
        connection.execute(_INSERT, rows)


def of(connection: Connection, message_ids: Collection[str]) -> list[Delivery]:
    rows = connection.execute(_OF, {"messages": sorted(message_ids)})
    read = ((row, from_text(Message, row[2])) for row in rows)
    return [Delivery(row[0], row[1], told.kind, told.at, row[3], row[4], row[5]) for row, told in read]


def due(connection: Connection, channel: str, now: datetime, limit: int) -> list[OutboxRow]:
    rows = connection.execute(_DUE, {"wanted": channel, "now": now, "most": limit})
    return [OutboxRow(row[0], row[1], from_text(Message, row[2]), row[3], row[4]) for row in rows]


def delivered(connection: Connection, row_id: int, now: datetime) -> None:
    connection.execute(_DELIVERED, {"wanted": row_id, "now": now})


def failed(connection: Connection, row_id: int, next_try_at: datetime, error: str) -> None:
    connection.execute(_FAILED, {"wanted": row_id, "again": next_try_at, "why": error})


def backlog(connection: Connection) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(_BACKLOG)}


def last_delivered(connection: Connection) -> dict[str, datetime]:
    return {row[0]: row[1] for row in connection.execute(_LAST)}
