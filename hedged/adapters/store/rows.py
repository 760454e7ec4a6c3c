"""Values as column contents, and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, TypeVar

from hedged.model.codec import decode, encode

T = TypeVar("T")

_COMPACT = (",", ":")
_FASTEST = 1  # zlib level; 6 takes three times as long to save another sixth


class DamagedRow(Exception):
    """A row that holds something else than was written. The store makes a `StoreUnavailable` of it."""


def to_text(value: object) -> str:
    return json.dumps(encode(value), separators=_COMPACT)


def to_bytes(value: object) -> bytes:
    return zlib.compress(to_text(value).encode(), _FASTEST)


def object_to_text(value: Mapping[str, object]) -> str:
    return json.dumps(dict(value), separators=_COMPACT)


def from_text(as_type: type[T], data: str) -> T:
    try:
        return decode(as_type, json.loads(data))
    except ValueError as error:
        raise DamagedRow(str(error)) from error


def from_bytes(as_type: type[T], data: bytes) -> T:
    try:
        return from_text(as_type, zlib.decompress(data).decode())
    except (zlib.error, UnicodeDecodeError) as error:
        raise DamagedRow(f"{as_type.__name__}: {error}") from error


def object_from_text(data: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise DamagedRow(str(error)) from error
    if not isinstance(value, dict):
        raise DamagedRow(f"expected an object, found {type(value).__name__}")
    return value
