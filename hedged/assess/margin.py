"""How close each derivatives account is to liquidation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hedged.assess.exposure import mark_of
from hedged.assess.relief import above, adding_text, closing_text, liquidation_relief, margin_relief, relief_text
from hedged.model.finding import Finding, Kind, MarginStatus, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.policy import MarginPolicy, OnCritical, PortfolioPolicy
from hedged.model.snapshot import Snapshot, seen
from hedged.model.statistics import BreachMove, MarginOdds

CRITICAL = 5.0
"""Times the probability that the user allows."""

OVER = 0.7
"""Times where it began: an alarm ends below this, so that it does not come and go with every price."""


def margin_statuses(snapshot: Snapshot) -> list[MarginStatus]:
    """One row per account with derivatives; what is not known is None."""
    rows = []
    for name, account in snapshot.accounts.items():
        derivatives = seen(account.derivatives) if account.derivatives is not None else None
        if derivatives is None:
            continue
        margin = derivatives.value.margin
        distances = [abs(move) for _, move in _moves(name, snapshot)]
        open_positions = [p for p in derivatives.value.positions if p.contracts]
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
                odds=snapshot.margin_odds.get(name),
            )
        )
    return rows


def with_alarms(
    odds: Mapping[str, MarginOdds], before: Mapping[str, str], policy: MarginPolicy
) -> dict[str, MarginOdds]:
    """Each with its alarm, given the alarms of the cycle before."""
    return {name: replace(each, alarm=_alarm(each, before.get(name), policy)) for name, each in odds.items()}


def _alarm(odds: MarginOdds, before: str | None, policy: MarginPolicy) -> str | None:
    if odds.probability is None:
        return None
    times = odds.probability / policy.probability
    if times >= CRITICAL * (OVER if before == Severity.CRITICAL.value else 1):
        return Severity.CRITICAL.value
    return Severity.WARNING.value if times >= (OVER if before is not None else 1) else None


def alarms_after(odds: Mapping[str, MarginOdds], before: Mapping[str, str]) -> dict[str, str]:
    """What the next cycle has to know; an account that nothing is known of keeps its alarm."""
    now = {name: each.alarm for name, each in odds.items() if each.alarm is not None}
    return {name: alarm for name, alarm in before.items() if name in odds and odds[name].may_be_worse} | now


def odds_findings(rows: Iterable[MarginStatus], policy: MarginPolicy) -> Iterator[Finding]:
    """Liquidation likelier than the user allows; and odds that are not known where hedged is to act on them."""
    for row in rows:
        odds = row.odds
        if odds is None:
            continue
        if odds.alarm is None and policy.on_critical is OnCritical.REDUCE:
            yield from _unknown_part(row.account, odds)
        if odds.unknown and not odds.passing and policy.on_critical is OnCritical.REDUCE:
            yield Finding(
                kind=Kind.MARGIN_ODDS,
                subject=row.account,
                severity=Severity.WARNING,
                text=(
                    f"{row.account} margin: how likely a liquidation is cannot be told, because {odds.unknown}. "
                    "hedged neither buys back there nor opens more."
                ),
                values={"unknown": odds.unknown},
            )
        if odds.alarm is None or odds.probability is None or odds.top_up is None:
            continue
        yield Finding(
            kind=Kind.MARGIN_ODDS,
            subject=row.account,
            severity=Severity(odds.alarm),
            text=_odds_text(row, odds, policy),
            values={
                "probability": round(Decimal(repr(odds.probability)), 6),
                "horizon_seconds": int(odds.horizon.total_seconds()),
                "equity": odds.equity,
                "equity_needed": odds.equity_needed,
                "top_up": _top_up(odds),
                "adding": adding_text(_wanted(odds)) or None,
                "closing": closing_text(odds.to_close) or None,
                "currency": odds.currency,
                "coin": odds.coin or None,
                "basis": odds.basis,
            },
        )


def _unknown_part(account: str, odds: MarginOdds) -> Iterator[Finding]:
    """The parts that hedged is to act on and cannot; where another part alarms, they are told with that."""
    if lasting := _untold(odds):
        yield Finding(
            kind=Kind.MARGIN_ODDS,
            subject=account,
            severity=Severity.WARNING,
            text=(
                f"{account} margin: how likely a liquidation is cannot be told of all of it, because {lasting}. "
                "hedged neither buys back there nor opens more; of the rest it is known."
            ),
            values={"unknown": lasting},
        )


def _untold(odds: MarginOdds) -> str:
    return " and ".join(each.why for each in odds.untold if not each.passing)


def _odds_text(row: MarginStatus, odds: MarginOdds, policy: MarginPolicy) -> str:
    left = "" if row.margin_ratio is None else f"{max(1 - row.margin_ratio, Decimal(0)):.0%} of equity left "
    reaches = f"before liquidation{_gets_there(odds)}; "
    chance = Decimal(repr(odds.probability or 0.0))
    within = span_text(odds.horizon)
    whose = f"{row.account} margin" + (f" of {odds.apart.partition(':')[2]} (isolated)" if odds.apart else "")
    text = (
        f"{whose}: {left}{reaches}{chance:.1%} within {within} "
        f"(at most {Decimal(repr(policy.probability)):.1%} is wanted; {odds.basis})."
    )
    if wanted := _wanted(odds):
        text += f" Top up {adding_text(wanted)}"
        text += f" or {closing_text(odds.to_close)}." if odds.to_close else "."
    if lasting := _untold(odds):
        text += f" Of another part of it nothing can be told, because {lasting}."
    return text


def _wanted(odds: MarginOdds) -> list[tuple[Decimal, str]]:
    """What each pool lacks, with its unit."""
    return [(above(each.top_up), each.unit) for each in odds.pools if each.top_up]


def _top_up(odds: MarginOdds) -> Decimal | None:
    """What all pools lack together; None where that is in several currencies."""
    currencies = {each.currency for each in odds.pools if each.top_up}
    return sum((amount for amount, _ in _wanted(odds)), Decimal(0)) if len(currencies) <= 1 else None


def breach_text(move: BreachMove | None) -> str:
    """`ETH +9.4%`; nothing where no move breaches."""
    if move is None:
        return ""
    coin = "everything" if move.instrument is None else move.instrument.partition(":")[2].partition("/")[0]
    return f"{coin} {move.ratio:+.1%}"


def _gets_there(odds: MarginOdds | None) -> str:
    """`, ETH +9.4% gets there`: the move that liquidates; nothing where none is known."""
    reaches = "" if odds is None else breach_text(odds.breach_common or next(iter(odds.breaches), None))
    return f", {reaches} gets there" if reaches else ""


def span_text(span: timedelta) -> str:
    """`1 d`, `12 h`, `90 min`."""
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def margin_findings(rows: Iterable[MarginStatus], snapshot: Snapshot, policy: PortfolioPolicy) -> Iterator[Finding]:
    for row in rows:
        if row.margin_ratio is not None and row.margin_ratio >= policy.thresholds.margin_ratio_warning:
            yield _thin(row, row.margin_ratio, snapshot, policy)
        distance = row.liquidation_distance_ratio
        if distance is not None and distance <= policy.thresholds.liquidation_distance_near:
            yield _near(row, distance, snapshot, policy)


def _thin(row: MarginStatus, ratio: Decimal, snapshot: Snapshot, policy: PortfolioPolicy) -> Finding:
    thresholds = policy.thresholds
    critical = ratio >= thresholds.margin_ratio_critical
    limit = thresholds.margin_ratio_critical if critical else thresholds.margin_ratio_warning
    relief = margin_relief(row, snapshot, policy)
    return Finding(
        kind=Kind.MARGIN,
        subject=row.account,
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        text=(
            f"{row.account} margin: {max(1 - ratio, Decimal(0)):.0%} of equity left before liquidation"
            f"{_estimated(row)}{_gets_there(row.odds)}; maintenance margin is {ratio:.0%} of it, "
            f"{'critical' if critical else 'warning'} from {limit:.0%}. "
            f"{relief_text(relief, 'to get below the warning')}"
        ),
        values={
            "margin_ratio": ratio,
            "equity": row.equity,
            "maintenance": row.maintenance,
            **relief.values(),
            "estimated": row.estimated,
        },
    )


def _near(row: MarginStatus, distance: Decimal, snapshot: Snapshot, policy: PortfolioPolicy) -> Finding:
    near = policy.thresholds.liquidation_distance_near
    moves = [each for each in _moves(row.account, snapshot) if abs(each[1]) <= near]
    relief = liquidation_relief(row.account, [name for name, _ in moves], snapshot, policy)
    reaches = " or ".join(f"{name.partition(':')[2]} {move:+.1%}" for name, move in moves)
    return Finding(
        kind=Kind.LIQUIDATION_NEAR,
        subject=row.account,
        severity=Severity.CRITICAL if distance <= near / 2 else Severity.WARNING,
        text=(
            f"{row.account}: {reaches}, the others standing still, reaches its liquidation price{_estimated(row)} "
            f"(warning from {near:.0%}). {relief_text(relief, 'to get further away than that')}"
        ),
        values={
            "liquidation_distance_ratio": distance,
            **relief.values(),
            "estimated": row.estimated,
        },
    )


def _estimated(row: MarginStatus) -> str:
    return " (estimated)" if row.estimated else ""


def _moves(account: str, snapshot: Snapshot) -> list[tuple[InstrumentId, Decimal]]:
    """Open positions whose liquidation price is known, and the move of the mark that reaches it; the nearest first."""
    view = snapshot.accounts[account].derivatives
    derivatives = seen(view) if view is not None else None
    if derivatives is None:
        return []
    moves = []
    for position in derivatives.value.positions:
        mark = mark_of(snapshot, position.instrument)
        if position.contracts and position.liquidation_price is not None and mark:
            moves.append((position.instrument, position.liquidation_price / mark - 1))
    return sorted(moves, key=lambda move: abs(move[1]))
