"""The object that `once --json` prints, MQTT retains and the store keeps: an assessment and a decision, as JSON.

Money and quantities are decimal strings, ratios numbers, times ISO-8601 Z, unknown null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from hedged.model.finding import Assessment, Finding, HedgeState, LegState, Scalar
from hedged.model.order import Cancelled, Decision, Fill, Intent, Outcome, Rejected, Working
from hedged.model.policy import PortfolioPolicy
from hedged.model.proposal import Proposal
from hedged.model.statistics import HedgeStatistics, MarginOdds
from hedged.model.stream import StreamState

SCHEMA = "hedged.once/1"


def money(value: Decimal | None) -> str | None:
    """A decimal string without an exponent or superfluous zeros."""
    if value is None:
        return None
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def number(value: Decimal | None) -> float | None:
    return None if value is None else float(round(value, 9))


def time(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds").replace("+00:00", "Z")


def state_object(
    assessment: Assessment,
    decision: Decision,
    policy: PortfolioPolicy,
    statistics: Mapping[str, HedgeStatistics] | None = None,
) -> dict[str, object]:
    """One cycle, whole. Intents are what is sent, or under `monitor` what would be."""
    modes = {hedge.name: hedge.mode.value for hedge in policy.hedges}
    inner = {
        name: group.band if group.inner_band is None else group.inner_band
        for group in assessment.groups
        for name in group.hedges
    }
    past = {name: statistics_object(each, inner.get(name)) for name, each in (statistics or {}).items()}
    intents = [*(approved.intent for approved in decision.intents), *decision.proposals, *decision.by_hand]
    return {
        "schema": SCHEMA,
        "now": time(assessment.now),
        "mode": policy.mode.value,
        "world": policy.world.value,
        "portfolio": policy.name,
        "quote": policy.quote,
        "exposures": [
            {
                "asset": row.asset,
                "quantity": money(row.quantity),
                "price": money(row.price),
                "value": money(_cents(row.value)),
                "hedge": row.hedge,
                "as_of": time(row.as_of),
            }
            for row in assessment.exposures
        ],
        "hedges": [
            {**_hedge(state, modes[state.name]), "statistics": past.get(state.name)} for state in assessment.hedges
        ],
        "margin": [
            {
                "account": row.account,
                "margin_ratio": number(row.margin_ratio),
                "liquidation_distance_ratio": number(row.liquidation_distance_ratio),
                "estimated": row.estimated,
                "equity": money(_cents(row.equity)),
                "maintenance": money(_cents(row.maintenance)),
                **odds_object(row.odds),
            }
            for row in assessment.margin
        ],
        "expiries": [
            {"instrument": row.instrument, "expiry": time(row.expiry), "days": number(row.days)}
            for row in assessment.expiries
        ],
        "findings": [finding_object(finding) for finding in assessment.findings],
        "decision": {
            "reason": decision.reason,
            "intents": [intent_object(intent) for intent in intents],
            "refused": [
                {"intent": intent_object(refusal.intent), "reason": refusal.reason} for refusal in decision.refused
            ],
            "proposals": [proposal_object(each) for each in decision.awaiting],
        },
    }


def odds_object(odds: MarginOdds | None) -> dict[str, object]:
    """Null where nothing is known; `odds_basis` says what the figures rest on, or why there are none."""
    nearest = odds.breaches[0] if odds is not None and odds.breaches else None
    common = odds.breach_common if odds is not None else None
    return {
        "liquidation_probability": None if odds is None else _rounded(odds.probability),
        "liquidation_probability_walk": None if odds is None else _rounded(odds.walk),
        "liquidation_probability_bootstrap": None if odds is None else _rounded(odds.bootstrap),
        "liquidation_within_seconds": None if odds is None else int(odds.horizon.total_seconds()),
        "currency": odds.currency or None if odds is not None else None,
        "coin": odds.coin or None if odds is not None else None,
        "equity_needed": None if odds is None else money(odds.equity_needed),
        "top_up": None if odds is None else money(odds.top_up),
        "breach": None if nearest is None else {"instrument": nearest.instrument, "ratio": _rounded(nearest.ratio)},
        "breach_common_ratio": None if common is None else _rounded(common.ratio),
        "leverage_lowest": None if odds is None else odds.leverage_lowest,
        "to_close": {} if odds is None else {name: money(each) for name, each in odds.to_close.items()},
        "odds_basis": None if odds is None else odds.basis or f"unknown: {odds.unknown}",
    }


def statistics_object(statistics: HedgeStatistics, band_inner: Decimal | None) -> dict[str, object]:
    """What the past says of a hedge: volatilities and costs are fractions a year, `band_inner` where orders stop."""
    return {
        "as_of": time(statistics.as_of),
        "ratios": {name: number(ratio) for name, ratio in statistics.ratios.items()},
        "betas": {asset: number(beta) for asset, beta in statistics.betas.items()},
        "gap_volatility": _rounded(statistics.gap_volatility),
        "hedge_volatility": _rounded(statistics.hedge_volatility),
        "hedge_volatility_usual": _rounded(statistics.hedge_volatility_usual),
        "carry_year": {name: _rounded(cost) for name, cost in statistics.carry_year.items()},
        "change": _rounded(statistics.change),
        "band_inner": number(band_inner),
        "text": statistics.text,
    }


def finding_object(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind.value,
        "subject": finding.subject,
        "severity": finding.severity.value,
        "text": finding.text,
        "values": values_object(finding.values),
    }


def stream_object(state: StreamState) -> dict[str, object]:
    """A connection that is watched between polls; a daemon's state has a list of them, `once` watches nothing."""
    return {
        "account": state.account,
        "stream": state.name,
        "up": state.up,
        "since": time(state.since),
        "detail": state.detail,
    }


def values_object(values: Mapping[str, Scalar]) -> dict[str, object]:
    return {name: money(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def intent_object(intent: Intent) -> dict[str, object]:
    return {
        "hedge": intent.hedge,
        "instrument": intent.instrument,
        "side": intent.side.value,
        "quantity": money(intent.quantity),
        "price": money(intent.price),
        "notional": money(_cents(intent.notional)),
        "reduce_only": intent.reduce_only,
        "reason": intent.reason,
        "purpose": intent.purpose.value,
        "placement": intent.placement.value,
    }


def proposal_object(proposal: Proposal) -> dict[str, object]:
    """An order that waits for a person's word, or what became of it; `digest` is what an approval approves."""
    return {
        "id": proposal.id,
        "digest": proposal.digest,
        "hedge": proposal.hedge,
        "instrument": proposal.instrument,
        "side": proposal.side.value,
        "quantity": money(proposal.quantity),
        "price": money(proposal.price),
        "notional": money(_cents(proposal.notional)),
        "reduce_only": proposal.reduce_only,
        "purpose": proposal.purpose.value,
        "reason": proposal.reason,
        "made_at": time(proposal.made_at),
        "expires_at": time(proposal.expires_at),
        "verdict": proposal.verdict.value,
        "decided_at": time(proposal.decided_at),
        "decided_by": proposal.decided_by,
        "client_order_id": proposal.client_order_id,
        "ended_because": proposal.ended_because,
    }


def order_object(intent: Intent, outcome: Outcome) -> dict[str, object]:
    """One order that was sent: `filled` with its price and fee, `working`, or `cancelled`, `rejected`, `unknown` with
    the reason.
    """
    sent: dict[str, object] = {
        "client_order_id": intent.client_order_id,
        "hedge": intent.hedge,
        "instrument": intent.instrument,
        "side": intent.side.value,
        "quantity": money(intent.quantity),
        "reduce_only": intent.reduce_only,
    }
    if isinstance(outcome, Fill):
        filled = {"filled": money(outcome.quantity), "price": money(outcome.price), "fee": money(_cents(outcome.fee))}
        return {**sent, "outcome": "filled", **filled}
    if isinstance(outcome, Working):
        return {**sent, "outcome": "working", "filled": money(outcome.filled)}
    word = {Cancelled: "cancelled", Rejected: "rejected"}.get(type(outcome), "unknown")
    return {**sent, "outcome": word, "reason": outcome.reason}


def _hedge(state: HedgeState, mode: str) -> dict[str, object]:
    return {
        "name": state.name,
        "mode": mode,
        "exposure_value": money(_cents(state.exposure_value)),
        "beta_exposure": money(_cents(state.beta_exposure)),
        "hedge_value": money(_cents(state.hedge_value)),
        "hedge_ratio": number(state.hedge_ratio),
        "target_ratio": number(state.target_ratio),
        "target_reason": state.target_reason or None,
        "band": number(state.band),
        "band_configured": number(state.band_configured),
        "drift": number(state.drift),
        "state": state.status.value,
        "blocked_by": list(state.blocked_by),
        "legs": [_leg(leg) for leg in state.legs],
    }


def _leg(leg: LegState) -> dict[str, object]:
    return {
        "instrument": leg.instrument,
        "contracts": money(leg.contracts),
        "base_quantity": money(leg.base_quantity),
        "notional": money(_cents(leg.notional)),
        "mark": money(leg.mark),
        "as_of": time(leg.as_of),
        "funding_rate": number(leg.funding_rate),
        "carry_year": money(_cents(leg.carry_year)),
    }


def _rounded(value: float | None) -> float | None:
    """JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else round(value, 9)


def _cents(value: Decimal | None) -> Decimal | None:
    """Values are shown to a millionth; quantities and prices as they are."""
    return None if value is None else round(value, 6)
