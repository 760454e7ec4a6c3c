"""`config/hedged.example.toml` is the manual: it names every key, and what it calls a default is the default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from hedged.model.finding import Kind
from hedged.settings import Document, load
from hedged.settings.explain import table_of
from tests.support import ROOT

EXAMPLE = ROOT / "config" / "hedged.example.toml"
_COMMENTED = re.compile(r"#(?=\[{1,2}[a-z_.]+\]{1,2}$|[a-z_]+ = )", re.MULTILINE)


def whole() -> dict[str, Any]:
    """The example with every commented key in force."""
    return tomllib.loads(_COMMENTED.sub("", EXAMPLE.read_text(encoding="utf-8")), parse_float=Decimal)


def schema_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        table = table_of(field)
        yield from schema_keys(table, f"{key}.") if table else [key]


def file_keys(values: Mapping[str, Any], model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in values.items():
        table = table_of(fields[key])
        if table is None:
            yield prefix + key
        else:
            for item in value if isinstance(value, list) else [value]:
                yield from file_keys(item, table, f"{prefix}{key}.")


def test_the_example_names_every_key() -> None:
    """A key that is missing there does not exist for users."""
    assert set(file_keys(whole(), Document)) == set(schema_keys(Document))


def test_the_example_is_right_as_it_stands() -> None:
    """People copy it and run it."""
    assert load(EXAMPLE, {}).name == "hedged.example"


def test_every_commented_line_is_right() -> None:
    """A comment that is taken out must not break the file's form."""
    Document.model_validate(whole())


def test_what_the_example_calls_a_default_is_the_default() -> None:
    """Uncommenting a line with a default changes nothing."""
    values, empty = whole(), Document.model_validate({"accounts": [{"name": "a", "exchange": "binance"}]})
    different = []
    for name, field in Document.model_fields.items():
        default = getattr(empty, name)
        if table_of(field) and isinstance(default, BaseModel):
            shown = type(default).model_validate(values[name])
            different += [
                f"{name}.{key}" for key, value in default if value is not None and getattr(shown, key) != value
            ]
    # examples of what has no default of its own
    assert set(different) == {"portfolio.aliases", "alerts.hold", "alerts.keep", "paper.coins"}


def test_the_example_lists_every_kind_of_alert() -> None:
    """Those are the keys of [alerts.for]."""
    text = EXAMPLE.read_text(encoding="utf-8").split("\n[alerts.for]\n")[1].split("\n[alerts.keep_firing_for]\n")[0]
    assert set(Kind) <= set(re.findall(r"[a-z_]+", text))


@pytest.mark.parametrize(("name", "mode", "world"), [("paper", "paper", "paper"), ("demo", "paper", "simulated")])
def test_the_shipped_files_are_right(name: str, mode: str, world: str) -> None:
    """The README's commands run them; neither needs a key."""
    settings = load(ROOT / "config" / f"{name}.toml", {"STATE_DIRECTORY": "/state"})
    assert (settings.mode, settings.world) == (mode, world)
    assert settings.policy().hedges
    settings.check_credentials()
