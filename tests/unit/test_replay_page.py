"""The report as a page: sound HTML, the figures of the JSON, nothing from outside and nothing that runs."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import numpy as np
import pytest

from hedged.model.effect import Parts
from hedged.replay.axes import money_text, time_ticks, value_ticks
from hedged.replay.compare import Compared
from hedged.replay.course import LINES, Course, Line, Mark
from hedged.replay.page import Origin, page
from hedged.replay.report import Costs, Decomposition, ReplayReport
from hedged.replay.samples import Samples

VOID = {"meta"}
NASTY = "<script>alert('&')</script>"
TIMES = int(datetime(2021, 1, 1, tzinfo=UTC).timestamp()) + 3600 * np.arange(50, dtype=np.int64)


class Reader(HTMLParser):
    """The tree's tags, checked for being closed in order, with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str, attribute: str) -> list[str | None]:
        return [attributes[attribute] for tag, attributes in self.tags if tag == name and attribute in attributes]


def compared(name: str = "configured", notes: tuple[str, ...] = ()) -> Compared:
    rng = np.random.default_rng(1)
    lines = {each: Line(TIMES, 1000 + 100 * rng.normal(size=50)) for each in LINES}
    lines["hedged"].values[20:25] = np.nan
    unhedged, hedge = rng.normal(0, 0.03, (2, 40))
    samples = Samples(unhedged, unhedged - 0.9 * unhedged + 0.1 * hedge, unhedged[:, None], np.ones(1))
    report = ReplayReport(
        effectiveness=0.87654321,
        hindsight_effectiveness=0.9,
        naive_effectiveness=None,
        frequency="1d",
        orders=1234,
        turnover=Decimal("98765.4321"),
        costs=Costs(Decimal("12.345"), Decimal("-6.7"), Decimal("8.9"), Decimal(0)),
        max_drift=Decimal("0.25"),
        liquidations=1,
        bars=50,
        seconds=1.5,
        quote="USDT",
        first=datetime(2021, 1, 1, tzinfo=UTC),
        last=datetime(2021, 1, 3, tzinfo=UTC),
        decomposition=Decomposition(Decimal(1), Parts(), None, 0.0, Decimal(0), Decimal(0)),
        notes=notes,
    )
    marks = (Mark(int(TIMES[3]), 990.0, more=True, roll=False), Mark(int(TIMES[9]), 1010.0, more=False, roll=True))
    return Compared(name, "as configured", report, Course(lines, lines, marks, 2, samples))


def read(*policies: Compared, origin: Origin | None = None) -> tuple[str, Reader]:
    content = page(origin or Origin("study", "hedged replay --compare", [("spot", "spot.csv")]), policies)
    text = content.decode("utf-8")
    return text, Reader(text)


def test_the_page_is_sound_and_says_what_it_is() -> None:
    """Every tag is closed in order, ids are there once, and every picture has a title and words of its own."""
    text, tree = read(compared(), compared("naive"))
    assert text.startswith('<!doctype html>\n<html lang="en">')
    ids = [value for _, attributes in tree.tags if (value := attributes.get("id"))]
    assert len(set(ids)) == len(ids)
    pictures = [attributes for tag, attributes in tree.tags if tag == "svg" and attributes.get("role") == "img"]
    assert len(pictures) == 2 + 2 * 6
    for picture in pictures:
        assert set((picture["aria-labelledby"] or "").split()) <= set(ids)
    figures = [tag for tag, _ in tree.tags if tag == "figure"]
    assert len(figures) == len(pictures) == sum(tag == "figcaption" for tag, _ in tree.tags)
    assert sum(tag == "table" for tag, _ in tree.tags) == 1 + len(pictures)  # each in numbers, too
    assert {attributes["scope"] for tag, attributes in tree.tags if tag == "th"} == {"col", "row"}


def test_nothing_comes_from_outside_and_nothing_runs() -> None:
    """No address, no script, no file beside it, and a policy that forbids all of them."""
    text, tree = read(compared())
    assert not re.search(r"https?:|//[a-z]|url\(|@import", text)
    assert {tag for tag, _ in tree.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "base"})
    assert not [
        name for _, attributes in tree.tags for name in attributes if name.startswith("on") or name in {"src", "href"}
    ]
    policy = {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}
    assert ("meta", policy) in tree.tags


def test_names_are_text_wherever_they_stand() -> None:
    """A portfolio, a policy, a file, a command and a note that look like markup are shown as they are."""
    origin = Origin(NASTY, f"hedged {NASTY}", [("spot", NASTY)], (f"said {NASTY}",))
    nasty = replace(compared(NASTY, notes=(f"note {NASTY}", "see https://example.org")), words=NASTY)
    text, tree = read(nasty, origin=origin)
    assert "<script" not in text.lower()
    assert {tag for tag, _ in tree.tags}.isdisjoint({"script", "a"})
    shown = "".join(tree.text)
    for part in (f"Replay of {NASTY}", f"said {NASTY}", f"note {NASTY}", "see https://example.org"):
        assert part in shown


def test_the_table_has_the_figures_of_the_json() -> None:
    """To the letter, in the element that is for it; what is not known is empty there and said to be unknown."""
    one, other = compared(), compared("naive")
    other = replace(other, report=replace(other.report, effectiveness=None, max_drift=None))
    _, tree = read(one, other)
    exact = tree.values("data", "value")
    width = len(exact) // 2
    for each, figures in ((one, exact[:width]), (other, exact[width:])):
        found = each.as_json()
        costs = found["costs"]
        assert isinstance(costs, dict)
        for key in ("effectiveness", "orders", "turnover", "max_drift", "liquidations"):
            assert ("" if found[key] is None else str(found[key])) in figures, key
        assert set(costs.values()) <= set(figures)
        assert str(each.report.costs.total) in figures
    assert "unknown" in tree.text


def test_the_numbers_under_a_chart_are_those_of_its_lines() -> None:
    """A row for each of the bars, and a missing value is said to be unknown, never 0."""
    each = compared()
    _, tree = read(each)
    cells = list(tree.text)
    for value in each.course.rows["hedged"].values:
        assert ("unknown" if np.isnan(value) else f"{value:,.2f}") in cells


def test_the_scatter_says_r2_and_slope() -> None:
    """Those of the samples, worked out without the product's code."""
    each = compared()
    x = each.course.samples.unhedged
    y = each.course.samples.hedged - x
    _, tree = read(each)
    shown = " ".join(tree.text)
    assert f"R² {np.corrcoef(x, y)[0, 1] ** 2:.4f}" in shown
    assert f"Slope {np.cov(x, y, bias=True)[0, 1] / np.var(x):.3f}" in shown


def test_lines_are_broken_where_nothing_is_known() -> None:
    """Two pieces, not one across the gap."""
    _, tree = read(compared())
    ways = [way or "" for way in tree.values("path", "d")]
    assert [way.count("M") for way in ways if len(way) > 150 and way.count("M") == 2]


def test_few_returns_have_no_scatter() -> None:
    """Two returns say nothing of a variance, so none is drawn."""
    each = compared()
    samples = each.course.samples
    few = Samples(samples.unhedged[:2], samples.hedged[:2], samples.instruments[:2], samples.directions)
    text, _ = read(replace(each, course=replace(each.course, samples=few)))
    assert "R²" not in text


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-0.35, 0, [-0.3, -0.2, -0.1, 0]),
        (980, 1020, [980, 990, 1000, 1010, 1020]),
        (5, 5, [5]),
    ],
)
def test_values_on_an_axis_are_round(low: float, high: float, ticks: list[float]) -> None:
    """Steps of 1, 2 or 5."""
    assert value_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (
            0.25,
            [
                "01 Jan 00:00",
                "01 Jan 01:00",
                "01 Jan 02:00",
                "01 Jan 03:00",
                "01 Jan 04:00",
                "01 Jan 05:00",
                "01 Jan 06:00",
            ],
        ),
        (
            3,
            [
                "01 Jan 00:00",
                "01 Jan 12:00",
                "02 Jan 00:00",
                "02 Jan 12:00",
                "03 Jan 00:00",
                "03 Jan 12:00",
                "04 Jan 00:00",
            ],
        ),
        (150, ["Jan 2021", "Feb 2021", "Mar 2021", "Apr 2021", "May 2021"]),
        (365 * 4, ["2021", "2022", "2023", "2024"]),
    ],
)
def test_times_on_an_axis_are_round(days: float, labels: list[str]) -> None:
    """Hours, days, months or years, by how much there is."""
    first = int(datetime(2021, 1, 1, tzinfo=UTC).timestamp())
    assert [label for _, label in time_ticks(first, first + int(days * 86_400))] == labels


@pytest.mark.parametrize(
    ("value", "text"), [(1500, "1,500"), (12_000, "12 k"), (-3_500_000, "-3.5 M"), (0, "0"), (0.25, "0.25")]
)
def test_money_on_an_axis_is_short(value: float, text: str) -> None:
    """Thousands and millions by their letter."""
    assert money_text(value) == text
