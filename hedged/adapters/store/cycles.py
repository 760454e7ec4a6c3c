"""What a cycle leaves behind: reading it, and writing it in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, bindparam, delete, func, insert, or_, select, type_coerce

from hedged.adapters.store import effects, outbox, proposals
from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.beliefs import REOPENS_WITHIN, doubts_meant
from hedged.adapters.store.rows import from_bytes, from_text, object_from_text, object_to_text, to_bytes, to_text
from hedged.adapters.store.tables import Grain, accepted, alerts, cycles, decisions, memory, snapshots
from hedged.model.alert import Alert, AlertState
from hedged.model.snapshot import Snapshot
from hedged.ports import CycleRecord, Memory

_ONLY_ROW = 1

_MEMORY_INSERT = dialect.insert(memory)
_MEMORY_PUT = _MEMORY_INSERT.on_conflict_do_update(
    index_elements=[memory.c.id],
    set_={
        "cycle_id": _MEMORY_INSERT.excluded.cycle_id,
        "finished_at": _MEMORY_INSERT.excluded.finished_at,
        "data": _MEMORY_INSERT.excluded.data,
        # a cycle that could not even observe shows the last state, which carries its own time
        "state": func.coalesce(_MEMORY_INSERT.excluded.state, memory.c.state),
    },
)
_ALERT_INSERT = dialect.insert(alerts)
_ALERT_PUT = _ALERT_INSERT.on_conflict_do_update(
    index_elements=[alerts.c.event_id],
    set_={name: _ALERT_INSERT.excluded[name] for name in ("cycle_id", "key", "state", "resolved_at", "data")},
)
_ACCEPT = dialect.insert(accepted).on_conflict_do_nothing()
_CONSUME = delete(accepted).where(accepted.c.subject.not_in(bindparam("in_doubt", expanding=True)))
_DROP_ALERT = delete(alerts).where(alerts.c.event_id == bindparam("gone"))

_INSERT_CYCLE = insert(cycles)
_INSERT_SNAPSHOT = insert(snapshots)
_INSERT_DECISION = insert(decisions)

_LAST = select(memory.c.cycle_id, memory.c.finished_at)
_DAY = 86_400_000_000  # microseconds, which times are kept in
_DAYS = select(func.count(func.distinct(type_coerce(cycles.c.finished_at, BigInteger) // _DAY))).where(
    cycles.c.finished_at >= bindparam("since")
)
_STATE = select(memory.c.state)
_MEMORY = select(memory.c.data)
_ACCEPTED = select(accepted.c.subject)
_ALERTS = (
    select(alerts.c.data)
    .where(
        or_(
            alerts.c.state.in_((AlertState.PENDING.value, AlertState.FIRING.value)),
            and_(
                alerts.c.state == AlertState.RESOLVED.value,
                or_(alerts.c.resolved_at > bindparam("after"), alerts.c.resolved_at.is_(None)),  # its end is owed
            ),
        )
    )
    .order_by(alerts.c.event_id)
)
_RECORDED = (
    select(snapshots.c.data, decisions.c.data)
    .select_from(cycles.outerjoin(snapshots).outerjoin(decisions, decisions.c.cycle_id == cycles.c.id))
    .where(cycles.c.id == bindparam("cycle_id"))
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a past cycle. `decision` is evidence in `codec`'s form: its intents cannot be sent again."""

    snapshot: Snapshot | None
    decision: Mapping[str, Any] | None


def last_cycle(connection: Connection) -> tuple[str, datetime] | None:
    row = connection.execute(_LAST).first()
    return None if row is None else (row[0], row[1])


def days(connection: Connection, since: datetime) -> int:
    """On how many days, in UTC, cycles were completed."""
    return connection.execute(_DAYS, {"since": since}).scalar_one()


def latest_state(connection: Connection) -> dict[str, Any] | None:
    data = connection.execute(_STATE).scalar()
    return None if data is None else object_from_text(data)


def load_memory(connection: Connection) -> Memory:
    """The last cycle's memory, with what a person has accepted since."""
    data = connection.execute(_MEMORY).scalar()
    if data is None:
        return Memory()
    remembered = from_text(Memory, data)
    if not remembered.polls:
        return remembered
    subjects = connection.execute(_ACCEPTED).scalars()
    return replace(remembered, accepted=frozenset(subjects))


def accept(connection: Connection, subject: str, now: datetime) -> bool:
    dialect.begin(connection)  # or the daemon could replace the memory between reading and writing
    data = connection.execute(_MEMORY).scalar()
    meant = [] if data is None else doubts_meant(subject, from_text(Memory, data).polls)
    if meant:
        connection.execute(_ACCEPT, [{"subject": each, "at": now} for each in meant])
    return bool(meant)


def load_alerts(connection: Connection) -> list[Alert]:
    """Those pending or firing, and those that ended in the day before the last cycle."""
    newest = last_cycle(connection)
    if newest is None:
        return []
    rows = connection.execute(_ALERTS, {"after": newest[1] - REOPENS_WITHIN}).scalars()
    return [from_text(Alert, data) for data in rows]


def load_known(connection: Connection) -> tuple[Memory, list[Alert], datetime | None]:
    """Memory, alerts and the finishing time of the last cycle: where a process takes up its work."""
    last = last_cycle(connection)
    return load_memory(connection), load_alerts(connection), None if last is None else last[1]


def recorded(connection: Connection, cycle_id: str) -> Recorded | None:
    row = connection.execute(_RECORDED, {"cycle_id": cycle_id}).first()
    if row is None:
        return None
    return Recorded(
        snapshot=None if row[0] is None else from_bytes(Snapshot, row[0]),
        decision=None if row[1] is None else object_from_text(row[1]),
    )


def write(
    connection: Connection,
    record: CycleRecord,
    channels: Sequence[str],
    further: Sequence[str],
    *,
    grain: Grain,
    known: Mapping[str, Alert],
    had_doubts: bool,
) -> None:
    """All rows of one cycle. `known`: the alerts as stored, by event id, so that only changes are written.

    `had_doubts`: the stored memory lists doubts; only then can a person have accepted one meanwhile.
    """
    of_cycle = {"cycle_id": record.cycle_id}
    connection.execute(
        _INSERT_CYCLE,
        {
            "id": record.cycle_id,
            "started_at": record.started_at,
            "finished_at": record.finished_at,
            "grain": int(grain),
        },
    )
    if record.snapshot is not None:
        connection.execute(_INSERT_SNAPSHOT, {**of_cycle, "data": to_bytes(record.snapshot)})
    if record.decision is not None:
        connection.execute(_INSERT_DECISION, {**of_cycle, "data": to_text(record.decision)})
    connection.execute(
        _MEMORY_PUT,
        {
            **of_cycle,
            "id": _ONLY_ROW,
            "finished_at": record.finished_at,
            "data": to_text(replace(record.memory, accepted=frozenset())),
            "state": None if record.state is None else object_to_text(record.state),
        },
    )
    effects.put(connection, record.effects)
    proposals.put(connection, record.proposals)
    _write_accepted(connection, record, had_doubts=had_doubts)
    _write_alerts(connection, record, known)
    outbox.put(connection, record, channels, further)


def _write_accepted(connection: Connection, record: CycleRecord, *, had_doubts: bool) -> None:
    """An acceptance lives exactly as long as the doubt it answers."""
    if had_doubts:
        connection.execute(_CONSUME, {"in_doubt": list(record.memory.polls)})
    kept = record.memory.accepted & record.memory.polls.keys()
    if kept:
        connection.execute(_ACCEPT, [{"subject": each, "at": record.finished_at} for each in sorted(kept)])


def _write_alerts(connection: Connection, record: CycleRecord, known: Mapping[str, Alert]) -> None:
    changed = [alert for alert in record.alerts if known.get(alert.event_id) != alert]
    if changed:
        rows = [
            {
                "event_id": alert.event_id,
                "cycle_id": record.cycle_id,
                "key": alert.key,
                "state": alert.state.value,
                "resolved_at": alert.resolved_at if alert.owed is None else None,
                "data": to_text(alert),
            }
            for alert in changed
        ]
        connection.execute(_ALERT_PUT, rows)
    listed = {alert.event_id for alert in record.alerts}
    # what was pending and is not listed any more never fired: there is nothing to remember
    gone = [each for each, alert in known.items() if alert.state is AlertState.PENDING and each not in listed]
    if gone:
        connection.execute(_DROP_ALERT, [{"gone": each} for each in gone])
