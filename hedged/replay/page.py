"""The report of a comparison: one HTML file that needs no network, no script and nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from hedged import __version__
from hedged.replay.charts import Drawn, Series, time_chart
from hedged.replay.compare import Compared
from hedged.replay.course import Line
from hedged.replay.figures import figure, scrolling
from hedged.replay.html import Element, document, tag
from hedged.replay.sections import SECTIONS
from hedged.replay.style import STYLE
from hedged.replay.summary import Figure, notes_of, summary, yardsticks
from hedged.replay.variations import UNHEDGED

LOOKS = ("c0 heavy", "c1", "c2", "c3", "c4", "c5", "c6")
NO_NETWORK = "default-src 'none'; style-src 'unsafe-inline'"  # whatever a name says: nothing is loaded, nothing runs


@dataclass(frozen=True, slots=True)
class Origin:
    """What was run: the portfolio's name, the command, and the files by what they are (`spot` → path)."""

    name: str
    command: str
    files: Sequence[tuple[str, str]]
    notes: tuple[str, ...] = ()  # beside those of the replays


def page(origin: Origin, compared: Sequence[Compared]) -> bytes:
    """UTF-8; `compared` has at least one policy."""
    title = f"Replay of {origin.name}"
    report = compared[0].report
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=NO_NETWORK),
        tag("title", title),
        tag("style", STYLE),
    )
    body = tag(
        "body",
        tag(
            "header",
            tag("h1", title),
            tag("p", f"{report.first:%Y-%m-%d %H:%M} to {report.last:%Y-%m-%d %H:%M} UTC", class_="soft"),
        ),
        tag("main", _what_was_run(origin, compared), _policies(compared), _each(compared)),
    )
    return document(tag("html", head, body, lang="en"))


def _what_was_run(origin: Origin, compared: Sequence[Compared]) -> Element:
    report = compared[0].report
    common, own = notes_of([(each.name, each.report.notes) for each in compared])
    facts: list[tuple[str, str | Element]] = [("command", tag("code", origin.command))]
    facts += [(what, tag("code", path)) for what, path in origin.files]
    facts += [
        ("bars", f"{report.bars:,}, a cycle at each as soon as it was known"),
        ("returns", f"every {report.frequency}, for effectiveness"),
        ("money", f"{report.quote}; costs above 0 were paid, below 0 received"),
        ("made by", f"hedged {__version__}"),
    ]
    notes = [*origin.notes, *common, *own]
    return tag(
        "section",
        tag("h2", "What was run"),
        tag("dl", [part for what, told in facts for part in (tag("dt", what), tag("dd", told))]),
        [tag("h3", "What was assumed"), tag("ul", [tag("li", note) for note in notes])] if notes else [],
    )


def _policies(compared: Sequence[Compared]) -> Element:
    rows = [(each, summary(each)) for each in compared]
    table = tag(
        "table",
        tag("caption", "The same holdings and prices under each policy."),
        tag("thead", tag("tr", tag("th", "policy", scope="col"), [_column(figure) for figure in rows[0][1]])),
        tag(
            "tbody",
            [
                tag("tr", tag("th", each.name, tag("small", each.words), scope="row"), [_cell(f) for f in figures])
                for each, figures in rows
            ],
        ),
    )
    looks = dict(zip([each.name for each in compared if each.name != UNHEDGED], cycle(LOOKS), strict=False))
    looks[UNHEDGED] = "c7 broken"

    def lines(name: str) -> list[Series]:
        return [Series(each.name, looks[each.name], each.course.lines[name]) for each in compared]

    def rows_of(name: str) -> list[tuple[str, Line]]:
        return [(each.name, each.course.rows[name]) for each in compared]

    quote = compared[0].report.quote
    costs = Drawn("costs", f"Costs so far, {quote}", "Fees, slippage, funding and rolls together, since the start.")
    values = Drawn(
        "values", f"Value with the hedge, {quote}", "Holdings and all that the hedge earned and paid, by policy."
    )
    return tag(
        "section",
        tag("h2", "Policies compared"),
        tag("p", yardsticks(compared[0].report), class_="soft"),
        scrolling(table, "Policies compared"),
        figure(costs, time_chart(costs, lines("costs"), zero=True), rows_of("costs")),
        figure(values, time_chart(values, lines("hedged")), rows_of("hedged")),
    )


def _column(figure: Figure) -> Element:
    return tag("th", figure.label, scope="col")


def _cell(figure: Figure) -> Element:
    """The figure as it is read, and to the letter as JSON has it."""
    return tag("td", tag("data", figure.text, value=figure.exact))


def _each(compared: Sequence[Compared]) -> Element:
    made = []
    for number, each in enumerate(compared):
        summary_line = tag("summary", f"{each.name} ", tag("span", each.words))
        figures = [figure for section in SECTIONS for figure in section(each)]
        whole = tag("details", summary_line, figures, id=f"policy-{each.key}")
        if number == 0:
            whole.set("open", "")
        made.append(whole)
    return tag("section", tag("h2", "Each policy"), made)
