"""What a configuration says about trading, as one short text that changes when any of it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from hedged.settings.schema import Document

_TRADING = ("mode", "quote", "accounts", "hedges", "limits", "instruments")
_UNIMPORTANT = frozenset({"withdraw_disabled_confirmed", "credentials_file"})


def trading_digest(document: Document) -> str:
    """64 hex digits. Rests on the keys that are written down alone: a version with more keys changes nothing."""
    said = {name: _plain(getattr(document, name)) for name in _TRADING}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in value.model_fields_set - _UNIMPORTANT}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value)
