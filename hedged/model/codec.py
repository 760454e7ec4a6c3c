"""Our frozen values as JSON-able objects and back, exactly.

    Decimal     → string, every digit and the exponent kept
    datetime    → ISO-8601 in UTC ending in Z; a naive one is a ValueError
    timedelta   → seconds, a number
    Enum        → its value
    tuple       → list
    frozenset   → sorted list
    Mapping     → object; keys are strings
    dataclass   → object of its fields; in a union also `"$"`: the class's name (Read | Missing, Fill | Rejected)
    str | Decimal | … → `{"$": "Decimal", "value": "1.50"}` for what JSON has no type of its own for

A field that stored data does not have takes its default, one that the class no longer has is passed over: that is
how values written by an older version are read.

An `ApprovedIntent` is written without its seal and cannot be read back: what is stored is evidence of an approval,
not an approval, so nothing that was stored can be sent again.

Encoders are built from the type hints once per type and kept.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from hedged.model.order import ApprovedIntent

T = TypeVar("T")
Json: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
_Codec: TypeAlias = Callable[[Any], Any]

TAG = "$"
_NATIVE = (str, bool, int, float)  # JSON's own types, passed through as they are
_NONE = type(None)


def encode(value: object, as_type: Any = None) -> Json:
    """`value` as a JSON-able object. `as_type` is needed only for generics and unions, for example `Read[Decimal]`.

    Raises `TypeError` for a type that has no rule above, `ValueError` for a naive datetime.
    """
    tp: Any = as_type or type(value)
    return cast("Json", _encoder(tp)(value))


def decode(as_type: type[T], data: Any) -> T:
    """The value that `encode` made `data` of. Raises `ValueError` naming class and field where it does not fit."""
    tp: Any = as_type
    return cast("T", _decoder(tp)(data))


# shapes of types


def _members(tp: Any) -> tuple[Any, ...] | None:
    """The members of a union other than None; None when `tp` is not a union."""
    if get_origin(tp) in (Union, types.UnionType):
        return tuple(arg for arg in get_args(tp) if arg is not _NONE)
    return None


def _plain(tp: Any) -> Any:
    """`tp` without NewType around it."""
    while hasattr(tp, "__supertype__"):
        tp = tp.__supertype__
    return tp


def _is_record(cls: Any) -> bool:
    return isinstance(cls, type) and is_dataclass(cls)


def _fields_of(tp: Any) -> dict[str, Any]:
    """Field names and types of a dataclass, its type parameters filled in."""
    cls = get_origin(tp) or tp
    hints = get_type_hints(cls)
    given = dict(zip(getattr(cls, "__parameters__", ()), get_args(tp), strict=False))
    return {
        field.name: _substituted(hints[field.name], given)
        for field in fields(cls)
        if not (cls is ApprovedIntent and field.name == "seal")
    }


def _substituted(tp: Any, given: Mapping[Any, Any]) -> Any:
    if isinstance(tp, TypeVar):
        if tp not in given:
            raise TypeError(f"say of what: the type parameter {tp} is open (for example Read[Decimal], not Read)")
        return given[tp]
    parameters = getattr(tp, "__parameters__", ())
    return tp[tuple(given.get(parameter, parameter) for parameter in parameters)] if parameters and given else tp


# encoding


def _same(value: Any) -> Any:
    return value


def _encode_datetime(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; times are aware UTC")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat()[:-6] + "Z"


def _encode_timedelta(value: timedelta) -> float | int:
    return value.total_seconds() if value.microseconds else value.days * 86_400 + value.seconds


@cache
def _encoder(tp: Any) -> _Codec:
    tp = _plain(tp)
    members = _members(tp)
    if members is not None:
        return _optional(_encoder(members[0])) if len(members) == 1 else _union_encoder(members)
    origin, args = get_origin(tp) or tp, get_args(tp)
    if tp in _NATIVE:
        return _same
    if tp is Decimal:
        return str
    if tp is datetime:
        return _encode_datetime
    if tp is timedelta:
        return _encode_timedelta
    if isinstance(tp, type) and issubclass(tp, Enum):
        return attrgetter("value")
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        item = _encoder(args[0])
        return lambda value: [item(each) for each in value]
    if origin is frozenset and args:
        item = _encoder(args[0])
        return lambda value: sorted(item(each) for each in value)
    if isinstance(origin, type) and issubclass(origin, Mapping) and args:
        item = _encoder(args[1])
        return lambda value: {str(key): item(each) for key, each in value.items()}
    if _is_record(origin):
        return _dataclass_encoder(tp, tag=None)
    raise TypeError(f"no JSON form for {tp!r}")


def _optional(item: _Codec) -> _Codec:
    if item is _same:
        return _same
    return lambda value: None if value is None else item(value)


def _dataclass_encoder(tp: Any, tag: str | None) -> _Codec:
    plan = tuple((name, _encoder(hint)) for name, hint in _fields_of(tp).items())
    copied = tuple(name for name, item in plan if item is _same)
    made = tuple((name, item, attrgetter(name)) for name, item in plan if item is not _same)

    def encode_fields(value: Any) -> dict[str, Any]:
        data: dict[str, Any] = {} if tag is None else {TAG: tag}
        for name in copied:
            data[name] = getattr(value, name)
        for name, item, get in made:
            data[name] = item(get(value))
        return data

    return encode_fields


def _union_encoder(members: tuple[Any, ...]) -> _Codec:
    by_class: dict[type, _Codec] = {_NONE: _same}
    for member in map(_plain, members):
        cls: Any = get_origin(member) or member
        if cls in _NATIVE:
            by_class[cls] = _same
        elif _is_record(cls):
            by_class[cls] = _dataclass_encoder(member, tag=cls.__name__)
        else:
            by_class[cls] = _boxed(cls.__name__, _encoder(member))

    def encode_member(value: Any) -> Any:
        item = by_class.get(type(value))
        if item is None:
            raise TypeError(f"{type(value).__name__} is none of {', '.join(cls.__name__ for cls in by_class)}")
        return item(value)

    return encode_member


def _boxed(name: str, item: _Codec) -> _Codec:
    return lambda value: {TAG: name, "value": item(value)}


# decoding


def _expect(kind: type, data: Any) -> Any:
    if not isinstance(data, kind):
        raise ValueError(f"expected {kind.__name__}, found {type(data).__name__}")  # noqa: TRY004 - bad data, not a bad call
    return data


def _decode_number(data: Any) -> Any:
    return data if isinstance(data, int) else _expect(float, data)


def _decode_datetime(data: Any) -> datetime:
    value = datetime.fromisoformat(_expect(str, data))
    if value.tzinfo is None:
        raise ValueError(f"{data} has no time zone")
    return value.astimezone(UTC)


@cache
def _decoder(tp: Any) -> _Codec:
    tp = _plain(tp)
    members = _members(tp)
    if members is not None:
        item = _decoder(members[0]) if len(members) == 1 else _union_decoder(members)
        return lambda data: None if data is None else item(data)
    origin, args = get_origin(tp) or tp, get_args(tp)
    if tp is float:
        return _decode_number
    if tp in _NATIVE:
        return lambda data: _expect(tp, data)
    if tp is Decimal:
        return lambda data: Decimal(_expect(str, data))
    if tp is datetime:
        return _decode_datetime
    if tp is timedelta:
        return lambda data: timedelta(seconds=_decode_number(data))
    if isinstance(tp, type) and issubclass(tp, Enum):
        return tp
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        item = _decoder(args[0])
        return lambda data: tuple([item(each) for each in _expect(list, data)])
    if origin is frozenset and args:
        item = _decoder(args[0])
        return lambda data: frozenset([item(each) for each in _expect(list, data)])
    if isinstance(origin, type) and issubclass(origin, Mapping) and args:
        key, item = _decoder(args[0]), _decoder(args[1])
        return lambda data: {key(name): item(each) for name, each in _expect(dict, data).items()}
    if _is_record(origin):
        return _dataclass_decoder(tp)
    raise TypeError(f"no JSON form for {tp!r}")


def _dataclass_decoder(tp: Any) -> _Codec:
    cls: Any = get_origin(tp) or tp
    if cls is ApprovedIntent:
        return _refuse_approved
    plan = tuple((name, _decoder(hint)) for name, hint in _fields_of(tp).items())
    optional = {field.name for field in fields(cls) if (field.default, field.default_factory) != (MISSING, MISSING)}

    def decode_fields(data: Any) -> Any:
        _expect(dict, data)
        values: dict[str, Any] = {}
        for name, item in plan:
            if name not in data:
                if name not in optional:
                    raise ValueError(f"{cls.__name__}.{name}: missing")
                continue
            try:
                values[name] = item(data[name])
            except (ValueError, ArithmeticError) as error:
                raise ValueError(f"{cls.__name__}.{name}: {error or type(error).__name__}") from error
        return cls(**values)

    return decode_fields


def _refuse_approved(data: Any) -> Any:
    raise TypeError("a stored approval is evidence, not an approval: an ApprovedIntent cannot be read back")


def _union_decoder(members: tuple[Any, ...]) -> _Codec:
    natives = tuple(member for member in map(_plain, members) if member in _NATIVE)
    tagged: dict[str, _Codec] = {}
    for member in map(_plain, members):
        cls = get_origin(member) or member
        if cls not in _NATIVE:
            item = _decoder(member)
            tagged[cls.__name__] = item if _is_record(cls) else _unboxed(item)

    def decode_member(data: Any) -> Any:
        if type(data) in natives:
            return data
        item = tagged.get(_expect(dict, data).get(TAG, ""))
        if item is None:
            raise ValueError(f"{TAG} = {data.get(TAG)!r} is none of {', '.join(sorted(tagged))}")
        return item(data)

    return decode_member


def _unboxed(item: _Codec) -> _Codec:
    return lambda data: item(data.get("value"))
