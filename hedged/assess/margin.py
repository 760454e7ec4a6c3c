"""How close each derivatives account is to liquidation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from hedged.assess.exposure import mark_of
from hedged.model.finding import Finding, Kind, MarginStatus, Severity
from hedged.model.policy import Thresholds
from hedged.model.snapshot import Snapshot, seen


def margin_statuses(snapshot: Snapshot) -> list[MarginStatus]:
    """One row per account with derivatives; what is not known is None."""
    rows = []
    for name, account in snapshot.accounts.items():
        derivatives = seen(account.derivatives) if account.derivatives is not None else None
        if derivatives is None:
            continue
        margin = derivatives.value.margin
        distances = []
        open_positions = [p for p in derivatives.value.positions if p.contracts]
        for position in open_positions:
            mark = mark_of(snapshot, position.instrument)
            if position.liquidation_price is not None and mark:
                distances.append(abs(position.liquidation_price / mark - 1))
        ratio = None
        if margin is not None and margin.maintenance is not None:
            if margin.equity > 0:
                ratio = margin.maintenance / margin.equity
            elif open_positions:
                ratio = Decimal(1)  # nothing left to lose while something is still owed
        rows.append(
            MarginStatus(
                account=name,
                margin_ratio=ratio,
                liquidation_distance_ratio=min(distances, default=None),
                estimated=margin.estimated if margin is not None else False,
                equity=margin.equity if margin is not None else None,
                maintenance=margin.maintenance if margin is not None else None,
            )
        )
    return rows


def margin_findings(rows: Iterable[MarginStatus], thresholds: Thresholds, quote: str) -> Iterator[Finding]:
    for row in rows:
        estimated = " (estimated)" if row.estimated else ""
        if row.margin_ratio is not None and row.margin_ratio >= thresholds.margin_ratio_warning:
            critical = row.margin_ratio >= thresholds.margin_ratio_critical
            limit = thresholds.margin_ratio_critical if critical else thresholds.margin_ratio_warning
            # Equity at which maintenance would be half of it: what a top-up back below the warning takes.
            top_up = (row.maintenance or Decimal(0)) / thresholds.margin_ratio_warning - (row.equity or Decimal(0))
            yield Finding(
                kind=Kind.MARGIN,
                subject=row.account,
                severity=Severity.CRITICAL if critical else Severity.WARNING,
                text=(
                    f"{row.account}: maintenance margin is {row.margin_ratio:.0%} of equity{estimated}, "
                    f"liquidation is at 100 % ({'critical' if critical else 'warning'} from {limit:.0%}). "
                    f"Adding {max(top_up, Decimal(0)):,.0f} {quote} gets below the warning."
                ),
                values={
                    "margin_ratio": row.margin_ratio,
                    "equity": row.equity,
                    "maintenance": row.maintenance,
                    "top_up": max(top_up, Decimal(0)),
                    "estimated": row.estimated,
                },
            )
        distance = row.liquidation_distance_ratio
        near = thresholds.liquidation_distance_near
        if distance is not None and distance <= near:
            yield Finding(
                kind=Kind.LIQUIDATION_NEAR,
                subject=row.account,
                severity=Severity.CRITICAL if distance <= near / 2 else Severity.WARNING,
                text=(
                    f"{row.account}: a move of {distance:.1%} against the position, the others standing still, reaches "
                    f"its liquidation price{estimated} (warning from {near:.0%})."
                ),
                values={"liquidation_distance_ratio": distance, "estimated": row.estimated},
            )
