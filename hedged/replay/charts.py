"""Charts as inline SVG: nothing to load, nothing to run.

The drawing is stretched to its place, so that a phone shows all of it; what is written stands beside it as HTML and
keeps its size. A dot is a line of no length with a round or square end, which stays a dot however it is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hedged.estimate.effectiveness import Floats
from hedged.replay.axes import money_text, time_ticks, value_ticks
from hedged.replay.course import Line
from hedged.replay.html import Element, tag

WIDTH, HEIGHT = 10_000, 4_000  # units of the drawing, fine enough for whole numbers

Text = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """A line and how it is drawn: `look` is a class of the style sheet."""

    label: str
    look: str
    line: Line


@dataclass(frozen=True, slots=True)
class Dots:
    """Single points: `x` in the unit of the axis, shape (n,)."""

    label: str
    look: str
    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a chart is called and says in words; `key` is unique on its page."""

    key: str
    title: str
    words: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The ranges of both axes; both are wider than nothing."""

    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> int:
        return round((value - self.left) / (self.right - self.left) * WIDTH)

    def y(self, value: float) -> int:
        """Downwards, as SVG counts."""
        return round((self.high - value) / (self.high - self.low) * HEIGHT)


def time_chart(
    drawn: Drawn,
    series: Sequence[Series],
    *,
    text: Text = money_text,
    band: tuple[Line, Line] | None = None,
    dots: Sequence[Dots] = (),
    zero: bool = False,
) -> Element:
    """Lines over one clock; `band` = (low, high) is shaded. `zero`: the axis begins or ends at 0 at least."""
    lines = [each.line for each in series] + list(band or ())
    times = np.concatenate([line.times for line in lines])
    values = np.concatenate([line.values for line in lines])
    frame = _frame((float(times.min()), float(times.max())), values, zero=zero)
    shapes = [] if band is None else [_area(*band, frame)]
    shapes += [_path(_way(each.line, frame), each.look) for each in series]
    shapes += [_path(_points(each, frame), f"dots {each.look}") for each in dots if len(each.x)]
    ticks = [(float(at), label) for at, label in time_ticks(int(frame.left), int(frame.right))]
    legend = [("line", each.look, each.label) for each in series]
    legend += [("area", "band", "band")] if band is not None else []
    legend += [("dot", each.look, each.label) for each in dots if len(each.x)]
    return _figure(drawn, shapes, frame, ticks=ticks, text=text, legend=legend)


def scatter_chart(drawn: Drawn, dots: Dots, lines: Sequence[tuple[str, str, float, float]], *, text: Text) -> Element:
    """Points, and straight lines (label, look, intercept, slope) across all of the chart."""
    across = _range(dots.x, zero=True)
    frame = _frame(across, dots.y, zero=True)
    shapes = [_path(_points(dots, frame), f"dots {dots.look}")]
    for _, look, intercept, slope in lines:
        ends = [(frame.x(x), frame.y(intercept + slope * x)) for x in across]
        shapes.append(_path("M{} {}L{} {}".format(*ends[0], *ends[1]), look))
    ticks = [(value, text(value)) for value in value_ticks(*across)]
    legend = [("dot", dots.look, dots.label), *(("line", look, label) for label, look, *_ in lines)]
    return _figure(drawn, shapes, frame, ticks=ticks, text=text, legend=legend)


def _figure(
    drawn: Drawn,
    shapes: Sequence[Element],
    frame: Frame,
    *,
    ticks: Sequence[tuple[float, str]],
    text: Text,
    legend: Sequence[tuple[str, str, str]],
) -> Element:
    """`ticks`: of the axis across; `legend`: kind of sign, its look and its label."""
    rows = [(frame.y(value), text(value)) for value in value_ticks(frame.low, frame.high)]
    columns = [(frame.x(at), label) for at, label in ticks]
    grid = "".join(f"M0 {y}h{WIDTH}" for y, _ in rows) + "".join(f"M{x} 0v{HEIGHT}" for x, _ in columns)
    base = [_path(f"M0 {frame.y(0)}h{WIDTH}", "zero")] if frame.low < 0 < frame.high else []
    picture = tag(
        "svg",
        tag("title", drawn.title, id=f"{drawn.key}-title"),
        tag("desc", drawn.words, id=f"{drawn.key}-words"),
        _path(grid, "grid"),
        base,
        shapes,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_labelledby=f"{drawn.key}-title {drawn.key}-words",
    )
    return tag(
        "div",
        tag("p", [_key(*each) for each in legend], class_="legend"),
        tag(
            "div",
            tag("div", [_at("top", y / HEIGHT, label) for y, label in rows], class_="rows", aria_hidden="true"),
            picture,
            tag("div", [_at("left", x / WIDTH, label) for x, label in columns], class_="columns", aria_hidden="true"),
            class_="plot",
        ),
        class_="chart",
    )


def _key(kind: str, look: str, label: str) -> Element:
    shape = {"line": "M0 5h24", "area": "M0 0h24v10h-24z", "dot": "M12 5h0"}[kind]
    look = f"dots {look}" if kind == "dot" else look
    sign = tag("svg", _path(shape, look), viewBox="0 0 24 10", class_="key", aria_hidden="true")
    return tag("span", sign, label)


def _at(side: str, share: float, label: str) -> Element:
    """A label in the middle of its place, or beside it where it would stick out of the page."""
    edge = {} if side == "top" or 0.06 < share < 0.9 else {"class_": "first" if share < 0.5 else "last"}
    return tag("span", label, style=f"{side}:{share * 100:.2f}%", **edge)


def _path(way: str, look: str) -> Element:
    return tag("path", d=way, class_=look)


def _way(line: Line, frame: Frame) -> str:
    """Relative steps, which are short; a new start after every gap."""
    parts: list[str] = []
    before: tuple[int, int] | None = None
    for time, value in zip(line.times.tolist(), line.values.tolist(), strict=True):
        if not math.isfinite(value):
            before = None
            continue
        here = frame.x(time), frame.y(value)
        parts.append(f"M{here[0]} {here[1]}h0l" if before is None else f"{here[0] - before[0]} {here[1] - before[1]} ")
        before = here
    return "".join(parts).replace("lM", "M").removesuffix("l").rstrip()


def _points(dots: Dots, frame: Frame) -> str:
    known = np.isfinite(dots.x) & np.isfinite(dots.y)
    return "".join(
        f"M{frame.x(x)} {frame.y(y)}h0" for x, y in zip(dots.x[known].tolist(), dots.y[known].tolist(), strict=True)
    )


def _area(low: Line, high: Line, frame: Frame) -> Element:
    """Between two lines, a shape for each stretch on which both are known."""
    times = np.union1d(low.times, high.times)
    below, above = (np.interp(times, line.times, line.values) for line in (low, high))
    known = np.isfinite(below) & np.isfinite(above)
    parts = []
    for stretch in np.split(np.arange(len(times)), np.flatnonzero(np.diff(known.astype(np.int8))) + 1):
        if not len(stretch) or not known[stretch[0]]:
            continue
        edge = [(frame.x(times[i]), frame.y(above[i])) for i in stretch]
        edge += [(frame.x(times[i]), frame.y(below[i])) for i in stretch[::-1]]
        steps = np.diff(np.array(edge), axis=0).tolist()
        parts.append(f"M{edge[0][0]} {edge[0][1]}l" + " ".join(f"{x} {y}" for x, y in steps) + "z")
    return _path("".join(parts), "band")


def _frame(across: tuple[float, float], values: Floats, *, zero: bool) -> Frame:
    low, high = _range(values, zero=zero)
    left, right = across
    return Frame(left, right if right > left else left + 1, low, high)


def _range(values: Floats, *, zero: bool) -> tuple[float, float]:
    """From the lowest to the highest and a little more; 0 to 1 where nothing is known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.04 or abs(high) * 0.04 or 1.0
    return low if zero and low == 0 else low - room, high if zero and high == 0 and low < 0 else high + room
