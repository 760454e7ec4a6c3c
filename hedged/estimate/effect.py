"""What a hedge's days say together: how much of the risk it took away, what that cost, and whether it still works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from hedged.estimate.decomposition import ratio_error, summed
from hedged.estimate.effectiveness import Floats, effectiveness
from hedged.estimate.monitoring import (
    OFFSET_LOW,
    Regression,
    ResidualCusum,
    dollar_offset,
    effectiveness_bootstrap,
    hedge_regression,
)
from hedged.model.effect import ZERO, EffectDay, Parts

DAYS_MIN = 20
"""Fewer days say nothing of how well a hedge works."""

ROLLING_DAYS = 60
RECENT_DAYS = 20
WATCHED_DAYS = 120
WATCHED = timedelta(days=WATCHED_DAYS)

_DAY_SECONDS = 86_400
_USUAL_MARGIN = 1.2  # on what is usual, which a few dozen days with fat tails tell too small as often as too large
_COVERED_MIN, _COVERED_MAX = 0.75, 1.5  # of a day: less is part of one, more is several in one


@dataclass(frozen=True, slots=True)
class Effect:
    """A hedge over some days. Money in the quote currency; None where `days`, those that returns can be taken from,
    are too few or nothing moved.

    `effectiveness` with its interval (90 %) and `regression` are of daily returns, the newest `ROLLING_DAYS` of them.
    `lost_while_rising`: what the hedge lost on days on which the exposure rose (> 0: lost), the price of having been
    hedged; `gained_while_falling` is its counterpart. They differ by `hedge_pnl`.
    """

    hedge: str
    first: datetime
    last: datetime
    days: int
    seconds: float
    unknown_seconds: float
    exposure: Decimal
    hedge_pnl: Decimal
    flows: Decimal
    parts: Parts
    ratio_error: Decimal | None
    lost_while_rising: Decimal
    gained_while_falling: Decimal
    effectiveness: float | None
    interval: tuple[float, float] | None
    regression: Regression | None
    offset: float | None  # what the hedge took away over what the exposure made, all days together
    funding_settled: int = 0  # settlements; a day on record from before they were counted is one
    funding_read: int = 0  # of these, for which the account itself said what it was; the others are computed

    @property
    def idiosyncratic(self) -> Decimal | None:
        """What is left of the proxy's part once the ratio error is taken out."""
        return None if self.ratio_error is None else self.parts.proxy - self.ratio_error


@dataclass(frozen=True, slots=True)
class Health:
    """`alarm`: "variance", "up" or "down" as in `ResidualCusum`; None: it works, or `days` are too few to tell."""

    days: int
    effectiveness: float | None = None  # of the newest ROLLING_DAYS
    recent: float | None = None  # of the newest RECENT_DAYS
    alarm: str | None = None


def effect_of(rows: Sequence[EffectDay], random: np.random.Generator) -> Effect:
    """Of one hedge's days, at least one, oldest first."""
    days = usable(rows)
    parts = summed([row.parts for row in rows])
    rose = sum((row.hedge_pnl for row in rows if row.exposure > 0), ZERO)
    unhedged, hedged = returns_of(days[-ROLLING_DAYS:])
    enough = len(days) >= DAYS_MIN
    full_hedge = sum((row.full_hedge for row in rows), ZERO)
    slope = _slope(days) if enough else None
    offset = dollar_offset(*_money(days)) if enough else np.empty(0)
    settled = sum(row.funding_settled or int(row.parts.funding != 0 and not row.funding_read) for row in rows)
    return Effect(
        hedge=rows[-1].hedge,
        first=rows[0].day,
        last=rows[-1].day,
        days=len(days),
        seconds=sum(row.seconds for row in rows),
        unknown_seconds=sum(row.unknown_seconds for row in rows),
        exposure=sum((row.exposure for row in rows), ZERO),
        hedge_pnl=sum((row.hedge_pnl for row in rows), ZERO),
        flows=sum((row.flows for row in rows), ZERO),
        parts=parts,
        ratio_error=None if slope is None else ratio_error(parts, full_hedge, slope)[0],
        lost_while_rising=-rose,
        gained_while_falling=sum((row.hedge_pnl for row in rows if row.exposure <= 0), ZERO),
        effectiveness=effectiveness(unhedged, hedged) if enough else None,
        interval=effectiveness_bootstrap(unhedged, hedged, random) if enough else None,
        regression=hedge_regression(unhedged, hedged) if enough else None,
        offset=float(offset[-1]) if len(offset) and np.isfinite(offset[-1]) else None,
        funding_settled=settled,
        funding_read=min(settled, sum(row.funding_read for row in rows)),
    )


def health_of(rows: Sequence[EffectDay]) -> Health:
    """Whether a hedge still does what it did, by the newest `WATCHED_DAYS` of its days, oldest first.

    Its hedged return is watched in units of what the exposure has moved lately, so that a wild market by itself is no
    alarm: the first half of the days, `DAYS_MIN` at least, says what is usual, and a `ResidualCusum` runs over the
    rest. A hedge that still takes most of the risk away (`OFFSET_LOW`) needs no alarm, whatever it did before. One
    that works and leaves 15 to 35 % of the variance alarms about once in two years (simulated, Student-t₄).
    """
    days = usable(rows)[-WATCHED_DAYS:]
    if len(days) < DAYS_MIN:
        return Health(len(days))
    unhedged, hedged = returns_of(days)
    overall = effectiveness(unhedged[-ROLLING_DAYS:], hedged[-ROLLING_DAYS:])
    recent = effectiveness(unhedged[-RECENT_DAYS:], hedged[-RECENT_DAYS:])
    alarm = None
    if recent is not None and recent < OFFSET_LOW:
        alarm = _alarm(unhedged, hedged)
    return Health(len(days), overall, recent, alarm)


def usable(rows: Sequence[EffectDay]) -> list[EffectDay]:
    """Days that a day's return can be taken from: whole ones of which everything is known."""
    return [
        row
        for row in rows
        if row.exposure_value > 0
        and not row.unknown_seconds
        and _COVERED_MIN <= row.seconds / _DAY_SECONDS <= _COVERED_MAX
    ]


def returns_of(days: Sequence[EffectDay]) -> tuple[Floats, Floats]:
    """Returns of the exposure alone and with its hedge, (n,) each, as fractions of the exposure."""
    values = np.array([float(row.exposure_value) for row in days])
    unhedged, hedged = _money(days)
    return unhedged / values, hedged / values


def _money(days: Sequence[EffectDay]) -> tuple[Floats, Floats]:
    return np.array([float(row.exposure) for row in days]), np.array([float(row.parts.total) for row in days])


def _slope(days: Sequence[EffectDay]) -> float | None:
    """Of the exposure's return on what a full hedge would have taken; None where it did not move."""
    values = np.array([float(row.exposure_value) for row in days])
    exposure = np.array([float(row.exposure) for row in days]) / values
    hedge = np.array([float(row.full_hedge) for row in days]) / values
    moves = hedge - hedge.mean()
    variance = float(moves @ moves)
    return float(moves @ exposure) / variance if variance > 0 else None


def _alarm(unhedged: Floats, hedged: Floats) -> str | None:
    usual = max(DAYS_MIN, len(unhedged) // 2)
    squares = np.cumsum(np.concatenate(([0.0], unhedged**2)))
    until = np.arange(1, len(squares))
    since = np.maximum(until - RECENT_DAYS, 0)
    lately = np.sqrt((squares[until] - squares[since]) / (until - since))
    residuals = np.divide(hedged, lately, out=np.zeros_like(hedged), where=lately > 0)
    sigma = float(residuals[:usual].std()) * _USUAL_MARGIN
    if not sigma > 0:
        return None
    cusum, alarm = ResidualCusum(sigma), None
    for residual in residuals[usual:] - residuals[:usual].mean():
        alarm = cusum.add(float(residual))
    return alarm
