"""Bring the tables up to date, with alembic. Imported only when there is something to do: alembic is slow to load."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def config(connection: Connection) -> Config:
    """Alembic's configuration for the migrations packaged here, on a connection in a transaction."""
    made = Config()
    made.set_main_option("script_location", "hedged.adapters.store:migrations")
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection) -> None:
    """All steps that are missing, inside the caller's transaction: all of them or none."""
    command.upgrade(config(connection), "head")
