"""What is shown of each policy: its hedge, its costs, its value, its falls and how well it followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from hedged.estimate.effectiveness import effectiveness
from hedged.replay.axes import money_text, percent_text
from hedged.replay.charts import Dots, Drawn, Series, Text, scatter_chart, time_chart
from hedged.replay.compare import Compared
from hedged.replay.course import Line
from hedged.replay.figures import figure, with_table
from hedged.replay.html import Element, tag
from hedged.replay.variations import UNHEDGED


def _hedge(each: Compared) -> Iterable[Element]:
    course, quote = each.course, each.report.quote
    drawn = Drawn(
        f"{each.key}-hedge",
        f"Exposure against hedge, {quote}",
        f"The value of what is hedged, of the hedge as read before each bar's orders, and its band about the target. "
        f"{course.trades:,} orders were filled.",
    )
    kinds = (
        ("hedge increased", "c2", True, False),
        ("hedge reduced", "c3 square", False, False),
        ("rolled: closed", "c4 square", False, True),
        ("rolled: opened", "c6", True, True),
    )
    dots = []
    for label, look, more, roll in kinds:
        marks = [mark for mark in course.marks if mark.more is more and mark.roll is roll]
        x, y = np.array([[mark.epoch, mark.hedge_value] for mark in marks]).reshape(-1, 2).T
        dots.append(Dots(label, look, x, y))
    series = [
        Series("exposure", "c7 broken", course.lines["exposure"]),
        Series("hedge", "c0", course.lines["hedge"]),
    ]
    band = course.lines["band_low"], course.lines["band_high"]
    yield _lines(each, drawn, series, ("exposure", "target", "band_low", "hedge", "band_high"), band=band, dots=dots)


def _costs(each: Compared) -> Iterable[Element]:
    lines, quote = each.course.lines, each.report.quote
    trading = Drawn(
        f"{each.key}-trading",
        f"Costs of trading since the start, {quote}",
        "Slippage is half the spread and what the order moved the price by, against the mark at the decision. Fees and "
        "slippage of rolls stand under roll.",
    )
    names, labels = ("fees", "slippage", "roll"), ("fees", "spread and slippage", "roll")
    looks = ("c0", "c1", "c3 dotted")
    series = [Series(label, look, lines[name]) for name, look, label in zip(names, looks, labels, strict=True)]
    yield _lines(each, trading, series, names, zero=True)
    funding = Drawn(
        f"{each.key}-funding",
        f"Funding and all costs since the start, {quote}",
        "Above 0 it was paid, below 0 received.",
    )
    series = [Series("funding", "c2", lines["funding"]), Series("all together", "c7 broken", lines["costs"])]
    yield _lines(each, funding, series, ("funding", "costs"), zero=True)


def _value(each: Compared) -> Iterable[Element]:
    drawn = Drawn(
        f"{each.key}-value",
        f"Value with and without the hedge, {each.report.quote}",
        "The holdings alone, and the holdings with everything that the hedge earned and paid.",
    )
    series = [
        Series("without", "c7 broken", each.course.lines["unhedged"]),
        Series("with the hedge", "c0", each.course.lines["hedged"]),
    ]
    yield _lines(each, drawn, series, ("unhedged", "hedged"))


def _drawdown(each: Compared) -> Iterable[Element]:
    drawn = Drawn(
        f"{each.key}-drawdown",
        "Drawdown with and without the hedge",
        "The loss since the highest value so far, as a share of it.",
    )
    names = ("drawdown_unhedged", "drawdown_hedged")
    series = [
        Series("without", "c7 broken", each.course.lines[names[0]]),
        Series("with the hedge", "c0", each.course.lines[names[1]]),
    ]
    yield _lines(each, drawn, series, names, text=percent_text, zero=True)


def _scatter(each: Compared) -> Iterable[Element]:
    """The hedge's return on the holdings' own: on the falling diagonal one takes away all of the other."""
    samples = each.course.samples
    x, y = samples.unhedged, samples.hedged - samples.unhedged
    if each.name == UNHEDGED or effectiveness(samples.unhedged, samples.hedged) is None or not np.var(y):
        return
    slope, intercept = np.polyfit(x, y, 1).tolist()
    r2 = float(np.corrcoef(x, y)[0, 1] ** 2)
    drawn = Drawn(
        f"{each.key}-scatter",
        f"Effectiveness: R² {r2:.4f}",
        f"Return of the hedge (up) on return of the holdings (across), every {each.report.frequency}, as shares of the "
        f"holdings; {len(x):,} returns. Slope {slope:.3f}, −1 is a whole hedge; R² {r2:.4f}.",
    )
    lines = [("fitted", "c1", intercept, slope), ("a perfect hedge", "c7 broken", 0.0, -1.0)]
    chart = scatter_chart(drawn, Dots("returns", "c0 faint", x, y), lines, text=percent_text)
    facts = [
        ("R²", f"{r2:.6f}"),
        ("slope", f"{slope:.6f}"),
        ("intercept", f"{intercept:.6f}"),
        ("returns", f"{len(x)}"),
    ]
    rows = [tag("tr", tag("th", what, scope="row"), tag("td", number)) for what, number in facts]
    yield with_table(drawn, chart, tag("table", tag("caption", "The line that fits best."), tag("tbody", rows)))


SECTIONS: tuple[Callable[[Compared], Iterable[Element]], ...] = (_hedge, _costs, _value, _drawdown, _scatter)
"""What is shown of every policy, from top to bottom."""


def _lines(
    each: Compared,
    drawn: Drawn,
    series: Sequence[Series],
    names: Sequence[str],
    *,
    text: Text = money_text,
    band: tuple[Line, Line] | None = None,
    dots: Sequence[Dots] = (),
    zero: bool = False,
) -> Element:
    chart = time_chart(drawn, series, band=band, dots=dots, text=text, zero=zero)
    return figure(drawn, chart, [(name.replace("_", " "), each.course.rows[name]) for name in names])
