"""The day in one message, instead of signs of life: how everything stands, what it cost, what fired. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal

from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.effect import EffectDay
from hedged.model.finding import Assessment, HedgeState, MarginStatus, Severity
from hedged.model.policy import PortfolioPolicy
from hedged.tell.text import SUBJECT_MAX, TEXT_MAX, clean, moment_text

DAY = timedelta(days=1)
LISTED = 10  # of each sort


def last_due(at: time, now: datetime) -> datetime:
    """The latest moment, until now, at which a digest was due. `at` is a time of the day in UTC."""
    today = datetime.combine(now.date(), at)
    return today if today <= now else today - DAY


def compose_digest(
    assessment: Assessment,
    alerts: Sequence[Alert],
    days: Sequence[EffectDay] | None,
    policy: PortfolioPolicy,
    event_id: str,
) -> Message:
    """`days`: what hedges did yesterday; None: nobody can tell."""
    now = assessment.now
    firing = [each for each in alerts if each.state is AlertState.FIRING]
    fired = [each for each in alerts if _ended_lately(each, now)]
    lines = [
        *_listed([_hedge(each, policy.quote) for each in assessment.hedges], "hedges"),
        *_listed([_margin(each) for each in assessment.margin], "accounts"),
        *_costs(days, policy.quote),
        *_listed([_alert(each) for each in sorted(firing, key=_worst_first)], "alerts"),
        *([] if firing else ["No alert is firing."]),
        *_listed([_past(each) for each in sorted(fired, key=_worst_first)], "alerts that are over"),
    ]
    standing = f"{len(firing)} alert{'' if len(firing) == 1 else 's'} firing" if firing else "no alert is firing"
    hedges = f"{len(assessment.hedges)} hedge{'' if len(assessment.hedges) == 1 else 's'}"
    return Message(
        event_id=event_id,
        kind=MessageKind.DIGEST,
        key=f"digest/{policy.name}",
        severity=Severity.INFO,
        title=f"Daily digest: {hedges}, {standing}",
        body="\n".join(lines),
        at=now,
        values={"firing": len(firing), "hedges": len(assessment.hedges)},
    )


def _listed(lines: Sequence[str], what: str) -> Iterator[str]:
    yield from lines[:LISTED]
    if len(lines) > LISTED:
        yield f"… and {len(lines) - LISTED} more {what}: `hedged status`, `hedged alerts`."


def _hedge(state: HedgeState, quote: str) -> str:
    name = clean(state.name, SUBJECT_MAX)
    exposure = "unknown" if state.exposure_value is None else f"{state.exposure_value:,.0f} {quote}"
    ratio = "unknown" if state.hedge_ratio is None else f"{state.hedge_ratio:.2f}"
    why = f" ({clean(state.blocked_by[0], TEXT_MAX)})" if state.blocked_by else ""
    status = state.status.value.replace("_", " ")
    stands = f"hedge ratio {ratio}, target {state.target_ratio:.2f} ± {state.band:.2f}"
    return f"{name}: exposure {exposure}, {stands}: {status}{why}."


def _margin(row: MarginStatus) -> str:
    ratio = "unknown" if row.margin_ratio is None else f"{row.margin_ratio:.0%}"
    distance = row.liquidation_distance_ratio
    away = "" if distance is None else f", liquidation price {distance:.0%} away"
    return f"{clean(row.account, SUBJECT_MAX)}: margin ratio {ratio} (100 % is liquidation){away}."


def _costs(days: Sequence[EffectDay] | None, quote: str) -> Iterator[str]:
    if days is None:
        yield "What hedges did yesterday cannot be read."
        return
    yield from _listed([_cost(day, quote) for day in days], "hedges")


def _cost(day: EffectDay, quote: str) -> str:
    coins, hedge, parts = day.exposure, day.hedge_pnl, day.parts
    costs = f"fees, slippage, rolls and interest {_paid(parts.costs)}"
    return (
        f"{clean(day.hedge, SUBJECT_MAX)} yesterday: coins {coins:+,.2f}, hedge {hedge:+,.2f} {quote}; "
        f"of it funding {parts.funding:+,.2f}, {costs}."
    )


def _ended_lately(alert: Alert, now: datetime) -> bool:
    """It was told, and is over since less than a day."""
    over = alert.resolved_at if alert.state is AlertState.RESOLVED and alert.told_at is not None else None
    return over is not None and now - over < DAY


def _paid(costs: Decimal) -> str:
    return f"{-costs:+,.2f}" if costs else "0.00"


def _alert(alert: Alert) -> str:
    since = alert.since or alert.fired_at
    when = f" since {moment_text(since)}" if since is not None else ""
    return f"Firing, {alert.severity.value}{when}: {clean(alert.text, TEXT_MAX)}"


def _past(alert: Alert) -> str:
    over = f", over since {moment_text(alert.resolved_at)}" if alert.resolved_at is not None else ""
    return f"Fired, {alert.severity.value}{over}: {clean(alert.text, TEXT_MAX)}"


def _worst_first(alert: Alert) -> tuple[int, str]:
    return -alert.severity.rank, alert.key
