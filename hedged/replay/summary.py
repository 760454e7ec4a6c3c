"""A comparison in a table: what each policy kept of the risk, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hedged.replay.compare import Compared
from hedged.replay.report import ReplayReport, plain

if TYPE_CHECKING:  # a table is only made for people; JSON does without rich
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as it is read, and `exact` as JSON writes it; empty: not known."""

    label: str
    text: str
    exact: str


def summary(compared: Compared) -> Sequence[Figure]:
    """Costs > 0 were paid; the drawdown is that of the holdings with their hedge, a fraction ≤ 0."""
    report, costs = compared.report, compared.report.costs
    falls = compared.course.lines["drawdown_hedged"].values
    falls = falls[np.isfinite(falls)]
    money = {
        "costs": costs.total,
        "fees": costs.fees,
        "slippage": costs.slippage,
        "funding": costs.funding,
        "roll": costs.roll,
    }
    drift = None if report.max_drift is None else float(report.max_drift)
    return (
        _ratio(f"effectiveness ({report.frequency})", report.effectiveness),
        _ratio("worst drawdown", float(falls.min()) if len(falls) else None),
        *(Figure(label, f"{amount:,.0f}", plain(amount)) for label, amount in money.items()),
        Figure("orders", f"{report.orders:,}", str(report.orders)),
        Figure("turnover", f"{report.turnover:,.0f}", plain(report.turnover)),
        _ratio("worst drift", drift),
        Figure("liquidations", f"{report.liquidations:,}", str(report.liquidations)),
    )


def yardsticks(report: ReplayReport) -> str:
    """What constant ratios of the same instruments would have done, whatever the policy."""
    best, naive = (
        "unknown" if value is None else f"{value:.4f}"
        for value in (report.hindsight_effectiveness, report.naive_effectiveness)
    )
    return f"Effectiveness of constant ratios, without costs: {best} for the best in hindsight, {naive} for ratio 1."


def notes_of(notes: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of (policy, its notes): the sentences that all have, and the others with their policy in front."""
    common = tuple(note for note in notes[0][1] if all(note in other for _, other in notes))
    return common, tuple(f"{name}: {note}" for name, own in notes for note in own if note not in common)


def summary_table(compared: Sequence[Compared], name: str) -> Table:
    """The same for a terminal."""
    from rich.markup import escape  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415

    report = compared[0].report
    title = f"replay of {escape(name)}, {report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}, costs in {report.quote}"
    table = Table(title=title, title_justify="left", caption=yardsticks(report), caption_justify="left")
    table.add_column("policy")
    for figure in summary(compared[0]):
        table.add_column(figure.label, justify="right", no_wrap=True)
    for each in compared:
        table.add_row(each.name, *(figure.text for figure in summary(each)))
    return table


def _ratio(label: str, value: float | None) -> Figure:
    return Figure(label, "unknown", "") if value is None else Figure(label, f"{value:.4f}", repr(value))
