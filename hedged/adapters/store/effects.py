"""What hedges did, a row for each and day, in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.rows import from_text, to_text
from hedged.adapters.store.tables import effects
from hedged.model.effect import EffectDay

_INSERT = dialect.insert(effects)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=[effects.c.hedge, effects.c.day], set_={"data": _INSERT.excluded.data}
)
_SINCE = select(effects.c.data).where(effects.c.day >= bindparam("since")).order_by(effects.c.day, effects.c.hedge)


def put(connection: Connection, rows: Sequence[EffectDay]) -> None:
    if rows:
        connection.execute(_PUT, [{"hedge": row.hedge, "day": row.day, "data": to_text(row)} for row in rows])


def since(connection: Connection, day: datetime) -> list[EffectDay]:
    return [from_text(EffectDay, data) for data in connection.execute(_SINCE, {"since": day}).scalars()]
