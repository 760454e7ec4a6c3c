"""What is said of a pause or a halt, and of the orders that it holds back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from hedged.model.finding import Finding, HedgeGroup, Kind, Severity
from hedged.model.order import Decision, Intent, Purpose, Refusal
from hedged.model.stop import Stop
from hedged.tell.state import time


class Stops(Protocol):
    """As `hedged.act.brake.Brake` shows them."""

    @property
    def paused(self) -> Stop | None: ...
    @property
    def halted(self) -> Stop | None: ...


def stops_object(stops: Stops) -> dict[str, object]:
    """`paused` and `halted` of the state: since, by and reason, or null."""
    return {"paused": _stop_object(stops.paused), "halted": _stop_object(stops.halted)}


def stop_findings(stops: Stops, decision: Decision, groups: Sequence[HedgeGroup], portfolio: str) -> list[Finding]:
    """A pause is a warning, a halt critical; and so is every hedge whose roll or reduction cannot wait for its end."""
    found = []
    if stops.paused is not None:
        text = f"Orders of {portfolio} are paused {stops.paused.text}."
        found.append(Finding(Kind.PAUSED, portfolio, Severity.WARNING, text, _values(stops.paused)))
    if stops.halted is not None:
        text = f"Orders of {portfolio} are halted {stops.halted.text}."
        found.append(Finding(Kind.HALTED, portfolio, Severity.CRITICAL, text, _values(stops.halted)))
    if not found:
        return []
    members = {group.name: group.hedges for group in groups}
    held: dict[str, list[str]] = {}
    for refusal in decision.refused:
        if _is_stopped(refusal, decision) and _cannot_wait(refusal.intent):
            for name in members.get(refusal.intent.hedge, (refusal.intent.hedge,)):
                held.setdefault(name, []).append(_order(refusal))
    word = "halted" if stops.halted is not None else "paused"
    return found + [
        Finding(Kind.PAUSED_DUE, name, Severity.CRITICAL, f"{name}: due, and orders are {word}: {'; '.join(orders)}.")
        for name, orders in held.items()
    ]


def refused_by_limits(decision: Decision) -> Decision:
    """The decision without what a stop alone refuses: that is told once, by the stop itself."""
    return replace(decision, refused=tuple(each for each in decision.refused if not _is_stopped(each, decision)))


def _is_stopped(refusal: Refusal, decision: Decision) -> bool:
    return decision.stopped is not None and refusal.reason == decision.stopped


def _cannot_wait(intent: Intent) -> bool:
    return intent.reduce_only or intent.purpose is not Purpose.REBALANCE


def _order(refusal: Refusal) -> str:
    intent = refusal.intent
    return f"{intent.purpose.value} {intent.side.value} {intent.quantity:f} {intent.instrument}"


def _values(stop: Stop) -> dict[str, str | bool | None]:
    return {"since": time(stop.since), "by": stop.by, "reason": stop.reason, "cancel": stop.cancel}


def _stop_object(stop: Stop | None) -> dict[str, str | bool | None] | None:
    return None if stop is None else _values(stop)
