"""Values to store, whole enough to be worth storing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.model.alert import Alert, AlertState, Message, MessageKind
from hedged.model.effect import EffectDay, Parts
from hedged.model.finding import Kind, Severity
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier, instrument_id
from hedged.model.order import Decision, Fill, Intent, Purpose, Side
from hedged.model.proposal import Proposal
from hedged.model.snapshot import (
    AccountSnapshot,
    Balance,
    Derivatives,
    Doubt,
    Fault,
    Margin,
    Missing,
    Position,
    Quote,
    Read,
    Snapshot,
)
from hedged.ports import CycleRecord, Memory
from tests.support import T0

ETH = instrument_id("main", "ETH/USDT:USDT")


def intent(order: str, *, quantity: str = "2", notional: str = "6000") -> Intent:
    return Intent(
        client_order_id=order,
        hedge="alts",
        instrument=ETH,
        side=Side.SELL,
        quantity=Decimal(quantity),
        price=Decimal(3000),
        notional=Decimal(notional),
        reduce_only=False,
        reason="drift −0.08 is outside the band of 0.05",
    )


def proposal(name: str = "0badcafe", *, at: datetime = T0, quantity: str = "2") -> Proposal:
    return Proposal(
        id=name,
        hedge="alts",
        instrument=ETH,
        side=Side.SELL,
        quantity=Decimal(quantity),
        price=Decimal("3000.10"),
        notional=Decimal("6000.20"),
        reduce_only=False,
        purpose=Purpose.REBALANCE,
        reason="drift −0.08 is outside the band of 0.05",
        made_at=at,
        expires_at=at + timedelta(minutes=30),
    )


def fill(order: str, *, quantity: str = "2", at: datetime = T0) -> Fill:
    return Fill(order, ETH, Side.SELL, Decimal(quantity), Decimal("2999.50"), Decimal("3.0"), at, Decimal("1.00"))


def alert(subject: str, event_id: str, state: AlertState = AlertState.FIRING, *, at: datetime = T0) -> Alert:
    return Alert(
        key=f"drift/{subject}",
        kind=Kind.DRIFT,
        subject=subject,
        severity=Severity.WARNING,
        state=state,
        event_id=event_id,
        text="8 % under-hedged",
        values={"drift": Decimal("-0.080"), "hedge": subject, "legs": 2, "estimated": False, "beta": None},
        since=at,
        fired_at=None if state is AlertState.PENDING else at,
        resolved_at=at if state is AlertState.RESOLVED else None,
    )


def message(event_id: str, *, at: datetime = T0) -> Message:
    return Message(event_id, MessageKind.FIRING, "drift/alts", Severity.WARNING, "alts", "8 % under-hedged", at)


def snapshot(now: datetime = T0) -> Snapshot:
    position = Position(ETH, Decimal("-12.50"), Decimal(2900), liquidation_price=Decimal("4100.10"))
    return Snapshot(
        now=now,
        accounts={
            "main": AccountSnapshot(
                account="main",
                wallets={
                    "spot": Read((Balance("UNI", Decimal("100.10")), Balance("AAVE", Decimal(3))), now),
                    "margin": Missing(Fault.UNREADABLE, "fetch_balance margin", "HTML", last=Read((), now)),
                },
                derivatives=Read(Derivatives((position,), Margin(Decimal(5000), Decimal("40.5"))), now),
            )
        },
        instruments={
            ETH: Instrument(
                *(ETH, "main", "ETH/USDT:USDT", ContractKind.PERPETUAL, "ETH", "USDT", "USDT"),
                tiers=(MarginTier(Decimal(0), Decimal("0.004"), Decimal(125)),),
            )
        },
        quotes={ETH: Read(Quote(Decimal("3000.10"), funding_rate=Decimal("0.0001"), funding_next=now), now)},
        prices={"UNI": Read(Decimal("7.10"), now), "AAVE": Missing(Fault.UNREACHABLE, "fetch_tickers", "time-out")},
        doubts=(Doubt(ETH, "main", "ETH", ETH, Decimal("-12.50"), Decimal(0), 2),),
    )


def memory(
    at: datetime = T0, *, polls: Mapping[str, int] | None = None, accepted: frozenset[str] = frozenset()
) -> Memory:
    positions: dict[InstrumentId, Decimal] = {ETH: Decimal("-12.50")}
    return Memory(at, positions, {"main/spot/UNI": Decimal("100.10")}, dict(polls or {}), accepted)


def effect_day(hedge: str, day: datetime = T0) -> EffectDay:
    parts = Parts(proxy=Decimal("-12.50"), fees=Decimal("-0.30"))
    return EffectDay(
        hedge, day, Decimal("10000.10"), 60.0, exposure=Decimal(-100), full_hedge=Decimal(-90), parts=parts
    )


def record(
    n: int,
    *,
    at: datetime | None = None,
    decision: Decision | None = None,
    remembered: Memory | None = None,
    alerts: Sequence[Alert] = (),
    messages: Sequence[Message] = (),
    proposals: Sequence[Proposal] = (),
    seen: bool = True,
) -> CycleRecord:
    """The n-th cycle, a minute after the one before; not `seen`: observing itself failed."""
    now = at or T0 + timedelta(minutes=n)
    return CycleRecord(
        cycle_id=f"{n:024x}",
        started_at=now,
        finished_at=now,
        snapshot=snapshot(now) if seen else None,
        state={"schema": 1, "n": n, "drift": -0.08, "hedges": [{"name": "alts"}]} if seen else None,
        decision=(decision or Decision("inside the band")) if seen else None,
        memory=remembered or memory(now),
        alerts=alerts,
        messages=messages,
        proposals=proposals,
    )
