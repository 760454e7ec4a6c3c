"""What a replay found out, as values, as JSON and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a table is only made for people; JSON does without rich
    from rich.table import Table

SCHEMA = "hedged.replay/1"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Costs:
    """In the quote currency; > 0 was paid, < 0 received. `roll` holds the fees and slippage of roll orders alone."""

    fees: Decimal = ZERO
    funding: Decimal = ZERO
    slippage: Decimal = ZERO
    roll: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.fees + self.funding + self.slippage + self.roll


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """A whole replay. Ratios are fractions, None where the data does not define them; money in `quote`."""

    effectiveness: float | None
    hindsight_effectiveness: float | None
    naive_effectiveness: float | None
    frequency: str
    orders: int
    turnover: Decimal
    costs: Costs
    max_drift: Decimal | None
    liquidations: int
    bars: int
    seconds: float
    quote: str
    first: datetime
    last: datetime
    margin_reductions: int = 0  # cycles in which part of a hedge was bought back to save the rest from liquidation
    notes: tuple[str, ...] = ()  # what was assumed for want of data, a sentence each

    def as_json(self) -> dict[str, object]:
        """The object of `replay --json`: money as decimal strings, ratios as numbers, unknown null."""
        return {
            "schema": SCHEMA,
            "effectiveness": self.effectiveness,
            "hindsight_effectiveness": self.hindsight_effectiveness,
            "naive_effectiveness": self.naive_effectiveness,
            "frequency": self.frequency,
            "orders": self.orders,
            "turnover": _plain(self.turnover),
            "costs": {
                "fees": _plain(self.costs.fees),
                "funding": _plain(self.costs.funding),
                "slippage": _plain(self.costs.slippage),
                "roll": _plain(self.costs.roll),
            },
            "max_drift": None if self.max_drift is None else float(self.max_drift),
            "liquidations": self.liquidations,
            "margin_reductions": self.margin_reductions,
            "bars": self.bars,
            "seconds": self.seconds,
        }


def report_rows(report: ReplayReport) -> Mapping[str, str]:
    """What the table shows, label to text."""
    costs = report.costs
    return {
        "from": f"{report.first:%Y-%m-%d %H:%M}Z",
        "to": f"{report.last:%Y-%m-%d %H:%M}Z",
        f"effectiveness ({report.frequency})": _ratio(report.effectiveness),
        "  hindsight-best constant ratio": _ratio(report.hindsight_effectiveness),
        "  naive (ratio 1)": _ratio(report.naive_effectiveness),
        "orders": f"{report.orders:,}",
        f"turnover ({report.quote})": f"{report.turnover:,.0f}",
        f"costs ({report.quote}, paid > 0)": f"{costs.total:,.2f}",
        "  fees": f"{costs.fees:,.2f}",
        "  funding": f"{costs.funding:,.2f}",
        "  slippage": f"{costs.slippage:,.2f}",
        "  roll": f"{costs.roll:,.2f}",
        "worst drift": "unknown" if report.max_drift is None else f"{report.max_drift:.4f}",
        "liquidations": f"{report.liquidations:,}",
        "bought back for margin": f"{report.margin_reductions:,}",
        "bars": f"{report.bars:,}",
        "seconds": f"{report.seconds:.1f}",
    }


def report_table(report: ReplayReport, name: str) -> Table:
    """The same for a terminal."""
    from rich.table import Table  # noqa: PLC0415 - see above

    table = Table(title=f"replay of {name}", title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for label, text in report_rows(report).items():
        table.add_row(label, text)
    return table


def _plain(amount: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _ratio(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
