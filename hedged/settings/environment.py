"""`HEDGED_MQTT__HOST=broker` over the file's `[mqtt] host`: keys of single tables, never arrays, never secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel

from hedged.settings.explain import table_of
from hedged.settings.faults import SECRET, Fault, nearest, printable
from hedged.settings.lines import Place
from hedged.settings.schema import Document

_PREFIX = "HEDGED_"
_IGNORED = "HEDGED_TEST_"
_SEPARATOR = "__"


@dataclass(frozen=True, slots=True)
class Overrides:
    values: Mapping[Place, str]
    variables: Mapping[Place, str]
    faults: tuple[Fault, ...]


def overrides(environ: Mapping[str, str]) -> Overrides:
    """What the environment says, and a fault for each name that says nothing we know. Values are not judged here."""
    names = dict(_names(Document, ()))
    values: dict[Place, str] = {}
    variables: dict[Place, str] = {}
    faults = []
    for name, value in sorted(environ.items()):
        if not name.startswith(_PREFIX) or name.startswith(_IGNORED):
            continue
        place = names.get(name)
        if place is None:
            faults.append(Fault("", None, printable(name), "", None, _why_not(name, names)))
        else:
            values[place] = value
            variables[place] = name
    return Overrides(MappingProxyType(values), MappingProxyType(variables), tuple(faults))


def merged(document: Mapping[str, Any], found: Overrides) -> dict[str, Any]:
    """The file's values with the environment's over them; the file's own are left as they are."""
    if not found.values:
        return dict(document)
    from pydantic_settings import BaseSettings, EnvSettingsSource  # noqa: PLC0415 - 0.2 s that few starts need

    # the source reads nothing but the fields, so a plain model serves as well as a BaseSettings
    source = EnvSettingsSource(cast(type[BaseSettings], Document), env_prefix=_PREFIX, env_nested_delimiter=_SEPARATOR)
    source.env_vars = {name.lower(): found.values[place] for place, name in found.variables.items()}
    return _over(document, source())


def _over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(lower)
    for key, value in upper.items():
        inner = result.get(key, {})
        if not isinstance(value, dict):
            result[key] = value
        elif isinstance(inner, dict):
            result[key] = _over(inner, value)
        # else: the file has no table here, which the schema will say
    return result


def _names(model: type[BaseModel], place: Place) -> Iterator[tuple[str, Place | None]]:
    """Every variable name there could be, with its place; None for what only the file can set."""
    for key, field in model.model_fields.items():
        here = (*place, field.alias or key)
        name = _PREFIX + _SEPARATOR.join(map(str, here)).upper()
        table = None if _is_collection(field.annotation) else table_of(field)
        if table is not None:
            yield from _names(table, here)
        yield name, None if table is not None or _is_collection(field.annotation) else here


def _is_collection(annotation: Any) -> bool:
    """Arrays, and tables whose keys the user chooses."""
    return any(get_origin(option) in {tuple, Mapping} for option in (annotation, *get_args(annotation)))


def _why_not(name: str, names: Mapping[str, Place | None]) -> str:
    parents = [known for known in names if name == known or name.startswith(known + _SEPARATOR)]
    if parents and any(known.startswith(parents[0] + _SEPARATOR) for known in names):
        if name == parents[0]:
            return f"is a table: set its keys one by one, as {name}{_SEPARATOR}KEY"
    elif parents:
        return "is set in the file alone: the environment sets single values"
    if SECRET.search(name):
        return "unknown name: secrets are never read from the environment, only from credential files"
    likely = nearest(name, [known for known, place in names.items() if place])
    return f"unknown name; did you mean {likely}?" if likely else "unknown name: no key of the configuration"
