"""What is still kept of one event, in the transaction that the caller holds."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from hedged.adapters.store.beliefs import distinct
from hedged.adapters.store.rows import from_text
from hedged.adapters.store.tables import alerts, outbox
from hedged.model.alert import Alert, Event, Message

_ALERTS = select(alerts.c.data).where(alerts.c.event_id.in_(bindparam("wanted", expanding=True)))
_MESSAGES = (
    select(outbox.c.data).where(outbox.c.event_id.in_(bindparam("wanted", expanding=True))).order_by(outbox.c.id)
)


def get(connection: Connection, event_id: str) -> Event | None:
    found = _alerts(connection, [event_id])
    asked = {event_id, *(each for alert in found for each in (alert.told_in, *alert.told_before) if each)}
    rows = connection.execute(_MESSAGES, {"wanted": sorted(asked)}).scalars()
    messages = distinct(from_text(Message, data) for data in rows)
    if not found:  # the id may be that of a message about several
        found = _alerts(connection, sorted({told.event_id for message in messages for told in message.alerts}))
    return Event(tuple(found), messages) if found or messages else None


def _alerts(connection: Connection, event_ids: list[str]) -> list[Alert]:
    return [from_text(Alert, data) for data in connection.execute(_ALERTS, {"wanted": event_ids}).scalars()]
