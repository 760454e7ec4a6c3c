"""A message as HTML or Markdown, and cut to what a channel takes. Pure.

Titles and bodies are plain text; names of assets and contracts in them come from venues, so all of it is escaped.
"""

from __future__ import annotations

import re
from html import escape

from hedged.model.alert import Message

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+|<>~!])")
_SENTENCE_END = re.compile(r"[.!?:](?=\s)|\n")


def html_of(message: Message) -> str:
    """The body in HTML: a template's, else the text with its lines kept."""
    return message.html if message.html is not None else text_as_html(message.body)


def text_as_html(text: str) -> str:
    return "<br>\n".join(escape(line) for line in text.splitlines())


def text_as_markdown(text: str) -> str:
    """Every character that Markdown, or one of its dialects, could take for a mark, escaped."""
    return _MARKDOWN.sub(r"\\\1", text)


def cut(text: str, limit: int, more: str) -> str:
    """At most `limit` characters: whole sentences, and `more`, which says where the rest is."""
    if len(text) <= limit:
        return text
    room = limit - len(more) - 1
    if room <= 0:
        return text[:limit]
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, room + 1) if match.end() <= room]
    kept = text[: ends[-1]].rstrip() if ends else ""
    if not kept:
        kept = text[: room - 1].rsplit(None, 1)[0].rstrip() + "…"
    return f"{kept}\n{more}"
