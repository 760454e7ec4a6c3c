"""Messages as HTML and Markdown, and cut to a length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from hedged.tell.formats import cut, text_as_html, text_as_markdown, where_the_rest_is
from tests.support import T0

MORE = "More: `hedged alerts`."
LONG = "One is here. Two is there: really. Three is 1.5 % off, and four is nowhere to be found at all."


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (200, LONG),
        (len(LONG), LONG),
        (len(LONG) - 1, "One is here. Two is there: really.\nMore: `hedged alerts`."),
        (50, "One is here. Two is there:\nMore: `hedged alerts`."),
        (35, "One is here.\nMore: `hedged alerts`."),
        (30, "One is…\nMore: `hedged alerts`."),
        (24, "More: `hedged alerts`."),
        (10, ""),
    ],
)
def test_cut_at_a_sentence(limit: int, kept: str) -> None:
    """The last whole sentence that fits, a number's point is no end; else a word; else where to look."""
    assert cut(LONG, limit, MORE) == kept


@pytest.mark.parametrize(
    ("link", "config", "said"),
    [
        (None, "", "More: `hedged alerts e1`."),
        (None, "/etc/hedged/my file.toml", "More: `hedged alerts e1 --config '/etc/hedged/my file.toml'`."),
        ("https://hedged.example/alerts/e1", "/etc/x.toml", "More: https://hedged.example/alerts/e1"),
    ],
)
def test_where_the_rest_of_a_message_is(link: str | None, config: str, said: str) -> None:
    """A link where there are pages; else a command that can be typed as it stands."""
    message = Message("e1", MessageKind.FIRING, "drift/alts", Severity.WARNING, "t", "b", T0, link=link)
    assert where_the_rest_is(message, config) == said


@given(st.text(max_size=300), st.integers(1, 200))
def test_never_longer_than_the_limit(text: str, limit: int) -> None:
    """Whatever the text is made of, and however its characters are counted."""
    assert len(cut(text, limit, MORE)) <= limit
    encoded = cut(text, limit, MORE, lambda each: len(text_as_html(each)))
    assert len(text_as_html(encoded)) <= limit


def test_html_keeps_lines_and_escapes_all_else() -> None:
    """A name cannot open a tag or an attribute."""
    assert text_as_html('a <b "x">\n& c') == "a &lt;b &quot;x&quot;&gt;<br>\n&amp; c"


@given(st.text(alphabet="*_`[]()<>#~|\\!ab ", max_size=40))
def test_markdown_has_no_mark_that_is_not_escaped(text: str) -> None:
    """Every mark is preceded by an odd number of backslashes, and taking those away gives the text."""
    escaped = text_as_markdown(text)
    out, position = "", 0
    while position < len(escaped):
        if escaped[position] == "\\":
            position += 1
        else:
            assert escaped[position] not in "*_`[]()<>#~|!"
        out += escaped[position]
        position += 1
    assert out == text
