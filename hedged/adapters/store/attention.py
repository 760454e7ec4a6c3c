"""What people say of alerts: acknowledgements and silences, in the transaction that the caller holds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from hedged.adapters.store import cycles
from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.beliefs import meant
from hedged.adapters.store.rows import from_text, to_text
from hedged.adapters.store.tables import acknowledgements, silences
from hedged.model.alert import Acknowledgement, Silence

_ACK = dialect.insert(acknowledgements)
_ACK_PUT = _ACK.on_conflict_do_update(
    index_elements=[acknowledgements.c.event_id], set_={name: _ACK.excluded[name] for name in ("at", "data")}
)
_ACKS = select(acknowledgements.c.data).where(acknowledgements.c.event_id.in_(bindparam("events", expanding=True)))

_SILENCE = dialect.insert(silences)
_SILENCE_PUT = _SILENCE.on_conflict_do_update(
    index_elements=[silences.c.id], set_={name: _SILENCE.excluded[name] for name in ("ends_at", "data")}
)
_SILENCES = select(silences.c.data).where(silences.c.ends_at > bindparam("now")).order_by(silences.c.ends_at)
_ENDED = (
    update(silences)
    .where(silences.c.id == bindparam("wanted"), silences.c.ends_at > bindparam("now"))
    .values(ends_at=bindparam("now"))
)


def acknowledge(connection: Connection, what: str, by: str, now: datetime, until: datetime | None) -> bool:
    dialect.begin(connection)  # or the alert could end between reading and writing
    events = meant(what, cycles.load_alerts(connection))
    rows = [Acknowledgement(event, by, now, until) for event in events]
    if rows:
        connection.execute(_ACK_PUT, [{"event_id": row.event_id, "at": row.at, "data": to_text(row)} for row in rows])
    return bool(rows)


def acknowledged(connection: Connection) -> list[Acknowledgement]:
    events = [alert.event_id for alert in cycles.load_alerts(connection)]
    return [from_text(Acknowledgement, data) for data in connection.execute(_ACKS, {"events": events}).scalars()]


def silence(connection: Connection, made: Silence) -> None:
    connection.execute(_SILENCE_PUT, {"id": made.id, "ends_at": made.ends_at, "data": to_text(made)})


def in_force(connection: Connection, now: datetime) -> list[Silence]:
    return [from_text(Silence, data) for data in connection.execute(_SILENCES, {"now": now}).scalars()]


def unsilence(connection: Connection, silence_id: str, now: datetime) -> bool:
    return connection.execute(_ENDED, {"wanted": silence_id, "now": now}).rowcount > 0
