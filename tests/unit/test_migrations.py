"""The migrations make the tables that the code speaks of."""

from __future__ import annotations

import importlib.resources

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from hedged.adapters.store import migrate
from hedged.adapters.store.tables import SCHEMA, metadata


def test_upgrading_from_nothing_gives_the_tables() -> None:
    """Column for column, index for index: what alembic builds is what the code declares."""
    with create_engine("sqlite://").begin() as connection:
        migrate.upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == SCHEMA
        made = inspect(connection)
        for table in metadata.sorted_tables:
            declared = {(key.column.table.name, key.ondelete) for key in table.foreign_keys}
            keys = made.get_foreign_keys(table.name)
            assert {(key["referred_table"], key["options"].get("ondelete")) for key in keys} == declared


def test_the_code_speaks_the_newest_version() -> None:
    """`SCHEMA` is alembic's head, so that an up-to-date database opens without loading alembic."""
    with create_engine("sqlite://").begin() as connection:
        assert ScriptDirectory.from_config(migrate.config(connection)).get_heads() == [SCHEMA]


def test_the_migrations_are_packaged() -> None:
    """They are found by package and not by folder: an installed copy has them."""
    versions = importlib.resources.files("hedged.adapters.store.migrations.versions")
    assert versions.joinpath("0001_first.py").is_file()
