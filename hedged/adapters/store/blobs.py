"""Small facts by name, in the transaction that the caller holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.rows import object_from_text
from hedged.adapters.store.tables import blobs

_INSERT = dialect.insert(blobs)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=[blobs.c.key], set_={name: _INSERT.excluded[name] for name in ("data", "at")}
)
_GET = select(blobs.c.data).where(blobs.c.key == bindparam("wanted"))


def get(connection: Connection, key: str) -> dict[str, Any] | None:
    data = connection.execute(_GET, {"wanted": key}).scalar()
    return None if data is None else object_from_text(data)


def put(connection: Connection, key: str, data: str, now: datetime) -> None:
    connection.execute(_PUT, {"key": key, "data": data, "at": now})
