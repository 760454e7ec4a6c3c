"""A chart with its words above it and its numbers below: no figure is only to be seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hedged.replay.charts import Drawn
from hedged.replay.course import Line
from hedged.replay.html import Element, tag


def figure(drawn: Drawn, chart: Element, rows: Sequence[tuple[str, Line]]) -> Element:
    times = rows[0][1].times.tolist()
    head = tag("tr", tag("th", "UTC", scope="col"), [tag("th", name, scope="col") for name, _ in rows])
    body = [
        tag("tr", tag("th", _moment(at), scope="row"), [tag("td", _number(line.values[i])) for _, line in rows])
        for i, at in enumerate(times)
    ]
    return with_table(drawn, chart, tag("table", tag("caption", drawn.title), tag("thead", head), tag("tbody", body)))


def with_table(drawn: Drawn, chart: Element, table: Element) -> Element:
    numbers = tag("details", tag("summary", "The same in numbers"), scrolling(table, drawn.title))
    return tag(
        "figure", tag("figcaption", tag("h3", drawn.title), tag("p", drawn.words, class_="soft")), chart, numbers
    )


def scrolling(table: Element, label: str) -> Element:
    """A table wider than a phone is scrolled by itself, also from the keyboard."""
    return tag("div", table, class_="wide", role="region", tabindex="0", aria_label=label)


def _moment(epoch: int) -> str:
    return str(np.datetime64(epoch, "s")).replace("T", " ")[:16]


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "unknown"
    return f"{value:,.2f}" if abs(value) >= 1 or not value else f"{value:.4f}"
