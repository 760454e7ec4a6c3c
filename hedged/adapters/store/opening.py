"""Whose database it is, and bringing it up to date."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select, text

from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.tables import APPLICATION, SCHEMA, stamp
from hedged.errors import WrongStore
from hedged.model.policy import World

_ELSEWHERE = "set another path under [store]; it is left as it is"


def version(connection: Connection, path: Path, portfolio: str, world: World) -> str | None:
    """The version of the tables, None for an empty file. Raises `WrongStore` unless it is ours."""
    if dialect.is_new(connection, path):
        return None
    found = connection.execute(select(stamp.c.portfolio, stamp.c.world)).one()
    if found.world != world.value:
        raise WrongStore(
            f"{path} belongs to world {found.world!r}, and this configuration runs in {world.value!r}: {_ELSEWHERE}"
        )
    if found.portfolio != portfolio:
        raise WrongStore(
            f"{path} belongs to portfolio {found.portfolio!r}, and this one is {portfolio!r}: "
            f'write name = "{found.portfolio}" at the top of the configuration if it is the same, or {_ELSEWHERE}'
        )
    tables = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    if tables > SCHEMA:
        raise WrongStore(
            f"{path} was written by a newer version of hedged (tables {tables}, known here {SCHEMA}): "
            "install that version again; it is left as it is"
        )
    return tables


def upgrade(connection: Connection, path: Path, portfolio: str, world: World, now: datetime) -> None:
    """All or nothing, in the caller's transaction; asked again under the lock, as another process may be first."""
    from hedged.adapters.store import migrate  # noqa: PLC0415 - alembic is slow to import and rarely needed

    dialect.begin(connection)
    before = version(connection, path, portfolio, world)
    migrate.upgrade(connection)
    if before is None:
        row = {"application": APPLICATION, "portfolio": portfolio, "world": world.value, "created_at": now}
        connection.execute(insert(stamp), row)
        dialect.sign(connection)
