"""What a configuration says about trading, as one short text that changes when any of it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from hedged.settings.schema import Document

_TELLING = frozenset(
    {"name", "notify", "mqtt", "telegram", "web", "store"}
)  # where from and to whom, and where it is kept
_OF_ALERTS = frozenset({"stale_after", "leg_skew_max", "depeg"})  # what blocks orders; the rest is about messages
_OF_SCHEDULE = frozenset({"every"})
# said anew again and again, as it should be, without another order coming of it
_UNIMPORTANT = frozenset({"withdraw_disabled_confirmed", "credentials_file", "as_of", "note"})


def trading_digest(document: Document) -> str:
    """64 hex digits. Rests on the keys that are written down alone: a version with more keys changes nothing.

    Of everything that orders may come of, a list of sectors with what is in it.
    """
    said = {name: _plain(getattr(document, name)) for name in document.model_fields_set - _TELLING}
    for table, keys in (("alerts", _OF_ALERTS), ("schedule", _OF_SCHEDULE)):
        said[table] = {name: each for name, each in said.get(table, {}).items() if name in keys}
    said["mode"] = str(document.mode)
    if (sectors := document.portfolio.sectors_file) is not None:
        said["sectors"] = hashlib.sha256(sectors.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in value.model_fields_set - _UNIMPORTANT}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value)
