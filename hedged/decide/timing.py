"""The hedge ratio that is wanted now: the configured one, none outside its time, or what a person has set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger

from hedged.model.policy import HedgePolicy, PortfolioPolicy
from hedged.model.statistics import HedgeStatistics
from hedged.model.timing import Insurance, Override, Recurring, Signal, SignalState, Window

ZERO = Decimal(0)


def timed(
    policy: PortfolioPolicy,
    overrides: Mapping[str, Override],
    signals: Mapping[str, SignalState],
    now: datetime,
) -> PortfolioPolicy:
    """The policy with the target ratios of `now`, each with the reason where it is not the configured one.

    `signals`: hedge → the state of its signal; one that is not known yet leaves the hedge as configured, since an
    unknown signal is no reason to stand unhedged. The very same policy where nothing is timed.
    """
    hedges = tuple(_timed(hedge, overrides.get(hedge.name), signals.get(hedge.name), now) for hedge in policy.hedges)
    return policy if hedges == policy.hedges else replace(policy, hedges=hedges)


def _timed(hedge: HedgePolicy, override: Override | None, signal: SignalState | None, now: datetime) -> HedgePolicy:
    if override is not None and override.holds(now):
        reason = f"set by hand until {override.until:%Y-%m-%d %H:%M} UTC" if override.until else "unwound by hand"
        return replace(hedge, target_ratio=override.ratio, target_reason=reason)
    if isinstance(hedge.timing, Insurance):
        if not is_insured(hedge.timing, now):
            return replace(hedge, target_ratio=ZERO, target_reason="outside its insurance windows")
    elif isinstance(hedge.timing, Signal):
        if signal is None:
            return replace(hedge, target_reason="its signal is not known yet")
        if not signal.on:
            return replace(
                hedge, target_ratio=ZERO, target_reason=f"its signal is off since {signal.since:%Y-%m-%d %H:%M} UTC"
            )
    return hedge


def is_insured(insurance: Insurance, now: datetime) -> bool:
    """Whether any window is open."""
    if any(_is_open(window, now) for window in insurance.windows):
        return True
    return any(_fired(recurring, now) for recurring in insurance.recurring)


def _is_open(window: Window, now: datetime) -> bool:
    return (window.begin is None or window.begin <= now) and (window.end is None or now < window.end)


def _fired(recurring: Recurring, now: datetime) -> bool:
    """Whether its crontab line named a time less than `lasts` ago."""
    earliest = now - recurring.lasts + timedelta(microseconds=1)
    at = _trigger(recurring.crontab).get_next_fire_time(None, earliest)
    return at is not None and at <= now


@lru_cache(maxsize=64)
def _trigger(crontab: str) -> CronTrigger:
    return CronTrigger.from_crontab(crontab, timezone=UTC)


def next_signals(
    policy: PortfolioPolicy,
    before: Mapping[str, SignalState],
    statistics: Mapping[str, HedgeStatistics],
    now: datetime,
) -> dict[str, SignalState]:
    """The signal of every hedge that goes by one, as far as it is known."""
    after = {}
    for hedge in policy.hedges:
        if isinstance(hedge.timing, Signal):
            known = statistics.get(hedge.name)
            state = next_signal(before.get(hedge.name), known.change if known else None, hedge.timing, now)
            if state is not None:
                after[hedge.name] = state
    return after


def next_signal(state: SignalState | None, change: float | None, signal: Signal, now: datetime) -> SignalState | None:
    """The signal after a reading; a change that is not known (None) leaves it as it is."""
    if change is None:
        return state
    if state is None:
        return SignalState(on=change < float(signal.on_below), since=now)
    if now - state.since < signal.min_hold:
        return state
    turned = change > float(signal.off_above) if state.on else change < float(signal.on_below)
    return SignalState(on=not state.on, since=now) if turned else state
