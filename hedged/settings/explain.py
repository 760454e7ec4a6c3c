"""pydantic's errors in the words of a user: what is allowed, and the key or value that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hedged.settings.faults import SECRET, Problem, Source, nearest
from hedged.settings.lines import Place
from hedged.settings.schema import Document

_QUOTED = re.compile(r"'([^']*)'")

_NEVER_SHOWN = frozenset({("notify", "heartbeat_url")})  # whoever knows it can keep the switch from telling
_LISTED_MAX = 8

_TEXTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is missing",
    "greater_than": lambda ctx: f"must be above {ctx['gt']}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than": lambda ctx: f"must be below {ctx['lt']}",
    "less_than_equal": lambda ctx: f"must be at most {_plain(ctx['le'])}",
    "finite_number": lambda _: "must be a finite number",
    "decimal_parsing": lambda _: "must be a number",
    "decimal_type": lambda _: "must be a number",
    "int_parsing": lambda _: "must be a whole number",
    "int_type": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "string_type": lambda _: "must be text in quotes",
    "string_unicode": lambda _: "must be text in UTF-8",
    "path_type": lambda _: "must be a path in quotes",
    "tuple_type": lambda _: "must be a list in [ ]",
    "too_short": lambda _: "must not be empty",
    "model_type": lambda _: "must be a table",
    "mapping_type": lambda _: "must be a table in { }",
    "dict_type": lambda _: "must be a table in { }",
    "value_error": lambda ctx: str(ctx["error"]),
}


def problems(error: ValidationError, source: Source) -> Iterator[Problem]:
    """Each of pydantic's errors as a problem; values that may be secrets are marked as not to be shown."""
    for detail in error.errors(include_url=False, include_input=False):
        place: Place = detail["loc"]
        if detail["type"] == "too_short" and source.value(place):
            continue  # pydantic counts the good ones alone, and has said what is wrong with the others
        if place[-1] == "[key]":
            yield _wrong_key(detail, place[:-1])
        else:
            problem = _problem(detail, place, source)
            yield replace(problem, show_value=False) if place in _NEVER_SHOWN else problem


def _problem(detail: ErrorDetails, place: Place, source: Source) -> Problem:
    kind = detail["type"]
    value = source.value(place)
    if kind == "extra_forbidden":
        return _unknown_key(place, value)
    if kind in {"enum", "literal_error"}:
        return Problem(place, _choice(place, value, _QUOTED.findall(detail["ctx"]["expected"])))
    if kind == "missing":
        return Problem(place, _missing(place))
    if kind in {"tuple_type", "model_type"} and len(place) == 1 and _is_array(str(place[0])):
        return Problem(place, f"must be an array of tables: start each one with [[{place[0]}]]")
    text = _TEXTS.get(kind)
    return Problem(place, text(detail.get("ctx", {})) if text else detail["msg"].lower())


def _wrong_key(detail: ErrorDetails, place: Place) -> Problem:
    """A key in a table whose keys the user chooses: an asset, a kind of alert."""
    if detail["type"] == "enum":
        return Problem(place, _choice(place, place[-1], _QUOTED.findall(detail["ctx"]["expected"])), show_value=False)
    return Problem(place, _TEXTS["value_error"](detail.get("ctx", {})), show_value=False)


def _missing(place: Place) -> str:
    if place == ("accounts",):
        return "is missing: prices come from an account, which needs no key for that; add [[accounts]]"
    return "is missing"


def _choice(place: Place, value: object, allowed: list[str]) -> str:
    quoted = ", ".join(f'"{word}"' for word in allowed)
    likely = nearest(value, allowed) if isinstance(value, str) else None
    if len(allowed) == 1:
        return f"must be {quoted}"
    if likely and len(allowed) > _LISTED_MAX:
        return f'is not known; did you mean "{likely}"?'
    return f"must be one of {quoted}" + (f'; did you mean "{likely}"?' if likely else "")


def _unknown_key(place: Place, value: object) -> Problem:
    key = str(place[-1])
    known = table_at(place[:-1])
    allowed = [field.alias or name for name, field in known.model_fields.items()] if known else []
    if SECRET.search(key):
        text = "unknown key: secrets never stand in this file, they are read from credential files"
        return Problem(place, text, show_value=False)
    likely = nearest(key, allowed)
    if likely:
        return Problem(place, f"unknown key; did you mean {likely}?")
    elsewhere = _home_of(key)
    if elsewhere is not None and elsewhere != place[:-1]:
        home = f"under [{'.'.join(map(str, elsewhere))}]" if elsewhere else "at the top, before the first table"
        return Problem(place, f"unknown key here; it belongs {home}")
    return Problem(place, f"unknown key; allowed: {', '.join(allowed)}", show_value=not isinstance(value, str))


def table_at(place: Place) -> type[BaseModel] | None:
    """The schema's table at a place, None where the file is free to choose keys or there is no such table."""
    model: type[BaseModel] | None = Document
    for part in place:
        if isinstance(part, int):
            continue
        if model is None:
            return None
        field = _field(model, part)
        model = table_of(field) if field else None
    return model


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The table a field holds, alone, optional or in an array; None for a plain value."""
    candidates = [field.annotation, *get_args(field.annotation)]
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _field(model: type[BaseModel], key: str) -> FieldInfo | None:
    return next((field for name, field in model.model_fields.items() if (field.alias or name) == key), None)


def _is_array(key: str) -> bool:
    field = _field(Document, key)
    return field is not None and get_origin(field.annotation) is tuple


def _home_of(key: str) -> Place | None:
    """The one table outside arrays that knows this key."""
    if _field(Document, key):
        return ()
    homes = [
        (name,)
        for name, field in Document.model_fields.items()
        if (table := table_of(field)) and not _is_array(name) and _field(table, key)
    ]
    return homes[0] if len(homes) == 1 else None


def _plain(number: object) -> str:
    return f"{number:f}" if isinstance(number, Decimal) else str(number)
