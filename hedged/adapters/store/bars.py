"""Prices of the past by subject, in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.tables import bars
from hedged.model.history import Bar

_FIELDS = ("at", "close", "high", "low")
_INSERT = dialect.insert(bars)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=[bars.c.subject, bars.c.at], set_={name: _INSERT.excluded[name] for name in ("close", "high", "low")}
)
_SINCE = (
    select(bars.c.at, bars.c.close, bars.c.high, bars.c.low)
    .where((bars.c.subject == bindparam("wanted")) & (bars.c.at > bindparam("since")))
    .order_by(bars.c.at)
)
_NEWEST = select(bars.c.subject, func.max(bars.c.at).label("at")).group_by(bars.c.subject)


def put(connection: Connection, subject: str, rows: Sequence[Bar]) -> None:
    connection.execute(_PUT, [{"subject": subject, **{name: getattr(row, name) for name in _FIELDS}} for row in rows])


def since(connection: Connection, subject: str, at: datetime) -> list[Bar]:
    return [Bar(*row) for row in connection.execute(_SINCE, {"wanted": subject, "since": at})]


def newest(connection: Connection) -> dict[str, datetime]:
    return {row.subject: row.at for row in connection.execute(_NEWEST)}
