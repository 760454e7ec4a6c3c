"""What a venue's reply must look like, and how its fields become our values. Pure; shared by guard and dialects.

JSON comes in with floats as text (so that no digit is lost) and whole numbers as `int`. A field that is not what
it should be raises `Misshapen` naming it; nothing here ever falls back to zero or to an empty list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any, TypeAlias

_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][-+]?\d{1,2})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_MAX = 253_402_300_799_000  # the end of the year 9999

Row: TypeAlias = Mapping[str, Any]


class Misshapen(ValueError):
    """A reply or field is not what the endpoint promises. The text says which, never the value."""


class Scalar(Enum):
    """What a field of an object must be."""

    TEXT = auto()  # not empty
    NUMBER = auto()  # finite, as a number or as decimal text
    TRUE = auto()  # `true` and nothing else: how some venues say that a reply is one
    PRESENT = (
        auto()
    )  # there, whatever it holds: checked where it is used, so that one odd row does not stop a bulk read


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of objects. `at_least` 0: an empty list is a legitimate answer and means *none*."""

    fields: Fields
    at_least: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One object. A field that holds an object or a list of objects is given as `Record` or `Rows`."""

    fields: Fields


@dataclass(frozen=True, slots=True)
class Several:
    """A list of as many things as these, each of its own shape."""

    parts: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """A list of lists whose first `numbers` items are numbers. An empty one is a legitimate answer: *none*."""

    numbers: int


@dataclass(frozen=True, slots=True)
class Columns:
    """One object that is a table stored by columns: lists of numbers, all of one length."""

    names: tuple[str, ...]


Shape: TypeAlias = Scalar | Rows | Record | Several | Lists | Columns
Fields: TypeAlias = Mapping[str, Shape]


def parse_json(text: str) -> Any:
    """The reply as Python values; floats as text. Raises `Misshapen` for anything that is not strict JSON."""
    if not text.strip():
        raise Misshapen("the reply is empty")
    try:
        return json.loads(text, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        kind = "an HTML page" if text.lstrip()[:1] == "<" else "broken or truncated JSON"
        raise Misshapen(f"the reply is {kind} ({len(text)} characters)") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON


def check(value: object, shape: Shape, where: str = "the reply") -> None:
    """Raise `Misshapen` unless `value` has this shape. Fields not named are not looked at."""
    if isinstance(shape, Scalar):
        _check_row({where: value}, {where: shape}, where)
        return
    if isinstance(shape, Record):
        _check_row(value, shape.fields, where)
        return
    if isinstance(shape, Columns):
        _check_columns(value, shape.names, where)
        return
    if not isinstance(value, list):
        raise Misshapen(f"{where} is {_kind(value)}, expected a list")
    if isinstance(shape, Several):
        if len(value) != len(shape.parts):
            raise Misshapen(f"{where} is a list of {len(value)}, expected {len(shape.parts)}")
        for position, (part, expected) in enumerate(zip(value, shape.parts, strict=True)):
            check(part, expected, f"{where} part {position}")
        return
    if isinstance(shape, Lists):
        for position, items in enumerate(value):
            _check_numbers(items, f"{where} row {position}", at_least=shape.numbers)
        return
    if len(value) < shape.at_least:
        raise Misshapen(f"{where} is empty")
    for position, row in enumerate(value):
        _check_row(row, shape.fields, f"{where} row {position}")


def _check_numbers(items: object, where: str, *, at_least: int) -> None:
    if not isinstance(items, list) or len(items) < at_least:
        raise Misshapen(f"{where} is not a list of at least {at_least} items")
    for item in items[:at_least]:
        _number(item, where)


def _check_columns(table: object, names: tuple[str, ...], where: str) -> None:
    if not isinstance(table, dict):
        raise Misshapen(f"{where} is {_kind(table)}, expected an object")
    columns = [table.get(name) for name in names]
    length = len(columns[0]) if isinstance(columns[0], list) else 0
    for name, column in zip(names, columns, strict=True):
        _check_numbers(column, f"{where}: {name}", at_least=length)
        if isinstance(column, list) and len(column) > length:
            raise Misshapen(f"{where}: {name} is longer than {names[0]}")


def _check_row(row: object, fields: Fields, where: str) -> None:
    if not isinstance(row, dict):
        raise Misshapen(f"{where} is {_kind(row)}, expected an object")
    for name, kind in fields.items():
        if name not in row:
            raise Misshapen(f"{where} lacks {name}")
        if not isinstance(kind, Scalar):
            check(row[name], kind, f"{where}: {name}")
        elif kind is Scalar.TEXT:
            text(row, name)
        elif kind is Scalar.NUMBER:
            number(row, name)
        elif kind is Scalar.TRUE and row[name] is not True:
            raise Misshapen(f"{where}: {name} is not true")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", int: "a number", bool: "true/false", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def number(row: Row, name: str) -> Decimal:
    """A finite decimal. Raises `Misshapen` for anything else: null, NaN, true, an empty text."""
    return _number(row.get(name), name)


def _number(value: object, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Misshapen(f"{name} is {_kind(value)}, expected a number")
    if not _NUMBER.fullmatch(str(value)):
        raise Misshapen(f"{name} is not a finite number")
    return Decimal(value)


def positive(row: Row, name: str) -> Decimal:
    """A number above zero: a price, a step, a quantity."""
    value = number(row, name)
    if value <= 0:
        raise Misshapen(f"{name} is not above zero")
    return value


def not_negative(row: Row, name: str) -> Decimal:
    """A number at or above zero: coins in a wallet, a debt."""
    value = number(row, name)
    if value < 0:
        raise Misshapen(f"{name} is below zero")
    return value


def positive_or_none(row: Row, name: str) -> Decimal | None:
    """A price where the venue says `0` for 'none'. A blank or a null is not that, and raises."""
    return not_negative(row, name) or None


def hint(row: Row | None, name: str) -> Decimal | None:
    """A figure that says how finely to trade and no more, such as a day's volume or what the best price holds.

    None for whatever is no number above zero: for want of it nothing is held up.
    """
    if row is None or row.get(name) is None:
        return None
    try:
        value = number(row, name)
    except Misshapen:
        return None
    return value if value > 0 else None


def liquidation_or_none(row: Row, name: str) -> Decimal | None:
    """A liquidation price. Null, blank, left out, zero and below zero all say that there is none.

    Which of these a venue uses changes with the account's mode and without notice, and none of them is a price that
    could be reached. What is neither a number nor one of these raises.
    """
    if row.get(name) is None or row[name] == "":
        return None
    price = number(row, name)
    return price if price > 0 else None


def text(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise Misshapen(f"{name} is {_kind(value)}, expected a word")
    return value


def flag(row: Row, name: str) -> bool:
    """True or false, and not what could be taken for it."""
    value = row.get(name)
    if not isinstance(value, bool):
        raise Misshapen(f"{name} is {_kind(value)}, expected true or false")
    return value


def moment(row: Row, name: str) -> datetime:
    """Milliseconds since 1970 as aware UTC."""
    value = number(row, name)
    if not 0 < value < _MILLISECONDS_MAX:
        raise Misshapen(f"{name} is not a time")
    return _EPOCH + timedelta(milliseconds=int(value))


def iso_moment(row: Row, name: str) -> datetime:
    """A time in ISO 8601 with its offset (`2026-11-02T12:00:00.000Z`) as aware UTC."""
    written = text(row, name)
    try:
        when = datetime.fromisoformat(written)
    except ValueError:
        raise Misshapen(f"{name} is not a time") from None
    if when.tzinfo is None:
        raise Misshapen(f"{name} lacks its offset from UTC")
    return when.astimezone(UTC)


def milliseconds(when: datetime) -> int:
    """Aware UTC as milliseconds since 1970."""
    return (when - _EPOCH) // timedelta(milliseconds=1)
