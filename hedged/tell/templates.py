"""The user's own words for a kind of alert: text with named fields in braces, and nothing that could run. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from string import Formatter

from hedged.tell.formats import text_as_html

_EVERYWHERE = frozenset({
    "state",  # Warning, Still critical, Now critical, Resolved, Closed …
    "severity", "kind", "key", "event_id", "does", "advice",
    "title", "body",  # as they are without a template
})  # fmt: skip

FIELDS = _EVERYWHERE | {"subject", "headline", "text", "since"}
"""Of a message about one alert."""

GROUP_FIELDS = _EVERYWHERE | {"count", "subjects", "lines"}
"""Of a message about several of one kind. `lines`: one for each, as many as are told."""


@dataclass(frozen=True, slots=True)
class Template:
    """`text`: the title on its first line, the body below. `html`: a body. None: as without a template."""

    text: str | None = None
    html: str | None = None


def problem(source: str, fields: Collection[str] = FIELDS) -> str | None:
    """What is wrong with the text of a template that has these fields; None: nothing."""
    try:
        parts = list(Formatter().parse(source))
    except ValueError as error:
        return f"{error} (a brace that is meant as one is written twice)"
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in fields:
            return f"{{{name}}} is no field; there are {', '.join(sorted(fields))}"
        if spec or conversion:
            return f"{{{name}}} stands alone: no format and no conversion"
    return None


def fill(source: str, fields: Mapping[str, str], *, in_html: bool = False) -> str:
    """The template with its fields filled in; `in_html` escapes what is filled in and breaks its lines. `problem` has
    found none in it.
    """
    write: Callable[[str], str] = text_as_html if in_html else str
    return "".join(
        literal + (write(fields[name]) if name is not None else "") for literal, name, _, _ in Formatter().parse(source)
    )
