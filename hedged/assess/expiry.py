"""Contracts that end: by expiry or by an announced delisting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from hedged.model.finding import ExpiryStatus, Finding, Kind, LegState, Severity
from hedged.model.policy import Thresholds
from hedged.model.snapshot import Snapshot

SECONDS_A_DAY = Decimal(86_400)


def expiries(legs: Iterable[LegState], snapshot: Snapshot) -> list[ExpiryStatus]:
    """Every leg that ends and is held or first in line, soonest first."""
    rows = {}
    for leg in legs:
        instrument = snapshot.instruments.get(leg.instrument)
        ends = instrument.ends() if instrument is not None else None
        if ends is not None:
            days = Decimal(round((ends - snapshot.now).total_seconds())) / SECONDS_A_DAY
            rows[leg.instrument] = ExpiryStatus(instrument=leg.instrument, expiry=ends, days=days)
    return sorted(rows.values(), key=lambda row: row.expiry)


def expiry_findings(
    rows: Iterable[ExpiryStatus], held: frozenset[str], snapshot: Snapshot, thresholds: Thresholds
) -> Iterator[Finding]:
    """Info on the ladder's first rung, warning on the next, critical on the last; only for what is held."""
    ladder = sorted(thresholds.expiry_ladder, reverse=True)
    severities = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
    for row in rows:
        if row.instrument not in held:
            continue
        left = row.expiry - snapshot.now
        rung = sum(left <= step for step in ladder)
        if rung == 0:
            continue
        # The last rung is always critical, however many the user set.
        severity = Severity.CRITICAL if rung == len(ladder) else severities[min(rung, 2) - 1]
        instrument = snapshot.instruments[row.instrument]
        delisted = instrument.delisting is not None and row.expiry == instrument.delisting
        word = "is delisted" if delisted else "expires"
        when = f"in {row.days:.1f} days" if row.days > 0 else f"{-row.days:.1f} days ago"
        yield Finding(
            kind=Kind.EXPIRY,
            subject=row.instrument,
            severity=severity,
            text=f"{row.instrument} {word} {when}, on {row.expiry:%Y-%m-%d %H:%M} UTC.",
            values={"days": row.days, "expiry": row.expiry.isoformat().replace("+00:00", "Z"), "delisting": delisted},
        )
