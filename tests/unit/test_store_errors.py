"""What a database error is for the user."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from hedged.adapters.store.sqlite import explain
from hedged.errors import StoreError, StoreUnavailable

PATH = Path("/var/lib/hedged/hedged.db")


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (sqlite3.SQLITE_FULL, StoreUnavailable, "disk of .* is full: free some space"),
        (sqlite3.SQLITE_BUSY, StoreUnavailable, "locked by another process"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreUnavailable, "locked by another process"),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreUnavailable, "check the disk; what was stored before is safe"),
        (sqlite3.SQLITE_IOERR_WRITE, StoreUnavailable, "check the disk; what was stored before is safe"),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreUnavailable, "is damaged .* nothing was deleted"),
        (sqlite3.SQLITE_NOTADB, StoreUnavailable, "is not a database: move it away"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StoreUnavailable, "give its folder and file to the user"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, StoreUnavailable, "give its folder and file to the user"),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, StoreError, "contradicts what is stored"),
    ],
)
def test_each_error_says_where_and_what_to_do(code: int, kind: type[StoreError], says: str) -> None:
    """By SQLite's own code, extended ones included; the driver's words are kept beside ours."""
    original = sqlite3.OperationalError("what the driver says")
    original.sqlite_errorcode = code
    error = explain(OperationalError("INSERT", {}, original), PATH)
    assert type(error) is kind
    assert str(PATH) in str(error)
    with pytest.raises(kind, match=says):
        raise error
