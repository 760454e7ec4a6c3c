"""What was asked from outside and what came of it, in the transaction that the caller holds."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.rows import object_from_text, object_to_text
from hedged.adapters.store.tables import commands
from hedged.model.command import CommandOutcome, CommandRow

KEPT_DROPPED = 10_000
KEPT_TAKEN = 100_000
"""Rows, not days: however the clock is set, a nonce that was used recently is known."""

_INSERT = dialect.insert(commands)
_ONCE = _INSERT.on_conflict_do_nothing(index_elements=[commands.c.source, commands.c.nonce])
_END = (
    update(commands)
    .where(commands.c.source == bindparam("of"), commands.c.nonce == bindparam("used"))
    .values(outcome=bindparam("now_is"), data=bindparam("said"))
)
_NEWEST = select(commands).order_by(commands.c.id.desc()).limit(bindparam("most"))


def claim(connection: Connection, row: CommandRow) -> bool:
    """False: the nonce has been used, and nothing is changed."""
    return connection.execute(_ONCE, _values(row)).rowcount == 1


def end(connection: Connection, row: CommandRow) -> None:
    connection.execute(
        _END, {"of": row.source, "used": row.nonce, "now_is": row.outcome.value, "said": object_to_text(row.data)}
    )


def note(connection: Connection, row: CommandRow) -> None:
    """Its nonce is used up all the same, where it was not yet."""
    if not claim(connection, row):
        connection.execute(_INSERT, {**_values(row), "nonce": None})


def newest(connection: Connection, limit: int) -> list[CommandRow]:
    return [
        CommandRow(row.at, row.source, row.nonce, row.verb, CommandOutcome(row.outcome), object_from_text(row.data))
        for row in connection.execute(_NEWEST, {"most": limit})
    ]


def thin(connection: Connection, limit: int) -> int:
    """The oldest beyond those kept, those dropped and those taken each by itself; at most `limit` rows of each."""
    removed = 0
    dropped = commands.c.outcome == CommandOutcome.DROPPED.value
    for those, kept in ((dropped, KEPT_DROPPED), (~dropped, KEPT_TAKEN)):
        last = select(commands.c.id).where(those).order_by(commands.c.id.desc()).limit(1).offset(kept).scalar_subquery()
        old = select(commands.c.id).where(those, commands.c.id <= last).limit(limit)
        removed += connection.execute(commands.delete().where(commands.c.id.in_(old))).rowcount
    return removed


def _values(row: CommandRow) -> dict[str, object]:
    return {
        "at": row.at,
        "source": row.source,
        "nonce": row.nonce,
        "verb": row.verb,
        "outcome": row.outcome.value,
        "data": object_to_text(row.data),
    }
