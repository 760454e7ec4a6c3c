"""Prices of the past by subject, in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.tables import closes
from hedged.model.history import Close

_INSERT = dialect.insert(closes)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=[closes.c.subject, closes.c.at], set_={"price": _INSERT.excluded["price"]}
)
_SINCE = (
    select(closes.c.at, closes.c.price)
    .where((closes.c.subject == bindparam("wanted")) & (closes.c.at > bindparam("since")))
    .order_by(closes.c.at)
)
_NEWEST = select(closes.c.subject, func.max(closes.c.at).label("at")).group_by(closes.c.subject)


def put(connection: Connection, subject: str, rows: Sequence[Close]) -> None:
    connection.execute(_PUT, [{"subject": subject, "at": row.at, "price": row.price} for row in rows])


def since(connection: Connection, subject: str, at: datetime) -> list[Close]:
    return [Close(*row) for row in connection.execute(_SINCE, {"wanted": subject, "since": at})]


def newest(connection: Connection) -> dict[str, datetime]:
    return {row.subject: row.at for row in connection.execute(_NEWEST)}
