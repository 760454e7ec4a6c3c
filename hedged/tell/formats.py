"""A message as HTML or Markdown, and cut to what a channel takes. Pure.

Titles and bodies are plain text; names of assets and contracts in them come from venues, so all of it is escaped.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from html import escape
from shlex import quote

from hedged.model.alert import Message

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+|<>~!])")
_SENTENCE_END = re.compile(r"[.!?:](?=\s)|\n")
_SPACE = re.compile(r"\s")


def text_as_html(text: str) -> str:
    return "<br>\n".join(escape(line) for line in text.splitlines())


def text_as_markdown(text: str) -> str:
    """Every character that Markdown, or one of its dialects, could take for a mark, escaped."""
    return _MARKDOWN.sub(r"\\\1", text)


def where_the_rest_is(message: Message, config: str = "") -> str:
    """What a message that is cut says: the link to all of it, or the command that shows it.

    `config`: the path that the command is given.
    """
    if message.link is not None:
        return f"More: {message.link}"
    named = f" --config {quote(config)}" if config else ""
    return f"More: `hedged alerts {message.event_id}{named}`."


def cut(text: str, limit: int, more: str, size: Callable[[str], int] = len) -> str:
    """Text whose `size` is at most `limit`: whole sentences, and `more`, which says where the rest is.

    Nothing where not even that fits.
    """
    if size(text) <= limit:
        return text
    sentences = [match.end() for match in _SENTENCE_END.finditer(text)]
    words = [match.start() for match in _SPACE.finditer(text)]
    for ends, mark in ((sentences, ""), (words, "…")):
        kept = [f"{text[:end].rstrip()}{mark}\n{more}" for end in ends[:limit]]  # each end costs a character at least
        fitting = bisect_right(kept, limit, key=size)
        if fitting:
            return kept[fitting - 1]
    return more if size(more) <= limit else ""
