"""What should be done: an `Assessment` in, a `Decision` out, with its reason, also when that is nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from hedged.decide.gate import GateContext, approve, judge
from hedged.decide.rebalance import Trade, leg_of, trades_for
from hedged.decide.roll import roll_trades
from hedged.model.finding import Assessment, HedgeGroup, LegState
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import ApprovedIntent, Decision, Intent, Refusal, Side
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.model.snapshot import Quote, Read, Snapshot

__all__ = ["Book", "decide"]


@dataclass(frozen=True, slots=True)
class Book:
    """What has been traded and is on its way. `cycle_id` names this cycle's orders."""

    cycle_id: str
    turnover_day: Decimal = Decimal(0)  # quote currency, since midnight UTC, orders in flight included
    orders_minute: int = 0  # sent within the last minute
    in_flight: frozenset[InstrumentId] = frozenset()  # an order there has not come to an end
    orders_allowed: bool = True  # False: the store cannot keep an order, so none is made
    stopped: str | None = None  # why orders are paused or halted


def decide(assessment: Assessment, snapshot: Snapshot, policy: PortfolioPolicy, book: Book) -> Decision:
    """Judge every group; each order goes through the gate, in the order of the configuration."""
    modes = {hedge.name: hedge.mode for hedge in policy.hedges}
    reasons: list[str] = []
    approved: list[ApprovedIntent] = []
    refused: list[Refusal] = []
    proposals: list[Intent] = []
    by_hand: list[Intent] = []
    turnover = book.turnover_day
    for group in assessment.groups:
        trades, reason = trades_for(group, snapshot.instruments, policy.limits.order_notional_min)
        if not trades:
            trades, roll = roll_trades(group, snapshot, policy)
            reason = f"{reason}; {roll}" if roll else reason
        reasons.append(reason)
        mode = modes[group.hedges[0]]
        for number, trade in enumerate(trades):
            leg = leg_of(group.legs, trade.instrument)
            instrument = snapshot.instruments[trade.instrument]
            order_id = client_order_id(book.cycle_id, trade.instrument, number)
            intent = _intent(trade, group, leg, instrument, order_id)
            context = GateContext(
                instrument=instrument,
                quote=_fresh_quote(snapshot, trade.instrument, policy.thresholds.stale_after),
                contracts=leg.contracts,
                turnover_day=turnover,
                orders_cycle=len(approved) + len(proposals) + len(by_hand),
                orders_minute=book.orders_minute + len(approved),
                in_flight=trade.instrument in book.in_flight,
                rate=leg.rate or Decimal(1),
            )
            never_sent = by_hand if instrument.by_hand else proposals
            if mode is Mode.MONITOR or never_sent is by_hand:
                why = judge(intent, context, policy.limits)
                if why is None:
                    never_sent.append(intent)
                    turnover += intent.notional
                else:
                    refused.append(Refusal(intent=intent, reason=why))
                continue
            if book.stopped is not None or not book.orders_allowed:
                refused.append(Refusal(intent=intent, reason=book.stopped or "the store cannot keep an order now"))
                continue
            verdict = approve(intent, context, policy.limits, mode)
            if isinstance(verdict, ApprovedIntent):
                approved.append(verdict)
                turnover += intent.notional
            else:
                refused.append(verdict)
    return Decision(
        reason="; ".join(reasons) or "no hedges are configured",
        intents=tuple(approved),
        refused=tuple(refused),
        proposals=tuple(proposals),
        by_hand=tuple(by_hand),
        stopped=book.stopped,
    )


def _intent(trade: Trade, group: HedgeGroup, leg: LegState, instrument: Instrument, order_id: str) -> Intent:
    mark = leg.mark or Decimal(0)
    quantity = abs(trade.contracts)
    return Intent(
        client_order_id=order_id,
        hedge=group.name,
        instrument=trade.instrument,
        side=Side.BUY if trade.contracts > 0 else Side.SELL,
        quantity=quantity,
        price=mark,
        notional=abs(instrument.notional(quantity, mark)) * (leg.rate or Decimal(1)),
        reduce_only=trade.reduce_only,
        reason=trade.reason,
        purpose=trade.purpose,
    )


def client_order_id(cycle_id: str, instrument: InstrumentId, number: int) -> str:
    """`hd` + 24 lowercase hex: valid on every venue but one, and the same for the same decision."""
    digest = hashlib.sha256(f"{cycle_id}|{instrument}|{number}".encode()).hexdigest()
    return f"hd{digest[:24]}"


def _fresh_quote(snapshot: Snapshot, instrument: InstrumentId, stale_after: timedelta) -> Quote | None:
    quotes: Mapping[InstrumentId, object] = snapshot.quotes
    leg = quotes.get(instrument)
    if isinstance(leg, Read) and snapshot.now - leg.as_of <= stale_after:
        quote: Quote = leg.value
        return quote
    return None
