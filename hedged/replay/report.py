"""What a replay found out, as values, as JSON and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from hedged.estimate.decomposition import summed
from hedged.model.effect import PART_NAMES, PART_WORDS, EffectDay, Parts

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
class Decomposition:
    """Where the PnL came from: `exposure` that of the holdings alone, `parts` that of holdings and hedge together.

    `unaccounted`: what the accounts' equity changed by beyond that, by settlements and liquidations; None: the last
    bar has no price, so that equity is not known. `lost_while_rising`: see `hedged.estimate.effect.Effect`.
    """

    exposure: Decimal
    parts: Parts
    unaccounted: Decimal | None
    unknown_seconds: float
    lost_while_rising: Decimal
    gained_while_falling: Decimal

    @property
    def hedge(self) -> Decimal:
        return self.parts.total - self.exposure

    def as_json(self) -> dict[str, object]:
        unaccounted = None if self.unaccounted is None else plain(self.unaccounted)
        return {
            "exposure": plain(self.exposure),
            "hedge": plain(self.hedge),
            "total": plain(self.parts.total),
            "parts": {name: plain(getattr(self.parts, name)) for name in PART_NAMES},
            "unaccounted": unaccounted,
            "unknown_seconds": self.unknown_seconds,
        }


def decomposition_of(days: Sequence[EffectDay], equity_change: Decimal | None) -> Decomposition:
    """Of every hedge's days together."""
    parts = summed([day.parts for day in days])
    exposure = sum((day.exposure for day in days), ZERO)
    return Decomposition(
        exposure=exposure,
        parts=parts,
        unaccounted=None if equity_change is None else equity_change - (parts.total - exposure),
        unknown_seconds=sum(day.unknown_seconds for day in days),
        lost_while_rising=-sum((day.hedge_pnl for day in days if day.exposure > 0), ZERO),
        gained_while_falling=sum((day.hedge_pnl for day in days if day.exposure <= 0), ZERO),
    )


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
    decomposition: Decomposition
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
            "turnover": plain(self.turnover),
            "costs": {
                "fees": plain(self.costs.fees),
                "funding": plain(self.costs.funding),
                "slippage": plain(self.costs.slippage),
                "roll": plain(self.costs.roll),
            },
            "max_drift": None if self.max_drift is None else float(self.max_drift),
            "liquidations": self.liquidations,
            "margin_reductions": self.margin_reductions,
            "bars": self.bars,
            "seconds": self.seconds,
            "decomposition": self.decomposition.as_json(),
            "opportunity_cost": plain(self.decomposition.lost_while_rising),
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
        **_effect_rows(report),
        "worst drift": "unknown" if report.max_drift is None else f"{report.max_drift:.4f}",
        "liquidations": f"{report.liquidations:,}",
        "bought back for margin": f"{report.margin_reductions:,}",
        "bars": f"{report.bars:,}",
        "seconds": f"{report.seconds:.1f}",
    }


def _effect_rows(report: ReplayReport) -> dict[str, str]:
    found, quote = report.decomposition, report.quote
    rows = {
        f"holdings alone ({quote}, gained > 0)": f"{found.exposure:,.2f}",
        "with the hedge": f"{found.parts.total:,.2f}",
    }
    rows |= {f"  {PART_WORDS[name]}": f"{getattr(found.parts, name):,.2f}" for name in PART_NAMES}
    if found.unaccounted is None or abs(found.unaccounted) >= Decimal("0.005"):
        rows["not accounted for"] = "unknown" if found.unaccounted is None else f"{found.unaccounted:,.2f}"
    if found.unknown_seconds:
        rows["nothing known of"] = f"{found.unknown_seconds / 3600:,.1f} h"
    rows["opportunity: hedge on rising days"] = f"{-found.lost_while_rising:,.2f}"
    rows["hedge on falling days"] = f"{found.gained_while_falling:,.2f}"
    return rows


def report_table(report: ReplayReport, name: str) -> Table:
    """The same for a terminal."""
    from rich.table import Table  # noqa: PLC0415 - see above

    table = Table(title=f"replay of {name}", title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right", no_wrap=True)
    for label, text in report_rows(report).items():
        table.add_row(label, text)
    return table


def plain(amount: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _ratio(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
